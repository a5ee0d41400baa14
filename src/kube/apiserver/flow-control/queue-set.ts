// The fair queues of one priority level: which request executes, waits or is refused, and which is next.
// Pure; the current time is an argument. The algorithm of k8s.io/apiserver v0.37
// (util/flowcontrol/fairqueuing/queueset): shuffle sharding picks the queue, virtual time the next request.

export interface Queuing {
  /** Below zero: nothing is limited; zero: no queues, what has no seat is refused. */
  readonly queues: number;
  readonly handSize: number;
  readonly queueLengthLimit: number;
}

export interface Work {
  readonly initialSeats: number;
  /** Kept for `additionalMs` after the request has been answered: what its watchers cost. */
  readonly finalSeats: number;
  readonly additionalMs: number;
}

/** One request, from its arrival to its end. */
export interface Ticket {
  readonly schema: string;
  readonly flow: string;
  readonly arrivedAt: number;
  work: Work;
  arrivalR: number;
  startedAt: number;
  queue: Queue | undefined;
  state: 'waiting' | 'executing' | 'done';
}

export interface Queue {
  index: number;
  readonly waiting: Ticket[];
  readonly executing: Set<Ticket>;
  seatsInUse: number;
  seatsWaiting: number;
  workWaiting: number;
  nextDispatchR: number;
  /** Counted among those that share the seats. */
  isActive: boolean;
}

export type Outcome =
  | { readonly kind: 'executes' | 'waits'; readonly length: number }
  | { readonly kind: 'refused'; readonly reason: 'concurrency-limit' | 'queue-full' };

/** How long a request is thought to take before anybody knows. */
const SERVICE_MS = 3;

export const seatsOf = ({ initialSeats, finalSeats }: Work): number =>
  Math.max(initialSeats, finalSeats);

/** In seat-milliseconds. */
export const workOf = ({ initialSeats, finalSeats, additionalMs }: Work): number =>
  initialSeats * SERVICE_MS + finalSeats * additionalMs;

function newQueue(index: number): Queue {
  return {
    index,
    waiting: [],
    executing: new Set(),
    seatsInUse: 0,
    seatsWaiting: 0,
    workWaiting: 0,
    nextDispatchR: 0,
    isActive: false,
  };
}

const hasWork = ({ waiting, executing }: Queue): boolean =>
  waiting.length > 0 || executing.size > 0;

export class QueueSet {
  #config: Queuing;
  #limit: number;
  readonly queues: Queue[] = [];
  /** Of a level without queues. */
  readonly queueless = new Set<Ticket>();
  /** The progress meter: seat-milliseconds that each queue was given so far. */
  #currentR = 0;
  #syncedAt: number;
  #robin = -1;
  #enqueues = 0;
  #activeQueues = 0;
  waiting = 0;
  executing = 0;
  seatsInUse = 0;
  seatsWaiting = 0;
  dispatched = 0;
  rejected = 0;
  timedOut = 0;
  cancelled = 0;

  constructor(config: Queuing, limit: number, now: number) {
    this.#config = config;
    this.#limit = limit;
    this.#syncedAt = now;
    this.#grow();
  }

  get config(): Queuing {
    return this.#config;
  }

  get limit(): number {
    return this.#limit;
  }

  get currentR(): number {
    return this.#currentR;
  }

  get isIdle(): boolean {
    return this.waiting === 0 && this.executing === 0;
  }

  /** Seats that could be used if there were enough. */
  get demand(): number {
    return this.seatsInUse + this.seatsWaiting;
  }

  configure(config: Queuing, limit: number, now: number): void {
    this.#sync(now);
    this.#config = config;
    this.#limit = limit;
    this.#grow();
  }

  /**
   * `hand`: the queues that the request's flow may use. What is held waits even when there are seats,
   * until next() comes to it.
   */
  start(ticket: Ticket, hand: readonly number[], now: number, isHeld = false): Outcome {
    this.#sync(now);
    if (this.#config.queues < 1) return this.#startWithoutQueue(ticket, now);
    const queue = this.#pick(hand);
    // Seats that are free are taken by those who are held as well: they are not in their queue for want of one.
    const held = isHeld ? Math.max(0, this.#limit - this.seatsInUse) : 0;
    const isFull = queue.waiting.length >= this.#config.queueLengthLimit + held;
    if (isFull && (isHeld || this.seatsInUse >= this.#limit)) {
      this.rejected += 1;
      return { kind: 'refused', reason: 'queue-full' };
    }
    this.#enqueue(ticket, queue);
    const { length } = queue.waiting;
    // Whatever else waits could not be dispatched at its own time: only this one may be.
    const isOnly = this.waiting === 1 && !isHeld;
    if (isOnly && this.seatsInUse < this.#limit && this.#fits(seatsOf(ticket.work))) {
      this.#robin = queue.index;
      this.#leave(ticket, queue, 0);
      this.#execute(ticket, queue, now);
    }
    return { kind: ticket.state === 'executing' ? 'executes' : 'waits', length };
  }

  /** The client has gone, or has waited for long enough. */
  cancel(ticket: Ticket, now: number): void {
    if (ticket.state !== 'waiting' || ticket.queue === undefined) return;
    this.#sync(now);
    const { queue } = ticket;
    this.#leave(ticket, queue, queue.waiting.indexOf(ticket));
    ticket.state = 'done';
    this.rejected += 1;
    this.cancelled += 1;
    this.#bound(queue);
    this.#settle(queue);
  }

  /** After the answer: the seats are free when it returns 0, else release() is due in so many ms. */
  finish(ticket: Ticket, now: number): number {
    this.#sync(now);
    this.executing -= 1;
    ticket.state = 'done';
    const { queue, work } = ticket;
    if (queue === undefined) this.queueless.delete(ticket);
    else {
      queue.executing.delete(ticket);
      // What it took more or less than was thought.
      queue.nextDispatchR -= work.initialSeats * (SERVICE_MS - (now - ticket.startedAt));
      this.#bound(queue);
      this.#settle(queue);
    }
    if (work.additionalMs > 0) return work.additionalMs;
    this.#release(ticket);
    return 0;
  }

  release(ticket: Ticket, now: number): void {
    this.#sync(now);
    this.#release(ticket);
  }

  /** The request whose turn it is, executing from now on; undefined while there is none, or no seat. */
  next(now: number): Ticket | undefined {
    if (this.waiting === 0 || this.seatsInUse >= this.#limit) return undefined;
    this.#sync(now);
    const queue = this.#nextQueue();
    const [ticket] = queue.waiting;
    if (ticket === undefined || !this.#fits(seatsOf(ticket.work))) return undefined;
    this.#robin = queue.index;
    this.#leave(ticket, queue, 0);
    this.#execute(ticket, queue, now);
    return ticket;
  }

  #release(ticket: Ticket): void {
    const seats = seatsOf(ticket.work);
    this.seatsInUse -= seats;
    if (ticket.queue !== undefined) ticket.queue.seatsInUse -= seats;
  }

  /** A queue without work takes no part; when there are more queues than wanted it goes. */
  #settle(queue: Queue): void {
    if (!queue.isActive || hasWork(queue)) return;
    queue.isActive = false;
    this.#activeQueues -= 1;
    if (this.queues.length <= this.#config.queues) return;
    this.queues.splice(queue.index, 1);
    for (let i = queue.index; i < this.queues.length; i++) (this.queues[i] as Queue).index = i;
    if (this.#robin >= queue.index) this.#robin -= 1;
  }

  #grow(): void {
    while (this.queues.length < this.#config.queues) this.queues.push(newQueue(this.queues.length));
  }

  /** Virtual time goes on at the rate at which seats are used, by each queue that has work. */
  #sync(now: number): void {
    const elapsed = now - this.#syncedAt;
    this.#syncedAt = now;
    if (elapsed <= 0 || this.#activeQueues === 0) return;
    this.#currentR += (Math.min(this.demand, this.#limit) / this.#activeQueues) * elapsed;
  }

  /** Of the hand, the queue with the least work waiting; which is looked at first goes round. */
  #pick(hand: readonly number[]): Queue {
    const offset = this.#enqueues++ % hand.length;
    let best: Queue | undefined;
    for (let i = 0; i < hand.length; i++) {
      const queue = this.queues[hand[(offset + i) % hand.length] as number] as Queue;
      if (best === undefined || queue.workWaiting < best.workWaiting) best = queue;
    }
    return best as Queue;
  }

  #enqueue(ticket: Ticket, queue: Queue): void {
    if (!queue.isActive) {
      queue.nextDispatchR = this.#currentR;
      queue.isActive = true;
      this.#activeQueues += 1;
    }
    ticket.queue = queue;
    ticket.arrivalR = this.#currentR;
    queue.waiting.push(ticket);
    const seats = seatsOf(ticket.work);
    queue.seatsWaiting += seats;
    queue.workWaiting += workOf(ticket.work);
    this.waiting += 1;
    this.seatsWaiting += seats;
    this.#bound(queue);
  }

  /** Out of its queue, at an index. */
  #leave(ticket: Ticket, queue: Queue, index: number): void {
    if (index === 0) queue.waiting.shift();
    else queue.waiting.splice(index, 1);
    const seats = seatsOf(ticket.work);
    queue.seatsWaiting -= seats;
    queue.workWaiting -= workOf(ticket.work);
    this.waiting -= 1;
    this.seatsWaiting -= seats;
  }

  #execute(ticket: Ticket, queue: Queue, now: number): void {
    const { work } = ticket;
    if (work.finalSeats > this.#limit) {
      // The same work on fewer seats takes longer.
      const additionalMs = (work.finalSeats * work.additionalMs) / this.#limit;
      ticket.work = { ...work, finalSeats: this.#limit, additionalMs };
    }
    ticket.state = 'executing';
    ticket.startedAt = now;
    const seats = seatsOf(ticket.work);
    queue.executing.add(ticket);
    queue.seatsInUse += seats;
    this.executing += 1;
    this.dispatched += 1;
    this.seatsInUse += seats;
    queue.nextDispatchR += workOf(ticket.work);
    this.#bound(queue);
  }

  #startWithoutQueue(ticket: Ticket, now: number): Outcome {
    const seats = seatsOf(ticket.work);
    if (!this.#fits(seats)) {
      this.rejected += 1;
      return { kind: 'refused', reason: 'concurrency-limit' };
    }
    ticket.state = 'executing';
    ticket.startedAt = now;
    this.executing += 1;
    this.dispatched += 1;
    this.seatsInUse += seats;
    this.queueless.add(ticket);
    return { kind: 'executes', length: 0 };
  }

  #fits(seats: number): boolean {
    if (this.#config.queues < 0) return true;
    // What is wider than the level goes alone.
    if (seats > this.#limit) return this.executing === 0;
    return this.seatsInUse + seats <= this.#limit;
  }

  /** The queue whose oldest request would end first in virtual time; there is one that waits. */
  #nextQueue(): Queue {
    const { length } = this.queues;
    let best: Queue | undefined;
    let bestFinish = Infinity;
    for (let i = 1; i <= length; i++) {
      const queue = this.queues[(this.#robin + i) % length] as Queue;
      const [oldest] = queue.waiting;
      if (oldest === undefined) continue;
      const finish = queue.nextDispatchR + workOf(oldest.work);
      if (finish >= bestFinish) continue;
      bestFinish = finish;
      best = queue;
    }
    return best as Queue;
  }

  /** A queue gets no credit for the time before its oldest request came. */
  #bound(queue: Queue): void {
    const [oldest] = queue.waiting;
    if (oldest !== undefined && queue.nextDispatchR < oldest.arrivalR) {
      queue.nextDispatchR = oldest.arrivalR;
    }
  }
}
