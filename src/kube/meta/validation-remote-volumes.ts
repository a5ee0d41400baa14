// Validates the volumes of pods that lie somewhere else, on disks and servers of a network or a provider, as
// kube-apiserver v1.37 does.
import { inRange, list, named, needed, oneOf, record, type Json } from './field-rules.ts';
import { invalidValue, requiredValue, unsupported } from './names.ts';
import type { StatusCause } from './status.ts';

type Rule = (source: Json, field: string) => StatusCause[];

const LUN_MAX = 255;
const PARTITION_MAX = 255;

const fields =
  (...names: readonly string[]): Rule =>
  (source, field) =>
    names.flatMap((name) => needed(`${field}.${name}`, source[name]));

const monitors: Rule = (source, field) =>
  list(source['monitors']).length === 0 ? [requiredValue(`${field}.monitors`)] : [];

const partition: Rule = (source, field) =>
  inRange(`${field}.partition`, source['partition'] || undefined, 1, PARTITION_MAX);

/** By the prefix of a name of an initiator or target. */
const iscsiNames: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
};

function iscsiName(field: string, name: string): StatusCause[] {
  const form = iscsiNames[name.slice(0, 3)];
  if (form === undefined) {
    return [invalidValue(field, name, 'must be valid format starting with iqn, eui, or naa')];
  }
  return form.test(name) ? [] : [invalidValue(field, name, 'must be valid format')];
}

const iscsi: Rule = (source, field) => {
  const { iqn, lun, initiatorName, chapAuthDiscovery, chapAuthSession, secretRef } = source;
  const isSecret = chapAuthDiscovery === true || chapAuthSession === true;
  return [
    ...needed(`${field}.targetPortal`, source['targetPortal']),
    ...(iqn ? iscsiName(`${field}.iqn`, String(iqn)) : [requiredValue(`${field}.iqn`)]),
    ...inRange(`${field}.lun`, lun, 0, LUN_MAX),
    ...(isSecret && secretRef === undefined ? [requiredValue(`${field}.secretRef`)] : []),
    ...(typeof initiatorName === 'string'
      ? iscsiName(`${field}.initiatorname`, initiatorName)
      : []),
  ];
};

const fibreChannel: Rule = (source, field) => {
  const { lun, targetWWNs } = source;
  const [names, ids] = [list(targetWWNs), list(source['wwids'])];
  const causes: StatusCause[] = [];
  const at = `${field}.targetWWNs`;
  if (names.length === 0 && ids.length === 0) {
    causes.push(requiredValue(at, 'must specify either targetWWNs or wwids, but not both'));
  }
  if (names.length === 0) return causes;
  if (ids.length > 0) {
    const why = 'targetWWNs and wwids can not be specified simultaneously';
    causes.push(invalidValue(at, targetWWNs, why));
  }
  const isThere = typeof lun === 'number';
  const why = 'lun is required if targetWWNs is specified';
  return isThere
    ? [...causes, ...inRange(`${field}.lun`, lun, 0, LUN_MAX)]
    : [...causes, requiredValue(`${field}.lun`, why)];
};

const MANAGED =
  '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const BLOB = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

const azureDisk: Rule = (source, field) => {
  const { diskURI = '', kind = 'Shared', cachingMode } = source;
  const uri = String(diskURI);
  const isManaged = kind === 'Managed';
  const isRight = uri.startsWith(isManaged ? '/subscriptions/' : 'https://');
  return [
    ...fields('diskName', 'diskURI')(source, field),
    ...oneOf(`${field}.cachingMode`, cachingMode, ['None', 'ReadOnly', 'ReadWrite']),
    ...oneOf(`${field}.kind`, kind, ['Dedicated', 'Managed', 'Shared']),
    ...(isRight ? [] : [unsupported(`${field}.diskURI`, uri, [isManaged ? MANAGED : BLOB])]),
  ];
};

const flexVolume: Rule = (source, field) => [
  ...needed(`${field}.driver`, source['driver']),
  ...Object.keys(record(source['options'])).flatMap((key) => {
    const owner = `.${key.split('/')[0]?.toLowerCase() ?? ''}`;
    const isReserved = owner.endsWith('.kubernetes.io') || owner.endsWith('.k8s.io');
    const why = 'kubernetes.io and k8s.io namespaces are reserved';
    return isReserved ? [invalidValue(`${field}.options[${key}]`, key, why)] : [];
  }),
];

const DRIVER_LENGTH_MAX = 63;

/** Drivers are named as domains, however they are written. */
export function driverName(field: string, driver: unknown): StatusCause[] {
  const name = String(driver ?? '');
  if (name === '') return [requiredValue(field)];
  const message = `Too long: may not be more than ${DRIVER_LENGTH_MAX} bytes`;
  const tooLong = { reason: 'FieldValueTooLong', message, field };
  return [
    ...(name.length > DRIVER_LENGTH_MAX ? [tooLong] : []),
    ...named(field, name.toLowerCase(), 'subdomain').map((cause) => ({
      ...cause,
      message: cause.message.replace(JSON.stringify(name.toLowerCase()), JSON.stringify(name)),
    })),
  ];
}

const csi: Rule = (source, field) => {
  const { driver, nodePublishSecretRef } = source;
  const causes = driverName(`${field}.driver`, driver);
  if (nodePublishSecretRef === undefined) return causes;
  const { name } = record(nodePublishSecretRef);
  if (!name) return [...causes, requiredValue(`${field}.nodePublishSecretRef.name`)];
  return [...causes, ...named(`${field}.name`, name, 'subdomain')];
};

const flocker: Rule = (source, field) => {
  const { datasetName, datasetUUID } = source;
  const causes: StatusCause[] = [];
  if (!datasetName && !datasetUUID) {
    causes.push(requiredValue(field, 'one of datasetName and datasetUUID is required'));
  }
  if (datasetName && datasetUUID) {
    const why = 'datasetName and datasetUUID can not be specified simultaneously';
    causes.push(invalidValue(field, 'resource', why));
  }
  if (String(datasetName ?? '').includes('/')) {
    causes.push(invalidValue(`${field}.datasetName`, datasetName, "must not contain '/'"));
  }
  return causes;
};

export const remoteVolumeRules: Readonly<Record<string, Rule>> = {
  awsElasticBlockStore: (source, field) => [
    ...needed(`${field}.volumeID`, source['volumeID']),
    ...partition(source, field),
  ],
  // Upstream names another field in its causes.
  gcePersistentDisk: (source, field) => {
    const at = field.replace(/gcePersistentDisk$/, 'persistentDisk');
    return [...needed(`${at}.pdName`, source['pdName']), ...partition(source, at)];
  },
  azureDisk,
  azureFile: fields('secretName', 'shareName'),
  cephfs: monitors,
  cinder: fields('volumeID'),
  csi,
  fc: fibreChannel,
  flexVolume,
  flocker,
  glusterfs: fields('endpoints', 'path'),
  iscsi,
  photonPersistentDisk: fields('pdID'),
  portworxVolume: fields('volumeID'),
  rbd: (source, field) => [
    ...monitors(source, field),
    ...needed(`${field}.image`, source['image']),
  ],
  scaleIO: fields('gateway', 'system', 'volumeName'),
  vsphereVolume: fields('volumePath'),
};
