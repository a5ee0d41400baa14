// What the process port asks of a container, as an OCI runtime specification (1.0.2): process, root,
// mounts, namespaces, limits. What such a specification cannot say is refused by name.
import { CAPABILITIES, USUAL_CAPABILITIES } from '#base/capabilities.ts';
import type { ProcessLimits, ProcessMount, ProcessSpec } from '#env/process.ts';

const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/firmware',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const CPU_PERIOD_US = 100_000;
const CPU_SHARES_MIN = 2;
const MEMORY_BYTES_MIN = 4 * 1024 * 1024;
/** 2^64 - 1 */
const INFINITE = 18_446_744_073_709_551_615n;

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const KERNEL_MOUNTS: readonly OciMount[] = [
  mountOf('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
  mountOf('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
  mountOf('/dev/pts', 'devpts', [
    'nosuid',
    'noexec',
    'newinstance',
    'ptmxmode=0666',
    'mode=0620',
    'gid=5',
  ]),
  mountOf('/dev/shm', 'tmpfs', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']),
  mountOf('/dev/mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
  mountOf('/sys', 'sysfs', ['nosuid', 'noexec', 'nodev', 'ro']),
];

function mountOf(destination: string, type: string, options: readonly string[]): OciMount {
  return { destination, type, source: type, options };
}

/** The root of a container: what is mounted there, and what is mounted inside and in what comes along with it. */
export interface OciRoot {
  readonly base: ProcessMount;
  readonly mounts: readonly OciMount[];
}

function isBind({ type }: ProcessMount): boolean {
  return type === undefined || type === 'bind';
}

function optionsOf({ options = '', readOnly, type }: ProcessMount): readonly string[] {
  const own = options.split(',').filter((one) => one !== '');
  const kind = type === undefined || type === 'bind' ? ['rbind', 'rprivate'] : [];
  return [...kind, readOnly ? 'ro' : 'rw', ...own];
}

function below(path: string, folder: string): string | undefined {
  if (path === folder) return '';
  return path.startsWith(`${folder}/`) ? path.slice(folder.length) : undefined;
}

/**
 * Of mounts for a root made by hand: those outside the root are for what is bound into it later, as
 * volumes in a sandbox are. In the container they come right after that.
 */
export function ociRoot(spec: ProcessSpec): OciRoot {
  const { root, mounts = [] } = spec;
  const base = mounts.find((one) => one.target === root);
  if (root === undefined || base === undefined) {
    throw new Error('containerd runs containers with a root of their own only: those of an image');
  }
  const made: OciMount[] = [...KERNEL_MOUNTS];
  const outside: ProcessMount[] = [];
  for (const mount of mounts) {
    if (mount === base) continue;
    const destination = below(mount.target, root);
    if (destination === undefined) outside.push(mount);
    else made.push(...insideMounts(mount, destination, outside));
  }
  const lost = outside.find(
    ({ target }) => !mounts.some((one) => isBind(one) && below(target, one.source) !== undefined),
  );
  if (lost !== undefined) throw new Error(`nothing of the container leads to "${lost.target}"`);
  const last = new Map(made.map((one, at) => [one.destination, at]));
  return { base, mounts: made.filter((one, at) => last.get(one.destination) === at) };
}

function insideMounts(
  mount: ProcessMount,
  destination: string,
  outside: readonly ProcessMount[],
): OciMount[] {
  const { source, type = 'bind' } = mount;
  const itself = outside.find((one) => !isBind(one) && one.target === source);
  if (itself !== undefined && isBind(mount)) {
    // A file system that was to be mounted on the machine to be bound from there: an image as a volume.
    const both = { ...itself, readOnly: itself.readOnly || mount.readOnly };
    return [{ destination, ...ociMount(both) }];
  }
  const own = { destination, type, source, options: optionsOf(mount) };
  if (!isBind(mount)) return [own];
  const along = outside.flatMap((one) => {
    const path = below(one.target, source);
    return path === undefined || path === '' ? [] : [{ ...one, target: `${destination}${path}` }];
  });
  return [
    own,
    ...along.flatMap((one) =>
      insideMounts(
        one,
        one.target,
        outside.filter((other) => other.target === one.source),
      ),
    ),
  ];
}

function ociMount(mount: ProcessMount): Omit<OciMount, 'destination'> {
  const { type = 'bind', source } = mount;
  return { type, source, options: optionsOf(mount) };
}

const upper = (names: readonly string[]): string[] =>
  names.map((one) => `CAP_${one.toUpperCase()}`);

function capabilitiesOf(
  { capabilities, containerd, uid = 0 }: ProcessSpec,
  available: readonly string[],
) {
  const { bounding: given, effective: asked } = capabilities ?? {};
  const all = containerd?.privileged === true ? available : USUAL_CAPABILITIES;
  const bounding = given ?? asked ?? all;
  // Without a word the kernel gives root all that may be had, and others nothing.
  const effective = asked ?? (uid === 0 ? bounding : []);
  const ambient = asked !== undefined && uid !== 0 ? asked : [];
  return {
    bounding: upper(bounding),
    effective: upper(effective),
    permitted: upper(effective),
    inheritable: upper(ambient),
    ambient: upper(ambient),
  };
}

function rlimitsOf({ rlimits = [] }: ProcessSpec) {
  return rlimits.map(({ name, soft, hard }) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    soft: soft ?? INFINITE,
    hard: hard ?? INFINITE,
  }));
}

function deviceRule(rule: string) {
  const [type, numbers = '', access] = rule.split(' ');
  const [major, minor] = numbers.split(':').map((one) => (one === '*' ? undefined : Number(one)));
  return {
    allow: true,
    ...(type === 'a' ? {} : { type }),
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
    access,
  };
}

function resourcesOf({ limits = {}, containerd }: ProcessSpec) {
  const { cpus, cpusMax, memoryBytesMax, memoryBytesLow, limitsSwap, pidsMax }: ProcessLimits =
    limits;
  const devices =
    containerd?.privileged === true
      ? [{ allow: true, access: 'rwm' }]
      : [{ allow: false, access: 'rwm' }, ...(limits.devices ?? []).map(deviceRule)];
  const limit =
    memoryBytesMax === undefined
      ? undefined
      : Math.max(MEMORY_BYTES_MIN, Math.floor(memoryBytesMax));
  return {
    devices,
    cpu: {
      ...(cpus === undefined ? {} : { shares: Math.max(CPU_SHARES_MIN, Math.round(1024 * cpus)) }),
      ...(cpusMax === undefined
        ? {}
        : { period: CPU_PERIOD_US, quota: Math.max(1_000, Math.round(cpusMax * CPU_PERIOD_US)) }),
    },
    memory: {
      ...(limit === undefined ? {} : { limit }),
      ...(limit !== undefined && limitsSwap === true ? { swap: limit } : {}),
      ...(memoryBytesLow === undefined ? {} : { reservation: memoryBytesLow }),
    },
    ...(pidsMax === undefined ? {} : { pids: { limit: pidsMax } }),
    ...(limits.netClass === undefined ? {} : { network: { classID: limits.netClass } }),
  };
}

function namespacesOf({ namespaces = {}, hostname }: ProcessSpec) {
  const { pid, ipc, uts, network } = namespaces;
  const path = (type: string, value: string) =>
    value === 'new' ? { type } : { type, path: value };
  return [
    { type: 'mount' },
    ...(pid === undefined ? [] : [{ type: 'pid' }]),
    ...(ipc === undefined ? [] : [path('ipc', ipc)]),
    ...(uts === undefined && hostname === undefined ? [] : [path('uts', uts ?? 'new')]),
    ...(network === undefined ? [] : [path('network', network)]),
  ];
}

/** JSON has numbers of any width. */
function exactly(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));
}

/** Why containerd cannot run it; undefined when it can. */
export function unsayable(spec: ProcessSpec): string | undefined {
  if (spec.seccomp !== undefined && spec.seccompProfile === undefined) {
    return 'a compiled seccomp program without its profile';
  }
  if (spec.namespaces?.of !== undefined) return 'the namespaces of another process';
  return undefined;
}

/**
 * The specification as JSON. `available`: the capabilities that privileged containers get. Throws for what it
 * cannot say.
 */
export function ociSpec(spec: ProcessSpec, available: readonly string[] = CAPABILITIES): string {
  const what = unsayable(spec);
  if (what !== undefined) throw new Error(`containerd has not ${what}`);
  const { uid = 0, gid = 0, groups = [], env, argv, cwd, terminal, hostname, cgroup } = spec;
  const isPrivileged = spec.containerd?.privileged === true;
  const { mounts } = ociRoot(spec);
  const made = {
    ociVersion: '1.0.2',
    process: {
      terminal: terminal !== undefined,
      ...(terminal === undefined
        ? {}
        : { consoleSize: { height: terminal.rows, width: terminal.columns } }),
      user: { uid, gid, additionalGids: groups },
      args: argv,
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      cwd,
      capabilities: capabilitiesOf(spec, available),
      rlimits: rlimitsOf(spec),
      noNewPrivileges: spec.noNewPrivileges === true,
    },
    root: { path: 'rootfs', readonly: spec.containerd?.readOnly === true },
    ...(hostname === undefined ? {} : { hostname }),
    mounts,
    linux: {
      ...(cgroup === undefined ? {} : { cgroupsPath: `/${cgroup}` }),
      resources: resourcesOf(spec),
      namespaces: namespacesOf(spec),
      ...(spec.seccompProfile === undefined || isPrivileged
        ? {}
        : { seccomp: spec.seccompProfile }),
      maskedPaths: isPrivileged ? [] : MASKED,
      readonlyPaths: isPrivileged ? [] : READ_ONLY,
    },
  };
  return JSON.stringify(made, exactly);
}
