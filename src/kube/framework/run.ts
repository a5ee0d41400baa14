// Runs an instance as a framework: Mesos on one side, the Kubernetes API on the other, the core in
// between. Everything that the core asks for is done here; nothing is decided.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Env, Timer } from '#env/env.ts';
import { hasCode } from '#kube/client/api-call.ts';
import { ObjectWatch } from '#kube/client/object-watch.ts';
import type { RestClient } from '#kube/client/rest-client.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { projectPod, taintOf } from '#kube/scheduler/project.ts';
import { noAmounts } from '#kube/scheduler/types.ts';
import { callMaster, subscribeToMaster } from '#mesos/client/operator-client.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import type {
  ExecutorInfo,
  FrameworkInfo,
  MasterEvent,
  SchedulerCall,
  SchedulerEvent,
} from '#wire/mesos/v1.ts';
import { FrameworkCore } from './core.ts';
import { isOver, lostPodStatus } from './lost-pod.ts';
import { NodeRecords, type NodeRecord } from './node-records.ts';
import { desiredNode } from './nodes.ts';
import type { FrameworkEffect, PodView } from './types.ts';
import {
  agentFromWire,
  offerFromWire,
  requestToWire,
  resourcesToWire,
  statusFromWire,
  taskToWire,
  type AgentEntry,
} from './wire.ts';

export interface SchedulerOptions {
  readonly instance: string;
  readonly client: RestClient;
  /** `http://HOST:PORT` of the leading master; undefined while nobody leads. */
  readonly masterUrl: () => string | undefined;
  /** DIR/kube/<instance> */
  readonly home: string;
  readonly role: string;
  readonly podCidr: string;
  /** The command line of the node executor, the same for every version. */
  readonly nodeExecutorCommand: readonly string[];
  /** Everything the node executor needs, as text for its environment. */
  readonly issueBundle: (node: {
    nodeName: string;
    ip: string;
    kubeletPort: number;
    podCidr: string;
  }) => Promise<string>;
}

const MB = 1024 * 1024;
const FAILOVER_SECONDS = 7 * 24 * 3_600;
const EXECUTOR = { ...noAmounts, cpuMilli: 100, memoryBytes: 128 * MB };
const LEAST = { ...noAmounts, cpuMilli: 10, memoryBytes: MB };
const REFUSE_SECONDS = 5;
const RESUBSCRIBE_MS = 500;
/** As Mesos advises: until every task is answered. */
const ASK_AGAIN_MS = 15_000;
/** Whoever waits for so long although it was asked for wants to know why. */
const UNMET_MS = 1_000;

type Json = Record<string, unknown>;

export class Framework {
  readonly #options: SchedulerOptions;
  readonly #env: Env;
  readonly #core = new FrameworkCore({
    executorOverhead: EXECUTOR,
    leastRequest: LEAST,
    refuseSeconds: REFUSE_SECONDS,
  });
  readonly #records: NodeRecords;
  readonly #mesos: SchedulerClient;
  readonly #nodes = new Map<string, KubeObject>();
  readonly #watches: { close(): void }[] = [];
  readonly #nodeWrites = new Map<string, 'running' | 'again'>();
  #operator: { close(): void } | undefined;
  #operatorTimer: Timer | undefined;
  #asking: Timer | undefined;
  #unmet: Timer | undefined;
  #isClosed = false;
  #synced = { pods: false, nodes: false, agents: false };
  #isStarted = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(options: SchedulerOptions, env: Env) {
    this.#options = options;
    this.#env = env;
    this.#records = new NodeRecords(join(options.home, 'nodes'), options.podCidr);
    this.#mesos = new SchedulerClient(
      { masterUrl: options.masterUrl, framework: this.#frameworkInfo() },
      {
        onEvent: (event) => this.#onEvent(event),
        onDisconnected: () => this.#core.onDisconnected(),
        onError: (error) => env.log.error('The master refused the framework', { error }),
      },
      env,
    );
  }

  get #idPath(): string {
    return join(this.#options.home, 'framework.json');
  }

  #frameworkInfo(): FrameworkInfo {
    const { instance, role } = this.#options;
    const saved = existsSync(this.#idPath)
      ? (JSON.parse(readFileSync(this.#idPath, 'utf8')) as { id: string })
      : undefined;
    return {
      user: 'root',
      name: `kubernetes-${instance}`,
      roles: [role],
      checkpoint: true,
      failover_timeout: FAILOVER_SECONDS,
      capabilities: [
        { type: 'MULTI_ROLE' },
        { type: 'PARTITION_AWARE' },
        { type: 'RESERVATION_REFINEMENT' },
      ],
      ...(saved === undefined ? {} : { id: { value: saved.id } }),
    };
  }

  start(): void {
    const { client } = this.#options;
    const pods = { path: '/api/v1/pods', query: '' };
    const nodes = { path: '/api/v1/nodes', query: '' };
    this.#watches.push(
      new ObjectWatch(
        pods,
        {
          onObject: (pod) => this.#onPod(pod),
          onGone: (uid) => this.#perform(this.#core.onPodGone(uid)),
          onSynced: () => this.#onSynced('pods'),
        },
        client,
        this.#env,
      ).start(),
      new ObjectWatch(
        nodes,
        {
          onObject: (node) => this.#onNode(node),
          onGone: (uid) => this.#onNodeGone(uid),
          onSynced: () => this.#onSynced('nodes'),
        },
        client,
        this.#env,
      ).start(),
    );
    void this.#followAgents();
    this.#askAgainLater();
  }

  #askAgainLater(): void {
    this.#asking = this.#env.timers.after(ASK_AGAIN_MS, () => {
      this.#perform(this.#core.askAgain());
      this.#askAgainLater();
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.close();
    this.#operatorTimer?.cancel();
    this.#asking?.cancel();
    this.#unmet?.cancel();
    this.#operator?.close();
    this.#mesos.close();
  }

  /** Offers are of use only when pods, nodes and agents are known. */
  #onSynced(which: 'pods' | 'nodes' | 'agents'): void {
    this.#synced = { ...this.#synced, [which]: true };
    if (this.#isStarted || !Object.values(this.#synced).every(Boolean)) return;
    this.#isStarted = true;
    this.#mesos.start();
  }

  // ---- agents ----

  async #followAgents(): Promise<void> {
    if (this.#isClosed) return;
    const url = this.#options.masterUrl();
    if (url === undefined) {
      this.#followLater();
      return;
    }
    try {
      this.#operator = await subscribeToMaster(
        { url },
        { onEvent: (event) => this.#onMasterEvent(event), onEnd: () => this.#followLater() },
        this.#env,
      );
      if (this.#isClosed) this.#operator.close();
    } catch (error) {
      this.#env.log.debug('Cannot follow the agents', { error });
      this.#followLater();
    }
  }

  #followLater(): void {
    if (this.#isClosed) return;
    this.#operatorTimer = this.#env.timers.after(RESUBSCRIBE_MS, () => void this.#followAgents());
  }

  #onMasterEvent(event: MasterEvent): void {
    if (event.type === 'SUBSCRIBED') {
      for (const agent of event.subscribed?.get_state?.get_agents?.agents ?? [])
        this.#onAgent(agent);
      const executors = event.subscribed?.get_state?.get_executors?.executors ?? [];
      for (const { executor_info: info, agent_id: agentId } of executors) {
        if (info.executor_id.value === this.#executorId)
          this.#core.onExecutorRunning(agentId.value);
      }
      this.#onSynced('agents');
    } else if (event.type === 'AGENT_ADDED' && event.agent_added !== undefined) {
      this.#onAgent(event.agent_added.agent);
    } else if (event.type === 'AGENT_REMOVED' && event.agent_removed !== undefined) {
      this.#perform(this.#core.onAgentGone(event.agent_removed.agent_id.value));
    }
  }

  #onAgent(entry: AgentEntry): void {
    this.#perform(this.#core.onAgent(agentFromWire(entry)));
  }

  /** After an agent failure the master is asked who is still there. */
  async #refreshAgents(): Promise<void> {
    const url = this.#options.masterUrl();
    // Whoever leads next tells all agents.
    if (url === undefined) return;
    const answer = await callMaster({ url }, { type: 'GET_AGENTS' });
    for (const agent of answer.get_agents?.agents ?? []) this.#onAgent(agent);
  }

  // ---- events of the master ----

  #onEvent(event: SchedulerEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED': {
        const id = event.subscribed?.framework_id.value ?? '';
        writeFileSync(`${this.#idPath}.tmp`, JSON.stringify({ id }), { mode: 0o600 });
        renameSync(`${this.#idPath}.tmp`, this.#idPath);
        this.#perform(this.#core.onSubscribed());
        break;
      }
      case 'OFFERS':
        this.#perform(this.#core.onOffers((event.offers?.offers ?? []).map(offerFromWire)));
        break;
      case 'RESCIND':
        this.#core.onRescind(event.rescind?.offer_id.value ?? '');
        break;
      case 'UPDATE':
        if (event.update !== undefined) {
          this.#perform(this.#core.onUpdate(statusFromWire(event.update.status)));
        }
        break;
      case 'FAILURE':
        this.#onFailure(event);
        break;
      default:
        break;
    }
  }

  #onFailure({ failure }: SchedulerEvent): void {
    const agentId = failure?.agent_id?.value;
    if (agentId === undefined) return;
    if (failure?.executor_id !== undefined) this.#core.onExecutorEnded(agentId);
    else
      void this.#refreshAgents().catch((error: unknown) =>
        this.#env.log.debug('Cannot list agents', { error }),
      );
  }

  // ---- events of the API ----

  #onPod(pod: KubeObject): void {
    const scheduler = pod['spec']?.schedulerName ?? 'default-scheduler';
    if (scheduler !== 'default-scheduler' && !pod['spec']?.nodeName) return;
    const view: PodView = {
      pod: projectPod(pod),
      phase: String(pod['status']?.phase ?? 'Pending'),
      isDeleting: pod.metadata.deletionTimestamp !== undefined,
      hasStarted: ((pod['status']?.containerStatuses ?? []) as Json[]).some((one) => {
        const state = (one['state'] ?? {}) as Json;
        return (
          state['running'] !== undefined ||
          state['terminated'] !== undefined ||
          Number(one['restartCount'] ?? 0) > 0
        );
      }),
    };
    this.#perform(this.#core.onPod(view));
  }

  #onNode(node: KubeObject): void {
    this.#nodes.set(node.metadata.name ?? '', node);
    this.#perform(
      this.#core.onNode({
        name: node.metadata.name ?? '',
        labels: node.metadata.labels ?? {},
        taints: ((node['spec']?.taints ?? []) as Json[]).map(taintOf),
        isUnschedulable: node['spec']?.unschedulable === true,
      }),
    );
  }

  #onNodeGone(uid: string): void {
    for (const [name, node] of this.#nodes) {
      if (node.metadata.uid !== uid) continue;
      this.#nodes.delete(name);
      this.#perform(this.#core.onNodeGone(name));
      // A node whose agent is still there comes back, as a kubelet would register again.
      this.#writeNode(name);
    }
  }

  // ---- effects ----

  #perform(effects: readonly FrameworkEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: FrameworkEffect): void {
    switch (effect.kind) {
      case 'bind':
        void this.#bind(effect);
        break;
      case 'accept':
        void this.#accept(effect);
        break;
      case 'decline': {
        const offer_ids = effect.offerIds.map((value) => ({ value }));
        this.#call({
          type: 'DECLINE',
          decline: { offer_ids, filters: { refuse_seconds: effect.refuseSeconds } },
        });
        break;
      }
      case 'request': {
        const { wanted } = effect;
        this.#call({ type: 'REQUEST', request: { requests: wanted.map(requestToWire) } });
        this.#unmet?.cancel();
        this.#unmet =
          wanted.length === 0
            ? undefined
            : this.#env.timers.after(UNMET_MS, () => this.#perform(this.#core.onDemandUnmet()));
        break;
      }
      case 'revive':
        this.#call({ type: 'REVIVE' });
        break;
      case 'suppress':
        this.#call({ type: 'SUPPRESS' });
        break;
      case 'acknowledge': {
        const uuid = new Uint8Array(Buffer.from(effect.uuid, 'base64'));
        const acknowledge = {
          agent_id: { value: effect.agentId },
          task_id: { value: effect.taskId },
          uuid,
        };
        this.#call({ type: 'ACKNOWLEDGE', acknowledge });
        break;
      }
      case 'kill': {
        const agent_id =
          effect.agentId === undefined ? {} : { agent_id: { value: effect.agentId } };
        this.#call({ type: 'KILL', kill: { task_id: { value: effect.taskId }, ...agent_id } });
        break;
      }
      case 'reconcile': {
        const tasks = effect.tasks.map(({ taskId, agentId }) => ({
          task_id: { value: taskId },
          ...(agentId === undefined ? {} : { agent_id: { value: agentId } }),
        }));
        this.#call({ type: 'RECONCILE', reconcile: { tasks } });
        break;
      }
      case 'unschedulable':
        void this.#markUnschedulable(effect);
        break;
      case 'fail-pod':
        void this.#failPod(effect);
        break;
      case 'remove-pod':
        void this.#removePod(effect);
        break;
      case 'node-changed':
        this.#writeNode(effect.nodeName);
        break;
    }
  }

  #call(call: SchedulerCall): void {
    this.#sending = this.#sending
      .then(() => this.#mesos.call(call))
      .catch((error: unknown) =>
        this.#env.log.warn('A call to the master failed', { type: call.type, error }),
      );
  }

  async #bind(effect: Extract<FrameworkEffect, { kind: 'bind' }>): Promise<void> {
    const { uid, namespace, name, nodeName } = effect;
    const body = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
    };
    let outcome: 'bound' | 'gone' | 'failed' = 'bound';
    try {
      await this.#options.client.call({
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/pods/${name}/binding`,
        body,
      });
      void this.#event(
        effect,
        'Normal',
        'Scheduled',
        `Successfully assigned ${namespace}/${name} to ${nodeName}`,
      );
    } catch (error) {
      outcome = hasCode(error, 404, 409) ? 'gone' : 'failed';
      this.#env.log.warn('Cannot bind a pod', { namespace, name, error });
    }
    this.#perform(this.#core.onBound(uid, outcome));
  }

  get #executorId(): string {
    return `kube-node-${this.#options.instance}`;
  }

  async #accept(effect: Extract<FrameworkEffect, { kind: 'accept' }>): Promise<void> {
    const { agentId, nodeName, offerIds, offeredPorts, launches } = effect;
    const { role } = this.#options;
    const executor = await this.#executorFor(effect);
    if (executor === undefined) {
      const offer_ids = offerIds.map((value) => ({ value }));
      this.#call({ type: 'DECLINE', decline: { offer_ids } });
      return;
    }
    const task_infos = launches.map((launch) =>
      taskToWire(launch, { agentId, role, executor, offeredPorts }),
    );
    this.#core.onExecutorRunning(agentId);
    this.#call({
      type: 'ACCEPT',
      accept: {
        offer_ids: offerIds.map((value) => ({ value })),
        operations: [{ type: 'LAUNCH', launch: { task_infos } }],
        filters: { refuse_seconds: 0 },
      },
    });
    this.#writeNode(nodeName);
  }

  /** The description of the node's executor: the very same as long as it runs there. */
  async #executorFor(
    effect: Extract<FrameworkEffect, { kind: 'accept' }>,
  ): Promise<ExecutorInfo | undefined> {
    const { agentId, nodeName, offeredPorts, launches } = effect;
    const known = this.#records.get(nodeName);
    if (known?.agentId === agentId && this.#core.isExecutorRunning(agentId)) return known.executor;
    const isOffered = (port: number): boolean =>
      offeredPorts.some(({ begin, end }) => begin <= port && port <= end);
    const taken = new Set(launches.flatMap(({ hostPorts }) => hostPorts));
    if (
      known?.agentId === agentId &&
      isOffered(known.kubeletPort) &&
      !taken.has(known.kubeletPort)
    ) {
      return known.executor;
    }
    const kubeletPort = firstFree(offeredPorts, taken);
    if (kubeletPort === undefined) {
      this.#env.log.error('No port is offered for the kubelet API', { nodeName });
      return undefined;
    }
    const record = await this.#newRecord(effect, kubeletPort);
    this.#records.put(record);
    return record.executor;
  }

  async #newRecord(
    effect: { agentId: string; nodeName: string },
    kubeletPort: number,
  ): Promise<NodeRecord> {
    const { instance, role, nodeExecutorCommand } = this.#options;
    const { agentId, nodeName } = effect;
    const ip = this.#core.agentOfNode(nodeName)?.ip ?? '127.0.0.1';
    const podCidr = this.#records.podCidr(nodeName);
    const bundle = await this.#options.issueBundle({ nodeName, ip, kubeletPort, podCidr });
    const secret = { type: 'VALUE' as const, value: { data: new Uint8Array(Buffer.from(bundle)) } };
    const [program = '', ...rest] = nodeExecutorCommand;
    const id = this.#mesos.frameworkId ?? '';
    const executor: ExecutorInfo = {
      type: 'CUSTOM',
      executor_id: { value: this.#executorId },
      framework_id: { value: id },
      name: `Kubernetes node of ${instance}`,
      command: {
        shell: false,
        value: program,
        arguments: [program, ...rest],
        environment: { variables: [{ name: 'STRATA_NODE_BUNDLE', type: 'SECRET', secret }] },
      },
      resources: resourcesToWire(EXECUTOR, [kubeletPort], role),
    };
    return { nodeName, agentId, kubeletPort, podCidr, executor };
  }

  async #markUnschedulable(
    effect: Extract<FrameworkEffect, { kind: 'unschedulable' }>,
  ): Promise<void> {
    const { namespace, name, message } = effect;
    const lastTransitionTime = timestamp(this.#env.clock.now());
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime,
    };
    await this.#patchPodStatus(effect, { conditions: [condition] });
    await this.#event({ ...effect, namespace, name }, 'Warning', 'FailedScheduling', message);
  }

  async #failPod(effect: Extract<FrameworkEffect, { kind: 'fail-pod' }>): Promise<void> {
    const { namespace, name, reason, message } = effect;
    const now = timestamp(this.#env.clock.now());
    try {
      const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
      const pod = (await this.#options.client.call({ method: 'GET', path })) as KubeObject;
      if (isOver(pod)) return;
      await this.#patchPodStatus(effect, lostPodStatus(pod, { reason, message, now }));
    } catch (error) {
      if (!hasCode(error, 404))
        this.#env.log.warn('Cannot read a pod that has failed', { namespace, name, error });
    }
  }

  async #patchPodStatus(
    pod: { uid: string; namespace: string; name: string },
    status: Json,
  ): Promise<void> {
    const { uid, namespace, name } = pod;
    try {
      await this.#options.client.call({
        method: 'PATCH',
        path: `/api/v1/namespaces/${namespace}/pods/${name}/status`,
        contentType: 'application/strategic-merge-patch+json',
        body: { metadata: { uid }, status },
      });
    } catch (error) {
      if (!hasCode(error, 404, 409))
        this.#env.log.warn('Cannot write a pod status', { namespace, name, error });
    }
  }

  async #removePod(effect: Extract<FrameworkEffect, { kind: 'remove-pod' }>): Promise<void> {
    const { uid, namespace, name } = effect;
    try {
      await this.#options.client.call({
        method: 'DELETE',
        path: `/api/v1/namespaces/${namespace}/pods/${name}`,
        body: { gracePeriodSeconds: 0, preconditions: { uid } },
      });
    } catch (error) {
      if (!hasCode(error, 404, 409))
        this.#env.log.warn('Cannot remove a pod', { namespace, name, error });
    }
  }

  async #event(
    pod: { uid: string; namespace: string; name: string },
    type: string,
    reason: string,
    note: string,
  ): Promise<void> {
    const { uid, namespace, name } = pod;
    const now = timestamp(this.#env.clock.now());
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${name}.${this.#env.random.uuid().slice(0, 18).replaceAll('-', '')}`,
        namespace,
      },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      reason,
      message: note,
      type,
      source: { component: 'default-scheduler' },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    try {
      await this.#options.client.call({
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/events`,
        body,
      });
    } catch (error) {
      this.#env.log.debug('Cannot write an event', { error });
    }
  }

  // ---- nodes ----

  /** One write at a time for a node; changes meanwhile are written by one more. */
  #writeNode(nodeName: string): void {
    if (this.#isClosed) return;
    if (this.#nodeWrites.has(nodeName)) {
      this.#nodeWrites.set(nodeName, 'again');
      return;
    }
    this.#nodeWrites.set(nodeName, 'running');
    void this.#reconcileNode(nodeName)
      .catch((error: unknown) => {
        if (!hasCode(error, 404, 409))
          this.#env.log.warn('Cannot write a node', { nodeName, error });
        else this.#nodeWrites.set(nodeName, 'again');
      })
      .finally(() => {
        const isWanted = this.#nodeWrites.get(nodeName) === 'again';
        this.#nodeWrites.delete(nodeName);
        if (isWanted) this.#env.timers.after(50, () => this.#writeNode(nodeName));
      });
  }

  async #reconcileNode(nodeName: string): Promise<void> {
    const { client } = this.#options;
    const agent = this.#core.agentOfNode(nodeName);
    const path = `/api/v1/nodes/${nodeName}`;
    const existing = this.#nodes.get(nodeName);
    if (agent === undefined) {
      // Its agent left for good: so does the node, and the pod collector sees to its pods.
      if (existing !== undefined) await client.call({ method: 'DELETE', path });
      return;
    }
    const record = this.#records.get(nodeName);
    const { held, offered } = this.#core.allocatable(agent.id);
    const podCidr = this.#records.podCidr(nodeName);
    const kubeletPort = record?.agentId === agent.id ? record.kubeletPort : undefined;
    const now = this.#env.clock.now();
    const node = desiredNode({ agent, held, offered, podCidr, kubeletPort, existing, now });
    if (existing === undefined) {
      await client.call({ method: 'POST', path: '/api/v1/nodes', body: node });
    }
    const isCurrent =
      existing !== undefined &&
      JSON.stringify(existing['status']) === JSON.stringify(node['status']);
    if (isCurrent) return;
    await client.call({
      method: 'PATCH',
      path: `${path}/status`,
      contentType: 'application/strategic-merge-patch+json',
      body: { status: node['status'] },
    });
  }
}

function firstFree(
  ranges: readonly { begin: number; end: number }[],
  taken: ReadonlySet<number>,
): number | undefined {
  for (const { begin, end } of ranges) {
    for (let port = begin; port <= end; port++) if (!taken.has(port)) return port;
  }
  return undefined;
}

function timestamp(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
}

export function startScheduler(options: SchedulerOptions, env: Env): { close(): void } {
  const framework = new Framework(options, env);
  framework.start();
  return framework;
}
