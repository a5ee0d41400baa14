// Scripts of operators' and executors' calls are played against this agent; it answers as an agent of Mesos
// 1.11 did (test/vectors/mesos-differential/agent-*, recorded by tools/record-mesos-agent-answers.ts), but for
// the differences that are listed with their reasons.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '#test/support/cluster.ts';
import { agentScenes } from '#test/support/mesos-differential/agent-corpus.ts';
import { agentDifferences } from '#test/support/mesos-differential/agent-differences.ts';
import { startAgent } from '#test/support/mesos-differential/agents.ts';
import { compare, isKnown, type Difference } from '#test/support/mesos-differential/compare.ts';
import { playScene, readRecording } from '#test/support/mesos-differential/record.ts';

const ANSWERS_MIN = 892;

const needed = new Set<number>();
let answers = 0;

function isNew(scene: string, one: Difference): boolean {
  const all = agentDifferences.flatMap((known, i) => (isKnown(scene, one, known) ? [i] : []));
  for (const i of all) needed.add(i);
  return all.length === 0;
}

for (const scene of agentScenes) {
  test(`${scene.name}: as the real agent`, async () => {
    const own = await playScene(scene, await startAgent('own', scene.settings));
    const real = readRecording(scene);
    answers += real.length;
    assert.deepEqual(
      compare(real, own).filter((one) => isNew(scene.name, one)),
      [],
    );
  });
}

test('every listed difference is still one, and the corpus is as large as it was', () => {
  const idle = agentDifferences.filter((_, i) => !needed.has(i));
  assert.deepEqual(idle, []);
  assert.ok(answers >= ANSWERS_MIN, `${answers} answers`);
});

test('every listed difference stands in docs/operating/compatibility.md with its reason', () => {
  const page = readFileSync(join(root, 'docs/operating/compatibility.md'), 'utf8');
  const missing = agentDifferences.filter(({ reason }) => !page.includes(`- ${reason}\n`));
  assert.deepEqual(missing, []);
});
