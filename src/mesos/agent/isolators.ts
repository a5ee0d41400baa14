// The names that `--isolation` knows, as Mesos has them: what they stand for here, and which are
// refused. An isolator that is named has its effect, or the agent does not start.
import { existsSync } from 'node:fs';
import { Fault } from '#base/fault.ts';
import type { Ranges } from '#mesos/resources/ranges.ts';
import type { AllowedDevice } from './devices.ts';
import type { ProjectKernel } from './project-kernel.ts';
import { SeccompProfiles } from '#mesos/executor/seccomp.ts';

/** Those that a container is not under unless it is asked for. */
const MORE = ['cpuset', 'blkio', 'hugetlb', 'perf_event', 'net_cls', 'net_prio'];
/** Of these the kernel must have the control group, too. */
const CGROUPS = ['cpu', 'mem', 'devices', 'pids', ...MORE];

const OTHERS = [
  'posix/cpu',
  'posix/mem',
  'posix/rlimits',
  'disk/du',
  'disk/xfs',
  'filesystem/posix',
  'filesystem/linux',
  'namespaces/pid',
  'namespaces/ipc',
  'linux/capabilities',
  'linux/devices',
  'linux/nnp',
  'linux/seccomp',
  'volume/csi',
  'volume/host_path',
  'volume/image',
  'volume/sandbox_path',
  'volume/secret',
  'environment_secret',
  'docker/runtime',
  'network/cni',
  'network/ports',
];

/** What one name means. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  process: ['posix/cpu', 'posix/mem'],
  cgroups: ['cgroups/cpu', 'cgroups/mem'],
  'posix/disk': ['disk/du'],
};

/** Every control group that there is. */
export const ALL_CGROUPS = 'cgroups/all';

const KNOWN = new Set([ALL_CGROUPS, ...CGROUPS.map((name) => `cgroups/${name}`), ...OTHERS]);

/** Throws for a name that has no effect here. */
export function parseIsolators(text: string): ReadonlySet<string> {
  const names = text.split(',').filter(Boolean);
  const meant = names.flatMap((name) => ALIASES[name] ?? [name]);
  const unknown = meant.find((name) => !KNOWN.has(name));
  if (unknown !== undefined) throw new Error(`Unknown or unsupported isolator: '${unknown}'`);
  const filesystems = meant.filter((name) => name.startsWith('filesystem/'));
  if (filesystems.length > 1) {
    throw new Error('Using multiple filesystem isolators simultaneously is disallowed');
  }
  return new Set(meant);
}

/** Those of version 1 that a container is only in when its isolator is named. */
export function moreControllers(isolators: ReadonlySet<string>): readonly string[] {
  return MORE.filter((name) => isolators.has(`cgroups/${name}`) || isolators.has(ALL_CGROUPS));
}

/** A control group that the machine does not have, or this user may not use, isolates nothing. */
export function checkControllers(
  flags: {
    readonly isolators: ReadonlySet<string>;
    readonly limitsSwap: boolean;
    readonly enforcesDiskQuota: boolean;
    readonly gpuDevices: readonly AllowedDevice[];
  },
  there: ReadonlySet<string>,
): void {
  const refuse = (name: string, why: string): never => {
    throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`);
  };
  if (flags.isolators.has('network/ports') && there.size === 0) {
    refuse('isolation', "'network/ports' needs cgroups, of this user");
  }
  if (flags.gpuDevices.length > 0 && !there.has('devices')) {
    refuse('gpu_devices', "the cgroup controller 'devices' is not there, or not for this user");
  }
  const wanted = CGROUPS.filter((name) => flags.isolators.has(`cgroups/${name}`));
  if (flags.isolators.has(ALL_CGROUPS) || flags.limitsSwap) wanted.push('mem');
  const missing = wanted.find((name) => !there.has(name === 'mem' ? 'memory' : name));
  const isDiskWatched = ['disk/du', 'disk/xfs'].some((one) => flags.isolators.has(one));
  if (flags.enforcesDiskQuota && !isDiskWatched) {
    refuse('enforce_container_disk_quota', "it needs the isolator 'disk/du' or 'disk/xfs'");
  }
  if (missing === undefined) return;
  refuse('isolation', `the cgroup controller '${missing}' is not there, or not for this user`);
}

export function seccompProfiles(flags: {
  readonly isolators: ReadonlySet<string>;
  readonly seccompFolder: string | undefined;
  readonly seccompProfile: string | undefined;
}): SeccompProfiles | undefined {
  if (!flags.isolators.has('linux/seccomp')) return undefined;
  const name = 'isolation';
  try {
    if (process.getuid?.() !== 0)
      throw new Error('Linux Seccomp isolator requires root permissions');
    return new SeccompProfiles(flags.seccompFolder, flags.seccompProfile, process.arch);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`, { cause });
  }
}

/** Only one of the two says which ports are looked at. */
export function checkPortFlags(flags: {
  readonly checksOwnPortsOnly: boolean;
  readonly isolatedPorts: Ranges | undefined;
}): void {
  if (!flags.checksOwnPortsOnly || flags.isolatedPorts === undefined) return;
  const name = 'container_ports_isolated_range';
  const why = 'it and "check_agent_port_range_only" exclude each other';
  throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`);
}

/** disk/xfs needs root, and a work folder and PATH disks whose file systems keep quotas of projects. */
export function checkProjects(
  isolators: ReadonlySet<string>,
  folders: readonly string[],
  { deviceOf }: Pick<ProjectKernel, 'deviceOf'>,
): void {
  if (!isolators.has('disk/xfs')) return;
  const name = 'isolation';
  try {
    if (process.getuid?.() !== 0) {
      throw new Error('The XFS disk isolator requires running as root.');
    }
    for (const folder of folders) deviceOf(folder);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`, { cause });
  }
}

/** Networks by CNI need both folders, and root. */
export function checkNetworkFlags(flags: {
  readonly isolators: ReadonlySet<string>;
  readonly cniConfigFolder: string | undefined;
  readonly cniPluginsFolder: string | undefined;
}): void {
  const { isolators, cniConfigFolder: config, cniPluginsFolder: plugins } = flags;
  const isAsked = isolators.has('network/cni') || config !== undefined || plugins !== undefined;
  if (!isAsked) return;
  const refuse = (name: string, why: string): never => {
    throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`);
  };
  if (process.getuid?.() !== 0) refuse('isolation', "'network/cni' requires root permissions");
  if (plugins === undefined) refuse('network_cni_plugins_dir', 'it is required for CNI networks');
  if (config === undefined) refuse('network_cni_config_dir', 'it is required for CNI networks');
  else if (!existsSync(config)) {
    refuse('network_cni_config_dir', `The directory '${config}' does not exist`);
  }
}
