// For tests: a pod worker on real processes with an API server that is a table.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEnv } from '#env/node/env.ts';
import { createProcessHost } from '#env/node/process-host.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { NodeApi, PodEvent } from './node-api.ts';
import { PodNetwork } from './pod-network.ts';
import type { Pod, PodSpec } from './pod-spec.ts';
import type { PodStatus } from './pod-state.ts';
import { PodWorker } from './pod-worker.ts';
import { ProcessRuntime } from './process-runtime.ts';
import { Runtimes } from './runtimes.ts';
import type { LogRequest } from './runtime.ts';

export interface FixtureOptions {
  readonly privileged: boolean;
  readonly podCidr?: string | undefined;
  /** Pods whose image is not `host` go to the container runtime behind it. */
  readonly criSocket?: string | undefined;
}

export function aPod(name: string, spec: PodSpec): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}-${process.pid}`, generation: 1 },
    spec,
  };
}

/** One node's worth of pods; `await using` it. */
export class NodeFixture implements AsyncDisposable {
  readonly folder: string;
  readonly env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  readonly objects = new Map<string, KubeObject>();
  readonly events: PodEvent[] = [];
  runtime: ProcessRuntime;
  runtimes: Runtimes;
  network: PodNetwork | undefined;
  readonly #options: FixtureOptions;
  readonly #workers: PodWorker[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #latest = new Map<string, PodStatus>();
  readonly finished = new Map<string, string>();

  constructor(options: FixtureOptions) {
    this.#options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'strata-node-'));
    this.runtime = this.#makeRuntime();
    this.runtimes = this.#makeRuntimes();
  }

  #makeRuntimes(): Runtimes {
    return new Runtimes(
      this.runtime,
      this.network,
      {
        criSocket: this.#options.criSocket ?? 'none',
        classDefault: undefined,
        hostIps: ['127.0.0.1'],
        clusterDns: [],
      },
      this.env,
    );
  }

  #makeRuntime(): ProcessRuntime {
    const { privileged, podCidr } = this.#options;
    const network = { cluster: 'test', nodeName: `n${process.pid}` };
    this.network = podCidr === undefined ? undefined : new PodNetwork({ ...network, podCidr });
    return new ProcessRuntime(
      {
        hostIps: ['127.0.0.1'],
        privileged,
        network: this.network,
        cgroup: `strata/test-${process.pid}`,
        baseEnv: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
      },
      createProcessHost({ ...this.env }),
      this.env,
    );
  }

  get api(): NodeApi {
    return {
      configMap: async (namespace, name) => this.objects.get(`configmap/${namespace}/${name}`),
      secret: async (namespace, name) => this.objects.get(`secret/${namespace}/${name}`),
      trustBundles: async () =>
        [...this.objects.values()].filter(({ kind }) => kind === 'ClusterTrustBundle'),
      serviceAccount: async () => undefined,
      node: async () => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } }),
      makeCertificateKey: async () => ({ key: '', request: new Uint8Array() }),
      requestCertificate: async (request) => request,
      certificateDone: async () => undefined,
      services: async () => [...this.objects.values()].filter(({ kind }) => kind === 'Service'),
      token: async ({ serviceAccount }) => ({
        token: `token-of-${serviceAccount}`,
        expiresAt: this.env.clock.now() + 3_600_000,
      }),
      writeStatus: async () => true,
      deletePod: async () => {},
      recordEvent: (_pod, event) => {
        this.events.push(event);
        this.#wake();
      },
    };
  }

  /** A new executor: new objects over the same disk and processes. */
  async restart(): Promise<void> {
    for (const worker of this.#workers.splice(0)) await worker.close();
    this.runtimes.close();
    this.runtime = this.#makeRuntime();
    this.runtimes = this.#makeRuntimes();
  }

  async run(pod: Pod): Promise<PodWorker> {
    const folder = join(this.folder, pod.metadata.uid ?? '');
    mkdirSync(folder, { recursive: true });
    const kept = await PodWorker.keptState(folder);
    const worker = new PodWorker(
      pod,
      kept,
      {
        nodeName: 'n1',
        hostIps: ['127.0.0.1'],
        capacity: { cpus: 2, memoryBytes: 2 ** 30 },
        folder,
        runtime: await this.runtimes.choose(pod, folder, async () => undefined),
        api: this.api,
        onStatus: (_pod, status) => {
          this.#latest.set(pod.metadata.name ?? '', status);
          this.#wake();
        },
        onFinished: (_pod, phase) => {
          this.finished.set(pod.metadata.name ?? '', phase);
          this.#wake();
        },
      },
      this.env,
    );
    try {
      await worker.start();
    } catch (error) {
      // It would never be finished, and what ends the fixture would wait for it.
      await worker.close();
      throw error;
    }
    this.#workers.push(worker);
    return worker;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when the condition holds; checked after each status, event and end. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((done) => {
      const check = (): void => {
        if (!condition()) return;
        this.#waiting.delete(check);
        done();
      };
      this.#waiting.add(check);
    });
  }

  statusOf(name: string): PodStatus | undefined {
    return this.#latest.get(name);
  }

  async logOf(worker: PodWorker, name: string, request: Partial<LogRequest> = {}): Promise<string> {
    const attempt = worker.state.containers.find((each) => each.name === name)?.attempt ?? 0;
    const complete = { follow: false, timestamps: false, stream: 'all', ...request } as const;
    const place = worker.place(name, attempt);
    const pieces: Uint8Array[] = [];
    const never = new AbortController().signal;
    for await (const piece of worker.runtime.logs(place, complete, never)) pieces.push(piece);
    return Buffer.concat(pieces).toString('utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) {
      if (!worker.isFinished) {
        worker.input({ kind: 'kill', graceMs: 0, reason: 'End', message: '' });
        await this.until(() => worker.isFinished);
      }
      await worker.close();
    }
    this.runtimes.close();
    if (this.network !== undefined) await this.network.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
