// One simulated machine: processes that outlive the agent that started them, what the agent keeps on
// disk, and the agent process itself, which may be killed and started again.
import type { ExitStatus } from '#env/process.ts';
import type { TaskMemory } from '#mesos/executor/core.ts';
import type { CheckpointRecord, ContainerLaunch } from '#mesos/agent/types.ts';
import { withCheckpointed } from '#mesos/resources/conversions.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import type { TaskInfo } from '#wire/mesos/v1.ts';
import { AgentDisk } from './agent-disk.ts';
import { AgentProcess } from './agent-process.ts';
import { CustomExecutor } from './custom-executor.ts';
import { DriverExecutor } from './driver-executor.ts';
import { executorId } from './kube-instance.ts';
import { KubeNodeExecutor } from './kube-node.ts';
import { FAULTS_MS, type Point, type ProviderPlan } from './plan.ts';
import { isProvided } from './provided.ts';
import { ProviderDisk } from './provider-disk.ts';
import { ProviderProcess } from './provider-process.ts';
import { frameworkOf, isOnDriver, programOf } from './programs.ts';
import type { World } from './world.ts';

const RESTART_MS = 1_000;

export class SimTask {
  readonly key: string;
  readonly pid: number;
  readonly task: TaskInfo;
  ended: ExitStatus | undefined;
  /** Told of the end, as long as whoever asked lives. */
  readonly watchers = new Set<(status: ExitStatus) => void>();
  readonly #world: World;

  constructor(world: World, key: string, pid: number, task: TaskInfo) {
    this.#world = world;
    this.key = key;
    this.pid = pid;
    this.task = task;
    const { runsMs, code } = programOf(task);
    world.clock.after(runsMs, () => this.#end({ kind: 'exited', code, at: world.clock.now() }));
  }

  kill(signal: string): void {
    const isDeaf = signal === 'SIGTERM' && programOf(this.task).isStubborn;
    if (isDeaf || this.ended !== undefined) return;
    const number = signal === 'SIGTERM' ? 15 : 9;
    const status = (): ExitStatus => ({
      kind: 'signaled',
      signal: number,
      at: this.#world.clock.now(),
    });
    if (signal === 'SIGTERM') this.#world.clock.after(5, () => this.#end(status()));
    else this.#end(status());
  }

  #end(status: ExitStatus): void {
    if (this.ended !== undefined) return;
    this.ended = status;
    this.#world.observer.taskEnded(this.task, status);
    for (const watcher of this.watchers) watcher(status);
  }
}

export class Machine {
  readonly world: World;
  /** From 1. */
  readonly number: number;
  readonly name: string;
  readonly total: Resources;
  readonly resources: string;
  disk = new AgentDisk();
  /** By container id and task id. */
  readonly tasks = new Map<string, SimTask>();
  /** Processes on their way: by container id, and task id for tasks. Who takes one away prevents it. */
  readonly starts = new Map<string, object>();
  readonly memories = new Map<string, readonly TaskMemory[]>();
  readonly executors = new Map<string, CustomExecutor>();
  agent: AgentProcess | undefined;
  readonly #providerPlan: ProviderPlan | undefined;
  /** Undefined: it has no resource provider. */
  readonly providerDisk: ProviderDisk | undefined;
  provider: ProviderProcess | undefined;
  #providerLives = 0;
  /** Somebody ended it and will start it again. */
  #isProviderOff = false;
  /** Several reasons may fill it at once. */
  #full = 0;
  #failAfter = Infinity;
  #pid = 100;
  #incarnation = 0;

  constructor(world: World, number: number, resources: string) {
    this.world = world;
    this.number = number;
    this.name = `machine-${number}`;
    this.resources = resources;
    this.total = Resources.of(parseResources(resources));
    this.#providerPlan = world.plan.providers[number - 1];
    this.providerDisk = this.#providerPlan && new ProviderDisk(this.#providerPlan);
  }

  /** What it has as it is reserved now, by what is durable. */
  get has(): Resources {
    const { resources } = this.disk.resources;
    if (resources.length === 0) return this.total;
    const all = withCheckpointed(this.total, Resources.of(resources));
    return all.ok ? all.value : Resources.none;
  }

  get upid(): string {
    return `slave(1)@${this.name}:5051`;
  }

  startAgent(): void {
    if (this.agent !== undefined) return;
    this.#incarnation += 1;
    this.world.noteStart();
    this.world.log(`${this.name}: the agent starts`);
    this.agent = new AgentProcess(this, this.#incarnation);
    this.agent.start();
  }

  /** kill -9: tasks and executors run on. */
  crashAgent(): void {
    if (this.agent === undefined) return;
    this.world.log(`${this.name}: the agent is killed`);
    this.agent.kill();
    this.agent = undefined;
    if (this.#providerPlan?.isApart !== true) this.#killProvider();
  }

  // ---- its resource provider

  /** Its agent has an id: it may subscribe. */
  agentHasId(): void {
    if (this.provider === undefined && !this.#isProviderOff) this.#startProvider();
  }

  /** Ends it for a while; it may have another size when it is back. */
  crashProvider(forMs: number, megabytes?: number): void {
    if (this.providerDisk === undefined) return;
    this.world.log(`${this.name}: the provider is killed for ${forMs} ms`);
    this.#killProvider();
    if (megabytes !== undefined) this.providerDisk.resize(megabytes);
    this.#isProviderOff = true;
    this.world.clock.after(forMs, () => {
      this.#isProviderOff = false;
      if (this.agent?.core.agentId !== undefined) this.#startProvider();
    });
  }

  restartProvider(): void {
    this.crashProvider(0);
  }

  /** It cannot go on. */
  providerFailed(): void {
    this.crashProvider(RESTART_MS);
  }

  /** Where a trap may wait for it. One in the agent ends with it. */
  reachProvider(what: string): boolean {
    const point: Point = `provider ${what}`;
    if (this.#providerPlan?.isApart !== true) return this.reach(point);
    return this.world.reach(this.number, point, { crash: (ms) => this.crashProvider(ms) });
  }

  #killProvider(): void {
    this.provider?.kill();
    this.provider = undefined;
  }

  #startProvider(): void {
    const plan = this.#providerPlan;
    if (plan === undefined || this.providerDisk === undefined || this.provider !== undefined)
      return;
    this.#providerLives += 1;
    this.provider = new ProviderProcess(this, this.providerDisk, plan, this.#providerLives);
    this.provider.start();
  }

  fillDisk(isFull: boolean): void {
    this.#full += isFull ? 1 : -1;
    this.world.log(`${this.name}: the disk ${isFull ? 'is full' : 'has room'}`);
  }

  /** The nth write from now on fails. */
  failWrite(nth: number): void {
    this.#failAfter = nth;
  }

  /** Something is being written: true when that fails. */
  failsToWrite(): boolean {
    if (this.isDiskFull) return true;
    this.#failAfter -= 1;
    if (this.#failAfter >= 0 || this.world.clock.monotonicMs() > FAULTS_MS) return false;
    this.#failAfter = Infinity;
    this.world.log(`${this.name}: a write fails`);
    return true;
  }

  get isDiskFull(): boolean {
    return this.#full > 0;
  }

  /** An agent that cannot go on ends itself; its supervisor starts another. */
  agentFailed(): void {
    this.crashAgent();
    this.world.clock.after(RESTART_MS, () => this.startAgent());
  }

  reach(point: Point): boolean {
    return this.world.reach(this.number, point);
  }

  /** Power loss: nothing that ran runs any more. */
  reboot(): void {
    this.crashAgent();
    this.#killProvider();
    this.world.log(`${this.name}: power loss`);
    this.starts.clear();
    for (const task of this.tasks.values()) task.kill('SIGKILL');
    for (const executor of this.executors.values()) executor.die(9);
  }

  makeDurable(record: CheckpointRecord): void {
    this.disk.apply(record);
    this.world.observer.durable(this, record);
  }

  /** Whether nobody has taken the claim away meanwhile; it is used up. */
  mayStart(key: string, claim: object): boolean {
    return this.starts.get(key) === claim && this.starts.delete(key);
  }

  startTask(key: string, task: TaskInfo): SimTask {
    this.#pid += 1;
    const made = new SimTask(this.world, key, this.#pid, task);
    this.tasks.set(key, made);
    this.world.observer.taskStarted(this, task);
    return made;
  }

  startExecutor(launch: ContainerLaunch): CustomExecutor {
    this.#pid += 1;
    const { instance } = this.world;
    const isNode = instance !== undefined && launch.key.executorId === executorId;
    const made = isNode
      ? new KubeNodeExecutor(this, launch, this.#pid, instance)
      : isOnDriver(launch.executor)
        ? new DriverExecutor(this, launch, this.#pid)
        : new CustomExecutor(this, launch, this.#pid);
    this.executors.set(launch.containerId, made);
    made.start();
    return made;
  }

  /** Who listens there at this moment. */
  driverAt(address: string): DriverExecutor | undefined {
    for (const one of this.executors.values()) {
      const isHere = one instanceof DriverExecutor && one.address === address;
      if (isHere && one.ended === undefined) return one;
    }
    return undefined;
  }

  /** Everything that really runs here. */
  runningTasks(): TaskInfo[] {
    const own = [...this.tasks.values()].flatMap((one) =>
      one.ended !== undefined ? [] : [one.task],
    );
    const others = [...this.executors.values()].flatMap((one) => one.runningTasks());
    return [...own, ...others];
  }

  /** What those hold, and the executors themselves; without what is a provider's. */
  used(isCounted: (frameworkId: string) => boolean): Resources {
    const executors = [...this.executors.values()].filter(
      (one) => one.ended === undefined && isCounted(one.launch.key.frameworkId),
    );
    const tasks = this.runningTasks().filter((one) => isCounted(frameworkOf(one)));
    return Resources.sum([
      ...tasks.map((one) => Resources.of(one.resources).filter((it) => !isProvided(it))),
      ...executors.map((one) => Resources.of(one.launch.executor.resources)),
    ]);
  }
}
