// The crash suite, short: a few points of those that `node test/crash/main.ts` goes through, at random.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  crashOf,
  CrashSuite,
  crashText,
  seeded,
  systematicRounds,
} from '#test/crash/crash-suite.ts';

const SEED = 5;
const ROUNDS = 10;

suite(`agents, shims and commands that are killed (seed ${SEED})`, () => {
  let crashes: CrashSuite;
  before(async () => {
    crashes = await CrashSuite.start('own');
  });
  after(() => crashes.close());

  const chance = seeded(SEED);
  for (let round = 0; round < ROUNDS; round += 1) {
    const isSystematic = round % 2 === 0;
    const number = isSystematic
      ? Math.floor(chance() * systematicRounds)
      : systematicRounds + round;
    const crash = crashOf(number, chance);
    test(crashText(crash), () => crashes.round(round, crash));
  }

  test('an agent died in some of them', () => {
    assert.ok(crashes.crashes > 0);
  });
});
