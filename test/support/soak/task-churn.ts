// A Mesos framework whose short tasks come and go without end: how long from its wish to a running task, and
// that each has one end.
import type { Env } from '#env/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import type { Offer, SchedulerEvent, TaskStatus } from '#wire/mesos/v1.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import type { Latencies } from './latencies.ts';

const CPUS = 0.01;
const MEM = 8;

interface Task {
  readonly wantedAt: number;
  /** uuids of updates that ended it. */
  readonly ends: Set<string>;
  isRunning: boolean;
  state: string;
}

export class TaskChurn {
  readonly #client: SchedulerClient;
  readonly #latencies: Latencies;
  readonly #tasks = new Map<string, Task>();
  readonly #wanted: { readonly id: string; readonly at: number }[] = [];
  readonly #problems: string[] = [];
  #count = 0;
  #isIdle = false;

  constructor(masterUrl: string, latencies: Latencies, env: Env) {
    this.#latencies = latencies;
    const framework = {
      user: 'root',
      name: 'soak',
      roles: ['soak'],
      capabilities: [{ type: 'MULTI_ROLE' as const }, { type: 'PARTITION_AWARE' as const }],
    };
    this.#client = new SchedulerClient(
      { masterUrl, framework, contentType: 'application/x-protobuf' },
      {
        onEvent: (event) => this.#onEvent(event),
        onDisconnected: () => this.#problems.push('the framework was disconnected'),
        onError: (error) => this.#problems.push(`the framework: ${error.message}`),
      },
      env,
    );
    this.#client.start();
  }

  get count(): number {
    return this.#count;
  }

  want(): void {
    this.#count += 1;
    this.#wanted.push({ id: `soak-${this.#count}`, at: performance.now() });
    if (!this.#isIdle) return;
    this.#isIdle = false;
    this.#call({ type: 'REVIVE' });
  }

  get isDone(): boolean {
    return (
      this.#wanted.length === 0 && [...this.#tasks.values()].every(({ ends }) => ends.size > 0)
    );
  }

  /** What did not end, or ended twice, or otherwise than as wanted. */
  end(): string[] {
    this.#client.close();
    const wrong = [...this.#tasks]
      .filter(([, { ends, state }]) => ends.size !== 1 || state !== 'TASK_FINISHED')
      .map(([id, { ends, state }]) => `task ${id}: ${state}, ${ends.size} ends`);
    const never = this.#wanted.map(({ id }) => `task ${id} was never launched`);
    return [...this.#problems, ...wrong, ...never].slice(0, 20);
  }

  #call(call: Parameters<SchedulerClient['call']>[0]): void {
    this.#client.call(call).catch((error: unknown) => this.#problems.push(String(error)));
  }

  #onEvent(event: SchedulerEvent): void {
    for (const offer of event.offers?.offers ?? []) this.#onOffer(offer);
    const status = event.update?.status;
    if (status !== undefined) this.#onUpdate(status);
  }

  #onOffer(offer: Offer): void {
    const offer_ids = [offer.id];
    const next = this.#wanted.splice(0, this.#roomOf(offer));
    if (next.length === 0) {
      this.#isIdle = this.#wanted.length === 0;
      const filters = { refuse_seconds: this.#isIdle ? 3_600 : 1 };
      this.#call({ type: 'DECLINE', decline: { offer_ids, filters } });
      return;
    }
    for (const { id, at } of next) {
      const task = {
        wantedAt: at,
        ends: new Set<string>(),
        isRunning: false,
        state: 'TASK_STAGING',
      };
      this.#tasks.set(id, task);
    }
    const task_infos = next.map(({ id }) => ({
      name: id,
      task_id: { value: id },
      agent_id: offer.agent_id,
      command: { value: 'true' },
      resources: [
        { name: 'cpus', type: 'SCALAR' as const, scalar: { value: CPUS } },
        { name: 'mem', type: 'SCALAR' as const, scalar: { value: MEM } },
      ].map((one) => ({ ...one, allocation_info: { role: 'soak' } })),
    }));
    const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
    const filters = { refuse_seconds: 0 };
    this.#call({ type: 'ACCEPT', accept: { offer_ids, operations, filters } });
  }

  #roomOf(offer: Offer): number {
    const left = (name: string): number =>
      offer.resources?.find((one) => one.name === name)?.scalar?.value ?? 0;
    return Math.floor(Math.min(left('cpus') / CPUS, left('mem') / MEM) + 1e-6);
  }

  #onUpdate(status: TaskStatus): void {
    const { task_id, agent_id, uuid, state } = status;
    const task = this.#tasks.get(task_id.value);
    if (task === undefined) this.#problems.push(`an update of ${task_id.value}, which is unknown`);
    else this.#note(task, status);
    if (uuid === undefined || agent_id === undefined) {
      this.#problems.push(`${task_id.value} is ${state} by the master's word: ${status.message}`);
      return;
    }
    this.#call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
  }

  #note(task: Task, { state, uuid }: TaskStatus): void {
    if (state === 'TASK_RUNNING' && !task.isRunning) {
      task.isRunning = true;
      this.#latencies.add('task, from wish to running', performance.now() - task.wantedAt);
    }
    if (isTerminal(state)) task.ends.add(Buffer.from(uuid ?? []).toString('hex'));
    task.state = state;
  }
}
