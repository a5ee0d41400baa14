// Decides, after a restart of the agent, which tasks of a built-in executor go on and how.
import type { Task, TaskInfo } from '#wire/mesos/v1.ts';
import type { TaskMemory, TaskPast } from './core.ts';

export interface ResumedTask<Process> {
  readonly memory: TaskMemory;
  /** Undefined: it has never started. */
  readonly process: Process | undefined;
  readonly past: Omit<TaskPast, 'startedAt'>;
}

export interface Resumption<Process> {
  readonly resumed: readonly ResumedTask<Process>[];
  /** What the executor names when it subscribes: the agent tells of all others that they dropped. */
  readonly named: readonly TaskInfo[];
}

/**
 * `launched`: what the agent had given to the executor and has not ended; `memories`: what the
 * executor's earlier life kept; `found`: processes by task id, running or ended.
 */
export function resumable<Process>(
  launched: readonly Task[],
  memories: readonly TaskMemory[],
  found: ReadonlyMap<string, Process>,
  killGraceMs: number,
): Resumption<Process> {
  const resumed: ResumedTask<Process>[] = [];
  const named: TaskInfo[] = [];
  for (const task of launched) {
    const taskId = task.task_id.value;
    const process = found.get(taskId);
    const known = memories.find((one) => one.taskId === taskId);
    // Never started and never spoken of: the core tells that it was dropped.
    if (process === undefined && known?.task === undefined && task.state === 'TASK_STAGING')
      continue;
    const grace = task.kill_policy?.grace_period?.nanoseconds;
    const memory = known ?? {
      taskId,
      container: containerOf(task),
      group: undefined,
      graceMs: grace === undefined ? killGraceMs : grace / 1e6,
      completeBy: undefined,
      task: undefined,
    };
    const last = (task.statuses ?? []).findLast((one) => one.state === 'TASK_RUNNING');
    const past = {
      wasReportedRunning: last !== undefined,
      checks: { healthy: last?.healthy, status: last?.check_status },
    };
    resumed.push({ memory, process, past });
    named.push({ name: task.name, task_id: task.task_id, agent_id: task.agent_id });
  }
  return { resumed, named };
}

/** As its last status told it. */
function containerOf(task: Task): string {
  const id = (task.statuses ?? []).at(-1)?.container_status?.container_id;
  return id?.value ?? task.task_id.value;
}
