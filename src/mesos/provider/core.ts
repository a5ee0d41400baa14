// The decisions of a resource provider with local disk: raw space becomes volumes and raw space again.
// Pure: told what the agent asks and what became of work on the disk, it answers with effects.
import type { Instant } from '#env/env.ts';
import {
  applyConversions,
  conversionsOf,
  takenBy,
  unallocated,
} from '#mesos/resources/conversions.ts';
import { keyOf } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { isTerminalOperation } from '#wire/mesos/operation-states.ts';
import type {
  Operation,
  OperationStatus,
  Resource,
  Resource_DiskInfo_Source,
  Resource_ReservationInfo,
  ResourceProviderCall,
  ResourceProviderEvent,
  ResourceState,
} from '#wire/mesos/v1.ts';

export interface ProviderSettings {
  /** The folder in which each MOUNT volume has one of its name. */
  readonly mountRoot: string;
  /** All of it, volumes included. */
  readonly megabytes: number;
  readonly profile: string;
  readonly reservations: readonly Resource_ReservationInfo[];
  /** First and longest wait before a status that nobody acknowledged is sent again. */
  readonly retryMs: number;
  readonly retryMsMax: number;
  readonly uuid: () => string;
  readonly uuidBytes: () => Uint8Array;
}

export interface Volume {
  readonly id: string;
  readonly type: 'MOUNT' | 'BLOCK';
  readonly megabytes: number;
}

export type ProviderInput =
  | { readonly kind: 'subscribed'; readonly id: string }
  | { readonly kind: 'event'; readonly event: ResourceProviderEvent }
  | { readonly kind: 'disconnected' }
  | { readonly kind: 'made'; readonly key: string }
  | { readonly kind: 'removed'; readonly key: string }
  | { readonly kind: 'failed'; readonly key: string; readonly message: string }
  | { readonly kind: 'published'; readonly uuid: Uint8Array; readonly isOk: boolean }
  | { readonly kind: 'tick' };

/** In order; what is kept is durable before what follows it is done. */
export type ProviderEffect =
  | { readonly kind: 'call'; readonly call: ResourceProviderCall }
  | { readonly kind: 'keep'; readonly state: ResourceState }
  | { readonly kind: 'make'; readonly key: string; readonly volume: Volume }
  | { readonly kind: 'remove'; readonly key: string; readonly volume: Volume }
  | { readonly kind: 'publish'; readonly uuid: Uint8Array; readonly volumes: readonly Volume[] }
  /** The agent wants it no more. */
  | { readonly kind: 'end' };

interface Told {
  sendAt: Instant;
  waitMs: number;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export class ProviderCore {
  readonly #settings: ProviderSettings;
  readonly #out: ProviderEffect[] = [];
  #id: string | undefined;
  #isSubscribed = false;
  #total = Resources.none;
  #version: Uint8Array;
  /** By the hex of their UUID, until their end is acknowledged. */
  readonly #operations = new Map<string, Operation>();
  readonly #told = new Map<string, Told>();
  /** Of those on the disk at the start, the ones that are still there. */
  readonly #found: Map<string, Volume>;

  /**
   * `kept`: of an earlier life, with the id that it had. `found`: what is on the disk, also of a life that
   * nothing was kept of, as when the agent has become another one.
   */
  constructor(
    settings: ProviderSettings,
    kept?: { readonly id: string; readonly state: ResourceState },
    found: readonly Volume[] = [],
  ) {
    this.#settings = settings;
    this.#found = new Map(found.map((one) => [one.id, one]));
    this.#version = settings.uuidBytes();
    if (kept === undefined) return;
    this.#id = kept.id;
    this.#total = Resources.of(kept.state.resources);
    for (const one of kept.state.operations ?? []) this.#operations.set(hexOf(one.uuid.value), one);
  }

  get id(): string | undefined {
    return this.#id;
  }

  get total(): Resources {
    return this.#total;
  }

  /** Until their end is acknowledged. */
  get operations(): readonly Operation[] {
    return [...this.#operations.values()];
  }

  handle(input: ProviderInput, now: Instant): readonly ProviderEffect[] {
    switch (input.kind) {
      case 'subscribed':
        this.#subscribed(input.id, now);
        break;
      case 'disconnected':
        this.#isSubscribed = false;
        break;
      case 'event':
        this.#onEvent(input.event, now);
        break;
      case 'made':
      case 'removed':
      case 'failed':
        this.#worked(input, now);
        break;
      case 'published':
        this.#call({
          type: 'UPDATE_PUBLISH_RESOURCES_STATUS',
          update_publish_resources_status: {
            uuid: { value: input.uuid },
            status: input.isOk ? 'OK' : 'FAILED',
          },
        });
        break;
      case 'tick':
        break;
      default:
    }
    this.#sendDue(now);
    return this.#out.splice(0);
  }

  nextDeadline(): Instant {
    if (!this.#isSubscribed) return Infinity;
    let at = Infinity;
    for (const { sendAt } of this.#told.values()) at = Math.min(at, sendAt);
    return at;
  }

  // ---- subscription

  #subscribed(id: string, now: Instant): void {
    const isNew = this.#id === undefined;
    this.#id = id;
    this.#isSubscribed = true;
    // The master may have taken it for gone, with what is on its way to it.
    this.#version = this.#settings.uuidBytes();
    this.#settle(isNew);
    this.#tellState();
    for (const [key, { latest_status }] of this.#operations) {
      if (isTerminalOperation(latest_status.state)) {
        this.#told.set(key, { sendAt: now, waitMs: this.#settings.retryMs });
      } else this.#work(key);
    }
  }

  /** What is no volume is raw space, as much as is configured now; what is being worked on is left alone. */
  #settle(isNew: boolean): void {
    const { profile } = this.#settings;
    const unknown = Resources.of(this.#unknown());
    const before = this.#total;
    const used = before.filter(({ disk }) => disk?.source?.id !== undefined).add(unknown);
    const taken = this.#taken();
    // That of another profile is none of what is configured now.
    const raw = before
      .filter(({ disk }) => disk?.source?.id === undefined && disk?.source?.profile === profile)
      .subtract(taken);
    const rest = used.add(taken);
    let left = Math.max(0, this.#settings.megabytes - rest.scalar('disk'));
    const isPlain = (one: Resource): boolean =>
      keyOf(one) === keyOf(this.#plain(1, { type: 'RAW', profile }));
    // What frameworks have reserved stays as long as there is room.
    const parts = [...raw.filter((one) => !isPlain(one)).toWire()].flatMap((one) => {
      const value = Math.min(one.scalar?.value ?? 0, left);
      left -= value;
      return value > 0 ? [{ ...one, scalar: { value } }] : [];
    });
    this.#total = rest.add(Resources.of(parts)).add(this.#raw(left));
    if (isNew || !this.#total.equals(before)) this.#keep();
  }

  /** Raw space that disks are being made of. */
  #taken(): Resources {
    const pending = [...this.#operations.values()].filter(
      ({ latest_status }) => !isTerminalOperation(latest_status.state),
    );
    return Resources.sum(pending.map(({ info }) => takenBy(info).allocatedTo(undefined))).filter(
      ({ disk }) => disk?.source?.id === undefined,
    );
  }

  /** Volumes that nobody knows of, as Mesos' provider shows them: to be made disks of, or destroyed. */
  #unknown(): Resource[] {
    const known = new Set(this.#total.toWire().map(({ disk }) => disk?.source?.id));
    const isUnderWay = (id: string): boolean => {
      const state = this.#operations.get(id)?.latest_status.state;
      return state !== undefined && !isTerminalOperation(state);
    };
    const unknown = [...this.#found.values()].filter(({ id }) => !known.has(id) && !isUnderWay(id));
    return unknown.map(({ id, megabytes }) => this.#plain(megabytes, { type: 'RAW', id }));
  }

  #raw(megabytes: number): Resources {
    const { profile } = this.#settings;
    return Resources.of([this.#plain(megabytes, { type: 'RAW', profile })]);
  }

  #plain(megabytes: number, source: Resource_DiskInfo_Source): Resource {
    const { reservations } = this.#settings;
    return {
      name: 'disk',
      type: 'SCALAR',
      scalar: { value: megabytes },
      disk: { source },
      provider_id: { value: this.#id ?? '' },
      ...(reservations.length === 0 ? {} : { reservations: [...reservations] }),
    };
  }

  // ---- what the agent asks

  #onEvent(event: ResourceProviderEvent, now: Instant): void {
    const { apply_operation, acknowledge_operation_status, reconcile_operations } = event;
    if (apply_operation !== undefined) this.#apply(apply_operation, now);
    else if (acknowledge_operation_status !== undefined) {
      const { operation_uuid, status_uuid } = acknowledge_operation_status;
      this.#acknowledged(hexOf(operation_uuid.value), status_uuid.value);
    } else if (reconcile_operations !== undefined) {
      for (const uuid of reconcile_operations.operation_uuids ?? []) {
        if (this.#operations.has(hexOf(uuid.value))) continue;
        this.#drop({ operation_uuid: uuid }, 'The operation never came here');
      }
    } else if (event.publish_resources !== undefined) {
      const { uuid, resources = [] } = event.publish_resources;
      const volumes = resources.flatMap((one) => volumeOf(one) ?? []);
      this.#out.push({ kind: 'publish', uuid: uuid.value, volumes });
    } else if (event.type === 'TEARDOWN') this.#out.push({ kind: 'end' });
  }

  #apply(asked: NonNullable<ResourceProviderEvent['apply_operation']>, now: Instant): void {
    const { framework_id, info, operation_uuid, resource_version_uuid } = asked;
    const key = hexOf(operation_uuid.value);
    if (this.#operations.has(key)) return;
    if (hexOf(resource_version_uuid.value) !== hexOf(this.#version)) {
      this.#drop(asked, 'Mismatched resource version');
      return;
    }
    this.#operations.set(key, {
      ...(framework_id === undefined ? {} : { framework_id }),
      info,
      latest_status: this.#status('OPERATION_PENDING', {}),
      uuid: operation_uuid,
    });
    const taken = takenBy(info).allocatedTo(undefined);
    if (taken.isEmpty) {
      const total = applyConversions(this.#total, unallocated(conversionsOf(info)));
      if (total.ok) this.#total = total.value;
      this.#ended(key, total.ok ? {} : { message: total.error }, now);
      // The agent and the master have foreseen that it is done.
      if (!total.ok) this.#renew();
      return;
    }
    const problem = this.#total.contains(taken) ? this.#problemWith(asked.info) : 'Not there';
    if (problem !== undefined) {
      this.#ended(key, { message: problem }, now);
      return;
    }
    this.#keep();
    this.#work(key);
  }

  #problemWith({ create_disk, destroy_disk }: Operation['info']): string | undefined {
    if (create_disk !== undefined) {
      const { source, target_type = 'MOUNT', target_profile } = create_disk;
      const { id } = source.disk?.source ?? {};
      if (id === undefined) return undefined;
      const type = this.#found.get(id)?.type ?? target_type;
      if (type !== target_type) return `It is a ${type} volume already`;
      const isOurs = target_profile === this.#settings.profile;
      return isOurs ? undefined : `Profile '${target_profile}' is not the one of this provider`;
    }
    if (destroy_disk === undefined) return undefined;
    return this.#destroyed(destroy_disk.source) === undefined ? 'It is no volume' : undefined;
  }

  /** One of an earlier life is raw space as long as nobody has made a disk of it. */
  #destroyed(resource: Resource): Volume | undefined {
    const volume = volumeOf(resource);
    const { id } = resource.disk?.source ?? {};
    if (volume !== undefined || id === undefined) return volume;
    const { type = 'MOUNT' } = this.#found.get(id) ?? {};
    return { id, type, megabytes: resource.scalar?.value ?? 0 };
  }

  /** Asks for what is to be done on the disk; doing it twice does no harm. */
  #work(key: string): void {
    const { create_disk, destroy_disk } = this.#operations.get(key)?.info ?? {};
    if (create_disk !== undefined) {
      const type = create_disk.target_type === 'BLOCK' ? 'BLOCK' : 'MOUNT';
      const megabytes = create_disk.source.scalar?.value ?? 0;
      // Its name is that of the operation, so that it is made once.
      const id = create_disk.source.disk?.source?.id ?? key;
      this.#out.push({ kind: 'make', key, volume: { id, type, megabytes } });
    } else if (destroy_disk !== undefined) {
      const volume = this.#destroyed(destroy_disk.source);
      if (volume !== undefined) this.#out.push({ kind: 'remove', key, volume });
    }
  }

  /** pending -> finished | failed */
  #worked(
    input: Extract<ProviderInput, { kind: 'made' | 'removed' | 'failed' }>,
    now: Instant,
  ): void {
    const { key } = input;
    const operation = this.#operations.get(key);
    if (operation === undefined || isTerminalOperation(operation.latest_status.state)) return;
    if (input.kind === 'failed') {
      this.#ended(key, { message: input.message }, now);
      return;
    }
    const { create_disk, destroy_disk } = operation.info;
    const source = create_disk?.source ?? destroy_disk?.source;
    if (source === undefined) return;
    const { profile, mountRoot } = this.#settings;
    const id = source.disk?.source?.id ?? key;
    if (input.kind === 'removed') this.#found.delete(id);
    const made: Resource_DiskInfo_Source =
      input.kind === 'removed'
        ? { type: 'RAW', profile }
        : create_disk?.target_type === 'BLOCK'
          ? { type: 'BLOCK', id, profile }
          : { type: 'MOUNT', id, profile, mount: { root: mountRoot } };
    const converted = { ...source, disk: { source: made } };
    const plain = (one: Resource): Resources => Resources.of([one]).allocatedTo(undefined);
    this.#total = this.#total.subtract(plain(source)).add(plain(converted));
    this.#ended(key, { converted: [converted] }, now);
    if (this.#total.scalar('disk') <= this.#settings.megabytes) return;
    // There is less now than when the volume was made.
    this.#settle(false);
    this.#renew();
  }

  #ended(
    key: string,
    how: { readonly message?: string; readonly converted?: readonly Resource[] },
    now: Instant,
  ): void {
    const operation = this.#operations.get(key);
    if (operation === undefined) return;
    const { message, converted } = how;
    const status = {
      ...this.#status(message === undefined ? 'OPERATION_FINISHED' : 'OPERATION_FAILED', how),
      ...(operation.info.id === undefined ? {} : { operation_id: operation.info.id }),
      ...(converted === undefined ? {} : { converted_resources: [...converted] }),
      uuid: { value: this.#settings.uuidBytes() },
    };
    this.#operations.set(key, { ...operation, latest_status: status, statuses: [status] });
    this.#told.set(key, { sendAt: now, waitMs: this.#settings.retryMs });
    this.#keep();
  }

  /** Nobody acknowledges it: it was never here. */
  #drop(
    asked: Pick<NonNullable<ResourceProviderEvent['apply_operation']>, 'operation_uuid'> &
      Partial<NonNullable<ResourceProviderEvent['apply_operation']>>,
    message: string,
  ): void {
    const { framework_id, operation_uuid, info } = asked;
    const status = this.#status('OPERATION_DROPPED', { message });
    this.#call({
      type: 'UPDATE_OPERATION_STATUS',
      update_operation_status: {
        ...(framework_id === undefined ? {} : { framework_id }),
        // Agent and master may have forgotten it when this comes: the framework is told by what it has named it.
        status: info?.id === undefined ? status : { ...status, operation_id: info.id },
        operation_uuid,
      },
    });
    this.#renew();
  }

  /** What was foreseen by others and did not come is undone by a new version of the whole. */
  #renew(): void {
    this.#version = this.#settings.uuidBytes();
    this.#tellState();
  }

  #acknowledged(key: string, uuid: Uint8Array): void {
    const known = this.#operations.get(key)?.latest_status.uuid;
    if (known === undefined || hexOf(known.value) !== hexOf(uuid)) return;
    this.#operations.delete(key);
    this.#told.delete(key);
    this.#keep();
  }

  // ---- what goes out

  #status(
    state: OperationStatus['state'],
    { message }: { readonly message?: string },
  ): OperationStatus {
    return {
      state,
      ...(message === undefined ? {} : { message }),
      resource_provider_id: { value: this.#id ?? '' },
    };
  }

  #sendDue(now: Instant): void {
    if (!this.#isSubscribed) return;
    for (const [key, told] of this.#told) {
      const operation = this.#operations.get(key);
      if (operation === undefined || told.sendAt > now) continue;
      told.sendAt = now + told.waitMs;
      told.waitMs = Math.min(told.waitMs * 2, this.#settings.retryMsMax);
      const { framework_id, uuid, latest_status } = operation;
      this.#call({
        type: 'UPDATE_OPERATION_STATUS',
        update_operation_status: {
          ...(framework_id === undefined ? {} : { framework_id }),
          status: latest_status,
          latest_status,
          operation_uuid: uuid,
        },
      });
    }
  }

  #tellState(): void {
    this.#call({
      type: 'UPDATE_STATE',
      update_state: {
        operations: [...this.#operations.values()],
        resources: [...this.#total.toWire()],
        resource_version_uuid: { value: this.#version },
      },
    });
  }

  #call(call: ResourceProviderCall): void {
    if (!this.#isSubscribed || this.#id === undefined) return;
    this.#out.push({ kind: 'call', call: { ...call, resource_provider_id: { value: this.#id } } });
  }

  #keep(): void {
    const resources = [...this.#total.toWire()];
    this.#out.push({
      kind: 'keep',
      state: { resources, operations: [...this.#operations.values()] },
    });
  }
}

function volumeOf({ disk, scalar }: Resource): Volume | undefined {
  const { id, type } = disk?.source ?? {};
  if (id === undefined || (type !== 'MOUNT' && type !== 'BLOCK')) return undefined;
  return { id, type, megabytes: scalar?.value ?? 0 };
}
