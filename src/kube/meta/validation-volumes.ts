// Validates the volumes of pod specs and what containers mount of them, as kube-apiserver v1.37 does.
import { isNumber } from './exact-numbers.ts';
import { isObject, inRange, list, named, needed, oneOf, record, type Json } from './field-rules.ts';
import {
  duplicate,
  forbidden,
  invalidValue,
  nameProblem,
  requiredValue,
  validateAnnotations,
  validateLabels,
} from './names.ts';
import { compareQuantities } from './quantity.ts';
import type { StatusCause } from './status.ts';
import { validateClaimSpec } from './validation-claims.ts';
import { remoteVolumeRules } from './validation-remote-volumes.ts';

const MODE_MAX = 0o777;
const TOKEN_SECONDS_MIN = 600;
const TOKEN_SECONDS_MAX = 2 ** 32;
const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

function fileMode(field: string, mode: unknown): StatusCause[] {
  if (typeof mode !== 'number' || (mode >= 0 && mode <= MODE_MAX)) return [];
  const why = 'must be a number between 0 and 0777 (octal), both inclusive';
  return [invalidValue(field, mode, why)];
}

function noBacksteps(field: string, path: string): StatusCause[] {
  const isBack = path.split('/').includes('..');
  return isBack ? [invalidValue(field, path, "must not contain '..'")] : [];
}

function localPath(field: string, path: string): StatusCause[] {
  if (path.startsWith('/')) return [invalidValue(field, path, 'must be a relative path')];
  return noBacksteps(field, path);
}

function localFile(field: string, path: unknown): StatusCause[] {
  const text = String(path ?? '');
  if (text === '') return [requiredValue(field)];
  const causes = localPath(field, text);
  const isDots = text.startsWith('..') && causes.length === 0;
  return isDots ? [invalidValue(field, text, "must not start with '..'")] : causes;
}

function keyItems(source: Json, field: string): StatusCause[] {
  return list(source['items']).flatMap((item, index) => {
    const at = `${field}.items[${index}]`;
    return [
      ...needed(`${at}.key`, item['key']),
      ...localFile(`${at}.path`, item['path']),
      ...fileMode(`${at}.mode`, item['mode']),
    ];
  });
}

const fieldPaths = new Set([
  'metadata.name',
  'metadata.namespace',
  'metadata.labels',
  'metadata.annotations',
  'metadata.uid',
]);

const resources = ['cpu', 'ephemeral-storage', 'memory'];
const resourceNames = ['limits', 'requests'].flatMap((kind) =>
  resources.map((name) => `${kind}.${name}`),
);

function resourceRef(ref: Json, field: string): StatusCause[] {
  const { containerName, resource } = ref;
  if (!containerName) return [requiredValue(`${field}.containerName`)];
  if (!resource) return [requiredValue(`${field}.resource`)];
  const isHuge = /^(?:limits|requests)\.hugepages-/.test(String(resource));
  return isHuge ? [] : oneOf(`${field}.resource`, resource, resourceNames);
}

/** A field of the pod that a file or a variable shows: one of `known`, or one label or annotation. */
export function validateFieldRef(
  ref: Json,
  field: string,
  known: ReadonlySet<string>,
): StatusCause[] {
  const path = String(ref['fieldPath'] ?? '');
  const version = ref['apiVersion'] ?? 'v1';
  if (version === '') return [requiredValue(`${field}.apiVersion`)];
  if (path === '') return [requiredValue(`${field}.fieldPath`)];
  const isKnown = known.has(path) || /^metadata\.(?:labels|annotations)\['.+'\]$/.test(path);
  if (isKnown && version === 'v1') return [];
  const why =
    version === 'v1'
      ? `field label not supported: ${path}`
      : `unsupported pod version: ${String(version)}`;
  return [invalidValue(`${field}.fieldPath`, path, `error converting fieldPath: ${why}`)];
}

function downwardItems(source: Json, field: string, where: string): StatusCause[] {
  return list(source['items']).flatMap((item) => {
    const ref = item['fieldRef'];
    const causes: StatusCause[] = [];
    if (String(item['path'] ?? '') === '') causes.push(requiredValue(`${field}.path`));
    else causes.push(...localFile(`${field}.path`, item['path']));
    if (isObject(ref)) {
      causes.push(...validateFieldRef(ref, `${field}.fieldRef`, fieldPaths));
    } else if (isObject(item['resourceFieldRef'])) {
      causes.push(...resourceRef(item['resourceFieldRef'], `${field}.resourceFieldRef`));
    } else {
      causes.push(requiredValue(where, 'one of fieldRef and resourceFieldRef is required'));
    }
    return [...causes, ...fileMode(`${field}.mode`, item['mode'])];
  });
}

type Rule = (source: Json, field: string) => StatusCause[];

function projectedSource(source: Json, field: string): StatusCause[] {
  const kinds = Object.keys(source);
  if (kinds.length > 1) {
    return [forbidden(`${field}.${kinds[1] ?? ''}`, 'may not specify more than 1 volume type')];
  }
  const causes: StatusCause[] = [];
  for (const kind of ['secret', 'configMap']) {
    const one = source[kind];
    if (!isObject(one)) continue;
    causes.push(...needed(`${field}.${kind}.name`, one['name']));
    causes.push(...keyItems(one, `${field}.${kind}`));
  }
  if (isObject(source['downwardAPI'])) {
    causes.push(
      ...downwardItems(source['downwardAPI'], `${field}.downwardAPI`, `${field}.downwardAPI`),
    );
  }
  const token = source['serviceAccountToken'];
  if (isObject(token)) {
    const at = `${field}.serviceAccountToken`;
    const seconds = token['expirationSeconds'];
    if (isNumber(seconds) && seconds < TOKEN_SECONDS_MIN) {
      const why = 'may not specify a duration less than 10 minutes';
      causes.push(invalidValue(`${at}.expirationSeconds`, seconds, why));
    } else if (isNumber(seconds) && seconds > TOKEN_SECONDS_MAX) {
      const why = 'may not specify a duration larger than 2^32 seconds';
      causes.push(invalidValue(`${at}.expirationSeconds`, seconds, why));
    }
    // Upstream leaves out where in the volume it is.
    causes.push(...localFile(`${field.replace(/\.sources\[\d+\]$/, '')}.path`, token['path']));
  }
  const bundle = source['clusterTrustBundle'];
  if (isObject(bundle)) causes.push(...bundleCauses(bundle, `${field}.clusterTrustBundle`));
  const certificate = source['podCertificate'];
  if (isObject(certificate)) causes.push(...certificateTime(certificate, field));
  return causes;
}

function bundleCauses({ name, signerName, path = '' }: Json, field: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (name === undefined && signerName === undefined) {
    causes.push(requiredValue(field, 'either name or signerName must be specified'));
  } else if (typeof name === 'string' && !name.includes(':')) {
    if (name === '') causes.push(requiredValue(`${field}.name`, 'must be a valid object name'));
    const wrong = nameProblem('subdomain', name);
    if (wrong !== undefined) {
      const why = `not a valid clustertrustbundlename: ${wrong}`;
      causes.push(invalidValue(`${field}.name`, name, why));
    }
  }
  return [...causes, ...localFile(`${field}.path`, path)];
}

/** One file of a volume is made of one source. */
function pathClashes(sources: readonly Json[], field: string): StatusCause[] {
  const known = new Set<unknown>();
  return sources.flatMap((source) => {
    const { clusterTrustBundle } = source;
    const paths = ['secret', 'configMap', 'downwardAPI'].flatMap((kind) =>
      list(record(source[kind])['items']).map(({ path }) => {
        const told = kind === 'downwardAPI' ? path : record(source[kind])['name'];
        return [path, told] as const;
      }),
    );
    const bundle = record(clusterTrustBundle)['path'] ?? '';
    if (isObject(clusterTrustBundle)) paths.push([bundle, bundle]);
    return paths.flatMap(([path, told]) => {
      const isTaken = known.has(path);
      if (path || isObject(clusterTrustBundle)) known.add(path);
      return isTaken ? [invalidValue(field, told ?? '', 'conflicting duplicate paths')] : [];
    });
  });
}

const CERTIFICATE_SECONDS_MIN = 3_600;
const CERTIFICATE_SECONDS_MAX = 91 * 24 * 3_600;
const OWN_CERTIFICATE_SECONDS_MAX = 24 * 3_600;

/** How long the certificates of a pod may be good; those of the cluster's own signers a day. */
function certificateTime({ maxExpirationSeconds: seconds, signerName }: Json, field: string) {
  if (typeof seconds !== 'number') return [];
  const isOwn = String(signerName ?? '').startsWith('kubernetes.io/');
  const most = isOwn ? OWN_CERTIFICATE_SECONDS_MAX : CERTIFICATE_SECONDS_MAX;
  const at = `${field}.podCertificate.maxExpirationSeconds`;
  const what = 'if provided, maxExpirationSeconds must be';
  if (seconds < CERTIFICATE_SECONDS_MIN) {
    return [invalidValue(at, seconds, `${what} >= ${CERTIFICATE_SECONDS_MIN}`)];
  }
  return seconds > most ? [invalidValue(at, seconds, `${what} <= ${most}`)] : [];
}

export const localVolume: Rule = (source, field) => {
  const path = String(source['path'] ?? '');
  return path === '' ? [requiredValue(`${field}.path`)] : noBacksteps(`${field}.path`, path);
};

export const hostPath: Rule = (source, field) => {
  const causes = localVolume(source, field);
  if (!source['path']) return causes;
  return [...causes, ...oneOf(`${field}.type`, source['type'], hostPathTypes)];
};

const sourceRules: Readonly<Record<string, Rule>> = {
  emptyDir: (source, field) =>
    compareQuantities(source['sizeLimit'], '0') < 0
      ? [forbidden(`${field}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : [],
  hostPath,
  secret: (source, field) => [
    ...needed(`${field}.secretName`, source['secretName']),
    ...fileMode(`${field}.defaultMode`, source['defaultMode']),
    ...keyItems(source, field),
  ],
  configMap: (source, field) => [
    ...needed(`${field}.name`, source['name']),
    ...fileMode(`${field}.defaultMode`, source['defaultMode']),
    ...keyItems(source, field),
  ],
  downwardAPI: (source, field) => [
    ...fileMode(`${field}.defaultMode`, source['defaultMode']),
    ...downwardItems(source, field, field),
  ],
  projected: (source, field) => [
    ...fileMode(`${field}.defaultMode`, source['defaultMode']),
    ...list(source['sources']).flatMap((one, i) => projectedSource(one, `${field}.sources[${i}]`)),
    ...pathClashes(list(source['sources']), field),
  ],
  persistentVolumeClaim: (source, field) => needed(`${field}.claimName`, source['claimName']),
  nfs: (source, field) => [
    ...needed(`${field}.server`, source['server']),
    ...needed(`${field}.path`, source['path']),
    ...(String(source['path'] ?? '').startsWith('/')
      ? []
      : [invalidValue(`${field}.path`, source['path'] ?? '', 'must be an absolute path')]),
  ],
  image: (source, field) => [
    ...needed(`${field}.reference`, source['reference']),
    ...oneOf(`${field}.pullPolicy`, source['pullPolicy'] || undefined, [
      'Always',
      'IfNotPresent',
      'Never',
    ]),
  ],
  ephemeral: (source, field) => {
    const at = `${field}.volumeClaimTemplate`;
    const template = source['volumeClaimTemplate'];
    if (!isObject(template)) return [requiredValue(at)];
    const { labels, annotations } = record(template['metadata']);
    return [
      ...validateAnnotations(annotations as Labels, `${at}.metadata.annotations`),
      ...validateLabels(labels as Labels, `${at}.metadata.labels`),
      ...validateClaimSpec(template['spec'], `${at}.spec`),
    ];
  },
  ...remoteVolumeRules,
};

type Labels = Readonly<Record<string, string>> | undefined;

export function validateVolumes(
  volumes: readonly Json[],
  field: string,
  /** Empty for templates. */
  podName = '',
): { causes: StatusCause[]; names: Set<string> } {
  const names = new Set<string>();
  const causes = volumes.flatMap((volume, index) => {
    const at = `${field}[${index}]`;
    const found: StatusCause[] = [];
    const kinds = Object.keys(volume).filter((key) => key !== 'name');
    const [first, second] = kinds;
    if (first !== undefined) {
      found.push(...(sourceRules[first]?.(record(volume[first]), `${at}.${first}`) ?? []));
    }
    if (second !== undefined) {
      found.push(forbidden(`${at}.${second}`, 'may not specify more than 1 volume type'));
    }
    const name = String(volume['name'] ?? '');
    if (volume['ephemeral'] !== undefined && podName !== '' && name !== '') {
      const claim = `${podName}-${name}`;
      const wrong = nameProblem('subdomain', claim);
      if (wrong !== undefined) {
        const why = `PVC name ${JSON.stringify(claim)}: ${wrong}`;
        found.push(invalidValue(`${at}.name`, name, why));
      }
    }
    if (name === '') found.push(requiredValue(`${at}.name`));
    else if (nameProblem('label', name) !== undefined) {
      found.push(...named(`${at}.name`, name, 'label'));
    } else if (names.has(name)) found.push(duplicate(`${at}.name`, name));
    // What is wrong cannot be mounted.
    if (found.length === 0) names.add(name);
    return found;
  });
  return { causes, names };
}

const recursions = ['Disabled', 'Enabled', 'IfPossible'];
const propagations = ['Bidirectional', 'HostToContainer', 'None'];

export function validateMounts(
  mounts: readonly Json[],
  field: string,
  volumes: ReadonlySet<string>,
): StatusCause[] {
  const paths = new Set<string>();
  return mounts.flatMap((mount, index) => {
    const at = `${field}[${index}]`;
    const causes: StatusCause[] = [];
    const name = String(mount['name'] ?? '');
    if (name === '') causes.push(requiredValue(`${at}.name`));
    if (!volumes.has(name) || name === '') {
      const message = `Not found: ${JSON.stringify(name)}`;
      causes.push({ reason: 'FieldValueNotFound', message, field: `${at}.name` });
    }
    const path = String(mount['mountPath'] ?? '');
    if (path === '') causes.push(requiredValue(`${at}.mountPath`));
    if (paths.has(path)) causes.push(invalidValue(`${at}.mountPath`, path, 'must be unique'));
    paths.add(path);
    const [subPath, expression] = [mount['subPath'], mount['subPathExpr']];
    if (subPath) causes.push(...localPath(`${field}.subPath`, String(subPath)));
    if (expression) {
      if (subPath) {
        const why = 'subPathExpr and subPath are mutually exclusive';
        causes.push(invalidValue(`${at}.subPathExpr`, expression, why));
      }
      causes.push(...localPath(`${field}.subPathExpr`, String(expression)));
    }
    const { mountPropagation, recursiveReadOnly } = mount;
    causes.push(
      ...oneOf(`${field}.mountPropagation`, mountPropagation, propagations),
      ...oneOf(`${field}.recursiveReadOnly`, recursiveReadOnly, recursions),
    );
    return causes;
  });
}

export const userOrGroup = (field: string, id: unknown): StatusCause[] =>
  inRange(field, id, 0, 2_147_483_647);
