// Keeps what the agent must not forget on disk, in Mesos' layout, and reads it back after a crash.
import { basename, dirname, join } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Disk } from '#env/disk.ts';
import type { Log } from '#env/env.ts';
import type {
  AgentInfo,
  DrainConfig,
  ExecutorInfo,
  FrameworkInfo,
  ProvidedRegistry,
  StatusUpdate,
  Task,
} from '#wire/mesos/v1.ts';
import { type AgentPaths, pathPart } from './paths.ts';
import { ResourceStore } from './resource-store.ts';
import type {
  CheckpointRecord,
  RecoveredAgent,
  RecoveredExecutor,
  RecoveredFramework,
  RecoveredTask,
} from './types.ts';
import { decodeCheckpoint, encodeCheckpoint } from './wire.ts';

// Executors' and tasks' environments may hold secrets.
const PRIVATE_FILE = { mode: 0o600 };
/** Another one after each start of the machine; only Linux has it. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const PRIVATE_FOLDER = { mode: 0o700 };

interface UpdateRecord {
  readonly type: 'UPDATE' | 'ACK';
  readonly update?: StatusUpdate | undefined;
  readonly uuid?: Uint8Array | undefined;
}

export class Checkpoints {
  readonly #paths: AgentPaths;
  readonly #disk: Disk;
  readonly #log: Log;
  readonly #resources: ResourceStore;
  readonly #isStrict: boolean;
  #agentId = '';
  /** Writes of one task are in order, those of different tasks go side by side. */
  readonly #chains = new Map<string, Promise<void>>();
  /** By the same keys: what is written and not yet certain to outlive the machine. */
  readonly #syncs = new Map<string, Promise<void>>();

  /** `isStrict`: what cannot be read ends the recovery; else it is left out. */
  constructor(paths: AgentPaths, env: { disk: Disk; log: Log }, isStrict = true) {
    this.#paths = paths;
    this.#isStrict = isStrict;
    this.#disk = env.disk;
    this.#log = env.log;
    this.#resources = new ResourceStore(paths, env.disk);
  }

  /**
   * Resolves when it outlives this process; what will be told to anybody, and what holds beyond the life of the
   * machine's processes, outlives the machine then, too.
   */
  write(record: CheckpointRecord): Promise<void> {
    const key = chainKey(record);
    const before = this.#chains.get(key) ?? Promise.resolve();
    const written = before.then(() => this.#write(record));
    const settled = written.catch(() => {});
    this.#chains.set(key, settled);
    void settled.then(() => {
      if (this.#chains.get(key) === settled) this.#chains.delete(key);
    });
    return written;
  }

  /**
   * Nothing of a framework runs on after the machine was lost, so what is launched need not wait until this is on
   * the disk: only what is told of it does.
   */
  async #replace(record: CheckpointRecord, files: ReadonlyMap<string, Uint8Array | string>) {
    for (const [path, bytes] of files) await this.#disk.replace(path, bytes, PRIVATE_FILE);
    const key = chainKey(record);
    const before = this.#syncs.get(key) ?? Promise.resolve();
    const synced = before.then(() => this.#disk.sync(...files.keys()));
    this.#syncs.set(key, synced);
    const isLast = (): boolean => this.#syncs.get(key) === synced;
    synced.then(
      () => isLast() && this.#syncs.delete(key),
      // Kept: whoever writes of it next fails, and the agent with that.
      () => {},
    );
  }

  async #synced(key: string): Promise<void> {
    await this.#syncs.get(key);
  }

  async #write(record: CheckpointRecord): Promise<void> {
    switch (record.kind) {
      case 'agent':
        await this.#writeAgent(record.info);
        return;
      case 'framework': {
        const folder = this.#paths.metaFramework(this.#agentId, record.info.id?.value ?? '');
        await this.#disk.makeFolder(folder, PRIVATE_FOLDER);
        const bytes = encodeCheckpoint('FrameworkInfo', record.info);
        const files = new Map<string, Uint8Array | string>([
          [join(folder, 'framework.info'), bytes],
          [join(folder, 'framework.pid'), record.pid],
        ]);
        await this.#replace(record, files);
        return;
      }
      case 'executor': {
        const { key, containerId } = record;
        const run = this.#paths.metaRun(this.#agentId, key, containerId);
        await this.#disk.makeFolder(run, PRIVATE_FOLDER);
        const bytes = encodeCheckpoint('ExecutorInfo', record.info);
        const path = join(this.#paths.metaExecutor(this.#agentId, key), 'executor.info');
        await this.#replace(record, new Map([[path, bytes]]));
        return;
      }
      case 'executor-driver': {
        const run = this.#paths.metaRun(this.#agentId, record.key, record.containerId);
        await this.#disk.makeFolder(join(run, 'pids'), PRIVATE_FOLDER);
        await this.#replace(record, new Map([[driverPath(run), record.upid]]));
        return;
      }
      case 'task': {
        const { key, containerId, task } = record;
        const taskId = task.task_id.value;
        const folder = this.#paths.metaTask(this.#agentId, key, containerId, taskId);
        await this.#disk.makeFolder(folder, PRIVATE_FOLDER);
        const bytes = encodeCheckpoint('Task', task);
        await this.#replace(record, new Map([[join(folder, 'task.info'), bytes]]));
        return;
      }
      default:
        await this.#writeMore(record);
    }
  }

  async #writeMore(record: CheckpointRecord): Promise<void> {
    switch (record.kind) {
      case 'update':
      case 'acknowledgement': {
        const { key, containerId, taskId, update, uuid } = record;
        const folder = this.#paths.metaTask(this.#agentId, key, containerId, taskId);
        const value: UpdateRecord =
          record.kind === 'update' ? { type: 'UPDATE', update } : { type: 'ACK', uuid };
        const bytes = encodeCheckpoint('StatusUpdateRecord', value);
        await this.#synced(`f ${key.frameworkId}`);
        await this.#synced(chainKey(record));
        await this.#disk.append(join(folder, 'task.updates'), bytes);
        return;
      }
      case 'executor-done': {
        const { key, containerId } = record;
        const run = this.#paths.metaRun(this.#agentId, key, containerId);
        await this.#synced(chainKey(record));
        await this.#disk.writeAtomic(join(run, 'executor.sentinel'), '', PRIVATE_FILE);
        await this.#disk.remove(this.#paths.metaExecutor(this.#agentId, key));
        return;
      }
      case 'framework-done':
        // Its folder goes at the next recovery: a task of it may be on its way again already.
        return;
      case 'resources':
        await this.#resources.write(record, this.#agentId);
        return;
      case 'providers': {
        const path = this.#paths.providerRegistry(this.#agentId);
        const bytes = encodeCheckpoint('ProvidedRegistry', record.registry);
        await this.#disk.makeFolder(dirname(path), PRIVATE_FOLDER);
        await this.#disk.writeAtomic(path, bytes, PRIVATE_FILE);
        return;
      }
      case 'drain':
        await this.#writeDrain(record.config);
        return;
      case 'agent-gone':
        await this.#disk.remove(this.#paths.metaLatest);
        return;
      default:
    }
  }

  async #writeAgent(info: AgentInfo): Promise<void> {
    this.#agentId = info.id?.value ?? '';
    const folder = this.#paths.meta(this.#agentId);
    await this.#disk.makeFolder(folder, PRIVATE_FOLDER);
    const bytes = encodeCheckpoint('AgentInfo', info);
    await this.#disk.writeAtomic(this.#paths.agentInfo(this.#agentId), bytes, PRIVATE_FILE);
    await this.#disk.link(this.#paths.metaLatest, basename(folder));
  }

  /** Notes this start of the machine; true when it is another one than the last time. */
  async #isRebooted(): Promise<boolean> {
    const path = this.#paths.bootId;
    const [kept, now] = [await this.#disk.read(path), await this.#disk.read(BOOT_ID)];
    if (now === undefined) return false;
    const [before, current] = [kept ?? now, now].map((bytes) => new TextDecoder().decode(bytes));
    if (kept === undefined || before !== current) {
      await this.#disk.makeFolder(dirname(path), PRIVATE_FOLDER);
      await this.#disk.writeAtomic(path, now, PRIVATE_FILE);
    }
    return before !== current;
  }

  async #writeDrain(config: DrainConfig | undefined): Promise<void> {
    const path = this.#paths.drainConfig(this.#agentId);
    if (config === undefined) await this.#disk.remove(path);
    else {
      const bytes = encodeCheckpoint('DrainConfig', config);
      await this.#disk.writeAtomic(path, bytes, PRIVATE_FILE);
    }
  }

  /** What an earlier life of this agent left; throws a Fault when it cannot be read. */
  async recover(): Promise<RecoveredAgent> {
    const isRebooted = await this.#isRebooted();
    const latest = await this.#disk.readLink(this.#paths.metaLatest);
    const agentId = latest === undefined ? undefined : pathPart(basename(latest));
    this.#agentId = agentId ?? '';
    const info =
      agentId === undefined
        ? undefined
        : await this.#readOne<AgentInfo>('AgentInfo', this.#paths.agentInfo(agentId));
    // Reservations and volumes are the machine's: they outlive the id of an agent.
    const resources = await this.#resources.recover(info === undefined ? '' : this.#agentId);
    if (agentId === undefined || info === undefined) {
      return { info: undefined, frameworks: [], resources };
    }
    const folder = join(this.#paths.meta(agentId), 'frameworks');
    const frameworks: RecoveredFramework[] = [];
    for (const name of (await this.#disk.list(folder)) ?? []) {
      const framework = await this.#recoverFramework(join(folder, name));
      if (framework !== undefined) frameworks.push(framework);
    }
    const drain = await this.#readOne<DrainConfig>('DrainConfig', this.#paths.drainConfig(agentId));
    const registry = await this.#readOne<ProvidedRegistry>(
      'ProvidedRegistry',
      this.#paths.providerRegistry(agentId),
    );
    const providers = registry?.resource_providers ?? [];
    return { info, frameworks, resources, providers, drain, isRebooted };
  }

  async #recoverFramework(folder: string): Promise<RecoveredFramework | undefined> {
    const path = join(folder, 'framework.info');
    const info = await this.#readOne<FrameworkInfo>('FrameworkInfo', path);
    const pid = await this.#disk.read(join(folder, 'framework.pid'));
    if (info === undefined) return undefined;
    const executors: RecoveredExecutor[] = [];
    for (const name of (await this.#disk.list(join(folder, 'executors'))) ?? []) {
      const executor = await this.#recoverExecutor(join(folder, 'executors', name));
      if (executor !== undefined) executors.push(executor);
    }
    if (executors.length === 0) {
      await this.#disk.remove(folder);
      return undefined;
    }
    return { info, pid: new TextDecoder().decode(pid ?? new Uint8Array()), executors };
  }

  async #recoverExecutor(folder: string): Promise<RecoveredExecutor | undefined> {
    const path = join(folder, 'executor.info');
    const info = await this.#readOne<ExecutorInfo>('ExecutorInfo', path);
    const runs = (await this.#disk.list(join(folder, 'runs'))) ?? [];
    for (const run of runs) {
      const at = join(folder, 'runs', run);
      if ((await this.#disk.read(join(at, 'executor.sentinel'))) !== undefined) continue;
      if (info === undefined) continue;
      const tasks: RecoveredTask[] = [];
      for (const name of (await this.#disk.list(join(at, 'tasks'))) ?? []) {
        const task = await this.#recoverTask(join(at, 'tasks', name));
        if (task !== undefined) tasks.push(task);
      }
      const driver = await this.#disk.read(driverPath(at));
      const upid = new TextDecoder().decode(driver);
      return { info, containerId: run, tasks, ...(upid === '' ? {} : { driver: upid }) };
    }
    await this.#disk.remove(folder);
    return undefined;
  }

  async #recoverTask(folder: string): Promise<RecoveredTask | undefined> {
    const task = await this.#readOne<Task>('Task', join(folder, 'task.info'));
    if (task === undefined) return undefined;
    const path = join(folder, 'task.updates');
    const bytes = (await this.#disk.read(path)) ?? new Uint8Array();
    const records = decodeCheckpoint<UpdateRecord>('StatusUpdateRecord', bytes);
    const updates = records.flatMap((one) => (one.update === undefined ? [] : [one.update]));
    const acknowledged = records.flatMap((one) =>
      one.type === 'ACK' && one.uuid !== undefined ? [one.uuid] : [],
    );
    // A record cut off by a crash must not stand between those before and those to come.
    const whole = records.reduce(
      (sum, one) => sum + encodeCheckpoint('StatusUpdateRecord', one).length,
      0,
    );
    if (whole < bytes.length) {
      this.#log.warn('A cut-off status update was dropped', { path });
      await this.#disk.writeAtomic(path, bytes.subarray(0, whole), PRIVATE_FILE);
    }
    return { task, updates, acknowledged };
  }

  async #readOne<T>(messageName: string, path: string): Promise<T | undefined> {
    const bytes = await this.#disk.read(path);
    // What was not synced when the machine was lost may have its length already, and no content.
    if (bytes === undefined || bytes.every((one) => one === 0)) return undefined;
    try {
      return decodeCheckpoint<T>(messageName, bytes)[0];
    } catch (cause) {
      const what = `"${path}" is no ${messageName}`;
      if (!this.#isStrict) {
        this.#log.error('What cannot be read is left out of the recovery', { path, cause });
        return undefined;
      }
      throw new Fault(
        { code: 'checkpoint-corrupt', path },
        `Cannot recover the agent: ${what} (flag strict=false leaves it out)`,
        { cause },
      );
    }
  }
}

/** Of a run: where the driver of its executor is, if it speaks libprocess. */
function driverPath(run: string): string {
  return join(run, 'pids', 'libprocess.pid');
}

function chainKey(record: CheckpointRecord): string {
  switch (record.kind) {
    case 'framework':
      return `f ${record.info.id?.value ?? ''}`;
    case 'framework-done':
      return `f ${record.frameworkId}`;
    case 'agent':
    case 'agent-gone':
    case 'resources':
    case 'providers':
    case 'drain':
      return 'agent';
    default:
      return `f ${record.key.frameworkId} ${record.key.executorId}`;
  }
}
