// The operations that a simulated framework has asked for with an id, as a careful one notes them; they
// survive its crashes.
import { isTerminalOperation } from '#wire/mesos/operation-states.ts';
import type {
  Offer_Operation,
  OperationState,
  OperationStatus,
  SchedulerCall_ReconcileOperations_Operation,
} from '#wire/mesos/v1.ts';

export interface NotedOperation {
  readonly id: string;
  readonly type: string;
  readonly agentId: string;
  /** Undefined: it is on what is the agent's own. */
  readonly providerId: string | undefined;
  readonly operation: Offer_Operation;
  /** What it takes was offered, and nobody has less than before. */
  readonly mustBeThere: boolean;
  state: OperationState | 'asked';
  isFinal: boolean;
  /** As for tasks: its agent may never come back. */
  unreachableSince: number | undefined;
}

export class OperationBook {
  readonly all = new Map<string, NotedOperation>();
  readonly #open = new Set<NotedOperation>();

  note(
    operation: Offer_Operation,
    on: Pick<NotedOperation, 'agentId' | 'providerId' | 'mustBeThere'>,
  ): void {
    const id = operation.id?.value ?? '';
    const { type = 'UNKNOWN' } = operation;
    const fresh = { state: 'asked', isFinal: false, unreachableSince: undefined } as const;
    const noted: NotedOperation = { id, type, operation, ...on, ...fresh };
    this.all.set(id, noted);
    this.#open.add(noted);
  }

  /** True when nothing more is to be heard of it. */
  told(noted: NotedOperation, { state }: OperationStatus, now: number): boolean {
    noted.state = state;
    if (state !== 'OPERATION_UNREACHABLE') noted.unreachableSince = undefined;
    else noted.unreachableSince ??= now;
    const isOver = isTerminalOperation(state) || state === 'OPERATION_UNKNOWN';
    if (isOver) this.#end(noted);
    return isOver;
  }

  /** The end of some operation of this type is not known. */
  isOpen(type: string): boolean {
    for (const one of this.#open) if (one.type === type) return true;
    return false;
  }

  /** Those that have been unreachable since then. */
  giveUp(before: number): NotedOperation[] {
    const all = [...this.#open].filter((one) => (one.unreachableSince ?? Infinity) <= before);
    for (const one of all) this.#end(one);
    return all;
  }

  reconcilable(): SchedulerCall_ReconcileOperations_Operation[] {
    return [...this.#open].map(({ id, agentId, providerId }) => ({
      operation_id: { value: id },
      agent_id: { value: agentId },
      ...(providerId === undefined ? {} : { resource_provider_id: { value: providerId } }),
    }));
  }

  #end(noted: NotedOperation): void {
    noted.isFinal = true;
    this.#open.delete(noted);
  }
}
