// The part of a simulated framework that uses disks of resource providers: makes volumes of raw space,
// reserves it, runs tasks on volumes, and makes raw space of them again.
import { applyConversions, conversionsOf, unallocated } from '#mesos/resources/conversions.ts';
import { isReserved } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Offer_Operation, Resource } from '#wire/mesos/v1.ts';
import type { OperationBook } from './operation-book.ts';
import type { FrameworkPlan } from './plan.ts';
import { isProvided, sourceId } from './provided.ts';
import { PROFILE } from './provider-process.ts';
import type { World } from './world.ts';

const DISK_MB = 64;
const STEPS_MAX = 3;
/** After so many it is content: in the end all is quiet. */
const OPERATIONS_MAX = 30;

export class DiskUser {
  readonly #world: World;
  readonly #plan: FrameworkPlan;
  readonly #book: OperationBook;
  #count = 0;

  constructor(world: World, plan: FrameworkPlan, book: OperationBook) {
    this.#world = world;
    this.#plan = plan;
    this.#book = book;
  }

  /** Operations for an ACCEPT, and what is left of the offer's disks for tasks. */
  propose(
    agentId: string,
    offered: Resources,
  ): { readonly operations: Offer_Operation[]; readonly left: Resources } {
    const operations: Offer_Operation[] = [];
    let left = offered.filter(isProvided);
    const { random } = this.#world;
    for (let step = 0; step < STEPS_MAX && this.#count < OPERATIONS_MAX; step++) {
      if (!random.chance(this.#plan.diskChance)) break;
      const wishes = left.toWire().flatMap((one) => this.#wishesFor(one));
      if (wishes.length === 0) break;
      const wish = this.#named(random.pick(wishes));
      operations.push(wish.operation);
      this.#world.observer.disks.asked(wish.operation);
      const taken = wish.operation.create_disk?.source ?? wish.operation.destroy_disk?.source;
      const providerId = wish.on.provider_id?.value;
      if (wish.operation.id !== undefined) {
        const mustBeThere = !this.#world.isProviderResized;
        this.#book.note(wish.operation, { agentId, providerId, mustBeThere });
      }
      if (taken !== undefined) left = left.subtract(Resources.of([taken]));
      else {
        const after = applyConversions(left, unallocated(conversionsOf(wish.operation)));
        if (after.ok) left = after.value;
      }
    }
    return { operations, left };
  }

  /** A volume for a task to use. */
  volumeOf(left: Resources): Resource | undefined {
    if (!this.#world.random.chance(this.#plan.diskChance)) return undefined;
    return left.toWire().find((one) => one.disk?.source?.type === 'MOUNT');
  }

  #named({ operation, on }: { operation: Offer_Operation; on: Resource }): {
    operation: Offer_Operation;
    on: Resource;
  } {
    this.#count += 1;
    if (!this.#world.random.chance(this.#plan.feedbackChance)) return { operation, on };
    return { operation: { ...operation, id: { value: `${this.#plan.name}-d${this.#count}` } }, on };
  }

  #wishesFor(resource: Resource): { operation: Offer_Operation; on: Resource }[] {
    const { random } = this.#world;
    const wishes: Offer_Operation[] = [];
    const megabytes = resource.scalar?.value ?? 0;
    const type = resource.disk?.source?.type;
    const target_type = random.chance(0.7) ? ('MOUNT' as const) : ('BLOCK' as const);
    if (sourceId(resource) !== undefined) {
      wishes.push({ type: 'DESTROY_DISK', destroy_disk: { source: resource } });
      if (type === 'RAW') {
        const create_disk = { source: resource, target_type, target_profile: PROFILE };
        wishes.push({ type: 'CREATE_DISK', create_disk });
      }
    } else if (megabytes >= DISK_MB) {
      const source = { ...resource, scalar: { value: DISK_MB } };
      wishes.push({ type: 'CREATE_DISK', create_disk: { source, target_type } });
      const reservations = [{ type: 'DYNAMIC' as const, role: this.#plan.role }];
      if (!isReserved(resource))
        wishes.push({ type: 'RESERVE', reserve: { resources: [{ ...source, reservations }] } });
    }
    if (isReserved(resource))
      wishes.push({ type: 'UNRESERVE', unreserve: { resources: [resource] } });
    return wishes.map((operation) => ({ operation, on: resource }));
  }
}
