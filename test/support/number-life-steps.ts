// Large whole numbers in the life of objects: stored and read in every form, patched, watched, judged by policies, and
// in every field of 64 bits that built-in kinds have.
import { encodeEnvelope } from '#kube/types/protobuf.ts';
import { below, get, place, post, quiet, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

const SPACE = 'numbers-live';
const DRY = '?dryRun=All';
/** The first that JavaScript's numbers cannot tell from its neighbour, and the last of int64. */
const ODD = 9_007_199_254_740_993n;
const LAST = 9_223_372_036_854_775_807n;

const protobuf = 'application/vnd.kubernetes.protobuf';
const table = 'application/json;as=Table;g=meta.k8s.io;v=v1';
const metadataOnly = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

const core = below('v1', SPACE);
const batch = below('batch/v1', SPACE);
const apps = below('apps/v1', SPACE);

const patch = (name: string, path: string, type: string, body: string): Step => ({
  name,
  method: 'PATCH',
  path,
  type: `application/${type}`,
  body,
});
const merge = (name: string, path: string, body: string): Step =>
  patch(name, path, 'merge-patch+json', body);
const strategic = (name: string, path: string, body: string): Step =>
  patch(name, path, 'strategic-merge-patch+json', body);
const jsonPatch = (name: string, path: string, body: string): Step =>
  patch(name, path, 'json-patch+json', body);
const apply = (name: string, path: string, body: string): Step =>
  patch(name, path, 'apply-patch+yaml', body);
const accepting = (name: string, path: string, accept: string): Step => ({
  ...get(name, path),
  headers: { accept },
});
const inProtobuf = (name: string, method: string, path: string, object: Json): Step => ({
  name,
  method,
  path,
  type: protobuf,
  body: encodeEnvelope(object),
});

const template: Json = {
  metadata: { labels: { a: 'b' } },
  spec: { containers: [{ name: 'c', image: 'a' }], restartPolicy: 'Never' },
};
const cronJob = (name: string, startingDeadlineSeconds: unknown): Json => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name },
  spec: { schedule: '0 0 1 1 *', startingDeadlineSeconds, jobTemplate: { spec: { template } } },
});

/** In every form in which it can be asked for. */
const read = (when: string, all: string, name: string): Step[] => {
  const one = `${all}/${name}`;
  const only = `fieldSelector=metadata.name%3D${name}`;
  return [
    get(`get ${when}`, one),
    get(`get pretty ${when}`, `${one}?pretty=true`),
    accepting(`get as YAML ${when}`, one, 'application/yaml'),
    accepting(`get as protobuf ${when}`, one, protobuf),
    accepting(`get as table ${when}`, one, table),
    accepting(`get metadata ${when}`, one, metadataOnly),
    get(`list ${when}`, `${all}?${only}`),
    accepting(`list as YAML ${when}`, `${all}?${only}`, 'application/yaml'),
    accepting(`list as protobuf ${when}`, `${all}?${only}`, protobuf),
    accepting(`list as table ${when}`, `${all}?${only}`, table),
    get(`watch ${when}`, `${all}?watch=true&timeoutSeconds=1&${only}`),
  ];
};

function storedSteps(): Step[] {
  const all = `${batch}/cronjobs`;
  const one = `${all}/one`;
  const seconds = (number: string): string => `{"spec":{"startingDeadlineSeconds":${number}}}`;
  const replaced = (number: string): string =>
    `[{"op":"replace","path":"/spec/startingDeadlineSeconds","value":${number}}]`;
  const tested = (number: string): string =>
    `[{"op":"test","path":"/spec/startingDeadlineSeconds","value":${number}}]`;
  const applied = (number: string): string =>
    `apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: one}\nspec: {startingDeadlineSeconds: ${number}}\n`;
  return [
    ...place(SPACE),
    post('create', all, cronJob('one', ODD)),
    ...read('what was made', all, 'one'),
    jsonPatch('test the same', one, tested('9007199254740993')),
    jsonPatch('test a neighbour', one, tested('9007199254740992')),
    jsonPatch('test with a point', one, tested('9007199254740993.0')),
    merge('merge the same', one, seconds('9007199254740993')),
    merge('merge a neighbour', one, seconds('9007199254740992')),
    get('get the neighbour', one),
    merge('merge the next', one, seconds('9007199254740995')),
    get('get the next', one),
    strategic('merge strategically', one, seconds('9007199254740997')),
    strategic('merge strategically with a point', one, seconds('9007199254740997.0')),
    strategic('merge strategically with an exponent', one, seconds('1e18')),
    strategic('merge strategically beyond', one, seconds('1e19')),
    jsonPatch('replace', one, replaced('9223372036854775807')),
    ...read('what was replaced', all, 'one'),
    apply('apply', `${one}?fieldManager=a&force=true`, applied('9007199254740999')),
    apply('apply the same by another', `${one}?fieldManager=b`, applied('9007199254740999')),
    apply('apply a neighbour by another', `${one}?fieldManager=b`, applied('9007199254741000')),
    apply(
      'apply with an underscore',
      `${one}?fieldManager=a&force=true`,
      applied('9_007_199_254_741_001'),
    ),
    apply('apply with a sign', `${one}?fieldManager=a&force=true`, applied('+9007199254741003')),
    apply('apply a hexadecimal', `${one}?fieldManager=a&force=true`, applied('0x20000000000001')),
    get('get what was applied', one),
    inProtobuf('update in protobuf', 'PUT', one, {
      ...cronJob('one', LAST),
      metadata: { name: 'one' },
    }),
    inProtobuf('create in protobuf', 'POST', all, cronJob('two', ODD)),
    inProtobuf('create below nothing in protobuf', 'POST', all, cronJob('three', -ODD)),
    ...read('what came in protobuf', all, 'two'),
    post('update', all, cronJob('four', 2 ** 53 - 1)),
    { ...post('update by a larger one', `${all}/four`, cronJob('four', ODD)), method: 'PUT' },
    get('get what was updated', `${all}/four`),
    {
      ...post('update by the same', `${all}/four`, cronJob('four', ODD)),
      method: 'PUT',
    },
    get('list by a label', `${all}?labelSelector=a%3D9007199254740993`),
    get('list by a field', `${all}?fieldSelector=spec.startingDeadlineSeconds%3D9007199254740993`),
  ];
}

/** Every field of 64 bits: at the first odd number, at the last of all, and below nothing. */
function sweepSteps(): Step[] {
  const numbers = [ODD, LAST, -ODD];
  const podSpec = (more: Json): Json => ({
    automountServiceAccountToken: false,
    containers: [{ name: 'c', image: 'a' }],
    ...more,
  });
  const volume = (more: Json): Json => podSpec({ volumes: [{ name: 'v', ...more }] });
  const probe = (more: Json): Json =>
    podSpec({
      containers: [{ name: 'c', image: 'a', livenessProbe: { tcpSocket: { port: 1 }, ...more } }],
    });
  const pods: Readonly<Record<string, (number: bigint) => Json>> = {
    activeDeadlineSeconds: (number) => podSpec({ activeDeadlineSeconds: number }),
    terminationGracePeriodSeconds: (number) => podSpec({ terminationGracePeriodSeconds: number }),
    sleep: (number) =>
      podSpec({
        containers: [
          { name: 'c', image: 'a', lifecycle: { preStop: { sleep: { seconds: number } } } },
        ],
      }),
    'sleep within grace': (number) =>
      podSpec({
        terminationGracePeriodSeconds: LAST,
        containers: [
          { name: 'c', image: 'a', lifecycle: { preStop: { sleep: { seconds: number } } } },
        ],
      }),
    'grace of a probe': (number) => probe({ terminationGracePeriodSeconds: number }),
    runAsUser: (number) => podSpec({ securityContext: { runAsUser: number } }),
    runAsGroup: (number) => podSpec({ securityContext: { runAsGroup: number } }),
    fsGroup: (number) => podSpec({ securityContext: { fsGroup: number } }),
    supplementalGroups: (number) => podSpec({ securityContext: { supplementalGroups: [number] } }),
    'runAsUser of a container': (number) =>
      podSpec({ containers: [{ name: 'c', image: 'a', securityContext: { runAsUser: number } }] }),
    tolerationSeconds: (number) =>
      podSpec({
        tolerations: [
          { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: number },
        ],
      }),
    'seconds of a token': (number) =>
      volume({
        projected: {
          sources: [{ serviceAccountToken: { path: 'a', expirationSeconds: number } }],
        },
      }),
  };
  const at = (name: string, path: string, object: (number: bigint) => Json): Step[] =>
    numbers.map((number) => post(`${name} ${number}`, path + DRY, object(number)));
  const devices = '/apis/resource.k8s.io/v1';
  const slice = (pool: Json, attributes: Json): Json => ({
    metadata: { name: 'x' },
    spec: {
      driver: 'a.example.com',
      nodeName: 'n',
      pool: { name: 'p', generation: 1, resourceSliceCount: 1, ...pool },
      devices: [{ name: 'd', attributes }],
    },
  });
  const claim = (more: Json): Json => ({
    metadata: { name: 'x' },
    spec: {
      devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'a', ...more } }] },
    },
  });
  const definition = (schema: Json): Json => ({
    metadata: { name: 'odds.numbers.example.com' },
    spec: {
      group: 'numbers.example.com',
      scope: 'Namespaced',
      names: { plural: 'odds', singular: 'odd', kind: 'Odd', listKind: 'OddList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: 'object', properties: { a: schema } },
          },
        },
      ],
    },
  });
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  return [
    ...place(SPACE),
    ...Object.entries(pods).flatMap(([name, spec]) =>
      at(`pod ${name}`, `${core}/pods`, (number) => ({
        metadata: { name: 'x' },
        spec: spec(number),
      })),
    ),
    ...at('template of a deployment', `${apps}/deployments`, (number) => ({
      metadata: { name: 'x' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: podSpec({ terminationGracePeriodSeconds: number }),
        },
      },
    })),
    ...at('revision', `${apps}/controllerrevisions`, (number) => ({
      metadata: { name: 'x' },
      revision: number,
    })),
    ...at('metadata', `${core}/configmaps`, (number) => ({
      metadata: { name: 'x', generation: number, deletionGracePeriodSeconds: number },
    })),
    ...at('generation of a driver', '/apis/storage.k8s.io/v1/csidrivers', (number) => ({
      metadata: { name: 'x', generation: number },
      spec: { nodeAllocatableUpdatePeriodSeconds: 10 },
    })),
    ...at('period of a driver', '/apis/storage.k8s.io/v1/csidrivers', (number) => ({
      metadata: { name: 'x' },
      spec: { nodeAllocatableUpdatePeriodSeconds: number },
    })),
    ...at('tokens of a driver', '/apis/storage.k8s.io/v1/csidrivers', (number) => ({
      metadata: { name: 'x' },
      spec: { tokenRequests: [{ audience: 'a', expirationSeconds: number }] },
    })),
    ...at('status of a node', '/api/v1/nodes', (number) => ({
      metadata: { name: 'x' },
      status: { images: [{ names: ['a'], sizeBytes: number }] },
    })),
    ...at('generation of a pool', `${devices}/resourceslices`, (number) =>
      slice({ generation: number }, {}),
    ),
    ...at('slices of a pool', `${devices}/resourceslices`, (number) =>
      slice({ resourceSliceCount: number }, {}),
    ),
    ...at('attribute', `${devices}/resourceslices`, (number) => slice({}, { a: { int: number } })),
    ...at('attributes', `${devices}/resourceslices`, (number) =>
      slice({}, { a: { ints: [number, number] } }),
    ),
    ...at('devices', `${below('resource.k8s.io/v1', SPACE)}/resourceclaims`, (number) =>
      claim({ count: number }),
    ),
    ...at(
      'devices that tolerate',
      `${below('resource.k8s.io/v1', SPACE)}/resourceclaims`,
      (number) =>
        claim({
          tolerations: [
            { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: number },
          ],
        }),
    ),
    ...['maxLength', 'minLength'].flatMap((name) =>
      at(name, definitions, (number) => definition({ type: 'string', [name]: number })),
    ),
    ...['maxItems', 'minItems'].flatMap((name) =>
      at(name, definitions, (number) =>
        definition({ type: 'array', items: { type: 'string' }, [name]: number }),
      ),
    ),
    ...['maximum', 'minimum', 'multipleOf'].flatMap((name) =>
      at(name, definitions, (number) => definition({ type: 'integer', [name]: number })),
    ),
    ...at('default', definitions, (number) => definition({ type: 'integer', default: number })),
    ...at('enum', definitions, (number) => definition({ type: 'integer', enum: [number] })),
    ...at('quota', `${core}/resourcequotas`, (number) => ({
      metadata: { name: 'x' },
      spec: { hard: { pods: number } },
    })),
    quiet(post('account', `${core}/serviceaccounts`, { metadata: { name: 'x' } })),
    ...at('token', `${core}/serviceaccounts/x/token`, (number) => ({
      spec: { expirationSeconds: number },
    })),
  ];
}

/** Below objects: their status, their scale, and what is said when they go. */
function belowSteps(): Step[] {
  const deployments = `${apps}/deployments`;
  const one = `${deployments}/one`;
  const status = (number: string): string => `{"status":{"observedGeneration":${number}}}`;
  const replicas = (number: string): string => `{"spec":{"replicas":${number}}}`;
  const whole = (number: string): string =>
    `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"one","namespace":"${SPACE}"},"spec":{"replicas":${number}}}`;
  const spellings = [
    '9007199254740993',
    '4294967297',
    '2147483648',
    '1.0',
    '1e2',
    '1.5',
    '1e400',
    '-0',
  ];
  const json = 'application/json';
  const sent = (name: string, method: string, path: string, body: string): Step => ({
    name,
    method,
    path,
    type: json,
    body,
  });
  return [
    ...place(SPACE),
    post('create', deployments, {
      metadata: { name: 'one' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { a: 'b' } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: { containers: [{ name: 'c', image: 'a' }] },
        },
      },
    }),
    ...spellings.flatMap((number) => [
      merge(`merge the status ${number}`, `${one}/status${DRY}`, status(number)),
      strategic(`merge the status strategically ${number}`, `${one}/status${DRY}`, status(number)),
      apply(
        `apply the status ${number}`,
        `${one}/status${DRY}&fieldManager=a`,
        `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: one}\nstatus: {observedGeneration: ${number}}\n`,
      ),
      sent(`update the scale ${number}`, 'PUT', `${one}/scale${DRY}`, whole(number)),
      merge(`merge the scale ${number}`, `${one}/scale${DRY}`, replicas(number)),
      strategic(`merge the scale strategically ${number}`, `${one}/scale${DRY}`, replicas(number)),
      jsonPatch(
        `replace the scale ${number}`,
        `${one}/scale${DRY}`,
        `[{"op":"replace","path":"/spec/replicas","value":${number}}]`,
      ),
      apply(
        `apply the scale ${number}`,
        `${one}/scale${DRY}&fieldManager=a&force=true`,
        whole(number),
      ),
      sent(
        `delete with grace ${number}`,
        'DELETE',
        one,
        `{"gracePeriodSeconds":${number},"dryRun":["All"]}`,
      ),
    ]),
    merge('merge the status for good', `${one}/status`, status('9007199254740993')),
    ...read('the status', deployments, 'one'),
  ];
}

/** What policies make of them. */
function policySteps(): Step[] {
  const admission = '/apis/admissionregistration.k8s.io/v1';
  const all = `${batch}/cronjobs`;
  const job = (name: string, number: unknown): Step => post(name, all + DRY, cronJob('x', number));
  return [
    ...place(SPACE),
    quiet(
      post('policy', `${admission}/validatingadmissionpolicies`, {
        metadata: { name: 'numbers' },
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: {
            resourceRules: [
              {
                apiGroups: ['batch'],
                apiVersions: ['v1'],
                operations: ['CREATE'],
                resources: ['cronjobs'],
              },
            ],
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': SPACE } },
          },
          validations: [
            {
              expression: 'object.spec.startingDeadlineSeconds != 9007199254740995',
              message: 'not this one',
            },
            {
              expression: 'object.spec.startingDeadlineSeconds <= 9007199254740997',
              messageExpression: "'too many: ' + string(object.spec.startingDeadlineSeconds + 1)",
            },
          ],
        },
      }),
    ),
    quiet(
      post('binding', `${admission}/validatingadmissionpolicybindings`, {
        metadata: { name: 'numbers' },
        spec: { policyName: 'numbers', validationActions: ['Deny'] },
      }),
    ),
    {
      ...job('policy acts', 9_007_199_254_740_995n),
      until: (code) => code >= 400 && code !== 404,
    },
    job('a neighbour below', 9_007_199_254_740_994n),
    job('a neighbour above', 9_007_199_254_740_996n),
    job('the last that may be', 9_007_199_254_740_997n),
    job('one too many', 9_007_199_254_740_998n),
    job('the last but one', LAST - 1n),
    job('the last of all', LAST),
  ];
}

export const numberLifeScenes: Readonly<Record<string, () => readonly Step[]>> = {
  'large numbers: stored': storedSteps,
  'large numbers: every field': sweepSteps,
  'large numbers: below': belowSteps,
  'large numbers: policies': policySteps,
};
