// The offers that are out, by the numbers that their ids end in, in the order in which they were made; for holdings.ts
// and whoever is told an id. Many thousands come and go in a second: their records are all that is made for one.
import type { Resources } from '#mesos/resources/resources.ts';
import type { AgentRecord, FrameworkRecord } from './types.ts';

export interface OfferParts {
  readonly number: number;
  /** The records of both; an offer is struck out before they are. */
  readonly framework: FrameworkRecord;
  readonly agent: AgentRecord | undefined;
  readonly agentId: string;
  /** Allocated to the role. */
  readonly role: string;
  readonly resources: Resources;
}

export class OfferRecord {
  readonly number: number;
  readonly framework: FrameworkRecord;
  readonly agent: AgentRecord | undefined;
  readonly agentId: string;
  readonly role: string;
  readonly resources: Resources;
  readonly #prefix: string;
  /** The framework was told of it. */
  isSent = false;
  /** Of the same framework. */
  before: OfferRecord | undefined;
  after: OfferRecord | undefined;

  constructor(prefix: string, of: OfferParts) {
    this.#prefix = prefix;
    this.number = of.number;
    this.framework = of.framework;
    this.agent = of.agent;
    this.agentId = of.agentId;
    this.role = of.role;
    this.resources = of.resources;
  }

  /** Made anew each time. */
  get id(): string {
    return `${this.#prefix}${this.number}`;
  }

  get frameworkId(): string {
    return this.framework.id;
  }
}

/** Those of one framework, in the order in which they were made. */
export class OfferChain {
  #first: OfferRecord | undefined;
  #last: OfferRecord | undefined;

  add(offer: OfferRecord): void {
    offer.before = this.#last;
    if (this.#last === undefined) this.#first = offer;
    else this.#last.after = offer;
    this.#last = offer;
  }

  /** One that is in it. */
  remove(offer: OfferRecord): void {
    const { before, after } = offer;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    // One that is gone and not collected yet would keep those that come.
    offer.before = undefined;
    offer.after = undefined;
  }

  /** All of them; later changes do not show. */
  all(): OfferRecord[] {
    const all: OfferRecord[] = [];
    for (let one = this.#first; one !== undefined; one = one.after) all.push(one);
    return all;
  }
}

const PAGE = 64;
/** More digits are no number of an offer. */
const DIGITS_MAX = 15;
const ZERO = 48;

interface Page {
  readonly offers: (OfferRecord | undefined)[];
  count: number;
}

export class OfferBook {
  /** What ids begin with. */
  readonly #prefix: string;
  /** Those that have something in them; numbers only grow, so they are in order. */
  readonly #pages = new Map<number, Page>();
  #size = 0;

  constructor(masterId: string) {
    this.#prefix = `${masterId}-O`;
  }

  get size(): number {
    return this.#size;
  }

  make(parts: OfferParts): OfferRecord {
    return new OfferRecord(this.#prefix, parts);
  }

  get(id: string): OfferRecord | undefined {
    const number = this.#numberOf(id);
    return number === undefined ? undefined : this.at(number);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  at(number: number): OfferRecord | undefined {
    return this.#pages.get(Math.floor(number / PAGE))?.offers[number % PAGE];
  }

  add(offer: OfferRecord): void {
    const { number } = offer;
    const key = Math.floor(number / PAGE);
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = { offers: Array.from<undefined>({ length: PAGE }).fill(undefined), count: 0 };
      this.#pages.set(key, page);
    }
    if (page.offers[number % PAGE] === undefined) {
      page.count += 1;
      this.#size += 1;
    }
    page.offers[number % PAGE] = offer;
  }

  /** False when it is not there. */
  remove(offer: OfferRecord): boolean {
    const { number } = offer;
    const key = Math.floor(number / PAGE);
    const page = this.#pages.get(key);
    if (page?.offers[number % PAGE] !== offer) return false;
    page.offers[number % PAGE] = undefined;
    page.count -= 1;
    this.#size -= 1;
    if (page.count === 0) this.#pages.delete(key);
    return true;
  }

  /** All of them; later changes do not show. */
  values(): OfferRecord[] {
    const all: OfferRecord[] = [];
    for (const { offers } of this.#pages.values()) {
      for (const offer of offers) if (offer !== undefined) all.push(offer);
    }
    return all;
  }

  #numberOf(id: string): number | undefined {
    const from = this.#prefix.length;
    const digits = id.length - from;
    if (digits < 1 || digits > DIGITS_MAX || !id.startsWith(this.#prefix)) return undefined;
    let number = 0;
    for (let i = from; i < id.length; i++) {
      const digit = id.charCodeAt(i) - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      number = 10 * number + digit;
    }
    // Written in one way only.
    return digits > 1 && id.charCodeAt(from) === ZERO ? undefined : number;
  }
}
