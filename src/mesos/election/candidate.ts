// A master that wants to lead: enters the group, waits for its turn, and learns when it is over.
import type { Env } from '#env/env.ts';
import type { MasterInfo } from '#wire/mesos/v1.ts';
import { Candidacy, type CandidateStep } from './candidacy.ts';
import type { Group, Member } from './group.ts';
import { LeaderProbe } from './leader-probe.ts';

export interface CandidateHandlers {
  /** Called once. */
  readonly onElected: () => void;
  /** Another one leads. */
  readonly onFollowing?: (leader: MasterInfo) => void;
  /** Called once, only of a leader; or of a candidate whose entry is gone. */
  readonly onDeposed: () => void;
}

export class Candidate {
  readonly #group: Group;
  readonly #handlers: CandidateHandlers;
  readonly #env: Pick<Env, 'timers' | 'log'>;
  readonly #candidacy = new Candidacy();
  #probe: LeaderProbe | undefined;

  constructor(group: Group, handlers: CandidateHandlers, env: Pick<Env, 'timers' | 'log'>) {
    this.#group = group;
    this.#handlers = handlers;
    this.#env = env;
  }

  /** Undefined: nobody leads, or it is not known who. */
  get leader(): MasterInfo | undefined {
    return this.#candidacy.leader?.info;
  }

  async start(info: MasterInfo): Promise<void> {
    this.#group.watch((leader) => this.#take(this.#candidacy.onLeader(leader)));
    const id = await this.#group.join(info, () => this.#take(this.#candidacy.onLost()));
    this.#take(this.#candidacy.onEntered(id));
  }

  async close(): Promise<void> {
    this.#candidacy.close();
    this.#probe?.close();
    await this.#group.close();
  }

  #take(step: CandidateStep): void {
    this.#probe?.close();
    this.#probe = undefined;
    if (step.kind === 'lead') this.#handlers.onElected();
    else if (step.kind === 'end') this.#handlers.onDeposed();
    else if (step.kind === 'watch') {
      this.#watchProcess(step.leader);
      this.#handlers.onFollowing?.(step.leader.info);
    }
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
}
