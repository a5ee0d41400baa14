// Who is who, between real and own sides of each seam: the native driver, pymesos and frameworks over HTTP
// with a master that wants names, agents with a master that wants theirs, executors with an agent.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { basicHeader } from '#mesos/security/basic.ts';
import type { ExecutorInfo, FrameworkInfo } from '#wire/mesos/v1.ts';
import { AgentMachine, realMaster, stop } from '#test/support/agent-machine.ts';
import { eventually, root, run } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';
import { buildNativeDriver, NativeDriver } from '#test/support/native-driver.ts';
import { findPymesos } from '#test/support/pymesos.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const noReal = existsSync(realMaster) ? false : `no real Mesos master at ${realMaster}`;
const program = await buildNativeDriver();
const pymesos = await findPymesos();

const folder = mkdtempSync(join(tmpdir(), 'strata-authentication-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function secretFile(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const people = { fred: 'bedrock', agent: '007', wilma: 'pebbles' };
const credentials = secretFile(
  'credentials.json',
  JSON.stringify({
    credentials: Object.entries(people).map(([principal, secret]) => ({ principal, secret })),
  }),
);
const agentCredential = secretFile('agent.json', '{"principal":"agent","secret":"007"}');
const fred = { principal: 'fred', secret: 'bedrock' };

const strictMaster = {
  credentials,
  authenticate_http_readonly: 'true',
  authenticate_http_readwrite: 'true',
  authenticate_http_frameworks: 'true',
  http_framework_authenticators: 'basic',
  authenticate_frameworks: 'true',
  authenticate_agents: 'true',
};

/** A strict master and an agent that it lets in. */
function strictMachine(master: 'real' | 'own', agent: 'real' | 'own'): AgentMachine {
  const machine = new AgentMachine(master, agent);
  machine.masterFlags = strictMaster;
  machine.agentFlags = { credential: agentCredential };
  machine.authorization = basicHeader(fred);
  return machine;
}

const sides = [
  ['real', 'own'],
  ['own', 'real'],
  ['own', 'own'],
] as const;
for (const [master, agent] of sides) {
  const skip = master === 'own' && agent === 'own' ? false : noReal;
  suite(`a strict master (${master}) and an agent (${agent})`, { skip }, () => {
    const machine = strictMachine(master, agent);
    before(() => machine.start());
    after(() => machine.close());

    test('a framework over HTTP runs a task by its name, and none without one', async () => {
      const framework = new TestFramework(
        machine.masterUrl,
        env,
        {},
        'application/json',
        basicHeader(fred),
      );
      const stranger = new TestFramework(machine.masterUrl, env);
      try {
        framework.launch([{ id: `${master}-${agent}`, script: 'true' }]);
        await framework.reached(`${master}-${agent}`, 'TASK_FINISHED');
        await stranger.until('it is refused', () => stranger.messages.length > 0);
        assert.match(stranger.messages.join(), /401/);
        const answer = await machine.ask('/frameworks');
        const { frameworks } = (await answer.json()) as { frameworks: { principal?: string }[] };
        assert.deepEqual(
          frameworks.map((one) => one.principal),
          ['fred'],
        );
      } finally {
        stranger.client.close();
        await framework.close();
      }
    });

    // A real agent looks for a new master only when pings stay away for 75 seconds.
    if (agent === 'real') return;
    test('the agent proves itself again to the next master', async () => {
      await stop(machine.master, 'SIGKILL');
      machine.startMaster();
      await eventually('the agent is back', async () => {
        const answer = await machine.ask('/slaves').catch(() => undefined);
        if (answer?.status !== 200) return undefined;
        const { slaves } = (await answer.json()) as { slaves: { active: boolean }[] };
        return slaves.some((one) => one.active) ? true : undefined;
      });
    });
  });
}

for (const kind of ['real', 'own'] as const) {
  suite(
    `an agent that a master (${kind}) does not know`,
    { skip: kind === 'real' && noReal },
    () => {
      const machine = strictMachine(kind, 'own');
      before(async () => {
        await machine.start();
      });
      after(() => machine.close());

      test('is told, and ends', async () => {
        await stop(machine.agent, 'SIGTERM');
        const wrong = secretFile(`wrong-${kind}`, 'agent 008\n');
        machine.agentFlags = { credential: wrong };
        machine.startAgent();
        await eventually('the agent ends', async () =>
          machine.agent.exitCode === null ? undefined : true,
        );
      });
    },
  );
}

for (const kind of ['real', 'own'] as const) {
  const skip = program.ok ? kind === 'real' && noReal : program.reason;
  suite(`drivers with a strict master (${kind})`, { skip }, () => {
    const machine = strictMachine(kind, 'own');
    const drivers: NativeDriver[] = [];
    before(() => machine.start());
    after(async () => {
      for (const driver of drivers) await driver.close();
      await machine.close();
    });

    function begin(
      more: Partial<FrameworkInfo>,
      credential?: { principal: string; secret?: string },
    ): NativeDriver {
      const info = { user: 'root', name: 'native', checkpoint: true, ...more };
      const path = program.ok ? program.path : '';
      const driver = new NativeDriver(path, `127.0.0.1:${machine.masterPort}`, info, credential);
      drivers.push(driver);
      return driver;
    }

    test('the native driver registers with its credential and runs a task', async () => {
      const driver = begin({ principal: 'fred' }, fred);
      await driver.said('registered');
      const offer = await driver.offer();
      driver.launch(offer, {
        name: 't',
        task_id: { value: 't' },
        agent_id: offer.agent_id,
        command: { value: 'true' },
        resources: [
          { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
          { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
        ],
      });
      await driver.reached('t', 'TASK_FINISHED');
      await driver.stop('teardown');
    });

    test('it is refused with a wrong secret, with a name that is not its own, and without one', async () => {
      const wrong = begin({ principal: 'fred' }, { principal: 'fred', secret: 'quarry' });
      assert.match(await wrong.said('error'), /refused authentication/);
      const other = begin({ principal: 'wilma' }, fred);
      assert.equal(
        await other.said('error'),
        "error Framework principal 'wilma' does not match authenticated principal 'fred'",
      );
      const nobody = begin({ principal: 'fred' });
      assert.match(await nobody.said('error'), /^error Framework at .* is not authenticated$/);
    });

    test('pymesos runs tasks with its principal and secret', async (t) => {
      if (!pymesos.ok) return t.skip(pymesos.reason);
      const script = join(root, 'test/support/python/short_tasks.py');
      const master = `127.0.0.1:${machine.masterPort}`;
      const words = [pymesos.python, script, master, '3', 'true', fred.principal, fred.secret];
      const done = await run(words, { timeoutMs: 120_000 });
      assert.match(done.stdout, /finished 3 of 3/, done.stderr);
    });
  });
}

suite('an agent that wants names', () => {
  const machine = new AgentMachine('own');
  const key = secretFile('jwt', 'a key of executors');
  machine.agentFlags = {
    authenticate_http_readonly: 'true',
    authenticate_http_readwrite: 'true',
    authenticate_http_executors: 'true',
    jwt_secret_key: key,
    http_credentials: credentials,
  };
  let framework: TestFramework;
  before(async () => {
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework.close();
    await machine.close();
  });

  const ask = (path: string, headers: Record<string, string> = {}, body?: string) =>
    fetch(machine.agentUrl + path, {
      headers: { 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { method: 'POST', body }),
    });

  test('operators are known by a name or by a token, and nobody else is', async () => {
    const authorization = basicHeader(fred);
    const challenge = (realm: string) => `Basic realm="${realm}",Bearer realm="${realm}"`;
    const refused = await ask('/state');
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get('WWW-Authenticate'), challenge('mesos-agent-readonly'));
    assert.equal(
      await refused.text(),
      '"Basic" authenticator returned:\n401 Unauthorized.\n\n"Bearer" authenticator returned:\n401 Unauthorized.',
    );
    const call = '{"type":"GET_HEALTH"}';
    const unknown = await ask('/api/v1', {}, call);
    assert.equal(unknown.headers.get('WWW-Authenticate'), challenge('mesos-agent-readwrite'));
    assert.equal((await ask('/health')).status, 200);
    assert.equal((await ask('/state', { authorization })).status, 200);
    assert.equal((await ask('/api/v1', { authorization }, call)).status, 200);
  });

  test('a custom executor is let in by the token it was given, and nobody by another', async () => {
    const source = join(root, 'test/support/durable-executor.ts');
    const executor: ExecutorInfo = {
      type: 'CUSTOM',
      executor_id: { value: 'known' },
      command: {
        value: `echo "$MESOS_EXECUTOR_AUTHENTICATION_TOKEN"; exec "${process.execPath}" "${source}"`,
      },
    };
    framework.launch([{ id: 'one', executor }]);
    await framework.reached('one', 'TASK_RUNNING');
    const authorization = basicHeader(fred);
    const { frameworks } = (await (await ask('/state', { authorization })).json()) as {
      frameworks: { id: string; executors: { directory: string }[] }[];
    };
    const [known] = frameworks;
    const directory = known?.executors[0]?.directory ?? '';
    const read = await ask(`/files/download?path=${directory}/stdout`, { authorization });
    const [token = ''] = (await read.text()).split('\n');
    const update = (executorId: string): string =>
      JSON.stringify({
        type: 'SUBSCRIBE',
        framework_id: { value: known?.id },
        executor_id: { value: executorId },
        subscribe: {},
      });
    const bearer = { Authorization: `Bearer ${token}` };
    const [head, , signature] = token.split('.');
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    assert.deepEqual(Object.keys(claims).toSorted(), ['cid', 'eid', 'fid']);
    const forged = Buffer.from(JSON.stringify({ ...claims, eid: 'other' })).toString('base64url');
    const statuses = await Promise.all([
      ask('/api/v1/executor', {}, update('known')),
      ask(
        '/api/v1/executor',
        { Authorization: `Bearer ${head}.${forged}.${signature}` },
        update('known'),
      ),
      ask('/api/v1/executor', { authorization }, update('known')),
    ]);
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [401, 401, 403],
    );
    framework.launch([{ id: 'two', executor: { ...executor, executor_id: { value: 'second' } } }]);
    await framework.reached('two', 'TASK_RUNNING');
    const foreign = await ask('/api/v1/executor', bearer, update('second'));
    assert.equal(foreign.status, 403);
    assert.match(
      await foreign.text(),
      /does not contain an 'eid' claim with the executor ID second/,
    );
    for (const id of ['one', 'two']) framework.kill(id);
    await framework.reached('two', 'TASK_KILLED');
  });
});
