// Decides over resource providers: which may subscribe, what they have, operations on their way to them
// and back, and what they make usable before it is used. Part of the agent core.
import type { Instant } from '#env/env.ts';
import {
  applyConversions,
  conversionsOf,
  providerOf,
  takenBy,
  unallocated,
  type Conversion,
} from '#mesos/resources/conversions.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { isTerminalOperation } from '#wire/mesos/operation-states.ts';
import type {
  Messages,
  Offer_Operation,
  Operation,
  OperationStatus,
  ProvidedResourceProvider,
  Resource,
  ResourceProviderCall,
  ResourceProviderEvent,
  ResourceProviderInfo,
} from '#wire/mesos/v1.ts';
import { hexOf } from './status-streams.ts';
import type { AgentChance, AgentEffect, ConnectionId } from './types.ts';

type Update = Messages['UpdateOperationStatusMessage'];
type Reported = NonNullable<Messages['UpdateSlaveMessage']['resource_providers']>;
type Asked = NonNullable<Messages['ReconcileOperationsMessage']['operations']>[number];

/** Told once, what is wrong or nothing. */
export type Published = (problem: string | undefined, now: Instant) => void;

export interface Provider {
  info: ResourceProviderInfo;
  readonly id: string;
  connection: ConnectionId;
  total: Resources;
  /** Undefined until it has told what it has: then the master hears of it. */
  version: Uint8Array | undefined;
  /** By the hex of their UUID; until their end is acknowledged. */
  readonly operations: Map<string, Operation>;
  /** Ends that were acknowledged while it still told of them: what it says again was on its way. */
  readonly acknowledged: Set<string>;
  /** By the hex of the UUID that it was asked with. */
  readonly publishing: Map<string, Published>;
}

/** What the core does for them. */
export interface ProviderPorts {
  readonly isRegistered: () => boolean;
  /** Tells the master what all providers have. */
  readonly report: () => void;
}

const ACKNOWLEDGED_MAX = 1_000;
const UNPUBLISHED = 'Failed to publish resources from resource provider';

/** Nothing is on its way for longer than it takes to end so many more. */
function rememberEnd(acknowledged: Set<string>, key: string): void {
  acknowledged.add(key);
  const [oldest] = acknowledged;
  if (acknowledged.size > ACKNOWLEDGED_MAX && oldest !== undefined) acknowledged.delete(oldest);
}

export class Providers {
  readonly #chance: AgentChance;
  readonly #out: AgentEffect[];
  readonly #ports: ProviderPorts;
  /** Those that have an id from this agent. */
  readonly #known = new Map<string, ProvidedResourceProvider>();
  #removed: ProvidedResourceProvider[] = [];
  readonly subscribed = new Map<string, Provider>();
  agentId = '';
  subscriptions = 0;
  disconnections = 0;

  constructor(chance: AgentChance, out: AgentEffect[], ports: ProviderPorts) {
    this.#chance = chance;
    this.#out = out;
    this.#ports = ports;
  }

  recover(known: readonly ProvidedResourceProvider[]): void {
    for (const one of known) this.#known.set(one.id.value, one);
  }

  get operations(): Operation[] {
    return [...this.subscribed.values()].flatMap(({ operations }) => [...operations.values()]);
  }

  get total(): Resources {
    return Resources.sum([...this.subscribed.values()].map(({ total }) => total));
  }

  /** What the master is told of them, whole each time. */
  reported(): Reported {
    const providers = [...this.subscribed.values()].flatMap((provider) => {
      const { info, total, version, operations } = provider;
      if (version === undefined) return [];
      const total_resources = [...total.toWire()];
      const resource_version_uuid = { value: version };
      const all = { operations: [...operations.values()] };
      return [{ info, total_resources, operations: all, resource_version_uuid }];
    });
    return { providers };
  }

  // ---- subscription

  /** One without an id gets one for good; one with an id must have got it here, as what it still is. */
  subscribe(connection: ConnectionId, asked: ResourceProviderInfo, now: Instant): void {
    const { type, name } = asked;
    const id = asked.id?.value ?? this.#chance.uuid();
    const known = this.#known.get(id);
    if (asked.id === undefined) {
      this.#known.set(id, { id: { value: id }, type, name });
      this.#checkpoint();
    } else if (known === undefined || known.type !== type || known.name !== name) {
      const why = known === undefined ? 'its id is not known' : 'it had another type or name';
      this.#log('A resource provider is refused', { id, type, name, why });
      this.#out.push({ kind: 'close-provider', connection });
      return;
    }
    const info = { ...asked, id: { value: id } };
    const before = this.subscribed.get(id);
    if (before === undefined) {
      this.subscribed.set(id, {
        info,
        id,
        connection,
        total: Resources.none,
        version: undefined,
        operations: new Map(),
        acknowledged: new Set(),
        publishing: new Map(),
      });
    } else {
      this.#out.push({ kind: 'close-provider', connection: before.connection });
      this.#failPublishing(before, `${UNPUBLISHED} ${id}: Connection closed`, now);
      before.info = info;
      before.connection = connection;
    }
    this.subscriptions += 1;
    this.#send(connection, { type: 'SUBSCRIBED', subscribed: { provider_id: { value: id } } });
  }

  /** Its stream ended; what it had is nobody's to offer until it is back. */
  disconnected(connection: ConnectionId, now: Instant): void {
    const provider = [...this.subscribed.values()].find((one) => one.connection === connection);
    if (provider === undefined) return;
    this.disconnections += 1;
    this.#remove(provider, now);
  }

  #remove(provider: Provider, now: Instant): void {
    this.subscribed.delete(provider.id);
    this.#failPublishing(provider, `${UNPUBLISHED} ${provider.id}: Connection closed`, now);
    if (provider.version !== undefined) this.#report();
  }

  /** An operator says that it will never be back. It must have nothing left. */
  markGone(id: string, now: Instant): void {
    const known = this.#known.get(id);
    if (known !== undefined) {
      this.#known.delete(id);
      this.#removed = [...this.#removed, known];
      this.#checkpoint();
    }
    const provider = this.subscribed.get(id);
    if (provider === undefined) return;
    this.#send(provider.connection, { type: 'TEARDOWN' });
    this.#out.push({ kind: 'close-provider', connection: provider.connection });
    const message =
      'The resource provider was removed before a terminal operation status update was received';
    // Before the report without it: of an operation that is in no report nothing more is heard.
    for (const { info, framework_id, uuid, latest_status } of provider.operations.values()) {
      if (isTerminalOperation(latest_status.state)) continue;
      const status = this.#status(info, 'OPERATION_GONE_BY_OPERATOR', { id, message });
      this.#update({ framework_id, status, operation_uuid: uuid });
    }
    this.#remove(provider, now);
  }

  /** Why it cannot be marked gone, in Mesos' words. */
  problemWithGone(id: string): string | undefined {
    const provider = this.subscribed.get(id);
    if (provider === undefined || provider.total.isEmpty) return undefined;
    return `Could not mark resource provider '${id}' as gone: Resource provider has resources`;
  }

  // ---- calls of providers

  /** Of a provider that is subscribed; checked by whoever took it in. */
  call(id: string, call: ResourceProviderCall, now: Instant): void {
    const provider = this.subscribed.get(id);
    if (provider === undefined) return;
    const { update_state, update_operation_status, update_publish_resources_status } = call;
    if (update_state !== undefined) this.#onState(provider, update_state);
    else if (update_operation_status !== undefined) {
      this.#onStatus(provider, update_operation_status);
    } else if (update_publish_resources_status !== undefined) {
      const { uuid, status } = update_publish_resources_status;
      const done = provider.publishing.get(hexOf(uuid.value));
      provider.publishing.delete(hexOf(uuid.value));
      done?.(status === 'OK' ? undefined : `Received ${status} status`, now);
    }
  }

  #onState(provider: Provider, state: NonNullable<ResourceProviderCall['update_state']>): void {
    provider.total = Resources.of(state.resources);
    provider.version = state.resource_version_uuid.value;
    const told = new Map((state.operations ?? []).map((one) => [hexOf(one.uuid.value), one]));
    for (const key of provider.operations.keys()) {
      // The master asks about those that it misses, and hears from the provider itself.
      if (!told.has(key)) provider.operations.delete(key);
    }
    for (const key of provider.acknowledged) if (!told.has(key)) provider.acknowledged.delete(key);
    for (const [key, operation] of told) {
      const known = provider.operations.get(key);
      if (provider.acknowledged.has(key)) continue;
      if (known === undefined) provider.operations.set(key, operation);
      else if (isTerminalOperation(operation.latest_status.state)) {
        // It is in the total that came with it.
        provider.operations.set(key, latest(known, operation.latest_status));
      }
    }
    this.#report();
  }

  #onStatus(
    provider: Provider,
    update: NonNullable<ResourceProviderCall['update_operation_status']>,
  ): void {
    const { framework_id, operation_uuid } = update;
    const key = hexOf(operation_uuid.value);
    const known = provider.operations.get(key);
    const status = this.#completed(known, update.status);
    const last =
      update.latest_status === undefined ? undefined : this.#completed(known, update.latest_status);
    if (known !== undefined) this.#progress(provider, key, known, last ?? status);
    this.#update({
      framework_id,
      status,
      operation_uuid,
      ...(last === undefined ? {} : { latest_status: last }),
    });
  }

  /** Providers know no agent, and may have lost the id that the framework gave. */
  #completed(known: Operation | undefined, status: OperationStatus): OperationStatus {
    const id = known?.info.id;
    return {
      ...status,
      agent_id: { value: this.agentId },
      ...(id === undefined ? {} : { operation_id: id }),
    };
  }

  #progress(provider: Provider, key: string, known: Operation, status: OperationStatus): void {
    const statuses = [...(known.statuses ?? []), status];
    const hadEnded = isTerminalOperation(known.latest_status.state);
    provider.operations.set(key, { ...(hadEnded ? known : latest(known, status)), statuses });
    if (hadEnded || status.state !== 'OPERATION_FINISHED') return;
    const consumed = takenBy(known.info);
    if (consumed.isEmpty) return;
    const converted = Resources.of(status.converted_resources);
    this.#convert(provider, [{ consumed, converted }]);
  }

  /** False: it does not have what was to become something else. */
  #convert(provider: Provider, conversions: readonly Conversion[]): boolean {
    const total = applyConversions(provider.total, unallocated(conversions));
    if (total.ok) provider.total = total.value;
    return total.ok;
  }

  // ---- what the master says

  /** Those of providers; false: it is one on what the agent itself has. */
  apply(message: Messages['ApplyOperationMessage']): boolean {
    const { framework_id, operation_info: info, operation_uuid } = message;
    const id = providerOf(info);
    if (id === undefined) return false;
    const provider = this.subscribed.get(id);
    const key = hexOf(operation_uuid.value);
    if (provider === undefined) {
      // It left when this was on its way: nobody will ever say anything of it.
      const status = this.#status(info, 'OPERATION_DROPPED', {
        id,
        message: 'The resource provider is not subscribed',
      });
      this.#update({ framework_id, status, operation_uuid });
      return true;
    }
    if (provider.operations.has(key)) return true;
    provider.operations.set(key, {
      ...(framework_id === undefined ? {} : { framework_id }),
      agent_id: { value: this.agentId },
      info,
      latest_status: this.#status(info, 'OPERATION_PENDING', { id }),
      uuid: operation_uuid,
    });
    // Its outcome is foreseen; a provider that does otherwise tells its total anew.
    this.#convert(provider, conversionsOf(info));
    this.#send(provider.connection, {
      type: 'APPLY_OPERATION',
      apply_operation: {
        ...(framework_id === undefined ? {} : { framework_id }),
        info,
        operation_uuid,
        resource_version_uuid: message.resource_version_uuid.uuid,
      },
    });
    return true;
  }

  /** False: it is of an operation of the agent's own. */
  acknowledged(message: Messages['AcknowledgeOperationStatusMessage']): boolean {
    const { operation_uuid, status_uuid, resource_provider_id } = message;
    const key = hexOf(operation_uuid.value);
    const provider =
      [...this.subscribed.values()].find(({ operations }) => operations.has(key)) ??
      this.subscribed.get(resource_provider_id?.value ?? '');
    if (provider === undefined) return resource_provider_id !== undefined;
    const last = provider.operations.get(key)?.statuses?.at(-1);
    if (last !== undefined && isTerminalOperation(last.state)) {
      provider.operations.delete(key);
      rememberEnd(provider.acknowledged, key);
    }
    this.#send(provider.connection, {
      type: 'ACKNOWLEDGE_OPERATION_STATUS',
      acknowledge_operation_status: { status_uuid, operation_uuid },
    });
    return true;
  }

  /** Asks those that are there; answers for those that are not. */
  reconcile(message: Messages['ReconcileOperationsMessage']): void {
    const byProvider = new Map<Provider, Messages['UUID'][]>();
    for (const asked of message.operations ?? []) {
      const id = asked.resource_provider_id?.value;
      if (id === undefined) continue;
      const provider = this.subscribed.get(id);
      if (provider === undefined || asked.operation_uuid === undefined) {
        this.#answerFor(id, asked, message.framework_id);
        continue;
      }
      byProvider.set(provider, [...(byProvider.get(provider) ?? []), asked.operation_uuid]);
    }
    for (const [{ connection }, operation_uuids] of byProvider) {
      this.#send(connection, {
        type: 'RECONCILE_OPERATIONS',
        reconcile_operations: { operation_uuids },
      });
    }
  }

  #answerFor(id: string, asked: Asked, framework_id: Update['framework_id']): void {
    const { operation_id, operation_uuid } = asked;
    const state = this.#known.has(id) ? 'OPERATION_RECOVERING' : 'OPERATION_UNKNOWN';
    const status: OperationStatus = {
      ...(operation_id === undefined ? {} : { operation_id }),
      state: this.#ofKnown(id, asked) ?? state,
      agent_id: { value: this.agentId },
      resource_provider_id: { value: id },
    };
    this.#update({ framework_id, status, operation_uuid });
  }

  /** A framework knows no UUIDs: one that it asks about by its own id may have come by now. */
  #ofKnown(id: string, { operation_id }: Asked): OperationStatus['state'] | undefined {
    if (operation_id === undefined) return undefined;
    const all = this.subscribed.get(id)?.operations.values() ?? [];
    return [...all].find(({ info }) => info.id?.value === operation_id.value)?.latest_status.state;
  }

  // ---- what is used

  /** Of a launch: what no provider has (any more). */
  unknownOf(resources: readonly Resource[]): Resource | undefined {
    return resources.find(({ provider_id, allocation_info: _role, ...rest }) => {
      if (provider_id === undefined) return false;
      const total = this.subscribed.get(provider_id.value)?.total ?? Resources.none;
      return !total.contains(Resources.of([{ ...rest, provider_id }]));
    });
  }

  /**
   * Asks the providers of `mine` to make it usable along with `others`, which stays so: they are told
   * all that is in use, for some have nothing by which they could tell its parts.
   */
  publish(
    mine: readonly Resource[],
    others: readonly Resource[],
    now: Instant,
    done: Published,
  ): void {
    const ids = new Set(mine.flatMap(({ provider_id }) => provider_id?.value ?? []));
    const missing = [...ids].find((id) => !this.subscribed.has(id));
    if (missing !== undefined) {
      done(`Resource provider ${missing} is not subscribed`, now);
      return;
    }
    let left = ids.size;
    if (left === 0) {
      done(undefined, now);
      return;
    }
    const one: Published = (problem, at) => {
      if (left <= 0) return;
      left = problem === undefined ? left - 1 : 0;
      if (left === 0) done(problem, at);
    };
    for (const id of ids) {
      const provider = this.subscribed.get(id);
      if (provider === undefined) continue;
      const uuid = this.#chance.uuidBytes();
      const resources = [...mine, ...others].filter(({ provider_id }) => provider_id?.value === id);
      provider.publishing.set(hexOf(uuid), one);
      this.#send(provider.connection, {
        type: 'PUBLISH_RESOURCES',
        publish_resources: {
          uuid: { value: uuid },
          resources: [...Resources.of(resources).toWire()],
        },
      });
    }
  }

  #failPublishing({ publishing }: Provider, problem: string, now: Instant): void {
    const all = [...publishing.values()];
    publishing.clear();
    for (const done of all) done(problem, now);
  }

  // ---- what goes out

  #status(
    { id: operation_id }: Offer_Operation,
    state: OperationStatus['state'],
    { id, message }: { readonly id: string; readonly message?: string | undefined },
  ): OperationStatus {
    return {
      ...(operation_id === undefined ? {} : { operation_id }),
      state,
      ...(message === undefined ? {} : { message }),
      agent_id: { value: this.agentId },
      resource_provider_id: { value: id },
    };
  }

  #send(connection: ConnectionId, event: ResourceProviderEvent): void {
    this.#out.push({ kind: 'provider-event', connection, event });
  }

  /** A provider says it again until it is acknowledged; what the agent says itself is in its next report. */
  #update({ framework_id, operation_uuid, ...rest }: Update): void {
    if (!this.#ports.isRegistered()) return;
    const body: Update = {
      ...rest,
      agent_id: { value: this.agentId },
      ...(framework_id === undefined ? {} : { framework_id }),
      ...(operation_uuid === undefined ? {} : { operation_uuid }),
    };
    this.#out.push({ kind: 'send-master', name: 'UpdateOperationStatusMessage', body });
  }

  #report(): void {
    if (this.#ports.isRegistered()) this.#ports.report();
  }

  #checkpoint(): void {
    const registry = {
      resource_providers: [...this.#known.values()],
      removed_resource_providers: this.#removed,
    };
    this.#out.push({ kind: 'checkpoint', record: { kind: 'providers', registry } });
  }

  #log(message: string, fields: Record<string, unknown>): void {
    this.#out.push({ kind: 'log', message, fields });
  }
}

function latest(operation: Operation, status: OperationStatus): Operation {
  return isTerminalOperation(operation.latest_status.state)
    ? operation
    : { ...operation, latest_status: status };
}
