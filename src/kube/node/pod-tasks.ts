// Which of the substrate's tasks stands for a pod. Each attempt to launch it is a task of its own; the latest
// that comes here counts, and takes over what an earlier one has begun: a pod never runs twice.
import { podOfTask } from '#kube/meta/task-id.ts';

/** The task that counts for a pod, and whether anything of the pod has begun here. */
export interface PodTask {
  readonly taskId: string;
  readonly hasBegun: boolean;
  readonly hasEnded: boolean;
}

/**
 * - `begin`: nothing of the pod was here, or what was here ended before it began.
 * - `repeat`: it is known; its state is told again.
 * - `take-over`: the earlier attempt is over, and what there is of the pod is this one's.
 * - `refuse`: a later attempt is here.
 */
export type LaunchDecision = 'begin' | 'repeat' | 'take-over' | 'refuse';

export function decideLaunch(known: PodTask | undefined, taskId: string): LaunchDecision {
  if (known === undefined) return 'begin';
  if (known.taskId === taskId) return 'repeat';
  if (podOfTask(taskId).attempt < podOfTask(known.taskId).attempt) return 'refuse';
  return known.hasEnded && !known.hasBegun ? 'begin' : 'take-over';
}
