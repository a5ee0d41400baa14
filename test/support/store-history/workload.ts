// Clients of a store that write, compare, delete and read at once, in an order drawn from a seed, and note
// what they were told; and watches that go on where they were cut off.
import type { RangeOptions, RangeResult, StoreEvent, Txn, TxnResult } from '#store/store.ts';
import { changeOf, seen, type Change, type OpRecord, type WatchRecord } from './checker.ts';

export interface Subject {
  txn(txn: Txn): Promise<TxnResult>;
  range(options: RangeOptions): Promise<RangeResult>;
}

const KEYS = 8;
const keyOf = (n: number): string => `/k/${n % KEYS}`;
export const everything = { start: '/', end: '0' } as const;

/** A generator that the same seed makes the same (xorshift). */
export function randomOf(seed: number): () => number {
  let state = (seed * 2_654_435_769) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export class Recorder {
  readonly ops: OpRecord[] = [];
  #clock = 0;
  #values = 0;

  #now(): number {
    return ++this.#clock;
  }

  /** No two writes write the same, so that each change can be told from all others. */
  value(client: string): string {
    return `${client}#${++this.#values}`;
  }

  async txn(subject: Subject, client: string, txn: Txn): Promise<TxnResult | undefined> {
    const invokedAt = this.#now();
    let result: TxnResult | undefined;
    try {
      result = await subject.txn(txn);
    } catch {
      // It may have been made.
    }
    const returnedAt = this.#now();
    const told =
      result === undefined || result.ok
        ? result
        : { ...result, current: result.current.map((kv) => kv && seen(kv)) };
    this.ops.push({ kind: 'txn', client, invokedAt, returnedAt, txn, result: told });
    return result;
  }

  async range(
    subject: Subject,
    client: string,
    options: { start: string; end: string; isStaleOk: boolean },
  ): Promise<RangeResult | undefined> {
    const invokedAt = this.#now();
    try {
      const result = await subject.range(options);
      const returnedAt = this.#now();
      const { revision } = result;
      const items = result.items.map(seen);
      this.ops.push({ kind: 'range', client, invokedAt, returnedAt, ...options, items, revision });
      return result;
    } catch {
      return undefined;
    }
  }
}

/** One operation of a client. */
export async function step(
  recorder: Recorder,
  subject: Subject,
  client: string,
  random: () => number,
): Promise<void> {
  const drawn = random();
  const key = keyOf(Math.floor(random() * KEYS));
  const put = (at: string) =>
    ({ kind: 'put', key: at, value: Buffer.from(recorder.value(client)) }) as const;
  if (drawn < 0.2) {
    const range = random() < 0.5 ? everything : { start: key, end: `${key}\u0000` };
    await recorder.range(subject, client, { ...range, isStaleOk: random() < 0.3 });
  } else if (drawn < 0.5) await recorder.txn(subject, client, { compare: [], then: [put(key)] });
  else if (drawn < 0.6) {
    const second = keyOf(Math.floor(random() * KEYS) + 1);
    const then = key === second ? [put(key)] : [put(key), put(second)];
    await recorder.txn(subject, client, { compare: [], then });
  } else {
    const range = { start: key, end: `${key}\u0000`, isStaleOk: random() < 0.5 };
    const found = await recorder.range(subject, client, range);
    if (found === undefined) return;
    const equals = found.items[0]?.modRevision ?? 0;
    const compare = [{ key, target: 'mod', equals } as const];
    const then = drawn < 0.7 ? [{ kind: 'delete', key } as const] : [put(key)];
    await recorder.txn(subject, client, { compare, then });
  }
}

/** A watch as a client keeps it: begun again after the last revision that it has heard of. */
export class WatchLog {
  readonly #name: string;
  readonly #from: number;
  readonly #changes: Change[] = [];

  constructor(name: string, from: number) {
    this.#name = name;
    this.#from = from;
  }

  get next(): number {
    return (this.#changes.at(-1)?.revision ?? this.#from - 1) + 1;
  }

  readonly onEvents = (events: readonly StoreEvent[], revision: number): void => {
    this.#changes.push(changeOf(events, revision));
  };

  record(): WatchRecord {
    return { name: this.#name, ...everything, from: this.#from, changes: this.#changes };
  }
}
