// What the targets need on the server: a pod to patch.
import type { InProcessApi } from '#test/support/in-process-api.ts';

export async function preparePod(api: InProcessApi): Promise<void> {
  const post = async (path: string, body: object): Promise<void> => {
    const { status, text } = await api.transport.send({
      method: 'POST',
      path,
      body: JSON.stringify(body),
    });
    if (status !== 201) throw new Error(text);
  };
  await post('/api/v1/namespaces/default/serviceaccounts', {
    metadata: { name: 'default' },
    automountServiceAccountToken: false,
  });
  await post('/api/v1/namespaces/default/pods', {
    metadata: { name: 'live', labels: { a: 'b' }, annotations: { c: 'd' } },
    spec: { containers: [{ name: 'main', image: 'host', env: [{ name: 'A', value: '1' }] }] },
  });
}
