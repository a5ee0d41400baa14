// The built-in executors: one command, or groups of them (the default executor), as a core that
// lives in the agent's process. It says what to start, signal and report; a shell does it.
import type { Instant } from '#env/env.ts';
import type { ExitStatus, Signal } from '#env/process.ts';
import type {
  CheckStatusInfo,
  KillPolicy,
  Resource,
  TaskInfo,
  TaskState,
  TaskStatus_Reason,
} from '#wire/mesos/v1.ts';
import {
  type CheckHistory,
  type CheckKind,
  type CheckNews,
  type Probe,
  type ProbeResult,
  TaskChecks,
  unknownStatus,
} from './check-core.ts';

export interface BuiltinOptions {
  /** The framework understands TASK_KILLING. */
  readonly reportsKilling: boolean;
  readonly killGraceMs: number;
  /** A name for the container of one task, never given twice. */
  nextContainer(): string;
}

/** A run of a task's check; answered by `probed`. */
export interface ProbeEffect {
  readonly kind: 'probe';
  readonly taskId: string;
  readonly probe: Probe;
}

export type BuiltinEffect =
  | { readonly kind: 'start'; readonly task: TaskInfo }
  | ProbeEffect
  | { readonly kind: 'signal'; readonly taskId: string; readonly signal: Signal }
  /** It is not started yet and need not be: its files are not waited for. */
  | { readonly kind: 'give-up'; readonly taskId: string }
  | {
      readonly kind: 'update';
      readonly taskId: string;
      readonly state: TaskState;
      readonly message?: string | undefined;
      readonly reason?: TaskStatus_Reason | undefined;
      readonly healthy?: boolean | undefined;
      readonly checkStatus?: CheckStatusInfo | undefined;
      /** The agent, not the task's executor, has ended it for what it used. */
      readonly limitation?: readonly Resource[] | undefined;
      readonly container: string;
    }
  /** What `memory()` answers is to be kept before any signal that follows. */
  | { readonly kind: 'remember' }
  /** Nothing is left to run: the executor's container ends. */
  | { readonly kind: 'done' };

/** What a successor needs to go on with a task; kept on disk by the shell. */
export interface TaskMemory {
  readonly taskId: string;
  /** Of its own container, below the executor's; a command executor has none but that. */
  readonly container: string;
  readonly group: number | undefined;
  readonly graceMs: number;
  readonly completeBy: Instant | undefined;
  /** To start it after all, when a crash came before its process was there. */
  readonly task: TaskInfo | undefined;
  /** It was being ended: a successor tells its end as that, and goes on with it. */
  readonly killing?: Killing | undefined;
}

export interface Killing {
  readonly by: 'kill' | 'deadline' | 'unhealthy';
  /** When it is ended without grace; undefined while it had not started. */
  readonly at: Instant | undefined;
}

/** What an earlier life had told of a task. */
export interface TaskPast {
  readonly wasReportedRunning: boolean;
  readonly startedAt: Instant;
  readonly checks: CheckHistory;
}

interface Running {
  readonly taskId: string;
  readonly container: string;
  readonly checks: TaskChecks;
  readonly group: number | undefined;
  readonly graceMs: number;
  state: 'starting' | 'running' | 'killing' | 'ended';
  /** It was told to end; the signal waits for the process to be there. */
  killedBy: 'kill' | 'deadline' | 'unhealthy' | undefined;
  killAt: Instant;
  completeBy: Instant;
  readonly maxMs: number | undefined;
  readonly task: TaskInfo | undefined;
}

function killingOf({
  killedBy,
  killAt,
}: Pick<Running, 'killedBy' | 'killAt'>): Pick<TaskMemory, 'killing'> {
  if (killedBy === undefined) return {};
  return { killing: { by: killedBy, at: killAt === Infinity ? undefined : killAt } };
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

const MB = 1024 * 1024;

/** As Mesos words it; the resources are what was used. */
function memoryLimitation(
  task: TaskInfo | undefined,
  { memoryBytesPeak = 0 }: ExitStatus,
): { readonly text: string; readonly limitation: readonly Resource[] } {
  const mem = (task?.resources ?? [])
    .filter((one) => one.name === 'mem')
    .reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0);
  const limitMb = task?.limits?.['mem']?.value ?? mem;
  const usedMb = memoryBytesPeak > 0 ? memoryBytesPeak / MB : limitMb;
  return {
    text: `Memory limit exceeded: Requested: ${limitMb}MB Maximum Used: ${Math.round(usedMb)}MB`,
    limitation: [{ name: 'mem', type: 'SCALAR', scalar: { value: usedMb } }],
  };
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
      .map(({ taskId, container, group, graceMs, completeBy, maxMs, task, ...rest }) => ({
        taskId,
        container,
        group,
        graceMs,
        task,
        completeBy: maxMs === undefined ? undefined : completeBy,
        ...killingOf(rest),
      }));
  }

  launch(tasks: readonly TaskInfo[], isGroup: boolean, now: Instant): readonly BuiltinEffect[] {
    this.#groupCount += 1;
    for (const task of tasks) {
      const maxMs = maxMsOf(task);
      this.#tasks.set(task.task_id.value, {
        taskId: task.task_id.value,
        container: this.#options.nextContainer(),
        checks: new TaskChecks(task.check, task.health_check),
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
    past: TaskPast,
  ): readonly BuiltinEffect[] {
    const { taskId, container, group, graceMs, completeBy, task, killing } = memory;
    const isThere = process === 'there';
    const isKilling = isThere && killing !== undefined;
    const checks = new TaskChecks(task?.check, task?.health_check);
    this.#groupCount = Math.max(this.#groupCount, group ?? 0);
    this.#tasks.set(taskId, {
      taskId,
      container,
      checks,
      group,
      graceMs,
      state: isKilling ? 'killing' : isThere ? 'running' : 'starting',
      killedBy: killing?.by,
      killAt: killing?.at ?? Infinity,
      completeBy: completeBy ?? Infinity,
      maxMs: maxMsOf(task),
      task,
    });
    if (!isThere) {
      if (task !== undefined) this.#out.push({ kind: 'start', task });
      return this.#take();
    }
    if (!past.wasReportedRunning) this.#update(taskId, 'TASK_RUNNING');
    if (!isKilling) checks.start(past.startedAt, past.checks);
    else {
      // The earlier life may have died before its signal was sent.
      const signal = killing.by === 'deadline' ? 'SIGKILL' : 'SIGTERM';
      this.#out.push({ kind: 'signal', taskId, signal });
    }
    return this.#take();
  }

  /** starting -> running | killing */
  started(taskId: string, now: Instant): readonly BuiltinEffect[] {
    const task = this.#tasks.get(taskId);
    if (task === undefined || task.state !== 'starting') return [];
    task.state = 'running';
    if (task.maxMs !== undefined) task.completeBy = now + task.maxMs;
    task.checks.start(now);
    this.#update(taskId, 'TASK_RUNNING');
    if (task.killedBy !== undefined) this.#beginKill(task, task.graceMs, now);
    return this.#take();
  }

  /** starting -> ended */
  startFailed(taskId: string, message: string, now: Instant): readonly BuiltinEffect[] {
    const task = this.#tasks.get(taskId);
    if (task === undefined || task.state === 'ended') return [];
    if (task.killedBy === 'kill') {
      this.#end(task, 'TASK_KILLED', 'Task was killed before it started', undefined, now);
    } else {
      const text = `Failed to launch container: ${message}`;
      this.#end(task, 'TASK_FAILED', text, 'REASON_CONTAINER_LAUNCH_FAILED', now);
    }
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
      const { text, limitation } = memoryLimitation(task.task, status);
      const reason = 'REASON_CONTAINER_LIMITATION_MEMORY';
      this.#end(task, 'TASK_FAILED', text, reason, now, limitation);
    } else if (status.kind === 'exited' && status.code === 0) {
      this.#end(task, 'TASK_FINISHED', message, undefined, now);
    } else {
      const state = task.killedBy === undefined ? 'TASK_FAILED' : 'TASK_KILLED';
      this.#end(task, state, message, undefined, now);
    }
    return this.#take();
  }

  /** What a probe has found; of no interest once the task is being killed or has ended. */
  probed(
    taskId: string,
    kind: CheckKind,
    result: ProbeResult,
    now: Instant,
  ): readonly BuiltinEffect[] {
    const task = this.#tasks.get(taskId);
    const news = task?.state === 'running' ? task.checks.probed(kind, result, now) : undefined;
    if (task !== undefined && news !== undefined) this.#onNews(task, news, now);
    return this.#take();
  }

  #onNews(task: Running, news: CheckNews, now: Instant): void {
    const reason =
      news.kind === 'health'
        ? 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED'
        : 'REASON_TASK_CHECK_STATUS_UPDATED';
    this.#update(task.taskId, 'TASK_RUNNING', undefined, reason);
    if (news.kind !== 'health' || !news.kill) return;
    task.killedBy = 'unhealthy';
    this.#beginKill(task, task.graceMs, now);
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
      if (task.state === 'running') at = Math.min(at, task.completeBy, task.checks.nextAt());
      if (task.state === 'killing') at = Math.min(at, task.killAt);
    }
    return at;
  }

  onTick(now: Instant): readonly BuiltinEffect[] {
    for (const task of this.#tasks.values()) {
      if (task.state === 'running' && task.completeBy <= now) {
        task.killedBy = 'deadline';
        task.state = 'killing';
        task.checks.stop();
        this.#out.push({ kind: 'remember' });
        this.#out.push({ kind: 'signal', taskId: task.taskId, signal: 'SIGKILL' });
      } else if (task.state === 'killing' && task.killAt <= now) {
        task.killAt = Infinity;
        this.#out.push({ kind: 'signal', taskId: task.taskId, signal: 'SIGKILL' });
      } else if (task.state === 'running') {
        for (const probe of task.checks.takeDue(now)) {
          this.#out.push({ kind: 'probe', taskId: task.taskId, probe });
        }
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
    else {
      this.#out.push({ kind: 'remember' });
      this.#out.push({ kind: 'give-up', taskId: task.taskId });
    }
  }

  #beginKill(task: Running, graceMs: number, now: Instant): void {
    task.state = 'killing';
    task.killAt = now + graceMs;
    task.completeBy = Infinity;
    task.checks.stop();
    if (this.#options.reportsKilling) this.#update(task.taskId, 'TASK_KILLING');
    this.#out.push({ kind: 'remember' });
    this.#out.push({ kind: 'signal', taskId: task.taskId, signal: 'SIGTERM' });
  }

  #end(
    task: Running,
    state: TaskState,
    message: string,
    reason: TaskStatus_Reason | undefined,
    now: Instant,
    limitation?: readonly Resource[] | undefined,
  ): void {
    task.state = 'ended';
    task.checks.stop();
    this.#update(task.taskId, state, message, reason, limitation);
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
    limitation?: readonly Resource[] | undefined,
  ): void {
    const task = this.#tasks.get(taskId);
    // Found values are those of a running task; that it was killed as unhealthy is told to its end.
    const isRunning = state === 'TASK_RUNNING';
    const healthy = isRunning
      ? task?.checks.healthy
      : task?.killedBy === 'unhealthy'
        ? false
        : undefined;
    this.#out.push({
      kind: 'update',
      taskId,
      state,
      message,
      reason,
      healthy,
      checkStatus: isRunning ? task?.checks.status : unknownStatus(task?.task?.check),
      container: task?.container ?? '',
      limitation,
    });
  }

  #take(): readonly BuiltinEffect[] {
    const taken = this.#out;
    this.#out = [];
    return taken;
  }
}
