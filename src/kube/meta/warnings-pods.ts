// What kube-apiserver v1.37 takes in the spec of pods, but warns of: what is deprecated, what hides something
// else, what means nothing.
import { isNumber } from './exact-numbers.ts';
import { same } from '#base/same.ts';
import { APP_ARMOR, appArmorProfile } from './app-armor-profile.ts';
import { isObject, list, record, type Json } from './field-rules.ts';
import { canonicalQuantity, compareQuantities, parseQuantity } from './quantity.ts';
import { addressWarnings } from './warnings-addresses.ts';
import { volumeOverlaps } from './warnings-volumes.ts';

const instead = (version: string, label: string): string =>
  `deprecated since v${version}; use "${label}" instead`;

const nodeLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': instead('1.14', 'kubernetes.io/arch'),
  'beta.kubernetes.io/os': instead('1.14', 'kubernetes.io/os'),
  'failure-domain.beta.kubernetes.io/region': instead('1.17', 'topology.kubernetes.io/region'),
  'failure-domain.beta.kubernetes.io/zone': instead('1.17', 'topology.kubernetes.io/zone'),
  'beta.kubernetes.io/instance-type': instead('1.17', 'node.kubernetes.io/instance-type'),
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods':
    'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
};

export const deprecatedNodeLabel = (key: unknown): string | undefined =>
  Object.hasOwn(nodeLabels, String(key)) ? nodeLabels[String(key)] : undefined;

/** The expressions of one term that names a label nobody should use any more. */
export function termWarnings(term: unknown, field: string, checksValues = false): string[] {
  return list(record(term)['matchExpressions']).flatMap(({ key, values }, i) => {
    const at = `${field}.matchExpressions[${i}]`;
    const why = deprecatedNodeLabel(key);
    return [
      ...(why === undefined ? [] : [`${at}.key: ${String(key)} is ${why}`]),
      ...(checksValues ? valueWarnings(values, at) : []),
    ];
  });
}

const LABEL_TEXT =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

function valueWarnings(values: unknown, at: string): string[] {
  return (Array.isArray(values) ? values : []).flatMap((value, i) =>
    /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/.test(String(value))
      ? []
      : [`${at}.values[${i}]: ${String(value)} is invalid, ${LABEL_TEXT}`],
  );
}

const MICRO = 1_000_000n;
const WHOLE = 1_000n;

/** Memory and storage come in whole bytes. */
export function fraction(amounts: unknown, name: string, at: string): string[] {
  const amount = record(amounts)[name];
  if (amount === undefined) return [];
  const nano = parseQuantity(String(amount))?.nano ?? 0n;
  const milli = (nano + MICRO - 1n) / MICRO;
  if (milli % WHOLE === 0n) return [];
  const shown = JSON.stringify(canonicalQuantity(String(amount)));
  return [`${at}[${name}]: fractional byte value ${shown} is invalid, must be an integer`];
}

const wholeBytes = ['memory', 'ephemeral-storage'];

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';
const NO_POD = 'a null labelSelector results in matching no pod';

function placementWarnings(spec: Json, at: string): string[] {
  const found = Object.keys(record(spec['nodeSelector']))
    .toSorted()
    .flatMap((key) => {
      const why = deprecatedNodeLabel(key);
      return why === undefined ? [] : [`${at}.nodeSelector[${key}]: ${why}`];
    });
  const node = record(record(spec['affinity'])['nodeAffinity']);
  const terms = `${at}.affinity.nodeAffinity`;
  list(record(node[REQUIRED])['nodeSelectorTerms']).forEach((term, i) =>
    found.push(...termWarnings(term, `${terms}.${REQUIRED}.nodeSelectorTerms[${i}]`)),
  );
  list(node[PREFERRED]).forEach(({ preference }, i) =>
    found.push(...termWarnings(preference, `${terms}.${PREFERRED}[${i}].preference`, true)),
  );
  list(spec['topologySpreadConstraints']).forEach(({ topologyKey, labelSelector }, i) => {
    const field = `${at}.topologySpreadConstraints[${i}]`;
    const why = deprecatedNodeLabel(topologyKey);
    if (why !== undefined) {
      found.push(`${field}.topologyKey: ${String(topologyKey)} is ${why}`);
    }
    if (labelSelector === undefined) found.push(`${field}.labelSelector: ${NO_POD}`);
  });
  return found;
}

function affinityWarnings(spec: Json, at: string): string[] {
  return ['podAffinity', 'podAntiAffinity'].flatMap((kind) => {
    const terms = record(record(spec['affinity'])[kind]);
    const field = `${at}.affinity.${kind}`;
    const required = list(terms[REQUIRED]).flatMap(({ labelSelector }, i) =>
      labelSelector === undefined ? [`${field}.${REQUIRED}[${i}].labelSelector: ${NO_POD}`] : [],
    );
    const preferred = list(terms[PREFERRED]).flatMap(({ podAffinityTerm }, i) =>
      record(podAffinityTerm)['labelSelector'] === undefined
        ? [`${field}.${PREFERRED}[${i}].podAffinityTerm.labelSelector: ${NO_POD}`]
        : [],
    );
    return [...required, ...preferred];
  });
}

const deadAnnotations: readonly (readonly [string, string])[] = [
  [
    'scheduler.alpha.kubernetes.io/critical-pod',
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  ],
  [
    'security.alpha.kubernetes.io/sysctls',
    'non-functional in v1.11+; use the "sysctls" field instead',
  ],
  [
    'security.alpha.kubernetes.io/unsafe-sysctls',
    'non-functional in v1.11+; use the "sysctls" field instead',
  ],
];

const deadVolumes: readonly (readonly [string, string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

const shownNames: Readonly<Record<string, string>> = { storageos: 'storageOS' };

/** Kinds of volumes that are no more; `isClaimed`: those of persistent volumes. */
export function deadVolumeWarnings(volume: Json, at: string): string[] {
  return deadVolumes.flatMap(([kind, why]) =>
    volume[kind] === undefined ? [] : [`${at}.${shownNames[kind] ?? kind}: ${why}`],
  );
}

export function claimSpecWarnings(spec: unknown, at: string): string[] {
  const { requests, limits } = record(record(spec)['resources']);
  return [
    ...fraction(requests, 'storage', `${at}.resources.requests`),
    ...fraction(limits, 'storage', `${at}.resources.limits`),
  ];
}

function volumeWarnings(spec: Json, at: string): string[] {
  return list(spec['volumes']).flatMap((volume, i) => {
    const field = `${at}.volumes[${i}]`;
    const template = record(record(volume['ephemeral'])['volumeClaimTemplate']);
    const claim = `${field}.ephemeral.volumeClaimTemplate.spec`;
    const dead = deadVolumeWarnings(volume, field);
    return [...dead, ...claimSpecWarnings(template['spec'], claim)];
  });
}

function repeated(
  values: readonly unknown[],
  textOf: (value: unknown, i: number) => string,
): string[] {
  return values.flatMap((value, i) => (values.indexOf(value) < i ? [textOf(value, i)] : []));
}

function listWarnings(spec: Json, at: string): string[] {
  const ips = list(spec['hostAliases']).map(({ ip = '' }) => ip);
  const secrets = list(spec['imagePullSecrets']).map(({ name = '' }) => name);
  const secret = (i: number): string => `${at}.imagePullSecrets[${i}].name`;
  return [
    ...repeated(ips, (ip, i) => `${at}.hostAliases[${i}].ip: duplicate ip ${JSON.stringify(ip)}`),
    ...repeated(secrets, (name, i) => `${secret(i)}: duplicate name ${JSON.stringify(name)}`),
    ...secrets.flatMap((name, i) => (name === '' ? [`${secret(i)}: invalid empty name ""`] : [])),
    ...wholeBytes.flatMap((name) => fraction(spec['overhead'], name, `${at}.overhead`)),
  ];
}

type Annotations = Readonly<Record<string, string>>;

interface Place {
  /** Of the object that the spec is in: empty, or with a point at its end. */
  readonly root: string;
  readonly annotations: Annotations;
  /** Whether the spec is that of a template. */
  readonly isTemplate: boolean;
  readonly security: Json;
}

function environmentWarnings(container: Json, at: string): string[] {
  const names = new Set<unknown>();
  return list(container['env']).flatMap(({ name, value = '', valueFrom }, i) => {
    const isKnown = names.has(name);
    names.add(name);
    const own = `$(${String(name)})`;
    const keeps = valueFrom === undefined && value !== own && String(value).includes(own);
    if (!isKnown || keeps) return [];
    const quoted = JSON.stringify(name);
    const why = `hides previous definition of ${quoted}, which may be dropped when using apply`;
    return [`${at}.env[${i}]: ${why}`];
  });
}

function containerWarnings(container: Json, at: string, place: Place): string[] {
  const { root, annotations, isTemplate, security } = place;
  const own = record(container['securityContext']);
  const name = String(container['name'] ?? '');
  const key = (text: string): string => `${root}metadata.annotations[${text}${name}]`;
  const found: string[] = [];
  const seccomp = 'container.seccomp.security.alpha.kubernetes.io/';
  if (!isObject(own['seccompProfile']) && annotations[seccomp + name] !== undefined) {
    found.push(`${key(seccomp)}: non-functional in v1.27+; use the "seccompProfile" field instead`);
  }
  const armor = APP_ARMOR;
  const annotated = annotations[armor + name];
  if (isTemplate && !isObject(own['appArmorProfile']) && annotated !== undefined) {
    const whole = security['appArmorProfile'];
    if (!isObject(whole) || !same(whole, appArmorProfile(annotated))) {
      found.push(`${key(armor)}: deprecated since v1.30; use the "appArmorProfile" field instead`);
    }
  }
  const resources = record(container['resources']);
  for (const resource of wholeBytes) {
    for (const which of ['limits', 'requests']) {
      found.push(...fraction(resources[which], resource, `${at}.resources.${which}`));
    }
  }
  return [...found, ...environmentWarnings(container, at)];
}

interface Port {
  readonly field: string;
  readonly hostIP: string;
  readonly hostPort: number;
}

function clash(field: string, own: Port, other: Port): string[] {
  const says = (kind: string): string[] => [
    `${field}: ${kind} port definition with ${other.field}`,
  ];
  if (own.hostIP === other.hostIP && own.hostPort === other.hostPort) return says('duplicate');
  if (own.hostPort === 0 || other.hostPort === 0) return says('overlapping');
  const isHalf = (own.hostIP === '') !== (other.hostIP === '');
  return own.hostPort === other.hostPort && isHalf ? says('dangerously ambiguous') : [];
}

/** As Go prints the struct of a port. */
function shownPort(port: Json): string {
  const { name = '', hostPort = 0, containerPort = 0, protocol = '', hostIP = '' } = port;
  const parts = { Name: name, HostPort: hostPort, ContainerPort: containerPort };
  const all = { ...parts, Protocol: protocol, HostIP: hostIP };
  return `{${Object.entries(all)
    .map(([key, value]) => `${key}:${String(value)}`)
    .join(' ')}}`;
}

function portWarnings(containers: readonly (readonly [Json, string])[]): string[] {
  const taken = new Map<string, Port[]>();
  const names = new Map<string, string>();
  const found: string[] = [];
  const twice: string[] = [];
  for (const [container, at] of containers) {
    list(container['ports']).forEach((port, i) => {
      const { hostIP = '', hostPort = 0, containerPort, protocol = 'TCP', name = '' } = port;
      const field = `${at}.ports[${i}]`;
      if (hostIP !== '' && hostPort === 0) {
        found.push(`${field}: hostIP set without hostPort: ${shownPort(port)}`);
      }
      const own = { field, hostIP: String(hostIP), hostPort: Number(hostPort) };
      const others = taken.getOrInsertComputed(
        `${String(containerPort)}/${String(protocol)}`,
        () => [],
      );
      for (const other of others) found.push(...clash(field, own, other));
      others.push(own);
      if (name === '') return;
      const first = names.get(String(name));
      if (first === undefined) names.set(String(name), field);
      else {
        const use = `services and probes that select ports by name will use ${first}`;
        twice.push(`${field}: duplicate port name ${JSON.stringify(name)} with ${first}, ${use}`);
      }
    });
  }
  return [...found, ...twice];
}

/** `root` is where the pod or its template is: empty for a pod itself. */
export function podWarnings(pod: Json, root: string): string[] {
  const spec = record(pod['spec']);
  const prefix = root === '' ? '' : `${root}.`;
  const at = `${prefix}spec`;
  const annotations = (record(pod['metadata'])['annotations'] ?? {}) as Annotations;
  const security = record(spec['securityContext']);
  const place = { root: prefix, annotations, isTemplate: root !== '', security };
  const noted = (key: string): string => `${prefix}metadata.annotations[${key}]`;
  const containers = ['initContainers', 'containers', 'ephemeralContainers'].flatMap((field) =>
    list(spec[field]).map((one, i) => [one, `${at}.${field}[${i}]`] as const),
  );
  const seccomp = 'seccomp.security.alpha.kubernetes.io/pod';
  const isOldSeccomp = !isObject(security['seccompProfile']) && annotations[seccomp] !== undefined;
  const grace = spec['terminationGracePeriodSeconds'];
  const isNegative = isNumber(grace) && grace < 0;
  const seconds = `${at}.terminationGracePeriodSeconds`;
  return [
    ...placementWarnings(spec, at),
    ...deadAnnotations.flatMap(([key, why]) =>
      annotations[key] === undefined ? [] : [`${noted(key)}: ${why}`],
    ),
    ...volumeWarnings(spec, at),
    ...volumeOverlaps(list(spec['volumes'])),
    ...listWarnings(spec, at),
    ...(isOldSeccomp
      ? [`${noted(seccomp)}: non-functional in v1.27+; use the "seccompProfile" field instead`]
      : []),
    ...containers.flatMap(([one, field]) => containerWarnings(one, field, place)),
    ...portWarnings(containers),
    ...(isNegative
      ? [`${seconds}: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...affinityWarnings(spec, at),
    ...((record(spec['dnsConfig'])['nameservers'] as unknown[] | undefined) ?? []).flatMap(
      (one, i) => addressWarnings(`${at}.dnsConfig.nameservers[${i}]`, one),
    ),
    ...list(spec['hostAliases']).flatMap(({ ip }, i) =>
      addressWarnings(`${at}.hostAliases[${i}].ip`, ip),
    ),
  ];
}

/** Whether `a` is more than `b`. */
export const isMore = (a: unknown, b: unknown): boolean => compareQuantities(a, b) > 0;
