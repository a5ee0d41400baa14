// As whom this server calls webhooks of admission: the users of a file in the form of a kubeconfig, each named after
// whom it is for (an address, `*.` and the end of one, `*` for everybody else).
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { Fault } from '#base/fault.ts';
import type { ClientConfig, WebhookCall } from '#kube/apiserver/webhook-client.ts';
import type { KeyPair } from '#kube/pki/authority.ts';

export type Credentials = Pick<WebhookCall, 'pair' | 'headers'>;
export type CredentialsFor = (config: ClientConfig, nowMs: number) => Credentials;

export const nobody: CredentialsFor = () => ({});

interface User {
  readonly [field: string]: unknown;
}

interface Kubeconfig {
  readonly users?: readonly { readonly name?: string; readonly user?: User }[];
  readonly contexts?: readonly { readonly name?: string; readonly context?: { user?: string } }[];
  readonly 'current-context'?: string;
}

const HTTPS_PORT = 443;
/** Tokens of files are read again, as client-go reads them. */
const TOKEN_MS = 60_000;

/** Throws Fault for a file that cannot be used. */
export function readCredentials(path: string): CredentialsFor {
  const fault = (why: string, cause?: unknown): Fault =>
    new Fault({ code: 'bad-configuration', path }, `Cannot use ${path}: ${why}`, { cause });
  let config: Kubeconfig;
  const users = new Map<string, (nowMs: number) => Credentials>();
  try {
    config = (parse(readFileSync(path, 'utf8')) ?? {}) as Kubeconfig;
    for (const { name = '', user = {} } of config.users ?? [])
      users.set(name, credentialsOf(user, dirname(path)));
  } catch (error) {
    throw fault((error as Error).message, error);
  }
  const current = config.contexts?.find(({ name }) => name === config['current-context']);
  return (client, nowMs) => {
    const names = [...namesFor(targetOf(client)), '*', current?.context?.user ?? ''];
    for (const name of names) {
      const found = users.get(name);
      if (found !== undefined) return found(nowMs);
    }
    return {};
  };
}

function targetOf({ url, service }: ClientConfig): string {
  if (service !== undefined)
    return `${service.name}.${service.namespace}.svc:${service.port ?? HTTPS_PORT}`;
  const host = /^https:\/\/([^/?#]*)/i.exec(url ?? '')?.[1] ?? '';
  return /:\d+$/.test(host) ? host : `${host}:${HTTPS_PORT}`;
}

/** The closest first; the port of HTTPS need not be said. */
function namesFor(target: string): string[] {
  const within = (name: string): string[] => {
    const steps = name.split('.');
    return [name, ...steps.slice(1).map((_, i) => `*.${steps.slice(i + 1).join('.')}`)];
  };
  const plain = target.endsWith(`:${HTTPS_PORT}`) ? target.slice(0, -`:${HTTPS_PORT}`.length) : '';
  return [...within(target), ...(plain === '' ? [] : within(plain.replace(/^\[|\]$/g, '')))];
}

function credentialsOf(user: User, folder: string): (nowMs: number) => Credentials {
  const text = (field: string): string => (typeof user[field] === 'string' ? user[field] : '');
  const unsupported = ['exec', 'auth-provider', 'as'].find((field) => user[field] !== undefined);
  if (unsupported !== undefined) throw new Error(`${unsupported} of a user is not supported`);
  const fileOf = (field: string): string => resolve(folder, text(field));
  const pem = (field: string): string => {
    const data = text(`${field}-data`);
    if (data !== '') return Buffer.from(data, 'base64').toString();
    return text(field) === '' ? '' : readFileSync(fileOf(field), 'utf8');
  };
  const [cert, key] = [pem('client-certificate'), pem('client-key')];
  const pair: { readonly pair?: KeyPair } = cert === '' ? {} : { pair: { cert, key } };
  const token = tokenOf(text('token'), text('tokenFile') === '' ? undefined : fileOf('tokenFile'));
  const [name, password] = [text('username'), text('password')];
  const basic =
    name === '' && password === ''
      ? undefined
      : `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  return (nowMs) => {
    const bearer = token?.(nowMs);
    const authorization = bearer === undefined ? basic : `Bearer ${bearer}`;
    return authorization === undefined
      ? pair
      : { ...pair, headers: { Authorization: authorization } };
  };
}

function tokenOf(text: string, file: string | undefined): ((nowMs: number) => string) | undefined {
  if (file === undefined) return text === '' ? undefined : () => text;
  let known = { text: readFileSync(file, 'utf8').trim(), untilMs: 0 };
  return (nowMs) => {
    if (nowMs < known.untilMs) return known.text;
    try {
      known = { text: readFileSync(file, 'utf8').trim(), untilMs: nowMs + TOKEN_MS };
    } catch {
      // The one before may still do.
      known = { ...known, untilMs: nowMs + TOKEN_MS };
    }
    return known.text;
  };
}
