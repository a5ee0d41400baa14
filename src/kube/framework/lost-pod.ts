// The status of a pod whose task is gone while its node executor could not tell: nothing of it runs any
// more, and nothing is ready. Upstream's kubelet words containers that it cannot find the same way. Pure.
import type { KubeObject } from '#kube/meta/object.ts';

interface ContainerStatus {
  readonly state?: { readonly terminated?: object; readonly running?: { startedAt?: string } };
  readonly [field: string]: unknown;
}

interface Status {
  readonly phase?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  readonly containerStatuses?: readonly ContainerStatus[];
  readonly initContainerStatuses?: readonly ContainerStatus[];
}

const UNKNOWN = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
};
const NEVER_AGAIN = new Set(['Ready', 'ContainersReady']);

function ended(container: ContainerStatus): ContainerStatus {
  const { state } = container;
  const startedAt = state?.running?.startedAt;
  const unknown = { terminated: { ...UNKNOWN, ...(startedAt === undefined ? {} : { startedAt }) } };
  const now = state?.terminated === undefined ? unknown : state;
  return { ...container, ready: false, started: false, state: now };
}

export function isOver(pod: KubeObject): boolean {
  const { phase } = (pod['status'] ?? {}) as Status;
  return phase === 'Succeeded' || phase === 'Failed';
}

/** A strategic merge patch of `status`; lists of container statuses are whole. */
export function lostPodStatus(
  pod: KubeObject,
  { reason, message, now }: { reason: string; message: string; now: string },
): Record<string, unknown> {
  const status = (pod['status'] ?? {}) as Status;
  const conditions = (status.conditions ?? [])
    .filter(({ type, status: is }) => NEVER_AGAIN.has(type) && is !== 'False')
    .map(({ type }) => ({
      type,
      status: 'False',
      reason: 'PodFailed',
      lastTransitionTime: now,
    }));
  const { containerStatuses: main, initContainerStatuses: init } = status;
  return {
    phase: 'Failed',
    reason,
    message,
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(main === undefined ? {} : { containerStatuses: main.map(ended) }),
    ...(init === undefined ? {} : { initContainerStatuses: init.map(ended) }),
  };
}
