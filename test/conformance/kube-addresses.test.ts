// Every address of a service is an IPAddress object: taken once, however many ask at once, and free again when
// the service goes or is refused.
import assert from 'node:assert/strict';
import test from 'node:test';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';

type Json = Record<string, unknown>;

const home = '/api/v1/namespaces/default/services';

void test('addresses of services are taken and given back', async () => {
  const own = await startOwnServer();
  const send = async (method: string, path: string, body?: object, type?: string) => {
    const step = { name: path, method, path, ...(body === undefined ? {} : { body }) };
    const answer = await sendStep(own.target, type === undefined ? step : { ...step, type });
    return { status: answer.status, body: answer.body as Json };
  };
  const taken = async (): Promise<Map<string, string>> => {
    const { body } = await send('GET', '/apis/networking.k8s.io/v1/ipaddresses');
    const items = body['items'] as { metadata: Json; spec: { parentRef: Json } }[];
    return new Map(
      items.map((one) => [String(one.metadata['name']), String(one.spec.parentRef['name'])]),
    );
  };
  const service = (name: string, more: Json = {}): Json => ({
    metadata: { name },
    spec: { ports: [{ port: 80 }], ...more },
  });
  const ipOf = ({ body }: { body: Json }): string => String((body['spec'] as Json)['clusterIP']);
  try {
    assert.deepEqual([...(await taken()).values()], ['kubernetes']);
    const names = Array.from({ length: 20 }, (_one, i) => `s${i}`);
    const made = await Promise.all(names.map((name) => send('POST', home, service(name))));
    const ips = made.map(ipOf);
    assert.equal(new Set(ips).size, names.length);
    const all = await taken();
    names.forEach((name, i) => assert.equal(all.get(ips[i] ?? ''), name));

    const [first = ''] = ips;
    const again = await send('POST', home, service('again', { clusterIP: first }));
    assert.equal(again.status, 422);
    await send('DELETE', `${home}/s0`);
    assert.equal((await taken()).has(first), false);
    assert.equal(ipOf(await send('POST', home, service('again', { clusterIP: first }))), first);

    // What is refused holds nothing; a dry run neither.
    const before = (await taken()).size;
    await send('POST', home, service('bad', { sessionAffinity: 'x' }));
    await send('POST', `${home}?dryRun=All`, service('dry'));
    assert.equal((await taken()).size, before);

    const merge = 'application/merge-patch+json';
    const outside = {
      spec: { type: 'ExternalName', externalName: 'a.test', clusterIP: null, clusterIPs: null },
    };
    assert.equal((await send('PATCH', `${home}/s1`, outside, merge)).status, 200);
    assert.equal((await taken()).has(ips[1] ?? ''), false);
    const inside = { spec: { type: 'ClusterIP', externalName: null } };
    const back = await send('PATCH', `${home}/s1`, inside, merge);
    assert.equal((await taken()).get(ipOf(back)), 's1');
  } finally {
    await own.close();
  }
});
