// Runs pods by a CRI v1 runtime such as containerd. The runtime's own state is the truth: whatever
// a former executor started is found again by its labels.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { Fault } from '#base/fault.ts';
import type { Clock, Timers } from '#env/env.ts';
import { dialIn } from './process-dial.ts';
import { podIdentity } from './pod-spec.ts';
import type * as port from './runtime.ts';
import type { CriClient, CriMessage } from '#kube/cri/cri-client.ts';
import { containerConfig, containerLabels, criLogPath, fullImageName } from './cri-config.ts';
import { logFolder, podLabels, sandboxConfig } from './cri-config.ts';
import { readCriLog } from './cri-log.ts';
import { openSession } from './cri-streams.ts';

export interface CriRuntimeOptions {
  /** `containerd`, as the runtime names itself. */
  readonly name: string;
  readonly handler: string;
  readonly hostIps: readonly string[];
  readonly clusterDns: readonly string[];
}

const exited = 2;
const running = 1;
const nanosecondsPerMs = 1e6;
const checkEveryMs = 1_000;
/** The pod core counts the grace itself and then asks for a stop at once. */
const stopSecondsMax = 86_400;

export class CriRuntime implements port.Runtime {
  readonly name: string;
  readonly #options: CriRuntimeOptions;
  readonly #client: CriClient;
  readonly #env: { readonly clock: Clock; readonly timers: Timers };
  readonly #ips = new Map<string, readonly string[]>();
  readonly #checks = new Map<string, () => void>();
  #hasEvents = false;

  constructor(
    options: CriRuntimeOptions,
    client: CriClient,
    env: { readonly clock: Clock; readonly timers: Timers },
  ) {
    this.name = options.name;
    this.#options = options;
    this.#client = client;
    this.#env = env;
  }

  #sandboxFile({ folder }: port.PodPlace): string {
    return join(folder, 'cri-sandbox.json');
  }

  async #sandbox(place: port.PodPlace): Promise<{ id: string; attempt: number } | undefined> {
    const text = await readFile(this.#sandboxFile(place), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as { id: string; attempt: number });
  }

  async prepare(place: port.PodPlace): Promise<{ ips: readonly string[] }> {
    await mkdir(logFolder(place), { recursive: true });
    const old = await this.#sandboxes(place);
    for (const id of old) await this.#removeSandbox(id);
    const attempt = ((await this.#sandbox(place))?.attempt ?? -1) + 1;
    const config = sandboxConfig(place, { clusterDns: this.#options.clusterDns, attempt });
    const made = await this.#client.call('RunPodSandbox', {
      config,
      runtime_handler: this.#options.handler,
    });
    const id = String(made['pod_sandbox_id']);
    await writeFile(this.#sandboxFile(place), JSON.stringify({ id, attempt }));
    const ips = await this.#ipsOf(place, id);
    this.#ips.set(podIdentity(place.pod).uid, ips);
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

  recover({ pod }: port.PodPlace, ips: readonly string[]): void {
    this.#ips.set(podIdentity(pod).uid, ips);
  }

  async start(request: port.StartRequest): Promise<port.RunningContainer> {
    const imageRef = await this.#ensureImage(request);
    const sandbox = await this.#sandbox(request);
    if (sandbox === undefined) {
      throw new Fault({ code: 'container-create' }, 'the pod has no sandbox');
    }
    const { attempt, container, folder } = request;
    await mkdir(join(logFolder(request), container.name), { recursive: true });
    const message = join(folder, 'containers', container.name, `${attempt}.termination-log`);
    await writeFile(message, '', { mode: 0o666 });
    const path = container.terminationMessagePath ?? '/dev/termination-log';
    const extra = [{ container_path: path, host_path: message, readonly: false }];
    const config = containerConfig(request, imageRef, extra);
    const { clusterDns } = this.#options;
    const created = await this.#client.call('CreateContainer', {
      pod_sandbox_id: sandbox.id,
      config,
      sandbox_config: sandboxConfig(request, { clusterDns, attempt: sandbox.attempt }),
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

  async #ensureImage(request: port.StartRequest): Promise<string> {
    const { container } = request;
    const image = fullImageName(container.image ?? '');
    const shown = JSON.stringify(container.image ?? '');
    const policy = container.imagePullPolicy ?? 'IfNotPresent';
    const known = await this.#imageId(image);
    if (known !== undefined && policy !== 'Always') {
      const message = `Container image ${shown} already present on machine`;
      request.progress({ kind: 'image', step: 'present', message });
      return known;
    }
    if (policy === 'Never') {
      const text = `Container image ${shown} is not present with pull policy of Never`;
      throw new Fault({ code: 'container-image', reason: 'ErrImageNeverPull' }, text);
    }
    const message = `Pulling image ${shown}`;
    request.progress({ kind: 'image', step: 'pulling', message });
    const began = this.#env.clock.now();
    try {
      const pulled = await this.#client.callImages('PullImage', { image: { image } });
      const ms = this.#env.clock.now() - began;
      const done = `Successfully pulled image ${shown} in ${ms}ms`;
      request.progress({ kind: 'image', step: 'pulled', message: done });
      return String(pulled['image_ref']);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const text = `failed to pull image ${shown}: ${why}`;
      throw new Fault({ code: 'container-image', reason: 'ErrImagePull' }, text, { cause: error });
    }
  }

  async #imageId(image: string): Promise<string | undefined> {
    const status = await this.#client.callImages('ImageStatus', { image: { image } });
    const found = status['image'] as { readonly id?: string } | null | undefined;
    return found?.id === undefined || found.id === '' ? undefined : found.id;
  }

  async #follow(
    place: port.ContainerPlace,
    id: string,
    imageId: string,
  ): Promise<port.RunningContainer> {
    const status = await this.#status(id);
    const startedAt = Number(status['started_at']) / nanosecondsPerMs;
    return { id, startedAt, imageId, ended: this.#ended(place, id) };
  }

  async #status(id: string): Promise<CriMessage> {
    const { status } = await this.#client.call('ContainerStatus', { container_id: id });
    return (status ?? {}) as CriMessage;
  }

  async #ended(place: port.ContainerPlace, id: string): Promise<port.ContainerEnd> {
    this.#listen();
    for (;;) {
      const changed = this.#change(id);
      const status = await this.#status(id).catch(() => undefined);
      if (status !== undefined && Number(status['state']) === exited) {
        this.#checks.delete(id);
        return await this.#endOf(place, status);
      }
      await changed;
    }
  }

  /** An event about the container, or, where the runtime sends none, some time. */
  #change(id: string): Promise<void> {
    return new Promise((done) => {
      const timer = this.#hasEvents ? undefined : this.#env.timers.after(checkEveryMs, done);
      this.#checks.set(id, () => {
        timer?.cancel();
        done();
      });
    });
  }

  #listen(): void {
    if (this.#hasEvents) return;
    this.#hasEvents = true;
    this.#client.events(
      (id) => this.#checks.get(id)?.(),
      () => {
        this.#hasEvents = false;
        for (const check of this.#checks.values()) check();
      },
    );
  }

  async #endOf(place: port.ContainerPlace, status: CriMessage): Promise<port.ContainerEnd> {
    const { folder, container, attempt } = place;
    const path = join(folder, 'containers', container.name, `${attempt}.termination-log`);
    const message = await readFile(path, 'utf8').catch(() => '');
    return {
      exitCode: Number(status['exit_code']),
      oom: status['reason'] === 'OOMKilled',
      at: Number(status['finished_at']) / nanosecondsPerMs,
      message: message === '' ? undefined : message.slice(0, 4096),
    };
  }

  async #containerId(place: port.ContainerPlace): Promise<string | undefined> {
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
    return list.find(({ metadata }) => metadata?.attempt === place.attempt)?.id;
  }

  async adopt(place: port.ContainerPlace): Promise<port.RunningContainer | undefined> {
    const id = await this.#containerId(place);
    if (id === undefined) return undefined;
    const status = await this.#status(id);
    const state = Number(status['state']);
    if (state === running || state === exited) {
      return this.#follow(place, id, String(status['image_ref']));
    }
    // Created, but the executor died before its start: it is made anew.
    await this.#client.call('RemoveContainer', { container_id: id });
    return undefined;
  }

  async signal(place: port.ContainerPlace, signal: string): Promise<void> {
    const id = await this.#containerId(place);
    if (id === undefined) return;
    const timeout = signal === 'SIGKILL' ? 0 : stopSecondsMax;
    const request = { container_id: id, timeout };
    await this.#client.call('StopContainer', request, stopSecondsMax * 1000).catch(() => {});
  }

  async forget(place: port.ContainerPlace): Promise<void> {
    const id = await this.#containerId(place);
    if (id !== undefined) await this.#client.call('RemoveContainer', { container_id: id });
    await rm(join(logFolder(place), criLogPath(place)), { force: true });
  }

  async teardown(place: port.PodPlace): Promise<void> {
    for (const id of await this.#sandboxes(place)) await this.#removeSandbox(id);
    this.#ips.delete(podLabels(place.pod)['io.kubernetes.pod.uid'] ?? '');
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
    const isRunning = id === undefined ? undefined : () => this.#checks.has(id);
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
