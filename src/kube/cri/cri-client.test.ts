// When a CRI runtime counts as away, by what its calls answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '#base/fault.ts';
import { isAway } from './cri-client.ts';

const failed = (code: number, details: string): Fault =>
  new Fault({ code: 'cri' }, details, { cause: Object.assign(new Error(details), { code }) });

test('a runtime is away while its socket is shut, and while it has not found its containers', () => {
  assert.ok(isAway(failed(14, 'No connection established')));
  assert.ok(isAway(failed(2, 'server is not initialized yet')));
  assert.ok(!isAway(failed(2, 'failed to create containerd task')));
  assert.ok(!isAway(failed(5, 'container "x" in namespace "k8s.io": not found')));
  assert.ok(!isAway(undefined));
});
