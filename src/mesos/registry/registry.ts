// What the master must not forget, in the store: admitted agents and those that are unreachable,
// weights and quotas. Keys: /mesos/agents/<id>, /mesos/quotas/<role> and so on; values are protobuf
// or JSON of one entry.
import { prefixEnd, type Store, type StoreOp } from '#store/store.ts';
import { decode, encode } from '#wire/mesos/codec.ts';
import type { AgentInfo, QuotaConfig } from '#wire/mesos/v1.ts';

const AGENTS = '/mesos/agents/';
const UNREACHABLE = '/mesos/unreachable/';
const WEIGHTS = '/mesos/weights/';
/** etcd takes no more in one transaction (its default --max-txn-ops). */
const TXN_OPS_MAX = 128;
const QUOTAS = '/mesos/quotas/';

export interface RegistryContent {
  readonly agents: readonly AgentInfo[];
  readonly unreachable: readonly { readonly agentId: string; readonly at: number }[];
  readonly weights: readonly { readonly role: string; readonly weight: number }[];
  readonly quotas: readonly QuotaConfig[];
}

export type RegistryWrite =
  | { readonly kind: 'admit-agent'; readonly info: AgentInfo }
  | { readonly kind: 'remove-agent'; readonly agentId: string }
  | { readonly kind: 'mark-unreachable'; readonly agentId: string; readonly at: number }
  | { readonly kind: 'mark-reachable'; readonly info: AgentInfo }
  | { readonly kind: 'set-weight'; readonly role: string; readonly weight: number }
  /** All of them at once. One that sets nothing is forgotten. */
  | { readonly kind: 'set-quotas'; readonly configs: readonly QuotaConfig[] };

function toJsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function fromJsonBytes<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}

function operations(write: RegistryWrite): StoreOp[] {
  switch (write.kind) {
    case 'admit-agent':
    case 'mark-reachable': {
      const id = write.info.id?.value ?? '';
      const value = encode('AgentInfo', write.info);
      return [
        { kind: 'put', key: AGENTS + id, value },
        { kind: 'delete', key: UNREACHABLE + id },
      ];
    }
    case 'remove-agent':
      return [
        { kind: 'delete', key: AGENTS + write.agentId },
        { kind: 'delete', key: UNREACHABLE + write.agentId },
      ];
    case 'mark-unreachable': {
      const value = toJsonBytes({ at: write.at });
      return [
        { kind: 'delete', key: AGENTS + write.agentId },
        { kind: 'put', key: UNREACHABLE + write.agentId, value },
      ];
    }
    case 'set-weight': {
      const value = toJsonBytes({ weight: write.weight });
      return [{ kind: 'put', key: WEIGHTS + write.role, value }];
    }
    case 'set-quotas':
      return write.configs.map((config): StoreOp => {
        const key = QUOTAS + config.role;
        const amounts = { ...config.guarantees, ...config.limits };
        if (Object.keys(amounts).length === 0) return { kind: 'delete', key };
        return { kind: 'put', key, value: encode('QuotaConfig', config) };
      });
  }
}

/** One commit for many writes; never a key twice in one, which etcd would refuse. */
function transactions(writes: readonly RegistryWrite[]): StoreOp[][] {
  const all: StoreOp[][] = [];
  let current: StoreOp[] = [];
  let keys = new Set<string>();
  for (const ops of writes.map(operations)) {
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
  constructor(store: Store) {
    this.#store = store;
  }

  async read(): Promise<RegistryContent> {
    const agents = await this.#store.range({ start: AGENTS, end: prefixEnd(AGENTS) });
    const gone = await this.#store.range({ start: UNREACHABLE, end: prefixEnd(UNREACHABLE) });
    const weights = await this.#store.range({ start: WEIGHTS, end: prefixEnd(WEIGHTS) });
    const quotas = await this.#store.range({ start: QUOTAS, end: prefixEnd(QUOTAS) });
    return {
      agents: agents.items.map(({ value }) => decode('AgentInfo', value)),
      unreachable: gone.items.map(({ key, value }) => ({
        agentId: key.slice(UNREACHABLE.length),
        at: fromJsonBytes<{ at: number }>(value).at,
      })),
      weights: weights.items.map(({ key, value }) => ({
        role: key.slice(WEIGHTS.length),
        weight: fromJsonBytes<{ weight: number }>(value).weight,
      })),
      quotas: quotas.items.map(({ value }) => decode('QuotaConfig', value)),
    };
  }

  /** Resolves when it is durable. */
  async apply(write: RegistryWrite): Promise<void> {
    await this.applyAll([write]);
  }

  /** In their order; resolves when all of them are durable, rejects when one cannot be written. */
  async applyAll(writes: readonly RegistryWrite[]): Promise<void> {
    for (const then of transactions(writes)) {
      // oxlint-disable-next-line unicorn/no-thenable -- the store's own word
      await this.#store.txn({ compare: [], then });
    }
  }
}
