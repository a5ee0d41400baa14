// The built-in executors: one command, or groups of them (the default executor), as a core that
// lives in the agent's process. It says what to start, signal and report; a shell does it.
import type { Instant } from '#env/env.ts';
import type { ExitStatus, Signal } from '#env/process.ts';
import type { KillPolicy, TaskInfo, TaskState, TaskStatus_Reason } from '#wire/mesos/v1.ts';

export interface BuiltinOptions {
  /** The framework understands TASK_KILLING. */
  readonly reportsKilling: boolean;
  readonly killGraceMs: number;
}

export type BuiltinEffect =
  | { readonly kind: 'start'; readonly task: TaskInfo }
  | { readonly kind: 'signal'; readonly taskId: string; readonly signal: Signal }
  | {
      readonly kind: 'update';
      readonly taskId: string;
      readonly state: TaskState;
      readonly message?: string | undefined;
      readonly reason?: TaskStatus_Reason | undefined;
    }
  /** Nothing is left to run: the executor's container ends. */
  | { readonly kind: 'done' };

/** What a successor needs to go on with a task; kept on disk by the shell. */
export interface TaskMemory {
  readonly taskId: string;
  readonly group: number | undefined;
  readonly graceMs: number;
  readonly completeBy: Instant | undefined;
  /** To start it after all, when a crash came before its process was there. */
  readonly task: TaskInfo | undefined;
}

interface Running {
  readonly taskId: string;
  readonly group: number | undefined;
  readonly graceMs: number;
  state: 'starting' | 'running' | 'killing' | 'ended';
  /** It was told to end; the signal waits for the process to be there. */
  killedBy: 'kill' | 'deadline' | undefined;
  killAt: Instant;
  completeBy: Instant;
  readonly maxMs: number | undefined;
  readonly task: TaskInfo | undefined;
}

const SIGNAL_WORDS: Readonly<Record<number, string>> = {
  1: 'Hangup',
  2: 'Interrupt',
  3: 'Quit',
  4: 'Illegal instruction',
  6: 'Aborted',
  7: 'Bus error',
  8: 'Floating point exception',
  9: 'Killed',
  10: 'User defined signal 1',
  11: 'Segmentation fault',
  12: 'User defined signal 2',
  13: 'Broken pipe',
  14: 'Alarm clock',
  15: 'Terminated',
};

/** `Command exited with status 3`, as Mesos words it. */
export function exitMessage(status: ExitStatus): string {
  if (status.kind === 'exited') return `Command exited with status ${status.code}`;
  const word = SIGNAL_WORDS[status.signal] ?? `Unknown signal ${status.signal}`;
  return `Command terminated with signal ${word}`;
}

function graceOf(policy: KillPolicy | undefined, otherwiseMs: number): number {
  const nanoseconds = policy?.grace_period?.nanoseconds;
  return nanoseconds === undefined ? otherwiseMs : nanoseconds / 1e6;
}

function maxMsOf(task: TaskInfo | undefined): number | undefined {
  const nanoseconds = task?.max_completion_time?.nanoseconds;
  return nanoseconds === undefined ? undefined : nanoseconds / 1e6;
}

export class BuiltinExecutor {
  readonly #options: BuiltinOptions;
  readonly #tasks = new Map<string, Running>();
  #groupCount = 0;
  #isDone = false;
  #out: BuiltinEffect[] = [];

  constructor(options: BuiltinOptions) {
    this.#options = options;
  }

  memory(): TaskMemory[] {
    return [...this.#tasks.values()]
      .filter((task) => task.state !== 'ended')
      .map(({ taskId, group, graceMs, completeBy, maxMs, task }) => ({
        taskId,
        group,
        graceMs,
        task,
        completeBy: maxMs === undefined ? undefined : completeBy,
      }));
  }

  launch(tasks: readonly TaskInfo[], isGroup: boolean, now: Instant): readonly BuiltinEffect[] {
    this.#groupCount += 1;
    for (const task of tasks) {
      const maxMs = maxMsOf(task);
      this.#tasks.set(task.task_id.value, {
        taskId: task.task_id.value,
        group: isGroup ? this.#groupCount : undefined,
        graceMs: graceOf(task.kill_policy, this.#options.killGraceMs),
        state: 'starting',
        killedBy: undefined,
        killAt: Infinity,
        completeBy: maxMs === undefined ? Infinity : now + maxMs,
        maxMs,
        task,
      });
      this.#update(task.task_id.value, 'TASK_STARTING');
      this.#out.push({ kind: 'start', task });
    }
    return this.#take();
  }

  /** A task of an earlier life whose process is (or was) there. */
  resume(
    memory: TaskMemory,
    process: 'there' | 'never-started',
    wasReportedRunning: boolean,
  ): readonly BuiltinEffect[] {
    const { taskId, group, graceMs, completeBy, task } = memory;
    this.#groupCount = Math.max(this.#groupCount, group ?? 0);
    this.#tasks.set(taskId, {
      taskId,
      group,
      graceMs,
      state: process === 'there' ? 'running' : 'starting',
      killedBy: undefined,
      killAt: Infinity,
      completeBy: completeBy ?? Infinity,
      maxMs: maxMsOf(task),
      task,
    });
    if (process === 'never-started') {
      if (task !== undefined) this.#out.push({ kind: 'start', task });
    } else if (!wasReportedRunning) this.#update(taskId, 'TASK_RUNNING');
    return this.#take();
  }

  /** starting -> running | killing */
  started(taskId: string, now: Instant): readonly BuiltinEffect[] {
    const task = this.#tasks.get(taskId);
    if (task === undefined || task.state !== 'starting') return [];
    task.state = 'running';
    if (task.maxMs !== undefined) task.completeBy = now + task.maxMs;
    this.#update(taskId, 'TASK_RUNNING');
    if (task.killedBy !== undefined) this.#beginKill(task, task.graceMs, now);
    return this.#take();
  }

  /** starting -> ended */
  startFailed(taskId: string, message: string, now: Instant): readonly BuiltinEffect[] {
    const task = this.#tasks.get(taskId);
    if (task === undefined || task.state === 'ended') return [];
    const text = `Failed to launch container: ${message}`;
    this.#end(task, 'TASK_FAILED', text, 'REASON_CONTAINER_LAUNCH_FAILED', now);
    return this.#take();
  }

  /** running | killing -> ended */
  exited(taskId: string, status: ExitStatus, now: Instant): readonly BuiltinEffect[] {
    const task = this.#tasks.get(taskId);
    if (task === undefined || task.state === 'ended') return [];
    const message = exitMessage(status);
    if (task.killedBy === 'deadline') {
      const reason = 'REASON_MAX_COMPLETION_TIME_REACHED';
      this.#end(task, 'TASK_FAILED', message, reason, now);
    } else if (status.oomKilled === true) {
      const text = `${message}: memory limit exceeded`;
      this.#end(task, 'TASK_FAILED', text, 'REASON_CONTAINER_LIMITATION_MEMORY', now);
    } else if (status.kind === 'exited' && status.code === 0) {
      this.#end(task, 'TASK_FINISHED', message, undefined, now);
    } else {
      const state = task.killedBy === 'kill' ? 'TASK_KILLED' : 'TASK_FAILED';
      this.#end(task, state, message, undefined, now);
    }
    return this.#take();
  }

  kill(taskId: string, policy: KillPolicy | undefined, now: Instant): readonly BuiltinEffect[] {
    const task = this.#tasks.get(taskId);
    if (task !== undefined) this.#kill(task, graceOf(policy, task.graceMs), now);
    return this.#take();
  }

  shutdown(now: Instant): readonly BuiltinEffect[] {
    for (const task of this.#tasks.values()) this.#kill(task, task.graceMs, now);
    return this.#take();
  }

  nextAt(): Instant {
    let at = Infinity;
    for (const task of this.#tasks.values()) {
      if (task.state === 'running') at = Math.min(at, task.completeBy);
      if (task.state === 'killing') at = Math.min(at, task.killAt);
    }
    return at;
  }

  onTick(now: Instant): readonly BuiltinEffect[] {
    for (const task of this.#tasks.values()) {
      if (task.state === 'running' && task.completeBy <= now) {
        task.killedBy = 'deadline';
        task.state = 'killing';
        this.#out.push({ kind: 'signal', taskId: task.taskId, signal: 'SIGKILL' });
      } else if (task.state === 'killing' && task.killAt <= now) {
        task.killAt = Infinity;
        this.#out.push({ kind: 'signal', taskId: task.taskId, signal: 'SIGKILL' });
      }
    }
    return this.#take();
  }

  /** running -> killing; while starting it is remembered; a shorter grace shortens, never longer. */
  #kill(task: Running, graceMs: number, now: Instant): void {
    if (task.state === 'ended' || task.killedBy === 'deadline') return;
    if (task.state === 'killing') {
      task.killAt = Math.min(task.killAt, now + graceMs);
      return;
    }
    task.killedBy = 'kill';
    if (task.state === 'running') this.#beginKill(task, graceMs, now);
  }

  #beginKill(task: Running, graceMs: number, now: Instant): void {
    task.state = 'killing';
    task.killAt = now + graceMs;
    task.completeBy = Infinity;
    if (this.#options.reportsKilling) this.#update(task.taskId, 'TASK_KILLING');
    this.#out.push({ kind: 'signal', taskId: task.taskId, signal: 'SIGTERM' });
  }

  #end(
    task: Running,
    state: TaskState,
    message: string,
    reason: TaskStatus_Reason | undefined,
    now: Instant,
  ): void {
    task.state = 'ended';
    this.#update(task.taskId, state, message, reason);
    if (task.group !== undefined && state !== 'TASK_FINISHED') {
      for (const other of this.#tasks.values()) {
        if (other.group === task.group) this.#kill(other, other.graceMs, now);
      }
    }
    if (this.#isDone || [...this.#tasks.values()].some((one) => one.state !== 'ended')) return;
    this.#isDone = true;
    this.#out.push({ kind: 'done' });
  }

  #update(
    taskId: string,
    state: TaskState,
    message?: string | undefined,
    reason?: TaskStatus_Reason | undefined,
  ): void {
    this.#out.push({ kind: 'update', taskId, state, message, reason });
  }

  #take(): readonly BuiltinEffect[] {
    const taken = this.#out;
    this.#out = [];
    return taken;
  }
}
