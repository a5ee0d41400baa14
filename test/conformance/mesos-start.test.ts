// Master and agent started as mesos-master and mesos-agent are: by MESOS_ and LIBPROCESS_ variables, and
// by command lines that were written for Mesos.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freePort } from '#test/support/free-port.ts';
import { eventually, root, run } from '#test/support/cluster.ts';
import { Part } from '#test/support/part.ts';

const work = mkdtempSync(join(tmpdir(), 'strata-mesos-start-'));
after(() => rmSync(work, { recursive: true, force: true }));
const strata = [process.execPath, join(root, 'src/bin/strata.ts')];
const jsonOf = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

interface StateBody {
  readonly cluster?: string;
  readonly hostname: string;
  readonly pid: string;
  readonly flags: Readonly<Record<string, string>>;
}

interface AgentBody {
  readonly pid: string;
  readonly hostname: string;
  readonly port: number;
  readonly attributes: Readonly<Record<string, string>>;
  readonly reserved_resources: Readonly<Record<string, { cpus?: number; mem?: number }>>;
}

test('the environment of mesos-master and of mesos-agent', async () => {
  const [port, agentPort] = [await freePort(), await freePort()];
  await using master = await Part.start([...strata, 'master'], {
    MESOS_IP: '127.0.0.1',
    MESOS_PORT: String(port),
    MESOS_HOSTNAME: 'the-master',
    MESOS_WORK_DIR: join(work, 'of-master'),
    MESOS_CLUSTER: 'named',
    MESOS_QUORUM: '1',
    MESOS_ROLES: 'web,batch',
    // Of a task, and of nobody.
    MESOS_SANDBOX: '/nowhere',
    MESOS_NO_SUCH_FLAG: 'x',
    LIBPROCESS_PORT: '1',
  });
  const url = `http://127.0.0.1:${port}`;
  const state = await jsonOf<StateBody>(`${url}/state`);
  assert.equal(state.cluster, 'named');
  assert.equal(state.hostname, 'the-master');
  assert.equal(state.pid, `master@127.0.0.1:${port}`);
  assert.equal(state.flags['roles'], 'web,batch');
  assert.match(master.said, /A flag changes nothing here.*quorum/);
  assert.ok(existsSync(join(work, 'of-master')));
  const address = join(work, 'master-address');
  writeFileSync(address, `127.0.0.1:${port}\n`);
  await using _ = await Part.start([...strata, 'agent'], {
    MESOS_MASTER: `file://${address}`,
    MESOS_PORT: String(agentPort),
    MESOS_HOSTNAME: 'the-agent',
    MESOS_WORK_DIR: join(work, 'of-agent'),
    MESOS_RESOURCES: 'cpus:1;mem:128;disk:10;ports:[31000-31001]',
    MESOS_ATTRIBUTES: 'rack:a',
    MESOS_DEFAULT_ROLE: 'web',
    LIBPROCESS_IP: '127.0.0.1',
  });
  const agent = await eventually('the agent has registered', async () => {
    const { slaves } = await jsonOf<{ slaves: AgentBody[] }>(`${url}/slaves`);
    return slaves[0];
  });
  assert.equal(agent.hostname, 'the-agent');
  assert.deepEqual(agent.attributes, { rack: 'a' });
  assert.equal(agent.reserved_resources['web']?.cpus, 1);
  assert.equal(agent.reserved_resources['web']?.mem, 128);
});

test('command lines of mesos-master and mesos-agent; what others are told; flags beat variables', async () => {
  const [port, agentPort] = [await freePort(), await freePort()];
  const masterLine = `--ip=127.0.0.1 --port=${port} --work_dir=${join(work, 'line-master')}
    --quorum=1 --cluster=lined --no-root_submissions --log_dir=${join(work, 'logs')} --quiet`;
  await using masterPart = await Part.start([...strata, 'master', ...masterLine.split(/\s+/)], {
    MESOS_PORT: '1',
    MESOS_CLUSTER: 'not-this',
  });
  const url = `http://127.0.0.1:${port}`;
  const { flags, cluster } = await jsonOf<StateBody>(`${url}/state`);
  assert.equal(cluster, 'lined');
  assert.equal(flags['root_submissions'], 'false');
  const shown = await jsonOf<{ data: string }>(
    `${url}/files/read?path=/master/log&offset=0&length=100000`,
  );
  assert.match(shown.data, /Master leads/);
  assert.equal(shown.data, readFileSync(join(work, 'logs/mesos-master.INFO'), 'utf8'));
  const warnings = readFileSync(join(work, 'logs/mesos-master.WARNING'), 'utf8');
  assert.match(warnings, /^\S+ WARN .*flag=quorum/);
  assert.doesNotMatch(warnings, /Master leads/);
  assert.doesNotMatch(masterPart.said, /Master leads/, 'it is quiet');
  const agentLine = `--master=127.0.0.1:${port} --port=${agentPort} --advertise_ip=127.0.0.1
    --work_dir=${join(work, 'line-agent')} --containerizers=docker,mesos --no-systemd_enable_support
    --launcher=posix --launcher_dir=/usr/libexec/mesos --runtime_dir=/var/run/mesos
    --registration_backoff_factor=100ms --hostname=lined --resources=cpus:1;mem:64`;
  const command = [...strata, 'agent', ...agentLine.split(/\s+/)];
  await using agentPart = await Part.start([...command, '--ip_discovery_command=echo 127.0.0.1']);
  const agent = await eventually('the agent has registered', async () => {
    const { slaves } = await jsonOf<{ slaves: AgentBody[] }>(`${url}/slaves`);
    return slaves[0];
  });
  assert.equal(agent.hostname, 'lined');
  assert.equal(agent.pid, `slave(1)@127.0.0.1:${agentPort}`);
  assert.match(agentPart.said, /no Docker containerizer.*passed over/);
  for (const flag of ['systemd_enable_support', 'launcher_dir', 'runtime_dir']) {
    assert.match(agentPart.said, new RegExp(`changes nothing here.*flag=${flag}`));
  }
});

test('an agent that others find elsewhere: LIBPROCESS_ADVERTISE_IP and _PORT', async () => {
  const port = await freePort();
  const home = ['--home', join(work, 'hidden')];
  await using _ = await Part.start([...strata, 'master', ...home, '--port', String(port)]);
  const [agentPort, known] = [await freePort(), await freePort()];
  const line = ['--master', `127.0.0.1:${port}`, '--port', String(agentPort), ...home];
  await using agentPart = await Part.start([...strata, 'agent', ...line], {
    LIBPROCESS_ADVERTISE_IP: '127.0.0.2',
    LIBPROCESS_ADVERTISE_PORT: String(known),
  });
  assert.match(agentPart.said, new RegExp(`ready at http://127.0.0.1:${agentPort}`));
  const { pid } = await jsonOf<{ pid: string }>(`http://127.0.0.1:${agentPort}/state`);
  assert.equal(pid, `slave(1)@127.0.0.2:${known}`);
});

test('what cannot be read ends the start, with the name of the flag', async () => {
  const free = `--port=${await freePort()}`;
  const cases: readonly [RegExp, ...string[]][] = [
    [/Missing required option --master/, 'agent'],
    [/flag "port": "x" is no port/, 'agent', '--flag', 'port=x', '--master=127.0.0.1:1'],
    [
      /flag "containerizers": "docker" has none that there is/,
      'agent',
      '--master=a:1',
      '--containerizers=docker',
      free,
    ],
    [/flag "no_such" is not known/, 'master', '--no_such=1'],
    [/Only one of `--ip` or/, 'master', '--ip=127.0.0.1', '--ip_discovery_command=echo'],
  ];
  for (const [why, ...line] of cases) {
    const home = ['--home', join(work, 'refused')];
    const ended = await run([...strata, ...line, ...home], { timeoutMs: 60_000 });
    assert.equal(ended.status, 1, ended.stderr);
    assert.match(ended.stderr, why);
  }
});
