// The remaining objects of the core group, and what is asked below pods, for the suite that garbles them.
import { HOME, NAMESPACE, type Mutated } from './mutated.ts';

const time = '2026-01-02T03:04:05Z';
const microTime = '2026-01-02T03:04:05.678901Z';
const involved = {
  kind: 'Pod',
  namespace: NAMESPACE,
  name: 'p',
  uid: 'u',
  apiVersion: 'v1',
  resourceVersion: '1',
  fieldPath: 'spec',
};

export const core: readonly Mutated[] = [
  {
    name: 'ConfigMap',
    path: `/api/v1/${HOME}/configmaps`,
    isUpdated: true,
    base: {
      metadata: {
        name: 'c',
        labels: { a: 'b', 'example.com/c': 'd' },
        annotations: { a: 'b' },
        finalizers: ['example.com/f'],
        ownerReferences: [
          {
            apiVersion: 'v1',
            kind: 'Pod',
            name: 'p',
            uid: 'u',
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      data: { a: '1' },
      binaryData: { b: 'MQ==' },
    },
  },
  {
    name: 'ConfigMap that does not change',
    path: `/api/v1/${HOME}/configmaps`,
    isUpdated: true,
    base: { metadata: { name: 'fixed' }, data: { a: '1' }, immutable: true },
  },
  {
    name: 'Secret',
    path: `/api/v1/${HOME}/secrets`,
    isUpdated: true,
    base: {
      metadata: { name: 's' },
      type: 'kubernetes.io/basic-auth',
      data: { username: 'MQ==' },
      stringData: { password: 'x' },
      immutable: false,
    },
  },
  ...Object.entries({
    'kubernetes.io/dockerconfigjson': { '.dockerconfigjson': '{"auths":{}}' },
    'kubernetes.io/dockercfg': { '.dockercfg': '{"a":{}}' },
    'kubernetes.io/ssh-auth': { 'ssh-privatekey': 'x' },
    'kubernetes.io/tls': { 'tls.crt': 'x', 'tls.key': 'y' },
    'bootstrap.kubernetes.io/token': { 'token-id': 'abcdef', 'token-secret': 'x' },
  }).map(([type, stringData]) => ({
    name: `Secret of ${type}`,
    path: `/api/v1/${HOME}/secrets`,
    base: { metadata: { name: 's' }, type, stringData },
  })),
  {
    name: 'ServiceAccount',
    path: `/api/v1/${HOME}/serviceaccounts`,
    isUpdated: true,
    base: {
      metadata: { name: 'a' },
      secrets: [{ name: 's' }],
      imagePullSecrets: [{ name: 'i' }],
      automountServiceAccountToken: false,
    },
  },
  {
    name: 'LimitRange',
    path: `/api/v1/${HOME}/limitranges`,
    base: {
      metadata: { name: 'l' },
      spec: {
        limits: [
          {
            type: 'Container',
            max: { cpu: '4' },
            min: { cpu: '1m' },
            default: { cpu: '2' },
            defaultRequest: { cpu: '1' },
            maxLimitRequestRatio: { cpu: '4000' },
          },
          { type: 'Pod', max: { memory: '1Gi' } },
          { type: 'PersistentVolumeClaim', min: { storage: '1Mi' }, max: { storage: '1Ti' } },
        ],
      },
    },
  },
  {
    name: 'LimitRange, updated',
    path: '/api/v1/namespaces/default/limitranges',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: { limits: [{ type: 'PersistentVolumeClaim', min: { storage: '1Mi' } }] },
    },
  },
  {
    name: 'ResourceQuota',
    path: '/api/v1/namespaces/default/resourcequotas',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        hard: { 'requests.cpu': '4', pods: '1000' },
        scopes: ['NotTerminating'],
        scopeSelector: {
          matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['x'] }],
        },
      },
    },
    status: { hard: { pods: '1000' }, used: { pods: '1' } },
  },
  {
    name: 'Namespace',
    path: '/api/v1/namespaces',
    isUpdated: true,
    base: { metadata: { name: 'other' }, spec: { finalizers: ['kubernetes', 'example.com/f'] } },
    status: {
      phase: 'Active',
      conditions: [
        { type: 'Odd', status: 'True', lastTransitionTime: time, reason: 'R', message: 'm' },
      ],
    },
  },
  {
    name: 'Node',
    path: '/api/v1/nodes',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        podCIDR: '10.1.0.0/24',
        podCIDRs: ['10.1.0.0/24', '2001:db8::/64'],
        providerID: 'a://b',
        unschedulable: true,
        taints: [{ key: 'k', value: 'v', effect: 'NoSchedule', timeAdded: time }],
        configSource: { configMap: { namespace: 'n', name: 'c', kubeletConfigKey: 'k' } },
      },
    },
    status: {
      capacity: { cpu: '2', memory: '1Gi', pods: '10' },
      allocatable: { cpu: '1', memory: '1Gi', pods: '10' },
      phase: 'Running',
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          lastHeartbeatTime: time,
          lastTransitionTime: time,
          reason: 'R',
          message: 'm',
        },
      ],
      addresses: [{ type: 'InternalIP', address: '10.9.8.7' }],
      daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } },
      nodeInfo: {
        machineID: 'm',
        systemUUID: 's',
        bootID: 'b',
        kernelVersion: 'k',
        osImage: 'o',
        containerRuntimeVersion: 'c',
        kubeletVersion: 'v',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
      images: [{ names: ['a:1'], sizeBytes: 5 }],
      volumesInUse: ['v'],
      volumesAttached: [{ name: 'v', devicePath: '/d' }],
      runtimeHandlers: [{ name: 'h', features: { recursiveReadOnlyMounts: true } }],
      features: { supplementalGroupsPolicy: true },
    },
  },
  {
    name: 'Event of the old kind',
    path: `/api/v1/${HOME}/events`,
    isUpdated: true,
    base: {
      metadata: { name: 'old' },
      involvedObject: involved,
      reason: 'R',
      message: 'm',
      source: { component: 'c', host: 'h' },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 2,
      type: 'Normal',
    },
  },
  {
    name: 'Event of the new kind in the old group',
    path: `/api/v1/${HOME}/events`,
    isUpdated: true,
    base: {
      metadata: { name: 'between' },
      involvedObject: involved,
      reason: 'R',
      message: 'm',
      type: 'Normal',
      eventTime: microTime,
      series: { count: 2, lastObservedTime: microTime },
      action: 'A',
      related: involved,
      reportingComponent: 'a.example/c',
      reportingInstance: 'i',
    },
  },
  {
    name: 'Event of the new kind',
    path: `/apis/events.k8s.io/v1/${HOME}/events`,
    isUpdated: true,
    base: {
      metadata: { name: 'new' },
      eventTime: microTime,
      series: { count: 2, lastObservedTime: microTime },
      reportingController: 'a.example/c',
      reportingInstance: 'i',
      action: 'A',
      reason: 'R',
      regarding: involved,
      related: involved,
      note: 'm',
      type: 'Normal',
    },
  },
  {
    name: 'Binding',
    path: `/api/v1/${HOME}/bindings`,
    base: {
      metadata: { name: 'there' },
      target: { kind: 'Node', name: 'n', apiVersion: 'v1', uid: 'u', namespace: 'm' },
    },
  },
  {
    name: 'Binding of a pod',
    path: `/api/v1/${HOME}/pods/there/binding`,
    base: { metadata: { name: 'there', annotations: { a: 'b' } }, target: { name: 'n' } },
  },
  {
    name: 'Scale',
    path: `/apis/apps/v1/${HOME}/deployments/there/scale`,
    method: 'PUT',
    base: { metadata: { name: 'there', namespace: NAMESPACE }, spec: { replicas: 2 } },
  },
  {
    name: 'Eviction',
    path: `/api/v1/${HOME}/pods/there/eviction`,
    base: {
      metadata: { name: 'there' },
      deleteOptions: {
        gracePeriodSeconds: 5,
        propagationPolicy: 'Background',
      },
    },
  },
  {
    name: 'TokenRequest',
    path: `/api/v1/${HOME}/serviceaccounts/default/token`,
    base: {
      metadata: { name: 'default' },
      spec: {
        audiences: ['a'],
        expirationSeconds: 3600,
        boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'there' },
      },
    },
  },
  {
    name: 'TokenReview',
    path: '/apis/authentication.k8s.io/v1/tokenreviews',
    base: { spec: { token: 'x', audiences: ['a'] } },
  },
  {
    name: 'SelfSubjectReview',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    base: { metadata: { labels: { a: 'b' } } },
  },
  ...['SubjectAccessReview', 'SelfSubjectAccessReview', 'LocalSubjectAccessReview'].map((kind) => ({
    name: kind,
    path: `/apis/authorization.k8s.io/v1/${kind.startsWith('Local') ? `${HOME}/` : ''}${kind.toLowerCase()}s`,
    base: {
      spec: {
        resourceAttributes: {
          namespace: NAMESPACE,
          verb: 'get',
          group: 'a.example',
          version: 'v1',
          resource: 'things',
          subresource: 'x',
          name: 'n',
          fieldSelector: { requirements: [{ key: 'a', operator: 'In', values: ['b'] }] },
          labelSelector: { requirements: [{ key: 'a', operator: 'In', values: ['b'] }] },
        },
        ...(kind.startsWith('Self')
          ? {}
          : { user: 'u', groups: ['g'], extra: { a: ['b'] }, uid: 'i' }),
      },
    },
  })),
  {
    name: 'SubjectAccessReview of a path',
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    base: { spec: { nonResourceAttributes: { path: '/x', verb: 'get' }, user: 'u' } },
  },
  {
    name: 'SelfSubjectRulesReview',
    path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    base: { spec: { namespace: NAMESPACE } },
  },
];
