// Flags of mesos-master given to a master that runs: endpoints that are switched off, the file of hosts,
// weights that the registry keeps, flags of what is not here, and what the web UI of Mesos asks for.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { Offer } from '#wire/mesos/v1.ts';
import { freePort } from '#test/support/free-port.ts';
import { eventually, root } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';
import { Part } from '#test/support/part.ts';

const work = mkdtempSync(join(tmpdir(), 'strata-flags-'));
after(() => rmSync(work, { recursive: true, force: true }));
const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const strata = [process.execPath, join(root, 'src/bin/strata.ts')];

/** The first offer that a framework gets. */
function offered(framework: TestFramework): Promise<Offer> {
  return new Promise((done) => {
    framework.operate((offer) => {
      done(offer);
      return undefined;
    });
  });
}

interface Running {
  readonly part: Part;
  readonly url: string;
  readonly port: number;
}

function masterArgs(name: string, port: number, flags: readonly string[]): string[] {
  const own = flags.flatMap((flag) => ['--flag', flag]);
  return ['master', '--home', join(work, name), '--port', String(port), ...own];
}

async function startMaster(name: string, ...flags: readonly string[]): Promise<Running> {
  const port = await freePort();
  const part = await Part.start([...strata, ...masterArgs(name, port, flags)]);
  return { part, port, url: `http://127.0.0.1:${port}` };
}

async function startAgent(name: string, master: number, ...flags: readonly string[]) {
  const port = await freePort();
  const own = flags.flatMap((flag) => ['--flag', flag]);
  const args = ['agent', '--master', `127.0.0.1:${master}`, '--home', join(work, name)];
  const where = ['--port', String(port), '--hostname', name, '--resources', 'cpus:1;mem:128'];
  return { part: await Part.start([...strata, ...args, ...where, ...own]), port };
}

const textOf = async (url: string): Promise<string> => await (await fetch(url)).text();
const jsonOf = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

test('--firewall_rules: endpoints are off for everybody, with and without the process before', async () => {
  const rules = {
    disabled_endpoints: { paths: ['/state', '/files/browse', '/master/quota', '/app'] },
  };
  const file = join(work, 'rules.json');
  writeFileSync(file, JSON.stringify(rules));
  const { part, url } = await startMaster('firewall', `firewall_rules=file://${file}`);
  await using _ = part;
  const closed = [
    '/state',
    '/master/state',
    '/state/',
    '/files/browse?path=/',
    '/quota',
    '/quota/role',
  ];
  for (const path of closed) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, 403, path);
    assert.match(await answer.text(), /^Endpoint '\/(master\/(state|quota)|files\/browse)/, path);
  }
  assert.equal(await textOf(`${url}/state`), "Endpoint '/master/state' is disabled");
  for (const path of ['/state-summary', '/health', '/master/slaves', '/files/debug']) {
    assert.equal((await fetch(url + path)).status, 200, path);
  }
});

test('--firewall_rules of an agent', async () => {
  const { part: masterPart, port } = await startMaster('for-firewalled');
  await using _ = masterPart;
  const rules = JSON.stringify({ disabled_endpoints: { paths: ['/state', '/metrics/snapshot'] } });
  const agent = await startAgent('firewalled', port, `firewall_rules=${rules}`);
  await using _agent = agent.part;
  const url = `http://127.0.0.1:${agent.port}`;
  for (const path of ['/state', '/slave(1)/state', '/state/', '/metrics/snapshot']) {
    assert.equal((await fetch(url + path)).status, 403, path);
  }
  assert.equal(await textOf(`${url}/state`), "Endpoint '/slave(1)/state' is disabled");
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

test('--whitelist: the file is read again', async () => {
  const file = join(work, 'whitelist');
  writeFileSync(file, 'somebody-else\n');
  const { part, port, url } = await startMaster('listed', `whitelist=file://${file}`);
  await using _ = part;
  const agent = await startAgent('listed-host', port);
  await using _agent = agent.part;
  const framework = new TestFramework(url, env, { roles: ['r'] });
  try {
    await eventually('the agent is there', async () => {
      const { slaves } = await jsonOf<{ slaves: object[] }>(`${url}/slaves`);
      return slaves.length === 1 ? true : undefined;
    });
    await eventually('the master says why', async () =>
      /not-whitelisted/.test(await textOf(`${url}/allocator/explain?role=r`)) ? true : undefined,
    );
    writeFileSync(file, 'somebody-else\nlisted-host\n');
    assert.equal((await offered(framework)).hostname, 'listed-host');
  } finally {
    await framework.close();
  }
});

test('--weights are for a registry without any, and stay in it', async () => {
  const weightsOf = async (url: string) =>
    await jsonOf<{ role: string; weight: number }[]>(`${url}/weights`);
  const first = await startMaster('weighty', 'weights=a=2,b/c=0.5');
  await using _first = first.part;
  const given = [
    { role: 'a', weight: 2 },
    { role: 'b/c', weight: 0.5 },
  ];
  assert.deepEqual(await weightsOf(first.url), given);
  await first.part[Symbol.asyncDispose]();
  const second = await startMaster('weighty', 'weights=a=7');
  await using _second = second.part;
  assert.deepEqual(await weightsOf(second.url), given);
});

test('flags of what is not here: taken with a warning', async () => {
  const idle = [
    'quorum=2',
    'log_auto_initialize=false',
    'registry=replicated_log',
    'allocation_interval=5secs',
  ];
  const { part, url } = await startMaster(
    'idle',
    ...idle,
    'slave_ping_timeout=20secs',
    'modules={"libraries":[]}',
  );
  await using _ = part;
  const { flags } = await jsonOf<{ flags: Record<string, string> }>(`${url}/flags`);
  assert.equal(flags['quorum'], '2');
  assert.equal(flags['registry'], 'strata');
  assert.equal(flags['agent_ping_timeout'], '20secs');
  for (const said of [
    /flag=quorum reason=".* not in a replicated log"/,
    /flag=allocation_interval/,
    /old=slave_ping_timeout/,
  ]) {
    assert.match(part.said, said);
  }
});

test('--advertise_ip: the master goes by it, and agents register', async () => {
  const { part, port, url } = await startMaster('advertised', 'advertise_ip=127.0.0.2');
  await using _ = part;
  const { leader_info, pid } = await jsonOf<{ leader_info: { port: number }; pid: string }>(
    `${url}/state`,
  );
  assert.deepEqual([leader_info.port, pid], [port, `master@127.0.0.2:${port}`]);
  const agent = await startAgent('of-advertised', port);
  await using _agent = agent.part;
  await eventually('the agent is there', async () => {
    const { slaves } = await jsonOf<{ slaves: object[] }>(`${url}/slaves`);
    return slaves.length === 1 ? true : undefined;
  });
});

test('--domain of an agent reaches offers; a master without one does not answer it', async () => {
  const domain = JSON.stringify({
    fault_domain: { region: { name: 'one' }, zone: { name: 'one-a' } },
  });
  const { part, port, url } = await startMaster('placed', `domain=${domain}`);
  await using _ = part;
  const agent = await startAgent('placed-agent', port, `domain=${domain}`);
  await using _agent = agent.part;
  const framework = new TestFramework(url, env, { roles: ['r'] });
  const offer = await offered(framework);
  await framework.close();
  assert.deepEqual(offer.domain, JSON.parse(domain));
  const state = await jsonOf<{ domain: object }>(`http://127.0.0.1:${agent.port}/state`);
  assert.deepEqual(state.domain, JSON.parse(domain));
});

/** What its pages ask (src/webui/app/controllers.js and services.js of Mesos 1.11), of master and agent. */
const asked = {
  master: ['/master/state', '/metrics/snapshot', '/master/roles', '/master/maintenance/schedule'],
  agent: ['/slave(1)/state', '/slave(1)/monitor/statistics', '/metrics/snapshot'],
} as const;

test('--webui_dir: the files, and every URL that the web UI of Mesos asks', async () => {
  const folder = join(work, 'webui');
  mkdirSync(join(folder, 'app'), { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<p>UI</p>');
  writeFileSync(join(folder, 'app/app.js'), 'x');
  writeFileSync(join(work, 'secret'), 'secret');
  symlinkSync(join(work, 'secret'), join(folder, 'app/link'));
  const log = join(work, 'master.log');
  writeFileSync(log, 'one line\n');
  const { part, port, url } = await startMaster(
    'ui',
    `webui_dir=${folder}`,
    `external_log_file=${log}`,
  );
  await using _ = part;
  const { part: agentPart, port: agentPort } = await startAgent(
    'ui-agent',
    port,
    `external_log_file=${log}`,
  );
  await using _agent = agentPart;
  assert.equal(await textOf(`${url}/`), '<p>UI</p>');
  assert.equal(await textOf(`${url}/app/app.js`), 'x');
  for (const path of [
    '/app/link',
    '/app/..%2f..%2fsecret',
    '/app/%2e%2e/%2e%2e/secret',
    '/assets',
  ]) {
    assert.equal((await fetch(url + path)).status, 404, path);
  }
  const slaves = await eventually('the agent is there', async () => {
    const body = await jsonOf<{ slaves: { pid: string; hostname: string }[] }>(`${url}/slaves`);
    return body.slaves.length === 1 ? body.slaves : undefined;
  });
  assert.match(slaves[0]?.pid ?? '', new RegExp(`^slave\\(1\\)@.*:${agentPort}$`));
  const agentUrl = `http://127.0.0.1:${agentPort}`;
  const framework = new TestFramework(url, env);
  framework.launch([{ id: 'ui-task', script: 'echo said; sleep 1000', cpus: 0.1 }]);
  await framework.reached('ui-task', 'TASK_RUNNING');
  const state = await jsonOf<{
    frameworks: { executors: { directory: string }[] }[];
    external_log_file: string;
  }>(`${agentUrl}/state`);
  const sandbox = state.frameworks[0]?.executors[0]?.directory ?? '';
  const urls = [
    ...asked.master.map((path) => url + path),
    `${url}/files/read?path=/master/log&offset=-1`,
    ...asked.agent.map((path) => agentUrl + path),
    `${agentUrl}/files/read?path=/slave/log&offset=-1`,
    `${agentUrl}/files/browse?path=${encodeURIComponent(sandbox)}`,
    `${agentUrl}/files/read?path=${encodeURIComponent(join(sandbox, 'stdout'))}&offset=-1`,
  ];
  const failed: string[] = [];
  for (const one of urls) {
    const answer = await fetch(`${one}${one.includes('?') ? '&' : '?'}jsonp=angular.callbacks._0`);
    const text = await answer.text();
    const isScript = answer.headers.get('content-type') === 'text/javascript';
    const isCall = /^angular\.callbacks\._0\((\{.*\}|\[.*\])\)$/s.test(text);
    if (answer.status !== 200 || !isScript || !isCall)
      failed.push(`${one}: ${answer.status} ${text}`);
  }
  assert.deepEqual(failed, []);
  await framework.close();
  const { leader_info, external_log_file } = await jsonOf<{
    leader_info: object;
    external_log_file: string;
  }>(`${url}/state`);
  // Links to logs are shown for those who have said where they are.
  assert.deepEqual([external_log_file, state.external_log_file], [log, log]);
  assert.deepEqual(Object.keys(leader_info).sort(), ['hostname', 'id', 'pid', 'port']);
  for (const one of [
    `${url}/files/download?path=/master/log`,
    `${agentUrl}/files/download?path=/slave/log`,
  ]) {
    assert.equal(await textOf(one), 'one line\n');
  }
});
