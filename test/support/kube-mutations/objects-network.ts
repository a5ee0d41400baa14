// Objects of services and networks for the suite that garbles them.
import { HOME, NODE_PORT, type Json, type Mutated } from './mutated.ts';

const condition = {
  type: 'Odd',
  status: 'True',
  observedGeneration: 1,
  lastTransitionTime: '2026-01-02T03:04:05Z',
  reason: 'R',
  message: 'm',
};

const ports: readonly Json[] = [
  { name: 'web', port: 80, targetPort: 8080, protocol: 'TCP', appProtocol: 'http' },
  { name: 'dns', port: 53, targetPort: 'dns', protocol: 'UDP' },
];

export const network: readonly Mutated[] = [
  {
    name: 'Service',
    path: `/api/v1/${HOME}/services`,
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        type: 'ClusterIP',
        selector: { app: 'a' },
        ports,
        clusterIP: '198.18.77.7',
        clusterIPs: ['198.18.77.7'],
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        externalIPs: ['203.0.113.5'],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        publishNotReadyAddresses: true,
        internalTrafficPolicy: 'Local',
        trafficDistribution: 'PreferSameZone',
      },
    },
  },
  {
    name: 'Service of a load balancer',
    path: `/api/v1/${HOME}/services`,
    isUpdated: true,
    base: {
      metadata: { name: 'balanced' },
      spec: {
        type: 'LoadBalancer',
        selector: { app: 'a' },
        ports: [{ port: 80, nodePort: NODE_PORT }],
        loadBalancerIP: '203.0.113.6',
        loadBalancerSourceRanges: ['10.0.0.0/8'],
        loadBalancerClass: 'a.example/b',
        allocateLoadBalancerNodePorts: true,
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 30_778,
      },
    },
    status: {
      loadBalancer: {
        ingress: [
          {
            ip: '203.0.113.6',
            ipMode: 'VIP',
            ports: [{ port: 80, protocol: 'TCP', error: 'a/b' }],
          },
          { hostname: 'a.example' },
        ],
      },
      conditions: [condition],
    },
  },
  {
    name: 'Service of another name',
    path: `/api/v1/${HOME}/services`,
    isUpdated: true,
    base: {
      metadata: { name: 'named' },
      spec: { type: 'ExternalName', externalName: 'a.example' },
    },
  },
  {
    name: 'Endpoints',
    path: `/api/v1/${HOME}/endpoints`,
    isUpdated: true,
    base: {
      metadata: { name: 'e' },
      subsets: [
        {
          addresses: [
            {
              ip: '10.1.2.3',
              hostname: 'h',
              nodeName: 'n',
              targetRef: { kind: 'Pod', namespace: 'mutated', name: 'p', uid: 'u' },
            },
          ],
          notReadyAddresses: [{ ip: '10.1.2.4' }],
          ports: [{ name: 'web', port: 80, protocol: 'TCP', appProtocol: 'http' }],
        },
      ],
    },
  },
  {
    name: 'EndpointSlice',
    path: `/apis/discovery.k8s.io/v1/${HOME}/endpointslices`,
    isUpdated: true,
    base: {
      metadata: { name: 'e', labels: { 'kubernetes.io/service-name': 's' } },
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['10.1.2.3'],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: 'h',
          targetRef: { kind: 'Pod', namespace: 'mutated', name: 'p', uid: 'u' },
          deprecatedTopology: { 'a.example/b': 'c' },
          nodeName: 'n',
          zone: 'z',
          hints: { forZones: [{ name: 'z' }], forNodes: [{ name: 'n' }] },
        },
      ],
      ports: [{ name: 'web', port: 80, protocol: 'TCP', appProtocol: 'http' }],
    },
  },
  {
    name: 'EndpointSlice of names',
    path: `/apis/discovery.k8s.io/v1/${HOME}/endpointslices`,
    base: {
      metadata: { name: 'named' },
      addressType: 'FQDN',
      endpoints: [{ addresses: ['a.example'] }],
    },
  },
  {
    name: 'Ingress, updated',
    path: `/apis/networking.k8s.io/v1/${HOME}/ingresses`,
    isUpdated: true,
    base: {
      metadata: { name: 'updated' },
      spec: {
        ingressClassName: 'c',
        defaultBackend: { service: { name: 's', port: { number: 80 } } },
      },
    },
    status: {
      loadBalancer: {
        ingress: [
          { ip: '203.0.113.6', ports: [{ port: 80, protocol: 'TCP', error: 'a/b' }] },
          { hostname: 'a.example' },
        ],
      },
    },
  },
  {
    name: 'IngressClass',
    path: '/apis/networking.k8s.io/v1/ingressclasses',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        controller: 'a.example/x',
        parameters: {
          apiGroup: 'a.example',
          kind: 'K',
          name: 'n',
          scope: 'Namespace',
          namespace: 'm',
        },
      },
    },
  },
  {
    name: 'NetworkPolicy, updated',
    path: `/apis/networking.k8s.io/v1/${HOME}/networkpolicies`,
    isUpdated: true,
    base: {
      metadata: { name: 'updated' },
      spec: {
        podSelector: { matchLabels: { a: 'b' } },
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }],
      },
    },
  },
  {
    name: 'IPAddress',
    path: '/apis/networking.k8s.io/v1/ipaddresses',
    isUpdated: true,
    base: {
      metadata: { name: '10.11.0.77' },
      spec: {
        parentRef: { group: 'a.example', resource: 'things', namespace: 'mutated', name: 'x' },
      },
    },
  },
  {
    name: 'ServiceCIDR',
    path: '/apis/networking.k8s.io/v1/servicecidrs',
    isUpdated: true,
    base: { metadata: { name: 'mutated' }, spec: { cidrs: ['10.11.0.0/24', '2001:db8::/112'] } },
    status: { conditions: [condition] },
  },
  {
    name: 'Lease',
    path: `/apis/coordination.k8s.io/v1/${HOME}/leases`,
    isUpdated: true,
    base: {
      metadata: { name: 'l' },
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        acquireTime: '2026-01-02T03:04:05.678901Z',
        renewTime: '2026-01-02T03:04:05.678901Z',
        leaseTransitions: 2,
        strategy: 'OldestEmulationVersion',
        preferredHolder: 'b',
      },
    },
  },
  {
    name: 'RuntimeClass',
    path: '/apis/node.k8s.io/v1/runtimeclasses',
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      handler: 'h',
      overhead: { podFixed: { cpu: '10m', memory: '1Mi' } },
      scheduling: {
        nodeSelector: { a: 'b' },
        tolerations: [
          { key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute', tolerationSeconds: 5 },
        ],
      },
    },
  },
];
