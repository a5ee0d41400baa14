// What Prometheus is told of priority and fairness: names, labels and buckets of kube-apiserver v1.37.
import { Distribution } from '#kube/apiserver/metrics/metric-set.ts';
import type { Level, Levels } from './levels.ts';

/** Upper bounds, in seconds. */
const BUCKETS = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30] as const;
const PREFIX = 'apiserver_flowcontrol_';

const seconds = (): Distribution => new Distribution(BUCKETS);

/** Of one flow schema on one level. */
export class FlowCounts {
  dispatched = 0;
  executing = 0;
  executingSeats = 0;
  waiting = 0;
  waitingSeats = 0;
  readonly rejected = new Map<string, number>();
  waited = seconds();
  waitedInVain = seconds();
  executed = seconds();

  /** What is under way stays. */
  reset(): void {
    this.dispatched = 0;
    this.rejected.clear();
    this.waited = seconds();
    this.waitedInVain = seconds();
    this.executed = seconds();
  }

  reject(reason: string): void {
    this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + 1);
  }
}

const escaped = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"');

function gauge(name: string, lines: readonly string[], type = 'gauge'): string[] {
  return lines.length === 0 ? [] : [`# TYPE ${PREFIX}${name} ${type}`, ...lines];
}

function ofLevels(name: string, levels: readonly Level[], of: (one: Level) => number): string[] {
  return gauge(
    name,
    levels.map((one) => `${PREFIX}${name}{priority_level="${escaped(one.name)}"} ${of(one)}`),
  );
}

export class FlowMetrics {
  /** By level and schema. */
  readonly #counts = new Map<string, { labels: string; counts: FlowCounts }>();

  countsOf(level: string, schema: string): FlowCounts {
    const labels = `flow_schema="${escaped(schema)}",priority_level="${escaped(level)}"`;
    let found = this.#counts.get(labels);
    if (found === undefined) {
      found = { labels, counts: new FlowCounts() };
      this.#counts.set(labels, found);
    }
    return found.counts;
  }

  reset(): void {
    for (const { counts } of this.#counts.values()) counts.reset();
  }

  lines(levels: Levels): string[] {
    const all = levels.all();
    const flows = [...this.#counts.values()];
    const each = (name: string, of: (one: FlowCounts) => number, type = 'gauge'): string[] =>
      gauge(
        name,
        flows.map(({ labels, counts }) => `${PREFIX}${name}{${labels}} ${of(counts)}`),
        type,
      );
    const rejected = flows.flatMap(({ labels, counts }) =>
      [...counts.rejected].map(
        ([reason, count]) =>
          `${PREFIX}rejected_requests_total{${labels},reason="${reason}"} ${count}`,
      ),
    );
    const waits = `${PREFIX}request_wait_duration_seconds`;
    const runs = `${PREFIX}request_execution_seconds`;
    return [
      ...each('dispatched_requests_total', (one) => one.dispatched, 'counter'),
      ...gauge('rejected_requests_total', rejected, 'counter'),
      ...each('current_inqueue_requests', (one) => one.waiting),
      ...each('current_inqueue_seats', (one) => one.waitingSeats),
      ...each('current_executing_requests', (one) => one.executing),
      ...each('current_executing_seats', (one) => one.executingSeats),
      ...ofLevels('nominal_limit_seats', all, ({ limits }) => limits.nominal),
      ...ofLevels('lower_limit_seats', all, ({ limits }) => limits.min),
      ...ofLevels('upper_limit_seats', all, ({ limits }) => limits.max),
      ...ofLevels('current_limit_seats', all, (one) => one.currentLimit),
      ...ofLevels('target_seats', all, (one) => one.target),
      ...ofLevels('demand_seats_high_watermark', all, ({ demand }) => demand.highWatermark),
      ...ofLevels('demand_seats_average', all, ({ demand }) => demand.average),
      ...ofLevels('demand_seats_stdev', all, ({ demand }) => demand.deviation),
      ...ofLevels('demand_seats_smoothed', all, ({ demand }) => demand.smoothed),
      ...ofLevels('current_r', all, ({ queues }) => queues.currentR / 1_000),
      ...gauge('seat_fair_frac', [`${PREFIX}seat_fair_frac ${levels.fairFraction}`]),
      `# TYPE ${waits} histogram`,
      ...flows.flatMap(({ labels, counts }) => [
        ...counts.waited.lines(waits, `execute="true",${labels}`),
        ...counts.waitedInVain.lines(waits, `execute="false",${labels}`),
      ]),
      `# TYPE ${runs} histogram`,
      ...flows.flatMap(({ labels, counts }) =>
        counts.executed.lines(runs, `${labels},type="regular"`),
      ),
    ];
  }
}
