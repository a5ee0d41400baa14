// Objects of every kind while a webhook patches all that is written: what it patches is read by its type again, with
// defaults for what is not there.
import { kinds, type KindCase } from './kube-differential/kinds.ts';
import type { Entry } from './kube-differential/player.ts';
import type { Target } from './kube-sender.ts';
import { below, get, patch, place, post, quiet, type Json } from './step-makers.ts';
import { playSteps, type Step } from './step-player.ts';
import {
  admissionAnswer,
  patchOf,
  startWebhookServer,
  type WebhookServer,
} from './webhook-server.ts';

const SPACE = 'hooked';
/** Controllers write to them at any time. */
const others = new Set([
  'namespaces',
  'flowschemas',
  'prioritylevelconfigurations',
  'apiservices',
  'customresourcedefinitions',
]);

export interface HookedWorld {
  play(target: Target): Promise<readonly Entry[]>;
  close(): Promise<void>;
}

export async function startHookedWorld(): Promise<HookedWorld> {
  const hook = await startWebhookServer();
  hook.on('/marking', (review) => {
    const { object } = review['request'] as {
      object?: { metadata: { annotations?: Json } } | null;
    };
    if (object === undefined || object === null) return admissionAnswer(review, { allowed: true });
    const path = '/metadata/annotations';
    const isFirst = object.metadata.annotations === undefined;
    const mark = isFirst
      ? { op: 'add', path, value: { hooked: 'yes' } }
      : { op: 'add', path: `${path}/hooked`, value: 'yes' };
    return admissionAnswer(review, patchOf([mark]));
  });
  return {
    play: async (target) => await playSteps(target, steps(hook)),
    close: async () => await hook.close(),
  };
}

function steps({ url, caBundle }: WebhookServer): Step[] {
  const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
  const maps = `${below('v1', SPACE)}/configmaps`;
  return [
    ...place(SPACE),
    quiet(
      post('webhook', configurations, {
        metadata: { name: 'marking' },
        webhooks: [
          {
            name: 'marking.example.com',
            clientConfig: { url: `${url}/marking`, caBundle },
            rules: [
              {
                operations: ['CREATE', 'UPDATE'],
                apiGroups: ['*'],
                apiVersions: ['*'],
                resources: ['*/*'],
              },
            ],
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
          },
        ],
      }),
    ),
    {
      ...quiet(post('marked', `${maps}?dryRun=All`, { metadata: { name: 'probe' } })),
      until: (_status, { metadata }) =>
        (metadata as { annotations?: Json } | undefined)?.annotations?.['hooked'] === 'yes',
    },
    ...kinds.filter(({ resource }) => !others.has(resource)).flatMap(stepsOf),
  ];
}

function stepsOf(one: KindCase): Step[] {
  const { apiVersion, kind, resource, base, name = 'one', isClusterWide, change, status } = one;
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const all = `${isClusterWide === true ? root : below(apiVersion, SPACE)}/${resource}`;
  const item = `${all}/${name}`;
  const what = `${apiVersion} ${kind}`;
  return [
    post(`create ${what}`, all, { apiVersion, kind, metadata: { name }, ...base }),
    ...(change === undefined ? [] : [patch(`change ${what}`, item, change)]),
    ...(status === undefined ? [] : [patch(`status of ${what}`, `${item}/status`, { status })]),
    get(`get ${what}`, item),
  ];
}
