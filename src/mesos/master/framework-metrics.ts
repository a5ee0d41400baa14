// Counters of each framework: calls, events, offers, operations and ends of tasks, under the names
// of Mesos 1.11 (`master/frameworks/<name>/<id>/…`).
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
  }

  /** Of one framework, under full names. */
  put(
    metrics: Record<string, number>,
    framework: FrameworkRecord,
    isSuppressed: (role: string) => boolean,
  ): void {
    const prefix = `master/frameworks/${encodeURIComponent(framework.info.name)}/${framework.id}/`;
    const mine = this.#counts.get(framework.id);
    for (const name of names) metrics[prefix + name] = mine?.get(name) ?? 0;
    for (const [state, count] of framework.states) {
      const key = `${prefix}tasks/active/${state.toLowerCase()}`;
      if (key in metrics) metrics[key] = (metrics[key] ?? 0) + count;
    }
    const unreachable = [...framework.unreachableTasks.values()];
    metrics[`${prefix}tasks/active/task_unreachable`] = unreachable.filter(isUnreachable).length;
    metrics[`${prefix}subscribed`] = framework.connection === undefined ? 0 : 1;
    for (const role of rolesOf(framework.info)) {
      metrics[`${prefix}roles/${role}/suppressed`] = isSuppressed(role) ? 1 : 0;
    }
  }
}
