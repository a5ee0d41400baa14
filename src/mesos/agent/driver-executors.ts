// Executors on Mesos' old drivers (v0): libprocess messages on their side, and on the agent's the same inputs and events
// as those of the v1 API. A driver registers once, and comes back when it is asked (inventory section 7; Mesos 1.11).
import type { Log } from '#env/env.ts';
import type { Upid } from '#mesos/libprocess/endpoint.ts';
import { decode, type MessageName } from '#wire/mesos/codec.ts';
import type { ExecutorEvent, Messages, StatusUpdate, TaskStatus } from '#wire/mesos/v1.ts';
import type { AgentCore } from './core.ts';
import type { AgentInput, ConnectionId, ExecutorKey } from './types.ts';

const NAMES = [
  'RegisterExecutorMessage',
  'ReregisterExecutorMessage',
  'StatusUpdateMessage',
  'ExecutorToFrameworkMessage',
] as const;
export type DriverMessageName = (typeof NAMES)[number];

/** Whether a message is one that only executors send to an agent. */
export function isDriverMessage(name: string): name is DriverMessageName {
  return (NAMES as readonly string[]).includes(name);
}

export interface DriverPorts {
  readonly core: AgentCore;
  readonly log: Pick<Log, 'warn'>;
  /** Executors must prove who they are, which a driver cannot. */
  readonly wantsTokens: boolean;
  readonly nextConnection: () => ConnectionId;
  onInput(input: AgentInput): void;
  send<N extends MessageName>(to: Upid, name: N, body: Messages[N]): void;
  /** Its end is told by `exited`. */
  link(to: Upid): void;
  unlink(to: Upid): void;
}

interface Session {
  readonly upid: Upid;
  readonly key: ExecutorKey;
  readonly connection: ConnectionId;
  readonly isBack: boolean;
  /** It is known to have (re-)registered. */
  isGreeted: boolean;
  /** Its link broke, and it was asked to come back. */
  isAsked: boolean;
}

export class DriverExecutors {
  readonly #ports: DriverPorts;
  readonly #byUpid = new Map<Upid, Session>();
  readonly #byConnection = new Map<ConnectionId, Session>();

  constructor(ports: DriverPorts) {
    this.#ports = ports;
  }

  onMessage(from: Upid, name: DriverMessageName, body: Uint8Array): void {
    switch (name) {
      case 'RegisterExecutorMessage': {
        const { framework_id, executor_id } = decode(name, body);
        const key = { frameworkId: framework_id.value, executorId: executor_id.value };
        this.#open(from, key, undefined);
        return;
      }
      case 'ReregisterExecutorMessage': {
        const message = decode(name, body);
        const { framework_id, executor_id } = message;
        const key = { frameworkId: framework_id.value, executorId: executor_id.value };
        this.#open(from, key, message);
        return;
      }
      case 'StatusUpdateMessage':
        this.#updated(from, decode(name, body).update);
        return;
      case 'ExecutorToFrameworkMessage': {
        const { data } = decode(name, body);
        const session = this.#sessionOf(from, name);
        if (session === undefined) return;
        this.#ports.onInput({ kind: 'executor-message', key: session.key, data });
        return;
      }
      default:
    }
  }

  /** False: the connection is not that of a driver. */
  send(connection: ConnectionId, event: ExecutorEvent): boolean {
    const session = this.#byConnection.get(connection);
    if (session !== undefined) this.#tell(session, event);
    return session !== undefined;
  }

  /** After what was sent. One that was not let in is told to end, as it will not try again. False: it is no driver's. */
  close(connection: ConnectionId): boolean {
    const session = this.#byConnection.get(connection);
    if (session === undefined) return false;
    if (!session.isGreeted) this.#ports.send(session.upid, 'ShutdownExecutorMessage', {});
    this.#byConnection.delete(connection);
    if (this.#byUpid.get(session.upid) === session) {
      this.#byUpid.delete(session.upid);
      this.#ports.unlink(session.upid);
    }
    return true;
  }

  /** Asks a driver for what it has; it may have registered with an earlier life of this agent. */
  reconnect(upid: Upid): void {
    this.#ports.link(upid);
    const body = { agent_id: { value: this.#ports.core.agentId ?? '' } };
    this.#ports.send(upid, 'ReconnectExecutorMessage', body);
  }

  /**
   * The connection to it broke: it may have taken that for the end of this agent, so it is asked once. Its own end is
   * told by its container. False: nobody knows of it.
   */
  exited(upid: Upid): boolean {
    const session = this.#byUpid.get(upid);
    if (session === undefined) return false;
    if (session.isGreeted && !session.isAsked) {
      session.isAsked = true;
      this.reconnect(upid);
    }
    return true;
  }

  /** `again`: what it says that it has, when it was asked to come back. */
  #open(
    upid: Upid,
    key: ExecutorKey,
    again: Messages['ReregisterExecutorMessage'] | undefined,
  ): void {
    const { core, wantsTokens, log } = this.#ports;
    if (wantsTokens) log.warn('An executor has no token: its driver cannot show one', { ...key });
    if (wantsTokens || core.master.kind === 'recovering') {
      this.#ports.send(upid, 'ShutdownExecutorMessage', {});
      return;
    }
    const known = this.#byUpid.get(upid);
    const isBack = again !== undefined;
    // It registers once; at the port of one whose end is not told yet there may be another executor by now.
    if (known !== undefined && !isBack && isSame(known.key, key)) return;
    const connection = this.#ports.nextConnection();
    const session = { upid, key, connection, isBack, isGreeted: false, isAsked: false };
    this.#byUpid.set(upid, session);
    this.#byConnection.set(connection, session);
    this.#ports.onInput({
      kind: 'executor-subscribed',
      key,
      connection,
      driver: { upid, isBack },
      unacknowledgedTasks: again?.tasks ?? [],
      unacknowledgedUpdates: (again?.updates ?? []).map(statusOf),
    });
  }

  #updated(from: Upid, update: StatusUpdate): void {
    const session = this.#sessionOf(from, 'StatusUpdateMessage');
    if (session === undefined) return;
    const status = statusOf(update);
    const problem = this.#ports.core.workloads.updateError(session.key, status);
    if (problem === undefined) {
      this.#ports.onInput({ kind: 'executor-update', key: session.key, status });
    } else this.#ports.log.warn('A status update of an executor is refused', { from, problem });
  }

  /** Only who has registered speaks for an executor. */
  #sessionOf(from: Upid, name: string): Session | undefined {
    const session = this.#byUpid.get(from);
    if (session === undefined) {
      this.#ports.log.warn('A message of an executor that is not registered', { from, name });
    }
    return session;
  }

  #tell(session: Session, event: ExecutorEvent): void {
    const { upid, key } = session;
    const { core, send } = this.#ports;
    const agent_id = { value: core.agentId ?? '' };
    const framework_id = { value: key.frameworkId };
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#greet(session, event);
        return;
      case 'LAUNCH': {
        const framework = core.workloads.frameworks.get(key.frameworkId);
        const task = event.launch?.task;
        if (framework === undefined || task === undefined) return;
        const { info, pid } = framework;
        // Drivers of before 0.23 do not read the message without the id and the pid.
        send(upid, 'RunTaskMessage', { framework_id, framework: info, task, pid });
        return;
      }
      case 'KILL': {
        const { task_id, kill_policy } = event.kill ?? {};
        if (task_id === undefined) return;
        const policy = kill_policy === undefined ? {} : { kill_policy };
        send(upid, 'KillTaskMessage', { framework_id, task_id, ...policy });
        return;
      }
      case 'ACKNOWLEDGED': {
        const { task_id, uuid } = event.acknowledged ?? {};
        if (task_id === undefined || uuid === undefined) return;
        const body = { agent_id, framework_id, task_id, uuid };
        send(upid, 'StatusUpdateAcknowledgementMessage', body);
        return;
      }
      case 'MESSAGE': {
        const data = event.message?.data ?? new Uint8Array();
        const executor_id = { value: key.executorId };
        send(upid, 'FrameworkToExecutorMessage', { agent_id, framework_id, executor_id, data });
        return;
      }
      case 'SHUTDOWN':
        send(upid, 'ShutdownExecutorMessage', {});
        // It is told by this already.
        session.isGreeted = true;
        return;
      default:
    }
  }

  #greet(session: Session, { subscribed }: ExecutorEvent): void {
    const { core, send, link } = this.#ports;
    const { upid, isBack, key } = session;
    if (subscribed === undefined) return;
    session.isGreeted = true;
    link(upid);
    const { executor_info, framework_info, agent_info } = subscribed;
    const agent_id = { value: core.agentId ?? '' };
    const about = { agent_id, slave_info: agent_info };
    if (isBack) send(upid, 'ExecutorReregisteredMessage', about);
    else {
      const framework_id = { value: key.frameworkId };
      const body = { executor_info, framework_id, framework_info, ...about };
      send(upid, 'ExecutorRegisteredMessage', body);
    }
  }
}

function isSame(one: ExecutorKey, other: ExecutorKey): boolean {
  return one.frameworkId === other.frameworkId && one.executorId === other.executorId;
}

/** A driver tells the id of an update beside its status, and leaves out who speaks: it does. */
function statusOf({ status, uuid, timestamp }: StatusUpdate): TaskStatus {
  return {
    ...status,
    ...(uuid === undefined ? {} : { uuid }),
    timestamp: status.timestamp ?? timestamp,
    source: 'SOURCE_EXECUTOR',
  };
}
