// All priority levels of the server: made of their objects, each with its queues and its part of the seats,
// which is adjusted to what each could use; and which level's turn it is. Pure.
import type { KubeObject } from '#kube/meta/object.ts';
import { divide, limitsOf, type LevelShares, type Limits } from './concurrency.ts';
import { SeatDemand } from './demand.ts';
import { QueueSet, type Queuing, type Ticket } from './queue-set.ts';

/** Of what a level has by its shares, the most that one request may take. */
const REQUEST_SEATS_FRACTION = 0.15;

export interface Level {
  readonly name: string;
  uid: string;
  isExempt: boolean;
  /** Its object has gone; it stays until it is idle. */
  isQuiescing: boolean;
  shares: LevelShares;
  queuing: Queuing;
  limits: Limits;
  currentLimit: number;
  /** As of the last adjustment. */
  target: number;
  /** Of one request. */
  seatsMax: number;
  /** How much of the server's time it has had, by its seats. */
  pass: number;
  readonly queues: QueueSet;
  readonly demand: SeatDemand;
}

interface LevelSpec {
  readonly type?: string;
  readonly limited?: {
    readonly nominalConcurrencyShares?: number;
    readonly lendablePercent?: number;
    readonly borrowingLimitPercent?: number;
    readonly limitResponse?: {
      readonly type?: string;
      readonly queuing?: { queues: number; handSize: number; queueLengthLimit: number };
    };
  };
  readonly exempt?: {
    readonly nominalConcurrencyShares?: number;
    readonly lendablePercent?: number;
  };
}

const unlimited: Queuing = { queues: -1, handSize: 0, queueLengthLimit: 0 };
const withoutQueues: Queuing = { queues: 0, handSize: 0, queueLengthLimit: 0 };

function queuingOf({ limited }: LevelSpec): Queuing {
  if (limited === undefined) return unlimited;
  return limited.limitResponse?.queuing ?? withoutQueues;
}

function sharesOf({ limited, exempt }: LevelSpec): LevelShares {
  const { nominalConcurrencyShares: shares = 0, lendablePercent = 0 } = limited ?? exempt ?? {};
  const borrowingLimitPercent = limited === undefined ? 0 : limited.borrowingLimitPercent;
  return { shares, lendablePercent, borrowingLimitPercent };
}

const shareSumOf = (levels: Iterable<Level>): number => {
  let sum = 0;
  for (const { shares } of levels) sum += shares.shares;
  return sum;
};

export class Levels {
  readonly #total: number;
  readonly #all = new Map<string, Level>();
  #adjustedAt: number;
  #pass = 0;
  fairFraction = 0;

  /** `total`: the seats of the server. */
  constructor(total: number, now: number) {
    this.#total = total;
    this.#adjustedAt = now;
  }

  get(name: string): Level | undefined {
    return this.#all.get(name);
  }

  all(): readonly Level[] {
    return [...this.#all.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The objects as they are now. What is not among them goes when it is idle. */
  digest(objects: readonly KubeObject[], now: number): void {
    const wanted = new Set(objects.map(({ metadata }) => metadata.name ?? ''));
    for (const object of objects) this.#take(object, now);
    for (const level of this.#all.values()) {
      if (wanted.has(level.name)) continue;
      if (level.queues.isIdle) this.#all.delete(level.name);
      else level.isQuiescing = true;
    }
    const sum = shareSumOf(this.#all.values());
    for (const level of this.#all.values()) this.#limit(level, sum);
    this.#divide(now);
  }

  #take({ metadata, spec }: KubeObject, now: number): void {
    const { name = '', uid = '' } = metadata;
    const own = (spec ?? {}) as LevelSpec;
    const queuing = queuingOf(own);
    const isExempt = own.type === 'Exempt';
    const known = this.#all.get(name);
    if (known !== undefined) {
      Object.assign(known, { uid, isExempt, queuing, shares: sharesOf(own), isQuiescing: false });
      return;
    }
    this.#all.set(name, {
      name,
      uid,
      isExempt,
      isQuiescing: false,
      shares: sharesOf(own),
      queuing,
      limits: { nominal: -1, min: 0, max: 0 },
      currentLimit: 0,
      target: 0,
      seatsMax: 1,
      pass: this.#pass,
      queues: new QueueSet(queuing, 0, now),
      demand: new SeatDemand(now),
    });
  }

  #limit(level: Level, shareSum: number): void {
    const limits = limitsOf(level.shares, this.#total, shareSum);
    const isNew = level.limits.nominal < 0;
    level.limits = limits;
    if (isNew) level.currentLimit = limits.nominal - Math.floor((limits.nominal - limits.min) / 2);
    const { handSize } = level.queuing;
    level.seatsMax =
      handSize === 0
        ? Infinity
        : Math.max(
            1,
            Math.min(
              Math.ceil(limits.nominal * REQUEST_SEATS_FRACTION),
              Math.floor(limits.nominal / handSize),
            ),
          );
  }

  /** Ends a period of `periodMs`, or several, and lends seats by what was asked for in it. */
  adjust(periodMs: number, now: number): void {
    const periods = Math.max(1, Math.round((now - this.#adjustedAt) / periodMs));
    this.#adjustedAt = now;
    for (const level of this.#all.values()) level.demand.look(now, periods);
    this.#divide(now);
  }

  /**
   * The next request of the level that has had the least of the server's time, by its seats. `spentMs` is
   * what its request is thought to cost.
   */
  next(now: number, spentMs: number): { level: Level; ticket: Ticket } | undefined {
    let best: Level | undefined;
    for (const level of this.#all.values()) {
      if (level.queues.waiting === 0 || level.queues.seatsInUse >= level.queues.limit) continue;
      if (best === undefined || level.pass < best.pass) best = level;
    }
    if (best === undefined) return undefined;
    const ticket = best.queues.next(now);
    if (ticket === undefined) return undefined;
    this.#pass = Math.max(this.#pass, best.pass);
    best.pass = this.#pass + spentMs / Math.max(1, best.limits.nominal);
    return { level: best, ticket };
  }

  /** A level that had nothing to do is owed nothing. */
  wake(level: Level): void {
    level.pass = Math.max(level.pass, this.#pass);
  }

  get hasWaiting(): boolean {
    for (const { queues } of this.#all.values()) if (queues.waiting > 0) return true;
    return false;
  }

  /** What a level has at least: what it needed, up to what it is configured to have. */
  #least({ limits, demand, isExempt }: Level): number {
    const needed = isExempt ? demand.highWatermark : Math.min(limits.nominal, demand.highWatermark);
    return Math.max(limits.min, needed);
  }

  #divide(now: number): void {
    const all = [...this.#all.values()];
    const limited = all.filter(({ isExempt }) => !isExempt);
    let rest = all.reduce((sum, { limits }) => sum + limits.nominal, 0);
    for (const level of all) {
      if (!level.isExempt) continue;
      level.currentLimit = this.#least(level);
      rest -= level.currentLimit;
    }
    const minSum = limited.reduce((sum, { limits }) => sum + limits.min, 0);
    const leastSum = limited.reduce((sum, one) => sum + this.#least(one), 0);
    this.fairFraction = 0;
    const shares = limited.map((one) => {
      const lower = this.#least(one);
      one.target = Math.max(lower, one.demand.smoothed);
      return { lower, upper: one.limits.max, target: one.target };
    });
    const division = rest > leastSum ? divide(rest, shares) : undefined;
    for (const [i, level] of limited.entries()) {
      const { min } = level.limits;
      if (division !== undefined) {
        level.currentLimit = Math.round(division.seats[i] as number);
        this.fairFraction = division.fairFraction;
      } else if (rest <= minSum) level.currentLimit = min;
      else if (rest <= leastSum) {
        const fraction = (rest - minSum) / (leastSum - minSum);
        level.currentLimit = min + Math.round((this.#least(level) - min) * fraction);
      }
    }
    for (const one of all) one.queues.configure(one.queuing, one.currentLimit, now);
  }
}
