// A Deployment that is scaled and rolled, and Jobs that end and are collected, without end.
import type { KubeClient } from '#kube/client/client.ts';
import { deployments, jobs, pods } from '#kube/client/resources.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { eventually } from '#test/support/cluster.ts';
import type { Latencies } from './latencies.ts';

const namespace = 'default';
const WEB = { namespace, name: 'web' };
const LEAST = 4;
const PATIENCE_MS = 120_000;

const templateOf = (command: readonly string[], restartPolicy: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: {
    restartPolicy,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'host',
        command,
        resources: { requests: { cpu: '5m', memory: '8Mi' } },
      },
    ],
  },
});

interface DeploymentStatus extends KubeObject {
  readonly status?: {
    readonly observedGeneration?: number;
    readonly readyReplicas?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
  };
}

export class PodChurn {
  readonly #client: KubeClient;
  readonly #most: number;
  readonly #latencies: Latencies;
  #turn = 0;
  #jobs = 0;

  constructor(client: KubeClient, most: number, latencies: Latencies) {
    this.#client = client;
    this.#most = most;
    this.#latencies = latencies;
  }

  async start(): Promise<void> {
    await this.#client.create(deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: WEB,
      spec: {
        replicas: LEAST,
        selector: { matchLabels: { app: 'web' } },
        template: templateOf(['sleep', '100000'], 'Always'),
      },
    } as KubeObject);
    await this.#isReady(LEAST);
  }

  /** Up, down, every third time all pods anew; done when the Deployment is what it is to be. */
  async step(): Promise<void> {
    this.#turn += 1;
    const replicas = this.#turn % 2 === 0 ? LEAST : this.#most;
    const isRoll = this.#turn % 3 === 0;
    await this.#latencies.time(isRoll ? 'rollout' : 'scaling', async () => {
      const annotations = { turn: String(this.#turn) };
      const template = isRoll ? { metadata: { annotations } } : {};
      await this.#client.patch(
        deployments,
        { ...WEB, type: 'merge' },
        { spec: { replicas, template } },
      );
      await this.#isReady(replicas);
    });
  }

  /** A Job that ends at once and is collected after its end. */
  async job(): Promise<void> {
    this.#jobs += 1;
    const name = `job-${this.#jobs}`;
    await this.#latencies.time('Job, until it is collected', async () => {
      const template = { spec: templateOf(['true'], 'Never').spec };
      await this.#client.create(jobs, {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { namespace, name },
        spec: { ttlSecondsAfterFinished: 0, template },
      } as KubeObject);
      await eventually(
        `${name} is gone`,
        async () =>
          (await this.#client.find(jobs, { namespace, name })) === undefined ? true : undefined,
        PATIENCE_MS,
      );
    });
  }

  /** What is left when all is deleted. */
  async end(): Promise<string[]> {
    await this.#client.delete(deployments, WEB, { propagationPolicy: 'Foreground' });
    let left: string[] = [];
    await eventually(
      'no pod is left',
      async () => {
        const { items } = await this.#client.list(pods, { namespace });
        left = items.map(({ metadata }) => `pod ${metadata.name} is left`);
        return left.length === 0 ? true : undefined;
      },
      PATIENCE_MS,
    ).catch(() => {});
    return left;
  }

  async #isReady(replicas: number): Promise<void> {
    await eventually(
      `${replicas} ready pods`,
      async () => {
        const { metadata, status } = await this.#client.get<DeploymentStatus>(deployments, WEB);
        const isWhole =
          status?.observedGeneration === metadata.generation &&
          status?.readyReplicas === replicas &&
          status.updatedReplicas === replicas &&
          status.replicas === replicas;
        return isWhole ? true : undefined;
      },
      PATIENCE_MS,
    );
  }
}
