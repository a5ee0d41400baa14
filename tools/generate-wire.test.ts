// The generated message types are those of the .proto files beside them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateWire } from './generate-wire.ts';

test('src/wire/mesos/v1.ts is what the generator makes of the .proto files', () => {
  const committed = readFileSync(join(import.meta.dirname, '../src/wire/mesos/v1.ts'), 'utf8');
  assert.ok(committed === generateWire(), 'run `node tools/generate-wire.ts`');
});
