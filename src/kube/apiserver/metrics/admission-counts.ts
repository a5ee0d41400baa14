// What admission counts of single plugins: judgements by the standards of pod security, manifests that were read, and
// certificates whose time was asked for. Names and labels of kube-apiserver v1.37.
import { createHash } from 'node:crypto';
import { Counter, Gauge, type Metric } from './metric-set.ts';

/** The minor version that this server is of: later standards are not known here. */
const OWN_MINOR = 37;

interface Judged {
  readonly operation: string;
  readonly resource: string;
  readonly subresource: string | undefined;
}

const resourceLabels: Readonly<Record<string, string>> = { pods: 'pod', namespaces: 'namespace' };

const labelsOf = ({ operation, resource, subresource = '' }: Judged): string[] => [
  operation.toLowerCase(),
  resourceLabels[resource] ?? 'controller',
  subresource,
];

export class PodSecurityCounts implements Metric {
  readonly #evaluations = new Counter('pod_security_evaluations_total', [
    'decision',
    'mode',
    'policy_level',
    'policy_version',
    'request_operation',
    'resource',
    'subresource',
  ]);
  readonly #exemptions = new Counter('pod_security_exemptions_total', [
    'request_operation',
    'resource',
    'subresource',
  ]);
  readonly #errors = new Counter('pod_security_errors_total', [
    'fatal',
    'request_operation',
    'resource',
    'subresource',
  ]);

  constructor() {
    this.reset();
  }

  evaluated(
    judged: Judged,
    mode: 'enforce' | 'audit' | 'warn',
    policy: { readonly level: string; readonly version: number | 'latest' },
    isAllowed: boolean,
  ): void {
    const { level, version } = policy;
    // Nothing is asked of what is privileged, in any version.
    const isLatest = version === 'latest' || level === 'privileged';
    const known = version !== 'latest' && version > OWN_MINOR ? 'future' : `v1.${version}`;
    const decision = isAllowed ? 'allow' : 'deny';
    const labels = [decision, mode, level, isLatest ? 'latest' : known, ...labelsOf(judged)];
    this.#evaluations.add(labels);
  }

  exempted(judged: Judged): void {
    this.#exemptions.add(labelsOf(judged));
  }

  failed(judged: Judged, isFatal: boolean): void {
    this.#errors.add([String(isFatal), ...labelsOf(judged)]);
  }

  /** What comes most often is shown before there is anything to count. */
  reset(): void {
    for (const one of [this.#evaluations, this.#exemptions, this.#errors]) one.reset();
    for (const operation of ['create', 'update']) {
      const common = ['allow', 'enforce', 'privileged', 'latest', operation, 'pod', ''];
      this.#evaluations.add(common, 0);
      for (const resource of ['pod', 'controller'])
        this.#exemptions.add([operation, resource, ''], 0);
    }
  }

  lines(): string[] {
    return [this.#errors, this.#evaluations, this.#exemptions].flatMap((one) => one.lines());
  }
}

const HEAD = 'apiserver_manifest_admission_config_controller';

export class ManifestCounts implements Metric {
  readonly #reloads = new Counter(`${HEAD}_automatic_reloads_total`, [
    'apiserver_id_hash',
    'plugin',
    'status',
  ]);
  readonly #times = new Map<string, readonly [string[], number]>();
  readonly #hashes = new Map<string, string>();
  readonly #id: string;
  readonly #nowMs: () => number;

  /** `id`: the name by which servers of a cluster know this one. */
  constructor(id: string, nowMs: () => number) {
    this.#id = `sha256:${createHash('sha256').update(id).digest('hex')}`;
    this.#nowMs = nowMs;
  }

  /** `hash` of what has been read; undefined: it could not be used. */
  loaded(plugin: string, hash: string | undefined): void {
    const labels = [this.#id, plugin, hash === undefined ? 'failure' : 'success'];
    this.#reloads.add(labels);
    this.#times.set(labels.join(), [labels, this.#nowMs() / 1_000]);
    if (hash !== undefined) this.#hashes.set(plugin, hash);
  }

  reset(): void {
    this.#reloads.reset();
    this.#times.clear();
  }

  lines(): string[] {
    const times = new Gauge(
      `${HEAD}_automatic_reload_last_timestamp_seconds`,
      ['apiserver_id_hash', 'plugin', 'status'],
      () => this.#times.values(),
    );
    const configs = new Gauge(
      `${HEAD}_last_config_info`,
      ['apiserver_id_hash', 'hash', 'plugin'],
      () => [...this.#hashes].map(([plugin, hash]) => [[this.#id, hash, plugin], 1] as const),
    );
    return [...times.lines(), ...this.#reloads.lines(), ...configs.lines()];
  }
}

/** A signer may date a certificate back, and give a little more or less. */
const BACKDATED_SECONDS = 300;
const SLACK = 1 / 20;

export class SigningCounts implements Metric {
  readonly #honored = new Counter('apiserver_certificates_registry_csr_honored_duration_total', [
    'signerName',
  ]);
  readonly #requested = new Counter(
    'apiserver_certificates_registry_csr_requested_duration_total',
    ['signerName'],
  );

  /** A certificate was issued for so long, to somebody who had asked for a time; undefined: it cannot be read. */
  issued(signerName: string, wantedSeconds: number, seconds: number | undefined): void {
    const signer = signerName.startsWith('kubernetes.io/') ? signerName : 'other';
    this.#requested.add([signer]);
    if (seconds === undefined) return;
    const slack = BACKDATED_SECONDS + wantedSeconds * SLACK;
    if (Math.abs(wantedSeconds - seconds) < slack) this.#honored.add([signer]);
  }

  reset(): void {
    for (const one of [this.#honored, this.#requested]) one.reset();
  }

  lines(): string[] {
    return [this.#honored, this.#requested].flatMap((one) => one.lines());
  }
}
