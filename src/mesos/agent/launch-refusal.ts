// Why an agent launches nothing of what it is told to launch: as whom, at what time, out of what.
import type {
  ExecutorInfo,
  FrameworkInfo,
  Resource,
  TaskInfo,
  TaskStatus_Reason,
} from '#wire/mesos/v1.ts';

export interface LaunchRules {
  /** Why tasks may not be launched as whom they want to. */
  readonly barred: (framework: FrameworkInfo, tasks: readonly TaskInfo[]) => string | undefined;
  /** Defined while no more is launched. */
  readonly draining: unknown;
  readonly hasResources: (resources: readonly Resource[]) => boolean;
}

export interface Wanted {
  readonly framework: FrameworkInfo;
  readonly executor: ExecutorInfo;
  readonly tasks: readonly TaskInfo[];
}

export function launchRefusal(
  rules: LaunchRules,
  { framework, executor, tasks }: Wanted,
  isGroup: boolean,
): [TaskStatus_Reason, string] | undefined {
  const barred = rules.barred(framework, tasks);
  if (barred !== undefined) {
    return [isGroup ? 'REASON_TASK_GROUP_UNAUTHORIZED' : 'REASON_TASK_UNAUTHORIZED', barred];
  }
  if (rules.draining !== undefined) {
    return ['REASON_AGENT_DRAINING', 'Task was received while agent was already draining'];
  }
  // What it was launched with got lost on the way; launched again, it may be there.
  const user = !tasks.every((task) => rules.hasResources(task.resources ?? []))
    ? 'task or task group'
    : !rules.hasResources(executor.resources ?? [])
      ? 'executor'
      : undefined;
  if (user === undefined) return undefined;
  const why = `The checkpointed resources being used by the ${user} are unknown to the agent`;
  return ['REASON_RESOURCES_UNKNOWN', why];
}
