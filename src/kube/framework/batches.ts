// Placements on their way: the pods of one agent are bound through the API, and launched together by one
// ACCEPT when the last is bound. One batch at a time for an agent.
import { assert } from '#base/assert.ts';
import type { PodRecords } from './pod-records.ts';
import type { FrameworkEffect, Launch, Offer, PodView } from './types.ts';

interface Batch {
  readonly agentId: string;
  readonly nodeName: string;
  readonly offers: readonly Offer[];
  readonly waiting: Set<string>;
  readonly bound: string[];
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
  /** By pod that is being bound. */
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
    const batch: Batch = { agentId, nodeName, offers, waiting: new Set(), bound: [] };
    const effects: FrameworkEffect[] = [];
    for (const uid of uids) {
      const record = this.#pods.get(uid);
      if (record === undefined) continue;
      this.#pods.enter(record, { kind: 'binding', agentId });
      const { nodeName: bound, namespace, name } = record.view.pod;
      if (bound !== undefined) batch.bound.push(uid);
      else {
        batch.waiting.add(uid);
        this.#byPod.set(uid, batch);
        effects.push({ kind: 'bind', uid, namespace, name, nodeName });
      }
    }
    if (batch.waiting.size === 0) return this.#launch(batch);
    this.#byAgent.set(agentId, batch);
    return effects;
  }

  /** What the API said to a pod's binding. Undefined while the batch waits for others. */
  ended(uid: string, isBound: boolean): FrameworkEffect[] | undefined {
    const batch = this.#byPod.get(uid);
    assert(batch !== undefined, `A binding of ${uid} ended that nobody began`);
    this.#byPod.delete(uid);
    batch.waiting.delete(uid);
    if (isBound) batch.bound.push(uid);
    if (batch.waiting.size > 0) return undefined;
    this.#byAgent.delete(batch.agentId);
    return this.#launch(batch);
  }

  #launch({ agentId, nodeName, offers, bound }: Batch): FrameworkEffect[] {
    const offerIds = offers.map(({ id }) => id);
    const launches: Launch[] = [];
    const removals: FrameworkEffect[] = [];
    for (const uid of bound) {
      const record = this.#pods.get(uid);
      if (record === undefined) continue;
      const { view } = record;
      if (view.isDeleting) {
        this.#pods.enter(record, { kind: 'over' });
        removals.push(removal(view));
        continue;
      }
      this.#pods.enter(record, { kind: 'launched', agentId, isConfirmed: false });
      const { namespace, name } = view.pod;
      const hostPorts = view.pod.hostPorts.map(({ port }) => port);
      const resources = this.#pods.charge(view.pod);
      launches.push({ uid, namespace, name, resources, hostPorts });
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

export function removal({ pod }: PodView): FrameworkEffect {
  const { uid, namespace, name } = pod;
  return { kind: 'remove-pod', uid, namespace, name };
}
