// Objects of the groups apps, batch, autoscaling, policy and scheduling for the suite that garbles them.
import { HOME, type Json, type Mutated } from './mutated.ts';

const template = (more: Json = {}): Json => ({
  metadata: { labels: { app: 'a' }, annotations: { note: 'n' } },
  spec: { containers: [{ name: 'c', image: 'a:1' }], ...more },
});
const selector = {
  matchLabels: { app: 'a' },
  matchExpressions: [{ key: 'other', operator: 'DoesNotExist' }],
};
const condition = {
  type: 'Odd',
  status: 'True',
  lastTransitionTime: '2026-01-02T03:04:05Z',
  reason: 'R',
  message: 'm',
};

const claim: Json = {
  metadata: { name: 'data', labels: { a: 'b' } },
  spec: {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    storageClassName: 's',
  },
};

const jobSpec: Json = {
  parallelism: 2,
  completions: 3,
  activeDeadlineSeconds: 60,
  backoffLimit: 4,
  backoffLimitPerIndex: 1,
  maxFailedIndexes: 2,
  completionMode: 'Indexed',
  ttlSecondsAfterFinished: 30,
  suspend: true,
  podReplacementPolicy: 'Failed',
  managedBy: 'example.com/manager',
  podFailurePolicy: {
    rules: [
      {
        action: 'FailJob',
        onExitCodes: { containerName: 'c', operator: 'In', values: [1, 2] },
      },
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    ],
  },
  successPolicy: { rules: [{ succeededIndexes: '0-1', succeededCount: 1 }] },
  template: template({ restartPolicy: 'Never' }),
};

const autoscalerStatus: Json = {
  observedGeneration: 1,
  lastScaleTime: '2026-01-02T03:04:05Z',
  currentReplicas: 1,
  desiredReplicas: 2,
};

export const workloads: readonly Mutated[] = [
  {
    name: 'Deployment',
    path: `/apis/apps/v1/${HOME}/deployments`,
    isUpdated: true,
    base: {
      metadata: { name: 'd' },
      spec: {
        replicas: 2,
        selector,
        template: template(),
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: '25%' } },
        minReadySeconds: 5,
        revisionHistoryLimit: 3,
        paused: true,
        progressDeadlineSeconds: 60,
      },
    },
    status: {
      observedGeneration: 1,
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      unavailableReplicas: 1,
      terminatingReplicas: 1,
      collisionCount: 1,
      conditions: [{ ...condition, lastUpdateTime: '2026-01-02T03:04:05Z' }],
    },
  },
  {
    name: 'ReplicaSet',
    path: `/apis/apps/v1/${HOME}/replicasets`,
    isUpdated: true,
    base: {
      metadata: { name: 'r' },
      spec: { replicas: 2, minReadySeconds: 5, selector, template: template() },
    },
    status: {
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      terminatingReplicas: 1,
      observedGeneration: 1,
      conditions: [condition],
    },
  },
  {
    name: 'DaemonSet',
    path: `/apis/apps/v1/${HOME}/daemonsets`,
    isUpdated: true,
    base: {
      metadata: { name: 'd' },
      spec: {
        selector,
        template: template(),
        updateStrategy: {
          type: 'RollingUpdate',
          rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' },
        },
        minReadySeconds: 5,
        revisionHistoryLimit: 3,
      },
    },
    status: {
      currentNumberScheduled: 1,
      numberMisscheduled: 1,
      desiredNumberScheduled: 1,
      numberReady: 1,
      observedGeneration: 1,
      updatedNumberScheduled: 1,
      numberAvailable: 1,
      numberUnavailable: 1,
      collisionCount: 1,
      conditions: [condition],
    },
  },
  {
    name: 'StatefulSet',
    path: `/apis/apps/v1/${HOME}/statefulsets`,
    isUpdated: true,
    base: {
      metadata: { name: 's' },
      spec: {
        replicas: 2,
        selector,
        serviceName: 's',
        template: template(),
        volumeClaimTemplates: [claim],
        podManagementPolicy: 'Parallel',
        updateStrategy: {
          type: 'RollingUpdate',
          rollingUpdate: { partition: 1, maxUnavailable: 1 },
        },
        revisionHistoryLimit: 3,
        minReadySeconds: 5,
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
        ordinals: { start: 5 },
      },
    },
    status: {
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 3,
      currentReplicas: 3,
      updatedReplicas: 3,
      currentRevision: 'a',
      updateRevision: 'b',
      collisionCount: 1,
      availableReplicas: 3,
      conditions: [condition],
    },
  },
  {
    name: 'ReplicationController',
    path: `/api/v1/${HOME}/replicationcontrollers`,
    isUpdated: true,
    base: {
      metadata: { name: 'r' },
      spec: { replicas: 2, minReadySeconds: 5, selector: { app: 'a' }, template: template() },
    },
    status: {
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      observedGeneration: 1,
      conditions: [condition],
    },
  },
  {
    name: 'ControllerRevision',
    path: `/apis/apps/v1/${HOME}/controllerrevisions`,
    isUpdated: true,
    base: { metadata: { name: 'c' }, data: { a: { b: 1 } }, revision: 3 },
  },
  {
    name: 'PodTemplate',
    path: `/api/v1/${HOME}/podtemplates`,
    isUpdated: true,
    base: { metadata: { name: 'p' }, template: template({ restartPolicy: 'Never' }) },
  },
  {
    name: 'Job',
    path: `/apis/batch/v1/${HOME}/jobs`,
    isUpdated: true,
    base: { metadata: { name: 'j' }, spec: jobSpec },
    status: {
      conditions: [
        { ...condition, type: 'SuccessCriteriaMet', lastProbeTime: '2026-01-02T03:04:05Z' },
        { ...condition, type: 'Complete' },
      ],
      startTime: '2026-01-02T03:04:05Z',
      completionTime: '2026-01-02T03:05:05Z',
      active: 0,
      succeeded: 2,
      failed: 1,
      completedIndexes: '0,1',
      failedIndexes: '2',
      uncountedTerminatedPods: {},
      ready: 0,
      terminating: 0,
    },
  },
  {
    name: 'Job with its own selector',
    path: `/apis/batch/v1/${HOME}/jobs`,
    base: {
      metadata: { name: 'own' },
      spec: { manualSelector: true, selector, template: template({ restartPolicy: 'OnFailure' }) },
    },
  },
  {
    name: 'CronJob',
    path: `/apis/batch/v1/${HOME}/cronjobs`,
    isUpdated: true,
    base: {
      metadata: { name: 'c' },
      spec: {
        schedule: '*/5 1-3 * * 1,2',
        timeZone: 'Etc/UTC',
        startingDeadlineSeconds: 60,
        concurrencyPolicy: 'Forbid',
        suspend: true,
        successfulJobsHistoryLimit: 2,
        failedJobsHistoryLimit: 2,
        jobTemplate: {
          metadata: { labels: { a: 'b' } },
          spec: { parallelism: 2, template: template({ restartPolicy: 'Never' }) },
        },
      },
    },
    status: {
      active: [{ kind: 'Job', namespace: 'mutated', name: 'j', uid: 'u', apiVersion: 'batch/v1' }],
      lastScheduleTime: '2026-01-02T03:04:05Z',
      lastSuccessfulTime: '2026-01-02T03:04:05Z',
    },
  },
  {
    name: 'HorizontalPodAutoscaler of v1',
    path: `/apis/autoscaling/v1/${HOME}/horizontalpodautoscalers`,
    isUpdated: true,
    base: {
      metadata: { name: 'old' },
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
        minReplicas: 1,
        maxReplicas: 5,
        targetCPUUtilizationPercentage: 50,
      },
    },
    status: { ...autoscalerStatus, currentCPUUtilizationPercentage: 5 },
  },
  {
    name: 'HorizontalPodAutoscaler, updated',
    path: `/apis/autoscaling/v2/${HOME}/horizontalpodautoscalers`,
    isUpdated: true,
    base: {
      metadata: { name: 'new' },
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
        maxReplicas: 5,
        behavior: { scaleUp: { tolerance: '0.1' }, scaleDown: { tolerance: 0 } },
      },
    },
    status: {
      ...autoscalerStatus,
      currentMetrics: [
        { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 5 } } },
      ],
      conditions: [{ ...condition, type: 'AbleToScale' }],
    },
  },
  {
    name: 'PodDisruptionBudget',
    path: `/apis/policy/v1/${HOME}/poddisruptionbudgets`,
    isUpdated: true,
    base: {
      metadata: { name: 'b' },
      spec: { minAvailable: '50%', selector, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
    },
    status: {
      observedGeneration: 1,
      disruptedPods: { p: '2026-01-02T03:04:05Z' },
      disruptionsAllowed: 1,
      currentHealthy: 2,
      desiredHealthy: 1,
      expectedPods: 2,
      conditions: [condition],
    },
  },
  {
    name: 'PodDisruptionBudget by those that may be missing',
    path: `/apis/policy/v1/${HOME}/poddisruptionbudgets`,
    base: { metadata: { name: 'b' }, spec: { maxUnavailable: 1, selector } },
  },
  {
    name: 'PriorityClass',
    path: '/apis/scheduling.k8s.io/v1/priorityclasses',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      value: 5,
      globalDefault: false,
      description: 'd',
      preemptionPolicy: 'Never',
    },
  },
];
