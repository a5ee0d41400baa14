// Opens a store that is encrypted as a file says, and takes up what is written into the file later.
import { readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Env, Timer } from '#env/env.ts';
import type { Store } from '#store/store.ts';
import { parseEncryption } from './configuration.ts';
import { EncryptedStore } from './encrypted-store.ts';
import { Encryption } from './encryption.ts';

/** An editor writes more than once. */
const SETTLE_MS = 100;

export interface EncryptedStoreFile {
  readonly store: Store;
  close(): void;
}

/** Throws Fault `bad-encryption-config`, or what a plugin says. */
export async function openEncrypted(
  inner: Store,
  path: string,
  env: Env,
): Promise<EncryptedStoreFile> {
  let text = readFileSync(path, 'utf8');
  const store = new EncryptedStore(
    inner,
    await Encryption.open(parseEncryption(text), env),
    env.log,
  );
  let timer: Timer | undefined;
  let isClosed = false;
  const reload = async (): Promise<void> => {
    const next = readFileSync(path, 'utf8');
    if (next === text) return;
    const encryption = await Encryption.open(parseEncryption(next), env);
    if (isClosed) return encryption.close();
    text = next;
    store.use(encryption);
    env.log.info('The encryption configuration has been taken up', { path });
  };
  // The folder is watched: the file may be replaced, or be a link that is turned.
  const watcher = watch(dirname(path), (_event, name) => {
    if (name !== null && name !== basename(path) && !name.startsWith('..')) return;
    timer?.cancel();
    timer = env.timers.after(SETTLE_MS, () => {
      reload().catch((error: unknown) =>
        env.log.error('The encryption configuration stays as it was', { path, error }),
      );
    });
  });
  return {
    store,
    close() {
      isClosed = true;
      timer?.cancel();
      watcher.close();
      store.end();
    },
  };
}
