// What an agent has made durable, in memory: the simulated side of `mesos/agent/checkpoint.ts`.
import type {
  CheckpointRecord,
  KeptResources,
  RecoveredAgent,
  RecoveredExecutor,
  RecoveredTask,
} from '#mesos/agent/types.ts';
import type {
  AgentInfo,
  DrainConfig,
  ExecutorInfo,
  FrameworkInfo,
  StatusUpdate,
  Task,
  ProvidedResourceProvider,
} from '#wire/mesos/v1.ts';

interface StoredTask {
  readonly task: Task;
  readonly updates: StatusUpdate[];
  readonly acknowledged: Uint8Array[];
}

interface StoredExecutor {
  readonly info: ExecutorInfo;
  readonly containerId: string;
  driver: string | undefined;
  readonly tasks: Map<string, StoredTask>;
}

interface StoredFramework {
  info: FrameworkInfo | undefined;
  pid: string;
  readonly executors: Map<string, StoredExecutor>;
}

export class AgentDisk {
  #info: AgentInfo | undefined;
  #drain: DrainConfig | undefined;
  #resources: KeptResources = { resources: [], operations: [] };
  #providers: readonly ProvidedResourceProvider[] = [];
  readonly #frameworks = new Map<string, StoredFramework>();

  apply(record: CheckpointRecord): void {
    switch (record.kind) {
      case 'agent':
        // What is known of providers lies in a folder of the agent's id.
        if (this.agentId !== record.info.id?.value) this.#providers = [];
        this.#info = record.info;
        return;
      case 'agent-gone':
        this.#info = undefined;
        this.#drain = undefined;
        this.#frameworks.clear();
        return;
      case 'drain':
        this.#drain = record.config;
        return;
      case 'resources':
        this.#resources = record;
        return;
      case 'framework': {
        const framework = this.#framework(record.info.id?.value ?? '');
        framework.info = record.info;
        framework.pid = record.pid;
        return;
      }
      case 'framework-done':
        return;
      case 'executor': {
        const { key, containerId, info } = record;
        const tasks = new Map<string, StoredTask>();
        const made = { info, containerId, driver: undefined, tasks };
        this.#framework(key.frameworkId).executors.set(key.executorId, made);
        return;
      }
      case 'executor-done':
        this.#framework(record.key.frameworkId).executors.delete(record.key.executorId);
        return;
      case 'providers':
        this.#providers = record.registry.resource_providers ?? [];
        return;
      default:
        this.#applyToTask(record);
    }
  }

  #applyToTask(
    record: Extract<
      CheckpointRecord,
      { kind: 'executor-driver' | 'task' | 'update' | 'acknowledgement' }
    >,
  ): void {
    const { key } = record;
    const executor = this.#framework(key.frameworkId).executors.get(key.executorId);
    if (record.kind === 'executor-driver') {
      if (executor?.containerId === record.containerId) executor.driver = record.upid;
      return;
    }
    if (record.kind === 'task') {
      const { task } = record;
      executor?.tasks.set(task.task_id.value, { task, updates: [], acknowledged: [] });
      return;
    }
    const stored = executor?.tasks.get(record.taskId);
    if (record.kind === 'acknowledgement') stored?.acknowledged.push(record.uuid);
    else if (record.update !== undefined) stored?.updates.push(record.update);
  }

  get agentId(): string | undefined {
    return this.#info?.id?.value;
  }

  /** Reserved dynamically, or volumes: what is durable of the agent's resources. */
  get resources(): KeptResources {
    return this.#resources;
  }

  recover(): RecoveredAgent {
    // Resources are the machine's, operations those of an agent id, in whose folder they lie.
    const operations = this.#resources.operations.filter(
      ({ agent_id }) => agent_id !== undefined && agent_id.value === this.agentId,
    );
    const resources = { ...this.#resources, operations };
    if (this.#info === undefined) return { info: undefined, frameworks: [], resources };
    const frameworks = [...this.#frameworks.values()].flatMap(({ info, pid, executors }) =>
      info === undefined || executors.size === 0
        ? []
        : [{ info, pid, executors: [...executors.values()].map(recoveredExecutor) }],
    );
    const providers = this.#providers;
    return { info: this.#info, frameworks, resources, providers, drain: this.#drain };
  }

  #framework(id: string): StoredFramework {
    const known = this.#frameworks.get(id);
    if (known !== undefined) return known;
    const made: StoredFramework = { info: undefined, pid: '', executors: new Map() };
    this.#frameworks.set(id, made);
    return made;
  }
}

function recoveredExecutor({
  info,
  containerId,
  driver,
  tasks,
}: StoredExecutor): RecoveredExecutor {
  const copies = [...tasks.values()].map(({ task, updates, acknowledged }): RecoveredTask => ({
    task,
    updates: [...updates],
    acknowledged: [...acknowledged],
  }));
  return { info, containerId, driver, tasks: copies };
}
