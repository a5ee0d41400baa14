// Hands as k8s.io/apiserver v0.37 itself deals them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { deal, hashFlow } from './shuffle-sharding.ts';

const hands: readonly (readonly [string, string, number, number, readonly number[]])[] = [
  ['global-default', 'jane', 128, 6, [24, 0, 86, 104, 74, 31]],
  ['global-default', 'jane', 64, 8, [24, 43, 60, 49, 28, 55, 35, 42]],
  ['global-default', 'jane', 16, 4, [8, 1, 0, 14]],
  ['global-default', 'jane', 4, 4, [0, 1, 2, 3]],
  ['service-accounts', 'system:serviceaccount:a:b', 128, 6, [55, 113, 71, 36, 27, 19]],
  ['service-accounts', 'system:serviceaccount:a:b', 64, 8, [55, 49, 50, 0, 33, 37, 14, 25]],
  ['service-accounts', 'system:serviceaccount:a:b', 16, 4, [7, 11, 8, 0]],
  ['service-accounts', 'system:serviceaccount:a:b', 4, 4, [3, 2, 1, 0]],
  ['x', '', 128, 6, [20, 46, 44, 106, 87, 108]],
  ['x', '', 64, 8, [20, 51, 0, 44, 61, 54, 30, 1]],
  ['x', '', 16, 4, [4, 13, 8, 12]],
  ['x', '', 4, 4, [0, 2, 1, 3]],
];

for (const [schema, flow, deckSize, handSize, hand] of hands) {
  test(`deal() of ${handSize} from ${deckSize} for ${schema}/${flow}`, () => {
    assert.deepEqual(deal(hashFlow(schema, flow), deckSize, handSize), hand);
  });
}
