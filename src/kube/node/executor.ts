// The node executor: joins what the substrate launches with what the API server says, one worker
// per pod. A pod runs when both were seen, its LAUNCH and its object, and never twice.
import type { Env, Timer } from '#env/env.ts';
import { parseJson, stringify } from '#wire/mesos/codec.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import type { ExecutorEvent, TaskInfo, TaskStatus } from '#wire/mesos/v1.ts';
import { podOfTask } from '#kube/meta/task-id.ts';
import { untilDone } from './kube-node-api.ts';
import type { NodeApi } from './node-api.ts';
import { NodeState } from './node-state.ts';
import type { TaskRecord, TerminalState } from './node-state.ts';
import { podIdentity } from './pod-spec.ts';
import type { Pod } from './pod-spec.ts';
import type { PodStatus } from './pod-state.ts';
import { decideLaunch, type PodTask } from './pod-tasks.ts';
import { PodWorker } from './pod-worker.ts';
import type { Runtime } from './runtime.ts';
import { StatusWriter } from './status-writer.ts';

export interface NodeExecutorOptions {
  readonly nodeName: string;
  readonly hostIps: readonly string[];
  readonly capacity: { readonly cpus: number; readonly memoryBytes: number };
  /** Everything the executor keeps. */
  readonly folder: string;
  /** Names this run of the executor: the same after a crash, another after the agent ended it. */
  readonly runId: string;
}

export interface MesosPort {
  sendUpdate(status: TaskStatus): void;
  restore(updates: readonly [], tasks: readonly TaskInfo[]): void;
}

export interface NodeExecutorParts {
  readonly api: NodeApi;
  readonly mesos: MesosPort;
  /** The folder is the pod's own; the choice is kept in it. */
  runtimeFor(pod: Pod, folder: string): Promise<Runtime>;
  /** The pod as it is now, read from the API server itself. */
  readPod(namespace: string, name: string): Promise<Pod | undefined>;
  /** Called when all pods have ended after a shutdown. */
  onShutdown(): void;
}

/** How long a pod that is being deleted may wait for its launch, which may still be on its way. */
const launchWaitMs = 5_000;
const LATER_ATTEMPT = 'another attempt of its pod is here';
const shutdownGraceMs = 3_000;
/** In a shutdown the API server may be gone for good: so long after a pod's end it is waited for. */
const shutdownApiMs = 500;

export class NodeExecutor {
  readonly #options: NodeExecutorOptions;
  readonly #parts: NodeExecutorParts;
  readonly #env: Env;
  readonly #state: NodeState;
  readonly #writer: StatusWriter;
  readonly #pods = new Map<string, Pod>();
  readonly #tasks = new Map<string, TaskRecord>();
  readonly #workers = new Map<string, PodWorker>();
  readonly #running = new Set<string>();
  /** Updates that are not acknowledged yet, and whether each tells an end. */
  readonly #ends = new Map<string, boolean>();
  /** Work on one pod happens in order. */
  readonly #queues = new Map<string, Promise<void>>();
  #agentId: string | undefined;
  #isSynced = false;
  #isShuttingDown = false;
  #isClosed = false;
  #shutdownTimer: Timer | undefined;
  /** Resolved some time after all had to be over: the API server is not waited for any longer. */
  readonly #leaveApi = Promise.withResolvers<void>();

  constructor(options: NodeExecutorOptions, parts: NodeExecutorParts, env: Env) {
    this.#options = options;
    this.#parts = parts;
    this.#env = env;
    this.#state = new NodeState(options.folder);
    this.#writer = new StatusWriter(parts.api, env);
  }

  workers(): readonly PodWorker[] {
    return [...this.#workers.values()];
  }

  worker(namespace: string, name: string): PodWorker | undefined {
    let found: PodWorker | undefined;
    for (const worker of this.#workers.values()) {
      const identity = podIdentity(worker.pod);
      if (identity.namespace !== namespace || identity.name !== name) continue;
      if (found === undefined || !worker.isFinished) found = worker;
    }
    return found;
  }

  /** Adopts what a former executor of the same run left; ends what another run left. */
  async start(): Promise<void> {
    const claim = await this.#state.claim(this.#options.runId);
    const kept = await this.#state.list();
    if (claim === 'other') {
      for (const { record, pod } of kept) {
        if (pod !== undefined) await this.#endLeftover(pod);
        await this.#state.remove(record.uid);
      }
    }
    await this.#state.setRun(this.#options.runId);
    if (claim === 'other') return;
    const tasks: TaskInfo[] = [];
    for (const { record, pod } of kept) {
      this.#tasks.set(record.uid, record);
      if (record.end?.acknowledged !== true) tasks.push(parseJson('TaskInfo', record.task));
      if (pod !== undefined) await this.#startWorker(pod);
    }
    this.#parts.mesos.restore([], tasks);
  }

  async #endLeftover(pod: Pod): Promise<void> {
    const folder = this.#state.podFolder(podIdentity(pod).uid);
    const kept = await PodWorker.keptState(folder);
    const runtime = await this.#parts.runtimeFor(pod, folder);
    if (kept !== undefined) runtime.recover({ pod, folder }, kept.ips);
    await runtime.teardown({ pod, folder });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#shutdownTimer?.cancel();
    this.#writer.close();
    for (const worker of this.#workers.values()) await worker.close();
  }

  // What the agent says.

  onEvent(event: ExecutorEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#agentId = event.subscribed?.agent_info.id?.value;
        this.#tellAll();
        return;
      case 'LAUNCH':
        if (event.launch !== undefined) this.#launch(event.launch.task);
        return;
      case 'LAUNCH_GROUP':
        for (const task of event.launch_group?.task_group.tasks ?? []) this.#launch(task);
        return;
      case 'KILL':
        if (event.kill !== undefined) {
          const { task_id: taskId, kill_policy: policy } = event.kill;
          const nanoseconds = policy?.grace_period?.nanoseconds;
          this.#kill(taskId.value, nanoseconds === undefined ? undefined : nanoseconds / 1e6);
        }
        return;
      case 'ACKNOWLEDGED':
        if (event.acknowledged !== undefined) {
          const { task_id: taskId, uuid } = event.acknowledged;
          this.#acknowledged(taskId.value, hexOf(uuid));
        }
        return;
      case 'SHUTDOWN':
        this.shutdown();
        return;
      case 'ERROR':
        this.#env.log.error('The agent reports an error', { message: event.error?.message });
        return;
      default:
    }
  }

  #launch(task: TaskInfo): void {
    const taskId = task.task_id.value;
    const { uid } = podOfTask(taskId);
    const known = this.#tasks.get(uid);
    const decision = decideLaunch(known && this.#standing(known), taskId);
    if (decision === 'refuse') this.#update(taskId, 'TASK_KILLED', LATER_ATTEMPT);
    else if (known !== undefined && decision === 'repeat') this.#tell(known);
    else if (known !== undefined && decision === 'take-over') this.#takeOver(known, task);
    else this.#begin(uid, task, known === undefined ? [] : toldAgain(known));
  }

  #standing({ uid, taskId = uid, end }: TaskRecord): PodTask {
    return { taskId, hasBegun: this.#workers.has(uid), hasEnded: end !== undefined };
  }

  #begin(uid: string, task: TaskInfo, former: string[]): void {
    const [namespace = '', ...rest] = task.name.split('/');
    const record: TaskRecord = {
      uid,
      namespace,
      name: rest.join('/'),
      taskId: task.task_id.value,
      task: stringify('TaskInfo', task),
      former,
    };
    this.#tasks.set(uid, record);
    this.#queue(uid, async () => {
      await this.#state.writeTask(record);
      this.#update(taskIdOf(record), 'TASK_STARTING', '');
      await this.#consider(uid);
    });
  }

  /** The framework took an earlier attempt for lost, which is here: what there is of the pod is the new one's. */
  #takeOver(record: TaskRecord, task: TaskInfo): void {
    const before = taskIdOf(record);
    this.#env.log.info('Another attempt takes a pod over', { before, now: task.task_id.value });
    record.former = toldAgain(record);
    record.taskId = task.task_id.value;
    record.task = stringify('TaskInfo', task);
    if (record.end !== undefined) record.end.acknowledged = false;
    this.#queue(record.uid, async () => {
      await this.#state.writeTask(record);
      this.#tell(record);
    });
  }

  #kill(taskId: string, graceMs: number | undefined): void {
    const { uid } = podOfTask(taskId);
    this.#queue(uid, async () => {
      const record = this.#tasks.get(uid);
      if (record !== undefined && taskIdOf(record) !== taskId) {
        this.#update(taskId, 'TASK_KILLED', LATER_ATTEMPT);
        return;
      }
      const worker = this.#workers.get(uid);
      if (worker !== undefined && !worker.isFinished) {
        const reason = 'Evicted';
        const message = "The substrate ended the pod's task";
        worker.input({ kind: 'kill', graceMs, reason, message });
      } else if (record === undefined) this.#update(taskId, 'TASK_KILLED', 'no such task');
      else if (record.end !== undefined) this.#tell(record);
      else await this.#endTask(record, 'TASK_KILLED', 'killed before its pod was seen');
    });
  }

  /** Of updates of an earlier life of this executor it is not known which they were: of the end, perhaps. */
  #acknowledged(taskId: string, update: string): void {
    const isEnd = this.#ends.get(update) ?? true;
    this.#ends.delete(update);
    if (!isEnd) return;
    const { uid } = podOfTask(taskId);
    this.#queue(uid, async () => {
      const record = this.#tasks.get(uid);
      if (record === undefined) return;
      if (record.former?.includes(taskId) === true) {
        record.former = record.former.filter((one) => one !== taskId);
      } else if (taskId !== taskIdOf(record) || record.end === undefined) return;
      else record.end.acknowledged = true;
      if (this.#isGone(uid)) await this.#forget(uid);
      else await this.#state.writeTask(record);
    });
  }

  #isGone(uid: string): boolean {
    return this.#isSynced && !this.#pods.has(uid);
  }

  shutdown(): void {
    if (this.#isShuttingDown) return;
    this.#isShuttingDown = true;
    const reason = 'Shutdown';
    const message = 'The node executor was shut down';
    for (const worker of this.#workers.values()) {
      if (worker.isFinished) continue;
      worker.input({ kind: 'kill', graceMs: shutdownGraceMs, reason, message });
    }
    const allMs = shutdownGraceMs + shutdownApiMs;
    this.#shutdownTimer = this.#env.timers.after(allMs, () => this.#leaveApi.resolve());
    this.#checkShutdown();
  }

  #checkShutdown(): void {
    if (!this.#isShuttingDown) return;
    if ([...this.#workers.values()].every(({ isFinished }) => isFinished)) this.#parts.onShutdown();
  }

  // What the API server says.

  onPod(pod: Pod): void {
    const { uid } = podIdentity(pod);
    this.#pods.set(uid, pod);
    this.#queue(uid, async () => {
      const worker = this.#workers.get(uid);
      if (worker === undefined) {
        await this.#consider(uid);
        if (pod.metadata.deletionTimestamp !== undefined) this.#expectLaunch(uid);
        return;
      }
      await this.#state.writePod(pod);
      if (worker.isFinished) {
        if (pod.metadata.deletionTimestamp !== undefined) await this.#deletePod(pod);
        return;
      }
      this.#checkDeclaredOver(worker, pod);
      worker.update(pod);
    });
  }

  /** Somebody else (the framework, when it had lost the task) has declared the pod over. */
  #checkDeclaredOver(worker: PodWorker, pod: Pod): void {
    const phase = pod.status?.phase;
    if (phase !== 'Failed' && phase !== 'Succeeded') return;
    if (worker.state.finalPhase !== undefined || worker.state.ending !== undefined) return;
    const reason = String(pod.status?.['reason'] ?? 'Failed');
    const message = String(pod.status?.['message'] ?? 'The pod was declared over');
    worker.input({ kind: 'kill', reason, message });
  }

  onPodGone(uid: string): void {
    this.#pods.delete(uid);
    this.#queue(uid, async () => {
      this.#writer.forget(uid);
      const worker = this.#workers.get(uid);
      if (worker === undefined) return;
      if (worker.isFinished) {
        await this.#forget(uid);
        return;
      }
      const message = 'The pod was removed from the API server';
      worker.input({ kind: 'kill', reason: 'Removed', message });
    });
  }

  /** All pods of the node have been told once. */
  onSynced(): void {
    this.#isSynced = true;
    for (const uid of this.#tasks.keys()) {
      this.#queue(uid, async () => {
        const worker = this.#workers.get(uid);
        if (worker === undefined) await this.#consider(uid);
        else if (!this.#pods.has(uid)) this.onPodGone(uid);
      });
    }
  }

  #expectLaunch(uid: string): void {
    this.#env.timers.after(launchWaitMs, () => {
      this.#queue(uid, async () => {
        const pod = this.#pods.get(uid);
        if (pod === undefined || this.#tasks.has(uid)) return;
        await this.#deletePod(pod);
      });
    });
  }

  // Pods.

  #queue(uid: string, work: () => Promise<void>): void {
    const before = this.#queues.get(uid) ?? Promise.resolve();
    const next = before.then(work).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#env.log.error('Work on a pod failed', { uid, error: why });
    });
    this.#queues.set(uid, next);
    void next.then(() => {
      if (this.#queues.get(uid) === next) this.#queues.delete(uid);
    });
  }

  async #consider(uid: string): Promise<void> {
    const record = this.#tasks.get(uid);
    if (record === undefined || record.end !== undefined || this.#workers.has(uid)) return;
    let pod = this.#pods.get(uid);
    if (pod === undefined && this.#isSynced) {
      // The watch may be behind the launch: ask.
      pod = await this.#parts.readPod(record.namespace, record.name);
      if (pod === undefined || pod.metadata.uid !== uid) {
        await this.#endTask(record, 'TASK_KILLED', 'its pod is not in the API server');
        return;
      }
    }
    if (pod === undefined) return;
    await this.#state.writePod(pod);
    await this.#startWorker(pod);
  }

  async #startWorker(pod: Pod): Promise<void> {
    const { uid } = podIdentity(pod);
    const folder = this.#state.podFolder(uid);
    const kept = await PodWorker.keptState(folder);
    const { nodeName, hostIps, capacity } = this.#options;
    const worker = new PodWorker(
      pod,
      kept,
      {
        nodeName,
        hostIps,
        capacity,
        folder,
        runtime: await this.#parts.runtimeFor(pod, folder),
        api: this.#parts.api,
        onStatus: (current, status) => this.#onStatus(current, status),
        onFinished: (current, phase) => this.#onFinished(current, phase),
      },
      this.#env,
    );
    this.#workers.set(uid, worker);
    if (worker.isFinished) {
      const phase = worker.state.finalPhase ?? 'Failed';
      this.#writer.set(pod, worker.status());
      this.#onFinished(pod, phase);
    } else await worker.start();
  }

  #onStatus(pod: Pod, status: PodStatus): void {
    this.#writer.set(pod, status);
    const { uid } = podIdentity(pod);
    if (status.phase !== 'Running' || this.#running.has(uid)) return;
    this.#running.add(uid);
    const record = this.#tasks.get(uid);
    this.#update(record === undefined ? uid : taskIdOf(record), 'TASK_RUNNING', '');
  }

  #onFinished(pod: Pod, phase: 'Succeeded' | 'Failed'): void {
    const { uid } = podIdentity(pod);
    this.#queue(uid, async () => {
      await Promise.race([this.#writer.flush(uid), this.#patience()]);
      const current = this.#workers.get(uid)?.pod ?? pod;
      const isDeleted = current.metadata.deletionTimestamp !== undefined;
      if (isDeleted && this.#pods.has(uid)) await this.#deletePod(current);
      const record = this.#tasks.get(uid);
      const cause = this.#workers.get(uid)?.state.ending;
      let state: TerminalState = phase === 'Succeeded' ? 'TASK_FINISHED' : 'TASK_FAILED';
      if (cause?.cause === 'deleted' || cause?.cause === 'killed') state = 'TASK_KILLED';
      const message = cause?.message ?? `pod ${phase.toLowerCase()}`;
      if (record !== undefined && record.end === undefined) {
        await this.#endTask(record, state, message);
      }
      this.#checkShutdown();
    });
  }

  /** Until the API server has taken it; the pod's task ends only afterwards. */
  #deletePod(pod: Pod): Promise<void> {
    const deleted = untilDone(
      () => this.#parts.api.deletePod(pod),
      this.#env,
      () => this.#isClosed,
    );
    return Promise.race([deleted, this.#patience()]);
  }

  /** For how long the API server is waited for. */
  async #patience(): Promise<void> {
    if (!this.#isShuttingDown) return await this.#leaveApi.promise;
    await new Promise<void>((done) => this.#env.timers.after(shutdownApiMs, done));
  }

  async #endTask(record: TaskRecord, state: TerminalState, message: string): Promise<void> {
    record.end = { state, message, acknowledged: false };
    await this.#state.writeTask(record);
    this.#tell(record);
  }

  async #forget(uid: string): Promise<void> {
    const worker = this.#workers.get(uid);
    const record = this.#tasks.get(uid);
    // Also when nobody has told its end yet: what its worker has to write down first may come after the pod is gone.
    const isOpen = record !== undefined && record.end?.acknowledged !== true;
    if (isOpen || (record?.former ?? []).length > 0) return;
    this.#workers.delete(uid);
    this.#tasks.delete(uid);
    this.#running.delete(uid);
    await worker?.close();
    await this.#state.remove(uid);
  }

  // Task updates.

  #tellAll(): void {
    for (const record of this.#tasks.values()) this.#tell(record);
  }

  #tell(record: TaskRecord): void {
    const { uid, end, former = [] } = record;
    const taskId = taskIdOf(record);
    for (const one of former) this.#update(one, 'TASK_KILLED', LATER_ATTEMPT);
    if (end !== undefined) {
      if (!end.acknowledged) this.#update(taskId, end.state, end.message);
    } else if (this.#running.has(uid)) this.#update(taskId, 'TASK_RUNNING', '');
    else this.#update(taskId, 'TASK_STARTING', '');
  }

  #update(taskId: string, state: NonNullable<TaskStatus['state']>, message: string): void {
    const uuid = new Uint8Array(Buffer.from(this.#env.random.uuid().replaceAll('-', ''), 'hex'));
    this.#ends.set(hexOf(uuid), isTerminal(state));
    this.#parts.mesos.sendUpdate({
      uuid,
      task_id: { value: taskId },
      state,
      ...(message === '' ? {} : { message }),
      ...(this.#agentId === undefined ? {} : { agent_id: { value: this.#agentId } }),
    });
  }
}

function hexOf(uuid: Uint8Array): string {
  return Buffer.from(uuid).toString('hex');
}

/** Earlier attempts whose end is not acknowledged, this one now among them. */
function toldAgain(record: TaskRecord): string[] {
  const { former = [], end } = record;
  return end?.acknowledged === true ? former : [...former, taskIdOf(record)];
}

function taskIdOf({ uid, taskId = uid }: TaskRecord): string {
  return taskId;
}
