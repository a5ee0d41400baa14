// Task states and the status updates that the master makes itself.
import type {
  FrameworkInfo,
  Task,
  TaskStatus,
  TaskStatus_Reason,
  TaskState,
} from '#wire/mesos/v1.ts';
import { hasCapability } from './roles.ts';

/** Frameworks without PARTITION_AWARE know only TASK_LOST for all of these. */
export function stateFor(info: FrameworkInfo, state: TaskState): TaskState {
  const isNew = [
    'TASK_DROPPED',
    'TASK_UNREACHABLE',
    'TASK_GONE',
    'TASK_GONE_BY_OPERATOR',
    'TASK_UNKNOWN',
  ];
  return isNew.includes(state) && !hasCapability(info, 'PARTITION_AWARE') ? 'TASK_LOST' : state;
}

export interface OwnStatus {
  readonly taskId: string;
  readonly agentId?: string | undefined;
  readonly state: TaskState;
  readonly reason: TaskStatus_Reason;
  readonly message: string;
  readonly now: number;
  readonly executorId?: string | undefined;
}

/** An update of the master's own: no uuid, so nobody acknowledges it. */
export function masterStatus(own: OwnStatus): TaskStatus {
  const { taskId, agentId, state, reason, message, now, executorId } = own;
  return {
    task_id: { value: taskId },
    state,
    message,
    source: 'SOURCE_MASTER',
    reason,
    timestamp: now / 1_000,
    ...(agentId === undefined ? {} : { agent_id: { value: agentId } }),
    ...(executorId === undefined || executorId === ''
      ? {}
      : { executor_id: { value: executorId } }),
  };
}

/** Keeps the history of a task: a repeated state replaces the last entry. */
export function recordStatus(task: Task, status: TaskStatus): void {
  const { data: _data, ...kept } = status;
  // The ids are those of the task: kept once.
  const { task_id, agent_id, executor_id } = task;
  if (kept.task_id.value === task_id.value) kept.task_id = task_id;
  if (kept.agent_id?.value === agent_id.value) kept.agent_id = agent_id;
  if (executor_id !== undefined && kept.executor_id?.value === executor_id.value) {
    kept.executor_id = executor_id;
  }
  const statuses = task.statuses ?? [];
  if (statuses.at(-1)?.state === status.state) statuses.pop();
  statuses.push(kept);
  task.statuses = statuses;
}
