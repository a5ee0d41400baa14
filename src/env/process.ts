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

export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number; readonly at: number }
  /** Ended by a signal (number, e.g. 9), or vanished with its shim (9 assumed). */
  | { readonly kind: 'signaled'; readonly signal: number; readonly at: number };

export interface ProcessLimits {
  /** cpu.shares = 1024 × cpus (at least 2). */
  readonly cpus?: number | undefined;
  /** CFS quota in cpus; absent means none. */
  readonly cpusMax?: number | undefined;
  readonly memoryBytesMax?: number | undefined;
  readonly pidsMax?: number | undefined;
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
  /** Default: /dev/null. */
  readonly stdinPath?: string | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
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
        readonly network?: string | undefined;
      }
    | undefined;
  /** Bind mounts made inside a new mount namespace before the command starts. */
  readonly mounts?:
    | readonly {
        readonly source: string;
        readonly target: string;
        readonly readOnly: boolean;
      }[]
    | undefined;
}

export interface HostProcess {
  /** Pid of the command itself (not of the shim), in the host's pid namespace. */
  readonly pid: number;
  readonly startedAt: number;
  /** Resolves when it ended; the same answer for every caller, also after adoption. */
  readonly exited: Promise<ExitStatus>;
  /** Signals the command (`group`: it and its whole process group, or cgroup where it has one). */
  kill(signal: Signal, scope?: 'process' | 'group'): void;
}

export interface ProcessHost {
  launch(spec: ProcessSpec): Promise<HostProcess>;
  /** The process of a state folder: running, or already ended; `undefined` when never started. */
  adopt(stateFolder: string): Promise<HostProcess | undefined>;
  /** Kills what is left of it, removes its cgroup and state folder. */
  dispose(stateFolder: string): Promise<void>;
}
