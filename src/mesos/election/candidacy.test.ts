// A candidate's way, step by step.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Candidacy } from './candidacy.ts';
import type { Member } from './group.ts';

const member = (id: string): Member => ({ id, info: { id, ip: 0, port: 5050 } });
const [a, b] = [member('a'), member('b')];

test('it waits for its turn, leads once, and ends when another one leads', () => {
  const candidacy = new Candidacy();
  assert.deepEqual(candidacy.onLeader(a), { kind: 'wait' }, 'it is not in the group yet');
  assert.deepEqual(candidacy.onEntered('b'), { kind: 'watch', leader: a });
  assert.deepEqual(candidacy.onLeader(undefined), { kind: 'wait' });
  assert.deepEqual(candidacy.onLeader(b), { kind: 'lead' });
  assert.deepEqual(candidacy.onLeader(b), { kind: 'wait' });
  assert.equal(candidacy.leader, b);
  assert.deepEqual(candidacy.onLeader(a), { kind: 'end' });
  assert.deepEqual(candidacy.onLeader(b), { kind: 'wait' }, 'it is over for good');
});

test('a leader of whom nobody is told leads no longer', () => {
  const candidacy = new Candidacy();
  candidacy.onLeader(b);
  assert.deepEqual(candidacy.onEntered('b'), { kind: 'lead' });
  assert.deepEqual(candidacy.onLeader(undefined), { kind: 'end' });
});

test('whose entry is gone ends once, whether it leads or waits', () => {
  for (const leader of [a, b]) {
    const candidacy = new Candidacy();
    candidacy.onLeader(leader);
    candidacy.onEntered('b');
    assert.deepEqual(candidacy.onLost(), { kind: 'end' });
    assert.deepEqual(candidacy.onLost(), { kind: 'wait' });
  }
});

test('a closed candidate does nothing more', () => {
  const candidacy = new Candidacy();
  candidacy.onEntered('b');
  candidacy.close();
  assert.deepEqual(candidacy.onLeader(b), { kind: 'wait' });
  assert.deepEqual(candidacy.onLost(), { kind: 'wait' });
});
