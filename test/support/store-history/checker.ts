// Judges a history of a store: whether its transactions and reads can have happened one after the other in
// real time (linearizability), whether nothing acknowledged is missing, and whether each watch told all.
// The order needs no search: the store numbers its transactions, and the history says whether it may.
import type { KeyValue, StoreEvent, Txn } from '#store/store.ts';

/** Times are numbers of one counter: an earlier one was before. */
interface Span {
  readonly client: string;
  readonly invokedAt: number;
  readonly returnedAt: number;
}

export interface TxnRecord extends Span {
  readonly kind: 'txn';
  readonly txn: Txn;
  /** undefined: nobody knows whether it was made. */
  readonly result:
    | { readonly ok: true; readonly revision: number }
    | {
        readonly ok: false;
        readonly revision: number;
        readonly current: readonly (Seen | undefined)[];
      }
    | undefined;
}

export interface RangeRecord extends Span {
  readonly kind: 'range';
  readonly start: string;
  readonly end: string;
  readonly isStaleOk: boolean;
  readonly items: readonly Seen[];
  readonly revision: number;
}

export type OpRecord = TxnRecord | RangeRecord;

export interface Seen {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

export interface Change {
  readonly revision: number;
  /** By key: the new value, or undefined for what was deleted. */
  readonly values: ReadonlyMap<string, string | undefined>;
}

export interface WatchRecord {
  readonly name: string;
  readonly start: string;
  readonly end: string;
  readonly from: number;
  readonly changes: readonly Change[];
}

export interface History {
  readonly ops: readonly OpRecord[];
  readonly watches: readonly WatchRecord[];
  /** Everything that was ever changed, as the store itself tells at the end. */
  readonly log: readonly Change[];
  /** Revisions that the store took for itself: nothing of anybody's happened there. */
  readonly own?: ReadonlySet<number>;
}

const text = (value: Uint8Array): string => Buffer.from(value).toString();

export function seen({ key, value, createRevision, modRevision, version }: KeyValue): Seen {
  return { key, value: text(value), createRevision, modRevision, version };
}

export function changeOf(events: readonly StoreEvent[], revision: number): Change {
  const values = new Map<string, string | undefined>();
  for (const event of events) {
    if (event.kind === 'put') values.set(event.kv.key, text(event.kv.value));
    else values.set(event.key, undefined);
  }
  return { revision, values };
}

const inRange = (key: string, { start, end }: { start: string; end: string }): boolean =>
  key >= start && key < end;

class State {
  readonly #keys = new Map<string, Seen>();

  get(key: string): Seen | undefined {
    return this.#keys.get(key);
  }

  apply({ revision, values }: Change): void {
    for (const [key, value] of values) {
      const before = this.#keys.get(key);
      if (value === undefined) this.#keys.delete(key);
      else {
        this.#keys.set(key, {
          key,
          value,
          createRevision: before?.createRevision ?? revision,
          modRevision: revision,
          version: (before?.version ?? 0) + 1,
        });
      }
    }
  }

  range(range: { start: string; end: string }): Seen[] {
    return [...this.#keys.values()]
      .filter(({ key }) => inRange(key, range))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  holds({ compare }: Txn): boolean {
    return compare.every(({ key, target, equals }) => {
      const kv = this.#keys.get(key);
      return (target === 'mod' ? (kv?.modRevision ?? 0) : (kv?.version ?? 0)) === equals;
    });
  }

  /** What the transaction changes, were it made now; deletions of what is not there change nothing. */
  effect({ then }: Txn): Map<string, string | undefined> {
    const values = new Map<string, string | undefined>();
    for (const op of then) {
      if (op.kind === 'put') values.set(op.key, text(op.value));
      else if (this.#keys.has(op.key) || values.has(op.key)) values.set(op.key, undefined);
    }
    for (const [key, value] of values) {
      if (value === undefined && !this.#keys.has(key)) values.delete(key);
    }
    return values;
  }
}

const sameSeen = (a: readonly (Seen | undefined)[], b: readonly (Seen | undefined)[]): boolean =>
  JSON.stringify(a.map((one) => one ?? null)) === JSON.stringify(b.map((one) => one ?? null));

const sameValues = (
  a: ReadonlyMap<string, string | undefined>,
  b: ReadonlyMap<string, string | undefined>,
): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.has(key) && b.get(key) === value);

const revisionOf = (op: OpRecord): number | undefined =>
  op.kind === 'range' ? op.revision : op.result?.revision;

/** Sentences; none when all is well. */
export function problemsOf(history: History): string[] {
  const known = knownBefore(history.ops);
  return [
    ...logProblems(history),
    ...orderProblems(history.ops, known),
    ...contentProblems(history, known),
    ...history.watches.flatMap((one) => watchProblems(one, history.log)),
  ];
}

/** No revision is left out, and none is told that never was. */
function logProblems({ ops, log, own = new Set() }: History): string[] {
  const problems: string[] = [];
  const newest = Math.max(log.at(-1)?.revision ?? 0, ...own);
  let next = log[0]?.revision ?? newest;
  for (const { revision } of log) {
    const before = next - 1;
    while (own.has(next)) next++;
    if (revision !== next) problems.push(`the log goes from revision ${before} to ${revision}`);
    next = revision + 1;
  }
  for (const op of ops) {
    const revision = revisionOf(op) ?? 0;
    if (log.length > 0 && revision > newest)
      problems.push(`${op.client}: told revision ${revision}, the newest is ${newest}`);
  }
  return problems;
}

/** For each operation the newest revision that anybody had been told before it was asked for. */
function knownBefore(ops: readonly OpRecord[]): ReadonlyMap<OpRecord, number> {
  const moments = ops
    .flatMap((op) => [
      { at: op.invokedAt, op, isReturn: false },
      { at: op.returnedAt, op, isReturn: true },
    ])
    .sort((a, b) => a.at - b.at);
  const known = new Map<OpRecord, number>();
  let newest = 0;
  for (const { op, isReturn } of moments) {
    if (isReturn) newest = Math.max(newest, revisionOf(op) ?? 0);
    else known.set(op, newest);
  }
  return known;
}

/** What returned before another operation was asked for may not come after it. */
function orderProblems(ops: readonly OpRecord[], known: ReadonlyMap<OpRecord, number>): string[] {
  return ops.flatMap((op) => {
    const revision = revisionOf(op);
    const before = known.get(op) ?? 0;
    if (revision === undefined || revision >= before) return [];
    if (op.kind === 'range' && op.isStaleOk) return [];
    return [
      `${op.client}: ${op.kind} at revision ${revision} was asked for after ${before} had been told`,
    ];
  });
}

/** Each result is what the state of its revision says; each change has somebody who asked for it. */
function contentProblems({ ops, log }: History, known: ReadonlyMap<OpRecord, number>): string[] {
  const problems: string[] = [];
  const told = new Map<number, OpRecord[]>();
  const unknown: TxnRecord[] = [];
  for (const op of ops) {
    const revision = revisionOf(op);
    if (revision !== undefined) told.set(revision, [...(told.get(revision) ?? []), op]);
    else if (op.kind === 'txn') unknown.push(op);
  }
  const changes = new Map(log.map((change) => [change.revision, change]));
  const used = new Set<OpRecord>();
  const state = new State();
  const revisions = [...new Set([...changes.keys(), ...told.keys()])].sort((a, b) => a - b);
  for (const revision of revisions) {
    const here = told.get(revision) ?? [];
    const change = changes.get(revision);
    if (change !== undefined) {
      const possible = unknown.filter((op) => !used.has(op) && (known.get(op) ?? 0) < revision);
      const makers = here.filter(isMade).filter((op) => isMaker(op, change, state));
      const silent = possible.find((op) => isMaker(op, change, state));
      if (makers.length === 0 && silent === undefined)
        problems.push(...withoutOwner(change, here, state));
      state.apply(change);
      // Of two that deleted the same the one that cannot have come second.
      const owner = makers.find((op) => readProblems(op, state).length > 0) ?? makers[0] ?? silent;
      if (owner !== undefined) used.add(owner);
    }
    for (const op of here) if (!used.has(op)) problems.push(...readProblems(op, state));
  }
  return problems;
}

const isMade = (op: OpRecord): op is TxnRecord => op.kind === 'txn' && op.result?.ok === true;

/**
 * Not everybody who was told a revision made its change: a transaction that finds nothing to delete is told
 * the newest there is, even that of the deletion before it.
 */
const isMaker = ({ txn }: TxnRecord, { values }: Change, state: State): boolean =>
  state.holds(txn) && sameValues(state.effect(txn), values);

/** What is wrong with those who may have meant to make the change. */
function withoutOwner(change: Change, told: readonly OpRecord[], state: State): string[] {
  const { revision } = change;
  const writers = told
    .filter(isMade)
    .filter(({ txn }) => txn.then.some(({ key }) => change.values.has(key)));
  if (writers.length === 0) return [`nobody asked for what happened at ${revision}`];
  return writers.map(({ client, txn }) =>
    state.holds(txn)
      ? `${client}: at ${revision} something else happened than was asked for`
      : `${client}: made at ${revision} though its comparison did not hold`,
  );
}

function readProblems(op: OpRecord, state: State): string[] {
  if (op.kind === 'range') {
    return sameSeen(state.range(op), op.items)
      ? []
      : [`${op.client}: a read at ${op.revision} is not the state of that revision`];
  }
  if (op.result === undefined) return [];
  const { revision } = op.result;
  if (op.result.ok) {
    // The change of this revision is another's: this one can only have found nothing to do.
    if (state.holds(op.txn) && state.effect(op.txn).size === 0) return [];
    return [`${op.client}: acknowledged at ${revision}, and lost`];
  }
  const { current } = op.result;
  if (state.holds(op.txn))
    return [`${op.client}: refused at ${revision} though all comparisons held`];
  const expected = op.txn.compare.map(({ key }) => state.get(key));
  return sameSeen(expected, current)
    ? []
    : [`${op.client}: what a refusal at ${revision} tells is not the state of that revision`];
}

function watchProblems(watch: WatchRecord, log: readonly Change[]): string[] {
  const last = watch.changes.at(-1)?.revision ?? watch.from - 1;
  const expected = log
    .filter(({ revision }) => revision >= watch.from && revision <= last)
    .map(({ revision, values }) => ({
      revision,
      values: new Map([...values].filter(([key]) => inRange(key, watch))),
    }))
    .filter(({ values }) => values.size > 0);
  const shown = (changes: readonly Change[]): string =>
    JSON.stringify(
      changes.map(({ revision, values }) => [
        revision,
        [...values].map(([key, value]) => [key, value ?? null]).sort(),
      ]),
    );
  if (shown(expected) === shown(watch.changes)) return [];
  const missing = expected.find(
    (one) => !watch.changes.some((own) => shown([own]) === shown([one])),
  );
  const more = watch.changes.find((own) => !expected.some((one) => shown([own]) === shown([one])));
  return [
    `${watch.name}: ${missing === undefined ? 'nothing' : `revision ${missing.revision}`} is missing, ` +
      `${more === undefined ? 'nothing' : `revision ${more.revision}`} is too much, or the order is another`,
  ];
}
