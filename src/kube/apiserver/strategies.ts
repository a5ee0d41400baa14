// What differs between kinds when they are created or updated, beside schema, defaults and validation:
// which parts clients may set, generations, computed fields. One entry per kind; no handlers per kind.
import { cloneJson } from '#base/clone.ts';
import { applyDefaults, TEMPLATE_GENERATION } from '#kube/meta/defaulting.ts';
import { oneMore } from '#kube/meta/exact-numbers.ts';
import type { KubeObject, ObjectMeta } from '#kube/meta/object.ts';
import { resetFields } from '#kube/meta/reset-fields.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { same } from '#base/same.ts';
import { defaultPodLevelResources } from '#kube/meta/pod-level-resources.ts';
import { qosClass } from '#kube/meta/qos-class.ts';
import { takeAppArmor } from './app-armor.ts';
import { mergeLabelKeys } from './label-keys.ts';
import { markGated, settleFields, settleStatus } from './computed-fields.ts';
import { keepPod } from './pod-parts.ts';
import { defaultStatus, fillNodeStatus } from './status-defaults.ts';
import type { UserInfo } from './user.ts';

type Json = Record<string, unknown>;

export interface StrategyContext {
  readonly uuid: () => string;
  readonly now: number;
  readonly user: UserInfo;
  readonly warnings: string[];
}

const keyOf = (info: ResourceInfo): string => `${info.group}/${info.resource}`;

/** Kinds whose status is a subresource: it is not set with the rest, and the rest not with it. */
export function hasStatus(info: ResourceInfo): boolean {
  return info.subresources.some(({ name }) => name === 'status');
}

/** Kinds without a spec of their own still have generations when upstream gives them one. */
const withGeneration = new Set([
  'apps/deployments',
  'apps/replicasets',
  'apps/daemonsets',
  'apps/statefulsets',
  'batch/jobs',
  'batch/cronjobs',
  '/replicationcontrollers',
  '/pods',
  'networking.k8s.io/ingresses',
  'networking.k8s.io/networkpolicies',
  'policy/poddisruptionbudgets',
  'apiextensions.k8s.io/customresourcedefinitions',
  'discovery.k8s.io/endpointslices',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  'admissionregistration.k8s.io/mutatingadmissionpolicies',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
  'flowcontrol.apiserver.k8s.io/flowschemas',
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations',
  'networking.k8s.io/ingressclasses',
  'autoscaling/horizontalpodautoscalers',
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  'admissionregistration.k8s.io/mutatingadmissionpolicies',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/devicetaintrules',
  'resource.k8s.io/resourceslices',
  '/podtemplates',
  'storage.k8s.io/csidrivers',
]);

/** Kinds whose generation counts changes only: there is none before the first. */
const withoutFirstGeneration = new Set(['storage.k8s.io/csidrivers']);

function hasGeneration(info: ResourceInfo): boolean {
  return info.customResourceDefinition !== undefined || withGeneration.has(keyOf(info));
}

const initialStatus: Readonly<Record<string, Json>> = {
  '/pods': { phase: 'Pending' },
  '/namespaces': { phase: 'Active' },
  '/persistentvolumes': { phase: 'Pending' },
  '/persistentvolumeclaims': { phase: 'Pending' },
  '/services': { loadBalancer: {} },
  '/replicationcontrollers': { replicas: 0 },
  '/resourcequotas': {},
  'admissionregistration.k8s.io/validatingadmissionpolicies': {},
  'apps/deployments': {},
  'apps/replicasets': { replicas: 0 },
  'apps/daemonsets': {
    currentNumberScheduled: 0,
    desiredNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
  },
  'apps/statefulsets': { replicas: 0, availableReplicas: 0 },
  'batch/jobs': {},
  'autoscaling/horizontalpodautoscalers': { desiredReplicas: 0, currentMetrics: null },
  'batch/cronjobs': {},
  'apiregistration.k8s.io/apiservices': {},
  'certificates.k8s.io/certificatesigningrequests': {},
  'certificates.k8s.io/podcertificaterequests': {},
  'flowcontrol.apiserver.k8s.io/flowschemas': {},
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': {},
  'networking.k8s.io/servicecidrs': {},
  'resource.k8s.io/devicetaintrules': {},
  'resource.k8s.io/resourceclaims': {},
  'storage.k8s.io/csinodes': {},
  'storage.k8s.io/volumeattachments': { attached: false },
  'storagemigration.k8s.io/storageversionmigrations': {},
  'networking.k8s.io/ingresses': { loadBalancer: {} },
  'policy/poddisruptionbudgets': {
    currentHealthy: 0,
    desiredHealthy: 0,
    disruptionsAllowed: 0,
    expectedPods: 0,
  },
};

const oldScalerStatus: Json = { currentReplicas: 0, desiredReplicas: 0 };

function addJobLabels(object: KubeObject): void {
  const spec = object['spec'] as Json;
  if (spec['manualSelector'] === true || spec['template'] === undefined) return;
  const { uid = '', name = '' } = object.metadata;
  const template = spec['template'] as { metadata?: { labels?: Record<string, string> } };
  template.metadata ??= {};
  // In place: the job may have taken its labels from here.
  Object.assign((template.metadata.labels ??= {}), {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  });
  const selector = (spec['selector'] ??= {}) as { matchLabels?: Record<string, string> };
  selector.matchLabels = { ...selector.matchLabels, 'batch.kubernetes.io/controller-uid': uid };
}

export function prepareCreate(
  info: ResourceInfo,
  object: KubeObject,
  context: StrategyContext,
): void {
  const { metadata } = object;
  metadata.uid = context.uuid();
  metadata.creationTimestamp = timestamp(context.now);
  const isPriority = keyOf(info) === 'scheduling.k8s.io/priorityclasses';
  if (isPriority || (hasGeneration(info) && !withoutFirstGeneration.has(keyOf(info)))) {
    metadata.generation = 1;
  }
  if (keyOf(info) === '/nodes') fillNodeStatus((object['status'] ??= {}) as Json);
  else if (hasStatus(info)) {
    const isOldScaler = info.group === 'autoscaling' && info.version === 'v1';
    const status = isOldScaler ? oldScalerStatus : initialStatus[keyOf(info)];
    if (status === undefined) delete object['status'];
    else object['status'] = cloneJson(status);
  }
  if (keyOf(info) === '/pods') {
    const spec = (object['spec'] ?? {}) as Json;
    defaultPodLevelResources(spec);
    context.warnings.push(...takeAppArmor(object));
    object['status'].qosClass = qosClass(spec);
    markGated(object, timestamp(context.now));
    mergeLabelKeys(object);
  }
  settleFields(keyOf(info), object);
  if (keyOf(info) === 'batch/jobs') addJobLabels(object);
  if (keyOf(info) === 'apps/daemonsets') countTemplate(object, 1);
  if (keyOf(info) === '/namespaces') holdNamespace(object);
  if (keyOf(info) === '/persistentvolumes') {
    object['status'].lastPhaseTransitionTime = timestamp(context.now);
  }
  if (keyOf(info) === 'coordination.k8s.io/leases') dropElection(object, undefined);
  if (keyOf(info) === 'certificates.k8s.io/certificatesigningrequests') {
    signRequest(object, context.user);
  }
  if (keyOf(info) === 'apiregistration.k8s.io/apiservices' && !object['spec']?.service) {
    object['status'] = { conditions: [localAvailability(timestamp(context.now))] };
  }
  if (keyOf(info) === DEFINITIONS) {
    object['status'] = { conditions: null, acceptedNames: { plural: '', kind: '' } };
    keepStoredVersions(object);
  }
}

/** Who is to lead is chosen by the holders: coordinated election is off by default upstream. */
function dropElection(object: KubeObject, old: KubeObject | undefined): void {
  const [spec, before] = [object['spec'] as Json | undefined, old?.['spec'] as Json | undefined];
  for (const field of ['strategy', 'preferredHolder']) {
    if (spec !== undefined && before?.[field] === undefined) delete spec[field];
  }
}

/** Defaults of what an object is to become, at the endpoint that it is sent to. */
export function defaultChange(
  info: ResourceInfo,
  wanted: KubeObject,
  subresource: string | undefined,
  now: number,
  live?: KubeObject,
): void {
  const isStatus = subresource === 'status' || subresource === 'approval';
  if (isStatus) defaultStatus(info, wanted, timestamp(now), live);
  // Of custom objects also the status has defaults, those of the version that the client speaks.
  const isCustom = info.customResourceDefinition !== undefined;
  if (!isStatus || isCustom) applyDefaults(info, wanted);
  stampTaint(info, wanted, now);
}

/** A taint says when it was added; before anything else, so that it is the client's own. */
function stampTaint(info: ResourceInfo, object: KubeObject, now: number): void {
  const stamp = (taint: Json | undefined): void => {
    if (taint !== undefined) taint['timeAdded'] ??= timestamp(now);
  };
  const key = keyOf(info);
  if (key === 'resource.k8s.io/devicetaintrules') stamp(object['spec']?.taint as Json | undefined);
  if (key !== 'resource.k8s.io/resourceslices') return;
  for (const { taints } of (object['spec']?.devices ?? []) as Json[]) {
    for (const taint of (taints ?? []) as Json[]) stamp(taint);
  }
}

/** The time is that of the effect: another effect has another one, unless the client says which. */
function restampTaint(next: KubeObject, old: KubeObject, now: number): void {
  const [taint, before] = [next, old].map((one) => one['spec']?.taint as Json | undefined);
  if (taint === undefined || taint['effect'] === before?.['effect']) return;
  const [mine, theirs] = [taint, before].map((one) => Date.parse(String(one?.['timeAdded'])));
  if (mine === theirs) taint['timeAdded'] = timestamp(now);
}

/** What this server serves by itself is there from the first moment. */
function localAvailability(lastTransitionTime: string): Json {
  const message = 'Local APIServices are always available';
  return { type: 'Available', status: 'True', lastTransitionTime, reason: 'Local', message };
}

const DEFINITIONS = 'apiextensions.k8s.io/customresourcedefinitions';

/** Versions that objects may be stored in are remembered until somebody has migrated them. */
function keepStoredVersions(object: KubeObject): void {
  const versions = (object['spec']?.versions ?? []) as { name: string; storage?: boolean }[];
  const storage = versions.find((one) => one.storage === true)?.name;
  const status = (object['status'] ??= {}) as { storedVersions?: string[] };
  const stored = status.storedVersions ?? [];
  if (storage === undefined || stored.includes(storage)) return;
  object['status'] = { ...status, storedVersions: [...stored, storage] };
}

/** Who asks for a certificate is not the client's to say. */
function signRequest(object: KubeObject, { name, uid, groups, extra }: UserInfo): void {
  const { username: _n, uid: _u, groups: _g, extra: _e, ...rest } = (object['spec'] ?? {}) as Json;
  object['spec'] = {
    ...rest,
    username: name,
    ...(uid === '' ? {} : { uid }),
    groups,
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

/** A namespace is not gone before all that is in it is. */
function holdNamespace(object: KubeObject): void {
  const spec = (object['spec'] ??= {}) as { finalizers?: string[] };
  if (spec.finalizers?.includes('kubernetes') !== true) {
    spec.finalizers = [...(spec.finalizers ?? []), 'kubernetes'];
  }
}

/** The old count of a DaemonSet's templates, which clients still find in an annotation. */
function countTemplate(object: KubeObject, count: number): void {
  const { annotations } = object.metadata;
  object.metadata.annotations = { ...annotations, [TEMPLATE_GENERATION]: String(count) };
}

function recountTemplate(next: KubeObject, old: KubeObject): void {
  const before = Number(old.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);
  countTemplate(next, same(next.spec?.template, old.spec?.template) ? before : before + 1);
}

/** Keeps what only the server, or only the other endpoint, may change. */
export function prepareUpdate(
  info: ResourceInfo,
  next: KubeObject,
  old: KubeObject,
  subresource: string | undefined,
  now: number,
): void {
  const { metadata } = next;
  keepMetadata(metadata, old.metadata);
  // What a binding changes does not count as a change of what is wished for.
  if (subresource === 'binding') return;
  if (subresource === 'status') {
    for (const key of Object.keys(next)) {
      if (!['apiVersion', 'kind', 'metadata', 'status'].includes(key)) delete next[key];
    }
    for (const [key, value] of Object.entries(old)) {
      if (!['apiVersion', 'kind', 'metadata', 'status'].includes(key)) next[key] = value;
    }
    keepUnowned(info, metadata, old.metadata);
    // Of a custom object nobody looks at the id that comes with a status.
    if (info.customResourceDefinition !== undefined) metadata.uid = old.metadata.uid ?? '';
    settleStatus(keyOf(info), next, old);
    if (keyOf(info) === '/persistentvolumes') stampPhase(next, old, now);
    return;
  }
  if (subresource === 'ephemeralcontainers' || subresource === 'resize') {
    keepPod(next, old, subresource);
    keepFields(metadata, old.metadata, owned);
    if (desireChanged(next, old)) metadata.generation = oneMore(old.metadata.generation);
    return;
  }
  if (subresource === 'finalize') {
    next['status'] = old['status'];
    return;
  }
  if (keyOf(info) === '/namespaces') next['spec'] = old['spec'];
  if (hasStatus(info) && subresource === undefined) {
    if (old['status'] === undefined) delete next['status'];
    else next['status'] = old['status'];
  }
  if (subresource === undefined) settleFields(keyOf(info), next, old);
  if (keyOf(info) === DEFINITIONS) keepStoredVersions(next);
  if (keyOf(info) === 'certificates.k8s.io/certificatesigningrequests') {
    next['spec'] = old['spec'];
    // Who approves says nothing else.
    if (subresource === 'approval') {
      const conditions = (next['status'] as Json | undefined)?.['conditions'];
      const { conditions: _conditions, ...rest } = (old['status'] ?? {}) as Json;
      next['status'] = { ...rest, ...(conditions === undefined ? {} : { conditions }) };
    }
  }
  if (keyOf(info) === 'coordination.k8s.io/leases') dropElection(next, old);
  if (keyOf(info) === 'resource.k8s.io/devicetaintrules') restampTaint(next, old, now);
  if (keyOf(info) === 'apps/daemonsets' && subresource === undefined) recountTemplate(next, old);
  const isDeployment = keyOf(info) === 'apps/deployments';
  const isAnnotated = isDeployment && !same(annotationsOf(next), annotationsOf(old));
  const isSlice = keyOf(info) === 'discovery.k8s.io/endpointslices';
  const isLabelled = isSlice && !same(next.metadata.labels ?? {}, old.metadata.labels ?? {});
  const isMarked = isAnnotated || isLabelled;
  if (hasGeneration(info) && (isMarked || desireChanged(next, old))) {
    metadata.generation = oneMore(old.metadata.generation);
  }
}

const annotationsOf = ({ metadata }: KubeObject): object => metadata.annotations ?? {};

/** Metadata that the status endpoint of a kind does not take stays as it was. */
function keepUnowned(info: ResourceInfo, next: ObjectMeta, old: ObjectMeta): void {
  const metadata = resetFields(info, 'status')['f:metadata'];
  if (metadata === undefined) return;
  const isWhole = Object.keys(metadata).length === 0;
  const fields = owned.filter((field) => isWhole || metadata[`f:${field}`] !== undefined);
  keepFields(next, old, fields);
  if (!isWhole && metadata['f:deletionTimestamp'] === undefined) return;
  if (old.deletionTimestamp === undefined) delete next.deletionTimestamp;
  else next.deletionTimestamp = old.deletionTimestamp;
}

const owned = ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const;

function keepFields(
  next: ObjectMeta,
  old: ObjectMeta,
  fields: readonly (typeof owned)[number][],
): void {
  for (const field of fields) {
    if (old[field] === undefined) delete next[field];
    else Object.assign(next, { [field]: old[field] });
  }
}

/** A volume tells when its phase became what it is. */
function stampPhase(next: KubeObject, old: KubeObject, now: number): void {
  const [status, before] = [next['status'] as Json | undefined, old['status'] as Json | undefined];
  const field = 'lastPhaseTransitionTime';
  const [said, had] = [status?.[field], before?.[field]];
  const isSame = (status?.['phase'] ?? 'Pending') === before?.['phase'];
  if (isSame && said === undefined && had !== undefined) (next['status'] ??= {})[field] = had;
  if (!isSame && status !== undefined && (said === undefined || said === had))
    status[field] = timestamp(now);
}

/** What is left out stays; what is the server's own always does. */
function keepMetadata(next: ObjectMeta, old: ObjectMeta): void {
  if (old.generation === undefined) delete next.generation;
  else next.generation = old.generation;
  if (old.creationTimestamp !== undefined) next.creationTimestamp = old.creationTimestamp;
  if (old.deletionTimestamp !== undefined) next.deletionTimestamp = old.deletionTimestamp;
  if ((next.uid ?? '') === '' && old.uid !== undefined) next.uid = old.uid;
  const { deletionGracePeriodSeconds: grace } = old;
  if (grace !== undefined) next.deletionGracePeriodSeconds ??= grace;
  delete next.selfLink;
}

/** What autoscalers of the older version have no fields for. */
function desiredByNote({ apiVersion, metadata: { annotations } }: KubeObject): unknown {
  if (apiVersion !== 'autoscaling/v1') return undefined;
  return ['metrics', 'behavior'].map(
    (what) => annotations?.[`autoscaling.alpha.kubernetes.io/${what}`],
  );
}

function desireChanged(next: KubeObject, old: KubeObject): boolean {
  const desire = ({ metadata: _metadata, status: _status, ...rest }: KubeObject) => rest;
  return !same(desire(next), desire(old)) || !same(desiredByNote(next), desiredByNote(old));
}

/** Made once a second: each write asks for it several times. */
let lastTimestamp = '';
let lastSecond: number | undefined;

export function timestamp(now: number): string {
  const second = Math.floor(now / 1_000);
  if (second !== lastSecond) {
    lastTimestamp = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
    lastSecond = second;
  }
  return lastTimestamp;
}
