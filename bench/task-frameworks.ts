// A program: frameworks in roles that launch tasks on fake agents and acknowledge every update; what it
// says on standard output is a line when all tasks run. `node task-frameworks.ts PORT FRAMEWORKS TASKS`.
import { createEnv } from '#env/node/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import { scalarResource } from '#mesos/resources/resources.ts';
import type { Offer, SchedulerCall, SchedulerEvent, TaskInfo } from '#wire/mesos/v1.ts';

const ROLES = 10;
const TASKS_PER_CALL = 10;
const CPUS = 0.1;
const MEM = 32;
const LONG_SECONDS = 3_600;
/** Calls of one framework on their way at once. */
const CALLS_MAX = 16;

const [port = '', frameworkCount = '1', taskCount = '1'] = process.argv.slice(2);
const env = createEnv({ component: 'bench', logLevel: 'error', logFormat: 'text' });
const wanted = Math.ceil(Number(taskCount) / Number(frameworkCount));
const began = performance.now();
let running = 0;

class TaskFramework {
  readonly #client: SchedulerClient;
  readonly #role: string;
  readonly #name: string;
  readonly subscribed = Promise.withResolvers<void>();
  readonly #calls: SchedulerCall[] = [];
  #inFlight = 0;
  #launched = 0;

  constructor(index: number) {
    this.#role = `role-${index % ROLES}`;
    this.#name = `filler-${index}`;
    this.#client = new SchedulerClient(
      {
        masterUrl: `http://127.0.0.1:${port}`,
        framework: {
          user: 'root',
          name: this.#name,
          roles: [this.#role],
          capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
        },
        contentType: 'application/x-protobuf',
        // All begin at once: otherwise the first is offered the whole cluster.
        suppressedRoles: [this.#role],
      },
      {
        onEvent: (event) => this.#onEvent(event),
        onDisconnected: () => process.exit(1),
        onError: () => process.exit(1),
      },
      env,
    );
    this.#client.start();
  }

  begin(): void {
    this.#call({ type: 'REVIVE' });
  }

  #onEvent({ type, offers, update }: SchedulerEvent): void {
    if (type === 'SUBSCRIBED') this.subscribed.resolve();
    if (type === 'OFFERS') this.#onOffers(offers?.offers ?? []);
    const status = update?.status;
    if (type !== 'UPDATE' || status === undefined) return;
    const { task_id, agent_id, uuid, state } = status;
    if (uuid !== undefined && agent_id !== undefined) {
      this.#call({ type: 'ACKNOWLEDGE', acknowledge: { task_id, agent_id, uuid } });
    }
    if (state === 'TASK_RUNNING') running += 1;
    else
      process.stdout.write(`${JSON.stringify({ step: 'bad', state, message: status.message })}\n`);
    if (running !== wanted * Number(frameworkCount)) return;
    const seconds = (performance.now() - began) / 1_000;
    process.stdout.write(`${JSON.stringify({ step: 'running', tasks: running, seconds })}\n`);
  }

  #onOffers(offers: readonly Offer[]): void {
    const spare: Offer['id'][] = [];
    const calls: SchedulerCall[] = [];
    for (const offer of offers) {
      const tasks: TaskInfo[] = [];
      const room = roomIn(offer);
      for (; tasks.length < room && this.#launched < wanted; this.#launched += 1) {
        tasks.push(this.#task(`${this.#name}.${this.#launched}`, offer));
      }
      if (tasks.length === 0) {
        spare.push(offer.id);
        continue;
      }
      calls.push({
        type: 'ACCEPT',
        accept: {
          offer_ids: [offer.id],
          filters: { refuse_seconds: LONG_SECONDS },
          operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }],
        },
      });
    }
    // First of all: what is left of the agents it takes is for others.
    if (calls.length > 0 && this.#launched === wanted) this.#call({ type: 'SUPPRESS' });
    for (const call of calls) this.#call(call);
    if (spare.length === 0) return;
    const filters = { refuse_seconds: LONG_SECONDS };
    this.#call({ type: 'DECLINE', decline: { offer_ids: spare, filters } });
  }

  #task(id: string, { agent_id }: Offer): TaskInfo {
    const allocation_info = { role: this.#role };
    const resources = [scalarResource('cpus', CPUS), scalarResource('mem', MEM)];
    return {
      name: id,
      task_id: { value: id },
      agent_id,
      command: { value: 'sleep 1000' },
      resources: resources.map((one) => ({ ...one, allocation_info })),
    };
  }

  #call(call: SchedulerCall): void {
    this.#calls.push(call);
    this.#next();
  }

  #next(): void {
    if (this.#inFlight >= CALLS_MAX) return;
    const call = this.#calls.shift();
    if (call === undefined) return;
    this.#inFlight += 1;
    this.#client.call(call).then(
      () => {
        this.#inFlight -= 1;
        this.#next();
      },
      (error: unknown) => {
        process.stdout.write(`${JSON.stringify({ step: 'bad', error: String(error) })}\n`);
        process.exit(1);
      },
    );
  }
}

/** Tasks that an offer has room for, as many as go into one call. */
function roomIn({ resources = [] }: Offer): number {
  const amount = (name: string): number =>
    resources
      .filter((one) => one.name === name)
      .reduce((sum, { scalar }) => sum + (scalar?.value ?? 0), 0);
  // Amounts are thousandths; a sum of tenths is not one of floating-point numbers.
  const fits = [amount('cpus') / CPUS, amount('mem') / MEM].map((most) => Math.floor(most + 1e-6));
  return Math.min(TASKS_PER_CALL, ...fits);
}

const frameworks: TaskFramework[] = [];
for (let index = 0; index < Number(frameworkCount); index += 1) {
  const framework = new TaskFramework(index);
  await framework.subscribed.promise;
  frameworks.push(framework);
}
process.stdout.write(`${JSON.stringify({ step: 'subscribed' })}\n`);
for (const framework of frameworks) framework.begin();
