// A framework's executor on a driver of before the v1 API, as libmesos has it (Mesos 1.11, src/exec/exec.cpp): it
// registers once, comes back when it is asked only, and takes nothing while it believes itself cut off.
import type { ContainerLaunch } from '#mesos/agent/types.ts';
import { addressOf } from '#mesos/libprocess/endpoint.ts';
import { decode, encode, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages, TaskInfo, TaskStatus } from '#wire/mesos/v1.ts';
import type { DriverMessageName } from '#mesos/agent/driver-executors.ts';
import { CustomExecutor } from './custom-executor.ts';
import { Links } from './links.ts';
import type { Machine } from './machine.ts';

/** Of Mesos' fifteen minutes, which would make runs long. */
const RECOVERY_TIMEOUT_MS = 5 * 60_000;
const FIRST_PORT = 30_000;

export function driverUpid(address: string): string {
  return `executor(1)@${address}`;
}

/** The lowest port that nobody listens at: often that of one which has ended. */
function freeAddress(machine: Machine): string {
  for (let port = FIRST_PORT; ; port += 1) {
    const address = `${machine.name}:${port}`;
    if (machine.driverAt(address) === undefined) return address;
  }
}

export class DriverExecutor extends CustomExecutor {
  readonly address: string;
  readonly #links: Links;
  readonly #agentAddress: string;
  readonly #ids: Pick<Messages['ReregisterExecutorMessage'], 'executor_id' | 'framework_id'>;
  #isConnected = false;
  /** Nothing that comes is looked at any more. */
  #isAborted = false;
  #connections = 0;
  /** Taken, and not begun yet. */
  readonly #waiting = new Set<string>();

  constructor(machine: Machine, launch: ContainerLaunch, pid: number) {
    super(machine, launch, pid);
    this.address = freeAddress(machine);
    this.#agentAddress = addressOf(machine.upid);
    this.#ids = {
      executor_id: { value: launch.key.executorId },
      framework_id: { value: launch.key.frameworkId },
    };
    this.#links = new Links({
      network: machine.world.network,
      life: this.life,
      lifeAt: () => machine.agent?.life,
      onExited: () => this.#agentExited(),
    });
  }

  fromAgent(name: MessageName, body: Uint8Array): void {
    if (this.ended !== undefined || this.#isAborted) return;
    this.machine.world.tell(() => `${this.launch.key.executorId} <- agent: ${name}`);
    switch (name) {
      case 'ExecutorRegisteredMessage':
      case 'ExecutorReregisteredMessage':
        this.#isConnected = true;
        this.#connections += 1;
        return;
      case 'ReconnectExecutorMessage':
        this.#comeBack();
        return;
      case 'RunTaskMessage':
        if (this.#isConnected) this.#run(decode(name, body));
        return;
      case 'KillTaskMessage': {
        const { task_id } = decode(name, body);
        const isEarly = this.#waiting.delete(task_id.value);
        if (isEarly) this.update(task_id.value, 'TASK_KILLED');
        else this.onEvent({ type: 'KILL', kill: { task_id } });
        return;
      }
      case 'StatusUpdateAcknowledgementMessage': {
        if (!this.#isConnected) return;
        const { task_id, uuid } = decode(name, body);
        this.onEvent({ type: 'ACKNOWLEDGED', acknowledged: { task_id, uuid } });
        return;
      }
      case 'ShutdownExecutorMessage':
        this.#abort();
        return;
      default:
    }
  }

  protected override connect(): void {
    this.#links.link(this.#agentAddress);
    this.#send('RegisterExecutorMessage', this.#ids);
  }

  /** What an executor does first takes its time. */
  protected override launched(task: TaskInfo): void {
    const { random } = this.machine.world;
    const id = task.task_id.value;
    this.#waiting.add(id);
    this.later(random.below(random.chance(0.3) ? 5_000 : 20), () => {
      if (this.#waiting.delete(id)) this.begin(task);
    });
  }

  protected override shutDown(): void {
    this.#waiting.clear();
    super.shutDown();
  }

  /** Also while it is cut off: it may arrive. */
  protected override say(status: TaskStatus): void {
    this.#send('StatusUpdateMessage', { update: this.#updateOf(status) });
  }

  #run({ task }: Messages['RunTaskMessage']): void {
    const id = task.task_id.value;
    // A driver ends itself then.
    const isTwice = this.isUnacknowledged(id);
    if (isTwice) this.machine.world.observer.failed(`a driver is given ${id} twice`);
    this.onEvent({ type: 'LAUNCH', launch: { task } });
  }

  #comeBack(): void {
    this.#links.relink(this.#agentAddress);
    const { tasks, updates } = this.unacknowledged();
    const body = {
      ...this.#ids,
      tasks: [...tasks],
      updates: updates.map((status) => this.#updateOf(status)),
    };
    this.#send('ReregisterExecutorMessage', body);
  }

  #agentExited(): void {
    if (this.ended !== undefined || this.#isAborted) return;
    if (this.launch.framework.checkpoint !== true || !this.#isConnected) {
      this.#abort();
      return;
    }
    this.#isConnected = false;
    const connection = this.#connections;
    this.later(RECOVERY_TIMEOUT_MS, () => {
      if (!this.#isConnected && this.#connections === connection) this.#abort();
    });
  }

  #abort(): void {
    this.#isAborted = true;
    this.shutDown();
  }

  #updateOf(status: TaskStatus): Messages['StatusUpdateMessage']['update'] {
    const { uuid, timestamp = 0 } = status;
    return { ...this.#ids, status, timestamp, ...(uuid === undefined ? {} : { uuid }) };
  }

  #send<N extends DriverMessageName>(name: N, body: Messages[N]): void {
    this.machine.world.tell(() => `${this.launch.key.executorId} -> agent: ${name}`);
    const bytes = encode(name, body);
    this.#links.send(this.#agentAddress, (to) => {
      const { agent } = this.machine;
      if (agent?.life === to) agent.fromDriver(driverUpid(this.address), name, bytes);
    });
  }
}
