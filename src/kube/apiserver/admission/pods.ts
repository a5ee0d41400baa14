// What pods get when they are made, beside their defaults: a service account with its token, tolerations,
// a priority, what their runtime class brings, and the topology of their node.
import type { KubeObject } from '#kube/meta/object.ts';
import { generateName, nameProblem } from '#kube/meta/names.ts';
import {
  forbiddenBy,
  isOf,
  isPod,
  isPodCreation,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
  type Json,
} from './request.ts';

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const MIRROR = 'kubernetes.io/config.mirror';
const TOKEN_SECONDS = 3_607;

function tokenVolume(name: string): Json {
  const namespace = {
    path: 'namespace',
    fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' },
  };
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [namespace] } },
      ],
    },
  };
}

function mountToken(spec: Json, random: () => number): void {
  const containers = [...list(spec['containers']), ...list(spec['initContainers'])];
  const unmounted = containers.filter(
    (one) => !list(one['volumeMounts']).some((mount) => mount['mountPath'] === TOKEN_PATH),
  );
  if (unmounted.length === 0) return;
  const volumes = list(spec['volumes']);
  const prefix = 'kube-api-access-';
  const known = volumes.find(
    (one) => String(one['name']).startsWith(prefix) && one['projected'] !== undefined,
  );
  const name = known === undefined ? generateName(prefix, random) : String(known['name']);
  if (known === undefined) spec['volumes'] = [...volumes, tokenVolume(name)];
  for (const container of unmounted) {
    const mount = { name, readOnly: true, mountPath: TOKEN_PATH };
    container['volumeMounts'] = [...list(container['volumeMounts']), mount];
  }
}

/** Mirror pods are the kubelet's own: they may use nothing that needs the API server. */
function checkMirror(request: AdmissionRequest, spec: Json): void {
  if (spec['serviceAccountName'])
    throw forbiddenBy(request, 'a mirror pod may not reference service accounts');
  for (const volume of list(spec['volumes'])) {
    if (volume['secret'] !== undefined)
      throw forbiddenBy(request, 'a mirror pod may not reference secrets');
    const sources = list((volume['projected'] as Json | undefined)?.['sources']);
    if (sources.some((one) => one['serviceAccountToken'] !== undefined)) {
      throw forbiddenBy(request, 'a mirror pod may not use ServiceAccountToken volume projections');
    }
  }
}

export const serviceAccount: AdmissionPlugin = {
  name: 'ServiceAccount',
  async mutate(request, services) {
    const { object } = request;
    if (!isPodCreation(request) || object === undefined) return;
    const spec = object['spec'] as Json;
    if (object.metadata.annotations?.[MIRROR] !== undefined) return checkMirror(request, spec);
    const name = String(spec['serviceAccountName'] || 'default');
    spec['serviceAccountName'] = name;
    spec['serviceAccount'] = name;
    const wrong = nameProblem('path-segment', name);
    if (wrong !== undefined) {
      const odd = `invalid resource name ${JSON.stringify(name)}: [${wrong}]`;
      const why = `error looking up service account ${request.namespace}/${name}: ${odd}`;
      throw forbiddenBy(request, why);
    }
    const account = await services.lookup.get('', 'serviceaccounts', request.namespace, name);
    if (account === undefined) {
      const why = `error looking up service account ${request.namespace}/${name}: serviceaccount "${name}" not found`;
      throw forbiddenBy(request, why);
    }
    const automount =
      spec['automountServiceAccountToken'] ?? account['automountServiceAccountToken'] ?? true;
    if (automount === true) mountToken(spec, services.random);
    const secrets = list(account['imagePullSecrets']);
    if (list(spec['imagePullSecrets']).length === 0 && secrets.length > 0) {
      spec['imagePullSecrets'] = secrets.map(({ name: one }) => ({ name: one }));
    }
  },
};

const TOLERATION_SECONDS = 300;

/** Pods wait five minutes for a node that does not answer. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  mutate(request) {
    const { object, operation } = request;
    if (!isPod(request) || object === undefined || operation === 'DELETE') return;
    const spec = object['spec'] as Json;
    const tolerations = list(spec['tolerations']);
    for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
      const has = tolerations.some(
        (one) =>
          (one['key'] === key || one['key'] === undefined) &&
          (one['effect'] === 'NoExecute' || one['effect'] === undefined),
      );
      const own = {
        key,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: TOLERATION_SECONDS,
      };
      if (!has) tolerations.push(own);
    }
    spec['tolerations'] = tolerations;
  },
};

async function classOf(
  request: AdmissionRequest,
  { lookup }: AdmissionServices,
  spec: Json,
): Promise<KubeObject | undefined> {
  const name = spec['priorityClassName'];
  if (typeof name === 'string' && name !== '') {
    const found = await lookup.get('scheduling.k8s.io', 'priorityclasses', undefined, name);
    if (found !== undefined) return found;
    throw forbiddenBy(request, `no PriorityClass with name ${name} was found`);
  }
  const all = await lookup.list('scheduling.k8s.io', 'priorityclasses', undefined);
  const found = all
    .filter((one) => one['globalDefault'] === true)
    .sort((a, b) => Number(a['value']) - Number(b['value']))[0];
  if (found?.metadata.name !== undefined) spec['priorityClassName'] = found.metadata.name;
  return found;
}

async function preparePriority(
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<void> {
  const spec = request.object?.['spec'] as Json;
  const found = await classOf(request, services, spec);
  const value = (found?.['value'] ?? 0) as number;
  const policy = (found?.['preemptionPolicy'] ?? 'PreemptLowerPriority') as string;
  const refuse = (what: string, given: unknown, computed: unknown): never => {
    const why = `must not be provided in pod spec; priority admission controller computed ${String(computed)} from the given PriorityClass name`;
    throw forbiddenBy(request, `the ${what} (${String(given)}) ${why}`);
  };
  const { priority: number, preemptionPolicy: preemption } = spec;
  if (number !== undefined && number !== value) refuse('integer value of priority', number, value);
  if (preemption !== undefined && preemption !== policy) {
    refuse('string value of PreemptionPolicy', preemption, policy);
  }
  spec['priority'] = value;
  spec['preemptionPolicy'] = policy;
}

/** Who updates a pod by what its maker wrote need not know what it got on the way in. */
function keepPriority({ object, old }: AdmissionRequest): void {
  const spec = object?.['spec'] as Json;
  const before = old?.['spec'] as Json;
  for (const field of ['priority', 'preemptionPolicy']) {
    if (before[field] !== undefined) spec[field] ??= before[field];
  }
}

/** The priority class becomes a number; there is one default class at most. */
export const priority: AdmissionPlugin = {
  name: 'Priority',
  async mutate(request, services) {
    if (isPodCreation(request) && request.object !== undefined)
      await preparePriority(request, services);
    if (isPod(request) && request.operation === 'UPDATE') keepPriority(request);
  },
  async validate(request, { lookup }) {
    const { object, operation } = request;
    if (!isOf(request, 'scheduling.k8s.io', 'priorityclasses') || operation === 'DELETE') return;
    if (object?.['globalDefault'] !== true) return;
    const all = await lookup.list('scheduling.k8s.io', 'priorityclasses', undefined);
    const other = all.find((one) => one['globalDefault'] === true);
    if (other === undefined || other.metadata.name === object.metadata.name) return;
    const why = `PriorityClass ${other.metadata.name ?? ''} is already marked as default. Only one default can exist`;
    throw forbiddenBy(request, why);
  },
};

/** A runtime class must be there; it brings its overhead and where it can run. */
export const runtimeClass: AdmissionPlugin = {
  name: 'RuntimeClass',
  validate(request) {
    const { runtimeClassName, overhead } = (request.object?.['spec'] ?? {}) as Json;
    if (!isPodCreation(request) || runtimeClassName || overhead === undefined) return;
    const why = 'Pod Overhead set without corresponding RuntimeClass defined Overhead';
    throw forbiddenBy(request, `pod rejected: ${why}`);
  },
  async mutate(request, { lookup }) {
    const { object } = request;
    if (!isPodCreation(request) || object === undefined) return;
    const spec = object['spec'] as Json;
    const name = spec['runtimeClassName'];
    if (typeof name !== 'string' || name === '') return;
    const found = await lookup.get('node.k8s.io', 'runtimeclasses', undefined, name);
    if (found === undefined) {
      throw forbiddenBy(request, `pod rejected: RuntimeClass "${name}" not found`);
    }
    setOverhead(request, spec, found);
    const scheduling = found['scheduling'] as
      | { nodeSelector?: Json; tolerations?: Json[] }
      | undefined;
    setNodeSelector(request, spec, scheduling?.nodeSelector);
    const tolerations = list(spec['tolerations']);
    const more = list(scheduling?.tolerations).filter(
      (one) => !tolerations.some((known) => JSON.stringify(known) === JSON.stringify(one)),
    );
    if (more.length > 0) spec['tolerations'] = [...tolerations, ...more];
  },
};

function setOverhead(request: AdmissionRequest, spec: Json, found: KubeObject): void {
  const overhead = found['overhead']?.podFixed as Json | undefined;
  if (overhead === undefined) return;
  const given = spec['overhead'] as Json | undefined;
  if (given !== undefined && JSON.stringify(given) !== JSON.stringify(overhead)) {
    const why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
    throw forbiddenBy(request, why);
  }
  spec['overhead'] = overhead;
}

function setNodeSelector(request: AdmissionRequest, spec: Json, selector: Json | undefined): void {
  if (selector === undefined) return;
  const own = (spec['nodeSelector'] ?? {}) as Json;
  for (const [key, value] of Object.entries(selector)) {
    if (own[key] === undefined || own[key] === value) continue;
    const why = `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${String(value)}; pod.spec.nodeSelector[${key}] = ${String(own[key])}`;
    throw forbiddenBy(request, why);
  }
  spec['nodeSelector'] = { ...own, ...selector };
}
