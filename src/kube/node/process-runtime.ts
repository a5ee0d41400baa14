// The `process` runtime: a container's command runs as a process of the machine, from the machine's
// file system. As root it gets bind mounts, namespaces, an address and cgroup limits of its own; as
// a plain user it finds its volumes below its working folder and by STRATA_VOLUME_* variables.
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, mkdir, open, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { Socket, connect } from 'node:net';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { Fault } from '#base/fault.ts';
import type { Clock, Timers } from '#env/env.ts';
import type { ExitStatus, HostProcess, ProcessHost, ProcessLimits } from '#env/process.ts';
import { commandProblem } from './command-lookup.ts';
import { LogIndex, logBytesMax, logPaths } from './log-index.ts';
import { readLog } from './log-reader.ts';
import type { LogSource } from './log-reader.ts';
import { attachToProcess, execInProcess } from './process-exec.ts';
import { attemptFolder, containerFolder, containerId, hostname } from './process-places.ts';
import { inputPath, stateFolder, terminationPath } from './process-places.ts';
import { dialIn } from './process-dial.ts';
import { etcMounts, writeEtc } from './pod-etc.ts';
import { allContainers, podIdentity } from './pod-spec.ts';
import type { Container, Pod } from './pod-spec.ts';
import type { PodNetwork } from './pod-network.ts';
import { numberOf } from '#kube/meta/quantity-number.ts';
import type * as port from './runtime.ts';

export interface ProcessRuntimeOptions {
  readonly hostIps: readonly string[];
  /** Root and able to make namespaces. */
  readonly privileged: boolean;
  /** Undefined: all pods use the machine's network. */
  readonly network: PodNetwork | undefined;
  /** Prefix of the containers' cgroups. */
  readonly cgroup: string;
  /** The PATH and HOME that containers get when they set none. */
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly clusterDns?: readonly string[] | undefined;
}

interface Live {
  readonly process: HostProcess;
  readonly index: LogIndex;
  readonly env: Readonly<Record<string, string>> | undefined;
  /** Keeps the input open for the process. */
  input?: Socket | undefined;
}

const messageBytesMax = 4096;
const tailBytesMax = 2048;

export class ProcessRuntime implements port.Runtime {
  readonly name = 'process';
  readonly #options: ProcessRuntimeOptions;
  readonly #host: ProcessHost;
  readonly #env: { readonly clock: Clock; readonly timers: Timers };
  readonly #live = new Map<string, Live>();

  constructor(
    options: ProcessRuntimeOptions,
    host: ProcessHost,
    env: { readonly clock: Clock; readonly timers: Timers },
  ) {
    this.#options = options;
    this.#host = host;
    this.#env = env;
  }

  #networkOf(pod: Pod): PodNetwork | undefined {
    return pod.spec.hostNetwork === true ? undefined : this.#options.network;
  }

  async prepare({ pod, folder }: port.PodPlace): Promise<{ ips: readonly string[] }> {
    await mkdir(join(folder, 'containers'), { recursive: true });
    const network = this.#networkOf(pod);
    const { hostIps } = this.#options;
    const ips = network === undefined ? hostIps : [await network.add(podIdentity(pod).uid)];
    if (network !== undefined) {
      const { clusterDns = [] } = this.#options;
      await writeEtc({ pod, folder }, { ip: ips[0] ?? '127.0.0.1', clusterDns });
    }
    return { ips };
  }

  recover({ pod }: port.PodPlace, ips: readonly string[]): void {
    const [ip] = ips;
    if (ip !== undefined) this.#networkOf(pod)?.remember(podIdentity(pod).uid, ip);
  }

  async start(request: port.StartRequest): Promise<port.RunningContainer> {
    const { container } = request;
    const image = container.image ?? '';
    const argv = argvOf(request);
    const message = `Container image ${JSON.stringify(image)} already present on machine`;
    request.progress({ kind: 'image', step: 'present', message });
    const { env, cwd, mounts } = await this.#makePlace(request);
    request.progress({ kind: 'created' });
    const problem = await commandProblem(argv[0] ?? '', { cwd, path: env['PATH'] ?? '', mounts });
    if (problem !== undefined) throw new Fault({ code: 'container-run' }, problem);
    const input = container.stdin === true ? await this.#openInput(request) : undefined;
    try {
      const process = await this.#host.launch(
        this.#processSpec(request, { env, cwd, mounts, argv: wrapped(request, argv) }),
      );
      return await this.#follow(request, process, { input, env });
    } catch (error) {
      input?.destroy();
      const why = error instanceof Error ? error.message : String(error);
      throw new Fault({ code: 'container-run' }, why, { cause: error });
    }
  }

  async #makePlace(request: port.StartRequest): Promise<{
    env: Record<string, string>;
    cwd: string;
    mounts: readonly port.Mount[];
  }> {
    const { container, pod } = request;
    const own = attemptFolder(request);
    const work = join(own, 'work');
    await rm(own, { recursive: true, force: true });
    await mkdir(work, { recursive: true });
    await writeFile(terminationPath(request), '');
    await chmod(terminationPath(request), 0o666);
    const user = container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
    if (user !== undefined) await this.#giveTo(user, work);
    const env: Record<string, string> = {
      ...this.#options.baseEnv,
      HOSTNAME: hostname(request),
      ...(container.tty === true ? { TERM: 'xterm' } : {}),
      ...request.env,
    };
    for (const mount of request.mounts) env[volumeVariable(mount.volumeName)] = mount.source;
    if (!this.#options.privileged) {
      env['STRATA_TERMINATION_LOG'] = terminationPath(request);
      for (const mount of request.mounts) await link(join(work, mount.target), mount.source);
      return { env, cwd: container.workingDir ?? work, mounts: [] };
    }
    const cwd = container.workingDir ?? work;
    const mounts = [...request.mounts, ...(await this.#ownMounts(request))];
    const isCovered = mounts.some(({ target }) => `${cwd}/`.startsWith(`${target}/`));
    if (!isCovered) await mkdir(cwd, { recursive: true });
    return { env, cwd, mounts };
  }

  async #giveTo(user: number, folder: string): Promise<void> {
    if (!this.#options.privileged) {
      if (user === process.getuid?.()) return;
      const text = `container has runAsUser ${user}, but the agent runs as user ${process.getuid?.()}`;
      throw new Fault({ code: 'container-config' }, text);
    }
    const file = await open(folder, constants.O_RDONLY);
    await file.chown(user, -1).finally(() => file.close());
  }

  async #ownMounts(request: port.StartRequest): Promise<port.Mount[]> {
    const { container, pod } = request;
    const mounts: port.Mount[] = [];
    const add = (source: string, target: string, readOnly: boolean): void => {
      if (request.mounts.some((mount) => mount.target === target)) return;
      mounts.push({ source, target, readOnly, volumeName: '' });
    };
    const message = container.terminationMessagePath ?? '/dev/termination-log';
    add(terminationPath(request), message, false);
    if (this.#networkOf(pod) === undefined) return mounts;
    for (const { source, target } of await etcMounts(request)) add(source, target, false);
    return mounts;
  }

  /** A FIFO, held open so that neither side waits for the other. */
  async #openInput(place: port.ContainerPlace): Promise<Socket> {
    const path = inputPath(place);
    await promisify(execFile)('mkfifo', [path]);
    return openWriter(path);
  }

  #processSpec(
    request: port.StartRequest,
    made: {
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string;
      readonly mounts: readonly port.Mount[];
      readonly argv: readonly string[];
    },
  ): Parameters<ProcessHost['launch']>[0] {
    const { pod, container } = request;
    const paths = logPaths(containerFolder(request), request.attempt);
    const hasOwnPids = this.#options.privileged && pod.spec.hostPID !== true;
    const base = {
      stateFolder: stateFolder(request),
      argv: hasOwnPids ? withInit(made.argv) : made.argv,
      env: made.env,
      cwd: made.cwd,
      stdoutPath: paths.out,
      stderrPath: container.tty === true ? paths.out : paths.err,
    };
    if (!this.#options.privileged) return base;
    const { uid } = podIdentity(pod);
    const network = this.#networkOf(pod);
    const security = { ...pod.spec.securityContext, ...container.securityContext };
    return {
      ...base,
      uid: security.runAsUser,
      gid: security.runAsGroup,
      groups: security.fsGroup === undefined ? undefined : [security.fsGroup],
      cgroup: `${this.#options.cgroup}/${uid}-${container.name}-${request.attempt}`,
      limits: limitsOf(container),
      hostname: network === undefined ? undefined : hostname(request),
      namespaces: {
        mount: 'new',
        pid: hasOwnPids ? 'new' : undefined,
        network: network?.namespacePath(uid),
      },
      mounts: made.mounts,
    };
  }

  async #follow(
    place: port.ContainerPlace,
    process: HostProcess,
    { input, env }: Pick<Live, 'input' | 'env'>,
  ): Promise<port.RunningContainer> {
    const id = containerId(place);
    const paths = logPaths(containerFolder(place), place.attempt);
    const index = new LogIndex({ paths, bytesMax: logBytesMax }, this.#env);
    await index.start();
    this.#live.set(id, { process, index, input, env });
    const ended = process.exited.then(async (status) => {
      await index.close();
      this.#live.get(id)?.input?.destroy();
      this.#live.delete(id);
      return { ...endOf(status), message: await this.#terminationMessage(place, status) };
    });
    return { id, startedAt: process.startedAt, imageId: place.container.image ?? '', ended };
  }

  async #terminationMessage(
    place: port.ContainerPlace,
    status: ExitStatus,
  ): Promise<string | undefined> {
    const bytes = await readFile(terminationPath(place)).catch(() => Buffer.alloc(0));
    if (bytes.length > 0) return bytes.subarray(0, messageBytesMax).toString('utf8');
    const isGood = status.kind === 'exited' && status.code === 0;
    if (place.container.terminationMessagePolicy !== 'FallbackToLogsOnError' || isGood) {
      return undefined;
    }
    const request = { follow: false, tailLines: 80, timestamps: false, stream: 'all' } as const;
    const pieces: Uint8Array[] = [];
    const never = new AbortController().signal;
    for await (const piece of this.logs(place, request, never)) pieces.push(piece);
    return Buffer.concat(pieces).subarray(-tailBytesMax).toString('utf8');
  }

  async adopt(place: port.ContainerPlace): Promise<port.RunningContainer | undefined> {
    const process = await this.#host.adopt(stateFolder(place));
    return process === undefined ? undefined : this.#follow(place, process, { env: undefined });
  }

  async signal(place: port.ContainerPlace, signal: string): Promise<void> {
    const live = this.#live.get(containerId(place));
    live?.process.kill(signal, signal === 'SIGKILL' ? 'group' : 'process');
    await Promise.resolve();
  }

  async forget(place: port.ContainerPlace): Promise<void> {
    await this.#host.dispose(stateFolder(place));
    await rm(attemptFolder(place), { recursive: true, force: true });
    const { out, err, index } = logPaths(containerFolder(place), place.attempt);
    for (const path of [out, err, index]) await rm(path, { force: true });
  }

  async teardown(place: port.PodPlace): Promise<void> {
    const { pod, folder } = place;
    for (const container of allContainers(pod)) {
      const names = await listAttempts(join(folder, 'containers', container.name));
      for (const attempt of names) {
        await this.#host.dispose(stateFolder({ pod, folder, container, attempt }));
      }
    }
    await this.#networkOf(pod)?.remove(podIdentity(pod).uid);
  }

  #liveOf(place: port.ContainerPlace): Live {
    const live = this.#live.get(containerId(place));
    if (live !== undefined) return live;
    const { name } = place.container;
    throw new Fault({ code: 'container-not-running' }, `container "${name}" is not running`);
  }

  async exec(place: port.ContainerPlace, request: port.ExecRequest): Promise<port.ExecSession> {
    const { process, env } = this.#liveOf(place);
    return execInProcess(process.pid, request, { privileged: this.#options.privileged, env });
  }

  async attach(place: port.ContainerPlace): Promise<port.ExecSession> {
    const live = this.#liveOf(place);
    const { container } = place;
    if (container.stdin === true && live.input === undefined) {
      live.input = await openWriter(inputPath(place));
    }
    return attachToProcess({
      process: live.process,
      index: live.index,
      paths: logPaths(containerFolder(place), place.attempt),
      input: live.input,
      container,
    });
  }

  logs(
    place: port.ContainerPlace,
    request: port.LogRequest,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const index = this.#live.get(containerId(place))?.index;
    const paths = logPaths(containerFolder(place), place.attempt);
    const source: LogSource = { paths, index };
    return readLog(source, request, signal);
  }

  async dial({ pod }: port.PodPlace, portNumber: number): Promise<Duplex> {
    const network = this.#networkOf(pod);
    if (network === undefined) return dialIn(connect({ host: '127.0.0.1', port: portNumber }));
    const ip = network.addressOf(podIdentity(pod).uid);
    return dialIn(connect({ host: ip, port: portNumber }));
  }

  async usage(place: port.ContainerPlace): Promise<port.ContainerUsage | undefined> {
    return this.#host.usage(stateFolder(place));
  }
}

/** `registry.example/pause:3.10`: everybody knows what is in it, which is nothing but waiting. */
function isPause(image: string): boolean {
  return /(?:^|\/)pause(?:[:@].*)?$/.test(image);
}

/** Like an image without an entry point, `host` runs its arguments; other images would have one. */
function argvOf({ container, command, args }: port.StartRequest): readonly string[] {
  const image = container.image ?? '';
  if (command.length > 0 || (image === 'host' && args.length > 0)) return [...command, ...args];
  if (args.length === 0 && isPause(image)) return ['sleep', 'infinity'];
  const remedy =
    'give the container a command, which then runs as a process of the machine (image "host")';
  const text =
    image === 'host'
      ? `image "host" has no command of its own: ${remedy}`
      : `image ${JSON.stringify(image)} has to be run by a container runtime, which this node has ` +
        `not: ${remedy}, or install containerd on the node`;
  throw new Fault({ code: 'container-create' }, text);
}

export function volumeVariable(name: string): string {
  return `STRATA_VOLUME_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
}

function limitsOf({ resources }: Container): ProcessLimits {
  const cpuLimit = resources?.limits?.['cpu'];
  const cpu = resources?.requests?.['cpu'] ?? cpuLimit;
  const memory = resources?.limits?.['memory'];
  return {
    cpus: cpu === undefined ? 0 : numberOf(cpu),
    cpusMax: cpuLimit === undefined ? undefined : numberOf(cpuLimit),
    memoryBytesMax: memory === undefined ? undefined : numberOf(memory),
  };
}

/** Input by FIFO and a terminal are given by small programs around the command. */
function wrapped(place: port.ContainerPlace, argv: readonly string[]): readonly string[] {
  const { stdin, stdinOnce, tty } = place.container;
  const quoted = argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  // `script` holds the terminal, so that it outlives the executor.
  const inner = tty === true ? ['script', '-qefc', `exec ${quoted}`, '/dev/null'] : argv;
  if (stdin !== true) return inner;
  // Opened for both ways it never ends; with stdinOnce it ends when the executor closes it.
  const redirect = stdinOnce === true ? 'exec <"$0"' : 'exec 0<>"$0"';
  return ['/bin/sh', '-c', `${redirect}; exec "$@"`, inputPath(place), ...inner];
}

/**
 * The first process of a pid namespace ignores signals that it does not handle, and has to reap
 * orphans: a small shell does both, so that a plain command ends at SIGTERM as it does elsewhere.
 */
const initScript = `for s in TERM INT HUP QUIT USR1 USR2; do trap "kill -$s \\$p 2>/dev/null" $s; done
env --default-signal=INT --default-signal=QUIT "$@" <&0 &
p=$!
while :; do wait $p; c=$?; kill -0 $p 2>/dev/null || exit $c; done`;

function withInit(argv: readonly string[]): readonly string[] {
  return ['/bin/sh', '-c', initScript, 'strata-init', ...argv];
}

function endOf(status: ExitStatus): port.ContainerEnd {
  const exitCode = status.kind === 'exited' ? status.code : 128 + status.signal;
  return { exitCode, oom: status.oomKilled === true, at: status.at };
}

async function openWriter(path: string): Promise<Socket> {
  const file = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
  const fd = file.fd;
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on('error', () => socket.destroy());
  keptFiles.set(socket, file);
  socket.once('close', () => keptFiles.delete(socket));
  return socket;
}

/** A FileHandle that is collected closes its descriptor. */
const keptFiles = new Map<Socket, unknown>();

async function link(at: string, to: string): Promise<void> {
  await mkdir(dirname(at), { recursive: true });
  await symlink(to, at).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
  });
}

async function listAttempts(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}
