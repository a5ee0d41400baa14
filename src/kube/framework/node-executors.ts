// The node executor of each agent as the substrate is told of it: the very same description as long as it
// runs there, another with a kubelet port that is offered when it has to be started anew.
import type { Env } from '#env/env.ts';
import { noAmounts } from '#kube/scheduler/types.ts';
import type { ExecutorInfo } from '#wire/mesos/v1.ts';
import type { FrameworkCore } from './core.ts';
import type { NodeRecord, NodeRecords } from './node-records.ts';
import type { FrameworkEffect } from './types.ts';
import { resourcesToWire } from './wire.ts';

const MB = 1024 * 1024;
/** What an executor needs beside its pods. */
export const EXECUTOR = { ...noAmounts, cpuMilli: 100, memoryBytes: 128 * MB };

type Accept = Extract<FrameworkEffect, { kind: 'accept' }>;

export interface NodeExecutorsOptions {
  readonly instance: string;
  readonly role: string;
  /** The command line of the node executor, the same for every version. */
  readonly nodeExecutorCommand: readonly string[];
  /** Everything the node executor needs, as text for its environment. */
  readonly issueBundle: (node: {
    nodeName: string;
    ip: string;
    kubeletPort: number;
    podCidr: string;
  }) => Promise<string>;
}

export function executorIdOf(instance: string): string {
  return `kube-node-${instance}`;
}

export class NodeExecutors {
  readonly #options: NodeExecutorsOptions;
  readonly #core: FrameworkCore;
  readonly #records: NodeRecords;
  readonly #env: Env;

  constructor(
    options: NodeExecutorsOptions,
    { core, records }: { core: FrameworkCore; records: NodeRecords },
    env: Env,
  ) {
    this.#options = options;
    this.#core = core;
    this.#records = records;
    this.#env = env;
  }

  /** Undefined: no port is offered for its kubelet API. */
  async of(accept: Accept, frameworkId: string): Promise<ExecutorInfo | undefined> {
    const { agentId, nodeName, offeredPorts, launches } = accept;
    const known = this.#records.get(nodeName);
    if (known?.agentId === agentId && this.#core.isExecutorRunning(agentId)) return known.executor;
    const isOffered = (port: number): boolean =>
      offeredPorts.some(({ begin, end }) => begin <= port && port <= end);
    const taken = new Set(launches.flatMap(({ hostPorts }) => hostPorts));
    if (
      known?.agentId === agentId &&
      isOffered(known.kubeletPort) &&
      !taken.has(known.kubeletPort)
    ) {
      return known.executor;
    }
    const kubeletPort = firstFree(offeredPorts, taken);
    if (kubeletPort === undefined) {
      this.#env.log.error('No port is offered for the kubelet API', { nodeName });
      return undefined;
    }
    const record = await this.#newRecord(accept, kubeletPort, frameworkId);
    this.#records.put(record);
    return record.executor;
  }

  async #newRecord(
    { agentId, nodeName }: Accept,
    kubeletPort: number,
    frameworkId: string,
  ): Promise<NodeRecord> {
    const { instance, role, nodeExecutorCommand, issueBundle } = this.#options;
    const ip = this.#core.agentOfNode(nodeName)?.ip ?? '127.0.0.1';
    const podCidr = this.#records.podCidr(nodeName);
    const bundle = await issueBundle({ nodeName, ip, kubeletPort, podCidr });
    const secret = { type: 'VALUE' as const, value: { data: new Uint8Array(Buffer.from(bundle)) } };
    const [program = '', ...rest] = nodeExecutorCommand;
    const executor: ExecutorInfo = {
      type: 'CUSTOM',
      executor_id: { value: executorIdOf(instance) },
      framework_id: { value: frameworkId },
      name: `Kubernetes node of ${instance}`,
      command: {
        shell: false,
        value: program,
        arguments: [program, ...rest],
        environment: { variables: [{ name: 'STRATA_NODE_BUNDLE', type: 'SECRET', secret }] },
      },
      resources: resourcesToWire(EXECUTOR, [kubeletPort], role),
    };
    return { nodeName, agentId, kubeletPort, podCidr, executor };
  }
}

function firstFree(
  ranges: readonly { begin: number; end: number }[],
  taken: ReadonlySet<number>,
): number | undefined {
  for (const { begin, end } of ranges) {
    for (let port = begin; port <= end; port++) if (!taken.has(port)) return port;
  }
  return undefined;
}
