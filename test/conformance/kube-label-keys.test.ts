// Affinities and spreads by keys of a pod's own labels: what the server makes of them when the pod is made, and
// what it refuses; beside a real kube-apiserver 1.37 where one is there.
import assert from 'node:assert/strict';
import test from 'node:test';
import { playOnBoth, skipWithoutReal } from '#test/support/both-servers.ts';
import { eventually } from '#test/support/cluster.ts';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

type Json = Record<string, unknown>;

const ns = '/api/v1/namespaces/default';
const exists = (key: string): Json => ({ key, operator: 'Exists' });
const selector = { matchLabels: { app: 'a' }, matchExpressions: [exists('foo')] };

/** Terms of affinities, each tried in all of its four places, and of spreads. */
const terms: Readonly<Record<string, Json>> = {
  'a key': { labelSelector: selector, matchLabelKeys: ['bar'] },
  'another key': { labelSelector: selector, mismatchLabelKeys: ['bar'] },
  both: { labelSelector: selector, matchLabelKeys: ['bar', 'baz'], mismatchLabelKeys: ['foo'] },
  'a key that the pod has not': { labelSelector: selector, matchLabelKeys: ['none'] },
  'an empty selector': { labelSelector: {}, matchLabelKeys: ['bar'] },
  'no selector': { matchLabelKeys: ['bar'], mismatchLabelKeys: ['b/a/r'] },
  'a key of the selector': { labelSelector: selector, matchLabelKeys: ['baz', 'foo'] },
  'a label of the selector': { labelSelector: selector, matchLabelKeys: ['app'] },
  'a key of the selector that is not to match': {
    labelSelector: selector,
    mismatchLabelKeys: ['foo'],
  },
  'one key twice': { labelSelector: selector, matchLabelKeys: ['bar'], mismatchLabelKeys: ['bar'] },
  'no key': { labelSelector: selector, matchLabelKeys: ['b/a/r'] },
};

async function play(target: Target): Promise<Map<string, string>> {
  const send = senderTo(target);
  const said = new Map<string, string>();
  const ask = async (method: string, path: string, body?: object): Promise<Json> => {
    const headers = { 'content-type': 'application/json' };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await send({ method, path, headers, body: text });
    return { http: answer.status, ...(JSON.parse(answer.bytes.toString()) as Json) };
  };
  await eventually('the namespace is there', async () => (await ask('GET', ns))['http'] === 200);
  if ((await ask('GET', `${ns}/serviceaccounts/default`))['http'] === 404)
    await ask('POST', `${ns}/serviceaccounts`, { metadata: { name: 'default' } });
  const labels = { app: 'a', foo: 'f', bar: 'b', baz: 'z' };
  const containers = [{ name: 'c', image: 'i' }];
  const tell = (name: string, { http, message, details, spec }: Json): void => {
    const { affinity, topologySpreadConstraints, template } = (spec ?? {}) as Json;
    const inner = ((template ?? {}) as { spec?: Json }).spec?.['affinity'];
    const { causes } = (details ?? {}) as Json;
    const made = { affinity, topologySpreadConstraints, inner };
    said.set(name, JSON.stringify(http === 201 ? made : { http, message, causes }));
  };
  const attempt = async (name: string, spec: Json): Promise<void> => {
    const pod = { metadata: { name: 'p', labels }, spec: { containers, ...spec } };
    tell(name, await ask('POST', `${ns}/pods?dryRun=All`, pod));
  };
  for (const [name, term] of Object.entries(terms)) {
    const own = { topologyKey: 'zone', ...term };
    for (const kind of ['podAffinity', 'podAntiAffinity']) {
      const required = { requiredDuringSchedulingIgnoredDuringExecution: [own] };
      const weighed = [{ weight: 1, podAffinityTerm: own }];
      const preferred = { preferredDuringSchedulingIgnoredDuringExecution: weighed };
      await attempt(`${name} required by ${kind}`, { affinity: { [kind]: required } });
      await attempt(`${name} preferred by ${kind}`, { affinity: { [kind]: preferred } });
    }
    const { mismatchLabelKeys: _others, ...rest } = own as Json;
    const spread = { ...rest, maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' };
    await attempt(`${name} of a spread`, { topologySpreadConstraints: [spread] });
    const required = { requiredDuringSchedulingIgnoredDuringExecution: [own] };
    const inside = { containers, affinity: { podAffinity: required } };
    const template = { metadata: { labels }, spec: inside };
    const set = { metadata: { name: 's' }, spec: { selector: { matchLabels: labels }, template } };
    const sets = '/apis/apps/v1/namespaces/default/replicasets?dryRun=All';
    tell(`${name} of a template`, await ask('POST', sets, set));
  }
  return said;
}

test('a pod’s own labels are written into its selectors', async () => {
  const own = await startOwnServer();
  try {
    const said = await play(own.target);
    const made = (name: string): unknown => {
      const { affinity } = JSON.parse(said.get(name) ?? '{}') as { affinity: Json };
      const [term] =
        (affinity['podAffinity'] as Record<string, { labelSelector: Json }[]>)[
          'requiredDuringSchedulingIgnoredDuringExecution'
        ] ?? [];
      return term?.labelSelector['matchExpressions'];
    };
    const is = (key: string, operator: string, value: string) => ({
      key,
      operator,
      values: [value],
    });
    const foo = exists('foo');
    assert.deepEqual(made('a key required by podAffinity'), [foo, is('bar', 'In', 'b')]);
    assert.deepEqual(made('another key required by podAffinity'), [foo, is('bar', 'NotIn', 'b')]);
    assert.deepEqual(made('a key that the pod has not required by podAffinity'), [foo]);
    const spread = said.get('a key of a spread') ?? '';
    assert.ok(spread.includes('{"key":"bar","operator":"In","values":["b"]}'), spread);
    assert.ok(!said.get('a key of a template')?.includes('"values"'));
    const twice = said.get('a key of the selector required by podAffinity') ?? '';
    assert.ok(twice.includes('exists in both matchLabelKeys and labelSelector'), twice);
  } finally {
    await own.close();
  }
});

test('kube-apiserver says the same', { skip: skipWithoutReal }, async () => {
  const { own, real } = await playOnBoth(play);
  // Fields come in another order there.
  const [mine, theirs] = [own, real].map((said) =>
    [...said].map(([name, text]) => [name, JSON.parse(text) as unknown]),
  );
  assert.deepEqual(mine, theirs);
});
