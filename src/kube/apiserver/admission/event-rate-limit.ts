// EventRateLimit: events by server, namespace, user, or source and object, each a bucket that fills again;
// off unless --enable-admission-plugins names it.
import { Fault } from '#base/fault.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { AdmissionPlugin, AdmissionRequest, Json } from './request.ts';

interface Limit {
  readonly type: string;
  readonly qps: number;
  readonly burst: number;
  readonly cacheSize?: number;
}

const CACHE_DEFAULT = 4_096;

type KeyOf = (request: AdmissionRequest) => string;

const keys: Readonly<Record<string, KeyOf>> = {
  Server: () => '',
  Namespace: ({ namespace = '' }) => namespace,
  User: ({ user }) => user.name,
  SourceAndObject: ({ object }) => {
    const source = (object?.['source'] ?? object?.['deprecatedSource'] ?? {}) as Json;
    const about = (object?.['involvedObject'] ?? object?.['regarding'] ?? {}) as Json;
    const { kind, namespace, name, uid, apiVersion } = about;
    return [source['component'], source['host'], kind, namespace, name, uid, apiVersion]
      .map((one) => String(one ?? ''))
      .join('');
  },
};

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** The buckets of one limit; the one that was not used for longest goes when there are too many. */
class Buckets {
  readonly #limit: Limit;
  readonly #all = new Map<string, Bucket>();

  constructor(limit: Limit) {
    this.#limit = limit;
  }

  /** What is said of a request that is too much; `now` in ms. */
  refusal(request: AdmissionRequest, now: number): string | undefined {
    const { type, qps, burst, cacheSize = 0 } = this.#limit;
    const key = keys[type]?.(request) ?? '';
    const { tokens, at } = this.#all.get(key) ?? { tokens: burst, at: now };
    const filled = Math.min(burst, tokens + (Math.max(0, now - at) / 1_000) * qps);
    const isAllowed = filled >= 1;
    this.#all.delete(key);
    this.#all.set(key, { tokens: isAllowed ? filled - 1 : filled, at: now });
    const [oldest] = this.#all.keys();
    if (oldest !== undefined && this.#all.size > (cacheSize || CACHE_DEFAULT))
      this.#all.delete(oldest);
    return isAllowed ? undefined : `limit reached on type ${type} for key ${key}`;
  }
}

function checked(config: unknown): readonly Limit[] {
  const limits = ((config as Json | undefined)?.['limits'] ?? []) as Limit[];
  const problems = limits.flatMap(({ type, qps, burst }, i) => [
    ...(keys[type] === undefined ? [`limits[${i}].type: Unsupported value: "${type}"`] : []),
    ...(burst > 0 ? [] : [`limits[${i}].burst: Invalid value: ${burst}: must be positive`]),
    ...(qps > 0 ? [] : [`limits[${i}].qps: Invalid value: ${qps}: must be positive`]),
  ]);
  if (limits.length === 0) problems.push('limits: Invalid value: null: must not be empty');
  if (problems.length === 0) return limits;
  throw new Fault(
    { code: 'bad-configuration' },
    `Cannot use the configuration of EventRateLimit: ${problems.join(', ')}`,
  );
}

/** Throws Fault for a configuration that cannot be used. */
export function eventRateLimit(config: unknown): AdmissionPlugin {
  const all = checked(config).map((limit) => new Buckets(limit));
  return {
    name: 'EventRateLimit',
    validate(request, { now }) {
      const { info, operation, isDryRun } = request;
      if (info.kind !== 'Event' || isDryRun) return;
      if (operation !== 'CREATE' && operation !== 'UPDATE') return;
      const words = all.flatMap((one) => one.refusal(request, now()) ?? []);
      if (words.length === 0) return;
      const text = words.length === 1 ? words[0] : `[${words.join(', ')}]`;
      throw new ApiError(429, 'TooManyRequests', `Too many requests: ${text}`);
    },
  };
}
