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
  return [
    ...logProblems(history.log),
    ...orderProblems(history.ops),
    ...contentProblems(history),
    ...history.watches.flatMap((one) => watchProblems(one, history.log)),
  ];
}

function logProblems(log: readonly Change[]): string[] {
  return log.flatMap(({ revision }, i) => {
    const before = log[i - 1]?.revision;
    return before === undefined || revision === before + 1
      ? []
      : [`the log goes from revision ${before} to ${revision}`];
  });
}

/** What returned before another operation was asked for may not come after it. */
function orderProblems(ops: readonly OpRecord[]): string[] {
  const problems: string[] = [];
  const moments = ops
    .filter((op) => revisionOf(op) !== undefined && !(op.kind === 'range' && op.isStaleOk))
    .flatMap((op) => [
      { at: op.invokedAt, op, isReturn: false },
      { at: op.returnedAt, op, isReturn: true },
    ])
    .sort((a, b) => a.at - b.at);
  const least = new Map<OpRecord, number>();
  let known = 0;
  for (const { op, isReturn } of moments) {
    const revision = revisionOf(op) as number;
    if (!isReturn) {
      least.set(op, known);
      continue;
    }
    const before = least.get(op) ?? 0;
    if (revision < before) {
      problems.push(
        `${op.client}: ${op.kind} at revision ${revision} was asked for after ${before} had been told`,
      );
    }
    known = Math.max(known, revision);
  }
  return problems;
}

/** Each result is what the state of its revision says; each change has somebody who asked for it. */
function contentProblems({ ops, log }: History): string[] {
  const problems: string[] = [];
  const state = new State();
  const made = new Map<number, TxnRecord>();
  const reads = new Map<number, OpRecord[]>();
  const unknown: TxnRecord[] = [];
  const at = (revision: number, op: OpRecord): void =>
    void reads.set(revision, [...(reads.get(revision) ?? []), op]);
  for (const op of ops) {
    if (op.kind === 'range' || op.result?.ok === false) at(revisionOf(op) as number, op);
    else if (op.result === undefined) unknown.push(op);
    else {
      // One that changed nothing has the revision of another.
      const other = made.get(op.result.revision);
      if (other === undefined) made.set(op.result.revision, op);
      else at(op.result.revision, isEmptyIn(op, log) ? op : other);
      if (other !== undefined && !isEmptyIn(op, log)) made.set(op.result.revision, op);
    }
  }
  const used = new Set<TxnRecord>();
  for (const change of log) {
    const { revision } = change;
    const owner = made.get(revision) ?? unknownOwner(unknown, used, change, state);
    if (owner === undefined) problems.push(`nobody asked for what happened at ${revision}`);
    else problems.push(...ownerProblems(owner, change, state));
    state.apply(change);
    for (const op of reads.get(revision) ?? []) problems.push(...readProblems(op, state));
    reads.delete(revision);
    made.delete(revision);
  }
  for (const [revision, op] of made) {
    if (state.effect(op.txn).size > 0 && !isEmptyIn(op, log)) {
      problems.push(`${op.client}: acknowledged at ${revision}, and lost`);
    }
  }
  return problems;
}

/** A transaction of deletions alone may find nothing there. */
function isEmptyIn({ txn, result }: TxnRecord, log: readonly Change[]): boolean {
  if (txn.then.some(({ kind }) => kind === 'put')) return false;
  const change = log.find(({ revision }) => revision === result?.revision);
  return change === undefined || !txn.then.some(({ key }) => change.values.has(key));
}

function unknownOwner(
  unknown: readonly TxnRecord[],
  used: Set<TxnRecord>,
  change: Change,
  state: State,
): TxnRecord | undefined {
  const found = unknown.find(
    (one) =>
      !used.has(one) && state.holds(one.txn) && sameValues(state.effect(one.txn), change.values),
  );
  if (found !== undefined) used.add(found);
  return found;
}

function ownerProblems(owner: TxnRecord, { revision, values }: Change, state: State): string[] {
  const problems: string[] = [];
  if (!state.holds(owner.txn)) {
    problems.push(`${owner.client}: made at ${revision} though its comparison did not hold`);
  }
  if (!sameValues(state.effect(owner.txn), values)) {
    problems.push(`${owner.client}: at ${revision} something else happened than was asked for`);
  }
  return problems;
}

function readProblems(op: OpRecord, state: State): string[] {
  if (op.kind === 'range') {
    return sameSeen(state.range(op), op.items)
      ? []
      : [`${op.client}: a read at ${op.revision} is not the state of that revision`];
  }
  if (op.result?.ok !== false) return [];
  const { current, revision } = op.result;
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
