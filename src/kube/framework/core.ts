// Decides for one Kubernetes instance as a Mesos framework: which offers to take for which pods, when
// to ask for more and when to be quiet, what a task's end means for its pod. Pure; shell.ts performs.
import { assert } from '#base/assert.ts';
import { planPods } from '#kube/scheduler/plan.ts';
import {
  addAmounts,
  noAmounts,
  type Amounts,
  type SchedulingNode,
  type SchedulingPod,
} from '#kube/scheduler/types.ts';
import { demandOf, type DemandAgent, type DemandAgents } from './demand.ts';
import { reasonOf } from './reasons.ts';
import type {
  Agent,
  FrameworkEffect,
  Launch,
  NodeView,
  Offer,
  PodView,
  TaskStatus,
} from './types.ts';

export interface FrameworkOptions {
  readonly executorOverhead: Amounts;
  /** Mesos refuses tasks without resources; pods that ask for nothing are charged this. */
  readonly leastRequest: Amounts;
  /** How long agents whose offers fit no waiting pod are not offered again. */
  readonly refuseSeconds: number;
}

type PodState =
  | { readonly kind: 'pending'; readonly message: string }
  | { readonly kind: 'binding'; readonly agentId: string }
  | { readonly kind: 'launched'; readonly agentId: string; readonly isConfirmed: boolean }
  /** Bound, but whether its task exists is being asked (after a restart). */
  | { readonly kind: 'unknown'; readonly agentId: string | undefined }
  | { readonly kind: 'over' };

interface PodRecord {
  view: PodView;
  state: PodState;
  /** The update that ended its task last: told again, it is not about the next attempt. */
  endedBy?: string | undefined;
}

/** Placements on one agent on their way through the API; launched together when all are bound. */
interface Batch {
  readonly agentId: string;
  readonly nodeName: string;
  readonly offers: readonly Offer[];
  readonly waiting: Set<string>;
  readonly bound: string[];
}

const terminalStates = new Set([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
  'TASK_UNKNOWN',
]);

/** Why a launch came to nothing without anybody's fault. */
const retriedReasons = new Set([
  'REASON_RECONCILIATION',
  'REASON_INVALID_OFFERS',
  'REASON_AGENT_DISCONNECTED',
  'REASON_SLAVE_DISCONNECTED',
  'REASON_MASTER_DISCONNECTED',
]);

function isPodOver(view: PodView): boolean {
  return view.phase === 'Succeeded' || view.phase === 'Failed';
}

export class FrameworkCore {
  readonly #options: FrameworkOptions;
  readonly #agents = new Map<string, Agent>();
  readonly #nodes = new Map<string, NodeView>();
  readonly #pods = new Map<string, PodRecord>();
  readonly #offers = new Map<string, Offer>();
  readonly #batches = new Map<string, Batch>();
  readonly #lastOffered = new Map<string, Amounts>();
  readonly #executors = new Set<string>();
  #isSubscribed = false;
  #isSuppressed = false;
  #demandChanged = false;
  /** The last REQUEST named what is wanted: offers are cut to that, and may fail to come. */
  #isAsking = false;
  /** What was asked for did not come: whole offers show why. */
  #isUnmet = false;
  #askedFrom = 0;

  constructor(options: FrameworkOptions) {
    this.#options = options;
  }

  // ---- agents and nodes ----

  onAgent(agent: Agent): FrameworkEffect[] {
    this.#agents.set(agent.id, agent);
    return [{ kind: 'node-changed', nodeName: agent.nodeName }];
  }

  /** The agent left for good (its id never comes back). */
  onAgentGone(agentId: string): FrameworkEffect[] {
    const agent = this.#agents.get(agentId);
    this.#agents.delete(agentId);
    this.#executors.delete(agentId);
    this.#lastOffered.delete(agentId);
    return agent === undefined ? [] : [{ kind: 'node-changed', nodeName: agent.nodeName }];
  }

  agentOfNode(nodeName: string): Agent | undefined {
    let found: Agent | undefined;
    for (const agent of this.#agents.values()) {
      // An agent that came back under a new id may share the name with its unreachable past.
      if (agent.nodeName !== nodeName) continue;
      if (found === undefined || (agent.isReachable && !found.isReachable)) found = agent;
    }
    return found;
  }

  onNode(node: NodeView): FrameworkEffect[] {
    const before = this.#nodes.get(node.name);
    this.#nodes.set(node.name, node);
    const changed = before === undefined || JSON.stringify(before) !== JSON.stringify(node);
    if (!changed || this.#pending().length === 0) return [];
    this.#demandChanged = true;
    return this.#schedule();
  }

  onNodeGone(nodeName: string): FrameworkEffect[] {
    this.#nodes.delete(nodeName);
    return [];
  }

  onExecutorRunning(agentId: string): void {
    this.#executors.add(agentId);
  }

  onExecutorEnded(agentId: string): void {
    this.#executors.delete(agentId);
  }

  isExecutorRunning(agentId: string): boolean {
    return this.#executors.has(agentId);
  }

  /** What the instance holds on an agent, and what it was last offered beside it. */
  allocatable(agentId: string): { readonly held: Amounts; readonly offered: Amounts | undefined } {
    let held = noAmounts;
    for (const { view, state } of this.#pods.values()) {
      if (state.kind === 'launched' && state.agentId === agentId) {
        held = addAmounts(held, this.#charge(view.pod));
      }
    }
    return { held, offered: this.#lastOffered.get(agentId) };
  }

  // ---- the connection to the master ----

  /** Offers of the previous connection are void; every task that should live is asked about. */
  onSubscribed(): FrameworkEffect[] {
    this.#isSubscribed = true;
    this.#offers.clear();
    this.#isSuppressed = false;
    this.#isAsking = false;
    this.#demandChanged = this.#pending().length > 0;
    const effects = this.#askAbout(({ kind }) => kind === 'launched' || kind === 'unknown');
    return [...effects, ...this.#schedule()];
  }

  /**
   * Asks again about tasks of which nothing is known: a master does not answer while their agent may
   * still return to it. To be called every now and then.
   */
  askAgain(): FrameworkEffect[] {
    if (!this.#isSubscribed) return [];
    return this.#askAbout((one) =>
      one.kind === 'launched' ? !one.isConfirmed : one.kind === 'unknown',
    );
  }

  #askAbout(isWanted: (state: PodState) => boolean): FrameworkEffect[] {
    const tasks: { taskId: string; agentId: string | undefined }[] = [];
    for (const [uid, { state }] of this.#pods) {
      if (isWanted(state) && 'agentId' in state)
        tasks.push({ taskId: uid, agentId: state.agentId });
    }
    return tasks.length === 0 ? [] : [{ kind: 'reconcile', tasks }];
  }

  onDisconnected(): void {
    this.#isSubscribed = false;
    this.#offers.clear();
  }

  onOffers(offers: readonly Offer[]): FrameworkEffect[] {
    const effects: FrameworkEffect[] = [];
    for (const offer of offers) {
      this.#offers.set(offer.id, offer);
      this.#noteOffered(offer.agentId);
      const nodeName = this.#agents.get(offer.agentId)?.nodeName;
      if (nodeName !== undefined) effects.push({ kind: 'node-changed', nodeName });
    }
    const isAsking = this.#isAsking;
    effects.push(...this.#schedule());
    // What was served is struck off in the master: who waits still is to be asked for again.
    if (isAsking && this.#isAsking) effects.push(...this.#ask(this.#pending()));
    return effects;
  }

  /** For some time nothing came of what was asked for. */
  onDemandUnmet(): FrameworkEffect[] {
    if (!this.#isAsking || this.#pending().length === 0) return [];
    this.#isUnmet = true;
    this.#demandChanged = true;
    return this.#schedule();
  }

  onRescind(offerId: string): void {
    this.#offers.delete(offerId);
  }

  // ---- pods ----

  onPod(view: PodView): FrameworkEffect[] {
    const { uid } = view.pod;
    const record = this.#pods.get(uid);
    if (record === undefined) return this.#onNewPod(view);
    record.view = view;
    if (isPodOver(view)) {
      record.state = record.state.kind === 'launched' ? record.state : { kind: 'over' };
      return view.isDeleting && record.state.kind === 'over' ? [this.#removal(view)] : [];
    }
    if (view.isDeleting && record.state.kind === 'pending') {
      record.state = { kind: 'over' };
      return view.pod.nodeName === undefined ? [] : [this.#removal(view)];
    }
    return [];
  }

  #onNewPod(view: PodView): FrameworkEffect[] {
    const { uid, nodeName } = view.pod;
    if (isPodOver(view)) {
      this.#pods.set(uid, { view, state: { kind: 'over' } });
      return view.isDeleting ? [this.#removal(view)] : [];
    }
    if (nodeName === undefined) {
      if (view.isDeleting) return [];
      this.#pods.set(uid, { view, state: { kind: 'pending', message: '' } });
      this.#demandChanged = true;
      return this.#schedule();
    }
    // Bound before this core knew of it: by an earlier life of it, or by hand.
    const agentId = this.agentOfNode(nodeName)?.id;
    this.#pods.set(uid, { view, state: { kind: 'unknown', agentId } });
    return this.#isSubscribed ? [{ kind: 'reconcile', tasks: [{ taskId: uid, agentId }] }] : [];
  }

  /** The pod is no longer in the API: nothing of it may go on. */
  onPodGone(uid: string): FrameworkEffect[] {
    const record = this.#pods.get(uid);
    this.#pods.delete(uid);
    if (record?.state.kind === 'launched') {
      return [{ kind: 'kill', taskId: uid, agentId: record.state.agentId }];
    }
    return [];
  }

  onBound(uid: string, outcome: 'bound' | 'gone' | 'failed'): FrameworkEffect[] {
    const record = this.#pods.get(uid);
    const batch = [...this.#batches.values()].find(({ waiting }) => waiting.has(uid));
    assert(batch !== undefined, `A binding of ${uid} ended that nobody began`);
    batch.waiting.delete(uid);
    if (outcome === 'bound' && record !== undefined) batch.bound.push(uid);
    else if (record !== undefined && outcome === 'failed') {
      record.state = { kind: 'pending', message: '' };
      this.#demandChanged = true;
    } else if (record !== undefined) record.state = { kind: 'over' };
    if (batch.waiting.size > 0) return [];
    this.#batches.delete(batch.agentId);
    return [...this.#launch(batch), ...this.#schedule()];
  }

  // ---- tasks ----

  onUpdate(status: TaskStatus): FrameworkEffect[] {
    const effects: FrameworkEffect[] = [];
    if (status.uuid !== undefined && status.agentId !== undefined) {
      const { agentId, taskId, uuid } = status;
      effects.push({ kind: 'acknowledge', agentId, taskId, uuid });
    }
    const record = this.#pods.get(status.taskId);
    if (terminalStates.has(status.state)) {
      if (status.uuid !== undefined && record?.endedBy === status.uuid) return effects;
      if (record !== undefined) record.endedBy = status.uuid;
      return [...effects, ...this.#onTaskOver(record, status)];
    }
    if (record === undefined) {
      // Of a pod that the API no longer has. While unreachable, a kill would be answered by this again.
      const { taskId, agentId, state } = status;
      if (state === 'TASK_UNREACHABLE') return effects;
      return [...effects, { kind: 'kill', taskId, agentId }];
    }
    if (status.agentId !== undefined && status.state !== 'TASK_UNREACHABLE') {
      this.#executors.add(status.agentId);
      if (record.state.kind !== 'over') {
        // The master's word that it was sent to the agent is not the agent's that it came.
        const isConfirmed = status.state !== 'TASK_STAGING';
        record.state = { kind: 'launched', agentId: status.agentId, isConfirmed };
      }
    }
    return effects;
  }

  #onTaskOver(record: PodRecord | undefined, status: TaskStatus): FrameworkEffect[] {
    if (record === undefined) return [];
    const { view, state } = record;
    if (state.kind === 'pending' || state.kind === 'binding') return [];
    if (!view.hasStarted && !isPodOver(view) && neverLaunched(state, status)) {
      return this.#relaunch(record);
    }
    record.state = { kind: 'over' };
    const { uid, namespace, name } = view.pod;
    // The executor writes a pod's end, or removes the pod, before it tells the task's end, and mostly that has
    // been seen by now. When it was shut down while the API server was away it could not.
    if (view.isDeleting) return [this.#removal(view)];
    if (isPodOver(view)) return [];
    const reason = reasonOf(status);
    const message = status.message === '' ? `Task ended as ${status.state}` : status.message;
    return [{ kind: 'fail-pod', uid, namespace, name, reason, message }];
  }

  /** unknown -> pending (on its node): the binding was written, the launch never happened. */
  #relaunch(record: PodRecord): FrameworkEffect[] {
    if (record.view.isDeleting) {
      record.state = { kind: 'over' };
      return [this.#removal(record.view)];
    }
    record.state = { kind: 'pending', message: '' };
    this.#demandChanged = true;
    return this.#schedule();
  }

  #removal(view: PodView): FrameworkEffect {
    const { uid, namespace, name } = view.pod;
    return { kind: 'remove-pod', uid, namespace, name };
  }

  // ---- scheduling ----

  #pending(): SchedulingPod[] {
    const found: SchedulingPod[] = [];
    for (const { view, state } of this.#pods.values()) {
      if (state.kind === 'pending') found.push(view.pod);
    }
    return found;
  }

  #charge(pod: SchedulingPod): Amounts {
    const { leastRequest } = this.#options;
    const { requests } = pod;
    return {
      cpuMilli: Math.max(requests.cpuMilli, leastRequest.cpuMilli),
      memoryBytes: Math.max(requests.memoryBytes, leastRequest.memoryBytes),
      ephemeralStorageBytes: requests.ephemeralStorageBytes,
      gpus: requests.gpus,
    };
  }

  #offeredOn(agentId: string): Amounts {
    let sum = noAmounts;
    for (const offer of this.#offers.values()) {
      if (offer.agentId === agentId) sum = addAmounts(sum, offer.amounts);
    }
    return sum;
  }

  #schedule(): FrameworkEffect[] {
    if (!this.#isSubscribed) return [];
    const pods = this.#pending();
    if (pods.length === 0) return this.#beQuiet();
    const effects = this.#placeOnOffers(pods);
    const rest = this.#pending();
    if (this.#demandChanged && rest.length > 0) {
      // New demand lifts earlier refusals: agents that fitted nothing before may fit now.
      this.#isSuppressed = false;
      effects.push(...this.#ask(rest), { kind: 'revive' });
    }
    this.#demandChanged = false;
    return rest.length === 0 ? [...effects, ...this.#beQuiet()] : effects;
  }

  /** Says what is wanted, or that anything is. */
  #ask(pods: readonly SchedulingPod[]): FrameworkEffect[] {
    if (pods.length === 0) return [];
    const wanted =
      this.#isUnmet || !this.#isInformed
        ? undefined
        : demandOf(
            pods.map((pod) => ({ ...pod, requests: this.#charge(pod) })),
            this.#demandAgents(),
            this.#askedFrom++,
          );
    if (wanted === undefined && !this.#isAsking) return [];
    this.#isAsking = wanted !== undefined;
    return [{ kind: 'request', wanted: wanted ?? [] }];
  }

  #demandAgents(): DemandAgents {
    const all = [...this.#agents.values()];
    return { count: all.length, at: (index) => this.#demandAgent(all[index]) };
  }

  #demandAgent(agent: Agent | undefined): DemandAgent | undefined {
    const view = this.#nodes.get(agent?.nodeName ?? '');
    if (agent === undefined || view === undefined || !agent.isReachable) return undefined;
    const isExecutorRunning = this.#executors.has(agent.id);
    const node: SchedulingNode = {
      ...view,
      agentId: agent.id,
      capacity: agent.capacity,
      free: agent.capacity,
      freePorts: agent.ports,
      usedHostPorts: [],
      spreadCounts: new Map(),
      executorOverhead: isExecutorRunning ? noAmounts : this.#options.executorOverhead,
    };
    return { node, managedPorts: agent.ports, isExecutorRunning };
  }

  /** The first offers are waited for even without demand: they tell what can be allocated. */
  get #isInformed(): boolean {
    return [...this.#agents.keys()].every((id) => this.#lastOffered.has(id));
  }

  /** An offer that was cut to what is wanted says nothing of what else there is. */
  #noteOffered(agentId: string): void {
    const offered = this.#offeredOn(agentId);
    const before = this.#isAsking ? this.#lastOffered.get(agentId) : undefined;
    this.#lastOffered.set(agentId, before === undefined ? offered : most(offered, before));
  }

  #beQuiet(): FrameworkEffect[] {
    this.#isUnmet = false;
    const effects: FrameworkEffect[] = [];
    const offerIds = [...this.#offers.keys()];
    const { refuseSeconds } = this.#options;
    if (offerIds.length > 0) effects.push({ kind: 'decline', offerIds, refuseSeconds });
    this.#offers.clear();
    if (!this.#isSuppressed && this.#batches.size === 0 && this.#isInformed) {
      this.#isSuppressed = true;
      effects.push({ kind: 'suppress' });
    }
    return effects;
  }

  #placeOnOffers(pods: readonly SchedulingPod[]): FrameworkEffect[] {
    if (this.#offers.size === 0) return [];
    const byAgent = Map.groupBy(this.#offers.values(), (offer) => offer.agentId);
    const nodes: SchedulingNode[] = [];
    for (const [agentId, offers] of byAgent) {
      const node = this.#schedulingNode(agentId, offers);
      if (node !== undefined) nodes.push(node);
    }
    const managedPorts = new Map([...this.#agents].map(([id, agent]) => [id, agent.ports]));
    const charged = pods.map((pod) => ({ ...pod, requests: this.#charge(pod) }));
    const plan = planPods({ pods: charged, nodes, managedPorts });
    const effects: FrameworkEffect[] = [];
    for (const [agentId, placements] of Map.groupBy(plan.placements, (one) => one.agentId)) {
      const offers = byAgent.get(agentId) ?? [];
      for (const offer of offers) this.#offers.delete(offer.id);
      const nodeName = placements[0]?.nodeName ?? '';
      const uids = placements.map(({ pod }) => pod.uid);
      effects.push(...this.#bind({ agentId, nodeName, offers, uids }));
    }
    // On offers cut to what others wait for, nobody else fits: that is no reason to tell.
    for (const { pod, message } of this.#isAsking ? [] : plan.unplaced) {
      const record = this.#pods.get(pod.uid);
      if (record?.state.kind !== 'pending' || record.state.message === message) continue;
      record.state = { kind: 'pending', message };
      const { uid, namespace, name } = pod;
      effects.push({ kind: 'unschedulable', uid, namespace, name, message });
    }
    // An agent whose batch is on its way takes more when that is launched.
    const offerIds = [...this.#offers.values()]
      .filter(({ agentId }) => !this.#batches.has(agentId))
      .map(({ id }) => id);
    const { refuseSeconds } = this.#options;
    if (offerIds.length > 0) effects.push({ kind: 'decline', offerIds, refuseSeconds });
    for (const id of offerIds) this.#offers.delete(id);
    return effects;
  }

  #bind(batch: {
    agentId: string;
    nodeName: string;
    offers: readonly Offer[];
    uids: readonly string[];
  }): FrameworkEffect[] {
    const { agentId, nodeName, offers, uids } = batch;
    const toBind = uids.filter((uid) => this.#pods.get(uid)?.view.pod.nodeName === undefined);
    const bound = uids.filter((uid) => !toBind.includes(uid));
    for (const uid of uids) {
      const record = this.#pods.get(uid);
      if (record !== undefined) record.state = { kind: 'binding', agentId };
    }
    const begun: Batch = { agentId, nodeName, offers, waiting: new Set(toBind), bound };
    if (toBind.length === 0) return this.#launch(begun);
    this.#batches.set(agentId, begun);
    return toBind.map((uid) => {
      const { namespace = '', name = '' } = this.#pods.get(uid)?.view.pod ?? {};
      return { kind: 'bind', uid, namespace, name, nodeName };
    });
  }

  #launch(batch: Batch): FrameworkEffect[] {
    const { agentId, nodeName } = batch;
    const offerIds = batch.offers.map((offer) => offer.id);
    const launches: Launch[] = [];
    const removals: FrameworkEffect[] = [];
    for (const uid of batch.bound) {
      const record = this.#pods.get(uid);
      if (record === undefined) continue;
      if (record.view.isDeleting) {
        record.state = { kind: 'over' };
        removals.push(this.#removal(record.view));
        continue;
      }
      record.state = { kind: 'launched', agentId, isConfirmed: false };
      const { namespace, name, hostPorts } = record.view.pod;
      launches.push({
        uid,
        namespace,
        name,
        resources: this.#charge(record.view.pod),
        hostPorts: hostPorts.map(({ port }) => port),
      });
    }
    if (launches.length === 0) {
      return [...removals, { kind: 'decline', offerIds, refuseSeconds: 0 }];
    }
    const offeredPorts = batch.offers.flatMap((offer) => offer.ports);
    return [
      ...removals,
      { kind: 'accept', agentId, nodeName, offerIds, offeredPorts, launches },
      { kind: 'node-changed', nodeName },
    ];
  }

  #schedulingNode(agentId: string, offers: readonly Offer[]): SchedulingNode | undefined {
    const agent = this.#agents.get(agentId);
    // One batch at a time for an agent, and no pod for an agent without its Node object.
    if (agent === undefined || this.#batches.has(agentId)) return undefined;
    const node = this.#nodes.get(agent.nodeName);
    if (node === undefined) return undefined;
    const spreadCounts = new Map<string, number>();
    const usedHostPorts: SchedulingPod['hostPorts'][number][] = [];
    for (const { view, state } of this.#pods.values()) {
      if (state.kind !== 'launched' || state.agentId !== agentId) continue;
      usedHostPorts.push(...view.pod.hostPorts);
      const key = view.pod.spreadKey;
      if (key !== '') spreadCounts.set(key, (spreadCounts.get(key) ?? 0) + 1);
    }
    const running = this.#executors.has(agentId);
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

/** The master or agent says that the launch did not take place, so that it may be tried again. */
function neverLaunched(state: PodState, status: TaskStatus): boolean {
  const isOpen = state.kind === 'unknown' || (state.kind === 'launched' && !state.isConfirmed);
  return isOpen && retriedReasons.has(status.reason) && status.source !== 'SOURCE_EXECUTOR';
}

function most(a: Amounts, b: Amounts): Amounts {
  return {
    cpuMilli: Math.max(a.cpuMilli, b.cpuMilli),
    memoryBytes: Math.max(a.memoryBytes, b.memoryBytes),
    ephemeralStorageBytes: Math.max(a.ephemeralStorageBytes, b.ephemeralStorageBytes),
    gpus: Math.max(a.gpus, b.gpus),
  };
}
