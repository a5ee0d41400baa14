// What the core knows of each pod: its object as last seen, and how far its task is. Pods that wait, and
// those of one agent, are found without a look at all the others.
import { addAmounts, noAmounts, type Amounts, type SchedulingPod } from '#kube/scheduler/types.ts';
import { taskIdOf } from '#kube/meta/task-id.ts';
import type { PodView } from './types.ts';

export type PodState =
  | { readonly kind: 'pending'; readonly message: string }
  /** To be launched on the agent when the API has taken its binding, or the number of its attempt. */
  | { readonly kind: 'binding'; readonly agentId: string; readonly attempt: number }
  | { readonly kind: 'launched'; readonly agentId: string; readonly isConfirmed: boolean }
  /** Bound, but whether its task exists is being asked (after a restart). */
  | { readonly kind: 'unknown'; readonly agentId: string | undefined }
  /** The API took neither: it is gone, or bound already. What the API tells of it next decides. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'over' };

export interface PodRecord {
  readonly uid: string;
  view: PodView;
  /** Changed by `enter` alone. */
  readonly state: PodState;
  /** The attempt that was launched last, as far as is known; 0: none. Earlier ones are over. */
  attempt: number;
}

/** A pod whose own task is asked about was launched once at least. */
export function taskOf({ uid, attempt }: PodRecord): string {
  return taskIdOf(uid, Math.max(attempt, 1));
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

  add(view: PodView, state: PodState): PodRecord {
    const { uid, nodeName } = view.pod;
    const attempt = view.attempt ?? (nodeName === undefined ? 0 : 1);
    const record: PodRecord = { uid, view, state: { kind: 'over' }, attempt };
    this.#records.set(uid, record);
    this.enter(record, state);
    return record;
  }

  /** What the API tells of it now. A view from before its binding does not unbind it. */
  see(record: PodRecord, view: PodView): void {
    const { nodeName } = record.view.pod;
    const isBehind = view.pod.nodeName === undefined && nodeName !== undefined;
    record.view = isBehind ? { ...view, pod: { ...view.pod, nodeName } } : view;
  }

  bound(record: PodRecord, nodeName: string): void {
    const { view } = record;
    record.view = { ...view, pod: { ...view.pod, nodeName } };
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

  isAnyOn(agentId: string): boolean {
    return (this.#launched.get(agentId)?.size ?? 0) > 0;
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
