// A small valid object of every built-in resource, a change to it, and a status: what the scenes of the
// differential suite play with.
import { policyKinds } from './kinds-policies.ts';
import { pieceKinds } from './kinds-pieces.ts';

export type Json = Record<string, unknown>;

export interface KindCase {
  readonly apiVersion: string;
  readonly resource: string;
  readonly kind: string;
  /** Without name, namespace and type: those are added. */
  readonly base: Json;
  /** A merge patch that the server takes. */
  readonly change?: Json | undefined;
  /** A merge patch that the server refuses. */
  readonly bad?: Json | undefined;
  /** A merge patch of status, for kinds with such a subresource. */
  readonly status?: Json | undefined;
  readonly isClusterWide?: boolean;
  /** A condition that somebody reports after a while, and is waited for. */
  readonly reports?: string;
  /** What it takes along goes first: until then it is still there. */
  readonly goesLater?: boolean;
  /** When names follow rules of their own. */
  readonly name?: string;
  /** Where the group has several versions: the older ones that are asked as well. */
  readonly also?: readonly string[];
}

const podSpec = (more: Json = {}): Json => ({
  containers: [{ name: 'c', image: 'host' }],
  ...more,
});
const template = (more: Json = {}): Json => ({
  metadata: { labels: { app: 'a' } },
  spec: podSpec(more),
});
const selector = { matchLabels: { app: 'a' } };
const condition = {
  type: 'Odd',
  status: 'True',
  lastTransitionTime: '2026-01-02T03:04:05Z',
  reason: 'R',
  message: 'm',
};

const workloadKinds: readonly KindCase[] = [
  {
    apiVersion: 'v1',
    resource: 'pods',
    kind: 'Pod',
    base: { spec: podSpec() },
    change: { spec: { activeDeadlineSeconds: 50 } },
    bad: { spec: { restartPolicy: 'Never' } },
    status: { phase: 'Running', conditions: [condition] },
  },
  {
    apiVersion: 'v1',
    resource: 'podtemplates',
    kind: 'PodTemplate',
    base: { template: template() },
    change: { template: { spec: { restartPolicy: 'Never' } } },
    bad: { template: { spec: { containers: [] } } },
  },
  {
    apiVersion: 'v1',
    resource: 'replicationcontrollers',
    kind: 'ReplicationController',
    base: { spec: { selector: { app: 'a' }, template: template() } },
    change: { spec: { replicas: 2 } },
    bad: { spec: { replicas: -1 } },
    status: { replicas: 1, conditions: [condition] },
  },
  ...['daemonsets DaemonSet', 'deployments Deployment', 'replicasets ReplicaSet'].map((one) => {
    const [resource = '', kind = ''] = one.split(' ');
    return {
      apiVersion: 'apps/v1',
      resource,
      kind,
      base: { spec: { selector, template: template() } },
      change:
        kind === 'DaemonSet'
          ? { spec: { updateStrategy: { type: 'OnDelete', rollingUpdate: null } } }
          : { spec: { replicas: 3 } },
      bad: { spec: { selector: { matchLabels: { app: 'b' } } } },
      status:
        kind === 'DaemonSet'
          ? { currentNumberScheduled: 1, conditions: [condition] }
          : { replicas: 1, conditions: [condition] },
    };
  }),
  {
    apiVersion: 'apps/v1',
    resource: 'statefulsets',
    kind: 'StatefulSet',
    base: { spec: { selector, serviceName: 's', template: template() } },
    change: { spec: { replicas: 3 } },
    bad: { spec: { serviceName: 'other' } },
    status: { replicas: 1, conditions: [condition] },
  },
  {
    apiVersion: 'apps/v1',
    resource: 'controllerrevisions',
    kind: 'ControllerRevision',
    base: { data: { a: 1 }, revision: 1 },
    change: { revision: 2 },
    bad: { data: { a: 2 } },
  },
  {
    apiVersion: 'batch/v1',
    resource: 'jobs',
    kind: 'Job',
    base: { spec: { template: template({ restartPolicy: 'Never' }) } },
    change: { spec: { parallelism: 2 } },
    bad: { spec: { completions: 5, completionMode: 'Indexed' } },
    status: { active: 1 },
  },
  {
    apiVersion: 'batch/v1',
    resource: 'cronjobs',
    kind: 'CronJob',
    base: {
      spec: {
        schedule: '* * * * *',
        jobTemplate: { spec: { template: template({ restartPolicy: 'Never' }) } },
      },
    },
    change: { spec: { suspend: true } },
    bad: { spec: { schedule: 'x' } },
    status: { lastScheduleTime: '2026-01-02T03:04:05Z' },
  },
  {
    apiVersion: 'autoscaling/v2',
    resource: 'horizontalpodautoscalers',
    kind: 'HorizontalPodAutoscaler',
    base: {
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
      },
    },
    change: { spec: { maxReplicas: 4 } },
    bad: { spec: { maxReplicas: 0 } },
    status: { currentReplicas: 1, desiredReplicas: 2 },
    also: ['autoscaling/v1'],
  },
  {
    apiVersion: 'policy/v1',
    resource: 'poddisruptionbudgets',
    kind: 'PodDisruptionBudget',
    base: { spec: { minAvailable: 1, selector } },
    change: { spec: { minAvailable: 2 } },
    bad: { spec: { maxUnavailable: 2 } },
    status: { disruptionsAllowed: 1, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
  },
];

export const kinds: readonly KindCase[] = [...workloadKinds, ...pieceKinds, ...policyKinds];
