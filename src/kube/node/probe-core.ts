// Decides when a container is probed and what an answer means. Part of the pod core: pure.
import type { Container, Probe } from './pod-spec.ts';
import type { ProbeKind, ProbeState, Running } from './pod-state.ts';

export const probeKinds: readonly ProbeKind[] = ['startup', 'liveness', 'readiness'];

export const probeTitle: { readonly [kind in ProbeKind]: string } = {
  startup: 'Startup',
  liveness: 'Liveness',
  readiness: 'Readiness',
};

export function probeOf(container: Container, kind: ProbeKind): Probe | undefined {
  if (kind === 'startup') return container.startupProbe;
  return kind === 'liveness' ? container.livenessProbe : container.readinessProbe;
}

export function periodMs(probe: Probe): number {
  return Math.max(1, probe.periodSeconds ?? 10) * 1000;
}

/** Called when the container runs and its postStart hook is done, and again on each start. */
export function beginProbes(container: Container, running: Running, now: number): void {
  running.probes = {};
  for (const kind of probeKinds) {
    const probe = probeOf(container, kind);
    if (probe === undefined) continue;
    const nextAt = Math.max(now, running.startedAt + (probe.initialDelaySeconds ?? 0) * 1000);
    running.probes[kind] = { nextAt, running: false, successes: 0, failures: 0 };
  }
  running.started = container.startupProbe === undefined;
  running.ready = running.started && container.readinessProbe === undefined;
}

/** Startup holds the others back until it succeeded, and is then over. */
export function isProbeActive(running: Running, kind: ProbeKind): boolean {
  if (running.postStart !== 'done') return false;
  if (running.stop !== undefined && kind !== 'readiness') return false;
  return kind === 'startup' ? !running.started : running.started;
}

export function isProbeDue(running: Running, kind: ProbeKind, now: number): boolean {
  const state = running.probes[kind];
  if (state === undefined || state.running) return false;
  return isProbeActive(running, kind) && state.nextAt <= now;
}

export type ProbeVerdict = 'none' | 'kill';

/** Applies an answer; `kill` when the container must be restarted. */
export function applyProbe(
  container: Container,
  running: Running,
  { kind, ok, now }: { readonly kind: ProbeKind; readonly ok: boolean; readonly now: number },
): ProbeVerdict {
  const probe = probeOf(container, kind);
  const state = running.probes[kind];
  if (probe === undefined || state === undefined) return 'none';
  reschedule(state, periodMs(probe), now);
  state.successes = ok ? state.successes + 1 : 0;
  state.failures = ok ? 0 : state.failures + 1;
  if (!isProbeActive(running, kind)) return 'none';
  if (ok && state.successes >= (probe.successThreshold ?? 1)) {
    if (kind === 'startup') pastStartup(container, running, now);
    if (kind === 'readiness') running.ready = true;
  }
  if (!ok && state.failures >= (probe.failureThreshold ?? 3)) {
    if (kind === 'readiness') running.ready = false;
    else return 'kill';
  }
  return 'none';
}

function pastStartup(container: Container, running: Running, now: number): void {
  running.started = true;
  running.ready = container.readinessProbe === undefined;
  for (const kind of ['liveness', 'readiness'] as const) {
    const state = running.probes[kind];
    if (state !== undefined) state.nextAt = Math.max(state.nextAt, now);
  }
}

/** Keeps the rhythm: the next multiple of the period that is still to come. */
function reschedule(state: ProbeState, period: number, now: number): void {
  state.running = false;
  const missed = Math.floor((now - state.nextAt) / period);
  state.nextAt += period * (Math.max(0, missed) + 1);
}
