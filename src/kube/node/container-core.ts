// Decides about one container of a pod: whether it runs again, how it is stopped, what its probes
// mean. Part of the pod core: pure, changes only the state it is given.
import { backoffLeftMs, goDuration, nextBackoff } from './backoff.ts';
import { applyProbe, beginProbes, isProbeDue, probeKinds, probeOf } from './probe-core.ts';
import { probeTitle } from './probe-core.ts';
import type { Container, PodIdentity, PodSpec } from './pod-spec.ts';
import { podLabel } from './pod-spec.ts';
import type { ContainerState, PodEffect, PodInput, Terminated } from './pod-state.ts';

/** The least time between SIGTERM and SIGKILL that is left after a slow preStop hook. */
const graceLeastMs = 2_000;
export const imageBackoffShownMs = 2_000;

export interface ContainerContext {
  readonly pod: PodIdentity;
  readonly spec: PodSpec;
  readonly container: Container;
  readonly state: ContainerState;
  readonly now: number;
  emit(effect: PodEffect): void;
}

export function emitEvent(
  context: ContainerContext,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
): void {
  context.emit({ kind: 'event', type, reason, message, name: context.state.name });
}

/** Whether a container that ended with this code runs again while its pod lives. */
export function runsAgain(spec: PodSpec, container: Container, exitCode: number): boolean {
  for (const rule of container.restartPolicyRules ?? []) {
    const values = rule.exitCodes?.values ?? [];
    const within = values.includes(exitCode);
    const matches = rule.exitCodes?.operator === 'NotIn' ? !within : within;
    if (matches && rule.action === 'Restart') return true;
  }
  const policy = container.restartPolicy ?? spec.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

export function lastRun(state: ContainerState): Terminated | undefined {
  return state.phase.kind === 'terminated' ? state.phase : state.last;
}

/**
 * waiting | terminated -> starting, or waiting with a back-off reason. Returns true when it starts.
 */
export function startContainer(context: ContainerContext): boolean {
  const { state, now } = context;
  if (state.phase.kind === 'starting' || state.phase.kind === 'running') return false;
  if (state.retry !== undefined && state.retry.at > now) {
    noteImageBackoff(context);
    return false;
  }
  const previous = lastRun(state);
  if (previous !== undefined) {
    const finishedAt = previous.finishedAt;
    if (backoffLeftMs(state.backoff, { finishedAt, now }) > 0) {
      holdBack(context, previous);
      return false;
    }
    // A retry after a start that failed early is not one more crash.
    if (state.retry === undefined) state.backoff = nextBackoff(state.backoff, { finishedAt, now });
    state.last = previous;
  }
  state.phase = { kind: 'starting' };
  context.emit({ kind: 'start', name: state.name, attempt: state.attempt + 1 });
  return true;
}

/** Some time after a failed pull the state tells that the node waits: ErrImagePull, ImagePullBackOff. */
function noteImageBackoff(context: ContainerContext): void {
  const { state, now, container } = context;
  const { retry, phase } = state;
  if (phase.kind !== 'waiting' || phase.reason !== 'ErrImagePull' || retry === undefined) return;
  if (now < retry.at - retry.delayMs + imageBackoffShownMs) return;
  const text = `Back-off pulling image ${JSON.stringify(container.image ?? '')}`;
  const message = `${text}: ErrImagePull: ${phase.message ?? ''}`;
  state.phase = { kind: 'waiting', reason: 'ImagePullBackOff', message };
  emitEvent(context, 'Normal', 'BackOff', text);
}

function holdBack(context: ContainerContext, previous: Terminated): void {
  const { state, pod } = context;
  if (state.phase.kind === 'waiting' && state.phase.reason === 'CrashLoopBackOff') return;
  const label = podLabel(pod);
  const delay = goDuration(state.backoff?.delayMs ?? 0);
  state.last = previous;
  state.phase = {
    kind: 'waiting',
    reason: 'CrashLoopBackOff',
    message: `back-off ${delay} restarting failed container=${state.name} pod=${label}`,
  };
  emitEvent(
    context,
    'Warning',
    'BackOff',
    `Back-off restarting failed container ${state.name} in pod ${label}`,
  );
}

/** starting -> running. */
export function containerStarted(
  context: ContainerContext,
  input: PodInput & { readonly kind: 'started' },
): void {
  const { state, container } = context;
  state.attempt = input.attempt;
  state.retry = undefined;
  state.imageId = input.imageId ?? state.imageId;
  const hook = container.lifecycle?.postStart;
  state.phase = {
    kind: 'running',
    containerId: input.containerId,
    startedAt: input.at,
    postStart: hook === undefined ? 'done' : 'running',
    started: false,
    ready: false,
    probes: {},
  };
  emitEvent(context, 'Normal', 'Started', 'Container started');
  if (hook === undefined) {
    beginProbes(container, state.phase, context.now);
    return;
  }
  const { name, attempt } = input;
  context.emit({ kind: 'hook', name, attempt, hook: 'postStart', timeoutMs: 3_600_000 });
}

/** starting -> waiting (nothing ran) or terminated (it was made but did not start). */
export function startFailed(
  context: ContainerContext,
  input: PodInput & { readonly kind: 'start-failed' },
): void {
  const { state, now } = context;
  if (input.stage === 'run') {
    state.attempt += 1;
    state.retry = undefined;
    state.phase = {
      kind: 'terminated',
      exitCode: 128,
      reason: input.reason,
      message: input.message,
      startedAt: 0,
      finishedAt: now,
    };
    emitEvent(context, 'Warning', 'Failed', `Error: ${input.message}`);
    return;
  }
  const isImage = input.stage === 'image';
  const delayMs = isImage ? Math.min((state.retry?.delayMs ?? 5_000) * 2, 300_000) : 10_000;
  state.retry = { delayMs, at: now + delayMs };
  state.phase = { kind: 'waiting', reason: input.reason, message: input.message };
  emitEvent(context, 'Warning', 'Failed', `Error: ${input.message}`);
}

/** running | starting -> terminated. */
export function containerExited(
  context: ContainerContext,
  input: PodInput & { readonly kind: 'exited' },
): void {
  const { state } = context;
  const startedAt = state.phase.kind === 'running' ? state.phase.startedAt : input.startedAt;
  const containerId = state.phase.kind === 'running' ? state.phase.containerId : undefined;
  let reason = input.exitCode === 0 ? 'Completed' : 'Error';
  if (input.oom) reason = 'OOMKilled';
  state.attempt = input.attempt;
  state.retry = undefined;
  state.phase = {
    kind: 'terminated',
    exitCode: input.exitCode,
    reason,
    message: input.message,
    startedAt: startedAt ?? 0,
    finishedAt: input.at,
    containerId,
  };
}

/** Begins to stop a running container, or hastens a stop that is under way. */
export function stopContainer(
  context: ContainerContext,
  { graceMs, message }: { readonly graceMs: number; readonly message: string },
): void {
  const { state, container, now } = context;
  if (state.phase.kind !== 'running') return;
  const running = state.phase;
  const deadline = now + graceMs;
  if (running.stop !== undefined) {
    running.stop.deadline = Math.min(running.stop.deadline, deadline);
    driveStop(context);
    return;
  }
  emitEvent(context, 'Normal', 'Killing', message);
  const { name, attempt } = state;
  if (container.lifecycle?.preStop !== undefined && graceMs > 0 && running.postStart === 'done') {
    running.stop = { stage: 'pre-stop', deadline };
    context.emit({ kind: 'hook', name, attempt, hook: 'preStop', timeoutMs: graceMs });
    return;
  }
  running.stop = { stage: 'pre-stop', deadline };
  if (graceMs > 0) signalStop(context);
  else driveStop(context);
}

/** pre-stop -> signalled. */
export function signalStop(context: ContainerContext): void {
  const { state, container, now } = context;
  if (state.phase.kind !== 'running' || state.phase.stop?.stage !== 'pre-stop') return;
  const stop = state.phase.stop;
  stop.stage = 'signalled';
  const hadHook = container.lifecycle?.preStop !== undefined;
  if (hadHook) stop.deadline = Math.max(stop.deadline, now + graceLeastMs);
  const signal = container.lifecycle?.stopSignal ?? 'SIGTERM';
  context.emit({ kind: 'signal', name: state.name, attempt: state.attempt, signal });
}

/** Moves a stop on when its deadline has passed. */
export function driveStop(context: ContainerContext): void {
  const { state, container, now } = context;
  if (state.phase.kind !== 'running' || state.phase.stop === undefined) return;
  const stop = state.phase.stop;
  if (stop.stage === 'killed' || now < stop.deadline) return;
  if (stop.stage === 'pre-stop' && container.lifecycle?.preStop !== undefined) {
    signalStop(context);
    if (stop.deadline > now) return;
  }
  stop.stage = 'killed';
  context.emit({ kind: 'signal', name: state.name, attempt: state.attempt, signal: 'SIGKILL' });
}

export function hookDone(
  context: ContainerContext,
  input: PodInput & { readonly kind: 'hook' },
): void {
  const { state, container, now } = context;
  if (state.phase.kind !== 'running' || input.attempt !== state.attempt) return;
  if (input.hook === 'preStop') {
    if (input.failure !== undefined) {
      emitEvent(context, 'Warning', 'FailedPreStopHook', 'PreStopHook failed');
    }
    signalStop(context);
    return;
  }
  state.phase.postStart = 'done';
  if (input.failure === undefined) {
    beginProbes(container, state.phase, now);
    return;
  }
  emitEvent(context, 'Warning', 'FailedPostStartHook', 'PostStartHook failed');
  const graceMs = podGraceMs(context.spec);
  stopContainer(context, { graceMs, message: 'FailedPostStartHook' });
}

/** A hook that was under way when the executor died is not run again, and is over. */
export function forgetHook({ state, container, now }: ContainerContext): void {
  if (state.phase.kind !== 'running') return;
  if (state.phase.postStart === 'running') {
    state.phase.postStart = 'done';
    beginProbes(container, state.phase, now);
  }
  if (state.phase.stop?.stage === 'pre-stop') state.phase.stop.deadline = now;
}

export function probeAnswered(
  context: ContainerContext,
  input: PodInput & { readonly kind: 'probe' },
): void {
  const { state, container, spec, now } = context;
  if (state.phase.kind !== 'running' || input.attempt !== state.attempt) return;
  const title = probeTitle[input.probe];
  const ok = input.outcome === 'success';
  if (input.outcome === 'failure') {
    emitEvent(context, 'Warning', 'Unhealthy', `${title} probe failed: ${input.message}`);
  } else if (input.outcome === 'error') {
    const text = `${title} probe errored and resulted in unknown state: ${input.message}`;
    emitEvent(context, 'Warning', 'Unhealthy', text);
  }
  const verdict = applyProbe(container, state.phase, { kind: input.probe, ok, now });
  if (verdict !== 'kill') return;
  const what = state.role === 'app' ? 'Container' : 'Init container';
  const again = runsAgain(spec, container, 137) ? ', will be restarted' : '';
  const own = probeOf(container, input.probe)?.terminationGracePeriodSeconds;
  stopContainer(context, {
    graceMs: own === undefined ? podGraceMs(spec) : own * 1000,
    message: `${what} ${state.name} failed ${input.probe} probe${again}`,
  });
}

export function emitDueProbes(context: ContainerContext): void {
  const { state, now } = context;
  if (state.phase.kind !== 'running') return;
  for (const probe of probeKinds) {
    if (!isProbeDue(state.phase, probe, now)) continue;
    const kept = state.phase.probes[probe];
    if (kept !== undefined) kept.running = true;
    context.emit({ kind: 'probe', name: state.name, attempt: state.attempt, probe });
  }
}

export function podGraceMs(spec: PodSpec): number {
  return (spec.terminationGracePeriodSeconds ?? 30) * 1000;
}
