// Requests of nodes: what belongs to their pods and to nobody else's, their own objects, and what they may
// write in them (the Node authorizer and NodeRestriction).
import { create, silent, type Json } from './step-parts.ts';
import type { Step } from './step-player.ts';

const place = 'nodes-a';
const home = `/api/v1/namespaces/${place}`;

const as = (node: string) => ({
  headers: { 'impersonate-user': `system:node:${node}`, 'impersonate-group': 'system:nodes' },
});
const one = as('n1');

const get = (name: string, path: string, extra: Partial<Step> = one): Step => ({
  name: `node: ${name}`,
  method: 'GET',
  path,
  ...extra,
});

const patch = (name: string, path: string, body: Json, extra: Partial<Step> = one): Step => ({
  name: `node: ${name}`,
  method: 'PATCH',
  path,
  body,
  type: 'application/merge-patch+json',
  ...extra,
});

const remove = (name: string, path: string, extra: Partial<Step> = one): Step => ({
  name: `node: ${name}`,
  method: 'DELETE',
  path,
  ...extra,
});

const write = (name: string, path: string, body: Json, extra: Partial<Step> = one): Step =>
  create(`node: ${name}`, path, body, extra);

const named = (name: string, more: Json = {}): Json => ({ metadata: { name }, ...more });

const uidOf = (body: Json): string => String((body['metadata'] as Json)['uid']);

function podSpec(node: string): Json {
  return {
    nodeName: node,
    serviceAccountName: 'worker',
    containers: [
      {
        name: 'main',
        image: 'a:1',
        env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'by-env', key: 'a' } } }],
        envFrom: [{ configMapRef: { name: 'by-env-from' } }],
      },
    ],
    volumes: [
      { name: 'a', secret: { secretName: 'by-volume' } },
      { name: 'b', persistentVolumeClaim: { claimName: 'claimed' } },
      {
        name: 'c',
        projected: {
          sources: [
            { secret: { name: 'by-projection' } },
            { serviceAccountToken: { path: 'token', audience: 'vault' } },
          ],
        },
      },
      { name: 'd', csi: { driver: 'inline.csi.test' } },
    ],
  };
}

function objects(): Step[] {
  const volume = {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    claimRef: { namespace: place, name: 'claimed' },
    storageClassName: 'none',
    csi: {
      driver: 'a.csi.test',
      volumeHandle: 'h',
      nodePublishSecretRef: { namespace: place, name: 'by-volume-of-claim' },
      controllerPublishSecretRef: { namespace: place, name: 'of-controller' },
    },
  };
  const claim = {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    storageClassName: 'none',
    volumeName: 'volume-a',
  };
  const secrets = [
    'by-env',
    'by-volume',
    'by-projection',
    'by-volume-of-claim',
    'of-controller',
    'free',
  ];
  return [
    create('n: namespace', '/api/v1/namespaces', named(place), silent),
    create('n: account', `${home}/serviceaccounts`, named('worker'), silent),
    create('n: other account', `${home}/serviceaccounts`, named('other'), silent),
    ...secrets.map((name) => create(`n: secret ${name}`, `${home}/secrets`, named(name), silent)),
    ...['by-env-from', 'free'].map((name) =>
      create(`n: map ${name}`, `${home}/configmaps`, named(name), silent),
    ),
    create(
      'n: driver',
      '/apis/storage.k8s.io/v1/csidrivers',
      named('inline.csi.test', { spec: { tokenRequests: [{ audience: 'of-driver' }] } }),
      silent,
    ),
    create(
      'n: other driver',
      '/apis/storage.k8s.io/v1/csidrivers',
      named('a.csi.test', { spec: { tokenRequests: [{ audience: 'of-claim' }] } }),
      silent,
    ),
    create('n: volume', '/api/v1/persistentvolumes', named('volume-a', { spec: volume }), silent),
    create('n: claim', `${home}/persistentvolumeclaims`, named('claimed', { spec: claim }), silent),
    create(
      'n: attachment',
      '/apis/storage.k8s.io/v1/volumeattachments',
      named('attached', {
        spec: {
          attacher: 'a.csi.test',
          nodeName: 'n1',
          source: { persistentVolumeName: 'volume-a' },
        },
      }),
      silent,
    ),
    create('n: pod', `${home}/pods`, named('mine', { spec: podSpec('n1') }), {
      isSilent: true,
      keep: uidOf,
    }),
    create(
      'n: other pod',
      `${home}/pods`,
      named('theirs', {
        spec: {
          nodeName: 'n2',
          serviceAccountName: 'other',
          containers: [{ name: 'm', image: 'a:1' }],
        },
      }),
      { isSilent: true, keep: uidOf },
    ),
    {
      name: 'n: settled',
      method: 'GET',
      path: `${home}/secrets/by-env`,
      ...one,
      isSilent: true,
      until: (status) => status === 200,
    },
    {
      name: 'n: attached',
      method: 'GET',
      path: '/apis/storage.k8s.io/v1/volumeattachments/attached',
      ...one,
      isSilent: true,
      until: (status) => status === 200,
    },
    {
      name: 'n: bound',
      method: 'GET',
      path: '/api/v1/persistentvolumes/volume-a',
      ...one,
      isSilent: true,
      until: (status) => status === 200,
    },
  ];
}

function reading(): Step[] {
  return [
    get('secret by environment', `${home}/secrets/by-env`),
    get('secret by volume', `${home}/secrets/by-volume`),
    get('secret by projection', `${home}/secrets/by-projection`),
    get('secret by volume of a claim', `${home}/secrets/by-volume-of-claim`),
    get('secret of a controller', `${home}/secrets/of-controller`),
    get('secret of nobody', `${home}/secrets/free`),
    get('secret of another node', `${home}/secrets/by-env`, as('n2')),
    get('no secret', `${home}/secrets/none`),
    get('all secrets', `${home}/secrets`),
    get('secret by list', `${home}/secrets?fieldSelector=metadata.name%3Dby-env`),
    get('secrets everywhere', '/api/v1/secrets'),
    remove('secret deleted', `${home}/secrets/by-env`),
    get('map', `${home}/configmaps/by-env-from`),
    get('map of nobody', `${home}/configmaps/free`),
    get('claim', `${home}/persistentvolumeclaims/claimed`),
    get('claims', `${home}/persistentvolumeclaims`),
    get('claim of another node', `${home}/persistentvolumeclaims/claimed`, as('n2')),
    get('volume', '/api/v1/persistentvolumes/volume-a'),
    get('volume of another node', '/api/v1/persistentvolumes/volume-a', as('n2')),
    get('attachment', '/apis/storage.k8s.io/v1/volumeattachments/attached'),
    get('attachments', '/apis/storage.k8s.io/v1/volumeattachments'),
    get('attachment of another', '/apis/storage.k8s.io/v1/volumeattachments/attached', as('n2')),
    get('account', `${home}/serviceaccounts/worker`),
    get('account of another', `${home}/serviceaccounts/other`),
    get('pod of another', `${home}/pods/theirs`),
    get('pods', '/api/v1/pods'),
    get('pods of another', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn2'),
    get('pod by name', `${home}/pods?fieldSelector=metadata.name%3Dtheirs`),
    get('services', '/api/v1/namespaces/kube-public/services'),
    get('classes', '/apis/storage.k8s.io/v1/storageclasses'),
    get('drivers', '/apis/storage.k8s.io/v1/csidrivers/inline.csi.test'),
    get('runtime class', '/apis/node.k8s.io/v1/runtimeclasses/none'),
    get('namespaces', '/api/v1/namespaces'),
    get('slices', '/apis/resource.k8s.io/v1/resourceslices'),
    get('own slices', '/apis/resource.k8s.io/v1/resourceslices?fieldSelector=spec.nodeName%3Dn1'),
    get('pod log', `${home}/pods/mine/log`),
    get('of no node', `${home}/secrets/by-env`, as('')),
    write(
      'rules',
      '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
      {
        spec: { namespace: 'kube-public' },
      },
      as('nobody'),
    ),
    write('may read', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      spec: {
        resourceAttributes: { namespace: place, verb: 'get', resource: 'secrets', name: 'by-env' },
      },
    }),
    write('may not read', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      spec: {
        resourceAttributes: { namespace: place, verb: 'get', resource: 'secrets', name: 'free' },
      },
    }),
  ];
}

function nodes(): Step[] {
  const path = '/api/v1/nodes';
  return [
    write('another node', path, named('n2')),
    write('node with a label', path, {
      metadata: {
        name: 'n1',
        labels: {
          'node-restriction.kubernetes.io/a': 'b',
          'kubernetes.io/os': 'linux',
          'x.k8s.io/y': 'z',
        },
      },
    }),
    write(
      'node',
      path,
      {
        metadata: {
          name: 'n1',
          labels: { 'kubernetes.io/os': 'linux', own: 'yes', 'node.kubernetes.io/kind': 'a' },
        },
      },
      { ...one, keep: uidOf },
    ),
    get('own node', `${path}/n1`),
    get('another', `${path}/n2`),
    get('all', path),
    get('node by list', `${path}?fieldSelector=metadata.name%3Dn1`),
    patch('taints', `${path}/n1`, { spec: { taints: [] } }),
    patch('labels', `${path}/n1`, { metadata: { labels: { 'example.kubernetes.io/x': 'y' } } }),
    patch('own labels', `${path}/n1`, { metadata: { labels: { mine: 'x' } } }),
    patch('owners', `${path}/n1`, {
      metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: '1' }] },
    }),
    patch('status patched', `${path}/n1/status`, { status: { nodeInfo: { osImage: 'x' } } }),
    patch('status of another', `${path}/n2/status`, { status: { nodeInfo: { osImage: 'x' } } }),
    remove('own node deleted', `${path}/n1`),
  ];
}

function pods(): Step[] {
  const path = `${home}/pods`;
  const mirror = { 'kubernetes.io/config.mirror': 'x' };
  const spec = { nodeName: 'n1', containers: [{ name: 'm', image: 'a:1' }] };
  const owner = {
    apiVersion: 'v1',
    kind: 'Node',
    name: 'n1',
    uid: '@{node: node}',
    controller: true,
  };
  const pod = (name: string, metadata: Json, more: Json = {}): Json => ({
    metadata: { name, ...metadata },
    spec: { ...spec, ...more },
  });
  const owned = (...ownerReferences: Json[]): Json => ({ annotations: mirror, ownerReferences });
  return [
    write('plain pod', path, pod('p', {})),
    write('mirror elsewhere', path, pod('p', owned(owner), { nodeName: 'n2' })),
    write('mirror without owner', path, pod('p', { annotations: mirror })),
    write(
      'mirror of two',
      path,
      pod('p', owned(owner, { ...owner, name: 'n2', controller: false, uid: '2' })),
    ),
    write('mirror of another', path, pod('p', owned({ ...owner, name: 'n2' }))),
    write('mirror uncontrolled', path, pod('p', owned({ ...owner, controller: false }))),
    write('mirror blocking', path, pod('p', owned({ ...owner, blockOwnerDeletion: true }))),
    write('mirror of another uid', path, pod('p', owned({ ...owner, uid: 'other' }))),
    write('mirror with account', path, pod('p', owned(owner), { serviceAccountName: 'worker' })),
    write(
      'mirror with secret',
      path,
      pod('p', owned(owner), { volumes: [{ name: 'a', secret: { secretName: 'free' } }] }),
    ),
    write(
      'mirror with claim',
      path,
      pod('p', owned(owner), {
        volumes: [{ name: 'a', persistentVolumeClaim: { claimName: 'c' } }],
      }),
    ),
    write(
      'mirror with projection',
      path,
      pod('p', owned(owner), {
        volumes: [{ name: 'a', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }],
      }),
    ),
    patch('pod patched', `${path}/mine`, { metadata: { labels: { a: 'b' } } }),
    patch('pod status of another', `${path}/theirs/status`, { status: { message: 'x' } }),
    patch('labels by status', `${path}/mine/status`, { metadata: { labels: { a: 'b' } } }),
    patch('claims by status', `${path}/mine/status`, {
      status: { resourceClaimStatuses: [{ name: 'a', resourceClaimName: 'b' }] },
    }),
    remove('pod of another deleted', `${path}/theirs`),
    write('eviction of another', `${path}/theirs/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: 'theirs' },
    }),
    write('binding', `${path}/mine/binding`, { target: { kind: 'Node', name: 'n1' } }),
    patch('claim patched', `${home}/persistentvolumeclaims/claimed`, {
      metadata: { labels: { a: 'b' } },
    }),
    patch(
      'claim status of another',
      `${home}/persistentvolumeclaims/claimed/status`,
      { status: { capacity: { storage: '2Gi' } } },
      as('n2'),
    ),
  ];
}

function tokens(): Step[] {
  const path = `${home}/serviceaccounts/worker/token`;
  const ref = { apiVersion: 'v1', kind: 'Pod', name: 'mine', uid: '@{n: pod}' };
  const ask = (name: string, spec: Json, where = path): Step => write(name, where, { spec });
  return [
    ask('token unbound', {}),
    ask('token of a secret', { boundObjectRef: { ...ref, kind: 'Secret' } }),
    ask('token without uid', { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'mine' } }),
    ask('token of no pod', { boundObjectRef: { ...ref, name: 'none' } }),
    ask('token of another uid', { boundObjectRef: { ...ref, uid: 'other' } }),
    ask('token of another account', { boundObjectRef: ref }, `${home}/serviceaccounts/other/token`),
    ask('token of another pod', {
      boundObjectRef: { ...ref, name: 'theirs', uid: '@{n: other pod}' },
    }),
    ask('token by default', { boundObjectRef: ref }),
    ask('token for volume', { audiences: ['vault'], boundObjectRef: ref }),
    ask('token for driver', { audiences: ['of-driver'], boundObjectRef: ref }),
    ask('token for claim', { audiences: ['of-claim'], boundObjectRef: ref }),
    ask('token for others', { audiences: ['x'], boundObjectRef: ref }),
    ask('token for two', { audiences: ['x', 'y'], boundObjectRef: ref }),
  ];
}

function own(): Step[] {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
  const csi = '/apis/storage.k8s.io/v1/csinodes';
  const slices = '/apis/resource.k8s.io/v1/resourceslices';
  const pool = { name: 'p', generation: 1, resourceSliceCount: 1 };
  return [
    write('lease', leases, named('n1', { spec: { holderIdentity: 'n1' } })),
    write('lease of another', leases, named('n2')),
    get('lease read', `${leases}/n1`),
    get('leases', leases),
    get('lease of another read', `${leases}/n2`),
    write('lease elsewhere', leases.replace('kube-node-lease', 'default'), named('n1')),
    remove('lease deleted', `${leases}/n1`),
    write(
      'csi node',
      csi,
      named('n1', {
        spec: { drivers: [{ name: 'a.csi.test', nodeID: 'x', topologyKeys: ['a'] }] },
      }),
    ),
    write(
      'csi node of another',
      csi,
      named('n2', {
        spec: { drivers: [{ name: 'a.csi.test', nodeID: 'x', topologyKeys: ['a'] }] },
      }),
    ),
    get('csi nodes', csi),
    get('csi node of another read', `${csi}/n2`),
    remove('csi node deleted', `${csi}/n1`),
    write('slice', slices, named('s1', { spec: { driver: 'a.test', nodeName: 'n1', pool } })),
    write(
      'slice of another',
      slices,
      named('s2', { spec: { driver: 'a.test', nodeName: 'n2', pool } }),
    ),
    {
      ...create(
        'n: slice of another',
        slices,
        named('s3', { spec: { driver: 'a.test', nodeName: 'n2', pool } }),
      ),
      isSilent: true,
    },
    get('slice of another read', `${slices}/s3`),
    write('event', `${home}/events`, {
      metadata: { name: 'e1' },
      involvedObject: { namespace: place, kind: 'Pod', name: 'mine' },
      reason: 'A',
      message: 'b',
      type: 'Normal',
    }),
  ];
}

function certificates(): Step[] {
  const path = `/apis/certificates.k8s.io/v1/namespaces/${place}/podcertificaterequests`;
  return [
    get('pod certificates', path),
    get('own pod certificates', `${path}?fieldSelector=spec.nodeName%3Dn1`),
    get('no pod certificate', `${path}/none`),
    remove('pod certificate deleted', `${path}/none`),
  ];
}

export function nodeSteps(): Step[] {
  return [
    ...objects(),
    ...reading(),
    ...nodes(),
    ...pods(),
    ...tokens(),
    ...own(),
    ...certificates(),
  ];
}
