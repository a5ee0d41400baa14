// The list of tests that run alone is of tests that there are, and has all that must.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { alone, forbiddenBesides } from './tests-alone.ts';

const folder = join(import.meta.dirname, '../test/conformance');

test('each that is named is there, with a reason', () => {
  for (const [name, reason] of Object.entries(alone)) {
    assert.ok(existsSync(join(folder, name)), name);
    assert.ok(reason.length > 0, name);
  }
});

test('none that measures time or changes the machine runs beside another one', () => {
  const wrong = readdirSync(folder)
    .filter((name) => !(name in alone))
    .flatMap((name) => {
      const text = readFileSync(join(folder, name), 'utf8');
      const found = forbiddenBesides.filter(([pattern]) => pattern.test(text));
      return found.map(([, what]) => `${name} ${what}`);
    });
  assert.deepEqual(wrong, []);
});
