// A framework's own executor, as a process of its own: it lives through the death of its agent,
// subscribes again, and keeps what was not acknowledged, as the Mesos executor libraries do.
import type { ExitStatus } from '#env/process.ts';
import type { ContainerLaunch } from '#mesos/agent/types.ts';
import { uuidBytes } from '#mesos/executor/uuid.ts';
import type { ExecutorEvent, TaskInfo, TaskState, TaskStatus } from '#wire/mesos/v1.ts';
import type { AgentProcess, ExecutorStream } from './agent-process.ts';
import type { Machine } from './machine.ts';
import { Life } from './network.ts';
import { programOf } from './programs.ts';

const RESUBSCRIBE_MS = 1_000;

/** What an agent has not acknowledged yet. */
export interface Unacknowledged {
  readonly tasks: readonly TaskInfo[];
  readonly updates: readonly TaskStatus[];
}

export class CustomExecutor {
  readonly machine: Machine;
  readonly launch: ContainerLaunch;
  readonly pid: number;
  readonly life: Life;
  ended: ExitStatus | undefined;
  readonly watchers = new Set<(status: ExitStatus) => void>();
  readonly #running = new Map<string, TaskInfo>();
  readonly #unacknowledgedTasks = new Map<string, TaskInfo>();
  readonly #unacknowledgedUpdates = new Map<string, TaskStatus>();
  #stream: ExecutorStream | undefined;

  constructor(machine: Machine, launch: ContainerLaunch, pid: number) {
    this.machine = machine;
    this.launch = launch;
    this.pid = pid;
    this.life = new Life(machine.name, `executor ${launch.key.executorId}`);
  }

  start(): void {
    this.later(1 + this.machine.world.random.below(30), () => this.connect());
  }

  runningTasks(): TaskInfo[] {
    return [...this.#running.values()];
  }

  die(signal: number): void {
    this.#end({ kind: 'signaled', signal, at: this.machine.world.clock.now() });
  }

  onEvent(event: ExecutorEvent): void {
    switch (event.type) {
      case 'LAUNCH':
        if (event.launch !== undefined) {
          const { task } = event.launch;
          this.#unacknowledgedTasks.set(task.task_id.value, task);
          this.launched(task);
        }
        return;
      case 'KILL':
        this.finished(event.kill?.task_id.value ?? '', 'TASK_KILLED');
        return;
      case 'ACKNOWLEDGED': {
        const { task_id, uuid } = event.acknowledged ?? {};
        this.#unacknowledgedUpdates.delete(Buffer.from(uuid ?? []).toString('hex'));
        this.#unacknowledgedTasks.delete(task_id?.value ?? '');
        return;
      }
      case 'SHUTDOWN':
        this.shutDown();
        return;
      default:
    }
  }

  protected shutDown(): void {
    for (const id of this.#running.keys()) this.finished(id, 'TASK_KILLED');
    this.later(20, () =>
      this.#end({ kind: 'exited', code: 0, at: this.machine.world.clock.now() }),
    );
  }

  onDisconnected(stream: ExecutorStream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.later(RESUBSCRIBE_MS, () => this.connect());
  }

  protected connect(): void {
    if (this.#stream !== undefined) return;
    const agent: AgentProcess | undefined = this.machine.agent;
    const stream = agent?.subscribeExecutor(this, this.unacknowledged());
    this.#stream = stream;
    if (stream === undefined) this.later(RESUBSCRIBE_MS, () => this.connect());
  }

  protected unacknowledged(): Unacknowledged {
    return {
      tasks: [...this.#unacknowledgedTasks.values()],
      updates: [...this.#unacknowledgedUpdates.values()],
    };
  }

  protected isUnacknowledged(taskId: string): boolean {
    return this.#unacknowledgedTasks.has(taskId);
  }

  protected launched(task: TaskInfo): void {
    this.begin(task);
  }

  /** Its process starts. */
  protected begin(task: TaskInfo): void {
    const id = task.task_id.value;
    this.#running.set(id, task);
    this.machine.world.observer.taskStarted(this.machine, task);
    this.update(id, 'TASK_RUNNING');
    const { runsMs, code } = programOf(task);
    this.later(runsMs, () => this.finished(id, code === 0 ? 'TASK_FINISHED' : 'TASK_FAILED'));
  }

  protected finished(id: string, state: TaskState): void {
    if (this.stopped(id, state === 'TASK_FINISHED' ? 0 : 1)) this.update(id, state);
  }

  /** Its process has ended; false when it did not run. */
  protected stopped(id: string, code: number): boolean {
    const task = this.#running.get(id);
    if (task === undefined) return false;
    this.#running.delete(id);
    this.#ended(task, code);
    return true;
  }

  #ended(task: TaskInfo, code: number): void {
    const { clock, observer } = this.machine.world;
    observer.taskEnded(task, { kind: 'exited', code, at: clock.now() });
  }

  protected update(id: string, state: TaskState): void {
    const { clock, random } = this.machine.world;
    const uuid = uuidBytes(random.uuid());
    const status: TaskStatus = {
      task_id: { value: id },
      state,
      source: 'SOURCE_EXECUTOR',
      executor_id: { value: this.launch.key.executorId },
      timestamp: clock.now() / 1_000,
      uuid,
    };
    this.#unacknowledgedUpdates.set(Buffer.from(uuid).toString('hex'), status);
    this.say(status);
  }

  protected say(status: TaskStatus): void {
    this.#stream?.update(status);
  }

  #end(status: ExitStatus): void {
    if (this.ended !== undefined) return;
    this.ended = status;
    this.life.end();
    for (const task of this.#running.values()) this.#ended(task, 137);
    this.#running.clear();
    for (const watcher of this.watchers) watcher(status);
  }

  protected later(ms: number, act: () => void): void {
    this.machine.world.clock.after(ms, () => {
      if (this.ended === undefined) act();
    });
  }
}
