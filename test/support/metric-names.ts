// The names, types and labels of the metrics that a server shows after a script of requests: what an exporter's
// reader relies on, without the values.
import { sendStep } from './step-player.ts';
import type { Target } from './kube-sender.ts';
import type { Step } from './step-player.ts';

type Json = Record<string, unknown>;

export interface MetricShape {
  readonly type: string;
  /** Every name that a line of it has, in the order of the alphabet; `le` and `quantile` are no labels. */
  readonly labels: readonly string[];
}

/** By name of the family. */
export type MetricShapes = Readonly<Record<string, MetricShape>>;

const suffixes = /_(?:bucket|sum|count)$/;

/** Of a page in Prometheus' text format. */
export function shapesOf(text: string): MetricShapes {
  const types = new Map<string, string>();
  const labels = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) types.set(type[1] ?? '', type[2] ?? '');
    const [, full = '', list = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? /.exec(line) ?? [];
    if (full === '') continue;
    const name = types.has(full) ? full : full.replace(suffixes, '');
    const known = labels.getOrInsertComputed(name, () => new Set());
    for (const [, label = ''] of list.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) {
      if (label !== 'le' && label !== 'quantile') known.add(label);
    }
  }
  const sorted = [...labels].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    sorted.map(([name, all]) => [
      name,
      { type: types.get(name) ?? 'untyped', labels: [...all].toSorted() },
    ]),
  );
}

const post = (path: string, body: Json): Step => ({ name: path, method: 'POST', path, body });
const get = (path: string): Step => ({ name: path, method: 'GET', path });
const HOME = '/api/v1/namespaces/measured';

/** A bit of everything that is counted. */
const script: readonly Step[] = [
  post('/api/v1/namespaces', { metadata: { name: 'measured' } }),
  post(`${HOME}/serviceaccounts`, { metadata: { name: 'default' } }),
  post(`${HOME}/configmaps`, { metadata: { name: 'a' }, data: { a: '1' } }),
  post(`${HOME}/configmaps?dryRun=All`, { metadata: { name: 'b' } }),
  get(`${HOME}/configmaps/a`),
  get(`${HOME}/configmaps`),
  get('/api/v1/configmaps?limit=1'),
  get('/api/v1/pods?resourceVersion=0'),
  get('/api/v1/endpoints'),
  get('/apis/odd.test/v1/things'),
  get('/api/v1/pods?watch=true&timeoutSeconds=1'),
  {
    name: 'patch',
    method: 'PATCH',
    path: `${HOME}/configmaps/a`,
    body: { data: { b: '2' } },
    type: 'application/merge-patch+json',
  },
  {
    name: 'apply',
    method: 'PATCH',
    path: `${HOME}/configmaps/c?fieldManager=m`,
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: {} },
    type: 'application/apply-patch+yaml',
  },
  post(`${HOME}/pods`, {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'a' }] },
  }),
  post(`${HOME}/pods`, { metadata: { name: 'bad' }, spec: {} }),
  post(`${HOME}/services`, {
    metadata: { name: 's' },
    spec: { type: 'NodePort', ports: [{ port: 80 }] },
  }),
  post(`${HOME}/serviceaccounts/default/token`, { spec: {} }),
  post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'things.measured.test' },
    spec: {
      group: 'measured.test',
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object' } },
        },
      ],
    },
  }),
  get('/openapi/v2'),
  get('/openapi/v3'),
  get('/apis'),
  get('/livez'),
  { name: 'delete', method: 'DELETE', path: `${HOME}/configmaps/a` },
];

/** Shapes of `/metrics`, and of `/metrics/slis`. */
export async function playMetrics(
  target: Target,
): Promise<{ readonly all: MetricShapes; readonly slis: MetricShapes }> {
  for (const step of script) await sendStep(target, step);
  // What a watch is sent while it is there.
  const watch = sendStep(
    target,
    get(`${HOME}/configmaps?watch=true&timeoutSeconds=2&labelSelector=!x`),
  );
  for (let i = 0; ; i++) {
    const { body } = await sendStep(target, get('/metrics'));
    await sendStep(target, post(`${HOME}/configmaps`, { metadata: { name: `w${i}` } }));
    if (String(body).includes('apiserver_watch_events_total{group="",resource="configmaps"')) break;
  }
  await watch;
  const page = async (path: string): Promise<MetricShapes> =>
    shapesOf(String((await sendStep(target, get(path))).body));
  return { all: await page('/metrics'), slis: await page('/metrics/slis') };
}
