// A Kubernetes cluster in virtual time: the true API server and the true controllers, and nodes that are
// played: pods are placed on the first node that takes them and do what their image's name says.
import type { KubeClient } from '#kube/client/client.ts';
import { Informer } from '#kube/client/informer.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import { leases, nodes, pods } from '#kube/client/resources.ts';
import { isNodeSelected, taintsOf, untolerated } from '#kube/controllers/node-match.ts';
import { startControllers, type RunningControllers } from '#kube/controllers/run.ts';
import { AGENT_PROVIDER } from '#kube/meta/node-versions.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import {
  createSimEnv,
  startInProcessApi,
  type InProcessApi,
  type LogLine,
  type SimEnv,
} from './in-process-api.ts';

const START_MS = 1_000;
const RUN_MS = 2_000;
const STOP_MS = 1_000;
/** Between two renewals of a stock kubelet's lease. */
const RENEW_MS = 10_000;

export interface KubeWorldOptions {
  readonly seed: number;
}

/** Images: `run` is ready after a second, `stuck` never; `done` succeeds and `fail` fails after two. */
export class KubeWorld {
  readonly env: SimEnv;
  readonly lines: LogLine[] = [];
  readonly client: KubeClient;
  readonly api: InProcessApi;
  /** The least and the most pods with label app=… that were ready, and the most there were. */
  readonly seen = new Map<string, { leastReady: number; most: number }>();
  #controllers: RunningControllers;
  readonly #pods: Informer;
  readonly #nodes: Informer;
  readonly #busy = new Set<string>();
  /** Nodes that do nothing any more. */
  readonly deaf = new Set<string>();
  #addressCount = 0;
  #isClosed = false;

  private constructor(env: SimEnv, api: InProcessApi, lines: LogLine[]) {
    this.env = env;
    this.lines = lines;
    this.api = api;
    this.client = api.client;
    this.#controllers = this.#startControllers();
    this.#pods = new Informer({ resource: pods }, api.client, env).start();
    this.#nodes = new Informer({ resource: nodes }, api.client, env).start();
    const onPod = (pod: KubeObject): void => {
      this.#count(pod);
      this.#play(pod);
    };
    const all = (): void => this.#pods.list().forEach((pod) => this.#play(pod));
    this.#pods.addHandler({
      onAdd: onPod,
      onUpdate: (_old, pod) => onPod(pod),
      onDelete: (pod) => this.#count(pod),
    });
    this.#nodes.addHandler({ onAdd: all, onUpdate: all });
  }

  static async start({ seed }: KubeWorldOptions): Promise<KubeWorld> {
    const lines: LogLine[] = [];
    const env = createSimEnv(seed, lines);
    const api = await startInProcessApi(env);
    const world = new KubeWorld(env, api, lines);
    await world.settle(2_000);
    return world;
  }

  async settle(ms: number): Promise<void> {
    await this.env.clock.settle(ms);
  }

  /** Kills the controllers and starts them anew, with nothing remembered. */
  async restartControllers(): Promise<void> {
    await this.#controllers.close();
    this.#controllers = this.#startControllers();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#controllers.close();
    await this.#pods.close();
    await this.#nodes.close();
    this.api.close();
  }

  /** Begins to count pods with the label app=…, from what is there now. */
  observe(app: string): void {
    this.seen.set(app, { leastReady: Infinity, most: 0 });
    const [one] = this.#pods.list().filter((pod) => pod.metadata.labels?.['app'] === app);
    if (one !== undefined) this.#count(one);
  }

  async addNode(
    name: string,
    extra: { labels?: Record<string, string>; taints?: object[] } = {},
  ): Promise<void> {
    const { labels = {}, taints = [] } = extra;
    await this.client.create(nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
      // Of an agent: nobody posts heartbeats for it.
      spec: { providerID: `${AGENT_PROVIDER}${name}`, ...(taints.length === 0 ? {} : { taints }) },
    });
    await this.setReady(name, 'True');
  }

  /** A node that a stock kubelet speaks for, until it is deaf. */
  async addKubelet(name: string): Promise<void> {
    const labels = { 'kubernetes.io/hostname': name };
    await this.client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
    await this.setReady(name, 'True');
    await this.client.create(leases, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'kube-node-lease', name },
      spec: { holderIdentity: name, leaseDurationSeconds: 40 },
    });
    await this.#renew(name);
  }

  async #renew(name: string): Promise<void> {
    if (this.#isClosed) return;
    this.env.timers.after(RENEW_MS, () => void this.#renew(name));
    if (this.deaf.has(name)) return;
    const renewTime = new Date(this.env.clock.now()).toISOString().replace('Z', '000Z');
    const options = { namespace: 'kube-node-lease', name, type: 'merge' } as const;
    await this.client.patch(leases, options, { spec: { renewTime } });
  }

  async setReady(name: string, status: string): Promise<void> {
    const node = await this.client.get(nodes, { name });
    const lastTransitionTime = new Date(this.env.clock.now()).toISOString();
    const lastHeartbeatTime = lastTransitionTime;
    const ready = { type: 'Ready', status, reason: 'Test', lastHeartbeatTime, lastTransitionTime };
    const conditions = [ready];
    await this.client.updateStatus(nodes, { ...node, status: { ...node['status'], conditions } });
  }

  #startControllers(): RunningControllers {
    return startControllers({ client: this.api.client, rootCa: 'PEM' }, this.env);
  }

  #count(pod: KubeObject): void {
    const app = pod.metadata.labels?.['app'];
    const seen = app === undefined ? undefined : this.seen.get(app);
    if (seen === undefined) return;
    const mine = this.#pods.list().filter((one) => one.metadata.labels?.['app'] === app);
    const ready = mine.filter(isServing);
    seen.leastReady = Math.min(seen.leastReady, ready.length);
    seen.most = Math.max(seen.most, mine.filter((one) => !isOver(one) && !isGoing(one)).length);
  }

  /** One step of a pod's life, begun once. */
  #play(pod: KubeObject): void {
    const nodeName = pod['spec'].nodeName as string | undefined;
    if (nodeName !== undefined && this.deaf.has(nodeName)) return;
    const step = nextStep(pod);
    if (step === undefined) return;
    const key = `${pod.metadata.uid} ${step}`;
    if (this.#busy.has(key)) return;
    if (step === 'place' && this.#nodeFor(pod) === undefined) return;
    this.#busy.add(key);
    const delayMs = { place: 0, start: START_MS, end: RUN_MS, stop: STOP_MS }[step];
    this.env.timers.after(delayMs, () => {
      void this.#perform(step, pod).finally(() => this.#busy.delete(key));
    });
  }

  #nodeFor(pod: KubeObject): string | undefined {
    const effects = ['NoSchedule', 'NoExecute'];
    const { spec } = pod;
    return this.#nodes
      .list()
      .filter((node) => isNodeSelected(spec, node))
      .filter((node) => untolerated(taintsOf(node), spec.tolerations ?? [], effects) === undefined)
      .map(keyOf)
      .toSorted()[0];
  }

  async #perform(step: Step, old: KubeObject): Promise<void> {
    const pod = this.#pods.get(keyOf(old));
    if (pod === undefined || pod.metadata.uid !== old.metadata.uid) return;
    if (this.deaf.has(String(pod['spec'].nodeName))) return;
    const { namespace, name = '' } = pod.metadata;
    if (step === 'place') {
      const target = { kind: 'Node', name: this.#nodeFor(pod) };
      if (target.name === undefined) return;
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
        target,
      };
      await this.client.create(pods, binding, { name, subresource: 'binding' });
      return;
    }
    if (step === 'stop') {
      await this.client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
      return;
    }
    if (pod.metadata.deletionTimestamp !== undefined) return;
    const now = new Date(this.env.clock.now()).toISOString();
    await this.client.updateStatus(pods, { ...pod, status: this.#status(step, pod, now) });
  }

  #status(step: 'start' | 'end', pod: KubeObject, now: string): Record<string, unknown> {
    const image = imageOf(pod);
    const isReady = step === 'start' && image !== 'stuck';
    const podIP = pod['status']?.podIP ?? `10.0.0.${(this.#addressCount += 1)}`;
    const phase = step === 'start' ? 'Running' : image === 'done' ? 'Succeeded' : 'Failed';
    const status = isReady ? 'True' : 'False';
    const ready = { type: 'Ready', status, lastTransitionTime: now };
    const exit = { exitCode: image === 'done' ? 0 : 1, finishedAt: now, reason: 'Test' };
    const state = step === 'start' ? { running: { startedAt: now } } : { terminated: exit };
    const container = { name: 'main', image, imageID: '', restartCount: 0, ready: isReady, state };
    return {
      ...pod['status'],
      phase,
      podIP,
      podIPs: [{ ip: podIP }],
      conditions: [ready],
      containerStatuses: [container],
    };
  }
}

type Step = 'place' | 'start' | 'end' | 'stop';

function imageOf(pod: KubeObject): string {
  return String(pod['spec'].containers[0].image);
}

function isGoing(pod: KubeObject): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

function isOver(pod: KubeObject): boolean {
  return ['Succeeded', 'Failed'].includes(String(pod['status']?.phase));
}

function isServing(pod: KubeObject): boolean {
  const conditions = (pod['status']?.conditions ?? []) as { type: string; status: string }[];
  return !isGoing(pod) && conditions.some((one) => one.type === 'Ready' && one.status === 'True');
}

function nextStep(pod: KubeObject): Step | undefined {
  const { phase } = pod['status'] ?? {};
  if (!pod['spec'].nodeName) return isGoing(pod) ? undefined : 'place';
  // What is over needs nobody to stop it, but a finalizer may hold it.
  if (isGoing(pod)) return pod.metadata.deletionGracePeriodSeconds === 0 ? undefined : 'stop';
  if (phase === 'Pending') return 'start';
  return phase === 'Running' && ['done', 'fail'].includes(imageOf(pod)) ? 'end' : undefined;
}
