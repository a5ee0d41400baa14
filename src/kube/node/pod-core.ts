// Decides what happens in one pod: order of containers, restarts, probes, hooks, its end.
// Pure and level-based: each input changes the state, then `#advance` does whatever is due.
import { assert } from '#base/assert.ts';
import { same } from '#base/same.ts';
import { backoffLeftMs, doubled, retryInitialMs, retryMaxMs } from './backoff.ts';
import * as one from './container-core.ts';
import { isSidecar, podIdentity } from './pod-spec.ts';
import type { Container, Pod, PodSpec } from './pod-spec.ts';
import { buildStatus, isAllInitialized } from './pod-status.ts';
import type { NodeAddresses } from './pod-status.ts';
import { isProbeActive, probeKinds } from './probe-core.ts';
import type { ContainerState, Ending, PodEffect, PodInput, PodState, Role } from './pod-state.ts';
import type { PodStatus } from './pod-state.ts';

export class PodCore {
  #pod: Pod;
  readonly #state: PodState;
  #specs: ReadonlyMap<string, Container> = new Map();
  #effects: PodEffect[] = [];

  constructor(pod: Pod, kept: PodState | undefined, now: number) {
    this.#pod = pod;
    this.#state = kept === undefined ? freshState(pod, now) : resumed(kept);
    this.#noteContainers();
    for (const container of this.#state.containers) {
      one.forgetHook(this.#context(container, now));
    }
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** Plain data; the caller stores it before it performs the effects that came with it. */
  get state(): PodState {
    return this.#state;
  }

  get isFinished(): boolean {
    return this.#state.sandbox.kind === 'gone';
  }

  status(node: NodeAddresses): PodStatus {
    return buildStatus(this.#pod, this.#state, node);
  }

  setPod(pod: Pod, now: number): readonly PodEffect[] {
    const before = this.#pod;
    this.#pod = pod;
    this.#noteContainers();
    // What a container lacked may be there now.
    if (!same(wantedOf(before), wantedOf(pod))) this.#retryConfigurations(now);
    return this.handle({ kind: 'pod' }, now);
  }

  #retryConfigurations(now: number): void {
    for (const { phase, retry } of this.#state.containers) {
      const isMeant = phase.kind === 'waiting' && phase.reason === 'CreateContainerConfigError';
      if (isMeant && retry !== undefined) retry.at = now;
    }
  }

  /** Ephemeral ones come while the pod runs, and never go. */
  #noteContainers(): void {
    const known = new Set(this.#state.containers.map(({ name }) => name));
    const ordered = orderedContainers(this.#pod.spec);
    this.#specs = new Map(ordered.map(([container]) => [container.name, container]));
    for (const [{ name }, role] of ordered) {
      if (!known.has(name)) this.#state.containers.push(freshContainer(name, role));
    }
  }

  handle(input: PodInput, now: number): readonly PodEffect[] {
    this.#effects = [];
    this.#apply(input, now);
    this.#advance(now);
    this.#noteConditions(now);
    return this.#effects;
  }

  #apply(input: PodInput, now: number): void {
    const state = this.#state;
    switch (input.kind) {
      case 'pod':
        this.#noteDeletion(now);
        return;
      case 'tick':
        return;
      case 'kill': {
        const graceMs = input.graceMs ?? one.podGraceMs(this.#pod.spec);
        this.#end({ ...input, cause: 'killed', graceMs, requestedAt: now });
        return;
      }
      case 'prepared':
        state.sandbox = { kind: 'ready', ips: input.ips };
        state.ips = input.ips;
        return;
      case 'prepare-failed':
        this.#prepareFailed(input.reason, input.message, now);
        return;
      case 'torn-down':
        state.sandbox = { kind: 'gone' };
        this.#effects.push({ kind: 'finished', phase: state.finalPhase ?? 'Failed' });
        return;
      default:
        this.#applyToContainer(input, now);
    }
  }

  #applyToContainer(input: PodInput & { readonly name: string }, now: number): void {
    const state = this.#state.containers.find(({ name }) => name === input.name);
    if (state === undefined) return;
    const context = this.#context(state, now);
    switch (input.kind) {
      case 'image': {
        const reason = input.step === 'pulling' ? 'Pulling' : 'Pulled';
        one.emitEvent(context, 'Normal', reason, input.message);
        return;
      }
      case 'created':
        one.emitEvent(context, 'Normal', 'Created', 'Container created');
        return;
      case 'started':
        if (state.phase.kind === 'starting') one.containerStarted(context, input);
        return;
      case 'start-failed':
        if (state.phase.kind === 'starting') one.startFailed(context, input);
        return;
      case 'exited':
        if (state.phase.kind === 'running' || state.phase.kind === 'starting') {
          one.containerExited(context, input);
        }
        return;
      case 'absent':
        if (state.phase.kind === 'starting') state.phase = { kind: 'waiting' };
        return;
      case 'hook':
        one.hookDone(context, input);
        return;
      case 'probe':
        one.probeAnswered(context, input);
        return;
      default:
        assert(false, `Input ${input.kind} is no input of a container`);
    }
  }

  #context(state: ContainerState, now: number): one.ContainerContext {
    const container = this.#specs.get(state.name);
    assert(container !== undefined, `Container "${state.name}" is not in the pod`);
    return {
      pod: podIdentity(this.#pod),
      spec: this.#pod.spec,
      container,
      state,
      now,
      emit: (effect) => this.#effects.push(effect),
    };
  }

  #noteDeletion(now: number): void {
    const { deletionTimestamp, deletionGracePeriodSeconds } = this.#pod.metadata;
    if (deletionTimestamp === undefined) return;
    const seconds =
      deletionGracePeriodSeconds ?? this.#pod.spec.terminationGracePeriodSeconds ?? 30;
    this.#end({ cause: 'deleted', requestedAt: now, graceMs: seconds * 1000 });
  }

  /** A later request may hasten the end, and deletion takes over its name; never the reverse. */
  #end(ending: Ending): void {
    const present = this.#state.ending;
    if (present === undefined) {
      this.#state.ending = ending;
      return;
    }
    const deadline = present.requestedAt + present.graceMs;
    if (ending.requestedAt + ending.graceMs < deadline) {
      present.graceMs = ending.requestedAt + ending.graceMs - present.requestedAt;
    }
  }

  #prepareFailed(reason: string, message: string, now: number): void {
    const sandbox = this.#state.sandbox;
    if (sandbox.kind !== 'preparing') return;
    const delayMs = doubled(this.#prepareDelayMs, retryInitialMs, retryMaxMs);
    this.#prepareDelayMs = delayMs;
    this.#state.sandbox = { kind: 'retry', at: now + delayMs, delayMs };
    this.#effects.push({ kind: 'event', type: 'Warning', reason, message });
  }
  #prepareDelayMs: number | undefined;

  #advance(now: number): void {
    const state = this.#state;
    if (state.sandbox.kind === 'gone' || state.sandbox.kind === 'tearing-down') return;
    for (const container of state.containers) one.driveStop(this.#context(container, now));
    this.#checkDeadline(now);
    if (state.ending === undefined) this.#advanceLiving(now);
    if (state.ending !== undefined) this.#advanceEnding(state.ending, now);
    for (const container of state.containers) one.emitDueProbes(this.#context(container, now));
  }

  #checkDeadline(now: number): void {
    const seconds = this.#pod.spec.activeDeadlineSeconds;
    if (seconds === undefined || this.#state.ending !== undefined) return;
    if (now < this.#state.startedAt + seconds * 1000) return;
    const reason = 'DeadlineExceeded';
    const message = 'Pod was active on the node longer than the specified deadline';
    this.#effects.push({ kind: 'event', type: 'Normal', reason, message });
    const graceMs = one.podGraceMs(this.#pod.spec);
    this.#end({ cause: 'deadline', requestedAt: now, graceMs, reason, message });
  }

  #advanceLiving(now: number): void {
    const state = this.#state;
    if (state.sandbox.kind === 'none') this.#prepare();
    if (state.sandbox.kind === 'retry' && state.sandbox.at <= now) this.#prepare();
    if (state.sandbox.kind !== 'ready') return;
    for (const container of state.containers) {
      const isNew = container.role === 'ephemeral' && one.lastRun(container) === undefined;
      if (isNew) one.startContainer(this.#context(container, now));
    }
    const failedInit = this.#advanceInit(now);
    if (failedInit || this.#isComplete()) {
      this.#end({ cause: 'completed', requestedAt: now, graceMs: one.podGraceMs(this.#pod.spec) });
      return;
    }
    if (!state.initialized) return;
    for (const container of state.containers) {
      if (container.role !== 'app') continue;
      if (container.phase.kind === 'terminated' && !this.#again(container)) continue;
      if (container.phase.kind === 'waiting' && !this.#mayWaitStart(container)) continue;
      one.startContainer(this.#context(container, now));
    }
  }

  #prepare(): void {
    this.#state.sandbox = { kind: 'preparing' };
    this.#effects.push({ kind: 'prepare' });
  }

  #again(container: ContainerState): boolean {
    const run = one.lastRun(container);
    const spec = this.#specs.get(container.name);
    assert(run !== undefined && spec !== undefined, 'A container that ran has a spec and an end');
    return container.role === 'sidecar' || one.runsAgain(this.#pod.spec, spec, run.exitCode);
  }

  #mayWaitStart(container: ContainerState): boolean {
    return container.last === undefined || this.#again(container);
  }

  /** Starts init containers in their order; true when one failed for good. */
  #advanceInit(now: number): boolean {
    const state = this.#state;
    for (const container of state.containers) {
      if (container.role === 'app' || container.role === 'ephemeral') continue;
      if (container.role === 'sidecar') {
        one.startContainer(this.#context(container, now));
        const isUp = container.phase.kind === 'running' && container.phase.started;
        if (!isUp && !state.initialized) return false;
        continue;
      }
      if (state.initialized || container.done === true) continue;
      const run = one.lastRun(container);
      if (container.phase.kind === 'terminated' && container.phase.exitCode === 0) {
        container.done = true;
        continue;
      }
      if (
        container.phase.kind === 'terminated' &&
        run !== undefined &&
        !this.#initAgain(container)
      ) {
        return true;
      }
      one.startContainer(this.#context(container, now));
      return false;
    }
    state.initialized = true;
    return false;
  }

  #initAgain(container: ContainerState): boolean {
    const spec = this.#specs.get(container.name);
    const run = one.lastRun(container);
    if (spec === undefined || run === undefined) return true;
    const policy = spec.restartPolicy ?? this.#pod.spec.restartPolicy ?? 'Always';
    return policy !== 'Never' || one.runsAgain(this.#pod.spec, spec, run.exitCode);
  }

  /** All ordinary containers ended, and none runs again. */
  #isComplete(): boolean {
    const state = this.#state;
    if (!state.initialized) return false;
    return state.containers.every(
      (container) =>
        container.role !== 'app' ||
        (container.phase.kind === 'terminated' && !this.#again(container)),
    );
  }

  #advanceEnding(ending: Ending, now: number): void {
    const { containers, sandbox } = this.#state;
    const left = Math.max(0, ending.requestedAt + ending.graceMs - now);
    const isUp = ({ phase }: ContainerState): boolean =>
      phase.kind === 'running' || phase.kind === 'starting';
    const apps = containers.filter((container) => container.role !== 'sidecar' && isUp(container));
    for (const app of apps) this.#stop(app, left, now);
    if (apps.length > 0) {
      if (ending.graceMs === 0) for (const other of containers) this.#stop(other, 0, now);
      return;
    }
    // Sidecars end after the containers they serve, the last one first.
    const sidecar = containers.findLast((each) => each.role === 'sidecar' && isUp(each));
    if (sidecar !== undefined) {
      this.#stop(sidecar, ending.graceMs === 0 ? 0 : Math.max(left, 2_000), now);
      return;
    }
    if (sandbox.kind === 'preparing') return;
    this.#state.finalPhase = finalPhase(this.#state, ending);
    this.#state.sandbox = { kind: 'tearing-down' };
    this.#effects.push({ kind: 'teardown' });
  }

  #stop(container: ContainerState, graceMs: number, now: number): void {
    const message = `Stopping container ${container.name}`;
    const stop = container.phase.kind === 'running' ? container.phase.stop : undefined;
    if (stop !== undefined && stop.deadline <= now + graceMs) return;
    one.stopContainer(this.#context(container, now), { graceMs, message });
  }

  #noteConditions(now: number): void {
    const status = this.status({ hostIps: [] });
    for (const { type, status: value } of status.conditions) {
      const known = this.#state.conditions[type];
      if (known?.status === value) continue;
      this.#state.conditions[type] = { status: value, since: now };
    }
  }

  /** When `tick` is due; undefined when only other inputs can change anything. */
  wakeAt(): number | undefined {
    const state = this.#state;
    if (state.sandbox.kind === 'gone' || state.sandbox.kind === 'tearing-down') return undefined;
    const times: number[] = [];
    if (state.sandbox.kind === 'retry') times.push(state.sandbox.at);
    const seconds = this.#pod.spec.activeDeadlineSeconds;
    if (seconds !== undefined && state.ending === undefined) {
      times.push(state.startedAt + seconds * 1000);
    }
    for (const container of state.containers) times.push(...containerTimes(container));
    return times.length === 0 ? undefined : Math.min(...times);
  }
}

/** What of a pod others may change, so that a container is made otherwise; not its status. */
function wantedOf({ metadata }: Pod): unknown {
  return [metadata.generation, metadata.labels, metadata.annotations];
}

function containerTimes(container: ContainerState): number[] {
  const { phase } = container;
  if (phase.kind === 'waiting' || phase.kind === 'terminated') {
    const times = container.retry === undefined ? [] : [container.retry.at];
    if (container.retry !== undefined && phase.kind === 'waiting') {
      const shownAt = container.retry.at - container.retry.delayMs + one.imageBackoffShownMs;
      if (phase.reason === 'ErrImagePull') times.push(shownAt);
    }
    const run = one.lastRun(container);
    if (run !== undefined && phase.kind === 'waiting') {
      const finishedAt = run.finishedAt;
      const left = backoffLeftMs(container.backoff, { finishedAt, now: finishedAt });
      if (container.retry === undefined) times.push(finishedAt + left);
    }
    return times;
  }
  if (phase.kind !== 'running') return [];
  const times =
    phase.stop === undefined || phase.stop.stage === 'killed' ? [] : [phase.stop.deadline];
  for (const kind of probeKinds) {
    const probe = phase.probes[kind];
    if (probe !== undefined && !probe.running && isProbeActive(phase, kind))
      times.push(probe.nextAt);
  }
  return times;
}

function orderedContainers(spec: PodSpec): readonly (readonly [Container, Role])[] {
  const init = (spec.initContainers ?? []).map(
    (container) => [container, isSidecar(container) ? 'sidecar' : 'init'] as const,
  );
  const apps = spec.containers.map((container) => [container, 'app'] as const);
  const ephemeral = spec.ephemeralContainers ?? [];
  return [...init, ...apps, ...ephemeral.map((container) => [container, 'ephemeral'] as const)];
}

function freshContainer(name: string, role: Role): ContainerState {
  return { name, role, attempt: -1, phase: { kind: 'waiting' } };
}

function freshState(pod: Pod, now: number): PodState {
  return {
    uid: podIdentity(pod).uid,
    startedAt: now,
    sandbox: { kind: 'none' },
    initialized: false,
    containers: orderedContainers(pod.spec).map(([{ name }, role]) => freshContainer(name, role)),
    conditions: {},
    ips: [],
  };
}

/** Work that was under way died with the former executor: probes and hooks run anew or are over. */
function resumed(kept: PodState): PodState {
  const state = structuredClone(kept);
  if (state.sandbox.kind === 'preparing') state.sandbox = { kind: 'none' };
  if (state.sandbox.kind === 'tearing-down') state.sandbox = { kind: 'ready', ips: state.ips };
  for (const { phase } of state.containers) {
    if (phase.kind !== 'running') continue;
    for (const kind of probeKinds) {
      const probe = phase.probes[kind];
      if (probe !== undefined) probe.running = false;
    }
  }
  return state;
}

function finalPhase(state: PodState, ending: Ending): 'Succeeded' | 'Failed' {
  if (ending.cause === 'killed' || ending.cause === 'deadline') return 'Failed';
  if (!isAllInitialized(state)) return 'Failed';
  const apps = state.containers.filter(({ role }) => role === 'app');
  const good = apps.every(({ phase }) => phase.kind === 'terminated' && phase.exitCode === 0);
  return good ? 'Succeeded' : 'Failed';
}
