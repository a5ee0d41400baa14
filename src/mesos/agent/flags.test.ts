// Flags of the agent under Mesos' names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { durationMs } from '#mesos/flags/flag-table.ts';
import { idleFlags } from '#mesos/flags/idle-flags.ts';
import { flagTexts, readFlags } from './flags.ts';
import { idleReasons } from './other-flags.ts';

const values = [
  [
    'isolation',
    'cgroups/cpu,namespaces/pid',
    'isolators',
    new Set(['cgroups/cpu', 'namespaces/pid']),
  ],
  ['bounding_capabilities', '{"capabilities":["NET_RAW"]}', 'boundingCapabilities', ['net_raw']],
  [
    'fetcher_cache_size',
    '1.5GB',
    'fetcher',
    { ...readFlags({}).fetcher, cacheBytesMax: 1.5 * 2 ** 30 },
  ],
  [
    'fetcher_programs',
    '{"s3":"/bin/get-s3"}',
    'fetcher',
    { ...readFlags({}).fetcher, programs: new Map([['s3', '/bin/get-s3']]) },
  ],
  ['gc_delay', '2days', 'gcDelayMs', 172_800_000],
  ['gc_disk_headroom', '0.25', 'gcDiskHeadroom', 0.25],
  ['switch_user', 'false', 'switchesUser', false],
  ['executor_environment_variables', '{"A":"b"}', 'executorVariables', { A: 'b' }],
] as const;
for (const [name, text, field, want] of values) {
  test(`readFlags(): ${name}=${text}`, () => {
    assert.deepEqual(readFlags({ [name]: text })[field], want);
  });
}

const refused = [
  ['no_such_flag', '1'],
  ['gc_delay', '1'],
  ['gc_delay', '1fortnights'],
  ['gc_disk_headroom', '2'],
  ['strict', 'maybe'],
  ['recover', 'never'],
  ['xfs_project_range', '[0-10]'],
  ['bounding_capabilities', '{}'],
  ['fetcher_programs', '[]'],
  ['fetcher_programs', '{"s3":"get-s3"}'],
  ['fetcher_programs', '{"S3":"/bin/get-s3"}'],
  ['fetcher_programs', '{"https":"/bin/get"}'],
  ['fetcher_programs', '{"s3":["/bin/get-s3"]}'],
  ['max_completed_executors_per_framework', '-1'],
] as const;
for (const [name, text] of refused) {
  test(`readFlags() refuses ${name}=${text}`, () => {
    assert.throws(
      () => readFlags({ [name]: text }),
      (error) => faultCode(error) === 'bad-flag',
    );
  });
}

test('flagTexts() shows what holds, given or not', () => {
  const texts = flagTexts({ gc_delay: '2days', port: '1' });
  assert.deepEqual(
    [texts['gc_delay'], texts['recover'], texts['port']],
    ['2days', 'reconnect', '1'],
  );
});

test('flagTexts() shows no logins, and the file that they are in', () => {
  const inline = '{"auths":{"r":{"auth":"dTpw"}}}';
  assert.equal(flagTexts({ docker_config: inline })['docker_config'], '<not shown>');
  assert.equal(flagTexts({ docker_config: '/etc/docker' })['docker_config'], '/etc/docker');
  assert.throws(
    () => readFlags({ docker_config: '{"auths": dTpw' }),
    (error: Error) => faultCode(error) === 'bad-flag' && !error.message.includes('dTpw'),
  );
});

test('durationMs() reads what Mesos writes', () => {
  assert.deepEqual(['250ms', '5secs', '1mins', '2hrs'].map(durationMs), [250, 5e3, 6e4, 72e5]);
});

test('flags of perf are read, and nobody is told that they change nothing', () => {
  const given = { perf_events: 'task-clock', perf_interval: '2secs', perf_duration: '1secs' };
  const perf = { events: ['task-clock'], intervalMs: 2_000, durationMs: 1_000 };
  assert.deepEqual(readFlags(given).perf, perf);
  assert.deepEqual(idleFlags(given, idleReasons), []);
});
