// What the master must not forget, in the store: agents that are admitted, unreachable or gone, what
// operators decided of them, weights, quotas, and the maintenance schedule. One key for each entry, values
// are protobuf or JSON of it.
import { Fault } from '#base/fault.ts';
import { prefixEnd, type Compare, type Store, type StoreOp, type TxnResult } from '#store/store.ts';
import { decode, encode } from '#wire/mesos/codec.ts';
import type {
  AgentInfo,
  DrainInfo,
  MachineInfo,
  MaintenanceSchedule,
  QuotaConfig,
} from '#wire/mesos/v1.ts';

const AGENTS = '/mesos/agents/';
const UNREACHABLE = '/mesos/unreachable/';
const WEIGHTS = '/mesos/weights/';
/** etcd takes no more in one transaction (its default --max-txn-ops). */
const TXN_OPS_MAX = 128;
const QUOTAS = '/mesos/quotas/';
const GONE = '/mesos/gone/';
const STANDINGS = '/mesos/standings/';
const MAINTENANCE = '/mesos/maintenance';
const LEADER = '/mesos/leader';

/** What an operator decided of one agent; it outlives the agent's absence. */
export interface AgentStanding {
  readonly deactivated: boolean;
  readonly drain?: DrainInfo | undefined;
}

export interface MaintenanceContent {
  readonly schedule: MaintenanceSchedule;
  /** Machines that are not up. */
  readonly machines: readonly MachineInfo[];
}

export interface RegistryContent {
  readonly agents: readonly AgentInfo[];
  readonly unreachable: readonly { readonly agentId: string; readonly at: number }[];
  readonly weights: readonly { readonly role: string; readonly weight: number }[];
  readonly quotas: readonly QuotaConfig[];
  readonly gone: readonly { readonly agentId: string; readonly at: number }[];
  readonly standings: readonly { readonly agentId: string; readonly standing: AgentStanding }[];
  readonly maintenance: MaintenanceContent | undefined;
}

export type RegistryWrite =
  | { readonly kind: 'admit-agent'; readonly info: AgentInfo }
  | { readonly kind: 'remove-agent'; readonly agentId: string }
  | { readonly kind: 'mark-unreachable'; readonly agentId: string; readonly at: number }
  | { readonly kind: 'mark-reachable'; readonly info: AgentInfo }
  | { readonly kind: 'set-weight'; readonly role: string; readonly weight: number }
  /** All of them at once. One that sets nothing is forgotten. */
  | { readonly kind: 'set-quotas'; readonly configs: readonly QuotaConfig[] }
  /** It was unreachable or gone, and nobody has to know of it any more. */
  | { readonly kind: 'forget-agent'; readonly agentId: string }
  | { readonly kind: 'mark-gone'; readonly agentId: string; readonly at: number }
  | { readonly kind: 'set-standing'; readonly agentId: string; readonly standing: AgentStanding }
  | { readonly kind: 'set-maintenance'; readonly content: MaintenanceContent };

function toJsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/**
 * Values stay for as long as their entries do: they lie side by side, not between short-lived bytes that
 * they would keep from being freed.
 */
const PAGE_BYTES = 64 * 1_024;
class Pages {
  #page = Buffer.alloc(0);
  #used = 0;

  pack(bytes: Uint8Array): Uint8Array {
    if (bytes.length > PAGE_BYTES / 8) return bytes;
    if (this.#used + bytes.length > this.#page.length) {
      this.#page = Buffer.allocUnsafeSlow(PAGE_BYTES);
      this.#used = 0;
    }
    const place = this.#page.subarray(this.#used, this.#used + bytes.length);
    place.set(bytes);
    this.#used += bytes.length;
    return place;
  }
}

function fromJsonBytes<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}

/** An agent that is as any other has no entry. */
function standingOperation(key: string, standing: AgentStanding): StoreOp {
  return standing.deactivated || standing.drain !== undefined
    ? { kind: 'put', key, value: toJsonBytes(standing) }
    : { kind: 'delete', key };
}

function operations(write: RegistryWrite, pages: Pages): StoreOp[] {
  switch (write.kind) {
    case 'admit-agent':
    case 'mark-reachable': {
      const id = write.info.id?.value ?? '';
      const value = pages.pack(encode('AgentInfo', write.info));
      return [
        { kind: 'put', key: AGENTS + id, value },
        { kind: 'delete', key: UNREACHABLE + id },
      ];
    }
    case 'remove-agent':
      return [
        { kind: 'delete', key: AGENTS + write.agentId },
        { kind: 'delete', key: UNREACHABLE + write.agentId },
        { kind: 'delete', key: STANDINGS + write.agentId },
      ];
    case 'forget-agent':
      return [UNREACHABLE, GONE, STANDINGS].map((folder) => ({
        kind: 'delete',
        key: folder + write.agentId,
      }));
    case 'mark-gone':
      return [
        { kind: 'delete', key: AGENTS + write.agentId },
        { kind: 'delete', key: UNREACHABLE + write.agentId },
        { kind: 'delete', key: STANDINGS + write.agentId },
        { kind: 'put', key: GONE + write.agentId, value: toJsonBytes({ at: write.at }) },
      ];
    case 'set-standing':
      return [standingOperation(STANDINGS + write.agentId, write.standing)];
    case 'set-maintenance':
      return [{ kind: 'put', key: MAINTENANCE, value: toJsonBytes(write.content) }];
    case 'mark-unreachable': {
      const value = toJsonBytes({ at: write.at });
      return [
        { kind: 'delete', key: AGENTS + write.agentId },
        { kind: 'put', key: UNREACHABLE + write.agentId, value },
      ];
    }
    case 'set-quotas':
      return write.configs.map((config): StoreOp => {
        const key = QUOTAS + config.role;
        const amounts = { ...config.guarantees, ...config.limits };
        if (Object.keys(amounts).length === 0) return { kind: 'delete', key };
        return { kind: 'put', key, value: encode('QuotaConfig', config) };
      });
    case 'set-weight': {
      const value = toJsonBytes({ weight: write.weight });
      return [{ kind: 'put', key: WEIGHTS + write.role, value }];
    }
  }
}

/** One commit for many writes; never a key twice in one, which etcd would refuse. */
function transactions(writes: readonly RegistryWrite[], pages: Pages): StoreOp[][] {
  const all: StoreOp[][] = [];
  let current: StoreOp[] = [];
  let keys = new Set<string>();
  for (const write of writes) {
    const ops = operations(write, pages);
    if (current.length + ops.length > TXN_OPS_MAX || ops.some(({ key }) => keys.has(key))) {
      all.push(current);
      current = [];
      keys = new Set();
    }
    current.push(...ops);
    for (const { key } of ops) keys.add(key);
  }
  if (current.length > 0) all.push(current);
  return all;
}

export class Registry {
  readonly #store: Store;
  readonly #pages = new Pages();
  /** Holds while no other master has taken the registry over, and this one has not done so anew. */
  #guard: Compare[] = [];
  #masterId: string | undefined;
  /** A write failed, and may be made later than those that follow it. */
  #isUncertain = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Takes the registry over: from now on writes of the master that had it before are refused, whatever it
   * believes of its leadership.
   */
  async lead(masterId: string): Promise<void> {
    this.#masterId = masterId;
    await this.#hold(masterId, []);
  }

  /** What was asked for before and is on its way yet is refused from now on. Fault `deposed`: another master leads. */
  async #renew(masterId: string): Promise<void> {
    const held = await this.#store.get(LEADER);
    if (held === undefined || fromJsonBytes<{ id: string }>(held.value).id !== masterId) {
      throw deposed();
    }
    await this.#hold(masterId, [{ key: LEADER, target: 'mod', equals: held.modRevision }]);
  }

  async #hold(masterId: string, compare: Compare[]): Promise<void> {
    const value = toJsonBytes({ id: masterId });
    // oxlint-disable-next-line unicorn/no-thenable -- the store's own word
    const result = await this.#store.txn({ compare, then: [{ kind: 'put', key: LEADER, value }] });
    if (!result.ok) throw deposed();
    this.#guard = [{ key: LEADER, target: 'mod', equals: result.revision }];
    this.#isUncertain = false;
  }

  async read(): Promise<RegistryContent> {
    const agents = await this.#all(AGENTS);
    const unreachable = await this.#all(UNREACHABLE);
    const gone = await this.#all(GONE);
    const standings = await this.#all(STANDINGS);
    const [maintenance] = (await this.#store.range({ start: MAINTENANCE, end: `${MAINTENANCE}/` }))
      .items;
    const weights = await this.#all(WEIGHTS);
    const quotas = await this.#all(QUOTAS);
    return {
      agents: agents.map(({ value }) => decode('AgentInfo', value)),
      unreachable: unreachable.map(({ name, value }) => ({
        agentId: name,
        at: fromJsonBytes<{ at: number }>(value).at,
      })),
      weights: weights.map(({ name, value }) => ({
        role: name,
        weight: fromJsonBytes<{ weight: number }>(value).weight,
      })),
      quotas: quotas.map(({ value }) => decode('QuotaConfig', value)),
      gone: gone.map(({ name, value }) => ({
        agentId: name,
        at: fromJsonBytes<{ at: number }>(value).at,
      })),
      standings: standings.map(({ name, value }) => ({
        agentId: name,
        standing: fromJsonBytes<AgentStanding>(value),
      })),
      maintenance:
        maintenance === undefined
          ? undefined
          : fromJsonBytes<MaintenanceContent>(maintenance.value),
    };
  }

  async #all(prefix: string): Promise<{ name: string; value: Uint8Array }[]> {
    const { items } = await this.#store.range({ start: prefix, end: prefixEnd(prefix) });
    return items.map(({ key, value }) => ({ name: key.slice(prefix.length), value }));
  }

  /** Resolves when it is durable. */
  async apply(write: RegistryWrite): Promise<void> {
    await this.applyAll([write]);
  }

  /**
   * In their order; resolves when all of them are durable, rejects when one cannot be written. Fault
   * `deposed`: another master leads.
   */
  async applyAll(writes: readonly RegistryWrite[]): Promise<void> {
    for (const then of transactions(writes, this.#pages)) {
      if (this.#isUncertain && this.#masterId !== undefined) await this.#renew(this.#masterId);
      if (!(await this.#write(then)).ok) throw deposed();
    }
  }

  async #write(then: StoreOp[]): Promise<TxnResult> {
    try {
      // oxlint-disable-next-line unicorn/no-thenable -- the store's own word
      return await this.#store.txn({ compare: this.#guard, then });
    } catch (error) {
      this.#isUncertain = true;
      throw error;
    }
  }
}

function deposed(): Fault {
  return new Fault({ code: 'deposed' }, 'Cannot write the registry: another master leads');
}
