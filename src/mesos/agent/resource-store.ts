// Keeps on disk what an agent made of its resources, in Mesos' layout, and makes and removes the
// folders of persistent volumes along with it: after a crash the last step is done again.
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Disk } from '#env/disk.ts';
import { isPersistentVolume } from '#mesos/resources/kinds.ts';
import type { Messages, Operation, Resource, ResourceState } from '#wire/mesos/v1.ts';
import type { AgentPaths } from './paths.ts';
import { hexOf } from './status-streams.ts';
import type { KeptResources } from './types.ts';
import { decodeCheckpoint, encodeCheckpoint } from './wire.ts';

const PRIVATE_FILE = { mode: 0o600 };
const PRIVATE_FOLDER = { mode: 0o700 };
/** Its user gets it when it is mounted. */
const VOLUME_FOLDER = { mode: 0o755 };

const STATE = 'resources_and_operations.state';
const TARGET = 'resources_and_operations.target';
/** What agents from before operation feedback read and wrote: resources only. */
const OLD_STATE = 'resources.info';
const OLD_TARGET = 'resources.target';

export class ResourceStore {
  readonly #paths: AgentPaths;
  readonly #disk: Disk;
  #volumes: ReadonlyMap<string, Resource> = new Map();
  #operations: ReadonlySet<string> = new Set();
  #isFolderMade = false;

  constructor(paths: AgentPaths, disk: Disk) {
    this.#paths = paths;
    this.#disk = disk;
  }

  /** Resolves when everything is as the record says, and stays so. */
  async write(kept: KeptResources, agentId: string): Promise<void> {
    if (!this.#isFolderMade) {
      await this.#disk.makeFolder(this.#paths.resources(''), PRIVATE_FOLDER);
      this.#isFolderMade = true;
    }
    const bytes = encodeState(kept);
    await this.#disk.writeAtomic(this.#paths.resources(TARGET), bytes, PRIVATE_FILE);
    await this.#commit(kept, agentId, bytes);
  }

  async #commit(kept: KeptResources, agentId: string, bytes: Uint8Array): Promise<void> {
    await this.#makeVolumes(kept.resources);
    if (agentId !== '') await this.#keepUpdates(kept.operations, agentId);
    const old = Buffer.concat(kept.resources.map((one) => encodeCheckpoint('Resource', one)));
    await this.#disk.writeAtomic(this.#paths.resources(OLD_STATE), old, PRIVATE_FILE);
    await this.#disk.writeAtomic(this.#paths.resources(STATE), bytes, PRIVATE_FILE);
    await this.#disk.remove(this.#paths.resources(TARGET));
  }

  async #makeVolumes(resources: readonly Resource[]): Promise<void> {
    const wanted = this.#volumesOf(resources);
    for (const [path, volume] of wanted) {
      if (this.#volumes.has(path) || isMount(volume)) continue;
      await this.#disk.makeFolder(path, VOLUME_FOLDER);
    }
    for (const [path, volume] of this.#volumes) {
      if (wanted.has(path)) continue;
      // A mounted disk stays where it is, empty.
      if (!isMount(volume)) await this.#disk.remove(path);
      else {
        for (const name of (await this.#disk.list(path)) ?? []) {
          await this.#disk.remove(join(path, name));
        }
      }
    }
    this.#volumes = wanted;
  }

  #volumesOf(resources: readonly Resource[]): ReadonlyMap<string, Resource> {
    const volumes = resources.filter(isPersistentVolume);
    return new Map(volumes.map((one) => [this.#paths.persistentVolume(one), one]));
  }

  /** One folder for each operation that is not acknowledged, as Mesos' agent looks for it. */
  async #keepUpdates(operations: readonly Operation[], agentId: string): Promise<void> {
    const folder = this.#paths.operations(agentId);
    const wanted = new Set<string>();
    for (const operation of operations) {
      const name = uuidText(operation.uuid.value);
      wanted.add(name);
      if (this.#operations.has(name)) continue;
      const { framework_id, uuid, latest_status: status } = operation;
      const update: Messages['UpdateOperationStatusMessage'] = {
        ...(framework_id === undefined ? {} : { framework_id }),
        agent_id: { value: agentId },
        status,
        operation_uuid: uuid,
      };
      const record = { type: 'UPDATE', update };
      await this.#disk.makeFolder(join(folder, name), PRIVATE_FOLDER);
      const path = join(folder, name, 'operation.updates');
      const bytes = encodeCheckpoint('UpdateOperationStatusRecord', record);
      await this.#disk.writeAtomic(path, bytes, PRIVATE_FILE);
    }
    for (const name of this.#operations) {
      if (!wanted.has(name)) await this.#disk.remove(join(folder, name));
    }
    this.#operations = wanted;
  }

  /** What an earlier life kept; a step that it had begun is finished first. */
  async recover(agentId: string): Promise<KeptResources | undefined> {
    const committed = (await this.#read(STATE)) ?? (await this.#readOld(OLD_STATE));
    this.#volumes = this.#volumesOf(committed?.resources ?? []);
    const folder = agentId === '' ? undefined : this.#paths.operations(agentId);
    const names = folder === undefined ? undefined : await this.#disk.list(folder);
    this.#operations = new Set(names ?? []);
    const target = (await this.#read(TARGET)) ?? (await this.#readOld(OLD_TARGET));
    if (target === undefined) return committed;
    await this.#commit(target, agentId, encodeState(target));
    await this.#disk.remove(this.#paths.resources(OLD_TARGET));
    return target;
  }

  async #read(name: string): Promise<KeptResources | undefined> {
    const path = this.#paths.resources(name);
    const bytes = await this.#disk.read(path);
    if (bytes === undefined) return undefined;
    const [state] = this.#decode<ResourceState>('ResourceState', path, bytes);
    return { resources: state?.resources ?? [], operations: state?.operations ?? [] };
  }

  async #readOld(name: string): Promise<KeptResources | undefined> {
    const path = this.#paths.resources(name);
    const bytes = await this.#disk.read(path);
    if (bytes === undefined) return undefined;
    return { resources: this.#decode<Resource>('Resource', path, bytes), operations: [] };
  }

  #decode<T>(messageName: string, path: string, bytes: Uint8Array): T[] {
    try {
      return decodeCheckpoint<T>(messageName, bytes);
    } catch (cause) {
      throw new Fault(
        { code: 'checkpoint-corrupt', path },
        `Cannot recover the agent: "${path}" is no ${messageName}`,
        { cause },
      );
    }
  }
}

function encodeState({ resources, operations }: KeptResources): Uint8Array {
  const state: ResourceState = { resources: [...resources], operations: [...operations] };
  return encodeCheckpoint('ResourceState', state);
}

function isMount(volume: Resource): boolean {
  return volume.disk?.source?.type === 'MOUNT';
}

function uuidText(bytes: Uint8Array): string {
  const hex = hexOf(bytes);
  return [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join('-');
}
