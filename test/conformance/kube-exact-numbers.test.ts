// Whole numbers of custom resources keep every digit, as they do in Go's int64: in JSON and YAML, through every kind
// of write, in rules and lists. Where the real server is, it is asked the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { parseExact } from '#kube/meta/exact-numbers.ts';
import { eventually } from '#test/support/cluster.ts';
import { type SendRaw, senderTo } from '#test/support/kube-sender.ts';
import { startNumberWorld, type NumberWorld } from '#test/support/number-world.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const home = '/apis/wide.example.com/v1/namespaces/default/wides';
const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const spec = {
  type: 'object',
  properties: {
    n: { type: 'integer' },
    short: { type: 'integer', format: 'int32' },
    even: { type: 'integer', multipleOf: 2 },
    bounded: { type: 'integer', minimum: 10, maximum: 9007199254740990 },
    f: { type: 'number' },
    set: { type: 'array', items: { type: 'integer' }, 'x-kubernetes-list-type': 'set' },
    any: open,
  },
  'x-kubernetes-validations': [
    { rule: '!has(self.n) || self.n != 9007199254740995', message: 'not this one' },
    { rule: '!has(self.f) || self.f < 1e18', message: 'too large' },
  ],
};
const definition = JSON.stringify({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'wides.wide.example.com' },
  spec: {
    group: 'wide.example.com',
    scope: 'Namespaced',
    names: { plural: 'wides', singular: 'wide', kind: 'Wide', listKind: 'WideList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
        additionalPrinterColumns: [{ name: 'N', type: 'integer', jsonPath: '.spec.n' }],
      },
    ],
  },
});

const json = { 'content-type': 'application/json' };
const type = (of: string) => ({ 'content-type': `application/${of}` });
const head = '"apiVersion":"wide.example.com/v1","kind":"Wide"';
const made = (name: string, fields: string): readonly unknown[] => [
  'POST',
  home,
  json,
  `{${head},"metadata":{"name":"${name}"},"spec":{${fields}}}`,
];

/** Method, path, headers, body. */
const REQUESTS = [
  made('a', '"n":9007199254740993'),
  made('b', '"n":9223372036854775807'),
  made('c', '"n":-9223372036854775808'),
  made('d', '"n":9223372036854775808'),
  made('e', '"f":9007199254740993'),
  made('f', '"any":{"x":1234567890123456789,"l":[9007199254740993,1e2,1.5]}'),
  made('g', '"n":9007199254740995'),
  made('h', '"short":9007199254740993'),
  made('i', '"even":9007199254740993'),
  made('j', '"even":9007199254740994'),
  made('k', '"bounded":9007199254740993'),
  made('l', '"f":9223372036854775807'),
  made('m', '"set":[9007199254740993,9007199254740992]'),
  made('o', '"set":[9007199254740993,9007199254740993]'),
  ['GET', `${home}/a`, {}, undefined],
  ['GET', `${home}/a?pretty=true`, {}, undefined],
  ['GET', `${home}/a`, { accept: 'application/yaml' }, undefined],
  ['GET', `${home}/f`, { accept: 'application/yaml' }, undefined],
  ['GET', home, {}, undefined],
  ['GET', `${home}?pretty=true`, {}, undefined],
  ['GET', home, { accept: 'application/yaml' }, undefined],
  ['GET', home, { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' }, undefined],
  ['PATCH', `${home}/a`, type('merge-patch+json'), '{"spec":{"n":9007199254740997}}'],
  [
    'PATCH',
    `${home}/a`,
    type('json-patch+json'),
    '[{"op":"test","path":"/spec/n","value":9007199254740997},{"op":"replace","path":"/spec/n","value":9007199254740999}]',
  ],
  [
    'PATCH',
    `${home}/a`,
    type('json-patch+json'),
    '[{"op":"test","path":"/spec/n","value":9007199254740998}]',
  ],
  // Upstream takes large numbers of a set for fractions when it asks who owns them: not copied.
  [
    'PATCH',
    `${home}/p?fieldManager=one`,
    type('apply-patch+yaml'),
    'apiVersion: wide.example.com/v1\nkind: Wide\nmetadata: {name: p}\nspec: {"n": 9007199254741001, set: [1]}\n',
  ],
  [
    'PATCH',
    `${home}/p?fieldManager=two`,
    type('apply-patch+yaml'),
    'apiVersion: wide.example.com/v1\nkind: Wide\nmetadata: {name: p}\nspec: {set: [2]}\n',
  ],
  [
    'PATCH',
    `${home}/p?fieldManager=two`,
    type('apply-patch+yaml'),
    'apiVersion: wide.example.com/v1\nkind: Wide\nmetadata: {name: p}\nspec: {"n": 9007199254741000}\n',
  ],
  [
    'PUT',
    `${home}/b`,
    type('yaml'),
    'apiVersion: wide.example.com/v1\nkind: Wide\nmetadata: {name: b}\nspec: {any: {x: -9007199254740993, y: +9007199254740993}}\n',
  ],
  ['GET', `${home}/b`, {}, undefined],
  [
    'PATCH',
    `${home}/q?fieldManager=x`,
    type('apply-patch+yaml'),
    'apiVersion: wide.example.com/v1\nkind: Wide\nspec: {any: {}}\n',
  ],
  [
    'PATCH',
    `/api/v1/namespaces/default/configmaps/q?fieldManager=x`,
    type('apply-patch+yaml'),
    'apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n',
  ],
  [
    'PATCH',
    `/api/v1/namespaces/default/configmaps/q?fieldManager=x`,
    type('apply-patch+yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n',
  ],
  [
    'PATCH',
    `/api/v1/namespaces/default/configmaps/q?fieldManager=x`,
    type('apply-patch+yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: q}\ndata: {a: b}\n',
  ],
  [
    'PATCH',
    `/api/v1/namespaces/default/configmaps/q?fieldManager=x`,
    type('apply-patch+yaml'),
    'apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n',
  ],
] as const;

// Descriptions are upstream's sentences.
const DRAWN = new Set(['description', 'uid', 'resourceVersion', 'creationTimestamp', 'time']);

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => !DRAWN.has(key));
  return Object.fromEntries(
    entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, sorted(one)]),
  );
}

/** Without what is drawn and what time it is, in one order. */
function comparable(text: string): string {
  if (text.startsWith('{')) return JSON.stringify(sorted(parseExact(text)));
  // Whether a point as a key is quoted is a writer's taste.
  return text
    .replaceAll(/(uid|resourceVersion|creationTimestamp|time): .*/g, '$1')
    .replaceAll('".":', '.:')
    .trim();
}

async function answersOf(send: SendRaw): Promise<readonly string[]> {
  const created = await send({
    method: 'POST',
    path: definitions,
    headers: json,
    body: definition,
  });
  assert.equal(created.status, 201, created.bytes.toString());
  await eventually('the definition is served', async () =>
    (await send({ method: 'GET', path: home })).status === 200 ? true : undefined,
  );
  const answers: string[] = [];
  for (const [method, path, headers, body] of REQUESTS) {
    const { status, bytes } = await send({ method, path, headers, body } as Parameters<SendRaw>[0]);
    answers.push(`${status} ${comparable(bytes.toString())}`);
  }
  return answers;
}

let own: readonly string[] = [];
test('whole numbers keep their digits', async () => {
  const server = await startOwnServer();
  try {
    own = await answersOf(senderTo(server.target));
  } finally {
    await server.close();
  }
  const at = (index: number): string => own[index] ?? '';
  assert.match(at(0), /^201 .*"n":9007199254740993[,}]/);
  assert.match(at(1), /^201 .*"n":9223372036854775807[,}]/);
  assert.match(at(2), /^201 .*"n":-9223372036854775808[,}]/);
  assert.match(at(5), /^201 .*"l":\[9007199254740993,/);
  assert.match(at(16), /"n": 9007199254740993\b/);
  assert.match(at(22), /^200 .*"n":9007199254740997[,}]/);
  assert.match(at(23), /^200 .*"n":9007199254740999[,}]/);
});

test('as a real server keeps them', { skip: skipWithout(['kube-apiserver', 'etcd']) }, async () => {
  const server = await startRealServer(realProgram('.'), {});
  try {
    const real = await answersOf(senderTo(server.target));
    const wrong: string[] = [];
    for (const [index, [method, path, , body]] of REQUESTS.entries()) {
      if (own[index] !== real[index])
        wrong.push(
          `${index} ${String(method)} ${String(path)} ${String(body)}\n  own ${own[index]}\n  real ${real[index]}`,
        );
    }
    assert.deepEqual(wrong, []);
  } finally {
    await server.close();
  }
});

async function toldBy(start: (flags: NumberWorld['flags']) => Promise<Told>): Promise<unknown> {
  const world = await startNumberWorld();
  try {
    const server = await start(world.flags);
    const told = await world.play(server.target).finally(async () => await server.close());
    return JSON.parse(JSON.stringify(told)) as unknown;
  } finally {
    await world.close();
  }
}

interface Told {
  readonly target: Parameters<NumberWorld['play']>[0];
  close(): Promise<void>;
}

const toldByOwn = toldBy(async (flags) => {
  const entries = Object.entries(flags).map(([name, value]) => [flagKey(name), value] as const);
  return await startOwnServer({ flags: Object.fromEntries(entries) });
});

test('webhooks and the audit log are told every digit', async () => {
  const text = JSON.stringify(await toldByOwn);
  assert.match(text, /\/judging CREATE x [^"]*startingDeadlineSeconds 9007199254741001/);
  assert.match(text, /"patch [^"]*startingDeadlineSeconds 9007199254740995/);
});

test('as by a real server', { skip: skipWithout(['kube-apiserver', 'etcd']) }, async () => {
  const real = await toldBy(async (flags) => await startRealServer(realProgram('.'), flags));
  assert.deepEqual(await toldByOwn, real);
});
