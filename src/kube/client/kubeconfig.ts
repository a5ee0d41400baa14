// Reads a kubeconfig (file, text or object) into what a connection needs: where the API server is, whom
// to trust, and with what to authenticate. Paths inside a file are relative to it, as kubectl has it.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { Fault } from '#base/fault.ts';

export interface ApiAccess {
  /** `https://host:port`, perhaps with a path in front of `/api`. */
  readonly server: string;
  readonly caPem?: string | undefined;
  readonly certPem?: string | undefined;
  readonly keyPem?: string | undefined;
  readonly token?: string | undefined;
  /** Read again for each request, so that a rotated token is used at once. */
  readonly tokenFile?: string | undefined;
  readonly serverName?: string | undefined;
  readonly isInsecure?: boolean | undefined;
  /** The default namespace of the context. */
  readonly namespace?: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fail(why: string, from: string): never {
  throw new Fault({ code: 'kubeconfig', from }, `Cannot use kubeconfig "${from}": ${why}`);
}

function entry(config: Json, list: string, field: string, name: string): Json | undefined {
  const entries = config[list];
  if (!Array.isArray(entries)) return undefined;
  const found = (entries as unknown[]).find((one) => isRecord(one) && one['name'] === name);
  const value = isRecord(found) ? found[field] : undefined;
  return isRecord(value) ? value : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** `<field>-data` is base64 of the content; `<field>` is a path. */
function material(of: Json, field: string, folder: string | undefined): string | undefined {
  const data = text(of[`${field}-data`]);
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
  const path = text(of[field]);
  if (path === undefined) return undefined;
  return readFileSync(resolve(folder ?? '.', path), 'utf8');
}

export interface KubeconfigSource {
  /** For messages. */
  readonly from: string;
  /** Paths are relative to it. */
  readonly folder?: string | undefined;
  /** Another than the current context. */
  readonly context?: string | undefined;
}

/** Throws Fault `kubeconfig`. */
export function parseKubeconfig(value: unknown, source: KubeconfigSource): ApiAccess {
  const { from, folder } = source;
  const config: unknown = typeof value === 'string' ? parseYaml(value) : value;
  if (!isRecord(config)) fail('it is no object', from);
  const name = source.context ?? text(config['current-context']);
  if (name === undefined) fail('it has no current-context', from);
  const context = entry(config, 'contexts', 'context', name);
  if (context === undefined) fail(`context "${name}" does not exist`, from);
  const clusterName = text(context['cluster']) ?? '';
  const cluster = entry(config, 'clusters', 'cluster', clusterName);
  const server = text(cluster?.['server']);
  if (cluster === undefined || server === undefined) {
    fail(`cluster "${clusterName}" has no server`, from);
  }
  const user = entry(config, 'users', 'user', text(context['user']) ?? '') ?? {};
  const tokenFile = text(user['tokenFile']);
  return {
    server,
    caPem: material(cluster, 'certificate-authority', folder),
    certPem: material(user, 'client-certificate', folder),
    keyPem: material(user, 'client-key', folder),
    token: text(user['token']),
    tokenFile: tokenFile === undefined ? undefined : resolve(folder ?? '.', tokenFile),
    serverName: text(cluster['tls-server-name']),
    isInsecure: cluster['insecure-skip-tls-verify'] === true,
    namespace: text(context['namespace']),
  };
}

/** A path to a file, or the object itself. Throws Fault `kubeconfig`. */
export function loadKubeconfig(source: string | object, context?: string): ApiAccess {
  if (typeof source !== 'string') return parseKubeconfig(source, { from: 'object', context });
  let content: string;
  try {
    content = readFileSync(source, 'utf8');
  } catch (cause) {
    throw new Fault(
      { code: 'kubeconfig', from: source },
      `Cannot read kubeconfig "${source}": ${(cause as Error).message}`,
      { cause },
    );
  }
  return parseKubeconfig(content, { from: source, folder: dirname(resolve(source)), context });
}
