// The cells of a pod: its status in one word, ready containers, restarts (kubectl get pods, v1.37).
import type { KubeObject } from '#kube/meta/object.ts';
import { age, column, type Column } from './columns.ts';

type Json = Record<string, unknown>;

export const podColumns: readonly Column[] = [
  column('Name'),
  column('Ready'),
  column('Status'),
  column('Restarts'),
  column('Age'),
  column('IP', 'string', 1),
  column('Node', 'string', 1),
  column('Nominated Node', 'string', 1),
  column('Readiness Gates', 'string', 1),
];

interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly started?: boolean;
  readonly restartCount?: number;
  readonly state?: {
    readonly waiting?: { readonly reason?: string };
    readonly terminated?: {
      readonly reason?: string;
      readonly signal?: number;
      readonly exitCode?: number;
    };
    readonly running?: Json;
  };
  readonly lastState?: { readonly terminated?: { readonly finishedAt?: string } };
}

function endReason(
  ended: { reason?: string; signal?: number; exitCode?: number },
  prefix: string,
): string {
  if (ended.reason !== undefined && ended.reason !== '') return prefix + ended.reason;
  return ended.signal === undefined || ended.signal === 0
    ? `${prefix}ExitCode:${ended.exitCode}`
    : `${prefix}Signal:${ended.signal}`;
}

/** What the init containers say; undefined when they are done. */
function initReason(pod: KubeObject, statuses: readonly ContainerStatus[]): string | undefined {
  const specs = (pod['spec']?.initContainers ?? []) as readonly Json[];
  for (const [index, status] of statuses.entries()) {
    const { terminated, waiting } = status.state ?? {};
    if (terminated !== undefined && terminated.exitCode === 0) continue;
    const isSidecar =
      specs.find((one) => one['name'] === status.name)?.['restartPolicy'] === 'Always';
    if (isSidecar && status.started === true) continue;
    if (terminated !== undefined) return endReason(terminated, 'Init:');
    if (
      waiting?.reason !== undefined &&
      waiting.reason !== '' &&
      waiting.reason !== 'PodInitializing'
    ) {
      return `Init:${waiting.reason}`;
    }
    return `Init:${index}/${specs.length}`;
  }
  return undefined;
}

function mainReason(pod: KubeObject, statuses: readonly ContainerStatus[]): string {
  const status = pod['status'] ?? {};
  let reason = String(status.reason || status.phase || 'Unknown');
  let hasRunning = false;
  for (const one of statuses.toReversed()) {
    const { waiting, terminated, running } = one.state ?? {};
    if (waiting?.reason !== undefined && waiting.reason !== '') reason = waiting.reason;
    else if (terminated !== undefined) reason = endReason(terminated, '');
    else if (one.ready === true && running !== undefined) hasRunning = true;
  }
  if (reason !== 'Completed' || !hasRunning) return reason;
  const isReady = ((status.conditions ?? []) as readonly Json[]).some(
    (condition) => condition['type'] === 'Ready' && condition['status'] === 'True',
  );
  return isReady ? 'Running' : 'NotReady';
}

export function podCells(pod: KubeObject, now: number): unknown[] {
  const status = pod['status'] ?? {};
  const inits = (status.initContainerStatuses ?? []) as readonly ContainerStatus[];
  const mains = (status.containerStatuses ?? []) as readonly ContainerStatus[];
  const initial = initReason(pod, inits);
  let reason = initial ?? mainReason(pod, mains);
  if (pod.metadata.deletionTimestamp !== undefined && status.reason === 'NodeLost')
    reason = 'Unknown';
  else if (
    pod.metadata.deletionTimestamp !== undefined &&
    !['Succeeded', 'Failed'].includes(status.phase)
  ) {
    reason = 'Terminating';
  }
  const ready = mains.filter(
    (one) => one.ready === true && one.state?.running !== undefined,
  ).length;
  const counted = initial === undefined ? mains : inits;
  const restarts = counted.reduce((sum, one) => sum + (one.restartCount ?? 0), 0);
  const last =
    counted
      .map((one) => one.lastState?.terminated?.finishedAt ?? '')
      .sort()
      .at(-1) ?? '';
  const restartText =
    restarts > 0 && last !== '' ? `${restarts} (${age(last, now)} ago)` : String(restarts);
  const total = ((pod['spec']?.containers ?? []) as readonly unknown[]).length;
  return [
    pod.metadata.name,
    `${ready}/${total}`,
    reason,
    restartText,
    age(pod.metadata.creationTimestamp, now),
    status.podIP ?? '<none>',
    pod['spec']?.nodeName ?? '<none>',
    status.nominatedNodeName ?? '<none>',
    '<none>',
  ];
}
