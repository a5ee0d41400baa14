// Ranges of service addresses are ready once they are held by a finalizer, and go when no address is left that
// only they hold (kubernetes v1.37, pkg/controller/servicecidrs). Pure.
import { nothing, statusUpdate, type Decision } from '#kube/controllers/effects.ts';
import { holds, holdsAddress } from '#kube/meta/ip-ranges.ts';
import { ADDRESS_MANAGER, MANAGED_BY } from '#kube/meta/service-addresses.ts';
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';

const FINALIZER = 'networking.k8s.io/service-cidr-finalizer';
/** Until every API server knows that the range is going, and takes no address from it. */
const GRACE_MS = 10_000;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

const rangesOf = (object: KubeObject): string[] => (object['spec']?.cidrs ?? []) as string[];

/** Whether an address would belong to no range if this one were gone. */
export function isNeeded(
  range: KubeObject,
  all: readonly KubeObject[],
  addresses: readonly KubeObject[],
): boolean {
  const { name } = range.metadata;
  const others = all.filter(({ metadata }) => metadata.name !== name).flatMap(rangesOf);
  const own = rangesOf(range);
  if (own.every((cidr) => others.some((other) => holds(other, cidr)))) return false;
  return addresses.some(({ metadata }) => {
    const { name: ip = '', labels = {} } = metadata;
    if (labels[MANAGED_BY] !== ADDRESS_MANAGER) return false;
    return (
      own.some((cidr) => holdsAddress(cidr, ip)) && !others.some((other) => holdsAddress(other, ip))
    );
  });
}

function withCondition(
  resource: GroupVersionResource,
  range: KubeObject,
  condition: Condition,
  now: string,
): Decision {
  const before = (range['status']?.conditions ?? []) as (Condition & {
    lastTransitionTime?: string;
  })[];
  const old = before.find(({ type }) => type === condition.type);
  const isSame = old?.reason === condition.reason && old.message === condition.message;
  if (isSame && old.status === condition.status) return nothing;
  const since = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now;
  const others = before.filter(({ type }) => type !== condition.type);
  const conditions = [...others, { ...condition, lastTransitionTime: since }];
  return { effects: statusUpdate(resource, range, { ...range['status'], conditions }) };
}

/** `now` in ms and as objects have it. */
export function reconcileRange(
  resource: GroupVersionResource,
  range: KubeObject,
  others: { readonly all: readonly KubeObject[]; readonly addresses: readonly KubeObject[] },
  now: { readonly ms: number; readonly text: string },
): Decision {
  const { finalizers = [], deletionTimestamp } = range.metadata;
  const isHeld = finalizers.includes(FINALIZER);
  const hold = (next: readonly string[]): Decision => {
    const object = { ...range, metadata: { ...range.metadata, finalizers: [...next] } };
    return { effects: [{ kind: 'update', resource, object }] };
  };
  if (deletionTimestamp === undefined) {
    // The condition comes with the change that this makes.
    if (!isHeld) return hold([...finalizers, FINALIZER]);
    const message = 'Kubernetes Service CIDR is ready';
    const ready = { type: 'Ready', status: 'True', reason: '', message };
    return withCondition(resource, range, ready, now.text);
  }
  if (!isHeld) return nothing;
  if (isNeeded(range, others.all, others.addresses)) {
    const message =
      'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';
    const going = { type: 'Ready', status: 'False', reason: 'Terminating', message };
    return withCondition(resource, range, going, now.text);
  }
  const leftMs = Date.parse(deletionTimestamp) + GRACE_MS - now.ms;
  if (leftMs > 0) return { effects: [], againInMs: leftMs };
  return hold(finalizers.filter((one) => one !== FINALIZER));
}
