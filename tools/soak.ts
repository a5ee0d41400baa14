// A whole home under steady work, for as long as wanted: `node tools/soak.ts [--minutes 25] [--objects 20000]
// [--pods 20] [--longest 1000]`. Objects are changed, pods scaled and rolled, Jobs and Mesos tasks come and
// go, watchers follow, probes ask. What is slow but once, grows, is lost or told twice shows here and nowhere
// else: a store that stands still at a compaction, a list that is never shortened. Prints a line each minute
// and one for docs/operating/soak.md; fails when something was wrong.
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEnv } from '#env/node/env.ts';
import { KubeClient } from '#kube/client/client.ts';
import { configMaps } from '#kube/client/resources.ts';
import { Cluster, eventually, run } from '#test/support/cluster.ts';
import { Latencies, type Quantiles } from '#test/support/soak/latencies.ts';
import { ObjectChurn } from '#test/support/soak/object-churn.ts';
import { PartSamples } from '#test/support/soak/part-samples.ts';
import { PodChurn } from '#test/support/soak/pod-churn.ts';
import { TaskChurn } from '#test/support/soak/task-churn.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '25' },
    objects: { type: 'string', default: '20000' },
    pods: { type: 'string', default: '20' },
    longest: { type: 'string', default: '1000' },
  },
});
const minutes = Number(values.minutes);
const objects = Number(values.objects);
/** Milliseconds that a probe may take at most, once in the whole run. */
const longestMs = Number(values.longest);

const PROBE_MS = 250;
const OBJECT_MS = 50;
const TASK_MS = 250;
const POD_MS = 10_000;
const JOB_MS = 5_000;
const SAMPLE_MS = 10_000;
const MINUTE_MS = 60_000;
/** These are asked all the time, so what they take is what a user waits. */
const PROBES = [
  '/readyz',
  'get of an object',
  'patch of an object',
  '/health',
  '/metrics/snapshot',
];

const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const shown = ({ count, median, p99, longest }: Quantiles): string =>
  `${count} times, ${median.toFixed(1)} / ${p99.toFixed(1)} / ${longest.toFixed(0)} ms`;

/** Does it again and again, one after the other, until the end; a slow one is not made up for. */
async function every(ms: number, until: number, work: () => unknown): Promise<void> {
  while (performance.now() < until) {
    const next = performance.now() + ms;
    await work();
    await new Promise((done) => setTimeout(done, Math.max(0, next - performance.now())));
  }
}

async function answered(url: string): Promise<void> {
  const answer = await fetch(url);
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
}

async function soak(cluster: Cluster, client: KubeClient): Promise<string[]> {
  const latencies = new Latencies();
  const samples = new PartSamples();
  const churn = new ObjectChurn(client, objects, latencies);
  await latencies.time(`${objects} objects made`, () => churn.fill());
  const web = new PodChurn(client, Number(values.pods), latencies);
  await web.start();
  const env = createEnv({ component: 'soak', logLevel: 'warn', logFormat: 'text' });
  const tasks = new TaskChurn(cluster.masterUrl, latencies, env);
  latencies.window();

  const until = performance.now() + minutes * MINUTE_MS;
  const probe = (name: string, work: () => Promise<unknown>): Promise<void> =>
    every(PROBE_MS, until, () => latencies.time(name, work));
  const one = { namespace: 'soak-0', name: 'object-0' };
  let minute = 0;
  await Promise.all([
    probe('/readyz', () => client.request({ method: 'GET', path: '/readyz' })),
    probe('get of an object', () => client.find(configMaps, one)),
    probe('/health', () => answered(`${cluster.masterUrl}/health`)),
    probe('/metrics/snapshot', () => answered(`${cluster.masterUrl}/metrics/snapshot`)),
    every(OBJECT_MS, until, () => churn.step()),
    every(TASK_MS, until, () => tasks.want()),
    every(POD_MS, until, () => web.step()),
    every(JOB_MS, until, () => web.job()),
    every(SAMPLE_MS, until, () => samples.take(cluster.state())),
    every(MINUTE_MS, until, () => {
      if (minute > 0) tell(`minute ${minute}: ${samples.now()}`);
      minute += 1;
      for (const [name, quantiles] of latencies.window()) tell(`  ${name}: ${shown(quantiles)}`);
    }),
  ]);

  await eventually('all tasks have ended', async () => tasks.isDone || undefined).catch(() => {});
  const lost = [...(await churn.end()), ...tasks.end(), ...(await web.end())];
  const whole = latencies.whole();
  const slow = PROBES.flatMap((name) => {
    const longest = whole.get(name)?.longest ?? Infinity;
    return longest > longestMs ? [`${name} took ${longest.toFixed(0)} ms once`] : [];
  });
  tell(`\nThe whole, with median, p99 and longest; at the end ${samples.now()}:`);
  for (const [name, quantiles] of whole) tell(`  ${name}: ${shown(quantiles)}`);
  const { failures } = latencies;
  const problems = [...failures.slice(0, 20), ...lost, ...slow, ...samples.problems()];
  const worst = Math.max(...PROBES.map((name) => whole.get(name)?.longest ?? 0)).toFixed(0);
  const day = new Date().toISOString().slice(0, 10);
  const cells = [
    day,
    `${minutes} min`,
    cpus().length,
    objects,
    churn.writes,
    churn.watchEnds,
    tasks.count,
    `${worst} ms`,
    problems.length,
  ];
  tell(`\n| ${cells.join(' | ')} |`);
  return problems;
}

const cluster = await Cluster.start();
const client = KubeClient.fromKubeconfig(cluster.kubeconfig());
try {
  const problems = await soak(cluster, client);
  for (const problem of problems) tell(`  ${problem}`);
  if (problems.length > 0) {
    process.exitCode = 1;
    const { stdout } = await run(['sh', '-c', `tail -n 20 ${join(cluster.home, 'log')}/*.log`]);
    tell(stdout);
  }
} finally {
  await client.close();
  await cluster.stop();
}
