// Operations whose outcome nobody can foresee: disks that a resource provider makes and unmakes. What
// they take stays with the framework until their end is known, and is what they made of it after.
import { applyConversions, takenBy, unallocated } from '#mesos/resources/conversions.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { AllocatorCore } from '#mesos/allocator/allocator-core.ts';
import { isTerminalOperation } from '#wire/mesos/operation-states.ts';
import type { OperationStatus } from '#wire/mesos/v1.ts';
import type { Holdings } from './holdings.ts';
import type { AgentRecord, FrameworkRecord, OperationRecord } from './types.ts';

/** The records that an operation is about. */
interface Parties {
  readonly agents: ReadonlyMap<string, AgentRecord>;
  readonly frameworks: ReadonlyMap<string, FrameworkRecord>;
  readonly holdings: Holdings;
  readonly allocator: AllocatorCore;
}

export class PendingOperations {
  readonly #parties: Parties;
  readonly #records = new Set<OperationRecord>();

  constructor(parties: Parties) {
    this.#parties = parties;
  }

  /**
   * `isAllocated`: an offer that it was made on holds what it takes. Without its framework that is out
   * of the agent's total: nobody is there whom it could be allocated to.
   */
  begin(
    agent: AgentRecord,
    record: OperationRecord,
    { isAllocated }: { isAllocated: boolean },
  ): void {
    const { info, latest_status } = record.operation;
    const taken = takenBy(info);
    if (taken.isEmpty || isTerminalOperation(latest_status.state)) return;
    this.#records.add(record);
    record.held = taken;
    const framework = this.#parties.frameworks.get(record.frameworkId ?? '');
    if (framework === undefined) this.#takeOut(agent, record, taken);
    else this.#allocate(agent, framework, taken, isAllocated);
  }

  /** `isConverted`: the total that the agent told last is that of after it. */
  settle(
    agent: AgentRecord,
    record: OperationRecord,
    { state, converted_resources }: Pick<OperationStatus, 'state' | 'converted_resources'>,
    { isConverted } = { isConverted: false },
  ): void {
    const taken = this.#end(agent, record);
    if (taken === undefined) return;
    const { allocator } = this.#parties;
    const { frameworkId = '' } = record;
    if (state !== 'OPERATION_FINISHED' || isConverted) {
      if (!record.isOrphan) allocator.recover(frameworkId, agent.id, taken);
      else if (!isConverted) this.#putBack(agent, taken);
      return;
    }
    const role = taken.kinds()[0]?.allocation_info?.role;
    const converted = Resources.of(converted_resources).allocatedTo(role);
    if (record.isOrphan) this.#putBack(agent, taken);
    else {
      allocator.convertAllocated(frameworkId, agent.id, { consumed: taken, converted });
      allocator.recover(frameworkId, agent.id, converted);
    }
    this.#convert(agent, record, { consumed: taken, converted });
  }

  /** It is known no more; what it took is as if it had not been asked for. */
  drop(agent: AgentRecord, record: OperationRecord): void {
    this.settle(agent, record, { state: 'OPERATION_DROPPED' });
  }

  /** Of operations whose framework is not there: no part of the agent's total. */
  heldBack(agent: AgentRecord, providerId: string): Resources {
    const orphans = [...this.#records].filter(
      (one) => one.isOrphan && one.agentId === agent.id && one.providerId === providerId,
    );
    return Resources.sum(orphans.map(({ held = Resources.none }) => held));
  }

  /** The framework ends, its operations go on. */
  orphan(framework: FrameworkRecord): void {
    for (const [agent, record, taken] of this.#of(framework.id)) {
      framework.used.remove(taken);
      this.#parties.allocator.recover(framework.id, agent.id, taken);
      this.#takeOut(agent, record, taken);
    }
  }

  /** It is known from now on. */
  adopt(framework: FrameworkRecord): void {
    for (const [agent, record, taken] of this.#of(framework.id)) {
      if (!record.isOrphan) continue;
      record.isOrphan = false;
      this.#putBack(agent, taken);
      this.#allocate(agent, framework, taken, false);
    }
  }

  #of(frameworkId: string): [AgentRecord, OperationRecord, Resources][] {
    return [...this.#records].flatMap((record) => {
      const agent = this.#parties.agents.get(record.agentId);
      const isMine = record.frameworkId === frameworkId;
      if (!isMine || agent === undefined || record.held === undefined) return [];
      return [[agent, record, record.held] satisfies [AgentRecord, OperationRecord, Resources]];
    });
  }

  #allocate(
    agent: AgentRecord,
    framework: FrameworkRecord,
    taken: Resources,
    isAllocated: boolean,
  ): void {
    if (!isAllocated) this.#parties.allocator.trackAllocated(framework.id, agent.id, taken);
    this.#parties.holdings.addPending(framework, agent, taken);
  }

  #end(agent: AgentRecord, record: OperationRecord): Resources | undefined {
    const taken = record.held;
    record.held = undefined;
    this.#records.delete(record);
    const framework = this.#parties.frameworks.get(record.frameworkId ?? '');
    if (taken !== undefined && !record.isOrphan) {
      this.#parties.holdings.removePending(framework, agent, taken);
    }
    return taken;
  }

  #takeOut(agent: AgentRecord, record: OperationRecord, taken: Resources): void {
    record.isOrphan = true;
    agent.used = undefined;
    this.#setTotal(agent, agent.total.subtract(taken.allocatedTo(undefined)));
  }

  #putBack(agent: AgentRecord, taken: Resources): void {
    this.#setTotal(agent, agent.total.add(taken.allocatedTo(undefined)));
  }

  #convert(
    agent: AgentRecord,
    { providerId = '' }: OperationRecord,
    of: { readonly consumed: Resources; readonly converted: Resources },
  ): void {
    const plain = unallocated([of]);
    const total = applyConversions(agent.total, plain);
    const provider = agent.providers.get(providerId);
    if (provider !== undefined) {
      const [{ consumed, converted } = of] = plain;
      provider.total = provider.total.subtract(consumed).add(converted);
    }
    this.#setTotal(agent, total.ok ? total.value : agent.total);
  }

  #setTotal(agent: AgentRecord, total: Resources): void {
    this.#parties.holdings.setTotal(agent, total);
    this.#parties.allocator.updateAgent(agent.id, total);
  }
}
