// Every part is killed while 50 pods and 50 Mesos tasks run: each comes back by itself, and no pod or
// task is lost, restarted or run twice. A home in use or not writable is refused at once.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Cluster, eventually, root, run } from '#test/support/cluster.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';
import { startTicksOf } from '#supervisor/home.ts';

const PODS = 50;
const TASKS = 50;

let cluster: Cluster;
let tools: string;
let marks: string;

before(async () => {
  tools = await kubectlFolder();
  cluster = await Cluster.start();
  marks = join(cluster.home, 'marks');
  mkdirSync(marks);
});
after(() => cluster?.stop());

async function kubectl(...args: readonly string[]): Promise<string> {
  const env = { KUBECONFIG: cluster.kubeconfig(), HOME: cluster.home };
  const { status, stdout, stderr } = await run([join(tools, 'kubectl'), ...args], { env });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** Each pod and task notes its own start; who starts twice has two files. */
const note = (kind: string): string =>
  `echo $$ > ${marks}/${kind}-$$-$(date +%s%N); exec sleep 100000`;

function startsOf(kind: string): string[] {
  return readdirSync(marks)
    .filter((name) => name.startsWith(`${kind}-`))
    .sort();
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly uid: string };
    readonly status: {
      readonly phase: string;
      readonly containerStatuses?: readonly {
        readonly restartCount: number;
        readonly containerID: string;
      }[];
    };
  }[];
}

async function podFacts(): Promise<string[]> {
  const list = JSON.parse(await kubectl('get', 'pods', '-o', 'json')) as PodList;
  return list.items
    .map(({ metadata, status }) => {
      const one = status.containerStatuses?.[0];
      return `${metadata.uid} ${status.phase} ${one?.restartCount} ${one?.containerID}`;
    })
    .sort();
}

async function runningTasks(): Promise<number> {
  const state = await cluster.masterState();
  const batch = state.frameworks.find(({ name }) => name === 'sleepers');
  return batch?.tasks.filter(({ state: one }) => one === 'TASK_RUNNING').length ?? 0;
}

test('50 pods and 50 tasks start', { timeout: 300_000 }, async () => {
  await kubectl(
    'create',
    'deployment',
    'many',
    '--image=host',
    `--replicas=${PODS}`,
    '--',
    'sh',
    '-c',
    note('pod'),
  );
  const script = join(root, 'test/support/sleepers.ts');
  cluster.background([process.execPath, script, cluster.masterUrl, String(TASKS), note('task')]);
  await kubectl('rollout', 'status', 'deployment/many', '--timeout=180s');
  await eventually(
    'all tasks run',
    async () => ((await runningTasks()) === TASKS ? true : undefined),
    120_000,
  );
  assert.equal(startsOf('pod').length, PODS);
  assert.equal(startsOf('task').length, TASKS);
});

async function nodeExecutorPid(): Promise<number> {
  const found = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\u0000');
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        const isNode =
          words.includes('node') &&
          words.includes('--instance') &&
          !(words[0] ?? '').endsWith('sh');
        return isNode && environment.includes(cluster.home);
      } catch {
        // Gone meanwhile, or not ours to read.
        return false;
      }
    });
  if (found === undefined) throw new Error('No node executor runs');
  return found;
}

const parts: readonly { name: string; pid: () => Promise<number> | number }[] = [
  { name: 'master', pid: () => cluster.pidOf('master') },
  { name: 'agent', pid: () => cluster.pidOf('agent-1') },
  { name: 'instance', pid: () => cluster.pidOf('kube-default') },
  { name: 'node executor', pid: nodeExecutorPid },
];

for (const { name, pid } of parts) {
  test(
    `kill -9 of the ${name} loses nothing and starts nothing twice`,
    { timeout: 180_000 },
    async () => {
      const before = await podFacts();
      const [podStarts, taskStarts] = [startsOf('pod'), startsOf('task')];
      await kubectl(
        'create',
        'configmap',
        `before-${name.replaceAll(' ', '-')}`,
        '--from-literal=a=1',
      );
      const victim = await pid();
      const ticks = startTicksOf(victim);
      process.kill(victim, 'SIGKILL');
      await eventually('it is gone', async () =>
        startTicksOf(victim) === ticks ? undefined : true,
      );
      await eventually('another has taken its place', async () => {
        const successor = await pid();
        return successor === victim ? undefined : successor;
      });
      await eventually(
        'all pods and tasks are seen running',
        async () => {
          if ((await runningTasks()) !== TASKS) return undefined;
          const now = await podFacts();
          return JSON.stringify(now) === JSON.stringify(before) ? true : undefined;
        },
        90_000,
      );
      // What comes after works, too: a new pod through all the parts.
      const fresh = `after-${name.replaceAll(' ', '-')}`;
      await kubectl('run', fresh, '--image=host', '--restart=Never', '--command', '--', 'true');
      await kubectl(
        'wait',
        '--for=jsonpath={.status.phase}=Succeeded',
        `pod/${fresh}`,
        '--timeout=60s',
      );
      await kubectl('delete', 'pod', fresh);
      await kubectl('get', 'configmap', `before-${name.replaceAll(' ', '-')}`);
      assert.deepEqual(await podFacts(), before);
      assert.deepEqual(startsOf('pod'), podStarts);
      assert.deepEqual(startsOf('task'), taskStarts);
    },
  );
}

test('a second up on a home in use is refused with the pid that holds it', async () => {
  const { pid } = cluster.state();
  const second = await cluster.strata(['up', '--port-offset', String(cluster.offset)]);
  assert.equal(second.status, 1);
  assert.match(second.stderr, new RegExp(`pid ${pid}`));
});

test(
  'down --keep-tasks and up resume everything with the same processes',
  { timeout: 240_000 },
  async () => {
    const before = await podFacts();
    const [podStarts, taskStarts] = [startsOf('pod'), startsOf('task')];
    assert.equal((await cluster.strata(['down', '--keep-tasks'])).status, 0);
    await cluster.up();
    await eventually(
      'everything is seen running',
      async () => {
        if ((await runningTasks()) !== TASKS) return undefined;
        return JSON.stringify(await podFacts()) === JSON.stringify(before) ? true : undefined;
      },
      120_000,
    );
    assert.deepEqual(startsOf('pod'), podStarts);
    assert.deepEqual(startsOf('task'), taskStarts);
  },
);

test('a home that cannot be written is an error at once, with the path', async () => {
  const file = join(cluster.home, 'a-file');
  writeFileSync(file, '');
  const home = join(file, 'home');
  const refused = await run([join(root, 'strata'), 'up', '--home', home, '--port-offset', '45000']);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, new RegExp(home));
});
