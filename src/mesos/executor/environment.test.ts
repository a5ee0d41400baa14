// What executors find in their environment, name by name as a Mesos 1.11 agent sets it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  commandLine,
  durationText,
  executorEnvironment,
  inheritedEnvironment,
} from './environment.ts';

const place = {
  upid: 'slave(1)@10.0.0.2:5051',
  endpoint: '10.0.0.2:5051',
  agentId: 'a',
  frameworkId: 'f',
  executorId: 'e',
  sandbox: '/var/lib/box',
  isCheckpointing: false,
  recoveryTimeoutMs: 900_000,
  subscriptionBackoffMsMax: 2_000,
  shutdownGraceMs: 5_000,
};
const always = {
  LIBPROCESS_PORT: '0',
  LIBPROCESS_IP: '10.0.0.2',
  MESOS_FRAMEWORK_ID: 'f',
  MESOS_EXECUTOR_ID: 'e',
  MESOS_DIRECTORY: '/var/lib/box',
  MESOS_SANDBOX: '/var/lib/box',
  MESOS_SLAVE_ID: 'a',
  MESOS_SLAVE_PID: 'slave(1)@10.0.0.2:5051',
  MESOS_AGENT_ENDPOINT: '10.0.0.2:5051',
  MESOS_CHECKPOINT: '0',
  MESOS_HTTP_COMMAND_EXECUTOR: '0',
  MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: '5secs',
};

test('executorEnvironment()', () => {
  assert.deepEqual(executorEnvironment(place), always);
});

test('executorEnvironment() of a framework with checkpoints says how long to wait', () => {
  assert.deepEqual(executorEnvironment({ ...place, isCheckpointing: true }), {
    ...always,
    MESOS_CHECKPOINT: '1',
    MESOS_RECOVERY_TIMEOUT: '15mins',
    MESOS_SUBSCRIPTION_BACKOFF_MAX: '2secs',
  });
});

const texts = [
  [900_000, '15mins'],
  [5_000, '5secs'],
  [1_500, '1.5secs'],
  [250, '250ms'],
  [0, '0ms'],
  [1_209_600_000, '2weeks'],
] as const;
for (const [ms, text] of texts) {
  test(`durationText(): ${text}`, () => assert.equal(durationText(ms), text));
}

test('inheritedEnvironment() hands down no MESOS_ variables, but how libprocess speaks', () => {
  const own = { PATH: '/bin', MESOS_MASTER: 'm', LIBPROCESS_SSL_ENABLED: '1', SECRET: 's' };
  assert.deepEqual(inheritedEnvironment(own), { PATH: '/bin', LIBPROCESS_SSL_ENABLED: '1' });
});

test('on Windows commands are read by cmd.exe, and programs find the system', () => {
  const value = 'echo "a b" & exit 3';
  assert.deepEqual(commandLine({ value }, 'linux'), ['/bin/sh', '-c', value]);
  assert.deepEqual(commandLine({ value }, 'win32'), ['cmd.exe', '/d', '/s', '/c', `"${value}"`]);
  const plain = { value: 'a.exe', shell: false, arguments: ['a', 'b'] };
  assert.deepEqual(commandLine(plain, 'win32'), ['a.exe', 'b']);
  const own = { PATH: 'C:\\bin', SystemRoot: 'C:\\Windows', MESOS_X: '1' };
  const kept = { PATH: 'C:\\bin', SystemRoot: 'C:\\Windows' };
  assert.deepEqual(inheritedEnvironment(own, 'win32'), kept);
  assert.deepEqual(inheritedEnvironment(own, 'linux'), { PATH: 'C:\\bin' });
});
