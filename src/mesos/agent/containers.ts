// Performs the container effects of the agent core: sandboxes, custom executors as processes, and
// the built-in executors, which live in this process and look to the core like any other.
import { chownSync, mkdirSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorChain } from '#base/fault.ts';
import type { Disk } from '#env/disk.ts';
import type { Env } from '#env/env.ts';
import type { HostProcess, ProcessHost, ProcessUsage } from '#env/process.ts';
import type { Ranges } from '#mesos/resources/ranges.ts';
import type { ExecutorEvent, NetworkInfo, Resource, TaskInfo, TaskStatus } from '#wire/mesos/v1.ts';
import type { Fetcher } from '#mesos/executor/fetcher.ts';
import { exitMessage, type TaskMemory } from '#mesos/executor/core.ts';
import type { Probe, ProbeResult } from '#mesos/executor/check-core.ts';
import { probeCommand, probeNetwork } from '#mesos/executor/prober.ts';
import { resumable } from '#mesos/executor/resume.ts';
import { BuiltinRunner } from '#mesos/executor/runner.ts';
import { type Executor, executorBounds, type Framework, resourcesOf } from './agent-state.ts';
import { type ContainerPath, nameOf } from './container-id.ts';
import { quantity } from './container-limits.ts';
import { ContainerSpecs, type ContainerSpecOptions } from './container-spec.ts';
import { hasImage } from './containerizers.ts';
import type { Limits } from './executor-bounds.ts';
import { csiVolumes } from './csi.ts';
import { eventWithContainer, withContainer } from './default-container.ts';
import { diskWatch, perfWatch, portsWatch, projectQuotas } from './container-watches.ts';
import type { DiskWatch } from './disk-watch.ts';
import { ImageGc } from './image-gc.ts';
import { memoryEnd } from './memory-end.ts';
import { type MainContainer, NestedContainers, waitStatus } from './nested.ts';
import { pathPart } from './paths.ts';
import type { PerfWatch } from './perf-watch.ts';
import type { PortsWatch } from './ports-watch.ts';
import type { ProjectQuotas } from './project-quotas.ts';
import type { VolumeGids } from './volume-gids.ts';
import { SandboxGc } from './sandbox-gc.ts';
import { formatTaskMemory, parseTaskMemory } from './task-memory.ts';
import { sumOfUsages } from './usage-sum.ts';
import type { AgentInput, ConnectionId, ContainerEnd, ContainerLaunch } from './types.ts';

export interface ContainersOptions extends ContainerSpecOptions {
  readonly killGraceMs: number;
  /** What the agent offers. */
  readonly ownPorts: Ranges;
}

interface Container {
  readonly launch: ContainerLaunch;
  readonly sandbox: string;
  readonly runner: BuiltinRunner | undefined;
  process: HostProcess | undefined;
  /** Aborted when it is destroyed. */
  readonly life: AbortController;
  isEnded: boolean;
}

export class Containers {
  readonly #options: ContainersOptions;
  readonly #specs: ContainerSpecs;
  readonly nested: NestedContainers;
  readonly gc: SandboxGc;
  readonly images: ImageGc;
  readonly disk: DiskWatch;
  readonly quotas: ProjectQuotas | undefined;
  readonly perf: PerfWatch;
  readonly #ports: PortsWatch;
  readonly #host: ProcessHost;
  readonly #disk: Disk;
  readonly #env: Env;
  readonly #onInput: (input: AgentInput) => void;
  readonly #nextConnection: () => ConnectionId;
  readonly #containers = new Map<string, Container>();
  readonly #runners = new Map<ConnectionId, BuiltinRunner>();
  readonly #disposing = new Set<Promise<void>>();
  /** Of containers whose leftovers could not be removed. */
  destroyErrors = 0;
  /** What taking up an earlier life took; undefined before that. */
  recoveryMs: number | undefined;

  constructor(
    options: ContainersOptions,
    ports: { host: ProcessHost; disk: Disk; env: Env },
    wiring: { onInput: (input: AgentInput) => void; nextConnection: () => ConnectionId },
  ) {
    this.#options = options;
    const { paths, flags } = options;
    this.quotas = projectQuotas(flags, paths, ports.env);
    const csiWiring = { agentId: options.agentId, containers: () => this.nested };
    const csi = csiVolumes(flags.csiConfigFolder, paths, csiWiring, ports);
    this.#specs = new ContainerSpecs(options, ports.env, ports.disk, this.quotas, csi);
    const { gcDelayMs: delayMs, gcDiskHeadroom: headroom, diskWatchMs: watchMs } = flags;
    this.gc = new SandboxGc({ paths, delayMs, headroom, watchMs }, ports.disk, ports.env);
    this.images = new ImageGc(this.#specs.roots, flags.imageGc, ports.env);
    this.#onInput = wiring.onInput;
    const { onInput } = wiring;
    const members = (id: string) => ports.host.members(`${options.cgroupRoot}/${id}`);
    this.disk = diskWatch(flags, paths, this.quotas, ports.env, onInput);
    this.perf = perfWatch(flags, options.cgroupRoot, members, ports.env);
    this.#ports = portsWatch(flags, options.ownPorts, members, ports.env, onInput);
    this.#host = ports.host;
    this.#disk = ports.disk;
    this.#env = ports.env;
    this.#nextConnection = wiring.nextConnection;
    this.nested = new NestedContainers({
      paths: options.paths,
      specs: this.#specs,
      host: ports.host,
      env: ports.env,
      gc: flags.collectsNestedSandboxes ? this.gc : undefined,
      findMain: (path) => this.#findMain(path),
    });
  }

  get gids(): VolumeGids | undefined {
    return this.#specs.gids;
  }

  get fetcher(): Fetcher {
    return this.#specs.fetcher;
  }

  /** An executor's container, or a task's below it. */
  #findMain(path: ContainerPath): MainContainer | undefined {
    const [topId = '', own, ...more] = path;
    const container = this.#containers.get(topId);
    if (container === undefined || more.length > 0) return undefined;
    const { runner, process, sandbox, launch } = container;
    const { user, type } = launch;
    if (own === undefined && type !== 'command') {
      const hasOwnRoot = hasImage(launch.executor.container);
      const linux = launch.executor.container?.linux_info;
      return { process, sandbox, user, terminalInput: undefined, hasOwnRoot, linux };
    }
    const found = runner?.find(own);
    if (found === undefined || (own === undefined) !== (type === 'command')) return undefined;
    const { taskId, task } = found;
    const hasTerminal = task?.container?.tty_info !== undefined;
    return {
      process: found.process,
      sandbox: this.#specs.taskSandbox(launch, sandbox, found.container),
      user: task?.command?.user ?? user,
      terminalInput: hasTerminal ? this.#options.paths.taskInput(topId, taskId) : undefined,
      hasOwnRoot: hasImage(task?.container),
      linux: task?.container?.linux_info,
    };
  }

  /** True when the connection is that of a built-in executor, which then has got the event. */
  deliver(connection: ConnectionId, event: ExecutorEvent): boolean {
    const runner = this.#runners.get(connection);
    runner?.onEvent(eventWithContainer(event, this.#options.flags.defaultContainer));
    return runner !== undefined;
  }

  /** What a container and all below it use; undefined when nothing of it runs. */
  async usage(path: ContainerPath): Promise<ProcessUsage | undefined> {
    const { paths } = this.#options;
    const [topId = '', own] = path;
    const container = this.#containers.get(topId);
    if (container === undefined || path.length > 2 || !this.#isMain(path)) {
      return this.#host.usage(this.nested.stateFolderOf(path));
    }
    const { runner } = container;
    if (runner === undefined) return this.#host.usage(paths.containerProcess(topId));
    const tasks = runner.tasks().filter((one) => own === undefined || one.container === own);
    const all = await Promise.all(
      tasks.map(({ taskId }) => this.#host.usage(paths.taskProcess(topId, taskId))),
    );
    return all.reduce(sumOfUsages, undefined);
  }

  #isMain(path: ContainerPath): boolean {
    return path.length === 1 || this.#findMain(path) !== undefined;
  }

  /** The containers of the tasks of a default executor. */
  taskContainers(): readonly { readonly path: ContainerPath; readonly pid: number | undefined }[] {
    return [...this.#containers].flatMap(([topId, { runner, launch }]) =>
      launch.type !== 'default' || runner === undefined
        ? []
        : runner.tasks().map((one) => ({ path: [topId, one.container], pid: one.pid })),
    );
  }

  async launch(asked: ContainerLaunch): Promise<void> {
    const container = this.#remember(asked);
    const { launch } = container;
    this.#watchLimits(container, launch.resources);
    try {
      if (launch.type !== 'default') this.#specs.understood(launch.executor.container);
      await this.#makeSandbox(container);
      await this.disk.bind(launch.containerId);
      await this.#specs.netClasses.take(launch.containerId);
      if (launch.type === 'default') await this.#joinNetworks(container);
      container.life.signal.throwIfAborted();
      if (launch.type === 'custom') await this.#launchCustom(container);
      else this.#subscribeBuiltin(container, []);
    } catch (error) {
      const reason = 'REASON_CONTAINER_LAUNCH_FAILED';
      const failed = {
        reason,
        message: `Failed to launch container: ${errorChain(error)}`,
      } as const;
      const isEnded = container.life.signal.aborted;
      this.#end(container, isEnded ? { message: 'Executor was ended before it started' } : failed);
    }
  }

  /** A built-in executor is no process: its network is there for its tasks. */
  async #joinNetworks({ launch }: Container): Promise<void> {
    const { containerId, executor } = launch;
    await this.#specs.networks.join(containerId, executor.container);
    this.#tellStarted(containerId);
  }

  #tellStarted(containerId: string, pid?: number): void {
    const networks = this.networksOf([containerId]);
    const netClass = this.netClassOf([containerId]);
    this.#onInput({ kind: 'container-started', containerId, pid, networks, netClass });
  }

  netClassOf(path: ContainerPath): number | undefined {
    return this.#specs.netClasses.of(nameOf(path));
  }

  /** The networks that a container is in, other than the host's. */
  networksOf(path: ContainerPath): readonly NetworkInfo[] | undefined {
    return this.#specs.networks.of(nameOf(path))?.infos;
  }

  destroy(containerId: string): void {
    const container = this.#containers.get(containerId);
    if (container === undefined || container.isEnded) return;
    container.life.abort();
    this.nested.destroyBelow([containerId]);
    container.process?.kill('SIGKILL', 'group');
    container.runner?.destroy();
  }

  update(containerId: string, resources: readonly Resource[], bounds: Limits): void {
    const container = this.#containers.get(containerId);
    if (container !== undefined) this.#watchLimits(container, resources);
    if (container?.process === undefined) return;
    const { gpus, limits } = this.#specs;
    const { changed, kept } = gpus.resize(containerId, quantity(resources, 'gpus'));
    const own = limits.ofExecutor(resources, bounds);
    const { devices: _same, ...others } = own;
    const now = changed ? limits.with(own, gpus.of(containerId)) : others;
    this.#host.setLimits(this.#options.paths.containerProcess(containerId), now);
    kept.catch((error: unknown) => {
      this.#env.log.warn('A container has other GPUs than its tasks', { containerId, error });
    });
  }

  #watchLimits({ launch, sandbox }: Container, resources: readonly Resource[]): void {
    this.disk.update(launch.containerId, sandbox, resources);
    this.#ports.update(launch.containerId, resources);
    this.perf.add(launch.containerId);
  }

  /** Its updates are all acknowledged: what is left of it at run time goes. */
  async forget(containerId: string): Promise<void> {
    const sandbox = this.#containers.get(containerId)?.sandbox;
    if (sandbox !== undefined) this.gc.ended(sandbox);
    this.#containers.delete(containerId);
    const disposed = this.#disposeFolder(containerId);
    this.#tidy(disposed);
    await disposed;
  }

  /** Whoever closes the agent waits for it. */
  #tidy(work: Promise<void>): void {
    const kept = work
      .catch((error: unknown) => {
        this.destroyErrors += 1;
        this.#env.log.warn('Cannot remove what is left of a container', { error });
      })
      .finally(() => this.#disposing.delete(kept));
    this.#disposing.add(kept);
  }

  /** What was to be forgotten is gone. */
  async forgotten(): Promise<void> {
    await Promise.allSettled(this.#disposing);
    await this.#host.settled(this.#options.cgroupRoot);
  }

  async #disposeFolder(containerId: string): Promise<void> {
    const { paths } = this.#options;
    const folder = paths.container(containerId);
    await this.nested.disposeBelow([containerId]);
    for (const name of await readdir(join(folder, 'nested')).catch(() => [])) {
      await this.#host.dispose(join(folder, 'nested', name, 'process'));
    }
    for (const kind of ['tasks', 'checks']) await this.#disposeAll(join(folder, kind));
    await this.#host.dispose(paths.containerProcess(containerId));
    await this.#specs.leaveBelow(containerId);
    const secrets = join(this.#options.secretsFolder, pathPart(containerId));
    await rm(secrets, { recursive: true, force: true });
    await this.#specs.roots.release(folder);
    await rm(folder, { recursive: true, force: true });
  }

  async #disposeAll(folder: string): Promise<void> {
    for (const name of await readdir(folder).catch(() => [])) {
      await this.#host.dispose(join(folder, name));
    }
  }

  /** Takes up what an earlier life had started, and ends what nobody knows of any more. */
  async recover(agentId: string, frameworks: Iterable<Framework>): Promise<void> {
    const startedAt = this.#env.clock.now();
    const executors = [...frameworks].flatMap((framework) =>
      [...framework.executors.values()].map((executor) => ({ framework, executor })),
    );
    const known = new Set(executors.map(({ executor }) => executor.containerId));
    for (const id of await this.nested.standaloneIds()) known.add(id);
    await this.#specs.gpus.recover((name) => known.has(name.split('.')[0] ?? ''));
    await this.#specs.netClasses.recover((id) => known.has(id));
    await this.#specs.networks.recover((id) => known.has(id.split('.')[0] ?? ''));
    await this.#specs.csi?.recover((id) => known.has(id.split('.')[0] ?? ''));
    await this.quotas?.recover();
    const sandboxes = executors.map(({ executor: { key, containerId } }) =>
      this.#options.paths.sandbox(agentId, key, containerId),
    );
    await this.gids?.recover((path) => sandboxes.some((one) => path.startsWith(`${one}/`)));
    for (const { framework, executor } of executors) {
      await this.#recoverOne(agentId, framework, executor);
    }
    for (const id of known) await this.nested.recover(id);
    for (const id of known)
      await this.#disposeAll(join(this.#options.paths.container(id), 'checks'));
    for (const id of known) await this.#specs.roots.recover(this.#options.paths.container(id));
    const folders = (await this.#disk.list(this.#options.paths.containers)) ?? [];
    const secrets = await readdir(this.#options.secretsFolder).catch(() => []);
    for (const name of new Set([...folders, ...secrets])) {
      if (!known.has(name)) await this.#disposeFolder(name);
    }
    await this.#host.sweep(this.#options.cgroupRoot);
    const kept = [...known].map((id) => `${this.#options.paths.imageRoots(id)}/`);
    await this.#specs.roots.recoverContainerd((root) => kept.some((one) => root.startsWith(one)));
    const live = new Set([...this.#containers.values()].map(({ sandbox }) => sandbox));
    await this.gc.recover(agentId, (sandbox) => live.has(sandbox));
    this.images.start();
    this.recoveryMs = this.#env.clock.now() - startedAt;
  }

  async #recoverOne(agentId: string, framework: Framework, executor: Executor): Promise<void> {
    const { key, containerId, info, user, type } = executor;
    const container = this.#remember({
      key,
      containerId,
      executor: info,
      framework: framework.info,
      agentId,
      user,
      type,
      resources: info.resources ?? [],
    });
    this.#watchLimits(container, resourcesOf(executor));
    // One that was there before its disk was watched is left alone, as in Mesos.
    await this.disk.bind(containerId).catch(() => {});
    if (type !== 'custom') {
      if (type === 'default') this.#tellStarted(containerId);
      await this.#resumeBuiltin(container, executor);
      return;
    }
    const process = await this.#host.adopt(this.#options.paths.containerProcess(containerId));
    if (process === undefined) {
      const message = 'Executor was not there after the agent was restarted';
      this.#end(container, { message });
      return;
    }
    this.#watchCustom(container, process);
    this.update(containerId, resourcesOf(executor), executorBounds(executor));
  }

  #remember(asked: ContainerLaunch): Container {
    const { paths, flags } = this.#options;
    const launch = { ...asked, executor: withContainer(asked.executor, flags.defaultContainer) };
    const { containerId, key, agentId } = launch;
    const sandbox = paths.sandbox(agentId, key, containerId);
    const made: Container = {
      launch,
      sandbox,
      runner: launch.type === 'custom' ? undefined : this.#makeRunner(launch, sandbox),
      process: undefined,
      life: new AbortController(),
      isEnded: false,
    };
    this.#containers.set(containerId, made);
    return made;
  }

  #end(container: Container, end: ContainerEnd): void {
    if (container.isEnded) return;
    container.isEnded = true;
    this.disk.forget(container.launch.containerId);
    this.#ports.forget(container.launch.containerId);
    this.perf.forget(container.launch.containerId);
    this.nested.destroyBelow([container.launch.containerId]);
    this.#tidy(this.#specs.gpus.give(container.launch.containerId));
    this.#tidy(this.#specs.netClasses.give(container.launch.containerId));
    if (this.gids !== undefined) this.#tidy(this.gids.ended(container.sandbox));
    this.#onInput({ kind: 'container-ended', containerId: container.launch.containerId, end });
  }

  // ---- sandboxes

  async #makeSandbox(container: Container): Promise<void> {
    const { sandbox, launch } = container;
    mkdirSync(dirname(sandbox), { recursive: true, mode: 0o755 });
    mkdirSync(sandbox, { recursive: true, mode: 0o750 });
    const owner = this.#specs.identity(launch.user);
    if (owner !== undefined) chownSync(sandbox, owner.uid, owner.gid);
    await this.#disk.link(join(dirname(sandbox), 'latest'), basename(sandbox));
  }

  // ---- custom executors

  async #launchCustom(container: Container): Promise<void> {
    const { launch, sandbox, life } = container;
    const spec = await this.#specs.custom(launch, sandbox, life.signal);
    life.signal.throwIfAborted();
    const process = await this.#host.launch(spec);
    this.#watchCustom(container, process);
    if (life.signal.aborted) process.kill('SIGKILL', 'group');
  }

  #watchCustom(container: Container, process: HostProcess): void {
    const { containerId } = container.launch;
    container.process = process;
    this.#tellStarted(containerId, process.pid);
    void process.exited.then((status) => {
      const message = exitMessage(status).replace(/^Command/, 'Executor');
      const end = { waitStatus: waitStatus(status), message };
      this.#end(
        container,
        status.oomKilled === true ? memoryEnd(container.launch, status, end) : end,
      );
    });
  }

  // ---- built-in executors

  #subscribeBuiltin(container: Container, tasks: readonly TaskInfo[]): void {
    const { runner, launch } = container;
    if (runner === undefined) return;
    const connection = this.#nextConnection();
    this.#runners.set(connection, runner);
    this.#onInput({
      kind: 'executor-subscribed',
      key: launch.key,
      connection,
      unacknowledgedTasks: tasks,
      unacknowledgedUpdates: [],
    });
  }

  #makeRunner(launch: ContainerLaunch, sandbox: string): BuiltinRunner {
    const { key, containerId, framework } = launch;
    const { paths } = this.#options;
    const capabilities = framework.capabilities ?? [];
    const runner: BuiltinRunner = new BuiltinRunner(
      this.#host,
      {
        reportsKilling: capabilities.some((one) => one.type === 'TASK_KILLING_STATE'),
        killGraceMs: this.#options.killGraceMs,
        executorId: key.executorId,
        parentContainer: launch.type === 'default' ? containerId : undefined,
        nextContainer: () => this.#env.random.uuid(),
        prepare: async (task, own, signal) => {
          await this.disk.bound(containerId);
          return this.#specs.task(launch, sandbox, task, own, signal);
        },
        probe: (task, own, pid, probe, signal) =>
          this.#probe({ launch, sandbox, task, own, pid }, probe, signal),
        stateFolder: (taskId) => paths.taskProcess(containerId, taskId),
        remember: async (memory) => this.#rememberTasks(launch, memory),
        onUpdate: (status: TaskStatus) => this.#onInput({ kind: 'executor-update', key, status }),
        onStarted: (_taskId, pid) => {
          if (launch.type === 'command') this.#tellStarted(containerId, pid);
        },
        networks: (own) => this.#specs.networks.of(`${containerId}.${own}`)?.infos,
        onEnded: (own, status) => {
          if (launch.type === 'default' && status !== undefined) {
            const place = this.#specs.taskSandbox(launch, sandbox, own);
            this.nested.taskEnded([containerId, own], place, status);
          }
          const id = launch.type === 'default' ? `${containerId}.${own}` : containerId;
          this.#tidy(this.#specs.gpus.give(id));
          this.#tidy(this.#specs.leave(id));
          this.#tidy(this.#specs.removeRoots(containerId, own));
        },
        onDone: () => {
          for (const [connection, one] of this.#runners) {
            if (one === runner) this.#runners.delete(connection);
          }
          runner.close();
          const container = this.#containers.get(containerId);
          const end = { waitStatus: 0, message: 'Executor ended' };
          if (container !== undefined) this.#end(container, end);
        },
      },
      this.#env,
    );
    return runner;
  }

  async #probe(
    checked: {
      launch: ContainerLaunch;
      sandbox: string;
      task: TaskInfo;
      own: string;
      pid: number;
    },
    { action, timeoutMs }: Probe,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const { launch, sandbox, task, own, pid } = checked;
    if (action.type !== 'COMMAND') {
      // From here the container's own loopback cannot be reached, only its address.
      const id = launch.type === 'default' ? `${launch.containerId}.${own}` : launch.containerId;
      const host = this.#specs.networks.of(id)?.address ?? action.host;
      return probeNetwork({ ...action, host }, timeoutMs, signal);
    }
    const id = this.#env.random.uuid();
    try {
      const spec = await this.#specs.check(launch, sandbox, task, own, action.command, {
        id,
        pid,
      });
      return await probeCommand(this.#host, this.#env.timers, spec, timeoutMs);
    } catch (error) {
      const taskId = task.task_id.value;
      this.#env.log.warn('A check cannot be run', { taskId, error: errorChain(error) });
      return { type: 'COMMAND' };
    }
  }

  /**
   * For a successor after a crash of this process; not synced, as no task outlives the machine. So it is done at
   * once: to ask another thread for it takes longer, and the later word is the last one.
   */
  #rememberTasks({ containerId }: ContainerLaunch, memory: readonly TaskMemory[]): void {
    const path = this.#options.paths.taskMemory(containerId);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.new`;
    writeFileSync(temporary, formatTaskMemory(memory), { mode: 0o600 });
    renameSync(temporary, path);
  }

  async #rememberedTasks(containerId: string): Promise<readonly TaskMemory[]> {
    const stored = await this.#disk.read(this.#options.paths.taskMemory(containerId));
    if (stored === undefined) return [];
    return parseTaskMemory(new TextDecoder().decode(stored));
  }

  async #resumeBuiltin(container: Container, executor: Executor): Promise<void> {
    const { containerId } = container.launch;
    const memories = await this.#rememberedTasks(containerId);
    const found = new Map<string, HostProcess>();
    for (const taskId of executor.launched.keys()) {
      const folder = this.#options.paths.taskProcess(containerId, taskId);
      const process = await this.#host.adopt(folder);
      if (process !== undefined) found.set(taskId, process);
    }
    const { killGraceMs } = this.#options;
    const { resumed, named } = resumable(
      [...executor.launched.values()],
      memories,
      found,
      killGraceMs,
    );
    for (const { memory, process } of resumed) {
      // Adoption has sealed the folder of a process that never was.
      if (process !== undefined) continue;
      await this.#host.dispose(this.#options.paths.taskProcess(containerId, memory.taskId));
    }
    this.#subscribeBuiltin(container, named);
    container.runner?.resume(resumed);
  }

  /** Leaves everything running. */
  close(): void {
    this.disk.close();
    this.perf.close();
    this.#ports.close();
    this.#specs.csi?.close();
    try {
      rmdirSync(this.#options.secretsFolder);
    } catch {
      // It is not there, or has some of containers that live.
    }
    for (const runner of this.#runners.values()) runner.close();
    this.#runners.clear();
  }
}
