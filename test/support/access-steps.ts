// Requests about who one is and what one may: impersonation, tokens bound to objects, reviews, tokens with
// which nodes join.
import { create, silent, type Json } from './step-parts.ts';
import type { Step } from './step-player.ts';

const place = 'access';
const home = `/api/v1/namespaces/${place}`;
const reviews = '/apis/authentication.k8s.io/v1';
const rbac = '/apis/rbac.authorization.k8s.io/v1';

const me = (name: string, headers: Readonly<Record<string, string | string[]>>): Step =>
  create(name, `${reviews}/selfsubjectreviews`, {}, { headers });

function objects(): Step[] {
  const spec = { serviceAccountName: 'worker', containers: [{ name: 'main', image: 'a:1' }] };
  const secret = {
    metadata: { name: 'bootstrap-token-abcdef' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:workers',
    },
  };
  return [
    create('namespace', '/api/v1/namespaces', { metadata: { name: place } }, silent),
    create('account', `${home}/serviceaccounts`, { metadata: { name: 'worker' } }, silent),
    create('other account', `${home}/serviceaccounts`, { metadata: { name: 'other' } }, silent),
    create('secret', `${home}/secrets`, { metadata: { name: 'bound' } }, silent),
    create('node', '/api/v1/nodes', { metadata: { name: 'access-node' } }, silent),
    create('pod', `${home}/pods`, { metadata: { name: 'bound' }, spec }, silent),
    create(
      'placed pod',
      `${home}/pods`,
      { metadata: { name: 'placed' }, spec: { ...spec, nodeName: 'access-node' } },
      silent,
    ),
    create('joining', '/api/v1/namespaces/kube-system/secrets', secret, silent),
  ];
}

function acting(): Step[] {
  const asTom = { 'impersonate-user': 'tom' };
  return [
    me('act: as a node', { 'impersonate-user': 'system:node:n1' }),
    me('act: as a user', asTom),
    me('act: with groups', { ...asTom, 'impersonate-group': ['one', 'two'] }),
    me('act: with everything', {
      ...asTom,
      'impersonate-uid': '17',
      'impersonate-extra-scopes': ['view', 'dev'],
      'impersonate-extra-acme.com%2fproject': 'x',
    }),
    me('act: as an account', { 'impersonate-user': `system:serviceaccount:${place}:worker` }),
    me('act: as nobody', { 'impersonate-user': 'system:anonymous' }),
    me('act: unauthenticated', { ...asTom, 'impersonate-group': 'system:unauthenticated' }),
    me('act: a group alone', { 'impersonate-group': 'g' }),
    { name: 'act: refused', method: 'GET', path: `${home}/secrets`, headers: asTom },
  ];
}

function tokens(): Step[] {
  const path = `${home}/serviceaccounts/worker/token`;
  const ask = (name: string, spec: Json, extra: Partial<Step> = {}): Step =>
    create(name, path, { spec: { audiences: ['them'], ...spec } }, extra);
  const bound = (kind: string, name: string, more: Json = {}): Json => ({
    boundObjectRef: { apiVersion: 'v1', kind, name, ...more },
  });
  const token = (body: Json): string => String((body['status'] as Json)['token']);
  const check = (name: string, of: string, audiences: string[]): Step =>
    create(name, `${reviews}/tokenreviews`, { spec: { token: `@{${of}}`, audiences } });
  return [
    ask('token: plain', {}, { keep: token }),
    ask('token: too short', { expirationSeconds: 10 }),
    ask('token: too long', { expirationSeconds: 2 ** 33 }),
    ask('token: of a pod', bound('Pod', 'bound'), { keep: token }),
    ask('token: of a placed pod', bound('Pod', 'placed'), { keep: token }),
    ask('token: of a secret', bound('Secret', 'bound'), { keep: token }),
    ask('token: of a node', bound('Node', 'access-node'), { keep: token }),
    ask('token: of no pod', bound('Pod', 'nobody')),
    ask('token: of another pod', bound('Pod', 'bound', { uid: 'other' })),
    ask('token: of a map', bound('ConfigMap', 'kube-root-ca.crt')),
    create('token: of another account', `${home}/serviceaccounts/other/token`, {
      spec: { audiences: ['them'], ...bound('Pod', 'bound') },
    }),
    create('token: of no account', `${home}/serviceaccounts/nobody/token`, { spec: {} }),
    create('token: of another name', path, { metadata: { name: 'x' }, spec: {} }),
    check('review: plain', 'token: plain', ['them']),
    check('review: of two audiences', 'token: plain', ['they', 'them']),
    check('review: of others', 'token: plain', ['they']),
    check('review: of a pod', 'token: of a pod', ['them']),
    check('review: of a placed pod', 'token: of a placed pod', ['them']),
    check('review: of a secret', 'token: of a secret', ['them']),
    check('review: of a node', 'token: of a node', ['them']),
    { name: 'gone', method: 'DELETE', path: `${home}/secrets/bound`, isSilent: true },
    check('review: of a secret that is gone', 'token: of a secret', ['them']),
    create('review: of nothing', `${reviews}/tokenreviews`, { spec: {} }),
    create('review: of no token', `${reviews}/tokenreviews`, { spec: { token: 'x' } }),
    create('review: joining', `${reviews}/tokenreviews`, {
      spec: { token: 'abcdef.0123456789abcdef' },
    }),
    create('review: joining wrongly', `${reviews}/tokenreviews`, {
      spec: { token: 'abcdef.0123456789abcdee' },
    }),
  ];
}

/** What an account may act as by its roles. */
function limited(): Step[] {
  const role = (name: string, rules: Json[]): Step[] => [
    create(`role ${name}`, `${rbac}/clusterroles`, { metadata: { name }, rules }, silent),
    create(
      `binding ${name}`,
      `${rbac}/clusterrolebindings`,
      {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ kind: 'ServiceAccount', namespace: place, name: 'worker' }],
      },
      silent,
    ),
  ];
  const bearer = { authorization: 'Bearer @{token of its own}' };
  return [
    create(
      'token of its own',
      `${home}/serviceaccounts/worker/token`,
      { spec: {} },
      {
        keep: (body) => String((body['status'] as Json)['token']),
        isSilent: true,
      },
    ),
    ...role('acts-as-tom', [
      { verbs: ['impersonate'], apiGroups: [''], resources: ['users'], resourceNames: ['tom'] },
      { verbs: ['impersonate'], apiGroups: [''], resources: ['groups'], resourceNames: ['one'] },
      {
        verbs: ['impersonate:user-info'],
        apiGroups: ['authentication.k8s.io'],
        resources: ['users'],
        resourceNames: ['ann'],
      },
      {
        verbs: ['impersonate-on:user-info:create'],
        apiGroups: ['authentication.k8s.io'],
        resources: ['selfsubjectreviews'],
      },
    ]),
    {
      ...me('limited: as tom', {
        ...bearer,
        'impersonate-user': 'tom',
        'impersonate-group': 'one',
      }),
      until: (status) => status < 300,
    },
    me('limited: as ann', { ...bearer, 'impersonate-user': 'ann' }),
    me('limited: as bob', { ...bearer, 'impersonate-user': 'bob' }),
    me('limited: group', { ...bearer, 'impersonate-user': 'tom', 'impersonate-group': 'two' }),
    me('limited: extra', { ...bearer, 'impersonate-user': 'tom', 'impersonate-extra-a': 'b' }),
    me('limited: uid', { ...bearer, 'impersonate-user': 'tom', 'impersonate-uid': '1' }),
    {
      name: 'limited: what ann does',
      method: 'GET',
      path: `${home}/pods`,
      headers: { ...bearer, 'impersonate-user': 'ann' },
    },
    {
      name: 'limited: a token that is none',
      method: 'GET',
      path: `${home}/pods`,
      headers: { authorization: 'Bearer nothing' },
    },
  ];
}

export function accessSteps(): Step[] {
  return [...objects(), ...acting(), ...tokens(), ...limited()];
}
