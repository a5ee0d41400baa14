// EncryptionConfiguration of apiserver.config.k8s.io/v1: read and checked with the words of kube-apiserver
// v1.37 (apis/apiserver/validation of k8s.io/apiserver v0.37).
import { parse } from 'yaml';
import { Fault } from '#base/fault.ts';

export interface KeyEntry {
  readonly name: string;
  readonly secret: Buffer;
}

export type Provider =
  | { readonly kind: 'identity' }
  | { readonly kind: 'aescbc' | 'aesgcm' | 'secretbox'; readonly keys: readonly KeyEntry[] }
  | {
      readonly kind: 'kms';
      readonly name: string;
      /** Of a unix socket. */
      readonly path: string;
      readonly timeoutMs: number;
    };

export interface ResourceRule {
  /** `secrets`, `deployments.apps`, `*.apps`, `*.` (the core group), `*.*`. */
  readonly resources: readonly string[];
  readonly providers: readonly Provider[];
}

type Json = Record<string, unknown>;

const keyLengths = { aescbc: [16, 24, 32], aesgcm: [16, 24, 32], secretbox: [32] } as const;
const KMS_TIMEOUT_MS = 3_000;

function bad(field: string, why: string): Fault {
  return new Fault(
    { code: 'bad-encryption-config', field },
    `Cannot use the encryption configuration: ${field}: ${why}`,
  );
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function listAt(value: unknown, field: string, what: string): readonly Json[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw bad(field, `Required value: at least one ${what} is required`);
  }
  return value as Json[];
}

function keyOf(one: Json, kind: 'aescbc' | 'aesgcm' | 'secretbox', field: string): KeyEntry {
  const { name, secret } = one;
  if (typeof name !== 'string' || name === '') {
    throw bad(`${field}.name`, 'Required value: name is a mandatory field for a key');
  }
  if (typeof secret !== 'string' || secret === '') {
    throw bad(`${field}.secret`, 'Required value: secret is a mandatory field for a key');
  }
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(secret) || secret.length % 4 !== 0) {
    throw bad(`${field}.secret`, 'Invalid value: secrets must be base64 encoded');
  }
  const bytes = Buffer.from(secret, 'base64');
  const lengths: readonly number[] = keyLengths[kind];
  if (!lengths.includes(bytes.length)) {
    throw bad(
      `${field}.secret`,
      `Invalid value: secret is not of the expected length, got ${bytes.length}, expected one of [${lengths.join(' ')}]`,
    );
  }
  return { name, secret: bytes };
}

/** As Go's durations in seconds and milliseconds. */
function timeoutMs(value: unknown, field: string): number {
  if (value === undefined || value === null) return KMS_TIMEOUT_MS;
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(String(value)) ?? [];
  const ms = Number(number) * ({ ms: 1, s: 1_000, m: 60_000 }[unit] ?? 0);
  if (ms <= 0) throw bad(field, 'Invalid value: timeout should be a positive value');
  return ms;
}

function kmsOf(one: Json, field: string, names: Set<string>): Provider {
  const { apiVersion = 'v1', name, endpoint, timeout } = one;
  if (typeof name !== 'string' || name === '') {
    throw bad(`${field}.name`, 'Required value: name is a mandatory field for a provider');
  }
  if (name.includes(':')) {
    throw bad(
      `${field}.name`,
      `Invalid value: invalid KMS provider name ${name}, must not contain ':'`,
    );
  }
  if (names.has(name)) {
    throw bad(
      `${field}.name`,
      `Invalid value: duplicate KMS provider name ${name}, names must be unique`,
    );
  }
  names.add(name);
  if (apiVersion !== 'v2') {
    throw bad(
      `${field}.apiVersion`,
      `Invalid value: KMS ${String(apiVersion)} is not served, only v2 is (v1 is off by default in v1.37)`,
    );
  }
  const text = String(endpoint ?? '');
  if (!text.startsWith('unix://')) {
    throw bad(
      `${field}.endpoint`,
      `Invalid value: ${JSON.stringify(text)}: unsupported scheme for KMS provider, only unix is supported`,
    );
  }
  return {
    kind: 'kms',
    name,
    path: text.slice('unix://'.length),
    timeoutMs: timeoutMs(timeout, `${field}.timeout`),
  };
}

function providerOf(one: Json, field: string, names: Set<string>): Provider {
  const kinds = Object.keys(one);
  if (kinds.length > 1) {
    throw bad(
      field,
      'Invalid value: more than one provider specified in a single element, should split into different list elements',
    );
  }
  const [kind = ''] = kinds;
  const own = one[kind];
  if (kind === 'identity') return { kind };
  if (kind === 'kms' && isObject(own)) return kmsOf(own, `${field}.kms`, names);
  if ((kind === 'aescbc' || kind === 'aesgcm' || kind === 'secretbox') && isObject(own)) {
    const at = `${field}.${kind}.keys`;
    const keys = listAt(own['keys'], at, at);
    return { kind, keys: keys.map((key, i) => keyOf(key, kind, `${at}[${i}]`)) };
  }
  throw bad(
    field,
    'Required value: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity',
  );
}

function checkResources(all: readonly string[], field: string): void {
  const seen = new Set<string>();
  for (const [i, name] of all.entries()) {
    const at = `${field}[${i}]`;
    if (name !== name.toLowerCase())
      throw bad(at, 'Invalid value: resource name should not contain capital letters');
    if (name === '*') {
      throw bad(
        at,
        "Invalid value: use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
      );
    }
    const group = name.slice(name.indexOf('.') + 1);
    if (name.includes('.') && group === 'events.k8s.io') {
      throw bad(
        at,
        "Invalid value: '*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file",
      );
    }
    if (name.includes('.') && group === 'extensions') {
      throw bad(
        at,
        "Invalid value: 'extensions' group has been removed and cannot be used for encryption",
      );
    }
    if (seen.has(name))
      throw bad(at, 'Invalid value: the same resource cannot be specified multiple times');
    seen.add(name);
  }
  const isMasked = all.some((name) => {
    if (name === '*.*') return all.length > 1;
    if (!name.startsWith('*.')) return false;
    const group = name.slice(2);
    return all.some((other) => {
      if (other === name || other.startsWith('*.')) return false;
      const dot = other.indexOf('.');
      return (dot < 0 ? '' : other.slice(dot + 1)) === group;
    });
  });
  if (isMasked) {
    throw bad(
      field,
      "Invalid value: using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
    );
  }
}

/** Throws Fault `bad-encryption-config`. */
export function parseEncryption(text: string): readonly ResourceRule[] {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    throw bad('(file)', (error as Error).message);
  }
  if (!isObject(document) || document['kind'] !== 'EncryptionConfiguration') {
    throw bad('kind', 'Invalid value: it is no EncryptionConfiguration');
  }
  if (document['apiVersion'] !== 'apiserver.config.k8s.io/v1') {
    throw bad('apiVersion', 'Invalid value: only apiserver.config.k8s.io/v1 is known');
  }
  const names = new Set<string>();
  return listAt(document['resources'], 'resources', 'resources').map((one, i) => {
    const field = `resources[${i}]`;
    const resources = listAt(one['resources'], `${field}.resources`, `${field}.resources`);
    const all = resources.map(String);
    checkResources(all, `${field}.resources`);
    const providers = listAt(one['providers'], `${field}.providers`, `${field}.providers`);
    return {
      resources: all,
      providers: providers.map((own, j) => providerOf(own, `${field}.providers[${j}]`, names)),
    };
  });
}

/** The first rule that names the resource decides. */
export function ruleFor(
  rules: readonly ResourceRule[],
  { group, resource }: { readonly group: string; readonly resource: string },
): ResourceRule | undefined {
  const full = group === '' ? resource : `${resource}.${group}`;
  return rules.find(({ resources }) =>
    resources.some((name) => name === full || name === `*.${group}` || name === '*.*'),
  );
}
