// What is fuzzed: every decoder of the API server, by the requests that reach it. An internal error, an
// exception, a wait of seconds is a finding; any other answer is right enough here.
import { compile, baseEnvironment } from '#kube/cel/program.ts';
import { DYN } from '#kube/cel/types.ts';
import { dynValue } from '#kube/cel/values.ts';
import { encodeEnvelope } from '#kube/types/protobuf.ts';
import type { InProcessApi } from '#test/support/in-process-api.ts';

type Json = Record<string, unknown>;

export interface Target {
  readonly name: string;
  readonly seeds: readonly Buffer[];
  readonly words: readonly string[];
  /** Why the input is a finding; undefined when it is none. */
  run(input: Buffer): Promise<string | undefined>;
}

const pod: Json = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'seed', namespace: 'default', labels: { a: 'b' }, annotations: { c: 'd' } },
  spec: {
    containers: [
      {
        name: 'main',
        image: 'host',
        command: ['sh', '-c', 'true'],
        env: [{ name: 'A', value: '1' }],
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        resources: { requests: { cpu: '100m', memory: '1Gi' } },
        livenessProbe: { httpGet: { path: '/', port: 'web' }, periodSeconds: 3 },
      },
    ],
    volumes: [{ name: 'v', emptyDir: {} }],
    tolerations: [{ key: 'x', operator: 'Exists', tolerationSeconds: 5 }],
  },
};

const yaml = `apiVersion: v1
kind: ConfigMap
metadata:
  name: seed
  labels: {a: "b", c: 'd'}
data: &data
  text: |
    several
    lines
  folded: >-
    one
  number: "1"
binaryData: {x: !!binary aGVsbG8=}
immutable: false
`;

const patches: readonly string[] = [
  JSON.stringify([
    { op: 'add', path: '/metadata/labels/x', value: 'y' },
    { op: 'test', path: '/metadata/labels/a', value: 'b' },
    { op: 'move', from: '/metadata/labels/x', path: '/metadata/annotations/x' },
    { op: 'replace', path: '/spec/containers/0/image', value: 'i' },
  ]),
  JSON.stringify({ metadata: { labels: { a: null } }, spec: { tolerations: [{ key: 'z' }] } }),
  JSON.stringify({
    spec: {
      $setElementOrder: { containers: [{ name: 'main' }] },
      containers: [{ name: 'main', $patch: 'merge', env: [{ name: 'A', $patch: 'delete' }] }],
    },
  }),
  JSON.stringify({ ...pod, metadata: { name: 'live', labels: { own: 'yes' } } }),
];
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

const selectors: readonly string[] = [
  'a=b,c!=d',
  'a in (b,c),!d,e',
  'x/y notin (z)',
  'a>1,b<2',
  'metadata.name=a,spec.nodeName!=b,status.phase=Running',
];

const expressions: readonly string[] = [
  'self.spec.replicas > 1 && self.metadata.name.startsWith("a")',
  'self.list.all(x, x.size() < 10) || self.map.exists(k, k == "a")',
  'duration("1h").getHours() == 1 ? quantity("1Gi").isGreaterThan(quantity("1Mi")) : true',
  '[1, 2, 3].map(x, x * 2).filter(y, y > 2) == [4, 6]',
  'self.text.matches("^[a-z]+$") && url("https://a/b?c=d").getHost() == "a"',
  'ip("10.0.0.1").family() == 4 && cidr("10.0.0.0/8").containsIP("10.1.1.1")',
  "optional.of(1).orValue(2) == 1 && 'x' in {'x': 1}",
  'self.list.sortBy(x, -x)[0] == self.list.max()',
];

const definition = (text: string): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'fuzzes.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'fuzzes', singular: 'fuzz', kind: 'Fuzz' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: text }],
        selectableFields: [{ jsonPath: text }],
        subresources: {
          scale: { specReplicasPath: text, statusReplicasPath: text, labelSelectorPath: text },
        },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { a: { type: 'string' }, b: { type: 'integer' } },
                'x-kubernetes-validations': [{ rule: 'true', fieldPath: text }],
              },
            },
          },
        },
      },
    ],
  },
});

const fieldPaths: readonly string[] = [
  '.spec.a',
  ".spec['a']",
  '.spec.b',
  '.status.x[0].y',
  '.metadata.name',
];

export function targets(api: InProcessApi): readonly Target[] {
  const ask = async (
    method: 'GET' | 'PATCH' | 'POST',
    path: string,
    body?: { readonly bytes: Buffer; readonly type: string },
  ): Promise<string | undefined> => {
    const sent =
      body === undefined ? {} : { body: body.bytes as unknown as string, contentType: body.type };
    const { status, text } = await api.transport.send({ method, path, ...sent });
    // Upstream answers some patches with 500 as well; those have no reason.
    const isOurs = status >= 500 && text.includes('"InternalError"');
    return isOurs ? `${status}: ${text.slice(0, 300)}` : undefined;
  };
  const pods = '/api/v1/namespaces/default/pods?dryRun=All';
  const buffers = (texts: readonly string[]): Buffer[] => texts.map((one) => Buffer.from(one));
  const post =
    (path: string, type: string) =>
    async (bytes: Buffer): Promise<string | undefined> =>
      await ask('POST', path, { bytes, type });
  const json = [JSON.stringify(pod), JSON.stringify(pod, null, 2)];
  const jsonWords = [...json[0]!.matchAll(/"\w+":?|[[\]{}:,]/g)].map(([word]) => word);
  return [
    { name: 'json', seeds: buffers(json), words: jsonWords, run: post(pods, 'application/json') },
    {
      name: 'yaml',
      seeds: buffers([yaml, JSON.stringify(pod)]),
      words: ['- ', ': ', '\n', '&a', '*a', '!!str', '|', '>', '{', '[', '#', '? ', '"', "'", '  '],
      run: post('/api/v1/namespaces/default/configmaps?dryRun=All', 'application/yaml'),
    },
    {
      name: 'protobuf',
      seeds: [Buffer.from(encodeEnvelope(pod) ?? [])],
      words: ['k8s\u0000', '\u0080\u0080\u0080\u0080\u0008', '\n\u007f', '\u0012\u0000'],
      run: post(pods, 'application/vnd.kubernetes.protobuf'),
    },
    {
      name: 'patches',
      seeds: buffers(patches),
      words: [...jsonWords, '"op":"copy"', '"path":"/spec/containers/-"', '"$patch":"replace"'],
      async run(bytes) {
        const path = '/api/v1/namespaces/default/pods/live?dryRun=All&fieldManager=fuzz&force=true';
        for (const [i, type] of patchTypes.entries()) {
          const isForced = i === patchTypes.length - 1;
          const found = await ask('PATCH', isForced ? path : path.replace('&force=true', ''), {
            bytes,
            type,
          });
          if (found !== undefined) return `${type}: ${found}`;
        }
        return undefined;
      },
    },
    {
      name: 'selectors',
      seeds: buffers(selectors),
      words: [' in ', ' notin ', '(', ')', ',', '=', '==', '!=', '!', '>', '<', 'a', 'x/y', '.'],
      async run(bytes) {
        const text = encodeURIComponent(toWellFormed(bytes));
        for (const name of ['labelSelector', 'fieldSelector']) {
          const found = await ask('GET', `/api/v1/pods?${name}=${text}`);
          if (found !== undefined) return `${name}: ${found}`;
        }
        return undefined;
      },
    },
    { name: 'cel', seeds: buffers(expressions), words: celWords, run: runExpression },
    {
      name: 'fieldpaths',
      seeds: buffers(fieldPaths),
      words: ['.', '[', ']', "'", '"', '\\', '*', '.spec', '[0]', "['a']", '..', '@'],
      async run(bytes) {
        const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All';
        const text = JSON.stringify(definition(toWellFormed(bytes)));
        return await ask('POST', path, { bytes: Buffer.from(text), type: 'application/json' });
      },
    },
  ];
}

/** An address is of whole characters. */
const toWellFormed = (bytes: Buffer): string => bytes.toString().toWellFormed();

const celWords: readonly string[] = [
  'self',
  '.all(x, ',
  '.map(x, ',
  '.exists_one(i, ',
  ' && ',
  ' || ',
  ' ? ',
  ' : ',
  '!',
  '-',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '1u',
  '1.5e300',
  "b'a'",
  'r"\\d"',
  '"""',
  'has(',
  'dyn(',
  'int(',
  'timestamp("2026-01-01T00:00:00Z")',
  '.matches("(a+)+$")',
  '.size()',
  '9223372036854775807',
  ' % ',
  ' in ',
];

const environment = baseEnvironment().clone();
environment.variable('self', DYN);
const self = dynValue({
  spec: { replicas: 3 },
  metadata: { name: 'abc' },
  list: [3, 1, 2],
  map: { a: 1 },
  text: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!',
});
const faulty = new Set(['TypeError', 'ReferenceError', 'SyntaxError', 'InternalError']);

async function runExpression(bytes: Buffer): Promise<string | undefined> {
  try {
    compile(environment, bytes.toString()).run({ self }, 1_000_000);
  } catch (error) {
    const { name, message, stack = '' } = error as Error;
    const isOverflow = error instanceof RangeError && /call stack/.test(message);
    if (faulty.has(name) || isOverflow) return `${name}: ${message}\n${stack.slice(0, 600)}`;
  }
  return undefined;
}
