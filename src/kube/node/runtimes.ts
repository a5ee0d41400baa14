// Which runtime runs a pod: a process of the machine, or the machine's container runtime.
import type { Clock, Timers } from '#env/env.ts';
import { CriClient, findCriSocket } from '#kube/cri/cri-client.ts';
import { CriRuntime } from './cri-runtime.ts';
import type { Pod } from './pod-spec.ts';
import type { Runtime } from './runtime.ts';

export type RuntimeChoice =
  | { readonly kind: 'process' }
  | { readonly kind: 'cri'; readonly handler: string }
  /** A RuntimeClass that is no name known here: its handler has to be looked up. */
  | { readonly kind: 'look-up'; readonly className: string };

/** By RuntimeClass; without one by what the machine has, and by the image `host`. */
export function chooseRuntime(
  pod: Pod,
  { hasCri, classDefault }: { readonly hasCri: boolean; readonly classDefault: string | undefined },
): RuntimeChoice {
  if (!hasCri) return { kind: 'process' };
  const className = pod.spec.runtimeClassName ?? classDefault;
  if (className === 'process') return { kind: 'process' };
  if (className !== undefined && className !== '') return { kind: 'look-up', className };
  const isHost = pod.spec.containers.every(({ image }) => image === 'host');
  return isHost ? { kind: 'process' } : { kind: 'cri', handler: '' };
}

export interface RuntimesOptions {
  readonly criSocket: string | undefined;
  readonly classDefault: string | undefined;
  readonly hostIps: readonly string[];
  readonly clusterDns: readonly string[];
}

export class Runtimes {
  readonly #process: Runtime;
  readonly #options: RuntimesOptions;
  readonly #env: { readonly clock: Clock; readonly timers: Timers };
  readonly #client: CriClient | undefined;
  readonly #byHandler = new Map<string, Runtime>();
  #criName = 'containerd';

  constructor(
    process: Runtime,
    options: RuntimesOptions,
    env: { readonly clock: Clock; readonly timers: Timers },
  ) {
    this.#process = process;
    this.#options = options;
    this.#env = env;
    const socket = findCriSocket(options.criSocket);
    this.#client = socket === undefined ? undefined : new CriClient(socket);
  }

  /** Asks the container runtime for its name; tells what was found. */
  async start(): Promise<string> {
    if (this.#client === undefined) return 'process';
    const version = await this.#client.call('Version', { version: '' }, 10_000);
    this.#criName = String(version['runtime_name']);
    return `${this.#criName}://${String(version['runtime_version'])}`;
  }

  async choose(
    pod: Pod,
    handlerOf: (className: string) => Promise<string | undefined>,
  ): Promise<Runtime> {
    const { classDefault } = this.#options;
    const hasCri = this.#client !== undefined;
    const choice = chooseRuntime(pod, { hasCri, classDefault });
    if (choice.kind === 'process') return this.#process;
    if (choice.kind === 'cri') return this.#cri(choice.handler);
    const handler = await handlerOf(choice.className);
    return handler === 'process' ? this.#process : this.#cri(handler ?? choice.className);
  }

  #cri(handler: string): Runtime {
    const known = this.#byHandler.get(handler);
    if (known !== undefined || this.#client === undefined) return known ?? this.#process;
    const { hostIps, clusterDns } = this.#options;
    const options = { name: this.#criName, handler, hostIps, clusterDns };
    const made = new CriRuntime(options, this.#client, this.#env);
    this.#byHandler.set(handler, made);
    return made;
  }

  close(): void {
    this.#client?.close();
  }
}
