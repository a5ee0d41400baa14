// A Mesos framework for tests: launches what it is told on the first offers that come, acknowledges
// every update, and lets a test wait for states.
import type { Env } from '#env/env.ts';
import type { ContentType } from '#mesos/client/http.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import type {
  ExecutorInfo,
  FrameworkInfo,
  Offer,
  Offer_Operation,
  OperationStatus,
  Resource,
  SchedulerCall,
  SchedulerEvent,
  TaskInfo,
  TaskStatus,
} from '#wire/mesos/v1.ts';

/** How long is waited for what must come: on a machine that is busy with other things, too. */
const WAIT_MS = 60_000;

/** Operations on an offer; undefined when it is not for them. */
type Make = (offer: Offer) => Offer_Operation[] | undefined;

export class TestFramework {
  readonly client: SchedulerClient;
  /** Updates in the order in which they came; repeats of one uuid once. */
  readonly updates: TaskStatus[] = [];
  /** As they came, those without a uuid too. */
  readonly operations: OperationStatus[] = [];
  readonly messages: string[] = [];
  readonly #uuids = new Set<string>();
  readonly #waiters = new Set<() => void>();
  #wanted: Make[] = [];
  /** What was done with an offer, by its id: the offer may be rescinded while that is on its way. */
  readonly #accepted = new Map<string, Make>();
  /** Updates are kept unacknowledged while this is true. */
  holdsAcknowledgements = false;
  /** Whether what was asked of an offer that was rescinded meanwhile is asked of the next one. */
  triesAgain = true;

  constructor(
    masterUrl: string | (() => string | undefined),
    env: Env,
    info: Partial<FrameworkInfo> = {},
    contentType: ContentType = 'application/json',
    authorization?: string,
    tls?: TlsSettings,
  ) {
    this.client = new SchedulerClient(
      {
        masterUrl,
        contentType,
        authorization,
        tls,
        framework: {
          user: 'root',
          name: 'test',
          roles: ['*'],
          checkpoint: true,
          failover_timeout: 600,
          capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
          ...info,
        },
      },
      {
        onEvent: (event) => this.#onEvent(event),
        onDisconnected: () => {},
        onError: (error) => this.messages.push(error.message),
      },
      env,
    );
    this.client.start();
  }

  #onEvent(event: SchedulerEvent): void {
    for (const offer of event.offers?.offers ?? []) this.#onOffer(offer);
    this.#onRescind(event.rescind?.offer_id.value ?? '');
    const status = event.update?.status;
    if (status !== undefined) this.#onUpdate(status);
    const operation = event.update_operation_status?.status;
    if (operation !== undefined) this.#onOperation(operation);
    const data = event.message?.data;
    if (data !== undefined) this.messages.push(Buffer.from(data).toString());
    for (const waiter of this.#waiters) waiter();
  }

  #onOffer(offer: Offer): void {
    const operations: Offer_Operation[] = [];
    this.#wanted = this.#wanted.filter((make) => {
      const made = operations.length === 0 ? make(offer) : undefined;
      if (made === undefined) return true;
      operations.push(...made);
      this.#accepted.set(offer.id.value, make);
      return false;
    });
    const filters = { refuse_seconds: 0.1 };
    const offer_ids = [offer.id];
    this.call(
      operations.length === 0
        ? { type: 'DECLINE', decline: { offer_ids, filters } }
        : { type: 'ACCEPT', accept: { offer_ids, operations, filters } },
    );
  }

  /** An offer that was accepted is not rescinded, unless the call came too late: then it has done nothing. */
  #onRescind(offerId: string): void {
    const make = this.#accepted.get(offerId);
    if (make !== undefined && this.triesAgain) this.#want(make);
    this.#accepted.delete(offerId);
  }

  #onUpdate(status: TaskStatus): void {
    const hex = Buffer.from(status.uuid ?? []).toString('hex');
    if (hex === '' || !this.#uuids.has(hex)) this.updates.push(status);
    this.#uuids.add(hex);
    if (!this.holdsAcknowledgements) this.acknowledge(status);
  }

  #onOperation(status: OperationStatus): void {
    this.operations.push(status);
    if (!this.holdsAcknowledgements) this.acknowledgeOperation(status);
  }

  acknowledgeOperation(status: OperationStatus): void {
    const { uuid, agent_id, operation_id, resource_provider_id } = status;
    if (uuid === undefined || operation_id === undefined) return;
    const body = {
      ...(agent_id === undefined ? {} : { agent_id }),
      ...(resource_provider_id === undefined ? {} : { resource_provider_id }),
      uuid: uuid.value,
      operation_id,
    };
    this.call({ type: 'ACKNOWLEDGE_OPERATION_STATUS', acknowledge_operation_status: body });
  }

  /** On the first offer for which it makes operations; those without an id tell nothing back. */
  operate(make: Make): void {
    this.#want(make);
  }

  /** The operation's status, once it has come. */
  async operated(id: string, state: OperationStatus['state']): Promise<OperationStatus> {
    const find = () =>
      this.operations.find((one) => one.operation_id?.value === id && one.state === state);
    await this.until(`operation ${id} ${state}`, () => find() !== undefined);
    return find() as OperationStatus;
  }

  acknowledge(status: TaskStatus): void {
    const { uuid, agent_id, task_id } = status;
    if (uuid === undefined || agent_id === undefined) return;
    this.call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
  }

  call(call: SchedulerCall): void {
    this.client.call(call).catch((error: unknown) => this.messages.push(String(error)));
  }

  /** On the first offer that has room for all of them. */
  launch(tasks: readonly AskedTask[]): void {
    this.#want((offer) => {
      const task_infos = tasks.map((task) => this.#taskInfo(task, offer));
      if (!hasRoom(offer, task_infos)) return undefined;
      return [{ type: 'LAUNCH', launch: { task_infos } }];
    });
  }

  launchGroup(executor: Omit<ExecutorInfo, 'framework_id'>, tasks: readonly AskedTask[]): void {
    this.#want((offer) => [
      {
        type: 'LAUNCH_GROUP',
        launch_group: {
          executor: {
            ...executor,
            framework_id: { value: this.client.frameworkId ?? '' },
            resources: [
              scalar('cpus', 0.1, offer),
              scalar('mem', 32, offer),
              scalar('disk', 1, offer),
            ],
          },
          task_group: { tasks: tasks.map((task) => this.#taskInfo(task, offer)) },
        },
      },
    ]);
  }

  #want(make: Make): void {
    this.#wanted.push(make);
    if (this.client.frameworkId !== undefined) this.call({ type: 'REVIVE', revive: {} });
  }

  #taskInfo({ id, script, cpus = 0.01, mem = 8, ...rest }: AskedTask, offer: Offer): TaskInfo {
    const executor = rest.executor;
    return {
      name: id,
      task_id: { value: id },
      agent_id: offer.agent_id,
      resources: [scalar('cpus', cpus, offer), scalar('mem', mem, offer)],
      ...(script === undefined ? {} : { command: { value: script } }),
      ...rest,
      ...(executor === undefined
        ? {}
        : { executor: { ...executor, framework_id: { value: this.client.frameworkId ?? '' } } }),
    };
  }

  kill(taskId: string): void {
    this.call({ type: 'KILL', kill: { task_id: { value: taskId } } });
  }

  statesOf(taskId: string): string[] {
    return this.updates.filter((one) => one.task_id.value === taskId).map((one) => one.state);
  }

  /** The update, once it has come. */
  async reached(taskId: string, state: string, timeoutMs = WAIT_MS): Promise<TaskStatus> {
    const find = () =>
      this.updates.find((one) => one.task_id.value === taskId && one.state === state);
    await this.until(`${taskId} ${state}`, () => find() !== undefined, timeoutMs);
    return find() as TaskStatus;
  }

  until(what: string, isTrue: () => boolean, timeoutMs = WAIT_MS): Promise<void> {
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        const seen = this.updates
          .map((one) => `${one.task_id.value} ${one.state} ${one.message ?? ''}`)
          .join(', ');
        const told = this.operations
          .map((one) => `${one.operation_id?.value} ${one.state} ${one.message ?? ''}`)
          .join(', ');
        const all = `updates: ${seen}; operations: ${told}; ${this.messages.join(' | ')}`;
        fail(new Error(`Never came true: ${what}; ${all}`));
      }, timeoutMs);
      const check = (): void => {
        if (!isTrue()) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        done();
      };
      this.#waiters.add(check);
      check();
    });
  }

  async close(): Promise<void> {
    await this.client.call({ type: 'TEARDOWN' }).catch(() => {});
    this.client.close();
  }
}

export interface AskedTask extends Partial<Omit<TaskInfo, 'name' | 'task_id' | 'agent_id'>> {
  readonly id: string;
  /** A shell command. */
  readonly script?: string | undefined;
  readonly cpus?: number | undefined;
  readonly mem?: number | undefined;
}

/** Some of an agent's resources may still be on their way back from what ended. */
function hasRoom(offer: Offer, tasks: readonly TaskInfo[]): boolean {
  const sum = (resources: readonly Resource[], name: string): number =>
    resources
      .filter((one) => one.name === name)
      .reduce((total, { scalar }) => total + (scalar?.value ?? 0), 0);
  const wanted = tasks.flatMap(({ resources }) => resources ?? []);
  const offered = offer.resources ?? [];
  return ['cpus', 'mem'].every((name) => sum(offered, name) >= sum(wanted, name));
}

function scalar(name: string, value: number, offer: Offer): Resource {
  const allocation = offer.allocation_info;
  return {
    name,
    type: 'SCALAR',
    scalar: { value },
    ...(allocation === undefined ? {} : { allocation_info: allocation }),
  };
}
