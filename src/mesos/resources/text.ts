// Resources, quantities and limits as Mesos writes them in its messages:
// `cpus(allocated: a)(reservations: [(DYNAMIC,a,p)]):1; ports:[1-2]` (Mesos 1.11).
import type { Labels, Resource, Resource_DiskInfo } from '#wire/mesos/v1.ts';
import type { Resources } from './resources.ts';

/** Fifteen digits, as streams of the original have it. */
function number(value: number): string {
  return String(Number((Math.round(value * 1_000) / 1_000).toPrecision(15)));
}

export function labelsText(labels: Labels): string {
  const pairs = (labels.labels ?? []).map(({ key, value }) =>
    value === undefined ? key : `${key}: ${value}`,
  );
  return `{${pairs.join(', ')}}`;
}

export function diskSourceText(source: NonNullable<Resource_DiskInfo['source']>): string {
  const { type, id, profile, vendor = '' } = source;
  if (type === 'UNKNOWN') return type;
  if (id !== undefined || profile !== undefined)
    return `${type}(${vendor},${id ?? ''},${profile ?? ''})`;
  const root =
    type === 'MOUNT' ? source.mount?.root : type === 'PATH' ? source.path?.root : undefined;
  return root === undefined ? type : `${type}:${root}`;
}

function diskText(disk: Resource_DiskInfo): string {
  const { source, persistence, volume } = disk;
  let text = source === undefined ? '' : diskSourceText(source);
  if (persistence !== undefined) text += `${source === undefined ? '' : ','}${persistence.id}`;
  if (volume === undefined) return text;
  const { host_path, container_path, mode } = volume;
  const where =
    host_path === undefined
      ? container_path
      : `${host_path}:${container_path}${mode === undefined ? '' : `:${mode.toLowerCase()}`}`;
  return `${text}:${where}`;
}

function amountText({ type, scalar, ranges, set }: Resource): string {
  if (type === 'RANGES') {
    const all = (ranges?.range ?? []).map(({ begin, end }) => `${begin}-${end}`);
    return `[${all.join(', ')}]`;
  }
  if (type === 'SET') return `{${(set?.item ?? []).join(', ')}}`;
  return number(scalar?.value ?? 0);
}

/** One resource; one in pre-refinement form is written as it is, without its role. */
export function resourceText(resource: Resource): string {
  let text = resource.name;
  const role = resource.allocation_info;
  if (role !== undefined) text += `(allocated: ${role.role ?? ''})`;
  const reservations = resource.reservations ?? [];
  if (reservations.length > 0) {
    const all = reservations.map(({ type = 'UNKNOWN', role: by = '', principal, labels }) => {
      const who = principal === undefined ? '' : `,${principal}`;
      return `(${type},${by}${who}${labels === undefined ? '' : `,${labelsText(labels)}`})`;
    });
    text += `(reservations: [${all.join(',')}])`;
  }
  if (resource.disk !== undefined) text += `[${diskText(resource.disk)}]`;
  if (resource.revocable !== undefined) text += '{REV}';
  if (resource.shared !== undefined) text += '<SHARED>';
  return `${text}:${amountText(resource)}`;
}

export function resourcesText(resources: Resources): string {
  if (resources.isEmpty) return '{}';
  if (!resources.some(({ shared }) => shared !== undefined)) {
    return resources.toWire().map(resourceText).join('; ');
  }
  // Of a shared volume one is written, and how many there are.
  const texts = resources.copies().flatMap(({ resource, copies }) => {
    const [one] = resource.toWire();
    if (one === undefined) return [];
    const text = resourceText(one);
    return one.shared === undefined
      ? Array.from({ length: copies }, () => text)
      : [`${text}<${copies}>`];
  });
  return texts.join('; ');
}

/** Thousandths of each name, by name. */
export function quantitiesText(quantities: Iterable<readonly [string, number]>): string {
  const all = [...quantities].toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (all.length === 0) return '{}';
  return all.map(([name, milli]) => `${name}:${number(milli / 1_000)}`).join('; ');
}
