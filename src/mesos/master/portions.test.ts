// Long work leaves room for whatever comes between its portions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Portions, type Kind } from './portions.ts';

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

function setUp() {
  const clock = { ms: 0 };
  const portions = new Portions(() => clock.ms);
  const seen: string[] = [];
  /** So many portions of a millisecond each. */
  const work = (name: string, count: number, kind: Kind = 'call'): void => {
    let left = count;
    portions.add(kind, () => {
      clock.ms += 1;
      seen.push(name);
      left -= 1;
      return left > 0;
    });
  };
  /** What has been done when the next turn is over. */
  const done = async (): Promise<string> => {
    await turn();
    return seen.splice(0).join('');
  };
  return { clock, portions, work, done };
}

test('Portions does a few milliseconds of work in a turn, of all in turns', async () => {
  const { work, done } = setUp();
  work('a', 5);
  work('b', 2);
  assert.equal(await done(), 'aba');
  assert.equal(await done(), 'baa');
  work('c', 1);
  assert.equal(await done(), 'ac');
  assert.equal(await done(), '');
});

test('Portions does less in a turn for a while after somebody asked', async () => {
  const { clock, portions, work, done } = setUp();
  portions.hurry();
  work('a', 9);
  assert.equal(await done(), 'a');
  assert.equal(await done(), 'a');
  clock.ms += 100;
  assert.equal(await done(), 'aaa');
});

test('Portions gives a run two of three portions, however many calls wait', async () => {
  const { work, done, portions } = setUp();
  for (const name of 'abcd') work(name, 1);
  work('R', 4, 'run');
  assert.equal(await done(), 'RRa');
  portions.hurry();
  assert.equal(await done(), 'R');
  assert.equal(await done(), 'R');
  work('e', 2);
  assert.equal(await done(), 'b');
  assert.equal(await done(), 'c');
  assert.equal(await done(), 'd');
  work('R', 2, 'run');
  assert.equal(await done(), 'R');
  assert.equal(await done(), 'R');
  assert.equal(await done(), 'e');
});

test('Portions has some time for short work in every turn, while nothing waits', async () => {
  const { clock, portions, work, done } = setUp();
  assert.equal(portions.hasTime, true);
  assert.equal(
    portions.spend(() => (clock.ms += 2)),
    2,
  );
  assert.equal(portions.hasTime, false);
  await done();
  assert.equal(portions.hasTime, true);
  work('a', 1);
  assert.equal(portions.hasTime, false);
  assert.throws(() => portions.spend(() => assert.fail('it fails')), /it fails/);
  assert.equal(await done(), 'a');
});

test('Portions does nothing once it is closed', async () => {
  const { portions, work, done } = setUp();
  work('b', 1);
  portions.close();
  work('c', 1);
  assert.equal(await done(), '');
});
