// The cells of a pod: its status in one word, ready containers, restarts (printPod of Kubernetes v1.37).
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

interface Ended {
  readonly reason?: string;
  readonly signal?: number;
  readonly exitCode?: number;
}

interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly started?: boolean;
  readonly restartCount?: number;
  readonly state?: {
    readonly waiting?: { readonly reason?: string };
    readonly terminated?: Ended;
    readonly running?: Json;
  };
  readonly lastState?: { readonly terminated?: { readonly finishedAt?: string } };
}

/** What is gathered container by container. */
interface Count {
  readonly reason: string;
  readonly ready: number;
  readonly restarts: Restarts;
}

interface Restarts {
  readonly count: number;
  /** When the last one ended; '' when none did. */
  readonly last: string;
}

const none: Restarts = { count: 0, last: '' };

function withRestarts(sum: Restarts, { restartCount = 0, lastState }: ContainerStatus): Restarts {
  const ended = lastState?.terminated?.finishedAt ?? '';
  return { count: sum.count + restartCount, last: ended > sum.last ? ended : sum.last };
}

function endReason({ reason, signal, exitCode }: Ended, prefix: string): string {
  if (reason !== undefined && reason !== '') return prefix + reason;
  return signal === undefined || signal === 0
    ? `${prefix}ExitCode:${exitCode ?? 0}`
    : `${prefix}Signal:${signal}`;
}

function isTrue(pod: KubeObject, type: unknown): boolean {
  return ((pod['status']?.conditions ?? []) as readonly Json[]).some(
    (one) => one['type'] === type && one['status'] === 'True',
  );
}

/** `reason` is undefined when all init containers are done; then only sidecars' restarts count. */
function initCount(pod: KubeObject): Omit<Count, 'reason'> & { reason: string | undefined } {
  const specs = (pod['spec']?.initContainers ?? []) as readonly Json[];
  const statuses = (pod['status']?.initContainerStatuses ?? []) as readonly ContainerStatus[];
  let [all, sidecars, ready] = [none, none, 0];
  for (const [index, status] of statuses.entries()) {
    const { terminated, waiting } = status.state ?? {};
    const spec = specs.find((one) => one['name'] === status.name);
    const isSidecar = spec?.['restartPolicy'] === 'Always';
    all = withRestarts(all, status);
    if (isSidecar) sidecars = withRestarts(sidecars, status);
    if (terminated !== undefined && (terminated.exitCode ?? 0) === 0) continue;
    if (isSidecar && status.started === true) {
      if (status.ready === true) ready += 1;
      continue;
    }
    const waits = waiting?.reason ?? '';
    const reason =
      terminated !== undefined
        ? endReason(terminated, 'Init:')
        : waits !== '' && waits !== 'PodInitializing'
          ? `Init:${waits}`
          : `Init:${index}/${specs.length}`;
    return { reason, ready, restarts: isTrue(pod, 'Initialized') ? sidecars : all };
  }
  return { reason: undefined, ready, restarts: sidecars };
}

function mainCount(pod: KubeObject, before: Count): Count {
  const statuses = (pod['status']?.containerStatuses ?? []) as readonly ContainerStatus[];
  let { reason, ready, restarts } = before;
  let [hasRunning, failure] = [false, ''];
  for (const status of statuses.toReversed()) {
    const { waiting, terminated, running } = status.state ?? {};
    restarts = withRestarts(restarts, status);
    if (waiting?.reason !== undefined && waiting.reason !== '') reason = waiting.reason;
    else if (terminated !== undefined) {
      reason = endReason(terminated, '');
      if ((terminated.exitCode ?? 0) !== 0) failure = reason;
    } else if (status.ready === true && running !== undefined) {
      hasRunning = true;
      ready += 1;
    }
  }
  if (reason !== 'Completed') return { reason, ready, restarts };
  if (hasRunning && isTrue(pod, 'Ready')) return { reason: 'Running', ready, restarts };
  if (failure !== '') return { reason: failure, ready, restarts };
  return { reason: hasRunning ? 'NotReady' : reason, ready, restarts };
}

function countOf(pod: KubeObject): Count {
  const status = pod['status'] ?? {};
  const isGated = ((status.conditions ?? []) as readonly Json[]).some(
    (one) => one['type'] === 'PodScheduled' && one['reason'] === 'SchedulingGated',
  );
  const { reason: waiting, ...init } = initCount(pod);
  const first = isGated ? 'SchedulingGated' : String(status.reason || status.phase || '');
  const count = { ...init, reason: waiting ?? first };
  return waiting === undefined || isTrue(pod, 'Initialized') ? mainCount(pod, count) : count;
}

function gatesText(pod: KubeObject): string {
  const gates = (pod['spec']?.readinessGates ?? []) as readonly Json[];
  if (gates.length === 0) return '<none>';
  return `${gates.filter((gate) => isTrue(pod, gate['conditionType'])).length}/${gates.length}`;
}

export function podCells(pod: KubeObject, now: number): unknown[] {
  const [spec, status] = [pod['spec'] ?? {}, pod['status'] ?? {}];
  const { ready, restarts, ...counted } = countOf(pod);
  const isGoing = pod.metadata.deletionTimestamp !== undefined;
  const isOver = status.phase === 'Succeeded' || status.phase === 'Failed';
  let { reason } = counted;
  if (isGoing && status.reason === 'NodeLost') reason = 'Unknown';
  else if (isGoing && !isOver) reason = 'Terminating';
  const sidecars = ((spec.initContainers ?? []) as readonly Json[]).filter(
    (one) => one['restartPolicy'] === 'Always',
  );
  const total = ((spec.containers ?? []) as readonly unknown[]).length + sidecars.length;
  const { count, last } = restarts;
  return [
    pod.metadata.name,
    `${ready}/${total}`,
    reason,
    count > 0 && last !== '' ? `${count} (${age(last, now)} ago)` : String(count),
    age(pod.metadata.creationTimestamp, now),
    status.podIPs?.[0]?.ip || status.podIP || '<none>',
    spec.nodeName || '<none>',
    status.nominatedNodeName || '<none>',
    gatesText(pod),
  ];
}
