// What perf(1) prints, of several versions, and events that it does not know.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { checkPerf, parsePerf } from './perf-watch.ts';

for (const [version, text] of [
  ['before 3.14', '123,cycles,a/b\n0.5,task-clock,a/b\n'],
  ['3.14', '123,,cycles,a/b\n0.5,msec,task-clock,a/b\n'],
  ['4.1', '123,,cycles,a/b,1000,100.00\n0.5,msec,task-clock,a/b,1000,100.00\n'],
  [
    '6.1',
    '# started\n\n123,,cycles,a/b,1000,100.00,,\n0.5,msec,task-clock,a/b,1000,100.00,0.1,CPUs\n',
  ],
] as const) {
  test(`what perf of Linux ${version} prints is read`, () => {
    assert.deepEqual([...parsePerf(text)], [['a/b', { cycles: 123, task_clock: 0.5 }]]);
  });
}

test('what is not counted is 0, what is not supported or has no field is left out', () => {
  const text = `<not counted>,,context-switches,a,0,0
<not supported>,,cycles,a,0,100.00
7,,L1-dcache-loads:u,b,0,100.00
7,,some-event,b,0,100.00
`;
  assert.deepEqual(
    [...parsePerf(text)],
    [
      ['a', { context_switches: 0 }],
      ['b', { l1_dcache_loads: 7 }],
    ],
  );
  assert.throws(() => parsePerf('x,,cycles,a\n'), /is no line of perf's/);
});

test('samples that overlap, and events that perf does not know, are refused', () => {
  const flags = { events: ['no-such-event'], intervalMs: 1000, durationMs: 100 };
  assert.throws(
    () => checkPerf(flags),
    (e) => faultCode(e) === 'bad-flag',
  );
  const long = { ...flags, durationMs: 2000 };
  assert.throws(() => checkPerf(long), /sampling perf for longer than "perf_interval"/);
  checkPerf({ ...flags, events: [] });
});
