// Tokens of issuers, files and webhooks, and a webhook that decides who may what, are taken as a real
// kube-apiserver v1.37 took them (recorded by tools/record-access-answers.ts).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { startAccessWorld } from '#test/support/access-world.ts';
import { playSteps, type StepAnswers } from '#test/support/step-player.ts';
import { startOwnServer } from '#test/support/step-target.ts';

void test('who is let in, and as whom, is as with kube-apiserver', async (t) => {
  const vectors = join(import.meta.dirname, '../vectors/kube-access.json');
  const recorded = JSON.parse(readFileSync(vectors, 'utf8')) as StepAnswers;
  const world = await startAccessWorld();
  const flags = Object.fromEntries(
    Object.entries(world.flags).map(([name, value]) => [flagKey(name), value]),
  );
  const own = await startOwnServer({ flags });
  let found: StepAnswers;
  try {
    found = await playSteps(own.target, world.steps);
  } finally {
    await own.close();
    await world.close();
  }
  assert.deepEqual(Object.keys(found), Object.keys(recorded), 'record the answers again');
  for (const [name, wanted] of Object.entries(recorded)) {
    await t.test(name, () => {
      assert.deepEqual(JSON.parse(JSON.stringify(found[name])), wanted);
    });
  }
});
