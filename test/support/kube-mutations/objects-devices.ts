// Objects of resource.k8s.io for the suite that garbles them.
import { HOME, type Json, type Mutated } from './mutated.ts';

const condition = {
  type: 'Odd',
  status: 'True',
  observedGeneration: 1,
  lastTransitionTime: '2026-01-02T03:04:05Z',
  reason: 'R',
  message: 'm',
};
const term = { matchExpressions: [{ key: 'k', operator: 'In', values: ['v'] }] };
const opaque = { driver: 'd.example', parameters: { a: 1 } };
const selectors = [{ cel: { expression: 'device.driver == "d.example"' } }];
const tolerations = [
  { key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute', tolerationSeconds: 5 },
];

const claimSpec: Json = {
  devices: {
    requests: [
      {
        name: 'r',
        exactly: {
          deviceClassName: 'c.example.com',
          selectors,
          allocationMode: 'ExactCount',
          count: 2,
          tolerations,
          capacity: { requests: { memory: '1Gi' } },
        },
      },
      {
        name: 'either',
        firstAvailable: [
          {
            name: 'one',
            deviceClassName: 'c.example.com',
            selectors,
            allocationMode: 'All',
            tolerations,
          },
          { name: 'two', deviceClassName: 'c.example.com' },
        ],
      },
    ],
    constraints: [
      { requests: ['r', 'either/one'], matchAttribute: 'd.example/model' },
      { distinctAttribute: 'd.example/id' },
    ],
    config: [{ requests: ['r'], opaque }],
  },
};

export const devices: readonly Mutated[] = [
  {
    name: 'DeviceClass',
    path: '/apis/resource.k8s.io/v1/deviceclasses',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: { selectors, config: [{ opaque }], extendedResourceName: 'a.example/r' },
    },
  },
  {
    name: 'ResourceClaim',
    path: `/apis/resource.k8s.io/v1/${HOME}/resourceclaims`,
    isUpdated: true,
    base: { metadata: { name: 'c' }, spec: claimSpec },
    status: {
      allocation: {
        devices: {
          results: [
            { request: 'r', driver: 'd.example', pool: 'p', device: 'one', tolerations },
            { request: 'r', driver: 'd.example', pool: 'p', device: 'two' },
          ],
          config: [{ source: 'FromClaim', requests: ['r'], opaque }],
        },
        nodeSelector: { nodeSelectorTerms: [term] },
        allocationTimestamp: '2026-01-02T03:04:05Z',
      },
      reservedFor: [{ resource: 'pods', name: 'p', uid: 'u' }],
      devices: [
        {
          driver: 'd.example',
          pool: 'p',
          device: 'one',
          conditions: [condition],
          data: { a: 1 },
          networkData: {
            interfaceName: 'eth0',
            ips: ['10.1.2.3/24'],
            hardwareAddress: '00:11:22:33:44:55',
          },
        },
      ],
    },
  },
  {
    name: 'ResourceClaimTemplate',
    path: `/apis/resource.k8s.io/v1/${HOME}/resourceclaimtemplates`,
    isUpdated: true,
    base: {
      metadata: { name: 't' },
      spec: {
        metadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
        spec: {
          devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c.example.com' } }] },
        },
      },
    },
  },
  {
    name: 'ResourceSlice',
    path: '/apis/resource.k8s.io/v1/resourceslices',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        driver: 'd.example',
        pool: { name: 'p', generation: 2, resourceSliceCount: 1 },
        nodeName: 'n',
        devices: [
          {
            name: 'one',
            attributes: {
              model: { string: 'x' },
              count: { int: 5 },
              good: { bool: true },
              'd.example/v': { version: '1.2.3' },
            },
            capacity: {
              memory: {
                value: '4Gi',
                requestPolicy: {
                  default: '1Gi',
                  validRange: { min: '1Gi', max: '4Gi', step: '1Gi' },
                },
              },
              slots: { value: '4', requestPolicy: { default: '1', validValues: ['1', '2'] } },
            },
            taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }],
            bindsToNode: true,
            bindingConditions: ['a.example/ready'],
            bindingFailureConditions: ['a.example/failed'],
            allowMultipleAllocations: true,
          },
          { name: 'two' },
        ],
      },
    },
  },
  {
    name: 'ResourceSlice for chosen nodes',
    path: '/apis/resource.k8s.io/v1/resourceslices',
    base: {
      metadata: { name: 'chosen' },
      spec: {
        driver: 'd.example',
        pool: { name: 'p', generation: 2, resourceSliceCount: 1 },
        nodeSelector: { nodeSelectorTerms: [term] },
        devices: [{ name: 'one' }],
      },
    },
  },
  {
    name: 'ResourceSlice of counters',
    path: '/apis/resource.k8s.io/v1/resourceslices',
    base: {
      metadata: { name: 'counters' },
      spec: {
        driver: 'd.example',
        pool: { name: 'p', generation: 2, resourceSliceCount: 2 },
        allNodes: true,
        sharedCounters: [{ name: 'c', counters: { memory: { value: '4Gi' } } }],
      },
    },
  },
  {
    name: 'ResourceSlice that uses counters',
    path: '/apis/resource.k8s.io/v1/resourceslices',
    base: {
      metadata: { name: 'using' },
      spec: {
        driver: 'd.example',
        pool: { name: 'p', generation: 2, resourceSliceCount: 2 },
        perDeviceNodeSelection: true,
        devices: [
          {
            name: 'one',
            nodeName: 'n',
            consumesCounters: [{ counterSet: 'c', counters: { memory: { value: '1Gi' } } }],
          },
          { name: 'two', allNodes: true },
          { name: 'three', nodeSelector: { nodeSelectorTerms: [term] } },
        ],
      },
    },
  },
  {
    name: 'DeviceTaintRule',
    path: '/apis/resource.k8s.io/v1/devicetaintrules',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        deviceSelector: { driver: 'd.example', pool: 'p', device: 'one' },
        taint: {
          key: 'k',
          value: 'v',
          effect: 'NoSchedule',
          timeAdded: '2026-01-02T03:04:05Z',
        },
      },
    },
    status: { conditions: [condition] },
  },
];
