// Validates the kinds by which storage drivers and the cluster talk (CSI, attachments, classes of
// attributes), as kube-apiserver v1.37 does.
import { isNumber } from './exact-numbers.ts';
import {
  labelSelector,
  list,
  named,
  notNegative,
  oneOf,
  qualified,
  quantityNotNegative,
  record,
  selectorShown,
  type Json,
} from './field-rules.ts';
import {
  caselessName,
  duplicate,
  forbidden,
  invalidValue,
  nameProblem,
  requiredValue,
  tooLong,
} from './names.ts';
import type { KubeObject } from './object.ts';
import { same } from '#base/same.ts';
import type { StatusCause } from './status.ts';
import { validateInlineVolume } from './validation-persistent-volumes.ts';
import { driverName } from './validation-remote-volumes.ts';

type Rule = (object: KubeObject) => StatusCause[];
type UpdateRule = (object: KubeObject, old: KubeObject) => StatusCause[];

const IMMUTABLE = 'field is immutable';

// ---- storage ----

const ATTACHER_LENGTH_MAX = 63;
const LONG_NAME_MAX = 253;

/** A name of any case, which is judged by the declarations of the API. */
function attacher(value: unknown): StatusCause[] {
  const field = 'spec.attacher';
  const name = String(value ?? '');
  if (name === '') return [requiredValue(field)];
  const isLong = name.length > LONG_NAME_MAX;
  const wrong = nameProblem('subdomain', name.toLowerCase());
  const why = isLong ? `must be no more than ${LONG_NAME_MAX} bytes` : wrong && caselessName;
  return [
    ...(why === undefined ? [] : [invalidValue(field, name, why)]),
    ...(name.length > ATTACHER_LENGTH_MAX
      ? [tooLong(field, ATTACHER_LENGTH_MAX, 'characters')]
      : []),
  ];
}

const validateAttachment: Rule = (object) => {
  const spec = record(object['spec']);
  const source = record(spec['source']);
  const { inlineVolumeSpec: inline, persistentVolumeName: name } = source;
  const why = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  const causes = attacher(spec['attacher']);
  if (inline === undefined && name === undefined) causes.push(requiredValue('spec.source', why));
  else if (inline !== undefined && name !== undefined) causes.push(forbidden('spec.source', why));
  else if (name !== undefined) {
    const field = 'spec.source.persistentVolumeName';
    const missing = 'must specify non empty persistentVolumeName';
    if (name === '') causes.push(requiredValue(field, missing));
    causes.push(...named(field, name, 'subdomain'));
  } else causes.push(...validateInlineVolume(record(inline), 'spec.source.inlineVolumeSpec'));
  return [...causes, ...named('spec.nodeName', spec['nodeName'] ?? '', 'subdomain')];
};

const NODE_ID_LENGTH_MAX = 256;

function validateNodeDriver(driver: Json, at: string): StatusCause[] {
  const { name, nodeID = '', topologyKeys, allocatable } = driver;
  const causes = driverName(`${at}.name`, name);
  if (nodeID === '') causes.push(requiredValue(`${at}.nodeID`));
  if (String(nodeID).length > NODE_ID_LENGTH_MAX) {
    const why = `must be ${NODE_ID_LENGTH_MAX} characters or less`;
    causes.push(invalidValue(`${at}.nodeID`, nodeID, why));
  }
  causes.push(...notNegative(`${at}.allocatable.count`, record(allocatable)['count']));
  const seen = new Set<unknown>();
  for (const key of list(topologyKeys)) {
    if ((key as unknown) === '') causes.push(requiredValue(at));
    if (seen.has(key)) causes.push(duplicate(at, key));
    seen.add(key);
    causes.push(...qualified(at, key));
  }
  return causes;
}

const validateNodeDrivers: Rule = (object) => {
  const seen = new Set<unknown>();
  return list(record(object['spec'])['drivers']).flatMap((driver, index) => {
    const at = `spec.drivers[${index}]`;
    const causes = validateNodeDriver(driver, at);
    if (seen.has(driver['name'])) causes.push(duplicate(`${at}.name`, driver['name']));
    seen.add(driver['name']);
    return causes;
  });
};

const validateNodeDriversUpdate: UpdateRule = (object, old) => {
  const drivers = (one: KubeObject): Json[] => list(record(one['spec'])['drivers']);
  const fixed = (driver: Json): Json => ({ ...driver, allocatable: undefined });
  return drivers(old).flatMap((before) => {
    const next = drivers(object).find(({ name }) => name === before['name']);
    if (next === undefined || same(fixed(next), fixed(before))) return [];
    const { name, nodeID = '', topologyKeys = null } = next;
    const shown = { Name: name, NodeID: nodeID, TopologyKeys: topologyKeys, Allocatable: null };
    return [invalidValue('spec.drivers', shown, IMMUTABLE)];
  });
};

const validateCapacity: Rule = (object) => [
  ...labelSelector(object['nodeTopology'], 'nodeTopology'),
  ...named('storageClassName', object['storageClassName'] ?? '', 'subdomain'),
  ...(object['capacity'] === undefined ? [] : quantityNotNegative('capacity', object['capacity'])),
];

const validateCapacityUpdate: UpdateRule = (object, old) => {
  const { nodeTopology, storageClassName = '' } = object as Json;
  const shown = { nodeTopology: selectorShown(nodeTopology), storageClassName };
  return (['nodeTopology', 'storageClassName'] as const).flatMap((field) =>
    same(object[field], old[field]) ? [] : [invalidValue(field, shown[field], IMMUTABLE)],
  );
};

const validateAttributes: Rule = (object) => {
  const { driverName: driver, parameters } = object as Json;
  const causes = driver
    ? qualified('driverName', String(driver).toLowerCase())
    : [requiredValue('driverName')];
  if (Object.keys(record(parameters)).length === 0) {
    causes.push(requiredValue('parameters', 'must contain at least one key/value pair'));
  }
  for (const key of Object.keys(record(parameters))) {
    if (key === '') causes.push(invalidValue('parameters', key, 'field can not be empty.'));
  }
  return causes;
};

const validateAttributesUpdate: UpdateRule = (object, old) =>
  ['driverName', 'parameters'].flatMap((field) =>
    same(object[field], old[field]) ? [] : [forbidden(field, `updates to ${field} are forbidden.`)],
  );

// In the order in which upstream tells them.
const lifecycles = ['Persistent', 'Ephemeral'];
const TOKEN_SECONDS_MIN = 600;
const TOKEN_SECONDS_MAX = 2 ** 32;
const UPDATE_SECONDS_MIN = 10;
const groupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType'];

function tokenTimes(spec: Json): StatusCause[] {
  const requests = list(spec['tokenRequests']);
  const causes = requests.flatMap(({ expirationSeconds: seconds }, index) => {
    if (!isNumber(seconds)) return [];
    const field = `spec.tokenRequests[${index}].expirationSeconds`;
    if (seconds < TOKEN_SECONDS_MIN)
      return [invalidValue(field, seconds, 'may not specify a duration less than 10 minutes')];
    if (seconds <= TOKEN_SECONDS_MAX) return [];
    return [invalidValue(field, seconds, 'may not specify a duration larger than 2^32 seconds')];
  });
  if (spec['serviceAccountTokenInSecrets'] === true && requests.length === 0) {
    const why = 'serviceAccountTokenInSecrets is set but no tokenRequests are specified';
    causes.push(invalidValue('spec.serviceAccountTokenInSecrets', true, why));
  }
  return causes;
}

function updatePeriod(spec: Json): StatusCause[] {
  const { nodeAllocatableUpdatePeriodSeconds: seconds } = spec;
  if (!isNumber(seconds) || seconds >= UPDATE_SECONDS_MIN) return [];
  const field = 'spec.nodeAllocatableUpdatePeriodSeconds';
  return [invalidValue(field, seconds, 'must be greater than or equal to 10 seconds')];
}

const validateDriver: Rule = (object) => {
  const spec = record(object['spec']);
  const audiences = new Set<unknown>();
  return [
    ...oneOf('spec.fsGroupPolicy', spec['fsGroupPolicy'], groupPolicies),
    ...list(spec['volumeLifecycleModes']).flatMap((mode) =>
      oneOf('spec.volumeLifecycleModes', mode, lifecycles),
    ),
    ...list(spec['tokenRequests']).flatMap(({ audience = '' }, index) => {
      const field = `spec.tokenRequests[${index}].audience`;
      const isTwice = audiences.has(audience);
      audiences.add(audience);
      return isTwice ? [duplicate(field, audience)] : [];
    }),
    ...tokenTimes(spec),
    ...updatePeriod(spec),
  ];
};

const validateDriverUpdate: UpdateRule = (object, old) => {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  const fixed = {
    attachRequired: 'attachedRequired',
    volumeLifecycleModes: 'volumeLifecycleModes',
  };
  return Object.entries(fixed).flatMap(([field, shown]) =>
    same(spec[field], before[field])
      ? []
      : [invalidValue(`spec.${shown}`, spec[field] ?? null, IMMUTABLE)],
  );
};

const hiddenSpec: UpdateRule = (object, old) =>
  same(object['spec'], old['spec']) ? [] : [invalidValue('spec', null, IMMUTABLE)];

export const attachmentRules: Readonly<Record<string, Rule>> = {
  'storage.k8s.io/VolumeAttachment': validateAttachment,
  'storage.k8s.io/CSINode': validateNodeDrivers,
  'storage.k8s.io/CSIDriver': validateDriver,
  'storage.k8s.io/CSIStorageCapacity': validateCapacity,
  'storage.k8s.io/VolumeAttributesClass': validateAttributes,
};

export const attachmentUpdateRules: Readonly<Record<string, UpdateRule>> = {
  'storage.k8s.io/VolumeAttachment': hiddenSpec,
  'storage.k8s.io/CSINode': validateNodeDriversUpdate,
  'storage.k8s.io/CSIDriver': validateDriverUpdate,
  'storage.k8s.io/CSIStorageCapacity': validateCapacityUpdate,
  'storage.k8s.io/VolumeAttributesClass': validateAttributesUpdate,
};
