// Validates configuration, access, quota and storage kinds, as kube-apiserver v1.37 does.
import {
  atMostAllOfIt,
  cidrBlock,
  countOrPercent,
  isObject,
  labelSelector,
  labelValues,
  list,
  named,
  notNegative,
  oneOf,
  qualified,
  quantityNotNegative,
  record,
  type Json,
} from './field-rules.ts';
import {
  duplicate,
  forbidden,
  invalidValue,
  requiredValue,
  unsupported,
  validateLabels,
} from './names.ts';
import { rangeOf } from './ip-ranges.ts';
import { same } from '#base/same.ts';
import type { KubeObject } from './object.ts';
import type { StatusCause } from './status.ts';
import { validateClaimSpec } from './validation-claims.ts';
import { configKey } from './validation-containers.ts';
import { validateVolume } from './validation-persistent-volumes.ts';
import { goJsonFault } from './go-json-error.ts';
import { validateTolerations } from './validation-pods.ts';
import { validateLimitRange, validateQuota } from './validation-quotas.ts';

type Rule = (object: KubeObject, old?: KubeObject) => StatusCause[];

const DATA_BYTES_MAX = 1024 * 1024;

function tooLong(): StatusCause {
  const message = `Too long: may not be more than ${DATA_BYTES_MAX} bytes`;
  return { reason: 'FieldValueTooLong', message, field: '[]' };
}

const validateConfigMap: Rule = (object) => {
  const causes: StatusCause[] = [];
  let size = 0;
  const data = record(object['data']);
  const binary = record(object['binaryData']);
  for (const [key, value] of Object.entries(data)) {
    causes.push(...configKey(`data[${key}]`, key));
    if (binary[key] !== undefined) {
      causes.push(invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    }
    size += Buffer.byteLength(String(value));
  }
  for (const [key, value] of Object.entries(binary)) {
    causes.push(...configKey(`binaryData[${key}]`, key));
    size += Buffer.byteLength(String(value), 'base64');
  }
  return size > DATA_BYTES_MAX ? [...causes, tooLong()] : causes;
};

const neededKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

const validateSecret: Rule = (object) => {
  const causes: StatusCause[] = [];
  const data = record(object['data']);
  const type = String(object['type'] ?? '');
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    causes.push(...configKey(`data[${key}]`, key));
    size += Buffer.byteLength(String(value), 'base64');
  }
  if (size > DATA_BYTES_MAX) causes.push({ ...tooLong(), field: 'data' });
  for (const key of neededKeys[type] ?? []) {
    const field = `data[${key}]`;
    const isMissing = data[key] === undefined || (key.startsWith('ssh-') && data[key] === '');
    if (isMissing) causes.push(requiredValue(field));
    else if (key.startsWith('.docker')) {
      const text = Buffer.from(String(data[key]), 'base64').toString();
      const why = goJsonFault(text);
      if (why === undefined) continue;
      causes.push(invalidValue(field, '<secret contents redacted>', why));
    }
  }
  const hasNoLogin = data['username'] === undefined && data['password'] === undefined;
  if (type === 'kubernetes.io/basic-auth' && hasNoLogin) {
    causes.push(requiredValue('data[username]'), requiredValue('data[password]'));
  }
  const account = 'kubernetes.io/service-account.name';
  if (type === 'kubernetes.io/service-account-token' && !object.metadata.annotations?.[account]) {
    causes.push(requiredValue(`metadata.annotations[${account}]`));
  }
  return causes;
};

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** Names without a slash are the server's own. */
function ownFinalizer(name: string, at: string): StatusCause[] {
  if (name.includes('/') || standardFinalizers.has(name)) return [];
  const why = 'name is neither a standard finalizer name nor is it fully qualified';
  return [invalidValue(at, name, why)];
}

/** Of the metadata of a built-in kind; those of custom resources may have any qualified name. */
export function validateFinalizers(names: readonly string[], isBuiltIn: boolean): StatusCause[] {
  const field = 'metadata.finalizers';
  const wrong = names.flatMap((name) => qualified(field, name));
  if (!isBuiltIn) return wrong;
  return [...wrong, ...names.flatMap((name, i) => ownFinalizer(name, `${field}[${i}]`))];
}

export const validateFinalizing: Rule = (object) =>
  list(record(object['spec'])['finalizers']).flatMap((one, i) => {
    const field = `spec.finalizers[${i}]`;
    return [...qualified(field, String(one)), ...ownFinalizer(String(one), field)];
  });

const validateNamespace: Rule = (object) => {
  const field = 'spec.finalizers';
  return list(record(object['spec'])['finalizers']).flatMap((one) => [
    ...qualified(field, String(one)),
    ...ownFinalizer(String(one), field),
  ]);
};

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** One of each family at most. */
function podRanges(ranges: readonly string[]): StatusCause[] {
  const field = 'spec.podCIDRs';
  const causes = ranges.flatMap((one, index) => cidrBlock(`${field}[${index}]`, one));
  if (ranges.length < 2) return causes;
  const first = ranges.findIndex((one) => rangeOf(one) === undefined);
  if (first >= 0) {
    const why = `invalid CIDR[${first}]: <nil> (invalid CIDR address: ${ranges[first] ?? ''})`;
    const message = `Internal error: invalid PodCIDRs. failed to check with dual stack with error:${why}`;
    causes.push({ reason: 'InternalError', message, field });
  }
  const families = new Set(ranges.map((one) => one.includes(':')));
  if (first < 0 && ranges.length === 2 && families.size === 2) return causes;
  const why = 'may specify no more than one CIDR for each IP family';
  return [...causes, invalidValue(field, ranges, why)];
}

export function validateNodeUpdate(object: KubeObject, old: KubeObject): StatusCause[] {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  const causes: StatusCause[] = [];
  const had = list(before['podCIDRs']);
  if (had.length > 0 && !same(list(spec['podCIDRs']), had)) {
    const why = 'node updates may not change podCIDR except from "" to valid';
    causes.push(forbidden('spec.podCIDRs', why));
  }
  const [id, was] = [spec['providerID'] || undefined, before['providerID'] || undefined];
  if (was === undefined || id === was) return causes;
  const what = id === undefined ? 'cleared' : 'modified';
  return [...causes, invalidValue('spec.providerID', null, `field cannot be ${what} once set`)];
}

const validateNode: Rule = (object) => {
  const spec = record(object['spec']);
  const seen = new Set<string>();
  const causes = list(spec['taints']).flatMap((taint, index) => {
    const at = `metadata.taints[${index}]`;
    const { key = '', effect = '' } = taint;
    const found = [
      ...qualified(`${at}.key`, key),
      ...(effect === '' ? [requiredValue(`${at}.effect`)] : oneOf(`${at}.effect`, effect, effects)),
      ...labelValues([taint['value'] ?? ''], at).map((one) => ({ ...one, field: `${at}.value` })),
    ];
    const pair = `${String(key)}:${String(effect)}`;
    if (seen.has(pair)) {
      const { value = '', timeAdded = null } = taint;
      const shown = { Key: key, Value: value, Effect: effect, TimeAdded: timeAdded };
      const cause = duplicate(at, shown);
      const message = `${cause.message}: taints must be unique by key and effect pair`;
      found.push({ ...cause, message });
    }
    seen.add(pair);
    return found;
  });
  return [...causes, ...podRanges(list(spec['podCIDRs']) as unknown as string[])];
};

// ---- access ----

function policyRules(object: KubeObject, isNamespaced: boolean): StatusCause[] {
  return list(object['rules']).flatMap((rule, index) => {
    const at = `rules[${index}]`;
    const urls = list(rule['nonResourceURLs']);
    const causes: StatusCause[] = [];
    if (list(rule['verbs']).length === 0) causes.push(requiredValue(`${at}.verbs`));
    const [groups, resources] = [list(rule['apiGroups']), list(rule['resources'])];
    if (urls.length > 0) {
      const isMixed = groups.length > 0 || resources.length > 0;
      const why = isNamespaced
        ? 'namespaced rules cannot apply to non-resource URLs'
        : 'rules cannot apply to both regular resources and non-resource URLs';
      if (isNamespaced || isMixed) causes.push(invalidValue(`${at}.nonResourceURLs`, urls, why));
      return causes;
    }
    if (groups.length === 0) {
      const why = 'resource rules must supply at least one api group';
      causes.push(requiredValue(`${at}.apiGroups`, why));
    }
    if (resources.length === 0) {
      const why = 'resource rules must supply at least one resource';
      causes.push(requiredValue(`${at}.resources`, why));
    }
    return causes;
  });
}

const validateClusterRole: Rule = (object) => {
  const causes = policyRules(object, false);
  const aggregation = object['aggregationRule'] as unknown;
  if (isObject(aggregation) && list(aggregation['clusterRoleSelectors']).length === 0) {
    const why = 'at least one clusterRoleSelector required if aggregationRule is non-nil';
    causes.push(requiredValue('aggregationRule.clusterRoleSelectors', why));
  }
  list(record(aggregation)['clusterRoleSelectors']).forEach((selector, index) => {
    const at = `aggregationRule.clusterRoleSelectors[${index}]`;
    const wrong = labelSelector(selector, at);
    causes.push(...wrong);
    if (wrong.length > 0) causes.push(invalidValue(at, null, 'invalid label selector.'));
  });
  return causes;
};

const RBAC = 'rbac.authorization.k8s.io';

const validateBinding: Rule = (object) => {
  const ref = record(object['roleRef']);
  const isCluster = object.kind === 'ClusterRoleBinding';
  const causes: StatusCause[] = [];
  if (ref['apiGroup'] !== RBAC) {
    causes.push(unsupported('roleRef.apiGroup', ref['apiGroup'] ?? '', [RBAC]));
  }
  const kinds = isCluster ? ['ClusterRole'] : ['Role', 'ClusterRole'];
  causes.push(...oneOf('roleRef.kind', ref['kind'] ?? '', kinds));
  if (!ref['name']) causes.push(requiredValue('roleRef.name'));
  else causes.push(...named('roleRef.name', ref['name'], 'path-segment'));
  list(object['subjects']).forEach((subject, index) => {
    const at = `subjects[${index}]`;
    const { kind, name, apiGroup = '' } = subject;
    if (!name) causes.push(requiredValue(`${at}.name`));
    if (kind === 'ServiceAccount') {
      if (name) causes.push(...named(`${at}.name`, name, 'subdomain'));
      causes.push(...oneOf(`${at}.apiGroup`, apiGroup, ['']));
      if (isCluster && !subject['namespace']) causes.push(requiredValue(`${at}.namespace`));
    } else if (kind === 'User' || kind === 'Group') {
      causes.push(...oneOf(`${at}.apiGroup`, apiGroup, [RBAC]));
    } else {
      causes.push(unsupported(`${at}.kind`, kind ?? '', ['ServiceAccount', 'User', 'Group']));
    }
  });
  return causes;
};

// ---- storage ----

const validateStorageClass: Rule = (object) => {
  const { provisioner, reclaimPolicy, volumeBindingMode } = object as Json;
  return [
    ...(provisioner
      ? qualified('provisioner', String(provisioner).toLowerCase())
      : [requiredValue('provisioner')]),
    ...oneOf('reclaimPolicy', reclaimPolicy || undefined, ['Delete', 'Retain']),
    ...oneOf('volumeBindingMode', volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']),
    ...topologies(object['allowedTopologies'], 'allowedTopologies'),
  ];
};

/** Terms differ from each other, and in a term the keys, and for a key the values. */
function topologies(terms: unknown, at: string): StatusCause[] {
  const seen = new Set<string>();
  return list(terms).flatMap((term, index) => {
    const field = `${at}[${index}].matchLabelExpressions`;
    const keys = new Set<unknown>();
    const expressions = list(term['matchLabelExpressions']);
    const causes = expressions.flatMap((one, i) => {
      const { key = '', values } = one;
      const where = `${field}[${i}]`;
      const known = new Set<unknown>();
      const twice = list(values).flatMap((value, j) => {
        const isTwice = known.has(value);
        known.add(value);
        return isTwice ? [duplicate(`${where}.values[${j}]`, value)] : [];
      });
      const isTwice = keys.has(key);
      keys.add(key);
      return [
        ...(isTwice ? [duplicate(`${where}.key`, key)] : []),
        ...(list(values).length === 0 ? [requiredValue(`${where}.values`)] : []),
        ...twice,
        ...qualified(`${where}.key`, key),
      ];
    });
    const text = JSON.stringify(expressions);
    const isTwice = expressions.length === 0 || seen.has(text);
    seen.add(text);
    return isTwice ? [...causes, duplicate(field, '')] : causes;
  });
}

// ---- others ----

const validateBudget: Rule = (object) => {
  const spec = record(object['spec']);
  const { minAvailable, maxUnavailable } = spec;
  const causes: StatusCause[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    const shown = {
      MinAvailable: minAvailable,
      Selector: spec['selector'] ?? null,
      MaxUnavailable: maxUnavailable,
      UnhealthyPodEvictionPolicy: spec['unhealthyPodEvictionPolicy'] ?? null,
    };
    causes.push(invalidValue('spec', shown, 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const field of ['minAvailable', 'maxUnavailable']) {
    causes.push(
      ...countOrPercent(`spec.${field}`, spec[field]),
      ...atMostAllOfIt(`spec.${field}`, spec[field]),
    );
  }
  const policy = spec['unhealthyPodEvictionPolicy'];
  const policies = ['AlwaysAllow', 'IfHealthyBudget'];
  return [
    ...causes,
    ...labelSelector(spec['selector'], 'spec.selector'),
    ...oneOf('spec.unhealthyPodEvictionPolicy', policy, policies),
  ];
};

function twiceTolerated(tolerations: unknown, at: string): StatusCause[] {
  const seen = new Set<string>();
  return list(tolerations).flatMap((one, index) => {
    const { key = '', operator = '', value = '', effect = '', tolerationSeconds = null } = one;
    const shown = {
      Key: key,
      Operator: operator,
      Value: value,
      Effect: effect,
      TolerationSeconds: tolerationSeconds,
    };
    const text = JSON.stringify(shown);
    const isTwice = seen.has(text);
    seen.add(text);
    return isTwice ? [duplicate(`${at}[${index}]`, shown)] : [];
  });
}

/** As the declarations of the API count. */
const inBytes = (causes: readonly StatusCause[]): StatusCause[] =>
  causes.map((one) => ({ ...one, message: one.message.replace(/characters$/, 'bytes') }));

const validateRuntimeClass: Rule = (object) => {
  const { handler, overhead, scheduling } = object as Json;
  const causes = handler ? inBytes(named('handler', handler, 'label')) : [requiredValue('handler')];
  for (const [name, value] of Object.entries(record(record(overhead)['podFixed']))) {
    causes.push(...quantityNotNegative(`overhead.limits[${name}]`, value));
  }
  const { tolerations, nodeSelector } = record(scheduling);
  const labels = nodeSelector as Record<string, string> | undefined;
  return [
    ...causes,
    ...validateLabels(labels, 'scheduling.nodeSelector'),
    ...validateTolerations(tolerations, 'scheduling.tolerations'),
    ...twiceTolerated(tolerations, 'scheduling.tolerations'),
  ];
};

const PRIORITY_MAX = 1_000_000_000;
const systemClasses = new Set(['system-node-critical', 'system-cluster-critical']);

const validatePriorityClass: Rule = (object, old) => {
  const { name = '' } = object.metadata;
  const causes: StatusCause[] = [];
  if (name.startsWith('system-')) {
    if (!systemClasses.has(name)) {
      const why = `priority class names with 'system-' prefix are reserved for system use only. error: ${name} is not a known system priority class`;
      causes.push(forbidden('metadata.name', why));
    }
  } else if (Number(object['value'] ?? 0) > PRIORITY_MAX) {
    const why = `maximum allowed value of a user defined priority is ${PRIORITY_MAX}`;
    causes.push(forbidden('value', why));
  }
  const { preemptionPolicy: policy } = object as Json;
  if (policy === '' && old === undefined) {
    return [...causes, requiredValue('preemptionPolicy')];
  }
  const policies = ['PreemptLowerPriority', 'Never'];
  // That it may not change is all that is said of it later.
  if (old !== undefined) return causes;
  return [...causes, ...oneOf('preemptionPolicy', policy, policies)];
};

const validateLease: Rule = (object) => {
  const spec = record(object['spec']);
  const { leaseDurationSeconds: duration } = spec;
  const causes: StatusCause[] = [];
  if (typeof duration === 'number' && duration <= 0) {
    causes.push(invalidValue('spec.leaseDurationSeconds', duration, 'must be greater than 0'));
  }
  return [...causes, ...notNegative('spec.leaseTransitions', spec['leaseTransitions'])];
};

export const objectRules: Readonly<Record<string, Rule>> = {
  '/ConfigMap': validateConfigMap,
  '/Secret': validateSecret,
  '/Namespace': validateNamespace,
  '/Node': validateNode,
  '/ResourceQuota': validateQuota,
  '/LimitRange': validateLimitRange,
  '/PersistentVolume': validateVolume,
  '/PersistentVolumeClaim': (object) => validateClaimSpec(object['spec'], 'spec'),
  'rbac.authorization.k8s.io/Role': (object) => policyRules(object, true),
  'rbac.authorization.k8s.io/ClusterRole': validateClusterRole,
  'rbac.authorization.k8s.io/RoleBinding': validateBinding,
  'rbac.authorization.k8s.io/ClusterRoleBinding': validateBinding,
  'policy/PodDisruptionBudget': validateBudget,
  'node.k8s.io/RuntimeClass': validateRuntimeClass,
  'scheduling.k8s.io/PriorityClass': validatePriorityClass,
  'coordination.k8s.io/Lease': validateLease,
  'storage.k8s.io/StorageClass': validateStorageClass,
};
