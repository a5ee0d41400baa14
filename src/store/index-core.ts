// The store's state in memory: every key's versions since the last compaction, the log of events, and
// the watchers. Both engines share it; they differ in when a change counts as done.
import { Fault } from '#base/fault.ts';
import { ownBytes } from '#base/own-bytes.ts';
import { SortedKeys } from './sorted-keys.ts';
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

/** A superseded version whose value is on disk alone. */
interface Shelved {
  readonly shelvedAt: Revision;
}

type Version = KeyValue | Tombstone | Shelved;

export interface Change {
  readonly key: string;
  /** undefined: deleted. */
  readonly kv: KeyValue | undefined;
}

/** A version that is not remembered any more. */
export interface Forgotten {
  readonly key: string;
  readonly revision: Revision;
}

interface LogEntry {
  readonly revision: Revision;
  /** Only the keys of what was shelved. */
  readonly events: readonly (StoreEvent | string)[];
  /** Of the versions that it superseded. */
  readonly bytes: number;
}

/** Where superseded versions are that do not stay in memory. */
export interface Shelf {
  /** Bytes of superseded versions that stay in memory. */
  readonly bytesMax: number;
  /** A version that the index still knows, by its revision. */
  read(key: string, revision: Revision): KeyValue;
}

interface Watch {
  readonly start: string;
  readonly end: string;
  readonly watcher: StoreWatcher;
  /** Events before this revision were delivered from history or are not wanted. */
  readonly from: Revision;
}

/** What a version costs beside its value, about. */
const VERSION_BYTES = 200;

const isLive = (version: Version | undefined): version is KeyValue =>
  version !== undefined && 'value' in version;

const isTombstone = (version: Version | undefined): version is Tombstone =>
  version !== undefined && 'deletedAt' in version;

function revisionOf(version: Version): Revision {
  if ('value' in version) return version.modRevision;
  return 'deletedAt' in version ? version.deletedAt : version.shelvedAt;
}

const keyOf = (event: StoreEvent | string): string =>
  typeof event === 'string' ? event : event.kind === 'put' ? event.kv.key : event.key;

function bytesOf(events: readonly StoreEvent[]): number {
  let bytes = 0;
  for (const { previous } of events) bytes += VERSION_BYTES + (previous?.value.length ?? 0);
  return bytes;
}

/** What a transaction sees: the index, with what earlier transactions of its batch did on top. */
export type Overlay = Map<string, KeyValue | undefined>;

export class StoreIndex {
  /** Keys that are there now, and all that have a version since the last compaction. */
  readonly #live = new SortedKeys();
  readonly #known = new SortedKeys();
  /** One version alone is kept without a list around it. */
  readonly #versions = new Map<string, Version | Version[]>();
  /** Keys with more than one version, or with none that is live: what a compaction has to look at. */
  readonly #superseded = new Set<string>();
  readonly #watches = new Set<Watch>();
  readonly #shelf: Shelf | undefined;
  #log: LogEntry[] = [];
  /** Entries of the log whose events were shelved: the first ones. */
  #shelved = 0;
  /** Of the others. */
  #bytes = 0;
  #revision: Revision = 1;
  #compacted: Revision = 0;

  /** Without a shelf all history stays in memory. */
  constructor(shelf?: Shelf) {
    this.#shelf = shelf;
  }

  get revision(): Revision {
    return this.#revision;
  }

  get compacted(): Revision {
    return this.#compacted;
  }

  get(key: string): KeyValue | undefined {
    const versions = this.#versions.get(key);
    const last = Array.isArray(versions) ? versions.at(-1) : versions;
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
        value: ownBytes(op.value),
        createRevision: before?.createRevision ?? revision,
        modRevision: revision,
        version: (before?.version ?? 0) + 1,
        memo: undefined,
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
    const bytes = bytesOf(events);
    this.#log.push({ revision, events, bytes });
    this.#bytes += bytes;
    for (const watch of this.#watches) {
      if (revision >= watch.from) deliver(watch, events, revision);
    }
    // What readers made of it is as large as the value, and hardly ever wanted again.
    for (const { previous } of events) if (previous !== undefined) previous.memo = undefined;
    this.#shelve();
  }

  /** Bytes of superseded versions in memory. */
  get historyBytes(): number {
    return this.#bytes;
  }

  /** The revision up to which history is to be forgotten so that so many bytes of it are left. */
  revisionBefore(bytesLeft: number): Revision {
    let bytes = this.#bytes;
    for (const entry of this.#log) {
      if (bytes <= bytesLeft) return entry.revision - 1;
      bytes -= entry.bytes;
    }
    return this.#revision;
  }

  /** The oldest history beyond the bound leaves the memory; it is read from the shelf when it is asked for. */
  #shelve(): void {
    const shelf = this.#shelf;
    if (shelf === undefined) return;
    while (this.#bytes > shelf.bytesMax) {
      const entry = this.#log[this.#shelved] as LogEntry;
      for (const event of entry.events) this.#shelveVersion(event as StoreEvent);
      const keys = [...new Set(entry.events.map(keyOf))];
      this.#log[this.#shelved] = { revision: entry.revision, events: keys, bytes: 0 };
      this.#bytes -= entry.bytes;
      this.#shelved += 1;
    }
  }

  /** The version that the event superseded. */
  #shelveVersion({ previous }: StoreEvent): void {
    if (previous === undefined) return;
    const versions = this.#versions.get(previous.key);
    if (!Array.isArray(versions)) return;
    const at = indexOf(versions, previous.modRevision);
    if (versions[at] === previous) versions[at] = { shelvedAt: previous.modRevision };
  }

  /** The events of an entry of the log that concern a range; those that were shelved as they happened. */
  #eventsOf({ revision, events }: LogEntry, { start, end }: Watch): StoreEvent[] {
    const found: StoreEvent[] = [];
    for (const one of events) {
      const key = keyOf(one);
      if (key < start || key >= end) continue;
      const event = typeof one === 'string' ? this.#past(key, revision) : one;
      if (event !== undefined) found.push(event);
    }
    return found;
  }

  #past(key: string, revision: Revision): StoreEvent | undefined {
    const kv = this.#at(key, revision);
    const previous = this.#at(key, revision - 1);
    if (kv !== undefined) return { kind: 'put', kv, previous };
    return previous && { kind: 'delete', key, modRevision: revision, previous };
  }

  /** For loading: a version of the past, in order of revisions; tells nobody. */
  load(key: string, kv: KeyValue | undefined, revision: Revision): void {
    this.#push(key, kv ?? { deletedAt: revision });
    this.#revision = Math.max(this.#revision, revision);
  }

  /** Nothing that concerns us happened up to the revision. */
  advance(revision: Revision): void {
    this.#revision = Math.max(this.#revision, revision);
  }

  /** After loading: history up to `compacted` is gone; returns what of it was loaded nevertheless. */
  settle(compacted: Revision): Forgotten[] {
    this.#compacted = compacted;
    return this.#forget();
  }

  range(options: RangeOptions): RangeResult {
    const { start, end, limit, revision } = options;
    this.#checkRevision(revision);
    const items: KeyValue[] = [];
    const most = limit === undefined || limit <= 0 ? Infinity : limit;
    let remaining = 0;
    if (revision === undefined) {
      for (const key of this.#live.between(start, end)) {
        if (items.length >= most) {
          remaining = this.#live.count(key, end);
          break;
        }
        items.push(this.get(key) as KeyValue);
      }
    } else {
      for (const key of this.#known.between(start, end)) {
        const kv = this.#at(key, revision);
        if (kv === undefined) continue;
        if (items.length >= most) {
          remaining = this.#countAt(key, end, revision);
          break;
        }
        items.push(kv);
      }
    }
    return { items, revision: this.#revision, more: remaining > 0, remaining };
  }

  /** How many keys of a range there were: as many as now, but for what has come and gone since. */
  #countAt(start: string, end: string, revision: Revision): number {
    let count = this.#live.count(start, end);
    const seen = new Set<string>();
    for (let at = this.#logIndex(revision + 1); at < this.#log.length; at++) {
      for (const event of (this.#log[at] as LogEntry).events) {
        const key = keyOf(event);
        if (key < start || key >= end || seen.has(key)) continue;
        seen.add(key);
        const then = this.#versionAt(key, revision);
        if (then !== undefined && !isTombstone(then)) count += 1;
        if (this.get(key) !== undefined) count -= 1;
      }
    }
    return count;
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
    for (let at = this.#logIndex(startRevision); at < this.#log.length; at++) {
      const entry = this.#log[at] as LogEntry;
      const events = this.#eventsOf(entry, watch);
      if (events.length > 0) watcher.onEvents(events, entry.revision);
    }
    this.#watches.add(watch);
    return { cancel: () => void this.#watches.delete(watch) };
  }

  /** Forgets superseded versions up to and including `revision`; returns them. */
  compact(revision: Revision): Forgotten[] {
    if (revision <= this.#compacted) return [];
    if (revision > this.#revision) throw futureRevision(revision, this.#revision);
    this.#compacted = revision;
    const gone = this.#logIndex(revision + 1);
    for (const { bytes } of this.#log.slice(0, gone)) this.#bytes -= bytes;
    this.#log = this.#log.slice(gone);
    this.#shelved = Math.max(0, this.#shelved - gone);
    return this.#forget();
  }

  #forget(): Forgotten[] {
    const forgotten: Forgotten[] = [];
    for (const key of this.#superseded) this.#compactKey(key, forgotten);
    return forgotten;
  }

  #compactKey(key: string, forgotten: Forgotten[]): void {
    const revision = this.#compacted;
    const found = this.#versions.get(key);
    const versions = found === undefined ? [] : Array.isArray(found) ? found : [found];
    let keepFrom = versions.length - 1;
    while (keepFrom > 0 && revisionOf(versions[keepFrom] as Version) > revision) keepFrom -= 1;
    const kept = versions.slice(Math.max(0, keepFrom));
    const first = kept[0];
    if (isTombstone(first) && revisionOf(first) <= revision) kept.shift();
    const [only] = kept;
    // One transaction may have made several versions; they are one revision of the key.
    const keptFrom = only === undefined ? Infinity : revisionOf(only);
    for (const version of versions.slice(0, versions.length - kept.length)) {
      const at = revisionOf(version);
      if (at < keptFrom) forgotten.push({ key, revision: at });
    }
    if (only === undefined) {
      this.#versions.delete(key);
      this.#known.remove(key);
      this.#superseded.delete(key);
      return;
    }
    this.#versions.set(key, kept.length === 1 ? only : kept);
    if (kept.length === 1 && isLive(only)) this.#superseded.delete(key);
  }

  /** The first entry of the log that is not before the revision. */
  #logIndex(revision: Revision): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#log[middle] as LogEntry).revision < revision) low = middle + 1;
      else high = middle;
    }
    return low;
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
    const version = this.#versionAt(key, revision);
    if (version === undefined || isTombstone(version)) return undefined;
    return isLive(version) ? version : this.#shelf?.read(key, version.shelvedAt);
  }

  #versionAt(key: string, revision: Revision): Version | undefined {
    const versions = this.#versions.get(key);
    if (!Array.isArray(versions))
      return versions !== undefined && revisionOf(versions) <= revision ? versions : undefined;
    return versions.findLast((version) => revisionOf(version) <= revision);
  }

  #push(key: string, version: Version): void {
    const versions = this.#versions.get(key);
    const last = Array.isArray(versions) ? versions.at(-1) : versions;
    if (isLive(version) && !isLive(last)) this.#live.add(key);
    else if (!isLive(version) && isLive(last)) this.#live.remove(key);
    if (versions === undefined) {
      this.#versions.set(key, version);
      this.#known.add(key);
      if (!isLive(version)) this.#superseded.add(key);
      return;
    }
    this.#superseded.add(key);
    if (Array.isArray(versions)) versions.push(version);
    else this.#versions.set(key, [versions, version]);
  }
}

function futureRevision(revision: Revision, current: Revision): Fault {
  const message = `Cannot read at revision ${revision}: the store is at ${current}`;
  return new Fault({ code: 'future-revision', revision, current }, message);
}

/** The first version of that revision. */
function indexOf(versions: readonly Version[], revision: Revision): number {
  let low = 0;
  let high = versions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (revisionOf(versions[middle] as Version) < revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Of many watches a change concerns a few; nothing is made for the others. */
function deliver(watch: Watch, events: readonly StoreEvent[], revision: Revision): void {
  const { start, end } = watch;
  let count = 0;
  for (let i = 0; i < events.length; i += 1) {
    if (isBetween(events[i] as StoreEvent, start, end)) count += 1;
  }
  if (count === 0) return;
  const inRange =
    count === events.length ? events : events.filter((event) => isBetween(event, start, end));
  watch.watcher.onEvents(inRange, revision);
}

function isBetween(event: StoreEvent, start: string, end: string): boolean {
  const key = keyOf(event);
  return key >= start && key < end;
}
