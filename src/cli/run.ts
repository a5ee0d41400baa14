// `strata run`: one command as a task of a framework of its own. Its output is read from the
// agent's sandbox files; its exit status becomes this program's.
import { userInfo } from 'node:os';
import { errorChain, type Fault } from '#base/fault.ts';
import { atMost } from '#env/at-most.ts';
import type { Env, Timer } from '#env/env.ts';
import { headersOf, readAccess, urlOf, type Access } from '#mesos/client/access.ts';
import { getJson } from '#mesos/client/http.ts';
import { callAgent, type OperatorOptions } from '#mesos/client/operator-client.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import { detectMaster } from '#mesos/election/master-address.ts';
import type { Offer, Resource, SchedulerEvent, TaskStatus } from '#wire/mesos/v1.ts';

export interface RunOptions {
  /** `HOST:PORT` */
  readonly master: string;
  readonly cpus: number;
  readonly mem: number;
  readonly role: string;
  readonly name: string;
  readonly command: readonly string[];
  /** File with principal and secret. */
  readonly credential?: string | undefined;
}

const POLL_MS_MIN = 50;
const POLL_MS_MAX = 500;
const READ_BYTES = 65_536;
const STUCK_MS = 2_000;
const TEARDOWN_MS_MAX = 3_000;
const EXIT_FAILURE = 1;
const EXIT_INTERRUPTED = 130;

const SIGNALS: Readonly<Record<string, number>> = {
  Hangup: 1,
  Interrupt: 2,
  Quit: 3,
  Aborted: 6,
  Killed: 9,
  'Segmentation fault': 11,
  'Broken pipe': 13,
  Terminated: 15,
};

/** What a shell would show for the command, from the words of the last update. */
export function exitCodeOf(status: TaskStatus): number {
  if (status.state === 'TASK_FINISHED') return 0;
  const exited = /exited with status (\d+)/.exec(status.message ?? '');
  if (exited !== null) return Number(exited[1]);
  const signal = /terminated with signal ([A-Za-z ]+)/.exec(status.message ?? '');
  const number = SIGNALS[signal?.[1]?.trim() ?? ''];
  return number === undefined ? EXIT_FAILURE : 128 + number;
}

function sumOf(offer: Offer, name: string): number {
  return (offer.resources ?? [])
    .filter((one) => one.name === name && one.reservations === undefined)
    .reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0);
}

function agentUrl(offer: Offer, access: Access): string {
  const { ip, hostname, port } = offer.url?.address ?? { port: 5051 };
  return urlOf(access, `${ip ?? hostname ?? offer.hostname}:${port}`);
}

/** Copies a growing file of a sandbox to a stream. */
class Tail {
  readonly #agent: OperatorOptions;
  readonly #path: string;
  readonly #to: NodeJS.WritableStream;
  #offset = 0;

  constructor(agent: OperatorOptions, path: string, to: NodeJS.WritableStream) {
    this.#agent = agent;
    this.#path = path;
    this.#to = to;
  }

  /** True when there was something new. */
  async copy(): Promise<boolean> {
    let isNew = false;
    for (;;) {
      const answer = await callAgent(this.#agent, {
        type: 'READ_FILE',
        read_file: { path: this.#path, offset: this.#offset, length: READ_BYTES },
      }).catch(() => undefined);
      const data = answer?.read_file?.data;
      if (data === undefined || data.length === 0) return isNew;
      this.#offset += data.length;
      isNew = true;
      this.#to.write(data);
    }
  }
}

class Run {
  readonly #options: RunOptions;
  readonly #env: Env;
  readonly #client: SchedulerClient;
  readonly #access: Access;
  readonly #taskId: string;
  readonly #result = Promise.withResolvers<number>();
  #agent: string | undefined;
  #agentId: string | undefined;
  #tails: readonly Tail[] = [];
  #isLaunched = false;
  #isOver = false;
  #interrupts = 0;
  #stuck: Timer | undefined;

  constructor(
    options: RunOptions,
    { masterUrl, access }: { masterUrl: () => string | undefined; access: Access },
    env: Env,
  ) {
    this.#access = access;
    this.#options = options;
    this.#env = env;
    this.#taskId = `${options.name}-${env.random.uuid()}`;
    const { username } = userInfo();
    this.#client = new SchedulerClient(
      {
        masterUrl,
        ...access,
        framework: {
          user: username,
          name: `strata run ${options.name}`,
          roles: [options.role],
          checkpoint: true,
          failover_timeout: 60,
          capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
        },
      },
      {
        onEvent: (event) => this.#onEvent(event),
        onDisconnected: () => {},
        onError: (error: Fault) => this.#fail(error.message),
      },
      env,
    );
  }

  async run(): Promise<number> {
    const onSignal = (): void => this.#interrupt();
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    this.#stuck = this.#env.timers.after(STUCK_MS, () => {
      if (this.#isLaunched) return;
      const isThere = this.#client.frameworkId !== undefined;
      const what = isThere ? 'waiting for an offer from' : 'still trying to reach the master at';
      process.stderr.write(`strata: ${what} ${this.#options.master}\n`);
    });
    this.#client.start();
    try {
      return await this.#result.promise;
    } finally {
      this.#isOver = true;
      this.#stuck.cancel();
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      await this.#tearDown();
      this.#client.close();
    }
  }

  /** A master that does not answer tears the framework down itself when its time to fail over is up. */
  async #tearDown(): Promise<void> {
    const called = this.#client.call({ type: 'TEARDOWN' }).catch(() => {});
    await atMost(TEARDOWN_MS_MAX, called, this.#env.timers);
  }

  #fail(message: string): void {
    process.stderr.write(`strata: ${message}\n`);
    this.#result.resolve(EXIT_FAILURE);
  }

  #interrupt(): void {
    this.#interrupts += 1;
    if (!this.#isLaunched || this.#interrupts > 1) {
      this.#result.resolve(EXIT_INTERRUPTED);
      return;
    }
    const agent = this.#agentId === undefined ? {} : { agent_id: { value: this.#agentId } };
    this.#call({ type: 'KILL', kill: { task_id: { value: this.#taskId }, ...agent } });
  }

  #call(call: Parameters<SchedulerClient['call']>[0]): void {
    this.#client.call(call).catch((error: unknown) => {
      this.#env.log.debug('Call failed', { type: call.type, error: errorChain(error) });
    });
  }

  #onEvent(event: SchedulerEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        if (this.#isLaunched) this.#reconcile();
        return;
      case 'OFFERS':
        for (const offer of event.offers?.offers ?? []) this.#onOffer(offer);
        return;
      case 'UPDATE':
        if (event.update !== undefined) this.#onUpdate(event.update.status);
        return;
      default:
    }
  }

  #reconcile(): void {
    const agent = this.#agentId === undefined ? {} : { agent_id: { value: this.#agentId } };
    const tasks = [{ task_id: { value: this.#taskId }, ...agent }];
    this.#call({ type: 'RECONCILE', reconcile: { tasks } });
  }

  #onOffer(offer: Offer): void {
    const { cpus, mem } = this.#options;
    const fits = sumOf(offer, 'cpus') >= cpus && sumOf(offer, 'mem') >= mem;
    if (this.#isLaunched || !fits) {
      this.#call({ type: 'DECLINE', decline: { offer_ids: [offer.id] } });
      return;
    }
    this.#isLaunched = true;
    this.#agent = agentUrl(offer, this.#access);
    this.#agentId = offer.agent_id.value;
    const { command, name, role } = this.#options;
    const allocation = offer.allocation_info ?? { role };
    const scalar = (resource: string, value: number): Resource => ({
      name: resource,
      type: 'SCALAR',
      scalar: { value },
      allocation_info: allocation,
    });
    const task = {
      name,
      task_id: { value: this.#taskId },
      agent_id: offer.agent_id,
      resources: [scalar('cpus', cpus), scalar('mem', mem)],
      command: { shell: false, value: command[0] ?? '', arguments: [...command] },
    };
    this.#call({
      type: 'ACCEPT',
      accept: {
        offer_ids: [offer.id],
        operations: [{ type: 'LAUNCH', launch: { task_infos: [task] } }],
      },
    });
    this.#call({ type: 'SUPPRESS', suppress: {} });
  }

  #onUpdate(status: TaskStatus): void {
    if (status.task_id.value !== this.#taskId) return;
    const { uuid, agent_id } = status;
    if (uuid !== undefined && agent_id !== undefined) {
      this.#call({
        type: 'ACKNOWLEDGE',
        acknowledge: { agent_id, task_id: status.task_id, uuid },
      });
    }
    const container = status.container_status?.container_id?.value;
    if (container !== undefined && this.#tails.length === 0) void this.#follow();
    if (isTerminal(status.state)) void this.#finish(status);
  }

  async #sandbox(): Promise<string | undefined> {
    const { tls } = this.#access;
    const headers = headersOf(this.#access);
    const state = (await getJson({ url: `${this.#agent ?? ''}/state`, headers, tls })) as {
      frameworks: AgentFramework[];
      completed_frameworks: AgentFramework[];
    };
    const executors = [...state.frameworks, ...state.completed_frameworks]
      .filter((one) => one.id === this.#client.frameworkId)
      .flatMap((one) => [...one.executors, ...one.completed_executors]);
    return executors.find((one) => one.id === this.#taskId)?.directory;
  }

  async #openTails(): Promise<void> {
    if (this.#tails.length > 0) return;
    const folder = await this.#sandbox().catch(() => undefined);
    if (folder === undefined || this.#tails.length > 0) return;
    const agent = { url: this.#agent ?? '', ...this.#access };
    this.#tails = [
      new Tail(agent, `${folder}/stdout`, process.stdout),
      new Tail(agent, `${folder}/stderr`, process.stderr),
    ];
  }

  #copying: Promise<boolean> = Promise.resolve(false);

  /** One reader at a time, so that nothing is written twice. */
  #copy(): Promise<boolean> {
    this.#copying = this.#copying.then(async () => {
      await this.#openTails();
      const news = [];
      for (const tail of this.#tails) news.push(await tail.copy());
      return news.includes(true);
    });
    return this.#copying;
  }

  /** Mesos has no stream of a sandbox file: it is read again, more seldom while nothing comes. */
  async #follow(): Promise<void> {
    let waitMs = POLL_MS_MIN;
    while (!this.#isOver) {
      waitMs = (await this.#copy()) ? POLL_MS_MIN : Math.min(POLL_MS_MAX, waitMs * 1.5);
      await new Promise<void>((done) => this.#env.timers.after(waitMs, done));
    }
  }

  async #finish(status: TaskStatus): Promise<void> {
    await this.#copy();
    const code = exitCodeOf(status);
    const isPlain = /exited with status|terminated with signal/.test(status.message ?? '');
    if (code !== 0 && !isPlain) {
      const why = status.message ?? status.reason ?? '';
      process.stderr.write(`strata: ${status.state}: ${why}\n`);
    }
    this.#result.resolve(code);
  }
}

interface AgentFramework {
  readonly id: string;
  readonly executors: readonly { readonly id: string; readonly directory: string }[];
  readonly completed_executors: readonly { readonly id: string; readonly directory: string }[];
}

export async function runTask(options: RunOptions, env: Env): Promise<number> {
  const access = readAccess(options.credential, process.env, env.log);
  const detector = await detectMaster(options.master, () => {}, env);
  const masterUrl = (): string | undefined =>
    detector.address === undefined ? undefined : urlOf(access, detector.address);
  try {
    return await new Run(options, { masterUrl, access }, env).run();
  } finally {
    await detector.close();
  }
}
