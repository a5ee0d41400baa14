// What may not change any more and what is asked of one object: data that is immutable, claims and volumes, evictions,
// bindings, tokens, the ends of namespaces, selectors of deletions.
import { below, get, patch, place, post, put, quiet, remove, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

// ---- data ----

export function dataSteps(): Step[] {
  const space = 'used-data';
  const maps = `${below('v1', space)}/configmaps`;
  const secrets = `${below('v1', space)}/secrets`;
  const fixed = (all: string, data: Json): Step[] => {
    const what = all.split('/').at(-1) ?? '';
    const one = `${all}/fixed`;
    return [
      post(`${what}: made`, all, { metadata: { name: 'fixed' }, data }),
      patch(`${what}: fixed`, one, { immutable: true }),
      patch(`${what}: other data`, one, { data: { a: 'Yg==' } }),
      patch(`${what}: no data`, one, { data: null }),
      patch(`${what}: not fixed any more`, one, { immutable: false }),
      patch(`${what}: nothing said of it`, one, { immutable: null }),
      patch(`${what}: a label`, one, { metadata: { labels: { a: 'b' } } }),
      patch(
        `${what}: applied otherwise`,
        `${one}?fieldManager=m&force=true`,
        {
          apiVersion: 'v1',
          kind: what === 'secrets' ? 'Secret' : 'ConfigMap',
          metadata: { name: 'fixed' },
          data: { a: 'Yw==' },
        },
        'apply',
      ),
      remove(`${what}: gone`, one),
    ];
  };
  return [
    ...place(space),
    ...fixed(maps, { a: 'YQ==' }),
    ...fixed(secrets, { a: 'YQ==' }),
    post('binary and plain by one key', maps, {
      metadata: { name: 'both' },
      data: { a: 'x' },
      binaryData: { a: 'eA==' },
    }),
    post('bad keys', maps, {
      metadata: { name: 'keys' },
      data: { '': 'x', '..': 'y', 'a b': 'z' },
    }),
    post('too much', maps, {
      metadata: { name: 'much' },
      data: { a: 'x'.repeat(1024 * 1024 + 1) },
    }),
    post('secret of another type', secrets, { metadata: { name: 'odd' }, type: 'a.example/b' }),
    patch('type of a secret', `${secrets}/odd`, { type: 'Opaque' }),
    post('tls without parts', secrets, { metadata: { name: 'tls' }, type: 'kubernetes.io/tls' }),
    post('basic without parts', secrets, {
      metadata: { name: 'basic' },
      type: 'kubernetes.io/basic-auth',
    }),
    post('ssh without parts', secrets, {
      metadata: { name: 'ssh' },
      type: 'kubernetes.io/ssh-auth',
    }),
    post('docker that is none', secrets, {
      metadata: { name: 'docker' },
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': 'eA==' },
    }),
    post('account without a name', secrets, {
      metadata: { name: 'account' },
      type: 'kubernetes.io/service-account-token',
    }),
    post('text over data', secrets, {
      metadata: { name: 'text' },
      data: { a: 'eA==' },
      stringData: { a: 'y', b: 'z' },
    }),
  ];
}

// ---- volumes ----

export function volumeSteps(): Step[] {
  const space = 'used-volumes';
  const claims = `${below('v1', space)}/persistentvolumeclaims`;
  const volumes = '/api/v1/persistentvolumes';
  const claim = (name: string, spec: Json): Json => ({
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      ...spec,
    },
  });
  const volume = (name: string, spec: Json): Json => ({
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      hostPath: { path: '/a' },
      ...spec,
    },
  });
  const own = `${claims}/one`;
  const disk = `${volumes}/used-disk`;
  const changes: readonly (readonly [string, Json])[] = [
    ['bigger', { resources: { requests: { storage: '2Gi' } } }],
    ['smaller', { resources: { requests: { storage: '1Mi' } } }],
    ['other modes', { accessModes: ['ReadOnlyMany'] }],
    ['a volume', { volumeName: 'used-disk' }],
    ['another volume', { volumeName: 'other' }],
    ['a class', { storageClassName: 'slow' }],
    ['a class of attributes', { volumeAttributesClassName: 'a' }],
    ['another mode', { volumeMode: 'Block' }],
    ['a source', { dataSource: { kind: 'PersistentVolumeClaim', name: 'x' } }],
    ['a limit', { resources: { limits: { storage: '5Gi' } } }],
    ['a selector', { selector: { matchLabels: { a: 'b' } } }],
  ];
  const diskChanges: readonly (readonly [string, Json])[] = [
    ['bigger disk', { capacity: { storage: '2Gi' } }],
    ['disk of another path', { hostPath: { path: '/b' } }],
    ['disk of another kind', { hostPath: null, nfs: { server: 'a', path: '/b' } }],
    ['disk of another mode', { volumeMode: 'Block' }],
    ['disk kept', { persistentVolumeReclaimPolicy: 'Delete' }],
    ['disk of an odd policy', { persistentVolumeReclaimPolicy: 'Odd' }],
    [
      'disk with nodes',
      {
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }],
          },
        },
      },
    ],
    [
      'disk with other nodes',
      {
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'b', operator: 'Exists' }] }],
          },
        },
      },
    ],
    ['disk of a claim', { claimRef: { namespace: space, name: 'one' } }],
    ['disk of no claim', { claimRef: null }],
    ['disk of a class', { storageClassName: 'slow' }],
    ['disk with options', { mountOptions: ['ro'] }],
    // The last: with a stale copy upstream warns of it also where it refuses.
    ['disk recycled', { persistentVolumeReclaimPolicy: 'Recycle' }],
  ];
  return [
    ...place(space),
    post('claim', claims, claim('one', {})),
    ...changes.map(([name, spec]) => patch(`claim: ${name}`, own, { spec })),
    put('claim: status', `${own}/status`, {
      ...claim('one', {}),
      status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
    }),
    ...changes.map(([name, spec]) => patch(`bound: ${name}`, own, { spec })),
    patch('bound: resizing', `${own}/status`, {
      status: {
        allocatedResources: { storage: '2Gi' },
        allocatedResourceStatuses: { storage: 'NodeResizePending', 'odd key': 'x' },
        conditions: [{ type: 'Resizing', status: 'True' }],
      },
    }),
    remove('claim gone', own),
    get('claim going', own),
    post('claim of nothing', claims, { metadata: { name: 'nothing' }, spec: {} }),
    post('claim of odd modes', claims, claim('odd', { accessModes: ['Odd'] })),
    post(
      'claim of less than nothing',
      claims,
      claim('less', { resources: { requests: { storage: '-1' } } }),
    ),
    post(
      'claim of more than its limit',
      claims,
      claim('over', { resources: { requests: { storage: '5Gi' }, limits: { storage: '1Gi' } } }),
    ),
    post('disk', volumes, volume('used-disk', {})),
    ...diskChanges.map(([name, spec]) => patch(name, disk, { spec })),
    post('disk of two kinds', volumes, volume('used-two', { nfs: { server: 'a', path: '/b' } })),
    post('disk of none', volumes, volume('used-none', { hostPath: null })),
    post('disk back out', volumes, volume('used-out', { hostPath: { path: '/a/../b' } })),
    post(
      'disk of the machine, recycled',
      volumes,
      volume('used-root', { hostPath: { path: '/' }, persistentVolumeReclaimPolicy: 'Recycle' }),
    ),
    post('disk without a size', volumes, volume('used-size', { capacity: {} })),
    patch('status of a disk', `${disk}/status`, { status: { phase: 'Available', message: 'm' } }),
    quiet(remove('disk gone', disk)),
  ];
}

// ---- pods ----

export function podSteps(): Step[] {
  const space = 'used-pods';
  const pods = `${below('v1', space)}/pods`;
  const pod = (name: string, spec: Json = {}): Json => ({
    metadata: { name, labels: { app: 'a' } },
    spec: { containers: [{ name: 'c', image: 'a' }], ...spec },
  });
  const eviction = (name: string, more: Json = {}): Json => ({
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name },
    ...more,
  });
  const one = `${pods}/one`;
  const gated = `${pods}/gated`;
  return [
    ...place(space),
    post('pod', pods, pod('one')),
    patch('another image', one, { spec: { containers: [{ name: 'c', image: 'b' }] } }),
    patch(
      'another image strategically',
      one,
      { spec: { containers: [{ name: 'c', image: 'd' }] } },
      'strategic',
    ),
    patch('another command', one, {
      spec: { containers: [{ name: 'c', image: 'b', command: ['x'] }] },
    }),
    patch(
      'a second container',
      one,
      { spec: { containers: [{ name: 'e', image: 'x' }] } },
      'strategic',
    ),
    patch('a deadline', one, { spec: { activeDeadlineSeconds: 5 } }),
    patch('a longer deadline', one, { spec: { activeDeadlineSeconds: 9 } }),
    patch('no deadline', one, { spec: { activeDeadlineSeconds: null } }),
    patch('a toleration', one, { spec: { tolerations: [{ key: 'a', operator: 'Exists' }] } }),
    patch('less grace', one, { spec: { terminationGracePeriodSeconds: 1 } }),
    patch('another account', one, { spec: { serviceAccountName: 'other' } }),
    patch('a node', one, { spec: { nodeName: 'n' } }),
    patch('an ephemeral container in passing', one, {
      spec: { ephemeralContainers: [{ name: 'e', image: 'x' }] },
    }),
    patch(
      'an ephemeral container',
      `${one}/ephemeralcontainers`,
      {
        spec: { ephemeralContainers: [{ name: 'e', image: 'x', targetContainerName: 'c' }] },
      },
      'strategic',
    ),
    patch(
      'an ephemeral container of no other',
      `${one}/ephemeralcontainers`,
      {
        spec: { ephemeralContainers: [{ name: 'f', image: 'x', targetContainerName: 'none' }] },
      },
      'strategic',
    ),
    patch(
      'an ephemeral container with too much',
      `${one}/ephemeralcontainers`,
      {
        spec: {
          ephemeralContainers: [
            {
              name: 'g',
              image: 'x',
              ports: [{ containerPort: 80 }],
              livenessProbe: { httpGet: { port: 80 } },
              resources: { limits: { cpu: '1' } },
            },
          ],
        },
      },
      'strategic',
    ),
    patch(
      'an ephemeral container changed',
      `${one}/ephemeralcontainers`,
      {
        spec: { ephemeralContainers: [{ name: 'e', image: 'y' }] },
      },
      'strategic',
    ),
    patch('no ephemeral containers', `${one}/ephemeralcontainers`, {
      spec: { ephemeralContainers: [] },
    }),
    patch(
      'an ephemeral container by the name of another',
      `${one}/ephemeralcontainers`,
      {
        spec: { ephemeralContainers: [{ name: 'c', image: 'x' }] },
      },
      'strategic',
    ),
    post('bound nowhere', `${one}/binding`, { metadata: { name: 'one' }, target: {} }),
    post('bound to an odd kind', `${one}/binding`, {
      metadata: { name: 'one' },
      target: { kind: 'Odd', name: 'n' },
    }),
    post('bound by another name', `${one}/binding`, {
      metadata: { name: 'two' },
      target: { name: 'n' },
    }),
    post('bound with another id', `${one}/binding`, {
      metadata: { name: 'one', uid: 'odd' },
      target: { name: 'n' },
    }),
    post('bound with a label', `${one}/binding`, {
      metadata: { name: 'one', labels: { x: 'y' }, annotations: { p: 'q' } },
      target: { kind: 'Node', name: 'n' },
    }),
    post('bound again', `${one}/binding`, { metadata: { name: 'one' }, target: { name: 'm' } }),
    post('bound by all bindings', `${below('v1', space)}/bindings`, {
      metadata: { name: 'none' },
      target: { name: 'm' },
    }),
    get('bound', one),
    post('gated', pods, pod('gated', { schedulingGates: [{ name: 'a.example/g' }] })),
    post('bound behind a gate', `${gated}/binding`, {
      metadata: { name: 'gated' },
      target: { name: 'n' },
    }),
    patch('gated with a selector', gated, { spec: { nodeSelector: { a: 'b' } } }),
    patch('gated by another', gated, { spec: { schedulingGates: [{ name: 'b.example/g' }] } }),
    patch('gated no more', gated, { spec: { schedulingGates: [] } }),
    patch('a selector', gated, { spec: { nodeSelector: { c: 'd' } } }),
    patch('a gate again', gated, { spec: { schedulingGates: [{ name: 'c.example/g' }] } }),
    patch('running', `${one}/status`, {
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        podIP: '10.1.1.1',
        podIPs: [{ ip: '10.1.1.1' }],
        containerStatuses: [
          {
            name: 'c',
            image: 'b',
            imageID: 'x',
            ready: true,
            restartCount: 1,
            state: { running: { startedAt: '2026-01-02T03:04:05Z' } },
          },
        ],
      },
    }),
    patch('odd phase', `${one}/status`, { status: { phase: 'Odd' } }),
    patch('fewer restarts', `${one}/status`, {
      status: {
        containerStatuses: [{ name: 'c', image: 'b', imageID: 'x', ready: true, restartCount: 0 }],
      },
    }),
    patch('status of no container', `${one}/status`, {
      status: {
        containerStatuses: [
          { name: 'none', image: 'b', imageID: 'x', ready: true, restartCount: 0 },
        ],
      },
    }),
    patch(
      'applied status',
      `${one}/status?fieldManager=m`,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'one' },
        status: { conditions: [{ type: 'a.example/gate', status: 'True' }] },
      },
      'apply',
    ),
    patch('odd addresses', `${one}/status`, { status: { podIPs: [{ ip: 'odd' }] } }),
    patch('two addresses of a family', `${one}/status`, {
      status: { podIP: '10.1.1.1', podIPs: [{ ip: '10.1.1.1' }, { ip: '10.1.1.2' }] },
    }),
    patch(
      'resized',
      `${one}/resize`,
      { spec: { containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }] } },
      'strategic',
    ),
    patch(
      'resized and renamed',
      `${one}/resize`,
      { spec: { containers: [{ name: 'c', image: 'z', resources: { requests: { cpu: '1' } } }] } },
      'strategic',
    ),
    post('budget', `${below('policy/v1', space)}/poddisruptionbudgets`, {
      metadata: { name: 'b' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'a' } } },
    }),
    post('evicted against a budget', `${one}/eviction`, eviction('one')),
    post('evicted dry', `${one}/eviction?dryRun=All`, eviction('one')),
    post(
      'evicted dry by options',
      `${one}/eviction`,
      eviction('one', { deleteOptions: { dryRun: ['All'] } }),
    ),
    post(
      'evicted by odd options',
      `${one}/eviction`,
      eviction('one', { deleteOptions: { propagationPolicy: 'Odd' } }),
    ),
    post(
      'evicted by another version',
      `${one}/eviction`,
      eviction('one', { deleteOptions: { preconditions: { resourceVersion: '1' } } }),
    ),
    post(
      'evicted by another id',
      `${one}/eviction`,
      eviction('one', { deleteOptions: { preconditions: { uid: 'odd' } } }),
    ),
    post('evicted by another name', `${one}/eviction`, eviction('two')),
    post('evicted without a name', `${one}/eviction`, eviction('')),
    post('evicted by an older version', `${one}/eviction`, {
      ...eviction('one'),
      apiVersion: 'policy/v1beta1',
    }),
    post('evicted none', `${pods}/none/eviction`, eviction('none')),
    post('a second budget', `${below('policy/v1', space)}/poddisruptionbudgets`, {
      metadata: { name: 'c' },
      spec: { maxUnavailable: 1, selector: {} },
    }),
    post('evicted against two', `${one}/eviction`, eviction('one')),
    post('evicted what waits', `${gated}/eviction`, eviction('gated')),
    remove('deleted with odd grace', one, { gracePeriodSeconds: -1 }),
    remove('deleted with grace', one, { gracePeriodSeconds: 7 }),
    remove('deleted with more grace', one, { gracePeriodSeconds: 50 }),
    patch('changed while it goes', one, { metadata: { labels: { y: 'z' } } }),
    patch('finalizer while it goes', one, { metadata: { finalizers: ['a.example/f'] } }),
    remove('deleted at once', one, { gracePeriodSeconds: 0 }),
    get('log of none', `${pods}/none/log`),
    post('exec of none', `${pods}/none/exec?command=ls`, {}),
  ];
}

// ---- tokens ----

export function tokenSteps(): Step[] {
  const space = 'used-tokens';
  const accounts = `${below('v1', space)}/serviceaccounts`;
  const request = (spec: Json, more: Json = {}): Json => ({ ...more, spec });
  const asked = (name: string, spec: Json, more: Json = {}): Step => ({
    ...post(name, `${accounts}/default/token?dryRun=All`, request(spec, more)),
  });
  return [
    ...place(space),
    asked('too short', { expirationSeconds: 5 }),
    asked('too long', { expirationSeconds: 2 ** 33 }),
    asked('less than nothing', { expirationSeconds: -1 }),
    asked('bound to an odd kind', { boundObjectRef: { kind: 'Odd', apiVersion: 'v1', name: 'x' } }),
    asked('bound to no pod', { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'x' } }),
    asked('bound to no secret', {
      boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'x' },
    }),
    asked('bound to no node', { boundObjectRef: { kind: 'Node', apiVersion: 'v1', name: 'x' } }),
    asked('bound without a name', { boundObjectRef: { kind: 'Pod', apiVersion: 'v1' } }),
    asked('bound to an odd version', {
      boundObjectRef: { kind: 'Pod', apiVersion: 'odd/v1', name: 'x' },
    }),
    asked('another name', {}, { metadata: { name: 'other' } }),
    asked('another place', {}, { metadata: { namespace: 'other' } }),
    asked('a drawn name', {}, { metadata: { generateName: 'x-' } }),
    asked('odd audiences', { audiences: 'x' }),
    asked('another kind', {}, { kind: 'Pod', apiVersion: 'v1' }),
    post('of none', `${accounts}/none/token`, request({})),
    get('get a token', `${accounts}/default/token`),
    remove('delete a token', `${accounts}/default/token`),
    patch('patch a token', `${accounts}/default/token`, {}),
  ];
}

// ---- places ----

export function placeSteps(): Step[] {
  const name = 'used-place';
  const path = `/api/v1/namespaces/${name}`;
  const maps = `${path}/configmaps`;
  const map = (one: string, labels: Json = {}): Json => ({ metadata: { name: one, labels } });
  const all = (query: string): string => `${maps}?${query}`;
  return [
    ...place(name),
    ...['a', 'b', 'c', 'd'].map((one, i) =>
      quiet(post(`map ${one}`, maps, map(one, { n: String(i), even: String(i % 2 === 0) }))),
    ),
    remove('delete by a label', all('labelSelector=n%3D0')),
    remove('delete by a set', all('labelSelector=even+in+(true),n+notin+(0)')),
    remove('delete by a field', all('fieldSelector=metadata.name%3Dd')),
    remove('delete nothing', all('labelSelector=none')),
    remove('delete by an odd field', all('fieldSelector=data.a%3Dd')),
    remove('delete dry', all('dryRun=All')),
    remove('delete by another version', maps, { preconditions: { resourceVersion: '1' } }),
    remove('delete by another id', maps, { preconditions: { uid: 'odd' } }),
    remove('delete with odd grace', maps, { gracePeriodSeconds: -5 }),
    remove('delete as of an odd version', all('resourceVersion=odd')),
    remove('delete as of any version', all('resourceVersion=0')),
    get('what is left', maps),
    put('finalize by another name', `${path}/finalize`, { metadata: { name: 'other' }, spec: {} }),
    put('finalize without a name', `${path}/finalize`, { spec: {} }),
    put('finalize by a bad finalizer', `${path}/finalize`, {
      metadata: { name },
      spec: { finalizers: ['odd'] },
    }),
    put('finalize', `${path}/finalize`, {
      metadata: { name },
      spec: { finalizers: ['a.example/b', 'kubernetes'] },
    }),
    patch('patch the finalizers', `${path}/finalize`, { spec: { finalizers: [] } }),
    patch('finalizers by the object', path, { spec: { finalizers: ['c.example/d'] } }),
    get('get the finalizers', `${path}/finalize`),
    patch('phase', `${path}/status`, { status: { phase: 'Terminating' } }),
    patch('odd phase', `${path}/status`, { status: { phase: 'Odd' } }),
    patch('conditions', `${path}/status`, {
      status: { conditions: [{ type: 'A', status: 'Odd' }] },
    }),
    patch('label with the name', path, {
      metadata: { labels: { 'kubernetes.io/metadata.name': 'other' } },
    }),
    remove('delete', path, { propagationPolicy: 'Orphan' }),
    post('made in what goes', maps, map('late')),
    remove('delete again', path),
    patch('label of what goes', path, { metadata: { labels: { x: 'y' } } }),
    remove('delete the usual', '/api/v1/namespaces/default'),
    remove('delete the system', '/api/v1/namespaces/kube-system'),
  ];
}

export const changeScenes = {
  data: dataSteps,
  volumes: volumeSteps,
  pods: podSteps,
  tokens: tokenSteps,
  places: placeSteps,
};
