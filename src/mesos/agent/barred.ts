// Whether a framework may launch its tasks here as whom they want to run. The master has asked the same,
// but machines may differ in whom they have (Mesos 1.11 asks on both).
import { userOf, type Authorizer } from '#mesos/security/authorizer.ts';
import { stringify } from '#wire/mesos/codec.ts';
import type { FrameworkInfo, TaskInfo } from '#wire/mesos/v1.ts';

/** Why not; undefined when all of them may. */
export function barred(
  authorizer: Authorizer,
  framework: FrameworkInfo,
  tasks: readonly TaskInfo[],
): string | undefined {
  if (authorizer.isOpen) return undefined;
  const approvers = authorizer.ofName(framework.principal);
  const refused = tasks.find((task) => !approvers.may('RUN_TASK', userOf(task, framework)));
  if (refused === undefined) return undefined;
  const id = framework.id?.value ?? '';
  return `Framework ${id} is not authorized to launch task ${stringify('TaskInfo', refused)}`;
}
