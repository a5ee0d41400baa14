// Who may write which part of a device claim's status, by driver and by binding, and where devices that others
// use may be asked for; beside a real kube-apiserver 1.37 where one is there.
import assert from 'node:assert/strict';
import test from 'node:test';
import { playOnBoth, skipWithoutReal } from '#test/support/both-servers.ts';
import { eventually } from '#test/support/cluster.ts';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

type Json = Record<string, unknown>;

const group = 'resource.k8s.io';
const claims = `/apis/${group}/v1/namespaces/default/resourceclaims`;
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const account = 'system:serviceaccount:default:driver';

const results = (more: Json = {}): Json => ({
  results: [{ request: 'r', driver: 'test-driver', pool: 'p', device: 'd', ...more }],
});
const allocation = (node: string): Json => ({
  nodeSelector: {
    nodeSelectorTerms: [
      { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] },
    ],
  },
  devices: results(),
});
const told = (device: string, driver = 'test-driver'): Json => ({ driver, pool: 'p', device });

async function play(target: Target): Promise<Map<string, string>> {
  const send = senderTo(target);
  const said = new Map<string, string>();
  const ask = async (method: string, path: string, body?: object, more = {}): Promise<Json> => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const answer = await send({
      method,
      path,
      headers: { 'content-type': type, ...more },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { http: answer.status, ...(JSON.parse(answer.bytes.toString()) as Json) };
  };
  const must = async (method: string, path: string, body?: object): Promise<Json> => {
    const answer = await ask(method, path, body);
    assert.ok(Number(answer['http']) < 300, JSON.stringify(answer));
    return answer;
  };
  const tell = (name: string, { http, message, details }: Json): void => {
    const { causes } = (details ?? {}) as Json;
    said.set(
      name,
      JSON.stringify(http === 200 || http === 201 ? { http } : { http, message, causes }),
    );
  };
  await eventually('the namespace is there', async () => {
    return (await ask('GET', '/api/v1/namespaces/default'))['http'] === 200;
  });
  const allow = async (name: string, resources: string[], verbs: string[], isWide = false) => {
    const kind = isWide ? 'ClusterRole' : 'Role';
    const place = isWide ? rbac : `${rbac}/namespaces/default`;
    const many = isWide ? 'clusterroles' : 'roles';
    const apiGroups = [group];
    const [resourceNames] = resources.includes('resourceclaims/driver') ? [['test-driver']] : [[]];
    const rules = [{ apiGroups, resources, verbs, resourceNames }];
    await must('POST', `${place}/${many}`, { metadata: { name }, rules });
    await must('POST', `${place}/${many.replace(/s$/, 'bindings')}`, {
      metadata: { name },
      subjects: [{ kind: 'ServiceAccount', name: 'driver', namespace: 'default' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
    });
  };
  const forbid = async (name: string, isWide = false): Promise<void> => {
    const place = isWide
      ? `${rbac}/clusterrolebindings`
      : `${rbac}/namespaces/default/rolebindings`;
    await must('DELETE', `${place}/${name}`);
  };
  /** By the driver's account, of a pod on the node when one is named. */
  const patch = async (name: string, status: Json, node?: string): Promise<void> => {
    const extra = 'impersonate-extra-authentication.kubernetes.io%2fnode-name';
    const as = { 'impersonate-user': account, ...(node === undefined ? {} : { [extra]: node }) };
    tell(name, await ask('PATCH', `${claims}/c/status`, { status }, as));
  };
  /** Until the server has heard of its right, which it learns by watching. */
  const patchUntil = async (name: string, http: number, status: Json, node?: string) => {
    await eventually(`${name} is answered with ${http}`, async () => {
      await patch(name, status, node);
      return said.get(name)?.includes(`"http":${http}`);
    });
  };

  const requests = [{ name: 'r', exactly: { deviceClassName: 'k' } }];
  await must('POST', claims, { metadata: { name: 'c' }, spec: { devices: { requests } } });
  await must('PATCH', `${claims}/c/status`, { status: { allocation: allocation('n') } });
  await allow('status', ['resourceclaims/status'], ['update', 'patch']);
  await patchUntil('devices without a right', 422, { devices: [told('d')] });
  await patchUntil('devices on its own node without a right', 422, { devices: [told('d')] }, 'n');
  await patch('nothing', {});
  await patch('deallocation', { allocation: null });
  await patch('reservation', { reservedFor: [{ resource: 'pods', name: 'p', uid: 'u' }] });
  await allow('near', ['resourceclaims/driver'], ['associated-node:patch']);
  await patchUntil('devices on its own node', 200, { devices: [told('d')] }, 'n');
  await patch('devices on another node', { devices: [] }, 'm');
  await patch('devices of another driver', { devices: [told('d'), told('d', 'other')] }, 'n');
  await forbid('near');
  await allow('far', ['resourceclaims/driver'], ['arbitrary-node:patch']);
  await patchUntil('devices anywhere', 200, { devices: [] });
  await patch('both without binding', { allocation: allocation('m'), devices: [told('d')] });
  await allow('bind', ['resourceclaims/binding'], ['patch'], true);
  const reservedFor = [{ resource: 'pods', name: 'p', uid: 'u' }];
  await patchUntil('reservation with a right', 200, { reservedFor });
  await forbid('far');
  await patch('the end of both', { reservedFor: [], allocation: null, devices: [] });

  const admin = (name: string): Json => ({
    metadata: { name },
    spec: {
      devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'k', adminAccess: true } }] },
    },
  });
  const templates = claims.replace('claims', 'claimtemplates');
  const template = { metadata: { name: 't' }, spec: { spec: admin('t')['spec'] } };
  tell('a claim of the administrator', await ask('POST', claims, admin('a')));
  tell('a template of the administrator', await ask('POST', templates, template));
  const given = { status: { allocation: { devices: results({ adminAccess: true }) } } };
  tell('what an administrator gets', await ask('PATCH', `${claims}/c/status`, given));
  const labels = { 'resource.kubernetes.io/admin-access': 'true' };
  await must('PATCH', '/api/v1/namespaces/default', { metadata: { labels } });
  await eventually('the namespace is one of administrators', async () => {
    return (await ask('POST', claims, admin('b')))['http'] === 201;
  });
  tell('with the label', await ask('PATCH', `${claims}/b/status`, given));
  await must('DELETE', `${claims}/b`);

  const rules = `/apis/${group}/v1/devicetaintrules`;
  const taint = { key: 'k', effect: 'None', timeAdded: '2020-01-01T00:00:00Z' };
  const tellTaint = (name: string, answer: Json): void => {
    const { timeAdded } = (answer['spec'] as { taint: Json }).taint;
    const year = String(timeAdded).slice(0, 4);
    const { generation } = answer['metadata'] as Json;
    said.set(name, `${['2020', '2021'].includes(year) ? year : 'now'} ${String(generation)}`);
  };
  const spec = { deviceSelector: { driver: 'd' }, taint };
  tellTaint('a taint', await must('POST', rules, { metadata: { name: 't' }, spec }));
  for (const [name, changed] of Object.entries({
    'a value': { value: 'v' },
    'an effect': { effect: 'NoSchedule' },
    'a time': { timeAdded: '2020-01-01T00:00:00Z' },
    'an effect and a time': { effect: 'NoExecute', timeAdded: '2021-01-01T01:00:00+01:00' },
    'an effect and the same time': { effect: 'None', timeAdded: '2021-01-01T00:00:00Z' },
  })) {
    tellTaint(name, await must('PATCH', `${rules}/t`, { spec: { taint: changed } }));
  }
  await must('DELETE', `${rules}/t`);
  return said;
}

test('drivers tell of their own devices, and who binds says who has them', async () => {
  const own = await startOwnServer();
  try {
    const said = await play(own.target);
    const of = (name: string): string => said.get(name) ?? '';
    const driver = 'changing status.devices requires resource=\\"resourceclaims/driver\\"';
    const refused = `resourceclaims.resource.k8s.io \\"test-driver\\" is forbidden: User \\"${account}\\" cannot`;
    assert.ok(of('devices without a right').includes(driver));
    assert.ok(of('devices without a right').includes(`${refused} arbitrary-node:patch resource`));
    assert.ok(of('devices on its own node without a right').includes('associated-node:patch'));
    assert.equal(of('nothing'), '{"http":200}');
    const binding = 'changing status.allocation or status.reservedFor requires';
    for (const name of ['deallocation', 'reservation', 'both without binding']) {
      assert.ok(of(name).includes(binding), name);
    }
    assert.ok(of('devices on another node').includes(driver));
    assert.ok(of('devices of another driver').includes(driver));
    const label =
      'admin access to devices requires the `resource.kubernetes.io/admin-access: true` label';
    for (const name of ['a claim', 'a template']) {
      assert.ok(of(`${name} of the administrator`).includes(label), name);
    }
    assert.ok(of('what an administrator gets').includes(label));
    assert.equal(of('with the label'), '{"http":200}');
    assert.equal(of('a value'), '2020 2');
    assert.equal(of('an effect'), 'now 3');
    assert.equal(of('an effect and a time'), '2021 5');
    assert.equal(of('an effect and the same time'), 'now 6');
  } finally {
    await own.close();
  }
});

test('kube-apiserver says the same', { skip: skipWithoutReal }, async () => {
  const { own, real } = await playOnBoth(play);
  assert.deepEqual(own, real);
});
