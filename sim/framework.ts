// A framework as a careful scheduler writes it: it notes what it launches before it launches it,
// acknowledges every update after it has noted it, reconciles, and retries work whose task is gone.
import type {
  ExecutorInfo,
  FrameworkInfo_Capability,
  Offer,
  Offer_Operation,
  OperationStatus,
  Resource,
  SchedulerCall,
  SchedulerEvent,
  TaskInfo,
  TaskStatus,
} from '#wire/mesos/v1.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import { Life } from './network.ts';
import { DiskUser } from './disk-user.ts';
import { hasTaskRoom, holdingsOf } from './holdings.ts';
import { OperationBook } from './operation-book.ts';
import type { FrameworkPlan, TaskKind } from './plan.ts';
import { isProvided } from './provided.ts';
import { Reserver } from './reserver.ts';
import { SchedulerLink } from './scheduler-link.ts';
import { DRIVER_COMMAND } from './programs.ts';
import type { World } from './world.ts';

const RECONCILE_MS = 20_000;
/** A task that is unreachable for so long is done anew: its agent may never come back. */
const GIVE_UP_MS = 10 * 60_000;
/** Longer than any crash in a plan. */
export const FAILOVER_TIMEOUT_S = 100;
/** Only so many tasks of one piece of work fail or are killed: in the end all work is done. */
const FLAKY_ATTEMPTS = 3;
/** More than any machine has. */
const GREED = 'cpus:9;mem:64';

/** What the framework has noted of a task; survives its own crashes. */
export interface NotedTask {
  readonly id: string;
  readonly work: number;
  readonly agentId: string;
  state: string;
  /** No task of this id is to run any more. */
  isFinal: boolean;
  /** Since when it is told to be unreachable, without anything else meanwhile. */
  unreachableSince: number | undefined;
}

export class FrameworkActor {
  readonly plan: FrameworkPlan;
  readonly #world: World;
  life: Life;
  // ---- survives crashes
  frameworkId: string | undefined;
  hasLeft = false;
  readonly tasks = new Map<string, NotedTask>();
  /** Those of them that are not final. */
  readonly #open = new Set<NotedTask>();
  readonly done = new Set<number>();
  readonly operations = new OperationBook();
  readonly reserver: Reserver;
  readonly #disks: DiskUser;
  readonly #attempts = new Map<number, number>();
  #worksNoted = 0;
  #lives = 0;
  /** All pieces of work below are done. */
  #doneBelow = 0;
  // ---- of this life
  #link: SchedulerLink | undefined;
  #isSubscribed = false;
  #isSuppressed = false;
  #isAsking = false;
  readonly #held = new Map<string, Offer>();
  /** Offers seen, for the observer. */
  offersSeen = 0;

  constructor(world: World, plan: FrameworkPlan) {
    this.#world = world;
    this.plan = plan;
    this.reserver = new Reserver(world, plan, this.operations);
    this.#disks = new DiskUser(world, plan, this.operations);
    this.life = new Life(plan.name, plan.name);
    this.life.isAlive = false;
  }

  /** Its work is done: it leaves as planned. */
  leave(): void {
    if (this.plan.end === 'stays') return;
    this.hasLeft = true;
    this.#link?.close();
    this.#world.log(`${this.plan.name}: ${this.plan.end}`);
    if (this.plan.end === 'tears-down') this.#call({ type: 'TEARDOWN' });
    else this.life.end();
  }

  get isDone(): boolean {
    return this.#isWorkDone && (!this.plan.isCleaning || this.reserver.isClean);
  }

  get #isWorkDone(): boolean {
    return this.done.size >= this.plan.works;
  }

  start(): void {
    if (this.life.isAlive) return;
    this.#world.log(`${this.plan.name}: starts`);
    this.#lives += 1;
    this.life = new Life(this.plan.name, this.plan.name);
    this.#isSubscribed = false;
    this.#isAsking = false;
    this.#held.clear();
    this.#link = new SchedulerLink({
      world: this.#world,
      life: this.life,
      repeatChance: this.plan.repeatChance,
      info: () => this.#info(),
      onEvent: (event) => this.#onEvent(event),
      onEnded: () => {
        this.#isSubscribed = false;
        this.#held.clear();
      },
    });
    this.#link.subscribe();
    this.#later(RECONCILE_MS, () => this.#reconcileAgain());
  }

  crash(): void {
    if (!this.life.isAlive) return;
    this.#world.log(`${this.plan.name}: is killed`);
    this.life.end();
  }

  // ---- the subscription

  #info() {
    const { isPartitionAware, isCheckpointing, role, name, isReserving, diskChance } = this.plan;
    const capabilities: FrameworkInfo_Capability[] = [{ type: 'MULTI_ROLE' }];
    if (isReserving || diskChance > 0) capabilities.push({ type: 'RESERVATION_REFINEMENT' });
    return {
      user: 'root',
      name,
      roles: [role],
      checkpoint: isCheckpointing,
      failover_timeout: FAILOVER_TIMEOUT_S,
      capabilities: isPartitionAware
        ? [...capabilities, { type: 'PARTITION_AWARE' as const }]
        : capabilities,
      ...(this.frameworkId === undefined ? {} : { id: { value: this.frameworkId } }),
    };
  }

  #call(call: SchedulerCall): void {
    this.#link?.call(call);
  }

  // ---- events

  #onEvent(event: SchedulerEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        this.frameworkId ??= event.subscribed?.framework_id.value;
        this.#isSubscribed = true;
        this.#isSuppressed = false;
        this.#reconcile();
        this.#stateDemand();
        return;
      case 'OFFERS':
        this.#onOffers(event.offers?.offers ?? []);
        return;
      case 'RESCIND':
        this.#held.delete(event.rescind?.offer_id.value ?? '');
        return;
      case 'UPDATE':
        if (event.update !== undefined) this.#onUpdate(event.update.status);
        return;
      case 'UPDATE_OPERATION_STATUS':
        if (event.update_operation_status !== undefined) {
          this.#onOperation(event.update_operation_status.status);
        }
        return;
      case 'ERROR':
        this.#onError(event.error?.message ?? '');
        return;
      default:
    }
  }

  #onError(message: string): void {
    const { name } = this.plan;
    // What an earlier life of it had sent came after its own SUBSCRIBE.
    const isOutrun = message === 'Framework failed over' && this.#lives > 1;
    if (!isOutrun) this.#world.observer.failed(`${name} was told: ${message}`);
    else this.#link?.restart();
  }

  #onOffers(offers: readonly Offer[]): void {
    this.offersSeen += offers.length;
    const { random } = this.#world;
    for (const offer of offers) {
      if (random.chance(this.plan.holdChance)) {
        this.#held.set(offer.id.value, offer);
        this.#later(random.below(20_000), () => {
          if (this.#held.delete(offer.id.value)) this.#use(offer);
        });
      } else this.#use(offer);
    }
    this.#stateDemand();
  }

  #onUpdate(status: TaskStatus): void {
    const id = status.task_id.value;
    const noted = this.tasks.get(id);
    this.#world.log(`${this.plan.name}: ${id} is ${status.state} (${status.reason ?? ''})`);
    if (noted === undefined) {
      this.#world.observer.failed(`${this.plan.name} was told of ${id}, which it never launched`);
      return;
    }
    this.#world.observer.told(this, noted, status);
    const hasWork = !noted.isFinal;
    noted.state = status.state;
    if (status.state !== 'TASK_UNREACHABLE') noted.unreachableSince = undefined;
    else noted.unreachableSince ??= this.#world.clock.now();
    const isOver = isTerminal(status.state) || status.state === 'TASK_UNKNOWN';
    if (isOver) this.#isOver(noted);
    if (status.state === 'TASK_FINISHED') this.done.add(noted.work);
    const { uuid, agent_id } = status;
    if (uuid !== undefined && uuid.length > 0 && agent_id !== undefined) {
      const acknowledge = { agent_id, task_id: status.task_id, uuid };
      const waitMs = this.#world.random.chance(0.05) ? 3_000 : 0;
      this.#later(waitMs, () => this.#call({ type: 'ACKNOWLEDGE', acknowledge }));
    }
    if (isOver && hasWork) this.#stateDemand();
    else if (status.state === 'TASK_RUNNING') this.#perhapsKill(noted);
  }

  #onOperation(status: OperationStatus): void {
    const id = status.operation_id?.value ?? '';
    this.#world.log(`${this.plan.name}: ${id} is ${status.state} (${status.message ?? ''})`);
    const noted = this.operations.all.get(id);
    if (noted === undefined) {
      this.#world.observer.failed(`${this.plan.name} was told of ${id}, which it never asked for`);
      return;
    }
    const isOfProvider = noted.providerId !== undefined;
    const { holdings, disks } = this.#world.observer;
    if (isOfProvider) disks.told(noted, status);
    else holdings.told(noted, status);
    const isOver = this.operations.told(noted, status, this.#world.clock.now());
    if (!isOfProvider) this.reserver.onStatus(noted, status, isOver);
    const { uuid, agent_id, resource_provider_id } = status;
    if (uuid !== undefined && agent_id !== undefined) {
      const acknowledge_operation_status = {
        operation_id: { value: id },
        agent_id,
        uuid: uuid.value,
        ...(resource_provider_id === undefined ? {} : { resource_provider_id }),
      };
      this.#call({ type: 'ACKNOWLEDGE_OPERATION_STATUS', acknowledge_operation_status });
    }
    this.#stateDemand();
  }

  #isFlaky(work: number): boolean {
    return (this.#attempts.get(work) ?? 0) <= FLAKY_ATTEMPTS;
  }

  #perhapsKill(noted: NotedTask): void {
    const { random } = this.#world;
    if (!this.#isFlaky(noted.work) || !random.chance(this.plan.killChance)) return;
    const kill = { task_id: { value: noted.id }, agent_id: { value: noted.agentId } };
    this.#later(random.below(2_000), () => this.#call({ type: 'KILL', kill }));
  }

  // ---- work

  /** Pieces of work that no task is on. */
  #waiting(): number[] {
    const busy = new Set<number>();
    for (const { work } of this.#open) busy.add(work);
    const free: number[] = [];
    const { works, concurrencyMax } = this.plan;
    while (this.done.has(this.#doneBelow)) this.#doneBelow += 1;
    for (let work = this.#doneBelow; work < Math.min(works, this.#worksNoted + 64); work++) {
      if (busy.size + free.length >= concurrencyMax || free.length >= 64) break;
      if (!busy.has(work) && !this.done.has(work)) free.push(work);
    }
    return free;
  }

  #use(offer: Offer): void {
    if (!this.#isSubscribed) return;
    const agentId = offer.agent_id.value;
    const offered = Resources.of(offer.resources).allocatedTo(undefined);
    const own = offered.filter((one) => !isProvided(one));
    const isLeaving = this.plan.isCleaning && this.#isWorkDone;
    const draft = this.reserver.propose(agentId, own, isLeaving);
    const disks = this.#disks.propose(agentId, offered);
    const operations: Offer_Operation[] = [...draft.operations, ...disks.operations];
    let diskLeft = disks.left;
    let { left } = draft;
    let hasExecutor = (offer.executor_ids ?? []).length > 0;
    for (const work of this.#waiting()) {
      const kind = this.#world.random.pick(this.plan.kinds);
      const executor = this.#executor(kind);
      const plain = this.#task(work, agentId, kind);
      const reserved = kind === 'command' ? this.#reservedFor(left) : undefined;
      const task = reserved === undefined ? plain : { ...plain, resources: reserved };
      let needs = Resources.of(task.resources);
      if (executor !== undefined && !hasExecutor)
        needs = needs.add(Resources.of(executor.resources));
      if (!left.contains(needs)) break;
      left = left.subtract(needs);
      if (executor !== undefined) hasExecutor = true;
      const id = task.task_id.value;
      const isGreedy = this.#isFlaky(work) && this.#world.random.chance(this.plan.greedChance);
      if (isGreedy) this.#world.observer.mustNotRun(id);
      const volume = kind === 'command' && !isGreedy ? this.#disks.volumeOf(diskLeft) : undefined;
      if (volume !== undefined) diskLeft = diskLeft.subtract(Resources.of([volume]));
      const asked = isGreedy
        ? { ...task, resources: parseResources(GREED) }
        : {
            ...task,
            resources: [...(task.resources ?? []), ...(volume === undefined ? [] : [volume])],
          };
      operations.push(operationOf(kind, asked, executor));
      this.#note(id, work, agentId);
      this.#worksNoted = Math.max(this.#worksNoted, work + 1);
    }
    const refuse_seconds = this.#world.random.pick(this.plan.refuseSeconds);
    const offer_ids = [offer.id];
    if (operations.length === 0) {
      this.#call({ type: 'DECLINE', decline: { offer_ids, filters: { refuse_seconds } } });
    } else {
      this.#call({
        type: 'ACCEPT',
        accept: { offer_ids, operations, filters: { refuse_seconds } },
      });
    }
  }

  #task(work: number, agentId: string, kind: TaskKind): TaskInfo {
    const { random } = this.#world;
    const attempt = (this.#attempts.get(work) ?? 0) + 1;
    this.#attempts.set(work, attempt);
    const ms = 1 + random.below(this.plan.taskMsMax);
    const code = attempt <= FLAKY_ATTEMPTS && random.chance(this.plan.failChance) ? 1 : 0;
    const stubborn = random.chance(0.1) ? ' stubborn' : '';
    const isOwn = kind === 'custom' || kind === 'driver';
    const executor = isOwn ? this.#executor(kind) : undefined;
    const command = { value: `run ${ms} ${code}${stubborn}` };
    return {
      name: `${work}`,
      task_id: { value: `${this.plan.name}-${work}-${attempt}` },
      agent_id: { value: agentId },
      resources: parseResources(this.#size()),
      labels: { labels: [{ key: 'framework', value: this.plan.name }] },
      // A custom executor reads its command from the task as well.
      ...(executor === undefined ? { command } : { executor, command }),
    };
  }

  /** A reservation that nobody runs on, with its volumes or without. */
  #reservedFor(left: Resources): Resource[] | undefined {
    const { random } = this.#world;
    if (!this.plan.isReserving || random.chance(0.4)) return undefined;
    const holding = [...holdingsOf(left.toWire()).values()].find(hasTaskRoom);
    if (holding === undefined) return undefined;
    const room = holding.plain.filter(({ name }) => name !== 'disk');
    return random.chance(0.6) ? [...room, ...holding.volumes] : room;
  }

  #size(): string {
    const { random } = this.#world;
    const { sizes } = this.plan;
    if (sizes.length > 0) return random.pick(sizes);
    return `cpus:${(1 + random.below(3)) / 2};mem:${64 << random.below(4)}`;
  }

  #executor(kind: TaskKind): ExecutorInfo | undefined {
    if (kind === 'command') return undefined;
    const value = kind === 'driver' ? DRIVER_COMMAND : 'executor';
    const type = kind === 'group' ? 'DEFAULT' : 'CUSTOM';
    return {
      executor_id: { value: `${this.plan.name}-${kind}` },
      framework_id: { value: this.frameworkId ?? '' },
      // The executor of a group must use some disk, as in Mesos.
      resources: parseResources('cpus:0.1;mem:32;disk:1'),
      type,
      ...(type === 'CUSTOM' ? { command: { value } } : {}),
    };
  }

  /** SUPPRESS without work, REVIVE or REQUEST with some; many changes, one call. */
  #stateDemand(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#later(50, () => {
      this.#isAsking = false;
      if (!this.#isSubscribed) return;
      const waiting = this.#waiting();
      if (waiting.length === 0 && this.isDone) {
        if (!this.#isSuppressed) this.#call({ type: 'SUPPRESS' });
        this.#isSuppressed = true;
        return;
      }
      if (this.plan.isRequesting && waiting.length > 0) {
        const requests = waiting.map(() => ({
          resources: parseResources('cpus:1.6;mem:544;disk:800'),
        }));
        this.#call({ type: 'REQUEST', request: { requests } });
      }
      if (this.#isSuppressed) this.#call({ type: 'REVIVE' });
      this.#isSuppressed = false;
    });
  }

  // ---- reconciliation

  #note(id: string, work: number, agentId: string): void {
    const noted: NotedTask = {
      id,
      work,
      agentId,
      state: 'TASK_STAGING',
      isFinal: false,
      unreachableSince: undefined,
    };
    this.tasks.set(id, noted);
    this.#open.add(noted);
  }

  #isOver(noted: NotedTask): void {
    noted.isFinal = true;
    this.#open.delete(noted);
  }

  #giveUp(): void {
    const before = this.#world.clock.now() - GIVE_UP_MS;
    for (const noted of this.#open) {
      if ((noted.unreachableSince ?? Infinity) > before) continue;
      this.#world.observer.gaveUp(this.plan.name, noted);
      this.#isOver(noted);
    }
    for (const noted of this.operations.giveUp(before)) {
      this.#world.observer.gaveUp(this.plan.name, noted);
      if (noted.providerId === undefined) this.reserver.gaveUp(noted);
    }
  }

  #reconcileAgain(): void {
    this.#giveUp();
    this.#reconcile();
    this.#stateDemand();
    this.#later(RECONCILE_MS, () => this.#reconcileAgain());
  }

  #reconcile(): void {
    if (!this.#isSubscribed) return;
    const tasks = [...this.#open].map((one) => ({
      task_id: { value: one.id },
      agent_id: { value: one.agentId },
    }));
    if (tasks.length > 0) this.#call({ type: 'RECONCILE', reconcile: { tasks } });
    const operations = this.operations.reconcilable();
    if (operations.length > 0) {
      this.#call({ type: 'RECONCILE_OPERATIONS', reconcile_operations: { operations } });
    }
  }

  #later(ms: number, act: () => void): void {
    const { life } = this;
    this.#world.clock.after(ms, () => {
      if (life.isAlive) act();
    });
  }
}

function operationOf(
  kind: TaskKind,
  task: TaskInfo,
  executor: ExecutorInfo | undefined,
): Offer_Operation {
  if (kind !== 'group' || executor === undefined) {
    // A task has a command or an executor, not both; the executor finds its work in `data`.
    const { command, ...rest } = task;
    const data = new TextEncoder().encode(command?.value ?? '');
    const one = task.executor === undefined ? task : { ...rest, data };
    return { type: 'LAUNCH', launch: { task_infos: [one] } };
  }
  return { type: 'LAUNCH_GROUP', launch_group: { executor, task_group: { tasks: [task] } } };
}
