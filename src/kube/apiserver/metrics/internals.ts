// What happens inside the server on the way of a request, as kube-apiserver v1.37 names it: admission, the store,
// watches, who got in and how long that took.
import { hostname } from 'node:os';
import type { Env } from '#env/env.ts';
import { identityName } from '#kube/apiserver/identity-name.ts';
import { ManifestCounts, PodSecurityCounts, SigningCounts } from './admission-counts.ts';
import { Counter, Histogram, keyOfLabels, REQUEST_SECONDS, type Metric } from './metric-set.ts';

const ADMISSION_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5];
const ACCESS_SECONDS = Array.from({ length: 15 }, (_one, i) => 2 ** i / 1_000);
const EVENT_BYTES = Array.from({ length: 8 }, (_one, i) => 1_024 * 2 ** i);
const BODY_BYTES = Array.from({ length: 31 }, (_one, i) => 50_000 + 100_000 * i);
const RESPONSE_BYTES = Array.from({ length: 7 }, (_one, i) => 1_000 * 10 ** i);
const WITH_BODY = ['create', 'update', 'patch', 'delete', 'deletecollection'];

export interface AskedResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

export interface AdmissionStep {
  readonly operation: string;
  readonly type: 'admit' | 'validate';
}

export interface PluginStep extends AdmissionStep {
  readonly name: string;
}

/** Who is told how long admission took, in ms. */
export interface AdmissionTimes {
  readonly now: () => number;
  /** The same step of the same plugin comes as one object. */
  readonly plugin: (step: PluginStep, rejected: boolean, ms: number) => void;
  readonly step: (step: AdmissionStep, rejected: boolean, ms: number) => void;
}

export class InternalMetrics {
  readonly #now: () => number;
  readonly #plugins = new Histogram(
    'apiserver_admission_controller_admission_duration_seconds',
    ['name', 'operation', 'rejected', 'type'],
    ADMISSION_SECONDS,
  );
  /** Labels put together once: dozens of plugins are timed for each write. */
  readonly #passedSteps = new WeakMap<PluginStep, string>();
  readonly #rejectedSteps = new WeakMap<PluginStep, string>();
  readonly #steps = new Histogram(
    'apiserver_admission_step_admission_duration_seconds',
    ['operation', 'rejected', 'type'],
    ADMISSION_SECONDS,
  );
  readonly #authentications = new Histogram(
    'authentication_duration_seconds',
    ['result'],
    ACCESS_SECONDS,
  );
  readonly #authorizations = new Histogram(
    'authorization_duration_seconds',
    ['result'],
    ACCESS_SECONDS,
  );
  readonly #watchEvents = new Counter('apiserver_watch_events_total', [
    'group',
    'resource',
    'version',
  ]);
  readonly #watchBytes = new Histogram(
    'apiserver_watch_events_sizes',
    ['group', 'resource', 'version'],
    EVENT_BYTES,
  );
  readonly #received = new Counter('apiserver_watch_cache_events_received_total', [
    'group',
    'resource',
  ]);
  readonly #dispatched = new Counter('apiserver_watch_cache_events_dispatched_total', [
    'group',
    'resource',
  ]);
  readonly #storeSeconds = new Histogram(
    'etcd_request_duration_seconds',
    ['group', 'operation', 'resource'],
    REQUEST_SECONDS,
  );
  readonly #storeRequests = new Counter('etcd_requests_total', ['group', 'operation', 'resource']);
  readonly #storeErrors = new Counter('etcd_request_errors_total', [
    'group',
    'operation',
    'resource',
  ]);
  readonly #bodies = new Histogram(
    'apiserver_request_body_size_bytes',
    ['group', 'resource', 'verb'],
    BODY_BYTES,
  );
  readonly #responses = new Histogram(
    'apiserver_response_sizes',
    ['component', 'group', 'resource', 'scope', 'subresource', 'verb', 'version'],
    RESPONSE_BYTES,
  );

  readonly podSecurity = new PodSecurityCounts();
  readonly signing = new SigningCounts();
  readonly manifests: ManifestCounts;

  /** `now` in ms, never going back; `wallMs` of the wall's clock; `id` of this server among others. */
  constructor(now: () => number, wallMs: () => number, id: string) {
    this.#now = now;
    this.manifests = new ManifestCounts(id, wallMs);
  }

  async #timed<T>(
    work: () => Promise<T>,
    done: (seconds: number, failed: boolean) => void,
  ): Promise<T> {
    const startedAt = this.#now();
    const seconds = (): number => (this.#now() - startedAt) / 1_000;
    try {
      const result = await work();
      done(seconds(), false);
      return result;
    } catch (error) {
      done(seconds(), true);
      throw error;
    }
  }

  /** Of one plugin, or of one of all that change or judge. */
  readonly admission: AdmissionTimes = {
    now: () => this.#now(),
    plugin: (step, rejected, ms) => {
      const keys = rejected ? this.#rejectedSteps : this.#passedSteps;
      let key = keys.get(step);
      if (key === undefined) {
        const { name, operation, type } = step;
        key = keyOfLabels([name, operation, String(rejected), type]);
        keys.set(step, key);
      }
      this.#plugins.observeAt(key, ms / 1_000);
    },
    step: ({ operation, type }, rejected, ms) =>
      this.#steps.observe([operation, String(rejected), type], ms / 1_000),
  };

  async authentication<T>(work: () => Promise<T>): Promise<T> {
    return await this.#timed(work, (seconds, failed) =>
      this.#authentications.observe([failed ? 'failure' : 'success'], seconds),
    );
  }

  /** `resultOf` names how it ended. */
  async authorization<T>(work: () => Promise<T> | T, resultOf: (value: T) => string): Promise<T> {
    const startedAt = this.#now();
    const value = await work();
    this.#authorizations.observe([resultOf(value)], (this.#now() - startedAt) / 1_000);
    return value;
  }

  /** One event of `bytes`, sent to so many. */
  watched({ group, version, resource }: AskedResource, bytes: number, receivers: number): void {
    this.#watchEvents.add([group, resource, version], receivers);
    this.#watchBytes.observe([group, resource, version], bytes);
  }

  received({ group, resource }: AskedResource, events: number): void {
    this.#received.add([group, resource], events);
    this.#dispatched.add([group, resource], events);
  }

  stored(operation: string, [group, resource]: readonly [string, string], seconds: number): void {
    this.#storeSeconds.observe([group, operation, resource], seconds);
    this.#storeRequests.add([group, operation, resource]);
  }

  failedToStore(operation: string, [group, resource]: readonly [string, string]): void {
    this.#storeErrors.add([group, operation, resource]);
  }

  asked({ group, resource }: AskedResource, verb: string, bytes: number): void {
    if (WITH_BODY.includes(verb)) this.#bodies.observe([group, resource, verb], bytes);
  }

  answered(
    { group, version, resource }: AskedResource,
    how: { readonly scope: string; readonly subresource: string; readonly verb: string },
    bytes: number,
  ): void {
    const { scope, subresource, verb } = how;
    this.#responses.observe(
      ['apiserver', group, resource, scope, subresource, verb, version],
      bytes,
    );
  }

  lines(): string[] {
    return this.#all().flatMap((one) => one.lines());
  }

  reset(): void {
    for (const one of this.#all()) one.reset();
  }

  #all(): readonly Metric[] {
    return [
      this.#plugins,
      this.#steps,
      this.#authentications,
      this.#authorizations,
      this.#watchEvents,
      this.#watchBytes,
      this.#received,
      this.#dispatched,
      this.#storeSeconds,
      this.#storeRequests,
      this.#storeErrors,
      this.#bodies,
      this.#responses,
      this.podSecurity,
      this.signing,
      this.manifests,
    ];
  }
}

export function internalMetrics({ clock }: Pick<Env, 'clock'>): InternalMetrics {
  const id = identityName(hostname());
  return new InternalMetrics(
    () => clock.monotonicMs(),
    () => clock.now(),
    id,
  );
}
