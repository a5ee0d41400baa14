// The part of a simulated framework that reserves resources and makes volumes: proposes operations on
// what it is offered, notes them before it sends them, and what became of each before it acknowledges.
import { applyConversions, conversionsOf, unallocated } from '#mesos/resources/conversions.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Offer_Operation, OperationStatus } from '#wire/mesos/v1.ts';
import {
  amountOf,
  type Holding,
  holdingsOf,
  isWhole,
  parting,
  RESIZE_MB,
  reserved,
  unreserved,
  VOLUME_MB,
  volumeId,
  volumeOf,
} from './holdings.ts';
import type { NotedOperation, OperationBook } from './operation-book.ts';
import type { FrameworkPlan } from './plan.ts';
import type { World } from './world.ts';

const STEPS_MAX = 3;
/** After so many it only parts with what it has: in the end all is quiet. */
const OPERATIONS_MAX = 40;

/** What an offer has while operations on it are put together. */
interface Draft {
  readonly agentId: string;
  readonly operations: Offer_Operation[];
  left: Resources;
}

export class Reserver {
  readonly #world: World;
  readonly #plan: FrameworkPlan;
  readonly #book: OperationBook;
  /** Reservations by id: where each is, as far as is known. */
  readonly #there = new Map<string, string>();
  /** Reservations that it was told were not made. */
  readonly #unmade = new Set<string>();
  #count = 0;
  #asked = 0;

  constructor(world: World, plan: FrameworkPlan, book: OperationBook) {
    this.#world = world;
    this.#plan = plan;
    this.#book = book;
  }

  /** Nothing of it is left, as far as is known; what another of its role gave up it would see in offers. */
  get isClean(): boolean {
    if (this.#book.isOpen('UNRESERVE')) return false;
    const { holdings } = this.#world.observer;
    for (const id of this.#there.keys()) if (!holdings.isOver(id)) return false;
    return true;
  }

  /** Operations for an ACCEPT, and what is left of the offer for tasks after them. */
  propose(agentId: string, offered: Resources, isLeaving: boolean): Draft {
    const draft: Draft = { agentId, operations: [], left: offered };
    const { random } = this.#world;
    for (const { id, role } of holdingsOf(offered.toWire()).values()) {
      if (role === this.#plan.role && this.#isMine(id)) this.#there.set(id, agentId);
    }
    if (!this.#plan.isReserving) return draft;
    if (!isLeaving && this.#asked >= OPERATIONS_MAX) return draft;
    for (let step = 0; step < STEPS_MAX; step++) {
      if (!isLeaving && !random.chance(this.#plan.operateChance)) break;
      const wishes = isLeaving ? this.#partings(draft) : this.#wishes(draft);
      if (wishes.length === 0) break;
      this.#put(draft, random.pick(wishes));
    }
    return draft;
  }

  #own({ left }: Draft): Holding[] {
    return [...holdingsOf(left.toWire()).values()].filter(({ role }) => role === this.#plan.role);
  }

  #partings(draft: Draft): Offer_Operation[] {
    const mine = this.#own(draft).filter(({ id }) => this.#isMine(id));
    return mine.flatMap((holding) => {
      return holding.volumes.length > 0 || isWhole(holding) ? [parting(holding)] : [];
    });
  }

  #wishes(draft: Draft): Offer_Operation[] {
    const { random } = this.#world;
    const wishes = this.#own(draft).flatMap((holding) => this.#wishesFor(holding));
    const isHere = [...this.#there.values()].includes(draft.agentId);
    if (!isHere && draft.left.contains(Resources.of(unreserved()))) {
      const id = this.#nextId('r');
      wishes.push({ type: 'RESERVE', reserve: { resources: reserved(id, this.#plan.role) } });
    }
    return random.chance(0.9) ? wishes : [];
  }

  #wishesFor(holding: Holding): Offer_Operation[] {
    const { plain, volumes } = holding;
    const disk = plain.find(({ name }) => name === 'disk');
    const free = amountOf(plain, 'disk');
    const wishes: Offer_Operation[] = [];
    if (disk !== undefined && free >= VOLUME_MB) {
      const volume = volumeOf(disk, this.#nextId('v'));
      wishes.push({ type: 'CREATE', create: { volumes: [volume] } });
    }
    if (volumes.length === 0 && isWhole(holding)) wishes.push(parting(holding));
    for (const volume of volumes) {
      wishes.push({ type: 'DESTROY', destroy: { volumes: [volume] } });
      if (disk !== undefined && free >= RESIZE_MB) {
        const addition = { ...disk, scalar: { value: RESIZE_MB } };
        wishes.push({ type: 'GROW_VOLUME', grow_volume: { volume, addition } });
      }
      if ((volume.scalar?.value ?? 0) > RESIZE_MB) {
        const subtract = { value: RESIZE_MB };
        wishes.push({ type: 'SHRINK_VOLUME', shrink_volume: { volume, subtract } });
      }
    }
    return wishes;
  }

  /** Notes the operation, and takes from the draft what it needs. */
  #put(draft: Draft, wish: Offer_Operation): void {
    const conversions = unallocated(conversionsOf(wish));
    const after = applyConversions(draft.left, conversions);
    if (!after.ok) return;
    this.#asked += 1;
    const isResize = wish.type === 'GROW_VOLUME' || wish.type === 'SHRINK_VOLUME';
    // What is resized cannot be used by what comes after it in the same call.
    draft.left = isResize
      ? draft.left.subtract(conversions[0]?.consumed ?? Resources.none)
      : after.value;
    // Who wants to leave nothing behind has to know what became of what it asked for.
    const isTold = this.#plan.isCleaning || this.#world.random.chance(this.#plan.feedbackChance);
    const id = this.#nextId('o');
    const operation = isTold ? { ...wish, id: { value: id } } : wish;
    draft.operations.push(operation);
    const { agentId } = draft;
    if (isTold) this.#book.note(operation, { agentId, providerId: undefined, mustBeThere: false });
    for (const one of idsOf(wish)) {
      if (wish.type === 'RESERVE') this.#there.set(one, agentId);
      else if (wish.type === 'UNRESERVE') this.#there.delete(one);
    }
    this.#world.observer.holdings.asked(operation);
  }

  /** What became of one of its operations; for good when `isOver`. */
  onStatus(noted: NotedOperation, { state }: OperationStatus, isOver: boolean): void {
    if (!isOver) return;
    const isDone = state === 'OPERATION_FINISHED';
    for (const id of idsOf(noted.operation)) {
      if (noted.type === 'RESERVE') this.#isMade(noted, id, isDone);
      else if (noted.type === 'UNRESERVE' && !isDone && this.#isMine(id) && !this.#unmade.has(id)) {
        this.#there.set(id, noted.agentId);
      }
    }
  }

  /** Giving up one that was never made comes to nothing in its turn. */
  #isMade(noted: NotedOperation, id: string, isMade: boolean): void {
    if (!isMade) {
      this.#unmade.add(id);
      this.#there.delete(id);
      return;
    }
    this.#unmade.delete(id);
    if (!this.#there.has(id)) this.#recall(noted, id);
  }

  gaveUp({ operation }: NotedOperation): void {
    for (const id of idsOf(operation)) this.#there.delete(id);
  }

  /** It was taken for not made, and is there after all, unless it was given up meanwhile. */
  #recall({ agentId }: NotedOperation, id: string): void {
    if (!this.#world.observer.holdings.isGivenUp(id)) this.#there.set(id, agentId);
  }

  /** Not of another framework of its role. */
  #isMine(id: string): boolean {
    return id.startsWith(this.#plan.name);
  }

  #nextId(kind: string): string {
    this.#count += 1;
    return `${this.#plan.name}-${kind}${this.#count}`;
  }
}

/** Reservations or volumes that an operation makes or takes away. */
export function idsOf({ reserve, unreserve: undo, create, destroy }: Offer_Operation): string[] {
  const labelled = [...(reserve?.resources ?? []), ...(undo?.resources ?? [])];
  const volumes = [...(create?.volumes ?? []), ...(destroy?.volumes ?? [])];
  const ids = new Set(holdingsOf(labelled).keys());
  for (const one of volumes) ids.add(volumeId(one) ?? '');
  return [...ids];
}
