// Keeps the Node objects true: one for each agent, made, changed and taken away as the agent and what
// the instance holds there change. One write at a time for a node.
import { same } from '#base/same.ts';
import type { Env, Timer } from '#env/env.ts';
import { hasCode } from '#kube/client/api-call.ts';
import type { RestClient } from '#kube/client/rest-client.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { FrameworkCore } from './core.ts';
import type { NodeRecords } from './node-records.ts';
import { desiredNode } from './nodes.ts';

const AGAIN_MS = 50;
/** Offers come and go with every launch: what can be had on a node is told so long after a change. */
const ALLOCATABLE_MS = 5_000;

export interface NodeWriterParts {
  readonly client: RestClient;
  readonly core: FrameworkCore;
  readonly records: NodeRecords;
}

export class NodeWriter {
  readonly #parts: NodeWriterParts;
  readonly #env: Env;
  /** As last seen in the API. */
  readonly #nodes = new Map<string, KubeObject>();
  readonly #writes = new Map<string, 'running' | 'again'>();
  readonly #waiting = new Map<string, Timer>();
  /** Have waited long enough. */
  readonly #due = new Set<string>();
  #isClosed = false;

  constructor(parts: NodeWriterParts, env: Env) {
    this.#parts = parts;
    this.#env = env;
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
  }

  onNode(node: KubeObject): void {
    this.#nodes.set(node.metadata.name ?? '', node);
  }

  /** The name of the node that had this uid. */
  onNodeGone(uid: string): string | undefined {
    for (const [name, { metadata }] of this.#nodes) {
      if (metadata.uid !== uid) continue;
      this.#nodes.delete(name);
      return name;
    }
    return undefined;
  }

  /** Changes during a write are written by one more. */
  write(nodeName: string): void {
    if (this.#isClosed) return;
    if (this.#writes.has(nodeName)) {
      this.#writes.set(nodeName, 'again');
      return;
    }
    this.#writes.set(nodeName, 'running');
    void this.#reconcile(nodeName)
      .catch((error: unknown) => {
        if (hasCode(error, 404, 409)) this.#writes.set(nodeName, 'again');
        else this.#env.log.warn('Cannot write a node', { nodeName, error });
      })
      .finally(() => {
        const isWanted = this.#writes.get(nodeName) === 'again';
        this.#writes.delete(nodeName);
        if (isWanted) this.#env.timers.after(AGAIN_MS, () => this.write(nodeName));
      });
  }

  async #reconcile(nodeName: string): Promise<void> {
    const { client, core, records } = this.#parts;
    const isDue = this.#due.delete(nodeName);
    const agent = core.agentOfNode(nodeName);
    const path = `/api/v1/nodes/${nodeName}`;
    const existing = this.#nodes.get(nodeName);
    if (agent === undefined) {
      // Its agent left for good: so does the node, and the pod collector sees to its pods.
      if (existing !== undefined) await client.call({ method: 'DELETE', path });
      return;
    }
    const record = records.get(nodeName);
    const { held, offered } = core.allocatable(agent.id);
    const podCidr = records.podCidr(nodeName);
    const kubeletPort = record?.agentId === agent.id ? record.kubeletPort : undefined;
    const now = this.#env.clock.now();
    const node = desiredNode({ agent, held, offered, podCidr, kubeletPort, existing, now });
    if (existing === undefined) {
      await client.call({ method: 'POST', path: '/api/v1/nodes', body: node });
    }
    const before = existing?.['status'];
    if (same(before, node['status'])) return;
    const { allocatable } = node['status'];
    if (same({ ...before, allocatable }, node['status']) && !isDue) {
      this.#writeLater(nodeName);
      return;
    }
    await client.call({
      method: 'PATCH',
      path: `${path}/status`,
      contentType: 'application/strategic-merge-patch+json',
      body: { status: node['status'] },
    });
  }
  #writeLater(nodeName: string): void {
    if (this.#waiting.has(nodeName)) return;
    const timer = this.#env.timers.after(ALLOCATABLE_MS, () => {
      this.#waiting.delete(nodeName);
      this.#due.add(nodeName);
      this.write(nodeName);
    });
    this.#waiting.set(nodeName, timer);
  }
}
