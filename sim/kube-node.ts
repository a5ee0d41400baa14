// A simulated node executor: joins what the substrate launches with what the API server says, as
// `kube/node/executor.ts` does, and tells both what becomes of each pod: the API server first.
import { podOfTask } from '#kube/meta/task-id.ts';
import { decideLaunch, type PodTask } from '#kube/node/pod-tasks.ts';
import type { ContainerLaunch } from '#mesos/agent/types.ts';
import type { ExecutorEvent, TaskInfo, TaskState } from '#wire/mesos/v1.ts';
import { CustomExecutor } from './custom-executor.ts';
import { isOver, type KubeApi, type SimPod } from './kube-api.ts';
import type { KubeInstance } from './kube-instance.ts';
import type { Machine } from './machine.ts';

/** A pod that is being deleted waits so long for its launch, which may be on its way. */
const LAUNCH_WAIT_MS = 5_000;

/** The task that counts for a pod. */
interface PodEntry {
  readonly uid: string;
  taskId: string;
  /** As it was begun, whichever attempt it is by now. */
  readonly task: TaskInfo;
  stage: Stage;
  /** Its process was started. */
  hasBegun: boolean;
  end: TaskState | undefined;
}

type Stage = 'launched' | 'running' | 'ending' | 'over';

export class KubeNodeExecutor extends CustomExecutor {
  readonly #instance: KubeInstance;
  readonly #api: KubeApi;
  readonly #nodeName: string;
  readonly #pods = new Map<string, SimPod>();
  readonly #tasks = new Map<string, PodEntry>();
  #isSynced = false;

  constructor(machine: Machine, launch: ContainerLaunch, pid: number, instance: KubeInstance) {
    super(machine, launch, pid);
    this.#instance = instance;
    this.#api = instance.api;
    this.#nodeName = machine.name;
  }

  override start(): void {
    super.start();
    const { life } = this;
    this.#api.watch({
      life,
      onPod: (pod) => {
        if (pod.nodeName === this.#nodeName) this.#onPod(pod);
      },
      onPodGone: (uid) => {
        if (this.#pods.delete(uid)) this.#stop(uid, 'TASK_KILLED');
      },
      onNode: () => {},
      onSynced: () => {
        this.#isSynced = true;
        for (const uid of this.#tasks.keys()) this.#consider(uid);
      },
    });
  }

  override onEvent(event: ExecutorEvent): void {
    if (event.type === 'KILL') this.#kill(event.kill?.task_id.value ?? '');
    else super.onEvent(event);
  }

  #kill(taskId: string): void {
    const { uid } = podOfTask(taskId);
    if (this.#tasks.get(uid)?.taskId === taskId) this.#stop(uid, 'TASK_KILLED');
    else this.update(taskId, 'TASK_KILLED');
  }

  protected override launched(task: TaskInfo): void {
    const taskId = task.task_id.value;
    const { uid } = podOfTask(taskId);
    const known = this.#tasks.get(uid);
    const decision = decideLaunch(known && standing(known), taskId);
    if (decision === 'refuse') this.update(taskId, 'TASK_KILLED');
    else if (known !== undefined && decision === 'take-over') {
      if (known.end === undefined) this.update(known.taskId, 'TASK_KILLED');
      known.taskId = taskId;
      this.update(
        taskId,
        known.end ?? (known.stage === 'launched' ? 'TASK_STARTING' : 'TASK_RUNNING'),
      );
    } else if (decision === 'begin') {
      this.#tasks.set(uid, {
        uid,
        taskId,
        task,
        stage: 'launched',
        hasBegun: false,
        end: undefined,
      });
      this.update(taskId, 'TASK_STARTING');
      this.#consider(uid);
    }
  }

  #onPod(pod: SimPod): void {
    const { uid } = pod;
    this.#pods.set(uid, pod);
    const known = this.#tasks.get(uid);
    if (known === undefined) {
      if (pod.isDeleting) this.later(LAUNCH_WAIT_MS, () => this.#removeUnlaunched(uid));
    } else if (known.stage === 'launched') this.#consider(uid);
    else if (known.stage === 'over' && pod.isDeleting) this.#remove(uid, () => {});
    else if (pod.isDeleting || isOver(pod)) this.#stop(uid, 'TASK_KILLED');
  }

  #removeUnlaunched(uid: string): void {
    if (this.#pods.has(uid) && !this.#tasks.has(uid)) this.#remove(uid, () => {});
  }

  /** It runs when both were seen; the watch may be behind the launch. */
  #consider(uid: string): void {
    const known = this.#tasks.get(uid);
    if (known?.stage !== 'launched') return;
    const pod = this.#pods.get(uid);
    if (pod !== undefined) this.#run(pod);
    else if (this.#isSynced) {
      const read = (): { pod: SimPod | undefined } => ({ pod: this.#api.pods.get(uid) });
      this.#api.call(this.life, read, (answer) => {
        if (known.stage !== 'launched') return;
        if (answer === undefined) this.later(500, () => this.#consider(uid));
        else if (answer.pod !== undefined) this.#run(answer.pod);
        else this.#isOver(uid, 'TASK_KILLED');
      });
    }
  }

  #run(pod: SimPod): void {
    const known = this.#tasks.get(pod.uid);
    if (known === undefined) return;
    if (pod.isDeleting || isOver(pod)) {
      known.stage = 'running';
      this.#stop(pod.uid, 'TASK_KILLED');
      return;
    }
    known.stage = 'running';
    this.#instance.podStarted(pod.uid, this.#nodeName);
    this.#api.untilDone(
      this.life,
      () => this.#api.patch(pod.uid, { phase: 'Running', hasStarted: true }),
      () => {},
    );
    known.hasBegun = true;
    this.begin(known.task);
  }

  /** The process has ended by itself: the API server hears of it before the substrate does. */
  protected override finished(id: string, state: TaskState): void {
    const { uid } = podOfTask(id);
    const known = this.#tasks.get(uid);
    if (known === undefined || known.stage !== 'running') return;
    known.stage = 'ending';
    this.stopped(id, state === 'TASK_FINISHED' ? 0 : 1);
    const phase = state === 'TASK_FINISHED' ? 'Succeeded' : 'Failed';
    this.#api.untilDone(
      this.life,
      () => this.#api.patch(uid, { phase, hasStarted: true }),
      () => {
        if (this.#pods.get(uid)?.isDeleting === true)
          this.#remove(uid, () => this.#isOver(uid, state));
        else this.#isOver(uid, state);
      },
    );
  }

  #stop(uid: string, state: TaskState): void {
    const known = this.#tasks.get(uid);
    if (known === undefined || (known.stage !== 'running' && known.stage !== 'launched')) return;
    known.stage = 'ending';
    this.later(20, () => {
      this.stopped(known.task.task_id.value, 137);
      const end = (): void => this.#isOver(uid, state);
      const pod = this.#pods.get(uid);
      if (pod?.isDeleting === true) this.#remove(uid, end);
      else this.#api.untilDone(this.life, () => this.#api.patch(uid, { phase: 'Failed' }), end);
    });
  }

  #remove(uid: string, then: () => void): void {
    this.#api.untilDone(this.life, () => this.#api.remove(uid), then);
  }

  #isOver(uid: string, state: TaskState): void {
    const known = this.#tasks.get(uid);
    if (known === undefined || known.stage === 'over') return;
    known.stage = 'over';
    known.end = state;
    this.update(known.taskId, state);
    if (this.#pods.get(uid)?.isDeleting === true) this.#remove(uid, () => {});
  }
}

function standing({ taskId, hasBegun, end }: PodEntry): PodTask {
  return { taskId, hasBegun, hasEnded: end !== undefined };
}
