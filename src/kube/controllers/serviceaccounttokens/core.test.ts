// When tokens that nobody uses are marked and deleted: by their age, their last use, who lists and mounts them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { cleanUp, isTracked, TYPE } from './core.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const USED = 'kubernetes.io/legacy-token-last-used';
const INVALID = 'kubernetes.io/legacy-token-invalid-since';

const account: KubeObject = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'robot', namespace: 'n' },
  secrets: [{ name: 'old' }],
};

function outcome(
  labels: Record<string, string>,
  more: { created?: string; account?: KubeObject; isMounted?: boolean } = {},
): string {
  const creationTimestamp = more.created ?? '2024-01-01T00:00:00Z';
  const metadata = { name: 'old', namespace: 'n', uid: 'u', creationTimestamp, labels };
  const secret = { apiVersion: 'v1', kind: 'Secret', type: TYPE, metadata };
  const owner = 'account' in more ? more.account : account;
  const { effects } = cleanUp(secret, owner, { isMounted: more.isMounted === true, now: NOW });
  return effects[0]?.kind ?? 'kept';
}

test('unused tokens of accounts are marked, and deleted when they have been marked for a year', () => {
  assert.equal(outcome({}), 'patch');
  assert.equal(outcome({ [USED]: '2025-11-29' }), 'patch');
  assert.equal(outcome({ [USED]: '2025-11-30' }), 'kept');
  assert.equal(outcome({ [USED]: 'yesterday' }), 'kept');
  assert.equal(outcome({}, { created: '2026-01-01T00:00:00Z' }), 'kept');
  assert.equal(outcome({}, { isMounted: true }), 'kept');
  assert.equal(outcome({}, { account: { ...account, secrets: [] } }), 'kept');
  assert.equal(outcome({}, { account: undefined as never }), 'kept');
  assert.equal(outcome({ [INVALID]: 'once' }), 'patch');
  assert.equal(outcome({ [INVALID]: '2025-11-30' }), 'kept');
  assert.equal(outcome({ [INVALID]: '2025-11-29' }), 'delete');
});

test('nothing is unused before uses have been noted for a year', () => {
  assert.equal(isTracked(undefined, NOW), false);
  assert.equal(isTracked('long ago', NOW), false);
  assert.equal(isTracked('2025-11-29', NOW), true);
  assert.equal(isTracked('2025-11-30', NOW), false);
});
