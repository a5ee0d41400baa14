// How the processes of containers are started: sandbox, command line, environment, identity, limits
// and isolation of custom executors, of tasks, and of the commands that check tasks.
import { chown, mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessLimits, ProcessSpec } from '#env/process.ts';
import type { CommandInfo, Resource, TaskInfo } from '#wire/mesos/v1.ts';
import {
  commandEnvironment,
  commandLine,
  executorEnvironment,
  inheritedEnvironment,
} from '#mesos/executor/environment.ts';
import { fetchAll } from '#mesos/executor/fetcher.ts';
import { isolationOf } from '#mesos/executor/isolation.ts';
import type { AgentPaths } from './paths.ts';
import type { ContainerLaunch } from './types.ts';

export interface ContainerSpecOptions {
  readonly paths: AgentPaths;
  readonly upid: string;
  readonly endpoint: string;
  /** First part of every cgroup of this agent. */
  readonly cgroupRoot: string;
  readonly ownEnvironment: Readonly<Record<string, string | undefined>>;
  readonly recoveryTimeoutMs: number;
  readonly subscriptionBackoffMsMax: number;
  readonly shutdownGraceMs: number;
}

const MEMORY_BYTES_MIN = 32 * 1024 * 1024;

export class ContainerSpecs {
  readonly #options: ContainerSpecOptions;

  constructor(options: ContainerSpecOptions) {
    this.#options = options;
  }

  /** As root, another user's ids; otherwise everything runs as the agent does. */
  async identity(user: string): Promise<{ uid: number; gid: number } | undefined> {
    if (process.getuid?.() !== 0 || user === '' || user === 'root') return undefined;
    const found = (await readFile('/etc/passwd', 'utf8'))
      .split('\n')
      .map((line) => line.split(':'))
      .find((fields) => fields[0] === user);
    if (found === undefined) throw new Error(`Failed to find user '${user}' on this machine`);
    return { uid: Number(found[2]), gid: Number(found[3]) };
  }

  async custom(launch: ContainerLaunch, sandbox: string): Promise<ProcessSpec> {
    const { command, container } = launch.executor;
    const isolation = isolationOf(container);
    await fetchAll(command?.uris ?? [], sandbox, launch.containerId);
    const owner = await this.identity(launch.user);
    return {
      stateFolder: this.#options.paths.containerProcess(launch.containerId),
      argv: commandLine(command),
      env: {
        ...this.#executorVariables(launch, sandbox),
        ...commandEnvironment(command?.environment),
      },
      cwd: sandbox,
      stdoutPath: join(sandbox, 'stdout'),
      stderrPath: join(sandbox, 'stderr'),
      cgroup: `${this.#options.cgroupRoot}/${launch.containerId}`,
      limits: { cpus: quantity(launch.resources, 'cpus') },
      ...isolation,
      ...owner,
    };
  }

  /** Where a task runs: its executor's sandbox, or its own below that. */
  taskSandbox(launch: ContainerLaunch, executorSandbox: string, container: string): string {
    if (launch.type !== 'default') return executorSandbox;
    return join(executorSandbox, 'containers', container);
  }

  /** Makes the task's sandbox and fetches its files. */
  async task(
    launch: ContainerLaunch,
    executorSandbox: string,
    task: TaskInfo,
    container: string,
  ): Promise<ProcessSpec> {
    const taskId = task.task_id.value;
    const { containerId } = launch;
    const isolation = isolationOf(task.container);
    const owner = await this.identity(task.command?.user ?? launch.user);
    const sandbox = this.taskSandbox(launch, executorSandbox, container);
    if (launch.type === 'default') await makeNestedSandbox(executorSandbox, sandbox, taskId);
    if (owner !== undefined) await chown(sandbox, owner.uid, owner.gid);
    await fetchAll(task.command?.uris ?? [], sandbox, containerId);
    return {
      stateFolder: this.#options.paths.taskProcess(containerId, taskId),
      argv: commandLine(task.command),
      env: this.#taskEnvironment(launch, executorSandbox, task, sandbox),
      cwd: sandbox,
      stdoutPath: join(sandbox, 'stdout'),
      stderrPath: join(sandbox, 'stderr'),
      cgroup: this.#taskCgroup(launch, container),
      limits: taskLimits(task),
      ...isolation,
      ...owner,
    };
  }

  /** A command that checks a running task, in its place and as its user. */
  async check(
    launch: ContainerLaunch,
    executorSandbox: string,
    task: TaskInfo,
    container: string,
    command: CommandInfo,
    id: string,
  ): Promise<ProcessSpec> {
    const sandbox = this.taskSandbox(launch, executorSandbox, container);
    const owner = await this.identity(task.command?.user ?? launch.user);
    return {
      stateFolder: this.#options.paths.checkProcess(launch.containerId, id),
      argv: commandLine(command),
      env: {
        ...this.#taskEnvironment(launch, executorSandbox, task, sandbox),
        ...commandEnvironment(command.environment),
      },
      cwd: sandbox,
      stdoutPath: join(sandbox, 'stderr'),
      stderrPath: join(sandbox, 'stderr'),
      // Its own group, so that it can be ended whole; below the task's it would be its memory, too.
      cgroup: `${this.#taskCgroup(launch, container)}-check-${id}`,
      limits: taskLimits(task),
      ...owner,
    };
  }

  #taskCgroup({ containerId, type }: ContainerLaunch, container: string): string {
    const own = `${this.#options.cgroupRoot}/${containerId}`;
    return type === 'default' ? `${own}/${container}` : own;
  }

  #taskEnvironment(
    launch: ContainerLaunch,
    executorSandbox: string,
    task: TaskInfo,
    sandbox: string,
  ): Record<string, string> {
    const role = task.resources?.[0]?.allocation_info?.role;
    const isDefault = launch.type === 'default';
    return {
      ...this.#executorVariables(launch, executorSandbox),
      MESOS_SANDBOX: sandbox,
      ...(role === undefined ? {} : { MESOS_ALLOCATION_ROLE: role }),
      ...(isDefault ? { MESOS_CONTAINER_IP: this.#ip() } : {}),
      ...commandEnvironment(isDefault ? launch.executor.command?.environment : undefined),
      ...commandEnvironment(task.command?.environment),
    };
  }

  #executorVariables(launch: ContainerLaunch, sandbox: string): Record<string, string> {
    const { upid, endpoint, recoveryTimeoutMs, subscriptionBackoffMsMax } = this.#options;
    const own = launch.executor.shutdown_grace_period?.nanoseconds;
    return {
      ...inheritedEnvironment(this.#options.ownEnvironment),
      ...executorEnvironment({
        upid,
        endpoint,
        agentId: launch.agentId,
        frameworkId: launch.key.frameworkId,
        executorId: launch.key.executorId,
        sandbox,
        isCheckpointing: launch.framework.checkpoint === true,
        recoveryTimeoutMs,
        subscriptionBackoffMsMax,
        shutdownGraceMs: own === undefined ? this.#options.shutdownGraceMs : own / 1e6,
      }),
    };
  }

  #ip(): string {
    const { endpoint } = this.#options;
    return endpoint.slice(0, endpoint.lastIndexOf(':'));
  }
}

async function makeNestedSandbox(
  executorSandbox: string,
  sandbox: string,
  taskId: string,
): Promise<void> {
  await mkdir(sandbox, { recursive: true, mode: 0o755 });
  await mkdir(join(executorSandbox, 'tasks'), { recursive: true });
  const link = join(executorSandbox, 'tasks', taskId.replaceAll('/', '%2F'));
  await rm(link, { force: true });
  await symlink(sandbox, link);
}

export function quantity(resources: readonly Resource[], name: string): number {
  return resources
    .filter((one) => one.name === name)
    .reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0);
}

function taskLimits(task: TaskInfo): ProcessLimits {
  const resources = task.resources ?? [];
  const cpusMax = task.limits?.['cpus']?.value;
  const memMb = task.limits?.['mem']?.value ?? quantity(resources, 'mem');
  const hasMemory = Number.isFinite(memMb) && memMb > 0;
  return {
    cpus: quantity(resources, 'cpus'),
    ...(cpusMax === undefined || !Number.isFinite(cpusMax) ? {} : { cpusMax }),
    ...(hasMemory ? { memoryBytesMax: Math.max(MEMORY_BYTES_MIN, memMb * 1024 * 1024) } : {}),
  };
}
