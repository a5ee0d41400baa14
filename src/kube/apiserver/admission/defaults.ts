// Classes that are used when none is named (storage, ingress), claims that may grow, labels of topology.
import type { KubeObject } from '#kube/meta/object.ts';
import { compareQuantities } from '#kube/meta/quantity.ts';
import {
  forbiddenBy,
  isOf,
  isPodCreation,
  type AdmissionPlugin,
  type AdmissionRequest,
  type Json,
} from './request.ts';

/** The newest of those that are marked; of the same age the first by name. */
function defaultOf(
  all: readonly KubeObject[],
  annotations: readonly string[],
): KubeObject | undefined {
  const marked = all.filter(({ metadata }) =>
    annotations.some((key) => metadata.annotations?.[key] === 'true'),
  );
  return marked.toSorted((a, b) => {
    const [x = '', y = ''] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
    if (x !== y) return x < y ? 1 : -1;
    return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
  })[0];
}

export const defaultStorageClass: AdmissionPlugin = {
  name: 'DefaultStorageClass',
  async mutate(request, { lookup }) {
    const { object, operation, subresource } = request;
    const isClaim = isOf(request, '', 'persistentvolumeclaims') && subresource === undefined;
    if (!isClaim || operation !== 'CREATE' || object === undefined) return;
    const spec = object['spec'] as Json;
    const beta = object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'];
    if (spec['storageClassName'] !== undefined || beta !== undefined) return;
    const all = await lookup.list('storage.k8s.io', 'storageclasses', undefined);
    const found = defaultOf(all, [
      'storageclass.kubernetes.io/is-default-class',
      'storageclass.beta.kubernetes.io/is-default-class',
    ]);
    if (found !== undefined) spec['storageClassName'] = found.metadata.name;
  },
};

export const defaultIngressClass: AdmissionPlugin = {
  name: 'DefaultIngressClass',
  async mutate(request, { lookup }) {
    const { object, operation, subresource } = request;
    const isIngress = isOf(request, 'networking.k8s.io', 'ingresses') && subresource === undefined;
    if (!isIngress || operation !== 'CREATE' || object === undefined) return;
    const spec = object['spec'] as Json;
    const old = object.metadata.annotations?.['kubernetes.io/ingress.class'];
    if (spec['ingressClassName'] !== undefined || old !== undefined) return;
    const all = await lookup.list('networking.k8s.io', 'ingressclasses', undefined);
    const found = defaultOf(all, ['ingressclass.kubernetes.io/is-default-class']);
    if (found !== undefined) spec['ingressClassName'] = found.metadata.name;
  },
};

function sizeOf(claim: KubeObject): unknown {
  const resources = (claim['spec'] as Json | undefined)?.['resources'] as Json | undefined;
  return (resources?.['requests'] as Json | undefined)?.['storage'];
}

export const claimResize: AdmissionPlugin = {
  name: 'PersistentVolumeClaimResize',
  async validate(request, { lookup }) {
    const { object, old, operation, subresource } = request;
    const isClaim = isOf(request, '', 'persistentvolumeclaims') && subresource === undefined;
    if (!isClaim || operation !== 'UPDATE' || object === undefined || old === undefined) return;
    if (compareQuantities(sizeOf(object), sizeOf(old)) <= 0) return;
    if (old['status']?.phase !== 'Bound') {
      throw forbiddenBy(request, 'Only bound persistent volume claims can be expanded');
    }
    const name = String((object['spec'] as Json)['storageClassName'] ?? '');
    const found =
      name === ''
        ? undefined
        : await lookup.get('storage.k8s.io', 'storageclasses', undefined, name);
    if (found?.['allowVolumeExpansion'] === true) return;
    const why =
      'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';
    throw forbiddenBy(request, why);
  },
};

/** Objects that stay as long as somebody uses them: a controller takes the finalizer away then. */
const protectedKinds: Readonly<Record<string, string>> = {
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
};

export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  mutate({ operation, info, object, subresource }) {
    const finalizer = protectedKinds[`${info.group}/${info.resource}`];
    if (finalizer === undefined || operation !== 'CREATE' || subresource !== undefined) return;
    if (object === undefined || object.metadata.finalizers?.includes(finalizer) === true) return;
    object.metadata.finalizers = [...(object.metadata.finalizers ?? []), finalizer];
  },
};

const NOT_READY = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };

/** New nodes take no pods before a controller has seen that they are ready. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  mutate(request) {
    const { operation, object, subresource } = request;
    if (!isOf(request, '', 'nodes') || operation !== 'CREATE' || subresource !== undefined) return;
    if (object === undefined) return;
    const spec = (object['spec'] ??= {}) as Json;
    const taints = (spec['taints'] ?? []) as (typeof NOT_READY)[];
    const { key, effect } = NOT_READY;
    if (taints.some((one) => one.key === key && one.effect === effect)) return;
    spec['taints'] = [...taints, { ...NOT_READY }];
  },
};

const topology = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

/** Of a pod that has it already, or a binding that gives it (its labels become the pod's). */
function nodeOf(request: AdmissionRequest, object: KubeObject): string {
  if (isPodCreation(request)) return String((object['spec'] as Json)['nodeName'] ?? '');
  if (!isOf(request, '', 'pods') || request.subresource !== 'binding') return '';
  const { kind, name = '' } = (object['target'] ?? {}) as Record<string, string>;
  return kind === 'Node' ? name : '';
}

/** A pod with a node learns where the node is. */
export const podTopologyLabels: AdmissionPlugin = {
  name: 'PodTopologyLabels',
  async mutate(request, { lookup }) {
    const { object } = request;
    if (object === undefined) return;
    const name = nodeOf(request, object);
    if (name === '') return;
    const node = await lookup.get('', 'nodes', undefined, name);
    const labels = Object.entries(node?.metadata.labels ?? {}).filter(([key]) =>
      topology.includes(key),
    );
    if (labels.length === 0) return;
    object.metadata.labels = { ...object.metadata.labels, ...Object.fromEntries(labels) };
  },
};
