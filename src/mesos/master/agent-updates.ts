// What a registered agent tells of itself (UpdateSlaveMessage): oversubscribed resources, operations,
// resource providers with what they have. What it does not name of what the master knows is asked for.
import { applyConversions, conversionsOf, unallocated } from '#mesos/resources/conversions.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Messages, Operation } from '#wire/mesos/v1.ts';
import { isSameVersion } from './agent-wire.ts';
import type { OperationDesk } from './operations.ts';
import { isTerminalOperation } from '#wire/mesos/operation-states.ts';
import type { MasterState } from './state.ts';
import type { AgentRecord, OperationRecord, ProviderRecord } from './types.ts';

type Update = Messages['UpdateSlaveMessage'];
type Reported = NonNullable<NonNullable<Update['resource_providers']>['providers']>[number];
type Lost = NonNullable<Messages['ReconcileOperationsMessage']['operations']>[number];

export class AgentUpdateDesk {
  readonly #state: MasterState;
  readonly #operations: OperationDesk;

  constructor(state: MasterState, operations: OperationDesk) {
    this.#state = state;
    this.#operations = operations;
  }

  onUpdate(body: Update): void {
    this.#state.count('messages_update_slave');
    const agent = this.#state.agents.get(body.agent_id.value);
    if (agent === undefined) return;
    agent.resourceVersion = body.resource_version_uuid?.value ?? agent.resourceVersion;
    const lost = this.#learnOperations(agent, body.operations?.operations ?? []);
    agent.isReportDue = false;
    if (body.update_oversubscribed_resources !== false) {
      this.#oversubscribe(agent, Resources.of(body.oversubscribed_resources));
    }
    if (body.resource_providers !== undefined) {
      lost.push(...this.#learnProviders(agent, body.resource_providers.providers ?? []));
    }
    if (lost.length === 0) return;
    const message = { name: 'ReconcileOperationsMessage' as const, body: { operations: lost } };
    this.#state.emit({ kind: 'send', to: agent.pid, message });
  }

  /** On what is the agent's own. */
  #learnOperations(agent: AgentRecord, told: readonly Operation[]): Lost[] {
    const named = byKey(told);
    const own = recordsOf(agent, undefined);
    for (const [key, operation] of named) {
      // One that ended and is known no more was acknowledged before; the agent has yet to hear of it.
      const isOver = isTerminalOperation(operation.latest_status.state) && !agent.isReportDue;
      if (!agent.operations.has(key) && !isOver) this.#operations.add(agent, operation);
    }
    return own
      .filter(({ key }) => !named.has(key))
      .map(({ key }) => ({ operation_uuid: uuid(key) }));
  }

  #oversubscribe(agent: AgentRecord, revocable: Resources): void {
    const total = agent.total.filter((kind) => kind.revocable === undefined).add(revocable);
    if (total.equals(agent.total)) return;
    this.#rescind(agent, (kind) => kind.revocable !== undefined);
    this.#setTotal(agent, total);
  }

  /** The list is whole: a provider that is not in it is there no more. */
  #learnProviders(agent: AgentRecord, told: readonly Reported[]): Lost[] {
    const lost: Lost[] = [];
    const named = new Set(told.map(({ info }) => info?.id?.value ?? ''));
    const gone = [...agent.providers.keys()].filter((id) => !named.has(id));
    if (gone.length === 0 && told.every((one) => isKnown(agent, one))) return lost;
    this.#rescind(agent, ({ provider_id }) => provider_id !== undefined);
    for (const one of told) {
      const id = one.info?.id?.value ?? '';
      const known = agent.providers.get(id);
      if (known === undefined) this.#addProvider(agent, id, one);
      else lost.push(...this.#updateProvider(agent, id, known, one));
    }
    for (const id of gone) this.#removeProvider(agent, id);
    this.#state.watcher.onAgent(agent, 'changed');
    return lost;
  }

  #addProvider(agent: AgentRecord, id: string, told: Reported): void {
    const total = Resources.of(told.total_resources);
    const { info = { type: '', name: '' }, resource_version_uuid } = told;
    agent.providers.set(id, { info, total, version: resource_version_uuid.value });
    // Before its operations: what those of unknown frameworks take is taken out of the total.
    this.#setTotal(agent, agent.total.add(total));
    for (const operation of told.operations.operations ?? [])
      this.#operations.add(agent, operation);
  }

  #updateProvider(agent: AgentRecord, id: string, known: ProviderRecord, told: Reported): Lost[] {
    const named = byKey(told.operations.operations ?? []);
    const lost: Lost[] = [];
    const underWay: OperationRecord[] = [];
    for (const record of recordsOf(agent, id)) {
      const operation = named.get(record.key);
      named.delete(record.key);
      if (operation === undefined) {
        lost.push({ operation_uuid: uuid(record.key), resource_provider_id: { value: id } });
        if (!isTerminalOperation(record.operation.latest_status.state)) underWay.push(record);
      } else if (isTerminalOperation(operation.latest_status.state)) {
        // What it made is in the total that comes with it: its own update must not make it again.
        this.#operations.conclude(agent, record, operation.latest_status);
      }
    }
    const isSame = isSameVersion(known.version, told.resource_version_uuid.value);
    const total = foreseen(Resources.of(told.total_resources), isSame ? underWay : []);
    known.info = told.info ?? known.info;
    known.version = told.resource_version_uuid.value;
    known.total = total;
    const others = agent.total.filter(({ provider_id }) => provider_id?.value !== id);
    this.#setTotal(agent, others.add(total).subtract(this.#state.pending.heldBack(agent, id)));
    // One that ended and is not known was acknowledged before; the agent has yet to hear of it.
    for (const operation of named.values()) {
      if (!isTerminalOperation(operation.latest_status.state)) {
        this.#operations.add(agent, operation);
      }
    }
    return lost;
  }

  /** Its operations are known no more: frameworks ask what became of them when it is back. */
  #removeProvider(agent: AgentRecord, id: string): void {
    for (const record of recordsOf(agent, id)) this.#operations.remove(agent, record);
    agent.providers.delete(id);
    this.#setTotal(
      agent,
      agent.total.filter(({ provider_id }) => provider_id?.value !== id),
    );
  }

  #rescind(agent: AgentRecord, isMeant: Parameters<Resources['some']>[0]): void {
    for (const offer of agent.offers.slice()) {
      if (!offer.resources.some(isMeant)) continue;
      this.#state.dropOffer(offer, { rescind: true });
      this.#state.allocator.recover(offer.frameworkId, agent.id, offer.resources);
    }
  }

  #setTotal(agent: AgentRecord, total: Resources): void {
    this.#state.holdings.setTotal(agent, total);
    this.#state.allocator.updateAgent(agent.id, total);
  }
}

/**
 * Operations that the report does not know and that its provider will do, being of the same version:
 * the report was on its way before them.
 */
function foreseen(told: Resources, underWay: readonly OperationRecord[]): Resources {
  let total = told;
  for (const { operation } of underWay) {
    const after = applyConversions(total, unallocated(conversionsOf(operation.info)));
    if (after.ok) total = after.value;
  }
  return total;
}

function byKey(operations: readonly Operation[]): Map<string, Operation> {
  return new Map(operations.map((one) => [Buffer.from(one.uuid.value).toString('hex'), one]));
}

function uuid(key: string): { value: Uint8Array } {
  return { value: new Uint8Array(Buffer.from(key, 'hex')) };
}

function recordsOf(agent: AgentRecord, providerId: string | undefined): OperationRecord[] {
  return [...agent.operations.values()].filter((one) => one.providerId === providerId);
}

/** Nothing is told of it that the master does not know. */
function isKnown(agent: AgentRecord, told: Reported): boolean {
  const id = told.info?.id?.value ?? '';
  const known = agent.providers.get(id);
  if (known === undefined) return false;
  if (!isSameVersion(known.version, told.resource_version_uuid.value)) return false;
  if (!known.total.equals(Resources.of(told.total_resources))) return false;
  if (JSON.stringify(known.info) !== JSON.stringify(told.info)) return false;
  const named = byKey(told.operations.operations ?? []);
  const records = recordsOf(agent, id);
  return (
    records.length === named.size &&
    records.every(
      ({ key, operation }) => named.get(key)?.latest_status.state === operation.latest_status.state,
    )
  );
}
