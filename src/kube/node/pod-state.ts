// The pod state machine's vocabulary: its state as plain data (kept on disk, so that a successor of
// the executor goes on from it), what comes in and what goes out.
import type { PodCondition } from './pod-spec.ts';

export interface Terminated {
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string | undefined;
  /** 0 when it never ran. */
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly containerId?: string | undefined;
}

export type ProbeKind = 'startup' | 'liveness' | 'readiness';
export type HookKind = 'postStart' | 'preStop';

export interface ProbeState {
  nextAt: number;
  running: boolean;
  successes: number;
  failures: number;
}

export interface Stop {
  /** pre-stop -> signalled -> killed; each stage ends at `deadline` at the latest. */
  stage: 'pre-stop' | 'signalled' | 'killed';
  deadline: number;
}

export interface Running {
  kind: 'running';
  containerId: string;
  startedAt: number;
  postStart: 'running' | 'done';
  started: boolean;
  ready: boolean;
  probes: { [kind in ProbeKind]?: ProbeState };
  stop?: Stop | undefined;
}

export type ContainerPhase =
  | { kind: 'waiting'; reason?: string | undefined; message?: string | undefined }
  | { kind: 'starting' }
  | Running
  | ({ kind: 'terminated' } & Terminated);

/** `ephemeral`: added to a running pod to look into it, started once, never again. */
export type Role = 'init' | 'sidecar' | 'app' | 'ephemeral';

export interface ContainerState {
  readonly name: string;
  readonly role: Role;
  /** Number of the present or latest container, from 0; -1 before the first. */
  attempt: number;
  phase: ContainerPhase;
  /** The run before the present phase. */
  last?: Terminated | undefined;
  backoff?: { delayMs: number; updatedAt: number } | undefined;
  /** Delay before the next try to start after a failed one (images, configuration). */
  retry?: { delayMs: number; at: number } | undefined;
  imageId?: string | undefined;
  /** Plain init containers: it ended well and is not needed again. */
  done?: boolean | undefined;
}

export type Sandbox =
  | { kind: 'none' }
  | { kind: 'preparing' }
  | { kind: 'retry'; at: number; delayMs: number }
  | { kind: 'ready'; ips: readonly string[] }
  | { kind: 'tearing-down' }
  | { kind: 'gone' };

export interface Ending {
  /** Why the pod ends; `deleted` is the ordinary way. */
  cause: 'deleted' | 'killed' | 'deadline' | 'completed';
  requestedAt: number;
  graceMs: number;
  reason?: string | undefined;
  message?: string | undefined;
}

export interface PodState {
  readonly uid: string;
  startedAt: number;
  sandbox: Sandbox;
  initialized: boolean;
  containers: ContainerState[];
  conditions: { [type: string]: { status: string; since: number } };
  ips: readonly string[];
  ending?: Ending | undefined;
  /** Set once the pod reached its last phase; never changes afterwards. */
  finalPhase?: 'Succeeded' | 'Failed' | undefined;
}

export type StartFailure = {
  /** config: nothing was made; image: not there; create: not made; run: made but did not start. */
  readonly stage: 'config' | 'image' | 'create' | 'run';
  readonly reason: string;
  readonly message: string;
};

export type PodInput =
  /** The pod object came or changed (its deletion timestamp above all). */
  | { readonly kind: 'pod' }
  | { readonly kind: 'prepared'; readonly ips: readonly string[] }
  | { readonly kind: 'prepare-failed'; readonly reason: string; readonly message: string }
  | { readonly kind: 'torn-down' }
  | {
      readonly kind: 'image';
      readonly name: string;
      readonly step: 'present' | 'pulling' | 'pulled';
      readonly message: string;
    }
  | { readonly kind: 'created'; readonly name: string }
  | {
      readonly kind: 'started';
      readonly name: string;
      readonly attempt: number;
      readonly containerId: string;
      readonly at: number;
      readonly imageId?: string | undefined;
    }
  | ({ readonly kind: 'start-failed'; readonly name: string } & StartFailure)
  | {
      readonly kind: 'exited';
      readonly name: string;
      readonly attempt: number;
      readonly exitCode: number;
      readonly oom: boolean;
      readonly message?: string | undefined;
      readonly at: number;
      readonly startedAt?: number | undefined;
    }
  /** After a restart of the executor: this container was never launched. */
  | { readonly kind: 'absent'; readonly name: string }
  | {
      readonly kind: 'hook';
      readonly name: string;
      readonly attempt: number;
      readonly hook: HookKind;
      readonly failure?: string | undefined;
    }
  | {
      readonly kind: 'probe';
      readonly name: string;
      readonly attempt: number;
      readonly probe: ProbeKind;
      readonly outcome: 'success' | 'failure' | 'error';
      readonly message: string;
    }
  /** The substrate wants the pod's resources back. */
  | {
      readonly kind: 'kill';
      readonly graceMs?: number | undefined;
      readonly reason: string;
      readonly message: string;
    }
  | { readonly kind: 'tick' };

export type PodEffect =
  | { readonly kind: 'prepare' }
  | { readonly kind: 'start'; readonly name: string; readonly attempt: number }
  | {
      readonly kind: 'signal';
      readonly name: string;
      readonly attempt: number;
      readonly signal: string;
    }
  | {
      readonly kind: 'hook';
      readonly name: string;
      readonly attempt: number;
      readonly hook: HookKind;
      readonly timeoutMs: number;
    }
  | {
      readonly kind: 'probe';
      readonly name: string;
      readonly attempt: number;
      readonly probe: ProbeKind;
    }
  | {
      readonly kind: 'event';
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
      /** The container it is about. */
      readonly name?: string | undefined;
    }
  | { readonly kind: 'teardown' }
  /** All is over and cleaned up: delete the object (when it is being deleted), end the task. */
  | { readonly kind: 'finished'; readonly phase: 'Succeeded' | 'Failed' };

export interface ContainerStatus {
  readonly name: string;
  readonly image: string;
  readonly imageID: string;
  readonly containerID?: string | undefined;
  readonly restartCount: number;
  readonly ready: boolean;
  /** Not told of ephemeral containers. */
  readonly started?: boolean;
  readonly state: Readonly<Record<string, unknown>>;
  readonly lastState: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface PodStatus {
  readonly phase: string;
  readonly conditions: readonly PodCondition[];
  readonly containerStatuses: readonly ContainerStatus[];
  readonly [field: string]: unknown;
}
