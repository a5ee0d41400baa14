// Validates objects before they are stored: metadata of every kind here, the kinds' own rules in the
// other validation files. Field paths, reasons and words as kube-apiserver v1.37 has them.
import { isObject, list, notNegative, record, selectorShown, type Json } from './field-rules.ts';
import {
  forbidden,
  invalidShown,
  invalidValue,
  nameProblem,
  requiredValue,
  validateAnnotations,
  validateLabels,
  type NameRule,
} from './names.ts';
import { shownAs } from './go-shown.ts';
import type { KubeObject } from './object.ts';
import type { ResourceInfo } from './resource-info.ts';
import { same } from '#base/same.ts';
import { compareQuantities } from './quantity.ts';
import type { StatusCause } from './status.ts';
import { webhookRules } from './validation-webhooks.ts';
import { serviceAddressChanges } from './validation-service-addresses.ts';
import { validateApiService } from './validation-api-services.ts';
import { attachmentRules, attachmentUpdateRules } from './validation-attachments.ts';
import { clusterRules, clusterUpdateRules, validateNewEvent } from './validation-cluster.ts';
import { deviceClaimRules, deviceClaimUpdateRules } from './validation-device-claims.ts';
import { validateSlice, validateSliceUpdate } from './validation-device-slices.ts';
import { definitionRules } from './validation-definitions.ts';
import { validateJobUpdate } from './validation-job-changes.ts';
import { networkRules } from './validation-network.ts';
import { objectRules, validateFinalizers, validateNodeUpdate } from './validation-objects.ts';
import { validateQuotaUpdate } from './validation-quotas.ts';
import { validateVolumeUpdate } from './validation-persistent-volumes.ts';
import { validatePodSpec, validatePodUpdate } from './validation-pods.ts';
import { validateStatus } from './validation-status.ts';
import { workloadRules } from './validation-workloads.ts';

const nameRules: Readonly<Record<string, NameRule>> = {
  '/Namespace': 'label-without-dots',
  '/Service': 'label',
  'apps/StatefulSet': 'label-without-dots',
  '/Event': 'path-segment',
  'networking.k8s.io/IPAddress': 'address',
  'policy/PodDisruptionBudget': 'path-segment',
  'certificates.k8s.io/CertificateSigningRequest': 'path-segment',
  'apiregistration.k8s.io/APIService': 'path-segment',
  'rbac.authorization.k8s.io/Role': 'path-segment',
  'rbac.authorization.k8s.io/ClusterRole': 'path-segment',
  'rbac.authorization.k8s.io/RoleBinding': 'path-segment',
  'rbac.authorization.k8s.io/ClusterRoleBinding': 'path-segment',
};

const keyOf = (info: ResourceInfo): string => `${info.group}/${info.kind}`;

function validateOwners(owners: unknown): StatusCause[] {
  const field = 'metadata.ownerReferences';
  const causes = list(owners).flatMap((owner, index) =>
    ['apiVersion', 'kind', 'name', 'uid']
      .filter((name) => !owner[name])
      .map((name) => requiredValue(`${field}[${index}].${name}`, 'must not be empty')),
  );
  const controllers = list(owners).filter(({ controller }) => controller === true);
  const [first, second] = controllers;
  if (first !== undefined && second !== undefined) {
    const [a, b] = [first, second].map(({ kind, name }) => `${String(kind)}/${String(name)}`);
    const why = `Only one reference can have Controller set to true. Found "true" in references for ${a ?? ''} and ${b ?? ''}`;
    causes.push(invalidValue(field, owners, why));
  }
  return causes;
}

/** Kinds whose names are judged by the declarations of the API, which count bytes. */
const declaredNames = new Set(['/ReplicationController', 'resource.k8s.io/DeviceClass']);

/** Bundles of a signer are named after it, colons and all; what follows is a name. */
function withoutSigner(info: ResourceInfo, { metadata, spec }: KubeObject): KubeObject['metadata'] {
  const signer = record(spec)['signerName'];
  if (keyOf(info) !== 'certificates.k8s.io/ClusterTrustBundle' || !signer) return metadata;
  const prefix = `${String(signer).replaceAll('/', ':')}:`;
  const { name = '' } = metadata;
  if (name === '') return metadata;
  // One that is not is refused as such (validation-certificates.ts).
  return { ...metadata, name: name.startsWith(prefix) ? name.slice(prefix.length) : 'signed' };
}

function isUnsignedBundle(info: ResourceInfo, { spec }: KubeObject): boolean {
  const isBundle = keyOf(info) === 'certificates.k8s.io/ClusterTrustBundle';
  return isBundle && !record(spec)['signerName'];
}

function validateMetadata(info: ResourceInfo, object: KubeObject): StatusCause[] {
  const { metadata } = object;
  const causes: StatusCause[] = [];
  const rule = nameRules[keyOf(info)] ?? 'subdomain';
  const { name, generateName } = withoutSigner(info, object);
  if (generateName !== undefined && generateName !== '') {
    // A prefix may end where a name may not.
    const wrong = nameProblem(rule, generateName.replace(/-$/, 'a'));
    if (wrong !== undefined) {
      causes.push(invalidValue('metadata.generateName', generateName, wrong));
    }
  }
  if (name === undefined || name === '') {
    causes.push(requiredValue('metadata.name', 'name or generateName is required'));
  } else {
    const wrong =
      isUnsignedBundle(info, object) && name.includes(':')
        ? 'ClusterTrustBundle without signer name must not have ":" in its name'
        : nameProblem(rule, name);
    const inBytes = declaredNames.has(keyOf(info)) ? wrong?.replace(/characters$/, 'bytes') : wrong;
    // The whole name is shown, though it is the rest that is wrong.
    if (inBytes !== undefined) causes.push(invalidValue('metadata.name', metadata.name, inBytes));
  }
  return [
    ...causes,
    ...notNegative('metadata.generation', metadata.generation),
    ...validateLabels(metadata.labels, 'metadata.labels'),
    ...validateAnnotations(metadata.annotations, 'metadata.annotations'),
    ...validateOwners(metadata.ownerReferences),
    ...validateFinalizers(metadata.finalizers ?? [], hasOwnFinalizers(info)),
  ];
}

const extensionGroups = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io']);

function hasOwnFinalizers(info: ResourceInfo): boolean {
  return info.customResourceDefinition === undefined && !extensionGroups.has(info.group);
}

type Rule = (object: KubeObject, old?: KubeObject) => StatusCause[];

const rules: Readonly<Record<string, Rule>> = {
  '/Pod': (object) => validatePodSpec(object['spec'], 'spec', object.metadata.name),
  ...workloadRules,
  ...networkRules,
  ...objectRules,
  ...definitionRules,
  ...webhookRules,
  ...clusterRules,
  'apiregistration.k8s.io/APIService': validateApiService,
  ...attachmentRules,
  ...deviceClaimRules,
  'resource.k8s.io/ResourceSlice': validateSlice,
};

function validateBoth(info: ResourceInfo, object: KubeObject, old?: KubeObject): StatusCause[] {
  return [...validateMetadata(info, object), ...(rules[keyOf(info)]?.(object, old) ?? [])];
}

/** Of a file that this server is configured by, which may have names that nobody may make. */
export const validateManifest = (info: ResourceInfo, object: KubeObject): StatusCause[] =>
  validateBoth(info, object);

const STATIC = '.static.k8s.io';

export function validateCreate(info: ResourceInfo, object: KubeObject): StatusCause[] {
  const causes = validateBoth(info, object);
  const isPod = keyOf(info) === '/Pod';
  const { name = '' } = object.metadata;
  if (info.group === 'admissionregistration.k8s.io' && name.endsWith(STATIC)) {
    const why = `names ending with "${STATIC}" are reserved for static manifest-based configurations and cannot be managed via the API`;
    causes.push(invalidValue('metadata.name', name, why));
  }
  if (keyOf(info) === 'events.k8s.io/Event') causes.push(...validateNewEvent(object));
  if (isPod && list(record(object['spec'])['ephemeralContainers']).length > 0) {
    causes.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'));
  }
  return causes;
}

// ---- updates ----

const immutable: Readonly<Record<string, readonly string[]>> = {
  'apps/Deployment': ['spec.selector'],
  'apps/ReplicaSet': ['spec.selector'],
  'apps/DaemonSet': ['spec.selector'],
  'apps/StatefulSet': ['spec.selector'],
  'rbac.authorization.k8s.io/RoleBinding': ['roleRef'],
  'rbac.authorization.k8s.io/ClusterRoleBinding': ['roleRef'],
  'node.k8s.io/RuntimeClass': ['handler'],
  'networking.k8s.io/IngressClass': ['spec.controller'],
  'discovery.k8s.io/EndpointSlice': ['addressType'],
  'storage.k8s.io/StorageClass': [
    'provisioner',
    'parameters',
    'reclaimPolicy',
    'volumeBindingMode',
  ],
  '/Secret': ['type'],
};

/** Kinds whose message shows nothing of the value (their type has no JSON of its own in the message). */
const hidesValue = new Set([
  'storage.k8s.io/StorageClass',
  'discovery.k8s.io/EndpointSlice',
  'node.k8s.io/RuntimeClass',
]);

function at(object: unknown, path: string): unknown {
  return path.split('.').reduce((value, key) => (value as Json | undefined)?.[key], object);
}

type UpdateRule = (object: KubeObject, old: KubeObject) => StatusCause[];

const validateServiceUpdate: UpdateRule = (object, old) => {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  const why = 'may not change once set';
  const causes = serviceAddressChanges(spec, before);
  const isBalanced = spec['type'] === 'LoadBalancer' && before['type'] === 'LoadBalancer';
  const [name, had] = [spec['loadBalancerClass'] ?? null, before['loadBalancerClass'] ?? null];
  if (isBalanced && name !== had) {
    causes.push(invalidValue('spec.loadBalancerClass', name, why));
  }
  const port = 'healthCheckNodePort';
  const isChecked =
    isBalanced && spec['externalTrafficPolicy'] === 'Local' && before[port] !== undefined;
  if (isChecked && before['externalTrafficPolicy'] === 'Local' && spec[port] !== before[port]) {
    causes.push(forbidden(`spec.${port}`, 'field is immutable'));
  }
  return causes;
};

const validateDataUpdate: UpdateRule = (object, old) => {
  if (old['immutable'] !== true) return [];
  const why = 'field is immutable when `immutable` is set';
  const causes: StatusCause[] = [];
  if (object['immutable'] !== true) causes.push(forbidden('immutable', why));
  for (const field of ['data', 'binaryData']) {
    if (!same(object[field], old[field])) causes.push(forbidden(field, why));
  }
  return causes;
};

const statefulSetFixed: Readonly<Record<string, string>> = {
  volumeClaimTemplates: '[@PersistentVolumeClaim',
  serviceName: 'v',
  podManagementPolicy: 'v',
};

const validateStatefulSetUpdate: UpdateRule = (object, old) => {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  return Object.entries(statefulSetFixed).flatMap(([name, type]) => {
    if (same(spec[name], before[name])) return [];
    const next = spec[name] ?? (name === 'serviceName' ? '' : null);
    return [invalidShown(`spec.${name}`, shownAs(type, next), 'field is immutable')];
  });
};

/** The volume may be named once; a claim that has one may ask for more of it. */
const validateClaimUpdate: UpdateRule = (object, old) => {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  const isBound = record(object['status'])['phase'] === 'Bound';
  const sizeOf = (one: Json): unknown => record(record(one['resources'])['requests'])['storage'];
  const rest = (one: Json): Json => {
    const { volumeName, volumeAttributesClassName, storageClassName, resources, ...kept } = one;
    const { storage, ...requests } = record(record(resources)['requests']);
    return {
      ...kept,
      resources: { ...record(resources), requests },
      ...(before['volumeName'] ? { volumeName } : {}),
      ...(before['storageClassName'] === undefined ? {} : { storageClassName }),
      ...(isBound ? {} : { volumeAttributesClassName, storage }),
    };
  };
  const causes: StatusCause[] = [];
  if (!same(rest(spec), rest(before))) {
    const why =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
    causes.push(forbidden('spec', why));
  }
  const has = record(record(old['status'])['capacity'])['storage'] ?? '0';
  const { volumeMode = null } = spec;
  if (volumeMode !== (before['volumeMode'] ?? null)) {
    causes.push(invalidValue('volumeMode', volumeMode, 'field is immutable'));
  }
  const isLess = compareQuantities(sizeOf(spec) ?? '0', sizeOf(before) ?? '0') < 0;
  if (isLess && compareQuantities(sizeOf(spec) ?? '0', has) <= 0) {
    const field = 'spec.resources.requests.storage';
    causes.push(forbidden(field, 'field can not be less than status.capacity'));
  }
  return causes;
};

const updateRules: Readonly<Record<string, UpdateRule>> = {
  ...clusterUpdateRules,
  ...attachmentUpdateRules,
  ...deviceClaimUpdateRules,
  'resource.k8s.io/ResourceSlice': validateSliceUpdate,
  '/Node': validateNodeUpdate,
  '/PersistentVolume': validateVolumeUpdate,
  '/ResourceQuota': validateQuotaUpdate,
  '/Pod': validatePodUpdate,
  '/Service': validateServiceUpdate,
  '/ConfigMap': validateDataUpdate,
  '/Secret': validateDataUpdate,
  '/PersistentVolumeClaim': validateClaimUpdate,
  'apps/StatefulSet': validateStatefulSetUpdate,
  'batch/Job': validateJobUpdate,
  'scheduling.k8s.io/PriorityClass': (object, old) => {
    const { preemptionPolicy: policy } = object as Json;
    const why = 'may not be changed in an update.';
    return [
      ...((object['value'] ?? 0) === (old['value'] ?? 0) ? [] : [forbidden('value', why)]),
      ...(policy === old['preemptionPolicy']
        ? []
        : [invalidValue('preemptionPolicy', policy, 'field is immutable')]),
    ];
  },
};

/** What no update may do to the metadata of an object, at whatever endpoint. */
export function validateMetadataUpdate(object: KubeObject, old: KubeObject): StatusCause[] {
  const [next, before] = [object.metadata, old.metadata];
  const causes: StatusCause[] = [];
  if (before.deletionTimestamp !== undefined) {
    const known = before.finalizers ?? [];
    const added = (next.finalizers ?? []).filter((one) => !known.includes(one));
    if (added.length > 0) {
      const names = added.map((one) => JSON.stringify(one)).join(', ');
      const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${names}}`;
      causes.push(forbidden('metadata.finalizers', why));
    }
  }
  for (const field of ['uid', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if (next[field] === before[field]) continue;
    causes.push(invalidValue(`metadata.${field}`, next[field] ?? null, 'field is immutable'));
  }
  return causes;
}

/** Of a write to the status alone. */
export function validateStatusUpdate(
  info: ResourceInfo,
  object: KubeObject,
  old: KubeObject,
): StatusCause[] {
  return [...validateMetadataUpdate(object, old), ...validateStatus(keyOf(info), object, old)];
}

export function validateUpdate(
  info: ResourceInfo,
  object: KubeObject,
  old: KubeObject,
): StatusCause[] {
  const key = keyOf(info);
  const causes = [...validateMetadataUpdate(object, old), ...validateBoth(info, object, old)];
  for (const path of immutable[key] ?? []) {
    const [before, next] = [at(old, path), at(object, path)];
    if (same(before, next)) continue;
    const shown = hidesValue.has(key) ? null : immutableShown(path, next);
    causes.push(invalidValue(path, shown ?? null, 'field is immutable'));
  }
  causes.push(...(updateRules[key]?.(object, old) ?? []));
  return causes;
}

function immutableShown(path: string, value: unknown): unknown {
  if (path === 'spec.selector') return selectorShown(value);
  if (['spec.controller', 'addressType', 'handler', 'provisioner'].includes(path))
    return value ?? '';
  return path === 'roleRef' ? roleRefShown(value) : value;
}

function roleRefShown(ref: unknown): unknown {
  if (!isObject(ref)) return ref;
  return { APIGroup: ref['apiGroup'] ?? '', Kind: ref['kind'] ?? '', Name: ref['name'] ?? '' };
}
