// Holds everybody to what became of disks that resource providers make and unmake: what was acknowledged is
// done once and stays, what failed is nowhere, and no space is promised that volumes take.
import { resourcesText } from '#mesos/resources/text.ts';
import type { MasterCore } from '#mesos/master/core.ts';
import type { Offer, OperationStatus, Resource, TaskInfo } from '#wire/mesos/v1.ts';
import type { Machine } from './machine.ts';
import { isProvided, sourceId } from './provided.ts';
import type { NotedOperation } from './operation-book.ts';

const failed: ReadonlySet<string> = new Set([
  'OPERATION_FAILED',
  'OPERATION_ERROR',
  'OPERATION_DROPPED',
]);

interface Fate {
  readonly machine: string;
  /** Under which id its agent was when it was made. */
  readonly agentId: string | undefined;
  isThere: boolean;
  /** A framework knows that it is gone. */
  toldGone: boolean;
}

export class DisksLedger {
  /** By id of the volume. */
  readonly #fates = new Map<string, Fate>();
  /** What an operation has made, by its own id. */
  readonly #made = new Map<string, string>();
  /** Those that a framework was told to have failed. */
  readonly #failed = new Set<string>();
  readonly #toGo = new Set<string>();
  readonly #fail: (what: string) => void;

  constructor(fail: (what: string) => void) {
    this.#fail = fail;
  }

  asked({ destroy_disk }: NotedOperation['operation']): void {
    const id = destroy_disk === undefined ? undefined : sourceId(destroy_disk.source);
    if (id !== undefined) this.#toGo.add(id);
  }

  // ---- what really happens

  /** Making again what is there does nothing. `operation`: the id that its framework gave it. */
  made({ name, agent }: Machine, id: string, operation: string | undefined): void {
    const known = this.#fates.get(id);
    if (known?.isThere === false) this.#fail(`${id} was removed and is made on ${name} again`);
    if (known === undefined) {
      const agentId = agent?.core.agentId;
      this.#fates.set(id, { machine: name, agentId, isThere: true, toldGone: false });
    }
    if (operation === undefined) return;
    if (this.#failed.has(operation)) this.#fail(`${operation} failed, and makes ${id}`);
    const before = this.#made.get(operation);
    if (before !== undefined && before !== id) this.#fail(`${operation} made ${before} and ${id}`);
    this.#made.set(operation, id);
  }

  removed(machine: Machine, id: string): void {
    const fate = this.#fates.get(id);
    if (fate !== undefined) fate.isThere = false;
    if (!this.#toGo.has(id)) this.#fail(`${id} is lost on ${machine.name}`);
    for (const task of machine.runningTasks()) {
      if ((task.resources ?? []).some((one) => sourceId(one) === id))
        this.#fail(`${id} is removed under ${task.task_id.value}`);
    }
  }

  /** A task starts: what it uses is there and its own. */
  started(machine: Machine, task: TaskInfo): void {
    for (const resource of (task.resources ?? []).filter(isProvided)) {
      const id = sourceId(resource) ?? '';
      const name = task.task_id.value;
      if (this.#fates.get(id)?.isThere !== true)
        this.#fail(`${name} uses ${id}, which is not there`);
      const others = machine.runningTasks().filter((one) => one.task_id.value !== name);
      const other = others.find((one) => (one.resources ?? []).some((it) => sourceId(it) === id));
      if (other !== undefined) this.#fail(`${name} uses ${id}, which is ${other.task_id.value}'s`);
    }
  }

  // ---- what is said of it

  told(noted: NotedOperation, { state, message = '', converted_resources }: OperationStatus): void {
    const { id, type, operation, state: before } = noted;
    const isDone = state === 'OPERATION_FINISHED';
    if (before === 'OPERATION_FINISHED' && failed.has(state))
      this.#fail(`${type} ${id} is ${state} after it was finished`);
    if (failed.has(before) && isDone)
      this.#fail(`${type} ${id} is finished after it was ${before}`);
    if (/^Not there$|does not contain/.test(message) && noted.mustBeThere)
      this.#fail(`${type} ${id} was promised what is not there`);
    if (type === 'CREATE_DISK') this.#toldOfMaking(id, state, converted_resources ?? []);
    else if (type === 'DESTROY_DISK' && isDone) {
      const gone = sourceId(operation.destroy_disk?.source) ?? '';
      const fate = this.#fates.get(gone);
      if (fate === undefined) return;
      if (fate.isThere) this.#fail(`${gone} is told to be gone, and is on ${fate.machine}`);
      fate.toldGone = true;
    }
  }

  #toldOfMaking(id: string, state: string, converted: readonly Resource[]): void {
    const made = this.#made.get(id);
    if (failed.has(state)) {
      this.#failed.add(id);
      if (made !== undefined) this.#fail(`${id} is ${state}, and made ${made}`);
    } else if (state === 'OPERATION_FINISHED') {
      const disk = converted.map(sourceId).find((one) => one !== undefined);
      if (made === undefined) this.#fail(`${id} is told to be done, and made nothing`);
      else if (disk !== undefined && disk !== made)
        this.#fail(`${id} is told to have made ${disk}, it made ${made}`);
      const fate = this.#fates.get(made ?? '');
      const isLost = fate?.isThere === false && !this.#toGo.has(made ?? '');
      if (isLost) this.#fail(`${made} is told to be made, and is nowhere`);
    }
  }

  offered({ id, resources = [] }: Offer): void {
    for (const one of resources.filter(isProvided)) {
      const disk = sourceId(one);
      if (disk === undefined) continue;
      const fate = this.#fates.get(disk);
      if (fate === undefined) this.#fail(`${id.value} offers ${disk}, which never was`);
      else if (fate.toldGone) this.#fail(`${id.value} offers ${disk}, which is gone`);
    }
  }

  /** Raw space that a framework has or may get goes into what no volume takes. */
  audit({ state }: MasterCore, machines: readonly Machine[]): void {
    for (const machine of machines) {
      const { providerDisk: disk, agent } = machine;
      const record = state.agents.get(agent?.core.agentId ?? '');
      if (disk === undefined || record === undefined) continue;
      this.#promisedOnce(machine, [
        ...state.holdings.offeredOn(record).kinds(),
        ...state.allocator.available(record.id).kinds(),
      ]);
      const isRaw = (one: Resource): boolean => isProvided(one) && sourceId(one) === undefined;
      const offered = state.holdings.offeredOn(record).filter(isRaw).scalar('disk');
      const raw = state.allocator.available(record.id).filter(isRaw).scalar('disk') + offered;
      if (raw + disk.usedMegabytes <= disk.megabytesMax) continue;
      const { megabytesMax, usedMegabytes } = disk;
      this.#fail(
        `${raw} MB of ${machine.name} are to be had, of ${megabytesMax} with volumes of ${usedMegabytes}`,
      );
    }
  }

  #promisedOnce(machine: Machine, free: readonly Resource[]): void {
    const ids = free.flatMap((one) => sourceId(one) ?? []);
    const twice = ids.find((id, i) => ids.indexOf(id) < i);
    if (twice !== undefined) this.#fail(`${twice} of ${machine.name} is to be had twice`);
    for (const { task_id, resources = [] } of machine.runningTasks()) {
      const used = resources.map(sourceId).find((id) => id !== undefined && ids.includes(id));
      if (used !== undefined) this.#fail(`${used} is to be had, and ${task_id.value} runs on it`);
    }
  }

  /** Everything healed long ago: disk, provider, agent and master are of one mind. */
  settled(machine: Machine, master: MasterCore | undefined): void {
    const { providerDisk: disk, provider, agent, name } = machine;
    if (disk === undefined) return;
    if (provider === undefined || agent === undefined) {
      this.#fail(`the provider of ${name} is not there`);
      return;
    }
    const { total, operations } = provider.core;
    for (const one of total.toWire()) {
      const id = sourceId(one);
      const isRaw = one.disk?.source?.type === 'RAW';
      if (isRaw && this.#fates.get(id ?? '')?.agentId === agent.core.agentId)
        this.#fail(`${id} is raw space again on ${name}`);
    }
    const volumes = total.toWire().flatMap((one) => sourceId(one) ?? []);
    const [here, there] = [volumes, [...disk.volumes.keys()]].map((ids) => ids.toSorted().join());
    if (here !== there) this.#fail(`${name} has volumes ${there}, its provider ${here}`);
    const want = Math.max(disk.megabytes, disk.usedMegabytes);
    if (total.scalar('disk') !== want)
      this.#fail(`the provider of ${name} has ${total.scalar('disk')} MB of ${want}`);
    const record = master?.state.agents.get(agent.core.agentId ?? '');
    const known = record?.total.filter(isProvided);
    for (const [who, what] of [
      ['its agent', agent.core.providers.total],
      ['the master', known],
    ] as const) {
      if (what?.equals(total) !== true)
        this.#fail(
          `the provider of ${name} has ${resourcesText(total)}, ${who} ${what && resourcesText(what)}`,
        );
    }
    for (const { info, latest_status } of [...operations, ...agent.core.providers.operations])
      this.#fail(`${name} waits for a word on ${info.type}, which is ${latest_status.state}`);
  }
}
