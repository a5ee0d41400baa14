// What the framework core needs of a pod object.
import type { KubeObject } from '#kube/meta/object.ts';
import { notedAttempt } from '#kube/meta/task-id.ts';
import { projectPod } from '#kube/scheduler/project.ts';
import type { PodView } from './types.ts';

type Json = Record<string, unknown>;

/** Another scheduler is to place it, and has not yet. */
export function isPodOfOthers(pod: KubeObject): boolean {
  const scheduler = pod['spec']?.schedulerName ?? 'default-scheduler';
  return scheduler !== 'default-scheduler' && !pod['spec']?.nodeName;
}

export function podView(pod: KubeObject): PodView {
  const statuses = (pod['status']?.containerStatuses ?? []) as Json[];
  return {
    pod: projectPod(pod),
    phase: String(pod['status']?.phase ?? 'Pending'),
    isDeleting: pod.metadata.deletionTimestamp !== undefined,
    hasStarted: statuses.some(hasStarted),
    attempt: notedAttempt(pod.metadata.annotations),
  };
}

function hasStarted(status: Json): boolean {
  const state = (status['state'] ?? {}) as Json;
  return (
    state['running'] !== undefined ||
    state['terminated'] !== undefined ||
    Number(status['restartCount'] ?? 0) > 0
  );
}
