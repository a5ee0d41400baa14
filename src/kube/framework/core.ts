// Decides for one Kubernetes instance as a Mesos framework: which offers to take for which pods, when
// to ask for more and when to be quiet, what a task's end means for its pod. Pure; run.ts performs.
import { podOfTask } from '#kube/meta/task-id.ts';
import { planPods } from '#kube/scheduler/plan.ts';
import { collide } from '#kube/scheduler/filters/resources.ts';
import {
  addAmounts,
  noAmounts,
  type Amounts,
  type SchedulingNode,
  type SchedulingPod,
} from '#kube/scheduler/types.ts';
import { Asking } from './asking.ts';
import { Batches, removal } from './batches.ts';
import { HeldOffers } from './held-offers.ts';
import { KnownAgents } from './known-agents.ts';
import { isPodOver, PodRecords, taskOf, type PodRecord, type PodState } from './pod-records.ts';
import { portsRefused, reasonOf } from './reasons.ts';
import { isEnd, neverLaunched } from './task-ends.ts';
import type { Agent, FrameworkEffect, NodeView, Offer, PodView, TaskStatus } from './types.ts';

/** `refused`: the API knows better (there is none, or it is bound). `failed`: nobody knows. */
export type ApiOutcome = 'done' | 'refused' | 'failed';

export interface FrameworkOptions {
  readonly executorOverhead: Amounts;
  /** Mesos refuses tasks without resources; pods that ask for nothing are charged this. */
  readonly leastRequest: Amounts;
  /** How long agents whose offers fit no waiting pod are not offered again. */
  readonly refuseSeconds: number;
}

export class FrameworkCore {
  readonly #options: FrameworkOptions;
  readonly #agents = new KnownAgents();
  readonly #pods: PodRecords;
  readonly #offers: HeldOffers;
  readonly #batches: Batches;
  readonly #asking: Asking;
  /** Pods with a task that were asked about when the subscription began, and of which no word has come since. */
  readonly #unheard = new Set<string>();
  #isSubscribed = false;
  #isSuppressed = false;
  #demandChanged = false;

  constructor(options: FrameworkOptions) {
    this.#options = options;
    this.#pods = new PodRecords(options.leastRequest);
    this.#offers = new HeldOffers(options.refuseSeconds);
    this.#batches = new Batches(this.#pods);
    this.#asking = new Asking({
      pods: this.#pods,
      agents: this.#agents,
      offers: this.#offers,
      executorOverhead: options.executorOverhead,
    });
  }

  // ---- agents and nodes

  onAgent(agent: Agent): FrameworkEffect[] {
    this.#agents.put(agent);
    return [{ kind: 'node-changed', nodeName: agent.nodeName }];
  }

  /** The agent left for good (its id never comes back). */
  onAgentGone(agentId: string): FrameworkEffect[] {
    const agent = this.#agents.delete(agentId);
    this.#offers.forgetAgent(agentId);
    this.#pods.forgetAgent(agentId);
    return agent === undefined ? [] : [{ kind: 'node-changed', nodeName: agent.nodeName }];
  }

  /** What an earlier life of the instance has noted: which agent the node is. Before any pod is told. */
  onNodeRecord(nodeName: string, agentId: string): void {
    this.#agents.setFormer(nodeName, agentId);
  }

  agentOfNode(nodeName: string): Agent | undefined {
    return this.#agents.ofNode(nodeName);
  }

  onNode(node: NodeView): FrameworkEffect[] {
    const hasChanged = this.#agents.putNode(node);
    if (!hasChanged || !this.#pods.isAnyPending) return [];
    this.#demandChanged = true;
    return this.#schedule();
  }

  onNodeGone(nodeName: string): FrameworkEffect[] {
    this.#agents.deleteNode(nodeName);
    return [];
  }

  onExecutorRunning(agentId: string): void {
    this.#agents.setExecutor(agentId, true);
  }

  onExecutorEnded(agentId: string): void {
    this.#agents.setExecutor(agentId, false);
  }

  isExecutorRunning(agentId: string): boolean {
    return this.#agents.isExecutorRunning(agentId);
  }

  /** What the instance holds on an agent, and what it was last offered beside it. */
  allocatable(agentId: string): { readonly held: Amounts; readonly offered: Amounts | undefined } {
    return { held: this.#pods.heldOn(agentId), offered: this.#offers.last(agentId) };
  }

  // ---- the connection to the master

  /** Offers of the previous connection are void; every task that should live is asked about. */
  onSubscribed(): FrameworkEffect[] {
    this.#isSubscribed = true;
    this.#offers.clear();
    this.#isSuppressed = false;
    this.#asking.isAsking = false;
    this.#demandChanged = this.#pods.isAnyPending;
    this.#unheard.clear();
    for (const { uid, state } of this.#pods.all()) if (hasTask(state)) this.#unheard.add(uid);
    const effects = this.#askAbout(({ state }) => hasTask(state));
    return [...effects, ...this.#schedule()];
  }

  /**
   * Asks again about tasks of which nothing is known, or nothing of this master: it does not answer while their
   * agent may still return to it, nor tell of what an agent ran that is marked gone before it could. To be called
   * every now and then.
   */
  askAgain(): FrameworkEffect[] {
    if (!this.#isSubscribed) return [];
    return this.#askAbout(
      ({ uid, state }) =>
        state.kind === 'unknown' ||
        (state.kind === 'launched' && (!state.isConfirmed || this.#unheard.has(uid))),
    );
  }

  #askAbout(isWanted: (record: PodRecord) => boolean): FrameworkEffect[] {
    const tasks = [...this.#pods.all()].filter(isWanted).map((record) => this.#question(record));
    return tasks.length === 0 ? [] : [{ kind: 'reconcile', tasks }];
  }

  /**
   * Without the agent's id a master takes what it does not know for what never was. A node that is another
   * agent by now has nothing of the agent that it was, of which no word may ever come.
   */
  #question(record: PodRecord): { taskId: string; agentId: string | undefined } {
    const { state, view } = record;
    const known = 'agentId' in state ? state.agentId : undefined;
    const { nodeName } = view.pod;
    const now = nodeName === undefined ? undefined : this.agentOfNode(nodeName);
    const agentId = now?.isReachable === true ? now.id : known;
    return { taskId: taskOf(record), agentId: agentId ?? this.#agents.idOfNode(nodeName) };
  }

  onDisconnected(): void {
    this.#isSubscribed = false;
    this.#offers.clear();
  }

  onOffers(offers: readonly Offer[]): FrameworkEffect[] {
    const effects: FrameworkEffect[] = [];
    const { isAsking } = this.#asking;
    for (const offer of offers) {
      this.#offers.add(offer, isAsking);
      this.#noteExecutor(offer);
      const nodeName = this.#agents.get(offer.agentId)?.nodeName;
      if (nodeName !== undefined) effects.push({ kind: 'node-changed', nodeName });
    }
    effects.push(...this.#schedule());
    // What was served is struck off in the master: who waits still is to be asked for again.
    if (isAsking && this.#asking.isAsking) effects.push(...this.#asking.ask());
    return effects;
  }

  /**
   * Late word of a task passes for a sign of life of an executor that has ended. Without anything there or
   * on its way, the master knows better.
   */
  #noteExecutor({ agentId, hasExecutor }: Offer): void {
    const isUsed = this.#batches.has(agentId) || this.#pods.isAnyOn(agentId);
    if (hasExecutor || !isUsed) this.#agents.setExecutor(agentId, hasExecutor);
  }

  /** For some time nothing came of what was asked for. */
  onDemandUnmet(): FrameworkEffect[] {
    if (!this.#asking.isAsking || !this.#pods.isAnyPending) return [];
    this.#asking.isUnmet = true;
    this.#demandChanged = true;
    return this.#schedule();
  }

  onRescind(offerId: string): void {
    this.#offers.drop(offerId);
  }

  // ---- pods

  onPod(view: PodView): FrameworkEffect[] {
    const { uid } = view.pod;
    const record = this.#pods.get(uid);
    if (record === undefined) return this.#onNewPod(view);
    this.#pods.see(record, view);
    if (record.state.kind === 'refused') return this.#onRefused(record);
    if (isPodOver(view)) {
      if (record.state.kind !== 'launched') this.#pods.enter(record, { kind: 'over' });
      return view.isDeleting && record.state.kind === 'over' ? [removal(view)] : [];
    }
    if (view.isDeleting && record.state.kind === 'pending') {
      this.#pods.enter(record, { kind: 'over' });
      return record.view.pod.nodeName === undefined ? [] : [removal(view)];
    }
    return [];
  }

  /** The API knows better: somebody has bound it, an earlier call of this core's perhaps. */
  #onRefused(record: PodRecord): FrameworkEffect[] {
    const { view } = record;
    if (view.pod.nodeName === undefined) return [];
    if (isPodOver(view)) {
      this.#pods.enter(record, { kind: 'over' });
      return view.isDeleting ? [removal(view)] : [];
    }
    return this.#askFirst(record);
  }

  #onNewPod(view: PodView): FrameworkEffect[] {
    if (isPodOver(view)) {
      this.#pods.add(view, { kind: 'over' });
      return view.isDeleting ? [removal(view)] : [];
    }
    if (view.pod.nodeName === undefined) {
      if (view.isDeleting) return [];
      this.#pods.add(view, { kind: 'pending', message: '' });
      this.#demandChanged = true;
      return this.#schedule();
    }
    // Bound before this core knew of it: by an earlier life of it, or by hand.
    return this.#askFirst(this.#pods.add(view, { kind: 'over' }));
  }

  /** It is bound: whether its task exists is asked before anything is launched. */
  #askFirst(record: PodRecord): FrameworkEffect[] {
    const { view } = record;
    record.attempt = Math.max(record.attempt, view.attempt ?? 1);
    const agentId = this.#agents.idOfNode(view.pod.nodeName);
    this.#pods.enter(record, { kind: 'unknown', agentId });
    return this.#isSubscribed ? [{ kind: 'reconcile', tasks: [this.#question(record)] }] : [];
  }

  /** The pod is no longer in the API: nothing of it may go on. */
  onPodGone(uid: string): FrameworkEffect[] {
    const record = this.#pods.get(uid);
    const state = record?.state;
    this.#pods.delete(uid);
    this.#unheard.delete(uid);
    if (record === undefined || state?.kind !== 'launched') return [];
    return [{ kind: 'kill', taskId: taskOf(record), agentId: state.agentId }];
  }

  onBound(uid: string, outcome: ApiOutcome): FrameworkEffect[] {
    return this.#onAnswer(uid, outcome);
  }

  onNoted(uid: string, outcome: ApiOutcome): FrameworkEffect[] {
    return this.#onAnswer(uid, outcome);
  }

  #onAnswer(uid: string, outcome: ApiOutcome): FrameworkEffect[] {
    const record = this.#pods.get(uid);
    const effects: FrameworkEffect[] = [];
    if (record?.state.kind === 'binding' && outcome === 'failed') {
      this.#pods.enter(record, { kind: 'pending', message: '' });
      this.#demandChanged = true;
    } else if (record?.state.kind === 'binding' && outcome === 'refused') {
      this.#pods.enter(record, { kind: 'refused' });
      effects.push(...this.#onRefused(record));
    }
    const launched = this.#batches.answered(uid, outcome === 'done');
    return launched === undefined ? effects : [...effects, ...launched, ...this.#schedule()];
  }

  // ---- tasks

  onUpdate(status: TaskStatus): FrameworkEffect[] {
    const effects: FrameworkEffect[] = [];
    if (status.uuid !== undefined && status.agentId !== undefined) {
      const { agentId, taskId, uuid } = status;
      effects.push({ kind: 'acknowledge', agentId, taskId, uuid });
    }
    const { uid, attempt } = podOfTask(status.taskId);
    const record = this.#pods.get(uid);
    // Late word of an attempt that was given up. If it lives, its executor lets the next one take over.
    if (record !== undefined && attempt < record.attempt) return effects;
    if (record !== undefined) record.attempt = attempt;
    this.#unheard.delete(uid);
    if (isEnd(status)) {
      return record === undefined ? effects : [...effects, ...this.#onTaskOver(record, status)];
    }
    if (record === undefined) {
      // Of a pod that the API no longer has. While unreachable, a kill would be answered by this again.
      const { taskId, agentId, state } = status;
      if (state === 'TASK_UNREACHABLE') return effects;
      return [...effects, { kind: 'kill', taskId, agentId }];
    }
    if (status.state === 'TASK_UNREACHABLE') {
      // To be asked about until there is other word.
      if (record.state.kind === 'launched')
        this.#pods.enter(record, { ...record.state, isConfirmed: false });
    } else if (status.agentId !== undefined) {
      this.#agents.setExecutor(status.agentId, true);
      if (record.state.kind !== 'over') {
        // The master's word that it was sent to the agent is not the agent's that it came.
        const isConfirmed = status.state !== 'TASK_STAGING';
        this.#pods.enter(record, { kind: 'launched', agentId: status.agentId, isConfirmed });
      }
    }
    return effects;
  }

  #onTaskOver(record: PodRecord, status: TaskStatus): FrameworkEffect[] {
    const { view, state } = record;
    if (state.kind === 'pending' || state.kind === 'binding' || state.kind === 'refused') return [];
    if (!view.hasStarted && !isPodOver(view) && neverLaunched(state, status)) {
      return this.#relaunch(record);
    }
    this.#pods.enter(record, { kind: 'over' });
    const { uid, namespace, name } = view.pod;
    // The executor writes a pod's end, or removes the pod, before it tells the task's end, and mostly that has
    // been seen by now. When it was shut down while the API server was away it could not.
    if (view.isDeleting) return [removal(view)];
    if (isPodOver(view)) return [];
    const reason = reasonOf(status);
    const message = status.message === '' ? `Task ended as ${status.state}` : status.message;
    return [{ kind: 'fail-pod', uid, namespace, name, reason, message }];
  }

  /** -> pending (on its node): the binding was written, the launch never happened. */
  #relaunch(record: PodRecord): FrameworkEffect[] {
    if (record.view.isDeleting) {
      this.#pods.enter(record, { kind: 'over' });
      return [removal(record.view)];
    }
    if (this.#isPortTaken(record)) {
      this.#pods.enter(record, { kind: 'over' });
      const { uid, namespace, name } = record.view.pod;
      return [{ kind: 'fail-pod', uid, namespace, name, ...portsRefused }];
    }
    this.#pods.enter(record, { kind: 'pending', message: '' });
    this.#demandChanged = true;
    return this.#schedule();
  }

  /** Its node is given, and another pod of this instance has one of its host ports there. */
  #isPortTaken({ view: { pod } }: PodRecord): boolean {
    const agentId = this.#agents.idOfNode(pod.nodeName);
    if (agentId === undefined || pod.hostPorts.length === 0) return false;
    const others = [...this.#pods.launchedOn(agentId)].flatMap(({ view }) => view.pod.hostPorts);
    return pod.hostPorts.some((port) => others.some((other) => collide(port, other)));
  }

  // ---- scheduling

  #schedule(): FrameworkEffect[] {
    if (!this.#isSubscribed) return [];
    if (!this.#pods.isAnyPending) return this.#beQuiet();
    const effects = this.#placeOnOffers();
    if (this.#demandChanged && this.#pods.isAnyPending) {
      // New demand lifts earlier refusals: agents that fitted nothing before may fit now.
      this.#isSuppressed = false;
      effects.push(...this.#asking.ask(), { kind: 'revive' });
    }
    this.#demandChanged = false;
    return this.#pods.isAnyPending ? effects : [...effects, ...this.#beQuiet()];
  }

  #beQuiet(): FrameworkEffect[] {
    this.#asking.isUnmet = false;
    const effects = this.#offers.decline();
    if (!this.#isSuppressed && this.#batches.isEmpty && this.#asking.isInformed) {
      this.#isSuppressed = true;
      effects.push({ kind: 'suppress' });
    }
    return effects;
  }

  #placeOnOffers(): FrameworkEffect[] {
    if (this.#offers.isEmpty) return [];
    const byAgent = this.#offers.byAgent();
    const nodes: SchedulingNode[] = [];
    for (const [agentId, offers] of byAgent) {
      const node = this.#schedulingNode(agentId, offers);
      if (node !== undefined) nodes.push(node);
    }
    const pods = this.#pods.charged(this.#pods.pending());
    const plan = planPods({ pods, nodes, managedPorts: this.#agents.ports });
    const effects: FrameworkEffect[] = [];
    for (const [agentId, placements] of Map.groupBy(plan.placements, (one) => one.agentId)) {
      const offers = byAgent.get(agentId) ?? [];
      for (const offer of offers) this.#offers.drop(offer.id);
      const nodeName = placements[0]?.nodeName ?? '';
      const uids = placements.map(({ pod }) => pod.uid);
      effects.push(...this.#batches.begin({ agentId, nodeName, offers, uids }));
    }
    // On offers cut to what others wait for, nobody else fits: that is no reason to tell.
    for (const { pod, message } of this.#asking.isAsking ? [] : plan.unplaced) {
      const record = this.#pods.get(pod.uid);
      if (record?.state.kind !== 'pending' || record.state.message === message) continue;
      this.#pods.enter(record, { kind: 'pending', message });
      const { uid, namespace, name } = pod;
      effects.push({ kind: 'unschedulable', uid, namespace, name, message });
    }
    // An agent whose batch is on its way takes more when that is launched.
    effects.push(...this.#offers.decline(({ agentId }) => !this.#batches.has(agentId)));
    return effects;
  }

  #schedulingNode(agentId: string, offers: readonly Offer[]): SchedulingNode | undefined {
    const agent = this.#agents.get(agentId);
    // One batch at a time for an agent, and no pod for an agent without its Node object.
    if (agent === undefined || this.#batches.has(agentId)) return undefined;
    const node = this.#agents.node(agent.nodeName);
    if (node === undefined) return undefined;
    const spreadCounts = new Map<string, number>();
    const usedHostPorts: SchedulingPod['hostPorts'][number][] = [];
    for (const { view } of this.#pods.launchedOn(agentId)) {
      usedHostPorts.push(...view.pod.hostPorts);
      const key = view.pod.spreadKey;
      if (key !== '') spreadCounts.set(key, (spreadCounts.get(key) ?? 0) + 1);
    }
    const running = this.#agents.isExecutorRunning(agentId);
    return {
      ...node,
      agentId,
      capacity: agent.capacity,
      free: offers.map((offer) => offer.amounts).reduce(addAmounts, noAmounts),
      freePorts: offers.flatMap((offer) => offer.ports),
      usedHostPorts,
      spreadCounts,
      executorOverhead: running ? noAmounts : this.#options.executorOverhead,
    };
  }
}

function hasTask({ kind }: PodState): boolean {
  return kind === 'launched' || kind === 'unknown';
}
