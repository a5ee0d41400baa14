// Valid objects with one field garbled are refused as by a kube-apiserver v1.37, for the same reasons in the same
// words, or taken as by it. What differs is listed, with its reason.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { playMutations, type Complaints } from '#test/support/kube-mutations/play.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../vectors/kube-mutations.json'), 'utf8'),
) as Complaints;

/** Steps, by the object that they are of. */
const known: readonly (readonly [object: string, step: RegExp, reason: string])[] = [
  [
    'Pod',
    /fieldRef\.apiVersion (?:bad|long)$/,
    'the version of a reference to a field is not looked at: there is one',
  ],
  [
    'Pod',
    /^spec\.serviceAccountName (?:bad|long)$/,
    'a name that no account can have is looked up like others',
  ],
  [
    'NetworkPolicy',
    /ports\.0\.protocol empty$/,
    'an empty protocol is one that is not there, and is filled in',
  ],
  [
    'HorizontalPodAutoscaler',
    /behavior\.scale(?:Up|Down)\.policies(?: empty|\.0 left out)$/,
    'an empty list of policies is one that is not there, and is filled in',
  ],
];

test('garbled objects are refused in the words of upstream', { timeout: 300_000 }, async () => {
  const own = await startOwnServer();
  try {
    const found = await playMutations(own.target);
    const differing: string[] = [];
    const used = new Set<RegExp>();
    for (const [object, steps] of Object.entries(recorded)) {
      assert.deepEqual(Object.keys(found[object] ?? {}), Object.keys(steps), 'record them again');
      for (const [step, wanted] of Object.entries(steps)) {
        const said = found[object]?.[step];
        if (JSON.stringify(said) === JSON.stringify(wanted)) continue;
        const entry = known.find(([name, pattern]) => name === object && pattern.test(step));
        if (entry !== undefined) used.add(entry[1]);
        else differing.push(`${object} ${step}: ${wanted.join(' | ')} <> ${said?.join(' | ')}`);
      }
    }
    const unused = known.filter(([, pattern]) => !used.has(pattern)).map(([, , reason]) => reason);
    assert.deepEqual({ differing, unused }, { differing: [], unused: [] });
  } finally {
    await own.close();
  }
});
