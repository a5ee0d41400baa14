// Sets the machine's clock by a day and more while a master and an agent run, and says what became of their tasks,
// checks, kills, updates, offers and pings. Only in a machine of its own: tools/in-uml.sh UML node tools/set-clock.ts
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { createEnv } from '#env/node/env.ts';
import { AgentMachine } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

assert.match(readFileSync('/proc/cpuinfo', 'utf8'), /User Mode Linux/, 'a machine of its own');

const env = createEnv({ component: 'clock', logLevel: 'error', logFormat: 'text' });
const HOUR_SECONDS = 3_600;
const startedMs = performance.now();
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - startedMs) / 1_000).toFixed(1)} s: ${text}\n`);
};
const sleeps = (id: string) => ({ id, script: 'sleep 6000' });
const nanoseconds = (seconds: number) => ({ nanoseconds: seconds * 1e9 });
const often = { delay_seconds: 0, interval_seconds: 0.5, timeout_seconds: 20 };
const health = (value: string, graceSeconds: number) => ({
  health_check: {
    type: 'COMMAND' as const,
    command: { value },
    ...often,
    consecutive_failures: 2,
    grace_period_seconds: graceSeconds,
  },
});
/** None of them has a reason to end. */
const staying = [
  sleeps('plain'),
  { ...sleeps('healthy'), ...health('true', 0) },
  { ...sleeps('in-grace'), ...health('false', HOUR_SECONDS) },
  { ...sleeps('limited'), max_completion_time: nanoseconds(HOUR_SECONDS) },
];

const machine = new AgentMachine('own');
machine.masterFlags = { agent_ping_timeout: '5secs', max_agent_ping_timeouts: '3' };
await machine.start(['--flag', 'gc_delay=5secs']);
const framework = new TestFramework(machine.masterUrl, env);
const away = new TestFramework(machine.masterUrl, env, { failover_timeout: HOUR_SECONDS });
away.launch([sleeps('of one who is away')]);
await away.reached('of one who is away', 'TASK_RUNNING');
away.client.close();
for (const task of staying) framework.launch([task]);
for (const { id } of staying) await framework.reached(id, 'TASK_RUNNING');

async function list<T>(path: string, name: string): Promise<T[]> {
  const answer = (await (await machine.ask(path)).json()) as Record<string, T[]>;
  return answer[name] ?? [];
}
const isActive = async (): Promise<boolean> =>
  (await list<{ active: boolean }>('/slaves', 'slaves')).some(({ active }) => active);

async function setClock(by: string): Promise<void> {
  const names = { stubborn: `stubborn ${by}`, quick: `quick ${by}`, next: `next ${by}` };
  const script = "trap '' TERM; while :; do sleep 0.3; done";
  const kill_policy = { grace_period: nanoseconds(4) };
  framework.launch([{ id: names.stubborn, script, kill_policy }]);
  await framework.reached(names.stubborn, 'TASK_RUNNING');
  // An update waits to be told again, and a kill to become a harder one.
  framework.holdsAcknowledgements = true;
  framework.launch([{ id: names.quick, script: 'true' }]);
  await framework.until('it is told', () => framework.statesOf(names.quick).length > 0);
  framework.kill(names.stubborn);
  const { status, stdout } = spawnSync('date', ['-s', by]);
  assert.equal(status, 0);
  say(`the clock is set to ${stdout.toString().trim()} (${by})`);
  await pause(5_000);
  framework.holdsAcknowledgements = false;
  await framework.reached(names.quick, 'TASK_FINISHED');
  await framework.reached(names.stubborn, 'TASK_KILLED');
  framework.launch([{ id: names.next, script: 'true' }]);
  await framework.reached(names.next, 'TASK_FINISHED');
  const running = (await list<{ id: string; state: string }>('/tasks', 'tasks'))
    .filter(({ state }) => state === 'TASK_RUNNING')
    .map(({ id }) => id);
  assert.deepEqual(
    running.toSorted(),
    ['of one who is away', ...staying.map(({ id }) => id)].toSorted(),
  );
  assert.ok(await isActive());
  say('what was to end has ended, a new task too; all others run');
}

for (const by of ['now', '+1 day', '-1 day', '-2 days']) await setClock(by);
machine.agent.kill('SIGSTOP');
await eventually('the master misses the agent', async () => !(await isActive()));
machine.agent.kill('SIGCONT');
await eventually('it is back', isActive);
say('an agent that hangs is missed, and taken back');
await framework.close();
await machine.close();
