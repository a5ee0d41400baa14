// How this program speaks with masters and agents: by which name (a file with one credential), and with TLS
// where LIBPROCESS_SSL_ variables ask for it, as every program of a Mesos cluster does.
import type { Log } from '#env/env.ts';
import { basicHeader } from '#mesos/security/basic.ts';
import { parseCredential, readSecretFile } from '#mesos/security/credentials.ts';
import { readTlsSettings, type TlsSettings } from '#mesos/security/tls-settings.ts';

export interface Access {
  /** The Authorization header. */
  readonly authorization?: string | undefined;
  readonly tls?: TlsSettings | undefined;
}

/** `credential`: `{"principal": …, "secret": …}` or `PRINCIPAL SECRET`. Faults `bad-flag`, `bad-tls`.
 * `tls`: what the environment says, when left out. */
export function readAccess(
  credential: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  log: Log,
  tls: TlsSettings | undefined = readTlsSettings(environment, log),
): Access {
  if (credential === undefined) return { tls };
  const { principal, secret = '' } = parseCredential(
    readSecretFile('credential', credential, log).toString(),
  );
  return { tls, authorization: basicHeader({ principal, secret }) };
}

/** `address`: `HOST:PORT`. */
export function urlOf({ tls }: Access, address: string): string {
  return `${tls === undefined ? 'http' : 'https'}://${address}`;
}

/** For requests that name their headers themselves. */
export function headersOf({ authorization }: Access): Record<string, string> {
  return authorization === undefined ? {} : { Authorization: authorization };
}
