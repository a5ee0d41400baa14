// The runtime port: what makes a pod's surroundings and runs its containers. Adapters: processes of
// the machine (process-runtime.ts) and a CRI runtime such as containerd (kube/cri).
import type { Duplex } from 'node:stream';
import type { KubeObject } from '#kube/meta/object.ts';
import type { Container, Pod } from './pod-spec.ts';

export interface Mount {
  /** On the machine. */
  readonly source: string;
  /** As the container sees it. */
  readonly target: string;
  readonly readOnly: boolean;
  readonly volumeName: string;
}

export interface PodPlace {
  readonly pod: Pod;
  /** The pod's folder on the node; everything of the pod is below it. */
  readonly folder: string;
}

export interface ContainerPlace extends PodPlace {
  readonly container: Container;
  readonly attempt: number;
}

export interface StartRequest extends ContainerPlace {
  readonly env: Readonly<Record<string, string>>;
  /** After expansion. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly mounts: readonly Mount[];
  /** Secrets of the pod with credentials for registries. */
  readonly pullSecrets?: readonly KubeObject[];
  /** The container whose processes an ephemeral one sees, if that runs. */
  readonly targetId?: string | undefined;
  progress(step: StartProgress): void;
}

export type StartProgress =
  | { readonly kind: 'image'; readonly step: 'present' | 'pulling' | 'pulled'; message: string }
  | { readonly kind: 'created' }
  /** Worth an event of the pod, for example that it has no network of its own. */
  | { readonly kind: 'note'; readonly reason: string; readonly message: string };

export interface ContainerEnd {
  readonly exitCode: number;
  readonly oom: boolean;
  readonly at: number;
  readonly message?: string | undefined;
}

export interface RunningContainer {
  readonly id: string;
  readonly startedAt: number;
  readonly imageId: string;
  readonly ended: Promise<ContainerEnd>;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
}

export interface ExecSession {
  /** Undefined when the session has no input. */
  readonly stdin: NodeJS.WritableStream | undefined;
  readonly stdout: NodeJS.ReadableStream;
  /** Undefined with a tty. */
  readonly stderr: NodeJS.ReadableStream | undefined;
  readonly exitCode: Promise<number>;
  resize(size: { readonly columns: number; readonly rows: number }): void;
  /** Ends it when the client has gone. */
  kill(): void;
}

export interface LogRequest {
  readonly follow: boolean;
  readonly tailLines?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly sinceMs?: number | undefined;
  readonly timestamps: boolean;
  readonly limitBytes?: number | undefined;
  readonly stream: 'all' | 'stdout' | 'stderr';
}

export interface ContainerUsage {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/**
 * Faults of `start`: codes `container-config`, `container-image` (with `reason`),
 * `container-create` and `container-run`.
 */
export interface Runtime {
  /** As in `containerID: process://…`. */
  readonly name: string;
  /** Network and folders of a pod; the pod's addresses. May be called again after a failure. */
  prepare(place: PodPlace): Promise<{ readonly ips: readonly string[] }>;
  /** Tells of a pod that a former executor had prepared; before any `adopt`. */
  recover(place: PodPlace, ips: readonly string[]): void;
  start(request: StartRequest): Promise<RunningContainer>;
  /** What runs, or ended, of this attempt; undefined when it was never started. */
  adopt(place: ContainerPlace): Promise<RunningContainer | undefined>;
  signal(place: ContainerPlace, signal: string): Promise<void>;
  /** Forgets an old attempt of a container and its logs. */
  forget(place: ContainerPlace): Promise<void>;
  /** Ends whatever is left of the pod; keeps its logs. */
  teardown(place: PodPlace): Promise<void>;
  exec(place: ContainerPlace, request: ExecRequest): Promise<ExecSession>;
  attach(place: ContainerPlace): Promise<ExecSession>;
  /** Yields pieces of the log until its end (or, following, until the container's). */
  logs(place: ContainerPlace, request: LogRequest, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** A connection to a port within the pod. */
  dial(place: PodPlace, port: number): Promise<Duplex>;
  usage(place: ContainerPlace): Promise<ContainerUsage | undefined>;
}
