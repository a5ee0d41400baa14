// What a node may write: its own Node, lease and CSINode, what is about pods that are placed on it
// (NodeRestriction of kubernetes v1.37). What it may ask for at all is the node authorizer's.
import { cloneJson } from '#base/clone.ts';
import { MIRROR_POD, isMirrorPod } from '#kube/meta/pod-references.ts';
import { nodeNameOf } from '#kube/apiserver/user.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { same } from '#base/same.ts';
import { ApiError, notFound } from '#kube/meta/status.ts';
import { subjectOfRequest } from '#kube/pki/signing.ts';
import { apiReferenceOf } from './pod-api-references.ts';
import { checkPodCertificate } from './pod-certificates.ts';
import { checkAudience } from './token-audiences.ts';
import {
  forbiddenBy,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
  type Json,
} from './request.ts';

const LEASES = 'kube-node-lease';

type Check = (
  node: string,
  request: AdmissionRequest,
  services: AdmissionServices,
) => void | Promise<void>;

const quoted = (text: unknown): string => JSON.stringify(text ?? '');

function refuse(request: AdmissionRequest, why: string): never {
  throw forbiddenBy(request, why);
}

/** Of a lister, which names the resource in the singular. */
async function found(
  { lookup }: AdmissionServices,
  resource: string,
  namespace: string | undefined,
  name: string,
): Promise<KubeObject> {
  const object = await lookup.get('', resource, namespace, name);
  if (object === undefined) throw notFound({ group: '', resource: resource.slice(0, -1) }, name);
  return object;
}

const placeOf = (pod: KubeObject | undefined): string => String(pod?.['spec']?.nodeName ?? '');

// ---- pods ----

const pod: Check = async (node, request, services) => {
  const { operation, object, old } = request;
  if (operation === 'CREATE' && object !== undefined) {
    return await createPod(node, object, request, services);
  }
  if (operation !== 'DELETE') {
    refuse(
      request,
      `unexpected operation ${quoted(operation)}, node ${quoted(node)} can only create and delete mirror pods`,
    );
  }
  if (placeOf(old) === node) return;
  refuse(request, `node ${quoted(node)} can only delete pods with spec.nodeName set to itself`);
};

interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

async function createPod(
  node: string,
  object: KubeObject,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<void> {
  const own = quoted(node);
  const can = `node ${own} can only create pods with`;
  if (!isMirrorPod(object)) {
    refuse(
      request,
      `pod does not have ${quoted(MIRROR_POD)} annotation, node ${own} can only create mirror pods`,
    );
  }
  if (placeOf(object) !== node) refuse(request, `${can} spec.nodeName set to itself`);
  const owners = (object.metadata.ownerReferences ?? []) as readonly Owner[];
  if (owners.length > 1) refuse(request, `${can} a single owner reference set to itself`);
  const [owner] = owners;
  const isItself = owner?.apiVersion === 'v1' && owner.kind === 'Node' && owner.name === node;
  if (owner === undefined || !isItself) {
    return refuse(request, `${can} an owner reference set to itself`);
  }
  if (owner.controller !== true) {
    refuse(request, `${can} a controller owner reference set to itself`);
  }
  if (owner.blockOwnerDeletion === true) {
    refuse(request, `node ${own} must not set blockOwnerDeletion on an owner reference`);
  }
  const { metadata } = await found(services, 'nodes', undefined, node);
  if (owner.uid !== metadata.uid) {
    refuse(request, `node ${node} UID mismatch: expected ${owner.uid} got ${metadata.uid}`);
  }
  const reference = apiReferenceOf(object);
  if (reference === undefined) return;
  refuse(request, `node ${own} can not create pods that reference ${reference}`);
}

const podStatus: Check = (node, request) => {
  const { operation, object, old } = request;
  if (operation !== 'UPDATE') refuse(request, `unexpected operation ${quoted(operation)}`);
  const own = quoted(node);
  if (placeOf(old) !== node) {
    refuse(
      request,
      `node ${own} can only update pod status for pods with spec.nodeName set to itself`,
    );
  }
  if (!same(object?.metadata.labels ?? {}, old?.metadata.labels ?? {})) {
    refuse(request, `node ${own} cannot update labels through pod status`);
  }
  const changed = (field: string): boolean =>
    !same(object?.['status']?.[field] ?? [], old?.['status']?.[field] ?? []);
  if (changed('resourceClaimStatuses')) {
    refuse(request, `node ${own} cannot update resource claim statues`);
  }
  if (changed('extendedResourceClaimStatus')) {
    refuse(request, `node ${own} cannot update extended resource claim status`);
  }
  if (changed('nodeAllocatableResourceClaimStatuses')) {
    refuse(request, `node ${own} cannot update node allocatable resource claim statuses`);
  }
};

const eviction: Check = async (node, request, services) => {
  const { operation, namespace, name } = request;
  if (operation !== 'CREATE') refuse(request, `unexpected operation ${operation}`);
  if (placeOf(await found(services, 'pods', namespace, name)) === node) return;
  refuse(request, `node ${node} can only evict pods with spec.nodeName set to itself`);
};

// ---- nodes ----

type Labels = Readonly<Record<string, string>>;

const kubeletLabels = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);

const isIn = (namespace: string, domain: string): boolean =>
  namespace === domain || namespace.endsWith(`.${domain}`);

function isForbiddenLabel(key: string): boolean {
  const namespace = key.includes('/') ? (key.split('/')[0] ?? '') : '';
  if (isIn(namespace, 'node-restriction.kubernetes.io')) return true;
  const isKubernetes = isIn(namespace, 'kubernetes.io') || isIn(namespace, 'k8s.io');
  const isOwn =
    kubeletLabels.has(key) ||
    isIn(namespace, 'kubelet.kubernetes.io') ||
    isIn(namespace, 'node.kubernetes.io');
  return isKubernetes && !isOwn;
}

function forbiddenLabels(next: Labels = {}, old: Labels = {}): string {
  const keys = new Set([...Object.keys(next), ...Object.keys(old)]);
  const changed = [...keys].filter((key) => next[key] !== old[key]);
  return changed.filter(isForbiddenLabel).sort().join(', ');
}

const nodeObject: Check = (node, request) => {
  const { operation, object, old, name } = request;
  const own = quoted(node);
  if (name !== node) refuse(request, `node ${own} is not allowed to modify node ${quoted(name)}`);
  const spec = (one: KubeObject | undefined): Json => (one?.['spec'] ?? {}) as Json;
  const source = spec(object)['configSource'] ?? undefined;
  if (operation === 'CREATE') {
    if (source !== undefined) {
      refuse(request, `node ${own} is not allowed to create pods with a non-nil configSource`);
    }
    const labels = forbiddenLabels(object?.metadata.labels);
    if (labels === '') return;
    refuse(request, `node ${own} is not allowed to set the following labels: ${labels}`);
  }
  if (operation !== 'UPDATE') return;
  if (source !== undefined && !same(source, spec(old)['configSource'])) {
    refuse(
      request,
      `node ${own} is not allowed to update configSource to a new non-nil configSource`,
    );
  }
  if (!same(spec(object)['taints'] ?? [], spec(old)['taints'] ?? [])) {
    refuse(request, `node ${own} is not allowed to modify taints`);
  }
  if (!same(object?.metadata.ownerReferences ?? [], old?.metadata.ownerReferences ?? [])) {
    refuse(request, `node ${own} is not allowed to modify ownerReferences`);
  }
  const labels = forbiddenLabels(object?.metadata.labels, old?.metadata.labels);
  if (labels !== '') refuse(request, `is not allowed to modify labels: ${labels}`);
};

// ---- the others ----

const freeOfClaim = [
  'capacity',
  'conditions',
  'allocatedResourceStatuses',
  'allocatedResources',
] as const;

function fixedOfClaim(object: KubeObject | undefined): unknown {
  const { metadata, status = {}, ...rest } = cloneJson(object ?? ({} as KubeObject));
  const { resourceVersion: _version, managedFields: _fields, ...meta } = metadata ?? {};
  for (const field of freeOfClaim) delete (status as Json)[field];
  return { ...rest, metadata: meta, status };
}

const claim: Check = (node, request) => {
  const { operation, object, old, subresource } = request;
  if (subresource !== 'status') refuse(request, 'may only update PVC status');
  if (operation !== 'UPDATE') refuse(request, `unexpected operation ${quoted(operation)}`);
  if (same(fixedOfClaim(object), fixedOfClaim(old))) return;
  refuse(
    request,
    `node ${quoted(node)} is not allowed to update fields other than status.quantity and status.conditions`,
  );
};

const token: Check = async (node, request, services) => {
  const { operation, object, subresource, namespace } = request;
  if (operation !== 'CREATE' || subresource !== 'token') return;
  const ref = object?.['spec']?.boundObjectRef as Partial<Owner> | null | undefined;
  if (ref?.apiVersion !== 'v1' || ref.kind !== 'Pod' || (ref.name ?? '') === '') {
    return refuse(request, 'node requested token not bound to a pod');
  }
  if ((ref.uid ?? '') === '') {
    refuse(request, 'node requested token with a pod binding without a uid');
  }
  const bound = await found(services, 'pods', namespace, ref.name ?? '');
  if (ref.uid !== bound.metadata.uid) {
    refuse(
      request,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (placeOf(bound) !== node) {
    refuse(request, 'node requested token bound to a pod scheduled on a different node');
  }
  await checkAudience(bound, request, services);
};

const lease: Check = (node, request) => {
  const { namespace, name } = request;
  if (namespace !== LEASES) {
    refuse(request, `can only access leases in the ${quoted(LEASES)} system namespace`);
  }
  if (name === node) return;
  refuse(request, 'can only access node lease with the same name as the requesting node');
};

const csiNode: Check = (node, request) => {
  if (request.name !== node) {
    refuse(request, 'can only access CSINode with the same name as the requesting node');
  }
  if (request.subresource === 'status') refuse(request, 'CSIVolumeHealth feature gate is disabled');
};

const slice: Check = (node, request) => {
  const { operation, object, old } = request;
  const verb = operation === 'CREATE' ? 'create' : operation === 'DELETE' ? 'delete' : undefined;
  if (verb === undefined || placeOf(object ?? old) === node) return;
  refuse(request, `can only ${verb} ResourceSlice with the same NodeName as the requesting node`);
};

const nodeSigners = new Set([
  'kubernetes.io/kubelet-serving',
  'kubernetes.io/kube-apiserver-client-kubelet',
]);

const signingRequest: Check = (node, request) => {
  const { operation, object } = request;
  const { signerName, request: text = '' } = (object?.['spec'] ?? {}) as Record<string, string>;
  if (operation !== 'CREATE' || !nodeSigners.has(signerName ?? '')) return;
  let commonName: string;
  try {
    ({ commonName } = subjectOfRequest(text));
  } catch (error) {
    refuse(request, `unable to parse csr: ${(error as Error).message}`);
  }
  if (commonName === `system:node:${node}`) return;
  refuse(request, `can only create a node CSR with CN=system:node:${node}`);
};

const checks: Readonly<Record<string, Check>> = {
  '/pods': (node, request, services) => {
    const { subresource } = request;
    if (subresource === undefined) return pod(node, request, services);
    if (subresource === 'status') return podStatus(node, request, services);
    if (subresource === 'eviction') return eviction(node, request, services);
    return refuse(
      request,
      `unexpected pod subresource ${quoted(subresource)}, only 'status' and 'eviction' are allowed`,
    );
  },
  '/nodes': nodeObject,
  '/persistentvolumeclaims': claim,
  '/serviceaccounts': token,
  'certificates.k8s.io/certificatesigningrequests': signingRequest,
  'certificates.k8s.io/podcertificaterequests': checkPodCertificate,
  'coordination.k8s.io/leases': lease,
  'storage.k8s.io/csinodes': csiNode,
  'resource.k8s.io/resourceslices': slice,
};

export const nodeRestriction: AdmissionPlugin = {
  name: 'NodeRestriction',
  async mutate(request, services) {
    const { user, info, operation } = request;
    const node = nodeNameOf(user);
    if (node === undefined || operation === 'CONNECT') return;
    if (node === '') {
      refuse(request, `could not determine node from user ${quoted(user.name)}`);
    }
    try {
      await checks[`${info.group}/${info.resource}`]?.(node, request, services);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      // What may only be late: not refused for ever.
      throw new ApiError(500, 'InternalError', `Internal error occurred: ${String(error)}`);
    }
  },
};
