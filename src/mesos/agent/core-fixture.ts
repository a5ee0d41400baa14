// An agent core on told time for tests, and what it wants from its shell.
import { SimRandom } from '#env/sim/random.ts';
import { uuidBytes } from '#mesos/executor/uuid.ts';
import type { FrameworkInfo, TaskInfo, TaskStatus } from '#wire/mesos/v1.ts';
import { AgentCore } from './core.ts';
import type { AgentEffect, AgentInput, AgentOptions, FromMaster, RecoveredAgent } from './types.ts';

export const FRAMEWORK: FrameworkInfo = {
  id: { value: 'f' },
  user: 'root',
  name: 'f',
  checkpoint: true,
  capabilities: [{ type: 'PARTITION_AWARE' }],
};

/** An agent with a clock of its own, which keeps what it wanted. */
export class Agent {
  readonly random: SimRandom;
  now = 0;
  effects: AgentEffect[] = [];
  readonly core: AgentCore;
  connection = 0;
  /** On which connection of the master's its messages come. */
  masterConnection = 1;

  constructor(
    recovered: RecoveredAgent = { info: undefined, frameworks: [] },
    more: Partial<AgentOptions> = {},
  ) {
    // Another life draws other ids.
    this.random = new SimRandom(recovered.info === undefined ? 1 : 2);
    this.core = new AgentCore(
      {
        info: { hostname: 'h', resources: [] },
        upid: 'slave(1)@10.0.0.2:5051',
        version: '1.11.0',
        capabilities: [],
        registrationBackoffMs: 1_000,
        registrationBackoffMsMax: 60_000,
        updateRetryMs: 10_000,
        updateRetryMsMax: 600_000,
        executorRegistrationTimeoutMs: 60_000,
        executorReregistrationTimeoutMs: 2_000,
        executorShutdownGraceMs: 5_000,
        completedFrameworksMax: 50,
        completedExecutorsMax: 150,
        completedTasksMax: 200,
        ...more,
      },
      {
        uuid: () => this.random.uuid(),
        uuidBytes: () => uuidBytes(this.random.uuid()),
        next: () => this.random.next(),
      },
    );
    this.input({ kind: 'recovered', state: recovered });
  }

  static registered(recovered?: RecoveredAgent): Agent {
    const agent = new Agent(recovered);
    agent.input({ kind: 'master-found', address: 'm:5050' });
    const body = { agent_id: { value: 'a' }, connection: { total_ping_timeout_seconds: 75 } };
    const name = recovered === undefined ? 'SlaveRegisteredMessage' : 'SlaveReregisteredMessage';
    agent.master({ name, body });
    agent.effects = [];
    return agent;
  }

  input(input: AgentInput): void {
    this.effects.push(...this.core.handle(input, this.now));
  }

  master(message: FromMaster): void {
    this.input({ kind: 'master-message', message, connection: this.masterConnection });
  }

  /** Lets time pass, ticking when the core wants it. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (let at = this.core.nextDeadline(); at <= until; at = this.core.nextDeadline()) {
      this.now = Math.max(this.now, at);
      this.input({ kind: 'tick' });
    }
    this.now = until;
  }

  runTask(id: string, info: FrameworkInfo = FRAMEWORK, more: Partial<TaskInfo> = {}): void {
    const task: TaskInfo = {
      name: id,
      task_id: { value: id },
      agent_id: { value: 'a' },
      command: { value: 'sleep 9' },
      ...more,
    };
    this.master({ name: 'RunTaskMessage', body: { framework: info, task } });
  }

  subscribe(executorId: string, tasks: TaskInfo[] = []): number {
    this.connection += 1;
    this.input({
      kind: 'executor-subscribed',
      key: { frameworkId: 'f', executorId },
      connection: this.connection,
      unacknowledgedTasks: tasks,
      unacknowledgedUpdates: [],
    });
    return this.connection;
  }

  update(executorId: string, taskId: string, state: TaskStatus['state']): Uint8Array {
    const uuid = uuidBytes(this.random.uuid());
    const status = { task_id: { value: taskId }, state, uuid, source: 'SOURCE_EXECUTOR' } as const;
    this.input({ kind: 'executor-update', key: { frameworkId: 'f', executorId }, status });
    return uuid;
  }

  acknowledge(taskId: string, uuid: Uint8Array): void {
    const body = { framework_id: { value: 'f' }, task_id: { value: taskId }, uuid };
    this.master({ name: 'StatusUpdateAcknowledgementMessage', body });
  }

  end(executorId: string, message = 'Executor ended'): void {
    const found = this.core.workloads.executor({ frameworkId: 'f', executorId });
    const containerId = found?.containerId ?? '';
    this.input({ kind: 'container-ended', containerId, end: { message } });
  }

  /** What it wanted since the last look, in short words. */
  take(): string[] {
    return this.effects.splice(0).map(words);
  }
}

function words(effect: AgentEffect): string {
  switch (effect.kind) {
    case 'send-master': {
      const { update } = effect.body as { update?: { status: TaskStatus; latest_state: string } };
      if (update === undefined) return effect.name;
      const { state, reason } = update.status;
      return [state, reason, `latest ${update.latest_state}`].filter(Boolean).join(' ');
    }
    case 'executor-event':
      return `${effect.event.type} to ${effect.connection}`;
    case 'checkpoint':
      return `checkpoint ${effect.record.kind}`;
    case 'close-executor':
      return `close ${effect.connection}`;
    default:
      return effect.kind;
  }
}
