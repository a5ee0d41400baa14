// Stories of checks and health checks on told time, against the semantics of Mesos 1.11.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthCheck } from '#wire/mesos/v1.ts';
import { type ProbeResult, TaskChecks, unknownStatus } from './check-core.ts';

const ok: ProbeResult = { type: 'COMMAND', exitCode: 0 };
const bad: ProbeResult = { type: 'COMMAND', exitCode: 1 };
const none: ProbeResult = { type: 'COMMAND' };

function health(more: Partial<HealthCheck> = {}): TaskChecks {
  const checks = new TaskChecks(undefined, {
    type: 'COMMAND',
    command: { value: 'true' },
    delay_seconds: 0,
    interval_seconds: 1,
    grace_period_seconds: 0,
    ...more,
  });
  checks.start(0);
  return checks;
}

/** Results at 0 s, 1 s, 2 s ...; what each was worth telling. */
function told(checks: TaskChecks, results: readonly ProbeResult[]): string[] {
  return results.map((result, second) => {
    assert.equal(checks.takeDue(second * 1000).length, 1, `a probe at ${second} s`);
    const news = checks.probed('health', result, second * 1000);
    if (news?.kind !== 'health') return '-';
    return `${news.healthy ? 'healthy' : 'unhealthy'}${news.kill ? ' kill' : ''}`;
  });
}

const stories = [
  {
    name: 'the first success is told, later ones are not',
    results: [ok, ok],
    want: ['healthy', '-'],
  },
  {
    name: 'every failure is told, and the recovery',
    results: [bad, bad, ok, ok],
    want: ['unhealthy', 'unhealthy', 'healthy', '-'],
  },
  {
    name: 'the third failure in a row kills',
    results: [ok, bad, none, bad],
    want: ['healthy', 'unhealthy', 'unhealthy', 'unhealthy kill'],
  },
  {
    name: 'failures within the grace do not count while it was never healthy',
    more: { grace_period_seconds: 2, consecutive_failures: 1 },
    results: [bad, bad, bad, bad],
    want: ['-', '-', '-', 'unhealthy kill'],
  },
  {
    name: 'the grace ends with the first success',
    more: { grace_period_seconds: 60, consecutive_failures: 1 },
    results: [bad, ok, bad],
    want: ['-', 'healthy', 'unhealthy kill'],
  },
] as const;
for (const { name, results, want, ...rest } of stories) {
  test(`TaskChecks: ${name}`, () => {
    const more = 'more' in rest ? rest.more : {};
    assert.deepEqual(told(health(more), results), want);
  });
}

test('TaskChecks: a probe waits for the delay, then for the interval after the last result', () => {
  const checks = health({ delay_seconds: 2 });
  assert.equal(checks.nextAt(), 2_000);
  assert.equal(checks.takeDue(1_999).length, 0);
  assert.equal(checks.takeDue(2_000).length, 1);
  assert.equal(checks.nextAt(), Infinity, 'not while one runs');
  checks.probed('health', ok, 5_000);
  assert.equal(checks.nextAt(), 6_000);
});

test('TaskChecks: defaults are those of mesos.proto', () => {
  const checks = new TaskChecks(undefined, { type: 'TCP', tcp: { port: 1 } });
  checks.start(0);
  assert.equal(checks.nextAt(), 15_000);
  assert.equal(checks.takeDue(15_000)[0]?.timeoutMs, 20_000);
  checks.probed('health', { type: 'TCP', succeeded: true }, 15_000);
  assert.equal(checks.nextAt(), 25_000);
});

test('TaskChecks: statuses of 200 to 399 are healthy', () => {
  const want = { 199: '-', 200: 'h', 204: 'h', 399: 'h', 400: '-', 500: '-' };
  for (const [statusCode, one] of Object.entries(want)) {
    const checks = health({ type: 'HTTP', http: { port: 1 }, command: undefined });
    checks.takeDue(0);
    const news = checks.probed('health', { type: 'HTTP', statusCode: Number(statusCode) }, 0);
    assert.equal(news?.kind === 'health' && news.healthy ? 'h' : '-', one, statusCode);
  }
});

test('TaskChecks: a check tells of a change of its value, and of its absence', () => {
  const info = { type: 'COMMAND', command: { command: { value: 'x' } } } as const;
  const checks = new TaskChecks({ ...info, delay_seconds: 0, interval_seconds: 1 }, undefined);
  assert.deepEqual(checks.status, unknownStatus(info));
  checks.start(0);
  const news = [none, ok, ok, bad, none, none].map((result, second) => {
    assert.equal(checks.takeDue(second * 1000).length, 1);
    const one = checks.probed('check', result, second * 1000);
    return one?.kind === 'check-status' ? one.status.command : undefined;
  });
  const want = [undefined, { exit_code: 0 }, undefined, { exit_code: 1 }, {}, undefined];
  assert.deepEqual(news, want);
});

test('TaskChecks: stop() ends the probes, and what still comes is of no interest', () => {
  const checks = health();
  checks.takeDue(0);
  checks.stop();
  assert.equal(checks.probed('health', bad, 1), undefined);
  assert.equal(checks.nextAt(), Infinity);
});

test('TaskChecks: start() goes on with what an earlier life had found', () => {
  const status = { type: 'COMMAND', command: { exit_code: 7 } } as const;
  const checks = new TaskChecks(
    { type: 'COMMAND', command: { command: { value: 'x' } } },
    { type: 'COMMAND', command: { value: 'x' }, grace_period_seconds: 600, delay_seconds: 0 },
  );
  checks.start(0, { healthy: true, status });
  assert.deepEqual([checks.healthy, checks.status], [true, status]);
  checks.takeDue(0);
  const news = checks.probed('health', bad, 0);
  assert.deepEqual(news, { kind: 'health', healthy: false, kill: false }, 'the grace is over');
});
