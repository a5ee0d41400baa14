// The benchmark of refusals at small size: every agent is offered, every framework is there, and all is timed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measure } from './declines.ts';

test('declines: every agent is offered to frameworks that refuse', () => {
  const cost = measure({ agents: 100, frameworks: 20, roles: 4, seconds: 8 });
  assert.equal(cost.agentsOffered, 100);
  assert.equal(cost.frameworksOffered, 20);
  assert.ok(cost.offers >= 100 && cost.decisionUs > 0 && cost.declineUs > 0);
});
