// Validates objects before they are stored: metadata of every kind, and the rules of the kinds that
// people write most. Field paths, reasons and words as kube-apiserver v1.37 has them.
import {
  duplicate,
  forbidden,
  invalidValue,
  nameProblem,
  requiredValue,
  unsupported,
  validateAnnotations,
  validateLabels,
  type NameRule,
} from './names.ts';
import type { KubeObject } from './object.ts';
import type { ResourceInfo } from './resource-info.ts';
import { labelSelectorFromObject, matchesLabels } from './selectors.ts';
import type { StatusCause } from './status.ts';

type Json = Record<string, unknown>;

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const nameRules: Readonly<Record<string, NameRule>> = {
  '/Namespace': 'label',
  '/Service': 'label1035',
  'rbac.authorization.k8s.io/Role': 'path-segment',
  'rbac.authorization.k8s.io/ClusterRole': 'path-segment',
  'rbac.authorization.k8s.io/RoleBinding': 'path-segment',
  'rbac.authorization.k8s.io/ClusterRoleBinding': 'path-segment',
};

function validateMetadata(info: ResourceInfo, object: KubeObject): StatusCause[] {
  const { metadata } = object;
  const causes: StatusCause[] = [];
  if (metadata.name === undefined || metadata.name === '') {
    causes.push(requiredValue('metadata.name', 'name or generateName is required'));
  } else {
    const rule = nameRules[`${info.group}/${info.kind}`] ?? 'subdomain';
    const wrong = nameProblem(rule, metadata.name);
    if (wrong !== undefined) causes.push(invalidValue('metadata.name', metadata.name, wrong));
  }
  causes.push(...validateLabels(metadata.labels, 'metadata.labels'));
  causes.push(...validateAnnotations(metadata.annotations));
  list(metadata.ownerReferences).forEach((owner, index) => {
    for (const field of ['apiVersion', 'kind', 'name', 'uid']) {
      if (typeof owner[field] !== 'string' || owner[field] === '') {
        causes.push(
          invalidValue(
            `metadata.ownerReferences[${index}].${field}`,
            owner[field] ?? '',
            'must not be empty',
          ),
        );
      }
    }
  });
  return causes;
}

// ---- pods ----

const restartPolicies = ['Always', 'OnFailure', 'Never'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];

function validateContainers(
  containers: readonly Json[],
  field: string,
  volumes: ReadonlySet<string>,
  seen: Set<string>,
): StatusCause[] {
  return containers.flatMap((container, index) => {
    const at = `${field}[${index}]`;
    const causes: StatusCause[] = [];
    const name = container['name'];
    if (typeof name !== 'string' || name === '') causes.push(requiredValue(`${at}.name`));
    else {
      const wrong = nameProblem('label', name);
      if (wrong !== undefined) causes.push(invalidValue(`${at}.name`, name, wrong));
      if (seen.has(name)) causes.push(duplicate(`${at}.name`, name));
      seen.add(name);
    }
    const image = container['image'];
    if (typeof image !== 'string' || image === '') causes.push(requiredValue(`${at}.image`));
    else if (image.trim() !== image) {
      causes.push(
        invalidValue(`${at}.image`, image, 'must not have leading or trailing whitespace'),
      );
    }
    const policy = container['imagePullPolicy'];
    if (policy !== undefined && !pullPolicies.includes(String(policy))) {
      causes.push(unsupported(`${at}.imagePullPolicy`, policy, pullPolicies));
    }
    causes.push(...validatePorts(container, at), ...validateResources(container, at));
    list(container['env']).forEach((variable, i) => {
      if (!variable['name']) causes.push(requiredValue(`${at}.env[${i}].name`));
    });
    list(container['volumeMounts']).forEach((mount, i) => {
      const volume = String(mount['name'] ?? '');
      if (volume === '') causes.push(requiredValue(`${at}.volumeMounts[${i}].name`));
      else if (!volumes.has(volume)) {
        const message = `Not found: ${JSON.stringify(volume)}`;
        causes.push({
          reason: 'FieldValueNotFound',
          message,
          field: `${at}.volumeMounts[${i}].name`,
        });
      }
      if (!mount['mountPath']) causes.push(requiredValue(`${at}.volumeMounts[${i}].mountPath`));
    });
    return causes;
  });
}

function validatePorts(container: Json, at: string): StatusCause[] {
  return list(container['ports']).flatMap((port, index) => {
    const number = port['containerPort'];
    const field = `${at}.ports[${index}].containerPort`;
    if (number === undefined || number === 0) return [requiredValue(field)];
    const isPort = typeof number === 'number' && number >= 1 && number <= 65_535;
    return isPort ? [] : [invalidValue(field, number, 'must be between 1 and 65535, inclusive')];
  });
}

const QUANTITY = /^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;
const quantityText = String.raw`quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`;

function validateResources(container: Json, at: string): StatusCause[] {
  const resources = container['resources'] as Json | undefined;
  const causes: StatusCause[] = [];
  for (const which of ['limits', 'requests']) {
    for (const [name, value] of Object.entries((resources?.[which] ?? {}) as Json)) {
      const field = `${at}.resources.${which}[${name}]`;
      if (!QUANTITY.test(String(value))) causes.push(invalidValue(field, value, quantityText));
      else if (String(value).startsWith('-'))
        causes.push(invalidValue(field, value, 'must be greater than or equal to 0'));
    }
  }
  return causes;
}

export function validatePodSpec(spec: unknown, at: string): StatusCause[] {
  if (!isObject(spec)) return [requiredValue(at)];
  const causes: StatusCause[] = [];
  const volumes = new Set<string>();
  list(spec['volumes']).forEach((volume, index) => {
    const name = String(volume['name'] ?? '');
    const field = `${at}.volumes[${index}].name`;
    if (name === '') causes.push(requiredValue(field));
    else if (volumes.has(name)) causes.push(duplicate(field, name));
    else if (nameProblem('label', name) !== undefined) {
      causes.push(invalidValue(field, name, nameProblem('label', name) ?? ''));
    }
    volumes.add(name);
    if (Object.keys(volume).length > 2) {
      causes.push(forbidden(`${at}.volumes[${index}]`, 'may not specify more than 1 volume type'));
    }
  });
  const containers = list(spec['containers']);
  if (containers.length === 0) causes.push(requiredValue(`${at}.containers`));
  const seen = new Set<string>();
  causes.push(...validateContainers(containers, `${at}.containers`, volumes, seen));
  causes.push(
    ...validateContainers(list(spec['initContainers']), `${at}.initContainers`, volumes, seen),
  );
  const policy = spec['restartPolicy'];
  if (policy !== undefined && !restartPolicies.includes(String(policy))) {
    causes.push(unsupported(`${at}.restartPolicy`, policy, restartPolicies));
  }
  const grace = spec['terminationGracePeriodSeconds'];
  if (typeof grace === 'number' && grace < 0) {
    causes.push(
      invalidValue(
        `${at}.terminationGracePeriodSeconds`,
        grace,
        'must be greater than or equal to 0',
      ),
    );
  }
  return causes;
}

// ---- kinds with a pod template ----

function templateRules(allowed: readonly string[]): Rule {
  return (object) => {
    const spec = (object['spec'] ?? {}) as Json;
    const causes: StatusCause[] = [];
    const selector = spec['selector'] as { matchLabels?: Record<string, string> } | undefined;
    const template = spec['template'] as Json | undefined;
    const isEmpty = selector === undefined || Object.keys(selector).length === 0;
    if (selector === undefined) causes.push(requiredValue('spec.selector'));
    else if (isEmpty) {
      causes.push(
        invalidValue('spec.selector', selector, 'empty selector is invalid for deployment'),
      );
    }
    const labels = (template?.['metadata'] as Json | undefined)?.['labels'] as
      | Record<string, string>
      | undefined;
    const parsed = labelSelectorFromObject(selector);
    if (!isEmpty && parsed !== undefined && !matchesLabels(parsed, labels)) {
      causes.push(
        invalidValue(
          'spec.template.metadata.labels',
          labels ?? null,
          '`selector` does not match template `labels`',
        ),
      );
    }
    causes.push(...validateReplicas(spec), ...validateLabels(labels, 'spec.template.labels'));
    const pod = template?.['spec'] as Json | undefined;
    causes.push(...validatePodSpec(pod, 'spec.template.spec'));
    const policy = pod?.['restartPolicy'];
    if (
      policy !== undefined &&
      restartPolicies.includes(String(policy)) &&
      !allowed.includes(String(policy))
    ) {
      causes.push(unsupported('spec.template.spec.restartPolicy', policy, allowed));
    }
    return causes;
  };
}

function validateReplicas(spec: Json): StatusCause[] {
  const { replicas } = spec;
  if (typeof replicas !== 'number' || replicas >= 0) return [];
  return [invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0')];
}

// ---- the table ----

type Rule = (object: KubeObject) => StatusCause[];

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];

function validateService(object: KubeObject): StatusCause[] {
  const spec = (object['spec'] ?? {}) as Json;
  const causes: StatusCause[] = [];
  const ports = list(spec['ports']);
  if (ports.length === 0 && spec['type'] !== 'ExternalName' && spec['clusterIP'] !== 'None') {
    causes.push(requiredValue('spec.ports'));
  }
  ports.forEach((port, index) => {
    const number = port['port'];
    if (typeof number !== 'number' || number < 1 || number > 65_535) {
      const field = `spec.ports[${index}].port`;
      causes.push(invalidValue(field, number ?? 0, 'must be between 1 and 65535, inclusive'));
    }
    if (ports.length > 1 && !port['name']) causes.push(requiredValue(`spec.ports[${index}].name`));
  });
  if (!serviceTypes.includes(String(spec['type'])))
    causes.push(unsupported('spec.type', spec['type'], serviceTypes));
  return causes;
}

const DATA_KEY = /^[-._a-zA-Z0-9]+$/;
const DATA_BYTES_MAX = 1024 * 1024;

function validateData(object: KubeObject): StatusCause[] {
  const causes: StatusCause[] = [];
  let size = 0;
  for (const field of ['data', 'binaryData']) {
    for (const [key, value] of Object.entries((object[field] ?? {}) as Json)) {
      size += String(value).length;
      if (!DATA_KEY.test(key)) {
        const why = String.raw`a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`;
        causes.push(invalidValue(`${field}[${key}]`, key, why));
      }
    }
  }
  if (size > DATA_BYTES_MAX) {
    const message = `Too long: may not be more than ${DATA_BYTES_MAX} bytes`;
    causes.push({ reason: 'FieldValueTooLong', message, field: '' });
  }
  return causes;
}

function validateBinding(object: KubeObject): StatusCause[] {
  const ref = (object['roleRef'] ?? {}) as Json;
  const causes: StatusCause[] = [];
  const kinds = object.kind === 'ClusterRoleBinding' ? ['ClusterRole'] : ['Role', 'ClusterRole'];
  if (!kinds.includes(String(ref['kind'])))
    causes.push(unsupported('roleRef.kind', ref['kind'] ?? '', kinds));
  if (!ref['name']) causes.push(requiredValue('roleRef.name'));
  return causes;
}

const rules: Readonly<Record<string, Rule>> = {
  '/Pod': (object) => validatePodSpec(object['spec'], 'spec'),
  '/Service': validateService,
  '/ConfigMap': validateData,
  '/Secret': validateData,
  'apps/Deployment': templateRules(['Always']),
  'apps/ReplicaSet': templateRules(['Always']),
  'apps/DaemonSet': templateRules(['Always']),
  'apps/StatefulSet': templateRules(['Always']),
  'batch/Job': (object) => {
    const template = object['spec']?.template as Json | undefined;
    const causes = validatePodSpec(template?.['spec'], 'spec.template.spec');
    const policy = (template?.['spec'] as Json | undefined)?.['restartPolicy'];
    if (policy === 'Always') {
      causes.push({
        reason: 'FieldValueRequired',
        message: 'Required value: valid values: "OnFailure", "Never"',
        field: 'spec.template.spec.restartPolicy',
      });
    }
    return causes;
  },
  'rbac.authorization.k8s.io/RoleBinding': validateBinding,
  'rbac.authorization.k8s.io/ClusterRoleBinding': validateBinding,
  'node.k8s.io/RuntimeClass': (object) => (object['handler'] ? [] : [requiredValue('handler')]),
};

export function validateCreate(info: ResourceInfo, object: KubeObject): StatusCause[] {
  return [
    ...validateMetadata(info, object),
    ...(rules[`${info.group}/${info.kind}`]?.(object) ?? []),
  ];
}

// ---- updates ----

const immutable: Readonly<Record<string, readonly string[]>> = {
  'apps/Deployment': ['spec.selector'],
  'apps/ReplicaSet': ['spec.selector'],
  'apps/DaemonSet': ['spec.selector'],
  'apps/StatefulSet': ['spec.selector', 'spec.serviceName', 'spec.podManagementPolicy'],
  'batch/Job': ['spec.selector', 'spec.template', 'spec.completionMode'],
  'rbac.authorization.k8s.io/RoleBinding': ['roleRef'],
  'rbac.authorization.k8s.io/ClusterRoleBinding': ['roleRef'],
  'node.k8s.io/RuntimeClass': ['handler'],
  '/Service': ['spec.clusterIP'],
};

function at(object: unknown, path: string): unknown {
  return path.split('.').reduce((value, key) => (value as Json | undefined)?.[key], object);
}

const same = (a: unknown, b: unknown): boolean =>
  JSON.stringify(canonical(a)) === JSON.stringify(canonical(b));

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (!isObject(value)) return value;
  const keys = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort();
  return Object.fromEntries(keys.map((key) => [key, canonical(value[key])]));
}

/** A pod's spec may change in its images, tolerations (added), deadline and gates only. */
function validatePodUpdate(object: KubeObject, old: KubeObject): StatusCause[] {
  const neutral = (pod: KubeObject): unknown => {
    const {
      activeDeadlineSeconds: _deadline,
      tolerations: _tolerations,
      terminationGracePeriodSeconds: _grace,
      schedulingGates: _gates,
      ...spec
    } = pod['spec'] as Json;
    const images = (containers: unknown) =>
      list(containers).map(({ image: _image, resources: _resources, ...rest }) => rest);
    return {
      ...spec,
      containers: images(spec['containers']),
      initContainers: images(spec['initContainers']),
    };
  };
  if (same(neutral(object), neutral(old))) return [];
  return [
    forbidden(
      'spec',
      'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    ),
  ];
}

export function validateUpdate(
  info: ResourceInfo,
  object: KubeObject,
  old: KubeObject,
): StatusCause[] {
  const key = `${info.group}/${info.kind}`;
  const causes = validateCreate(info, object);
  for (const path of immutable[key] ?? []) {
    const before = at(old, path);
    if (before === undefined || before === '' || same(before, at(object, path))) continue;
    const isServiceChange = key === '/Service' && object['spec']?.type === 'ExternalName';
    if (!isServiceChange)
      causes.push(invalidValue(path, at(object, path) ?? null, 'field is immutable'));
  }
  if (key === '/Pod') causes.push(...validatePodUpdate(object, old));
  if ((key === '/ConfigMap' || key === '/Secret') && old['immutable'] === true) {
    if (!same([old['data'], old['binaryData']], [object['data'], object['binaryData']])) {
      causes.push(forbidden('data', 'field is immutable when `immutable` is set'));
    }
  }
  return causes;
}
