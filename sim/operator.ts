// An operator at work: decides of weights, quotas and agents, one after the other, and says again
// what was not answered. Knows what the registry may hold while an answer is lost.
import type { QuotaConfig } from '#wire/mesos/v1.ts';
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

/** What a role's weight and quota may be. */
export class Decided {
  readonly weights = new Map<string, Possible<number>>();
  /** In the registry's form; undefined: none. */
  readonly quotas = new Map<string, Possible<QuotaConfig | null>>();
  /** Whether an agent is deactivated, by its id. */
  readonly deactivated = new Map<string, Possible<boolean>>();

  weight(role: string): Possible<number> {
    return kept(this.weights, role, 1);
  }

  quota(role: string): Possible<QuotaConfig | null> {
    return kept<QuotaConfig | null>(this.quotas, role, null);
  }

  isDeactivated(agentId: string): Possible<boolean> {
    return kept(this.deactivated, agentId, false);
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
  | { readonly kind: 'deactivate' | 'reactivate'; readonly agentId: string };

export class Operator {
  readonly decided = new Decided();
  readonly #world: World;
  readonly #life = new Life('operator', 'operator');
  readonly #queue: OperatorAct[] = [];
  #isBusy = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** All is decided, and answered. */
  get isDone(): boolean {
    return !this.#isBusy;
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
    else this.#ask(request);
  }

  #requestOf(act: OperatorAct): OperatorRequest | undefined {
    if (act.kind === 'set-weight') return act;
    if (act.kind === 'set-quota') return { kind: 'set-quota', config: act.config };
    const agentId = this.#world.machines[act.of]?.disk.agentId;
    return agentId === undefined ? undefined : { kind: act.kind, agentId };
  }

  #ask(request: OperatorRequest, isRepeated = false): void {
    const { network, clock, master } = this.#world;
    const { possible, value } = this.#concerned(request);
    const before = possible.values;
    possible.asked(value);
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      channel.finish();
      clock.after(RETRY_MS, () => this.#ask(request, true));
    };
    const answered = (status: number, message: string): void => {
      if (isOver) return;
      if (status >= 500) return again();
      isOver = true;
      channel.finish();
      this.#world.log(`operator: ${JSON.stringify(request)}: ${status} ${message}`);
      if (status === 200) possible.confirmed(value);
      else if (!isRepeated) possible.restored(before);
      this.#next();
    };
    const channel: Channel = new Channel(network, {
      from: this.#life,
      to: master?.life,
      onBroken: again,
    });
    channel.send(() => {
      const from = master?.life ?? this.#life;
      const answers = new Channel(network, { from, to: this.#life, onClosed: again });
      master?.operate(request, (status, message) => {
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
      default: {
        const possible = decided.isDeactivated(request.agentId);
        return { possible, value: request.kind === 'deactivate' };
      }
    }
  }
}

/** A configuration that sets nothing is not kept. */
function inRegistry(config: QuotaConfig): QuotaConfig | null {
  const amounts = { ...config.guarantees, ...config.limits };
  return Object.keys(amounts).length === 0 ? null : config;
}
