// Where a webhook is, as files in the form of kubeconfigs say: its address, whom it trusts, and as whom
// this server calls it.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { Fault } from '#base/fault.ts';
import type { KeyPair } from '#kube/pki/authority.ts';

export interface RemoteEndpoint {
  readonly url: string;
  /** Base64 of PEM; absent: what this machine trusts. */
  readonly caBundle?: string | undefined;
  readonly pair?: KeyPair | undefined;
  readonly token?: string | undefined;
  /** Its certificate is not looked at. */
  readonly isInsecure?: boolean;
}

interface Named {
  readonly name?: string;
  readonly cluster?: Readonly<Record<string, string>>;
  readonly user?: Readonly<Record<string, string>>;
  readonly context?: { readonly cluster?: string; readonly user?: string };
}

interface Kubeconfig {
  readonly clusters?: readonly Named[];
  readonly users?: readonly Named[];
  readonly contexts?: readonly Named[];
  readonly 'current-context'?: string;
}

/** Throws Fault. */
export function readEndpoint(path: string): RemoteEndpoint {
  const config = (parse(readFileSync(path, 'utf8')) ?? {}) as Kubeconfig;
  const named = (all: readonly Named[] = [], name = ''): Named | undefined =>
    all.find((one) => one.name === name);
  const context = named(config.contexts, config['current-context'])?.context;
  const cluster = (named(config.clusters, context?.cluster) ?? config.clusters?.[0])?.cluster ?? {};
  const user = named(config.users, context?.user)?.user ?? {};
  const url = cluster['server'];
  if (url === undefined || !/^https?:\/\//.test(url)) {
    throw new Fault(
      { code: 'bad-file', path },
      `Cannot use ${path}: it names no cluster with an http or https server`,
    );
  }
  const text = (of: Readonly<Record<string, string>>, field: string): string | undefined => {
    const data = of[`${field}-data`];
    if (data !== undefined) return Buffer.from(data, 'base64').toString();
    const file = of[field];
    return file === undefined ? undefined : readFileSync(resolve(dirname(path), file), 'utf8');
  };
  const ca = text(cluster, 'certificate-authority');
  const [cert, key] = [text(user, 'client-certificate'), text(user, 'client-key')];
  const file = user['tokenFile'];
  const token = user['token'] ?? (file === undefined ? undefined : readFileSync(file, 'utf8'));
  return {
    url,
    caBundle: ca === undefined ? undefined : Buffer.from(ca).toString('base64'),
    pair: cert === undefined || key === undefined ? undefined : { cert, key },
    token: token?.trim(),
    isInsecure: Boolean(cluster['insecure-skip-tls-verify']),
  };
}
