// Valid objects with one field garbled are refused as by a kube-apiserver v1.37, for the same reasons in the same
// words, or taken as by it. What differs is listed, with its reason.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Lines } from '#test/support/kube-mutations/answers.ts';
import { playMutations } from '#test/support/kube-mutations/play.ts';
import { answersOf, recorded, type Recording } from '#test/support/kube-mutations/recording.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const recording = JSON.parse(
  readFileSync(join(import.meta.dirname, '../vectors/kube-mutations.json'), 'utf8'),
) as Recording;

/** Steps, by the object that they are of. */
const known: readonly (readonly [object: RegExp, step: RegExp, reason: string])[] = [
  [
    /^Job$/,
    /^(?:update: )?spec\.completions (?:left out|-1|more)$/,
    'upstream panics at an indexed job without a number of completions; the step after it tells the object again',
  ],
  [
    /^CustomResourceDefinition$/,
    /(?:any\.x-kubernetes-preserve-unknown-fields false|either empty|int-or-string left out)$/,
    'upstream panics at a schema that says that it does not preserve; the step after it tells the object again',
  ],
];

test('garbled objects are refused in the words of upstream', { timeout: 900_000 }, async () => {
  const own = await startOwnServer();
  try {
    const found = await playMutations(own.target);
    const differing: string[] = [];
    const used = new Set<RegExp>();
    for (const [object, wanted] of Object.entries(recording)) {
      const answers = found[object] ?? new Map<string, Lines>();
      assert.equal(recorded(answers).names, wanted.names, `${object}: record it again`);
      const wantedLines = answersOf(wanted);
      for (const [number, [step, said]] of [...answers].entries()) {
        const lines = wantedLines.get(number) ?? [];
        if (JSON.stringify(said) === JSON.stringify(lines)) continue;
        const entry = known.find(([name, pattern]) => name.test(object) && pattern.test(step));
        if (entry !== undefined) used.add(entry[1]);
        else differing.push(`${object} ${step}: ${lines.join(' | ')} <> ${said.join(' | ')}`);
      }
    }
    const unused = known.filter(([, pattern]) => !used.has(pattern)).map(([, , reason]) => reason);
    assert.deepEqual({ differing, unused }, { differing: [], unused: [] });
  } finally {
    await own.close();
  }
});
