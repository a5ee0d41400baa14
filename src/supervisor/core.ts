// Decides which parts of a home should run, when a part that ended is started again, and when all
// has stopped. Pure: it is told of time and events and returns what to do; shell.ts does it.
import type { Instant } from '#env/env.ts';

export interface PartSpec {
  /** Unique within the home: `master`, `agent-1`, `kube-default`. Also the name of its log. */
  readonly name: string;
  /** Arguments after the program's own command line. */
  readonly args: readonly string[];
  /** Parts stop in the reverse order of their stage, and start all at once. */
  readonly stage: number;
}

export type PartState =
  | { readonly kind: 'starting'; readonly since: Instant }
  | { readonly kind: 'ready'; readonly since: Instant; readonly url: string }
  | {
      readonly kind: 'waiting';
      readonly restartAt: Instant;
      readonly exit: string;
      readonly failures: number;
    }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'stopped' };

export type SupervisorEffect =
  | { readonly kind: 'start'; readonly part: PartSpec }
  | {
      readonly kind: 'signal';
      readonly name: string;
      readonly signal: 'SIGTERM' | 'SIGUSR1' | 'SIGKILL';
    }
  | { readonly kind: 'wake-at'; readonly at: Instant }
  | { readonly kind: 'changed' }
  | { readonly kind: 'finished' };

export interface SupervisorOptions {
  readonly backOffMsMin: number;
  readonly backOffMsMax: number;
  /** A part that was ready and ran this long starts again at once when it ends. */
  readonly healthyAfterMs: number;
  readonly stopGraceMs: number;
  /** A part that ends so often without ever having been ready, before all were, ends everything. */
  readonly startTriesMax: number;
}

interface Part {
  readonly spec: PartSpec;
  state: PartState;
  startedAt: Instant;
  failures: number;
  hasBeenReady: boolean;
}

export type StopMode = 'keep-tasks' | 'kill-tasks';

export class SupervisorCore {
  readonly #options: SupervisorOptions;
  readonly #parts = new Map<string, Part>();
  /** Once everything was: what fails later is tried for ever. */
  #wasReady = false;
  #failure: { readonly name: string; readonly exit: string } | undefined;
  #stopping: { readonly mode: StopMode; deadline: Instant; stage: number } | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  states(): readonly { readonly spec: PartSpec; readonly state: PartState }[] {
    return [...this.#parts.values()].map(({ spec, state }) => ({ spec, state }));
  }

  /** The part that could not be started, which is why everything stops. */
  get failure(): { readonly name: string; readonly exit: string } | undefined {
    return this.#failure;
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** absent -> starting */
  add(spec: PartSpec, now: Instant): readonly SupervisorEffect[] {
    if (this.#parts.has(spec.name) || this.#stopping !== undefined) return [];
    const state: PartState = { kind: 'starting', since: now };
    this.#parts.set(spec.name, { spec, state, startedAt: now, failures: 0, hasBeenReady: false });
    return [{ kind: 'start', part: spec }, { kind: 'changed' }];
  }

  /** starting -> ready */
  onReady(name: string, url: string, now: Instant): readonly SupervisorEffect[] {
    const part = this.#parts.get(name);
    if (part === undefined || part.state.kind !== 'starting') return [];
    part.state = { kind: 'ready', since: now, url };
    part.hasBeenReady = true;
    this.#wasReady ||= [...this.#parts.values()].every((one) => one.hasBeenReady);
    return [{ kind: 'changed' }];
  }

  /** starting | ready -> waiting (then starting again); stopping -> stopped */
  onExit(name: string, exit: string, now: Instant): readonly SupervisorEffect[] {
    const part = this.#parts.get(name);
    if (part === undefined) return [];
    if (this.#stopping !== undefined) {
      part.state = { kind: 'stopped' };
      return [{ kind: 'changed' }, ...this.#advanceStop(now)];
    }
    // On a busy machine a start that fails may take long, too.
    const wasReady = part.state.kind === 'ready';
    const healthy = wasReady && now - part.startedAt >= this.#options.healthyAfterMs;
    part.failures = healthy ? 0 : part.failures + 1;
    const delayMs = healthy ? 0 : this.#backOffMs(part.failures);
    part.state = { kind: 'waiting', restartAt: now + delayMs, exit, failures: part.failures };
    if (this.#isHopeless(part)) {
      this.#failure = { name, exit };
      return [{ kind: 'changed' }, ...this.stop('keep-tasks', now)];
    }
    return [{ kind: 'changed' }, { kind: 'wake-at', at: now + delayMs }];
  }

  onTick(now: Instant): readonly SupervisorEffect[] {
    if (this.#stopping !== undefined) return this.#onStopTick(now);
    const effects: SupervisorEffect[] = [];
    for (const part of this.#parts.values()) {
      if (part.state.kind !== 'waiting') continue;
      // A timer and a clock may differ by a millisecond: who is early waits again, or nobody ever comes.
      if (part.state.restartAt > now) {
        effects.push({ kind: 'wake-at', at: part.state.restartAt });
        continue;
      }
      part.state = { kind: 'starting', since: now };
      part.startedAt = now;
      effects.push({ kind: 'start', part: part.spec }, { kind: 'changed' });
    }
    return effects;
  }

  /** Stops every part, the highest stage first; a second call changes nothing. */
  stop(mode: StopMode, now: Instant): readonly SupervisorEffect[] {
    if (this.#stopping !== undefined) return [];
    this.#stopping = { mode, deadline: now, stage: Number.POSITIVE_INFINITY };
    for (const part of this.#parts.values()) {
      if (part.state.kind === 'waiting') part.state = { kind: 'stopped' };
    }
    return this.#advanceStop(now);
  }

  #isHopeless({ hasBeenReady, failures }: Part): boolean {
    return !this.#wasReady && !hasBeenReady && failures >= this.#options.startTriesMax;
  }

  #backOffMs(failures: number): number {
    const { backOffMsMin, backOffMsMax } = this.#options;
    return Math.min(backOffMsMax, backOffMsMin * 2 ** Math.min(20, failures - 1));
  }

  #advanceStop(now: Instant): readonly SupervisorEffect[] {
    const stopping = this.#stopping;
    if (stopping === undefined) return [];
    const running = [...this.#parts.values()].filter((part) => part.state.kind !== 'stopped');
    if (running.length === 0) return [{ kind: 'finished' }];
    const stage = Math.max(...running.map((part) => part.spec.stage));
    if (stage >= stopping.stage) return [];
    stopping.stage = stage;
    stopping.deadline = now + this.#options.stopGraceMs;
    const effects: SupervisorEffect[] = [];
    for (const part of running) {
      if (part.spec.stage !== stage) continue;
      part.state = { kind: 'stopping' };
      // A Mesos agent ends its tasks on SIGUSR1 and leaves them running on SIGTERM.
      const kills = stopping.mode === 'kill-tasks' && part.spec.name.startsWith('agent-');
      effects.push({ kind: 'signal', name: part.spec.name, signal: kills ? 'SIGUSR1' : 'SIGTERM' });
    }
    return [...effects, { kind: 'wake-at', at: stopping.deadline }, { kind: 'changed' }];
  }

  #onStopTick(now: Instant): readonly SupervisorEffect[] {
    if (this.#stopping === undefined) return [];
    const { deadline } = this.#stopping;
    if (now < deadline) return [{ kind: 'wake-at', at: deadline }];
    const effects: SupervisorEffect[] = [];
    for (const part of this.#parts.values()) {
      if (part.state.kind !== 'stopping') continue;
      effects.push({ kind: 'signal', name: part.spec.name, signal: 'SIGKILL' });
    }
    return effects;
  }
}
