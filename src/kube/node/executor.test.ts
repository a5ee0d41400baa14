// The node executor between an agent and an API server, both tables here, over real processes.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { createProcessHost } from '#env/node/process-host.ts';
import { taskIdOf } from '#kube/meta/task-id.ts';
import type { TaskInfo, TaskStatus } from '#wire/mesos/v1.ts';
import { NodeExecutor } from './executor.ts';
import type { Pod } from './pod-spec.ts';
import { ProcessRuntime } from './process-runtime.ts';
import { aPod } from './worker-fixture.test.ts';

const sleeper = {
  containers: [{ name: 'main', command: ['sh', '-c', 'echo run >>"$OUT"; exec sleep 100'] }],
};

/** The world around one node; executors come and go. */
class Around implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'strata-executor-'));
  readonly env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  readonly pods = new Map<string, Pod>();
  readonly updates: TaskStatus[] = [];
  isShutDown = false;
  executor: NodeExecutor;
  readonly #waiting = new Set<() => void>();

  constructor() {
    this.executor = this.#make('run-1');
  }

  #make(runId: string): NodeExecutor {
    const runtime = new ProcessRuntime(
      {
        hostIps: ['127.0.0.1'],
        privileged: false,
        network: undefined,
        cgroup: '',
        baseEnv: { PATH: process.env['PATH'] ?? '', OUT: join(this.folder, 'out') },
      },
      createProcessHost(this.env),
      this.env,
    );
    return new NodeExecutor(
      {
        nodeName: 'n1',
        hostIps: ['127.0.0.1'],
        capacity: { cpus: 1, memoryBytes: 1 },
        folder: join(this.folder, 'node'),
        runId,
      },
      {
        api: {
          configMap: async () => undefined,
          secret: async () => undefined,
          trustBundles: async () => [],
          serviceAccount: async () => undefined,
          node: async () => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } }),
          makeCertificateKey: async () => ({ key: '', request: new Uint8Array() }),
          requestCertificate: async (request) => request,
          certificateDone: async () => undefined,
          services: async () => [],
          token: async () => ({ token: '', expiresAt: 0 }),
          writeStatus: async (pod, status) => this.#writeStatus(pod, status),
          deletePod: async (pod) => this.#delete(pod.metadata.uid ?? ''),
          recordEvent: () => {},
        },
        mesos: { sendUpdate: (status) => this.#onUpdate(status), restore: () => {} },
        runtimeFor: async () => runtime,
        readPod: async (_namespace, name) =>
          [...this.pods.values()].find(({ metadata }) => metadata.name === name),
        onShutdown: () => {
          this.isShutDown = true;
          this.#wake();
        },
      },
      this.env,
    );
  }

  async #writeStatus(pod: Pod, status: unknown): Promise<boolean> {
    const uid = pod.metadata.uid ?? '';
    const found = this.pods.get(uid);
    if (found === undefined) return false;
    this.put({ ...found, status: status as NonNullable<Pod['status']> });
    return true;
  }

  /** Somebody has deleted it without a grace. */
  forget(pod: Pod): void {
    this.#delete(pod.metadata.uid ?? '');
  }

  #delete(uid: string): void {
    this.pods.delete(uid);
    this.executor.onPodGone(uid);
    this.#wake();
  }

  #onUpdate(status: TaskStatus): void {
    this.updates.push(status);
    this.#wake();
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }

  put(pod: Pod): void {
    this.pods.set(pod.metadata.uid ?? '', pod);
    this.executor.onPod(pod);
    this.#wake();
  }

  launch(pod: Pod, attempt = 1): void {
    const { uid = '', name = '' } = pod.metadata;
    const id = (value: string) => ({ value });
    const task_id = id(taskIdOf(uid, attempt));
    const task: TaskInfo = { name: `default/${name}`, task_id, agent_id: id('a1') };
    this.executor.onEvent({ type: 'LAUNCH', launch: { task } });
  }

  /** The states that were told of an attempt. */
  toldOf(pod: Pod, attempt: number): string {
    const id = taskIdOf(pod.metadata.uid ?? '', attempt);
    const told = this.updates.filter(({ task_id }) => task_id.value === id);
    return told.map(({ state }) => state).join();
  }

  /** As the agent does when an update is on its disk. */
  acknowledgeAll(): void {
    for (const { task_id, uuid = new Uint8Array(16) } of this.updates) {
      this.executor.onEvent({ type: 'ACKNOWLEDGED', acknowledged: { task_id, uuid } });
    }
  }

  async start(): Promise<void> {
    await this.executor.start();
    for (const pod of this.pods.values()) this.executor.onPod(pod);
    this.executor.onSynced();
  }

  /** As after kill -9: nothing of the former executor is left but its disk and processes. */
  async replace(runId = 'run-1'): Promise<void> {
    await this.executor.close();
    this.updates.length = 0;
    this.executor = this.#make(runId);
    await this.start();
  }

  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((done) => {
      const check = (): void => {
        if (!condition()) return;
        this.#waiting.delete(check);
        done();
      };
      this.#waiting.add(check);
    });
  }

  states(): (string | undefined)[] {
    return this.updates.map(({ state }) => state);
  }

  phaseOf(pod: Pod): string | undefined {
    return this.pods.get(pod.metadata.uid ?? '')?.status?.phase;
  }

  /** Waits for the first one. */
  async runs(): Promise<number> {
    const path = join(this.folder, 'out');
    const count = (): number =>
      existsSync(path) ? (readFileSync(path, 'utf8').match(/run/g)?.length ?? 0) : 0;
    // A shell makes the file before it writes.
    while (count() === 0) await new Promise((done) => setImmediate(done));
    return count();
  }

  delete(pod: Pod, seconds: number): void {
    const found = this.pods.get(pod.metadata.uid ?? '') ?? pod;
    const deletionTimestamp = new Date().toISOString();
    const metadata = { ...found.metadata, deletionTimestamp, deletionGracePeriodSeconds: seconds };
    this.put({ ...found, metadata });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.executor.shutdown();
    await this.until(() => this.isShutDown);
    await this.executor.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

test('NodeExecutor runs a pod when its launch and its object have come, and ends it', async () => {
  await using world = new Around();
  await world.start();
  const pod = aPod('p1', sleeper);
  world.put(pod);
  assert.equal(world.executor.workers().length, 0, 'not before its launch');
  world.launch(pod);
  world.launch(pod);
  await world.until(() => world.phaseOf(pod) === 'Running');
  await world.until(() => world.states().includes('TASK_RUNNING'));
  await world.runs();
  world.delete(pod, 5);
  await world.until(() => world.states().includes('TASK_KILLED'));
  assert.equal(world.pods.size, 0);
  assert.equal(await world.runs(), 1);
});

test('NodeExecutor tells the end of a task whose pod goes from the API just when it has ended', async () => {
  await using world = new Around();
  await world.start();
  const pod = aPod('p9', sleeper);
  world.put(pod);
  world.launch(pod);
  await world.until(() => world.states().includes('TASK_RUNNING'));
  world.delete(pod, 0);
  // Its worker has yet to write that down.
  const worker = world.executor.worker('default', 'p9');
  while (worker?.isFinished === false) await new Promise((done) => setImmediate(done));
  world.forget(pod);
  await world.until(() => world.states().includes('TASK_KILLED'));
});

test('NodeExecutor goes on after kill -9 without running anything twice', async () => {
  await using world = new Around();
  await world.start();
  const pod = aPod('p2', sleeper);
  world.launch(pod);
  world.put(pod);
  await world.until(() => world.phaseOf(pod) === 'Running');
  await world.runs();
  const before = world.pods.get(pod.metadata.uid ?? '')?.status;
  await world.replace();
  world.launch(pod);
  assert.deepEqual(world.pods.get(pod.metadata.uid ?? '')?.status, before);
  assert.equal(world.executor.worker('default', 'p2')?.state.containers[0]?.attempt, 0);
  assert.equal(await world.runs(), 1);
  world.executor.onEvent({ type: 'KILL', kill: { task_id: { value: pod.metadata.uid ?? '' } } });
  await world.until(() => world.states().includes('TASK_KILLED'));
  assert.equal(world.phaseOf(pod), 'Failed');
});

test('NodeExecutor lets a later attempt take a pod over, and runs it once', async () => {
  await using world = new Around();
  await world.start();
  const pod = aPod('p5', sleeper);
  world.launch(pod);
  world.put(pod);
  await world.until(() => world.toldOf(pod, 1).includes('TASK_RUNNING'));
  await world.runs();
  world.launch(pod, 2);
  await world.until(() => world.toldOf(pod, 2).includes('TASK_RUNNING'));
  assert.equal(world.toldOf(pod, 1), 'TASK_STARTING,TASK_RUNNING,TASK_KILLED');
  world.launch(pod, 1);
  await world.until(() => world.toldOf(pod, 1).endsWith('TASK_KILLED,TASK_KILLED'));
  // The end of the first was not acknowledged before the crash: it is told again.
  await world.replace();
  world.executor.onEvent({ type: 'SUBSCRIBED' });
  assert.equal(world.toldOf(pod, 1), 'TASK_KILLED');
  await world.until(() => world.toldOf(pod, 2).endsWith('TASK_RUNNING'));
  world.acknowledgeAll();
  const kill = (attempt: number): void => {
    const task_id = { value: taskIdOf(pod.metadata.uid ?? '', attempt) };
    world.executor.onEvent({ type: 'KILL', kill: { task_id } });
  };
  kill(1);
  await world.until(() => world.toldOf(pod, 1) === 'TASK_KILLED,TASK_KILLED');
  assert.equal(world.phaseOf(pod), 'Running', 'the kill was meant for the first');
  assert.equal(await world.runs(), 1);
  kill(2);
  await world.until(() => world.toldOf(pod, 2).endsWith('TASK_KILLED'));
  assert.equal(world.phaseOf(pod), 'Failed');
});

test('NodeExecutor runs the second attempt of a pod whose first never began', async () => {
  await using world = new Around();
  await world.start();
  const pod = aPod('p6', sleeper);
  world.launch(pod);
  await world.until(() => world.toldOf(pod, 1).endsWith('TASK_KILLED'));
  world.put(pod);
  world.launch(pod, 2);
  await world.until(() => world.toldOf(pod, 2).includes('TASK_RUNNING'));
  assert.equal(await world.runs(), 1);
});

test('NodeExecutor adopts a task that an earlier version noted without its id', async () => {
  await using world = new Around();
  await world.start();
  const pod = aPod('p7', sleeper);
  const { uid = '' } = pod.metadata;
  world.launch(pod);
  world.put(pod);
  await world.until(() => world.states().includes('TASK_RUNNING'));
  await world.runs();
  const path = join(world.folder, 'node', 'pods', uid, 'task.json');
  const { taskId: _new, ...old } = JSON.parse(readFileSync(path, 'utf8')) as { taskId?: string };
  writeFileSync(path, JSON.stringify(old));
  await world.replace();
  world.executor.onEvent({ type: 'SUBSCRIBED' });
  await world.until(() => world.toldOf(pod, 1).endsWith('TASK_RUNNING'));
  assert.equal(await world.runs(), 1);
});

test('NodeExecutor ends what another run has left', async () => {
  await using world = new Around();
  await world.start();
  const pod = aPod('p3', sleeper);
  world.launch(pod);
  world.put(pod);
  await world.until(() => world.phaseOf(pod) === 'Running');
  await world.replace('run-2');
  assert.equal(world.executor.workers().length, 0);
});

test('NodeExecutor answers for tasks without a pod, and for pods that ended', async () => {
  await using world = new Around();
  await world.start();
  const gone = aPod('never', sleeper);
  world.launch(gone);
  await world.until(() => world.states().includes('TASK_KILLED'));
  const job = aPod('job', {
    restartPolicy: 'Never',
    containers: [{ name: 'main', command: ['true'] }],
  });
  world.put(job);
  world.launch(job);
  await world.until(() => world.states().includes('TASK_FINISHED'));
  assert.equal(world.phaseOf(job), 'Succeeded');
  world.delete(job, 0);
  await world.until(() => world.pods.size === 0);
});
