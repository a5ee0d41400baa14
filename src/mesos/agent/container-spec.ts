// How the processes of containers are started: sandbox, command line, environment, identity, limits
// and isolation of custom executors, of tasks, and of the commands that check tasks.
import { readFileSync, readlinkSync } from 'node:fs';
import { chown, mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ProcessLimits, ProcessSpec } from '#env/process.ts';
import type { CommandInfo, Resource, TaskInfo, Value_Scalar } from '#wire/mesos/v1.ts';
import {
  commandEnvironment,
  commandLine,
  executorEnvironment,
  inheritedEnvironment,
} from '#mesos/executor/environment.ts';
import { fetchAll } from '#mesos/executor/fetcher.ts';
import { isolationOf } from '#mesos/executor/isolation.ts';
import { nameOf } from './container-id.ts';
import type { LaunchRequest, MainContainer } from './nested.ts';
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

export interface NestedRequest extends LaunchRequest {
  readonly stateFolder: string;
  readonly sandbox: string;
  readonly user: string;
  readonly parent: MainContainer | undefined;
  readonly inputPath: string | undefined;
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
      ...(await this.#input(launch, task)),
      ...owner,
    };
  }

  /** A task with a terminal waits for input, whether or not somebody is attached. */
  async #input(
    { containerId }: ContainerLaunch,
    task: TaskInfo,
  ): Promise<Pick<ProcessSpec, 'stdinPath' | 'stdinStaysOpen'>> {
    if (task.container?.tty_info === undefined) return {};
    const stdinPath = this.#options.paths.taskInput(containerId, task.task_id.value);
    await mkdir(dirname(stdinPath), { recursive: true, mode: 0o700 });
    return { stdinPath, stdinStaysOpen: true };
  }

  /** A container launched by the API; its sandbox is there. */
  async nested(request: NestedRequest): Promise<ProcessSpec> {
    const { path, command, container, sandbox, parent, isSession, inputPath } = request;
    const isolation = isolationOf(container);
    const parentPid = parent?.process?.pid;
    const place = isSession && parentPid !== undefined ? placeOf(parentPid) : undefined;
    const { cgroupRoot, ownEnvironment } = this.#options;
    if (!isSession) await fetchAll(command?.uris ?? [], sandbox, nameOf(path));
    const owner = command?.user === undefined ? place?.owner : await this.identity(request.user);
    const base = place?.env ?? {
      ...inheritedEnvironment(ownEnvironment),
      MESOS_SANDBOX: isSession ? (parent?.sandbox ?? sandbox) : sandbox,
    };
    return {
      stateFolder: request.stateFolder,
      argv: commandLine(command),
      env: { ...base, ...commandEnvironment(command?.environment) },
      cwd: isSession ? (place?.cwd ?? parent?.sandbox ?? sandbox) : sandbox,
      stdoutPath: join(sandbox, 'stdout'),
      stderrPath: join(sandbox, 'stderr'),
      ...(inputPath === undefined ? {} : { stdinPath: inputPath }),
      ...(isolation.terminal === undefined ? {} : { stdinStaysOpen: true }),
      cgroup: `${cgroupRoot}/${path.join('/')}`,
      limits: limitsOf(request.resources, request.limits),
      ...isolation,
      ...(place === undefined ? {} : { namespaces: { of: parentPid } }),
      ...(owner ?? (isSession ? {} : await this.identity(request.user))),
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

function limitsOf(
  resources: readonly Resource[],
  limits: Readonly<Record<string, Value_Scalar>>,
): ProcessLimits {
  const cpus = quantity(resources, 'cpus');
  const cpusMax = limits['cpus']?.value;
  const memMb = limits['mem']?.value ?? quantity(resources, 'mem');
  const hasMemory = Number.isFinite(memMb) && memMb > 0;
  return {
    ...(cpus > 0 ? { cpus } : {}),
    ...(cpusMax === undefined || !Number.isFinite(cpusMax) ? {} : { cpusMax }),
    ...(hasMemory ? { memoryBytesMax: Math.max(MEMORY_BYTES_MIN, memMb * 1024 * 1024) } : {}),
  };
}

function taskLimits(task: TaskInfo): ProcessLimits {
  return limitsOf(task.resources ?? [], task.limits ?? {});
}

/** What a running process has, for another in its place. */
function placeOf(pid: number): {
  readonly env: Record<string, string>;
  readonly cwd: string | undefined;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
} {
  const env: Record<string, string> = {};
  for (const entry of readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0) env[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1] ?? 0);
  const gid = Number(/^Gid:\t(\d+)/m.exec(status)?.[1] ?? 0);
  const isOther = process.getuid?.() === 0 && (uid !== 0 || gid !== 0);
  return { env, cwd: readlinkSync(`/proc/${pid}/cwd`), owner: isOther ? { uid, gid } : undefined };
}
