// The types of what policies see of a request and of its namespace (k8s.io/apiserver, admission/plugin/cel): other
// fields there are none of.
import type { KubeObject } from '#kube/meta/object.ts';
import type { Environment } from './environment.ts';
import { DYN, listOf, mapOf, parseType, struct, type CelType } from './types.ts';
import { dynValue } from './values.ts';

type Fields = Readonly<Record<string, string>>;

const versionKind: Fields = { group: 'string', version: 'string', kind: 'string' };
const versionResource: Fields = { group: 'string', version: 'string', resource: 'string' };

const REQUEST = 'kubernetes.AdmissionRequest';
const NAMESPACE = 'kubernetes.Namespace';

const types: Readonly<Record<string, Fields>> = {
  'kubernetes.GroupVersionKind': versionKind,
  'kubernetes.GroupVersionResource': versionResource,
  'kubernetes.UserInfo': {
    username: 'string',
    uid: 'string',
    groups: 'list(string)',
    extra: 'map(string, list(string))',
  },
  [REQUEST]: {
    kind: 'kubernetes.GroupVersionKind',
    resource: 'kubernetes.GroupVersionResource',
    subResource: 'string',
    requestKind: 'kubernetes.GroupVersionKind',
    requestResource: 'kubernetes.GroupVersionResource',
    requestSubResource: 'string',
    name: 'string',
    namespace: 'string',
    operation: 'string',
    userInfo: 'kubernetes.UserInfo',
    dryRun: 'bool',
    options: 'dyn',
  },
  'kubernetes.NamespaceSpec': { finalizers: 'list(string)' },
  'kubernetes.NamespaceCondition': {
    status: 'string',
    type: 'string',
    lastTransitionTime: 'google.protobuf.Timestamp',
    message: 'string',
    reason: 'string',
  },
  'kubernetes.NamespaceStatus': {
    conditions: 'list(kubernetes.NamespaceCondition)',
    phase: 'string',
  },
  'kubernetes.NamespaceMetadata': {
    name: 'string',
    generateName: 'string',
    namespace: 'string',
    labels: 'map(string, string)',
    annotations: 'map(string, string)',
    UID: 'string',
    creationTimestamp: 'google.protobuf.Timestamp',
    deletionGracePeriodSeconds: 'int',
    deletionTimestamp: 'google.protobuf.Timestamp',
    generation: 'int',
    resourceVersion: 'string',
    finalizers: 'list(string)',
  },
  [NAMESPACE]: {
    metadata: 'kubernetes.NamespaceMetadata',
    spec: 'kubernetes.NamespaceSpec',
    status: 'kubernetes.NamespaceStatus',
  },
};

/** The variables `request` and `namespaceObject`. */
export function declareRequest(env: Environment): void {
  for (const [name, own] of Object.entries(types)) {
    const fields = new Map<string, CelType>(
      Object.entries(own).map(([key, type]) => [key, parseType(type)]),
    );
    env.struct({ type: struct(name), field: (key) => fields.get(key) });
  }
  env.variable('request', struct(REQUEST));
  env.variable('namespaceObject', struct(NAMESPACE));
}

const simple = new Set<CelType['kind']>(
  'any bool bytes double duration int null string timestamp uint'.split(' ') as CelType['kind'][],
);

/** What is known of a policy's variable where it is used: objects and what may be missing are anything there. */
export function variableType(type: CelType): CelType {
  if (simple.has(type.kind)) return type;
  const [first = DYN, second = DYN] = type.params;
  if (type.kind === 'list') return listOf(variableType(first));
  return type.kind === 'map' ? mapOf(variableType(first), variableType(second)) : DYN;
}

/** Without what only others have written about it. */
export function declaredNamespace(namespace: KubeObject | undefined): unknown {
  return namespace === undefined ? null : dynValue(namespace);
}
