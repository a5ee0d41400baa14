// Puts the authenticators of realms together from what flags name: `basic`, `jwt`, or several of them.
import { Fault } from '#base/fault.ts';
import { Authentication, type HttpAuthenticator } from './authentication.ts';
import { BasicAuthenticator } from './basic.ts';
import { BearerAuthenticator } from './bearer.ts';
import type { Credentials } from './credentials.ts';

export interface AuthenticatorKeys {
  readonly credentials: Credentials | undefined;
  /** Of tokens. */
  readonly jwtSecret: Uint8Array | undefined;
  /** Milliseconds. */
  readonly now: () => number;
}

function missing(what: string, name: string, realm: string): Fault {
  return new Fault(
    { code: 'bad-flag', realm },
    `Cannot start: no ${what} for the default '${name}' HTTP authenticator of realm '${realm}'`,
  );
}

function authenticatorOf(name: string, realm: string, keys: AuthenticatorKeys): HttpAuthenticator {
  const { credentials, jwtSecret, now } = keys;
  if (name === 'basic') {
    if (credentials === undefined) throw missing('credentials provided', name, realm);
    return new BasicAuthenticator(realm, credentials);
  }
  if (name === 'jwt') {
    if (jwtSecret === undefined) throw missing('secret key provided', name, realm);
    return new BearerAuthenticator(realm, jwtSecret, now);
  }
  throw new Fault(
    { code: 'bad-flag', realm },
    `Cannot start: HTTP authenticator '${name}' is neither basic nor jwt`,
  );
}

/** Realm -> names, separated by commas. Fault `bad-flag`. */
export function authenticationOf(
  realms: ReadonlyMap<string, string>,
  keys: AuthenticatorKeys,
): Authentication {
  return new Authentication(
    new Map(
      [...realms].map(([realm, names]) => [
        realm,
        names.split(',').map((name) => authenticatorOf(name, realm, keys)),
      ]),
    ),
  );
}
