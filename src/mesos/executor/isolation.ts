// What a ContainerInfo asks of the process host: rlimits, a terminal, namespaces, capabilities and
// the mounts that go with them. What this agent cannot do is refused with the words for the task's
// last update rather than left out in silence.
import type { ProcessMount, ProcessSpec } from '#env/process.ts';
import type { CapabilityInfo, ContainerInfo, LinuxInfo, RLimitInfo } from '#wire/mesos/v1.ts';
import type { SeccompProfiles } from './seccomp.ts';

export type Isolation = Pick<
  ProcessSpec,
  | 'rlimits'
  | 'terminal'
  | 'capabilities'
  | 'seccomp'
  | 'seccompProfile'
  | 'namespaces'
  | 'mounts'
  | 'noNewPrivileges'
>;

/** What the operator has decided for every container of an agent. */
export interface IsolationPolicy {
  /** Only root can make namespaces and mounts, and take capabilities away. */
  readonly isRoot: boolean;
  /** Names of Mesos' isolators that change a default here: `namespaces/pid`, `linux/nnp` ... */
  readonly isolators: ReadonlySet<string>;
  readonly mayShareAgentPids: boolean;
  readonly mayShareAgentIpc: boolean;
  /** Of a /dev/shm of its own whose task says nothing of it; undefined: half of the machine's memory. */
  readonly shmBytes: number | undefined;
  /** Capabilities in lower case, as the process port has them. */
  readonly bounding: readonly string[] | undefined;
  readonly effective: readonly string[] | undefined;
  /** With linux/seccomp. */
  readonly seccomp: SeccompProfiles | undefined;
}

export const PLAIN_POLICY: IsolationPolicy = {
  isRoot: false,
  isolators: new Set(),
  mayShareAgentPids: true,
  mayShareAgentIpc: true,
  shmBytes: undefined,
  bounding: undefined,
  effective: undefined,
  seccomp: undefined,
};

const TERMINAL_SIZE = { rows: 24, columns: 80 } as const;

// A /proc of its own shows a container no other processes, but still the machine's own knobs and
// memory: the paths that OCI runtimes hide by default.
const MASKED_FILES = ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug'];
const MASKED_FOLDERS = ['/proc/acpi', '/proc/scsi', '/sys/firmware'];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** prlimit(1) calls them like Mesos does, in lower case. */
function rlimitsOf(info: RLimitInfo | undefined): ProcessSpec['rlimits'] {
  return (info?.rlimits ?? []).map(({ type, soft, hard }) => {
    if (type === undefined || type === 'UNKNOWN') throw new Error('Unknown rlimit type');
    if ((soft === undefined) !== (hard === undefined)) {
      throw new Error(`Invalid rlimit: ${type} needs both or neither of soft and hard`);
    }
    if (soft !== undefined && hard !== undefined && soft > hard) {
      throw new Error(`Invalid rlimit: the soft limit of ${type} is above the hard one`);
    }
    return { name: type.replace(/^RLMT_/, '').toLowerCase(), soft, hard };
  });
}

function namesOf(info: CapabilityInfo | undefined): readonly string[] | undefined {
  return info === undefined ? undefined : (info.capabilities ?? []).map((one) => one.toLowerCase());
}

/** Effective and bounding sets as Mesos' linux/capabilities makes them. */
function capabilitiesOf(
  linux: LinuxInfo | undefined,
  policy: IsolationPolicy,
): Isolation['capabilities'] {
  const effective = namesOf(linux?.effective_capabilities ?? linux?.capability_info);
  const bounding = namesOf(linux?.bounding_capabilities);
  const isAsked = effective !== undefined || bounding !== undefined;
  if (!policy.isRoot) {
    if (isAsked) throw new Error('Capabilities need an agent that runs as root');
    return undefined;
  }
  const wanted = effective ?? policy.effective;
  const bound = bounding ?? policy.bounding ?? effective ?? policy.effective;
  if (wanted === undefined && bound === undefined) return undefined;
  const missing = (wanted ?? []).filter((one) => bound !== undefined && !bound.includes(one));
  const denied = [...(wanted ?? []), ...(bound ?? [])].filter(
    (one) => policy.bounding !== undefined && !policy.bounding.includes(one),
  );
  const refused = [...new Set([...missing, ...denied])].map((one) => one.toUpperCase());
  if (refused.length > 0) {
    throw new Error(`Requested capabilities '{${refused.join(',')}}' are not allowed`);
  }
  return {
    ...(bound === undefined ? {} : { bounding: bound }),
    ...(wanted === undefined ? {} : { effective: wanted }),
  };
}

function maskingMounts(): ProcessMount[] {
  return [
    ...MASKED_FILES.map((target) => ({ source: '/dev/null', target, readOnly: false })),
    ...MASKED_FOLDERS.map((target) => ({
      type: 'tmpfs' as const,
      source: 'tmpfs',
      target,
      readOnly: true,
      options: 'size=0k',
    })),
    // All that is said of them at once is one program less to execute for each.
    ...READ_ONLY.map((target) => ({
      source: target,
      target,
      readOnly: true,
      options: 'nosuid,nodev,noexec',
    })),
  ].map((one) => ({ ...one, ifThere: true }));
}

/**
 * An IPC namespace of its own, and with PRIVATE a /dev/shm of its own: by `namespaces/ipc` alone the machine's is
 * seen, as in Mesos (isolators/namespaces/ipc.cpp). An image has its own in any case.
 */
function ipcOf(
  linux: LinuxInfo | undefined,
  policy: IsolationPolicy,
  isTop: boolean,
): { readonly isOwn: boolean; readonly shm?: ProcessMount } {
  const mode = linux?.ipc_mode;
  if (linux?.shm_size !== undefined && mode !== 'PRIVATE') {
    throw new Error('Only support specifying the size of /dev/shm when the IPC mode is `PRIVATE`');
  }
  if (mode === 'UNKNOWN') throw new Error('Unknown IPC mode');
  if (mode === 'SHARE_PARENT' && isTop && !policy.mayShareAgentIpc) {
    throw new Error('Sharing agent IPC namespace with top-level container is not allowed');
  }
  if (mode !== 'PRIVATE') {
    return { isOwn: mode !== 'SHARE_PARENT' && policy.isolators.has('namespaces/ipc') };
  }
  const asked = linux?.shm_size === undefined ? policy.shmBytes : linux.shm_size * 1024 * 1024;
  return {
    isOwn: true,
    shm: {
      type: 'tmpfs',
      source: 'tmpfs',
      target: '/dev/shm',
      readOnly: false,
      options: `nosuid,nodev,strictatime,mode=1777${asked === undefined ? '' : `,size=${asked}`}`,
    },
  };
}

function namespacesOf(
  linux: LinuxInfo | undefined,
  policy: IsolationPolicy,
  isTop: boolean,
): Pick<Isolation, 'namespaces' | 'mounts'> {
  const shares = linux?.share_pid_namespace;
  if (shares === true && !policy.mayShareAgentPids) {
    throw new Error("Sharing agent's pid namespace with top-level container is not allowed");
  }
  const ownPids =
    shares === false || (shares === undefined && policy.isolators.has('namespaces/pid'));
  const ipc = ipcOf(linux, policy, isTop);
  if (!ownPids && !ipc.isOwn) return {};
  if (!policy.isRoot) throw new Error('Namespaces need an agent that runs as root');
  return {
    namespaces: {
      mount: 'new',
      ...(ownPids ? { pid: 'new' } : {}),
      ...(ipc.isOwn ? { ipc: 'new' } : {}),
    },
    mounts: [...(ownPids ? maskingMounts() : []), ...(ipc.shm === undefined ? [] : [ipc.shm])],
  };
}

/** `isTop`: it is below no other container. Throws with the words for the task's last update. */
export function isolationOf(
  container: ContainerInfo | undefined,
  policy: IsolationPolicy,
  isTop = true,
): Isolation {
  const { tty_info, linux_info, rlimit_info } = container ?? {};
  const rlimits = rlimitsOf(rlimit_info);
  return {
    ...(rlimits === undefined || rlimits.length === 0 ? {} : { rlimits }),
    ...(tty_info === undefined ? {} : { terminal: tty_info.window_size ?? TERMINAL_SIZE }),
    ...confinementOf(linux_info, policy),
    ...namespacesOf(linux_info, policy, isTop),
  };
}

/** What every command in a container is held to, those that join it later too. */
export function confinementOf(
  linux: LinuxInfo | undefined,
  policy: IsolationPolicy,
): Pick<Isolation, 'capabilities' | 'seccomp' | 'seccompProfile' | 'noNewPrivileges'> {
  const capabilities = capabilitiesOf(linux, policy);
  const wantsProfile = linux?.seccomp !== undefined && linux.seccomp.unconfined !== true;
  if (policy.seccomp === undefined && wantsProfile) {
    throw new Error("Seccomp profiles need an agent with the isolator 'linux/seccomp'");
  }
  const filter = policy.seccomp?.filter(linux, capabilities?.bounding);
  return {
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(filter === undefined ? {} : { seccomp: filter.program, seccompProfile: filter.profile }),
    ...(policy.isolators.has('linux/nnp') ? { noNewPrivileges: true } : {}),
  };
}
