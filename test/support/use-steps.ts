// What people do to objects over time: types of services, and scales of workloads.
import { below, get, patch, place, post, put, quiet, remove, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

// ---- services ----

export function serviceSteps(): Step[] {
  const space = 'used-services';
  const all = `${below('v1', space)}/services`;
  const ports = [{ port: 80, name: 'web' }];
  const one = `${all}/one`;
  return [
    ...place(space),
    post('service', all, { metadata: { name: 'one' }, spec: { ports, selector: { a: 'b' } } }),
    patch('to an external name without one', one, { spec: { type: 'ExternalName' } }),
    patch('to an external name', one, {
      spec: { type: 'ExternalName', externalName: 'a.example', clusterIP: null },
    }),
    patch('to an external name with addresses left', one, {
      spec: { type: 'ExternalName', externalName: 'a.example' },
    }),
    patch('external name with an address', one, { spec: { clusterIP: '198.18.3.4' } }),
    patch('back without ports', one, { spec: { type: 'ClusterIP', ports: null } }),
    patch('back', one, { spec: { type: 'ClusterIP', externalName: null } }),
    patch('to a node port', one, {
      spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30123 }] },
    }),
    patch('to a node port out of range', one, { spec: { ports: [{ port: 80, nodePort: 12 }] } }),
    patch('to two node ports that are one', one, {
      spec: {
        ports: [
          { name: 'a', port: 80, nodePort: 30124 },
          { name: 'b', port: 81, nodePort: 30124 },
        ],
      },
    }),
    post('another with the port', all, {
      metadata: { name: 'two' },
      spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30123 }] },
    }),
    patch('to a load balancer', one, { spec: { type: 'LoadBalancer' } }),
    patch('load balancer of a class', one, { spec: { loadBalancerClass: 'a.example/b' } }),
    patch('load balancer of a bad class', one, { spec: { loadBalancerClass: 'Bad Class' } }),
    patch('local traffic', one, {
      spec: { externalTrafficPolicy: 'Local', healthCheckNodePort: 30888 },
    }),
    patch('health check of its own', one, { spec: { healthCheckNodePort: 30999 } }),
    patch('cluster traffic again', one, {
      spec: { externalTrafficPolicy: 'Cluster', healthCheckNodePort: 0 },
    }),
    patch('without node ports', one, { spec: { allocateLoadBalancerNodePorts: false } }),
    patch('back to an address', one, { spec: { type: 'ClusterIP' } }),
    patch('another address', one, {
      spec: { clusterIP: '198.18.3.9', clusterIPs: ['198.18.3.9'] },
    }),
    patch('another address in one list only', one, { spec: { clusterIPs: ['198.18.3.9'] } }),
    patch('headless', one, { spec: { clusterIP: 'None', clusterIPs: ['None'] } }),
    patch('no address', one, { spec: { clusterIP: '', clusterIPs: [] } }),
    patch('two families', one, { spec: { ipFamilyPolicy: 'RequireDualStack' } }),
    patch('two families if there are', one, { spec: { ipFamilyPolicy: 'PreferDualStack' } }),
    patch('the other family', one, { spec: { ipFamilies: ['IPv6'] } }),
    patch('families twice', one, { spec: { ipFamilies: ['IPv4', 'IPv4'] } }),
    patch('an odd family', one, { spec: { ipFamilies: ['IPv5'] } }),
    patch('an odd policy', one, { spec: { ipFamilyPolicy: 'Odd' } }),
    patch('affinity', one, { spec: { sessionAffinity: 'ClientIP' } }),
    patch('affinity for too long', one, {
      spec: { sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_401 } } },
    }),
    patch('no affinity with a configuration', one, {
      spec: { sessionAffinity: 'None', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } },
    }),
    patch('external addresses', one, { spec: { externalIPs: ['10.1.2.3', 'odd', '127.0.0.1'] } }),
    patch('source ranges', one, { spec: { loadBalancerSourceRanges: ['10.0.0.0/8'] } }),
    patch('traffic distribution', one, { spec: { trafficDistribution: 'PreferClose' } }),
    patch('odd traffic distribution', one, { spec: { trafficDistribution: 'Odd' } }),
    patch('internal traffic', one, { spec: { internalTrafficPolicy: 'Local' } }),
    patch('odd internal traffic', one, { spec: { internalTrafficPolicy: 'Odd' } }),
    patch('an odd type', one, { spec: { type: 'Odd' } }),
    patch('publishes what is not ready', one, { spec: { publishNotReadyAddresses: true } }),
    patch('target by a bad name', one, { spec: { ports: [{ port: 80, targetPort: 'Bad_' }] } }),
    patch('odd protocol', one, { spec: { ports: [{ port: 80, protocol: 'ICMP' }] } }),
    patch('odd application protocol', one, { spec: { ports: [{ port: 80, appProtocol: 'a b' }] } }),
    post('in use', all, { metadata: { name: 'three' }, spec: { ports, clusterIP: '198.18.0.1' } }),
    post('out of range', all, {
      metadata: { name: 'three' },
      spec: { ports, clusterIP: '10.9.9.9' },
    }),
    post('no address at all', all, {
      metadata: { name: 'three' },
      spec: { ports, clusterIP: 'odd' },
    }),
    post('headless without a selector', all, {
      metadata: { name: 'four' },
      spec: { clusterIP: 'None' },
    }),
    patch('headless to a node port', `${all}/four`, { spec: { type: 'NodePort', ports } }),
    post('external name with ports', all, {
      metadata: { name: 'five' },
      spec: { type: 'ExternalName', externalName: 'a.example', ports },
    }),
    post('external name that is none', all, {
      metadata: { name: 'six' },
      spec: { type: 'ExternalName', externalName: 'Not a name' },
    }),
    patch('status of a load balancer', `${one}/status`, {
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { hostname: 'a.example' }] } },
    }),
    remove('gone', one, { preconditions: { uid: 'odd' } }),
    remove('gone for good', one),
    post('port is free again', all, {
      metadata: { name: 'two' },
      spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30123 }] },
    }),
    quiet(remove('none is left', `${all}/two`)),
  ];
}

// ---- scales ----

const template = (labels: Json): Json => ({
  metadata: { labels },
  spec: { containers: [{ name: 'c', image: 'a' }] },
});
const labels = { app: 'a' };
const workloads: readonly (readonly [group: string, resource: string, spec: Json])[] = [
  ['apps/v1', 'deployments', { selector: { matchLabels: labels }, template: template(labels) }],
  ['apps/v1', 'replicasets', { selector: { matchLabels: labels }, template: template(labels) }],
  [
    'apps/v1',
    'statefulsets',
    { selector: { matchLabels: labels }, template: template(labels), serviceName: 's' },
  ],
  ['v1', 'replicationcontrollers', { selector: labels, template: template(labels) }],
];

export function scaleSteps(): Step[] {
  const space = 'used-scales';
  const steps = workloads.flatMap(([group, resource, spec]): Step[] => {
    const all = `${below(group, space)}/${resource}`;
    const scale = `${all}/a/scale`;
    const of = (name: string): string => `${resource}: ${name}`;
    const manager = (text: string): string => `${scale}?fieldManager=${text}`;
    const applied = (replicas: unknown, more: Json = {}): Json => ({
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'a', ...more },
      spec: { replicas },
    });
    return [
      post(of('create'), all, { metadata: { name: 'a', labels }, spec: { ...spec, replicas: 2 } }),
      get(of('get'), scale),
      patch(of('merge'), scale, { spec: { replicas: 3 } }),
      patch(of('merge away'), scale, { spec: { replicas: null } }),
      patch(of('merge nothing'), scale, {}),
      patch(of('merge less than nothing'), scale, { spec: { replicas: -1 } }),
      patch(of('merge a text'), scale, { spec: { replicas: 'x' } }),
      patch(of('merge a label'), scale, { metadata: { labels: { a: 'b' } } }),
      patch(of('merge a status'), scale, { status: { replicas: 5 } }),
      patch(of('strategic'), scale, { spec: { replicas: 4 } }, 'strategic'),
      patch(of('json'), scale, [{ op: 'replace', path: '/spec/replicas', value: 5 }], 'json'),
      patch(of('json remove'), scale, [{ op: 'remove', path: '/spec/replicas' }], 'json'),
      patch(of('json test'), scale, [{ op: 'test', path: '/spec/replicas', value: 9 }], 'json'),
      patch(of('json odd'), scale, [{ op: 'replace', path: '/spec/odd', value: 9 }], 'json'),
      patch(of('apply'), manager('m'), applied(6), 'apply'),
      patch(of('apply another'), manager('n'), applied(7), 'apply'),
      patch(of('apply with force'), `${manager('n')}&force=true`, applied(7), 'apply'),
      patch(of('apply the same'), manager('o'), applied(7), 'apply'),
      patch(of('apply with a label'), manager('m'), applied(7, { labels: { x: 'y' } }), 'apply'),
      patch(of('apply another kind'), manager('m'), { ...applied(7), kind: 'Odd' }, 'apply'),
      patch(of('apply the name of another'), manager('m'), applied(7, { name: 'b' }), 'apply'),
      patch(of('apply nothing'), manager('n'), { ...applied(7), spec: {} }, 'apply'),
      put(of('put'), scale, applied(1)),
      put(of('put without a name'), scale, { ...applied(1), metadata: {} }),
      put(of('put another name'), scale, applied(1, { name: 'b' })),
      put(of('put an old version'), scale, applied(1, { resourceVersion: '1' })),
      put(of('put an odd version'), scale, applied(1, { resourceVersion: 'odd' })),
      put(of('put another id'), scale, applied(1, { uid: 'odd' })),
      put(of('put nothing'), scale, { ...applied(1), spec: {} }),
      put(of('put another kind'), scale, { kind: 'Deployment', apiVersion: 'apps/v1' }),
      put(of('put too much'), scale, applied(2 ** 31)),
      put(of('put dry'), `${scale}?dryRun=All`, applied(9)),
      put(of('put strictly'), `${scale}?fieldValidation=Strict`, { ...applied(9), odd: 1 }),
      put(of('put with a warning'), `${scale}?fieldValidation=Warn`, { ...applied(9), odd: 1 }),
      get(of('get the object'), `${all}/a`),
      get(of('get a table'), scale),
      remove(of('delete the scale'), scale),
      get(of('get of none'), `${all}/none/scale`),
      patch(of('merge of none'), `${all}/none/scale`, { spec: { replicas: 1 } }),
      patch(of('apply of none'), `${all}/none/scale?fieldManager=m`, applied(1), 'apply'),
      put(of('put of none'), `${all}/none/scale`, applied(1, { name: 'none' })),
    ];
  });
  return [...place(space), ...steps];
}

export const useScenes = { services: serviceSteps, scales: scaleSteps };
