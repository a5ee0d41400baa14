// A framework of one short task on one host, and where the time goes: what the master adds, what agent and
// executor do, and how late this process itself may have looked.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createEnv } from '#env/node/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import { scalarResource } from '#mesos/resources/resources.ts';
import type { Offer, SchedulerCall, SchedulerEvent, TaskStatus } from '#wire/mesos/v1.ts';

const LIMIT_MS = 300_000;
const LOOK_PAUSE_MS = 10;
const ASK_PAUSE_MS = 20;

export interface ProbeOptions {
  readonly masterPort: number;
  readonly agentPort: number;
  /** Of the agent; nothing of others is offered. */
  readonly hostname: string;
  /** Of the framework, and of its task. */
  readonly name: string;
  readonly taskSeconds: number;
}

/** Seconds since the framework began to subscribe. Stamps are those that the executor writes into statuses. */
interface Moments {
  subscribed: number;
  offered: number;
  /** The agent knows of the framework: seen by its metrics, to ten milliseconds. */
  arrived: number;
  runningStamp: number;
  finishedStamp: number;
  /** The agent counts the task as finished. */
  reported: number;
  told: number;
}

/** Seconds; all but `healthMs` and `ownMs` add up to how much later than its length the task was over. */
export interface ProbeShares {
  readonly later: number;
  /** Until it is subscribed, offered something, the agent has the task, and it is told of the end. */
  readonly master: number;
  readonly subscribed: number;
  readonly offered: number;
  readonly arrived: number;
  readonly told: number;
  /** From the task's arrival until the executor says that it runs. */
  readonly started: number;
  /** The executor's statement that it has ended, after its length. */
  readonly ended: number;
  /** From that statement until the agent has counted it. */
  readonly reported: number;
  /** The longest that the master kept a small question waiting meanwhile. */
  readonly healthMs: number;
  /** The longest that this process was late for its own timers: so much may be wrongly the master's. */
  readonly ownMs: number;
}

const env = createEnv({ component: 'bench', logLevel: 'error', logFormat: 'text' });

export async function metricsOf(port: number): Promise<Record<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics/snapshot`);
  return (await answer.json()) as Record<string, number>;
}

/** Resolves when the metrics are so; looks again and again until then or the signal. */
async function until(
  port: number,
  is: (metrics: Record<string, number>) => boolean,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && !is(await metricsOf(port))) {
    await new Promise((done) => setTimeout(done, LOOK_PAUSE_MS));
  }
}

/** Milliseconds of the longest answer to a small question, asked every few until the signal. */
async function longestHealth(port: number, signal: AbortSignal): Promise<number> {
  let longest = 0;
  while (!signal.aborted) {
    const from = performance.now();
    const answer = await fetch(`http://127.0.0.1:${port}/health`);
    await answer.body?.cancel();
    longest = Math.max(longest, performance.now() - from);
    await new Promise((done) => setTimeout(done, ASK_PAUSE_MS));
  }
  return longest;
}

function launchOf(
  { id, agent_id }: Offer,
  { name, taskSeconds }: ProbeOptions,
  role: string,
): SchedulerCall {
  const allocation_info = { role };
  const resources = [scalarResource('cpus', 0.1), scalarResource('mem', 32)];
  const task = {
    name,
    task_id: { value: name },
    agent_id,
    command: { value: `sleep ${taskSeconds}` },
    resources: resources.map((one) => ({ ...one, allocation_info })),
  };
  const operations = [{ type: 'LAUNCH' as const, launch: { task_infos: [task] } }];
  return { type: 'ACCEPT', accept: { offer_ids: [id], operations } };
}

class TaskProbe {
  readonly #options: ProbeOptions;
  readonly #role = 'probe';
  readonly #client: SchedulerClient;
  readonly #from = performance.now();
  readonly #over = Promise.withResolvers<void>();
  readonly #looking = new AbortController();
  readonly #moments: Partial<Moments> = {};
  readonly #looks: Promise<void>[] = [];
  readonly #finishedBefore: number;

  constructor(options: ProbeOptions, finishedBefore: number) {
    this.#options = options;
    this.#finishedBefore = finishedBefore;
    const { masterPort, name, hostname } = options;
    const constraint = {
      selector: { pseudoattribute_type: 'HOSTNAME' as const },
      predicate: { text_equals: { value: hostname } },
    };
    this.#client = new SchedulerClient(
      {
        masterUrl: `http://127.0.0.1:${masterPort}`,
        framework: {
          user: 'root',
          name,
          roles: [this.#role],
          capabilities: [{ type: 'MULTI_ROLE' }],
        },
        contentType: 'application/x-protobuf',
        offerConstraints: {
          role_constraints: { [this.#role]: { groups: [{ attribute_constraints: [constraint] }] } },
        },
      },
      {
        onEvent: (event) => this.#onEvent(event),
        onDisconnected: () => {},
        onError: (error) => this.#over.reject(error),
      },
      env,
    );
  }

  async run(): Promise<Moments> {
    const patience = setTimeout(() => this.#over.reject(new Error('no end')), LIMIT_MS);
    this.#client.start();
    try {
      await this.#over.promise;
      await Promise.all(this.#looks);
      await this.#client.call({ type: 'TEARDOWN' });
      return this.#moments as Moments;
    } finally {
      clearTimeout(patience);
      this.#looking.abort();
      this.#client.close();
    }
  }

  #reach(moment: keyof Moments): void {
    this.#moments[moment] ??= (performance.now() - this.#from) / 1_000;
  }

  #stamp(moment: keyof Moments, { timestamp = Number.NaN }: TaskStatus): void {
    const from = (performance.timeOrigin + this.#from) / 1_000;
    this.#moments[moment] ??= timestamp - from;
  }

  #call(one: SchedulerCall): void {
    this.#client.call(one).catch((error: unknown) => this.#over.reject(error));
  }

  #look(moment: keyof Moments, is: (metrics: Record<string, number>) => boolean): void {
    const seen = until(this.#options.agentPort, is, this.#looking.signal);
    const look = seen.then(() => this.#reach(moment));
    look.catch((error: unknown) => this.#over.reject(error));
    this.#looks.push(look);
  }

  #accept(offer: Offer): void {
    this.#call(launchOf(offer, this.#options, this.#role));
    this.#look('arrived', (metrics) => (metrics['slave/frameworks_active'] ?? 0) > 0);
    this.#look(
      'reported',
      (metrics) => (metrics['slave/tasks_finished'] ?? 0) > this.#finishedBefore,
    );
  }

  #onEvent({ type, offers, update, error }: SchedulerEvent): void {
    if (type === 'ERROR') this.#over.reject(new Error(error?.message));
    if (type === 'SUBSCRIBED') this.#reach('subscribed');
    const [offer] = offers?.offers ?? [];
    if (type === 'OFFERS' && offer !== undefined && this.#moments.offered === undefined) {
      this.#reach('offered');
      this.#accept(offer);
    }
    const status = update?.status;
    if (type !== 'UPDATE' || status === undefined) return;
    const { task_id, agent_id, uuid, state } = status;
    if (state === 'TASK_RUNNING') this.#stamp('runningStamp', status);
    if (state === 'TASK_FINISHED') {
      this.#reach('told');
      this.#stamp('finishedStamp', status);
      this.#over.resolve();
    } else if (state !== 'TASK_RUNNING' && state !== 'TASK_STARTING') {
      this.#over.reject(new Error(`${state}: ${status.message}`));
    }
    if (uuid !== undefined && agent_id !== undefined) {
      this.#call({ type: 'ACKNOWLEDGE', acknowledge: { task_id, agent_id, uuid } });
    }
  }
}

/** Rejects when the task does not end well. The agent must run nothing else. */
export async function probeTask(options: ProbeOptions): Promise<ProbeShares> {
  const { masterPort, agentPort, taskSeconds } = options;
  const isOver = new AbortController();
  const isFree = (metrics: Record<string, number>): boolean =>
    metrics['slave/frameworks_active'] === 0;
  await until(agentPort, isFree, AbortSignal.timeout(LIMIT_MS));
  const before = (await metricsOf(agentPort))['slave/tasks_finished'] ?? 0;
  using own = monitorEventLoopDelay({ resolution: LOOK_PAUSE_MS });
  own.enable();
  const health = longestHealth(masterPort, isOver.signal);
  let at: Moments;
  try {
    at = await new TaskProbe(options, before).run();
  } finally {
    isOver.abort();
  }
  const offered = at.offered - at.subscribed;
  const arrived = at.arrived - at.offered;
  // What was told before the look at the agent saw it took the agent no longer than that.
  const reportedAt = Math.min(at.reported, at.told);
  const told = at.told - reportedAt;
  return {
    later: at.told - taskSeconds,
    master: at.subscribed + offered + arrived + told,
    subscribed: at.subscribed,
    offered,
    arrived,
    told,
    started: at.runningStamp - at.arrived,
    ended: at.finishedStamp - at.runningStamp - taskSeconds,
    reported: reportedAt - at.finishedStamp,
    healthMs: await health,
    ownMs: own.max / 1e6,
  };
}
