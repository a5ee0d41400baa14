// Frameworks that never rest: they subscribe, take some offers and decline the others, are taken over by their next
// life, go away without a word, or are torn down; and begin again under another name.
import type { Env } from '#env/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import type { Offer, SchedulerEvent, TaskInfo } from '#wire/mesos/v1.ts';

const TASKS_MAX = 4;

export class RestlessFramework {
  readonly #masterUrl: string;
  readonly #env: Env;
  readonly #role: string;
  readonly #random: () => number;
  #client: SchedulerClient | undefined;
  #lives = 0;
  tasks = 0;
  ended = 0;
  readonly errors: string[] = [];

  constructor(masterUrl: string, role: string, random: () => number, env: Env) {
    this.#masterUrl = masterUrl;
    this.#env = env;
    this.#role = role;
    this.#random = random;
  }

  /** One turn of its life. */
  async turn(): Promise<void> {
    const now = this.#random();
    if (this.#client === undefined) this.#subscribe(undefined);
    else if (now < 0.4) await this.#failOver();
    else if (now < 0.6) await this.#vanish();
    else if (now < 0.9) await this.end();
    else await this.#client.call({ type: 'REVIVE', revive: {} }).catch(() => {});
  }

  #subscribe(id: string | undefined): void {
    this.#lives += 1;
    const client = new SchedulerClient(
      {
        masterUrl: this.#masterUrl,
        contentType: this.#lives % 2 === 0 ? 'application/json' : 'application/x-protobuf',
        framework: {
          user: 'root',
          name: `restless ${this.#lives}`,
          roles: [this.#role],
          failover_timeout: 2,
          capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
          ...(id === undefined ? {} : { id: { value: id } }),
        },
      },
      {
        onEvent: (event) => this.#onEvent(client, event),
        onDisconnected: () => {},
        onError: (error) => {
          this.errors.push(error.message);
          if (this.#client === client) this.#client = undefined;
        },
      },
      this.#env,
    );
    this.#client = client;
    client.start();
  }

  async #failOver(): Promise<void> {
    const before = this.#client;
    const id = before?.frameworkId;
    if (before === undefined || id === undefined) return;
    this.#subscribe(id);
    before.close();
  }

  async #vanish(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }

  /** Torn down. */
  async end(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client?.frameworkId !== undefined) {
      await client.call({ type: 'TEARDOWN' }).catch(() => {});
    }
    client?.close();
  }

  #onEvent(client: SchedulerClient, event: SchedulerEvent): void {
    const offers = event.offers?.offers ?? [];
    if (offers.length > 0) this.#onOffers(client, offers);
    const status = event.update?.status;
    if (status?.uuid === undefined || status.agent_id === undefined) return;
    if (status.state !== 'TASK_RUNNING') this.ended += 1;
    const { agent_id, task_id, uuid } = status;
    this.#call(client, { type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
  }

  #onOffers(client: SchedulerClient, offers: readonly Offer[]): void {
    const taken = offers.slice(0, TASKS_MAX);
    for (const offer of taken) {
      const task_infos = [this.#task(offer)];
      const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
      const filters = { refuse_seconds: 1 };
      this.#call(client, {
        type: 'ACCEPT',
        accept: { offer_ids: [offer.id], operations, filters },
      });
    }
    const rest = offers.slice(TASKS_MAX).map(({ id }) => id);
    const filters = { refuse_seconds: 1 + this.#random() * 10 };
    if (rest.length > 0) {
      this.#call(client, { type: 'DECLINE', decline: { offer_ids: rest, filters } });
    }
  }

  #task({ agent_id, allocation_info }: Offer): TaskInfo {
    this.tasks += 1;
    const own = allocation_info === undefined ? {} : { allocation_info };
    const scalar = (name: string, value: number) => ({
      name,
      type: 'SCALAR' as const,
      scalar: { value },
      ...own,
    });
    const id = `${this.#role} ${this.#lives} ${this.tasks}`;
    return {
      name: id,
      task_id: { value: id },
      agent_id,
      command: { value: 'true' },
      resources: [scalar('cpus', 0.1), scalar('mem', 16)],
    };
  }

  #call(client: SchedulerClient, call: Parameters<SchedulerClient['call']>[0]): void {
    client.call(call).catch(() => {});
  }
}
