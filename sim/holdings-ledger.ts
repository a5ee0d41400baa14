// Holds everybody to what became of reservations and volumes: what is made stays until somebody asks
// for its end, what was refused or ended is nowhere, and each is offered to its own role alone.
import { isWithin, reservationRole } from '#mesos/resources/kinds.ts';
import type { Offer, Offer_Operation, OperationStatus, Resource } from '#wire/mesos/v1.ts';
import { holdingsOf, isWhole, volumeId } from './holdings.ts';
import type { NotedOperation } from './operation-book.ts';
import { idsOf } from './reserver.ts';

interface Fate {
  /** Where it is durable, by the name of the machine; undefined: nowhere. */
  on: string | undefined;
  wasSeen: boolean;
  /** The framework was told that it was made, or that it was not. */
  toldMade: boolean | undefined;
  /** How often its end was asked for without a word that this failed. */
  endsAsked: number;
  toldEnded: boolean;
}

const made: ReadonlySet<string> = new Set(['RESERVE', 'CREATE']);
const failed: ReadonlySet<string> = new Set([
  'OPERATION_FAILED',
  'OPERATION_ERROR',
  'OPERATION_DROPPED',
]);

export class HoldingsLedger {
  /** By id of reservation or volume. */
  readonly #fates = new Map<string, Fate>();
  readonly #fail: (what: string) => void;

  constructor(fail: (what: string) => void) {
    this.#fail = fail;
  }

  isGivenUp(id: string): boolean {
    const { endsAsked, toldEnded } = this.#fate(id);
    return toldEnded || endsAsked > 0;
  }

  /** It was made, and is no more. */
  isOver(id: string): boolean {
    const { on, wasSeen, toldMade, endsAsked } = this.#fate(id);
    return on === undefined && (wasSeen || (toldMade === true && endsAsked > 0));
  }

  /** Reservations of a framework, by its name, that are on some machine. */
  reservedBy(name: string): string[] {
    const ids = [...this.#fates].flatMap(([id, { on }]) => (on === undefined ? [] : [id]));
    return ids.filter((id) => id.startsWith(`${name}-r`));
  }

  asked(operation: Offer_Operation): void {
    if (made.has(operation.type ?? '')) return;
    for (const id of idsOf(operation)) this.#fate(id).endsAsked += 1;
  }

  /** The master refused it at once. */
  refused(operation: Offer_Operation): void {
    if (made.has(operation.type ?? '')) return;
    for (const id of idsOf(operation)) this.#fate(id).endsAsked -= 1;
  }

  /** Words of a reconciliation may be older than what is known; those of agents are for good. */
  told({ id, type, operation, state: before }: NotedOperation, { state }: OperationStatus): void {
    const isDone = state === 'OPERATION_FINISHED';
    if (before === 'OPERATION_FINISHED' && failed.has(state)) {
      this.#fail(`${type} ${id} is ${state} after it was finished`);
    }
    if (failed.has(before) && isDone)
      this.#fail(`${type} ${id} is finished after it was ${before}`);
    if (before === state || (!isDone && !failed.has(state))) return;
    for (const one of idsOf(operation)) {
      const fate = this.#fate(one);
      if (made.has(type)) this.#toldMade(one, fate, isDone);
      else if (isDone) this.#toldEnded(one, fate);
      else fate.endsAsked -= 1;
    }
  }

  #toldMade(id: string, fate: Fate, isMade: boolean): void {
    fate.toldMade = isMade;
    // Made and given up by two operations that were written at once, it is never seen.
    const isNowhere = !fate.wasSeen && fate.endsAsked <= 0;
    if (isMade && isNowhere) this.#fail(`${id} is told to be made, and is nowhere`);
    if (!isMade && fate.wasSeen) this.#fail(`${id} is told not to be made, and was on ${fate.on}`);
  }

  #toldEnded(id: string, fate: Fate): void {
    fate.toldEnded = true;
    if (fate.on !== undefined) this.#fail(`${id} is told to be gone, and is on ${fate.on}`);
  }

  /** What a machine has from now on. */
  durable(machine: string, resources: readonly Resource[]): void {
    const holdings = holdingsOf(resources);
    const present = new Set<string>();
    for (const holding of holdings.values()) {
      present.add(holding.id);
      for (const volume of holding.volumes) present.add(volumeId(volume) ?? '');
      if (!isWhole(holding)) this.#fail(`${machine} has a part of ${holding.id} only`);
    }
    for (const id of present) this.#isPresent(machine, id);
    for (const [id, fate] of this.#fates) {
      if (fate.on !== machine || present.has(id)) continue;
      fate.on = undefined;
      if (fate.endsAsked <= 0) this.#fail(`${id} is lost on ${machine}`);
    }
  }

  #isPresent(machine: string, id: string): void {
    const fate = this.#fate(id);
    if (fate.on === machine) return;
    if (fate.on !== undefined) this.#fail(`${id} is on ${fate.on} and on ${machine}`);
    else if (fate.wasSeen) this.#fail(`${id} was gone and is on ${machine} again`);
    if (fate.toldMade === false) this.#fail(`${id} is told not to be made, and is on ${machine}`);
    fate.wasSeen = true;
    fate.on = machine;
  }

  offered({ id, allocation_info, resources = [] }: Offer): void {
    const role = allocation_info?.role ?? '*';
    for (const resource of resources) {
      const owner = reservationRole(resource);
      if (owner !== '*' && !isWithin(role, owner)) {
        this.#fail(`${id.value} offers ${role} what is reserved for ${owner}`);
      }
    }
    for (const holding of holdingsOf(resources).values()) {
      for (const one of [holding.id, ...holding.volumes.map((it) => volumeId(it) ?? '')]) {
        if (this.#fate(one).toldEnded) this.#fail(`${id.value} offers ${one}, which is gone`);
      }
    }
  }

  #fate(id: string): Fate {
    const known = this.#fates.get(id);
    if (known !== undefined) return known;
    const fate: Fate = {
      on: undefined,
      wasSeen: false,
      toldMade: undefined,
      endsAsked: 0,
      toldEnded: false,
    };
    this.#fates.set(id, fate);
    return fate;
  }
}
