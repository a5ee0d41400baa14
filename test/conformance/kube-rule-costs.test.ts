// What the rules of a definition can cost is estimated as a kube-apiserver v1.37 estimates it: hundreds of rules
// over every kind of field, on just so many items that the sum is a little too much, are refused by the same factor.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ownCauses, type Recorded } from '#test/support/kube-rule-costs.ts';

const recording = JSON.parse(
  readFileSync(join(import.meta.dirname, '../vectors/kube-rule-costs.json'), 'utf8'),
) as readonly Recorded[];

test('rules cost what they cost upstream', () => {
  for (const one of recording) {
    const { causes, ...costly } = one;
    assert.deepEqual(ownCauses(costly), causes, JSON.stringify(costly));
  }
  const refused = recording.filter(({ causes }) => causes.length > 0).length;
  assert.ok(refused > 800, `${refused} are refused`);
});
