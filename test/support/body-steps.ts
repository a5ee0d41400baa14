// Bodies as nobody should write them: nulls, forms of YAML, spellings of quantities, numbers and characters at the
// border of what can be read.
import type { Step } from './step-player.ts';

type Json = Readonly<Record<string, unknown>>;

const HOME = '/api/v1/namespaces/bodies';
const yaml = { type: 'application/yaml' };

const made = (name: string, path: string, body: unknown, more: Partial<Step> = {}): Step => ({
  name,
  method: 'POST',
  path: `${path}?dryRun=All`,
  body,
  ...more,
});

const map = (name: string, body: unknown, more: Partial<Step> = {}): Step =>
  made(name, `${HOME}/configmaps`, body, more);

const metadata = { name: 'a' };
const container = { name: 'c', image: 'a' };

const pod = (name: string, spec: Json, more: Json = {}): Step =>
  made(name, `${HOME}/pods`, {
    metadata: { ...metadata, ...more },
    spec: { automountServiceAccountToken: false, containers: [container], ...spec },
  });

const service = (name: string, ports: unknown): Step =>
  made(name, `${HOME}/services`, { metadata, spec: { selector: { a: null }, ports } });

const TOO_LONG = 'x'.repeat(70);

const nulls: readonly Step[] = [
  map('null in metadata', {
    metadata: {
      name: 'a',
      labels: null,
      annotations: { a: null },
      finalizers: [null],
      ownerReferences: [null],
    },
  }),
  map('null in data', { metadata: { name: 'a', labels: { b: null } }, data: { a: null, b: 'c' } }),
  made('null in a secret', `${HOME}/secrets`, {
    metadata,
    data: { a: null, b: 'YQ==' },
    stringData: { c: null },
  }),
  pod('null in a container', {
    containers: [
      {
        ...container,
        resources: { limits: { cpu: null, memory: '1Gi' } },
        args: [null, 'a'],
        env: [null, { name: 'A', value: null }],
        ports: [null],
      },
    ],
  }),
  pod('null as a container', { containers: [null, container] }),
  pod('null in a pod', {
    nodeSelector: { a: null },
    tolerations: [null],
    priority: null,
    hostNetwork: null,
    overhead: { cpu: null },
  }),
  made('null in a deployment', '/apis/apps/v1/namespaces/bodies/deployments', {
    metadata,
    spec: {
      replicas: null,
      strategy: null,
      selector: { matchLabels: { a: null } },
      template: { metadata: { labels: { a: null } }, spec: { containers: [container] } },
    },
  }),
  made('null in a role', '/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata,
    rules: [null, { verbs: [null], apiGroups: [null, ''], resources: ['a'] }],
  }),
  service('null in a service', [{ port: 1, targetPort: null, nodePort: null }]),
  map('the same fault twice', { metadata: { name: 'a', labels: { a: TOO_LONG, b: TOO_LONG } } }),
];

const numbers: readonly Step[] = [
  service('a number that is none of its kind', [{ port: 1.5, targetPort: 2.5 }]),
  service('numbers that are too big', [{ port: 99_999_999_999, targetPort: 99_999_999_999 }]),
  pod('a number beyond 64 bits', { activeDeadlineSeconds: 1e20 }),
  pod('a time of another type after a wrong number', { priority: 'x' }, { creationTimestamp: 5 }),
  map('half a character', '{"metadata":{"name":"a"},"data":{"a":"\\ud800","b":"\\udc00x"}}'),
  map('keys in other letters', '{"metadata":{"name":"a"},"Data":{"a":"x"},"METADATA":{}}'),
];

const documents: Readonly<Record<string, string>> = {
  'two documents': 'metadata: {name: a}\ndata: {a: 2001-01-01}\n---\nmetadata: {name: b}',
  'anchors and merged keys': 'x: &a {name: a}\nmetadata: *a\ndata: {<<: {a: b}, c: d}',
  tags: 'metadata: {name: a}\ndata: {c: !!str 5, d: !!binary aGk=}',
  'keys that are no texts': 'metadata: {name: a}\ndata: {1: "x", true: "y", 1.5: "f", 0x10: "h"}',
  'a number as a text': 'metadata: {name: a}\ndata: {a: 1}',
};

const SCALARS =
  `yes no on off y n True TRUE null ~ 0777 0778 0o17 0x1F 0b11 1_000 1:30 12e03 2001-01-01 ` +
  `2001-01-01T00:00:00Z +1 1. .5 1e3 'a' = << -9223372036854775808 !!int@"3"`;

const scalars = SCALARS.split(' ').map((scalar) => scalar.replace('@', ' '));

const QUANTITIES =
  '5. +2 007 1.500 0.500 1e3 1E3 1e+3 1000e-3 -0 +0 0.0 00 1Ki 8Ki 9Ki 1023Ki 1024Ki 1025Ki 16Mi 17Mi 1.0Gi ' +
  '-1Gi 1n 1001n 0.0000000001 1000u 1500u 123456789012345678 12345678901234567890 9223372036854775808 1Ei 8Ei ' +
  '100E 1e18 1e19 1e65 1.1e2 100000k 1001k .5 . + 1e 1e- 1Ee3 0x10 1_000 1,000 1.2.3 --1 1Zi NaN 1m1 1e-20 0e100';

const quota = (text: string): Step =>
  made(`quantity ${JSON.stringify(text)}`, `${HOME}/resourcequotas`, {
    metadata,
    spec: { hard: { 'requests.cpu': text } },
  });

export const bodySteps = (): readonly Step[] => [
  {
    name: 'a place',
    method: 'POST',
    path: '/api/v1/namespaces',
    body: { metadata: { name: 'bodies' } },
  },
  made(
    'an account',
    `${HOME}/serviceaccounts`,
    { metadata: { name: 'default' } },
    {
      path: `${HOME}/serviceaccounts`,
    },
  ),
  ...nulls,
  ...numbers,
  ...Object.entries(documents).map(([name, text]) => map(name, text, yaml)),
  ...scalars.map((scalar) =>
    made(
      `YAML ${scalar}`,
      '/apis/apps/v1/namespaces/bodies/controllerrevisions',
      `metadata: {name: a}\nrevision: 1\ndata:\n  a: ${scalar}\n`,
      yaml,
    ),
  ),
  ...[...QUANTITIES.split(' '), ' 1', '1 '].map(quota),
  { name: 'a name with a slash', method: 'GET', path: `${HOME}/pods/a%2Fb` },
  { name: 'a name with a percent sign', method: 'GET', path: `${HOME}/pods/a%25b` },
  map('owners twice', {
    metadata: {
      name: 'a',
      ownerReferences: ['u', 'v', 'u'].map((uid) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        name: uid,
        uid,
      })),
    },
  }),
];
