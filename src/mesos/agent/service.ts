// Puts an agent together: core, shell, checkpoints, containers, and one HTTP server for libprocess
// messages and every API. Used by bin/agent.ts and by tests.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import { loadavg } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { ContainerdClient } from '#containerd/containerd-client.ts';
import type { Disk } from '#env/disk.ts';
import type { Env } from '#env/env.ts';
import type { ProcessHost } from '#env/process.ts';
import { LogToggle } from '#mesos/libprocess/log-toggle.ts';
import { addressOf, LibprocessEndpoint } from '#mesos/libprocess/endpoint.ts';
import { checkPerf } from './perf-watch.ts';
import { linuxProjects } from './project-kernel.ts';
import { uuidBytes } from '#mesos/executor/uuid.ts';
import { PortServer } from '#mesos/security/port-server.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import type { ToPeer } from '#mesos/security/cram-md5.ts';
import { decode, encode, type MessageName } from '#wire/mesos/codec.ts';
import type { AgentInfo, Attribute, Resource } from '#wire/mesos/v1.ts';
import { AgentAccess } from './access.ts';
import { Checkpoints } from './checkpoint.ts';
import { Containers } from './containers.ts';
import { AgentCore } from './core.ts';
import type { FromMaster } from './types.ts';
import { checkCsiFlags } from './csi-plugins.ts';
import { DriverExecutors, isDriverMessage } from './driver-executors.ts';
import { ExecutorApi } from './executor-api.ts';
import { ExecutorSocket } from './executor-socket.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import { SandboxFiles } from './files.ts';
import { withGpus } from './gpus.ts';
import { disabledText, type DisabledEndpoints } from '#mesos/security/firewall.ts';
import { idleFlags } from '#mesos/flags/idle-flags.ts';
import { type AgentFlags, flagTexts, readFlags } from './flags.ts';
import { idleReasons } from './other-flags.ts';
import { HttpProblem, sendProblem } from './http.ts';
import {
  checkControllers,
  checkProjects,
  checkNetworkFlags,
  checkPortFlags,
  seccompProfiles,
} from './isolators.ts';
import { LegacyApi } from './legacy.ts';
import { refuse } from '#mesos/libprocess/negotiate.ts';
import { ProcessApi } from '#mesos/libprocess/process-api.ts';
import { MetricList } from '#mesos/libprocess/metric-list.ts';
import { readTarget } from '#mesos/libprocess/target.ts';
import { metricsOf } from './metrics.ts';
import { VERSION_INFO } from './version.ts';
import { barred } from './barred.ts';
import { isAuthenticationName, MasterAuthentication } from './master-authentication.ts';
import { ProviderApi } from './provider-api.ts';
import { LocalProviders } from './local-providers.ts';
import { OperatorApi } from './operator-api.ts';
import { Oversubscriber } from './oversubscriber.ts';
import { AgentPaths } from './paths.ts';
import { realmOf } from './realms.ts';
import { absolutePath, AGENT_ID, EXECUTOR_PATHS, ownPaths, processes, routeOf } from './routes.ts';
import { agentSecurity, type AgentSecurity } from './security-flags.ts';
import { AgentShell } from './shell.ts';

export interface AgentSettings {
  /** `HOST:PORT`; undefined: `shell.masterDetected` tells. */
  readonly masterAddress: string | undefined;
  readonly workFolder: string;
  readonly host: string;
  readonly port: number;
  readonly hostname: string;
  /** Of its port, its executors and its master; undefined: none. */
  readonly tls?: TlsSettings | undefined;
  readonly resources: readonly Resource[];
  readonly attributes: readonly Attribute[];
  /** As they were given, for those who ask. */
  readonly flags: Readonly<Record<string, string>>;
  /** Mesos' flags that change a default here; see flags.ts. */
  readonly options?: Readonly<Record<string, string>> | undefined;
  /** Operators asked for another verbosity of the log; 0 is that of the start. */
  readonly onVerbosity?: ((level: number) => void) | undefined;
}

export interface AgentEnd {
  readonly message: string;
  /** Not by anybody's wish. */
  readonly isFailure: boolean;
}

export interface RunningAgent {
  readonly url: string;
  readonly shell: AgentShell;
  /** Leaves every task running. */
  close(): Promise<void>;
  /** Ends every task, leaves the cluster, then closes. */
  leave(): Promise<void>;
  /** The agent ended by itself: told to shut down by the master, or its disk failed. */
  readonly ended: Promise<AgentEnd>;
}

export const MESOS_VERSION = '1.11.0';
const PREFIX = 'mesos.internal.';
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
const LEAVE_MS_MAX = 30_000;

const TIMES = {
  registrationBackoffMs: 500,
  registrationBackoffMsMax: 10_000,
  updateRetryMs: 10_000,
  updateRetryMsMax: 600_000,
} as const;
const LIMITS = { completedFrameworksMax: 50, completedTasksMax: 200 } as const;
const KILL_GRACE_MS = 3_000;
const SUBSCRIPTION_BACKOFF_MS_MAX = 2_000;

export interface AgentPorts {
  readonly env: Env;
  readonly disk: Disk;
  readonly host: ProcessHost;
  /** Undefined unless it is among the containerizers. */
  readonly containerd?: ContainerdClient | undefined;
}

export async function startAgent(
  settings: AgentSettings,
  ports: AgentPorts,
): Promise<RunningAgent> {
  const options = { keepAliveTimeout: 120_000, requestTimeout: 0 };
  const server = new PortServer(options, settings.tls, ports.env.log);
  const port = await server.listen(settings);
  let socket: ExecutorSocket | undefined;
  try {
    const flags = readFlags(settings.options ?? {});
    socket = await executorSocket(settings.workFolder, flags, options);
    return await new AgentService(settings, flags, ports, { server, port, socket }).start();
  } catch (error) {
    await socket?.close();
    await server.close();
    throw error;
  }
}

async function executorSocket(
  workFolder: string,
  flags: AgentFlags,
  http: ServerOptions,
): Promise<ExecutorSocket | undefined> {
  if (!flags.hasExecutorSocket) return undefined;
  const location = flags.executorSocket ?? new AgentPaths(workFolder).executorSocket;
  await mkdir(dirname(location), { recursive: true });
  return ExecutorSocket.open({ location, paths: EXECUTOR_PATHS, http });
}

/** On what it is asked. */
interface Listening {
  readonly server: PortServer;
  readonly port: number;
  readonly socket: ExecutorSocket | undefined;
}

class AgentService {
  readonly #server: PortServer;
  readonly #socket: ExecutorSocket | undefined;
  readonly #endpoint: LibprocessEndpoint;
  readonly #shell: AgentShell;
  readonly #executorApi: ExecutorApi;
  readonly #drivers: DriverExecutors;
  readonly #providerApi: ProviderApi;
  readonly #localProviders: LocalProviders;
  readonly #operatorApi: OperatorApi;
  readonly #legacy: LegacyApi;
  readonly #process: ProcessApi<AgentAccess>;
  readonly #oversubscriber: Oversubscriber;
  readonly #security: AgentSecurity;
  readonly #disabled: DisabledEndpoints;
  readonly #master: MasterAuthentication | undefined;
  readonly #env: Env;
  readonly #url: string;
  readonly #logging: LogToggle;
  readonly #ended = Promise.withResolvers<AgentEnd>();
  readonly #left = Promise.withResolvers<void>();
  #connections = 0;
  #isClosed = false;

  constructor(
    settings: AgentSettings,
    flags: AgentFlags,
    ports: AgentPorts,
    { server, port, socket }: Listening,
  ) {
    const { env } = ports;
    this.#server = server;
    this.#socket = socket;
    this.#env = env;
    const listening = `${settings.host}:${port}`;
    this.#url = `${settings.tls === undefined ? 'http' : 'https'}://${listening}`;
    this.#logging = new LogToggle(env, settings.onVerbosity ?? (() => {}));
    const paths = new AgentPaths(settings.workFolder);
    for (const { name, reason } of idleFlags(settings.options ?? {}, idleReasons)) {
      env.log.warn('A flag changes nothing here', { flag: name, reason });
    }
    if (flags.containerizers.passesOverDocker) {
      env.log.warn('There is no Docker containerizer: "docker" is passed over', {});
    }
    const { ip: knownIp = settings.host, port: knownPort = port } = flags.advertised;
    const address = `${knownIp}:${knownPort}`;
    checkNetworkFlags(flags);
    this.#disabled = flags.disabled;
    checkPortFlags(flags);
    checkCsiFlags(flags);
    checkPerf(flags.perf);
    this.#security = agentSecurity(flags.security, env);
    checkControllers(flags, ports.host.controllers);
    checkProjects(flags.isolators, diskFolders(settings), linuxProjects);
    this.#endpoint = new LibprocessEndpoint({
      id: AGENT_ID,
      address,
      tls: settings.tls,
      bodyBytesMax: MESSAGE_BYTES_MAX,
      onMessage: (from, name, body, connection) => {
        this.#onMessage(from, name, body, connection);
      },
      onExited: (peer) => {
        if (!this.#drivers.exited(peer)) this.#shell.masterExited(addressOf(peer));
      },
    });
    const core = new AgentCore(
      {
        info: agentInfo(settings, knownPort, flags),
        upid: this.#endpoint.upid,
        version: MESOS_VERSION,
        capabilities: flags.features,
        ...TIMES,
        registrationBackoffMs: flags.registrationBackoffMs ?? TIMES.registrationBackoffMs,
        ...LIMITS,
        executorRegistrationTimeoutMs: flags.executorRegistrationMs,
        executorReregistrationTimeoutMs: flags.executorReregistrationMs,
        executorReconnectMs: flags.executorReconnectMs,
        executorShutdownGraceMs: flags.shutdownGraceMs,
        completedExecutorsMax: flags.completedExecutorsMax,
      },
      {
        uuid: () => env.random.uuid(),
        uuidBytes: () => uuidBytes(env.random.uuid()),
        next: () => env.random.next(),
      },
    );
    core.workloads.barred = (framework, tasks) => barred(flags.authorizer, framework, tasks);
    const nextConnection = (): number => ++this.#connections;
    this.#shell = new AgentShell(core, settings.masterAddress, env);
    this.#executorApi = new ExecutorApi(this.#shell, env, nextConnection);
    this.#drivers = new DriverExecutors({
      core,
      log: env.log,
      wantsTokens: flags.security.executors,
      nextConnection,
      onInput: (input) => this.#shell.input(input),
      send: (to, name, body) => this.#send(to, name, body),
      link: (to) => this.#endpoint.link(to),
      unlink: (to) => this.#endpoint.unlink(to),
    });
    this.#providerApi = new ProviderApi(this.#shell, env, nextConnection);
    const containers = new Containers(
      {
        paths,
        containerd: ports.containerd,
        upid: this.#endpoint.upid,
        endpoint: address,
        executorSocket: socket?.path,
        cgroupRoot: `${flags.cgroupsRoot}/agent-${folderHash(settings.workFolder).slice(0, 12)}`,
        // Each look at the live one costs as much as the whole copy.
        ownEnvironment: { ...process.env },
        recoveryTimeoutMs: flags.recoveryTimeoutMs,
        subscriptionBackoffMsMax: SUBSCRIPTION_BACKOFF_MS_MAX,
        shutdownGraceMs: flags.shutdownGraceMs,
        killGraceMs: KILL_GRACE_MS,
        ownPorts: settings.resources.flatMap((one) =>
          one.name === 'ports' ? (one.ranges?.range ?? []) : [],
        ),
        policy: {
          isRoot: process.getuid?.() === 0,
          isolators: flags.isolators,
          mayShareAgentPids: flags.mayShareAgentPids,
          mayShareAgentIpc: flags.mayShareAgentIpc,
          shmBytes: flags.shmBytes,
          bounding: flags.boundingCapabilities,
          effective: flags.effectiveCapabilities,
          seccomp: seccompProfiles(flags),
        },
        secretsFolder: secretsFolderOf(settings.workFolder),
        flags,
        nextId: () => env.random.uuid(),
        agentId: () => core.agentId ?? '',
        tokenOf: this.#security.tokenOf,
      },
      ports,
      { onInput: (input) => this.#shell.input(input), nextConnection },
    );
    const files = new SandboxFiles(paths, core, flags.logFile);
    this.#localProviders = new LocalProviders(
      {
        configFolder: flags.providerConfigFolder,
        url: `${this.#url}/api/v1/resource_provider`,
        tls: settings.tls,
        paths,
      },
      { env, disk: ports.disk },
    );
    const view = {
      localProviders: this.#localProviders,
      access: (exchange: Exchange) =>
        new AgentAccess(core, flags.authorizer.of(exchange.principal)),
      shell: this.#shell,
      containers,
      files,
      flags: flagTexts({ ...settings.flags, ...settings.options }),
      env,
      logging: this.#logging,
      attachHeartbeatMs: flags.attachHeartbeatMs,
      paths,
    };
    this.#operatorApi = new OperatorApi(view);
    this.#legacy = new LegacyApi({ ...view, upid: this.#endpoint.upid });
    this.#process = new ProcessApi<AgentAccess>({
      id: AGENT_ID,
      processes,
      version: VERSION_INFO,
      files,
      logging: this.#logging,
      metrics: () => MetricList.of(metricsOf(core, containers, env.clock.now())),
      accessOf: view.access,
      mayAsk: (access, path) => access.mayAsk(path),
      endpoints: [...ownPaths].toSorted(),
    });
    this.#oversubscriber = new Oversubscriber(
      {
        estimator: flags.estimator,
        controller: flags.qosController,
        estimateMs: flags.oversubscribedMs,
        correctMs: flags.qosCorrectionMs,
      },
      {
        core,
        env,
        usage: (path) => containers.usage(path),
        loads: () => loadavg().slice(1) as [number, number],
        onInput: (input) => this.#shell.input(input),
      },
    );
    this.#master = this.#masterAuthentication();
    this.#shell.wire({
      authentication: this.#master,
      checkpoints: new Checkpoints(paths, { disk: ports.disk, log: env.log }, flags.isStrict),
      containers,
      policy: flags.reconfiguration,
      sendToMaster: (to, name, body) => this.#send(to, name, body),
      onAgentId: (agentId) => this.#localProviders.begin(agentId),
      watchMaster: (to) => this.#endpoint.link(`master@${to}`),
      sendToExecutor: (connection, event) => {
        if (!this.#drivers.send(connection, event)) this.#executorApi.send(connection, event);
      },
      closeExecutor: (connection) => {
        if (!this.#drivers.close(connection)) this.#executorApi.closeStream(connection);
      },
      reconnectExecutor: (upid) => this.#drivers.reconnect(upid),
      sendToProvider: (connection, event) => this.#providerApi.send(connection, event),
      closeProvider: (connection) => this.#providerApi.closeStream(connection),
      onExit: (how, message) => {
        this.#left.resolve();
        if (how !== 'leave') this.#ended.resolve({ message, isFailure: how === 'failed' });
      },
    });
  }

  async start(): Promise<RunningAgent> {
    this.#server.onRequest((request, response) => this.#onRequest(request, response));
    this.#socket?.onRequest((request, response) => this.#onRequest(request, response));
    this.#server.onConnection((socket, first, giveBack) => {
      return this.#endpoint.accept(socket, first, giveBack);
    });
    await this.#localProviders.load();
    await this.#shell.start();
    this.#oversubscriber.start();
    return {
      url: this.#url,
      shell: this.#shell,
      close: () => this.#close(),
      leave: () => this.#leave(),
      ended: this.#ended.promise,
    };
  }

  #masterAuthentication(): MasterAuthentication | undefined {
    const { credential, times } = this.#security;
    if (credential === undefined) return undefined;
    const ports = {
      upid: this.#endpoint.upid,
      send: (to: string, name: string, body: object) => this.#send(to, name, body),
      onRefused: (master: string) => {
        const message = `The master at ${master} refused authentication`;
        this.#ended.resolve({ message, isFailure: true });
      },
    };
    return new MasterAuthentication(credential, times, ports, this.#env);
  }

  #onMessage(from: string, name: string, body: Uint8Array, connection: number): void {
    const short = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
    if (isAuthenticationName(short)) {
      this.#onAuthentication(from, short, body);
      return;
    }
    const isDriver = isDriverMessage(short);
    if (!isDriver && !KNOWN_MESSAGES.has(short)) {
      this.#env.log.debug('A message is not known', { name });
      return;
    }
    try {
      if (isDriver) {
        this.#drivers.onMessage(from, short, body);
        return;
      }
      const message = { from, name: short, body: decode(short as MessageName, body) };
      this.#shell.masterMessage(message as FromMaster, connection);
    } catch (error) {
      this.#env.log.warn('A message cannot be read', { from, name, error });
    }
  }

  #onAuthentication(from: string, name: ToPeer['name'], body: Uint8Array): void {
    try {
      this.#master?.onMessage(from, { name, body: decode(name, body) } as ToPeer);
    } catch (error) {
      this.#env.log.warn('A message of an authenticator cannot be read', { name, error });
    }
  }

  #send(to: string, name: string, body: unknown): void {
    const bytes = encode(name as MessageName, body as never);
    this.#endpoint.send(to, PREFIX + name, bytes);
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (this.#endpoint.handle(request, response)) return;
    const target = readTarget(request.url ?? '/');
    if ('status' in target) {
      request.resume();
      refuse(response, target.status, target.message);
      return;
    }
    const { pathname, query } = target;
    this.#route(pathname, query, request, response).catch((error: unknown) => {
      request.resume();
      sendProblem(response, error);
    });
  }

  async #route(
    pathname: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const path = routeOf(pathname);
    const paths = [absolutePath(pathname), absolutePath(path ?? pathname)];
    const disabled = disabledText(this.#disabled, ...paths);
    if (disabled !== undefined) throw new HttpProblem(403, disabled);
    if (path === undefined) throw new HttpProblem(404, '404 Not Found.');
    const who = await this.#security.authentication.identify(realmOf(path), request.headers);
    if ('refusal' in who) {
      const { status, message, headers } = who.refusal;
      throw new HttpProblem(status, message, headers);
    }
    const exchange = { request, response, principal: who.principal };
    if (path === '/api/v1/executor') await this.#executorApi.handle(exchange);
    else if (path === '/api/v1/resource_provider') await this.#providerApi.handle(exchange);
    else if (path === '/api/v1') await this.#operatorApi.handle(exchange);
    else if (ownPaths.has(path)) await this.#legacy.handle(path, query, exchange);
    else {
      request.resume();
      const isKnown = await this.#process.handle(path, query, exchange);
      if (!isKnown) throw new HttpProblem(404, '404 Not Found.');
    }
  }

  async #leave(): Promise<void> {
    this.#shell.input({ kind: 'leave' });
    const timeout = this.#env.timers.after(LEAVE_MS_MAX, () => this.#left.resolve());
    await this.#left.promise;
    timeout.cancel();
    await this.#close();
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#oversubscriber.close();
    this.#logging.close();
    await this.#localProviders.close();
    await this.#shell.close();
    this.#executorApi.close();
    this.#providerApi.close();
    this.#endpoint.close();
    await this.#socket?.close();
    await this.#server.close();
  }
}

const KNOWN_MESSAGES: ReadonlySet<string> = new Set([
  'SlaveRegisteredMessage',
  'SlaveReregisteredMessage',
  'PingSlaveMessage',
  'RunTaskMessage',
  'RunTaskGroupMessage',
  'KillTaskMessage',
  'StatusUpdateAcknowledgementMessage',
  'FrameworkToExecutorMessage',
  'ShutdownFrameworkMessage',
  'ShutdownExecutorMessage',
  'UpdateFrameworkMessage',
  'ShutdownMessage',
  'DrainSlaveMessage',
  'ApplyOperationMessage',
  'AcknowledgeOperationStatusMessage',
  'ReconcileOperationsMessage',
  'CheckpointResourcesMessage',
]);

function agentInfo(
  settings: AgentSettings,
  port: number,
  {
    domain,
    defaultRole: role,
    gpuDevices: { length: gpuCount },
  }: Pick<AgentFlags, 'domain' | 'gpuDevices' | 'defaultRole'>,
): AgentInfo {
  return {
    hostname: settings.hostname,
    port,
    resources: withGpus(settings.resources, gpuCount).map((one) =>
      role === '*' || one.role !== undefined || (one.reservations ?? []).length > 0
        ? one
        : { ...one, role },
    ),
    ...(domain === undefined ? {} : { domain }),
    ...(settings.attributes.length === 0 ? {} : { attributes: [...settings.attributes] }),
  };
}

/** The work folder, and the roots of PATH disks. */
function diskFolders({ workFolder, resources }: AgentSettings): readonly string[] {
  const disks = resources.flatMap(({ disk }) => disk?.source?.path?.root ?? []);
  return [workFolder, ...disks.map((root) => resolve(workFolder, root))];
}

/** Tells the agents of a machine apart, and one agent is the same after it was started anew. */
function folderHash(workFolder: string): string {
  return createHash('sha256').update(workFolder).digest('hex');
}

/** Secrets touch no disk where there is shared memory; two agents of a machine have two folders. */
function secretsFolderOf(workFolder: string): string {
  const own = folderHash(workFolder).slice(0, 16);
  return existsSync('/dev/shm') && process.getuid?.() === 0
    ? join('/dev/shm', `strata-secrets-${own}`)
    : join(workFolder, 'run', 'secrets');
}
