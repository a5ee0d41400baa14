// How much begins within one turn of the event loop, and in which order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopShare } from './loop-share.ts';

test('LoopShare begins a few milliseconds of work in a turn, and the rest in later ones', async () => {
  let nowMs = 0;
  let turn = 0;
  const seen: string[] = [];
  const share = new LoopShare(() => nowMs);
  const work = async (name: string): Promise<void> => {
    await share.enter();
    // It belongs to the same turn whatever it awaits of what is there already.
    for (let i = 0; i < 5; i++) await Promise.resolve();
    nowMs += 1.5;
    seen.push(`${name} in ${turn}`);
  };
  const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map(work));
  assert.deepEqual(seen, []);
  const count = (): void => {
    turn += 1;
    if (seen.length < 5) setImmediate(count);
  };
  setImmediate(count);
  await all;
  assert.deepEqual(seen, ['a in 0', 'b in 0', 'c in 1', 'd in 1', 'e in 2']);
});

test('LoopShare lets those in that come while others have their turn', async () => {
  const share = new LoopShare(() => 0);
  await share.enter();
  await Promise.all([share.enter().then(() => share.enter()), share.enter()]);
});

test('LoopShare begins nothing for a moment when somebody connects, but has half of the time', async () => {
  let nowMs = 1_000;
  const share = new LoopShare(() => nowMs);
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 2; turn += 1) await new Promise((done) => setImmediate(done));
  };
  share.giveWay();
  let hasBegun = false;
  const begun = share.enter().then(() => (hasBegun = true));
  // What has been saved up is enough for two more, back to back.
  for (let more = 0; more < 3; more += 1) {
    await turns();
    assert.equal(hasBegun, false);
    nowMs += 30;
    share.giveWay();
  }
  await begun;
  nowMs += 30;
  share.giveWay();
  hasBegun = false;
  const again = share.enter().then(() => (hasBegun = true));
  await turns();
  assert.equal(hasBegun, false);
  nowMs += 30;
  await again;
});

test('LoopShare pauses as long as it worked while much begins and somebody has come', async ({
  mock,
}) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let [nowMs, busyMs] = [1_000, 500];
  const share = new LoopShare(
    () => nowMs,
    () => busyMs,
  );
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 2; turn += 1) await new Promise((done) => setImmediate(done));
  };
  const begun: string[] = [];
  const work = async (name: string, tookMs: number): Promise<void> => {
    await share.enter();
    begun.push(name);
    busyMs += tookMs;
  };
  let isStarted = (): void => {};
  void share.starting(new Promise<void>((done) => (isStarted = done)));
  await work('alone', 4);
  await work('alone still', 4);
  share.giveWay();
  // The way that was given is over.
  nowMs += 31;
  await work('first', 4);
  void work('after a pause', 50);
  await turns();
  mock.timers.tick(3);
  await turns();
  assert.equal(begun.at(-1), 'first');
  mock.timers.tick(1);
  await turns();
  assert.equal(begun.at(-1), 'after a pause');
  void work('after no long one', 4);
  await turns();
  mock.timers.tick(9);
  await turns();
  assert.equal(begun.at(-1), 'after a pause');
  mock.timers.tick(1);
  await turns();
  assert.equal(begun.at(-1), 'after no long one');
  // Nobody has come for long.
  nowMs += 200;
  await work('alone again', 4);
  share.giveWay();
  nowMs += 31;
  await work('busy', 4);
  isStarted();
  await work('when all is there', 4);
});
