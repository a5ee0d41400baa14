// The tools that come with Mesos, unmodified, against our master and agent: its command line, its web UI in
// a real Chromium, and the exporter for Prometheus. They are not in this repository: each is run when a
// variable says where it is (docs/operating/mesos-tools.md).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { AgentMachine, stop } from '#test/support/agent-machine.ts';
import { freePort } from '#test/support/free-port.ts';
import { eventually, run } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
/** A tree of Mesos' sources, of which src/python and src/webui are used. */
const source = process.env['STRATA_MESOS_SOURCE'];
/** A Python 3 that has what the command line needs. */
const python = process.env['STRATA_MESOS_PYTHON'] ?? 'python3';
const chromium = process.env['STRATA_CHROMIUM'] ?? 'chromium';
const exporter = process.env['STRATA_MESOS_EXPORTER'];

const TERMINAL = { type: 'MESOS', tty_info: { window_size: { rows: 20, columns: 70 } } } as const;

suite('tools of Mesos', () => {
  const machine = new AgentMachine('own');
  const folder = mkdtempSync(join(tmpdir(), 'strata-tools-'));
  let framework: TestFramework;
  before(async () => {
    machine.masterFlags = {
      hostname: '127.0.0.1',
      cluster: 'tools',
      external_log_file: join(machine.folder, 'master.log'),
      ...(source === undefined ? {} : { webui_dir: join(source, 'src/webui') }),
    };
    machine.agentFlags = { hostname: '127.0.0.1' };
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env);
    framework.launch([
      { id: 'plain', script: 'echo some output; printf kept > a.txt; sleep 600' },
      { id: 'in-terminal', script: 'cat', container: TERMINAL },
      { id: 'has-ended', script: 'true' },
    ]);
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'group' } }, [
      { id: 'grouped', script: 'sleep 600' },
    ]);
    for (const id of ['plain', 'in-terminal', 'grouped']) {
      await framework.reached(id, 'TASK_RUNNING');
    }
    await framework.reached('has-ended', 'TASK_FINISHED');
  });
  after(async () => {
    await framework?.close();
    await machine.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const cliSkip =
    source === undefined ? 'STRATA_MESOS_SOURCE names no sources of Mesos' : (false as const);

  async function mesos(args: readonly string[], input?: string) {
    const config = join(folder, 'config.toml');
    writeFileSync(config, `[master]\n  address = "127.0.0.1:${machine.masterPort}"\n`);
    const tree = join(source ?? '', 'src/python');
    const answer = await run([python, join(tree, 'cli_new/bin/main.py'), ...args], {
      env: {
        MESOS_CLI_CONFIG: config,
        PYTHONPATH: `${join(tree, 'cli_new/lib')}:${join(tree, 'lib')}`,
        PYTHONWARNINGS: 'ignore',
      },
      input: input ?? '',
    });
    return answer;
  }

  test('the command line: lists and inspections', { skip: cliSkip }, async () => {
    assert.match((await mesos(['agent', 'list'])).stdout, /-S0\s+127\.0\.0\.1\s+True/);
    const frameworks = (await mesos(['framework', 'list'])).stdout;
    const id = framework.client.frameworkId ?? '';
    assert.ok(frameworks.includes(id));
    const about = JSON.parse((await mesos(['framework', 'inspect', id])).stdout) as { id: string };
    assert.equal(about.id, id);
    const tasks = (await mesos(['task', 'list'])).stdout;
    assert.match(tasks, /plain\s+TASK_RUNNING/);
    assert.doesNotMatch(tasks, /has-ended/);
    assert.match((await mesos(['task', 'list', '--all'])).stdout, /has-ended\s+TASK_FINISHED/);
    const task = JSON.parse((await mesos(['task', 'inspect', 'plain'])).stdout) as {
      state: string;
    };
    assert.equal(task.state, 'TASK_RUNNING');
    for (const name of ['agent', 'config', 'framework', 'task']) {
      assert.match((await mesos(['config', 'plugins'])).stdout, new RegExp(`^${name} `, 'm'));
    }
  });

  test('the command line: exec, with input, and its exit status', { skip: cliSkip }, async () => {
    assert.equal((await mesos(['task', 'exec', 'plain', 'cat', 'a.txt'])).stdout, 'kept');
    const failed = await mesos(['task', 'exec', 'grouped', 'sh', '-c', 'echo no >&2; exit 10']);
    assert.equal(failed.status, 10);
    assert.equal(failed.stderr, 'no\n');
    const text = 'some lines\n'.repeat(300);
    const echoed = await mesos(['task', 'exec', '-i', 'plain', 'cat'], text);
    assert.equal(echoed.stdout, text);
    assert.match(
      (await mesos(['task', 'exec', 'has-ended', 'true'])).stderr,
      /Unable to find runn/,
    );
  });

  const uiSkip =
    source !== undefined && spawnSync('which', [chromium]).status === 0
      ? (false as const)
      : 'STRATA_MESOS_SOURCE names no sources of Mesos, or there is no Chromium';

  /** The text of a page, once it has drawn itself. Fails on what the console says of errors. */
  async function page(path: string): Promise<string> {
    const flags = ['--headless', '--no-sandbox', '--no-proxy-server', '--disable-gpu'];
    const more = ['--enable-logging=stderr', '--virtual-time-budget=10000', '--dump-dom'];
    const home = `--user-data-dir=${join(folder, 'chromium')}`;
    const url = `${machine.masterUrl}/#${path}`;
    const { stdout, stderr } = await run([chromium, ...flags, ...more, home, url]);
    const said = stderr.split('\n').filter((line) => line.includes('CONSOLE'));
    assert.deepEqual(
      said.filter((line) => /Uncaught|Error|Failed/.test(line)),
      [],
      path,
    );
    const visible = stdout.replaceAll(/<(script|style)[\s\S]*?<\/\1>|<!--[\s\S]*?-->/g, ' ');
    return visible.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
  }

  test('every page of the web UI shows what there is', { skip: uiSkip }, async () => {
    const id = framework.client.frameworkId ?? '';
    const slaves = (await (await machine.ask('/slaves')).json()) as { slaves: { id: string }[] };
    const agent = slaves.slaves[0]?.id ?? '';
    const below = `/agents/${agent}/frameworks/${id}`;
    const expected: readonly [path: string, ...RegExp[]][] = [
      ['/', /Cluster: tools/, /Activated 1 /, /Running 3 /, /Finished 1 /, /plain/],
      ['/agents', /127\.0\.0\.1 Active/],
      [`/agents/${agent}`, /Running 3 /, /Finished 1 /, /Resource Reservations/],
      [below, /Executors/, /plain/, /group/],
      [`${below}/executors/plain`, /TASK_RUNNING/],
      [`${below}/executors/plain/browse`, /stdout/, /a\.txt/, /-rw-r--r--/],
      ['/frameworks', /Active Frameworks/],
      [`/frameworks/${id}`, /Running 3 /, /has-ended/, /FINISHED/],
      ['/roles', /Quota/],
      ['/offers', /Outstanding Offers/],
      ['/maintenance', /Maintenance Schedule/],
    ];
    for (const [path, ...texts] of expected) {
      const text = await page(path);
      for (const one of texts) assert.match(text, one, path);
    }
  });

  const exporterSkip =
    exporter !== undefined && existsSync(exporter)
      ? (false as const)
      : 'STRATA_MESOS_EXPORTER names no mesos_exporter';

  async function exported(of: '-master' | '-slave', url: string): Promise<string> {
    const port = await freePort();
    const log: string[] = [];
    const child = spawn(exporter ?? '', ['-addr', `127.0.0.1:${port}`, of, url]);
    child.stderr.on('data', (chunk: Buffer) => log.push(chunk.toString()));
    try {
      const text = await eventually('the exporter answers', async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
        return answer?.text();
      });
      assert.deepEqual(log, [], 'at its level of errors it says nothing');
      return text;
    } finally {
      await stop(child, 'SIGTERM');
    }
  }

  test('mesos_exporter reads master and agent', { skip: exporterSkip }, async () => {
    const master = await exported('-master', machine.masterUrl);
    assert.match(master, /^mesos_master_elected 1$/m);
    assert.match(master, /^mesos_slave_cpus\{slave="[^"]+"\} 8$/m);
    assert.match(master, /^mesos_master_task_states_exit_total\{state="finished"\} 1$/m);
    const agent = await exported('-slave', machine.agentUrl);
    assert.match(agent, /^mesos_slave_cpus\{type="free"\} /m);
    assert.match(agent, /^mesos_agent_mem_rss_bytes\{[^}]*framework_id="/m);
  });
});
