// What the core knows of each pod: its object as last seen, and how far its task is. Pods that wait, and
// those of one agent, are found without a look at all the others.
import { addAmounts, noAmounts, type Amounts, type SchedulingPod } from '#kube/scheduler/types.ts';
import type { PodView } from './types.ts';

export type PodState =
  | { readonly kind: 'pending'; readonly message: string }
  | { readonly kind: 'binding'; readonly agentId: string }
  | { readonly kind: 'launched'; readonly agentId: string; readonly isConfirmed: boolean }
  /** Bound, but whether its task exists is being asked (after a restart). */
  | { readonly kind: 'unknown'; readonly agentId: string | undefined }
  | { readonly kind: 'over' };

export interface PodRecord {
  readonly uid: string;
  view: PodView;
  /** Changed by `enter` alone. */
  readonly state: PodState;
  /** The update that ended its task last: told again, it is not about the next attempt. */
  endedBy: string | undefined;
}

export function isPodOver({ phase }: PodView): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

export class PodRecords {
  readonly #leastRequest: Amounts;
  readonly #records = new Map<string, PodRecord>();
  readonly #pending = new Set<PodRecord>();
  readonly #launched = new Map<string, Set<PodRecord>>();

  /** Mesos refuses tasks without resources; pods that ask for nothing are charged `leastRequest`. */
  constructor(leastRequest: Amounts) {
    this.#leastRequest = leastRequest;
  }

  get(uid: string): PodRecord | undefined {
    return this.#records.get(uid);
  }

  all(): Iterable<PodRecord> {
    return this.#records.values();
  }

  add(view: PodView, state: PodState): void {
    const { uid } = view.pod;
    const record: PodRecord = { uid, view, state: { kind: 'over' }, endedBy: undefined };
    this.#records.set(uid, record);
    this.enter(record, state);
  }

  delete(uid: string): void {
    const record = this.#records.get(uid);
    if (record === undefined) return;
    this.enter(record, { kind: 'over' });
    this.#records.delete(uid);
  }

  enter(record: PodRecord, state: PodState): void {
    const { state: before } = record;
    if (before.kind === 'launched') this.#launched.get(before.agentId)?.delete(record);
    Object.assign(record, { state });
    if (state.kind === 'pending') this.#pending.add(record);
    else this.#pending.delete(record);
    if (state.kind !== 'launched') return;
    const here = this.#launched.get(state.agentId) ?? new Set();
    this.#launched.set(state.agentId, here.add(record));
  }

  get isAnyPending(): boolean {
    return this.#pending.size > 0;
  }

  pending(): SchedulingPod[] {
    return [...this.#pending].map(({ view }) => view.pod);
  }

  launchedOn(agentId: string): Iterable<PodRecord> {
    return this.#launched.get(agentId) ?? [];
  }

  heldOn(agentId: string): Amounts {
    let held = noAmounts;
    for (const { view } of this.launchedOn(agentId)) held = addAmounts(held, this.charge(view.pod));
    return held;
  }

  forgetAgent(agentId: string): void {
    if (this.#launched.get(agentId)?.size === 0) this.#launched.delete(agentId);
  }

  /** What the substrate is asked for. */
  charge({ requests }: SchedulingPod): Amounts {
    return {
      cpuMilli: Math.max(requests.cpuMilli, this.#leastRequest.cpuMilli),
      memoryBytes: Math.max(requests.memoryBytes, this.#leastRequest.memoryBytes),
      ephemeralStorageBytes: requests.ephemeralStorageBytes,
      gpus: requests.gpus,
    };
  }

  charged(pods: readonly SchedulingPod[]): SchedulingPod[] {
    return pods.map((pod) => ({ ...pod, requests: this.charge(pod) }));
  }
}
