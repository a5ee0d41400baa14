// Objects of volumes and their drivers for the suite that garbles them.
import { HOME, type Json, type Mutated } from './mutated.ts';

const condition = {
  type: 'Odd',
  status: 'True',
  lastTransitionTime: '2026-01-02T03:04:05Z',
  reason: 'R',
  message: 'm',
};

const term = { matchExpressions: [{ key: 'k', operator: 'In', values: ['v'] }] };

const volumeSpec: Json = {
  capacity: { storage: '1Gi' },
  accessModes: ['ReadWriteOnce', 'ReadOnlyMany'],
  persistentVolumeReclaimPolicy: 'Retain',
  storageClassName: 's',
  mountOptions: ['ro'],
  volumeMode: 'Filesystem',
  nodeAffinity: { required: { nodeSelectorTerms: [term] } },
};

/** By kind, as the source of a volume of its own. */
const sources: Readonly<Record<string, Json>> = {
  hostPath: { path: '/x', type: 'Directory' },
  local: { path: '/x', fsType: 'ext4' },
  nfs: { server: 's', path: '/p', readOnly: true },
  csi: {
    driver: 'd.example',
    volumeHandle: 'h',
    readOnly: true,
    fsType: 'ext4',
    volumeAttributes: { a: 'b' },
    controllerPublishSecretRef: { name: 's', namespace: 'n' },
    nodeStageSecretRef: { name: 's', namespace: 'n' },
    nodePublishSecretRef: { name: 's', namespace: 'n' },
    controllerExpandSecretRef: { name: 's', namespace: 'n' },
    nodeExpandSecretRef: { name: 's', namespace: 'n' },
  },
  iscsi: {
    targetPortal: '1.2.3.4',
    iqn: 'iqn.2001-04.com.example:storage',
    lun: 1,
    chapAuthDiscovery: true,
    secretRef: { name: 's', namespace: 'n' },
    initiatorName: 'iqn.2001-04.com.example:other',
  },
  fc: { wwids: ['w'], fsType: 'ext4' },
  rbd: { monitors: ['m'], image: 'i', secretRef: { name: 's' } },
  cephfs: { monitors: ['m'], path: '/p', secretRef: { name: 's' } },
  glusterfs: { endpoints: 'e', path: 'p', endpointsNamespace: 'n' },
  azureFile: { secretName: 's', shareName: 'n', secretNamespace: 'm' },
  azureDisk: { diskName: 'd', diskURI: '/subscriptions/x', kind: 'Managed', cachingMode: 'None' },
  flexVolume: { driver: 'a/b', secretRef: { name: 's', namespace: 'n' } },
  gcePersistentDisk: { pdName: 'a', partition: 1 },
  awsElasticBlockStore: { volumeID: 'v', partition: 1 },
  cinder: { volumeID: 'v', secretRef: { name: 's', namespace: 'n' } },
  vsphereVolume: { volumePath: 'v' },
  portworxVolume: { volumeID: 'v', fsType: 'ext4' },
  storageos: { volumeName: 'v', volumeNamespace: 'n', secretRef: { name: 's', namespace: 'n' } },
  scaleIO: {
    gateway: 'g',
    system: 's',
    volumeName: 'v',
    secretRef: { name: 's', namespace: 'n' },
  },
  photonPersistentDisk: { pdID: 'p' },
  quobyte: { registry: 'a:1', volume: 'v' },
  flocker: { datasetName: 'd' },
};

const volumesOfEach: readonly Mutated[] = Object.entries(sources).map(([kind, source]) => ({
  name: `PersistentVolume of ${kind}`,
  path: '/api/v1/persistentvolumes',
  below: `spec.${kind}`,
  base: {
    metadata: { name: 'v' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      ...(kind === 'local' ? { nodeAffinity: volumeSpec['nodeAffinity'] } : {}),
      [kind]: source,
    },
  },
}));

export const storage: readonly Mutated[] = [
  {
    name: 'PersistentVolume',
    path: '/api/v1/persistentvolumes',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        ...volumeSpec,
        claimRef: { kind: 'PersistentVolumeClaim', namespace: 'n', name: 'c', uid: 'u' },
        volumeAttributesClassName: 'a',
        csi: { driver: 'd.example', volumeHandle: 'h', volumeAttributes: { a: 'b' } },
      },
    },
    status: {
      phase: 'Bound',
      message: 'm',
      reason: 'R',
      lastPhaseTransitionTime: '2026-01-02T03:04:05Z',
    },
  },
  ...volumesOfEach,
  {
    name: 'PersistentVolumeClaim',
    path: `/api/v1/${HOME}/persistentvolumeclaims`,
    isUpdated: true,
    base: {
      metadata: { name: 'c' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        selector: {
          matchLabels: { a: 'b' },
          matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }],
        },
        resources: { requests: { storage: '1Gi' }, limits: { storage: '2Gi' } },
        volumeName: 'v',
        storageClassName: 's',
        volumeMode: 'Filesystem',
        dataSource: { apiGroup: 'a.example', kind: 'K', name: 'n' },
        volumeAttributesClassName: 'a',
      },
    },
    status: {
      phase: 'Bound',
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      conditions: [{ ...condition, type: 'Resizing', lastProbeTime: '2026-01-02T03:04:05Z' }],
      allocatedResources: { storage: '2Gi' },
      allocatedResourceStatuses: { storage: 'NodeResizePending' },
      currentVolumeAttributesClassName: 'a',
      modifyVolumeStatus: { targetVolumeAttributesClassName: 'b', status: 'Pending' },
    },
  },
  {
    name: 'PersistentVolumeClaim by another source',
    path: `/api/v1/${HOME}/persistentvolumeclaims`,
    base: {
      metadata: { name: 'by-reference' },
      spec: {
        accessModes: ['ReadWriteOncePod'],
        resources: { requests: { storage: '1Gi' } },
        storageClassName: '',
        dataSourceRef: { apiGroup: 'a.example', kind: 'K', name: 'n' },
      },
    },
  },
  {
    name: 'StorageClass',
    path: '/apis/storage.k8s.io/v1/storageclasses',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      provisioner: 'p.example/x',
      parameters: { a: 'b' },
      reclaimPolicy: 'Retain',
      mountOptions: ['ro'],
      allowVolumeExpansion: true,
      volumeBindingMode: 'WaitForFirstConsumer',
      allowedTopologies: [{ matchLabelExpressions: [{ key: 'k', values: ['v'] }] }],
    },
  },
  {
    name: 'CSIDriver',
    path: '/apis/storage.k8s.io/v1/csidrivers',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated.example' },
      spec: {
        attachRequired: true,
        podInfoOnMount: true,
        volumeLifecycleModes: ['Persistent', 'Ephemeral'],
        storageCapacity: true,
        fsGroupPolicy: 'File',
        tokenRequests: [{ audience: 'a', expirationSeconds: 3600 }],
        requiresRepublish: true,
        seLinuxMount: true,
        nodeAllocatableUpdatePeriodSeconds: 30,
        serviceAccountTokenInSecrets: true,
      },
    },
  },
  {
    name: 'CSINode',
    path: '/apis/storage.k8s.io/v1/csinodes',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        drivers: [
          { name: 'd.example', nodeID: 'n', topologyKeys: ['k'], allocatable: { count: 5 } },
        ],
      },
    },
  },
  {
    name: 'VolumeAttachment',
    path: '/apis/storage.k8s.io/v1/volumeattachments',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: { attacher: 'a.example', nodeName: 'n', source: { persistentVolumeName: 'v' } },
    },
    status: {
      attached: true,
      attachmentMetadata: { a: 'b' },
      attachError: { time: '2026-01-02T03:04:05Z', message: 'm', errorCode: 5 },
      detachError: { time: '2026-01-02T03:04:05Z', message: 'm' },
    },
  },
  {
    name: 'VolumeAttachment of a volume in the pod',
    path: '/apis/storage.k8s.io/v1/volumeattachments',
    base: {
      metadata: { name: 'inline' },
      spec: {
        attacher: 'a.example',
        nodeName: 'n',
        source: {
          inlineVolumeSpec: {
            accessModes: ['ReadWriteOnce'],
            mountOptions: ['ro'],
            volumeMode: 'Filesystem',
            csi: { driver: 'd.example', volumeHandle: 'h' },
          },
        },
      },
    },
  },
  {
    name: 'CSIStorageCapacity',
    path: `/apis/storage.k8s.io/v1/${HOME}/csistoragecapacities`,
    isUpdated: true,
    base: {
      metadata: { name: 'c' },
      nodeTopology: {
        matchLabels: { a: 'b' },
        matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }],
      },
      storageClassName: 's',
      capacity: '1Gi',
      maximumVolumeSize: '1Mi',
    },
  },
  {
    name: 'VolumeAttributesClass',
    path: '/apis/storage.k8s.io/v1/volumeattributesclasses',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      driverName: 'd.example',
      parameters: { a: 'b', c: 'd' },
    },
  },
  {
    name: 'StorageVersionMigration',
    path: '/apis/storagemigration.k8s.io/v1/storageversionmigrations',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: { resource: { group: 'a.example', resource: 'things' } },
    },
    status: { resourceVersion: '5', conditions: [condition] },
  },
];
