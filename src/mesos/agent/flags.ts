// The agent's flags under Mesos' names, as text: what they mean here. A name that is not known and a
// value that cannot be read are faults with code `bad-flag`; nothing starts then.
import { isAbsolute, normalize } from 'node:path';
import { Fault } from '#base/fault.ts';
import {
  bool,
  bytes,
  count,
  durationMs,
  fileOnly,
  flag,
  FlagTable,
  fraction,
  oneOf,
  optional,
  valueOrFile,
  words,
} from '#mesos/flags/flag-table.ts';
import { advertisedKinds, shownLog } from '#mesos/flags/idle-flags.ts';
import { disabledEndpoints, type DisabledEndpoints } from '#mesos/security/firewall.ts';
import { parseDomain } from '#mesos/resources/domain.ts';
import { parseJson } from '#wire/mesos/codec.ts';
import type { AgentInfo_Capability, ContainerInfo, DomainInfo } from '#wire/mesos/v1.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import { validateRole } from '#mesos/resources/role-names.ts';
import { normalizeRanges, type Ranges } from '#mesos/resources/ranges.ts';
import { readFetchPrograms } from '#mesos/executor/fetch-programs.ts';
import type { FetcherOptions } from '#mesos/executor/fetcher.ts';
import { acls } from '#mesos/security/acls.ts';
import { Authorizer } from '#mesos/security/authorizer.ts';
import { agentFeatures } from './features.ts';
import { otherKinds } from './other-flags.ts';
import { SECURITY_KINDS, type SecurityFlags } from './security-flags.ts';
import { absolutePath } from './routes.ts';
import { type AllowedDevice, allowedDevices, devicePaths } from './devices.ts';
import { type DefaultDns, defaultDns } from './container-dns.ts';
import { type ContainerLogger, containerLogger } from './container-logger.ts';
import { type ContainerizerFlags, containerizers } from './containerizers.ts';
import { socketPath } from './executor-socket.ts';
import type { Backend } from './image-root.ts';
import { parseIsolators } from './isolators.ts';
import { type NetClassFlags, primaryHandle, secondaryHandles } from './net-classes.ts';
import {
  controllerOf,
  estimatorOf,
  type ModuleParameters,
  type QosController,
  type ResourceEstimator,
} from './oversubscription.ts';
import type { PerfFlags } from './perf-watch.ts';
import type { ReconfigurationPolicy } from './reconfiguration.ts';
import { DockerConfig, NO_LOGINS } from './registry-auth.ts';

export interface AgentFlags {
  /** Who may do what. */
  readonly authorizer: Authorizer;
  readonly security: SecurityFlags;
  /** Where others find it, when that is not where it listens. */
  readonly advertised: { readonly ip: string | undefined; readonly port: number | undefined };
  /** Of resources that name no role. */
  readonly defaultRole: string;
  /** Undefined: our own, shorter one. */
  readonly registrationBackoffMs: number | undefined;
  /** Where in the world it is. */
  readonly domain: DomainInfo | undefined;
  /** Shown as /slave/log. */
  readonly logFile: string | undefined;
  /** Of --firewall_rules: nobody is answered there. */
  readonly disabled: DisabledEndpoints;
  /** Undefined: what containers write goes to files without a bound, as it does in Mesos. */
  readonly logger: ContainerLogger | undefined;
  readonly containerizers: ContainerizerFlags;
  readonly containerd: {
    readonly socket: string;
    /** Of containerd's: what is in it is this agent's, and that of others that use the same. */
    readonly namespace: string;
    readonly snapshotter: string;
  };
  readonly isolators: ReadonlySet<string>;
  readonly seccompFolder: string | undefined;
  readonly seccompProfile: string | undefined;
  /** As cgroups have them: `c 10:229 rw`. */
  readonly allowedDevices: readonly AllowedDevice[];
  readonly gpuDevices: readonly AllowedDevice[];
  readonly gpuSharedDevices: readonly AllowedDevice[];
  readonly cgroupsRoot: string;
  readonly netClasses: NetClassFlags;
  readonly perf: PerfFlags;
  readonly limitsSwap: boolean;
  readonly containerDiskWatchMs: number;
  readonly enforcesDiskQuota: boolean;
  /** Groups for volumes that users share; undefined: whoever uses one owns it. */
  readonly volumeGids: Ranges | undefined;
  readonly xfsProjects: Ranges;
  /** Who goes beyond its quota is ended; otherwise it cannot write more. */
  readonly killsByXfsQuota: boolean;
  readonly xfsHeadroomBytes: number;
  readonly containerPortsWatchMs: number;
  readonly enforcesPorts: boolean;
  /** Only ports that the agent offers are looked at. */
  readonly checksOwnPortsOnly: boolean;
  /** Only these are; undefined: all. */
  readonly isolatedPorts: Ranges | undefined;
  readonly providerConfigFolder: string | undefined;
  readonly csiConfigFolder: string | undefined;
  readonly cniConfigFolder: string | undefined;
  readonly cniPluginsFolder: string | undefined;
  readonly defaultDns: DefaultDns;
  /** Of executors, and tasks without one, that name no container. */
  readonly defaultContainer: ContainerInfo | undefined;
  readonly effectiveCapabilities: readonly string[] | undefined;
  readonly boundingCapabilities: readonly string[] | undefined;
  readonly mayShareAgentPids: boolean;
  readonly mayShareAgentIpc: boolean;
  /** Of a /dev/shm of its own whose task says nothing of it. */
  readonly shmBytes: number | undefined;
  readonly enablesCfs: boolean;
  readonly makesHostPaths: boolean;
  readonly switchesUser: boolean;
  readonly executorVariables: Readonly<Record<string, string>> | undefined;
  readonly fetcher: Omit<FetcherOptions, 'cacheFolder'>;
  readonly features: readonly AgentInfo_Capability[];
  readonly executorRegistrationMs: number;
  readonly executorReregistrationMs: number;
  /** Of drivers; undefined: they are asked once. */
  readonly executorReconnectMs: number | undefined;
  readonly shutdownGraceMs: number;
  readonly recoveryTimeoutMs: number;
  readonly recovers: 'reconnect' | 'cleanup';
  readonly reconfiguration: ReconfigurationPolicy;
  readonly isStrict: boolean;
  /** Whether executors are told of a socket in the file system, by which they reach the agent. */
  readonly hasExecutorSocket: boolean;
  /** A path, or `systemd:` and the name of a socket that is passed; undefined: in the run folder. */
  readonly executorSocket: string | undefined;
  readonly sandboxInside: string;
  readonly attachHeartbeatMs: number;
  /** Of nested containers: they need not wait for the end of their executor's. */
  readonly collectsNestedSandboxes: boolean;
  readonly gcDelayMs: number;
  readonly gcDiskHeadroom: number;
  readonly diskWatchMs: number;
  readonly completedExecutorsMax: number;
  /** Processes and threads of one container. */
  readonly pidsMax: number;
  readonly imageProviders: ReadonlySet<string>;
  readonly dockerRegistry: string;
  readonly dockerStore: string | undefined;
  readonly dockerConfig: DockerConfig;
  /** Undefined: overlayfs where it works. */
  readonly imageBackend: Backend | undefined;
  /** Undefined: images are only removed when somebody asks for it. */
  readonly imageGc: ImageGcConfig | undefined;
  readonly estimator: ResourceEstimator | undefined;
  readonly qosController: QosController | undefined;
  readonly oversubscribedMs: number;
  readonly qosCorrectionMs: number;
  readonly lowersRevocableCpus: boolean;
}

/** Mesos' ImageGcConfig. */
export interface ImageGcConfig {
  /** Part of the disk that is to stay free. */
  readonly headroom: number;
  readonly intervalMs: number;
  /** Names of images that stay. */
  readonly excluded: readonly string[];
}

/** `{"capabilities": ["NET_RAW"]}` */
function capabilities(text: string): readonly string[] | undefined {
  if (text === '') return undefined;
  const { capabilities: names } = JSON.parse(text) as { capabilities?: unknown };
  if (!Array.isArray(names)) throw new Error('it has no list of capabilities');
  return names.map((one) => String(one).toLowerCase());
}

function variables(text: string): Readonly<Record<string, string>> | undefined {
  if (text === '') return undefined;
  const object = JSON.parse(text) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, String(value)]));
}

function roleName(text: string): string {
  const problem = validateRole(text);
  if (problem === undefined) return text;
  throw new Error(problem);
}

/** `[31000-32000]` */
function portRanges(text: string): Ranges | undefined {
  if (text === '') return undefined;
  const [{ ranges } = {}] = parseResources(`ports:${text}`);
  if (ranges === undefined) throw new Error('it is no list of ranges');
  return normalizeRanges(ranges.range ?? []);
}

function gidRanges(text: string): Ranges | undefined {
  const ranges = portRanges(text);
  if (ranges === undefined) return undefined;
  if (process.getuid?.() !== 0) throw new Error('Volume gid manager requires root privileges');
  if (ranges.length === 0) throw new Error('Empty volume gid range');
  return ranges;
}

const PROJECT_ID_MAX = 2 ** 32 - 1;

/** Of project ids; 0 is that of files without one. */
function projectRanges(text: string): Ranges {
  const ranges = portRanges(text) ?? [];
  if (ranges.some(({ begin }) => begin === 0)) {
    throw new Error('XFS project ID range contains illegal 0 value');
  }
  const beyond = ranges.find(({ end }) => end > PROJECT_ID_MAX);
  if (beyond !== undefined) throw new Error(`Project ID ${beyond.end} is out of range`);
  return ranges;
}

/** A ContainerInfo as JSON. */
function containerInfo(text: string): ContainerInfo | undefined {
  if (text === '') return undefined;
  return parseJson('ContainerInfo', valueOrFile(text));
}

function dockerConfig(text: string): DockerConfig {
  return text === '' ? NO_LOGINS : DockerConfig.parse(valueOrFile(text));
}

function imageBackend(text: string): Backend | undefined {
  return text === '' ? undefined : oneOf('overlay', 'copy')(text);
}

function namespaceName(text: string): string {
  if (/^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/.test(text)) return text;
  throw new Error(`"${text}" is no name of a namespace`);
}

function cgroupName(text: string): string {
  if (/^[\w.-]+(\/[\w.-]+)*$/.test(text) && !text.split('/').includes('..')) return text;
  throw new Error(`"${text}" is no path of a cgroup`);
}

/** `{"image_disk_headroom": 0.1, "image_disk_watch_interval": {"nanoseconds": …}, "excluded_images": […]}` */
function imageGc(text: string): ImageGcConfig | undefined {
  if (text === '') return undefined;
  const given = JSON.parse(valueOrFile(text)) as {
    image_disk_headroom?: number;
    image_disk_watch_interval?: { nanoseconds?: number };
    excluded_images?: readonly { docker?: { name?: string } }[];
  };
  const { image_disk_headroom: headroom = 0.1, excluded_images: excluded = [] } = given;
  if (!(headroom >= 0 && headroom <= 1)) throw new Error('its headroom is not within 0 to 1');
  const intervalMs = (given.image_disk_watch_interval?.nanoseconds ?? 3600e9) / 1e6;
  if (!(intervalMs > 0)) throw new Error('its interval is not above 0');
  const names = excluded.map((one) => one.docker?.name ?? '').filter((name) => name !== '');
  return { headroom, intervalMs, excluded: names };
}

/** Of Mesos' list of modules: their parameters by name; the libraries that they are in are not read. */
function modules(text: string): Readonly<Record<string, ModuleParameters>> {
  if (text === '') return {};
  const { libraries = [] } = JSON.parse(valueOrFile(text)) as {
    libraries?: readonly {
      modules?: readonly {
        name?: string;
        parameters?: readonly { key: string; value: string }[];
      }[];
    }[];
  };
  const all = libraries.flatMap((library) => library.modules ?? []);
  return Object.fromEntries(
    all.map(({ name = '', parameters = [] }) => [
      name,
      Object.fromEntries(parameters.map(({ key, value }) => [key, value])),
    ]),
  );
}

/** `https://…`, or a folder of archives; Mesos also asks HDFS, of which there is none here. */
function dockerRegistry(text: string): string {
  if (/^(https?:\/\/|file:\/\/\/|\/)/.test(text)) return text;
  throw new Error(`"${text}" is neither a http(s) address nor a path`);
}

function absoluteFolder(text: string): string {
  if (!isAbsolute(text) || normalize(text) === '/')
    throw new Error(`"${text}" is no folder's path`);
  return normalize(text).replace(/\/$/, '');
}

/**
 * Those that Mesos 1.11 has and that change something here, with its defaults; and, from
 * `container_`, some of ours. The bound on processes is far above what anything sane needs.
 */
const KINDS = {
  agent_features: flag('', agentFeatures),
  default_role: flag('*', roleName),
  registration_backoff_factor: flag('', (text) => (text === '' ? undefined : durationMs(text))),
  containerizers: flag('mesos', containerizers),
  isolation: flag('posix/cpu,posix/mem', parseIsolators),
  seccomp_config_dir: flag('', optional),
  seccomp_profile_name: flag('', optional),
  allowed_devices: flag('', allowedDevices),
  gpu_devices: flag('', devicePaths),
  gpu_shared_devices: flag('', devicePaths),
  cgroups_root: flag('strata', cgroupName),
  cgroups_net_cls_primary_handle: flag('', primaryHandle),
  cgroups_net_cls_secondary_handles: flag('', secondaryHandles),
  perf_events: flag('', (text) => text.split(',').filter((word) => word !== '')),
  perf_interval: flag('1mins', durationMs),
  perf_duration: flag('10secs', durationMs),
  cgroups_limit_swap: flag('false', bool),
  container_disk_watch_interval: flag('15secs', durationMs),
  enforce_container_disk_quota: flag('false', bool),
  volume_gid_range: flag('', gidRanges),
  xfs_project_range: flag('[5000-10000]', projectRanges),
  xfs_kill_containers: flag('false', bool),
  xfs_quota_headroom: flag('10MB', bytes),
  container_ports_watch_interval: flag('30secs', durationMs),
  enforce_container_ports: flag('false', bool),
  check_agent_port_range_only: flag('false', bool),
  container_ports_isolated_range: flag('', portRanges),
  network_cni_config_dir: flag('', optional),
  network_cni_plugins_dir: flag('', optional),
  default_container_dns: flag('', defaultDns),
  default_container_info: flag('', containerInfo),
  acls: flag('', acls),
  domain: flag('', (text) => (text === '' ? undefined : parseDomain(valueOrFile(text)))),
  external_log_file: flag('', optional),
  firewall_rules: flag('', disabledEndpoints(absolutePath)),
  authorizer: flag('local', oneOf('local')),
  effective_capabilities: flag('', capabilities),
  bounding_capabilities: flag('', capabilities),
  disallow_sharing_agent_pid_namespace: flag('false', bool),
  disallow_sharing_agent_ipc_namespace: flag('false', bool),
  default_container_shm_size: flag('', (text) => (text === '' ? undefined : bytes(text))),
  cgroups_enable_cfs: flag('false', bool),
  host_path_volume_force_creation: flag('false', bool),
  switch_user: flag('true', bool),
  executor_environment_variables: flag('', variables),
  frameworks_home: flag('', optional),
  fetcher_cache_size: flag('2GB', bytes),
  fetcher_stall_timeout: flag('1mins', durationMs),
  // Mesos has no such flag: its fetcher knows no other schemes than those of libcurl and Hadoop.
  fetcher_programs: flag('', readFetchPrograms),
  hadoop_home: flag('', optional),
  executor_registration_timeout: flag('1mins', durationMs),
  executor_reregistration_timeout: flag('15secs', durationMs),
  executor_reregistration_retry_interval: flag('', (text) =>
    text === '' ? undefined : durationMs(text),
  ),
  executor_shutdown_grace_period: flag('5secs', durationMs),
  recovery_timeout: flag('15mins', durationMs),
  recover: flag('reconnect', oneOf('reconnect', 'cleanup')),
  reconfiguration_policy: flag('equal', oneOf('equal', 'additive', 'any')),
  strict: flag('true', bool),
  http_executor_domain_sockets: flag('false', bool),
  domain_socket_location: flag('', socketPath),
  sandbox_directory: flag('/mnt/mesos/sandbox', absoluteFolder),
  http_heartbeat_interval: flag('30secs', durationMs),
  gc_non_executor_container_sandboxes: flag('false', bool),
  gc_delay: flag('1weeks', durationMs),
  gc_disk_headroom: flag('0.1', fraction),
  disk_watch_interval: flag('1mins', durationMs),
  max_completed_executors_per_framework: flag('150', count),
  container_pids_max: flag('16384', count),
  containerd_namespace: flag('mesos', namespaceName),
  containerd_snapshotter: flag('overlayfs', String),
  containerd_socket: flag('/run/containerd/containerd.sock', String),
  image_providers: flag('', words),
  docker_registry: flag('https://registry-1.docker.io', dockerRegistry),
  docker_store_dir: flag('', optional),
  docker_config: flag('', dockerConfig, fileOnly),
  image_provisioner_backend: flag('', imageBackend),
  image_gc_config: flag('', imageGc),
  modules: flag('', modules),
  container_logger: flag('', optional),
  resource_estimator: flag('', optional),
  resource_provider_config_dir: flag('', optional),
  csi_plugin_config_dir: flag('', optional),
  qos_controller: flag('', optional),
  oversubscribed_resources_interval: flag('15secs', durationMs),
  qos_correction_interval_min: flag('0ns', durationMs),
  revocable_cpu_low_priority: flag('true', bool),
  // Last: the compiler refuses a name that stands among these as well.
  ...SECURITY_KINDS,
  ...advertisedKinds,
  ...otherKinds,
} as const;

/** Mesos waits for its controller; ours is asked so often at most. */
const QOS_MS_MIN = 1000;

type ModuleMaker<T> = (
  name: string | undefined,
  modules: Readonly<Record<string, ModuleParameters>>,
) => T | undefined;

const TABLE = new FlagTable(KINDS);

/** Whether it is a flag of these. */
export function isAgentFlag(name: string): boolean {
  return TABLE.has(name);
}

/** What every flag is, with defaults filled in: for /flags. */
export function flagTexts(given: Readonly<Record<string, string>>): Record<string, string> {
  return TABLE.texts(given);
}

export function readFlags(given: Readonly<Record<string, string>>): AgentFlags {
  const value = TABLE.reader(given);
  /** A module that cannot be made is a fault of the flag that names it. */
  const made = <T>(
    name: 'resource_estimator' | 'qos_controller' | 'container_logger',
    of: ModuleMaker<T>,
  ): T | undefined => {
    try {
      return of(value(name), value('modules'));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`, {
        cause,
      });
    }
  };
  for (const name of TABLE.names) value(name);
  return {
    authorizer: new Authorizer(value('acls')),
    advertised: { ip: value('advertise_ip'), port: value('advertise_port') },
    defaultRole: value('default_role'),
    registrationBackoffMs: value('registration_backoff_factor'),
    domain: value('domain'),
    logFile: shownLog('agent', { file: value('external_log_file'), folder: value('log_dir') }),
    disabled: value('firewall_rules'),
    security: {
      executors: value('authenticate_http_executors'),
      readonly: value('authenticate_http_readonly'),
      readwrite: value('authenticate_http_readwrite'),
      httpAuthenticators: value('http_authenticators'),
      httpCredentials: value('http_credentials'),
      credential: value('credential'),
      // The older name of the same flag.
      jwtSecretKey: value('jwt_secret_key') ?? value('executor_secret_key'),
      times: {
        backoffMs: value('authentication_backoff_factor'),
        timeoutMsMin: value('authentication_timeout_min'),
        timeoutMsMax: value('authentication_timeout_max'),
      },
    },
    logger: made('container_logger', containerLogger),
    containerizers: value('containerizers'),
    containerd: {
      socket: value('containerd_socket'),
      namespace: value('containerd_namespace'),
      snapshotter: value('containerd_snapshotter'),
    },
    isolators: value('isolation'),
    seccompFolder: value('seccomp_config_dir'),
    seccompProfile: value('seccomp_profile_name'),
    allowedDevices: value('allowed_devices'),
    gpuDevices: value('gpu_devices'),
    gpuSharedDevices: value('gpu_shared_devices'),
    cgroupsRoot: value('cgroups_root'),
    netClasses: {
      primary: value('cgroups_net_cls_primary_handle'),
      secondaries: value('cgroups_net_cls_secondary_handles'),
    },
    perf: {
      events: value('perf_events'),
      intervalMs: value('perf_interval'),
      durationMs: value('perf_duration'),
    },
    limitsSwap: value('cgroups_limit_swap'),
    containerDiskWatchMs: value('container_disk_watch_interval'),
    enforcesDiskQuota: value('enforce_container_disk_quota'),
    volumeGids: value('volume_gid_range'),
    xfsProjects: value('xfs_project_range'),
    killsByXfsQuota: value('xfs_kill_containers'),
    xfsHeadroomBytes: value('xfs_quota_headroom'),
    containerPortsWatchMs: value('container_ports_watch_interval'),
    enforcesPorts: value('enforce_container_ports'),
    checksOwnPortsOnly: value('check_agent_port_range_only'),
    isolatedPorts: value('container_ports_isolated_range'),
    providerConfigFolder: value('resource_provider_config_dir'),
    csiConfigFolder: value('csi_plugin_config_dir'),
    cniConfigFolder: value('network_cni_config_dir'),
    cniPluginsFolder: value('network_cni_plugins_dir'),
    defaultDns: value('default_container_dns'),
    defaultContainer: value('default_container_info'),
    effectiveCapabilities: value('effective_capabilities'),
    boundingCapabilities: value('bounding_capabilities'),
    mayShareAgentPids: !value('disallow_sharing_agent_pid_namespace'),
    mayShareAgentIpc: !value('disallow_sharing_agent_ipc_namespace'),
    shmBytes: value('default_container_shm_size'),
    enablesCfs: value('cgroups_enable_cfs'),
    makesHostPaths: value('host_path_volume_force_creation'),
    switchesUser: value('switch_user'),
    executorVariables: value('executor_environment_variables'),
    fetcher: {
      frameworksHome: value('frameworks_home'),
      cacheBytesMax: value('fetcher_cache_size'),
      stallMs: value('fetcher_stall_timeout'),
      programs: value('fetcher_programs'),
      hadoopHome: value('hadoop_home'),
    },
    features: value('agent_features'),
    executorRegistrationMs: value('executor_registration_timeout'),
    executorReregistrationMs: value('executor_reregistration_timeout'),
    executorReconnectMs: value('executor_reregistration_retry_interval'),
    shutdownGraceMs: value('executor_shutdown_grace_period'),
    recoveryTimeoutMs: value('recovery_timeout'),
    recovers: value('recover'),
    reconfiguration: value('reconfiguration_policy'),
    isStrict: value('strict'),
    hasExecutorSocket: value('http_executor_domain_sockets'),
    executorSocket: value('domain_socket_location'),
    sandboxInside: value('sandbox_directory'),
    attachHeartbeatMs: value('http_heartbeat_interval'),
    collectsNestedSandboxes: value('gc_non_executor_container_sandboxes'),
    gcDelayMs: value('gc_delay'),
    gcDiskHeadroom: value('gc_disk_headroom'),
    diskWatchMs: value('disk_watch_interval'),
    completedExecutorsMax: value('max_completed_executors_per_framework'),
    pidsMax: value('container_pids_max'),
    imageProviders: value('image_providers'),
    dockerRegistry: value('docker_registry'),
    dockerStore: value('docker_store_dir'),
    dockerConfig: value('docker_config'),
    imageBackend: value('image_provisioner_backend'),
    imageGc: value('image_gc_config'),
    estimator: made('resource_estimator', estimatorOf),
    qosController: made('qos_controller', controllerOf),
    oversubscribedMs: value('oversubscribed_resources_interval'),
    qosCorrectionMs: Math.max(QOS_MS_MIN, value('qos_correction_interval_min')),
    lowersRevocableCpus: value('revocable_cpu_low_priority'),
  };
}
