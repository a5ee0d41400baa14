// Requests about certificates: who asks for what, who approves and who signs; bundles of trust; certificates
// of pods.
import { authority, ofAlice, ofMasters, ofNode, ofServing } from './signing-requests.ts';
import { create, silent, type Json } from './step-parts.ts';
import type { Step } from './step-player.ts';

const group = '/apis/certificates.k8s.io/v1';
const path = `${group}/certificatesigningrequests`;

const client = 'kubernetes.io/kube-apiserver-client';
const usages = ['digital signature', 'key encipherment', 'client auth'];
const spec = { request: ofAlice, signerName: client, usages };

const as = (user: string, ...groups: string[]) => ({
  headers: { 'impersonate-user': user, 'impersonate-group': groups },
});

const ask = (name: string, more: Json, extra: Partial<Step> = as('root', 'system:masters')): Step =>
  create(
    `csr: ${name}`,
    path,
    { metadata: { name: name.replaceAll(' ', '-') }, spec: { ...spec, ...more } },
    extra,
  );

const change = (
  name: string,
  of: string,
  subresource: string,
  status: Json,
  extra: Partial<Step> = {},
): Step => ({
  name: `csr: ${name}`,
  method: 'PATCH',
  path: `${path}/${of}${subresource}`,
  type: 'application/merge-patch+json',
  body: { status },
  ...extra,
});

const condition = (type: string, more: Json = {}): Json => ({
  type,
  status: 'True',
  reason: 'Because',
  message: 'm',
  ...more,
});

function requests(): Step[] {
  return [
    ask('plain', {}),
    ask('lives short', { expirationSeconds: 600 }),
    ask('lives too short', { expirationSeconds: 599 }),
    ask('no request', { request: '' }),
    ask('no csr', { request: Buffer.from('x').toString('base64') }),
    ask('no usages', { usages: [] }),
    ask('unknown usage', { usages: ['fly'] }),
    ask('usage twice', { usages: ['client auth', 'client auth'] }),
    ask('legacy', { signerName: 'kubernetes.io/legacy-unknown' }),
    ask('no signer', { signerName: '' }),
    ask('bad signer', { signerName: 'acme' }),
    ask('odd signer', { signerName: 'a.test/B_*' }),
    ask('own signer', { signerName: 'a.test/b' }),
    ask('of masters', { request: ofMasters }),
    ask('of masters elsewhere', { request: ofMasters, signerName: 'a.test/b' }),
    ask(
      'says who',
      { username: 'me', uid: '1', groups: ['a'], extra: { a: ['b'] } },
      as('tom', 'dev'),
    ),
    ask(
      'of a node',
      { request: ofNode, signerName: 'kubernetes.io/kube-apiserver-client-kubelet' },
      as('system:node:n1', 'system:nodes'),
    ),
    ask(
      'of another node',
      { request: ofNode, signerName: 'kubernetes.io/kube-apiserver-client-kubelet' },
      as('system:node:n2', 'system:nodes'),
    ),
    ask(
      'serving of a node',
      {
        request: ofServing,
        signerName: 'kubernetes.io/kubelet-serving',
        usages: ['digital signature', 'key encipherment', 'server auth'],
      },
      as('system:node:n1', 'system:nodes'),
    ),
    {
      name: 'csr: by signer',
      method: 'GET',
      path: `${path}?fieldSelector=spec.signerName%3Da.test%2Fb`,
    },
    { name: 'csr: approval read', method: 'GET', path: `${path}/plain/approval` },
  ];
}

function deciding(): Step[] {
  const certificate = Buffer.from(authority).toString('base64');
  return [
    change('status approves', 'plain', '/status', { conditions: [condition('Approved')] }),
    change('whole approves', 'plain', '', { conditions: [condition('Approved')] }),
    change('approval fails', 'own-signer', '/approval', { conditions: [condition('Failed')] }),
    change('approval falsely', 'plain', '/approval', {
      conditions: [condition('Approved', { status: 'False' })],
    }),
    change('approval without type', 'plain', '/approval', { conditions: [condition('')] }),
    change('approved and denied', 'plain', '/approval', {
      conditions: [condition('Approved'), condition('Denied')],
    }),
    change('approved', 'plain', '/approval', { conditions: [condition('Approved')], certificate }),
    change('approved twice', 'plain', '/approval', {
      conditions: [condition('Approved'), condition('Approved')],
    }),
    change('approval taken away', 'plain', '/approval', { conditions: [] }),
    change('denied after', 'plain', '/approval', {
      conditions: [condition('Approved'), condition('Denied')],
    }),
    change('denied', 'lives-short', '/approval', { conditions: [condition('Denied')] }),
    change('signed badly', 'plain', '/status', {
      certificate: Buffer.from('x').toString('base64'),
    }),
    change('signed with a key', 'plain', '/status', {
      certificate: Buffer.from('-----BEGIN EC KEY-----\nAAAA\n-----END EC KEY-----\n').toString(
        'base64',
      ),
    }),
    change('signed', 'plain', '/status', { certificate }),
    change('signed again', 'plain', '/status', {
      certificate: Buffer.from(`${authority}${authority}`).toString('base64'),
    }),
    change('failed', 'own-signer', '/status', { conditions: [condition('Failed')] }),
    change('own condition', 'of-a-node', '/approval', { conditions: [condition('Mine')] }),
  ];
}

function permitted(): Step[] {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const certificates = 'certificates.k8s.io';
  const rule = (verbs: string[], resources: string[], more: Json = {}): Json => ({
    verbs,
    resources,
    apiGroups: [certificates],
    ...more,
  });
  return [
    create(
      'csr: role',
      `${rbac}/clusterroles`,
      {
        metadata: { name: 'approver' },
        rules: [
          rule(
            ['get', 'update', 'patch', 'create'],
            [
              'certificatesigningrequests',
              'certificatesigningrequests/approval',
              'certificatesigningrequests/status',
              'clustertrustbundles',
            ],
          ),
          rule(['approve', 'sign', 'attest'], ['signers'], { resourceNames: ['a.test/*'] }),
        ],
      },
      silent,
    ),
    create(
      'csr: binding',
      `${rbac}/clusterrolebindings`,
      {
        metadata: { name: 'approver' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'approver' },
        subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ann' }],
      },
      silent,
    ),
    {
      name: 'csr: bound',
      method: 'GET',
      path: `${path}/own-signer`,
      ...as('ann'),
      isSilent: true,
      until: (status) => status === 200,
    },
    change(
      'approved by permission',
      'of-masters-elsewhere',
      '/approval',
      { conditions: [condition('Approved')] },
      as('ann'),
    ),
    change(
      'approved without permission',
      'of-a-node',
      '/approval',
      { conditions: [condition('Approved')] },
      as('ann'),
    ),
    change(
      'signed by permission',
      'of-masters-elsewhere',
      '/status',
      { certificate: Buffer.from(authority).toString('base64') },
      as('ann'),
    ),
    change(
      'signed without permission',
      'plain',
      '/status',
      { certificate: Buffer.from(`${authority}${authority}`).toString('base64') },
      as('ann'),
    ),
  ];
}

function bundles(): Step[] {
  const where = `${group}/clustertrustbundles`;
  const bundle = (name: string, what: string, more: Json, extra: Partial<Step> = {}): Step =>
    create(
      `bundle: ${name}`,
      where,
      { metadata: { name: what }, spec: { trustBundle: authority, ...more } },
      extra,
    );
  const put = (name: string, what: string, more: Json): Step => ({
    name: `bundle: ${name}`,
    method: 'PATCH',
    path: `${where}/${what}`,
    type: 'application/merge-patch+json',
    body: { spec: more },
  });
  return [
    bundle('unsigned', 'free', {}),
    bundle('unsigned with colon', 'a:b', {}),
    bundle('signed', 'a.test:b:one', { signerName: 'a.test/b' }),
    bundle('badly named', 'one', { signerName: 'a.test/b' }),
    bundle('bad signer', 'x:y:z', { signerName: 'x' }),
    bundle('empty', 'empty', { trustBundle: '' }),
    bundle('no certificate', 'none', { trustBundle: 'x' }),
    bundle('twice', 'twice', { trustBundle: `${authority}${authority}` }),
    bundle('attested', 'a.test:b:two', { signerName: 'a.test/b' }, as('ann')),
    bundle('not attested', 'c.test:b:two', { signerName: 'c.test/b' }, as('ann')),
    put('other signer', 'a.test:b:one', { signerName: 'a.test/c' }),
    put('other trust', 'free', { trustBundle: 'x' }),
    {
      name: 'bundle: by signer',
      method: 'GET',
      path: `${where}?fieldSelector=spec.signerName%3Da.test%2Fb`,
    },
    { name: 'bundle: deleted', method: 'DELETE', path: `${where}/free` },
  ];
}

export function certificateSteps(): Step[] {
  return [...requests(), ...deciding(), ...permitted(), ...bundles()];
}
