// The parameters of the rotating logger: the operator's, those of a container, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerLogger, containerLogger } from './container-logger.ts';
import { readFlags } from './flags.ts';

const MB = 1024 * 1024;
const name = 'org_apache_mesos_LogrotateContainerLogger';
const variables = (given: Record<string, string>) => ({
  variables: Object.entries(given).map(([key, value]) => ({ name: key, value })),
});

test('a container may have other sizes and numbers than the operator has set', () => {
  const logger = new ContainerLogger({
    max_stdout_size: '2MB',
    logrotate_stdout_options: 'rotate 5\ncompress',
  });
  const operators = {
    stdout: { bytesMax: 2 * MB, filesMax: 5, compresses: true },
    stderr: { bytesMax: 10 * MB, filesMax: 0, compresses: false },
  };
  assert.deepEqual(logger.rotation(undefined), operators);
  const asked = variables({
    CONTAINER_LOGGER_MAX_STDOUT_SIZE: '8KB',
    CONTAINER_LOGGER_LOGROTATE_STDERR_OPTIONS: 'rotate 1',
    CONTAINER_LOGGER_OTHER: 'x',
    MAX_STDERR_SIZE: '1MB',
  });
  assert.deepEqual(logger.rotation(asked), {
    stdout: { ...operators.stdout, bytesMax: 8192 },
    stderr: { ...operators.stderr, filesMax: 1 },
  });
});

test('what cannot be done is refused, of the operator at the start', () => {
  const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ max_stdout_size: '1KB' }, /Expected --max_stdout_size of at least 4096 bytes/],
    [{ max_stderr_size: 'much' }, /is no number of bytes/],
    [{ logrotate_stdout_options: 'mail me' }, /The option 'mail me' of logrotate is not supported/],
    [{ nonsense: '1' }, /parameter "nonsense" is not known/],
  ];
  for (const [given, message] of wrong) {
    assert.throws(() => containerLogger(name, { [name]: given }), message);
  }
  assert.throws(() => containerLogger('other', {}), /there is no container logger "other"/);
  const logger = new ContainerLogger({});
  const asked = variables({ CONTAINER_LOGGER_MAX_STDOUT_SIZE: '1B' });
  assert.throws(() => logger.rotation(asked), /at least 4096 bytes/);
  assert.equal(readFlags({}).logger, undefined);
});
