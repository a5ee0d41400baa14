// The executor library: connects to the agent that started this process, keeps what the agent has not
// acknowledged, and connects again when the agent restarts (Mesos 1.11, v1 executor API).
import { existsSync } from 'node:fs';
import { Fault } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import { parseJson, stringify } from '#wire/mesos/codec.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import type {
  ExecutorCall,
  ExecutorCall_Update,
  ExecutorEvent,
  TaskInfo,
  TaskStatus,
} from '#wire/mesos/v1.ts';
import { openRecordStream, orderedAgent, post, type RecordStream } from './http.ts';

export interface ExecutorClientOptions {
  readonly agentUrl: string;
  /** A socket in the file system that leads to the same agent, whose answers are those of `agentUrl`. */
  readonly socketPath?: string | undefined;
  readonly frameworkId: string;
  readonly executorId: string;
  /** Whether the agent checkpoints, so that it may come back. */
  readonly checkpoint: boolean;
  readonly recoveryTimeoutMs: number;
  readonly backoffMsMax: number;
  readonly authorization?: string | undefined;
  readonly tls?: TlsSettings | undefined;
}

/** A Mesos duration such as `15mins`, `2secs`, `500ms`. */
export function parseMesosDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ns|us|ms|secs|mins|hrs|days|weeks)$/.exec(text);
  const units: Readonly<Record<string, number>> = {
    ns: 1e-6,
    us: 1e-3,
    ms: 1,
    secs: 1e3,
    mins: 6e4,
    hrs: 3.6e6,
    days: 8.64e7,
    weeks: 6.048e8,
  };
  return match === null ? undefined : Number(match[1]) * (units[match[2] ?? ''] ?? 0);
}

/** Reads what an agent tells its executors by their environment. */
export function executorOptions(
  environment: Readonly<Record<string, string | undefined>>,
  tls?: TlsSettings,
): ExecutorClientOptions {
  const need = (name: string): string => {
    const value = environment[name];
    if (value === undefined) {
      throw new Fault(
        { code: 'no-executor-environment', name },
        `Cannot run as an executor: ${name} is not set`,
      );
    }
    return value;
  };
  const token = environment['MESOS_EXECUTOR_AUTHENTICATION_TOKEN'];
  const socketPath = environment['MESOS_DOMAIN_SOCKET'];
  // In a root of its own an executor does not see it; nor is TLS spoken on it.
  const hasSocket = socketPath !== undefined && existsSync(socketPath);
  const secured = hasSocket ? undefined : tls;
  const [process = ''] = hasSocket ? need('MESOS_SLAVE_PID').split('@') : [];
  const endpoint = need('MESOS_AGENT_ENDPOINT');
  return {
    agentUrl: hasSocket
      ? `http://localhost/${process}`
      : `${secured === undefined ? 'http' : 'https'}://${endpoint}`,
    ...(hasSocket ? { socketPath } : {}),
    ...(secured === undefined ? {} : { tls: secured }),
    frameworkId: need('MESOS_FRAMEWORK_ID'),
    executorId: need('MESOS_EXECUTOR_ID'),
    checkpoint: environment['MESOS_CHECKPOINT'] === '1',
    recoveryTimeoutMs: parseMesosDuration(environment['MESOS_RECOVERY_TIMEOUT'] ?? '') ?? 900_000,
    backoffMsMax: parseMesosDuration(environment['MESOS_SUBSCRIPTION_BACKOFF_MAX'] ?? '') ?? 2_000,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}

export interface ExecutorHandlers {
  readonly onEvent: (event: ExecutorEvent) => void;
  /** The agent did not come back in time, or said SHUTDOWN long ago: the executor is on its own. */
  readonly onAbandoned: () => void;
}

const RECONNECT_MS_MIN = 50;

/** A call before the ids of executor and framework are put on it. */
type OpenCall = Omit<ExecutorCall, 'executor_id' | 'framework_id'>;

export class ExecutorClient {
  readonly #options: ExecutorClientOptions;
  readonly #handlers: ExecutorHandlers;
  readonly #env: Env;
  readonly #agent = orderedAgent();
  readonly #unacknowledgedTasks = new Map<string, TaskInfo>();
  readonly #unacknowledged = new Map<string, ExecutorCall_Update>();
  #subscribedWith: ReadonlySet<string> = new Set();
  #stream: RecordStream | undefined;
  #isConnected = false;
  #isClosed = false;
  #failures = 0;
  #lostAtMs: number | undefined;
  #retry: Timer | undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(options: ExecutorClientOptions, handlers: ExecutorHandlers, env: Env) {
    this.#options = options;
    this.#handlers = handlers;
    this.#env = env;
  }

  start(): void {
    void this.#connect();
  }

  /** Updates and tasks of an earlier life of this executor that were not acknowledged then. */
  restore(updates: readonly ExecutorCall_Update[], tasks: readonly TaskInfo[]): void {
    for (const update of updates) this.#remember(update);
    for (const task of tasks) this.#unacknowledgedTasks.set(task.task_id.value, task);
  }

  /** Queued until acknowledged: sent now when connected, and with every new subscription. */
  sendUpdate(status: TaskStatus): void {
    const uuid = status.uuid ?? this.#newUuid();
    const timestamp = status.timestamp ?? this.#env.clock.now() / 1_000;
    const update: ExecutorCall_Update = {
      status: {
        ...status,
        uuid,
        timestamp,
        source: 'SOURCE_EXECUTOR',
        executor_id: { value: this.#options.executorId },
      },
    };
    this.#remember(update);
    if (this.#isConnected) this.#post({ type: 'UPDATE', update });
  }

  sendMessage(data: Uint8Array): void {
    if (this.#isConnected) this.#post({ type: 'MESSAGE', message: { data } });
  }

  /** Resolves when every update was acknowledged, or after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    const deadline = this.#env.clock.monotonicMs() + limitMs;
    while (this.#unacknowledged.size > 0 && this.#env.clock.monotonicMs() < deadline) {
      await new Promise<void>((done) => this.#env.timers.after(20, done));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#stream?.close();
    this.#agent.destroy();
  }

  #newUuid(): Uint8Array {
    return new Uint8Array(Buffer.from(this.#env.random.uuid().replaceAll('-', ''), 'hex'));
  }

  #remember(update: ExecutorCall_Update): void {
    this.#unacknowledged.set(Buffer.from(update.status.uuid ?? []).toString('hex'), update);
  }

  #call(call: OpenCall): string {
    const { executorId, frameworkId } = this.#options;
    return stringify('ExecutorCall', {
      ...call,
      executor_id: { value: executorId },
      framework_id: { value: frameworkId },
    });
  }

  #request(call: OpenCall) {
    const { agentUrl, socketPath, authorization, tls } = this.#options;
    return {
      socketPath,
      url: `${agentUrl}/api/v1/executor`,
      body: this.#call(call),
      contentType: 'application/json' as const,
      headers: authorization === undefined ? {} : { Authorization: authorization },
      tls,
    };
  }

  #post(call: OpenCall): void {
    const request = { ...this.#request(call), agent: this.#agent };
    this.#sending = this.#sending
      .then(() => post(request))
      .then(
        () => {},
        // A lost update is sent again with the next subscription; a broken stream brings that.
        (error: unknown) => this.#env.log.debug('A call to the agent failed', { error }),
      );
  }

  async #connect(): Promise<void> {
    if (this.#isClosed) return;
    this.#subscribedWith = new Set(this.#unacknowledged.keys());
    const subscribe = {
      unacknowledged_tasks: [...this.#unacknowledgedTasks.values()],
      unacknowledged_updates: [...this.#unacknowledged.values()],
    };
    try {
      this.#stream = await openRecordStream(this.#request({ type: 'SUBSCRIBE', subscribe }), {
        onRecord: (record) => this.#onRecord(record),
        onEnd: () => this.#onEnd(),
      });
      if (this.#isClosed) this.#stream.close();
    } catch (error) {
      this.#env.log.debug('Cannot subscribe with the agent', { error });
      this.#onEnd();
    }
  }

  #onEnd(): void {
    if (this.#isClosed) return;
    this.#isConnected = false;
    this.#stream = undefined;
    const nowMs = this.#env.clock.monotonicMs();
    this.#lostAtMs ??= nowMs;
    const { checkpoint, recoveryTimeoutMs, backoffMsMax } = this.#options;
    if (nowMs - this.#lostAtMs > (checkpoint ? recoveryTimeoutMs : backoffMsMax)) {
      this.#handlers.onAbandoned();
      return;
    }
    this.#failures += 1;
    const most = Math.min(backoffMsMax, RECONNECT_MS_MIN * 2 ** Math.min(10, this.#failures));
    this.#retry = this.#env.timers.after(most * (0.5 + this.#env.random.next() / 2), () => {
      void this.#connect();
    });
  }

  #onRecord(record: Uint8Array): void {
    const event = parseJson('ExecutorEvent', Buffer.from(record).toString());
    if (event.type === 'SUBSCRIBED') {
      this.#isConnected = true;
      this.#failures = 0;
      this.#lostAtMs = undefined;
      // What was queued while the subscription was on its way has not been part of it.
      for (const [uuid, update] of this.#unacknowledged) {
        if (!this.#subscribedWith.has(uuid)) this.#post({ type: 'UPDATE', update });
      }
    }
    if (event.type === 'LAUNCH' && event.launch !== undefined) this.#onTask(event.launch.task);
    if (event.type === 'LAUNCH_GROUP') {
      for (const task of event.launch_group?.task_group.tasks ?? []) this.#onTask(task);
    }
    if (event.type === 'ACKNOWLEDGED' && event.acknowledged !== undefined) {
      this.#unacknowledged.delete(Buffer.from(event.acknowledged.uuid).toString('hex'));
      this.#unacknowledgedTasks.delete(event.acknowledged.task_id.value);
    }
    if (event.type === 'HEARTBEAT') return;
    this.#handlers.onEvent(event);
  }

  #onTask(task: TaskInfo): void {
    this.#unacknowledgedTasks.set(task.task_id.value, task);
  }
}
