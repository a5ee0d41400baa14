// Placements on their way: the pods of one agent are bound through the API (those that are bound already
// get the number of their next attempt), and launched together by one ACCEPT. One batch at a time for an agent.
import { assert } from '#base/assert.ts';
import { taskIdOf } from '#kube/meta/task-id.ts';
import type { PodRecord, PodRecords } from './pod-records.ts';
import type { FrameworkEffect, Launch, Offer, PodView } from './types.ts';

interface Batch {
  readonly agentId: string;
  readonly nodeName: string;
  readonly offers: readonly Offer[];
  readonly waiting: Set<string>;
  readonly ready: string[];
}

export interface Placement {
  readonly agentId: string;
  readonly nodeName: string;
  readonly offers: readonly Offer[];
  readonly uids: readonly string[];
}

export class Batches {
  readonly #pods: PodRecords;
  readonly #byAgent = new Map<string, Batch>();
  /** By pod that the API is asked about. */
  readonly #byPod = new Map<string, Batch>();

  constructor(pods: PodRecords) {
    this.#pods = pods;
  }

  get isEmpty(): boolean {
    return this.#byAgent.size === 0;
  }

  has(agentId: string): boolean {
    return this.#byAgent.has(agentId);
  }

  begin({ agentId, nodeName, offers, uids }: Placement): FrameworkEffect[] {
    const batch: Batch = { agentId, nodeName, offers, waiting: new Set(), ready: [] };
    const effects: FrameworkEffect[] = [];
    for (const uid of uids) {
      const record = this.#pods.get(uid);
      if (record === undefined) continue;
      const { nodeName: bound, namespace, name } = record.view.pod;
      const attempt = nextAttempt(record);
      this.#pods.enter(record, { kind: 'binding', agentId, attempt });
      if (bound === undefined) effects.push({ kind: 'bind', uid, namespace, name, nodeName });
      else if (attempt > 1) effects.push({ kind: 'note-attempt', uid, namespace, name, attempt });
      else {
        batch.ready.push(uid);
        continue;
      }
      batch.waiting.add(uid);
      this.#byPod.set(uid, batch);
    }
    if (batch.waiting.size === 0) return this.#launch(batch);
    this.#byAgent.set(agentId, batch);
    return effects;
  }

  /** What the API said to a pod's binding or number. Undefined while the batch waits for others. */
  answered(uid: string, isReady: boolean): FrameworkEffect[] | undefined {
    const batch = this.#byPod.get(uid);
    assert(batch !== undefined, `An answer about ${uid}, which nobody asked for`);
    this.#byPod.delete(uid);
    batch.waiting.delete(uid);
    const record = this.#pods.get(uid);
    if (isReady && record !== undefined) {
      this.#pods.bound(record, batch.nodeName);
      batch.ready.push(uid);
    }
    if (batch.waiting.size > 0) return undefined;
    this.#byAgent.delete(batch.agentId);
    return this.#launch(batch);
  }

  #launch({ agentId, nodeName, offers, ready }: Batch): FrameworkEffect[] {
    const offerIds = offers.map(({ id }) => id);
    const launches: Launch[] = [];
    const removals: FrameworkEffect[] = [];
    for (const uid of ready) {
      const record = this.#pods.get(uid);
      // Meanwhile it may have come to its end, or an attempt that was taken for lost has told of itself.
      if (record?.state.kind !== 'binding' || record.state.agentId !== agentId) continue;
      const { view } = record;
      if (view.isDeleting) {
        this.#pods.enter(record, { kind: 'over' });
        removals.push(removal(view));
        continue;
      }
      record.attempt = record.state.attempt;
      this.#pods.enter(record, { kind: 'launched', agentId, isConfirmed: false });
      const { namespace, name } = view.pod;
      const hostPorts = view.pod.hostPorts.map(({ port }) => port);
      const resources = this.#pods.charge(view.pod);
      const taskId = taskIdOf(uid, record.attempt);
      launches.push({ uid, taskId, namespace, name, resources, hostPorts });
    }
    if (launches.length === 0) {
      return [...removals, { kind: 'decline', offerIds, refuseSeconds: 0 }];
    }
    const offeredPorts = offers.flatMap(({ ports }) => ports);
    return [
      ...removals,
      { kind: 'accept', agentId, nodeName, offerIds, offeredPorts, launches },
      { kind: 'node-changed', nodeName },
    ];
  }
}

function nextAttempt({ attempt, view }: PodRecord): number {
  return Math.max(attempt, view.attempt ?? 0) + 1;
}

export function removal({ pod }: PodView): FrameworkEffect {
  const { uid, namespace, name } = pod;
  return { kind: 'remove-pod', uid, namespace, name };
}
