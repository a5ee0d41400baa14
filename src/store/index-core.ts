// The store's state in memory: every key's versions since the last compaction, the log of events, and
// the watchers. Both engines share it; they differ in when a change counts as done.
import { Fault } from '#base/fault.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  StoreEvent,
  StoreWatcher,
  Txn,
  TxnResult,
} from './store.ts';

interface Tombstone {
  readonly deletedAt: Revision;
}

type Version = KeyValue | Tombstone;

export interface Change {
  readonly key: string;
  /** undefined: deleted. */
  readonly kv: KeyValue | undefined;
}

interface LogEntry {
  readonly revision: Revision;
  readonly events: readonly StoreEvent[];
}

interface Watch {
  readonly start: string;
  readonly end: string;
  readonly watcher: StoreWatcher;
  /** Events before this revision were delivered from history or are not wanted. */
  readonly from: Revision;
}

const isLive = (version: Version | undefined): version is KeyValue =>
  version !== undefined && 'value' in version;

const revisionOf = (version: Version): Revision =>
  'value' in version ? version.modRevision : version.deletedAt;

/** What a transaction sees: the index, with what earlier transactions of its batch did on top. */
export type Overlay = Map<string, KeyValue | undefined>;

export class StoreIndex {
  /** All keys that have a version, sorted by code units. */
  readonly #keys: string[] = [];
  readonly #versions = new Map<string, Version[]>();
  readonly #watches = new Set<Watch>();
  #log: LogEntry[] = [];
  #revision: Revision = 1;
  #compacted: Revision = 0;

  get revision(): Revision {
    return this.#revision;
  }

  get compacted(): Revision {
    return this.#compacted;
  }

  get(key: string): KeyValue | undefined {
    const last = this.#versions.get(key)?.at(-1);
    return isLive(last) ? last : undefined;
  }

  /** Evaluates a transaction on top of `overlay` and notes its changes there. */
  evaluate(
    txn: Txn,
    overlay: Overlay,
    revision: Revision,
  ): { result: TxnResult; changes: Change[] } {
    const read = (key: string): KeyValue | undefined =>
      overlay.has(key) ? overlay.get(key) : this.get(key);
    const current = txn.compare.map(({ key }) => read(key));
    const holds = txn.compare.every((compare, index) => {
      const kv = current[index];
      const actual = compare.target === 'mod' ? kv?.modRevision : kv?.version;
      return (actual ?? 0) === compare.equals;
    });
    if (!holds) return { result: { ok: false, revision: revision - 1, current }, changes: [] };
    const changes: Change[] = [];
    for (const op of txn.then) {
      const before = read(op.key);
      if (op.kind === 'delete') {
        if (before === undefined) continue;
        overlay.set(op.key, undefined);
        changes.push({ key: op.key, kv: undefined });
        continue;
      }
      const kv: KeyValue = {
        key: op.key,
        value: op.value,
        createRevision: before?.createRevision ?? revision,
        modRevision: revision,
        version: (before?.version ?? 0) + 1,
      };
      overlay.set(op.key, kv);
      changes.push({ key: op.key, kv });
    }
    const at = changes.length > 0 ? revision : revision - 1;
    return { result: { ok: true, revision: at }, changes };
  }

  /** Makes the changes of one transaction visible and tells the watchers. */
  apply(revision: Revision, changes: readonly Change[]): void {
    const events: StoreEvent[] = [];
    for (const { key, kv } of changes) {
      const previous = this.get(key);
      this.#push(key, kv ?? { deletedAt: revision });
      if (kv !== undefined) events.push({ kind: 'put', kv, previous });
      else if (previous !== undefined)
        events.push({ kind: 'delete', key, modRevision: revision, previous });
    }
    this.#revision = revision;
    this.#log.push({ revision, events });
    for (const watch of this.#watches) {
      if (revision >= watch.from) deliver(watch, events, revision);
    }
  }

  /** For loading: a version of the past, in order of revisions; tells nobody. */
  load(key: string, kv: KeyValue | undefined, revision: Revision): void {
    this.#push(key, kv ?? { deletedAt: revision });
    this.#revision = Math.max(this.#revision, revision);
  }

  /** After loading: history before `revision` cannot be watched. */
  setCompacted(revision: Revision): void {
    this.#compacted = revision;
  }

  range(options: RangeOptions): RangeResult {
    const { start, end, limit, revision } = options;
    this.#checkRevision(revision);
    const items: KeyValue[] = [];
    let remaining = 0;
    for (let at = this.#find(start); at < this.#keys.length; at++) {
      const key = this.#keys[at] ?? '';
      if (key >= end) break;
      const kv = revision === undefined ? this.get(key) : this.#at(key, revision);
      if (kv === undefined) continue;
      if (limit !== undefined && limit > 0 && items.length >= limit) remaining += 1;
      else items.push(kv);
    }
    return { items, revision: this.#revision, more: remaining > 0, remaining };
  }

  watch(
    options: { start: string; end: string; startRevision: Revision },
    watcher: StoreWatcher,
  ): { cancel(): void } {
    const { start, end, startRevision } = options;
    if (startRevision <= this.#compacted) {
      watcher.onEnd('compacted');
      return { cancel: () => {} };
    }
    const watch: Watch = { start, end, watcher, from: Math.max(startRevision, this.#revision + 1) };
    for (const { revision, events } of this.#log) {
      if (revision >= startRevision) deliver(watch, events, revision);
    }
    this.#watches.add(watch);
    return { cancel: () => void this.#watches.delete(watch) };
  }

  /** Forgets superseded versions up to and including `revision`. */
  compact(revision: Revision): void {
    if (revision <= this.#compacted) return;
    if (revision > this.#revision) throw futureRevision(revision, this.#revision);
    this.#compacted = revision;
    this.#log = this.#log.filter((entry) => entry.revision > revision);
    const gone: string[] = [];
    for (const [key, versions] of this.#versions) {
      let keepFrom = versions.length - 1;
      while (keepFrom > 0 && revisionOf(versions[keepFrom] as Version) > revision) keepFrom -= 1;
      const kept = versions.slice(keepFrom);
      const first = kept[0];
      if (first !== undefined && !isLive(first) && revisionOf(first) <= revision) kept.shift();
      if (kept.length === 0) gone.push(key);
      else this.#versions.set(key, kept);
    }
    for (const key of gone) {
      this.#versions.delete(key);
      this.#keys.splice(this.#find(key), 1);
    }
  }

  end(): void {
    for (const { watcher } of this.#watches) watcher.onEnd('closed');
    this.#watches.clear();
  }

  #checkRevision(revision: Revision | undefined): void {
    if (revision === undefined) return;
    if (revision > this.#revision) throw futureRevision(revision, this.#revision);
    if (revision < this.#compacted) {
      const message = `Cannot read at revision ${revision}: compacted up to ${this.#compacted}`;
      throw new Fault({ code: 'compacted', revision, compacted: this.#compacted }, message);
    }
  }

  #at(key: string, revision: Revision): KeyValue | undefined {
    const versions = this.#versions.get(key) ?? [];
    for (let i = versions.length - 1; i >= 0; i--) {
      const version = versions[i];
      if (version !== undefined && revisionOf(version) <= revision) {
        return isLive(version) ? version : undefined;
      }
    }
    return undefined;
  }

  #push(key: string, version: Version): void {
    const versions = this.#versions.get(key);
    if (versions !== undefined) {
      versions.push(version);
      return;
    }
    this.#versions.set(key, [version]);
    const last = this.#keys.at(-1);
    if (last === undefined || key > last) this.#keys.push(key);
    else this.#keys.splice(this.#find(key), 0, key);
  }

  /** Index of the first key that is not before `key`. */
  #find(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function futureRevision(revision: Revision, current: Revision): Fault {
  const message = `Cannot read at revision ${revision}: the store is at ${current}`;
  return new Fault({ code: 'future-revision', revision, current }, message);
}

function deliver(watch: Watch, events: readonly StoreEvent[], revision: Revision): void {
  const inRange = events.filter((event) => {
    const key = event.kind === 'put' ? event.kv.key : event.key;
    return key >= watch.start && key < watch.end;
  });
  if (inRange.length > 0) watch.watcher.onEvents(inRange, revision);
}
