// A master that wants to lead: enters the group, waits for its turn, and learns when it is over. A leader
// that is no longer the first of the group must end, as Mesos' masters do: another one decides now.
import type { Env } from '#env/env.ts';
import type { MasterInfo } from '#wire/mesos/v1.ts';
import type { Group, Member } from './group.ts';
import { LeaderProbe } from './leader-probe.ts';

export interface CandidateHandlers {
  /** Called once. */
  readonly onElected: () => void;
  /** Called once, only of a leader; or of a candidate whose entry is gone. */
  readonly onDeposed: () => void;
}

export class Candidate {
  readonly #group: Group;
  readonly #handlers: CandidateHandlers;
  readonly #env: Pick<Env, 'timers' | 'log'>;
  #id: string | undefined;
  #leader: Member | undefined;
  #isElected = false;
  #isOver = false;
  #probe: LeaderProbe | undefined;

  constructor(group: Group, handlers: CandidateHandlers, env: Pick<Env, 'timers' | 'log'>) {
    this.#group = group;
    this.#handlers = handlers;
    this.#env = env;
  }

  /** Undefined: nobody leads, or it is not known who. */
  get leader(): MasterInfo | undefined {
    return this.#leader?.info;
  }

  async start(info: MasterInfo): Promise<void> {
    this.#group.watch((leader) => {
      this.#leader = leader;
      this.#judge();
    });
    this.#id = await this.#group.join(info, () => this.#end());
    this.#judge();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#probe?.close();
    await this.#group.close();
  }

  #judge(): void {
    if (this.#isOver || this.#id === undefined) return;
    this.#probe?.close();
    this.#probe = undefined;
    const leader = this.#leader;
    if (leader?.id === this.#id) {
      if (!this.#isElected) this.#handlers.onElected();
      this.#isElected = true;
    } else if (this.#isElected) this.#end();
    else if (leader !== undefined) this.#watchProcess(leader);
  }

  #watchProcess({ id, info }: Member): void {
    const host = info.address?.ip ?? info.address?.hostname ?? info.hostname;
    if (host === undefined) return;
    const onGone = (): void => {
      this.#env.log.warn('The leading master is gone; taking it out', { host, port: info.port });
      this.#group.evict(id).catch((error: unknown) => {
        this.#env.log.warn('Cannot take out a master that is gone', { error });
      });
    };
    this.#probe = new LeaderProbe({ host, port: info.port }, onGone, this.#env);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#probe?.close();
    this.#handlers.onDeposed();
  }
}
