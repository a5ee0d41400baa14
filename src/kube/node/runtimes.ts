// Which runtime runs a pod: a process of the machine, or the machine's container runtime. Once chosen
// for a pod it stays, whatever comes and goes on the machine.
import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorChain } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { CriClient, findCriSocket, hasGrpcCode } from '#kube/cri/cri-client.ts';
import { CriExits } from './cri-exits.ts';
import { CriNetwork } from './cri-network.ts';
import { CriRuntime } from './cri-runtime.ts';
import type { PodNetwork } from './pod-network.ts';
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

interface Cri {
  readonly socket: string;
  readonly client: CriClient;
  readonly exits: CriExits;
  readonly network: CriNetwork;
  readonly byHandler: Map<string, CriRuntime>;
  name: string;
}

type Kept =
  | { readonly kind: 'process' }
  | { readonly kind: 'cri'; readonly handler: string; readonly socket: string };

const keptName = 'runtime.json';
const versionMs = 10_000;

export class Runtimes {
  readonly #process: Runtime;
  readonly #network: PodNetwork | undefined;
  readonly #options: RuntimesOptions;
  readonly #env: Env;
  #cri: Cri | undefined;

  constructor(
    process: Runtime,
    network: PodNetwork | undefined,
    options: RuntimesOptions,
    env: Env,
  ) {
    this.#process = process;
    this.#network = network;
    this.#options = options;
    this.#env = env;
  }

  /** `containerd://1.7.2`, or `process` on a machine without a container runtime. */
  async describe(): Promise<string> {
    const cri = this.#findCri();
    if (cri === undefined) return 'process';
    try {
      const version = await cri.client.call('Version', { version: '' }, versionMs);
      cri.name = String(version['runtime_name']);
      return `${cri.name}://${String(version['runtime_version'])}`;
    } catch (error) {
      if (hasGrpcCode(error, 'unimplemented')) return 'process';
      this.#env.log.warn('The container runtime does not answer', { error: errorChain(error) });
      return cri.name;
    }
  }

  /** A runtime may be installed while the node runs. */
  #findCri(): Cri | undefined {
    if (this.#cri !== undefined) return this.#cri;
    const socket = findCriSocket(this.#options.criSocket);
    return socket === undefined || !existsSync(socket) ? undefined : this.#connect(socket);
  }

  #connect(socket: string): Cri {
    if (this.#cri !== undefined) return this.#cri;
    const client = new CriClient(socket);
    const { timers } = this.#env;
    const made: Cri = {
      socket,
      client,
      exits: new CriExits(client, timers),
      network: new CriNetwork(client, this.#network, timers),
      byHandler: new Map(),
      name: 'containerd',
    };
    this.#cri = made;
    return made;
  }

  /** Whether there is one that speaks CRI; one that is away counts: its pods wait for it. */
  async #hasCri(): Promise<boolean> {
    return (await this.describe()) !== 'process';
  }

  async choose(
    pod: Pod,
    folder: string,
    handlerOf: (className: string) => Promise<string | undefined>,
  ): Promise<Runtime> {
    const path = join(folder, keptName);
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text !== undefined) return this.#runtime(JSON.parse(text) as Kept);
    const made = await this.#decide(pod, handlerOf);
    await writeFile(`${path}.new`, JSON.stringify(made));
    await rename(`${path}.new`, path);
    return this.#runtime(made);
  }

  async #decide(
    pod: Pod,
    handlerOf: (className: string) => Promise<string | undefined>,
  ): Promise<Kept> {
    const { classDefault } = this.#options;
    const choice = chooseRuntime(pod, { hasCri: await this.#hasCri(), classDefault });
    const socket = this.#cri?.socket;
    if (choice.kind === 'process' || socket === undefined) return { kind: 'process' };
    if (choice.kind === 'cri') return { ...choice, socket };
    const handler = await handlerOf(choice.className);
    if (handler === 'process') return { kind: 'process' };
    return { kind: 'cri', handler: handler ?? choice.className, socket };
  }

  #runtime(choice: Kept): Runtime {
    if (choice.kind === 'process') return this.#process;
    const cri = this.#connect(choice.socket);
    const known = cri.byHandler.get(choice.handler);
    if (known !== undefined) return known;
    const { hostIps, clusterDns } = this.#options;
    const { handler } = choice;
    const made = new CriRuntime({ name: cri.name, handler, hostIps, clusterDns }, cri, this.#env);
    cri.byHandler.set(handler, made);
    return made;
  }

  close(): void {
    for (const runtime of this.#cri?.byHandler.values() ?? []) runtime.close();
    this.#cri?.exits.close();
    this.#cri?.client.close();
  }
}
