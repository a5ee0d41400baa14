// The process port: operating-system processes that outlive whoever started them.
//
// Every process runs under a tiny shim that waits for it and writes its exit status into the state
// folder, so that a successor of the caller can adopt it. A state folder belongs to one process.

export type Signal =
  | 'SIGTERM'
  | 'SIGKILL'
  | 'SIGINT'
  | 'SIGHUP'
  | 'SIGQUIT'
  | 'SIGUSR1'
  | 'SIGUSR2'
  | 'SIGCONT'
  | 'SIGSTOP'
  | (string & {});

/**
 * `exited` with a code, or ended by a signal (number, e.g. 9), or vanished with its shim (9
 * assumed).
 */
export type ExitStatus = (
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: number }
) & {
  readonly at: number;
  /** The kernel killed in its cgroup for memory (only known with a cgroup). */
  readonly oomKilled?: boolean | undefined;
  /** The most memory that its cgroup has used; told with `oomKilled`. */
  readonly memoryBytesPeak?: number | undefined;
};

/** What a process (its whole cgroup, where it has one) uses. */
export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly processCount: number;
  /** Where the kernel tells, in its cgroup. */
  readonly detail?:
    | {
        readonly cpuUserSeconds: number;
        readonly cpuSystemSeconds: number;
        /** Periods of its quota, those in which it was held back, and for how long. */
        readonly quotaPeriods: number;
        readonly throttledPeriods: number;
        readonly throttledSeconds: number;
        readonly anonymousBytes: number;
        readonly cacheBytes: number;
        readonly mappedBytes: number;
        readonly swapBytes: number;
        /** What block devices have done for it; only where it is under `blkio`. */
        readonly blockIo?: readonly BlockIo[] | undefined;
      }
    | undefined;
}

/** Operations and bytes by their kind (`Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`). */
export interface BlockIo {
  readonly major: number;
  readonly minor: number;
  readonly serviced: Readonly<Record<string, number>>;
  readonly bytes: Readonly<Record<string, number>>;
}

export interface ProcessLimits {
  /** cpu.shares = 1024 × cpus (at least 2). */
  readonly cpus?: number | undefined;
  /** CFS quota in cpus; absent means none. */
  readonly cpusMax?: number | undefined;
  readonly memoryBytesMax?: number | undefined;
  /** What it is left with when the machine is short of memory. */
  readonly memoryBytesLow?: number | undefined;
  /** Memory and swap together are at most `memoryBytesMax`. */
  readonly limitsSwap?: boolean | undefined;
  readonly pidsMax?: number | undefined;
  /** The only devices that may be made and opened, as `c 1:3 rwm`; absent: all. */
  readonly devices?: readonly string[] | undefined;
  /** The class of its packets (net_cls.classid), where it is under `net_cls`. */
  readonly netClass?: number | undefined;
  /**
   * Further controllers of cgroups that it is to be under (`cpuset`, `blkio`, `hugetlb`, `perf_event`, `net_cls`, `net_prio`),
   * for what they tell, or for others to set.
   */
  readonly controllers?: readonly string[] | undefined;
}

/** A full file is copied to `PATH.1`, that before it to `PATH.2` ..., and begins anew. */
export interface LogRotation {
  readonly bytesMax: number;
  /** How many full ones are kept. */
  readonly filesMax: number;
  /** By gzip, as `PATH.1.gz`. */
  readonly compresses: boolean;
}

export interface ProcessSpec {
  /** Folder for the shim's own files (pid, exit status); made by the host, unique to the process. */
  readonly stateFolder: string;
  readonly argv: readonly string[];
  /** The complete environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdoutPath: string;
  readonly stderrPath: string;
  /** Keeps the files of output small, whatever becomes of the starter. */
  readonly rotation?:
    | { readonly stdout?: LogRotation | undefined; readonly stderr?: LogRotation | undefined }
    | undefined;
  /** Default: /dev/null. */
  readonly stdinPath?: string | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Supplementary groups; default none when a uid or gid is given. */
  readonly groups?: readonly number[] | undefined;
  readonly noNewPrivileges?: boolean | undefined;
  /** Names as prlimit(1) knows them (`nofile`); both values absent: no limit. */
  readonly rlimits?:
    | readonly {
        readonly name: string;
        readonly soft?: number | undefined;
        readonly hard?: number | undefined;
      }[]
    | undefined;
  /** In a new uts namespace. */
  readonly hostname?: string | undefined;
  /** Path under the cgroup roots, e.g. `strata/a1/c2`; applied when running as root, else ignored. */
  readonly cgroup?: string | undefined;
  readonly limits?: ProcessLimits | undefined;
  /** New namespaces, or one to join: 'new', or a path such as /run/netns/x. Root only. */
  readonly namespaces?:
    | {
        readonly pid?: 'new' | undefined;
        readonly ipc?: 'new' | string | undefined;
        readonly uts?: 'new' | string | undefined;
        readonly mount?: 'new' | undefined;
        /** A path; 'new' for containers of containerd's only. */
        readonly network?: string | undefined;
        /** A process whose namespaces are entered, as far as they are not the host's. */
        readonly of?: number | undefined;
        /**
         * That process has a root of its own: the command is found there, and `cwd` is a path in it.
         * Not with mounts.
         */
        readonly rootOf?: boolean | undefined;
      }
    | undefined;
  /** Made in this order inside a new mount namespace before the command starts. */
  readonly mounts?: readonly ProcessMount[] | undefined;
  /**
   * The command's root, a mount point among `mounts`: it is moved over the old root of the new
   * mount namespace, so that nothing leads back; `cwd` is below it. Root only.
   */
  readonly root?: string | undefined;
  /** Linux capabilities without their prefix, in lower case (`net_raw`). Root only. */
  readonly capabilities?:
    | {
        /** What the command and its descendants can ever have; absent: what the host has. */
        readonly bounding?: readonly string[] | undefined;
        /** What it has, whatever its user; absent: as the kernel gives to its user. */
        readonly effective?: readonly string[] | undefined;
      }
    | undefined;
  /**
   * A classic BPF program (struct sock_filter) over struct seccomp_data, which every system call of the
   * command and its descendants goes through. Root only.
   */
  readonly seccomp?: Uint8Array | undefined;
  /** The same as `linux.seccomp` of an OCI specification, for containers of containerd's; wide numbers are bigints. */
  readonly seccompProfile?: object | undefined;
  /** The command runs on a terminal of its own of this size; its output is all standard output. */
  readonly terminal?: { readonly rows: number; readonly columns: number } | undefined;
  /** `stdinPath` is made as a FIFO that stays open without anybody writing to it. */
  readonly stdinStaysOpen?: boolean | undefined;
  /** It is a container of containerd's, where the host has one; its root is one that containerd has made. */
  readonly containerd?: ContainerdPart | undefined;
}

/** What of a container only containerd knows. */
export interface ContainerdPart {
  readonly image: string;
  readonly snapshotter: string;
  readonly snapshotKey: string;
  /** It has every capability and device, and sees all of /proc and /sys. */
  readonly privileged?: boolean | undefined;
  /** Nothing but its volumes can be written to. */
  readonly readOnly?: boolean | undefined;
}

/**
 * A target that does not exist is made: a folder, or an empty file when the source is a file.
 * `bind` takes what is mounted below the source along; the others are new file systems, whose
 * source is but a name.
 */
export interface ProcessMount {
  readonly type?: 'bind' | 'tmpfs' | 'proc' | 'mqueue' | 'sysfs' | 'overlay' | 'devpts' | undefined;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** As mount(8) takes them (`size=1m,mode=700`); a bind mount without any has those of its source. */
  readonly options?: string | undefined;
  /** Left out where there is no such target; one is not made. */
  readonly ifThere?: boolean | undefined;
}

export interface HostProcess {
  /** Pid of the command itself (not of the shim), in the host's pid namespace. */
  readonly pid: number;
  readonly startedAt: number;
  /** Resolves when it ended; the same answer for every caller, also after adoption. */
  readonly exited: Promise<ExitStatus>;
  /** Signals the command (`group`: it and its whole process group, or cgroup where it has one). */
  kill(signal: Signal, scope?: 'process' | 'group'): void;
  /** Absent: its terminal is found by its pid. */
  readonly resize?: ((rows: number, columns: number) => Promise<void>) | undefined;
}

/**
 * Faults: `process-launch` (the command could not be started at all: no such working folder, no
 * shell, a cgroup that cannot be made ...), `process-exists` (the state folder is taken). A command
 * that is not there exits with 127, one that may not be executed with 126, as in any shell.
 */
export interface ProcessHost {
  /** Controllers of cgroups that there are, by their names in version 1; none without cgroups. */
  readonly controllers: ReadonlySet<string>;
  launch(spec: ProcessSpec): Promise<HostProcess>;
  /** The process of a state folder: running, or already ended; `undefined` when never started. */
  adopt(stateFolder: string): Promise<HostProcess | undefined>;
  /** Kills what is left of it, removes its cgroup and state folder. */
  dispose(stateFolder: string): Promise<void>;
  /** `undefined` when it is not running. */
  usage(stateFolder: string): Promise<ProcessUsage | undefined>;
  /** Pids of every process in a cgroup and below it; none without cgroups. */
  members(cgroup: string): readonly number[];
  /**
   * Of a running process with a cgroup; without one it has no effect. Its memory is only ever
   * raised: taking some away would kill it.
   */
  setLimits(stateFolder: string, limits: ProcessLimits): void;
  /**
   * Ends and removes what there is below a cgroup and is of no process that was launched or adopted here:
   * what an earlier life of the caller had made and lost. `cgroup` is the caller's alone; `others`: those below it that
   * are of another host's.
   */
  sweep(cgroup: string, others?: readonly string[]): Promise<void>;
  /**
   * The cgroups of those that have ended by now are gone, as far as they can be, and `above`, which held them, when
   * nothing is left in it.
   */
  settled(above?: string): Promise<void>;
}
