// Valid objects with as many fields as go together, for the suite that garbles one field after the other.

import { HOME, type Json, type Mutated } from './mutated.ts';
import { core } from './objects-core.ts';
import { devices } from './objects-devices.ts';
import { network } from './objects-network.ts';
import { policyObjects } from './objects-policies.ts';
import { storage } from './objects-storage.ts';
import { workloads } from './objects-workloads.ts';

const probe = (handler: Json): Json => ({
  ...handler,
  initialDelaySeconds: 5,
  timeoutSeconds: 2,
  periodSeconds: 3,
  successThreshold: 1,
  failureThreshold: 4,
  terminationGracePeriodSeconds: 7,
});
const pod: Json = {
  metadata: { name: 'p' },
  spec: {
    containers: [
      {
        name: 'c',
        image: 'a:1',
        command: ['x'],
        args: ['y'],
        workingDir: '/w',
        ports: [
          { name: 'web', containerPort: 80, protocol: 'TCP', hostPort: 81, hostIP: '1.2.3.4' },
        ],
        env: [
          { name: 'A', value: 'b' },
          { name: 'F', valueFrom: { fieldRef: { fieldPath: 'metadata.name', apiVersion: 'v1' } } },
          {
            name: 'R',
            valueFrom: {
              resourceFieldRef: { containerName: 'c', resource: 'limits.cpu', divisor: '1m' },
            },
          },
          { name: 'K', valueFrom: { configMapKeyRef: { name: 'm', key: 'k', optional: true } } },
          { name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        ],
        envFrom: [
          { prefix: 'P', configMapRef: { name: 'm' } },
          { secretRef: { name: 's', optional: true } },
        ],
        resources: {
          limits: { cpu: '1', memory: '1Gi' },
          requests: { cpu: '500m', memory: '1Gi' },
        },
        resizePolicy: [
          { resourceName: 'cpu', restartPolicy: 'NotRequired' },
          { resourceName: 'memory', restartPolicy: 'RestartContainer' },
        ],
        volumeMounts: [
          {
            name: 'e',
            mountPath: '/e',
            subPath: 's',
            readOnly: true,
            mountPropagation: 'HostToContainer',
          },
          { name: 'cm', mountPath: '/c', recursiveReadOnly: 'Disabled', readOnly: true },
        ],
        livenessProbe: probe({
          httpGet: {
            path: '/',
            port: 80,
            scheme: 'HTTP',
            host: 'h',
            httpHeaders: [{ name: 'X', value: 'y' }],
          },
        }),
        readinessProbe: { tcpSocket: { port: 'web', host: 'h' }, periodSeconds: 3 },
        startupProbe: probe({ grpc: { port: 90, service: 's' } }),
        lifecycle: { postStart: { exec: { command: ['x'] } }, preStop: { sleep: { seconds: 3 } } },
        terminationMessagePath: '/t',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'Always',
        securityContext: {
          capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
          privileged: false,
          runAsUser: 1,
          runAsGroup: 2,
          runAsNonRoot: true,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: true,
          procMount: 'Default',
          seLinuxOptions: { level: 'l' },
          seccompProfile: { type: 'Localhost', localhostProfile: 'a' },
          appArmorProfile: { type: 'Localhost', localhostProfile: 'p' },
        },
        stdin: true,
        stdinOnce: true,
        tty: true,
      },
    ],
    initContainers: [
      {
        name: 'i',
        image: 'a',
        restartPolicy: 'Always',
        startupProbe: { exec: { command: ['x'] } },
      },
      { name: 'j', image: 'a' },
    ],
    volumes: [
      { name: 'e', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      {
        name: 'cm',
        configMap: { name: 'm', defaultMode: 420, items: [{ key: 'k', path: 'p', mode: 256 }] },
      },
    ],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    activeDeadlineSeconds: 50,
    dnsPolicy: 'None',
    nodeSelector: { a: 'b' },
    serviceAccountName: 'default',
    automountServiceAccountToken: false,
    shareProcessNamespace: true,
    securityContext: {
      seLinuxOptions: { level: 'l' },
      runAsUser: 1,
      runAsGroup: 2,
      runAsNonRoot: true,
      supplementalGroups: [5],
      supplementalGroupsPolicy: 'Merge',
      fsGroup: 6,
      sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }],
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
      appArmorProfile: { type: 'RuntimeDefault' },
      seLinuxChangePolicy: 'Recursive',
    },
    imagePullSecrets: [{ name: 's' }],
    hostname: 'h',
    subdomain: 's',
    schedulerName: 'x',
    tolerations: [
      { key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute', tolerationSeconds: 5 },
    ],
    hostAliases: [{ ip: '1.2.3.4', hostnames: ['a.b'] }],
    dnsConfig: {
      nameservers: ['1.2.3.4'],
      searches: ['a.b'],
      options: [{ name: 'n', value: 'v' }],
    },
    readinessGates: [{ conditionType: 'a/b' }],
    setHostnameAsFQDN: true,
    hostUsers: true,
    os: { name: 'linux' },
    schedulingGates: [{ name: 'a/b' }],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'z',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { a: 'b' } },
        minDomains: 2,
        nodeAffinityPolicy: 'Honor',
        nodeTaintsPolicy: 'Ignore',
        matchLabelKeys: ['k'],
      },
    ],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: 'k', operator: 'In', values: ['v'] },
                { key: 'g', operator: 'Gt', values: ['1'] },
              ],
              matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }],
            },
          ],
        },
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, preference: { matchExpressions: [{ key: 'k', operator: 'Exists' }] } },
        ],
      },
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          {
            labelSelector: { matchLabels: { a: 'b' } },
            namespaces: ['n'],
            topologyKey: 'z',
            namespaceSelector: { matchLabels: { a: 'b' } },
            matchLabelKeys: ['k'],
            mismatchLabelKeys: ['m'],
          },
        ],
      },
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 5,
            podAffinityTerm: {
              labelSelector: { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['b'] }] },
              topologyKey: 'z',
            },
          },
        ],
      },
    },
  },
};
const small: Json = {
  metadata: { name: 'small' },
  spec: {
    containers: [{ name: 'c', image: 'a:1' }],
    activeDeadlineSeconds: 50,
    tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }],
    schedulingGates: [{ name: 'a/b' }],
    nodeSelector: { a: 'b' },
    serviceAccountName: 'default',
  },
};
const state: Json = {
  name: 'c',
  state: { running: { startedAt: '2026-01-02T03:04:05Z' } },
  lastState: {},
  ready: true,
  restartCount: 1,
  image: 'a:1',
  imageID: 'a',
  containerID: 'a://b',
  started: true,
};
const podStatus: Json = {
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'True', observedGeneration: 1, reason: 'R', message: 'm' }],
  message: 'm',
  reason: 'R',
  hostIP: '10.1.2.3',
  hostIPs: [{ ip: '10.1.2.3' }],
  podIP: '10.1.2.4',
  podIPs: [{ ip: '10.1.2.4' }],
  startTime: '2026-01-02T03:04:05Z',
  containerStatuses: [state],
  nominatedNodeName: 'n',
  qosClass: 'BestEffort',
};
const withVolume = (volume: Json): Json => ({
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c', image: 'a' }], volumes: [{ name: 'v', ...volume }] },
});
const volumes: Readonly<Record<string, Json>> = {
  hostPath: { path: '/x', type: 'Directory' },
  secret: {
    secretName: 's',
    items: [{ key: 'k', path: 'p', mode: 1 }],
    defaultMode: 256,
    optional: true,
  },
  downwardAPI: {
    items: [
      { path: 'p', fieldRef: { fieldPath: 'metadata.labels' }, mode: 1 },
      {
        path: 'q',
        resourceFieldRef: { containerName: 'c', resource: 'requests.memory', divisor: '1Mi' },
      },
    ],
    defaultMode: 2,
  },
  projected: {
    defaultMode: 1,
    sources: [
      { secret: { name: 's', items: [{ key: 'a', path: 'b' }] } },
      { configMap: { name: 'c' } },
      { downwardAPI: { items: [{ path: 'dd', fieldRef: { fieldPath: 'metadata.name' } }] } },
      { serviceAccountToken: { path: 't', expirationSeconds: 3600, audience: 'a' } },
      { clusterTrustBundle: { name: 'x', path: 'y' } },
    ],
  },
  persistentVolumeClaim: { claimName: 'c', readOnly: true },
  nfs: { server: 's', path: '/p' },
  iscsi: {
    targetPortal: '1.2.3.4',
    iqn: 'iqn.2001-04.com.example:storage',
    lun: 1,
    chapAuthSession: true,
    secretRef: { name: 's' },
  },
  csi: { driver: 'd.x', nodePublishSecretRef: { name: 's' } },
  ephemeral: {
    volumeClaimTemplate: {
      metadata: { labels: { a: 'b' } },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        storageClassName: 's',
        volumeMode: 'Filesystem',
      },
    },
  },
  image: { reference: 'a', pullPolicy: 'Always' },
  fc: { targetWWNs: ['w'], lun: 1 },
  flexVolume: { driver: 'a/b', secretRef: { name: 's' } },
  azureDisk: { diskName: 'd', diskURI: '/subscriptions/x', kind: 'Managed', cachingMode: 'None' },
  gcePersistentDisk: { pdName: 'a', partition: 1 },
  awsElasticBlockStore: { volumeID: 'v', partition: 1 },
  cephfs: { monitors: ['m'] },
  rbd: { monitors: ['m'], image: 'i' },
  cinder: { volumeID: 'v' },
  azureFile: { secretName: 's', shareName: 'n' },
  vsphereVolume: { volumePath: 'v' },
};

const autoscaler: Json = {
  metadata: { name: 'h' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
    minReplicas: 1,
    maxReplicas: 5,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
      },
      {
        type: 'Pods',
        pods: {
          metric: { name: 'm', selector: { matchLabels: { a: 'b' } } },
          target: { type: 'AverageValue', averageValue: '5' },
        },
      },
      {
        type: 'Object',
        object: {
          describedObject: { apiVersion: 'v1', kind: 'Service', name: 's' },
          metric: { name: 'm' },
          target: { type: 'Value', value: '5' },
        },
      },
      {
        type: 'External',
        external: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '5' } },
      },
      {
        type: 'ContainerResource',
        containerResource: {
          name: 'cpu',
          container: 'c',
          target: { type: 'Utilization', averageUtilization: 50 },
        },
      },
    ],
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: 5,
        selectPolicy: 'Max',
        policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }],
      },
      scaleDown: {
        stabilizationWindowSeconds: 5,
        selectPolicy: 'Min',
        policies: [{ type: 'Percent', value: 4, periodSeconds: 15 }],
      },
    },
  },
};

const ingress: Json = {
  metadata: { name: 'i' },
  spec: {
    ingressClassName: 'c',
    defaultBackend: { service: { name: 's', port: { number: 80 } } },
    tls: [{ hosts: ['a.b'], secretName: 's' }],
    rules: [
      {
        host: '*.a.b',
        http: {
          paths: [
            {
              path: '/x',
              pathType: 'Prefix',
              backend: { service: { name: 's', port: { name: 'web' } } },
            },
            {
              path: '/y',
              pathType: 'Exact',
              backend: { resource: { apiGroup: 'g.x', kind: 'K', name: 'n' } },
            },
          ],
        },
      },
    ],
  },
};

const networkPolicy: Json = {
  metadata: { name: 'n' },
  spec: {
    podSelector: { matchLabels: { a: 'b' } },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [
      {
        from: [
          {
            podSelector: { matchLabels: { a: 'b' } },
            namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
          },
          { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } },
        ],
        ports: [{ protocol: 'TCP', port: 80, endPort: 90 }, { port: 'web' }],
      },
    ],
    egress: [{ to: [{ podSelector: { matchLabels: { a: 'b' } } }] }],
  },
};

export const mutated: readonly Mutated[] = [
  { name: 'Pod', path: `/api/v1/${HOME}/pods`, base: pod, hasTypes: false },
  {
    name: 'Pod, updated',
    path: `/api/v1/${HOME}/pods`,
    isUpdated: true,
    base: small,
    status: podStatus,
  },
  ...Object.entries(volumes).map(([kind, source]) => ({
    name: `volume ${kind}`,
    path: `/api/v1/${HOME}/pods`,
    base: withVolume({ [kind]: source }),
    hasTypes: false,
    below: 'spec.volumes',
  })),
  { name: 'Ingress', path: `/apis/networking.k8s.io/v1/${HOME}/ingresses`, base: ingress },
  {
    name: 'NetworkPolicy',
    path: `/apis/networking.k8s.io/v1/${HOME}/networkpolicies`,
    base: networkPolicy,
  },
  {
    name: 'HorizontalPodAutoscaler',
    path: `/apis/autoscaling/v2/${HOME}/horizontalpodautoscalers`,
    base: autoscaler,
  },
  ...workloads,
  ...storage,
  ...devices,
  ...network,
  ...core,
  ...policyObjects,
];
