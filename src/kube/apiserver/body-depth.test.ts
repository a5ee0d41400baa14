// How deep bodies may be: what the parsers can follow passes, what they cannot is refused before they try.
import assert from 'node:assert/strict';
import test from 'node:test';
import { DEPTH_MAX, isTooDeep, YAML_DEPTH_MAX } from './body-depth.ts';
import { parseYamlBody } from './yaml-body.ts';

const nested = (open: string, close: string, depth: number): string =>
  open.repeat(depth) + close.repeat(depth);

test('JSON may be as deep as upstream takes it', () => {
  assert.equal(isTooDeep(nested('[', ']', DEPTH_MAX), false), false);
  assert.equal(isTooDeep(nested('[', ']', DEPTH_MAX + 1), false), true);
  assert.equal(isTooDeep(`"${'['.repeat(DEPTH_MAX + 1)}"`, false), false);
});

// Found by fuzzing: 10,000 brackets kept the parser busy for seconds before it gave up.
for (const [open, close] of [
  ['[', ']'],
  ['{a: ', '}'],
  ['- ', 'x'],
] as const) {
  void test(`YAML of ${JSON.stringify(open)} is read as deep as it may be`, () => {
    const text = nested(open, close === 'x' ? '' : close, YAML_DEPTH_MAX);
    assert.equal(isTooDeep(text, true), false);
    assert.doesNotThrow(() => parseYamlBody(text));
    assert.equal(isTooDeep(open.repeat(YAML_DEPTH_MAX + 1), true), true);
  });
}
