// Requests of somebody who may write roles and bindings, but has few permissions to give.
import type { Step } from './step-player.ts';

type Json = Record<string, unknown>;

const rbac = '/apis/rbac.authorization.k8s.io/v1';
const own = `${rbac}/namespaces/roles-a`;
const group = 'rbac.authorization.k8s.io';
const silent = { isSilent: true };
const ann = { headers: { 'impersonate-user': 'ann', 'impersonate-group': 'writers' } };

function create(name: string, path: string, body: Json, extra: Partial<Step> = ann): Step {
  return { name, method: 'POST', path, body, ...extra };
}

const role = (name: string, ...rules: Json[]): Json => ({ metadata: { name }, rules });
const rule = (verbs: string[], resources: string[], more: Json = {}): Json => ({
  apiGroups: [''],
  verbs,
  resources,
  ...more,
});
const binding = (name: string, kind: string, to: string): Json => ({
  metadata: { name },
  roleRef: { apiGroup: group, kind, name: to },
  subjects: [{ kind: 'User', apiGroup: group, name: 'bob' }],
});

function granted(): Step[] {
  const rules = [
    rule(['*'], ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'], {
      apiGroups: [group],
    }),
    rule(['get', 'list'], ['pods', '*/status']),
    rule(['get'], ['secrets'], { resourceNames: ['mine'] }),
    { nonResourceURLs: ['/healthz', '/metrics/*'], verbs: ['get'] },
  ].map((one, i) =>
    i === 0 ? { ...one, verbs: ['create', 'update', 'patch', 'get', 'delete'] } : one,
  );
  const admin = {};
  return [
    create('r: namespace', '/api/v1/namespaces', { metadata: { name: 'roles-a' } }, silent),
    create('r: writer', `${rbac}/clusterroles`, role('writer', ...rules), silent),
    create('r: big', `${rbac}/clusterroles`, role('big', rule(['delete'], ['nodes'])), silent),
    create('r: small', `${rbac}/clusterroles`, role('small', rule(['get'], ['pods'])), silent),
    create(
      'r: bound',
      `${rbac}/clusterrolebindings`,
      {
        ...binding('writer', 'ClusterRole', 'writer'),
        subjects: [{ kind: 'Group', apiGroup: group, name: 'writers' }],
      },
      silent,
    ),
    {
      name: 'r: known',
      method: 'GET',
      path: '/api/v1/pods',
      ...ann,
      ...admin,
      isSilent: true,
      until: (status) => status === 200,
    },
  ];
}

export function roleSteps(): Step[] {
  const patch = (name: string, path: string, body: Json): Step => ({
    name,
    method: 'PATCH',
    path,
    body,
    type: 'application/merge-patch+json',
    ...ann,
  });
  return [
    ...granted(),
    create('role: held', `${own}/roles`, role('held', rule(['get', 'list'], ['pods']))),
    create('role: of a subresource', `${own}/roles`, role('sub', rule(['get'], ['pods/status']))),
    create(
      'role: not held',
      `${own}/roles`,
      role('more', rule(['get', 'watch'], ['pods', 'nodes']), rule(['delete'], ['pods'])),
    ),
    create(
      'role: named',
      `${own}/roles`,
      role('named', rule(['get'], ['secrets'], { resourceNames: ['mine'] })),
    ),
    create(
      'role: named otherwise',
      `${own}/roles`,
      role('names', rule(['get'], ['secrets'], { resourceNames: ['mine', 'x'] })),
    ),
    create('role: unnamed', `${own}/roles`, role('unnamed', rule(['get'], ['secrets']))),
    create(
      'role: everything',
      `${own}/roles`,
      role('all', rule(['*'], ['*'], { apiGroups: ['*'] })),
    ),
    create(
      'role: path',
      `${rbac}/clusterroles`,
      role('path', { nonResourceURLs: ['/healthz', '/metrics/a'], verbs: ['get'] }),
    ),
    create(
      'role: another path',
      `${rbac}/clusterroles`,
      role('paths', { nonResourceURLs: ['/logs', '/metrics'], verbs: ['get'] }),
    ),
    create('role: gathered', `${rbac}/clusterroles`, {
      metadata: { name: 'gathered' },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
    }),
    patch('role: labelled', `${rbac}/clusterroles/big`, { metadata: { labels: { a: 'b' } } }),
    patch('role: grown', `${own}/roles/held`, { rules: [rule(['get', 'delete'], ['pods'])] }),
    create('binding: held', `${own}/rolebindings`, binding('small', 'ClusterRole', 'small')),
    create('binding: not held', `${own}/rolebindings`, binding('big', 'ClusterRole', 'big')),
    create('binding: to nothing', `${own}/rolebindings`, binding('none', 'Role', 'none')),
    create(
      'binding: everywhere',
      `${rbac}/clusterrolebindings`,
      binding('big', 'ClusterRole', 'big'),
    ),
    patch('binding: labelled', `${rbac}/clusterrolebindings/writer`, {
      metadata: { labels: { a: 'b' } },
    }),
    create(
      'r: may bind',
      `${rbac}/clusterroles`,
      role(
        'binder',
        rule(['bind'], ['clusterroles'], { apiGroups: [group], resourceNames: ['big'] }),
      ),
      silent,
    ),
    create(
      'r: bound to bind',
      `${rbac}/clusterrolebindings`,
      {
        ...binding('binder', 'ClusterRole', 'binder'),
        subjects: [{ kind: 'User', apiGroup: group, name: 'ann' }],
      },
      silent,
    ),
    create('binding: by permission', `${own}/rolebindings`, binding('big', 'ClusterRole', 'big'), {
      ...ann,
      until: (status) => status === 201,
    }),
  ];
}
