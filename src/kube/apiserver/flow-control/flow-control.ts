// API priority and fairness: sorts requests into flows by the stored flow schemas, lets them execute, wait
// or be refused by the levels those name, and reports on the schemas. What decides is in levels.ts and
// queue-set.ts.
import type { Env, Timer } from '#env/env.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { followObjects } from '#kube/apiserver/followed-objects.ts';
import type { RequestInfo } from '#kube/apiserver/request-info.ts';
import type { Resources } from '#kube/apiserver/resources.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import type { Store } from '#store/store.ts';
import { FlowObjects, LEVELS, SCHEMAS } from './flow-objects.ts';
import { classify, distinguish, inOrder, schemaOf, type Schema } from './classify.ts';
import { dumpLevels, dumpQueues, dumpRequests, type DumpedTicket } from './dumps.ts';
import { FlowMetrics, type FlowCounts } from './flow-metrics.ts';
import { Levels, type Level } from './levels.ts';
import { seatsOf, type Ticket } from './queue-set.ts';
import { ResourceSizes } from './resource-sizes.ts';
import { RetryAfter } from './retry-after.ts';
import { deal, hashFlow } from './shuffle-sharding.ts';
import { LoopTurns } from './loop-turns.ts';
import { workOfRequest, type Estimates } from './work-estimate.ts';

/** How often seats are lent anew, while there are requests. */
const ADJUST_MS = 10_000;
/** A quarter of the minute that a request has. */
const WAIT_MS = 15_000;
/** Of one schema; then they are dealt anew. */
const HANDS_MAX = 10_000;

export interface FlowControlOptions {
  readonly store: Store;
  readonly registry: TypeRegistry;
  readonly resources: Resources;
  /** Requests at once: those that only read, and all others. */
  readonly inflightMax: number;
  readonly watchersOf: (info: RequestInfo) => number;
}

/** The requests of one schema, as they are treated until schemas or levels change. */
export interface Flow {
  readonly schema: Schema;
  readonly level: Level;
  /** For every answer: by which objects it was sorted. */
  readonly headers: Readonly<Record<string, string>>;
  readonly counts: FlowCounts;
  readonly hands: Map<string, readonly number[]>;
}

interface Seat extends DumpedTicket {
  readonly owner: Flow;
  decide: ((mayExecute: boolean) => void) | undefined;
}

/** The request was refused: come back later. */
export class TooManyRequests extends Error {
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super('Too many requests, please try again later.');
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export class FlowControl {
  readonly #options: FlowControlOptions;
  readonly #env: Env;
  readonly #levels: Levels;
  readonly #metrics = new FlowMetrics();
  readonly #retries = new Map<string, RetryAfter>();
  readonly #objects: FlowObjects;
  readonly #turns: LoopTurns;
  readonly #estimates: Estimates;
  #flows = new Map<string, Flow>();
  #schemas: readonly Schema[] = [];
  readonly #watches: { cancel(): void }[] = [];
  #timer: Timer | undefined;
  #isUsed = false;
  #isDigesting = false;

  constructor(options: FlowControlOptions, env: Env) {
    this.#options = options;
    this.#env = env;
    this.#levels = new Levels(options.inflightMax, env.clock.monotonicMs());
    this.#objects = new FlowObjects(options, env);
    this.#turns = new LoopTurns(this.#levels, env.clock, (one) => (one as Seat).decide?.(true));
    const sizes = new ResourceSizes(options, env);
    this.#estimates = { sizeOf: (info) => sizes.of(info), watchersOf: options.watchersOf };
    this.#digest();
  }

  async start(): Promise<void> {
    for (const one of [LEVELS, SCHEMAS]) await this.#follow(one);
    this.#digest();
    await this.#objects.ensureAll();
  }

  close(): void {
    this.#timer?.cancel();
    this.#turns.close();
    this.#objects.close();
    for (const watch of this.#watches) watch.cancel();
  }

  async #follow(of: { group: string; resource: string }): Promise<void> {
    const follower = {
      put: (_key: string, object: KubeObject) => this.#objects.take(of, object),
      gone: (name: string) => this.#objects.drop(of, name),
      changed: () => this.#digestSoon(),
    };
    const from = { store: this.#options.store, log: this.#env.log };
    this.#watches.push(await followObjects(from, of, follower));
  }

  /** Several changes of one moment are taken up together. */
  #digestSoon(): void {
    if (this.#isDigesting) return;
    this.#isDigesting = true;
    queueMicrotask(() => {
      this.#isDigesting = false;
      this.#digest();
      void this.#objects.ensureMandatory();
    });
  }

  #digest(): void {
    this.#levels.digest(this.#objects.levels(), this.#env.clock.monotonicMs());
    const flows = new Map<string, Flow>();
    for (const object of this.#objects.schemas()) {
      const schema = schemaOf(object);
      const level = this.#levels.get(schema.level);
      this.#objects.report(object, schema.level, level !== undefined && !level.isQuiescing);
      if (level === undefined || level.isQuiescing) continue;
      flows.set(schema.name, {
        schema,
        level,
        headers: {
          'X-Kubernetes-PF-FlowSchema-UID': schema.uid,
          'X-Kubernetes-PF-PriorityLevel-UID': level.uid,
        },
        counts: this.#metrics.countsOf(level.name, schema.name),
        hands: new Map(),
      });
    }
    this.#flows = flows;
    this.#schemas = inOrder([...flows.values()].map(({ schema }) => schema));
    this.#turns.wake();
  }

  // ---- requests ----

  flowOf(user: UserInfo, info: RequestInfo): Flow {
    const schema = classify(this.#schemas, user, info);
    return this.#flows.get(schema?.name ?? '') as Flow;
  }

  /**
   * A seat, at once or when it is the request's turn. `onGone` is told how to give up waiting. Throws
   * TooManyRequests.
   */
  take(
    flow: Flow,
    { user, info }: { readonly user: UserInfo; readonly info: RequestInfo },
    onGone: (giveUp: () => void) => void,
  ): Ticket | Promise<Ticket> {
    const { clock } = this.#env;
    const { level, schema, counts } = flow;
    const now = clock.monotonicMs();
    const isSharded = level.queuing.queues > 0;
    const distinguisher = isSharded ? distinguish(schema, user, info) : '';
    const seat: Seat = {
      schema: schema.name,
      flow: distinguisher,
      arrivedAt: now,
      arrivedOn: clock.now(),
      work: workOfRequest(info, this.#estimates, level.seatsMax),
      arrivalR: 0,
      startedAt: 0,
      queue: undefined,
      state: 'waiting',
      user: user.name,
      info,
      owner: flow,
      decide: undefined,
    };
    const hand = isSharded ? this.#handOf(flow, distinguisher) : [];
    const outcome = level.queues.start(
      seat,
      hand,
      now,
      !level.isExempt && this.#turns.isBehind(now),
    );
    this.#used(level, now);
    if (outcome.kind === 'refused') throw this.#refuse(flow, outcome.reason, 0);
    if (outcome.kind === 'executes') {
      this.#begin(seat, 0);
      return seat;
    }
    counts.waiting += 1;
    counts.waitingSeats += seatsOf(seat.work);
    this.#levels.wake(level);
    this.#turns.wake();
    return this.#wait(seat, onGone);
  }

  #wait(seat: Seat, onGone: (giveUp: () => void) => void): Promise<Ticket> {
    const { level, counts } = seat.owner;
    return new Promise((done, fail) => {
      const giveUp = (): void => {
        if (seat.state !== 'waiting') return;
        const now = this.#env.clock.monotonicMs();
        level.queues.cancel(seat, now);
        this.#used(level, now);
        seat.decide?.(false);
      };
      const timer = this.#env.timers.after(WAIT_MS, giveUp);
      seat.decide = (mayExecute) => {
        timer.cancel();
        counts.waiting -= 1;
        counts.waitingSeats -= seatsOf(seat.work);
        const waitedMs = this.#env.clock.monotonicMs() - seat.arrivedAt;
        if (!mayExecute) return fail(this.#refuse(seat.owner, 'time-out', waitedMs));
        this.#begin(seat, waitedMs);
        done(seat);
      };
      onGone(giveUp);
    });
  }

  #begin({ owner, work }: Seat, waitedMs: number): void {
    const { counts, level } = owner;
    counts.dispatched += 1;
    counts.executing += 1;
    counts.executingSeats += seatsOf(work);
    if (!level.isExempt) counts.waited.observe(waitedMs / 1_000);
  }

  #refuse({ counts, level }: Flow, reason: string, waitedMs: number): TooManyRequests {
    counts.reject(reason);
    counts.waitedInVain.observe(waitedMs / 1_000);
    let retry = this.#retries.get(level.name);
    if (retry === undefined) {
      retry = new RetryAfter();
      this.#retries.set(level.name, retry);
    }
    retry.refused(this.#env.clock.now());
    return new TooManyRequests(retry.seconds);
  }

  /** The request has been answered; of a watch, its first state. */
  finish(ticket: Ticket): void {
    const seat = ticket as Seat;
    const { level, counts } = seat.owner;
    const now = this.#env.clock.monotonicMs();
    counts.executing -= 1;
    counts.executed.observe((now - seat.startedAt) / 1_000);
    const releaseInMs = level.queues.finish(seat, now);
    if (releaseInMs > 0) this.#env.timers.after(releaseInMs, () => this.#release(seat));
    else counts.executingSeats -= seatsOf(seat.work);
    this.#used(level, now);
    this.#turns.wake();
  }

  #release(seat: Seat): void {
    const { level, counts } = seat.owner;
    const now = this.#env.clock.monotonicMs();
    counts.executingSeats -= seatsOf(seat.work);
    level.queues.release(seat, now);
    this.#used(level, now);
    this.#turns.wake();
  }

  #handOf({ schema, level, hands }: Flow, distinguisher: string): readonly number[] {
    const known = hands.get(distinguisher);
    if (known !== undefined) return known;
    if (hands.size >= HANDS_MAX) hands.clear();
    const { queues, handSize } = level.queues.config;
    const hand = deal(hashFlow(schema.name, distinguisher), queues, handSize);
    hands.set(distinguisher, hand);
    return hand;
  }

  #used(level: Level, now: number): void {
    level.demand.set(level.queues.demand, now);
    this.#isUsed = true;
    this.#timer ??= this.#env.timers.after(ADJUST_MS, () => this.#adjust());
  }

  /** As long as there are requests; then once more. */
  #adjust(): void {
    this.#timer = undefined;
    if (this.#isUsed) this.#timer = this.#env.timers.after(ADJUST_MS, () => this.#adjust());
    this.#isUsed = false;
    this.#levels.adjust(ADJUST_MS, this.#env.clock.monotonicMs());
    this.#turns.wake();
  }

  // ---- looking in ----

  metrics(): string[] {
    return this.#metrics.lines(this.#levels);
  }

  resetMetrics(): void {
    this.#metrics.reset();
  }

  /** undefined: there is no such table. */
  dump(name: string, query: URLSearchParams): string | undefined {
    switch (name) {
      case 'dump_priority_levels':
        return dumpLevels(this.#levels);
      case 'dump_queues':
        return dumpQueues(this.#levels);
      case 'dump_requests':
        return dumpRequests(this.#levels, (query.get('includeRequestDetails') ?? '') !== '');
      default:
        return undefined;
    }
  }
}
