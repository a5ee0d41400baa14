// Names and secrets, as the files behind --credentials, --credential and --http_credentials hold them:
// JSON as Mesos 1.11 reads it, or a line `PRINCIPAL SECRET` for each, as Mesos did before.
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorChain, Fault, faultCode } from '#base/fault.ts';
import type { Log } from '#env/env.ts';
import { fromJson } from '#wire/mesos/codec.ts';
import type { Credential } from '#wire/mesos/v1.ts';

/** Secrets by principal. */
export type Credentials = ReadonlyMap<string, string>;

function bad(why: string, cause?: unknown): Fault {
  return new Fault({ code: 'bad-credentials' }, `Cannot use the credentials: ${why}`, { cause });
}

function fromLines(text: string): Credential[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '')
    .map((line, at) => {
      const [principal = '', secret = '', ...rest] = line.split(/\s+/);
      // The line itself may be a secret.
      if (secret === '' || rest.length > 0) throw bad(`line ${at + 1} is no PRINCIPAL SECRET`);
      return { principal, secret };
    });
}

function parsed(text: string, message: 'Credentials' | 'Credential'): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    // What JSON.parse says quotes the text.
    throw bad('Invalid json format', cause instanceof SyntaxError ? undefined : cause);
  }
  try {
    return fromJson(message, json);
  } catch (cause) {
    throw bad(`Failed to parse ${message.toLowerCase()}: ${errorChain(cause)}`);
  }
}

/** Fault `bad-credentials`; no secret is in its message. */
export function parseCredentials(text: string): Credentials {
  const isJson = text.trimStart().startsWith('{');
  const list = isJson
    ? ((parsed(text, 'Credentials') as { credentials?: Credential[] }).credentials ?? [])
    : fromLines(text);
  if (text.trim() === '') throw bad('the file must contain at least one credential');
  return new Map(list.map(({ principal, secret = '' }) => [principal, secret]));
}

/** Fault `bad-credentials`. */
export function parseCredential(text: string): Credential {
  if (text.trim() === '') throw bad('the file is empty');
  if (text.trimStart().startsWith('{')) return parsed(text, 'Credential') as Credential;
  const [first, ...rest] = fromLines(text);
  if (first === undefined || rest.length > 0) throw bad('it is not one PRINCIPAL SECRET');
  return first;
}

/** What --credentials and --http_credentials name; undefined where they name nothing. */
export function readCredentials(
  flag: string,
  path: string | undefined,
  log: Log,
): Credentials | undefined {
  if (path === undefined) return undefined;
  try {
    return parseCredentials(readSecretFile(flag, path, log).toString());
  } catch (cause) {
    if (faultCode(cause) !== 'bad-credentials') throw cause;
    const message = `Cannot start: flag "${flag}"`;
    throw new Fault({ code: 'bad-flag', flag, path }, message, { cause });
  }
}

/**
 * The content of a file with secrets: `file:///PATH` or a path. Files that everybody may read are used, and
 * told of, as in Mesos. Fault `bad-flag`.
 */
export function readSecretFile(flag: string, given: string, log: Log): Buffer {
  const path = given.startsWith('file://') ? fileURLToPath(given) : given;
  try {
    if ((statSync(path).mode & 0o007) !== 0) {
      log.warn('A file with secrets is open to everybody on this machine', { flag, path });
    }
    return readFileSync(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `Cannot read the file of flag "${flag}": ${why}`;
    throw new Fault({ code: 'bad-flag', flag, path }, message, { cause });
  }
}
