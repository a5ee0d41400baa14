// Counters of each framework: calls, events, offers, operations and ends of tasks, under the names
// of Mesos 1.11 (`master/frameworks/<name>/<id>/…`).
import { metricName, MetricList, type MetricName } from '#mesos/libprocess/metric-list.ts';
import type { Task } from '#wire/mesos/v1.ts';
import { rolesOf } from './roles.ts';
import type { FrameworkRecord } from './types.ts';

const calls = [
  'accept',
  'accept_inverse_offers',
  'acknowledge',
  'acknowledge_operation_status',
  'decline',
  'decline_inverse_offers',
  'kill',
  'message',
  'reconcile',
  'reconcile_operations',
  'request',
  'revive',
  'shutdown',
  'subscribe',
  'suppress',
  'teardown',
  'update_framework',
];
const events = [
  'error',
  'failure',
  'heartbeat',
  'inverse_offers',
  'message',
  'offers',
  'rescind',
  'rescind_inverse_offer',
  'subscribed',
  'update',
  'update_operation_status',
];
const operations = [
  'create',
  'create_disk',
  'destroy',
  'destroy_disk',
  'grow_volume',
  'launch',
  'launch_group',
  'reserve',
  'shrink_volume',
  'unreserve',
];
const active = ['killing', 'running', 'staging', 'starting', 'unknown', 'unreachable'];
const terminal = [
  'dropped',
  'error',
  'failed',
  'finished',
  'gone',
  'gone_by_operator',
  'killed',
  'lost',
];

/** Every name that is there from the start. */
const names: readonly string[] = [
  'calls',
  ...calls.map((one) => `calls/${one}`),
  'events',
  ...events.map((one) => `events/${one}`),
  ...['accepted', 'declined', 'rescinded', 'sent'].map((one) => `offers/${one}`),
  'operations',
  ...operations.map((one) => `operations/${one}`),
  ...active.map((one) => `tasks/active/task_${one}`),
  ...terminal.map((one) => `tasks/terminal/task_${one}`),
];

export function isUnreachable({ state }: Task): boolean {
  return state === 'TASK_UNREACHABLE';
}

export class FrameworkMetrics {
  readonly #counts = new Map<string, Map<string, number>>();
  /** By the ids of frameworks. */
  readonly #names = new Map<string, ShownNames>();

  count(frameworkId: string, name: string, by = 1): void {
    let mine = this.#counts.get(frameworkId);
    if (mine === undefined) {
      mine = new Map();
      this.#counts.set(frameworkId, mine);
    }
    mine.set(name, (mine.get(name) ?? 0) + by);
  }

  /** `kind` and `kind/type`: the sum and its part. */
  countOf(
    frameworkId: string,
    kind: 'calls' | 'events' | 'operations',
    type: string,
    by = 1,
  ): void {
    this.count(frameworkId, kind, by);
    this.count(frameworkId, `${kind}/${type.toLowerCase()}`, by);
  }

  forget(frameworkId: string): void {
    this.#counts.delete(frameworkId);
    this.#names.delete(frameworkId);
  }

  /** Of all of them, under full names. */
  list(
    frameworks: Iterable<FrameworkRecord>,
    isSuppressed: (framework: FrameworkRecord, role: string) => boolean,
  ): MetricList {
    const shown = [...frameworks].map((framework) => ({
      framework,
      names: this.#namesOf(framework),
    }));
    const list = new MetricList();
    for (const { framework, names } of shown.toSorted((a, b) =>
      a.names.prefix < b.names.prefix ? -1 : 1,
    )) {
      const counts = this.#counts.get(framework.id) ?? none;
      const now = valuesNow(framework, (role) => isSuppressed(framework, role));
      for (const [i, name] of names.full.entries()) {
        const short = names.short[i] ?? '';
        list.add(name, (counts.get(short) ?? 0) + (now.get(short) ?? 0));
      }
    }
    return list;
  }

  /** Names are long and many: they are made when a framework is looked at first, and when its roles change. */
  #namesOf({ id, info }: FrameworkRecord): ShownNames {
    const roles = rolesOf(info);
    const known = this.#names.get(id);
    if (known !== undefined && known.roles.join() === roles.join()) return known;
    const prefix = `master/frameworks/${encodeURIComponent(info.name)}/${id}/`;
    const suppressed = roles.map((role) => `roles/${role}/suppressed`);
    const short = [...new Set([...names, 'subscribed', ...suppressed])].toSorted();
    const made = { prefix, roles, short, full: short.map((one) => metricName(prefix + one)) };
    this.#names.set(id, made);
    return made;
  }
}

interface ShownNames {
  readonly prefix: string;
  readonly roles: readonly string[];
  /** In their order; `full` are the same. */
  readonly short: readonly string[];
  readonly full: readonly MetricName[];
}

const none: ReadonlyMap<string, number> = new Map();

/** What is no count of what has happened. */
function valuesNow(
  framework: FrameworkRecord,
  isSuppressed: (role: string) => boolean,
): ReadonlyMap<string, number> {
  const now = new Map<string, number>();
  for (const [state, count] of framework.states)
    now.set(`tasks/active/${state.toLowerCase()}`, count);
  const unreachable = [...framework.unreachableTasks.values()];
  now.set('tasks/active/task_unreachable', unreachable.filter(isUnreachable).length);
  now.set('subscribed', framework.connection === undefined ? 0 : 1);
  for (const role of rolesOf(framework.info)) {
    now.set(`roles/${role}/suppressed`, isSuppressed(role) ? 1 : 0);
  }
  return now;
}
