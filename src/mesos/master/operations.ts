// Operations on resources (reservations, volumes): applying them to agents, what agents say became
// of them, acknowledging and reconciling them, and the operator's own operations (inventory 2.6, 2.9).
import {
  applyConversions,
  conversionsOf,
  providerOf,
  unallocated,
  type Conversion,
} from '#mesos/resources/conversions.ts';
import { toPreRefinement, isRefined } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { actionsOf, refusedOf } from '#mesos/security/action-objects.ts';
import type {
  Messages,
  Offer_Operation,
  Operation,
  OperationState,
  OperationStatus,
  SchedulerCall,
  SchedulerCall_ReconcileOperations_Operation,
} from '#wire/mesos/v1.ts';
import { allocatedOn } from './holdings.ts';
import {
  validateOperation,
  validateShape,
  type AgentCapability,
  type OperationContext,
} from './operation-validation.ts';
import { isTerminalOperation } from '#wire/mesos/operation-states.ts';
import { mapToFill } from './nothing.ts';
import type { MasterState } from './state.ts';
import { FORBIDDEN, type Refusal } from '#mesos/libprocess/refusal.ts';
import type { AgentRecord, FrameworkRecord, OperationRecord, OperatorIdentity } from './types.ts';

/** Offers taken back for an operator are not made again to the same framework for so long. */
const RESCINDED_REFUSE_MS = 5_000;

/** After an agent is back, before operations of frameworks that are not are ended (Mesos 1.11). */
const ORPHAN_WAIT_MS = 5 * 60_000;

type Uuid = Messages['UUID'];

/** As the real master names an agent in its messages. */
export function agentText(agent: AgentRecord): string {
  return `${agent.id} at ${agent.pid} (${agent.info.hostname})`;
}

export function canAgent(agent: AgentRecord, type: AgentCapability): boolean {
  return agent.capabilities.some((one) => one.type === type);
}

export class OperationDesk {
  readonly #state: MasterState;
  #nextUuid = 0;

  constructor(state: MasterState) {
    this.#state = state;
  }

  context(agent: AgentRecord, framework: FrameworkRecord | undefined): OperationContext {
    return {
      framework: framework?.info,
      principal: framework?.info.principal,
      hasCapability: (type) => canAgent(agent, type),
      checkpointed: agent.checkpointed,
      used: () => allocatedOn(agent).map((bag) => bag.allocatedTo(undefined)),
    };
  }

  /** Refused by the master itself: nobody is asked, and nothing is retried. */
  refuse(framework: FrameworkRecord, operation: Offer_Operation, message: string): void {
    this.#count(operation, 'OPERATION_ERROR');
    if (operation.id === undefined) return;
    const status = { operation_id: operation.id, state: 'OPERATION_ERROR' as const, message };
    this.#tell(framework, status);
  }

  /** The agent's total changes at once; the agent is told to do the same. */
  apply(agent: AgentRecord, framework: FrameworkRecord | undefined, info: Offer_Operation): void {
    const conversions = unallocated(conversionsOf(info));
    if (!canAgent(agent, 'RESOURCE_PROVIDER')) {
      this.#convert(agent, conversions);
      this.#checkpoint(agent);
      return;
    }
    const uuid = this.#uuid();
    const agent_id = { value: agent.id };
    const providerId = providerOf(info);
    const resource_provider_id = providerId === undefined ? undefined : { value: providerId };
    const latest_status: OperationStatus = {
      ...(info.id === undefined ? {} : { operation_id: info.id }),
      state: 'OPERATION_PENDING',
      agent_id,
      ...(resource_provider_id === undefined ? {} : { resource_provider_id }),
    };
    const framework_id = framework === undefined ? undefined : { value: framework.id };
    const operation: Operation = {
      ...(framework_id === undefined ? {} : { framework_id }),
      agent_id,
      info,
      latest_status,
      uuid: { value: uuid },
    };
    this.add(agent, operation, { isAllocated: true });
    this.#convert(agent, conversions);
    const version = agent.providers.get(providerId ?? '')?.version ?? agent.resourceVersion;
    const body: Messages['ApplyOperationMessage'] = {
      ...(framework_id === undefined ? {} : { framework_id }),
      operation_info: info,
      operation_uuid: { value: uuid },
      resource_version_uuid: {
        ...(resource_provider_id === undefined ? {} : { resource_provider_id }),
        uuid: { value: version ?? new Uint8Array(16) },
      },
    };
    const message = { name: 'ApplyOperationMessage' as const, body };
    this.#state.emit({ kind: 'send', to: agent.pid, message });
  }

  #convert(agent: AgentRecord, conversions: readonly Conversion[]): void {
    const total = applyConversions(agent.total, conversions);
    if (!total.ok) return;
    this.#state.holdings.setTotal(agent, total.value);
    for (const { consumed, converted } of conversions) {
      const provider = agent.providers.get(consumed.kinds()[0]?.provider_id?.value ?? '');
      if (provider === undefined) continue;
      provider.total = provider.total.subtract(consumed).add(converted);
    }
  }

  /** For agents that apply no operations themselves: they are told the outcome. */
  #checkpoint(agent: AgentRecord): void {
    const resources = agent.checkpointed.toWire();
    const isNew = canAgent(agent, 'RESERVATION_REFINEMENT');
    if (!isNew && resources.some(isRefined)) return;
    const body = { resources: isNew ? resources : resources.map(toPreRefinement) };
    const message = { name: 'CheckpointResourcesMessage' as const, body };
    this.#state.emit({ kind: 'send', to: agent.pid, message });
  }

  /** `isAllocated`: an offer that it was made on holds what it takes. */
  add(agent: AgentRecord, operation: Operation, how = { isAllocated: false }): void {
    const frameworkId = operation.framework_id?.value;
    const key = Buffer.from(operation.uuid.value).toString('hex');
    const record: OperationRecord = {
      operation,
      frameworkId,
      agentId: agent.id,
      key,
      providerId: providerOf(operation.info),
      held: undefined,
      isOrphan: false,
    };
    agent.operations = mapToFill(agent.operations).set(key, record);
    this.#state.pending.begin(agent, record, how);
    this.#count(operation.info, operation.latest_status.state);
    const id = operation.info.id?.value;
    if (id !== undefined && frameworkId !== undefined) this.#link(frameworkId, id, record);
  }

  #link(frameworkId: string, id: string, record: OperationRecord): void {
    const { frameworks, orphanedOperations } = this.#state;
    const known = frameworks.get(frameworkId)?.operations ?? orphanedOperations.get(frameworkId);
    if (known !== undefined) known.set(id, record);
    else orphanedOperations.set(frameworkId, new Map([[id, record]]));
  }

  #unlink({ frameworkId = '', operation, key }: OperationRecord): void {
    const { frameworks, orphanedOperations } = this.#state;
    const id = operation.info.id?.value;
    const orphans = orphanedOperations.get(frameworkId);
    const byId = frameworks.get(frameworkId)?.operations ?? orphans;
    if (id === undefined || byId?.get(id)?.key !== key) return;
    byId.delete(id);
    if (orphans?.size === 0) orphanedOperations.delete(frameworkId);
  }

  /** It is known no more. */
  remove(agent: AgentRecord, record: OperationRecord): void {
    agent.operations.delete(record.key);
    this.#state.pending.drop(agent, record);
    this.#countEnd(record);
    this.#state.ease(agent.id);
    this.#unlink(record);
  }

  // ---- what agents say

  onUpdate(body: Messages['UpdateOperationStatusMessage'], now: number): void {
    this.#state.count('messages_operation_status_update');
    const agent = this.#state.agents.get(body.agent_id?.value ?? '');
    const uuid = body.operation_uuid?.value;
    const record =
      uuid === undefined ? undefined : agent?.operations.get(Buffer.from(uuid).toString('hex'));
    const framework = this.#state.frameworks.get(
      record?.frameworkId ?? body.framework_id?.value ?? '',
    );
    if (agent === undefined || record === undefined) {
      this.#state.count('invalid_operation_status_updates');
      // An answer to the framework's own reconciliation, of which this master knows no more. Operations
      // without an id are none of a framework's concern.
      if (framework !== undefined && body.status.operation_id !== undefined)
        this.#tell(framework, body.status);
      if (agent?.isReportDue === false) this.#endAgain(agent, body);
      return;
    }
    this.#state.count('valid_operation_status_updates');
    const { operation } = record;
    const operation_id = operation.info.id;
    const status = { ...body.status, ...(operation_id === undefined ? {} : { operation_id }) };
    const isTerminal = isTerminalOperation(status.state);
    const { state } = operation.latest_status;
    if (isTerminal && isTerminalOperation(state) && status.state !== state) {
      // What has ended stays as it ended: whoever says otherwise was acknowledged while a report of it was on
      // its way, and has forgotten it since.
      if (status.uuid !== undefined) this.#acknowledge(agent, status.uuid, record);
      this.remove(agent, record);
      return;
    }
    this.#setLatest(agent, record, body.latest_status ?? status);
    remember(operation, status);
    if (operation_id !== undefined && framework !== undefined) {
      this.#tell(framework, status);
      if (isTerminal && status.uuid === undefined) this.remove(agent, record);
      return;
    }
    // Nobody but the master will acknowledge it. A framework may still be on its way back.
    if (operation_id !== undefined && this.#mayReturn(record, agent, now)) return;
    if (status.uuid !== undefined) this.#acknowledge(agent, status.uuid, record);
    if (isTerminal) this.remove(agent, record);
  }

  /** Its end is told with a total in which it is done; an update of its own is still to come. */
  conclude(agent: AgentRecord, record: OperationRecord, status: OperationStatus): void {
    if (isTerminalOperation(record.operation.latest_status.state)) return;
    this.#state.pending.settle(agent, record, status, { isConverted: true });
    this.#setLatest(agent, record, status);
    remember(record.operation, status);
  }

  #setLatest(agent: AgentRecord, record: OperationRecord, latest: OperationStatus): void {
    const { operation } = record;
    if (isTerminalOperation(operation.latest_status.state)) return;
    this.#count(operation.info, operation.latest_status.state, -1);
    operation.latest_status = latest;
    this.#count(operation.info, latest.state);
    if (isTerminalOperation(latest.state)) this.#state.pending.settle(agent, record, latest);
  }

  /** One that nobody has heard of since the agent is back is not waited for for ever. */
  #mayReturn({ frameworkId = '' }: OperationRecord, agent: AgentRecord, now: number): boolean {
    if (frameworkId === '' || this.#state.completedFrameworks.has(frameworkId)) return false;
    if (this.#state.frameworks.has(frameworkId)) return true;
    return now - (agent.reregisteredAt ?? agent.registeredAt) < ORPHAN_WAIT_MS;
  }

  /** Its end was acknowledged before, and whoever tells it has lost the word: no framework can say it again. */
  #endAgain(agent: AgentRecord, body: Messages['UpdateOperationStatusMessage']): void {
    const { operation_uuid, status } = body;
    if (status.uuid === undefined || operation_uuid === undefined) return;
    if (!isTerminalOperation(status.state)) return;
    this.#acknowledgeAt(agent, status.uuid, operation_uuid, status.resource_provider_id);
  }

  #acknowledge(agent: AgentRecord, status: Uuid, { operation, providerId }: OperationRecord): void {
    const provider = providerId === undefined ? undefined : { value: providerId };
    this.#acknowledgeAt(agent, status, operation.uuid, provider);
  }

  #acknowledgeAt(
    agent: AgentRecord,
    status_uuid: Uuid,
    operation_uuid: Uuid,
    resource_provider_id: { readonly value: string } | undefined,
  ): void {
    const body = {
      status_uuid,
      operation_uuid,
      ...(resource_provider_id === undefined ? {} : { resource_provider_id }),
    };
    const message = { name: 'AcknowledgeOperationStatusMessage' as const, body };
    this.#state.emit({ kind: 'send', to: agent.pid, message });
  }

  /** An agent is gone or cannot be reached: frameworks are told once; they reconcile for certainty. */
  tellAll(agent: AgentRecord, state: OperationState, message: string): void {
    for (const record of agent.operations.values()) {
      const { operation, frameworkId = '', providerId } = record;
      const framework = this.#state.frameworks.get(frameworkId);
      const operation_id = operation.info.id;
      this.#count(operation.info, state);
      this.#countEnd(record);
      this.#unlink(record);
      if (framework === undefined || operation_id === undefined) continue;
      this.#tell(framework, {
        operation_id,
        state,
        message,
        agent_id: { value: agent.id },
        ...(providerId === undefined ? {} : { resource_provider_id: { value: providerId } }),
      });
    }
    agent.operations.clear();
  }

  /** An agent is gone for good: frameworks that ask are told that nothing is known. */
  forgetAll(agent: AgentRecord): void {
    for (const record of agent.operations.values()) this.remove(agent, record);
  }

  // ---- what frameworks ask

  acknowledge(framework: FrameworkRecord, call: SchedulerCall): void {
    const body = call.acknowledge_operation_status;
    const agent = this.#state.agents.get(body?.agent_id?.value ?? '');
    const record = framework.operations.get(body?.operation_id.value ?? '');
    const isOfProvider = body?.resource_provider_id !== undefined;
    const status = record?.operation.statuses?.find(
      ({ uuid }) => uuid !== undefined && Buffer.from(uuid.value).equals(body?.uuid ?? Buffer.of()),
    );
    if (
      agent?.isConnected !== true ||
      record === undefined ||
      status?.uuid === undefined ||
      !canAgent(agent, isOfProvider ? 'RESOURCE_PROVIDER' : 'AGENT_OPERATION_FEEDBACK')
    ) {
      this.#state.count('invalid_operation_status_update_acknowledgements');
      return;
    }
    this.#state.count('valid_operation_status_update_acknowledgements');
    if (isTerminalOperation(status.state)) this.remove(agent, record);
    this.#acknowledge(agent, status.uuid, record);
  }

  /** An empty list asks about everything. */
  reconcile(
    framework: FrameworkRecord,
    asked: readonly SchedulerCall_ReconcileOperations_Operation[],
  ): void {
    if (asked.length === 0) {
      for (const record of framework.operations.values())
        this.#tell(framework, latestStatus(record));
    }
    const forwarded = new Map<AgentRecord, SchedulerCall_ReconcileOperations_Operation[]>();
    for (const one of asked) {
      const record = framework.operations.get(one.operation_id.value);
      const agent = record === undefined ? this.#whoKnows(one) : undefined;
      if (agent !== undefined) forwarded.set(agent, [...(forwarded.get(agent) ?? []), one]);
      else this.#tell(framework, record === undefined ? this.#unknown(one) : latestStatus(record));
    }
    for (const [agent, ones] of forwarded) {
      const operations = ones.map(({ operation_id, resource_provider_id }) => ({
        operation_id,
        resource_provider_id,
      }));
      const body = { framework_id: { value: framework.id }, operations };
      const message = { name: 'ReconcileOperationsMessage' as const, body };
      this.#state.emit({ kind: 'send', to: agent.pid, message });
    }
  }

  /** The agent that may have known a provider which is not there: it knows whether that may return. */
  #whoKnows(asked: SchedulerCall_ReconcileOperations_Operation): AgentRecord | undefined {
    const providerId = asked.resource_provider_id?.value;
    const id = asked.agent_id?.value ?? '';
    const agent = this.#state.recovered.has(id) ? undefined : this.#state.agents.get(id);
    if (agent === undefined || providerId === undefined) return undefined;
    if (agent.providers.has(providerId)) return undefined;
    return canAgent(agent, 'AGENT_OPERATION_FEEDBACK') ? agent : undefined;
  }

  #unknown(asked: SchedulerCall_ReconcileOperations_Operation): OperationStatus {
    const { operation_id, agent_id, resource_provider_id } = asked;
    const { recovered, agents, unreachable, gone } = this.#state;
    const id = agent_id?.value;
    const answer = (state: OperationState, why: string): OperationStatus => ({
      operation_id,
      state,
      message: `Reconciliation: ${why}`,
      ...(agent_id === undefined ? {} : { agent_id }),
      ...(resource_provider_id === undefined ? {} : { resource_provider_id }),
    });
    if (id === undefined)
      return answer('OPERATION_UNKNOWN', "Operation is unknown and no 'agent_id' was provided");
    if (recovered.has(id))
      return answer('OPERATION_RECOVERING', 'Agent is recovered but has not re-registered');
    if (agents.has(id)) return answer('OPERATION_UNKNOWN', 'Operation is unknown');
    if (unreachable.has(id)) return answer('OPERATION_UNREACHABLE', 'Agent is unreachable');
    if (gone.has(id)) return answer('OPERATION_GONE_BY_OPERATOR', 'Agent marked gone by operator');
    return answer('OPERATION_UNKNOWN', 'Both operation and agent are unknown');
  }

  // ---- what operators ask

  /**
   * Reserves, creates and so on what nobody holds, taking back offers that are in the way. A refusal
   * is 400 (invalid), 403 (not allowed) or 409 (not there); 202 is success: the agent will do it.
   */
  operate(
    agentId: string,
    operation: Offer_Operation,
    by: OperatorIdentity,
    now: number,
  ): Refusal | undefined {
    const agent = this.#state.agents.get(agentId);
    if (agent === undefined) return { status: 400, message: 'No agent found with specified ID' };
    const shape = validateShape(operation);
    if (shape !== undefined) return { status: 400, message: shape };
    const { principal, approvers } = by;
    const wrong = validateOperation(operation, { ...this.context(agent, undefined), principal });
    if (wrong !== undefined) {
      const { type } = operation;
      const where =
        type === 'UNRESERVE' || type === 'DESTROY' ? '' : ` on agent ${agentText(agent)}`;
      const message = `Invalid ${type} operation${where}: ${wrong}`;
      return { status: 400, message };
    }
    if (refusedOf(approvers, actionsOf(operation)) !== undefined) return FORBIDDEN;
    const conversions = conversionsOf(operation);
    this.#takeBackOffers(agent, conversions, now);
    const refused = this.#state.allocator.convertAvailable(agentId, conversions);
    if (refused !== undefined) return { status: 409, message: refused };
    this.apply(agent, undefined, operation);
    return undefined;
  }

  #takeBackOffers(agent: AgentRecord, conversions: readonly Conversion[], now: number): void {
    let required = conversions
      .map(({ consumed }) => consumed)
      .reduce((sum, part) => sum.add(part), Resources.none);
    let recovered = Resources.none;
    for (const offer of agent.offers.slice()) {
      const plain = offer.resources.allocatedTo(undefined);
      const left = required.subtract(plain);
      if (left.equals(required)) continue;
      required = left;
      recovered = recovered.add(plain);
      this.#state.dropOffer(offer, { rescind: true });
      const refusal = { refuseMs: RESCINDED_REFUSE_MS, now };
      this.#state.allocator.recover(offer.frameworkId, agent.id, offer.resources, refusal);
      if (applyConversions(recovered, conversions).ok) return;
    }
  }

  #tell(framework: FrameworkRecord, status: OperationStatus): void {
    this.#state.tell(framework, {
      type: 'UPDATE_OPERATION_STATUS',
      update_operation_status: { status },
    });
  }

  /** Those in an end state are counted for ever, others as long as they are in it. */
  #count({ type = 'UNKNOWN' }: Offer_Operation, state: OperationState, by: 1 | -1 = 1): void {
    const name = state.slice('OPERATION_'.length).toLowerCase();
    for (const prefix of [`operations/${type.toLowerCase()}`, 'operations']) {
      this.#state.count(`${prefix}/${name}`, by);
      this.#state.count(`${prefix}/total`, by);
    }
  }

  /** It is not known any more. */
  #countEnd({ operation }: OperationRecord): void {
    const { state } = operation.latest_status;
    if (!isTerminalOperation(state)) this.#count(operation.info, state, -1);
  }

  /**
   * Unique among masters: their ids are random; the rest counts. Of version 4 by its marks: an agent of
   * Mesos 1.11 dies of what is no UUID.
   */
  #uuid(): Uint8Array {
    const digits = this.#state.options.masterId.replaceAll('-', '');
    const bytes = new Uint8Array(16);
    for (let i = 0; i < digits.length; i++) {
      const at = i % 10;
      bytes[at] = ((bytes[at] ?? 0) * 31 + digits.charCodeAt(i)) & 0xff;
    }
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    let rest = ++this.#nextUuid;
    for (let i = 15; rest > 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest & 0xff;
    return bytes;
  }
}

/** What was told of it last is not kept twice. */
function remember(operation: Operation, status: OperationStatus): void {
  const known = operation.statuses?.at(-1);
  if (known !== undefined && sameStatus(known, status)) return;
  operation.statuses = [...(operation.statuses ?? []), status];
}

function sameStatus(a: OperationStatus, b: OperationStatus): boolean {
  if (a.state !== b.state || a.message !== b.message) return false;
  if (a.uuid === undefined || b.uuid === undefined) return a.uuid === b.uuid;
  return Buffer.from(a.uuid.value).equals(b.uuid.value);
}

/** As it is told again: nobody acknowledges it. */
function latestStatus({ operation }: OperationRecord): OperationStatus {
  const { uuid: _uuid, ...status } = operation.statuses?.at(-1) ?? operation.latest_status;
  const { id } = operation.info;
  // Providers know operations by their UUID alone.
  return id === undefined ? status : { ...status, operation_id: id };
}

/** Operations with an id: what frameworks may ask for, and where. Undefined when they may. */
export function validateFeedback(
  operation: Offer_Operation,
  agent: AgentRecord,
): string | undefined {
  if (operation.id === undefined) return undefined;
  if (!canAgent(agent, 'RESOURCE_PROVIDER')) {
    return `Operation requested feedback, but agent ${agent.id} does not have the required RESOURCE_PROVIDER capability`;
  }
  if (providerOf(operation) !== undefined || canAgent(agent, 'AGENT_OPERATION_FEEDBACK')) {
    return undefined;
  }
  return `Operation on agent default resources requested feedback, but agent ${agent.id} does not have the required AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities`;
}
