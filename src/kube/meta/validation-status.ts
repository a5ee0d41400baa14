// Judges what is written at the status endpoint, as kube-apiserver v1.37 does for the kinds that it does:
// counts, the addresses of load balancers, phases, what a finished job may say.
import { isNumber } from './exact-numbers.ts';
import { isIP } from 'node:net';
import {
  conditions,
  inRange,
  ipAddress,
  list,
  named,
  needed,
  notNegative,
  oneOf,
  qualified,
  record,
  type Json,
} from './field-rules.ts';
import { duplicate, forbidden, invalidValue, requiredValue, unsupported } from './names.ts';
import type { KubeObject } from './object.ts';
import { validateJobStatus } from './validation-job-changes.ts';
import { validateClaimStatus } from './validation-device-claims.ts';
import { validateApiServiceStatus } from './validation-api-services.ts';
import type { StatusCause } from './status.ts';
import { validateQuotaStatus } from './validation-quotas.ts';

type Rule = (status: Json, object: KubeObject, old: KubeObject) => StatusCause[];

const at = (name: string): string => `status.${name}`;

const counts =
  (...names: readonly string[]): Rule =>
  (status) =>
    names.flatMap((name) => notNegative(at(name), status[name]));

/** Counts of which none is above `replicas`, nor those that are available above those that are ready. */
function replicas(parts: readonly string[], ready: string): Rule {
  const all = [...parts, 'replicas', 'observedGeneration', 'collisionCount', 'terminatingReplicas'];
  return (status) => {
    const count = (name: string): number => Number(status[name] ?? 0);
    const causes = counts(...all)(status, {} as KubeObject, {} as KubeObject);
    for (const name of parts) {
      if (name === 'unavailableReplicas' || count(name) <= count('replicas')) continue;
      causes.push(invalidValue(at(name), count(name), 'cannot be greater than status.replicas'));
    }
    if (count('availableReplicas') > count('readyReplicas')) {
      const why = `cannot be greater than ${ready}`;
      causes.push(invalidValue(at('availableReplicas'), count('availableReplicas'), why));
    }
    return causes;
  };
}

const notDecremented: Rule = (status, _object, old) => {
  const before = record(old['status'])['collisionCount'];
  const now = Number(status['collisionCount'] ?? 0);
  if (typeof before !== 'number' || now >= before) return [];
  return [invalidValue(at('collisionCount'), now, 'cannot be decremented')];
};

const all =
  (...rules: readonly Rule[]): Rule =>
  (...values) =>
    rules.flatMap((rule) => rule(...values));

// ---- load balancers ----

const ingresses = (status: Json): Json[] => list(record(status['loadBalancer'])['ingress']);

function hostName(field: string, host: unknown): StatusCause[] {
  if (!host) return [];
  const causes = named(field, host, 'subdomain');
  if (isIP(String(host)) !== 0) {
    causes.push(invalidValue(field, host, 'must be a DNS name, not an IP address'));
  }
  return causes;
}

const knownIps = (old: KubeObject): unknown[] =>
  ingresses(record(old['status'])).map(({ ip }) => ip);

const ingressStatus: Rule = (status, _object, old) =>
  ingresses(status).flatMap(({ ip, hostname }, i) => {
    const field = at(`loadBalancer.ingress[${i}]`);
    return [
      ...(ip ? ipAddress(`${field}.ip`, ip, knownIps(old)) : []),
      ...hostName(`${field}.hostname`, hostname),
    ];
  });

const serviceStatus: Rule = (status, { spec }, old) => {
  const found = ingresses(status);
  if (record(spec)['type'] !== 'LoadBalancer' && found.length > 0) {
    const why = "may only be used when `spec.type` is 'LoadBalancer'";
    return [forbidden(at('loadBalancer.ingress'), why)];
  }
  return found.flatMap(({ ip, ipMode, hostname }, i) => {
    const field = at(`loadBalancer.ingress[${i}]`);
    const causes = ip ? ipAddress(`${field}.ip`, ip, knownIps(old)) : [];
    const mode = `${field}.ipMode`;
    if (ipMode === undefined) {
      if (ip) causes.push(requiredValue(mode, 'must be specified when `ip` is set'));
    } else if (ip) causes.push(...oneOf(mode, ipMode, ['Proxy', 'VIP']));
    else causes.push(forbidden(mode, 'may not be specified when `ip` is not set'));
    return [...causes, ...hostName(`${field}.hostname`, hostname)];
  });
};

// ---- others ----

const namespaceStatus: Rule = ({ phase = '' }, { metadata }) => {
  const isGoing = metadata.deletionTimestamp !== undefined;
  if (phase === (isGoing ? 'Terminating' : 'Active')) return [];
  const why = isGoing
    ? "may only be 'Terminating' if `deletionTimestamp` is not empty"
    : "may only be 'Active' if `deletionTimestamp` is empty";
  return [invalidValue('status.Phase', phase, why)];
};

const podStatus: Rule = (status, { spec }, old) => {
  const before = record(old['status']);
  const causes: StatusCause[] = [];
  const { nominatedNodeName: wanted, qosClass } = status;
  if (wanted && wanted !== before['nominatedNodeName']) {
    causes.push(...named(at('nominatedNodeName'), wanted, 'subdomain'));
    if (record(spec)['nodeName']) {
      const why = 'may not be set on pods that are already bound to a node';
      causes.push(forbidden(at('nominatedNodeName'), why));
    }
  }
  if (qosClass !== before['qosClass']) {
    causes.push(invalidValue(at('qosClass'), qosClass ?? '', 'field is immutable'));
  }
  return [
    ...causes,
    ...podConditions(status['conditions']),
    ...podAddresses(status, before),
    ...hostAddresses(status, before),
  ];
};

const ownConditions = new Set<unknown>(['PodScheduled', 'Ready', 'Initialized']);

function podConditions(all: unknown): StatusCause[] {
  return list(all).flatMap(({ type, observedGeneration: generation }, index) => {
    const field = at(`conditions[${index}]`);
    const why = 'must be a non-negative integer';
    const isWrong = isNumber(generation) && generation < 0;
    return [
      ...(isWrong ? [invalidValue(`${field}.observedGeneration`, generation, why)] : []),
      ...(ownConditions.has(type) ? [] : qualified(`${field}.Type`, type)),
    ];
  });
}

const addressesOf = (all: unknown): string[] => list(all).map(({ ip }) => String(ip ?? ''));

/** New ones have to be addresses, and one of each family at most. */
function addressList(name: string, all: unknown, before: unknown): StatusCause[] {
  const [own, known] = [addressesOf(all), new Set(addressesOf(before))];
  const causes = own.flatMap((ip, i) => (known.has(ip) ? [] : ipAddress(at(`${name}[${i}]`), ip)));
  const families = new Set(own.map((ip) => isIP(ip)));
  if (own.length > 1 && (families.size !== own.length || families.has(0))) {
    const shown = own.map((IP) => ({ IP }));
    const why = 'may specify no more than one IP for each IP family';
    causes.push(invalidValue(at(name), shown, why));
  }
  return causes;
}

const podAddresses = (status: Json, before: Json): StatusCause[] =>
  addressList('podIPs', status['podIPs'], before['podIPs']);

function hostAddresses(status: Json, before: Json): StatusCause[] {
  const [first] = addressesOf(status['hostIPs']);
  if (first === undefined) return [];
  const causes = addressList('hostIPs', status['hostIPs'], before['hostIPs']);
  if (first !== (status['hostIP'] ?? '')) {
    causes.push(invalidValue(at('hostIPs[0].ip'), first, 'must be equal to `hostIP`'));
  }
  return causes;
}

const uniqueConditions: Rule = (status) => {
  const seen = new Set<unknown>();
  return list(status['conditions']).flatMap(({ type }, i) => {
    const isTwice = seen.has(type);
    seen.add(type);
    if (!type) return [requiredValue(at(`conditions[${i}].type`))];
    return isTwice ? [duplicate(at(`conditions[${i}].type`), type)] : [];
  });
};

const metaConditions: Rule = (status) => conditions(status['conditions'], at('conditions'));

const typeWarnings: Rule = (status) =>
  list(record(status['typeChecking'])['expressionWarnings']).flatMap((one, index) => {
    const field = at(`typeChecking.expressionWarnings[${index}]`);
    return ['fieldRef', 'warning'].flatMap((name) => needed(`${field}.${name}`, one[name]));
  });

const migrationStatus: Rule = ({ resourceVersion = '' }, _object, old) => {
  const field = at('resourceVersion');
  const had = record(old['status'])['resourceVersion'];
  const causes: StatusCause[] = [];
  if (resourceVersion !== '' && !/^[1-9]\d*$/.test(String(resourceVersion))) {
    const why = `resource version is not well formed: ${String(resourceVersion)}`;
    causes.push(invalidValue(field, resourceVersion, why));
  }
  if (!had || had === resourceVersion) return causes;
  return [...causes, invalidValue(field, resourceVersion, 'field is immutable')];
};

const attachmentStatus: Rule = (status) =>
  ['attachError', 'detachError'].flatMap((name) =>
    inRange(at(`${name}.errorCode`), record(status[name])['errorCode'], 0, 2 ** 31 - 1),
  );

const resizeStates = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
];

const claimStatus: Rule = (status) => {
  const field = at('allocatedResourceStatuses');
  const states = Object.entries(record(status['allocatedResourceStatuses']));
  return states.flatMap(([name, state]) => [
    ...qualified(field, name),
    ...(resizeStates.includes(String(state)) ? [] : [unsupported(field, name, resizeStates)]),
  ]);
};

const nodeStatus: Rule = (status) => {
  const seen = new Set<string>();
  return list(status['addresses']).flatMap(({ type = '', address = '' }, index) => {
    const shown = { Type: type, Address: address };
    const text = JSON.stringify(shown);
    const isTwice = seen.has(text);
    seen.add(text);
    return isTwice ? [duplicate(at(`addresses[${index}]`), shown)] : [];
  });
};

const rules: Readonly<Record<string, Rule>> = {
  '/Namespace': namespaceStatus,
  '/Pod': podStatus,
  '/Service': serviceStatus,
  '/ResourceQuota': validateQuotaStatus,
  '/ReplicationController': replicas(
    ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
    'readyReplicas',
  ),
  'apps/ReplicaSet': replicas(
    ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
    'readyReplicas',
  ),
  'apps/Deployment': all(
    replicas(
      ['updatedReplicas', 'readyReplicas', 'availableReplicas', 'unavailableReplicas'],
      'readyReplicas',
    ),
    notDecremented,
  ),
  'apps/StatefulSet': all(
    replicas(
      ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
      'status.readyReplicas',
    ),
    notDecremented,
  ),
  'apps/DaemonSet': all(
    counts(
      'currentNumberScheduled',
      'numberMisscheduled',
      'desiredNumberScheduled',
      'numberReady',
      'observedGeneration',
      'updatedNumberScheduled',
      'numberAvailable',
      'numberUnavailable',
      'collisionCount',
    ),
    notDecremented,
  ),
  'batch/Job': validateJobStatus,
  'networking.k8s.io/Ingress': ingressStatus,
  'policy/PodDisruptionBudget': all(
    counts('disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'),
    metaConditions,
  ),
  'resource.k8s.io/DeviceTaintRule': metaConditions,
  'resource.k8s.io/ResourceClaim': validateClaimStatus,
  'storagemigration.k8s.io/StorageVersionMigration': all(metaConditions, migrationStatus),
  'storage.k8s.io/VolumeAttachment': attachmentStatus,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': all(typeWarnings, metaConditions),
  '/PersistentVolumeClaim': claimStatus,
  '/Node': nodeStatus,
  'autoscaling/HorizontalPodAutoscaler': counts('currentReplicas', 'desiredReplicas'),
  'apiregistration.k8s.io/APIService': (_status, object) => validateApiServiceStatus(object),
  'flowcontrol.apiserver.k8s.io/FlowSchema': uniqueConditions,
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': uniqueConditions,
};

/** `key`: group and kind, as `apps/Deployment`. */
export function validateStatus(key: string, object: KubeObject, old: KubeObject): StatusCause[] {
  return rules[key]?.(record(object['status']), object, old) ?? [];
}
