// What simulated frameworks reserve: each reservation has a label with an id of its own, and the same
// amounts, parts of whose disk become volumes that have ids too. So everybody can tell what is whose.
import { isPersistentVolume, reservationRole } from '#mesos/resources/kinds.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import type { Offer_Operation, Resource } from '#wire/mesos/v1.ts';

/** Small enough that three frameworks leave room for a task on every machine. */
const AMOUNTS = parseResources('cpus:0.1;mem:64;disk:256');
export const VOLUME_MB = 128;
export const RESIZE_MB = 64;

/** One reservation as it is found among resources. */
export interface Holding {
  readonly id: string;
  readonly role: string;
  readonly plain: Resource[];
  readonly volumes: Resource[];
}

export function reservationId(resource: Resource): string | undefined {
  const labels = resource.reservations?.at(-1)?.labels?.labels;
  return labels?.find(({ key }) => key === 'id')?.value;
}

export function volumeId(resource: Resource): string | undefined {
  return resource.disk?.persistence?.id;
}

export function reserved(id: string, role: string): Resource[] {
  const labels = { labels: [{ key: 'id', value: id }] };
  return AMOUNTS.map((one) => ({ ...one, reservations: [{ type: 'DYNAMIC', role, labels }] }));
}

/** What a reservation is made of. */
export function unreserved(): Resource[] {
  return AMOUNTS;
}

export function volumeOf(disk: Resource, id: string): Resource {
  const volume = { container_path: 'data', mode: 'RW' as const };
  return { ...disk, scalar: { value: VOLUME_MB }, disk: { persistence: { id }, volume } };
}

export function amountOf(resources: readonly Resource[], name: string): number {
  return resources.reduce(
    (sum, one) => sum + (one.name === name ? (one.scalar?.value ?? 0) : 0),
    0,
  );
}

/** What an operator or a framework does to give a reservation up, one step after the other. */
export function parting({ plain, volumes }: Holding): Offer_Operation {
  if (volumes.length > 0) return { type: 'DESTROY', destroy: { volumes } };
  return { type: 'UNRESERVE', unreserve: { resources: plain } };
}

export function holdingsOf(resources: readonly Resource[]): Map<string, Holding> {
  const all = new Map<string, Holding>();
  for (const resource of resources) {
    const id = reservationId(resource);
    if (id === undefined) continue;
    const role = reservationRole(resource);
    const holding = all.get(id) ?? { id, role, plain: [], volumes: [] };
    all.set(id, holding);
    (isPersistentVolume(resource) ? holding.volumes : holding.plain).push(resource);
  }
  return all;
}

/** All of it is there, as a volume or not. */
export function isWhole({ plain, volumes }: Holding): boolean {
  const all = [...plain, ...volumes];
  return AMOUNTS.every(({ name, scalar }) => amountOf(all, name) === scalar?.value);
}

/** A task may run on it. */
export function hasTaskRoom({ plain }: Holding): boolean {
  return amountOf(plain, 'cpus') > 0 && amountOf(plain, 'mem') > 0;
}
