// Pods on nodes that are resized: what the node has, says it can do, and is.
import type { Step } from './step-player.ts';

type Json = Record<string, unknown>;

const silent = { isSilent: true };
const STRATEGIC = 'application/strategic-merge-patch+json';
const PODS = '/api/v1/namespaces/resized/pods';

const post = (name: string, path: string, body: Json): Step => ({
  name,
  method: 'POST',
  path,
  body,
  ...silent,
});

const amounts = (cpu: string, memory: string): Json => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});

function node(name: string, labels: Json, declaredFeatures: readonly string[]): Step[] {
  return [
    post(`node ${name}`, '/api/v1/nodes', { metadata: { name, labels } }),
    {
      name: `status of ${name}`,
      method: 'PATCH',
      path: `/api/v1/nodes/${name}/status`,
      body: { status: { allocatable: { cpu: '1500m', memory: '1Gi' }, declaredFeatures } },
      type: STRATEGIC,
      ...silent,
    },
  ];
}

function pod(name: string, nodeName: string | undefined, spec: Json = {}): Step {
  return post(`pod ${name}`, PODS, {
    metadata: { name },
    spec: {
      ...(nodeName === undefined ? {} : { nodeName }),
      containers: [{ name: 'c', image: 'a', resources: amounts('100m', '100Mi') }],
      ...spec,
    },
  });
}

const resize = (name: string, to: string, spec: Json): Step => ({
  name: `${name} ${to}`,
  method: 'PATCH',
  path: `${PODS}/${to}/resize?dryRun=All`,
  body: { spec },
  type: STRATEGIC,
});

const container = (cpu: string, memory: string, more: Json = {}): Json => ({
  containers: [{ name: 'c', resources: amounts(cpu, memory), ...more }],
});

export function resizeSteps(): Step[] {
  const init = (cpu: string, restartPolicy?: string): Json => ({
    initContainers: [
      {
        name: 'i',
        image: 'a',
        resources: amounts(cpu, '1Mi'),
        ...(restartPolicy && { restartPolicy }),
      },
    ],
  });
  return [
    post('namespace', '/api/v1/namespaces', { metadata: { name: 'resized' } }),
    post('account', '/api/v1/namespaces/resized/serviceaccounts', {
      metadata: { name: 'default' },
      automountServiceAccountToken: false,
    }),
    ...node('linux', { 'kubernetes.io/os': 'linux' }, []),
    ...node('able', {}, [
      'InPlacePodLevelResourcesVerticalScaling',
      'InPlacePodVerticalScalingInitContainers',
    ]),
    ...node('windows', { 'kubernetes.io/os': 'windows' }, []),
    pod('waiting', undefined),
    pod('lost', 'nowhere'),
    ...['linux', 'able', 'windows'].flatMap((one) => [
      pod(`plain-${one}`, one),
      pod(`init-${one}`, one, init('1m')),
      pod(`sidecar-${one}`, one, init('1m', 'Always')),
      pod(`whole-${one}`, one, { resources: amounts('200m', '200Mi') }),
      pod(`memory-${one}`, one, {
        volumes: [{ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
      }),
    ]),
    resize('more', 'waiting', container('3', '100Mi')),
    resize('more', 'lost', container('200m', '100Mi')),
    resize('same', 'lost', container('100m', '100Mi')),
    ...['linux', 'able', 'windows'].flatMap((one) => [
      resize('more', `plain-${one}`, container('200m', '200Mi')),
      resize('too much cpu', `plain-${one}`, container('1501m', '200Mi')),
      resize('too much memory', `plain-${one}`, container('200m', '1025Mi')),
      resize('too much of both', `plain-${one}`, container('2.0005', '2Gi')),
      resize('nothing', `plain-${one}`, container('100m', '100Mi')),
      resize('another class', `plain-${one}`, {
        containers: [{ name: 'c', resources: { requests: { cpu: '50m' } } }],
      }),
      resize('without limits', `plain-${one}`, {
        containers: [{ name: 'c', resources: { limits: null, requests: null } }],
      }),
      resize('another policy', `plain-${one}`, {
        containers: [
          { name: 'c', resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] },
        ],
      }),
      resize('storage', `plain-${one}`, {
        containers: [{ name: 'c', resources: { limits: { 'ephemeral-storage': '1Gi' } } }],
      }),
      resize('negative', `plain-${one}`, container('-1', '100Mi')),
      resize('another image', `plain-${one}`, container('200m', '100Mi', { image: 'b' })),
      resize('one more', `plain-${one}`, {
        containers: [{ name: 'd', image: 'b', resources: amounts('1m', '1Mi') }],
      }),
      resize('init', `init-${one}`, init('2m')),
      resize('sidecar', `sidecar-${one}`, init('2m', 'Always')),
      resize('whole', `whole-${one}`, { resources: amounts('300m', '300Mi') }),
      resize('whole less than its parts', `whole-${one}`, { resources: amounts('50m', '300Mi') }),
      resize('volume', `memory-${one}`, {
        volumes: [{ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '2Mi' } }],
      }),
    ]),
  ];
}
