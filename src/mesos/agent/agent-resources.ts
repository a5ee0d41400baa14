// Decides over what this agent has: reservations and volumes made of what it is configured with, the
// operations that made them, and their status, sent until it is acknowledged. Part of the agent core.
import type { Instant } from '#env/env.ts';
import {
  applyConversions,
  conversionsOf,
  unallocated,
  withCheckpointed,
} from '#mesos/resources/conversions.ts';
import { isRefined, needsCheckpoint, toPreRefinement } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type {
  Messages,
  Offer_Operation,
  Operation,
  OperationStatus,
  Resource,
} from '#wire/mesos/v1.ts';
import { hexOf } from './status-streams.ts';
import type { AgentChance, AgentEffect, AgentOptions, KeptResources } from './types.ts';

interface Pending {
  readonly operation: Operation;
  retryMs: number;
  sendAt: Instant;
}

export class AgentResources {
  readonly #options: AgentOptions;
  readonly #chance: AgentChance;
  readonly #out: AgentEffect[];
  readonly #configured: Resources;
  #checkpointed = Resources.none;
  #total: Resources;
  /** Not acknowledged yet, by the hex of their UUID. */
  readonly #pending = new Map<string, Pending>();
  agentId = '';

  constructor(options: AgentOptions, chance: AgentChance, out: AgentEffect[]) {
    this.#options = options;
    this.#chance = chance;
    this.#out = out;
    this.#configured = Resources.of(options.info.resources);
    this.#total = this.#configured;
  }

  /** Everything here, as it is reserved now. */
  get total(): Resources {
    return this.#total;
  }

  /** What was made of the configured resources: reserved dynamically, or a volume. */
  get checkpointed(): Resources {
    return this.#checkpointed;
  }

  get operations(): Operation[] {
    return [...this.#pending.values()].map(({ operation }) => operation);
  }

  /** Old masters read the older form; what is reserved twice has none. */
  toRegistration(): Resource[] {
    const resources = this.#checkpointed.toWire();
    return resources.some(isRefined) ? [...resources] : resources.map(toPreRefinement);
  }

  // ---- recovery

  /** Why what was made no longer goes with what is configured; undefined when it does. */
  problemWith(kept: KeptResources): string | undefined {
    const total = withCheckpointed(this.#configured, Resources.of(kept.resources));
    return total.ok ? undefined : total.error;
  }

  /** Operations were those of an agent id; they are none of a new one's. */
  recover(kept: KeptResources, isSameAgent: boolean): void {
    const checkpointed = Resources.of(kept.resources);
    const total = withCheckpointed(this.#configured, checkpointed);
    if (!total.ok) return;
    this.#checkpointed = checkpointed;
    this.#total = total.value;
    if (!isSameAgent) return;
    const isUnfinished = ({ latest_status: { state, uuid } }: Operation): boolean =>
      state === 'OPERATION_PENDING' || uuid === undefined;
    for (const operation of kept.operations) {
      if (!isUnfinished(operation)) {
        this.#add(operation, Infinity);
        continue;
      }
      // Mesos' agent notes what it is about to do before it does it.
      const problem = this.#convert(operation.info);
      const state = problem === undefined ? 'OPERATION_FINISHED' : 'OPERATION_FAILED';
      const status = this.#status(operation.info, state, problem);
      this.#add(this.#withStatus(operation, status), Infinity);
    }
    if (kept.operations.some(isUnfinished)) this.#checkpoint();
  }

  // ---- what the master says

  /**
   * False when the operation does not go with what is here: the master is wrong about us. `version`:
   * that of our last report; whoever has not read it yet decided on what is no longer so.
   */
  apply(message: Messages['ApplyOperationMessage'], version: Uint8Array, now: Instant): boolean {
    const { framework_id, operation_uuid, operation_info: info } = message;
    if (this.#pending.has(hexOf(operation_uuid.value))) return true;
    const isOutdated = hexOf(message.resource_version_uuid.uuid.value) !== hexOf(version);
    const problem = isOutdated ? undefined : this.#convert(info);
    const status = isOutdated
      ? this.#status(info, 'OPERATION_DROPPED', 'The agent has reported its resources anew')
      : problem === undefined
        ? this.#status(info, 'OPERATION_FINISHED')
        : this.#status(info, 'OPERATION_FAILED', problem);
    const operation: Operation = {
      ...(framework_id === undefined ? {} : { framework_id }),
      agent_id: { value: this.agentId },
      info,
      latest_status: status,
      statuses: [],
      uuid: operation_uuid,
    };
    this.#add(this.#withStatus(operation, status), now);
    this.#checkpoint();
    return problem === undefined;
  }

  #convert(info: Offer_Operation): string | undefined {
    const conversions = unallocated(conversionsOf(info));
    if (conversions.length === 0)
      return `This agent applies no ${info.type ?? 'UNKNOWN'} operation`;
    const total = applyConversions(this.#total, conversions);
    if (!total.ok) return total.error;
    this.#setTotal(total.value);
    return undefined;
  }

  #setTotal(total: Resources): void {
    this.#total = total;
    this.#checkpointed = total.filter(needsCheckpoint);
  }

  /** From masters that take this agent for one without operations: the outcome of all of them. */
  replace(resources: readonly Resource[] | undefined): boolean {
    const checkpointed = Resources.of(resources);
    const total = withCheckpointed(this.#configured, checkpointed);
    if (!total.ok) return false;
    if (checkpointed.equals(this.#checkpointed)) return true;
    this.#checkpointed = checkpointed;
    this.#total = total.value;
    this.#checkpoint();
    return true;
  }

  acknowledged(message: Messages['AcknowledgeOperationStatusMessage']): void {
    const key = hexOf(message.operation_uuid.value);
    const uuid = this.#pending.get(key)?.operation.latest_status.uuid;
    if (uuid === undefined || hexOf(uuid.value) !== hexOf(message.status_uuid.value)) return;
    this.#pending.delete(key);
    this.#checkpoint();
  }

  /**
   * Operations of which the master knows and which never got here are dropped; what a framework asks
   * about is answered with what is known. Neither answer is acknowledged.
   */
  reconcile(message: Messages['ReconcileOperationsMessage']): void {
    const { framework_id } = message;
    for (const { operation_uuid, operation_id, resource_provider_id } of message.operations ?? []) {
      if (resource_provider_id !== undefined) continue;
      const known = this.#find(operation_uuid?.value, framework_id?.value, operation_id?.value);
      if (framework_id === undefined) {
        if (known !== undefined || operation_uuid === undefined) continue;
        const agent_id = { value: this.agentId };
        const status = { state: 'OPERATION_DROPPED', agent_id } as const;
        this.#send({ agent_id, status, operation_uuid });
        continue;
      }
      const { uuid: _uuid, ...status } = known?.latest_status ?? {
        ...(operation_id === undefined ? {} : { operation_id }),
        state: 'OPERATION_UNKNOWN' as const,
        agent_id: { value: this.agentId },
      };
      const uuid = known?.uuid ?? operation_uuid;
      this.#send({
        framework_id,
        agent_id: { value: this.agentId },
        status,
        ...(uuid === undefined ? {} : { operation_uuid: uuid }),
      });
    }
  }

  #find(
    uuid: Uint8Array | undefined,
    frameworkId: string | undefined,
    operationId: string | undefined,
  ): Operation | undefined {
    if (uuid !== undefined) return this.#pending.get(hexOf(uuid))?.operation;
    if (operationId === undefined) return undefined;
    return this.operations.find(
      ({ framework_id, info }) =>
        framework_id?.value === frameworkId && info.id?.value === operationId,
    );
  }

  /** What of a launch is reserved or a volume, and not so here; undefined when all is known. */
  unknownOf(resources: readonly Resource[]): Resource | undefined {
    const needed = Resources.of(resources).allocatedTo(undefined).filter(needsCheckpoint);
    return needed.toWire().find((one) => !this.#checkpointed.contains(Resources.of([one])));
  }

  // ---- status, until it is acknowledged

  #status(
    { id }: Offer_Operation,
    state: OperationStatus['state'],
    message?: string | undefined,
  ): OperationStatus {
    return {
      ...(id === undefined ? {} : { operation_id: id }),
      state,
      ...(message === undefined ? {} : { message }),
      uuid: { value: this.#chance.uuidBytes() },
      agent_id: { value: this.agentId },
    };
  }

  #withStatus(operation: Operation, status: OperationStatus): Operation {
    const statuses = [...(operation.statuses ?? []), status];
    return { ...operation, latest_status: status, statuses };
  }

  #add(operation: Operation, sendAt: Instant): void {
    const retryMs = this.#options.updateRetryMs;
    this.#pending.set(hexOf(operation.uuid.value), { operation, retryMs, sendAt });
  }

  sendDue(now: Instant): void {
    for (const pending of this.#pending.values()) {
      if (pending.sendAt > now) continue;
      pending.sendAt = now + pending.retryMs;
      pending.retryMs = Math.min(pending.retryMs * 2, this.#options.updateRetryMsMax);
      const { framework_id, uuid, latest_status } = pending.operation;
      this.#send({
        ...(framework_id === undefined ? {} : { framework_id }),
        agent_id: { value: this.agentId },
        status: latest_status,
        latest_status,
        operation_uuid: uuid,
      });
    }
  }

  /** A master that just got to know this agent hears of everything. */
  resend(now: Instant): void {
    for (const pending of this.#pending.values()) {
      pending.retryMs = this.#options.updateRetryMs;
      pending.sendAt = now;
    }
  }

  nextAt(): Instant {
    let at = Infinity;
    for (const { sendAt } of this.#pending.values()) at = Math.min(at, sendAt);
    return at;
  }

  /** Operations of an id that this agent no longer has end with it; what they made stays. */
  forgetOperations(): void {
    if (this.#pending.size === 0) return;
    this.#pending.clear();
    this.#checkpoint();
  }

  #checkpoint(): void {
    const resources = [...this.#checkpointed.toWire()];
    const record = { kind: 'resources', resources, operations: this.operations } as const;
    this.#out.push({ kind: 'checkpoint', record });
  }

  #send(body: Messages['UpdateOperationStatusMessage']): void {
    this.#out.push({ kind: 'send-master', name: 'UpdateOperationStatusMessage', body });
  }
}
