// What is said of task states everywhere.
import type { TaskState } from './v1.ts';

const terminal: ReadonlySet<string> = new Set<TaskState>([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
]);

/** Nothing of the task follows. TASK_UNREACHABLE and TASK_UNKNOWN are no ends: it may come back. */
export function isTerminal(state: TaskState): boolean {
  return terminal.has(state);
}
