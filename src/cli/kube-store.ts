// `strata kube backup | restore | check-store | migrate-store`: what operators do with an instance's store.
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { copyStore } from '#store/copy.ts';
import { openStore } from '#store/open-store.ts';
import { parseStoreSpec, type StoreSpec } from '#store/store-spec.ts';
import { backupSqlite, checkSqlite, lockStore, restoreSqlite } from '#store/sqlite-files.ts';
import { openSqliteStore } from '#store/sqlite-store.ts';
import { Home, type InstanceConfig } from '#supervisor/home.ts';

export interface KubeStoreOptions {
  readonly home: string;
  readonly name: string;
  /** As in store/open-store.ts; absent: the one that the instance uses. */
  readonly store?: string | undefined;
}

function instanceOf(options: KubeStoreOptions): InstanceConfig | undefined {
  return new Home(options.home).instances().find((one) => one.name === options.name);
}

function embeddedSpec({ home, name }: KubeStoreOptions): string {
  return `sqlite:${join(home, 'kube', name, 'store.db')}`;
}

function specOf(options: KubeStoreOptions, text: string | undefined): StoreSpec {
  const used = text ?? instanceOf(options)?.store ?? embeddedSpec(options);
  return parseStoreSpec(used, `/strata/${options.name}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** While the instance runs, or not. */
export async function kubeBackup(
  options: KubeStoreOptions & { readonly file: string },
  env: Env,
): Promise<number> {
  const { file } = options;
  const spec = specOf(options, options.store);
  if (spec.kind === 'sqlite') {
    const { keys, revision } = backupSqlite(spec.path, file);
    say(`backup: ${keys} keys at revision ${revision} in ${file}`);
    return 0;
  }
  await using from = await openStore(spec, env);
  await using to = await openSqliteStore(file);
  const { keys, revision } = await copyStore(from, to);
  say(`backup: ${keys} keys at revision ${revision} in ${file}`);
  return 0;
}

/** The instance must be stopped. */
export async function kubeRestore(
  options: KubeStoreOptions & { readonly file: string },
  env: Env,
): Promise<number> {
  const { file } = options;
  const spec = specOf(options, options.store);
  if (spec.kind === 'sqlite') {
    const { keys, revision, aside } = restoreSqlite(file, spec.path, env.clock.now());
    say(`restore: ${keys} keys; the store goes on at revision ${revision}`);
    if (aside !== undefined) say(`restore: what was there before is in ${aside}`);
    return 0;
  }
  checkSqlite(file);
  await using from = await openSqliteStore(file);
  await using to = await openStore(spec, env);
  const { keys } = await copyStore(from, to);
  say(`restore: ${keys} keys into etcd`);
  return 0;
}

export async function kubeCheckStore(options: KubeStoreOptions, env: Env): Promise<number> {
  const spec = specOf(options, options.store);
  if (spec.kind === 'sqlite') {
    const { keys, revision } = checkSqlite(spec.path);
    say(`check-store: ok, ${keys} keys at revision ${revision}`);
    return 0;
  }
  await using store = await openStore(spec, env);
  const { items, revision } = await store.range({ start: '/', end: '0' });
  say(`check-store: etcd answers, ${items.length} keys at revision ${revision}`);
  return 0;
}

/** The instance must be stopped; afterwards it uses the other store. */
export async function kubeMigrateStore(
  options: KubeStoreOptions & { readonly to: string },
  env: Env,
): Promise<number> {
  const from = specOf(options, options.store);
  const to = specOf(options, options.to);
  if (JSON.stringify(from) === JSON.stringify(to)) {
    throw new Fault({ code: 'bad-option' }, 'Cannot migrate a store to itself');
  }
  // Whoever still serves from the embedded store holds its lock; on etcd nobody can tell.
  if (from.kind === 'sqlite') lockStore(from.path).release();
  await using source = await openStore(from, env);
  await using target = await openStore(to, env);
  const { keys, bytes, revision } = await copyStore(source, target);
  say(`migrate-store: ${keys} keys, ${bytes} bytes, as of revision ${revision}, compared`);
  const instance = instanceOf(options);
  if (instance !== undefined) {
    const { store: _store, ...rest } = instance;
    const isOwn = options.to === embeddedSpec(options);
    new Home(options.home).writeInstance(isOwn ? rest : { ...rest, store: options.to });
    say(`migrate-store: instance "${options.name}" uses ${options.to} from its next start on`);
  }
  return 0;
}
