// The files of the embedded store: the lock that lets one process at a time write, backups made while it
// runs, restores, and the check of a file.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '#base/fault.ts';

export interface Checked {
  readonly keys: number;
  readonly revision: number;
}

/** Held as long as the store is open; the kernel lets go of it when the process dies. Fault `store-locked`. */
export function lockStore(path: string): { release(): void } {
  const lock = new DatabaseSync(`${path}-lock`);
  try {
    lock.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (!/locked/.test((error as Error).message)) throw error;
    const message = `Cannot open store "${path}": another process has it open`;
    throw new Fault({ code: 'store-locked', path }, message, { cause: error });
  }
  return { release: () => lock.close() };
}

/** Keys and revision of a store's file, once SQLite has looked at every page of it. Fault `store-corrupt`. */
export function checkSqlite(path: string): Checked {
  if (!existsSync(path)) {
    throw new Fault({ code: 'not-found', path }, `Cannot check store "${path}": it is not there`);
  }
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const problems = database.prepare('PRAGMA integrity_check').all() as {
        integrity_check: string;
      }[];
      const [first] = problems;
      if (first?.integrity_check !== 'ok') throw new Error(first?.integrity_check);
      const { keys } = database
        .prepare(
          `SELECT count(*) AS keys FROM (
             SELECT value, max(revision) FROM version GROUP BY key) WHERE value IS NOT NULL`,
        )
        .get() as { keys: number };
      return { keys, revision: revisionIn(database) };
    } finally {
      database.close();
    }
  } catch (error) {
    const message = `Cannot use store "${path}": ${(error as Error).message}`;
    throw new Fault({ code: 'store-corrupt', path }, message, { cause: error });
  }
}

function revisionIn(database: DatabaseSync): number {
  const newest = database.prepare('SELECT max(revision) AS at FROM version').get();
  const noted = database.prepare("SELECT value AS at FROM meta WHERE name = 'revision'").get();
  return Math.max(Number(newest?.['at'] ?? 0), Number(noted?.['at'] ?? 0), 1);
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  fsyncSync(file);
  closeSync(file);
}

/** A copy as of one moment; a process that has the store open goes on writing. Faults as checkSqlite. */
export function backupSqlite(path: string, target: string): Checked {
  if (existsSync(target)) {
    throw new Fault(
      { code: 'exists', path: target },
      `Cannot write "${target}": it is there already`,
    );
  }
  checkSqlite(path);
  const temporary = `${target}.tmp.${process.pid}`;
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.prepare('VACUUM INTO ?').run(temporary);
    const checked = checkSqlite(temporary);
    sync(temporary);
    renameSync(temporary, target);
    sync(dirname(target));
    return checked;
  } finally {
    database.close();
    rmSync(temporary, { force: true });
  }
}

/** Clients must not take versions of after the backup for versions of what was restored. */
const REVISIONS_AHEAD = 1_000_000;

export interface Restored extends Checked {
  /** Where the store that was there before lies now. */
  readonly aside: string | undefined;
}

/**
 * Puts a backup in the store's place; no process may have it open. Its revision goes up, beyond any that was
 * given out, and its history ends, so that every client lists again. Faults `store-locked`, as checkSqlite.
 */
export function restoreSqlite(backup: string, path: string, now: number): Restored {
  const checked = checkSqlite(backup);
  const lock = lockStore(path);
  const temporary = `${path}.restore.${process.pid}`;
  try {
    const source = new DatabaseSync(backup, { readOnly: true });
    source.prepare('VACUUM INTO ?').run(temporary);
    source.close();
    const last = existsSync(path) ? tryRevision(path) : undefined;
    const revision =
      last === undefined
        ? checked.revision + REVISIONS_AHEAD
        : Math.max(last, checked.revision) + 1;
    markCompacted(temporary, revision);
    const aside = existsSync(path) ? `${path}.before-restore-${now}` : undefined;
    for (const suffix of ['', '-wal', '-shm']) {
      if (aside !== undefined && existsSync(`${path}${suffix}`))
        renameSync(`${path}${suffix}`, `${aside}${suffix}`);
    }
    sync(temporary);
    renameSync(temporary, path);
    sync(dirname(path));
    return { keys: checked.keys, revision, aside };
  } finally {
    rmSync(temporary, { force: true });
    lock.release();
  }
}

/** A store that cannot be read any more is what backups are for. */
function tryRevision(path: string): number | undefined {
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      return revisionIn(database);
    } finally {
      database.close();
    }
  } catch {
    return undefined;
  }
}

function markCompacted(path: string, revision: number): void {
  const database = new DatabaseSync(path);
  database.exec(
    `DELETE FROM version WHERE value IS NULL OR (revision, key) NOT IN (
       SELECT max(revision), key FROM version GROUP BY key)`,
  );
  const note = database.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)');
  note.run('revision', revision);
  note.run('compacted', revision);
  database.close();
}
