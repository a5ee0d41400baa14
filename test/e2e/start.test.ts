// How things start and stop, as a user sees it: on a terminal, with what is in the way, part by part.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { spawn as spawnOnTerminal } from '@lydell/node-pty';
import { startTicksOf } from '#supervisor/home.ts';
import { eventually, freeOffset, root, run, type Result } from '#test/support/cluster.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';
import { Part } from '#test/support/part.ts';

const strata = join(root, 'strata');
const folder = mkdtempSync(join(tmpdir(), 'strata-start-'));
let tools: string;
let offset: number;

before(async () => {
  tools = await kubectlFolder();
  offset = await freeOffset();
});
after(() => rmSync(folder, { recursive: true, force: true }));

function kubectl(home: string, instance: string, ...args: readonly string[]): Promise<Result> {
  const env = { KUBECONFIG: join(home, 'kube', instance, 'kubeconfig'), HOME: home };
  return run([join(tools, 'kubectl'), ...args], { env });
}

async function ok(home: string, instance: string, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await kubectl(home, instance, ...args);
  assert.equal(status, 0, `kubectl ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

test('on a terminal: a live list, what to try next, and ^C ends all and every pod', async (t) => {
  const home = join(folder, 'terminal');
  const args = ['up', '--home', home, '--port-offset', String(offset)];
  const terminal = spawnOnTerminal(strata, args, { cols: 100, rows: 30, cwd: root });
  // Whatever failed, what was started is stopped.
  t.after(() => run([strata, 'down', '--home', home]));
  let shown = '';
  let hasEnded = false;
  terminal.onData((text) => (shown += text));
  const status = new Promise<number>((done) =>
    terminal.onExit(({ exitCode }) => {
      hasEnded = true;
      done(exitCode);
    }),
  );
  await eventually('it is up', async () =>
    hasEnded || shown.includes('kubectl create deployment') ? true : undefined,
  );
  assert.ok(shown.includes('\u001b[3A\u001b[2K  ✔ master'), shown);
  assert.match(shown, /✔ master +ready at http:\/\/127\.0\.0\.1:\d+/);
  assert.match(shown, new RegExp(`kubeconfig: ${home}/kube/default/kubeconfig`));
  const sleep = `sleep ${100_000 + process.pid}`;
  await ok(home, 'default', 'run', 'one', '--image=host', '--', ...sleep.split(' '));
  await ok(home, 'default', 'wait', '--for=condition=Ready', 'pod/one', '--timeout=60s');
  // Ready comes a moment before the shell around it has become the command.
  const pids = await eventually('the process of the pod', async () => {
    const { stdout } = await run(['pgrep', '-f', `^${sleep}$`]);
    const found = stdout.split('\n').filter(Boolean).map(Number);
    return found.length > 0 ? found : undefined;
  });
  terminal.write('\u0003');
  assert.equal(await status, 0, shown);
  assert.match(shown, /master: stopped/);
  await eventually('the processes of the pod are gone', async () =>
    pids.every((pid) => startTicksOf(pid) === undefined) ? true : undefined,
  );
  const again = await run([strata, 'down', '--home', home]);
  assert.match(again.stdout, /Nothing runs/);
});

test('a port in use is told at once', async (t) => {
  const busy = createServer();
  await new Promise<void>((done) => busy.listen(5050 + offset, '127.0.0.1', done));
  try {
    for (const more of [[], ['--detach']]) {
      const home = join(folder, `busy${more.length}`);
      t.after(() => run([strata, 'down', '--home', home]));
      const args = ['up', '--home', home, '--port-offset', String(offset), '--no-kube', ...more];
      const refused = await run([strata, ...args]);
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, /master cannot start: .*Cannot listen on 127\.0\.0\.1:\d+/);
    }
  } finally {
    busy.close();
  }
});

test('a disk without room is told at once', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('a small disk is a mount, which needs root');
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  assert.equal((await run(['mount', '-t', 'tmpfs', '-o', 'size=100k', 'none', disk])).status, 0);
  try {
    writeFileSync(join(disk, 'full'), 'x'.repeat(90_000));
    const home = join(disk, 'home');
    const parts = [['up'], ['up', '--detach'], ['master'], ['agent', '--master', '127.0.0.1:1']];
    for (const part of [...parts, ['kube', 'serve', 'x', '--components', 'apiserver']]) {
      const { status, stderr } = await run([strata, ...part, '--home', home]);
      assert.equal(status, 1, part.join(' '));
      assert.match(stderr, new RegExp(`home folder "${home}[^"]*": its disk is full`));
    }
  } finally {
    await run(['umount', disk]);
  }
});

test('without Kubernetes: three agents, the state in its shape, a task', async (t) => {
  const home = join(folder, 'plain');
  t.after(() => run([strata, 'down', '--home', home]));
  const at = ['--home', home];
  const up = [
    'up',
    ...at,
    '--port-offset',
    String(offset),
    '--no-kube',
    '--agents',
    '3',
    '--detach',
  ];
  const started = await run([strata, ...up]);
  assert.equal(started.status, 0, started.stderr);
  assert.match(started.stdout, /agent-3: ready at[\s\S]*Try next:\n.*strata run/);
  const port = (base: number): string => `http://127.0.0.1:${base + offset}`;
  // They are ready to be asked; a moment later each has told the master of itself.
  const found = await eventually('three agents', async () => {
    const status = await run([strata, 'status', ...at, '-o', 'json']);
    const shown = JSON.parse(status.stdout) as { agents: { id: string; url: string }[] };
    return shown.agents.length === 3 ? shown : undefined;
  });
  const agents = found.agents.toSorted((a, b) => (a.url < b.url ? -1 : 1));
  assert.deepEqual(
    { ...found, agents },
    {
      master: { url: port(5050), leader: `master@127.0.0.1:${5050 + offset}` },
      agents: agents.map(({ id }, i) => ({ id, url: port(5051 + i), state: 'active' })),
      instances: [],
    },
  );
  const master = ['--master', `127.0.0.1:${5050 + offset}`];
  const task = await run([strata, 'run', ...master, '--', 'sh', '-c', 'echo out; kill -9 $$']);
  assert.deepEqual([task.status, task.stdout], [137, 'out\n']);
  assert.equal((await run([strata, 'down', ...at])).status, 0);
});

test('the parts alone, in the foreground, with any subset of an instance', async () => {
  await using running = new AsyncDisposableStack();
  const part = async (...args: readonly string[]): Promise<Part> =>
    running.use(await Part.start([strata, ...args]));
  const master = `127.0.0.1:${5050 + offset}`;
  const home = join(folder, 'parts');
  await part('master', '--home', home, '--port', String(5050 + offset));
  const resources = 'cpus:4;mem:4096;disk:10000;ports:[31000-32000]';
  const agent = ['agent', '--master', master, '--home', join(home, 'a')];
  const has = ['--resources', resources, '--attributes', 'rack:a'];
  await part(...agent, '--port', String(5051 + offset), ...has);
  const serve = ['kube', 'serve', 'solo', '--home', home, '--port', String(6443 + offset)];
  await part(...serve, '--components', 'apiserver');
  await ok(home, 'solo', 'create', 'deployment', 'web', '--image=host', '--', 'sleep', '1000');
  await part(...serve, '--components', 'controllers');
  const get = ['get', 'pods', '-o', 'jsonpath={.items[*].status.phase}'];
  await eventually('a pod is made', async () =>
    (await ok(home, 'solo', ...get)) === 'Pending' ? true : undefined,
  );
  await part(...serve, '--components', 'scheduler', '--master', master);
  await ok(home, 'solo', 'rollout', 'status', 'deployment/web', '--timeout=60s');
  assert.match(await ok(home, 'solo', 'get', 'nodes', '--show-labels'), /rack=a/);
  const state = (await (await fetch(`http://${master}/state`)).json()) as {
    slaves: { resources: Record<string, unknown>; attributes: object }[];
  };
  const [slave] = state.slaves;
  assert.ok(slave !== undefined);
  const { ports, ...amounts } = slave.resources;
  assert.deepEqual(
    [amounts, ports],
    [{ cpus: 4, mem: 4096, disk: 10000, gpus: 0 }, '[31000-32000]'],
  );
  assert.deepEqual(slave.attributes, { rack: 'a' });
  const bad: readonly (readonly [readonly string[], RegExp])[] = [
    [[...serve, '--components', 'scheduler'], /needs --master/],
    [[...serve, '--components', 'all'], /Cannot run component "all"/],
    [['kube', 'serve', '../x', '--home', home], /Cannot use "\.\.\/x" as the name of an instance/],
    [['agent', '--master', master, '--home', join(home, 'a')], /the agent with pid \d+ does/],
    [['agent', '--master', master, '--home', home, '--resources', 'cpus:x'], /"cpus:x"/],
    [['master', '--home', home, '--port', '0'], /another process has it open/],
    [['up', '--frob'], /unknown option '--frob'/],
    [['up', '--agents', 'many'], /Expected a whole number/],
    [['frob'], /unknown command 'frob'/],
    [['run', '--master', master], /missing required argument/],
    [['test', '--frob'], /unknown argument '--frob'/],
  ];
  for (const [args, why] of bad) {
    const { status, stderr } = await run([strata, ...args]);
    assert.deepEqual([status, why.test(stderr)], [1, true], `${args.join(' ')}: ${stderr}`);
  }
  for (const command of [[], ['up'], ['kube', 'serve'], ['test']]) {
    const { status, stdout } = await run([strata, ...command, '--help']);
    assert.deepEqual([status, stdout.startsWith('Usage: strata')], [0, true]);
  }
});
