// ACCEPT: which offers may be taken together, and what becomes of them operation by operation: each
// one works on what the ones before it left (inventory 2.5 and 2.6, the words of Mesos 1.11).
import { applyConversions, conversionsOf, takenBy } from '#mesos/resources/conversions.ts';
import { actionsOf, refusedOf, textOf } from '#mesos/security/action-objects.ts';
import { toPostRefinement } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import type {
  Offer_Operation,
  Resource,
  SchedulerCall_Accept,
  TaskInfo,
  TaskState,
  TaskStatus_Reason,
} from '#wire/mesos/v1.ts';
import type { LaunchDesk, Pool, Target } from './launches.ts';
import { validateOperation, validateShape } from './operation-validation.ts';
import { agentText, canAgent, type OperationDesk, validateFeedback } from './operations.ts';
import type { MasterState } from './state.ts';
import type { OfferRecord } from './offer-book.ts';
import type { AgentRecord, FrameworkRecord } from './types.ts';

const NOT_FOR_SCHEDULERS = 'Reservation updates are not yet implemented for the scheduler API.';

/** To drivers (v0), which abort on it. */
const NO_FEEDBACK =
  "The 'id' field was set in an offer operation, but operation feedback is not supported for the SchedulerDriver API; please use the HTTP scheduler API for this feature";

export class AcceptDesk {
  readonly #state: MasterState;
  readonly #launches: LaunchDesk;
  readonly #operations: OperationDesk;

  constructor(state: MasterState, launches: LaunchDesk, operations: OperationDesk) {
    this.#state = state;
    this.#launches = launches;
    this.#operations = operations;
  }

  accept(
    framework: FrameworkRecord,
    accept: SchedulerCall_Accept,
    refuseMs: number,
    now: number,
  ): void {
    const ids = (accept.offer_ids ?? []).map(({ value }) => value);
    const operations = accept.operations ?? [];
    const wrong = this.#wrongOffers(framework, ids);
    const offers = this.#take(framework, ids);
    const [first] = offers;
    if (wrong !== undefined || first === undefined) {
      this.#giveBack(framework, offers);
      this.#dropAll(framework, operations, wrong ?? 'No offers specified', now);
      return;
    }
    const agent = this.#state.agents.get(first.agentId);
    if (agent === undefined || !agent.isConnected) {
      this.#giveBack(framework, offers);
      const isGone = agent === undefined;
      const reason = isGone ? 'REASON_AGENT_REMOVED' : 'REASON_AGENT_DISCONNECTED';
      const message = isGone ? 'Agent removed' : 'Agent disconnected';
      this.#tellTasks(framework, operations, { state: 'TASK_DROPPED', reason, message, now });
      return;
    }
    const offered = offers
      .map(({ resources }) => resources)
      .reduce((sum, part) => sum.add(part), Resources.none);
    const pool: Pool = { left: offered, shared: offered.shared(), resized: Resources.none };
    const on: Target = { framework, agent, role: first.role, now };
    this.#count(framework, offers.length, operations);
    const wellFormed = operations.filter((operation) => this.#isWellFormed(on, operation));
    for (const operation of wellFormed) this.#perform(on, operation, pool);
    const left = pool.left.add(pool.resized);
    const { allocator } = this.#state;
    // Tasks turn nothing into something else.
    const isOnlyUsed = operations.every(({ type }) => type === 'LAUNCH' || type === 'LAUNCH_GROUP');
    const converted = isOnlyUsed ? Resources.none : left.subtract(offered);
    allocator.recover(framework.id, agent.id, converted);
    allocator.recover(framework.id, agent.id, left.subtract(converted), { refuseMs, now });
  }

  #count(framework: FrameworkRecord, offers: number, operations: readonly Offer_Operation[]): void {
    const { frameworkMetrics } = this.#state;
    if (operations.length > 0) frameworkMetrics.count(framework.id, 'offers/accepted', offers);
    else frameworkMetrics.count(framework.id, 'offers/declined', offers);
    for (const { type = 'UNKNOWN', launch } of operations) {
      if (type !== 'LAUNCH') continue;
      if ((launch?.task_infos ?? []).length > 0) this.#state.count('messages_launch_tasks');
      else this.#state.count('messages_decline_offers');
    }
  }

  #wrongOffers(framework: FrameworkRecord, ids: readonly string[]): string | undefined {
    if (ids.length === 0) return 'No offers specified';
    const twice = ids.find((id, i) => ids.indexOf(id) !== i);
    if (twice !== undefined) return `Duplicate offer ${twice} in offer list`;
    const missing = ids.find((id) => !this.#state.offers.has(id));
    if (missing !== undefined) return `Offer ${missing} is no longer valid`;
    const offers = ids.map((id) => this.#state.offers.get(id) as OfferRecord);
    const foreign = offers.find(({ frameworkId }) => frameworkId !== framework.id);
    if (foreign !== undefined) {
      return `Offer ${foreign.id} has invalid framework ${foreign.frameworkId} while framework ${framework.id} is expected`;
    }
    const [first] = offers;
    const otherRole = offers.find(({ role }) => role !== first?.role);
    if (otherRole !== undefined) {
      return `Aggregated offers must be allocated to the same role. Offer ${otherRole.id} uses role '${otherRole.role} but another is using role '${first?.role}`;
    }
    const otherAgent = offers.find(({ agentId }) => agentId !== first?.agentId);
    if (otherAgent === undefined) return undefined;
    return `Aggregated offers must belong to one single agent. Offer ${otherAgent.id} uses agent ${otherAgent.agentId} and agent ${first?.agentId}`;
  }

  /** Those of the framework's own are used up, whatever becomes of the call. */
  #take(framework: FrameworkRecord, ids: readonly string[]): OfferRecord[] {
    const taken: OfferRecord[] = [];
    for (const id of ids) {
      const offer = this.#state.offers.get(id);
      if (offer === undefined || offer.frameworkId !== framework.id) continue;
      this.#state.dropOffer(offer, { rescind: false });
      taken.push(offer);
    }
    return taken;
  }

  #giveBack(framework: FrameworkRecord, offers: readonly OfferRecord[]): void {
    for (const { agentId, resources } of offers) {
      this.#state.allocator.recover(framework.id, agentId, resources);
    }
  }

  #dropAll(
    framework: FrameworkRecord,
    operations: readonly Offer_Operation[],
    why: string,
    now: number,
  ): void {
    for (const operation of operations) {
      if (operation.type === 'LAUNCH' || operation.type === 'LAUNCH_GROUP') continue;
      const message = `Operation attempted with invalid offers: ${why}`;
      this.#operations.refuse(framework, operation, message);
    }
    const message = `Task launched with invalid offers: ${why}`;
    const reason = 'REASON_INVALID_OFFERS';
    this.#tellTasks(framework, operations, { state: 'TASK_DROPPED', reason, message, now });
  }

  #tellTasks(
    framework: FrameworkRecord,
    operations: readonly Offer_Operation[],
    own: { state: TaskState; reason: TaskStatus_Reason; message: string; now: number },
  ): void {
    for (const operation of operations) {
      for (const task of tasksOf(operation)) this.#launches.tell(framework, task, own);
    }
  }

  /** Malformed ones are refused first, all of them, as the real master does. */
  #isWellFormed(on: Target, asked: Offer_Operation): boolean {
    const shape =
      validateShape(asked) ??
      ((asked.reserve?.source ?? []).length > 0 ? NOT_FOR_SCHEDULERS : undefined);
    if (asked.type === 'LAUNCH' || asked.type === 'LAUNCH_GROUP') {
      const noId = `The \`id\` field cannot be set on ${asked.type} operations`;
      const message = shape ?? (asked.id === undefined ? undefined : noId);
      if (message === undefined) return true;
      const reason: TaskStatus_Reason =
        asked.type === 'LAUNCH' ? 'REASON_TASK_INVALID' : 'REASON_TASK_GROUP_INVALID';
      const own = { state: 'TASK_ERROR' as const, reason, message, now: on.now };
      for (const task of tasksOf(asked)) this.#launches.tell(on.framework, task, own);
      return false;
    }
    if (asked.id !== undefined && on.framework.pid !== undefined) {
      this.#state.tell(on.framework, { type: 'ERROR', error: { message: NO_FEEDBACK } });
      return false;
    }
    const wrong =
      shape === undefined
        ? validateFeedback(asked, on.agent)
        : `Operation attempted with invalid resources: ${shape}`;
    if (wrong !== undefined && asked.type !== undefined && asked.type !== 'UNKNOWN') {
      this.#operations.refuse(on.framework, asked, wrong);
    }
    return wrong === undefined;
  }

  #perform(on: Target, asked: Offer_Operation, pool: Pool): void {
    if (asked.type === 'LAUNCH') return this.#launches.launch(on, asked, pool);
    if (asked.type === 'LAUNCH_GROUP') return this.#launches.launchGroup(on, asked, pool);
    const operation = normalized(asked, on.role);
    const wrong = this.#refused(on, operation) ?? this.#convert(on, operation, pool);
    if (wrong !== undefined) {
      this.#operations.refuse(on.framework, asked, wrong);
      return;
    }
    const { type = 'UNKNOWN' } = operation;
    this.#state.frameworkMetrics.countOf(on.framework.id, 'operations', type);
    this.#operations.apply(on.agent, on.framework, operation);
  }

  #refused({ agent, framework }: Target, operation: Offer_Operation): string | undefined {
    const isDisk = operation.type === 'CREATE_DISK' || operation.type === 'DESTROY_DISK';
    const who = agentText(agent);
    if (isDisk && !canAgent(agent, 'RESOURCE_PROVIDER')) {
      return `Not supported on agent ${who} because it does not have RESOURCE_PROVIDER capability`;
    }
    const wrong = validateOperation(operation, this.#operations.context(agent, framework));
    if (wrong !== undefined) return `${wrong}; on agent ${who}`;
    if (framework.approvers.isAll) return undefined;
    const refused = refusedOf(framework.approvers, actionsOf(operation));
    if (refused === undefined) return undefined;
    return `Principal '${framework.info.principal ?? ''}' no authorized to ${textOf(refused)}`;
  }

  /** Takes from the pool what is consumed and puts in what it becomes. */
  #convert(on: Target, operation: Offer_Operation, pool: Pool): string | undefined {
    const { type } = operation;
    const taken = takenBy(operation);
    if (!taken.isEmpty) {
      if (!pool.left.contains(taken)) {
        return `Invalid ${type} Operation: ${resourcesText(pool.left)} does not contain ${resourcesText(taken)}`;
      }
      pool.left = pool.left.subtract(taken);
      return undefined;
    }
    if (type === 'DESTROY') this.#rescindVolumes(on.agent, operation.destroy?.volumes ?? []);
    const conversions = conversionsOf(operation);
    const isResize = type === 'GROW_VOLUME' || type === 'SHRINK_VOLUME';
    if (isResize) {
      const [only] = conversions;
      if (only === undefined || !pool.left.contains(only.consumed)) {
        const consumed = only?.consumed ?? Resources.none;
        return `Invalid ${type} operation: ${resourcesText(pool.left)} does not contain ${resourcesText(consumed)}`;
      }
      pool.left = pool.left.subtract(only.consumed);
      pool.resized = pool.resized.add(only.converted);
    } else {
      const left = applyConversions(pool.left, conversions);
      if (!left.ok) return left.error;
      pool.left = left.value;
      if (type === 'CREATE' || type === 'DESTROY') pool.shared = pool.left.shared();
    }
    for (const conversion of conversions) {
      this.#state.allocator.convertAllocated(on.framework.id, on.agent.id, conversion);
    }
    return undefined;
  }

  /** Copies of a shared volume that others were offered must not outlive it. */
  #rescindVolumes(agent: AgentRecord, volumes: readonly Resource[]): void {
    for (const offer of agent.offers.slice()) {
      if (!volumes.some((volume) => offer.resources.contains(Resources.of([volume])))) continue;
      this.#state.dropOffer(offer, { rescind: true });
      this.#state.allocator.recover(offer.frameworkId, agent.id, offer.resources);
    }
  }
}

function tasksOf(operation: Offer_Operation): readonly TaskInfo[] {
  return operation.launch?.task_infos ?? operation.launch_group?.task_group.tasks ?? [];
}

function one(resource: Resource, role: string): Resource {
  const post = toPostRefinement(resource);
  return post.allocation_info === undefined ? { ...post, allocation_info: { role } } : post;
}

/** Post-refinement form, allocated to the role of the offer where nothing else is said. */
function normalized(operation: Offer_Operation, role: string): Offer_Operation {
  const each = (list: readonly Resource[] | undefined) => (list ?? []).map((it) => one(it, role));
  const { reserve, unreserve, create, destroy } = operation;
  const { grow_volume: grow, shrink_volume: shrink, create_disk, destroy_disk } = operation;
  return {
    ...operation,
    ...(reserve && { reserve: { ...reserve, resources: each(reserve.resources) } }),
    ...(unreserve && { unreserve: { resources: each(unreserve.resources) } }),
    ...(create && { create: { volumes: each(create.volumes) } }),
    ...(destroy && { destroy: { volumes: each(destroy.volumes) } }),
    ...(grow && {
      grow_volume: { volume: one(grow.volume, role), addition: one(grow.addition, role) },
    }),
    ...(shrink && { shrink_volume: { ...shrink, volume: one(shrink.volume, role) } }),
    ...(create_disk && {
      create_disk: { ...create_disk, source: one(create_disk.source, role) },
    }),
    ...(destroy_disk && { destroy_disk: { source: one(destroy_disk.source, role) } }),
  };
}
