// The shell of one pod: feeds the pod core, stores its state before anything is done, performs what
// it decides by way of a runtime, and reports.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '#base/assert.ts';
import { Fault, faultCode } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { containerEnv, expand } from './container-env.ts';
import type { NodeApi } from './node-api.ts';
import { PodCertificates } from './pod-certificates.ts';
import { PodCore } from './pod-core.ts';
import { allContainers, podIdentity } from './pod-spec.ts';
import type { Container, Pod } from './pod-spec.ts';
import type { PodEffect, PodInput, PodState, PodStatus } from './pod-state.ts';
import { probeOf } from './probe-core.ts';
import { runHandler } from './prober.ts';
import type { ContainerPlace, RunningContainer, Runtime } from './runtime.ts';
import { neededObjects } from './volume-files.ts';
import type { FileSources } from './volume-files.ts';
import { removeMounted } from './memory-volumes.ts';
import { containerMounts, isRefreshed, mountVolumes, refreshVolumes } from './volumes.ts';

export interface PodWorkerOptions {
  readonly nodeName: string;
  readonly hostIps: readonly string[];
  readonly capacity: { readonly cpus: number; readonly memoryBytes: number };
  readonly folder: string;
  readonly runtime: Runtime;
  readonly api: NodeApi;
  /** The status changed. */
  onStatus(pod: Pod, status: PodStatus): void;
  /** Nothing of the pod is left but its logs. */
  onFinished(pod: Pod, phase: 'Succeeded' | 'Failed'): void;
}

/** ConfigMaps and Secrets are read again after this time, tokens renewed when they are due. */
const refreshMs = 60_000;
const attemptsKept = 2;

export class PodWorker {
  readonly #options: PodWorkerOptions;
  readonly #env: Env;
  readonly #core: PodCore;
  readonly #tokens = new Map<string, { readonly token: string; readonly renewAt: number }>();
  readonly #certificates: PodCertificates;
  #timer: Timer | undefined;
  #refresh: Timer | undefined;
  #stored = '';
  #reported = '';
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(pod: Pod, kept: PodState | undefined, options: PodWorkerOptions, env: Env) {
    this.#options = options;
    this.#env = env;
    this.#certificates = new PodCertificates(options.api, env);
    this.#core = new PodCore(pod, kept, env.clock.now());
  }

  static async keptState(folder: string): Promise<PodState | undefined> {
    const text = await readFile(join(folder, 'state.json'), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as PodState);
  }

  get pod(): Pod {
    return this.#core.pod;
  }

  get state(): PodState {
    return this.#core.state;
  }

  get isFinished(): boolean {
    return this.#core.isFinished;
  }

  get folder(): string {
    return this.#options.folder;
  }

  get runtime(): Runtime {
    return this.#options.runtime;
  }

  get podIp(): string {
    return this.#core.state.ips[0] ?? this.#options.hostIps[0] ?? '127.0.0.1';
  }

  status(): PodStatus {
    const { hostIps, runtime } = this.#options;
    return this.#core.status({ hostIps, runtimeName: runtime.name });
  }

  /** Takes over what a former executor had started, then goes on. */
  async start(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true });
    await this.#adopt();
    this.input({ kind: 'pod' });
    this.#scheduleRefresh();
  }

  update(pod: Pod): void {
    if (this.#closed) return;
    this.#perform(this.#core.setPod(pod, this.#env.clock.now()));
  }

  input(input: PodInput): void {
    if (this.#closed) return;
    this.#perform(this.#core.handle(input, this.#env.clock.now()));
  }

  /** Stops watching; what runs goes on. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#refresh?.cancel();
    this.#certificates.close();
    await this.#work;
  }

  place(name: string, attempt: number): ContainerPlace {
    const { folder } = this.#options;
    return { pod: this.pod, folder, container: this.#container(name), attempt };
  }

  #container(name: string): Container {
    const found = allContainers(this.pod).find((each) => each.name === name);
    return present(found, `container "${name}"`);
  }

  async #adopt(): Promise<void> {
    const { runtime, folder } = this.#options;
    const { state } = this.#core;
    if (state.ips.length > 0) runtime.recover({ pod: this.pod, folder }, state.ips);
    for (const { name, attempt, phase } of state.containers) {
      if (phase.kind !== 'starting' && phase.kind !== 'running') continue;
      const place = this.place(name, phase.kind === 'starting' ? attempt + 1 : attempt);
      const running = await runtime.adopt(place);
      if (running !== undefined) this.#started(place, running);
      else if (phase.kind === 'starting') this.input({ kind: 'absent', name });
      else {
        const at = this.#env.clock.now();
        this.input({ kind: 'exited', name, attempt, exitCode: 137, oom: false, at });
      }
    }
  }

  #perform(effects: readonly PodEffect[]): void {
    const text = JSON.stringify(this.#core.state);
    const stateChanged = text !== this.#stored;
    this.#stored = text;
    this.#work = this.#work.then(async () => {
      if (stateChanged) await this.#store(text);
      for (const effect of effects) this.#do(effect);
      this.#report();
    });
    this.#work = this.#work.catch((error: unknown) => {
      const detail = error instanceof Error ? error.message : String(error);
      this.#env.log.error('Pod worker failed', { pod: this.pod.metadata.name, error: detail });
    });
    this.#schedule();
  }

  async #store(text: string): Promise<void> {
    const path = join(this.#options.folder, 'state.json');
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }

  #report(): void {
    const status = this.status();
    const text = JSON.stringify(status);
    if (text === this.#reported) return;
    this.#reported = text;
    this.#options.onStatus(this.pod, status);
  }

  #schedule(): void {
    this.#timer?.cancel();
    const at = this.#closed ? undefined : this.#core.wakeAt();
    if (at === undefined) return;
    const delayMs = Math.max(0, Math.min(at - this.#env.clock.now(), 2 ** 31 - 1));
    this.#timer = this.#env.timers.after(delayMs, () => this.input({ kind: 'tick' }));
  }

  #do(effect: PodEffect): void {
    const { api } = this.#options;
    switch (effect.kind) {
      case 'prepare':
        return void this.#prepare();
      case 'start':
        return void this.#start(effect.name, effect.attempt);
      case 'signal':
        return void this.#options.runtime.signal(
          this.place(effect.name, effect.attempt),
          effect.signal,
        );
      case 'hook':
        return void this.#hook(effect);
      case 'probe':
        return void this.#probe(effect);
      case 'event': {
        const { type, reason, message, name } = effect;
        const fieldPath = name === undefined ? undefined : this.#fieldPath(name);
        return api.recordEvent(this.pod, { type, reason, message, fieldPath });
      }
      case 'teardown':
        return void this.#teardown();
      case 'finished':
        this.#refresh?.cancel();
        this.#certificates.close();
        this.#report();
        return this.#options.onFinished(this.pod, effect.phase);
    }
  }

  #fieldPath(name: string): string {
    const lists = ['initContainers', 'ephemeralContainers'] as const;
    const list = lists.find((each) => this.pod.spec[each]?.some((one) => one.name === name));
    return `spec.${list ?? 'containers'}{${name}}`;
  }

  async #prepare(): Promise<void> {
    const { folder, runtime } = this.#options;
    let reason = 'FailedMount';
    try {
      await mountVolumes({ pod: this.pod, folder, sources: await this.#sources(true) });
      reason = 'FailedCreatePodSandBox';
      const { ips } = await runtime.prepare({ pod: this.pod, folder });
      this.input({ kind: 'prepared', ips });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const isMount = reason === 'FailedMount';
      const message = isMount ? why : `Failed to create pod sandbox: ${why}`;
      this.input({ kind: 'prepare-failed', reason, message });
    }
  }

  async #sources(withTokens: boolean): Promise<FileSources> {
    const { api, nodeName, hostIps, capacity } = this.#options;
    const { namespace } = podIdentity(this.pod);
    const needed = neededObjects(this.pod);
    const read = async (
      names: ReadonlySet<string>,
      get: (name: string) => Promise<KubeObject | undefined>,
    ): Promise<Map<string, KubeObject | undefined>> => {
      const pairs = [...names].map(async (name) => [name, await get(name)] as const);
      return new Map(await Promise.all(pairs));
    };
    const configMaps = await read(needed.configMaps, (name) => api.configMap(namespace, name));
    const secrets = await read(needed.secrets, (name) => api.secret(namespace, name));
    return {
      configMap: (name) => configMaps.get(name),
      secret: (name) => secrets.get(name),
      services: withTokens ? [] : await api.services(),
      nodeName,
      hostIps,
      podIps: this.#core.state.ips,
      capacity,
      tokens: withTokens ? await this.#issueTokens() : new Map(),
      trustBundles: withTokens && needed.hasTrustBundles ? await api.trustBundles() : [],
      certificates: withTokens ? await this.#certificates.ofPod(this.pod) : new Map(),
    };
  }

  async #issueTokens(): Promise<Map<string, string>> {
    const { api } = this.#options;
    const { namespace, name, uid } = podIdentity(this.pod);
    const issued = new Map<string, string>();
    const sources = (this.pod.spec.volumes ?? []).flatMap(
      ({ projected }) => projected?.sources ?? [],
    );
    for (const { serviceAccountToken: wanted } of sources) {
      if (wanted === undefined) continue;
      const now = this.#env.clock.now();
      const { path, audience, expirationSeconds = 3600 } = wanted;
      let known = this.#tokens.get(path);
      if (known === undefined || known.renewAt <= now) {
        const { token, expiresAt } = await api.token({
          namespace,
          serviceAccount: this.pod.spec.serviceAccountName ?? 'default',
          audiences: audience === undefined || audience === '' ? [] : [audience],
          expirationSeconds,
          pod: { name, uid },
        });
        known = { token, renewAt: now + (expiresAt - now) * 0.8 };
        this.#tokens.set(path, known);
      }
      issued.set(path, known.token);
    }
    return issued;
  }

  #scheduleRefresh(): void {
    const volumes = this.pod.spec.volumes ?? [];
    if (this.#closed || this.isFinished || !volumes.some(isRefreshed)) return;
    this.#refresh = this.#env.timers.after(refreshMs, () => {
      this.#work = this.#work.then(async () => {
        const { folder } = this.#options;
        if (this.#core.state.sandbox.kind !== 'ready') return;
        await refreshVolumes({ pod: this.pod, folder, sources: await this.#sources(true) });
      });
      this.#work = this.#work.catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        const { api } = this.#options;
        api.recordEvent(this.pod, { type: 'Warning', reason: 'FailedMount', message });
      });
      this.#scheduleRefresh();
    });
  }

  async #start(name: string, attempt: number): Promise<void> {
    const { runtime, folder, api } = this.#options;
    const place = this.place(name, attempt);
    const { container, pod } = place;
    try {
      const sources = await this.#sources(false);
      const env = containerEnv(pod, container, sources);
      const mounts = await containerMounts({ pod, folder }, container, env);
      const words = (list: readonly string[] = []): string[] =>
        list.map((word) => expand(word, env));
      const running = await runtime.start({
        ...place,
        env,
        mounts,
        command: words(container.command),
        args: words(container.args),
        pullSecrets: pullSecretsOf(pod, sources),
        targetId: this.#runningId(container.targetContainerName),
        progress: (step) => {
          if (step.kind === 'image') this.input({ ...step, name });
          else if (step.kind === 'created') this.input({ kind: 'created', name });
          else api.recordEvent(pod, { ...step, type: 'Normal' });
        },
      });
      this.#started(place, running);
      await this.#forgetOld(name, attempt);
    } catch (error) {
      this.input({ kind: 'start-failed', name, ...startFailure(error) });
    }
  }

  #runningId(name: string | undefined): string | undefined {
    const target = this.#core.state.containers.find((each) => each.name === name);
    return target?.phase.kind === 'running' ? target.phase.containerId : undefined;
  }

  async #forgetOld(name: string, attempt: number): Promise<void> {
    const old = attempt - attemptsKept;
    if (old >= 0) await this.#options.runtime.forget(this.place(name, old));
  }

  #started(place: ContainerPlace, running: RunningContainer): void {
    const { attempt } = place;
    const { name } = place.container;
    const { id: containerId, startedAt: at, imageId } = running;
    this.input({ kind: 'started', name, attempt, containerId, at, imageId });
    void running.ended.then((end) => {
      this.input({ kind: 'exited', name, attempt, startedAt: at, ...end });
    });
  }

  async #hook(effect: PodEffect & { readonly kind: 'hook' }): Promise<void> {
    const { name, attempt, hook, timeoutMs } = effect;
    const place = this.place(name, attempt);
    const handler = place.container.lifecycle?.[hook];
    let failure: string | undefined;
    if (handler?.sleep !== undefined) {
      const delayMs = Math.min(handler.sleep.seconds * 1000, timeoutMs);
      await new Promise<void>((done) => this.#env.timers.after(delayMs, done));
    } else if (handler !== undefined) {
      const { runtime } = this.#options;
      const target = { place, runtime, podIp: this.podIp, timeoutMs };
      const { outcome, message } = await runHandler(handler, target);
      if (outcome !== 'success') failure = message;
    }
    this.input({ kind: 'hook', name, attempt, hook, failure });
  }

  async #probe(effect: PodEffect & { readonly kind: 'probe' }): Promise<void> {
    const { name, attempt, probe } = effect;
    const place = this.place(name, attempt);
    const handler = present(probeOf(place.container, probe), `${probe} probe of "${name}"`);
    const { runtime } = this.#options;
    const timeoutMs = Math.max(1, handler.timeoutSeconds ?? 1) * 1000;
    const outcome = await runHandler(handler, { place, runtime, podIp: this.podIp, timeoutMs });
    this.input({ kind: 'probe', name, attempt, probe, ...outcome });
  }

  async #teardown(): Promise<void> {
    const { runtime, folder } = this.#options;
    try {
      await runtime.teardown({ pod: this.pod, folder });
      await removeMounted(join(folder, 'volumes'));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `error killing pod: ${why}`;
      const event = { type: 'Warning', reason: 'FailedKillPod', message } as const;
      this.#options.api.recordEvent(this.pod, event);
    }
    this.input({ kind: 'torn-down' });
  }
}

function pullSecretsOf({ spec }: Pod, sources: FileSources): KubeObject[] {
  return (spec.imagePullSecrets ?? [])
    .map(({ name = '' }) => sources.secret(name))
    .filter((secret) => secret !== undefined);
}

function startFailure(error: unknown): Omit<PodInput & { kind: 'start-failed' }, 'kind' | 'name'> {
  const message = error instanceof Error ? error.message : String(error);
  switch (faultCode(error)) {
    case 'container-config':
    case 'volume':
      return { stage: 'config', reason: 'CreateContainerConfigError', message };
    case 'container-image': {
      const reason = error instanceof Fault ? String(error.detail['reason']) : 'ErrImagePull';
      return { stage: 'image', reason, message };
    }
    case 'container-run':
      return { stage: 'run', reason: 'StartError', message };
    default:
      return { stage: 'create', reason: 'CreateContainerError', message };
  }
}
