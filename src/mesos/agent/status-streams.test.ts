// Properties of status update streams against a naive twin: a list per task.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StatusUpdate } from '#wire/mesos/v1.ts';
import { StatusStreams } from './status-streams.ts';

function anUpdate(task: number, number: number): StatusUpdate {
  const uuid = new Uint8Array(16);
  uuid[0] = task;
  uuid[1] = number;
  return {
    framework_id: { value: 'f' },
    status: { task_id: { value: `t${task}` }, state: 'TASK_RUNNING' },
    timestamp: 0,
    uuid,
  };
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('add'), task: fc.nat(2), number: fc.nat(5) }),
  fc.record({ kind: fc.constant('acknowledge'), task: fc.nat(2), number: fc.nat(5) }),
  fc.record({ kind: fc.constant('pass'), ms: fc.nat(100_000) }),
);

test('StatusStreams sends each update of a task once at a time, in order, until acknowledged', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const streams = new StatusStreams({ retryMs: 10_000, retryMsMax: 600_000 });
      const waiting = new Map<number, number[]>();
      const seen = new Set<string>();
      let now = 0;
      for (const one of steps) {
        if ('ms' in one) now += one.ms;
        else if (one.kind === 'add') {
          const isNew = streams.add(anUpdate(one.task, one.number), now);
          assert.equal(isNew, !seen.has(`${one.task} ${one.number}`));
          seen.add(`${one.task} ${one.number}`);
          const list = waiting.get(one.task) ?? [];
          if (isNew) waiting.set(one.task, [...list, one.number]);
        } else {
          const { uuid = new Uint8Array() } = anUpdate(one.task, one.number);
          const done = streams.acknowledge('f', `t${one.task}`, uuid, now);
          const list = waiting.get(one.task) ?? [];
          assert.equal(done !== undefined, list[0] === one.number);
          if (done !== undefined) waiting.set(one.task, list.slice(1));
        }
        for (const { update } of streams.takeDue(now)) {
          const [task = 0, number = 0] = update.uuid ?? [];
          assert.equal(waiting.get(task)?.[0], number, 'only the first is in flight');
        }
        assert.deepEqual(streams.takeDue(now), [], 'not twice at one time');
        const hasWork = [...waiting.values()].some((list) => list.length > 0);
        assert.equal(streams.nextAt() < Infinity, hasWork);
      }
    }),
  );
});
