// TLS on every port of the substrate: curl and openssl against master and agent, our own clients, and the
// settings of libprocess one by one: verified servers, wanted clients, both kinds of connection at once.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { Authority } from '#kube/pki/authority.ts';
import { callMaster } from '#mesos/client/operator-client.ts';
import { readTlsSettings } from '#mesos/security/tls-settings.ts';
import type { ExecutorInfo } from '#wire/mesos/v1.ts';
import { realMaster, stop } from '#test/support/agent-machine.ts';
import { freePort } from '#test/support/free-port.ts';
import { eventually, root, run } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const folder = mkdtempSync(join(tmpdir(), 'strata-tls-'));
const strata = join(root, 'src/bin/strata.ts');
const ca = join(folder, 'pki', 'ca.crt');

type Variables = Readonly<Record<string, string>>;

/** Variables that present a certificate of this name, signed by the authority of the test. */
async function identity(name: string, names: readonly string[], ips: readonly string[]) {
  const authority = await Authority.open(join(folder, 'pki'), Date.now());
  const peer = { commonName: name, organizations: [], names, ips };
  const { cert, key } = await authority.issuePeer(peer, Date.now());
  const [certPath, keyPath] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  writeFileSync(certPath, cert);
  writeFileSync(keyPath, key, { mode: 0o600 });
  return {
    LIBPROCESS_SSL_ENABLED: 'true',
    LIBPROCESS_SSL_CERT_FILE: certPath,
    LIBPROCESS_SSL_KEY_FILE: keyPath,
    LIBPROCESS_SSL_CA_FILE: ca,
  };
}

const good = await identity('good', ['localhost'], ['127.0.0.1']);
/** Whose certificate is for somebody else. */
const other = await identity('other', ['other.example'], ['127.0.0.9']);
const strict: Variables = {
  LIBPROCESS_SSL_VERIFY_SERVER_CERT: 'true',
  LIBPROCESS_SSL_VERIFY_IPADD: 'true',
  LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME: 'openssl',
};

after(() => rmSync(folder, { recursive: true, force: true }));

/** Curl as it asks one of them; what it says, with the status last. */
async function curl(...words: readonly string[]): Promise<string> {
  const done = await run(['curl', '-s', '-m', '5', '-w', ' %{http_code}', ...words]);
  return done.stdout;
}

class Cluster {
  readonly #children: ChildProcess[] = [];
  readonly home = mkdtempSync(join(folder, 'home-'));
  masterPort = 0;
  agentPort = 0;

  spawn(words: readonly string[], variables: Variables, log: string): ChildProcess {
    const output = openSync(join(this.home, log), 'a');
    const child = spawn(process.execPath, [strata, ...words], {
      env: { ...process.env, ...variables },
      stdio: ['ignore', output, output],
    });
    this.#children.push(child);
    return child;
  }

  async master(variables: Variables): Promise<ChildProcess> {
    this.masterPort = await freePort();
    const words = ['master', '--home', join(this.home, 'm'), '--port', String(this.masterPort)];
    return this.spawn(words, variables, 'master.log');
  }

  async agent(variables: Variables): Promise<ChildProcess> {
    // An agent that comes back must come back where it was.
    if (this.agentPort === 0) this.agentPort = await freePort();
    const ports = ['--port', String(this.agentPort), '--master', `127.0.0.1:${this.masterPort}`];
    const words = ['agent', '--home', join(this.home, 'a'), ...ports];
    return this.spawn([...words, '--resources', 'cpus:4;mem:1024'], variables, 'agent.log');
  }

  /** By curl with these words before the address. */
  async agentsActive(count: number, ...words: readonly string[]): Promise<void> {
    await eventually(`${count} agents`, async () => {
      const text = await curl(...words, `${this.scheme}://127.0.0.1:${this.masterPort}/slaves`);
      return (text.match(/"active":true/g)?.length ?? 0) === count && text.endsWith(' 200')
        ? true
        : undefined;
    });
  }

  scheme = 'https';

  log(name: string): string {
    return readFileSync(join(this.home, name), 'utf8');
  }

  async close(): Promise<void> {
    for (const child of this.#children.toReversed()) await stop(child, 'SIGKILL');
  }
}

suite('master and agent with TLS that verify each other', () => {
  const cluster = new Cluster();
  const variables = { ...good, ...strict };
  const url = (): string => `https://127.0.0.1:${cluster.masterPort}`;
  before(async () => {
    await cluster.master(variables);
    await cluster.agent(variables);
    await cluster.agentsActive(1, '--cacert', ca);
  });
  after(() => cluster.close());

  test('curl verifies both, and there is no other way in', async () => {
    assert.equal(await curl('--cacert', ca, `${url()}/health`), ' 200');
    const agent = `https://127.0.0.1:${cluster.agentPort}`;
    assert.equal(await curl('--cacert', ca, `${agent}/health`), ' 200');
    assert.equal(await curl(`http://127.0.0.1:${cluster.masterPort}/health`), ' 000');
    assert.equal(await curl(`${url()}/health`), ' 000', 'an authority that is not known');
  });

  test('openssl speaks TLS 1.2 and 1.3 with it, and nothing older', async () => {
    const results = [];
    for (const version of ['-tls1_1', '-tls1_2', '-tls1_3']) {
      const target = ['-connect', `127.0.0.1:${cluster.masterPort}`, '-CAfile', ca];
      const words = ['openssl', 's_client', ...target, version, '-verify_return_error'];
      const done = await run(['sh', '-c', `${words.join(' ')} < /dev/null`]);
      results.push(done.status === 0);
    }
    assert.deepEqual(results, [false, true, true]);
  });

  test('a framework runs tasks, and a custom executor comes back by TLS', async () => {
    const tls = readTlsSettings(variables, env.log);
    const framework = new TestFramework(url(), env, {}, 'application/json', undefined, tls);
    try {
      const program = join(root, 'test/support/durable-executor.ts');
      const executor: ExecutorInfo = {
        type: 'CUSTOM',
        executor_id: { value: 'secure' },
        command: { value: `exec "${process.execPath}" "${program}"` },
      };
      framework.launch([{ id: 'plain', script: 'true' }]);
      framework.launch([{ id: 'custom', executor }]);
      await framework.reached('plain', 'TASK_FINISHED');
      await framework.reached('custom', 'TASK_RUNNING');
      framework.kill('custom');
      await framework.reached('custom', 'TASK_KILLED');
    } finally {
      await framework.close();
    }
  });

  test('strata run and strata why speak it, too', async () => {
    const master = ['--master', `127.0.0.1:${cluster.masterPort}`];
    const words = [process.execPath, strata, 'run', ...master, '--', 'echo', 'by', 'TLS'];
    const options = { env: { ...process.env, ...variables } };
    const done = await run(words, options);
    assert.equal(done.stdout, 'by TLS\n', done.stderr);
    const why = await run([process.execPath, strata, 'why', 'nobody', ...master], options);
    const answer = "strata: Cannot explain: No framework is subscribed to the role 'nobody'\n";
    assert.equal(why.stderr, answer);
  });

  test('who believes other authorities, or looks for another name, sends nothing', async () => {
    const call = { type: 'GET_HEALTH' } as const;
    const settings = readTlsSettings(variables, env.log)!;
    await callMaster({ url: url(), tls: settings }, call);
    await assert.rejects(callMaster({ url: url(), tls: { ...settings, ca: undefined } }, call));
    // Without addresses, a name is needed, and 127.0.0.1 is none.
    const nameless = { ...settings, verifiesAddress: false };
    await assert.rejects(callMaster({ url: url(), tls: nameless }, call));
    const named = url().replace('127.0.0.1', 'localhost');
    await callMaster({ url: named, tls: nameless }, call);
    await callMaster({ url: url(), tls: { ...nameless, hostnames: 'legacy' } }, call);
  });
});

suite('a master that wants certificates of its clients', () => {
  const cluster = new Cluster();
  const variables = { ...good, ...strict, LIBPROCESS_SSL_REQUIRE_CLIENT_CERT: 'true' };
  before(async () => {
    await cluster.master(variables);
    await cluster.agent(variables);
  });
  after(() => cluster.close());

  const certificate = [
    '--cert',
    good.LIBPROCESS_SSL_CERT_FILE,
    '--key',
    good.LIBPROCESS_SSL_KEY_FILE,
  ];

  test('lets in those who have one, agents too, and nobody else', async () => {
    await cluster.agentsActive(1, '--cacert', ca, ...certificate);
    const url = `https://127.0.0.1:${cluster.masterPort}/health`;
    assert.equal(await curl('--cacert', ca, url), ' 000');
    assert.equal(await curl('--cacert', ca, ...certificate, url), ' 200');
  });
});

suite('a master whose certificate is for somebody else', () => {
  const cluster = new Cluster();
  before(() => cluster.master({ ...other, ...strict }));
  after(() => cluster.close());

  test('gets no agent that verifies it, and one that does not', async () => {
    const careful = await cluster.agent({ ...good, ...strict });
    const insecure = ['-k'];
    await cluster.agentsActive(0, ...insecure);
    await eventually('the agent has tried', async () => {
      const text = await curl('-k', `https://127.0.0.1:${cluster.agentPort}/health`);
      return text.endsWith(' 200') ? true : undefined;
    });
    await cluster.agentsActive(0, ...insecure);
    await stop(careful, 'SIGKILL');
    await cluster.agent(good);
    // This master verifies its agents, and that one is who it says.
    await cluster.agentsActive(1, ...insecure);
  });
});

suite('a cluster that is being upgraded', () => {
  const cluster = new Cluster();
  const both = { ...good, LIBPROCESS_SSL_SUPPORT_DOWNGRADE: 'true' };
  before(async () => {
    await cluster.master(both);
  });
  after(() => cluster.close());

  test('takes both kinds of connection on one port', async () => {
    await cluster.agentsActive(0, '--cacert', ca);
    const plain = `http://127.0.0.1:${cluster.masterPort}/health`;
    assert.equal(await curl(plain), ' 200');
    assert.equal(await curl('--cacert', ca, plain.replace('http:', 'https:')), ' 200');
  });

  test('an agent without TLS registers, then the same one with it', async () => {
    const before = await cluster.agent({});
    await cluster.agentsActive(1, '--cacert', ca);
    await stop(before, 'SIGKILL');
    await cluster.agent(both);
    await eventually('it is back by TLS', async () => {
      const text = await curl('--cacert', ca, `https://127.0.0.1:${cluster.agentPort}/state`);
      return /"master_hostname"/.test(text) ? true : undefined;
    });
    await cluster.agentsActive(1, '--cacert', ca);
  });

  const noReal = existsSync(realMaster) ? false : `no real Mesos at ${realMaster}`;
  test('a real agent, which has no TLS here, registers', { skip: noReal }, async () => {
    const port = await freePort();
    const child = spawn(realMaster, [], {
      stdio: 'ignore',
      env: {
        ...process.env,
        NUM_SLAVES: '1',
        AGENT_MASTER: `127.0.0.1:${cluster.masterPort}`,
        LIBPROCESS_IP: '127.0.0.1',
        LIBPROCESS_PORT: String(port),
        WORK_DIR: join(cluster.home, 'real'),
        MESOS_LAUNCHER: 'posix',
        MESOS_ISOLATION: 'posix/cpu,posix/mem,filesystem/posix',
        MESOS_SYSTEMD_ENABLE_SUPPORT: 'false',
        MESOS_LAUNCHER_DIR: join(dirname(realMaster), 'launcher'),
        MESOS_RESOURCES: 'cpus:1;mem:512',
      },
    });
    try {
      await cluster.agentsActive(2, '--cacert', ca);
    } finally {
      await stop(child, 'SIGKILL');
    }
  });
});

test('what is wrong with the settings is said, and nothing starts', () => {
  const cases: readonly (readonly [Variables, RegExp])[] = [
    [{ ...good, LIBPROCESS_SSL_KEY_FILE: '' }, /KEY_FILE is not set/],
    [{ ...good, LIBPROCESS_SSL_CERT_FILE: '/nowhere' }, /CERT_FILE names "\/nowhere"/],
    [{ ...good, LIBPROCESS_SSL_CERT_FILE: other.LIBPROCESS_SSL_CERT_FILE }, /no pair/],
    [{ ...good, LIBPROCESS_SSL_ENABLED: 'yes' }, /ENABLED is "yes"/],
    [{ ...good, LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME: 'x' }, /neither legacy nor openssl/],
    [
      { ...good, LIBPROCESS_SSL_ENABLE_TLS_V1_2: '0', LIBPROCESS_SSL_ENABLE_TLS_V1_3: '0' },
      /leave no version/,
    ],
  ];
  for (const [variables, wrong] of cases) {
    assert.throws(() => readTlsSettings(variables, env.log), wrong);
  }
  assert.equal(readTlsSettings({}, env.log), undefined);
  const older = { SSL_ENABLED: '1', SSL_KEY_FILE: good.LIBPROCESS_SSL_KEY_FILE };
  const settings = readTlsSettings(
    { ...older, SSL_CERT_FILE: good.LIBPROCESS_SSL_CERT_FILE, SSL_REQUIRE_CERT: '1' },
    env.log,
  );
  assert.deepEqual([settings?.requiresClient, settings?.verifiesServer], [true, true]);
});
