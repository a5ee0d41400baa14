// Validates persistent volumes, and volumes that an attachment describes by itself, as kube-apiserver v1.37 does.
import { isObject, list, named, needed, oneOf, record, type Json } from './field-rules.ts';
import { forbidden, invalidValue, requiredValue, unsupported } from './names.ts';
import type { KubeObject } from './object.ts';
import { same } from '#base/same.ts';
import { compareQuantities } from './quantity.ts';
import type { StatusCause } from './status.ts';
import { accessModeCauses, volumeModes } from './validation-claims.ts';
import { nodeSelector } from './validation-node-selectors.ts';
import { driverName, remoteVolumeRules } from './validation-remote-volumes.ts';
import { hostPath, localVolume } from './validation-volumes.ts';

type Rule = (source: Json, field: string, volumeName: string) => StatusCause[];

/** What is said of a volume whatever its kind. */
const settings = new Set([
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
]);

function secretNamed(source: Json, field: string, parts: readonly string[]): StatusCause[] {
  const { secretRef } = source;
  if (secretRef === undefined) return [];
  return parts.flatMap((part) => needed(`${field}.secretRef.${part}`, record(secretRef)[part]));
}

const remote = (kind: string): Rule => remoteVolumeRules[kind] ?? (() => []);
const both = ['name', 'namespace'] as const;

const ISCSI_LENGTH_MAX = 64;

const iscsi: Rule = (source, field, volumeName) => {
  const { initiatorName, targetPortal = '' } = source;
  const isLong = `${volumeName}:${String(targetPortal)}`.length > ISCSI_LENGTH_MAX;
  const why =
    'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';
  const causes = remote('iscsi')(source, field, volumeName).map((cause) => ({
    ...cause,
    // Names are told apart in pods only.
    message: cause.message.replace(' starting with iqn, eui, or naa', ''),
  }));
  if (initiatorName !== undefined && isLong) {
    causes.push(invalidValue(`${field}.targetportal`, targetPortal, why));
  }
  return [...causes, ...secretNamed(source, field, ['name'])];
};

const secretOfDriver = (source: Json, field: string, name: string): StatusCause[] => {
  if (source[name] === undefined) return [];
  const { name: secret, namespace } = record(source[name]);
  const at = `${field}.${name}`;
  return [
    ...(secret ? named(`${at}.name`, secret, 'subdomain') : [requiredValue(`${at}.name`)]),
    ...(namespace
      ? named(`${at}.namespace`, namespace, 'label')
      : [requiredValue(`${at}.namespace`)]),
  ];
};

const secretsOfDriver = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
];

const PAIRS = 'must be a host:port pair or multiple pairs separated by commas';

const quobyte: Rule = (source, field) => {
  const registry = String(source['registry'] ?? '');
  const pairs = registry.split(',');
  const wrong =
    registry === ''
      ? [requiredValue(`${field}.registry`, PAIRS)]
      : pairs
          .filter((one) => !/^(?:[^:[\]]*|\[[^\]]*\]):[^:]*$/.test(one))
          .map(() => invalidValue(`${field}.registry`, registry, PAIRS));
  return [...wrong, ...needed(`${field}.volume`, source['volume'])];
};

const rules: Readonly<Record<string, Rule>> = {
  ...remoteVolumeRules,
  hostPath,
  local: localVolume,
  nfs: (source, field) => {
    const { path = '' } = source;
    const isAbsolute = String(path).startsWith('/');
    return [
      ...needed(`${field}.server`, source['server']),
      ...needed(`${field}.path`, path),
      ...(isAbsolute ? [] : [invalidValue(`${field}.path`, path, 'must be an absolute path')]),
    ];
  },
  glusterfs: (source, field, volumeName) => {
    const { endpointsNamespace: space } = source;
    const at = `${field}.endpointsNamespace`;
    const why = 'if the endpointnamespace is set, it must be a valid namespace name';
    return [
      ...remote('glusterfs')(source, field, volumeName),
      ...(space === '' ? [invalidValue(at, '', why)] : named(at, space, 'label')),
    ];
  },
  iscsi,
  cinder: (source, field) => [
    ...needed(`${field}.volumeID`, source['volumeID']),
    ...secretNamed(source, field, both),
  ],
  azureFile: (source, field, volumeName) => [
    ...remote('azureFile')(source, field, volumeName),
    ...(source['secretNamespace'] === '' ? [requiredValue(`${field}.secretNamespace`)] : []),
  ],
  storageos: (source, field) => {
    const { volumeName: name, volumeNamespace } = source;
    return [
      ...(name
        ? named(`${field}.volumeName`, name, 'label')
        : [requiredValue(`${field}.volumeName`)]),
      ...named(`${field}.volumeNamespace`, volumeNamespace || undefined, 'label'),
      ...secretNamed(source, field, both),
    ];
  },
  csi: (source, field) => [
    ...driverName(`${field}.driver`, source['driver']),
    ...needed(`${field}.volumeHandle`, source['volumeHandle']),
    ...secretsOfDriver.flatMap((name) => secretOfDriver(source, field, name)),
  ],
  quobyte,
};

function sourceCauses(spec: Json, at: string, volumeName: string): StatusCause[] {
  const kinds = Object.keys(spec).filter((key) => !settings.has(key));
  if (kinds.length === 0) return [requiredValue(at, 'must specify a volume type')];
  return kinds.flatMap((kind, index) => {
    const field = `${at}.${kind}`;
    if (index > 0) return [forbidden(field, 'may not specify more than 1 volume type')];
    return rules[kind]?.(record(spec[kind]), field, volumeName) ?? [];
  });
}

function capacityCauses(spec: Json, field: string): StatusCause[] {
  const capacity = record(spec['capacity']);
  const causes: StatusCause[] = [];
  const names = Object.keys(capacity);
  if (names.length === 0) causes.push(requiredValue(field));
  if (capacity['storage'] === undefined || names.length > 1) {
    causes.push(unsupported(field, spec['capacity'] === undefined ? null : capacity, ['storage']));
  }
  for (const [name, value] of Object.entries(capacity)) {
    if (compareQuantities(value, '0') > 0) continue;
    const why = 'must be greater than zero';
    causes.push(invalidValue(`${field}[${name}]`, String(value), why));
  }
  return causes;
}

function affinityCauses(affinity: unknown, field: string): StatusCause[] {
  if (affinity === undefined) return [];
  const { required } = record(affinity);
  if (isObject(required)) return nodeSelector(required, `${field}.required`);
  return [requiredValue(`${field}.required`, 'must specify required node constraints')];
}

function attributesClass(spec: Json, at: string): StatusCause[] {
  const { volumeAttributesClassName: name, csi } = spec;
  if (name === undefined) return [];
  const field = `${at}.volumeAttributesClassName`;
  const causes =
    name === ''
      ? [requiredValue(field, 'an empty string is disallowed')]
      : named(field, name, 'subdomain');
  if (csi !== undefined) return causes;
  const why = 'has to be specified when using volumeAttributesClassName';
  return [...causes, requiredValue(`${at}.csi`, why)];
}

export function validateVolume({ metadata, spec: given }: KubeObject): StatusCause[] {
  const spec = record(given);
  const { hostPath: path, persistentVolumeReclaimPolicy: policy, nodeAffinity } = spec;
  const causes = [
    ...(list(spec['accessModes']).length === 0 ? [requiredValue('spec.accessModes')] : []),
    ...accessModeCauses(spec['accessModes'], 'spec.accessModes'),
    ...capacityCauses(spec, 'spec.capacity'),
    ...oneOf('spec.persistentVolumeReclaimPolicy', policy, ['Delete', 'Recycle', 'Retain']),
    ...affinityCauses(nodeAffinity, 'spec.nodeAffinity'),
    ...sourceCauses(spec, 'spec', metadata.name ?? ''),
  ];
  if (spec['local'] !== undefined && nodeAffinity === undefined) {
    causes.push(requiredValue('spec.nodeAffinity', 'Local volume requires node affinity'));
  }
  if (path !== undefined && /^\/+$/.test(String(record(path)['path'])) && policy === 'Recycle') {
    const why = "may not be 'recycle' for a hostPath mount of '/'";
    causes.push(forbidden('spec.persistentVolumeReclaimPolicy', why));
  }
  return [
    ...causes,
    ...named('spec.storageClassName', spec['storageClassName'] || undefined, 'subdomain'),
    ...oneOf('spec.volumeMode', spec['volumeMode'], volumeModes),
    ...attributesClass(spec, 'spec'),
    ...mountOptions(metadata, spec),
  ];
}

const MOUNT_OPTIONS = 'volume.beta.kubernetes.io/mount-options';
const mounted = [
  ['gcePersistentDisk', 'awsElasticBlockStore', 'glusterfs', 'nfs', 'rbd', 'quobyte', 'iscsi'],
  ['cinder', 'cephfs', 'azureFile', 'vsphereVolume', 'azureDisk', 'photonPersistentDisk'],
].flat();

function mountOptions({ annotations }: KubeObject['metadata'], spec: Json): StatusCause[] {
  const isNoted = annotations?.[MOUNT_OPTIONS] !== undefined;
  if (!isNoted || mounted.some((kind) => spec[kind] !== undefined)) return [];
  const why = 'may not specify mount options for this volume type';
  return [forbidden(`metadata.annotations.${MOUNT_OPTIONS}`, why)];
}

/** Of an attachment: a volume that no object describes, which only drivers have. */
export function validateInlineVolume(spec: Json, at: string): StatusCause[] {
  const IN_LINE = 'in the context of inline volumes';
  const { persistentVolumeReclaimPolicy: policy, volumeMode, csi } = spec;
  const unwanted = ['claimRef', 'capacity', 'nodeAffinity', 'storageClassName'].filter((name) => {
    const value = spec[name];
    return value !== undefined && value !== '' && Object.keys(value as object).length > 0;
  });
  const causes = unwanted.map((name) =>
    forbidden(`${at}.${name}`, `may not be specified ${IN_LINE}`),
  );
  if (csi === undefined) causes.push(requiredValue(`${at}.csi`, `has to be specified ${IN_LINE}`));
  if (list(spec['accessModes']).length === 0) causes.push(requiredValue(`${at}.accessModes`));
  causes.push(...accessModeCauses(spec['accessModes'], `${at}.accessModes`));
  if (policy && policy !== 'Retain') {
    const field = `${at}.persistentVolumeReclaimPolicy`;
    causes.push(forbidden(field, `may only be Retain ${IN_LINE}`));
  }
  if (volumeMode !== undefined && volumeMode !== 'Filesystem') {
    const why = `may not specify volumeMode other than Filesystem ${IN_LINE}`;
    causes.push(forbidden(`${at}.volumeMode`, why));
  }
  return [...causes, ...sourceCauses(spec, at, ''), ...attributesClass(spec, at)];
}

export function validateVolumeUpdate(object: KubeObject, old: KubeObject): StatusCause[] {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  const source = (one: Json): Json =>
    Object.fromEntries(Object.entries(one).filter(([key]) => !settings.has(key))) as Json;
  const [next, was] = [source(spec), source(before)];
  const causes: StatusCause[] = [];
  if (!same(next, was)) {
    const field = 'spec.persistentvolumesource';
    causes.push(forbidden(field, 'spec.persistentvolumesource is immutable after creation'));
  }
  const { volumeMode = null, nodeAffinity = null } = spec;
  if (!same(volumeMode, before['volumeMode'] ?? null)) {
    causes.push(invalidValue('volumeMode', volumeMode, 'field is immutable'));
  }
  if (
    before['nodeAffinity'] !== undefined &&
    !same(masked(nodeAffinity, before['nodeAffinity']), before['nodeAffinity'])
  ) {
    const why = 'field is immutable, except for updating from beta label to GA';
    causes.push(invalidValue('nodeAffinity', affinityShown(nodeAffinity), why));
  }
  const name = 'volumeAttributesClassName';
  if (before[name] !== undefined && spec[name] === undefined) {
    causes.push(forbidden(`spec.${name}`, 'update from non-nil value to nil is forbidden'));
  }
  return causes;
}

const betaKeys: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
};

/** With the old keys where a requirement has the new one of them, or (as upstream has it) none. */
function masked(affinity: unknown, old: unknown): unknown {
  if (Array.isArray(affinity)) {
    const before = list(old);
    return affinity.map((one: unknown, index) => masked(one, before[index]));
  }
  if (!isObject(affinity)) return affinity;
  const before = record(old);
  const entries = Object.entries(affinity).map(([name, value]) => [
    name,
    masked(value, before[name]),
  ]);
  const copy = Object.fromEntries(entries) as Json;
  const [key, had] = [affinity['key'] ?? '', before['key']];
  const isRequirement = before['operator'] !== undefined && had !== undefined;
  if (isRequirement && key === (betaKeys[String(had)] ?? '')) copy['key'] = had;
  return copy;
}

/** As Go writes the values of its own types. */
function affinityShown(affinity: unknown): unknown {
  if (!isObject(affinity)) return null;
  const { required } = affinity;
  if (!isObject(required)) return { Required: null };
  const requirementsShown = (all: unknown): unknown =>
    all === undefined
      ? null
      : list(all).map(({ key = '', operator = '', values = null }) => ({
          Key: key,
          Operator: operator,
          Values: values,
        }));
  const terms = list(required['nodeSelectorTerms']).map((term) => ({
    MatchExpressions: requirementsShown(term['matchExpressions']),
    MatchFields: requirementsShown(term['matchFields']),
  }));
  const isThere = Array.isArray(required['nodeSelectorTerms']);
  return { Required: { NodeSelectorTerms: isThere ? terms : null } };
}
