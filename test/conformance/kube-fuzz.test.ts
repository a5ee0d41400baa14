// Some thousands of inputs to every decoder of the API server, of what `node tools/fuzz-decoders.ts` does for
// minutes: nothing crashes, hangs or is answered with 500.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { fuzz } from '#test/support/kube-fuzz/fuzz.ts';
import { preparePod } from '#test/support/kube-fuzz/prepare.ts';
import { targets } from '#test/support/kube-fuzz/targets.ts';
import { startInProcessApi } from '#test/support/in-process-api.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const api = await startInProcessApi(env);
await preparePod(api);
after(() => api.close());

for (const target of targets(api)) {
  test(`${target.name}: every input has its answer`, async () => {
    const { findings, inputs } = await fuzz(target, { seed: 5, inputs: 400, seconds: 3 });
    assert.deepEqual(
      findings.map(({ why, index }) => `${index}: ${why}`),
      [],
    );
    assert.ok(inputs > 20, `${inputs} inputs`);
  });
}
