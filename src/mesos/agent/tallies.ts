// What an agent has seen so far, counted as Mesos counts it in its metrics (inventory 10.6).
import type { TaskState } from '#wire/mesos/v1.ts';

/** States of ends that Mesos counts. */
const COUNTED = ['FINISHED', 'FAILED', 'KILLED', 'LOST', 'GONE'] as const;

export class Tallies {
  readonly #ended = new Map<string, number>();
  validUpdates = 0;
  invalidUpdates = 0;
  validMessages = 0;
  invalidMessages = 0;
  executorsTerminated = 0;
  launchErrors = 0;

  ended(state: TaskState): void {
    this.#ended.set(state, (this.#ended.get(state) ?? 0) + 1);
  }

  metrics(): Record<string, number> {
    const ends = COUNTED.map((name): [string, number] => [
      `slave/tasks_${name.toLowerCase()}`,
      this.#ended.get(`TASK_${name}`) ?? 0,
    ]);
    return {
      ...Object.fromEntries(ends),
      'slave/valid_status_updates': this.validUpdates,
      'slave/invalid_status_updates': this.invalidUpdates,
      'slave/valid_framework_messages': this.validMessages,
      'slave/invalid_framework_messages': this.invalidMessages,
      'slave/executors_terminated': this.executorsTerminated,
      'slave/container_launch_errors': this.launchErrors,
    };
  }
}
