// The group of masters in ZooKeeper as Mesos lays it out, so that its agents, drivers and masters see each
// other and ours: ephemeral sequential nodes `json.info_NNNNNNNNNN` under one path, each with a MasterInfo
// as JSON; the lowest number leads (inventory section 6).
import { Fault } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import { parseJson, stringify } from '#wire/mesos/codec.ts';
import type { MasterInfo } from '#wire/mesos/v1.ts';
import type { Group, Member } from './group.ts';
import { ZooKeeperClient, type ZooKeeperOptions } from './zookeeper-client.ts';
import { flags } from './zookeeper-wire.ts';

const LABEL = 'json.info_';
const RETRY_MS = 200;

export interface ZooKeeperGroupOptions extends ZooKeeperOptions {
  /** `/mesos` */
  readonly path: string;
}

type GroupEnv = Pick<Env, 'clock' | 'timers' | 'log' | 'random'>;

function isZooKeeper(error: unknown, name: string): boolean {
  return error instanceof Fault && error.detail['zookeeper'] === name;
}

/** The member that leads among the children of the group's node. */
export function leaderOf(children: readonly string[]): string | undefined {
  return children
    .filter((name) => new RegExp(`^${LABEL}\\d+$`).test(name))
    .toSorted((a, b) => Number(a.slice(LABEL.length)) - Number(b.slice(LABEL.length)))[0];
}

export class ZooKeeperGroup implements Group {
  readonly #options: ZooKeeperGroupOptions;
  readonly #env: GroupEnv;
  #client: ZooKeeperClient | undefined;
  #onLeader: ((leader: Member | undefined) => void) | undefined;
  #onLost: (() => void) | undefined;
  #leader: Member | undefined;
  #isLooking = false;
  #isChanged = false;
  #isClosed = false;
  #retry: Timer | undefined;

  constructor(options: ZooKeeperGroupOptions, env: GroupEnv) {
    this.#options = options;
    this.#env = env;
  }

  async join(info: MasterInfo, onLost: () => void): Promise<string> {
    const data = Buffer.from(stringify('MasterInfo', info));
    this.#onLost = onLost;
    for (;;) {
      try {
        await this.#makePath();
        const { path } = this.#options;
        const made = await this.#session().create(
          `${path}/${LABEL}`,
          data,
          flags.ephemeralSequential,
        );
        return made.slice(path.length + 1);
      } catch (error) {
        // Unknown whether it was made: only the end of the session takes such an entry away.
        if (this.#isClosed || !(error instanceof Fault)) throw error;
        if (error.detail.code === 'zookeeper') throw error;
        this.#env.log.warn('Cannot enter the group of masters; trying again', { error });
        await this.#client?.close();
        this.#client = undefined;
        await new Promise<void>((done) => this.#env.timers.after(RETRY_MS, done));
      }
    }
  }

  watch(onLeader: (leader: Member | undefined) => void): void {
    this.#onLeader = onLeader;
    this.#look();
  }

  async evict(id: string): Promise<void> {
    await this.#session()
      .delete(`${this.#options.path}/${id}`)
      .catch((error: unknown) => {
        if (!isZooKeeper(error, 'no-node')) throw error;
      });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#onLost = undefined;
    this.#retry?.cancel();
    await this.#client?.close();
  }

  #session(): ZooKeeperClient {
    this.#client ??= new ZooKeeperClient(
      this.#options,
      { onChange: () => this.#look(), onExpired: () => this.#expired() },
      this.#env,
    );
    return this.#client;
  }

  #expired(): void {
    this.#client = undefined;
    const onLost = this.#onLost;
    this.#onLost = undefined;
    this.#tell(undefined);
    onLost?.();
    if (!this.#isClosed && this.#onLeader !== undefined) this.#lookLater();
  }

  /** Each folder of the path, like mkdir -p. */
  async #makePath(): Promise<void> {
    const names = this.#options.path.split('/').filter((name) => name !== '');
    for (let depth = 1; depth <= names.length; depth++) {
      const path = `/${names.slice(0, depth).join('/')}`;
      try {
        await this.#session().create(path, new Uint8Array(), flags.persistent);
      } catch (error) {
        if (!isZooKeeper(error, 'node-exists')) throw error;
      }
    }
  }

  #look(): void {
    if (this.#isClosed || this.#onLeader === undefined) return;
    this.#isChanged = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#lookNow().finally(() => {
      this.#isLooking = false;
      if (this.#isChanged) this.#look();
    });
  }

  async #lookNow(): Promise<void> {
    this.#isChanged = false;
    try {
      const client = this.#session();
      const id = leaderOf(await client.watchChildren(this.#options.path));
      if (id === this.#leader?.id) return;
      if (id === undefined) this.#tell(undefined);
      else {
        const data = await client.data(`${this.#options.path}/${id}`);
        this.#tell({ id, info: parseJson('MasterInfo', Buffer.from(data).toString()) });
      }
    } catch (error) {
      if (this.#isClosed) return;
      // The path is made by the first master; a member may go between two questions.
      if (!isZooKeeper(error, 'no-node')) {
        this.#env.log.debug('Cannot look who leads', { error });
      } else this.#tell(undefined);
      this.#lookLater();
    }
  }

  #lookLater(): void {
    this.#retry?.cancel();
    this.#retry = this.#env.timers.after(RETRY_MS, () => this.#look());
  }

  #tell(leader: Member | undefined): void {
    if (leader?.id === this.#leader?.id) return;
    this.#leader = leader;
    this.#onLeader?.(leader);
  }
}
