// Decides whether a kubelet still speaks for its node: by the heartbeats of its status and the renewals of
// its lease. Pure.
import { nodes } from '#kube/client/resources.ts';
import type { Decision } from '#kube/controllers/effects.ts';
import { conditionsOf, findCondition, timestamp, type Condition } from '#kube/meta/conditions.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export const LEASES = 'kube-node-lease';

/** Upstream's word for nodes that have never said anything of themselves, and how long they may take to. */
const NEVER = 'NodeStatusNeverUpdated';
const STARTUP_MS = 60_000;
/** How long one may be silent (`--node-monitor-grace-period` of v1.37). */
const GRACE_MS = 50_000;
const posted = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** What was heard of a node, by this process' clock: those of machines differ. */
export interface Health {
  readonly heardAt: number;
  readonly isReported: boolean;
  readonly heartbeat: string | undefined;
  readonly renewed: string | undefined;
}

function ready(node: KubeObject): (Condition & { lastHeartbeatTime?: string }) | undefined {
  return findCondition(conditionsOf(node), 'Ready');
}

/** Anything that is new is a sign of life; a node that was not known before is given its time, too. */
export function observe(
  before: Health | undefined,
  node: KubeObject,
  lease: KubeObject | undefined,
  now: number,
): Health {
  const condition = ready(node);
  const isReported = condition !== undefined;
  const heartbeat = condition?.lastHeartbeatTime;
  const renewed = (lease?.['spec']?.renewTime ?? before?.renewed) as string | undefined;
  const { creationTimestamp = timestamp(now) } = node.metadata;
  const hasRenewed = renewed !== undefined && renewed > (before?.renewed ?? '');
  const isNews =
    before === undefined
      ? isReported || hasRenewed
      : hasRenewed || isReported !== before.isReported || heartbeat !== before.heartbeat;
  const heardAt = isNews ? now : (before?.heardAt ?? Date.parse(creationTimestamp));
  return { heardAt, isReported, heartbeat, renewed };
}

/** How long the node may still be silent; not positive when that is over. */
export function leftMs({ heardAt, isReported }: Health, now: number): number {
  return heardAt + (isReported ? GRACE_MS : STARTUP_MS) - now;
}

/** Nothing more can be said of a node that is told to be unknown already. */
export function isUnknown(node: KubeObject): boolean {
  return ready(node)?.status === 'Unknown';
}

/** What is said of a node that nobody speaks for. */
export function silence(node: KubeObject, now: number): Decision {
  const time = timestamp(now);
  const conditions = conditionsOf(node);
  const stopped = {
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
    lastTransitionTime: time,
  } as const;
  const said = conditions.map((one) =>
    posted.includes(one.type) && one.status !== 'Unknown' ? { ...one, ...stopped } : one,
  );
  const never = posted
    .filter((type) => findCondition(conditions, type) === undefined)
    .map((type) => ({
      type,
      status: 'Unknown',
      reason: NEVER,
      message: 'Kubelet never posted node status.',
      lastHeartbeatTime: node.metadata.creationTimestamp ?? time,
      lastTransitionTime: time,
    }));
  const status = { ...node['status'], conditions: [...said, ...never] };
  const object = { ...node, status };
  return { effects: [{ kind: 'update', resource: nodes, object, subresource: 'status' }] };
}
