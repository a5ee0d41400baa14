// The embedded store: SQLite with a write-ahead log that is synced after each commit. Transactions
// that arrive while the one before is being synced are one commit (group commit); none is visible or
// acknowledged before it is on disk. Reads do not touch the disk, but for history beyond what stays in memory.
import { closeSync, fdatasync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { stat } from 'node:fs/promises';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Fault } from '#base/fault.ts';
import { lockStore } from './sqlite-files.ts';
import { StoreIndex, type Change, type Forgotten, type Overlay } from './index-core.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  Store,
  StoreWatcher,
  Txn,
  TxnResult,
} from './store.ts';

interface Waiting {
  readonly txn: Txn;
  readonly done: (result: TxnResult) => void;
  readonly fail: (error: unknown) => void;
}

/** Transactions in one commit at most, so that a flood does not stall the event loop for long. */
const BATCH_MAX = 512;

/** Versions that a compaction takes off the disk at a time; writes and reads come between. */
const COMPACT_SLICE = 500;

/** Superseded versions that stay in memory, for watches that resume and lists that go on. */
const HISTORY_BYTES_MAX = 32 * 1024 * 1024;

export interface SqliteStoreOptions {
  /** Default 32 MiB; what is beyond is read from the disk when it is asked for. */
  readonly historyBytesMax?: number | undefined;
}

const schema = `
  CREATE TABLE IF NOT EXISTS version (
    revision INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB,
    create_revision INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (revision, key)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

function diskFault(path: string, action: string, error: unknown): Fault {
  const text = String((error as Error).message);
  const code = /full/i.test(text)
    ? 'disk-full'
    : /readonly|unable to open/i.test(text)
      ? 'disk-permission'
      : 'disk-io';
  return new Fault({ code, path }, `Cannot ${action} store "${path}": ${text}`, { cause: error });
}

interface Row {
  readonly revision: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly create_revision: number;
  readonly version: number;
}

function changeOf(row: Row): Change & { readonly revision: Revision } {
  const { revision, key, value, create_revision: createRevision, version } = row;
  if (value === null) return { key, kv: undefined, revision };
  const kv = { key, value, createRevision, modRevision: revision, version, memo: undefined };
  return { key, kv, revision };
}

class SqliteStore implements Store {
  readonly #path: string;
  readonly #lock: { release(): void };
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #note: StatementSync;
  readonly #past: StatementSync;
  readonly #index: StoreIndex;
  #waiting: Waiting[] = [];
  readonly #log: number;
  #isScheduled = false;
  #isClosed = false;
  /** What a sync has failed with: what the disk holds is not known any more. */
  #broken: Fault | undefined;
  #atRest = Promise.resolve();
  /** What a compaction was to take off the disk when its process ended. */
  #leftOver: Forgotten[] = [];

  constructor(path: string, { historyBytesMax = HISTORY_BYTES_MAX }: SqliteStoreOptions) {
    this.#path = path;
    this.#index = new StoreIndex({
      bytesMax: historyBytesMax,
      read: (key, revision) => this.#readPast(key, revision),
    });
    // Others may read the file (backups), none may write it.
    this.#lock = lockStore(path);
    this.#database = new DatabaseSync(path);
    // NORMAL syncs at checkpoints only; the log is synced here, off the event loop's thread.
    this.#database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;');
    this.#database.exec(schema);
    // The same file as long as the database is open; its name must be on disk, too.
    this.#log = openSync(`${path}-wal`, 'r+');
    syncFolder(dirname(path));
    this.#insert = this.#database.prepare(
      'INSERT INTO version (revision, key, value, create_revision, version) VALUES (?, ?, ?, ?, ?)',
    );
    this.#delete = this.#database.prepare('DELETE FROM version WHERE revision = ? AND key = ?');
    this.#note = this.#database.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)');
    this.#past = this.#database.prepare('SELECT * FROM version WHERE revision = ? AND key = ?');
    this.#load();
  }

  /** A version that is on disk because the index still knows it. */
  #readPast(key: string, revision: Revision): KeyValue {
    if (this.#isClosed) throw closedFault('read');
    try {
      const { kv } = changeOf(this.#past.get(revision, key) as unknown as Row);
      return kv as KeyValue;
    } catch (error) {
      throw diskFault(this.#path, 'read', error);
    }
  }

  /** What is newer than the last compaction is applied as it happened, so that it can be watched. */
  #load(): void {
    const revision = this.#meta('revision') ?? 0;
    // Stores of before 'compacted' was kept: nothing older than their last compaction is known whole.
    const compacted = this.#meta('compacted') ?? revision;
    let pending: Change[] = [];
    let at = 0;
    const flush = (): void => {
      if (pending.length > 0) this.#index.apply(at, pending);
      pending = [];
    };
    for (const row of this.#database.prepare('SELECT * FROM version ORDER BY revision').iterate()) {
      const { key, kv, revision: next } = changeOf(row as unknown as Row);
      if (next <= compacted) this.#index.load(key, kv, next);
      else {
        if (next !== at) flush();
        at = next;
        pending.push({ key, kv });
      }
    }
    flush();
    this.#leftOver = this.#index.settle(compacted);
    this.#index.advance(revision);
  }

  #meta(name: string): number | undefined {
    const row = this.#database.prepare('SELECT value FROM meta WHERE name = ?').get(name);
    return (row as { value: number } | undefined)?.value;
  }

  revision(): Revision {
    return this.#index.revision;
  }

  compactRevision(): Revision {
    return this.#index.compacted;
  }

  async current(): Promise<Revision> {
    return this.#index.revision;
  }

  async get(key: string): Promise<KeyValue | undefined> {
    return this.#index.get(key);
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    return this.#index.range(options);
  }

  txn(txn: Txn): Promise<TxnResult> {
    if (this.#isClosed) return Promise.reject(closedFault('write'));
    return new Promise((done, fail) => {
      this.#waiting.push({ txn, done, fail });
      this.#schedule();
    });
  }

  watch(
    options: { start: string; end: string; startRevision: Revision },
    watcher: StoreWatcher,
  ): { cancel(): void } {
    return this.#index.watch(options, watcher);
  }

  /**
   * What is forgotten leaves the disk in slices, by its place in the table: work is proportional to what was
   * superseded, not to what is stored. The first slice notes the compaction; if the process ends before the
   * last, the next compaction after its return takes the rest.
   */
  async compact(revision: Revision): Promise<void> {
    const forgotten = this.#leftOver.concat(this.#index.compact(revision));
    this.#leftOver = [];
    let at = 0;
    do {
      if (at > 0) await new Promise((done) => setImmediate(done));
      if (this.#isClosed) return;
      this.#forget(forgotten.slice(at, at + COMPACT_SLICE));
      at += COMPACT_SLICE;
    } while (at < forgotten.length);
  }

  #forget(slice: readonly Forgotten[]): void {
    try {
      this.#database.exec('BEGIN');
      for (const { revision, key } of slice) this.#delete.run(revision, key);
      this.#note.run('revision', this.#index.revision);
      this.#note.run('compacted', this.#index.compacted);
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw diskFault(this.#path, 'compact', error);
    }
  }

  /** Of the file, and of what is not yet copied into it. */
  async sizes(): Promise<readonly number[]> {
    const files = [this.#path, `${this.#path}-wal`].map(async (path) => (await stat(path)).size);
    return [(await Promise.all(files)).reduce((sum, one) => sum + one, 0)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#schedule();
    await this.#atRest;
    this.#index.end();
    closeSync(this.#log);
    this.#database.close();
    this.#lock.release();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#atRest = new Promise((done) => {
      setImmediate(() => {
        void this.#commitAll().then(done);
      });
    });
  }

  async #commitAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, BATCH_MAX));
    this.#isScheduled = false;
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const overlay: Overlay = new Map();
    const applied: { revision: Revision; changes: Change[] }[] = [];
    let revision = this.#index.revision;
    const outcomes = batch.map(({ txn }) => {
      const { result, changes } = this.#index.evaluate(txn, overlay, revision + 1);
      if (changes.length > 0) {
        revision += 1;
        applied.push({ revision, changes });
      }
      return result;
    });
    try {
      if (this.#broken !== undefined) throw this.#broken;
      if (applied.length > 0) {
        this.#write(applied);
        await this.#sync();
      }
    } catch (error) {
      const fault = error instanceof Fault ? error : diskFault(this.#path, 'write to', error);
      for (const { fail } of batch) fail(fault);
      return;
    }
    for (const one of applied) this.#index.apply(one.revision, one.changes);
    batch.forEach(({ done }, index) => done(outcomes[index] as TxnResult));
  }

  #sync(): Promise<void> {
    return new Promise((done, fail) => {
      fdatasync(this.#log, (error) => {
        if (error === null) return done();
        this.#broken = diskFault(this.#path, 'sync', error);
        fail(this.#broken);
      });
    });
  }

  #write(applied: readonly { revision: Revision; changes: readonly Change[] }[]): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const { revision, changes } of applied) {
        for (const { key, kv } of lastOfEachKey(changes)) {
          this.#insert.run(
            revision,
            key,
            kv?.value ?? null,
            kv?.createRevision ?? 0,
            kv?.version ?? 0,
          );
        }
      }
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

const closedFault = (action: string): Fault =>
  new Fault({ code: 'store-closed' }, `Cannot ${action}: the store is closed`);

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** One transaction may touch a key twice; what it left is what is stored. */
function lastOfEachKey(changes: readonly Change[]): Iterable<Change> {
  return new Map(changes.map((change) => [change.key, change])).values();
}

/** Fault `disk-permission`, `disk-full`, `disk-io` or `store-locked`, with the path. */
export async function openSqliteStore(
  path: string,
  options: SqliteStoreOptions = {},
): Promise<Store> {
  try {
    return new SqliteStore(path, options);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw diskFault(path, 'open', error);
  }
}
