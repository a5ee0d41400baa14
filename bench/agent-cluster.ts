// A master and one agent on this machine, ours or those of Mesos, and a framework that launches tasks on
// it and measures from the ACCEPT to each update. For the benchmarks of agents.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createEnv } from '#env/node/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import type { ContainerInfo, Offer, SchedulerCall, TaskInfo, TaskStatus } from '#wire/mesos/v1.ts';
import type { Side } from './benchmark.ts';
import { bundle } from './mesos-master.ts';
import { absent, mesosPeer } from './peers.ts';
import { Program } from './program.ts';
import { freePort } from '#test/support/free-port.ts';

const env = createEnv({ component: 'bench', logLevel: 'error', logFormat: 'text' });
const LIMIT_MS = 300_000;
const RESOURCES = 'cpus:4000;mem:4000000;disk:100000';

export function missingAgent(side: Side): string | undefined {
  if (side === 'peer') {
    const launcher = join(mesosPeer.folder, 'launcher', 'mesos-executor');
    return absent([mesosPeer.master, launcher], 'STRATA_BENCH_MESOS');
  }
  return existsSync(bundle) ? undefined : `no ${bundle} (run node tools/bundle.ts)`;
}

/** When a task was asked for and what came of it, in milliseconds of one clock. */
export interface Timed {
  readonly askedAt: number;
  runningAt: number | undefined;
  endedAt: number | undefined;
}

export class AgentCluster implements AsyncDisposable {
  readonly #master: Program;
  readonly agent: Program;
  readonly #framework: LoadFramework;
  readonly side: Side;

  private constructor(side: Side, master: Program, agent: Program, framework: LoadFramework) {
    this.side = side;
    this.#master = master;
    this.agent = agent;
    this.#framework = framework;
  }

  /** `flags`: of our agent, under Mesos' names. */
  static async start(
    side: Side,
    flags: Readonly<Record<string, string>> = {},
  ): Promise<AgentCluster> {
    const [masterPort, agentPort] = [await freePort(), await freePort()];
    const master = new Program(side === 'strata' ? ourMaster(masterPort) : realMaster(masterPort));
    const url = `http://127.0.0.1:${masterPort}`;
    const agent = new Program(
      side === 'strata' ? ourAgent(masterPort, agentPort, flags) : realAgent(masterPort, agentPort),
    );
    try {
      await agent.ready(async () => {
        const answer = await fetch(`${url}/slaves`);
        const { slaves } = (await answer.json()) as { slaves: { active: boolean }[] };
        return slaves.some((one) => one.active);
      });
      const framework = new LoadFramework(url);
      return new AgentCluster(side, master, agent, framework);
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      await master[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** All of them with one ACCEPT; resolves when every one runs. */
  async launch(
    ids: readonly string[],
    container?: ContainerInfo | undefined,
  ): Promise<readonly Timed[]> {
    const timed = await this.#framework.launch(ids, container);
    await this.#framework.until(() => timed.every((one) => one.runningAt !== undefined));
    return timed;
  }

  /** At once, without grace; resolves when every one has ended and the agent keeps nothing of them. */
  async end(ids: readonly string[]): Promise<void> {
    this.#framework.kill(ids);
    const timed = ids.map((id) => this.#framework.timed.get(id));
    await this.#framework.until(() => timed.every((one) => one?.endedAt !== undefined));
    if (this.side !== 'strata') return;
    const containers = join(this.agent.folder, 'work/run/containers');
    await this.agent.ready(async () => readdirSync(containers).length === 0, LIMIT_MS);
  }

  /** The agent's log, when something did not come. */
  log(): string {
    return this.agent.log();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#framework.close();
    await this.agent[Symbol.asyncDispose]();
    await this.#master[Symbol.asyncDispose]();
  }
}

function ourMaster(port: number) {
  return {
    command: (folder: string) => {
      const work = join(folder, 'work');
      return [process.execPath, bundle, 'master', '--home', work, '--port', String(port)];
    },
  };
}

function ourAgent(masterPort: number, port: number, flags: Readonly<Record<string, string>>) {
  const given = Object.entries(flags).flatMap(([name, value]) => ['--flag', `${name}=${value}`]);
  return {
    command: (folder: string) => [
      process.execPath,
      bundle,
      'agent',
      '--master',
      `127.0.0.1:${masterPort}`,
      '--home',
      join(folder, 'work'),
      '--port',
      String(port),
      '--resources',
      RESOURCES,
      ...given,
    ],
  };
}

function realMaster(port: number) {
  return {
    command: (folder: string) => ['sh', '-c', `WORK_DIR=${folder}/work exec ${mesosPeer.master}`],
    env: {
      LIBPROCESS_IP: '127.0.0.1',
      LIBPROCESS_PORT: String(port),
      MESOS_REGISTRY: 'in_memory',
      MESOS_ALLOCATION_INTERVAL: '100ms',
      LOG_LEVEL: '0',
    },
  };
}

/** Command tasks without cgroups and systemd: what the peer's build has. */
function realAgent(masterPort: number, port: number) {
  return {
    command: (folder: string) => ['sh', '-c', `WORK_DIR=${folder}/work exec ${mesosPeer.master}`],
    env: {
      NUM_SLAVES: '1',
      AGENT_MASTER: `127.0.0.1:${masterPort}`,
      LIBPROCESS_IP: '127.0.0.1',
      LIBPROCESS_PORT: String(port),
      MESOS_RESOURCES: RESOURCES,
      MESOS_LAUNCHER: 'posix',
      MESOS_ISOLATION: 'posix/cpu,posix/mem,filesystem/posix',
      MESOS_SYSTEMD_ENABLE_SUPPORT: 'false',
      MESOS_LAUNCHER_DIR: join(dirname(mesosPeer.master), 'launcher'),
      LOG_LEVEL: '0',
    },
  };
}

/** Takes every offer that it wants, declines the rest for good, acknowledges every update. */
class LoadFramework {
  readonly timed = new Map<string, Timed>();
  readonly #client: SchedulerClient;
  readonly #agents = new Map<string, TaskInfo['agent_id']>();
  readonly #waiters = new Set<() => void>();
  #wanted: ((offer: Offer) => void) | undefined;
  #error: Error | undefined;

  constructor(masterUrl: string) {
    this.#client = new SchedulerClient(
      {
        masterUrl,
        contentType: 'application/x-protobuf',
        framework: {
          user: process.getuid?.() === 0 ? 'root' : 'nobody',
          name: 'load',
          roles: ['*'],
          checkpoint: true,
          failover_timeout: 600,
          capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
        },
      },
      {
        onEvent: ({ offers, update }) => {
          for (const offer of offers?.offers ?? []) this.#onOffer(offer);
          if (update !== undefined) this.#onUpdate(update.status);
        },
        onDisconnected: () => {},
        onError: (error) => this.#fail(error),
      },
      env,
    );
    this.#client.start();
  }

  #fail(error: unknown): void {
    this.#error = error instanceof Error ? error : new Error(String(error));
    for (const waiter of this.#waiters) waiter();
  }

  #call(call: SchedulerCall): void {
    this.#client.call(call).catch((error: unknown) => this.#fail(error));
  }

  #onOffer(offer: Offer): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted !== undefined) wanted(offer);
    else {
      const filters = { refuse_seconds: 3600 };
      this.#call({ type: 'DECLINE', decline: { offer_ids: [offer.id], filters } });
    }
  }

  #onUpdate(status: TaskStatus): void {
    const { uuid, agent_id, task_id, state } = status;
    const timed = this.timed.get(task_id.value);
    if (timed !== undefined) {
      if (state === 'TASK_RUNNING') timed.runningAt ??= performance.now();
      if (/KILLED|FINISHED/.test(state)) timed.endedAt ??= performance.now();
    }
    if (/FAILED|ERROR|LOST|DROPPED|GONE/.test(state)) {
      this.#fail(new Error(`${task_id.value} is ${state}: ${status.message ?? ''}`));
    }
    if (uuid !== undefined && agent_id !== undefined) {
      this.#call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
    }
    for (const waiter of this.#waiters) waiter();
  }

  launch(ids: readonly string[], container: ContainerInfo | undefined): Promise<readonly Timed[]> {
    return new Promise((done) => {
      this.#wanted = ({ id, agent_id, allocation_info }) => {
        const scalar = (name: string, value: number) =>
          ({ name, type: 'SCALAR', scalar: { value }, allocation_info }) as const;
        const task_infos = ids.map((taskId): TaskInfo => {
          this.#agents.set(taskId, agent_id);
          return {
            name: taskId,
            task_id: { value: taskId },
            agent_id,
            resources: [scalar('cpus', 0.1), scalar('mem', 32)],
            command: { shell: false, value: '/bin/sleep', arguments: ['sleep', '100000'] },
            ...(container === undefined ? {} : { container }),
          };
        });
        const askedAt = performance.now();
        const made = ids.map(() => ({ askedAt, runningAt: undefined, endedAt: undefined }));
        ids.forEach((taskId, index) => this.timed.set(taskId, made[index] as Timed));
        const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
        const filters = { refuse_seconds: 0 };
        this.#call({ type: 'ACCEPT', accept: { offer_ids: [id], operations, filters } });
        done(made);
      };
      // Its first offers come by themselves.
      if (this.#client.frameworkId !== undefined) this.#call({ type: 'REVIVE', revive: {} });
    });
  }

  kill(ids: readonly string[]): void {
    const kill_policy = { grace_period: { nanoseconds: 0 } };
    for (const taskId of ids) {
      const agent_id = this.#agents.get(taskId);
      this.#call({ type: 'KILL', kill: { task_id: { value: taskId }, agent_id, kill_policy } });
    }
  }

  until(isTrue: () => boolean): Promise<void> {
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        fail(new Error(`Not in ${LIMIT_MS / 1000} s: ${[...this.timed.values()].length} tasks`));
      }, LIMIT_MS);
      const check = (): void => {
        if (this.#error === undefined && !isTrue()) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        if (this.#error === undefined) done();
        else fail(this.#error);
      };
      this.#waiters.add(check);
      check();
    });
  }

  async close(): Promise<void> {
    await this.#client.call({ type: 'TEARDOWN' }).catch(() => {});
    this.#client.close();
  }
}
