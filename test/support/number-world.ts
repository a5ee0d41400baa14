// What others are told of large numbers in built-in kinds: webhooks that judge and change, and the audit log.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './cluster.ts';
import { below, get, patch, place, post, quiet, type Json } from './step-makers.ts';
import { playSteps, type Step } from './step-player.ts';
import type { Target } from './kube-sender.ts';
import { admissionAnswer, startWebhookServer, type WebhookServer } from './webhook-server.ts';

const SPACE = 'numbers-told';
const policy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', verbs: ['get'] },
    {
      level: 'RequestResponse',
      resources: [{ group: 'batch', resources: ['cronjobs'] }],
      namespaces: [SPACE],
    },
    { level: 'None' },
  ],
};

export interface NumberWorld {
  /** Without dashes before them. */
  readonly flags: Readonly<Record<string, string>>;
  /** What was answered, what webhooks were told, and what was written down, made comparable. */
  play(target: Target): Promise<Json>;
  close(): Promise<void>;
}

/** Everything that is large, by its digits, and where it is. */
function largeNumbers(text: string): readonly string[] {
  return [...text.matchAll(/"(\w+)":\[?(-?\d{16,}(?:\.\d+)?)/g)].map(
    ([, key, digits]) => `${key} ${digits}`,
  );
}

export async function startNumberWorld(): Promise<NumberWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-numbers-'));
  const log = join(folder, 'audit.log');
  writeFileSync(join(folder, 'policy.yaml'), JSON.stringify(policy));
  const hook = await startWebhookServer();
  hook.on('/judging', (review) => admissionAnswer(review, { allowed: true }));
  hook.on('/changing', (review) => {
    const { object, operation, name } = review['request'] as {
      readonly object?: { metadata?: { labels?: Json } };
      readonly operation: string;
      readonly name: string;
    };
    const wanted = object?.metadata?.labels?.['patch'];
    const isGoing = operation === 'DELETE' && name === 'two';
    const patch = isGoing ? seconds('1') : patches[String(wanted)];
    return admissionAnswer(
      review,
      patch === undefined
        ? { allowed: true }
        : {
            allowed: true,
            patchType: 'JSONPatch',
            patch: Buffer.from(patch).toString('base64'),
          },
    );
  });
  const flags = { 'audit-policy-file': join(folder, 'policy.yaml'), 'audit-log-path': log };
  return {
    flags,
    async play(target) {
      const answers = await playSteps(target, steps(hook), { isExact: true });
      const told = hook.reviews.flatMap(({ path, text, body }) => {
        const { namespace, name, operation } = body['request'] as Json;
        if (namespace !== SPACE || name === 'probe') return [];
        return [[path, operation, name, ...largeNumbers(text)].join(' ')];
      });
      // The last line comes after its answer.
      const whole = await eventually('all is written down', async () => {
        const text = readFileSync(log, 'utf8');
        return /"verb":"delete"[^]*"verb":"delete"[^]*\n$/.test(text) ? text : undefined;
      });
      const written = whole
        .split('\n')
        .filter((line) => line.includes('"verb":') && !line.includes('"name":"probe"'))
        .map((line) => {
          const { verb } = JSON.parse(line) as Json;
          return [verb, ...largeNumbers(line)].join(' ');
        });
      return { answers, told, written };
    },
    async close() {
      await hook.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const seconds = (number: string): string =>
  `[{"op":"add","path":"/spec/startingDeadlineSeconds","value":${number}}]`;

/** By the label `patch` of what is made. */
const patches: Readonly<Record<string, string>> = {
  large: seconds('9007199254741001'),
  last: seconds('9223372036854775807'),
  beyond: seconds('9223372036854775808'),
  point: seconds('5.0'),
  exponent: seconds('1e2'),
  half: seconds('1.5'),
  text: seconds('"5"'),
  unknown: '[{"op":"add","path":"/spec/odd","value":9007199254741001}]',
  tested:
    '[{"op":"test","path":"/spec/startingDeadlineSeconds","value":9007199254740993},{"op":"remove","path":"/spec/startingDeadlineSeconds"}]',
  'remove-nothing': '[{"op":"remove","path":"/spec/odd"}]',
  'remove-below-nothing': '[{"op":"remove","path":"/spec/odd/a"}]',
  'replace-nothing': '[{"op":"replace","path":"/spec/odd/a","value":1}]',
  'add-below-nothing': '[{"op":"add","path":"/spec/odd/a","value":1}]',
  'copy-nothing': '[{"op":"copy","from":"/spec/odd","path":"/spec/a"}]',
  'move-nothing': '[{"op":"move","from":"/spec/odd","path":"/spec/a"}]',
  'odd-operation': '[{"op":"odd","path":"/spec"}]',
  'no-operation': '[{"path":"/spec"}]',
  'no-path': '[{"op":"add","value":1}]',
  'no-list': '{"op":"add","path":"/spec/suspend","value":true}',
  'no-json': '[{"op":',
  empty: '[]',
  'out-of-list':
    '[{"op":"add","path":"/spec/jobTemplate/spec/template/spec/containers/5","value":{"name":"d"}}]',
  otherwise: '[{"op":"test","path":"/spec/startingDeadlineSeconds","value":9007199254740992}]',
};

/** Also to upstream's cache, out of which it tries at first, and tells webhooks of that. */
const known = (path: string, generation: number): Step => ({
  ...quiet(get(`generation ${generation} of ${path}`, `${path}?resourceVersion=0`)),
  until: (_status, { metadata }) =>
    (metadata as { generation?: number } | undefined)?.generation === generation,
});

function steps(hook: WebhookServer): Step[] {
  const all = `${below('batch/v1', SPACE)}/cronjobs`;
  const job = (name: string, labels: Json = {}): Json => ({
    metadata: { name, labels },
    spec: {
      schedule: '0 0 1 1 *',
      startingDeadlineSeconds: 9_007_199_254_740_993n,
      jobTemplate: {
        spec: {
          template: {
            spec: { containers: [{ name: 'c', image: 'a' }], restartPolicy: 'Never' },
          },
        },
      },
    },
  });
  const configuration = (kind: string, path: string): Step =>
    quiet(
      post(kind, `/apis/admissionregistration.k8s.io/v1/${kind}`, {
        metadata: { name: 'numbers' },
        webhooks: [
          {
            name: 'numbers.example.com',
            clientConfig: { url: `${hook.url}${path}`, caBundle: hook.caBundle },
            rules: [
              {
                operations: ['*'],
                apiGroups: ['batch'],
                apiVersions: ['v1'],
                resources: ['cronjobs'],
              },
            ],
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
          },
        ],
      }),
    );
  const patched = Object.keys(patches).map((name) =>
    post(`create, patched: ${name}`, `${all}?dryRun=All`, job('x', { patch: name })),
  );
  const areAsked: Step = {
    ...quiet(post('both are asked', `${all}?dryRun=All`, job('probe'))),
    until: () =>
      ['/judging', '/changing'].every((one) => hook.reviews.some(({ path }) => path === one)),
  };
  return [
    ...place(SPACE),
    configuration('validatingwebhookconfigurations', '/judging'),
    configuration('mutatingwebhookconfigurations', '/changing'),
    areAsked,
    ...patched,
    post('create', all, job('one')),
    known(`${all}/one`, 1),
    patch('merge', `${all}/one`, '{"spec":{"startingDeadlineSeconds":9007199254740995}}'),
    known(`${all}/one`, 2),
    patch(
      'merge strategically',
      `${all}/one`,
      '{"spec":{"startingDeadlineSeconds":9007199254740997}}',
      'strategic',
    ),
    known(`${all}/one`, 3),
    post('create another', all, job('two')),
    known(`${all}/two`, 1),
    { name: 'delete with a patch', method: 'DELETE', path: `${all}/two` },
    { name: 'delete', method: 'DELETE', path: `${all}/one` },
  ];
}
