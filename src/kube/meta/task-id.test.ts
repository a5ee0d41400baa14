// How tasks and pods find each other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ATTEMPT_ANNOTATION, notedAttempt, podOfTask, taskIdOf } from './task-id.ts';

const UID = '3c0e5f7a-3d5c-4f0e-9d0b-0a3f1c2b4d5e';

test('taskIdOf() and podOfTask() are each other’s inverse; the first attempt has the pod’s uid', () => {
  assert.equal(taskIdOf(UID, 1), UID, 'as tasks of earlier versions have');
  for (const attempt of [1, 2, 9, 10, 123]) {
    assert.deepEqual(podOfTask(taskIdOf(UID, attempt)), { uid: UID, attempt });
  }
});

const noted = [
  { text: undefined, attempt: undefined },
  { text: '2', attempt: 2 },
  { text: '0', attempt: undefined },
  { text: '-1', attempt: undefined },
  { text: '2.5', attempt: undefined },
  { text: 'two', attempt: undefined },
];
for (const { text, attempt } of noted) {
  test(`notedAttempt() of ${text} is ${attempt}`, () => {
    const annotations = text === undefined ? {} : { [ATTEMPT_ANNOTATION]: text };
    assert.equal(notedAttempt(annotations), attempt);
  });
}
