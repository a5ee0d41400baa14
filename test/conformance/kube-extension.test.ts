// Every step of the extension suites gets the answer that a real kube-apiserver v1.37 gave to it. What
// differs on purpose, or not yet, is listed here with its reason.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { playSteps, type StepAnswers } from '#test/support/step-player.ts';
import { suites } from '#test/support/step-suites.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const differences: Readonly<Record<string, string>> = {
  'node: rules': 'upstream lists rules in the order of a hash table',
  'review: of a secret that is gone': 'upstream remembers good tokens for ten seconds',
  'review: joining': 'the recorded server ran without --enable-bootstrap-token-auth',
  'full: table': 'descriptions are not carried over',
  'several: not served': 'paths of nothing are answered with a Status, not with plain text',
  'security baseline: proc mount': 'validation does not know that rule of procMount',
  'security restricted: proc mount': 'validation does not know that rule of procMount',
  'definition: wrong pattern': 'patterns are compiled by this platform, which words it otherwise',
  'definition: scope changes': 'the name is checked at updates, too',
  'classes: claim grows': 'validation leaves the size of unbound claims to admission',
};

function isSame(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

for (const [suite, steps] of Object.entries(suites)) {
  void test(`steps of ${suite} are answered as by kube-apiserver`, async (t) => {
    const vectors = join(import.meta.dirname, `../vectors/kube-steps-${suite}.json`);
    const recorded = JSON.parse(readFileSync(vectors, 'utf8')) as StepAnswers;
    const own = await startOwnServer();
    let found: StepAnswers;
    try {
      found = await playSteps(own.target, steps());
    } finally {
      await own.close();
    }
    assert.deepEqual(Object.keys(found), Object.keys(recorded), 'record the steps again');
    const wrong: string[] = [];
    const cured: string[] = [];
    for (const [name, wanted] of Object.entries(recorded)) {
      const isEqual = isSame(JSON.parse(JSON.stringify(found[name])), wanted);
      if (!isEqual && differences[name] === undefined) wrong.push(name);
      if (isEqual && differences[name] !== undefined) cured.push(name);
    }
    for (const name of wrong.slice(0, Number(process.env['STEPS_SHOWN'] ?? 5))) {
      await t.test(name, () => {
        assert.deepEqual(JSON.parse(JSON.stringify(found[name])), recorded[name]);
      });
    }
    assert.deepEqual({ wrong, cured }, { wrong: [], cured: [] });
  });
}
