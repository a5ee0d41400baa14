// Evictions: budgets count what they let go, of two at once one may go, pods are told why; beside a real
// kube-apiserver 1.37 where one is there (no controllers on either side: budgets have the status that is written).
import assert from 'node:assert/strict';
import test from 'node:test';
import { playOnBoth, skipWithoutReal } from '#test/support/both-servers.ts';
import { eventually } from '#test/support/cluster.ts';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

type Json = Record<string, unknown>;

const ns = '/api/v1/namespaces/default';
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';

async function play(target: Target): Promise<string[]> {
  const send = senderTo(target);
  const ask = async (method: string, path: string, body?: object): Promise<Json> => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const answer = await send({
      method,
      path,
      headers: { 'content-type': type },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { http: answer.status, ...(JSON.parse(answer.bytes.toString()) as Json) };
  };
  const must = async (method: string, path: string, body?: object): Promise<Json> => {
    const answer = await ask(method, path, body);
    assert.ok(Number(answer['http']) < 300, JSON.stringify(answer));
    return answer;
  };
  await eventually('the namespace is there', async () => {
    return (await ask('GET', '/api/v1/namespaces/default'))['http'] === 200;
  });
  if ((await ask('GET', `${ns}/serviceaccounts/default`))['http'] === 404) {
    await must('POST', `${ns}/serviceaccounts`, { metadata: { name: 'default' } });
  }
  const said: string[] = [];
  const tell = ({ http, message, reason, details }: Json): void => {
    const { causes, retryAfterSeconds, kind } = (details ?? {}) as Json;
    said.push(JSON.stringify({ http, reason, message, causes, retryAfterSeconds, kind }));
  };
  const aPod = async (name: string, ready: string, phase = 'Running'): Promise<void> => {
    const containers = [{ name: 'c', image: 'i' }];
    const metadata = { name, labels: { app: 'a' } };
    // Bound, so that its deletion waits for its node.
    await must('POST', `${ns}/pods`, { metadata, spec: { nodeName: 'n', containers } });
    const conditions = [{ type: 'Ready', status: ready }];
    await must('PATCH', `${ns}/pods/${name}/status`, { status: { phase, conditions } });
  };
  const budget = async (status: object, spec: object = {}): Promise<void> => {
    await ask('DELETE', `${budgets}/b`);
    const selector = { matchLabels: { app: 'a' } };
    await must('POST', budgets, { metadata: { name: 'b' }, spec: { selector, ...spec } });
    await must('PATCH', `${budgets}/b/status`, { status: { observedGeneration: 1, ...status } });
  };
  const evict = (name: string, more: object = {}): Promise<Json> =>
    ask('POST', `${ns}/pods/${name}/eviction`, { metadata: { name }, ...more });
  const state = async (name: string): Promise<void> => {
    const pod = await ask('GET', `${ns}/pods/${name}`);
    const { conditions = [] } = (pod['status'] ?? {}) as { conditions?: Json[] };
    const found = conditions.find(({ type }) => type === 'DisruptionTarget');
    const { deletionTimestamp } = (pod['metadata'] ?? {}) as Json;
    const { status, reason, message } = found ?? {};
    said.push(
      JSON.stringify({ name, isGoing: deletionTimestamp !== undefined, status, reason, message }),
    );
  };
  const allowed = async (): Promise<void> => {
    const { status } = (await ask('GET', `${budgets}/b`)) as { status?: Json };
    const { disruptionsAllowed, disruptedPods, conditions = [] } = status ?? {};
    const found = (conditions as Json[]).find(({ type }) => type === 'DisruptionAllowed');
    said.push(
      JSON.stringify([disruptionsAllowed, Object.keys(disruptedPods ?? {}), found?.['reason']]),
    );
  };

  for (const name of ['p1', 'p2', 'p3', 'p4', 'p5']) await aPod(name, 'True');
  await budget({ disruptionsAllowed: 1, currentHealthy: 5, desiredHealthy: 4, expectedPods: 5 });
  tell(await evict('p1', { deleteOptions: { dryRun: ['All'] } }));
  await allowed();
  const both = await Promise.all([evict('p1'), evict('p2')]);
  for (const one of both.toSorted((a, b) => Number(a['http']) - Number(b['http']))) tell(one);
  said.push(both.filter(({ http }) => http === 201).length.toString());
  const gone = both[0]?.['http'] === 201 ? 'p1' : 'p2';
  await state(gone);
  said[said.length - 1] = (said.at(-1) ?? '').replace(gone, 'P');
  await allowed();
  said[said.length - 1] = (said.at(-1) ?? '').replace(gone, 'P');
  await state('p3');
  await budget({ disruptionsAllowed: 0, currentHealthy: 4, desiredHealthy: 3, expectedPods: 5 });
  tell(await evict('p3'));
  await budget({
    observedGeneration: 0,
    disruptionsAllowed: 1,
    currentHealthy: 1,
    desiredHealthy: 1,
    expectedPods: 1,
  });
  tell(await evict('p3'));
  // Not ready: it does not count, where enough others are.
  await aPod('sick', 'False');
  await budget({ disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 3, expectedPods: 5 });
  tell(await evict('sick'));
  await budget({ disruptionsAllowed: 0, currentHealthy: 3, desiredHealthy: 3, expectedPods: 5 });
  tell(await evict('sick'));
  await state('sick');
  await aPod('sick2', 'False');
  const always = { unhealthyPodEvictionPolicy: 'AlwaysAllow' };
  await budget(
    { disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 3, expectedPods: 5 },
    always,
  );
  tell(await evict('sick2'));
  await aPod('over', 'False', 'Failed');
  tell(await evict('over'));
  await aPod('wrong', 'True', 'Pending');
  tell(await evict('wrong', { deleteOptions: { preconditions: { uid: 'other' } } }));
  await state('wrong');
  return said.map((text) => text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UID'));
}

test('budgets count what they let go, and pods are told', async () => {
  const own = await startOwnServer();
  try {
    const said = await play(own.target);
    assert.equal(said[4], '1', 'of two at once one may go');
    const told = {
      status: 'True',
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    };
    assert.equal(said[5], JSON.stringify({ name: 'P', isGoing: true, ...told }));
    assert.equal(said[6], '[0,["P"],"InsufficientPods"]');
  } finally {
    await own.close();
  }
});

test('kube-apiserver says the same', { skip: skipWithoutReal }, async () => {
  const { own, real } = await playOnBoth(play);
  assert.deepEqual(own, real);
});
