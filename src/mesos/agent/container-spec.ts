// How the processes of containers are started: sandbox, command line, environment, identity, limits
// and isolation of custom executors, of tasks, and of the commands that check tasks.
import { chownSync, mkdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ContainerdClient } from '#containerd/containerd-client.ts';
import type { Disk } from '#env/disk.ts';
import type { Env } from '#env/env.ts';
import type { ProcessLimits, ProcessMount, ProcessSpec } from '#env/process.ts';
import type { CommandInfo, ContainerInfo, Resource, TaskInfo, Volume } from '#wire/mesos/v1.ts';
import {
  commandEnvironment,
  commandLine,
  executorEnvironment,
  inheritedEnvironment,
} from '#mesos/executor/environment.ts';
import { Fetcher, type Fetch } from '#mesos/executor/fetcher.ts';
import { confinementOf, isolationOf, type IsolationPolicy } from '#mesos/executor/isolation.ts';
import { type Confined, type Confinement, mounts, sessionConfinement } from './confinement.ts';
import { nameOf } from './container-id.ts';
import type { CsiVolumes } from './csi-volumes.ts';
import { Gpus } from './gpus.ts';
import { ContainerLimits, quantity } from './container-limits.ts';
import { containerRoots } from './container-roots.ts';
import { hasImage, type Understood, understood } from './containerizers.ts';
import type { ImageRoot, ImageRoots } from './image-root.ts';
import type { LaunchRequest, MainContainer } from './nested.ts';
import type { AllowedDevice } from './devices.ts';
import type { AgentFlags } from './flags.ts';
import { type AgentPaths, pathPart } from './paths.ts';
import type { ProjectQuotas } from './project-quotas.ts';
import { makeNestedSandbox } from './nested-sandbox.ts';
import { NetClasses } from './net-classes.ts';
import { networkFiles, networkOf, Networks } from './networks.ts';
import { placeOf } from './running-place.ts';
import { tokenVariables, type AgentSecurity } from './security-flags.ts';
import type { ContainerLaunch } from './types.ts';
import { groupsOf, VolumeGids } from './volume-gids.ts';
import { volumeMounts } from './volumes.ts';

export interface ContainerSpecOptions {
  readonly paths: AgentPaths;
  readonly upid: string;
  readonly endpoint: string;
  /** By which executors reach the agent, too. */
  readonly executorSocket: string | undefined;
  /** First part of every cgroup of this agent. */
  readonly cgroupRoot: string;
  readonly ownEnvironment: Readonly<Record<string, string | undefined>>;
  readonly recoveryTimeoutMs: number;
  readonly subscriptionBackoffMsMax: number;
  readonly shutdownGraceMs: number;
  readonly policy: IsolationPolicy;
  /** In memory, below it one folder for each top-level container. */
  readonly secretsFolder: string;
  readonly flags: AgentFlags;
  readonly containerd: ContainerdClient | undefined;
  readonly nextId: () => string;
  /** Empty before it has one. */
  readonly agentId: () => string;
  /** Makes what executors say who they are with. */
  readonly tokenOf: AgentSecurity['tokenOf'];
}

export interface NestedRequest extends LaunchRequest {
  readonly stateFolder: string;
  readonly rootName: string;
  readonly sandbox: string;
  readonly user: string;
  readonly parent: MainContainer | undefined;
  /** It has been destroyed. */
  readonly signal: AbortSignal;
  readonly inputPath: string | undefined;
}

export class ContainerSpecs {
  readonly fetcher: Fetcher;
  readonly networks: Networks;
  readonly limits: ContainerLimits;
  readonly roots: ImageRoots;
  readonly gpus: Gpus;
  readonly netClasses: NetClasses;
  /** Undefined without `--volume_gid_range`. */
  readonly gids: VolumeGids | undefined;
  /** Undefined without plugins. */
  readonly csi: CsiVolumes | undefined;
  readonly #options: ContainerSpecOptions;

  constructor(
    options: ContainerSpecOptions,
    env: Pick<Env, 'clock' | 'timers' | 'log'>,
    disk: Disk,
    quotas: ProjectQuotas | undefined,
    csi?: CsiVolumes,
  ) {
    this.#options = options;
    this.csi = csi;
    const { flags, paths } = options;
    this.limits = new ContainerLimits(flags);
    this.gpus = new Gpus(flags, paths.gpus, disk);
    const { netClasses, volumeGids } = flags;
    this.netClasses = new NetClasses(netClasses, paths.netClasses, disk);
    this.gids = volumeGids && new VolumeGids(volumeGids, paths.volumeGids, disk, env.log);
    this.networks = new Networks({
      folder: paths.networks,
      configFolder: flags.cniConfigFolder,
      pluginsFolder: flags.cniPluginsFolder,
      dns: flags.defaultDns,
      log: env.log,
    });
    this.roots = containerRoots(options, mounts(options.policy), env, quotas);
    this.fetcher = new Fetcher({ ...flags.fetcher, cacheFolder: paths.fetchCache }, env);
  }

  /** By what the operator has set, or the container's environment. */
  #rotation(command: CommandInfo | undefined): ProcessSpec['rotation'] {
    return this.#options.flags.logger?.rotation(command?.environment);
  }

  /** With what the container of that name has by itself: devices, the class of its packets. */
  #own(limits: ProcessLimits, name: string): ProcessLimits {
    const netClass = this.netClasses.of(name);
    const own = this.limits.with(limits, this.gpus.of(name));
    return netClass === undefined ? own : { ...own, netClass };
  }

  #fetch(command: CommandInfo | undefined, of: Omit<Fetch, 'uris'>): Promise<void> {
    return this.fetcher.fetchAll({ uris: command?.uris ?? [], ...of });
  }

  /** As root, another user's ids; otherwise everything runs as the agent does. */
  identity(user: string): { uid: number; gid: number } | undefined {
    if (!this.#options.policy.isRoot || !this.#options.flags.switchesUser) return undefined;
    if (user === '' || user === 'root') return undefined;
    const found = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .find((fields) => fields[0] === user);
    if (found === undefined) throw new Error(`Failed to find user '${user}' on this machine`);
    return { uid: Number(found[2]), gid: Number(found[3]) };
  }

  /** Namespaces, mounts, capabilities and rlimits of a container; its sandbox is there. */
  async #confine(confined: Confined): Promise<Confinement> {
    const { resources, sandbox, before = [], topId, rootName } = confined;
    const { by, container, docker } = this.understood(confined.container);
    await this.networks.join(confined.networkId, container);
    const joined = this.networks.of(confined.networkId);
    const { spec: network, namespace } = networkOf(joined);
    const asked = isolationOf(container, this.#options.policy, confined.networkId === topId);
    const isolation = {
      ...asked,
      ...network,
      ...(namespace === undefined
        ? {}
        : { namespaces: { ...asked.namespaces, mount: 'new' as const, network: namespace } }),
    };
    const image = container?.mesos?.image;
    const folder = this.#options.paths.imageRoot(topId, rootName);
    const use = { by, docker };
    const root = image && (await this.roots.root(image, folder, sandbox, use, confined.signal));
    const volumes = await this.#volumes(container?.volumes ?? [], resources, confined, root);
    // What is mounted at the sandbox itself would hide it from the container's own process.
    if (volumes.some((one) => one.target === sandbox)) {
      throw new Error('A volume cannot take the place of the sandbox');
    }
    if (root !== undefined) {
      const isInside = (one: ProcessMount): boolean => one.target.startsWith(`${root.root}/`);
      const outside = volumes.filter((one) => !isInside(one));
      return {
        isolation,
        root,
        before: [...before, ...outside],
        volumes: [
          ...volumes.filter(isInside),
          ...networkFiles(joined, root.root),
          ...this.#deviceMounts(root.root, this.gpus.of(confined.networkId)),
        ],
      };
    }
    const own = networkFiles(joined, '');
    // A private /dev/shm hides the place where secrets are.
    const isSecret = ({ source }: ProcessMount): boolean =>
      source.startsWith(this.#options.secretsFolder);
    const mounts = [
      ...[...before, ...volumes].filter(isSecret),
      ...(isolation.mounts ?? []),
      ...own,
      ...[...before, ...volumes].filter((one) => !isSecret(one)),
    ];
    return {
      isolation: mounts.length === 0 ? isolation : { ...isolation, mounts },
      root,
      before: [],
      volumes: [],
    };
  }

  /** Throws with why nobody here runs it. */
  understood(container: ContainerInfo | undefined): Understood {
    const { flags, policy } = this.#options;
    const found = understood(container, flags.containerizers);
    if (found.docker?.privileged === true && policy.bounding !== undefined) {
      throw new Error('Privileged containers are not allowed: see bounding_capabilities');
    }
    return found;
  }

  /** A root of its own has a /dev of its own: with linux/devices, the operator's devices are in it. */
  #deviceMounts(root: string, own: readonly AllowedDevice[]): readonly ProcessMount[] {
    const { policy, flags } = this.#options;
    const allowed = policy.isolators.has('linux/devices') ? flags.allowedDevices : [];
    return [...allowed, ...own]
      .filter(({ path }) => path?.startsWith('/dev/') === true)
      .map(({ path = '' }) => ({ source: path, target: join(root, path), readOnly: false }));
  }

  /** The same process in the root of its image, where it has one. */
  #enter(
    spec: ProcessSpec,
    command: CommandInfo | undefined,
    { root, before, volumes }: Confinement,
  ): ProcessSpec {
    if (root === undefined) return spec;
    return root.enter(spec, command, { before, volumes });
  }

  #volumes(
    volumes: readonly Volume[],
    resources: readonly Resource[],
    { topId, sandbox, parentSandbox, owner, rootName, groups, networkId, signal }: Confined,
    root?: ImageRoot,
  ): Promise<readonly ProcessMount[]> {
    const { paths, policy, flags, secretsFolder, nextId } = this.#options;
    const { gids, csi } = this;
    let images = 0;
    return volumeMounts(volumes, resources, {
      sandbox,
      parentSandbox,
      owner,
      persistentVolume: (resource) => paths.persistentVolume(resource),
      groupOf: gids && (async (path, kind) => void groups.add(await gids.allocate(path, kind))),
      canMount: mounts(policy),
      makesHostPaths: flags.makesHostPaths,
      secretPath: () => join(secretsFolder, pathPart(topId), nextId()),
      csiVolume: csi && ((volume) => csi.publish(networkId, volume, owner)),
      imageVolume: (image, target, readOnly) => {
        images += 1;
        const folder = paths.imageRoot(topId, `${rootName}-volume-${images}`);
        return this.roots.volume(image, folder, target, readOnly, signal);
      },
      placeInRoot: root === undefined ? undefined : (path, isFolder) => root.place(path, isFolder),
    });
  }

  /** A container has ended: it is in no network any more, and holds no volume of a plugin. */
  async leave(name: string): Promise<void> {
    await Promise.all([this.networks.leave(name), this.csi?.leave(name)]);
  }

  /** With all that is below it. */
  async leaveBelow(topId: string): Promise<void> {
    await Promise.all([this.networks.leaveBelow(topId), this.csi?.leaveBelow(topId)]);
  }

  /** Removes the root of a container that has ended, and those of its volumes. */
  async removeRoots(topId: string, rootName: string): Promise<void> {
    const roots = this.#options.paths.imageRoots(topId);
    const own = join(roots, pathPart(rootName));
    const isOwn = (folder: string): boolean =>
      folder === own || folder.startsWith(`${own}-volume-`);
    for (const folder of this.roots.store.holdersBelow(roots).filter(isOwn)) {
      await rm(folder, { recursive: true, force: true });
    }
    await this.roots.release(roots, isOwn);
  }

  async custom(
    launch: ContainerLaunch,
    sandbox: string,
    signal: AbortSignal,
  ): Promise<ProcessSpec> {
    const { command, container, resources = [] } = launch.executor;
    const { containerId } = launch;
    const owner = this.identity(launch.user);
    const groups = new Set<number>();
    await this.gpus.take(containerId, quantity(launch.resources, 'gpus'));
    const confinement = await this.#confine({
      topId: containerId,
      container,
      resources,
      sandbox,
      parentSandbox: undefined,
      owner,
      groups,
      rootName: 'executor',
      networkId: containerId,
      signal,
    });
    await this.#fetch(command, { sandbox, containerId, user: launch.user, owner, signal });
    const spec: ProcessSpec = {
      stateFolder: this.#options.paths.containerProcess(containerId),
      argv: confinement.root === undefined ? commandLine(command) : [],
      env: {
        ...this.#executorVariables(launch, sandbox),
        ...(this.networks.of(containerId) === undefined ? {} : { LIBPROCESS_IP: '0.0.0.0' }),
        ...(await tokenVariables(this.#options.tokenOf, launch)),
        ...commandEnvironment(command?.environment),
      },
      cwd: sandbox,
      stdoutPath: join(sandbox, 'stdout'),
      stderrPath: join(sandbox, 'stderr'),
      cgroup: `${this.#options.cgroupRoot}/${containerId}`,
      limits: this.#own(this.limits.ofExecutor(launch.resources, launch.limits ?? {}), containerId),
      rotation: this.#rotation(command),
      ...confinement.isolation,
      ...owner,
      ...groupsOf(groups),
    };
    return this.#enter(spec, command, confinement);
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
    signal: AbortSignal,
  ): Promise<ProcessSpec> {
    const taskId = task.task_id.value;
    const { containerId } = launch;
    const owner = this.identity(task.command?.user ?? launch.user);
    const sandbox = this.taskSandbox(launch, executorSandbox, container);
    if (launch.type === 'default') makeNestedSandbox(executorSandbox, sandbox, taskId);
    if (owner !== undefined) chownSync(sandbox, owner.uid, owner.gid);
    const isDefault = launch.type === 'default';
    const name = isDefault ? `${containerId}.${container}` : containerId;
    const groups = new Set<number>();
    await this.gpus.take(name, quantity(task.resources ?? [], 'gpus'));
    const confinement = await this.#confine({
      topId: containerId,
      container: task.container,
      resources: task.resources ?? [],
      sandbox,
      parentSandbox: isDefault ? executorSandbox : undefined,
      owner,
      groups,
      before: isDefault
        ? await this.#executorVolumes(launch, executorSandbox, owner, groups, signal)
        : [],
      rootName: container,
      networkId: name,
      signal,
    });
    const user = task.command?.user ?? launch.user;
    await this.#fetch(task.command, { sandbox, containerId, user, owner, signal });
    const spec: ProcessSpec = {
      stateFolder: this.#options.paths.taskProcess(containerId, taskId),
      // An image may have one of its own.
      argv: confinement.root === undefined ? commandLine(task.command) : [],
      env: this.#taskEnvironment(launch, executorSandbox, task, sandbox),
      cwd: sandbox,
      stdoutPath: join(sandbox, 'stdout'),
      stderrPath: join(sandbox, 'stderr'),
      cgroup: this.#taskCgroup(launch, container),
      limits: this.#own(this.limits.ofTask(task), name),
      rotation: this.#rotation(task.command),
      ...confinement.isolation,
      ...this.#input(launch, task),
      ...owner,
      ...groupsOf(groups),
    };
    return this.#enter(spec, task.command, confinement);
  }

  /** Those of a built-in executor, which is no process: its tasks find them in its sandbox. */
  #executorVolumes(
    { executor, containerId }: ContainerLaunch,
    sandbox: string,
    owner: Confined['owner'],
    groups: Set<number>,
    signal: AbortSignal,
  ): Promise<readonly ProcessMount[]> {
    const { container, resources = [] } = executor;
    const place = { topId: containerId, container, resources, sandbox, owner, groups, signal };
    const names = { rootName: 'executor', networkId: containerId };
    const confined = { ...place, ...names, parentSandbox: undefined };
    return this.#volumes(container?.volumes ?? [], resources, confined);
  }

  /** A task with a terminal waits for input, whether or not somebody is attached. */
  #input(
    { containerId }: ContainerLaunch,
    task: TaskInfo,
  ): Pick<ProcessSpec, 'stdinPath' | 'stdinStaysOpen'> {
    if (task.container?.tty_info === undefined) return {};
    const stdinPath = this.#options.paths.taskInput(containerId, task.task_id.value);
    mkdirSync(dirname(stdinPath), { recursive: true, mode: 0o700 });
    return { stdinPath, stdinStaysOpen: true };
  }

  /** A container launched by the API; its sandbox is there. */
  async nested(request: NestedRequest): Promise<ProcessSpec> {
    const { path, command, container, sandbox, parent, isSession, inputPath } = request;
    const parentPid = parent?.process?.pid;
    const place = isSession && parentPid !== undefined ? placeOf(parentPid) : undefined;
    const { cgroupRoot, ownEnvironment } = this.#options;
    // What holds a terminal in an image is the machine's, as root.
    const isOwn = command?.user !== undefined || !isSession || parent?.hasOwnRoot === true;
    const owner = isOwn ? this.identity(request.user) : place?.owner;
    if (!isSession) {
      const { user, signal } = request;
      const of = { sandbox, containerId: nameOf(path), user, owner, signal };
      await this.#fetch(command, of);
    }
    const groups = new Set<number>();
    if (path.length === 1) {
      await this.netClasses.take(nameOf(path));
      await this.gpus.take(nameOf(path), quantity(request.resources, 'gpus'));
    }
    const confinement = isSession
      ? sessionConfinement(container, parent?.linux, this.#options.policy)
      : await this.#confine({
          topId: path[0] ?? '',
          container,
          resources: [],
          sandbox,
          parentSandbox: parent?.sandbox,
          owner,
          groups,
          rootName: request.rootName,
          networkId: nameOf(path),
          signal: request.signal,
        });
    const { isolation } = confinement;
    const limits = this.limits.of(request.resources, request.limits);
    const base = place?.env ?? {
      ...inheritedEnvironment(ownEnvironment),
      MESOS_SANDBOX: isSession ? (parent?.sandbox ?? sandbox) : sandbox,
    };
    const spec: ProcessSpec = {
      stateFolder: request.stateFolder,
      argv: confinement.root === undefined ? commandLine(command) : [],
      env: { ...base, ...commandEnvironment(command?.environment) },
      cwd: isSession ? (place?.cwd ?? parent?.sandbox ?? sandbox) : sandbox,
      stdoutPath: join(sandbox, 'stdout'),
      stderrPath: join(sandbox, 'stderr'),
      ...(inputPath === undefined ? {} : { stdinPath: inputPath }),
      ...(isolation.terminal === undefined ? {} : { stdinStaysOpen: true }),
      cgroup: `${cgroupRoot}/${path.join('/')}`,
      // What is below another container has its devices, as in Mesos.
      limits: this.#own(limits, nameOf(path)),
      ...(isSession ? {} : { rotation: this.#rotation(command) }),
      ...isolation,
      ...(place === undefined
        ? {}
        : { namespaces: { of: parentPid, rootOf: parent?.hasOwnRoot === true } }),
      ...owner,
      ...groupsOf(groups),
    };
    return this.#enter(spec, command, confinement);
  }

  /** A command that checks a running task, in its place and as its user. */
  async check(
    launch: ContainerLaunch,
    executorSandbox: string,
    task: TaskInfo,
    container: string,
    command: CommandInfo,
    { id, pid }: { readonly id: string; readonly pid: number },
  ): Promise<ProcessSpec> {
    const sandbox = this.taskSandbox(launch, executorSandbox, container);
    const owner = this.identity(task.command?.user ?? launch.user);
    const rootOf = hasImage(task.container);
    const { containerId } = launch;
    const name = launch.type === 'default' ? `${containerId}.${container}` : containerId;
    return {
      stateFolder: this.#options.paths.checkProcess(launch.containerId, id),
      argv: commandLine(command),
      env: {
        ...(rootOf
          ? placeOf(pid).env
          : this.#taskEnvironment(launch, executorSandbox, task, sandbox)),
        ...commandEnvironment(command.environment),
      },
      cwd: rootOf ? this.#options.flags.sandboxInside : sandbox,
      stdoutPath: join(sandbox, 'stderr'),
      stderrPath: join(sandbox, 'stderr'),
      // Its own group, so that it can be ended whole; below the task's it would be its memory, too.
      cgroup: `${this.#taskCgroup(launch, container)}-check-${id}`,
      limits: this.#own(this.limits.ofTask(task), name),
      ...confinementOf(task.container?.linux_info, this.#options.policy),
      ...(this.#options.policy.isRoot ? { namespaces: { of: pid, rootOf } } : {}),
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
    const networkId = isDefault ? `${launch.containerId}.${basename(sandbox)}` : launch.containerId;
    return {
      ...this.#executorVariables(launch, executorSandbox),
      MESOS_SANDBOX: sandbox,
      ...(role === undefined ? {} : { MESOS_ALLOCATION_ROLE: role }),
      ...(isDefault ? { MESOS_CONTAINER_IP: this.#ip(networkId) } : {}),
      ...(this.networks.of(networkId) === undefined ? {} : { LIBPROCESS_IP: '0.0.0.0' }),
      ...commandEnvironment(isDefault ? launch.executor.command?.environment : undefined),
      ...commandEnvironment(task.command?.environment),
    };
  }

  #executorVariables(launch: ContainerLaunch, sandbox: string): Record<string, string> {
    const { upid, endpoint, recoveryTimeoutMs, subscriptionBackoffMsMax, flags } = this.#options;
    const { executorSocket: socket } = this.#options;
    const own = launch.executor.shutdown_grace_period?.nanoseconds;
    return {
      ...(flags.executorVariables ?? inheritedEnvironment(this.#options.ownEnvironment)),
      ...executorEnvironment({
        upid,
        endpoint,
        socket,
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

  #ip(networkId: string): string {
    const own = this.networks.of(networkId)?.address;
    if (own !== undefined) return own;
    const { endpoint } = this.#options;
    return endpoint.slice(0, endpoint.lastIndexOf(':'));
  }
}
