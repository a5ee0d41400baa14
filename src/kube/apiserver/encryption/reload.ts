// Opens a store that is encrypted as a file says, and takes up what is written into the file later.
import { readFileSync } from 'node:fs';
import type { Env } from '#env/env.ts';
import { WatchedFiles } from '#env/watched-files.ts';
import type { Store } from '#store/store.ts';
import { parseEncryption } from './configuration.ts';
import { EncryptedStore } from './encrypted-store.ts';
import { Encryption } from './encryption.ts';

export interface EncryptedStoreFile {
  readonly store: Store;
  /** Throws what the plugins of the configuration that holds lack. */
  check(): Promise<void>;
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
  const files = new WatchedFiles({ files: [path] }, reload, env);
  return {
    store,
    check: () => store.check(),
    close() {
      isClosed = true;
      files.close();
      store.end();
    },
  };
}
