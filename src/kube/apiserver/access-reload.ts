// Takes up what is written into the configurations of access while the server runs, as kube-apiserver v1.37
// does. What cannot be used is logged, and all stays as it was.
import type { Env } from '#env/env.ts';
import { WatchedFiles } from '#env/watched-files.ts';
import { authenticationOf, type Authentication } from './access-flags.ts';
import { authorizersOf } from './authorization-flags.ts';
import type { AuthorizerSpec } from './authz/authorization-configuration.ts';
import { textFlag, type AccessFlags } from './flag-values.ts';

export interface AccessUser {
  useAuthentication(authentication: Authentication): void;
  useAuthorizers(specs: readonly AuthorizerSpec[]): void;
}

/** Returns what ends it. */
export function watchAccess(flags: AccessFlags, server: AccessUser, env: Env): () => void {
  const watched = [
    {
      flag: 'authentication-config',
      use: () => server.useAuthentication(authenticationOf(flags, env)),
    },
    { flag: 'authorization-config', use: () => server.useAuthorizers(authorizersOf(flags)) },
  ];
  const files = watched.flatMap(({ flag, use }) => {
    const path = textFlag(flags, flag);
    if (path === undefined) return [];
    const onChange = (): void => {
      use();
      env.log.info('A configuration of access has been taken up', { flag, path });
    };
    return [new WatchedFiles({ files: [path] }, onChange, env)];
  });
  return () => {
    for (const one of files) one.close();
  };
}
