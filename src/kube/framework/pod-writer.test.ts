// What the framework writes of pods, with a scheduler's rights, at the true API server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiCall } from '#kube/client/api-call.ts';
import { pods, serviceAccounts } from '#kube/client/resources.ts';
import { ApiError } from '#kube/meta/status.ts';
import { ATTEMPT_ANNOTATION } from '#kube/meta/task-id.ts';
import { createSimEnv, startInProcessApi } from '#test/support/in-process-api.ts';
import { podView } from './pod-view.ts';
import { PodWriter } from './pod-writer.ts';

async function make() {
  const env = createSimEnv(1);
  const api = await startInProcessApi(env);
  const transport = api.as('system:kube-scheduler', ['system:authenticated']);
  const call = async ({ body, ...request }: ApiCall): Promise<unknown> => {
    const answer = await transport.send({
      ...request,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const value = JSON.parse(answer.text) as { reason?: string; message?: string };
    if (answer.status < 400) return value;
    throw new ApiError(answer.status, value.reason ?? '', value.message ?? '');
  };
  const account = { name: 'default', namespace: 'default' };
  await api.client.create(serviceAccounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: account,
  });
  const spec = { containers: [{ name: 'main', image: 'host', command: ['true'] }] };
  const metadata = { name: 'p', namespace: 'default' };
  const made = await api.client.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
  const pod = { uid: made.metadata.uid ?? '', namespace: 'default', name: 'p' };
  const read = () => api.client.get(pods, { namespace: 'default', name: 'p' });
  return { api, pod, read, writer: new PodWriter(call, env) };
}

test('PodWriter binds a pod once, and writes the number of its attempt on it', async () => {
  const { api, pod, read, writer } = await make();
  assert.equal(podView(await read()).attempt, undefined);
  assert.equal(await writer.bind(pod, 'n'), 'done');
  assert.equal(await writer.bind(pod, 'other'), 'refused');
  assert.equal(await writer.noteAttempt(pod, 2), 'done');
  assert.equal(await writer.noteAttempt(pod, 3), 'done');
  const found = await read();
  assert.equal(found.metadata.annotations?.[ATTEMPT_ANNOTATION], '3');
  assert.equal(podView(found).attempt, 3);
  assert.equal(podView(found).pod.nodeName, 'n');
  assert.equal(podView(found).phase, 'Pending');
  api.close();
});

test('PodWriter writes nothing on a pod of the same name that is another', async () => {
  const { api, pod, read, writer } = await make();
  const other = { ...pod, uid: '3c0e5f7a-3d5c-4f0e-9d0b-0a3f1c2b4d5e' };
  assert.equal(await writer.noteAttempt(other, 2), 'refused');
  assert.equal(await writer.bind(other, 'n'), 'refused');
  assert.equal(await writer.noteAttempt({ ...pod, name: 'none' }, 2), 'refused');
  const found = await read();
  assert.equal(podView(found).attempt, undefined);
  assert.equal(podView(found).pod.nodeName, undefined);
  api.close();
});
