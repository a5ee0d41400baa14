// What claims of devices use of a quota: devices by class, and the extended resources that stand for a class, as
// pkg/quota/v1/evaluator/core/resource_claims.go of Kubernetes v1.37 has it.
import type { KubeObject } from './object.ts';
import { formatQuantity, parseQuantity } from './quantity.ts';

type Json = Record<string, unknown>;

/** What the usage of a claim depends on beside itself. */
export interface DeviceFacts {
  readonly classes: readonly KubeObject[];
  /** Of the namespace; needed for claims that were made for a pod's extended resources. */
  readonly pods: readonly KubeObject[];
  readonly claims: readonly KubeObject[];
}

const COUNT = 'count/resourceclaims.resource.k8s.io';
const DEVICES = '.deviceclass.resource.k8s.io/devices';
/** The extended resource that every class has. */
const IMPLICIT = 'deviceclass.resource.kubernetes.io/';
const REQUESTS = 'requests.';
const MADE_FOR_POD = 'resource.kubernetes.io/extended-resource-claim';
/** No claim is given more devices. */
const ALL_DEVICES_MAX = 32;

const record = (value: unknown): Json => (value ?? {}) as Json;
const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

export const isImplicitName = (name: string): boolean => name.startsWith(IMPLICIT);

const extendedNameOf = (deviceClass: KubeObject | undefined): string =>
  String(record(deviceClass?.['spec'])['extendedResourceName'] ?? '');

/** Whether a quota of the name may be one of devices; which of them are, the classes say. */
export const maybeOfDevices = (name: string): boolean =>
  name === COUNT || name.endsWith(DEVICES) || (name.startsWith(REQUESTS) && name.includes('/'));

/** Those of the names that claims of devices use. */
export function deviceNames(names: readonly string[], classes: readonly KubeObject[]): string[] {
  return names.filter((name) => {
    if (name === COUNT || name.endsWith(DEVICES)) return true;
    if (!name.startsWith(REQUESTS) || !name.includes('/')) return false;
    const asked = name.slice(REQUESTS.length);
    return classes.some((one) =>
      isImplicitName(asked)
        ? one.metadata.name === asked.slice(IMPLICIT.length)
        : extendedNameOf(one) === asked,
    );
  });
}

function devicesOf(request: Json): number {
  if (request['allocationMode'] === 'All') return ALL_DEVICES_MAX;
  return request['allocationMode'] === 'ExactCount' ? Number(request['count'] ?? 0) : 0;
}

/** By class; of several choices the most that each class may have to give. */
function devicesByClass(claim: KubeObject): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const add = (name: string, count: number): void =>
    void counts.set(name, (counts.get(name) ?? 0) + count);
  for (const request of list(record(record(claim['spec'])['devices'])['requests'])) {
    const choices = list(request['firstAvailable']);
    if (choices.length > 0) {
      const most = new Map<string, number>();
      for (const choice of choices) {
        const name = String(choice['deviceClassName'] ?? '');
        most.set(name, Math.max(most.get(name) ?? 0, devicesOf(choice)));
      }
      for (const [name, count] of most) if (count > 0) add(name, count);
      continue;
    }
    // v1beta1 has it in the request itself.
    const exact = record(request['exactly'] ?? request);
    if (exact['deviceClassName'] === undefined) continue;
    add(String(exact['deviceClassName']), devicesOf(exact));
  }
  return counts;
}

/** What is left when the pod has been charged for some; undefined for nothing. */
function withoutPod(count: number, charged: string | undefined): string | undefined {
  const all = parseQuantity(String(count));
  if (all === undefined) return undefined;
  const nano = all.nano - (parseQuantity(charged ?? '0')?.nano ?? 0n);
  return nano > 0n ? formatQuantity({ ...all, nano }) : undefined;
}

/** `charged`: what the pod of `podOfClaim` uses. */
export function deviceClaimUsage(
  claim: KubeObject,
  classes: readonly KubeObject[],
  charged: Readonly<Record<string, string>>,
): Record<string, string> {
  const used: Record<string, string> = { [COUNT]: '1' };
  for (const [name, count] of devicesByClass(claim)) {
    used[`${name}${DEVICES}`] = String(count);
    if (name === '') continue;
    const extended = extendedNameOf(classes.find((one) => one.metadata.name === name));
    for (const each of [`${IMPLICIT}${name}`, extended]) {
      const left = withoutPod(count, charged[`${REQUESTS}${each}`]);
      if (each !== '' && left !== undefined) used[`${REQUESTS}${each}`] = left;
    }
  }
  return used;
}

const controllerOf = ({ metadata }: KubeObject) =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

export const isMadeForPod = (claim: KubeObject): boolean =>
  claim.metadata.annotations?.[MADE_FOR_POD] === 'true';

/** The pod that a claim was made for: what the pod was charged for, the claim is not charged for again. */
export function podOfClaim(claim: KubeObject, facts: DeviceFacts): KubeObject | undefined {
  const owner = isMadeForPod(claim) ? controllerOf(claim) : undefined;
  if (owner?.kind !== 'Pod' || owner.apiVersion !== 'v1') return undefined;
  const pod = facts.pods.find(
    ({ metadata: { name, uid } }) => name === owner.name && uid === owner.uid,
  );
  if (pod === undefined) return undefined;
  const told = record(pod['status'])['extendedResourceClaimStatus'];
  if (told !== undefined) {
    return record(told)['resourceClaimName'] === claim.metadata.name ? pod : undefined;
  }
  // The pod does not say which one is its: the first that was made for it.
  const order = ({ metadata: { creationTimestamp = '', name = '' } }: KubeObject): string =>
    `${creationTimestamp} ${name}`;
  const isEarlier = (other: KubeObject): boolean =>
    isMadeForPod(other) && controllerOf(other)?.uid === owner.uid && order(other) < order(claim);
  return facts.claims.some(isEarlier) ? undefined : pod;
}
