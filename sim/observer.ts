// Holds every part of a run to the promises of ARCHITECTURE.md: sees what the parts cannot see of
// each other, and says in words what was broken.
import type { MasterCore } from '#mesos/master/core.ts';
import { Ledger } from '#mesos/master/ledger.ts';
import type { ExitStatus } from '#env/process.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import { podOfTask } from '#kube/meta/task-id.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import type { RecoveredRegistry, RegistryChange } from '#mesos/master/types.ts';
import type { CheckpointRecord } from '#mesos/agent/types.ts';
import type { QuotaConfig, SchedulerEvent_Offers, TaskInfo, TaskStatus } from '#wire/mesos/v1.ts';
import type { FrameworkActor, NotedTask } from './framework.ts';
import { DisksLedger } from './disks-ledger.ts';
import { HoldingsLedger } from './holdings-ledger.ts';
import { brokenLimits } from './limits.ts';
import { LostLaunches } from './lost-launches.ts';
import type { Machine } from './machine.ts';
import type { NotedOperation } from './operation-book.ts';
import type { Standing } from './operator.ts';
import { isProvided } from './provided.ts';
import type { World } from './world.ts';

const VIOLATIONS_MAX = 20;
/** Adding everything up after each decision would take longer than the run. */
const AUDIT_EVERY = 16;

/** What really became of a task. */
interface Truth {
  readonly machine: string;
  readonly agentId: string;
  ended: ExitStatus | undefined;
}

function standingIn({ standings, gone }: RecoveredRegistry, agentId: string): Standing {
  if (gone?.some((one) => one.agentId === agentId) === true) return 'gone';
  const kept = standings?.find((one) => one.agentId === agentId)?.standing;
  if (kept?.deactivated !== true) return 'active';
  if (kept.drain === undefined) return 'deactivated';
  return kept.drain.config.mark_gone === true ? 'draining to go' : 'draining';
}

function hexOf(uuid: Uint8Array | undefined): string {
  return Buffer.from(uuid ?? []).toString('hex');
}

/** What must not run twice: the pod, whichever attempt it is, or else the task. */
function workOf({ task_id }: TaskInfo): string {
  return podOfTask(task_id.value).uid;
}

/** Guarantees of nothing, without limits, are none. */
function isQuota({ guarantees = {}, limits = {} }: QuotaConfig): boolean {
  const isGuaranteed = Object.values(guarantees).some(({ value }) => value > 0);
  return isGuaranteed || Object.keys(limits).length > 0;
}

export class Observer {
  readonly violations: string[] = [];
  readonly holdings = new HoldingsLedger((what) => this.failed(what));
  readonly disks = new DisksLedger((what) => this.failed(what));
  readonly launches = new LostLaunches();
  readonly #world: World;
  readonly #offers = new Set<string>();
  readonly #forbidden = new Set<string>();
  /** By machine, once it is durable. */
  readonly #agentIds = new Map<string, string>();
  readonly #truth = new Map<string, Truth>();
  readonly #acknowledged = new Set<string>();
  /** Task -> the state that its agent told last and for good. */
  readonly #ends = new Map<string, string>();
  #decisions = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Nothing more would be noted. */
  get isFull(): boolean {
    return this.violations.length >= VIOLATIONS_MAX;
  }

  failed(what: string): void {
    this.#world.log(`VIOLATION: ${what}`);
    if (!this.isFull) this.violations.push(what);
  }

  /** No task runs twice, and no machine is asked for more than it has. */
  taskStarted(machine: Machine, task: TaskInfo): void {
    const id = workOf(task);
    this.#world.log(`${machine.name}: ${task.task_id.value} starts`);
    const own = machine.disk.agentId ?? machine.agent?.core.agentId;
    if (own !== undefined && task.agent_id.value !== own) {
      this.failed(`${machine.name} is ${own} and runs ${id}, meant for ${task.agent_id.value}`);
    }
    if (this.#forbidden.has(id)) this.failed(`${id} asked for more than it was offered, and runs`);
    const before = this.#truth.get(id)?.machine;
    if (before !== undefined) this.failed(`${id} ran on ${before} and runs on ${machine.name}`);
    const agentId = task.agent_id.value;
    this.#truth.set(id, { machine: machine.name, agentId, ended: undefined });
    this.disks.started(machine, task);
    const used = machine.used(() => true);
    if (!machine.has.contains(used)) {
      this.failed(
        `${machine.name} runs ${resourcesText(used)} and has ${resourcesText(machine.has)}`,
      );
    }
  }

  mustNotRun(taskId: string): void {
    this.#forbidden.add(taskId);
  }

  /** The instance takes a pod for dead: it is. */
  podFails(uid: string, why: string): void {
    const truth = this.#truth.get(uid);
    if (truth === undefined || truth.ended !== undefined) return;
    if (this.#world.operator.decided.mayBeGone(truth.agentId)) return;
    this.failed(`${uid} runs on ${truth.machine}, and the instance gives it up: ${why}`);
  }

  taskEnded(task: TaskInfo, how: ExitStatus): void {
    const id = workOf(task);
    const truth = this.#truth.get(id);
    this.#world.tell(() => `${truth?.machine}: ${id} ${how.kind}`);
    if (truth !== undefined) truth.ended = how;
  }

  /** Once it is durable that an update was acknowledged, it is not acknowledged again. */
  durable(machine: Machine, record: CheckpointRecord): void {
    if (record.kind === 'resources') this.holdings.durable(machine.name, record.resources);
    if (record.kind === 'agent') this.#isAgent(machine, record.info.id?.value ?? '');
    if (record.kind === 'agent-gone') this.#agentIds.delete(machine.name);
    if (record.kind !== 'acknowledgement') return;
    const key = `${record.taskId} ${hexOf(record.uuid)}`;
    if (this.#acknowledged.has(key)) {
      this.failed(`${machine.name}: an update of ${record.taskId} is acknowledged twice`);
    }
    this.#acknowledged.add(key);
  }

  /** Who was sure of its id comes back under it, unless a master has ended it: its tasks are known by it. */
  #isAgent({ name }: Machine, id: string): void {
    const before = this.#agentIds.get(name);
    if (before !== undefined && before !== id) this.failed(`${name} was ${before} and is ${id}`);
    this.#agentIds.set(name, id);
  }

  offered(core: MasterCore, { offers = [] }: SchedulerEvent_Offers): void {
    const { decided } = this.#world.operator;
    for (const offer of offers) {
      const { id, agent_id } = offer;
      if (this.#offers.has(id.value)) this.failed(`offer ${id.value} was made twice`);
      this.#offers.add(id.value);
      this.holdings.offered(offer);
      this.disks.offered(offer);
      const standing = decided.standings.get(agent_id.value);
      if (standing !== undefined && !standing.has('active')) {
        this.failed(`${id.value} is of ${agent_id.value}, which is ${standing}`);
      }
    }
    for (const broken of brokenLimits(this.#world, core, offers)) this.failed(broken);
  }

  masterDecided(core: MasterCore): void {
    this.#decisions += 1;
    if (this.#decisions % AUDIT_EVERY === 0) this.audit(core);
  }

  /** Offered, used and free add up to what each agent has; nothing is promised twice. */
  audit(core: MasterCore): void {
    const { state } = core;
    this.disks.audit(core, this.#world.machines);
    const ledger = new Ledger(state);
    for (const agent of state.agents.values()) {
      const held = ledger.usedOn(agent.id).add(ledger.offeredOn(agent.id)).allocatedTo(undefined);
      // Of a provider that is not there tasks may hold disks; disks-ledger.ts looks at those.
      const own = held.filter((one) => !isProvided(one));
      if (!agent.total.contains(own.subtract(this.launches.lostOn(state, agent)))) {
        this.failed(
          `${resourcesText(held)} of ${agent.id} are given out, of ${resourcesText(agent.total)}`,
        );
      }
      const free = agent.total.subtract(held);
      const available = state.allocator.available(agent.id);
      if (!free.equals(available)) {
        this.failed(
          `the allocator takes ${resourcesText(available)} of ${agent.id} for free, it is ${resourcesText(free)}`,
        );
      }
    }
  }

  told(framework: FrameworkActor, noted: NotedTask, status: TaskStatus): void {
    const isFromAgent = (status.uuid ?? []).length > 0;
    const end = this.#ends.get(noted.id);
    if (isFromAgent && end !== undefined && end !== status.state) {
      this.failed(`${framework.plan.name} was told ${noted.id} is ${status.state} after ${end}`);
    }
    if (isFromAgent && isTerminal(status.state)) {
      this.#ends.set(noted.id, status.state);
      this.#isTrue(framework, noted.id, status);
    }
  }

  /** What an agent says of an end is what happened. */
  #isTrue(framework: FrameworkActor, id: string, { state }: TaskStatus): void {
    const { name, isCheckpointing } = framework.plan;
    const truth = this.#truth.get(id);
    const ended = truth?.ended;
    if (state === 'TASK_FINISHED' && (ended?.kind !== 'exited' || ended.code !== 0)) {
      this.failed(`${name} was told ${id} is TASK_FINISHED, and it is not`);
    }
    // Without checkpoints an agent that restarts knows nothing of what it ran.
    if (state === 'TASK_DROPPED' && truth !== undefined && isCheckpointing) {
      this.failed(`${name} was told ${id} is TASK_DROPPED, and it ran`);
    }
  }

  /** Only tasks of an agent whose id was lost before it was durable may stay unreachable. */
  gaveUp(name: string, noted: { readonly id: string; readonly agentId: string }): void {
    this.#world.log(`${name}: gives ${noted.id} up`);
    const home = this.#homeOf(noted.agentId);
    if (home !== undefined) this.failed(`${noted.id} is unreachable; ${home.name} is there`);
  }

  #homeOf(agentId: string): Machine | undefined {
    return this.#world.machines.find(({ agent }) => agent?.core.agentId === agentId);
  }

  /** Unreachable, of an agent that has become another one: until the registry forgets it, as for tasks. */
  #isOfNobody({ state, agentId }: NotedOperation): boolean {
    return state === 'OPERATION_UNREACHABLE' && this.#homeOf(agentId) === undefined;
  }

  /** At a failover: every agent that is sure of its id is in the registry, and all that was decided. */
  registryAgrees(registry: RecoveredRegistry): void {
    const { agents, unreachable, weights, quotas, gone = [] } = registry;
    const known = new Set(agents.map(({ id }) => id?.value ?? ''));
    for (const { agentId } of [...unreachable, ...gone]) known.add(agentId);
    for (const { name, disk } of this.#world.machines) {
      const id = disk.agentId;
      if (id !== undefined && !known.has(id)) this.failed(`${name} is ${id}, not in the registry`);
    }
    const { decided } = this.#world.operator;
    for (const [role, weight] of decided.weights) {
      const kept = weights.find((one) => one.role === role)?.weight ?? 1;
      if (!weight.has(kept))
        this.failed(`the registry has weight ${kept} of ${role}, not ${weight}`);
    }
    for (const [role, quota] of decided.quotas) {
      const kept = quotas?.find((one) => one.role === role) ?? null;
      if (quota.has(kept)) continue;
      this.failed(`the registry has quota ${JSON.stringify(kept)} of ${role}, not ${quota}`);
    }
    for (const [agentId, standing] of decided.standings) {
      const kept = standingIn(registry, agentId);
      if (standing.has(kept) || !known.has(agentId)) continue;
      // Whoever is drained to be gone becomes so by itself.
      if (kept === 'gone' && standing.has('draining to go')) continue;
      this.failed(`the registry has ${agentId} as ${kept}, not ${standing}`);
    }
  }

  /** What is drained runs nothing, by what really runs. */
  registered(change: RegistryChange): void {
    if (change.kind !== 'set-standing' || change.standing.drain?.state !== 'DRAINED') return;
    const machine = this.#world.machines.find(({ disk }) => disk.agentId === change.agentId);
    for (const { task_id } of machine?.runningTasks() ?? []) {
      this.failed(`${change.agentId} is drained and runs ${task_id.value}`);
    }
  }

  /** A master goes by what its registry holds. */
  masterAgrees({ state, quotas }: MasterCore, registry: RecoveredRegistry): void {
    for (const { agentId } of registry.gone ?? []) {
      if (!state.gone.has(agentId)) this.failed(`a master forgot that ${agentId} is gone`);
    }
    for (const { agentId } of registry.standings ?? []) {
      if (!state.standings.has(agentId)) this.failed(`a master forgot the standing of ${agentId}`);
    }
    for (const { role, weight } of registry.weights) {
      if (state.allocator.weight(role) !== weight) this.failed(`a master forgot weight of ${role}`);
    }
    for (const config of registry.quotas ?? []) {
      const isSame = JSON.stringify(quotas.configOf(config.role)) === JSON.stringify(config);
      const isBound = !isQuota(config) || state.allocator.quota(config.role) !== undefined;
      if (!isSame || !isBound) this.failed(`a master forgot the quota of ${config.role}`);
    }
  }

  /** Everything healed long ago: all three sides must agree that nothing is left. */
  settled(): void {
    const { frameworks, machines, master } = this.#world;
    for (const { plan, done, tasks, hasLeft, operations } of frameworks) {
      for (const noted of operations.all.values()) {
        if (noted.isFinal || hasLeft || this.#isOfNobody(noted)) continue;
        this.failed(`${plan.name} believes that ${noted.type} ${noted.id} is ${noted.state}`);
      }
      const left = plan.isCleaning ? this.holdings.reservedBy(plan.name) : [];
      if (left.length > 0) this.failed(`${plan.name} leaves ${left} behind`);
      if (done.size < plan.works) {
        this.failed(`${plan.name} finished ${done.size} of ${plan.works} pieces of work`);
      }
      for (const { id, state, isFinal } of tasks.values()) {
        if (!isFinal && !hasLeft) this.failed(`${plan.name} still believes that ${id} is ${state}`);
      }
    }
    for (const { uid, phase, nodeName } of this.#world.instance?.api.pods.values() ?? []) {
      this.failed(`${uid} on ${nodeName} is ${phase} still`);
    }
    for (const machine of machines) {
      this.#settledMachine(machine);
      this.#settledResources(machine);
      this.disks.settled(machine, master?.core);
    }
    if (master === undefined) this.failed('nobody leads');
    else this.#settledMaster(master.core);
  }

  /** Master, agent and disk are of one mind of what a machine has; nobody waits for a word on it. */
  #settledResources({ name, agent, has }: Machine): void {
    const record = this.#world.master?.core.state.agents.get(agent?.core.agentId ?? '');
    if (agent === undefined || record === undefined) return;
    const { total, operations } = agent.core.resources;
    const known = record.total.filter((one) => !isProvided(one));
    if (!total.equals(has) || !known.equals(total)) {
      const texts = [known, total, has].map(resourcesText);
      this.failed(`${name} has ${texts[2]}, its agent ${texts[1]}, the master ${texts[0]}`);
    }
    for (const { info, latest_status } of operations) {
      this.failed(`${name} waits for a word on ${info.type}, which is ${latest_status.state}`);
    }
    for (const { operation } of record.operations.values()) {
      const { info, latest_status } = operation;
      this.failed(`the master holds ${info.type} on ${name} as ${latest_status.state}`);
    }
  }

  #settledMachine(machine: Machine): void {
    const { name, agent } = machine;
    for (const { task_id } of machine.runningTasks()) {
      this.failed(`${task_id.value} runs on ${name} and nobody wants it`);
    }
    if (agent?.core.master.kind !== 'registered') {
      this.failed(`${name} is not registered`);
      return;
    }
    const { workloads } = agent.core;
    for (const { id } of workloads.frameworks.values()) {
      if (workloads.streams.hasPending(id)) {
        this.failed(`${name} waits for an acknowledgement by ${id}`);
      }
    }
    const executors = workloads.executors().filter(({ type }) => type !== 'command');
    const here = executors.map(({ key }) => `${key.frameworkId} ${key.executorId}`).sort();
    const record = this.#world.master?.core.state.agents.get(agent.core.agentId ?? '');
    const there = [...(record?.executors ?? [])]
      .flatMap(([framework, known]) => [...known.keys()].map((id) => `${framework} ${id}`))
      .sort();
    if (here.join() !== there.join()) {
      this.failed(`${name} has executors ${here.join()}; the master believes ${there.join()}`);
    }
    const gone = this.#world.frameworks.filter(({ hasLeft }) => hasLeft);
    for (const { launch, ended } of machine.executors.values()) {
      const { frameworkId } = launch.key;
      if (ended === undefined && gone.some((one) => one.frameworkId === frameworkId)) {
        this.failed(`${name} runs an executor of ${frameworkId}, which is gone`);
      }
    }
  }

  #settledMaster(core: MasterCore): void {
    this.audit(core);
    const registry = this.#world.registered();
    this.registryAgrees(registry);
    const { state } = core;
    const admitted = new Set(registry.agents.map(({ id }) => id?.value));
    for (const id of state.agents.keys()) {
      if (!admitted.has(id)) this.failed(`${id} is here, and the registry does not have it so`);
    }
    if (state.agents.size !== this.#world.machines.length) {
      this.failed(`the master knows ${state.agents.size} agents`);
    }
    for (const { plan, hasLeft, frameworkId = '' } of this.#world.frameworks) {
      if (hasLeft === state.frameworks.has(frameworkId)) {
        this.failed(`${plan.name} ${hasLeft ? 'left' : 'stays'}, the master believes otherwise`);
      }
    }
    const ids = new Set(this.#world.machines.map(({ agent }) => agent?.core.agentId));
    for (const { id, tasks, unreachableTasks } of state.frameworks.values()) {
      for (const { task } of tasks.values()) {
        this.failed(`the master holds ${task.task_id.value} of ${id} as ${task.state}`);
      }
      // Of an agent that has become another one they stay so until the registry forgets it.
      for (const [taskId, { agent_id }] of unreachableTasks) {
        if (ids.has(agent_id.value)) {
          this.failed(`the master holds ${taskId} of ${id} as unreachable`);
        }
      }
    }
  }
}
