// Certificates, keys and authorities that are replaced while the program runs: connections that are made
// from then on have the new ones, those that are open stay.
import type { Env } from '#env/env.ts';
import { WatchedFiles } from '#env/watched-files.ts';
import { readTlsSettings, tlsFiles, type Environment, type TlsSettings } from './tls-settings.ts';

type Material = Pick<TlsSettings, 'key' | 'cert' | 'ca'>;

function isSame(a: Material, b: Material): boolean {
  const parts = ({ key, cert, ca }: Material) => [key, cert, ...(ca ?? [])];
  const [left, right] = [parts(a), parts(b)];
  return (
    left.length === right.length &&
    left.every((one, at) => one?.compare(right[at] ?? Buffer.alloc(0)) === 0)
  );
}

/** Settings whose files are looked at again; undefined without TLS. Fault `bad-tls` for the first reading. */
export interface WatchedTls {
  readonly settings: TlsSettings | undefined;
  close(): void;
}

export function watchTls(environment: Environment, env: Pick<Env, 'timers' | 'log'>): WatchedTls {
  const first = readTlsSettings(environment, env.log);
  if (first === undefined) return { settings: undefined, close: () => {} };
  const listeners = new Set<() => void>();
  let material: Material = first;
  const settings: TlsSettings = {
    ...first,
    get key() {
      return material.key;
    },
    get cert() {
      return material.cert;
    },
    get ca() {
      return material.ca;
    },
    onChange: (listener) => void listeners.add(listener),
  };
  const watched = new WatchedFiles(
    tlsFiles(environment),
    () => {
      const next = readTlsSettings(environment, env.log);
      if (next === undefined || isSame(material, next)) return;
      material = next;
      for (const listener of listeners) listener();
      env.log.info('New certificates have been taken up');
    },
    env,
  );
  return { settings, close: () => watched.close() };
}
