// The master core's border: everything that it is told and everything that it asks its shell to do.
// The shell and the simulator translate both; the core sees no socket, file or clock.
import type { RegistryContent, RegistryWrite } from '#mesos/registry/registry.ts';
import type { AllocatorOptions } from '#mesos/allocator/allocator-core.ts';
import type { Resources } from '#mesos/resources/resources.ts';
import type { Tally } from '#mesos/resources/tally.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import type { CollectionOptions } from './collection.ts';
import type { OfferChain, OfferRecord } from './offer-book.ts';
import type { ToldAgent } from './told-offers.ts';
import type { Approvers, Authorizer } from '#mesos/security/authorizer.ts';
import type {
  AgentInfo,
  AgentInfo_Capability,
  DomainInfo,
  ExecutorInfo,
  FrameworkInfo,
  MasterEvent,
  Messages,
  Operation,
  ResourceProviderInfo,
  SchedulerEvent,
  SchedulerOfferConstraints,
  Task,
  TaskState,
} from '#wire/mesos/v1.ts';

/** Identifies one subscription stream; given out by the shell. */
export type ConnectionId = number;

/** Messages the master sends to agents, by protobuf name. */
export type ToAgentName =
  | 'SlaveRegisteredMessage'
  | 'SlaveReregisteredMessage'
  | 'PingSlaveMessage'
  | 'RunTaskMessage'
  | 'RunTaskGroupMessage'
  | 'KillTaskMessage'
  | 'StatusUpdateAcknowledgementMessage'
  | 'FrameworkToExecutorMessage'
  | 'ShutdownFrameworkMessage'
  | 'ShutdownExecutorMessage'
  | 'UpdateFrameworkMessage'
  | 'ShutdownMessage'
  | 'DrainSlaveMessage'
  | 'ApplyOperationMessage'
  | 'CheckpointResourcesMessage'
  | 'AcknowledgeOperationStatusMessage'
  | 'ReconcileOperationsMessage';
export type ToAgent = {
  [Name in ToAgentName]: { readonly name: Name; readonly body: Messages[Name] };
}[ToAgentName];

/** Messages of agents, by protobuf name. */
export type FromAgent = {
  [Name in FromAgentName]: { readonly name: Name; readonly body: Messages[Name] };
}[FromAgentName];

export const fromAgentNames = [
  'RegisterSlaveMessage',
  'ReregisterSlaveMessage',
  'UnregisterSlaveMessage',
  'UpdateSlaveMessage',
  'PongSlaveMessage',
  'StatusUpdateMessage',
  'ExitedExecutorMessage',
  'ExecutorToFrameworkMessage',
  'UpdateOperationStatusMessage',
] as const;
export type FromAgentName = (typeof fromAgentNames)[number];

export type MasterEffect =
  | { readonly kind: 'event'; readonly connection: ConnectionId; readonly event: SchedulerEvent }
  | { readonly kind: 'close'; readonly connection: ConnectionId }
  | {
      readonly kind: 'send';
      readonly to: string;
      readonly message: ToAgent;
      readonly from?: string | undefined;
    }
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'unlink'; readonly to: string }
  /** Make it durable; only then go on with `confirm(token)`. */
  | { readonly kind: 'persist'; readonly change: RegistryChange; readonly token: number }
  | { readonly kind: 'wake-at'; readonly at: number }
  /** The master must not go on; the message says why. */
  | { readonly kind: 'fail'; readonly message: string }
  /**
   * Something may be allocated; call `allocate` soon (many changes, one run). `isPatient`: only what
   * was refused, or what filters kept back: nobody is known to wait for it.
   */
  | { readonly kind: 'allocate-soon'; readonly isPatient: boolean }
  /** `task`: of which TASK_UPDATED tells; whose it is decides who is told. */
  | { readonly kind: 'operator-event'; readonly event: MasterEvent; readonly task?: Task };

export type RegistryChange = RegistryWrite;

/** What a restarted master knows from its registry. */
export type RecoveredRegistry = Pick<RegistryContent, 'agents' | 'unreachable' | 'weights'> &
  Partial<RegistryContent>;

export interface MasterOptions {
  /** A new one for each life of a master, as Mesos has it. */
  readonly masterId: string;
  readonly pid: string;
  readonly hostname: string;
  readonly ip: string;
  readonly port: number;
  readonly version: string;
  readonly agentPingTimeoutMs: number;
  readonly agentPingTimeoutsMax: number;
  readonly agentReregisterTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly completedFrameworksMax: number;
  readonly completedTasksMax: number;
  /** The oldest stream ends when there is one more; 1,000 when left out. */
  readonly operatorStreamsMax?: number | undefined;
  /** Of each framework; 1,000 when left out. */
  readonly unreachableTasksMax?: number | undefined;
  /** When agents that are unreachable or gone are forgotten; as Mesos does when left out. */
  readonly collection?: CollectionOptions | undefined;
  /** --root_submissions=false */
  readonly refusesRoot?: boolean | undefined;
  /** How fast agents that do not answer may be marked unreachable (--agent_removal_rate_limit). */
  readonly agentRemovalRate?: { readonly count: number; readonly perMs: number } | undefined;
  /** After a failover, the part of the agents that may stay away; above it the master ends. 1: all. */
  readonly recoveryRemovalLimit?: number | undefined;
  /** Offers that are not answered for so long are rescinded; never, when left out. */
  readonly offerTimeoutMs?: number | undefined;
  /** --roles: nobody may have another one, but for `*`. */
  readonly roleWhitelist?: ReadonlySet<string> | undefined;
  /** --weights: in effect when the registry has none. */
  readonly weights?: readonly { readonly role: string; readonly weight: number }[] | undefined;
  /** --whitelist: a file with the hosts of the agents that may be offered. */
  readonly whitelist?: string | undefined;
  /** --domain: where the master itself is. */
  readonly domain?: DomainInfo | undefined;
  readonly requiresAgentDomain?: boolean | undefined;
  /** --publish_per_framework_metrics=false */
  readonly hidesFrameworkMetrics?: boolean | undefined;
  /** How its peers are spoken to; undefined: without TLS. */
  readonly tls?: TlsSettings | undefined;
  /** Drivers (v0) register only after they have authenticated (--authenticate_frameworks). */
  readonly authenticatesFrameworks?: boolean | undefined;
  /** Who may do what (--acls); left out, everybody may do everything. */
  readonly authorizer?: Authorizer | undefined;
  /** Flags of the allocator; Mesos' defaults when left out. */
  readonly allocator?: AllocatorOptions | undefined;
}

export interface TaskRecord {
  readonly task: Task;
  readonly resources: Resources;
  /** Terminal in the agent; resources are given back, the acknowledgement is still to come. */
  isReleased: boolean;
}

export interface ExecutorRecord {
  readonly info: ExecutorInfo;
  readonly frameworkId: string;
  readonly agentId: string;
  readonly resources: Resources;
  /**
   * The agent did not name it when it came back, but a task for it was on its way; those tasks, as
   * `framework/task`, that it did name ran in an earlier executor of that id.
   */
  formerTasks: ReadonlySet<string> | undefined;
}

/** An operation on resources, until its end is acknowledged. */
export interface OperationRecord {
  readonly operation: Operation;
  /** Undefined: an operator asked for it. */
  readonly frameworkId: string | undefined;
  readonly agentId: string;
  /** Of its uuid; the key of `AgentRecord.operations`. */
  readonly key: string;
  /** The resource provider that does it; undefined: the agent. */
  readonly providerId: string | undefined;
  /** What it takes until its end is known; undefined: its outcome is foreseen, or it has ended. */
  held: Resources | undefined;
  /** `held` is out of the agent's total: its framework is not known. */
  isOrphan: boolean;
}

/** A resource provider of an agent. */
export interface ProviderRecord {
  info: ResourceProviderInfo;
  /** With what its pending operations take. */
  total: Resources;
  /** Changes when it refused something; operations carry it. */
  version: Uint8Array;
}

export interface FrameworkRecord {
  info: FrameworkInfo;
  /** What its principal may do. */
  approvers: Approvers;
  readonly id: string;
  connection: ConnectionId | undefined;
  /** Of its driver (v0), also while that is away; undefined: it speaks HTTP. */
  pid: string | undefined;
  isActive: boolean;
  /** Known from agents or from before, not yet subscribed with this master. */
  isRecovered: boolean;
  registeredAt: number;
  reregisteredAt: number;
  unregisteredAt: number | undefined;
  /** When it is removed unless it subscribes again. */
  failoverDeadline: number | undefined;
  suppressedRoles: Set<string>;
  offerConstraints: SchedulerOfferConstraints | undefined;
  readonly tasks: Map<string, TaskRecord>;
  readonly unreachableTasks: Map<string, Task>;
  readonly completedTasks: Task[];
  /** How many of `tasks` are in each state. */
  readonly states: Map<TaskState, number>;
  readonly executors: Set<ExecutorRecord>;
  readonly offers: OfferChain;
  /** Held by tasks that are not released and by executors. */
  readonly used: Tally;
  readonly offered: Tally;
  /** By the id that the framework gave; those without an id are only with their agent. */
  readonly operations: Map<string, OperationRecord>;
}

/** Its collections may be those that all share while they are empty (nothing.ts). */
export interface AgentRecord {
  info: AgentInfo;
  readonly id: string;
  pid: string;
  version: string;
  capabilities: readonly AgentInfo_Capability[];
  total: Resources;
  registeredAt: number;
  reregisteredAt: number | undefined;
  /** It has registered (again), and not told yet which operations it knows of. */
  isReportDue: boolean;
  isConnected: boolean;
  pingsMissed: number;
  nextPingAt: number;
  /** When it was told to drain. */
  drainStartedAt: number | undefined;
  /** frameworkId -> executorId */
  executors: Map<string, Map<string, ExecutorRecord>>;
  /** Those of all frameworks that are on it and not completed. */
  tasks: Set<TaskRecord>;
  readonly offers: OfferRecord[];
  /** What its offers have in common; undefined: to be made (told-offers.ts). */
  told: ToldAgent | undefined;
  /** Sums that holdings.ts keeps; undefined: to be added up again. */
  used: Resources | undefined;
  offered: Resources | undefined;
  pendingKills: Set<string>;
  /** By uuid in hexadecimal. */
  operations: Map<string, OperationRecord>;
  /** What was reserved and created on it since it was configured. */
  checkpointed: Resources;
  /** Changes when the agent refused something; launches and operations carry it. */
  resourceVersion: Uint8Array | undefined;
  /** By their ids. */
  readonly providers: Map<string, ProviderRecord>;
}

/** An operator: under which name, if any, and what they may do. */
export interface OperatorIdentity {
  readonly principal: string | undefined;
  readonly approvers: Approvers;
}

/** What other desks decide of agents and have to know of them. */
export interface AgentWatcher {
  isDown(hostname: string, pid: string): boolean;
  /** It is back, and has been told so. */
  onReturn(agent: AgentRecord): void;
  onLeave(agent: AgentRecord): void;
}
