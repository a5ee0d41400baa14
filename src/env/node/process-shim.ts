// The shim: a few lines of POSIX shell that wait for one command, and the command line that puts
// the command into its session, namespaces and identity. Decided here for process-host.ts.
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessSpec } from '#env/process.ts';
import { TERMINAL_OPTIONS } from './platform.ts';
import { confineWords } from './process-confine.ts';

/** Programs of the machine, found once; `undefined` where the machine has none. */
export interface ShimTools {
  readonly shell: string;
  readonly setsid: string | undefined;
  /** `env` that can give ignored signals their default action back (GNU coreutils 8.31). */
  readonly env: string | undefined;
  readonly unshare: string | undefined;
  readonly nsenter: string | undefined;
  readonly setpriv: string | undefined;
  readonly prlimit: string | undefined;
  readonly script: string | undefined;
  readonly perl: string | undefined;
  /** The tools run with all that the machine has; the command does not. */
  readonly isRoot: boolean;
}

/**
 * Arguments: state folder, working folder, standard input, cgroup path (or ''), whether standard
 * input is a FIFO to be made and held (or ''), whether the command's place is made inside (or ''),
 * number of files to enter cgroups by, those files, the command. Descriptor 3 is a pipe to the starter,
 * which sees its end, or a line on it, once the command is about to be executed in its place.
 *
 * `life` is a FIFO that the shim holds open: whoever adopts the process reads from it and sees its
 * end when the shim is gone. `status` is claimed exclusively, so that an adopter which comes before
 * the shim can forbid the start; lines are only ever appended to it:
 *   claimed CGROUP | started PID START-TICKS BOOT-ID | the shell's words on the job | ended CODE
 * The words tell a signal ("Killed") from an exit status ("Done(137)").
 */
const shimScript = (facts: string): string => `[ -p "$1/life" ] || mkfifo "$1/life"
exec 8<>"$1/life"
set -C
exec 9>"$1/status"
set +C
exec 9>>"$1/status"
echo "claimed $4" >&9
[ -z "$5" ] || { mkfifo "$3" && exec 7<>"$3"; }
trap '' HUP INT QUIT TERM
(trap - HUP TERM
exec 8<&- 7<&-
${facts}
cwd=$2 in=$3 inside=$6 n=$7
shift 7
while [ "$n" -gt 0 ]; do echo 0 >"$1" || exit 125; shift; n=$((n-1)); done
cd "$cwd" || exit 125
unset OLDPWD
started $line
exec 9>&- <"$in" || exit 125
[ -n "$inside" ] || exec 3>&-
exec "$@") &
p=$!
exec 3>&- </dev/null >/dev/null 2>&9
wait $p
c=$?
[ $c -gt 128 ] && jobs >&9
echo "ended $c" >&9
kill -s KILL -- "-$p"`;

/**
 * Arguments: hostname or '', number of mounts, (type, source, target, ro|rw, options) each, folder,
 * whether that is to be the root (or ''), command. A type with a question mark is for a target that may not be there.
 */
const INSIDE_SCRIPT = `[ -z "$1" ] || echo "$1" >/proc/sys/kernel/hostname || exit 125
n=$2
shift 2
while [ "$n" -gt 0 ]; do
t=\${1%\\?} s=
[ "$t" = "$1" ] || [ -e "$3" ] || s=skip
if [ -z "$s" ]; then
if [ ! -e "$3" ]; then
if [ "$t" != bind ] || [ -d "$2" ]; then mkdir -p -- "$3" || exit 125
else mkdir -p -- "\${3%/*}" && : >"$3" || exit 125; fi; fi
if [ "$t" = bind ] && [ -n "$5" ]; then mount -o "rbind,$4,$5" -- "$2" "$3" || exit 125
elif [ "$t" = bind ]; then
mount --rbind -- "$2" "$3" || exit 125
[ "$4" = rw ] || mount -o remount,bind,ro -- "$3" || exit 125
else mount -t "$t" -o "$4\${5:+,$5}" -- "$2" "$3" || exit 125; fi; fi
shift 5
n=$((n-1))
done
cd "$1" || exit 125
[ -z "$2" ] || mount --move . / || exit 125
unset OLDPWD
shift 2
(echo >&3) 2>/dev/null
exec 3>&-
exec "$@"`;

/** What steers a program of the machine: the loader, the C library, shells, perl, script(1). */
const STEERING_NAMES =
  'PATH SHELL IFS ENV BASH_ENV SHELLOPTS BASHOPTS PS4 TMPDIR TZDIR GLIBC_TUNABLES GCONV_PATH ' +
  'GETCONF_DIR HOSTALIASES LOCALDOMAIN LOCPATH NIS_PATH NLSPATH RES_OPTIONS RESOLV_HOST_CONF';
const STEERING = new RegExp(`^(${STEERING_NAMES.replaceAll(' ', '|')}|(LD_|PERL|MALLOC_).*)$`);
const PATH_OF_TOOLS = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Variables that only the command gets: those that the shell would silently drop (`my.setting`), and
 * those by which whoever names them could have the tools run as root what is theirs.
 */
function isLate(name: string, isRoot: boolean): boolean {
  return !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || (isRoot && STEERING.test(name));
}

/** The environment of the shim and of the tools between it and the command. */
export function toolEnvironment(spec: ProcessSpec, tools: ShimTools): Record<string, string> {
  const { isRoot } = tools;
  const plain = Object.entries(spec.env).filter(([name]) => !isLate(name, isRoot));
  return {
    ...Object.fromEntries(plain),
    ...(isRoot ? { PATH: PATH_OF_TOOLS } : {}),
    ...(confines(spec, tools) ? { PERL_BADLANG: '0' } : {}),
  };
}

function lateVariables(spec: ProcessSpec, { isRoot }: ShimTools): readonly string[] {
  const late = Object.entries(spec.env).filter(([name]) => isLate(name, isRoot));
  return late.map(([name, value]) => `${name}=${value}`);
}

/** Whether it takes more than setpriv(1) and unshare(1) can do to put the command in its place. */
function confines(spec: ProcessSpec, { isRoot, perl }: ShimTools): boolean {
  const isAsked = spec.seccomp !== undefined || spec.capabilities !== undefined;
  return (
    isRoot && (isAsked || (perl !== undefined && (spec.root !== undefined || entersRoot(spec))))
  );
}

/** Where the host leaves the seccomp program of a command. */
export function filterPath(spec: ProcessSpec): string | undefined {
  return spec.seccomp === undefined ? undefined : join(spec.stateFolder, 'filter');
}

function needed(tool: string | undefined, name: string): string {
  if (tool === undefined) throw new Error(`the machine has no "${name}"`);
  return tool;
}

const NAMESPACE_FILES = [
  ['mount', 'mnt'],
  ['uts', 'uts'],
  ['ipc', 'ipc'],
  ['net', 'net'],
  ['pid', 'pid'],
] as const;

/** The namespaces of a process that are not ours, as options of nsenter. */
function foreignNamespaces(pid: number): string[] {
  return NAMESPACE_FILES.filter(([, file]) => {
    const theirs = readlinkSync(`/proc/${pid}/ns/${file}`);
    return theirs !== readlinkSync(`/proc/self/ns/${file}`);
  }).map(([name, file]) => `--${name}=/proc/${pid}/ns/${file}`);
}

function namespaceWords(spec: ProcessSpec, tools: ShimTools): string[] {
  const { pid, ipc, uts, mount, network, of } = spec.namespaces ?? {};
  const joined: string[] = of === undefined ? [] : foreignNamespaces(of);
  if (network !== undefined) joined.push(`--net=${network}`);
  if (ipc !== undefined && ipc !== 'new') joined.push(`--ipc=${ipc}`);
  if (uts !== undefined && uts !== 'new') joined.push(`--uts=${uts}`);
  const made: string[] = [];
  if (ipc === 'new') made.push('--ipc');
  if (uts === 'new' || (spec.hostname !== undefined && uts === undefined)) made.push('--uts');
  if (mount === 'new' || hasMounts(spec)) made.push('--mount');
  if (pid === 'new') made.push('--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc');
  return [
    ...(joined.length === 0 ? [] : [needed(tools.nsenter, 'nsenter'), ...joined, '--']),
    ...(made.length === 0 ? [] : [needed(tools.unshare, 'unshare'), ...made, '--']),
  ];
}

function hasMounts(spec: ProcessSpec): boolean {
  return (spec.mounts ?? []).length > 0;
}

/** Whether the command is found only in another process's root. */
function entersRoot(spec: ProcessSpec): boolean {
  return spec.namespaces?.rootOf === true;
}

/** Whether the working folder is known only once the namespaces are entered and made. */
function changesFolderInside(spec: ProcessSpec): boolean {
  return hasMounts(spec) || spec.hostname !== undefined || spec.namespaces?.of !== undefined;
}

function insideWords(spec: ProcessSpec, tools: ShimTools): string[] {
  if (!changesFolderInside(spec) || entersRoot(spec)) return [];
  const mounts = spec.mounts ?? [];
  const words = mounts.flatMap((one) => [
    one.ifThere === true ? `${one.type ?? 'bind'}?` : (one.type ?? 'bind'),
    one.source,
    one.target,
    one.readOnly ? 'ro' : 'rw',
    one.options ?? '',
  ]);
  return [
    tools.shell,
    '-c',
    INSIDE_SCRIPT,
    'strata-inside',
    spec.hostname ?? '',
    String(mounts.length),
    ...words,
    spec.root ?? spec.cwd,
    spec.root === undefined ? '' : 'root',
  ];
}

function confinement(
  spec: ProcessSpec,
  tools: ShimTools,
  place: Parameters<typeof confineWords>[2],
): string[] {
  const perl = needed(tools.perl, 'perl');
  return confineWords(perl, spec, place, lateVariables(spec, tools), filterPath(spec));
}

/** The last program of the host's: behind it there is only what the root holds. */
function rootWords(spec: ProcessSpec, tools: ShimTools): string[] {
  const identity: string[] = [];
  if (spec.gid !== undefined) identity.push(`--setgid=${spec.gid}`);
  if (spec.uid !== undefined) identity.push(`--setuid=${spec.uid}`);
  const isConfined = confines(spec, tools);
  const { of, rootOf } = spec.namespaces ?? {};
  if (rootOf === true && of !== undefined) {
    const nsenter = needed(tools.nsenter, 'nsenter');
    const foreign = foreignNamespaces(of);
    if (!isConfined) return [nsenter, ...foreign, `--wdns=${spec.cwd}`, ...identity, '--'];
    const others = foreign.filter((one) => !one.startsWith('--mount='));
    const entered = others.length === 0 ? [] : [nsenter, ...others, '--'];
    const mountNamespace = `/proc/${of}/ns/mnt`;
    return [...entered, ...confinement(spec, tools, { mountNamespace, cwd: spec.cwd })];
  }
  if (spec.root === undefined) return [];
  if (isConfined) return confinement(spec, tools, { root: '.', cwd: spec.cwd });
  const place = ['--root=.', `--wd=${spec.cwd}`];
  return [needed(tools.unshare, 'unshare'), ...place, ...identity, '--'];
}

/** With a root of its own, the command becomes who it is to be as it enters that. */
function identityWords(spec: ProcessSpec, tools: ShimTools): string[] {
  const isInRoot = spec.root !== undefined || entersRoot(spec);
  if (confines(spec, tools)) return isInRoot ? [] : confinement(spec, tools, {});
  if (isInRoot) {
    const isPlain = spec.noNewPrivileges !== true;
    return isPlain ? [] : [needed(tools.setpriv, 'setpriv'), '--no-new-privs', '--'];
  }
  const words: string[] = [];
  if (spec.uid !== undefined) words.push(`--reuid=${spec.uid}`);
  if (spec.gid !== undefined) words.push(`--regid=${spec.gid}`);
  if ((spec.groups ?? []).length > 0) words.push(`--groups=${(spec.groups ?? []).join(',')}`);
  else if (words.length > 0) words.push('--clear-groups');
  if (spec.noNewPrivileges === true) words.push('--no-new-privs');
  return words.length === 0 ? [] : [needed(tools.setpriv, 'setpriv'), ...words, '--'];
}

function limitWords(spec: ProcessSpec, tools: ShimTools): string[] {
  const limits = spec.rlimits ?? [];
  if (limits.length === 0) return [];
  const words = limits.map(
    ({ name, soft = 'unlimited', hard = 'unlimited' }) => `--${name}=${soft}:${hard}`,
  );
  return [needed(tools.prlimit, 'prlimit'), ...words, '--'];
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `script` holds the terminal, so that it outlives whoever looks at it. */
function terminalWords(
  { terminal }: ProcessSpec,
  tools: ShimTools,
  words: readonly string[],
): readonly string[] {
  if (terminal === undefined) return words;
  const size = `stty rows ${terminal.rows} cols ${terminal.columns}`;
  const command = `${size}; exec ${words.map(quoted).join(' ')}`;
  return [needed(tools.script, 'script'), TERMINAL_OPTIONS, command, '/dev/null'];
}

/** Where there is no setsid(1), perl does that, and what env(1) does on Linux. */
const SESSION_SCRIPT = `$SIG{INT}=$SIG{QUIT}='DEFAULT'; setsid(); exec {$ARGV[0]} @ARGV; exit($!{ENOENT}?127:126)`;

function sessionWords({ setsid, perl }: ShimTools): string[] {
  if (setsid !== undefined) return [setsid];
  return [needed(perl, 'perl'), '-MPOSIX=setsid', '-e', SESSION_SCRIPT, '--'];
}

/** Everything between the shim and the command, each replacing the one before it (same pid). */
function commandWords(spec: ProcessSpec, tools: ShimTools): string[] {
  const late = confines(spec, tools) ? [] : lateVariables(spec, tools);
  // A shell ignores SIGINT and SIGQUIT in what it starts with `&`, for good.
  const defaults = ['INT', 'QUIT'].map((name) => `--default-signal=${name}`);
  const signals = tools.env === undefined ? [] : [tools.env, ...defaults];
  const between = [
    ...limitWords(spec, tools),
    ...(entersRoot(spec) ? [] : namespaceWords(spec, tools)),
    ...insideWords(spec, tools),
    ...identityWords(spec, tools),
  ];
  const command = terminalWords(spec, tools, [...rootWords(spec, tools), ...spec.argv]);
  // One program less to execute for what is put nowhere.
  if (between.length === 0 && signals.length > 0) {
    return [...sessionWords(tools), ...signals, ...late, ...command];
  }
  return [
    ...signals,
    ...sessionWords(tools),
    ...between,
    ...(late.length === 0 ? [] : [tools.env ?? '/usr/bin/env', ...late]),
    ...command,
  ];
}

/** The whole command line of the shim. `facts`: of the platform. `procsFiles`: those by which cgroups are entered. */
export function shimArguments(
  spec: ProcessSpec,
  tools: ShimTools,
  procsFiles: readonly string[],
  facts: string,
): string[] {
  const cgroup = procsFiles.length === 0 ? '' : (spec.cgroup ?? '');
  const folder = changesFolderInside(spec) ? '/' : spec.cwd;
  const stdin = spec.stdinPath ?? '/dev/null';
  return [
    '-c',
    shimScript(facts),
    'strata-shim',
    spec.stateFolder,
    folder,
    stdin,
    cgroup,
    spec.stdinStaysOpen === true ? 'held' : '',
    insideWords(spec, tools).length > 0 ? 'inside' : '',
    String(procsFiles.length),
    ...procsFiles,
    ...commandWords(spec, tools),
  ];
}

/** What the status file tells; a line without its line feed was cut off and does not count. */
export interface ShimRecord {
  readonly cgroup: string | undefined;
  readonly pid: number | undefined;
  readonly startTicks: string | undefined;
  readonly bootId: string | undefined;
  readonly ended:
    | { readonly kind: 'exited'; readonly code: number }
    | { readonly kind: 'signaled'; readonly signal: number }
    | undefined;
}

export function parseShimRecord(text: string): ShimRecord {
  const lines = text.split('\n').slice(0, -1);
  const words = (first: string): string[] | undefined =>
    lines.find((line) => line.startsWith(`${first} `))?.split(' ');
  const started = words('started');
  const code = words('ended')?.[1];
  // dash, busybox: "[1] + Done(137)"; bash: "Exit 137".
  const exitedHigh = lines.some((line) => /^\[\d+\][\s+-]+(Done|Exit)\b/.test(line));
  const number = Number(code);
  return {
    cgroup: words('claimed')?.[1] || undefined,
    pid: started?.[1] === undefined ? undefined : Number(started[1]),
    startTicks: started?.[2],
    bootId: started?.[3],
    ended:
      code === undefined
        ? undefined
        : number > 128 && !exitedHigh
          ? { kind: 'signaled', signal: number - 128 }
          : { kind: 'exited', code: number },
  };
}
