// Takes up what is written into the configurations of access while the server runs, as kube-apiserver v1.37
// does. What cannot be used is logged and counted, and all stays as it was.
import { readFileSync } from 'node:fs';
import type { Env } from '#env/env.ts';
import { WatchedFiles } from '#env/watched-files.ts';
import { authenticationOf, type AccessSetup, type Authentication } from './access-flags.ts';
import type { AuthorizerSpec } from './authz/authorization-configuration.ts';
import { AuthorizationReload } from './authz/authorization-reload.ts';
import { textFlag, type AccessFlags } from './flag-values.ts';
import type { ReloadCounts } from './metrics/reload-counts.ts';

export interface AccessUser {
  readonly reloads: Readonly<Record<'authentication' | 'authorization', ReloadCounts>>;
  useAuthentication(authentication: Authentication): void;
  useAuthorizers(specs: readonly AuthorizerSpec[]): void;
}

interface Watched {
  readonly what: 'authentication' | 'authorization';
  readonly path: string;
  /** False where nothing has changed. Throws Fault. */
  readonly use: () => boolean;
}

/** A file with the same text as before is no news, also where that could not be used. */
function watchOne({ what, path, use }: Watched, counts: ReloadCounts, env: Env): WatchedFiles {
  let last = readFileSync(path, 'utf8');
  counts.holds(last);
  const onChange = (): void => {
    try {
      const data = readFileSync(path, 'utf8');
      if (data === last) return;
      env.log.info(`found new ${what} config data`, { path });
      last = data;
      if (!use()) return;
      counts.reloaded(data);
      env.log.info(`reloaded ${what} config`, { path });
    } catch (error) {
      counts.reloaded(undefined);
      env.log.error(`reloading ${what} config`, { path, error });
    }
  };
  return new WatchedFiles({ files: [path] }, onChange, env);
}

/** `started` is what the server has been started with. Returns what ends it. */
export function watchAccess(
  { flags, started }: { flags: AccessFlags; started: AccessSetup },
  server: AccessUser,
  env: Env,
): () => void {
  const watched: Watched[] = [];
  const who = textFlag(flags, 'authentication-config');
  if (who !== undefined) {
    const use = (): boolean => {
      server.useAuthentication(authenticationOf(flags, env));
      return true;
    };
    watched.push({ what: 'authentication', path: who, use });
  }
  const may = textFlag(flags, 'authorization-config');
  if (may !== undefined) {
    const reload = new AuthorizationReload(may, started.authorizers);
    const use = (): boolean => {
      const specs = reload.read();
      if (specs !== undefined) server.useAuthorizers(specs);
      return specs !== undefined;
    };
    watched.push({ what: 'authorization', path: may, use });
  }
  const files = watched.map((one) => watchOne(one, server.reloads[one.what], env));
  return () => {
    for (const one of files) one.close();
  };
}
