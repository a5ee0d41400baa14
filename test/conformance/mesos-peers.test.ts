// The clients with a real Mesos 1.11 master and real agents, and Strata's master with a real agent:
// every side of the seams is once the real one.
import { freePort } from '#test/support/free-port.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { callMaster, subscribeToMaster } from '#mesos/client/operator-client.ts';
import type { MasterEvent } from '#wire/mesos/v1.ts';
import { eventually, root } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const folder = process.env['STRATA_REAL_MESOS'] ?? '/tmp/real-mesos';
const realMaster = join(folder, 'real-mesos-master');
const skip = existsSync(realMaster)
  ? false
  : `no real Mesos at ${folder} (set STRATA_REAL_MESOS to where it is)`;

class Machine {
  readonly work = mkdtempSync(join(tmpdir(), 'strata-peers-'));
  readonly #children: ChildProcess[] = [];
  url = '';

  startMesos(vars: Readonly<Record<string, string>>): void {
    this.#start([realMaster], {
      LIBPROCESS_IP: '127.0.0.1',
      MESOS_HOSTNAME: 'localhost',
      MESOS_REGISTRY: 'in_memory',
      MESOS_ALLOCATION_INTERVAL: '100ms',
      MESOS_LAUNCHER: 'posix',
      MESOS_ISOLATION: 'posix/cpu,posix/mem',
      MESOS_SYSTEMD_ENABLE_SUPPORT: 'false',
      MESOS_LAUNCHER_DIR: join(folder, 'launcher'),
      MESOS_RESOURCES: 'cpus:4;mem:4096;disk:1000;ports:[31000-31100]',
      WORK_DIR: join(this.work, 'mesos'),
      ...vars,
    });
  }

  startOwnMaster(port: number): void {
    const command = [process.execPath, join(root, 'src/bin/strata.ts'), 'master'];
    this.#start([...command, '--home', join(this.work, 'own'), '--port', String(port)], {});
  }

  #start(command: readonly string[], vars: Readonly<Record<string, string>>): void {
    const [program = '', ...rest] = command;
    const options = { env: { ...process.env, ...vars }, stdio: 'ignore' as const };
    this.#children.push(spawn(program, rest, options));
  }

  async agents(count: number): Promise<void> {
    await eventually(`${count} agents`, async () => {
      const answer = await callMaster({ url: this.url }, { type: 'GET_AGENTS' });
      const agents = answer.get_agents?.agents ?? [];
      return agents.filter((one) => one.active).length === count ? true : undefined;
    });
  }

  async close(): Promise<void> {
    const all = this.#children.map(
      (child) =>
        new Promise<void>((done) => {
          if (child.exitCode !== null || child.signalCode !== null) done();
          child.once('exit', () => done());
          child.kill('SIGKILL');
        }),
    );
    await Promise.all(all);
    rmSync(this.work, { recursive: true, force: true });
  }
}

function stories(start: (machine: Machine, port: number) => Promise<void>): void {
  const machine = new Machine();
  before(async () => {
    const port = await freePort();
    machine.url = `http://127.0.0.1:${port}`;
    await start(machine, port);
    await machine.agents(1);
  });
  after(() => machine.close());

  for (const contentType of ['application/json', 'application/x-protobuf'] as const) {
    test(`a framework speaking ${contentType} runs tasks and is told of each state`, async () => {
      const events: MasterEvent[] = [];
      const operator = await subscribeToMaster(
        { url: machine.url },
        { onEvent: (event) => events.push(event), onEnd: () => {} },
        env,
      );
      const framework = new TestFramework(machine.url, env, { roles: ['a', 'b'] }, contentType);
      try {
        const name = contentType.slice('application/'.length);
        framework.launch([
          { id: `${name}-good`, script: 'echo hello' },
          { id: `${name}-bad`, script: 'exit 3' },
        ]);
        framework.launch([{ id: `${name}-long`, script: 'sleep 1000' }]);
        await framework.reached(`${name}-good`, 'TASK_FINISHED');
        await framework.reached(`${name}-bad`, 'TASK_FAILED');
        assert.deepEqual(
          framework.statesOf(`${name}-good`).filter((state) => state !== 'TASK_STARTING'),
          ['TASK_RUNNING', 'TASK_FINISHED'],
        );
        await framework.reached(`${name}-long`, 'TASK_RUNNING');
        framework.kill(`${name}-long`);
        await framework.reached(`${name}-long`, 'TASK_KILLED');
        framework.call({
          type: 'RECONCILE',
          reconcile: { tasks: [{ task_id: { value: `${name}-never` } }] },
        });
        const unknown = await framework.reached(`${name}-never`, 'TASK_UNKNOWN');
        assert.equal(unknown.reason, 'REASON_RECONCILIATION');
        assert.equal(unknown.uuid, undefined);
        assert.deepEqual(framework.messages, []);
        const seen = events.map(({ type }) => type);
        assert.equal(seen[0], 'SUBSCRIBED');
        for (const type of ['FRAMEWORK_ADDED', 'TASK_ADDED', 'TASK_UPDATED'] as const) {
          assert.ok(seen.includes(type), type);
        }
      } finally {
        operator.close();
        await framework.close();
      }
    });
  }
}

suite('real master, real agent', { skip }, () => {
  stories(async (machine, port) => {
    machine.startMesos({ LIBPROCESS_PORT: String(port), NUM_SLAVES: '1' });
  });
});

suite("Strata's master, real agent", { skip }, () => {
  stories(async (machine, port) => {
    machine.startOwnMaster(port);
    machine.startMesos({
      AGENT_MASTER: `127.0.0.1:${port}`,
      NUM_SLAVES: '1',
      LIBPROCESS_PORT: String(await freePort()),
    });
  });
});
