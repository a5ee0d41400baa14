// Validates pod specs, wherever they stand, and what of a pod may change, as kube-apiserver v1.37 does.
import { isNumber } from './exact-numbers.ts';
import { cloneJson } from '#base/clone.ts';
import {
  inRange,
  ipAddress,
  isObject,
  list,
  named,
  needed,
  oneOf,
  qualified,
  record,
  labelSelector,
  labelValues,
  type Json,
} from './field-rules.ts';
import { duplicate, forbidden, invalidValue, requiredValue, validateLabels } from './names.ts';
import type { KubeObject } from './object.ts';
import { same } from '#base/same.ts';
import { validatePodLevelResources } from './pod-level-resources.ts';
import type { StatusCause } from './status.ts';
import {
  appArmorProfile,
  seccompProfile,
  validateContainer,
  type Surroundings,
} from './validation-containers.ts';
import { nodeSelector, nodeTerm } from './validation-node-selectors.ts';
import { userOrGroup, validateVolumes } from './validation-volumes.ts';

const GRACE_SECONDS = 30;
const INT32_MAX = 2_147_483_647;
const restartPolicies = ['Always', 'OnFailure', 'Never'];
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function validateTolerations(tolerations: unknown, field: string): StatusCause[] {
  return list(tolerations).flatMap((one, index) => {
    const at = `${field}[${index}]`;
    const { key, operator, value, effect, tolerationSeconds } = one;
    const causes = key ? qualified(`${at}.key`, key) : [];
    if (!key && operator !== 'Exists') {
      const why =
        'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      causes.push(invalidValue(`${at}.operator`, operator ?? '', why));
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      const why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
      causes.push(invalidValue(`${at}.effect`, effect ?? '', why));
    }
    if (operator === 'Exists' && value) {
      const why = "value must be empty when `operator` is 'Exists'";
      causes.push(invalidValue(`${at}.operator`, value, why));
    } else if (operator) {
      causes.push(...oneOf(`${at}.operator`, operator, ['Equal', 'Exists']));
    }
    if (operator === 'Equal') {
      const wrong = labelValues([value ?? ''], at);
      causes.push(...wrong.map((cause) => ({ ...cause, field: `${at}.operator` })));
    }
    return effect ? [...causes, ...oneOf(`${at}.effect`, effect, effects)] : causes;
  });
}

const labelKeys = (keys: unknown, field: string): StatusCause[] =>
  (Array.isArray(keys) ? keys : []).flatMap((key, i) => qualified(`${field}[${i}]`, key));

/** Keys of the pod's own labels add to a selector, which must be there and does not have them already. */
function ownKeys(term: Json, at: string): StatusCause[] {
  const { labelSelector: selector } = term;
  const [matching, others] = ['matchLabelKeys', 'mismatchLabelKeys'].map(
    (name) => list(term[name]) as unknown as string[],
  ) as [string[], string[]];
  const causes: StatusCause[] = [];
  for (const [name, keys] of Object.entries({
    matchLabelKeys: matching,
    mismatchLabelKeys: others,
  })) {
    const why = 'must not be specified when labelSelector is not set';
    if (keys.length > 0 && selector === undefined) causes.push(forbidden(`${at}.${name}`, why));
    else causes.push(...labelKeys(keys, `${at}.${name}`));
  }
  const { matchLabels, matchExpressions } = record(selector);
  const seen = new Set(Object.keys(record(matchLabels)));
  for (const { key } of list(matchExpressions) as { key?: string }[]) {
    const index = matching.lastIndexOf(key ?? '');
    if (index >= 0 && seen.has(key ?? '')) {
      const why = 'exists in both matchLabelKeys and labelSelector';
      causes.push(invalidValue(`${at}[${index}]`, key, why));
    }
    seen.add(key ?? '');
  }
  matching.forEach((key, index) => {
    const why = 'exists in both matchLabelKeys and mismatchLabelKeys';
    if (others.includes(key)) causes.push(invalidValue(`${at}.matchLabelKeys[${index}]`, key, why));
  });
  return causes;
}

function weight(one: Json, field: string): StatusCause[] {
  const value = Number(one['weight'] ?? 0);
  const isRight = value >= 1 && value <= 100;
  return isRight ? [] : [invalidValue(`${field}.weight`, value, 'must be in the range 1-100')];
}

function podTerm(term: unknown, field: string): StatusCause[] {
  const one = record(term);
  const { topologyKey, labelSelector: selector, namespaceSelector, namespaces } = one;
  return [
    ...labelSelector(selector, `${field}.labelSelector`),
    ...labelSelector(namespaceSelector, `${field}.namespaceSelector`),
    ...(list(namespaces) as unknown[]).flatMap((name) =>
      named(`${field}.namespace`, name, 'label'),
    ),
    ...ownKeys(one, field),
    ...needed(`${field}.topologyKey`, topologyKey, 'can not be empty'),
    ...qualified(`${field}.topologyKey`, topologyKey),
  ];
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

function validateAffinity(affinity: unknown, field: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const node = record(record(affinity)['nodeAffinity']);
  const at = `${field}.nodeAffinity`;
  if (isObject(node[REQUIRED])) {
    causes.push(...nodeSelector(node[REQUIRED], `${at}.${REQUIRED}`));
  }
  list(node[PREFERRED]).forEach((one, index) => {
    const where = `${at}.${PREFERRED}[${index}]`;
    causes.push(...weight(one, where), ...nodeTerm(one['preference'], `${where}.preference`));
  });
  for (const kind of ['podAffinity', 'podAntiAffinity']) {
    const pods = record(record(affinity)[kind]);
    list(pods[REQUIRED]).forEach((one, index) =>
      causes.push(...podTerm(one, `${field}.${kind}.${REQUIRED}[${index}]`)),
    );
    list(pods[PREFERRED]).forEach((one, index) => {
      const where = `${field}.${kind}.${PREFERRED}[${index}]`;
      causes.push(
        ...weight(one, where),
        ...podTerm(one['podAffinityTerm'], `${where}.podAffinityTerm`),
      );
    });
  }
  return causes;
}

function validateSpread(constraints: unknown, field: string): StatusCause[] {
  const seen = new Set<string>();
  return list(constraints).flatMap((one, index) => {
    const at = `${field}[${index}]`;
    const { maxSkew = 0, topologyKey = '', whenUnsatisfiable = '', minDomains } = one;
    const causes: StatusCause[] = [];
    const positive = (name: string, value: unknown): void => {
      if (typeof value === 'number' && value <= 0) {
        causes.push(invalidValue(`${at}.${name}`, value, 'must be greater than zero'));
      }
    };
    positive('maxSkew', maxSkew);
    causes.push(...needed(`${at}.topologyKey`, topologyKey, 'can not be empty'));
    const actions = ['DoNotSchedule', 'ScheduleAnyway'];
    causes.push(...oneOf(`${at}.whenUnsatisfiable`, whenUnsatisfiable, actions));
    const pair = `{${String(topologyKey)}, ${String(whenUnsatisfiable)}}`;
    // Upstream names the first of the two.
    if (seen.has(pair)) {
      causes.push(duplicate(`${field}[${index - 1}].{topologyKey, whenUnsatisfiable}`, pair));
    }
    seen.add(pair);
    positive('minDomains', minDomains);
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule') {
      const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${String(whenUnsatisfiable)}`;
      causes.push(invalidValue(`${at}.minDomains`, minDomains, why));
    }
    const { labelSelector: selector } = one;
    causes.push(
      ...oneOf(`${at}.nodeAffinityPolicy`, one['nodeAffinityPolicy'], ['Honor', 'Ignore']),
      ...oneOf(`${at}.nodeTaintsPolicy`, one['nodeTaintsPolicy'], ['Honor', 'Ignore']),
      ...ownKeys({ ...one, mismatchLabelKeys: [] }, at),
      ...labelSelector(selector, `${at}.labelSelector`),
    );
    return causes;
  });
}

const searchText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
const SEARCH_LENGTH_MAX = 253;
const SEARCH = /^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;

function validateDns(spec: Json, at: string): StatusCause[] {
  const { dnsPolicy, dnsConfig } = spec;
  const causes = oneOf(`${at}.dnsPolicy`, dnsPolicy, dnsPolicies);
  const field = `${at}.dnsConfig`;
  const config = record(dnsConfig);
  if (dnsPolicy === 'None') {
    if (dnsConfig === undefined) {
      causes.push(requiredValue(field, 'must provide `dnsConfig` when `dnsPolicy` is None'));
    } else if (list(config['nameservers']).length === 0) {
      const why = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      causes.push(requiredValue(`${field}.nameservers`, why));
    }
  }
  list(config['nameservers']).forEach((one, index) =>
    causes.push(...ipAddress(`${field}.nameservers[${index}]`, one)),
  );
  list(config['searches']).forEach((one, index) => {
    const text = String(one).replace(/\.$/, '');
    if (text.length > SEARCH_LENGTH_MAX) {
      const why = `must be no more than ${SEARCH_LENGTH_MAX} characters`;
      causes.push(invalidValue(`${field}.searches[${index}]`, text, why));
      return;
    }
    if (String(one) === '.' || SEARCH.test(text)) return;
    causes.push(invalidValue(`${field}.searches[${index}]`, text, searchText));
  });
  list(config['options']).forEach((one, index) =>
    causes.push(...needed(`${field}.options[${index}]`, one['name'], 'must not be empty')),
  );
  return causes;
}

const sysctlRule = String.raw`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`;

function validateSecurity(spec: Json, at: string): StatusCause[] {
  const context = record(spec['securityContext']);
  const field = `${at}.securityContext`;
  const causes = [
    ...userOrGroup(`${field}.fsGroup`, context['fsGroup']),
    ...userOrGroup(`${field}.runAsUser`, context['runAsUser']),
    ...userOrGroup(`${field}.runAsGroup`, context['runAsGroup']),
    ...list(context['supplementalGroups']).flatMap((one, index) =>
      userOrGroup(`${field}.supplementalGroups[${index}]`, one),
    ),
  ];
  if (spec['shareProcessNamespace'] === true && spec['hostPID'] === true) {
    const why = 'ShareProcessNamespace and HostPID cannot both be enabled';
    causes.push(invalidValue(`${at}.shareProcessNamespace`, true, why));
  }
  if (spec['hostUsers'] === false) {
    for (const name of ['hostNetwork', 'hostPID', 'hostIPC']) {
      if (spec[name] === true) causes.push(forbidden(`${at}.${name}`, 'when `hostUsers` is false'));
    }
  }
  const names = new Set<string>();
  list(context['sysctls']).forEach((one, index) => {
    const name = String(one['name'] ?? '');
    const where = `${field}.sysctls[${index}].name`;
    if (name === '') causes.push(requiredValue(where));
    else if (name.length > 253 || !new RegExp(sysctlRule).test(name)) {
      const why = `must have at most 253 characters and match regex ${sysctlRule}`;
      causes.push(invalidValue(where, name, why));
    } else if (names.has(name)) causes.push(duplicate(where, name));
    names.add(name);
  });
  const policy = context['fsGroupChangePolicy'];
  causes.push(...oneOf(`${field}.fsGroupChangePolicy`, policy, ['Always', 'OnRootMismatch']));
  const { supplementalGroupsPolicy, seLinuxChangePolicy } = context;
  return [
    ...causes,
    ...oneOf(`${field}.supplementalGroupsPolicy`, supplementalGroupsPolicy, ['Merge', 'Strict']),
    ...oneOf(`${field}.seLinuxChangePolicy`, seLinuxChangePolicy, ['MountOption', 'Recursive']),
    ...seccompProfile(context['seccompProfile'], `${field}.seccompProfile`),
    ...appArmorProfile(context['appArmorProfile'], `${field}.appArmorProfile`),
  ];
}

function validateAllContainers(spec: Json, at: string, near: Surroundings): StatusCause[] {
  const containers = list(spec['containers']);
  const causes = containers.length === 0 ? [requiredValue(`${at}.containers`)] : [];
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  for (const field of ['containers', 'initContainers']) {
    list(spec[field]).forEach((container, index) => {
      const where = `${at}.${field}[${index}]`;
      const name = String(container['name'] ?? '');
      const found = validateContainer(container, where, near);
      if (name !== '' && names.has(name)) found.push(duplicate(`${where}.name`, name));
      names.add(name);
      causes.push(...found);
      if (field === 'containers') causes.push(...hostPortClashes(container, where, hostPorts));
    });
  }
  return causes;
}

const notEphemeral = ['ports', 'resources', 'livenessProbe', 'readinessProbe', 'startupProbe'];

/** Containers that come later serve nobody, and hold nothing of the pod's. */
function ephemeralContainers(spec: Json, at: string, near: Surroundings): StatusCause[] {
  const others = ['containers', 'initContainers'].flatMap((field) => list(spec[field]));
  const names = new Set(others.map(({ name }) => name));
  const targets = new Set(names);
  const why = 'cannot be set for an Ephemeral Container';
  return list(spec['ephemeralContainers']).flatMap((container, index) => {
    const where = `${at}.ephemeralContainers[${index}]`;
    const { name, targetContainerName: target } = container;
    const causes = validateContainer(container, where, near);
    if (names.has(name)) causes.push(duplicate(`${where}.name`, name));
    names.add(name);
    if (target && !targets.has(target)) {
      const message = `Not found: ${JSON.stringify(target)}`;
      const field = `${where}.targetContainerName`;
      causes.push({ reason: 'FieldValueNotFound', message, field });
    }
    for (const field of [...notEphemeral, 'lifecycle', 'resizePolicy', 'restartPolicy']) {
      const value = container[field];
      const isEmpty = value === undefined || Object.keys(value as object).length === 0;
      if (!isEmpty) causes.push(forbidden(`${where}.${field}`, why));
    }
    list(container['volumeMounts']).forEach((mount, i) => {
      for (const field of ['subPath', 'subPathExpr'])
        if (mount[field]) causes.push(forbidden(`${where}.volumeMounts[${i}].${field}`, why));
    });
    return causes;
  });
}

function hostPortClashes(container: Json, where: string, taken: Set<string>): StatusCause[] {
  return list(container['ports']).flatMap((port, index) => {
    if (!port['hostPort']) return [];
    const key = [port['protocol'], port['hostIP'] ?? '', port['hostPort']].join('/');
    const isTaken = taken.has(key);
    taken.add(key);
    return isTaken ? [duplicate(`${where}.ports[${index}].hostPort`, key)] : [];
  });
}

function validatePlacement(spec: Json, at: string): StatusCause[] {
  const causes = validateLabels(
    spec['nodeSelector'] as Record<string, string> | undefined,
    `${at}.nodeSelector`,
  );
  if (spec['nodeName']) causes.push(...named(`${at}.nodeName`, spec['nodeName'], 'subdomain'));
  const gates = list(spec['schedulingGates']);
  const seen = new Set<unknown>();
  gates.forEach(({ name }, index) => {
    const field = `${at}.schedulingGates[${index}]`;
    causes.push(...qualified(field, name));
    if (seen.has(name)) causes.push(duplicate(field, name));
    seen.add(name);
  });
  if (gates.length > 0 && spec['nodeName'] && at === 'spec') {
    const why = 'cannot be set until all schedulingGates have been cleared';
    causes.push(forbidden(`${at}.nodeName`, why));
  }
  return [
    ...causes,
    ...validateAffinity(spec['affinity'], `${at}.affinity`),
    ...validateTolerations(spec['tolerations'], `${at}.tolerations`),
    ...validateSpread(spec['topologySpreadConstraints'], `${at}.topologySpreadConstraints`),
  ];
}

export function validatePodSpec(given: unknown, at: string, podName = ''): StatusCause[] {
  const spec = record(given);
  const grace = spec['terminationGracePeriodSeconds'];
  const { causes, names } = validateVolumes(list(spec['volumes']), `${at}.volumes`, podName);
  const near: Surroundings = {
    volumes: names,
    isHostNetwork: spec['hostNetwork'] === true,
    hasHostUsers: spec['hostUsers'] !== false,
    graceSeconds: isNumber(grace) ? grace : GRACE_SECONDS,
  };
  const os = record(spec['os'])['name'];
  return [
    ...causes,
    ...validateAllContainers(spec, at, near),
    ...ephemeralContainers(spec, at, near),
    ...validatePodLevelResources(spec, at),
    ...oneOf(`${at}.restartPolicy`, spec['restartPolicy'], restartPolicies),
    ...validateDns(spec, at),
    ...validateSecurity(spec, at),
    ...named(`${at}.serviceAccountName`, spec['serviceAccountName'] || undefined, 'subdomain'),
    ...inRange(`${at}.activeDeadlineSeconds`, spec['activeDeadlineSeconds'], 1, INT32_MAX),
    ...named(`${at}.hostname`, spec['hostname'] || undefined, 'label'),
    ...named(`${at}.subdomain`, spec['subdomain'] || undefined, 'label'),
    ...validatePlacement(spec, at),
    ...list(spec['hostAliases']).flatMap((one, index) => [
      ...ipAddress(`${at}.hostAliases[${index}].ip`, one['ip'] ?? ''),
      ...list(one['hostnames']).flatMap((name, i) =>
        named(`${at}.hostAliases[${index}].hostnames[${i}]`, name, 'subdomain'),
      ),
    ]),
    ...list(spec['readinessGates']).flatMap((one, index) =>
      qualified(`${at}.readinessGates[${index}].conditionType`, one['conditionType']),
    ),
    ...named(`${at}.runtimeClassName`, spec['runtimeClassName'], 'subdomain'),
    ...oneOf(`${at}.preemptionPolicy`, spec['preemptionPolicy'], ['PreemptLowerPriority', 'Never']),
    ...named(`${at}.priorityClassName`, spec['priorityClassName'] || undefined, 'subdomain'),
    ...(isObject(spec['os']) && !os ? [requiredValue(`${at}.os.name`)] : []),
    ...(os ? oneOf(`${at}.os`, os, ['linux', 'windows']) : []),
  ];
}

const mutableText =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** A pod's spec without what may change. */
function fixedPart(spec: Json, old: Json): Json {
  const copy = cloneJson(spec);
  for (const field of ['activeDeadlineSeconds', 'tolerations', 'schedulingGates'])
    delete copy[field];
  for (const field of ['containers', 'initContainers', 'ephemeralContainers']) {
    for (const container of list(copy[field])) delete container['image'];
  }
  const grace = old['terminationGracePeriodSeconds'];
  const mayShorten = isNumber(grace) && grace < 0;
  if (mayShorten && copy['terminationGracePeriodSeconds'] === 1) {
    copy['terminationGracePeriodSeconds'] = grace;
  }
  // While gates hold a pod back, where it may go can be narrowed.
  if (list(old['schedulingGates']).length > 0) {
    delete copy['nodeSelector'];
    delete copy['affinity'];
  }
  return copy;
}

/** It may be set once, and become shorter. */
function activeDeadlineUpdate(spec: Json, old: Json): StatusCause[] {
  const [next, before] = [spec['activeDeadlineSeconds'], old['activeDeadlineSeconds']];
  const field = 'spec.activeDeadlineSeconds';
  if (!isNumber(before) || next === before) return [];
  if (!isNumber(next)) {
    const why = 'must not update from a positive integer to nil value';
    return [invalidValue(field, null, why)];
  }
  if (next < before) return [];
  return [invalidValue(field, next, 'must be less than or equal to previous value')];
}

function tolerationsUpdate(spec: Json, old: Json): StatusCause[] {
  const kept = list(spec['tolerations']).map((one) => ({ ...one, tolerationSeconds: 0 }));
  const isLost = list(old['tolerations']).some(
    (one) => !kept.some((other) => same(other, { ...one, tolerationSeconds: 0 })),
  );
  const why = 'existing toleration can not be modified except its tolerationSeconds';
  return isLost ? [forbidden('spec.tolerations', why)] : [];
}

/** While gates hold a pod back, the nodes that it may go to can become fewer. */
function nodeSelectorUpdate(spec: Json, old: Json): StatusCause[] {
  const [next, before] = [spec['nodeSelector'], record(old['nodeSelector'])];
  const isWider = Object.entries(before).some(([key, value]) => record(next)[key] !== value);
  if (!isWider) return [];
  const field = 'spec.nodeSelector';
  const why = `only additions to ${field} are allowed (no mutations or deletions)`;
  return [invalidValue(field, next ?? null, why)];
}

export function validatePodUpdate(object: KubeObject, old: KubeObject): StatusCause[] {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  // Most updates of pods are of their metadata.
  if (same(spec, before)) return [];
  for (const field of ['containers', 'initContainers']) {
    if (list(spec[field]).length !== list(before[field]).length) {
      const what = field === 'containers' ? 'containers' : 'init containers';
      return [forbidden(`spec.${field}`, `pod updates may not add or remove ${what}`)];
    }
  }
  const causes: StatusCause[] = [];
  const gates = new Set(list(before['schedulingGates']).map(({ name }) => name));
  list(spec['schedulingGates']).forEach(({ name }, index) => {
    if (gates.has(name)) return;
    const why = `only deletion is allowed, but found new scheduling gate '${String(name ?? '')}'`;
    causes.push(forbidden(`spec.schedulingGates[${index}].name`, why));
  });
  causes.push(...activeDeadlineUpdate(spec, before), ...tolerationsUpdate(spec, before));
  if (gates.size > 0) causes.push(...nodeSelectorUpdate(spec, before));
  if (!same(fixedPart(spec, before), fixedPart(before, before))) {
    causes.push(forbidden('spec', mutableText));
  }
  return causes;
}
