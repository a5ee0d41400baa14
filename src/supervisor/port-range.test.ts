// Ranges of ports for the agents of homes that share a machine: one home each, and the same one again.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { agentPorts, claimPorts } from './port-range.ts';

let folder: string;
before(() => (folder = mkdtempSync(join(tmpdir(), 'strata-ports-'))));
after(() => rmSync(folder, { recursive: true, force: true }));

test('claimPorts: homes whose offsets lead to one range get two, and each its own again', async () => {
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  const first = await claimPorts(one, 1300);
  const second = await claimPorts(two, 5300);
  assert.notEqual(first.first, second.first);
  assert.equal(first.last - first.first, 498);
  first.release();
  second.release();
  // The other way round: what a home had counts, not who is first.
  const again = await claimPorts(two, 5300);
  const other = await claimPorts(one, 1300);
  assert.deepEqual([other.first, again.first], [first.first, second.first]);
  again.release();
  other.release();
});

test('agentPorts: the agents of a home share its range without overlap', () => {
  const range = { first: 10_000, last: 10_498, release: () => {} };
  assert.equal(agentPorts(range, 1, 1), 'ports:[10000-10498]');
  assert.equal(agentPorts(range, 2, 1), 'ports:[10000-10248]');
  assert.equal(agentPorts(range, 2, 2), 'ports:[10249-10497]');
});
