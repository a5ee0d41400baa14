// A master under churn: `node tools/churn-mesos.ts [--minutes 10] [--rounds 5] [--agents 2000] [--frameworks 200]`.
// In each round agents register, frameworks subscribe, run tasks, fail over, vanish and are torn down, groups of agents
// leave, are cut off and come back; then all of them go. What the master holds after a round must be nothing, and no
// more of its heap after the last round than after an early one: what grows shows here. Fails when it does.
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEnv } from '#env/node/env.ts';
import { eventually, root } from '#test/support/cluster.ts';
import { freePort } from '#test/support/free-port.ts';
import { AgentGroup } from '#test/support/soak/fake-agents.ts';
import { RestlessFramework } from '#test/support/soak/restless-frameworks.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '5' },
    agents: { type: 'string', default: '2000' },
    frameworks: { type: 'string', default: '200' },
  },
});
const rounds = Number(values.rounds);
const roundMs = (Number(values.minutes) * 60_000) / rounds;
const agentCount = Number(values.agents);
const frameworkCount = Number(values.frameworks);

const GROUP = 50;
const ROLES = 10;
const TURN_MS = 8_000;
const AGENTS_MS = 1_500;
const SETTLE_MS = 240_000;
/** Of this program's own questions. */
const SOCKETS_MAX = 10;
/** What a heap may be larger than after an earlier round: shapes and code that came later. */
const GROWTH_MAX = 1.1;
/** Nothing of these may be left when all has gone. */
const EMPTY = [
  /^master\/(slaves|frameworks)_(active|inactive|connected|disconnected)$/,
  /^master\/tasks_(staging|starting|running|killing|unreachable)$/,
  /^master\/(outstanding_offers|operator_event_stream_subscribers|event_queue_\w+)$/,
  /^master\/\w+_(used|total)$/,
  /^allocator\/(event_queue_dispatches|mesos\/(resources|offer_filters)\/.*)$/,
];

/** Bounds that are reached in the first round. */
const FLAGS = {
  max_completed_frameworks: '5',
  max_completed_tasks_per_framework: '10',
  max_unreachable_tasks_per_framework: '10',
  registry_max_agent_count: '100',
  registry_gc_interval: '5secs',
  agent_ping_timeout: '3secs',
  max_agent_ping_timeouts: '2',
};

interface Probe {
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly resources: Readonly<Record<string, number>>;
}

const env = createEnv({ component: 'churn', logLevel: 'error', logFormat: 'text' });
const work = mkdtempSync(join(tmpdir(), 'strata-churn-'));
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const probeFile = join(work, 'heap.json');
const log = openSync(join(work, 'log'), 'a');
/** As many open files as the machine allows. */
const limited = 'ulimit -n "$(ulimit -Hn)"; exec "$@"';
const probed = ['--expose-gc', '--import', join(root, 'test/support/soak/heap-probe.ts')];
const flags = Object.entries(FLAGS).flatMap(([name, value]) => ['--flag', `${name}=${value}`]);
const own = [join(root, 'src/bin/strata.ts'), 'master', '--home', join(work, 'home'), ...flags];
const command = ['-c', limited, 'sh', process.execPath, ...probed, ...own, '--port', String(port)];
const master = spawn('sh', command, {
  env: { ...process.env, STRATA_HEAP_PROBE: probeFile },
  stdio: ['ignore', log, log],
});

const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
const metrics = async (): Promise<Record<string, number>> =>
  (await (await fetch(`${url}/metrics/snapshot`)).json()) as Record<string, number>;

/** Its sockets are gone some time after those who had them. */
async function settled(): Promise<Probe> {
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    const found = await probe();
    const sockets = found.resources['TCPSocketWrap'] ?? 0;
    if (sockets <= SOCKETS_MAX || performance.now() > end) return found;
    await sleep(2_000);
  }
}

async function probe(): Promise<Probe> {
  rmSync(probeFile, { force: true });
  master.kill('SIGUSR2');
  return await eventually(
    'the heap is measured',
    async () => JSON.parse(readFileSync(probeFile, 'utf8')) as Probe,
    SETTLE_MS,
  );
}

/** Until `until`, one thing after the other, in turns. */
async function every(ms: () => number, until: number, work: () => Promise<void>): Promise<void> {
  await sleep(Math.random() * ms());
  while (performance.now() < until) {
    await work();
    await sleep(ms());
  }
}

async function restless(groups: AgentGroup[], numbers: readonly number[][]): Promise<void> {
  const at = Math.floor(Math.random() * groups.length);
  const group = groups[at];
  if (group === undefined) return;
  if (Math.random() < 0.5) {
    await group.leave();
    await group.start(numbers[at] ?? []);
    return;
  }
  await group.cut();
  // Sometimes long enough to be unreachable.
  await sleep(Math.random() * 12_000);
  await group.back();
}

async function round(): Promise<{ tasks: number; ended: number; errors: string[] }> {
  const until = performance.now() + roundMs;
  const numbers: number[][] = [];
  for (let at = 0; at < agentCount; at += GROUP) {
    numbers.push(Array.from({ length: Math.min(GROUP, agentCount - at) }, (_, i) => at + i + 1));
  }
  const groups = numbers.map(() => new AgentGroup(port, () => 200 + Math.random() * 3_000));
  for (const [i, group] of groups.entries()) await group.start(numbers[i] ?? []);
  const frameworks = Array.from(
    { length: frameworkCount },
    (_, i) => new RestlessFramework(url, `role-${i % ROLES}`, Math.random, env),
  );
  await Promise.all([
    ...frameworks.map((one) =>
      every(
        () => TURN_MS * (0.5 + Math.random()),
        until,
        () => one.turn(),
      ),
    ),
    every(
      () => AGENTS_MS,
      until,
      () => restless(groups, numbers),
    ),
  ]);
  await Promise.all(frameworks.map((one) => one.end()));
  await Promise.all(groups.map((group) => group.leave()));
  const sum = (of: (one: RestlessFramework) => number): number =>
    frameworks.reduce((total, one) => total + of(one), 0);
  return {
    tasks: sum(({ tasks }) => tasks),
    ended: sum(({ ended }) => ended),
    errors: frameworks.flatMap(({ errors }) => errors),
  };
}

/** What is not nothing, once it stays so. */
async function left(): Promise<string[]> {
  const look = async (): Promise<string[]> =>
    Object.entries(await metrics())
      .filter(([name, value]) => value !== 0 && EMPTY.some((kind) => kind.test(name)))
      .map(([name, value]) => `${name} ${value}`);
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    const found = await look();
    if (found.length === 0 || performance.now() > end) return found;
    await sleep(1_000);
  }
}

async function state(): Promise<string[]> {
  const answer = await fetch(`${url}/api/v1`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: '{"type":"GET_STATE"}',
  });
  const { get_state: all } = (await answer.json()) as {
    get_state: Record<string, Record<string, object[]>>;
  };
  const lists = [
    'get_tasks.tasks',
    'get_executors.executors',
    'get_frameworks.frameworks',
    'get_agents.agents',
  ];
  return lists.flatMap((path) => {
    const [part = '', list = ''] = path.split('.');
    const count = all[part]?.[list]?.length ?? 0;
    return count === 0 ? [] : [`${path} ${count}`];
  });
}

const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
const problems: string[] = [];
const heaps: number[] = [];
try {
  await eventually('the master answers', async () =>
    (await fetch(`${url}/health`)).ok ? true : undefined,
  );
  const first = await probe();
  tell(`empty: heap ${mb(first.heapBytes)} MB, external ${mb(first.externalBytes)} MB`);
  for (let turn = 1; turn <= rounds; turn++) {
    const { tasks, ended, errors } = await round();
    const rest = [...(await left()), ...(await state())];
    const { heapBytes, externalBytes, resources } = await settled();
    heaps.push(heapBytes);
    const names = Object.keys(await metrics()).length;
    tell(
      `round ${turn}: ${tasks} tasks, ${ended} ends told; heap ${mb(heapBytes)} MB, external ${mb(externalBytes)} MB, ` +
        `${names} metrics, ${JSON.stringify(resources)}; left: ${rest.join(', ') || 'nothing'}`,
    );
    if (tasks === 0 || ended === 0) problems.push(`round ${turn}: nothing ran`);
    if ((resources['TCPSocketWrap'] ?? 0) > SOCKETS_MAX) rest.push('sockets');
    problems.push(...rest.map((one) => `round ${turn}: left ${one}`));
    problems.push(...errors.map((one) => `round ${turn}: ${one}`));
  }
  const [early = 0, last = 0] = [heaps[Math.min(1, heaps.length - 1)], heaps.at(-1)];
  if (last > early * GROWTH_MAX) problems.push(`the heap grows: ${heaps.map(mb).join(', ')} MB`);
} finally {
  master.kill('SIGKILL');
  if (process.env['STRATA_CHURN_KEEP'] === undefined)
    rmSync(work, { recursive: true, force: true });
}
for (const problem of problems) tell(problem);
process.exit(problems.length === 0 ? 0 : 1);
