// The agent core's border: everything that can happen to an agent, and everything it can want.
// The shell and the simulator translate both; the core never sees a socket, a file or a clock.
import type { Instant } from '#env/env.ts';
import type {
  AgentID,
  AgentInfo,
  AgentInfo_Capability,
  DrainConfig,
  ExecutorEvent,
  ExecutorInfo,
  FrameworkInfo,
  KillPolicy,
  Messages,
  NetworkInfo,
  Operation,
  ProvidedRegistry,
  ProvidedResourceProvider,
  Resource,
  ResourceProviderCall,
  ResourceProviderEvent,
  ResourceProviderInfo,
  StatusUpdate,
  Task,
  TaskInfo,
  TaskStatus,
  TaskStatus_Reason,
} from '#wire/mesos/v1.ts';
import type { Limits } from './executor-bounds.ts';

export interface AgentOptions {
  /** Without `id`: that is the master's to give (or recovered). */
  readonly info: AgentInfo;
  /** `slave(1)@IP:PORT`, told to the master with each status update. */
  readonly upid: string;
  readonly version: string;
  readonly capabilities: readonly AgentInfo_Capability[];
  /** First and longest wait between attempts to register. */
  readonly registrationBackoffMs: number;
  readonly registrationBackoffMsMax: number;
  /** First and longest wait before an unacknowledged status update is sent again. */
  readonly updateRetryMs: number;
  readonly updateRetryMsMax: number;
  readonly executorRegistrationTimeoutMs: number;
  readonly executorReregistrationTimeoutMs: number;
  /** Drivers of before this start are asked again to come back; undefined: once, as they answer once. */
  readonly executorReconnectMs?: number | undefined;
  readonly executorShutdownGraceMs: number;
  readonly completedFrameworksMax: number;
  readonly completedExecutorsMax: number;
  readonly completedTasksMax: number;
}

/** The core's only sources of chance, given from outside so that a seed decides them. */
export interface AgentChance {
  uuid(): string;
  uuidBytes(): Uint8Array;
  /** Uniform in [0, 1). */
  next(): number;
}

export interface ExecutorKey {
  readonly frameworkId: string;
  readonly executorId: string;
}

/** Identifies one SUBSCRIBE stream, driver or built-in executor; given out by the shell. */
export type ConnectionId = number;

/** An executor that speaks libprocess (v0). */
export interface ExecutorDriver {
  /** `executor(1)@IP:PORT` */
  readonly upid: string;
  /** It was asked to come back. */
  readonly isBack: boolean;
}

/** Messages of the master, by their protobuf name; fields in v1 style. */
export type FromMaster =
  | { readonly name: 'SlaveRegisteredMessage'; readonly body: Registered }
  | { readonly name: 'SlaveReregisteredMessage'; readonly body: Reregistered }
  | {
      readonly name: 'PingSlaveMessage';
      /** The observer that wants the answer: `slave-observer(1)@IP:PORT`. */
      readonly from: string;
      readonly body: { readonly connected: boolean };
    }
  | { readonly name: 'RunTaskMessage'; readonly body: RunTask }
  | { readonly name: 'RunTaskGroupMessage'; readonly body: RunTaskGroup }
  | { readonly name: 'KillTaskMessage'; readonly body: KillTask }
  | { readonly name: 'StatusUpdateAcknowledgementMessage'; readonly body: UpdateAcknowledged }
  | { readonly name: 'FrameworkToExecutorMessage'; readonly body: ExecutorData }
  | { readonly name: 'ShutdownFrameworkMessage'; readonly body: { framework_id: Id } }
  | {
      readonly name: 'ShutdownExecutorMessage';
      readonly body: { framework_id?: Id | undefined; executor_id?: Id | undefined };
    }
  | {
      readonly name: 'UpdateFrameworkMessage';
      readonly body: { framework_id: Id; pid?: string; framework_info?: FrameworkInfo };
    }
  | { readonly name: 'ShutdownMessage'; readonly body: { message?: string | undefined } }
  | { readonly name: 'DrainSlaveMessage'; readonly body: Messages['DrainSlaveMessage'] }
  | AboutResources;

/** Messages about what this agent has. */
export type AboutResources = {
  [
    Name in
      | 'ApplyOperationMessage'
      | 'AcknowledgeOperationStatusMessage'
      | 'ReconcileOperationsMessage'
      | 'CheckpointResourcesMessage'
  ]: { readonly name: Name; readonly body: Messages[Name] };
}[
  | 'ApplyOperationMessage'
  | 'AcknowledgeOperationStatusMessage'
  | 'ReconcileOperationsMessage'
  | 'CheckpointResourcesMessage'];

export interface Id {
  readonly value: string;
}
interface Connection {
  readonly total_ping_timeout_seconds?: number | undefined;
}
interface Registered {
  readonly agent_id: AgentID;
  readonly connection?: Connection | undefined;
}
interface Reregistered extends Registered {
  readonly reconciliations?: readonly Reconciliation[] | undefined;
}
export interface Reconciliation {
  readonly framework_id: Id;
  readonly framework?: FrameworkInfo | undefined;
  readonly statuses?: readonly TaskStatus[] | undefined;
}
export interface RunTask {
  readonly framework: FrameworkInfo;
  readonly task: TaskInfo;
  readonly pid?: string | undefined;
  readonly launch_executor?: boolean | undefined;
}
export interface RunTaskGroup {
  readonly framework: FrameworkInfo;
  readonly executor: ExecutorInfo;
  readonly task_group: { readonly tasks?: readonly TaskInfo[] | undefined };
  readonly launch_executor?: boolean | undefined;
}
interface KillTask {
  readonly framework_id: Id;
  readonly task_id: Id;
  readonly kill_policy?: KillPolicy | undefined;
}
interface UpdateAcknowledged {
  readonly framework_id: Id;
  readonly task_id: Id;
  readonly uuid: Uint8Array;
}
interface ExecutorData {
  readonly framework_id: Id;
  readonly executor_id: Id;
  readonly data: Uint8Array;
}
/** How a container ended, or why it never ran. */
export interface ContainerEnd {
  /** As wait(2) gives it: exit code << 8, or the signal; absent when it never ran. */
  readonly waitStatus?: number | undefined;
  readonly reason?: TaskStatus_Reason | undefined;
  readonly message: string;
  /** Of which resources it had more than it may. */
  readonly limitation?: readonly Resource[] | undefined;
}

/** What can happen. Every method of the core takes `now` besides. */
export type AgentInput =
  | { readonly kind: 'master-found'; readonly address: string }
  /** The link broke or the master is being looked for again. */
  | { readonly kind: 'master-lost' }
  /** `connection`: larger for what came on a connection that the master made later. */
  | {
      readonly kind: 'master-message';
      readonly message: FromMaster;
      readonly connection: number;
    }
  | {
      readonly kind: 'executor-subscribed';
      readonly key: ExecutorKey;
      readonly connection: ConnectionId;
      readonly unacknowledgedTasks: readonly TaskInfo[];
      readonly unacknowledgedUpdates: readonly TaskStatus[];
      readonly driver?: ExecutorDriver | undefined;
    }
  | { readonly kind: 'executor-disconnected'; readonly connection: ConnectionId }
  | { readonly kind: 'executor-update'; readonly key: ExecutorKey; readonly status: TaskStatus }
  | { readonly kind: 'executor-message'; readonly key: ExecutorKey; readonly data: Uint8Array }
  /** `networks`: those that it has joined, where it is not in the host's. */
  | {
      readonly kind: 'container-started';
      readonly containerId: string;
      readonly pid: number | undefined;
      readonly networks?: readonly NetworkInfo[] | undefined;
      /** Of its packets. */
      readonly netClass?: number | undefined;
    }
  | { readonly kind: 'container-ended'; readonly containerId: string; readonly end: ContainerEnd }
  /** It uses more of something than it may, and is to end. */
  | {
      readonly kind: 'container-limited';
      readonly containerId: string;
      readonly reason: TaskStatus_Reason;
      readonly message: string;
      readonly limitation: readonly Resource[];
    }
  | { readonly kind: 'recovered'; readonly state: RecoveredAgent }
  /** All that may be offered a second time, as the estimator has it now. */
  | { readonly kind: 'oversubscribed'; readonly resources: readonly Resource[] }
  /** The QoS controller wants an executor ended. */
  | { readonly kind: 'qos-correction'; readonly key: ExecutorKey; readonly containerId: string }
  | {
      readonly kind: 'provider-subscribed';
      readonly connection: ConnectionId;
      readonly info: ResourceProviderInfo;
    }
  | { readonly kind: 'provider-call'; readonly id: string; readonly call: ResourceProviderCall }
  | { readonly kind: 'provider-disconnected'; readonly connection: ConnectionId }
  | { readonly kind: 'provider-gone'; readonly id: string }
  /** A deadline of `nextDeadline()` passed. */
  | { readonly kind: 'tick' }
  /** The operator's SIGUSR1: end everything, leave the cluster, exit. */
  | { readonly kind: 'leave' };

export type ExecutorSubscribed = Extract<AgentInput, { readonly kind: 'executor-subscribed' }>;

export interface ContainerLaunch {
  readonly key: ExecutorKey;
  readonly containerId: string;
  readonly executor: ExecutorInfo;
  readonly framework: FrameworkInfo;
  readonly agentId: string;
  /** The task's own, the executor's, or the framework's user. */
  readonly user: string;
  /** `command`: made by the agent for one command task; both built-in kinds run in the agent. */
  readonly type: 'command' | 'default' | 'custom';
  readonly resources: readonly Resource[];
  /** By the limits of its tasks. */
  readonly limits?: Limits | undefined;
}

export type CheckpointRecord =
  | { readonly kind: 'agent'; readonly info: AgentInfo }
  | { readonly kind: 'framework'; readonly info: FrameworkInfo; readonly pid: string }
  | {
      readonly kind: 'executor';
      readonly key: ExecutorKey;
      readonly containerId: string;
      readonly info: ExecutorInfo;
    }
  | {
      readonly kind: 'executor-driver';
      readonly key: ExecutorKey;
      readonly containerId: string;
      readonly upid: string;
    }
  | {
      readonly kind: 'task';
      readonly key: ExecutorKey;
      readonly containerId: string;
      readonly task: Task;
    }
  | {
      readonly kind: 'update' | 'acknowledgement';
      readonly key: ExecutorKey;
      readonly containerId: string;
      readonly taskId: string;
      /** `update`: the whole of it. */
      readonly update?: StatusUpdate | undefined;
      readonly uuid: Uint8Array;
    }
  | { readonly kind: 'executor-done'; readonly key: ExecutorKey; readonly containerId: string }
  | { readonly kind: 'framework-done'; readonly frameworkId: string }
  | ({ readonly kind: 'resources' } & KeptResources)
  | { readonly kind: 'providers'; readonly registry: ProvidedRegistry }
  /** `config`: undefined when the agent is drained. */
  | { readonly kind: 'drain'; readonly config: DrainConfig | undefined }
  /** The next start is that of a new agent. */
  | { readonly kind: 'agent-gone' };

/** What the agent wants, in order; a checkpoint is durable before what follows it is done. */
export type AgentEffect =
  | {
      readonly kind: 'send-master';
      readonly name: string;
      readonly body: unknown;
      /** Another process of the master's than `master@…`. */
      readonly to?: string | undefined;
    }
  | { readonly kind: 'checkpoint'; readonly record: CheckpointRecord }
  | {
      readonly kind: 'executor-event';
      readonly connection: ConnectionId;
      readonly event: ExecutorEvent;
    }
  | { readonly kind: 'close-executor'; readonly connection: ConnectionId }
  /** A driver of an earlier life of this agent is asked to come back. */
  | { readonly kind: 'reconnect-executor'; readonly upid: string }
  | {
      readonly kind: 'provider-event';
      readonly connection: ConnectionId;
      readonly event: ResourceProviderEvent;
    }
  | { readonly kind: 'close-provider'; readonly connection: ConnectionId }
  | { readonly kind: 'launch-container'; readonly launch: ContainerLaunch }
  | {
      readonly kind: 'update-container';
      readonly containerId: string;
      readonly resources: readonly Resource[];
      readonly limits: Limits;
    }
  | { readonly kind: 'destroy-container'; readonly containerId: string }
  /** All is acknowledged: its runtime state may go. */
  | { readonly kind: 'forget-container'; readonly containerId: string }
  | { readonly kind: 'log'; readonly message: string; readonly fields: Record<string, unknown> }
  /** Exit: `leave` for good, or `restart` as a new agent (the master told us to shut down). */
  | { readonly kind: 'exit'; readonly how: 'leave' | 'restart'; readonly message: string };

/** What was made of the configured resources, and operations not acknowledged yet. */
export interface KeptResources {
  readonly resources: readonly Resource[];
  readonly operations: readonly Operation[];
}

export interface RecoveredAgent {
  readonly info: AgentInfo | undefined;
  /** The machine was started anew since: nothing that ran does any more. */
  readonly isRebooted?: boolean | undefined;
  readonly drain?: DrainConfig | undefined;
  readonly resources?: KeptResources | undefined;
  readonly providers?: readonly ProvidedResourceProvider[] | undefined;
  readonly frameworks: readonly RecoveredFramework[];
}
export interface RecoveredFramework {
  readonly info: FrameworkInfo;
  readonly pid: string;
  readonly executors: readonly RecoveredExecutor[];
}
export interface RecoveredExecutor {
  readonly info: ExecutorInfo;
  readonly containerId: string;
  /** Where its driver is, if it speaks libprocess. */
  readonly driver?: string | undefined;
  readonly tasks: readonly RecoveredTask[];
}
export interface RecoveredTask {
  readonly task: Task;
  /** In the order in which they came. */
  readonly updates: readonly StatusUpdate[];
  readonly acknowledged: readonly Uint8Array[];
}

export type { Instant };
