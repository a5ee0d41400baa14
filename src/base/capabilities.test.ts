// Capabilities by their numbers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CAPABILITIES, capabilitiesIn, USUAL_CAPABILITIES } from './capabilities.ts';

test('a set is read as the kernel writes it', () => {
  assert.deepEqual(capabilitiesIn('0000000000000001'), ['chown']);
  assert.deepEqual(capabilitiesIn('00000000a80425fb').toSorted(), USUAL_CAPABILITIES.toSorted());
  assert.deepEqual(capabilitiesIn('000001ffffffffff'), CAPABILITIES);
  assert.deepEqual(capabilitiesIn('0'), []);
});
