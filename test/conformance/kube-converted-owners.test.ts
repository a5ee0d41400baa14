// Owners of fields in several versions are compared after a webhook has converted the object, as a real kube-apiserver
// does it: the same conflicts, the same fields pruned, the same managedFields.
import assert from 'node:assert/strict';
import test from 'node:test';
import { convert, convertedOwnerSteps, type Hook } from '#test/support/converted-owner-steps.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';
import { playSteps } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';
import { startWebhookServer } from '#test/support/webhook-server.ts';

const skip = skipWithout(['etcd', 'kube-apiserver']);

test('owners in converted versions are those of kube-apiserver', { skip }, async (t) => {
  const hook = await startWebhookServer();
  hook.on('/convert', convert);
  const { caBundle } = hook;
  const config: Hook = { url: `${hook.url}/convert`, caBundle };
  const real = await startRealServer(realProgram('.'), {});
  const own = await startOwnServer();
  try {
    const steps = convertedOwnerSteps(config);
    const theirs = await playSteps(real.target, steps);
    const ours = await playSteps(own.target, steps);
    for (const [index, wanted] of theirs.entries()) {
      const { status, body } = ours[index] ?? { status: 0, body: undefined };
      await t.test(wanted.step, () => {
        assert.deepEqual({ status, body }, { status: wanted.status, body: wanted.body });
      });
    }
  } finally {
    await own.close();
    await real.close();
    await hook.close();
  }
});

interface Owned {
  readonly metadata: {
    readonly managedFields: Readonly<Record<string, { readonly fieldsV1: object }>>;
  };
}

test('an owner conflicts and loses fields as its own version names them', async () => {
  const hook = await startWebhookServer();
  hook.on('/convert', convert);
  const own = await startOwnServer();
  try {
    const steps = convertedOwnerSteps({ url: `${hook.url}/convert`, caBundle: hook.caBundle });
    const end = steps.findIndex(({ name }) => name === 'one applies v1 again');
    const entries = await playSteps(own.target, steps.slice(0, end));
    const byName = new Map(entries.map((one) => [one.step, one]));
    const refused = byName.get('two applies v2');
    assert.equal(refused?.status, 409);
    const { causes } = (refused.body as { details: { causes: { field: string }[] } }).details;
    assert.deepEqual(
      causes.map(({ field }) => field),
      ['.spec.replicas'],
    );
    const { metadata } = (byName.get('after two, in v3') ?? assert.fail()).body as Owned;
    const fields = Object.values(metadata.managedFields).map(({ fieldsV1 }) => fieldsV1);
    const named = (name: string): boolean => JSON.stringify(fields).includes(`"f:${name}"`);
    assert.deepEqual(['replicas', 'scale', 'color', 'colour'].map(named), [
      false,
      true,
      true,
      false,
    ]);
  } finally {
    await own.close();
    await hook.close();
  }
});
