// A place where masters run, one after the other: started again when one ends, waiting for its turn where
// there are several. The simulated side of `bin/master.ts`.
import { Candidacy, type CandidateStep } from '#mesos/election/candidacy.ts';
import type { Member } from '#mesos/election/group.ts';
import { REGISTRY_HOST } from './election.ts';
import { MasterProcess } from './master-process.ts';
import { Channel, Life } from './network.ts';
import type { World } from './world.ts';

const RESTART_MS = 1_000;
const PROBE_MS = 500;

export class MasterSeat {
  readonly host: string;
  readonly address: string;
  /** Of the process that leads or waits. */
  life: Life;
  /** It leads. */
  process: MasterProcess | undefined;
  readonly #world: World;
  #lives = 0;

  constructor(world: World, host: string) {
    this.#world = world;
    this.host = host;
    this.address = `${host}:5050`;
    this.life = new Life(host, host);
    this.life.isAlive = false;
  }

  start(): void {
    if (this.life.isAlive) return;
    const { group } = this.#world;
    if (group === undefined && this.#world.isRegistryDown) {
      // It cannot read what it must know, ends, and is started again.
      this.#later(RESTART_MS, () => this.start());
      return;
    }
    this.#lives += 1;
    this.life = new Life(this.host, `${this.host} ${this.#lives}`);
    this.#world.noteStart();
    this.#world.log(`the ${this.host} starts`);
    if (group === undefined) this.#lead();
    else this.#stand();
  }

  crash(): void {
    if (!this.life.isAlive) return;
    this.#world.log(`the ${this.host} is killed`);
    if (this.process === undefined) this.life.end();
    else this.process.kill();
    this.process = undefined;
  }

  /** It must not go on: another could contradict it. */
  fail(): void {
    this.crash();
    this.#later(RESTART_MS, () => this.start());
  }

  // ---- where there are several

  #stand(): void {
    const { group } = this.#world;
    const { life } = this;
    const candidacy = new Candidacy();
    const take = (step: CandidateStep): void => {
      if (life.isAlive) this.#take(step, candidacy);
    };
    group?.watch(life, (leader) => take(candidacy.onLeader(leader)));
    group?.join(life, this.address, {
      onEntered: (id) => take(candidacy.onEntered(id)),
      onLost: () => take(candidacy.onLost()),
    });
  }

  #take(step: CandidateStep, candidacy: Candidacy): void {
    if (step.kind === 'watch') this.#watchProcess(step.leader, candidacy);
    else if (step.kind === 'end') {
      this.#world.log(`the ${this.host} leads no longer`);
      this.fail();
    } else if (step.kind === 'lead') {
      // Taking the registry over and reading it takes a while.
      const { life } = this;
      this.#later(this.#world.random.below(30), () => {
        if (!life.isAlive) return;
        if (this.#isRegistryAway) this.fail();
        else this.#lead();
      });
    }
  }

  get #isRegistryAway(): boolean {
    return this.#world.isRegistryDown || this.#world.network.isCut(this.host, REGISTRY_HOST);
  }

  /** A connection that breaks, and nobody listens there any more: it need not be waited for. */
  #watchProcess(leader: Member, candidacy: Candidacy): void {
    const { network, group } = this.#world;
    const { life } = this;
    const watched = this.#world.seatAt(leader.info.id)?.life;
    const isOff = (): boolean => !life.isAlive || candidacy.leader?.id !== leader.id;
    const probe: Channel = new Channel(network, {
      from: life,
      to: watched,
      onBroken: () => {
        if (isOff()) return;
        if (watched?.isAlive !== true) group?.evict(life, leader.id);
        else
          this.#later(PROBE_MS, () => {
            if (!isOff()) this.#watchProcess(leader, candidacy);
          });
      },
    });
    void probe;
  }

  #lead(): void {
    const world = this.#world;
    const { observer } = world;
    for (const { process, host } of world.seats) {
      if (process !== undefined) observer.failed(`${this.host} leads while ${host} does`);
    }
    const leadership = world.registry.lead();
    const content = world.registry.read();
    world.log(`the ${this.host} leads`);
    observer.registryAgrees(content);
    this.process = new MasterProcess(this, { world, leadership, incarnation: world.nextMaster() });
    observer.masterAgrees(this.process.core, content);
  }

  #later(ms: number, act: () => void): void {
    this.#world.clock.after(ms, act);
  }
}
