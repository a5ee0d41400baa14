// Numbers as clients write them, in fields of built-in kinds: at the borders of int32 and int64, with points and
// exponents, through every kind of write and of patch.
import { below, get, place, post, quiet } from './step-makers.ts';
import type { Step } from './step-player.ts';

const SPACE = 'used-numbers';
const DRY = '?dryRun=All';

/** What no two readers of JSON agree on. */
const NUMBERS = [
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '99999999999999999999',
  '4294967297',
  '1.0',
  '1e2',
  '1E+2',
  '1.5',
  '1e-1',
  '1e400',
  '9007199254740993.0',
  '1e18',
  '1e19',
  '-0',
  '-0.0',
  '01',
] as const;

/** Enough to see which way they go. */
const FEW = ['9007199254740993', '9223372036854775808', '1.0', '1e2', '1.5', '1e400', '-0'];

interface Field {
  readonly scene: string;
  /** Of the collection. */
  readonly path: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly numbers: readonly string[];
  /** JSON of all but apiVersion and kind, around the number. */
  readonly whole: (number: string) => string;
  /** For patches: JSON of nothing but the number; by its key where it is in a list of elements with keys. */
  readonly part: (number: string) => string;
  readonly pointer: string;
  /** What is made first, when 5 is no good. */
  readonly first?: string;
  /** What has to be there before. */
  readonly before?: readonly Step[];
}

const container = '{"name":"c","image":"a","resources":{}}';
const template = `{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[${container}],"restartPolicy":"Never"}}`;
const named = (more: string): string => `"metadata":{"name":"x"},${more}`;

function* nested(keys: readonly string[], number: string): Generator<string> {
  for (const key of keys) yield `{"${key}":`;
  yield number;
  for (const _key of keys) yield '}';
}

/** A field that is below objects only. */
const plain = (keys: readonly string[]) => ({
  part: (number: string): string => [...nested(keys, number)].join(''),
  pointer: keys.map((key) => `/${key}`).join(''),
});

const core = below('v1', SPACE);
const batch = below('batch/v1', SPACE);
const apps = below('apps/v1', SPACE);

const fields: readonly Field[] = [
  {
    scene: 'int64',
    path: `${batch}/jobs`,
    apiVersion: 'batch/v1',
    kind: 'Job',
    numbers: NUMBERS,
    whole: (number) => named(`"spec":{"activeDeadlineSeconds":${number},"template":${template}}`),
    ...plain(['spec', 'activeDeadlineSeconds']),
  },
  {
    scene: 'int64 within a list',
    path: `${core}/pods`,
    apiVersion: 'v1',
    kind: 'Pod',
    numbers: FEW,
    whole: (number) =>
      named(
        `"spec":{"automountServiceAccountToken":false,"containers":[${container}],"tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":${number}}]}`,
      ),
    part: (number) =>
      `{"spec":{"tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":${number}}]}}`,
    pointer: '/spec/tolerations/0/tolerationSeconds',
  },
  {
    scene: 'list of int64',
    path: `${core}/pods`,
    apiVersion: 'v1',
    kind: 'Pod',
    numbers: FEW,
    whole: (number) =>
      named(
        `"spec":{"automountServiceAccountToken":false,"securityContext":{"supplementalGroups":[1,${number}]},"containers":[${container}]}`,
      ),
    ...plain(['spec', 'securityContext', 'supplementalGroups']),
  },
  {
    scene: 'int64 that is no pointer',
    path: `${apps}/controllerrevisions`,
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    numbers: NUMBERS,
    whole: (number) => named(`"revision":${number}`),
    ...plain(['revision']),
  },
  {
    scene: 'generation',
    path: `${core}/configmaps`,
    apiVersion: 'v1',
    kind: 'ConfigMap',
    numbers: FEW,
    whole: (number) => `"metadata":{"name":"x","generation":${number}}`,
    ...plain(['metadata', 'generation']),
  },
  {
    scene: 'int32',
    path: `${apps}/deployments`,
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    numbers: NUMBERS,
    whole: (number) =>
      named(
        `"spec":{"replicas":${number},"selector":{"matchLabels":{"a":"b"}},"template":${template.replace(',"restartPolicy":"Never"', '')}}`,
      ),
    ...plain(['spec', 'replicas']),
  },
  {
    scene: 'int32 that is a key',
    path: `${core}/services`,
    apiVersion: 'v1',
    kind: 'Service',
    numbers: FEW,
    whole: (number) => named(`"spec":{"clusterIP":"None","ports":[{"port":${number}}]}`),
    part: (number) => `{"spec":{"ports":[{"port":${number},"name":"b"}]}}`,
    pointer: '/spec/ports/0/port',
  },
  {
    scene: 'number or text',
    path: `${below('policy/v1', SPACE)}/poddisruptionbudgets`,
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    numbers: NUMBERS,
    whole: (number) => named(`"spec":{"minAvailable":${number},"selector":{}}`),
    ...plain(['spec', 'minAvailable']),
  },
  {
    scene: 'quantity',
    path: `${core}/resourcequotas`,
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    numbers: NUMBERS,
    whole: (number) => named(`"spec":{"hard":{"cpu":${number}}}`),
    ...plain(['spec', 'hard', 'cpu']),
  },
  {
    scene: 'raw',
    path: `${apps}/controllerrevisions`,
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    numbers: NUMBERS,
    whole: (number) => named(`"revision":1,"data":{"n":${number},"l":[${number}]}`),
    ...plain(['data', 'n']),
  },
  {
    scene: 'text',
    path: `${core}/configmaps`,
    apiVersion: 'v1',
    kind: 'ConfigMap',
    numbers: FEW,
    whole: (number) => named(`"data":{"a":${number}}`),
    first: '"5"',
    ...plain(['data', 'a']),
  },
  {
    scene: 'truth',
    path: `${core}/configmaps`,
    apiVersion: 'v1',
    kind: 'ConfigMap',
    numbers: FEW,
    whole: (number) => named(`"immutable":${number}`),
    first: 'false',
    ...plain(['immutable']),
  },
  {
    scene: 'unknown',
    path: `${core}/configmaps`,
    apiVersion: 'v1',
    kind: 'ConfigMap',
    numbers: FEW,
    whole: (number) => named(`"odd":${number}`),
    ...plain(['odd']),
  },
];

const content = (type: string): string => `application/${type}`;

const customs = below('numbers.example.com/v1', SPACE);
const definition: readonly Step[] = [
  quiet(
    post('definition', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      metadata: { name: 'customs.numbers.example.com' },
      spec: {
        group: 'numbers.example.com',
        scope: 'Namespaced',
        names: { plural: 'customs', singular: 'custom', kind: 'Custom', listKind: 'CustomList' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  whole: { type: 'integer' },
                  short: { type: 'integer', format: 'int32' },
                  any: { type: 'number' },
                  either: { 'x-kubernetes-int-or-string': true },
                  open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                },
              },
            },
          },
        ],
      },
    }),
  ),
  { ...quiet(get('definition served', `${customs}/customs`)), until: (status) => status === 200 },
];

const customFields = ['whole', 'short', 'any', 'either', 'open.a'].map((name): Field => {
  const keys = name.split('.');
  return {
    scene: `custom ${name}`,
    path: `${customs}/customs`,
    apiVersion: 'numbers.example.com/v1',
    kind: 'Custom',
    numbers: NUMBERS,
    whole: (number) => named([...nested(keys, number)].join('').slice(1, -1)),
    ...plain(keys),
    before: definition,
  };
});

function fieldSteps(field: Field): Step[] {
  const { path, apiVersion, kind } = field;
  const item = `${path}/x`;
  const head = `"apiVersion":"${apiVersion}","kind":"${kind}"`;
  const whole = (number: string): string => `{${head},${field.whole(number)}}`;
  /** No JSON, for what it begins with. */
  const block = (number: string): string => `# YAML\n${whole(number)}`;
  const sent = (name: string, method: string, at: string, type: string, body: string): Step => ({
    name,
    method,
    path: at,
    type: content(type),
    body,
  });
  const steps: Step[] = [
    ...place(SPACE),
    ...(field.before ?? []),
    { name: 'without', method: 'DELETE', path: item, isSilent: true },
    sent('made', 'POST', path, 'json', whole(field.first ?? '5')),
  ];
  for (const number of field.numbers) {
    const patch = field.part(number);
    const { pointer } = field;
    const to = (op: string): string => `[{"op":"${op}","path":"${pointer}","value":${number}}]`;
    const other = `${field.whole(number).replace('"x"', '"y"')}`;
    steps.push(
      sent(`create ${number}`, 'POST', path + DRY, 'json', `{${head},${other}}`),
      sent(`create by YAML ${number}`, 'POST', path + DRY, 'yaml', `{${head},${other}}`),
      sent(`update ${number}`, 'PUT', item + DRY, 'json', whole(number)),
      sent(`merge ${number}`, 'PATCH', item + DRY, 'merge-patch+json', patch),
      sent(`replace ${number}`, 'PATCH', item + DRY, 'json-patch+json', to('replace')),
      sent(`test ${number}`, 'PATCH', item + DRY, 'json-patch+json', to('test')),
      sent(
        `merge strategically ${number}`,
        'PATCH',
        item + DRY,
        'strategic-merge-patch+json',
        patch,
      ),
      sent(
        `apply ${number}`,
        'PATCH',
        `${item}${DRY}&fieldManager=a&force=true`,
        'apply-patch+yaml',
        whole(number),
      ),
      sent(
        `apply by YAML ${number}`,
        'PATCH',
        `${item}${DRY}&fieldManager=a&force=true`,
        'apply-patch+yaml',
        block(number),
      ),
    );
  }
  return steps;
}

export const numberScenes: Readonly<Record<string, () => readonly Step[]>> = Object.fromEntries(
  [...fields, ...customFields].map((field) => [`numbers: ${field.scene}`, () => fieldSteps(field)]),
);
