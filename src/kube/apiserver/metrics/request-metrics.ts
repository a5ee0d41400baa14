// Requests as Prometheus counts them: how many by what they asked for and how they ended, how long they
// took, how many are under way. Names, labels and buckets of kube-apiserver v1.37 (the stable ones).
import type { RequestInfo } from '#kube/apiserver/request-info.ts';
import { Distribution, escaped, REQUEST_SECONDS } from './metric-set.ts';

const verbs: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'LIST',
  watch: 'WATCH',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
};
const connecting: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);
const readOnly: ReadonlySet<string> = new Set(['GET', 'LIST', 'WATCH', 'HEAD']);

export function verbOf(info: RequestInfo, isApply: boolean): string {
  if (info.subresource !== undefined && connecting.has(info.subresource)) {
    return info.subresource === 'log' ? 'GET' : 'CONNECT';
  }
  if (isApply) return 'APPLY';
  return verbs[info.verb] ?? (info.isResource ? 'other' : info.verb.toUpperCase());
}

export function scopeOf({ isResource, name, verb, namespace }: RequestInfo): string {
  if (name !== undefined || (isResource && verb === 'create')) return 'resource';
  if (namespace !== undefined) return 'namespace';
  return isResource ? 'cluster' : '';
}

export interface ObservedRequest {
  readonly info: RequestInfo;
  /** Of a resource that is served; others are counted together, or anybody could make labels. */
  readonly isKnown: boolean;
  readonly isApply: boolean;
}

export class RequestMetrics {
  readonly #totals = new Map<string, number>();
  readonly #durations = new Map<string, Distribution>();
  readonly #judged = new Map<string, Distribution>();
  readonly #longRunning = new Map<string, number>();
  readonly #inFlight = { mutating: 0, readOnly: 0 };

  /** Call what it returns when the answer has ended: `seconds` since then, with its status. */
  begin({ info, isKnown, isApply }: ObservedRequest): (status: number, seconds: number) => void {
    const verb = verbOf(info, isApply);
    const {
      group,
      version,
      resource,
      subresource = '',
    } = isKnown ? info : { group: '', version: '', resource: '' };
    const scope = isKnown || !info.isResource ? scopeOf(info) : '';
    const component = 'component="apiserver"';
    const asked =
      `group="${escaped(group)}",resource="${escaped(resource)}",scope="${scope}",` +
      `subresource="${escaped(subresource)}",verb="${escaped(verb)}",version="${escaped(version)}"`;
    const isLong = verb === 'WATCH' || verb === 'CONNECT' || info.query.get('follow') === 'true';
    const kind = readOnly.has(verb) ? 'readOnly' : 'mutating';
    const long = isLong ? `${component},${asked}` : undefined;
    if (long === undefined) this.#inFlight[kind] += 1;
    else this.#longRunning.set(long, (this.#longRunning.get(long) ?? 0) + 1);
    return (status, seconds) => {
      if (long === undefined) this.#inFlight[kind] -= 1;
      else this.#longRunning.set(long, (this.#longRunning.get(long) ?? 1) - 1);
      const dryRun = info.query.getAll('dryRun').includes('All') ? 'All' : '';
      const labels = `${component},dry_run="${dryRun}",${asked}`;
      const total = `code="${status}",${labels}`;
      this.#totals.set(total, (this.#totals.get(total) ?? 0) + 1);
      observe(this.#durations, labels, seconds);
      // What is agreed upon is how long those take that end by themselves.
      if (long === undefined) observe(this.#judged, `${component},${asked}`, seconds);
    };
  }

  /** What is under way is not forgotten. */
  reset(): void {
    for (const one of [this.#totals, this.#durations, this.#judged]) one.clear();
  }

  /** Lines of the Prometheus text format. */
  lines(): string[] {
    return [
      '# TYPE apiserver_current_inflight_requests gauge',
      ...Object.entries(this.#inFlight).map(
        ([kind, count]) => `apiserver_current_inflight_requests{request_kind="${kind}"} ${count}`,
      ),
      '# TYPE apiserver_longrunning_requests gauge',
      ...[...this.#longRunning].map(
        ([labels, count]) => `apiserver_longrunning_requests{${labels}} ${count}`,
      ),
      '# TYPE apiserver_request_total counter',
      ...[...this.#totals].map(([labels, count]) => `apiserver_request_total{${labels}} ${count}`),
      '# TYPE apiserver_request_duration_seconds histogram',
      ...[...this.#durations].flatMap(([labels, durations]) =>
        durations.lines('apiserver_request_duration_seconds', labels),
      ),
      '# TYPE apiserver_request_sli_duration_seconds histogram',
      ...[...this.#judged].flatMap(([labels, durations]) =>
        durations.lines('apiserver_request_sli_duration_seconds', labels),
      ),
    ];
  }
}

function observe(all: Map<string, Distribution>, labels: string, seconds: number): void {
  all.getOrInsertComputed(labels, () => new Distribution(REQUEST_SECONDS)).observe(seconds);
}
