// Admission webhooks are told of every request what a real kube-apiserver v1.37 tells them: what is created
// below objects, connections and proxies included.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { playReviews, type Reviews } from '#test/support/review-steps.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';

const vectors = join(import.meta.dirname, '../vectors/kube-reviews.json');
const recorded = JSON.parse(readFileSync(vectors, 'utf8')) as Reviews;

/** What differs, and why. */
const differences: Readonly<Record<string, string>> = {
  delete: 'upstream asks again for each step of deleting a pod: its end, its grace, its removal',
};

let own: OwnServer;
let found: Reviews;

before(async () => {
  own = await startOwnServer();
  found = await playReviews(own.target);
});

after(async () => await own.close());

test('all steps are recorded', () => {
  assert.deepEqual(Object.keys(found), Object.keys(recorded), 'record the reviews again');
});

for (const [step, wanted] of Object.entries(recorded)) {
  test(`webhooks are told of: ${step}`, () => {
    const isOnce = differences[step] === undefined;
    if (!isOnce) assert.notDeepEqual(found[step], wanted, 'it differs no longer');
    // One status, one review of those who mutate, one of those who judge.
    assert.deepEqual(found[step], isOnce ? wanted : wanted.slice(0, 3));
  });
}
