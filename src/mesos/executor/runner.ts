// Performs what the built-in executor core wants: processes through the host, updates to the agent.
// One object per executor, in the agent's own process; its tasks outlive it and are resumed.
import { errorChain } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import type { ExitStatus, HostProcess, ProcessHost, ProcessSpec, Signal } from '#env/process.ts';
import type { ExecutorEvent, NetworkInfo, TaskInfo, TaskStatus } from '#wire/mesos/v1.ts';
import type { Probe, ProbeResult } from './check-core.ts';
import { BuiltinExecutor, type BuiltinEffect, type ProbeEffect, type TaskMemory } from './core.ts';
import type { ResumedTask } from './resume.ts';
import { uuidBytes } from './uuid.ts';

export interface RunnerPlace {
  readonly reportsKilling: boolean;
  readonly killGraceMs: number;
  readonly executorId: string;
  /** The executor's container, where each task has one below it (the default executor's). */
  readonly parentContainer: string | undefined;
  /** A name for the container of one task, never given twice. */
  nextContainer(): string;
  /**
   * Makes the sandbox, fetches files, and says how the task's process is started. `signal`: it need not be
   * started any more.
   */
  prepare(task: TaskInfo, container: string, signal: AbortSignal): Promise<ProcessSpec>;
  /** Runs one check of a running task; never rejects. `signal`: the task has ended. */
  probe(
    task: TaskInfo,
    container: string,
    pid: number,
    probe: Probe,
    signal: AbortSignal,
  ): Promise<ProbeResult>;
  /** Those that a task's own container has joined; undefined: it is in its executor's. */
  networks(container: string): readonly NetworkInfo[] | undefined;
  stateFolder(taskId: string): string;
  /** Keeps what a successor needs; awaited before a process starts. */
  remember(memory: readonly TaskMemory[]): Promise<void>;
  onUpdate(status: TaskStatus): void;
  /** Every task has ended, their updates were handed over. */
  onDone(): void;
  onStarted(taskId: string, pid: number): void;
  /** The process of the task in that container has ended; undefined: it has never begun. */
  onEnded(container: string, status: ExitStatus | undefined): void;
}

export class BuiltinRunner {
  readonly #core: BuiltinExecutor;
  readonly #host: ProcessHost;
  readonly #place: RunnerPlace;
  readonly #env: Env;
  readonly #processes = new Map<string, HostProcess>();
  /** One for each task that has a process; aborted at its end. */
  readonly #lives = new Map<string, AbortController>();
  /** One for each task that is being prepared. */
  readonly #preparations = new Map<string, AbortController>();
  #timer: Timer | undefined;
  #isClosed = false;
  #remembered: Promise<void> = Promise.resolve();

  constructor(host: ProcessHost, place: RunnerPlace, env: Env) {
    this.#host = host;
    this.#place = place;
    this.#env = env;
    this.#core = new BuiltinExecutor(place);
  }

  /** An event of the agent, as a real executor would get it. */
  onEvent(event: ExecutorEvent): void {
    const now = this.#env.clock.now();
    switch (event.type) {
      case 'LAUNCH':
        if (event.launch !== undefined)
          this.#perform(this.#core.launch([event.launch.task], false, now));
        return;
      case 'LAUNCH_GROUP':
        this.#perform(this.#core.launch(event.launch_group?.task_group.tasks ?? [], true, now));
        return;
      case 'KILL': {
        const { task_id, kill_policy } = event.kill ?? {};
        this.#perform(this.#core.kill(task_id?.value ?? '', kill_policy, now));
        return;
      }
      case 'SHUTDOWN':
        if (this.#core.memory().length === 0) this.#place.onDone();
        else this.#perform(this.#core.shutdown(now));
        return;
      default:
    }
  }

  /** Goes on with the tasks of an earlier life; with none left, the executor is done. */
  resume(tasks: readonly ResumedTask<HostProcess>[]): void {
    for (const { memory, process, past } of tasks) {
      const isThere = process === undefined ? 'never-started' : 'there';
      const startedAt = process?.startedAt ?? this.#env.clock.now();
      this.#perform(this.#core.resume(memory, isThere, { ...past, startedAt }));
      if (process !== undefined) {
        this.#place.onStarted(memory.taskId, process.pid);
        this.#watch(memory.taskId, process);
      } else if (memory.task === undefined) {
        const message = 'its process was not there after the agent was restarted';
        this.#perform(this.#core.startFailed(memory.taskId, message, this.#env.clock.now()));
      }
    }
    if (tasks.length === 0) this.#place.onDone();
  }

  /** Those that have not ended. */
  tasks(): readonly (TaskMemory & { readonly pid: number | undefined })[] {
    return this.#core
      .memory()
      .map((one) => ({ ...one, pid: this.#processes.get(one.taskId)?.pid }));
  }

  /** A task that has not ended, by its container; the only one when none is named. */
  find(
    container: string | undefined,
  ): (TaskMemory & { readonly process: HostProcess | undefined }) | undefined {
    const memory = this.#core
      .memory()
      .find((one) => container === undefined || one.container === container);
    if (memory === undefined) return undefined;
    return { ...memory, process: this.#processes.get(memory.taskId) };
  }

  /** At once and without grace. */
  destroy(): void {
    if (this.#core.memory().length === 0) this.#place.onDone();
    const policy = { grace_period: { nanoseconds: 0 } };
    for (const { taskId } of this.#core.memory()) {
      this.#perform(this.#core.kill(taskId, policy, this.#env.clock.now()));
    }
  }

  /** The tasks run on; this object forgets them. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const life of this.#lives.values()) life.abort();
  }

  #perform(effects: readonly BuiltinEffect[]): void {
    if (this.#isClosed) return;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'start':
          void this.#start(effect.task);
          break;
        case 'remember':
          this.#remembered = this.#place.remember(this.#core.memory()).catch((error: unknown) => {
            this.#env.log.warn('Cannot note that tasks are ended', { error: errorChain(error) });
          });
          break;
        case 'signal':
          void this.#signal(effect.taskId, effect.signal);
          break;
        case 'give-up':
          this.#preparations.get(effect.taskId)?.abort();
          break;
        case 'update':
          this.#place.onUpdate(this.#status(effect));
          break;
        case 'probe':
          void this.#probe(effect);
          break;
        case 'done':
          this.#place.onDone();
          break;
        default:
      }
    }
    this.#arm();
  }

  /** Once it is known that it was asked for: whoever comes after a crash tells the end as that. */
  async #signal(taskId: string, signal: Signal): Promise<void> {
    await this.#remembered;
    this.#processes.get(taskId)?.kill(signal, 'group');
  }

  #status(effect: BuiltinEffect & { kind: 'update' }): TaskStatus {
    const { taskId, state, message, reason, healthy, checkStatus, container, limitation } = effect;
    const parent = this.#place.parentContainer;
    const pid = this.#processes.get(taskId)?.pid;
    const networks = parent === undefined ? undefined : this.#place.networks(container);
    return {
      task_id: { value: taskId },
      state,
      source: limitation === undefined ? 'SOURCE_EXECUTOR' : 'SOURCE_AGENT',
      executor_id: { value: this.#place.executorId },
      timestamp: this.#env.clock.now() / 1000,
      uuid: uuidBytes(this.#env.random.uuid()),
      ...(message === undefined ? {} : { message }),
      ...(reason === undefined ? {} : { reason }),
      ...(limitation === undefined ? {} : { limitation: { resources: [...limitation] } }),
      ...(healthy === undefined ? {} : { healthy }),
      ...(checkStatus === undefined ? {} : { check_status: checkStatus }),
      ...(parent === undefined
        ? {}
        : {
            container_status: {
              container_id: { value: container, parent: { value: parent } },
              ...(networks === undefined ? {} : { network_infos: [...networks] }),
              ...(pid === undefined ? {} : { executor_pid: pid }),
            },
          }),
    };
  }

  async #probe({ taskId, probe }: ProbeEffect): Promise<void> {
    const memory = this.#core.memory().find((one) => one.taskId === taskId);
    const process = this.#processes.get(taskId);
    const life = this.#lives.get(taskId);
    if (memory?.task === undefined || process === undefined || life === undefined) return;
    const { task, container } = memory;
    const result = await this.#place.probe(task, container, process.pid, probe, life.signal);
    const now = this.#env.clock.now();
    this.#perform(this.#core.probed(taskId, probe.kind, result, now));
  }

  async #start(task: TaskInfo): Promise<void> {
    const taskId = task.task_id.value;
    const preparation = new AbortController();
    const { signal } = preparation;
    this.#preparations.set(taskId, preparation);
    try {
      await this.#place.remember(this.#core.memory());
      const memory = this.#core.memory().find((one) => one.taskId === taskId);
      const spec = await this.#place.prepare(task, memory?.container ?? taskId, signal);
      signal.throwIfAborted();
      const process = await this.#host.launch(spec);
      this.#place.onStarted(taskId, process.pid);
      this.#watch(taskId, process);
      this.#perform(this.#core.started(taskId, this.#env.clock.now()));
    } catch (error) {
      const message = errorChain(error);
      const container = this.#core.memory().find((one) => one.taskId === taskId)?.container;
      if (container !== undefined && !this.#isClosed) this.#place.onEnded(container, undefined);
      this.#perform(this.#core.startFailed(taskId, message, this.#env.clock.now()));
    } finally {
      this.#preparations.delete(taskId);
    }
  }

  #watch(taskId: string, process: HostProcess): void {
    this.#processes.set(taskId, process);
    const life = new AbortController();
    this.#lives.set(taskId, life);
    const container = this.#core.memory().find((one) => one.taskId === taskId)?.container;
    void process.exited.then((status) => {
      this.#processes.delete(taskId);
      this.#lives.delete(taskId);
      life.abort();
      if (container !== undefined && !this.#isClosed) this.#place.onEnded(container, status);
      this.#perform(this.#core.exited(taskId, status, this.#env.clock.now()));
    });
  }

  #arm(): void {
    this.#timer?.cancel();
    const at = this.#core.nextAt();
    if (at === Infinity || this.#isClosed) return;
    const { clock, timers } = this.#env;
    this.#timer = timers.after(Math.max(0, at - clock.now()), () => {
      this.#perform(this.#core.onTick(clock.now()));
    });
  }
}
