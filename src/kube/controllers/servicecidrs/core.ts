// Ranges of service addresses are ready once they are held by a finalizer, and go when no address is left that
// only they hold (kubernetes v1.37, pkg/controller/servicecidrs). IPv4, as services here are. Pure.
import { nothing, statusUpdate, type Decision } from '#kube/controllers/effects.ts';
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

/** undefined for what is no IPv4 address. */
function numberOf(ip: string): number | undefined {
  const parts = ip.split('.').map(Number);
  if (parts.length !== 4 || parts.some((one) => !(one >= 0 && one <= 255))) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** First and last number of an IPv4 range. */
function span(cidr: string): readonly [first: number, last: number] | undefined {
  const [base = '', bits = ''] = cidr.split('/');
  const number = numberOf(base);
  if (number === undefined) return undefined;
  const size = 2 ** (32 - Number(bits));
  const first = Math.floor(number / size) * size;
  return [first, first + size - 1];
}

function holds(outer: string, inner: string): boolean {
  const [wide, narrow] = [span(outer), span(inner)];
  if (wide === undefined || narrow === undefined) return outer === inner;
  return wide[0] <= narrow[0] && narrow[1] <= wide[1];
}

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
    const address = `${metadata.name}/32`;
    const isOwn = own.some((cidr) => holds(cidr, address));
    return isOwn && !others.some((other) => holds(other, address));
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
