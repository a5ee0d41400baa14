// Runs an instance as a framework: Mesos on one side, the Kubernetes API on the other, the core in
// between. Everything that the core asks for is done here; nothing is decided.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Env, Timer } from '#env/env.ts';
import { ObjectWatch } from '#kube/client/object-watch.ts';
import type { RestClient } from '#kube/client/rest-client.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { taintOf } from '#kube/scheduler/project.ts';
import { noAmounts } from '#kube/scheduler/types.ts';
import type { Access } from '#mesos/client/access.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import type { FrameworkInfo, SchedulerCall, SchedulerEvent } from '#wire/mesos/v1.ts';
import { AgentFollower } from './agent-follower.ts';
import { FrameworkCore } from './core.ts';
import { callOf } from './master-calls.ts';
import {
  EXECUTOR,
  executorIdOf,
  NodeExecutors,
  type NodeExecutorsOptions,
} from './node-executors.ts';
import { NodeRecords } from './node-records.ts';
import { NodeWriter } from './node-writer.ts';
import { isPodOfOthers, podView } from './pod-view.ts';
import { PodWriter } from './pod-writer.ts';
import type { FrameworkEffect } from './types.ts';
import { offerFromWire, statusFromWire, taskToWire } from './wire.ts';

export interface SchedulerOptions extends NodeExecutorsOptions {
  readonly client: RestClient;
  /** `http://HOST:PORT` of the leading master; undefined while nobody leads. */
  readonly masterUrl: () => string | undefined;
  readonly access?: Access | undefined;
  /** DIR/kube/<instance> */
  readonly home: string;
  readonly podCidr: string;
}

const MB = 1024 * 1024;
const FAILOVER_SECONDS = 7 * 24 * 3_600;
const LEAST = { ...noAmounts, cpuMilli: 10, memoryBytes: MB };
const REFUSE_SECONDS = 5;
/** As Mesos advises: until every task is answered. */
const ASK_AGAIN_MS = 15_000;
/** Whoever waits for so long although it was asked for wants to know why. */
const UNMET_MS = 1_000;

type Json = Record<string, unknown>;
type Accept = Extract<FrameworkEffect, { kind: 'accept' }>;

export class Framework {
  readonly #options: SchedulerOptions;
  readonly #env: Env;
  readonly #core = new FrameworkCore({
    executorOverhead: EXECUTOR,
    leastRequest: LEAST,
    refuseSeconds: REFUSE_SECONDS,
  });
  readonly #mesos: SchedulerClient;
  readonly #agents: AgentFollower;
  readonly #pods: PodWriter;
  readonly #nodes: NodeWriter;
  readonly #executors: NodeExecutors;
  readonly #watches: { close(): void }[] = [];
  #asking: Timer | undefined;
  #unmet: Timer | undefined;
  #synced = { pods: false, nodes: false, agents: false };
  #isStarted = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(options: SchedulerOptions, env: Env) {
    const { client, masterUrl, access = {}, home, podCidr, instance } = options;
    this.#options = options;
    this.#env = env;
    const core = this.#core;
    const records = new NodeRecords(join(home, 'nodes'), podCidr);
    for (const { nodeName, agentId } of records.list()) core.onNodeRecord(nodeName, agentId);
    this.#pods = new PodWriter((call) => client.call(call), env);
    this.#nodes = new NodeWriter({ client, core, records }, env);
    this.#executors = new NodeExecutors(options, { core, records }, env);
    this.#agents = new AgentFollower(
      {
        masterUrl,
        access,
        executorId: executorIdOf(instance),
        onAgent: (agent) => this.#perform(core.onAgent(agent)),
        onAgentGone: (agentId) => this.#perform(core.onAgentGone(agentId)),
        onExecutorRunning: (agentId) => core.onExecutorRunning(agentId),
        onSynced: () => this.#onSynced('agents'),
      },
      env,
    );
    this.#mesos = new SchedulerClient(
      { masterUrl, ...access, framework: this.#frameworkInfo() },
      {
        onEvent: (event) => this.#onEvent(event),
        onDisconnected: () => core.onDisconnected(),
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
    this.#agents.start();
    this.#askAgainLater();
  }

  #askAgainLater(): void {
    this.#asking = this.#env.timers.after(ASK_AGAIN_MS, () => {
      this.#perform(this.#core.askAgain());
      this.#askAgainLater();
    });
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#asking?.cancel();
    this.#unmet?.cancel();
    this.#agents.close();
    this.#nodes.close();
    this.#mesos.close();
  }

  /** Offers are of use only when pods, nodes and agents are known. */
  #onSynced(which: 'pods' | 'nodes' | 'agents'): void {
    this.#synced = { ...this.#synced, [which]: true };
    if (this.#isStarted || !Object.values(this.#synced).every(Boolean)) return;
    this.#isStarted = true;
    this.#mesos.start();
  }

  // ---- events of the master

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
      case 'FAILURE': {
        const { agent_id, executor_id } = event.failure ?? {};
        if (agent_id === undefined) break;
        if (executor_id === undefined) this.#agents.refresh();
        else this.#core.onExecutorEnded(agent_id.value);
        break;
      }
      default:
        break;
    }
  }

  // ---- events of the API

  #onPod(pod: KubeObject): void {
    if (!isPodOfOthers(pod)) this.#perform(this.#core.onPod(podView(pod)));
  }

  #onNode(node: KubeObject): void {
    this.#nodes.onNode(node);
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
    const name = this.#nodes.onNodeGone(uid);
    if (name === undefined) return;
    this.#perform(this.#core.onNodeGone(name));
    // A node whose agent is still there comes back, as a kubelet would register again.
    this.#nodes.write(name);
  }

  // ---- effects

  #perform(effects: readonly FrameworkEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: FrameworkEffect): void {
    switch (effect.kind) {
      case 'bind':
        void this.#pods
          .bind(effect, effect.nodeName)
          .then((outcome) => this.#perform(this.#core.onBound(effect.uid, outcome)));
        return;
      case 'note-attempt':
        void this.#pods
          .noteAttempt(effect, effect.attempt)
          .then((outcome) => this.#perform(this.#core.onNoted(effect.uid, outcome)));
        return;
      case 'accept':
        void this.#accept(effect);
        return;
      case 'unschedulable':
        void this.#pods.markUnschedulable(effect, effect.message);
        return;
      case 'fail-pod':
        void this.#pods.fail(effect, effect);
        return;
      case 'remove-pod':
        void this.#pods.remove(effect);
        return;
      case 'node-changed':
        this.#nodes.write(effect.nodeName);
        return;
      default: {
        const call = callOf(effect);
        if (call !== undefined) this.#call(call);
        if (effect.kind === 'request') this.#watchDemand(effect.wanted.length > 0);
      }
    }
  }

  #watchDemand(isAnyWanted: boolean): void {
    this.#unmet?.cancel();
    this.#unmet = isAnyWanted
      ? this.#env.timers.after(UNMET_MS, () => this.#perform(this.#core.onDemandUnmet()))
      : undefined;
  }

  #call(call: SchedulerCall): void {
    this.#sending = this.#sending
      .then(() => this.#mesos.call(call))
      .catch((error: unknown) =>
        this.#env.log.warn('A call to the master failed', { type: call.type, error }),
      );
  }

  async #accept(effect: Accept): Promise<void> {
    const { agentId, nodeName, offerIds, offeredPorts, launches } = effect;
    const { role } = this.#options;
    const executor = await this.#executors.of(effect, this.#mesos.frameworkId ?? '');
    const offer_ids = offerIds.map((value) => ({ value }));
    if (executor === undefined) {
      this.#call({ type: 'DECLINE', decline: { offer_ids } });
      return;
    }
    const task_infos = launches.map((launch) =>
      taskToWire(launch, { agentId, role, executor, offeredPorts }),
    );
    this.#core.onExecutorRunning(agentId);
    const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
    const filters = { refuse_seconds: 0 };
    this.#call({ type: 'ACCEPT', accept: { offer_ids, operations, filters } });
    this.#nodes.write(nodeName);
  }
}

export function startScheduler(options: SchedulerOptions, env: Env): { close(): void } {
  const framework = new Framework(options, env);
  framework.start();
  return framework;
}
