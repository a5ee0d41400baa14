// Runs pods by a CRI v1 runtime such as containerd. The runtime's own state is the truth: whatever
// a former executor started is found again by its labels. A runtime that is away is waited for.
import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { Fault } from '#base/fault.ts';
import type { Clock, Timer, Timers } from '#env/env.ts';
import { isAway, type CriClient, type CriMessage } from '#kube/cri/cri-client.ts';
import { containerConfig, containerLabels, criLogPath, logFolder } from './cri-config.ts';
import { sandboxConfig } from './cri-config.ts';
import { containerStates, type CriExits } from './cri-exits.ts';
import { ensureImage } from './cri-images.ts';
import { olderLog, readCriLog } from './cri-log.ts';
import type { CriNetwork } from './cri-network.ts';
import { openSession } from './cri-streams.ts';
import { etcMounts, writeEtc } from './pod-etc.ts';
import { podIdentity } from './pod-spec.ts';
import { dialIn } from './process-dial.ts';
import type * as port from './runtime.ts';

export interface CriRuntimeOptions {
  /** `containerd`, as the runtime names itself. */
  readonly name: string;
  readonly handler: string;
  readonly hostIps: readonly string[];
  readonly clusterDns: readonly string[];
}

export interface CriParts {
  readonly client: CriClient;
  readonly exits: CriExits;
  readonly network: CriNetwork;
}

const nanosecondsPerMs = 1e6;
const retryMs = 1_000;
const logLookMs = 10_000;
const logBytesMax = 10 * 1024 * 1024;
const messageBytesMax = 4096;
const messageLinesMax = 80;
const tailBytesMax = 2048;
/** The pod core counts the grace itself and then asks for a stop at once. */
const stopSecondsMax = 86_400;

interface Sandbox {
  readonly id: string;
  readonly attempt: number;
}

export class CriRuntime implements port.Runtime {
  readonly name: string;
  readonly #options: CriRuntimeOptions;
  readonly #parts: CriParts;
  readonly #client: CriClient;
  readonly #env: { readonly clock: Clock; readonly timers: Timers };
  readonly #ips = new Map<string, readonly string[]>();
  readonly #logs = new Map<string, string>();
  #logTimer: Timer | undefined;
  #isClosed = false;

  constructor(
    options: CriRuntimeOptions,
    parts: CriParts,
    env: { readonly clock: Clock; readonly timers: Timers },
  ) {
    this.name = options.name;
    this.#options = options;
    this.#parts = parts;
    this.#client = parts.client;
    this.#env = env;
  }

  close(): void {
    this.#isClosed = true;
    this.#logTimer?.cancel();
  }

  #sandboxFile({ folder }: port.PodPlace): string {
    return join(folder, 'cri-sandbox.json');
  }

  async #sandbox(place: port.PodPlace): Promise<Sandbox | undefined> {
    const text = await readFile(this.#sandboxFile(place), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Sandbox);
  }

  async prepare(place: port.PodPlace): Promise<{ ips: readonly string[] }> {
    const { uid } = podIdentity(place.pod);
    await mkdir(logFolder(place), { recursive: true });
    const old = await this.#sandboxes(place);
    for (const id of old) await this.#removeSandbox(id);
    const hasNetwork = place.pod.spec.hostNetwork !== true;
    if (hasNetwork) await this.#parts.network.announce(uid);
    const attempt = ((await this.#sandbox(place))?.attempt ?? -1) + 1;
    const made = await this.#client.call('RunPodSandbox', {
      config: sandboxConfig(place, attempt),
      runtime_handler: this.#options.handler,
    });
    const id = String(made['pod_sandbox_id']);
    await writeFile(this.#sandboxFile(place), JSON.stringify({ id, attempt }));
    const ips = await this.#ipsOf(place, id);
    if (hasNetwork) {
      await this.#parts.network.settle(uid, ips);
      const { clusterDns } = this.#options;
      await writeEtc(place, { ip: ips[0] ?? '127.0.0.1', clusterDns });
    }
    this.#ips.set(uid, ips);
    return { ips };
  }

  async #ipsOf({ pod }: port.PodPlace, id: string): Promise<readonly string[]> {
    if (pod.spec.hostNetwork === true) return this.#options.hostIps;
    const { status } = (await this.#client.call('PodSandboxStatus', { pod_sandbox_id: id })) as {
      readonly status?: {
        readonly network?: {
          readonly ip?: string;
          readonly additional_ips?: readonly { readonly ip: string }[];
        };
      };
    };
    const { ip = '', additional_ips: more = [] } = status?.network ?? {};
    return ip === '' ? [] : [ip, ...more.map((each) => each.ip)];
  }

  async #sandboxes({ pod }: port.PodPlace): Promise<string[]> {
    const { uid } = podIdentity(pod);
    const filter = { label_selector: { 'io.kubernetes.pod.uid': uid } };
    const { items } = await this.#client.call('ListPodSandbox', { filter });
    return ((items ?? []) as readonly { readonly id: string }[]).map(({ id }) => id);
  }

  async #removeSandbox(id: string): Promise<void> {
    await this.#client.call('StopPodSandbox', { pod_sandbox_id: id });
    await this.#client.call('RemovePodSandbox', { pod_sandbox_id: id });
  }

  /** Again and again while the runtime is away; `isWanted` says until when. */
  async #persist(work: () => Promise<void>, isWanted: () => boolean): Promise<void> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isAway(error)) throw error;
        if (this.#isClosed || !isWanted()) return;
        await new Promise<void>((done) => this.#env.timers.after(retryMs, done));
      }
    }
  }

  recover({ pod }: port.PodPlace, ips: readonly string[]): void {
    const { uid } = podIdentity(pod);
    const [ip] = ips;
    this.#ips.set(uid, ips);
    if (ip !== undefined && pod.spec.hostNetwork !== true) this.#parts.network.remember(uid, ip);
  }

  async start(request: port.StartRequest): Promise<port.RunningContainer> {
    const imageRef = await ensureImage(request, this.#client, this.#env.clock);
    const sandbox = await this.#sandbox(request);
    if (sandbox === undefined) {
      throw new Fault({ code: 'container-create' }, 'the pod has no sandbox');
    }
    const { container } = request;
    await mkdir(join(logFolder(request), container.name), { recursive: true });
    const { id: existing } = (await this.#find(request)) ?? {};
    // Made by a start whose answer was lost.
    if (existing !== undefined) {
      await this.#client.call('RemoveContainer', { container_id: existing });
    }
    const config = containerConfig(request, imageRef, await this.#ownMounts(request));
    const created = await this.#client.call('CreateContainer', {
      pod_sandbox_id: sandbox.id,
      config,
      sandbox_config: sandboxConfig(request, sandbox.attempt),
    });
    const id = String(created['container_id']);
    request.progress({ kind: 'created' });
    try {
      await this.#client.call('StartContainer', { container_id: id });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Fault({ code: 'container-run' }, why, { cause: error });
    }
    return this.#follow(request, id, imageRef);
  }

  async #ownMounts(request: port.StartRequest): Promise<CriMessage[]> {
    const message = this.#messagePath(request);
    await writeFile(message, '');
    // Whoever the container runs as may write it.
    await chmod(message, 0o666);
    const path = request.container.terminationMessagePath ?? '/dev/termination-log';
    const own = [{ target: path, source: message }];
    if (request.pod.spec.hostNetwork !== true) own.push(...(await etcMounts(request)));
    return own
      .filter(({ target }) => request.mounts.every((mount) => mount.target !== target))
      .map(({ target, source }) => ({
        container_path: target,
        host_path: source,
        readonly: false,
      }));
  }

  #messagePath(place: port.ContainerPlace): string {
    return join(logFolder(place), place.container.name, `${place.attempt}.termination-log`);
  }

  async #follow(
    place: port.ContainerPlace,
    id: string,
    imageId: string,
  ): Promise<port.RunningContainer> {
    const status = await this.#status(id);
    const startedAt = Math.floor(Number(status['started_at']) / nanosecondsPerMs);
    this.#logs.set(id, join(logFolder(place), criLogPath(place)));
    this.#watchLogs();
    return { id, startedAt, imageId, ended: this.#ended(place, id) };
  }

  async #status(id: string): Promise<CriMessage> {
    const { status } = await this.#client.call('ContainerStatus', { container_id: id });
    return (status ?? {}) as CriMessage;
  }

  async #ended(place: port.ContainerPlace, id: string): Promise<port.ContainerEnd> {
    const status = await this.#parts.exits.ended(id);
    this.#logs.delete(id);
    if (status === undefined) {
      const message = 'The container was removed from its runtime';
      return { exitCode: 137, oom: false, at: this.#env.clock.now(), message };
    }
    const exitCode = Number(status['exit_code']);
    return {
      exitCode,
      oom: status['reason'] === 'OOMKilled',
      at: Math.floor(Number(status['finished_at']) / nanosecondsPerMs),
      message: await this.#endMessage(place, exitCode),
    };
  }

  async #endMessage(place: port.ContainerPlace, exitCode: number): Promise<string | undefined> {
    const message = await readFile(this.#messagePath(place), 'utf8').catch(() => '');
    if (message !== '') return message.slice(0, messageBytesMax);
    const { terminationMessagePolicy: policy } = place.container;
    if (policy !== 'FallbackToLogsOnError' || exitCode === 0) return undefined;
    const tailLines = messageLinesMax;
    const request = { follow: false, tailLines, timestamps: false, stream: 'all' } as const;
    const pieces: Uint8Array[] = [];
    const never = new AbortController().signal;
    for await (const piece of this.logs(place, request, never)) pieces.push(piece);
    return Buffer.concat(pieces).subarray(-tailBytesMax).toString('utf8');
  }

  /** A log that has grown too large is put aside, and the one put aside before it is lost. */
  #watchLogs(): void {
    if (this.#logTimer !== undefined || this.#isClosed) return;
    this.#logTimer = this.#env.timers.after(logLookMs, () => {
      void this.#turnLogs().finally(() => {
        this.#logTimer = undefined;
        if (this.#logs.size > 0) this.#watchLogs();
      });
    });
  }

  async #turnLogs(): Promise<void> {
    for (const [id, path] of this.#logs) {
      const found = await stat(path).catch(() => undefined);
      if (found === undefined || found.size < logBytesMax) continue;
      await rename(path, olderLog(path));
      await this.#client.call('ReopenContainerLog', { container_id: id }).catch(() => {});
    }
  }

  async #find(
    place: port.ContainerPlace,
  ): Promise<{ readonly id: string; readonly state: number } | undefined> {
    const labels = containerLabels(place);
    const selector = {
      'io.kubernetes.pod.uid': labels['io.kubernetes.pod.uid'],
      'io.kubernetes.container.name': place.container.name,
    };
    const { containers } = await this.#client.call('ListContainers', {
      filter: { label_selector: selector },
    });
    const list = (containers ?? []) as readonly {
      readonly id: string;
      readonly metadata?: { readonly attempt?: number };
      readonly state: number;
    }[];
    return list.find(({ metadata }) => metadata?.attempt === place.attempt);
  }

  async #containerId(place: port.ContainerPlace): Promise<string | undefined> {
    return (await this.#find(place))?.id;
  }

  async adopt(place: port.ContainerPlace): Promise<port.RunningContainer | undefined> {
    let running: port.RunningContainer | undefined;
    await this.#persist(
      async () => {
        running = await this.#adoptOnce(place);
      },
      () => true,
    );
    return running;
  }

  async #adoptOnce(place: port.ContainerPlace): Promise<port.RunningContainer | undefined> {
    const id = await this.#containerId(place);
    if (id === undefined) return undefined;
    const status = await this.#status(id);
    const state = Number(status['state']);
    if (state === containerStates.running || state === containerStates.exited) {
      return this.#follow(place, id, String(status['image_ref']));
    }
    // Created, but the executor died before its start: it is made anew.
    await this.#client.call('RemoveContainer', { container_id: id });
    return undefined;
  }

  async signal(place: port.ContainerPlace, signal: string): Promise<void> {
    const id = await this.#containerId(place).catch(() => undefined);
    const known = id ?? [...this.#logs].find(([, path]) => path.endsWith(criLogPath(place)))?.[0];
    if (known === undefined) return;
    const timeout = signal === 'SIGKILL' ? 0 : stopSecondsMax;
    const request = { container_id: known, timeout };
    await this.#persist(
      async () => void (await this.#client.call('StopContainer', request, stopSecondsMax * 1000)),
      () => this.#parts.exits.isWatched(known),
    ).catch(() => {
      // Another stop, with less time, was faster.
    });
  }

  async forget(place: port.ContainerPlace): Promise<void> {
    const id = await this.#containerId(place);
    if (id !== undefined) await this.#client.call('RemoveContainer', { container_id: id });
    const path = join(logFolder(place), criLogPath(place));
    for (const file of [path, olderLog(path)]) await rm(file, { force: true });
  }

  async teardown(place: port.PodPlace): Promise<void> {
    const { uid } = podIdentity(place.pod);
    await this.#persist(
      async () => {
        for (const id of await this.#sandboxes(place)) await this.#removeSandbox(id);
      },
      () => true,
    );
    await this.#parts.network.forget(uid);
    this.#ips.delete(uid);
  }

  async #runningId(place: port.ContainerPlace): Promise<string> {
    const id = await this.#containerId(place);
    if (id !== undefined) return id;
    const { name } = place.container;
    throw new Fault({ code: 'container-not-running' }, `container "${name}" is not running`);
  }

  async exec(place: port.ContainerPlace, request: port.ExecRequest): Promise<port.ExecSession> {
    const { command, tty, stdin } = request;
    const { url } = await this.#client.call('Exec', {
      container_id: await this.#runningId(place),
      cmd: command,
      tty,
      stdin,
      stdout: true,
      stderr: !tty,
    });
    return openSession(String(url), { stdin, tty });
  }

  async attach(place: port.ContainerPlace): Promise<port.ExecSession> {
    const stdin = place.container.stdin === true;
    const tty = place.container.tty === true;
    const { url } = await this.#client.call('Attach', {
      container_id: await this.#runningId(place),
      stdin,
      tty,
      stdout: true,
      stderr: !tty,
    });
    return openSession(String(url), { stdin, tty });
  }

  async *logs(
    place: port.ContainerPlace,
    request: port.LogRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const path = join(logFolder(place), criLogPath(place));
    const id = request.follow ? await this.#containerId(place) : undefined;
    const isRunning = id === undefined ? undefined : () => this.#parts.exits.isWatched(id);
    yield* readCriLog(path, request, { isRunning, signal });
  }

  dial({ pod }: port.PodPlace, portNumber: number): Promise<Duplex> {
    const [ip] = this.#ips.get(podIdentity(pod).uid) ?? [];
    const host = pod.spec.hostNetwork === true ? '127.0.0.1' : ip;
    if (host === undefined) {
      throw new Fault({ code: 'dial' }, 'Cannot connect: the pod has no address');
    }
    return dialIn(connect({ host, port: portNumber }));
  }

  async usage(place: port.ContainerPlace): Promise<port.ContainerUsage | undefined> {
    const id = await this.#containerId(place);
    if (id === undefined) return undefined;
    const { stats } = (await this.#client.call('ContainerStats', { container_id: id })) as {
      readonly stats?: {
        readonly cpu?: { readonly usage_core_nano_seconds?: { readonly value: number } };
        readonly memory?: { readonly working_set_bytes?: { readonly value: number } };
      };
    };
    return {
      cpuSeconds: (stats?.cpu?.usage_core_nano_seconds?.value ?? 0) / 1e9,
      memoryBytes: stats?.memory?.working_set_bytes?.value ?? 0,
    };
  }
}
