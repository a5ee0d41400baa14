// Takes up what is written into the configurations of access while the server runs, as kube-apiserver v1.37
// does. What cannot be used is logged, and all stays as it was.
import { readFileSync } from 'node:fs';
import type { Env } from '#env/env.ts';
import { WatchedFiles } from '#env/watched-files.ts';
import { authenticationOf, type Authentication } from './access-flags.ts';
import { authorizersOf } from './authorization-flags.ts';
import type { AuthorizerSpec } from './authz/authorization-configuration.ts';
import { textFlag, type AccessFlags } from './flag-values.ts';
import type { ReloadCounts } from './metrics/reload-counts.ts';

export interface AccessUser {
  readonly reloads: Readonly<Record<'authentication' | 'authorization', ReloadCounts>>;
  useAuthentication(authentication: Authentication): void;
  useAuthorizers(specs: readonly AuthorizerSpec[]): void;
}

/** Returns what ends it. */
export function watchAccess(flags: AccessFlags, server: AccessUser, env: Env): () => void {
  const watched = [
    {
      flag: 'authentication-config',
      counts: server.reloads.authentication,
      use: () => server.useAuthentication(authenticationOf(flags, env)),
    },
    {
      flag: 'authorization-config',
      counts: server.reloads.authorization,
      use: () => server.useAuthorizers(authorizersOf(flags)),
    },
  ];
  const files = watched.flatMap(({ flag, counts, use }) => {
    const path = textFlag(flags, flag);
    if (path === undefined) return [];
    counts.holds(readFileSync(path, 'utf8'));
    const onChange = (): void => {
      try {
        const data = readFileSync(path, 'utf8');
        use();
        counts.reloaded(data);
      } catch (error) {
        counts.reloaded(undefined);
        throw error;
      }
      env.log.info('A configuration of access has been taken up', { flag, path });
    };
    return [new WatchedFiles({ files: [path] }, onChange, env)];
  });
  return () => {
    for (const one of files) one.close();
  };
}
