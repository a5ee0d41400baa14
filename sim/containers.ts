// The simulated side of `mesos/agent/containers.ts` and `mesos/executor/runner.ts`: built-in
// executors live in the agent process, their tasks and custom executors on the machine.
import type { ExecutorEvent, TaskInfo, TaskStatus } from '#wire/mesos/v1.ts';
import type { Executor, Framework } from '#mesos/agent/agent-state.ts';
import type {
  AgentInput,
  ConnectionId,
  ContainerEnd,
  ContainerLaunch,
} from '#mesos/agent/types.ts';
import type { ProbeResult } from '#mesos/executor/check-core.ts';
import { BuiltinExecutor, type BuiltinEffect, exitMessage } from '#mesos/executor/core.ts';
import { resumable } from '#mesos/executor/resume.ts';
import { uuidBytes } from '#mesos/executor/uuid.ts';
import type { Timer } from '#env/env.ts';
import type { ExitStatus } from '#env/process.ts';
import type { CustomExecutor } from './custom-executor.ts';
import type { Machine, SimTask } from './machine.ts';
import type { Life } from './network.ts';

const KILL_GRACE_MS = 5_000;

interface Container {
  readonly launch: ContainerLaunch;
  readonly runner: Runner | undefined;
  executor: CustomExecutor | undefined;
  isDestroyed: boolean;
  isEnded: boolean;
}

export interface ContainerWiring {
  readonly machine: Machine;
  /** Of the agent process: what it has asked for and does not see through may happen or not. */
  readonly life: Life;
  onInput(input: AgentInput): void;
  nextConnection(): ConnectionId;
}

function taskKey(containerId: string, taskId: string): string {
  return `${containerId} ${taskId}`;
}

function waitStatus(status: ExitStatus): number {
  return status.kind === 'exited' ? status.code << 8 : status.signal;
}

export class SimContainers {
  readonly #wiring: ContainerWiring;
  readonly #containers = new Map<string, Container>();
  readonly #runners = new Map<ConnectionId, Runner>();
  /** Handed to the operating system, not known to have started. */
  readonly #launching = new Set<() => void>();

  constructor(wiring: ContainerWiring) {
    this.#wiring = wiring;
  }

  deliver(connection: ConnectionId, event: ExecutorEvent): boolean {
    const runner = this.#runners.get(connection);
    runner?.onEvent(event);
    return runner !== undefined;
  }

  launch(launch: ContainerLaunch): void {
    const container = this.#remember(launch);
    this.later(this.#wiring.machine.world.random.below(5), () => {
      if (container.isDestroyed) {
        this.#end(container, { message: 'Executor was ended before it started' });
      } else if (launch.type !== 'custom') this.#subscribe(container, []);
      else {
        this.startSomehow(launch.containerId, () => {
          const executor = this.#wiring.machine.startExecutor(launch);
          if (this.#wiring.life.isAlive) this.#watch(container, executor);
          if (container.isDestroyed) executor.die(9);
        });
      }
    });
  }

  destroy(containerId: string): void {
    const container = this.#containers.get(containerId);
    if (container === undefined || container.isEnded) return;
    container.isDestroyed = true;
    container.executor?.die(9);
    container.runner?.destroy();
  }

  forget(containerId: string): void {
    this.#containers.delete(containerId);
    this.#dispose(containerId);
  }

  recover(agentId: string, frameworks: Iterable<Framework>): void {
    const { machine } = this.#wiring;
    const known = new Set<string>();
    for (const framework of frameworks) {
      for (const executor of framework.executors.values()) {
        known.add(executor.containerId);
        this.#recoverOne(agentId, framework, executor);
      }
    }
    const present = new Set(machine.executors.keys());
    for (const key of machine.tasks.keys()) present.add(key.split(' ')[0] ?? '');
    for (const key of machine.starts.keys()) present.add(key.split(' ')[0] ?? '');
    for (const id of present) if (!known.has(id)) this.#dispose(id);
  }

  close(): void {
    for (const runner of this.#runners.values()) runner.close();
    // The agent is dead: what it had asked of the operating system has been done, or is done later,
    // or never.
    const { clock, random } = this.#wiring.machine.world;
    for (const start of this.#launching) {
      if (random.chance(0.3)) start();
      else if (random.chance(0.5)) clock.after(random.below(3_000), start);
    }
    this.#launching.clear();
  }

  /** Starts a process after a moment, at the agent's death, or later, unless its claim is gone. */
  startSomehow(key: string, start: () => void): void {
    const { machine } = this.#wiring;
    const claim = {};
    machine.starts.set(key, claim);
    const once = (): void => {
      this.#launching.delete(once);
      if (!machine.mayStart(key, claim)) return;
      start();
      machine.reach('started');
    };
    this.#launching.add(once);
    if (machine.reach('start')) return;
    const { random } = machine.world;
    this.later(1 + random.below(random.chance(0.05) ? 2_000 : 15), once);
  }

  later(ms: number, act: () => void): Timer {
    return this.#wiring.machine.world.clock.after(ms, () => {
      if (this.#wiring.life.isAlive) act();
    });
  }

  #recoverOne(agentId: string, framework: Framework, executor: Executor): void {
    const { key, containerId, info, user, type } = executor;
    const resources = info.resources ?? [];
    const launch = { key, containerId, executor: info, agentId, user, type, resources };
    const container = this.#remember({ ...launch, framework: framework.info });
    if (type !== 'custom') {
      this.#resume(container, executor);
      return;
    }
    const { machine } = this.#wiring;
    machine.starts.delete(containerId);
    const running = machine.executors.get(containerId);
    if (running === undefined) {
      const message = 'Executor was not there after the agent was restarted';
      this.#end(container, { message });
    } else this.#watch(container, running);
  }

  #resume(container: Container, executor: Executor): void {
    const { machine } = this.#wiring;
    const { containerId } = executor;
    const memories = machine.memories.get(containerId) ?? [];
    const found = new Map<string, SimTask>();
    for (const taskId of executor.launched.keys()) {
      const key = taskKey(containerId, taskId);
      // Who asks for a process seals its place: a start that is still on its way has lost.
      machine.starts.delete(key);
      const task = machine.tasks.get(key);
      if (task !== undefined) found.set(taskId, task);
    }
    const plan = resumable([...executor.launched.values()], memories, found, KILL_GRACE_MS);
    this.#subscribe(container, plan.named);
    container.runner?.resume(plan.resumed);
  }

  #remember(launch: ContainerLaunch): Container {
    const runner = launch.type === 'custom' ? undefined : new Runner(this.#wiring, this, launch);
    const made = { launch, runner, executor: undefined, isDestroyed: false, isEnded: false };
    this.#containers.set(launch.containerId, made);
    return made;
  }

  runnerDone(runner: Runner): void {
    for (const [connection, one] of this.#runners) {
      if (one === runner) this.#runners.delete(connection);
    }
    runner.close();
    const container = this.#containers.get(runner.containerId);
    const end = { waitStatus: 0, message: 'Executor ended' };
    if (container !== undefined) this.#end(container, end);
  }

  #subscribe(container: Container, tasks: readonly TaskInfo[]): void {
    const { runner, launch } = container;
    if (runner === undefined) return;
    const connection = this.#wiring.nextConnection();
    this.#runners.set(connection, runner);
    this.#wiring.onInput({
      kind: 'executor-subscribed',
      key: launch.key,
      connection,
      unacknowledgedTasks: tasks,
      unacknowledgedUpdates: [],
    });
  }

  #watch(container: Container, executor: CustomExecutor): void {
    const { containerId } = container.launch;
    container.executor = executor;
    this.#wiring.onInput({ kind: 'container-started', containerId, pid: executor.pid });
    const onEnd = (status: ExitStatus): void => {
      this.later(1, () => {
        const message = exitMessage(status).replace(/^Command/, 'Executor');
        this.#end(container, { waitStatus: waitStatus(status), message });
      });
    };
    if (executor.ended !== undefined) onEnd(executor.ended);
    else executor.watchers.add(onEnd);
  }

  #end(container: Container, end: ContainerEnd): void {
    if (container.isEnded) return;
    container.isEnded = true;
    const { containerId } = container.launch;
    this.#wiring.onInput({ kind: 'container-ended', containerId, end });
  }

  #dispose(containerId: string): void {
    const { machine } = this.#wiring;
    machine.executors.get(containerId)?.die(9);
    machine.executors.delete(containerId);
    for (const [key, task] of machine.tasks) {
      if (!key.startsWith(`${containerId} `)) continue;
      task.kill('SIGKILL');
      machine.tasks.delete(key);
    }
    for (const key of machine.starts.keys()) {
      if (key === containerId || key.startsWith(`${containerId} `)) machine.starts.delete(key);
    }
    machine.memories.delete(containerId);
  }
}

type Resumed = ReturnType<typeof resumable<SimTask>>['resumed'];

/** A built-in executor at work. */
class Runner {
  readonly #core: BuiltinExecutor;
  readonly #wiring: ContainerWiring;
  readonly #containers: SimContainers;
  readonly #launch: ContainerLaunch;
  readonly #processes = new Map<string, SimTask>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(wiring: ContainerWiring, containers: SimContainers, launch: ContainerLaunch) {
    this.#wiring = wiring;
    this.#containers = containers;
    this.#launch = launch;
    const capabilities = launch.framework.capabilities ?? [];
    const reportsKilling = capabilities.some((one) => one.type === 'TASK_KILLING_STATE');
    this.#core = new BuiltinExecutor({
      reportsKilling,
      killGraceMs: KILL_GRACE_MS,
      nextContainer: () => wiring.machine.world.random.uuid(),
    });
  }

  get containerId(): string {
    return this.#launch.containerId;
  }

  get #now(): number {
    return this.#wiring.machine.world.clock.now();
  }

  onEvent(event: ExecutorEvent): void {
    if (event.type === 'LAUNCH' && event.launch !== undefined) {
      this.#perform(this.#core.launch([event.launch.task], false, this.#now));
    } else if (event.type === 'LAUNCH_GROUP') {
      const tasks = event.launch_group?.task_group.tasks ?? [];
      this.#perform(this.#core.launch(tasks, true, this.#now));
    } else if (event.type === 'KILL') {
      const { task_id, kill_policy } = event.kill ?? {};
      this.#perform(this.#core.kill(task_id?.value ?? '', kill_policy, this.#now));
    } else if (event.type === 'SHUTDOWN') {
      if (this.#core.memory().length === 0) this.#containers.runnerDone(this);
      else this.#perform(this.#core.shutdown(this.#now));
    }
  }

  resume(tasks: Resumed): void {
    for (const { memory, process, past } of tasks) {
      const isThere = process === undefined ? 'never-started' : 'there';
      this.#perform(this.#core.resume(memory, isThere, { ...past, startedAt: this.#now }));
      if (process !== undefined) this.#watch(memory.taskId, process);
      else if (memory.task === undefined) {
        const message = 'its process was not there after the agent was restarted';
        this.#perform(this.#core.startFailed(memory.taskId, message, this.#now));
      }
    }
    if (tasks.length === 0) this.#containers.runnerDone(this);
  }

  destroy(): void {
    if (this.#core.memory().length === 0) this.#containers.runnerDone(this);
    const policy = { grace_period: { nanoseconds: 0 } };
    for (const { taskId } of this.#core.memory()) {
      this.#perform(this.#core.kill(taskId, policy, this.#now));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #perform(effects: readonly BuiltinEffect[]): void {
    if (this.#isClosed) return;
    for (const effect of effects) {
      if (effect.kind === 'start') this.#start(effect.task);
      else if (effect.kind === 'signal') this.#processes.get(effect.taskId)?.kill(effect.signal);
      else if (effect.kind === 'update') this.#update(effect);
      else if (effect.kind === 'probe') this.#probe(effect);
      else if (effect.kind === 'remember') this.#remember();
      else this.#containers.runnerDone(this);
    }
    this.#arm();
  }

  /** On a full disk it cannot, and goes on all the same. */
  #remember(): void {
    const { machine } = this.#wiring;
    if (!machine.isDiskFull) machine.memories.set(this.containerId, this.#core.memory());
  }

  /** Simulated commands, ports and servers are always well. */
  #probe({ taskId, probe }: BuiltinEffect & { kind: 'probe' }): void {
    const { type } = probe.action;
    const result: ProbeResult =
      type === 'COMMAND'
        ? { type, exitCode: 0 }
        : type === 'HTTP'
          ? { type, statusCode: 200 }
          : { type, succeeded: true };
    this.#containers.later(1, () => {
      this.#perform(this.#core.probed(taskId, probe.kind, result, this.#now));
    });
  }

  #start(task: TaskInfo): void {
    const { machine, life } = this.#wiring;
    const taskId = task.task_id.value;
    const key = taskKey(this.containerId, taskId);
    if (machine.isDiskFull) {
      this.#containers.later(1, () => {
        this.#perform(this.#core.startFailed(taskId, 'the disk is full', this.#now));
      });
      return;
    }
    machine.memories.set(this.containerId, this.#core.memory());
    this.#containers.startSomehow(key, () => {
      const process = machine.startTask(key, task);
      if (!life.isAlive) return;
      this.#watch(taskId, process);
      this.#perform(this.#core.started(taskId, this.#now));
    });
  }

  #watch(taskId: string, process: SimTask): void {
    this.#processes.set(taskId, process);
    const onEnd = (status: ExitStatus): void => {
      this.#containers.later(1, () => {
        this.#processes.delete(taskId);
        this.#perform(this.#core.exited(taskId, status, this.#now));
      });
    };
    if (process.ended !== undefined) onEnd(process.ended);
    else process.watchers.add(onEnd);
  }

  #update(effect: BuiltinEffect & { kind: 'update' }): void {
    const { taskId, state, message, reason } = effect;
    const { key } = this.#launch;
    const status: TaskStatus = {
      task_id: { value: taskId },
      state,
      source: 'SOURCE_EXECUTOR',
      executor_id: { value: key.executorId },
      timestamp: this.#now / 1_000,
      uuid: uuidBytes(this.#wiring.machine.world.random.uuid()),
      ...(message === undefined ? {} : { message }),
      ...(reason === undefined ? {} : { reason }),
    };
    this.#wiring.onInput({ kind: 'executor-update', key, status });
  }

  #arm(): void {
    this.#timer?.cancel();
    const at = this.#core.nextAt();
    if (at === Infinity || this.#isClosed) return;
    this.#timer = this.#containers.later(Math.max(0, at - this.#now), () => {
      this.#perform(this.#core.onTick(this.#now));
    });
  }
}
