// What the end of a task means: whether it is one, and whether the launch took place at all.
import type { PodState } from './pod-records.ts';
import type { TaskStatus } from './types.ts';

const endStates: ReadonlySet<string> = new Set([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
  'TASK_UNKNOWN',
]);

/** Why a launch came to nothing without anybody's fault. */
const retriedReasons: ReadonlySet<string> = new Set([
  'REASON_RECONCILIATION',
  'REASON_INVALID_OFFERS',
  'REASON_AGENT_DISCONNECTED',
  'REASON_SLAVE_DISCONNECTED',
  'REASON_MASTER_DISCONNECTED',
]);

export function isEnd({ state }: TaskStatus): boolean {
  return endStates.has(state);
}

/** The master or agent says that the launch did not take place, so that it may be tried again. */
export function neverLaunched(state: PodState, status: TaskStatus): boolean {
  const isOpen = state.kind === 'unknown' || (state.kind === 'launched' && !state.isConfirmed);
  return isOpen && retriedReasons.has(status.reason) && status.source !== 'SOURCE_EXECUTOR';
}
