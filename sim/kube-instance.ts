// A Kubernetes instance as a simulated framework: the production core of `kube/framework` behind a
// simulated API server, master and operator stream (the simulated side of `kube/framework/run.ts`), and
// whoever makes pods: work that is done when a pod of it has succeeded.
import type { Timer } from '#env/env.ts';
import { FrameworkCore } from '#kube/framework/core.ts';
import { callOf } from '#kube/framework/master-calls.ts';
import type { FrameworkEffect, PodView } from '#kube/framework/types.ts';
import {
  agentFromWire,
  offerFromWire,
  resourcesToWire,
  statusFromWire,
  taskToWire,
} from '#kube/framework/wire.ts';
import { noAmounts, type SchedulingPod } from '#kube/scheduler/types.ts';
import type { ExecutorInfo, FrameworkInfo, MasterEvent, SchedulerEvent } from '#wire/mesos/v1.ts';
import { isOver, KubeApi, type SimPod } from './kube-api.ts';
import { Channel, Life } from './network.ts';
import type { InstancePlan } from './plan.ts';
import { SchedulerLink } from './scheduler-link.ts';
import type { World } from './world.ts';

const MB = 1024 * 1024;
const NAME = 'kube';
const EXECUTOR = { ...noAmounts, cpuMilli: 100, memoryBytes: 128 * MB };
const LEAST = { ...noAmounts, cpuMilli: 10, memoryBytes: MB };
const REFUSE_SECONDS = 5;
const FOLLOW_MS = 500;
const REPLACE_MS = 100;
const ASK_AGAIN_MS = 15_000;
const UNMET_MS = 1_000;

type Accept = Extract<FrameworkEffect, { kind: 'accept' }>;

export class KubeInstance {
  readonly plan: InstancePlan;
  readonly api: KubeApi;
  life = new Life(NAME, NAME);
  readonly #world: World;
  // ---- survives crashes
  #frameworkId: string | undefined;
  readonly done = new Set<number>();
  #pods = 0;
  /** By node: the agent on which its executor was launched last, as NodeRecords keeps it. */
  readonly #records = new Map<string, string>();
  // ---- of this life
  #core: FrameworkCore;
  #link: SchedulerLink | undefined;
  #synced = new Set<string>();
  #unmet: Timer | undefined;
  /** Where the leading master is. */
  #leader: string | undefined;

  constructor(world: World, plan: InstancePlan) {
    this.#world = world;
    this.plan = plan;
    this.api = new KubeApi(world.network);
    this.#core = this.#newCore();
    this.life.isAlive = false;
    this.api.onChange = (pod, isGone) => this.#onChange(pod, isGone);
    for (let work = 0; work < plan.works; work++) {
      world.clock.after(world.random.below(plan.spreadMs), () => this.#makePod(work));
    }
  }

  /** All work is done, and nothing of it is left. */
  get isDone(): boolean {
    return this.done.size >= this.plan.works && this.api.pods.size === 0;
  }

  start(): void {
    if (this.life.isAlive) return;
    this.#world.log(`${NAME}: starts`);
    this.life = new Life(NAME, NAME);
    this.#core = this.#newCore();
    for (const [nodeName, agentId] of this.#records) this.#core.onNodeRecord(nodeName, agentId);
    this.#world.sabotage.instance?.(this.#core);
    this.#synced = new Set();
    const { life } = this;
    this.#link = new SchedulerLink({
      world: this.#world,
      life,
      repeatChance: 0,
      info: () => this.#info(),
      onEvent: (event) => this.#onEvent(event),
      onEnded: () => this.#core.onDisconnected(),
    });
    this.api.watch({
      life,
      onPod: (pod) => this.#perform(this.#core.onPod(viewOf(pod))),
      onPodGone: (uid) => this.#perform(this.#core.onPodGone(uid)),
      onNode: (name) =>
        this.#perform(this.#core.onNode({ name, labels: {}, taints: [], isUnschedulable: false })),
      onSynced: () => this.#onSynced('objects'),
    });
    this.#world.watchLeader(life, (address) => {
      this.#leader = address;
    });
    this.#follow();
    this.#askAgainLater();
  }

  #askAgainLater(): void {
    const { life } = this;
    this.#world.clock.after(ASK_AGAIN_MS, () => {
      if (!life.isAlive) return;
      this.#perform(this.#core.askAgain());
      this.#askAgainLater();
    });
  }

  crash(): void {
    if (!this.life.isAlive) return;
    this.#world.log(`${NAME}: is killed`);
    this.life.end();
  }

  /** A pod is bound to where it starts. */
  podStarted(uid: string, nodeName: string): void {
    const pod = this.api.pods.get(uid);
    if (pod !== undefined && pod.nodeName !== nodeName) {
      this.#world.observer.failed(`${uid} starts on ${nodeName}, bound to ${pod.nodeName}`);
    }
  }

  // ---- who makes pods

  #makePod(work: number): void {
    const { random } = this.#world;
    this.#pods += 1;
    const code = random.chance(this.plan.failChance) && this.#pods < 3 * this.plan.works ? 1 : 0;
    // The name is the program: how long it runs, how it ends.
    const uid = `pod-${this.#pods}-${1 + random.below(this.plan.podMsMax)}-${code}`;
    const cpuMilli = 100 * (1 + random.below(5));
    const memoryBytes = 32 * MB * (1 + random.below(4));
    this.api.put({
      uid,
      work,
      requests: { ...noAmounts, cpuMilli, memoryBytes },
      nodeName: undefined,
      phase: 'Pending',
      isDeleting: false,
      hasStarted: false,
      attempt: undefined,
    });
    if (this.#pods < 3 * this.plan.works && random.chance(this.plan.deleteChance)) {
      this.#world.clock.after(random.below(2 * this.plan.podMsMax), () => this.api.delete(uid));
    }
  }

  #onChange(pod: SimPod, isGone: boolean): void {
    this.#world.tell(
      () =>
        `API: ${pod.uid} ${isGone ? 'gone' : pod.phase} ${pod.nodeName ?? ''} ${pod.isDeleting}`,
    );
    const { clock } = this.#world;
    if (pod.phase === 'Succeeded') this.done.add(pod.work);
    if (isGone) {
      if (!this.done.has(pod.work)) clock.after(REPLACE_MS, () => this.#makePod(pod.work));
    } else if (isOver(pod) && !pod.isDeleting)
      clock.after(REPLACE_MS, () => this.api.delete(pod.uid));
  }

  // ---- the framework

  #newCore(): FrameworkCore {
    return new FrameworkCore({
      executorOverhead: EXECUTOR,
      leastRequest: LEAST,
      refuseSeconds: REFUSE_SECONDS,
    });
  }

  #info(): FrameworkInfo {
    return {
      user: 'root',
      name: NAME,
      roles: [NAME],
      checkpoint: true,
      failover_timeout: 7 * 24 * 3_600,
      capabilities: [
        { type: 'MULTI_ROLE' },
        { type: 'PARTITION_AWARE' },
        { type: 'RESERVATION_REFINEMENT' },
      ],
      ...(this.#frameworkId === undefined ? {} : { id: { value: this.#frameworkId } }),
    };
  }

  /** Offers are of use only when pods, nodes and agents are known. */
  #onSynced(what: string): void {
    this.#synced.add(what);
    if (this.#synced.size === 2) this.#link?.subscribe();
  }

  #follow(): void {
    const { network, clock } = this.#world;
    const { life } = this;
    const seat = this.#world.seatAt(this.#leader);
    const to = seat?.life;
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      request.finish();
      clock.after(FOLLOW_MS, () => {
        if (life.isAlive) this.#follow();
      });
    };
    const request: Channel = new Channel(network, {
      from: life,
      to,
      onBroken: again,
    });
    request.send(() => {
      const master = seat?.process;
      if (master === undefined || master.life !== to) return again();
      master.subscribeOperator({ life, onEvent: (event) => this.#onMaster(event), onEnd: again });
    });
  }

  #onMaster(event: MasterEvent): void {
    if (event.type === 'SUBSCRIBED') {
      const state = event.subscribed?.get_state;
      for (const agent of state?.get_agents?.agents ?? []) this.#onAgent(agent);
      for (const { executor_info, agent_id } of state?.get_executors?.executors ?? []) {
        if (executor_info.executor_id.value === executorId) {
          this.#core.onExecutorRunning(agent_id.value);
        }
      }
      this.#onSynced('agents');
    } else if (event.type === 'AGENT_ADDED' && event.agent_added !== undefined) {
      this.#onAgent(event.agent_added.agent);
    } else if (event.type === 'AGENT_REMOVED' && event.agent_removed !== undefined) {
      this.#perform(this.#core.onAgentGone(event.agent_removed.agent_id.value));
    }
  }

  #onAgent(entry: Parameters<typeof agentFromWire>[0]): void {
    const agent = agentFromWire(entry);
    this.#perform(this.#core.onAgent({ ...agent, nodeName: agent.hostname }));
  }

  #onEvent(event: SchedulerEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#frameworkId = event.subscribed?.framework_id.value;
        this.#perform(this.#core.onSubscribed());
        return;
      case 'OFFERS':
        this.#perform(this.#core.onOffers((event.offers?.offers ?? []).map(offerFromWire)));
        return;
      case 'RESCIND':
        this.#core.onRescind(event.rescind?.offer_id.value ?? '');
        return;
      case 'UPDATE':
        if (event.update !== undefined) {
          const status = statusFromWire(event.update.status);
          this.#world.log(`${NAME}: ${status.taskId} is ${status.state} (${status.reason})`);
          this.#perform(this.#core.onUpdate(status));
        }
        return;
      case 'FAILURE': {
        const { agent_id, executor_id } = event.failure ?? {};
        if (executor_id !== undefined && agent_id !== undefined) {
          this.#core.onExecutorEnded(agent_id.value);
        }
        return;
      }
      case 'ERROR': {
        const message = event.error?.message ?? '';
        if (message === 'Framework failed over') this.#link?.restart();
        else this.#world.observer.failed(`${NAME} was told: ${message}`);
        return;
      }
      default:
    }
  }

  #perform(effects: readonly FrameworkEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: FrameworkEffect): void {
    const { life, api } = this;
    switch (effect.kind) {
      case 'bind': {
        const core = this.#core;
        const bind = (): 'done' | 'refused' => api.bind(effect.uid, effect.nodeName);
        api.call(life, bind, (outcome) => {
          this.#perform(core.onBound(effect.uid, outcome ?? 'failed'));
        });
        return;
      }
      case 'note-attempt': {
        const core = this.#core;
        const note = (): 'done' | 'refused' => api.noteAttempt(effect.uid, effect.attempt);
        api.call(life, note, (outcome) => {
          this.#perform(core.onNoted(effect.uid, outcome ?? 'failed'));
        });
        return;
      }
      case 'accept':
        this.#accept(effect);
        return;
      case 'fail-pod':
        this.#world.observer.podFails(effect.uid, effect.message);
        api.call(life, () => api.patch(effect.uid, { phase: 'Failed' }));
        return;
      case 'remove-pod':
        this.#world.observer.podFails(effect.uid, 'it is removed');
        api.call(life, () => api.remove(effect.uid));
        return;
      case 'node-changed':
        if (this.#core.agentOfNode(effect.nodeName) !== undefined) {
          api.untilDone(
            life,
            () => api.putNode(effect.nodeName),
            () => {},
          );
        }
        return;
      default: {
        const call = callOf(effect);
        if (call !== undefined) this.#link?.call(call);
        if (effect.kind === 'request') this.#watchDemand(effect.wanted.length > 0);
      }
    }
  }

  #watchDemand(isAnyWanted: boolean): void {
    const { life } = this;
    this.#unmet?.cancel();
    if (!isAnyWanted) return;
    this.#unmet = this.#world.clock.after(UNMET_MS, () => {
      if (life.isAlive) this.#perform(this.#core.onDemandUnmet());
    });
  }

  #accept({ agentId, nodeName, offerIds, offeredPorts, launches }: Accept): void {
    const executor = this.#executor();
    const task_infos = launches.map((launch) =>
      taskToWire(launch, { agentId, role: NAME, executor, offeredPorts }),
    );
    this.#core.onExecutorRunning(agentId);
    this.#records.set(nodeName, agentId);
    this.#link?.call({
      type: 'ACCEPT',
      accept: {
        offer_ids: offerIds.map((value) => ({ value })),
        operations: [{ type: 'LAUNCH', launch: { task_infos } }],
        filters: { refuse_seconds: 0 },
      },
    });
  }

  #executor(): ExecutorInfo {
    return {
      type: 'CUSTOM',
      executor_id: { value: executorId },
      framework_id: { value: this.#frameworkId ?? '' },
      command: { value: 'node-executor' },
      resources: resourcesToWire(EXECUTOR, [], NAME),
    };
  }
}

export const executorId = `kube-node-${NAME}`;

function viewOf(pod: SimPod): PodView {
  const { uid, requests, nodeName, phase, isDeleting, hasStarted, attempt } = pod;
  const scheduling: SchedulingPod = {
    uid,
    namespace: 'default',
    name: uid,
    priority: 0,
    createdAt: 0,
    requests,
    extended: {},
    hostPorts: [],
    nodeName,
    nodeSelector: {},
    requiredTerms: undefined,
    preferredTerms: [],
    tolerations: [],
    spreadKey: '',
  };
  return { pod: scheduling, phase, isDeleting, hasStarted, attempt };
}
