// What dashboards of Kubernetes look for beside requests: who got in, what was allowed, what is deprecated and
// still asked for, the process and its version. Names and labels of kube-apiserver v1.37.
import { readdirSync, readFileSync } from 'node:fs';
import { Histogram } from './metric-set.ts';

const [HOUR, DAY] = [3_600, 86_400];
/** From half an hour to a year. */
const CERTIFICATE_SECONDS = [0, HOUR / 2, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR].concat(
  [1, 2, 4, 7, 30, 90, 180, 360].map((days) => days * DAY),
);

type Labels = Readonly<Record<string, string>>;

function text(labels: Labels): string {
  const entries = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',');
}

/** Users are not told apart: anybody could make labels. */
const WELL_KNOWN = /^system:(?:apiserver|kube-controller-manager|kube-scheduler|anonymous)$/;

/** As labels are written: `git_version` of `gitVersion`. */
export function buildInfo(version: Labels): Labels {
  return Object.fromEntries(
    Object.entries(version).map(([key, value]) => [
      key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
}

export const authorizationResult = (kind: 'allow' | 'deny' | 'none'): string =>
  ({ allow: 'allowed', deny: 'denied', none: 'no-opinion' })[kind];

/** No token is taken after its end, whatever its client was told: none is stale. */
const tokenCounters = [
  'legacy_tokens_total',
  'legacy_auto_token_uses_total',
  'legacy_manual_token_uses_total',
  'invalid_legacy_auto_token_uses_total',
  'stale_tokens_total',
  'valid_tokens_total',
] as const;

export class ServerMetrics {
  readonly #counters = new Map<string, Map<string, number>>();
  readonly #certificates = new Histogram(
    'apiserver_client_certificate_expiration_seconds',
    [],
    CERTIFICATE_SECONDS,
  );
  readonly #version: Labels;
  readonly #startedAt: number;

  constructor(version: Labels, startedAtMs: number) {
    this.#version = version;
    this.#startedAt = startedAtMs / 1_000;
    // A request whose event cannot be written down is carried out all the same: none is rejected.
    const names = [
      'audit_event_total',
      'audit_requests_rejected_total',
      'tls_handshake_errors_total',
    ];
    for (const name of names) this.#counters.set(`apiserver_${name}`, new Map());
    for (const name of tokenCounters) this.#counters.set(`serviceaccount_${name}`, new Map());
    this.reset();
  }

  /** Those without labels are shown before there is anything to count, too. */
  reset(): void {
    const plain = /^(?:apiserver_(?:audit|tls)|serviceaccount)_/;
    for (const [name, values] of this.#counters) {
      values.clear();
      if (plain.test(name)) values.set('', 0);
      else this.#counters.delete(name);
    }
    this.#certificates.reset();
  }

  #count(name: string, labels: Labels): void {
    const known = this.#counters.getOrInsertComputed(name, () => new Map<string, number>());
    const key = text(labels);
    known.set(key, (known.get(key) ?? 0) + 1);
  }

  authenticated(user: string): void {
    this.#count('authentication_attempts', { result: 'success' });
    const username = WELL_KNOWN.test(user) ? user : 'other';
    this.#count('authenticated_user_requests', { username });
  }

  /** Of the certificate that a client came with; negative: not valid any more. */
  certificate(secondsLeft: number): void {
    this.#certificates.observe([], secondsLeft);
  }

  unauthenticated(): void {
    this.#count('authentication_attempts', { result: 'failure' });
  }

  authorized(kind: 'allow' | 'deny' | 'none'): void {
    this.#count('authorization_attempts_total', { result: authorizationResult(kind) });
  }

  /** A token of a service account. */
  tokenUsed(name: (typeof tokenCounters)[number]): void {
    this.#count(`serviceaccount_${name}`, {});
  }

  audited(): void {
    this.#count('apiserver_audit_event_total', {});
  }

  brokenHandshake(): void {
    this.#count('apiserver_tls_handshake_errors_total', {});
  }

  deprecated(asked: {
    readonly group: string;
    readonly version: string;
    readonly resource: string;
    readonly subresource?: string | undefined;
  }): void {
    const { group, version, resource, subresource = '' } = asked;
    const labels = { group, version, resource, subresource, removed_release: '' };
    const known = this.#counters.getOrInsertComputed(
      'apiserver_requested_deprecated_apis',
      () => new Map<string, number>(),
    );
    known.set(text(labels), 1);
  }

  /** Lines of the Prometheus text format. */
  lines(): string[] {
    const kinds: Readonly<Record<string, string>> = {
      apiserver_requested_deprecated_apis: 'gauge',
    };
    return [
      ...[...this.#counters].flatMap(([name, values]) => [
        `# TYPE ${name} ${kinds[name] ?? 'counter'}`,
        ...[...values].map(([labels, value]) => line(name, labels, value)),
      ]),
      ...this.#certificates.lines(),
      '# TYPE kubernetes_build_info gauge',
      line('kubernetes_build_info', text(this.#version), 1),
      '# TYPE version_info gauge',
      line('version_info', text(versionInfo(this.#version)), 1),
      ...this.#process(),
    ];
  }

  /** Of the process that the checks are of. */
  startLines(): string[] {
    const name = 'process_start_time_seconds';
    return [`# TYPE ${name} gauge`, line(name, '', this.#startedAt)];
  }

  #process(): string[] {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const values: Record<string, readonly [kind: string, value: number | undefined]> = {
      process_resident_memory_bytes: ['gauge', rss],
      nodejs_heap_used_bytes: ['gauge', heapUsed],
      process_cpu_seconds_total: ['counter', user / 1e6 + system / 1e6],
      process_start_time_seconds: ['gauge', this.#startedAt],
      process_open_fds: ['gauge', openFiles()],
      process_max_fds: ['gauge', mostFiles()],
      process_virtual_memory_bytes: ['gauge', virtualBytes()],
      process_virtual_memory_max_bytes: ['gauge', mostVirtualBytes()],
      process_network_receive_bytes_total: ['counter', networkBytes('InOctets')],
      process_network_transmit_bytes_total: ['counter', networkBytes('OutOctets')],
    };
    return Object.entries(values).flatMap(([name, [kind, value]]) =>
      value === undefined ? [] : [`# TYPE ${name} ${kind}`, line(name, '', value)],
    );
  }
}

/** Of the API, which is one version of Kubernetes whatever serves it. */
function versionInfo({ git_version = '', major = '', minor = '' }: Labels): Labels {
  return {
    binary: git_version.replace(/^v|\+.*$/g, ''),
    component: 'kube',
    emulation: `${major}.${minor}`,
    min_compat: `${major}.${Number(minor) - 1}`,
  };
}

const line = (name: string, labels: string, value: number): string =>
  labels === '' ? `${name} ${value}` : `${name}{${labels}} ${value}`;

/** Where the system does not tell, nothing is told. */
function told<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

const openFiles = (): number | undefined => told(() => readdirSync('/proc/self/fd').length);

function mostFiles(): number | undefined {
  const limits = told(() => readFileSync('/proc/self/limits', 'utf8'));
  const found = /^Max open files\s+(\d+)/m.exec(limits ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

function virtualBytes(): number | undefined {
  const status = told(() => readFileSync('/proc/self/status', 'utf8'));
  const found = /^VmSize:\s+(\d+) kB/m.exec(status ?? '')?.[1];
  return found === undefined ? undefined : Number(found) * 1_024;
}

/** Beyond what is representable: there is no limit. */
const UNLIMITED = 2 ** 64;

function mostVirtualBytes(): number | undefined {
  const limits = told(() => readFileSync('/proc/self/limits', 'utf8'));
  const found = /^Max address space\s+(\S+)/m.exec(limits ?? '')?.[1];
  if (found === undefined) return undefined;
  return found === 'unlimited' ? UNLIMITED : Number(found);
}

/** Of the network namespace that the process is in. */
function networkBytes(field: string): number | undefined {
  const text = told(() => readFileSync('/proc/self/net/netstat', 'utf8'));
  const [names, values] = (text ?? '')
    .split('\n')
    .filter((one) => one.startsWith('IpExt:'))
    .map((one) => one.split(' '));
  const at = names?.indexOf(field) ?? -1;
  return at < 0 || values?.[at] === undefined ? undefined : Number(values[at]);
}
