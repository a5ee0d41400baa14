// Defaults: those of the schema, and those that upstream computes for each kind (v1.37). An object is
// changed in place; it is the server's own copy.
import { cloneJson } from '#base/clone.ts';
import type { KubeObject } from './object.ts';
import { defaultAutoscaler } from './defaulting-autoscalers.ts';
import type { ResourceInfo } from './resource-info.ts';
import type { Schema } from './schema.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function fill(target: Json, values: Json): void {
  for (const [key, value] of Object.entries(values)) target[key] ??= cloneJson(value);
}

type Labels = Record<string, string>;

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || Object.keys(value).length === 0;

/** Lists and maps that are not there, or have nothing in them. */
function fillEmpty(target: Json, values: Json): void {
  for (const [key, value] of Object.entries(values)) {
    if (isEmpty(target[key])) target[key] = cloneJson(value);
  }
}

/** Defaults that stand in the schema, wherever their parent is there. */
export function applySchemaDefaults(schema: Schema, value: unknown): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const one of value) applySchemaDefaults(schema.items, one);
    return;
  }
  if (!isObject(value)) return;
  if (schema.type === 'map') {
    if (schema.values !== undefined)
      for (const one of Object.values(value)) applySchemaDefaults(schema.values, one);
    return;
  }
  for (const [key, field] of fieldsWithDefaults(schema)) {
    if (value[key] === undefined && field.default !== undefined)
      value[key] = cloneJson(field.default);
    if (value[key] !== undefined) applySchemaDefaults(field, value[key]);
  }
}

const withDefaults = new WeakMap<Schema, readonly (readonly [string, Schema])[]>();

/** Those properties that have a default, or have one somewhere below: most have none. */
function fieldsWithDefaults(schema: Schema): readonly (readonly [string, Schema])[] {
  let known = withDefaults.get(schema);
  if (known === undefined) {
    const all = Object.entries(schema.properties ?? {});
    known = all.filter(([, field]) => hasDefaults(field, new Set()));
    withDefaults.set(schema, known);
  }
  return known;
}

/** `seen`: schemas may contain themselves. */
function hasDefaults(schema: Schema, seen: Set<Schema>): boolean {
  if (schema.default !== undefined) return true;
  if (seen.has(schema)) return false;
  seen.add(schema);
  const { items, values, properties = {} } = schema;
  const below = [items, values, ...Object.values(properties)];
  return below.some((one) => one !== undefined && hasDefaults(one, seen));
}

function defaultProbe(probe: unknown): void {
  if (!isObject(probe)) return;
  fill(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  if (isObject(probe['httpGet'])) fill(probe['httpGet'], { path: '/', scheme: 'HTTP' });
  if (isObject(probe['grpc'])) fill(probe['grpc'], { service: '' });
}

const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const HOST = '(?:[a-zA-Z0-9.-]+|\\[[0-9a-fA-F:]+\\])(?::\\d+)?';
const TAG = '(?::(\\w[\\w.-]{0,127}))?(?:@[\\w+.-]+:[0-9a-fA-F]{32,})?';
const IMAGE = new RegExp(`^(?:${HOST}/)?${PART}(?:/${PART})*${TAG}$`);
const IMAGE_LENGTH_MAX = 255;

/** An image without a tag means the latest; one that is no image has none that could change. */
function pullPolicy(image: unknown): string {
  const text = String(image ?? '');
  const found = text.length > IMAGE_LENGTH_MAX ? null : IMAGE.exec(text);
  if (text === '' || found === null) return text === '' ? 'Always' : 'IfNotPresent';
  if (text.includes('@')) return 'IfNotPresent';
  return (found[1] ?? 'latest') === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultContainer(container: Json): void {
  fill(container, {
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: pullPolicy(container['image']),
    resources: {},
  });
  for (const port of list(container['ports'])) fill(port, { protocol: 'TCP' });
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'])
    defaultProbe(container[name]);
  const lifecycle = container['lifecycle'];
  if (isObject(lifecycle)) {
    for (const hook of Object.values(lifecycle)) {
      if (isObject(hook) && isObject(hook['httpGet']))
        fill(hook['httpGet'], { path: '/', scheme: 'HTTP' });
    }
  }
  for (const variable of list(container['env'])) {
    const from = variable['valueFrom'];
    if (isObject(from)) defaultReference(from);
  }
}

/** To a field of the pod itself, or to a resource of one of its containers. */
function defaultReference({ fieldRef, resourceFieldRef }: Json): void {
  if (isObject(fieldRef)) fill(fieldRef, { apiVersion: 'v1' });
  if (isObject(resourceFieldRef)) fill(resourceFieldRef, { divisor: '0' });
}

const MODE_DEFAULT = 0o644;

function defaultVolume(volume: Json): void {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) volume['emptyDir'] = {};
  for (const source of ['secret', 'configMap', 'downwardAPI', 'projected']) {
    const one = volume[source];
    if (isObject(one)) fill(one, { defaultMode: MODE_DEFAULT });
  }
  for (const item of list((volume['downwardAPI'] as Json | undefined)?.['items']))
    defaultReference(item);
  const template = (volume['ephemeral'] as Json | undefined)?.['volumeClaimTemplate'];
  const claim = (template as Json | undefined)?.['spec'];
  if (isObject(claim)) fill(claim, { volumeMode: 'Filesystem' });
  for (const source of list((volume['projected'] as Json | undefined)?.['sources'])) {
    const token = source['serviceAccountToken'];
    if (isObject(token)) fill(token, { expirationSeconds: 3_600 });
    for (const item of list((source['downwardAPI'] as Json | undefined)?.['items']))
      defaultReference(item);
  }
  if (isObject(volume['hostPath'])) fill(volume['hostPath'], { type: '' });
  if (isObject(volume['azureDisk'])) fill(volume['azureDisk'], { readOnly: false });
  const image = volume['image'];
  if (isObject(image) && !image['pullPolicy']) image['pullPolicy'] = pullPolicy(image['reference']);
}

export function defaultPodSpec(spec: unknown): void {
  if (!isObject(spec)) return;
  fill(spec, {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
    securityContext: {},
  });
  const serviceAccount = spec['serviceAccountName'] ?? spec['serviceAccount'];
  if (serviceAccount !== undefined) {
    spec['serviceAccountName'] = serviceAccount;
    spec['serviceAccount'] = serviceAccount;
  }
  for (const field of ['containers', 'initContainers', 'ephemeralContainers']) {
    for (const container of list(spec[field])) defaultContainer(container);
  }
  for (const volume of list(spec['volumes'])) defaultVolume(volume);
}

/** Of pods, but not of templates of pods. */
function defaultPod(spec: Json): void {
  fill(spec, { enableServiceLinks: true });
  // A negative grace has meant the shortest one since v1.22.
  if (Number(spec['terminationGracePeriodSeconds']) < 0) spec['terminationGracePeriodSeconds'] = 1;
  defaultPodSpec(spec);
  for (const container of [...list(spec['containers']), ...list(spec['initContainers'])]) {
    const resources = container['resources'] as Json;
    if (isObject(resources['limits'])) {
      const requests = (resources['requests'] ?? {}) as Json;
      fill(requests, resources['limits']);
      resources['requests'] = requests;
    }
    if (spec['hostNetwork'] !== true) continue;
    for (const port of list(container['ports'])) fill(port, { hostPort: port['containerPort'] });
  }
}

function defaultTemplate(spec: Json): void {
  const template = spec['template'];
  if (isObject(template)) {
    template['metadata'] ??= {};
    // Upstream writes the null creationTimestamp of templates no more (v1.37).
    defaultPodSpec(template['spec']);
  }
}

function defaultRolling(strategy: Json, values: Json): void {
  if (strategy['type'] !== 'RollingUpdate') return;
  const rolling = (strategy['rollingUpdate'] ?? {}) as Json;
  fill(rolling, values);
  strategy['rollingUpdate'] = rolling;
}

const INT32_MAX = 2_147_483_647;

function labelsOfTemplate(spec: Json): unknown {
  const template = spec['template'] as Json | undefined;
  return (template?.['metadata'] as Json | undefined)?.['labels'];
}

/** Container limits: what is not said of requests and defaults follows from what is. */
function defaultLimit(limit: Json): void {
  if (limit['type'] !== 'Container') return;
  const amounts = (field: string): Json => (limit[field] ??= {}) as Json;
  fill(amounts('default'), (limit['max'] ?? {}) as Json);
  fill(amounts('defaultRequest'), (limit['default'] ?? {}) as Json);
  fill(amounts('defaultRequest'), (limit['min'] ?? {}) as Json);
  for (const field of ['default', 'defaultRequest'])
    if (Object.keys(amounts(field)).length === 0) delete limit[field];
}

type Defaulter = (spec: Json, object: KubeObject) => void;

const AFFINITY_SECONDS = 10_800;

function defaultService(spec: Json): void {
  fill(spec, { sessionAffinity: 'None', type: 'ClusterIP' });
  if (spec['type'] !== 'ExternalName') fill(spec, { internalTrafficPolicy: 'Cluster' });
  for (const port of list(spec['ports'])) {
    fill(port, { protocol: 'TCP' });
    if (port['targetPort'] === undefined || port['targetPort'] === 0 || port['targetPort'] === '')
      port['targetPort'] = port['port'] ?? 0;
  }
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig'];
  if (spec['sessionAffinity'] === 'ClientIP') {
    const config = (spec['sessionAffinityConfig'] ??= {}) as Json;
    const client = (config['clientIP'] ??= {}) as Json;
    fill(client, { timeoutSeconds: AFFINITY_SECONDS });
  }
  const hasOwn = spec['type'] === 'ClusterIP' && ((spec['externalIPs'] ?? []) as []).length > 0;
  const outside = hasOwn || spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer';
  if (outside) fill(spec, { externalTrafficPolicy: 'Cluster' });
  if (spec['type'] === 'LoadBalancer') fill(spec, { allocateLoadBalancerNodePorts: true });
}

const bySpec: Readonly<Record<string, Defaulter>> = {
  'authentication.k8s.io/TokenRequest': (spec) => fill(spec, { expirationSeconds: 3_600 }),
  '/Pod': defaultPod,
  '/ReplicationController': (spec, object) => {
    fill(spec, { replicas: 1 });
    const labels = labelsOfTemplate(spec);
    if (isObject(labels)) {
      fillEmpty(spec, { selector: labels });
      fillEmpty(object.metadata as Json, { labels });
    }
    defaultTemplate(spec);
  },
  '/Service': defaultService,
  '/PersistentVolume': (spec) => {
    fill(spec, { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' });
    if (isObject(spec['hostPath'])) fill(spec['hostPath'], { type: '' });
    if (isObject(spec['azureDisk'])) fill(spec['azureDisk'], { readOnly: false });
  },
  '/LimitRange': (spec) => {
    for (const limit of list(spec['limits'])) defaultLimit(limit);
  },
  '/PersistentVolumeClaim': (spec) => fill(spec, { volumeMode: 'Filesystem' }),
  'apps/Deployment': (spec) => {
    fill(spec, {
      replicas: 1,
      strategy: { type: 'RollingUpdate' },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    });
    const strategy = spec['strategy'] as Json;
    fill(strategy, { type: 'RollingUpdate' });
    defaultRolling(strategy, { maxUnavailable: '25%', maxSurge: '25%' });
    defaultTemplate(spec);
  },
  'apps/ReplicaSet': (spec) => {
    fill(spec, { replicas: 1 });
    defaultTemplate(spec);
  },
  'apps/DaemonSet': (spec) => {
    fill(spec, { updateStrategy: { type: 'RollingUpdate' }, revisionHistoryLimit: 10 });
    const strategy = spec['updateStrategy'] as Json;
    fill(strategy, { type: 'RollingUpdate' });
    defaultRolling(strategy, { maxUnavailable: 1, maxSurge: 0 });
    defaultTemplate(spec);
  },
  'apps/StatefulSet': (spec) => {
    fill(spec, {
      replicas: 1,
      serviceName: '',
      podManagementPolicy: 'OrderedReady',
      updateStrategy: {},
      revisionHistoryLimit: 10,
      persistentVolumeClaimRetentionPolicy: {},
    });
    const retention = spec['persistentVolumeClaimRetentionPolicy'] as Json;
    fill(retention, { whenDeleted: 'Retain', whenScaled: 'Retain' });
    const strategy = spec['updateStrategy'] as Json;
    // Whoever names the strategy says how it is done as well, or nothing.
    if (!strategy['type']) fill(strategy, { rollingUpdate: {} });
    fill(strategy, { type: 'RollingUpdate' });
    if (strategy['rollingUpdate'] !== undefined) {
      defaultRolling(strategy, { partition: 0, maxUnavailable: 1 });
    }
    for (const claim of list(spec['volumeClaimTemplates'])) {
      fill(claim, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: {} });
      fill(claim['status'] as Json, { phase: 'Pending' });
      if (isObject(claim['spec'])) fill(claim['spec'], { volumeMode: 'Filesystem' });
    }
    defaultTemplate(spec);
  },
  'batch/Job': (spec, object) => {
    if (spec['backoffLimitPerIndex'] !== undefined) fill(spec, { backoffLimit: INT32_MAX });
    if (spec['podFailurePolicy'] !== undefined) fill(spec, { podReplacementPolicy: 'Failed' });
    fill(spec, {
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      suspend: false,
      podReplacementPolicy: 'TerminatingOrFailed',
      manualSelector: false,
    });
    if (spec['completions'] === undefined && spec['parallelism'] === undefined)
      spec['completions'] = 1;
    fill(spec, { parallelism: 1 });
    for (const rule of list((spec['podFailurePolicy'] as Json | undefined)?.['rules'])) {
      for (const one of list(rule['onPodConditions'])) one['status'] ||= 'True';
    }
    defaultTemplate(spec);
    // The very same labels: what the server gives to the template, it gives to the job as well.
    const labels = labelsOfTemplate(spec);
    if (isObject(labels) && isEmpty(object.metadata.labels))
      object.metadata.labels = labels as Labels;
  },
  'batch/CronJob': (spec) => {
    fill(spec, {
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
    const jobTemplate = (spec['jobTemplate'] ??= {}) as Json;
    fill(jobTemplate, { metadata: {}, spec: {} });
    defaultTemplate(jobTemplate['spec'] as Json);
  },
  'networking.k8s.io/IngressClass': (spec) => {
    if (isObject(spec['parameters'])) fill(spec['parameters'], { scope: 'Cluster' });
  },
  'networking.k8s.io/NetworkPolicy': (spec) => {
    fill(spec, { podSelector: {} });
    const isOut = list(spec['egress']).length > 0;
    fillEmpty(spec, { policyTypes: isOut ? ['Ingress', 'Egress'] : ['Ingress'] });
    for (const rule of [...list(spec['ingress']), ...list(spec['egress'])]) {
      for (const port of list(rule['ports'])) fill(port, { protocol: 'TCP' });
    }
  },
  'autoscaling/HorizontalPodAutoscaler': defaultAutoscaler,
  'storage.k8s.io/CSIDriver': (spec) => {
    fillEmpty(spec, { volumeLifecycleModes: ['Persistent'] });
    fill(spec, {
      attachRequired: true,
      podInfoOnMount: false,
      storageCapacity: false,
      fsGroupPolicy: 'ReadWriteOnceWithFSType',
      requiresRepublish: false,
      seLinuxMount: false,
      preventPodSchedulingIfMissing: false,
    });
  },
  'flowcontrol.apiserver.k8s.io/FlowSchema': (spec) => {
    if (!spec['matchingPrecedence']) spec['matchingPrecedence'] = 1_000;
  },
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': (spec) => {
    if (isObject(spec['limited'])) {
      fill(spec['limited'], { nominalConcurrencyShares: 30, lendablePercent: 0 });
      const response = spec['limited']['limitResponse'];
      const queuing = isObject(response) ? response['queuing'] : undefined;
      if (isObject(queuing)) {
        const usual = { queues: 64, handSize: 8, queueLengthLimit: 50 };
        for (const [name, count] of Object.entries(usual)) queuing[name] ||= count;
      }
    }
    if (isObject(spec['exempt']))
      fill(spec['exempt'], { nominalConcurrencyShares: 0, lendablePercent: 0 });
  },
  'apiregistration.k8s.io/APIService': (spec) => {
    if (isObject(spec['service'])) fill(spec['service'], { port: 443 });
  },
  'resource.k8s.io/ResourceClaim': (spec) => defaultDevices(spec['devices']),
  'resource.k8s.io/ResourceClaimTemplate': (spec) =>
    defaultDevices((spec['spec'] as Json | undefined)?.['devices']),
  'resource.k8s.io/ResourceSlice': (spec) => defaultAmounts(spec),
  '/Node': defaultRanges,
  'storagemigration.k8s.io/StorageVersionMigration': (spec) => {
    if (isObject(spec['resource'])) fill(spec['resource'], { group: '' });
  },
  'apiextensions.k8s.io/CustomResourceDefinition': (spec) => {
    const names = (spec['names'] ?? {}) as Json;
    const kind = String(names['kind'] ?? '');
    if (kind !== '') fill(names, { singular: kind.toLowerCase(), listKind: `${kind}List` });
    fill(spec, { conversion: { strategy: 'None' } });
    const { webhook } = spec['conversion'] as { webhook?: { clientConfig?: Json } };
    const service = webhook?.clientConfig?.['service'];
    if (isObject(service)) fill(service, { port: 443 });
  },
};

const byObject: Readonly<Record<string, (object: KubeObject) => void>> = {
  '/Secret': (object) => {
    object['type'] ??= 'Opaque';
    mergeStringData(object);
  },
  '/PodTemplate': (object) => defaultTemplate(object as Json),
  'apps/DaemonSet': ({ metadata }) => {
    metadata.annotations = { [TEMPLATE_GENERATION]: '0', ...metadata.annotations };
  },
  'events.k8s.io/Event': (object) => {
    fill(object as Json, { deprecatedSource: {} });
    for (const when of ['eventTime', 'deprecatedFirstTimestamp', 'deprecatedLastTimestamp'])
      object[when] ??= null;
  },
  '/Namespace': (object) => {
    const { name } = object.metadata;
    if (name === undefined) return;
    object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': name };
    object['spec'] ??= {};
    fill((object['status'] ??= {}) as Json, { phase: 'Active' });
  },
  '/Node': (object) => {
    const spec = (object['spec'] ??= {}) as { podCIDR?: string; podCIDRs?: string[] };
    if (spec.podCIDR) spec.podCIDRs ??= [spec.podCIDR];
    else if (spec.podCIDRs?.[0] !== undefined) [spec.podCIDR] = spec.podCIDRs;
  },
  'rbac.authorization.k8s.io/ClusterRoleBinding': defaultBinding,
  'rbac.authorization.k8s.io/RoleBinding': defaultBinding,
  'storage.k8s.io/StorageClass': (object) => {
    object['reclaimPolicy'] ??= 'Delete';
    object['volumeBindingMode'] ??= 'Immediate';
  },
  'scheduling.k8s.io/PriorityClass': (object) => {
    object['value'] ??= 0;
    object['preemptionPolicy'] ??= 'PreemptLowerPriority';
  },
  '/Event': (object) => {
    fill(object as Json, { source: {}, reportingComponent: '', reportingInstance: '' });
    for (const when of ['eventTime', 'firstTimestamp', 'lastTimestamp']) object[when] ??= null;
  },
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': defaultWebhooks,
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': defaultWebhooks,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': defaultPolicy,
  'admissionregistration.k8s.io/MutatingAdmissionPolicy': defaultPolicy,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': defaultPolicyBinding,
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding': defaultPolicyBinding,
  'discovery.k8s.io/EndpointSlice': (object) => {
    for (const port of list(object['ports'])) fill(port, { name: '', protocol: 'TCP' });
    for (const endpoint of list(object['endpoints'])) fill(endpoint, { conditions: {} });
  },
  '/Endpoints': (object) => {
    for (const subset of list(object['subsets'])) {
      for (const port of list(subset['ports'])) fill(port, { protocol: 'TCP' });
    }
  },
};

function defaultMatch(match: unknown): void {
  if (!isObject(match)) return;
  fill(match, { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} });
  for (const name of ['resourceRules', 'excludeResourceRules']) {
    for (const rule of list(match[name])) fill(rule, { scope: '*' });
  }
}

function defaultPolicy(object: KubeObject): void {
  const spec = object['spec'] as Json | undefined;
  if (spec === undefined) return;
  fill(spec, { failurePolicy: 'Fail' });
  defaultMatch(spec['matchConstraints']);
}

function defaultPolicyBinding(object: KubeObject): void {
  const spec = object['spec'] as Json | undefined;
  if (spec !== undefined) defaultMatch(spec['matchResources']);
}

export const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

/** What a secret is given as text is data like the rest. */
function mergeStringData(object: KubeObject): void {
  const plain = object['stringData'] as Record<string, string> | undefined;
  if (plain === undefined || isEmpty(plain)) return void delete object['stringData'];
  const data = (object['data'] ?? {}) as Record<string, string>;
  for (const [key, value] of Object.entries(plain))
    data[key] = Buffer.from(value).toString('base64');
  object['data'] = data;
  delete object['stringData'];
}

/** What a claim asks for: one of each device, unless it says otherwise. */
function defaultDevices(devices: unknown): void {
  if (!isObject(devices)) return;
  const defaultRequest = (request: Json): void => {
    fill(request, { allocationMode: 'ExactCount' });
    if (request['allocationMode'] === 'ExactCount') fill(request, { count: 1 });
    for (const toleration of list(request['tolerations'])) fill(toleration, { operator: 'Equal' });
  };
  for (const request of list(devices['requests'])) {
    if (isObject(request['exactly'])) defaultRequest(request['exactly']);
    for (const one of list(request['firstAvailable'])) defaultRequest(one);
  }
}

/** The older field wins where both are there and are not alike. */
function defaultRanges(spec: Json): void {
  const { podCIDR: range, podCIDRs } = spec;
  const all = Array.isArray(podCIDRs) ? (podCIDRs as unknown[]) : [];
  if (range && all[0] !== range) spec['podCIDRs'] = [range];
  else if (!range && all.length > 0) spec['podCIDR'] = all[0];
}

/** Amounts that Go writes where nobody gave them. */
function defaultAmounts(spec: Json): void {
  const amounts = (given: unknown): void => {
    for (const one of Object.values(isObject(given) ? given : {})) {
      if (!isObject(one)) continue;
      fill(one, { value: '0' });
      if (isObject(one['requestPolicy'])) fill(one['requestPolicy'], { default: null });
    }
  };
  for (const { counters } of list(spec['sharedCounters'])) amounts(counters);
  for (const { capacity, consumesCounters } of list(spec['devices'])) {
    amounts(capacity);
    for (const { counters } of list(consumesCounters)) amounts(counters);
  }
}

function defaultWebhooks(object: KubeObject): void {
  for (const webhook of list(object['webhooks'])) {
    fill(webhook, {
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
    });
    if (object.kind === 'MutatingWebhookConfiguration')
      fill(webhook, { reinvocationPolicy: 'Never' });
    for (const rule of list(webhook['rules'])) fill(rule, { scope: '*' });
    const service = (webhook['clientConfig'] as Json | undefined)?.['service'];
    if (isObject(service)) fill(service, { port: 443 });
  }
}

const RBAC = 'rbac.authorization.k8s.io';

function defaultBinding(object: KubeObject): void {
  const ref = (object['roleRef'] ??= {}) as Json;
  ref['apiGroup'] ||= RBAC;
  for (const subject of list(object['subjects'])) {
    if (subject['kind'] === 'User' || subject['kind'] === 'Group') {
      subject['apiGroup'] ||= RBAC;
    }
  }
}

export function applyDefaults(info: ResourceInfo, object: KubeObject): void {
  const key = `${info.group}/${info.kind}`;
  byObject[key]?.(object);
  const spec = object['spec'];
  if (isObject(spec)) bySpec[key]?.(spec, object);
  applySchemaDefaults(info.schema, object);
}
