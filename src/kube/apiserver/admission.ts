// Admission: plugins that may change or refuse an object before it is stored, in upstream's order.
// Webhooks and policies will join this chain.
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { ApiError, notFound } from '#kube/meta/status.ts';
import type { UserInfo } from './user.ts';

export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly info: ResourceInfo;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly object: KubeObject;
  readonly user: UserInfo;
}

export interface AdmissionLookup {
  get(
    group: string,
    resource: string,
    namespace: string | undefined,
    name: string,
  ): Promise<KubeObject | undefined>;
  list(
    group: string,
    resource: string,
    namespace: string | undefined,
  ): Promise<readonly KubeObject[]>;
}

export type AdmissionPlugin = (request: AdmissionRequest, lookup: AdmissionLookup) => Promise<void>;

type Json = Record<string, unknown>;

function forbiddenBy(request: AdmissionRequest, why: string): ApiError {
  const { info, object } = request;
  const name = object.metadata.name ?? '';
  const resource = info.group === '' ? info.resource : `${info.resource}.${info.group}`;
  const group = info.group === '' ? {} : { group: info.group };
  return new ApiError(403, 'Forbidden', `${resource} "${name}" is forbidden: ${why}`, {
    name,
    ...group,
    kind: info.resource,
  });
}

const immortal = new Set(['default', 'kube-system', 'kube-public']);

/** Nothing is made in a namespace that is not there or that is going away. */
const namespaceLifecycle: AdmissionPlugin = async (request, lookup) => {
  const { operation, info, namespace, object } = request;
  const isNamespace = info.group === '' && info.resource === 'namespaces';
  if (operation === 'DELETE' && isNamespace && immortal.has(object.metadata.name ?? '')) {
    throw forbiddenBy(request, 'this namespace may not be deleted');
  }
  if (operation !== 'CREATE' || !info.namespaced || namespace === undefined) return;
  const found = await lookup.get('', 'namespaces', undefined, namespace);
  if (found === undefined) throw notFound({ group: '', resource: 'namespaces' }, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const error = forbiddenBy(
    request,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  throw new ApiError(403, 'Forbidden', error.message, {
    ...error.details,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
};

const isPodCreation = ({ operation, info, subresource }: AdmissionRequest): boolean =>
  operation === 'CREATE' &&
  info.group === '' &&
  info.resource === 'pods' &&
  subresource === undefined;

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Every pod has a service account, whose token, CA and namespace are mounted into its containers. */
const serviceAccount: AdmissionPlugin = async (request, lookup) => {
  if (!isPodCreation(request)) return;
  const spec = request.object['spec'] as Json;
  const name = String(spec['serviceAccountName'] ?? 'default');
  spec['serviceAccountName'] = name;
  spec['serviceAccount'] = name;
  const account = await lookup.get('', 'serviceaccounts', request.namespace, name);
  if (account === undefined) {
    throw forbiddenBy(
      request,
      `error looking up service account ${request.namespace}/${name}: serviceaccount "${name}" not found`,
    );
  }
  const automount =
    spec['automountServiceAccountToken'] ?? account['automountServiceAccountToken'] ?? true;
  if (automount !== true) return;
  const containers = [
    ...((spec['containers'] ?? []) as Json[]),
    ...((spec['initContainers'] ?? []) as Json[]),
  ];
  const unmounted = containers.filter(
    (one) =>
      !((one['volumeMounts'] ?? []) as Json[]).some((mount) => mount['mountPath'] === TOKEN_PATH),
  );
  if (unmounted.length === 0) return;
  const volumes = (spec['volumes'] ?? []) as Json[];
  const volume = `kube-api-access-${(request.object.metadata.uid ?? '00000').replaceAll('-', '').slice(0, 5)}`;
  volumes.push(tokenVolume(volume));
  spec['volumes'] = volumes;
  for (const container of unmounted) {
    const mounts = (container['volumeMounts'] ?? []) as Json[];
    mounts.push({ name: volume, readOnly: true, mountPath: TOKEN_PATH });
    container['volumeMounts'] = mounts;
  }
};

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

const TOLERATION_SECONDS = 300;

/** Pods wait five minutes for a node that does not answer. */
const defaultTolerationSeconds: AdmissionPlugin = async (request) => {
  const { info, subresource, operation } = request;
  if (info.group !== '' || info.resource !== 'pods' || subresource !== undefined) return;
  if (operation === 'DELETE') return;
  const spec = request.object['spec'] as Json;
  const tolerations = (spec['tolerations'] ?? []) as Json[];
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const has = tolerations.some(
      (one) =>
        (one['key'] === key || one['key'] === undefined) &&
        (one['effect'] === 'NoExecute' || one['effect'] === undefined),
    );
    if (!has)
      tolerations.push({
        key,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: TOLERATION_SECONDS,
      });
  }
  spec['tolerations'] = tolerations;
};

/** The priority class becomes a number. */
const priority: AdmissionPlugin = async (request, lookup) => {
  if (!isPodCreation(request)) return;
  const spec = request.object['spec'] as Json;
  const name = spec['priorityClassName'];
  let found: KubeObject | undefined;
  if (typeof name === 'string' && name !== '') {
    found = await lookup.get('scheduling.k8s.io', 'priorityclasses', undefined, name);
    if (found === undefined)
      throw forbiddenBy(request, `no PriorityClass with name ${name} was found`);
  } else {
    const all = await lookup.list('scheduling.k8s.io', 'priorityclasses', undefined);
    found = all.find((one) => one['globalDefault'] === true);
    if (found?.metadata.name !== undefined) spec['priorityClassName'] = found.metadata.name;
  }
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
};

/** A runtime class must be there; it brings its overhead and where it can run. */
const runtimeClass: AdmissionPlugin = async (request, lookup) => {
  if (!isPodCreation(request)) return;
  const spec = request.object['spec'] as Json;
  const name = spec['runtimeClassName'];
  if (typeof name !== 'string' || name === '') {
    if (spec['overhead'] === undefined) return;
    const why = 'Pod Overhead set without corresponding RuntimeClass defined Overhead';
    throw forbiddenBy(request, `pod rejected: ${why}`);
  }
  const found = await lookup.get('node.k8s.io', 'runtimeclasses', undefined, name);
  if (found === undefined) {
    throw forbiddenBy(request, `pod rejected: RuntimeClass "${name}" not found`);
  }
  const overhead = found['overhead']?.podFixed;
  if (overhead !== undefined) spec['overhead'] = overhead;
  const selector = found['scheduling']?.nodeSelector;
  if (selector !== undefined)
    spec['nodeSelector'] = { ...(spec['nodeSelector'] as Json), ...selector };
};

export const admissionChain: readonly AdmissionPlugin[] = [
  namespaceLifecycle,
  serviceAccount,
  defaultTolerationSeconds,
  priority,
  runtimeClass,
];
