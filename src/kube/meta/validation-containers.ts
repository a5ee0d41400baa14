// Validates the containers of pod specs: ports, environment, resources, probes, hooks, security.
import { isNumber } from './exact-numbers.ts';
import {
  inRange,
  isObject,
  list,
  named,
  needed,
  notNegative,
  oneOf,
  portName,
  portNumber,
  portNumberOrName,
  qualified,
  quantityNotNegative,
  record,
  type Json,
} from './field-rules.ts';
import { duplicate, forbidden, invalidValue, requiredValue } from './names.ts';
import { canonicalQuantity, compareQuantities, isWholeQuantity } from './quantity.ts';
import type { StatusCause } from './status.ts';
import { userOrGroup, validateFieldRef, validateMounts } from './validation-volumes.ts';

const pullPolicies = ['Always', 'IfNotPresent', 'Never'];
const protocols = ['SCTP', 'TCP', 'UDP'];
const PORT_MAX = 65_535;
const configKeyText =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

export interface Surroundings {
  readonly volumes: ReadonlySet<string>;
  readonly isHostNetwork: boolean;
  /** Whether users in the pod are those of the host. */
  readonly hasHostUsers: boolean;
  readonly graceSeconds: number | bigint;
}

const KEY_LENGTH_MAX = 253;

/** Keys of config maps and secrets. */
export function configKey(field: string, key: string): StatusCause[] {
  if (key.length > KEY_LENGTH_MAX) {
    return [invalidValue(field, key, `must be no more than ${KEY_LENGTH_MAX} characters`)];
  }
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) return [invalidValue(field, key, configKeyText)];
  if (key === '.' || key === '..') return [invalidValue(field, key, `must not be '${key}'`)];
  return key.startsWith('..') ? [invalidValue(field, key, "must not start with '..'")] : [];
}

function validatePorts(container: Json, field: string, isHostNetwork: boolean): StatusCause[] {
  const names = new Set<string>();
  return list(container['ports']).flatMap((port, index) => {
    const at = `${field}.ports[${index}]`;
    const { name, containerPort, hostPort, protocol } = port;
    const causes: StatusCause[] = [];
    if (typeof name === 'string' && name !== '') {
      const wrong = portName(`${at}.name`, name);
      causes.push(...wrong);
      if (wrong.length === 0 && names.has(name)) causes.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    if (containerPort === undefined || containerPort === 0) {
      causes.push(requiredValue(`${at}.containerPort`));
    } else causes.push(...inRange(`${at}.containerPort`, containerPort, 1, PORT_MAX));
    if (typeof hostPort === 'number' && hostPort !== 0) {
      causes.push(...portNumber(`${at}.hostPort`, hostPort));
      if (isHostNetwork && hostPort !== containerPort) {
        const why = 'must match `containerPort` when `hostNetwork` is true';
        causes.push(invalidValue(`${at}.hostPort`, hostPort, why));
      }
    }
    causes.push(...oneOf(`${at}.protocol`, protocol, protocols));
    return causes;
  });
}

const environmentText =
  "a valid environment variable name must consist only of printable ASCII characters other than '='";

const envFields = new Set([
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);
const envResources = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

function validateKeyRef(ref: unknown, field: string): StatusCause[] {
  if (!isObject(ref)) return [];
  const key = String(ref['key'] ?? '');
  return [
    ...named(`${field}.name`, ref['name'] ?? '', 'subdomain'),
    ...(key === '' ? [requiredValue(`${field}.key`)] : configKey(`${field}.key`, key)),
  ];
}

function validateValueFrom(variable: Json, field: string): StatusCause[] {
  const from = variable['valueFrom'];
  if (!isObject(from)) return [];
  const causes: StatusCause[] = [];
  const { fieldRef, resourceFieldRef } = from;
  if (isObject(fieldRef)) {
    causes.push(...validateFieldRef(fieldRef, `${field}.fieldRef`, envFields));
  }
  if (isObject(resourceFieldRef)) {
    const at = `${field}.resourceFieldRef.resource`;
    const { resource } = resourceFieldRef;
    const isHuge = /^(?:limits|requests)\.hugepages-/.test(String(resource));
    if (!resource) causes.push(requiredValue(at));
    else if (!isHuge) causes.push(...oneOf(at, resource, envResources));
  }
  for (const kind of ['configMapKeyRef', 'secretKeyRef']) {
    causes.push(...validateKeyRef(from[kind], `${field}.${kind}`));
  }
  const count = Object.keys(from).length;
  if (count === 0) {
    const why =
      'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
    causes.push(invalidValue(field, '', why));
  }
  if (count > 0 && variable['value']) {
    causes.push(invalidValue(field, '', 'may not be specified when `value` is not empty'));
  } else if (count > 1) {
    causes.push(invalidValue(field, '', 'may not have more than one field specified at a time'));
  }
  return causes;
}

function validateEnvironment(container: Json, field: string): StatusCause[] {
  const causes = list(container['env']).flatMap((variable, index) => {
    const at = `${field}.env[${index}]`;
    const name = String(variable['name'] ?? '');
    const isName = /^[ -<>-~]+$/.test(name);
    return [
      ...(name === '' ? [requiredValue(`${at}.name`)] : []),
      ...(name === '' || isName ? [] : [invalidValue(`${at}.name`, name, environmentText)]),
      ...validateValueFrom(variable, `${at}.valueFrom`),
    ];
  });
  list(container['envFrom']).forEach((source, index) => {
    const at = `${field}.envFrom[${index}]`;
    const { prefix } = source;
    if (prefix && !/^[ -<>-~]+$/.test(String(prefix))) {
      causes.push(invalidValue(`${at}.prefix`, prefix, environmentText));
    }
    const refs = ['configMapRef', 'secretRef'].filter((kind) => isObject(source[kind]));
    for (const kind of refs) {
      const { name } = record(source[kind]);
      const where = `${at}.${kind}.name`;
      causes.push(...(name ? named(where, name, 'subdomain') : [requiredValue(where)]));
    }
    const all = `${field}.envFrom`;
    if (refs.length === 0) {
      causes.push(invalidValue(all, '', 'must specify one of: `configMapRef` or `secretRef`'));
    } else if (refs.length > 1) {
      causes.push(invalidValue(all, '', 'may not have more than one field specified at a time'));
    }
  });
  return causes;
}

const containerResources = new Set(['cpu', 'memory', 'ephemeral-storage', 'storage']);
const isHugePages = (name: string): boolean => name.startsWith('hugepages-');

export function containerResourceName(field: string, name: string): StatusCause[] {
  const wrong = qualified(field, name);
  if (wrong.length > 0 && name.includes('/') && !name.includes('kubernetes.io/')) {
    return [...wrong, invalidValue(field, name, "doesn't follow extended resource name standard")];
  }
  const standard = 'must be a standard resource for containers';
  if (wrong.length > 0 && !name.includes('/')) {
    return [...wrong, invalidValue(field, name, standard)];
  }
  if (name.includes('/')) return wrong;
  if (containerResources.has(name) || isHugePages(name)) return [];
  return [
    invalidValue(field, name, 'must be a standard resource type or fully qualified'),
    invalidValue(field, name, standard),
  ];
}

type NameRule = (field: string, name: string) => StatusCause[];

export function validateResources(
  resources: unknown,
  field: string,
  nameRule: NameRule = containerResourceName,
): StatusCause[] {
  const { limits, requests } = record(resources);
  const [most, least] = [record(limits), record(requests)];
  const causes: StatusCause[] = [];
  const quantity = (at: string, name: string, value: unknown): void => {
    causes.push(...nameRule(at, name), ...quantityNotNegative(at, value));
    if (name.includes('/') && !isWholeQuantity(value)) {
      causes.push(invalidValue(at, canonicalQuantity(String(value)), 'must be an integer'));
    }
  };
  for (const [name, value] of Object.entries(most)) {
    quantity(`${field}.limits[${name}]`, name, value);
  }
  for (const [name, value] of Object.entries(least)) {
    quantity(`${field}.requests[${name}]`, name, value);
    const isFixed = name.includes('/') || isHugePages(name);
    const limit = most[name];
    if (limit === undefined) {
      if (!isFixed) continue;
      const why = 'Limit must be set for non overcommitable resources';
      causes.push(requiredValue(`${field}.limits`, why));
    } else if (isFixed && compareQuantities(value, limit) !== 0) {
      const why = `must be equal to ${name} limit of ${String(limit)}`;
      causes.push(invalidValue(`${field}.requests`, String(value), why));
    } else if (compareQuantities(value, limit) > 0) {
      const why = `must be less than or equal to ${name} limit of ${String(limit)}`;
      causes.push(invalidValue(`${field}.requests`, String(value), why));
    }
  }
  const names = [...Object.keys(most), ...Object.keys(least)];
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory')) {
    causes.push(forbidden(field, 'HugePages require cpu or memory'));
  }
  return causes;
}

const headerText =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

const handlerKinds = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'];

function validateHandler(
  handler: Json,
  field: string,
  graceSeconds: number | bigint,
): StatusCause[] {
  const kinds = handlerKinds.filter((kind) => isObject(handler[kind]));
  if (kinds.length === 0) return [requiredValue(field, 'must specify a handler type')];
  return kinds.flatMap((kind, index) => {
    const at = `${field}.${kind}`;
    if (index > 0) return [forbidden(at, 'may not specify more than 1 handler type')];
    const one = record(handler[kind]);
    if (kind === 'exec') {
      return list(one['command']).length === 0 ? [requiredValue(`${at}.command`)] : [];
    }
    if (kind === 'httpGet') {
      return [
        ...needed(`${at}.path`, one['path']),
        ...portNumberOrName(`${at}.port`, one['port']),
        ...oneOf(`${at}.scheme`, one['scheme'], ['HTTP', 'HTTPS']),
        ...list(one['httpHeaders']).flatMap(({ name = '' }) =>
          /^[-A-Za-z0-9]+$/.test(String(name))
            ? []
            : [invalidValue(`${at}.httpHeaders`, name, headerText)],
        ),
      ];
    }
    if (kind === 'tcpSocket') return portNumberOrName(`${at}.port`, one['port']);
    if (kind === 'grpc') return portNumber(`${at}.port`, one['port']);
    const seconds = (one['seconds'] ?? 0) as number | bigint;
    if (seconds > 0 && seconds <= graceSeconds) return [];
    const why = `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`;
    return seconds === 0 ? [] : [invalidValue(at, seconds, why)];
  });
}

function validateProbe(
  container: Json,
  which: string,
  field: string,
  graceSeconds: number | bigint,
): StatusCause[] {
  const probe = container[which];
  if (!isObject(probe)) return [];
  const at = `${field}.${which}`;
  const causes = validateHandler(probe, at, graceSeconds);
  for (const name of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ]) {
    causes.push(...notNegative(`${at}.${name}`, probe[name]));
  }
  const grace = probe['terminationGracePeriodSeconds'];
  if (isNumber(grace) && which === 'readinessProbe') {
    const why = 'must not be set for readinessProbes';
    causes.push(invalidValue(`${at}.terminationGracePeriodSeconds`, grace, why));
  } else if (isNumber(grace) && grace <= 0) {
    const why = 'must be greater than 0';
    causes.push(invalidValue(`${at}.terminationGracePeriodSeconds`, grace, why));
  }
  const threshold = probe['successThreshold'];
  if (which !== 'readinessProbe' && threshold !== undefined && threshold !== 1) {
    causes.push(invalidValue(`${at}.successThreshold`, threshold, 'must be 1'));
  }
  return causes;
}

function validateSecurity(context: unknown, field: string, hasHostUsers: boolean): StatusCause[] {
  if (!isObject(context)) return [];
  const causes = [
    ...userOrGroup(`${field}.runAsUser`, context['runAsUser']),
    ...userOrGroup(`${field}.runAsGroup`, context['runAsGroup']),
    ...oneOf(`${field}.procMount`, context['procMount'], ['Default', 'Unmasked']),
    ...seccompProfile(context['seccompProfile'], `${field}.seccompProfile`),
    ...appArmorProfile(context['appArmorProfile'], `${field}.appArmorProfile`),
  ];
  if (hasHostUsers && context['procMount'] === 'Unmasked') {
    const why = '`hostUsers` must be false to use `Unmasked`';
    causes.push(invalidValue(`${field}.procMount`, 'Unmasked', why));
  }
  if (context['privileged'] === true && context['allowPrivilegeEscalation'] === false) {
    const why = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true';
    causes.push(invalidValue(field, context, why));
  }
  return causes;
}

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

export function seccompProfile(profile: unknown, field: string): StatusCause[] {
  if (!isObject(profile)) return [];
  const { type = '', localhostProfile } = profile;
  const isLocal = type === 'Localhost';
  const causes = type
    ? oneOf(`${field}.type`, type, profileTypes)
    : [requiredValue(`${field}.type`, 'type is required when seccompProfile is set')];
  const at = `${field}.localhostProfile`;
  if (isLocal && localhostProfile === undefined) {
    causes.push(requiredValue(at, 'must be set when seccomp type is Localhost'));
  } else if (!isLocal && localhostProfile !== undefined) {
    const why = 'can only be set when seccomp type is Localhost';
    causes.push(invalidValue(at, { Type: type, LocalhostProfile: localhostProfile }, why));
  }
  return causes;
}

const APP_ARMOR_LENGTH_MAX = 4_095;

export function appArmorProfile(profile: unknown, field: string): StatusCause[] {
  if (!isObject(profile)) return [];
  const { type, localhostProfile } = profile;
  if (!type)
    return [requiredValue(`${field}.type`, 'type is required when appArmorProfile is set')];
  const at = `${field}.localhostProfile`;
  const isNamed = localhostProfile !== undefined && localhostProfile !== '';
  if (type !== 'Localhost') {
    const why = 'can only be set when AppArmor type is Localhost';
    const wrong = oneOf(`${field}.type`, type, profileTypes);
    if (wrong.length > 0 || localhostProfile === undefined) return wrong;
    return [invalidValue(at, localhostProfile, why)];
  }
  if (!isNamed) return [requiredValue(at, 'must be set when AppArmor type is Localhost')];
  const name = String(localhostProfile);
  if (name.trim() !== name) {
    return [invalidValue(at, name, 'must not be padded with whitespace')];
  }
  if (name.length <= APP_ARMOR_LENGTH_MAX) return [];
  const message = `Too long: may not be more than ${APP_ARMOR_LENGTH_MAX} bytes`;
  return [{ reason: 'FieldValueTooLong', message, field: at }];
}

function resizePolicies(container: Json, field: string): StatusCause[] {
  const seen = new Set<unknown>();
  const one = (value: unknown, words: readonly string[]): StatusCause[] =>
    value ? oneOf(field, value, words) : [requiredValue(field)];
  return list(container['resizePolicy']).flatMap(({ resourceName = '', restartPolicy }, i) => {
    const isTwice = seen.has(resourceName);
    seen.add(resourceName);
    const [what, how] = [
      one(resourceName, ['cpu', 'memory']),
      one(restartPolicy, ['NotRequired', 'RestartContainer']),
    ];
    return [
      ...(isTwice ? [duplicate(`${field}[${i}]`, resourceName)] : []),
      ...what,
      // The same is told once.
      ...how.filter(({ message }) => !what.some((other) => other.message === message)),
    ];
  });
}

const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'];

export function validateContainer(container: Json, at: string, near: Surroundings): StatusCause[] {
  const { image, name, lifecycle } = container;
  const causes: StatusCause[] = [];
  if (!name) causes.push(requiredValue(`${at}.name`));
  else causes.push(...named(`${at}.name`, name, 'label'));
  if (!image) causes.push(requiredValue(`${at}.image`));
  else if (String(image).trim() !== image) {
    const why = 'must not have leading or trailing whitespace';
    causes.push(invalidValue(`${at}.image`, image, why));
  }
  const messagePolicies = ['File', 'FallbackToLogsOnError'];
  const messagePolicy = container['terminationMessagePolicy'];
  causes.push(
    ...oneOf(`${at}.terminationMessagePolicy`, messagePolicy, messagePolicies),
    ...validatePorts(container, at, near.isHostNetwork),
    ...validateEnvironment(container, at),
    ...validateMounts(list(container['volumeMounts']), `${at}.volumeMounts`, near.volumes),
    ...oneOf(`${at}.imagePullPolicy`, container['imagePullPolicy'], pullPolicies),
    ...validateResources(container['resources'], `${at}.resources`),
    ...resizePolicies(container, `${at}.resizePolicy`),
    ...validateSecurity(container['securityContext'], `${at}.securityContext`, near.hasHostUsers),
    ...oneOf(`${at}.restartPolicy`, container['restartPolicy'], ['Always', 'Never', 'OnFailure']),
  );
  const isInit = at.includes('initContainers');
  if (isInit && container['restartPolicy'] !== 'Always') {
    const why = 'may not be set for init containers without restartPolicy=Always';
    for (const field of ['lifecycle', ...probes]) {
      if (container[field] !== undefined) causes.push(forbidden(`${at}.${field}`, why));
    }
    return causes;
  }
  for (const hook of ['postStart', 'preStop']) {
    const handler = record(lifecycle)[hook];
    if (isObject(handler)) {
      causes.push(...validateHandler(handler, `${at}.lifecycle.${hook}`, near.graceSeconds));
    }
  }
  for (const which of probes)
    causes.push(...validateProbe(container, which, at, near.graceSeconds));
  return causes;
}
