// The simulated network: one-way channels in order, as TCP gives them, that are slow, break, and are
// cut by partitions. What was on its way when a channel broke is lost, and its ends learn of it
// late; a channel through a partition holds what it carries until the partition heals or it breaks.
import type { SimClock } from '#env/sim/clock.ts';
import type { SimRandom } from '#env/sim/random.ts';

const CONNECT_TIMEOUT_MS = 3_000;

/** A process that may die; its channels learn of it. */
export class Life {
  readonly host: string;
  readonly name: string;
  isAlive = true;
  readonly channels = new Set<Channel>();

  constructor(host: string, name: string) {
    this.host = host;
    this.name = name;
  }

  /** alive -> dead, as by kill -9: what it had sent is still delivered. */
  end(): void {
    this.isAlive = false;
    for (const channel of this.channels) channel.endDied(this);
    this.channels.clear();
  }
}

export interface ChannelEnds {
  readonly from: Life;
  /** Undefined: nobody listens there. */
  readonly to: Life | undefined;
  /** The sender learns that what it sent may be lost. */
  readonly onBroken?: (() => void) | undefined;
  /** The receiver learns that nothing more comes. */
  readonly onClosed?: (() => void) | undefined;
}

interface Carried {
  readonly at: number;
  readonly deliver: () => void;
}

export class Channel {
  readonly #network: Network;
  readonly #ends: ChannelEnds;
  readonly #queue: Carried[] = [];
  #lastAt = 0;
  #isPumping = false;
  #isFinished = false;
  isBroken = false;
  /** Larger for those made later. */
  readonly number: number;

  constructor(network: Network, ends: ChannelEnds) {
    this.#network = network;
    this.number = network.nextNumber();
    this.#ends = ends;
    ends.from.channels.add(this);
    ends.to?.channels.add(this);
    if (ends.to?.isAlive !== true) this.break();
    else if (this.isCut) {
      // A connection that cannot be made fails after a while, or is made in the end.
      network.clock.after(CONNECT_TIMEOUT_MS, () => {
        if (this.isCut) this.break();
      });
    }
  }

  get ends(): ChannelEnds {
    return this.#ends;
  }

  get isCut(): boolean {
    const { from, to } = this.#ends;
    return to !== undefined && this.#network.isCut(from.host, to.host);
  }

  send(deliver: () => void): void {
    if (this.isBroken || this.#isFinished) return;
    const { from, to } = this.#ends;
    const latency = this.#network.latencyMs(from.host, to?.host ?? '');
    const at = Math.max(this.#lastAt, this.#network.clock.now() + latency);
    this.#lastAt = at;
    this.#queue.push({ at, deliver });
    this.#pump();
  }

  /** The sender is done: the receiver gets what is on its way, and then learns of the end. */
  finish(): void {
    if (this.isBroken || this.#isFinished) return;
    this.send(() => {
      this.#forget();
      if (this.#ends.to?.isAlive === true) this.#ends.onClosed?.();
    });
    this.#isFinished = true;
  }

  /** open -> broken: what is on its way is lost. */
  break(): void {
    if (this.isBroken) return;
    this.isBroken = true;
    this.#queue.length = 0;
    this.#forget();
    const { from, to, onBroken, onClosed } = this.#ends;
    this.#network.tellLater(this, () => {
      if (from.isAlive && !this.#isFinished) onBroken?.();
    });
    this.#network.tellLater(this, () => {
      if (to?.isAlive === true) onClosed?.();
    });
  }

  endDied(life: Life): void {
    if (life === this.#ends.to) this.break();
    else this.finish();
  }

  healed(): void {
    this.#isPumping = false;
    this.#pump();
  }

  #forget(): void {
    this.#ends.from.channels.delete(this);
    this.#ends.to?.channels.delete(this);
  }

  #pump(): void {
    const head = this.#queue[0];
    if (this.#isPumping || head === undefined) return;
    this.#isPumping = true;
    const waitMs = Math.max(0, head.at - this.#network.clock.now());
    this.#network.clock.after(waitMs, () => this.#arrive());
  }

  #arrive(): void {
    if (this.isBroken) return;
    if (this.isCut) {
      this.#network.hold(this);
      return;
    }
    this.#isPumping = false;
    const head = this.#queue.shift();
    if (head === undefined) return;
    this.#pump();
    if (this.#ends.to?.isAlive === true) head.deliver();
  }
}

/** Names what is between two hosts. */
export function pairOf(a: string, b: string): string {
  return [a, b].toSorted().join(' and ');
}

/** A request and its answer; `answer` gets undefined when nobody knows what became of it. */
export function remoteCall<T>(
  network: Network,
  { from, to }: { readonly from: Life; readonly to: Life },
  act: () => T,
  answer: (value: T | undefined) => void,
): void {
  let isAnswered = false;
  const once = (value: T | undefined): void => {
    if (isAnswered) return;
    isAnswered = true;
    forth.finish();
    answer(value);
  };
  const forth: Channel = new Channel(network, { from, to, onBroken: () => once(undefined) });
  forth.send(() => {
    const value = act();
    const back = new Channel(network, { from: to, to: from, onClosed: () => once(undefined) });
    back.send(() => once(value));
    back.finish();
  });
}

export class Network {
  readonly clock: SimClock;
  readonly #random: SimRandom;
  readonly #cuts = new Map<string, number>();
  #numbers = 0;
  readonly #slow = new Map<string, number>();
  readonly #held = new Set<Channel>();
  #afterHealing: (() => void)[] = [];

  constructor(clock: SimClock, random: SimRandom) {
    this.clock = clock;
    this.#random = random;
  }

  nextNumber(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  latencyMs(from: string, to: string): number {
    if (from === to) return this.#random.below(2);
    const slowMs = (this.#slow.get(from) ?? 0) + (this.#slow.get(to) ?? 0);
    if (slowMs > 0) return slowMs * 0.8 + this.#random.below(slowMs * 0.2);
    return this.#random.chance(0.02) ? this.#random.below(400) : this.#random.below(4);
  }

  isCut(a: string, b: string): boolean {
    if (a === b) return false;
    return this.#cuts.has(a) || this.#cuts.has(b) || this.#cuts.has(pairOf(a, b));
  }

  /** Nothing comes or goes between these two; undone by healing `pairOf` them. */
  cutBetween(a: string, b: string): void {
    this.cut(pairOf(a, b));
  }

  /** Takes a host off the network; may be done several times, and is healed as often. */
  cut(host: string): void {
    this.#cuts.set(host, (this.#cuts.get(host) ?? 0) + 1);
  }

  /** Messages to and from the host take up to so much longer, until `ms` is taken back. */
  slow(host: string, ms: number): void {
    this.#slow.set(host, (this.#slow.get(host) ?? 0) + ms);
  }

  /** `breakChance`: that of each connection which something waits on. */
  heal(host: string, breakChance: number): void {
    const left = (this.#cuts.get(host) ?? 0) - 1;
    if (left > 0) this.#cuts.set(host, left);
    else this.#cuts.delete(host);
    const held = [...this.#held];
    this.#held.clear();
    for (const channel of held) {
      if (this.#random.chance(breakChance)) channel.break();
      else channel.healed();
    }
    const waiting = this.#afterHealing;
    this.#afterHealing = [];
    for (const tell of waiting) tell();
  }

  hold(channel: Channel): void {
    this.#held.add(channel);
  }

  /** News of a broken channel travels as slowly as anything, and not through a partition. */
  tellLater(channel: Channel, tell: () => void): void {
    if (channel.isCut) {
      this.#afterHealing.push(() => this.tellLater(channel, tell));
      return;
    }
    const slow = this.#random.chance(0.1) ? 2_000 : 20;
    this.clock.after(1 + this.#random.below(slow), tell);
  }
}
