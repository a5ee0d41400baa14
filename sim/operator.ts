// An operator at work: decides of weights, quotas and agents, reserves and gives up, one after the other,
// and says again what was not answered. Knows what the registry may hold while an answer is lost.
import type { Offer_Operation, QuotaConfig, Resource } from '#wire/mesos/v1.ts';
import { holdingsOf, parting, reserved, volumeOf } from './holdings.ts';
import { Channel, Life } from './network.ts';
import type { OperatorAct } from './plan.ts';
import type { World } from './world.ts';

const RETRY_MS = 1_000;

/** Values that something may have now: one, or several while nobody knows what became of a request. */
export class Possible<T> {
  readonly #all = new Map<string, T>();

  constructor(value: T) {
    this.confirmed(value);
  }

  confirmed(value: T): void {
    this.#all.clear();
    this.asked(value);
  }

  asked(value: T): void {
    this.#all.set(JSON.stringify(value), value);
  }

  /** As it was before; nothing has come of what was asked. */
  restored(values: readonly T[]): void {
    this.#all.clear();
    for (const value of values) this.asked(value);
  }

  get values(): T[] {
    return [...this.#all.values()];
  }

  has(value: T): boolean {
    return this.#all.has(JSON.stringify(value));
  }

  /** Undefined: it is not certain. */
  get only(): T | undefined {
    return this.#all.size === 1 ? [...this.#all.values()][0] : undefined;
  }

  toString(): string {
    return [...this.#all.keys()].join(' or ');
  }
}

/** `draining` also when it is drained: until it is reactivated. */
export type Standing = 'active' | 'deactivated' | 'draining' | 'draining to go' | 'gone';

/** What a role's weight and quota may be. */
export class Decided {
  readonly weights = new Map<string, Possible<number>>();
  /** In the registry's form; undefined: none. */
  readonly quotas = new Map<string, Possible<QuotaConfig | null>>();
  /** Of agents, by their id. */
  readonly standings = new Map<string, Possible<Standing>>();

  weight(role: string): Possible<number> {
    return kept(this.weights, role, 1);
  }

  quota(role: string): Possible<QuotaConfig | null> {
    return kept<QuotaConfig | null>(this.quotas, role, null);
  }

  standing(agentId: string): Possible<Standing> {
    return kept<Standing>(this.standings, agentId, 'active');
  }

  /** It may have been marked gone: what it runs is given up, also while it cannot be reached. */
  mayBeGone(agentId: string): boolean {
    const known = this.standings.get(agentId);
    return known !== undefined && (known.has('gone') || known.has('draining to go'));
  }
}

function kept<T>(all: Map<string, Possible<T>>, key: string, first: T): Possible<T> {
  const known = all.get(key);
  if (known !== undefined) return known;
  const made = new Possible(first);
  all.set(key, made);
  return made;
}

/** A request as the master gets it. */
export type OperatorRequest =
  | { readonly kind: 'set-weight'; readonly role: string; readonly weight: number }
  | { readonly kind: 'set-quota'; readonly config: QuotaConfig }
  | LifecycleRequest
  | HoldingRequest;

export type LifecycleRequest =
  | { readonly kind: 'deactivate' | 'reactivate' | 'gone'; readonly agentId: string }
  | { readonly kind: 'drain'; readonly agentId: string; readonly markGone: boolean };

/** An operation that depends on what the agent has. */
export interface HoldingRequest {
  readonly kind: 'reserve' | 'create' | 'release';
  readonly agentId: string;
  /** Undefined: there is nothing to do. */
  holding(total: readonly Resource[]): Offer_Operation | undefined;
}

export class Operator {
  readonly decided = new Decided();
  readonly #world: World;
  readonly #life = new Life('operator', 'operator');
  readonly #queue: OperatorAct[] = [];
  #isBusy = false;
  #leader: string | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** All is decided, and answered. */
  get isDone(): boolean {
    return !this.#isBusy;
  }

  /** It looks for the leading master from now on. */
  start(): void {
    this.#world.watchLeader(this.#life, (address) => {
      this.#leader = address;
    });
  }

  act(act: OperatorAct): void {
    this.#queue.push(act);
    if (!this.#isBusy) this.#next();
  }

  #next(): void {
    const act = this.#queue.shift();
    this.#isBusy = act !== undefined;
    if (act === undefined) return;
    const request = this.#requestOf(act);
    if (request === undefined) this.#next();
    else this.#ask(act, request);
  }

  #requestOf(act: OperatorAct): OperatorRequest | undefined {
    if (act.kind === 'set-weight') return act;
    if (act.kind === 'set-quota') return { kind: 'set-quota', config: act.config };
    const agentId = this.#world.machines[act.of]?.disk.agentId;
    if (agentId === undefined) return undefined;
    if (act.kind === 'drain') return { kind: 'drain', agentId, markGone: act.markGone };
    if (!('id' in act)) return { kind: act.kind, agentId };
    return { kind: act.kind, agentId, holding: (total) => operationOf(act, total) };
  }

  /** Undefined once it has become pointless. */
  #again(act: OperatorAct, isRepeated: boolean): void {
    this.#world.clock.after(RETRY_MS, () => {
      const request = this.#requestOf(act);
      if (request === undefined) this.#again(act, isRepeated);
      else this.#ask(act, request, isRepeated);
    });
  }

  #ask(act: OperatorAct, request: OperatorRequest, isRepeated = false): void {
    const { network } = this.#world;
    const seat = this.#world.seatAt(this.#leader);
    const to = seat?.life;
    const { possible, value } = this.#concerned(request);
    const before = possible.values;
    possible.asked(value);
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      channel.finish();
      this.#again(act, true);
    };
    const answered = (status: number, message: string): void => {
      if (isOver) return;
      this.#world.log(`operator: ${JSON.stringify(request)}: ${status} ${message}`);
      if (status >= 500) return again();
      isOver = true;
      channel.finish();
      if (status === 200) possible.confirmed(value);
      else if (status !== 202 && status !== 204 && !isRepeated) possible.restored(before);
      if (isToRepeat(act, status, message)) this.#again(act, isRepeated);
      else this.#next();
    };
    const channel: Channel = new Channel(network, {
      from: this.#life,
      to,
      onBroken: again,
    });
    channel.send(() => {
      const master = seat?.process;
      if (master === undefined || master.life !== to) return again();
      const from = master.life;
      const answers = new Channel(network, { from, to: this.#life, onClosed: again });
      master.operate(request, (status, message) => {
        answers.send(() => answered(status, message));
        answers.finish();
      });
    });
  }

  #concerned(request: OperatorRequest): { possible: Possible<unknown>; value: unknown } {
    const { decided } = this;
    switch (request.kind) {
      case 'set-weight':
        return { possible: decided.weight(request.role), value: request.weight };
      case 'set-quota': {
        const { config } = request;
        return { possible: decided.quota(config.role), value: inRegistry(config) };
      }
      case 'reserve':
      case 'create':
      case 'release':
        return { possible: new Possible<unknown>(request.kind), value: request.kind };
      default: {
        const possible = decided.standing(request.agentId);
        return { possible, value: standingAfter(request, possible.only) };
      }
    }
  }
}

function standingAfter(request: LifecycleRequest, before: Standing | undefined): Standing {
  switch (request.kind) {
    case 'gone':
      return 'gone';
    case 'drain':
      return request.markGone ? 'draining to go' : 'draining';
    case 'reactivate':
      return 'active';
    case 'deactivate':
      return before === 'draining' || before === 'draining to go' ? before : 'deactivated';
  }
}

/** What is drained can be reactivated later; what is reserved is to be given up in the end. */
function isToRepeat({ kind }: OperatorAct, status: number, message: string): boolean {
  if (kind === 'reactivate') return message.includes('still in the DRAINING state');
  return kind === 'release' && status !== 204;
}

type HoldingAct = Extract<OperatorAct, { readonly id: string }>;

function operationOf(act: HoldingAct, total: readonly Resource[]): Offer_Operation | undefined {
  const { id } = act;
  const holding = holdingsOf(total).get(id);
  if (act.kind === 'release') return holding && parting(holding);
  if (act.kind === 'reserve') {
    return { type: 'RESERVE', reserve: { resources: reserved(id, act.role) } };
  }
  const disk = holding?.plain.find(({ name }) => name === 'disk');
  if (disk === undefined) return undefined;
  return { type: 'CREATE', create: { volumes: [volumeOf(disk, `${id}-v`)] } };
}

/** A configuration that sets nothing is not kept. */
function inRegistry(config: QuotaConfig): QuotaConfig | null {
  const amounts = { ...config.guarantees, ...config.limits };
  return Object.keys(amounts).length === 0 ? null : config;
}
