// Resources as the older endpoints show them: amounts by name, ranges and sets as text; and the
// quantities of roles and quotas.
import type { Resources } from '#mesos/resources/resources.ts';
import { toJson } from '#wire/mesos/codec.ts';
import type { Attribute, Resource } from '#wire/mesos/v1.ts';

export type Json = Record<string, unknown>;

export function rangesText(ranges: Resource['ranges']): string {
  const parts = (ranges?.range ?? []).map(({ begin, end }) => `${begin}-${end}`);
  return `[${parts.join(', ')}]`;
}

function setText(set: Resource['set']): string {
  return `{${(set?.item ?? []).join(', ')}}`;
}

const jsons = new WeakMap<Resources, Json>();

/** cpus, gpus, mem and disk always; revocable ones under a name of their own. */
export function resourcesJson(resources: Resources): Json {
  const known = jsons.get(resources);
  if (known !== undefined) return known;
  const out: Json = { disk: 0, mem: 0, gpus: 0, cpus: 0 };
  for (const resource of resources.toWire()) {
    const name = resource.revocable === undefined ? resource.name : `${resource.name}_revocable`;
    if (resource.type === 'SCALAR') {
      const sum = Number(out[name] ?? 0) + (resource.scalar?.value ?? 0);
      out[name] = Math.round(sum * 1_000) / 1_000;
    } else if (resource.type === 'SET') out[name] = setText(resource.set);
    else out[name] = rangesText({ range: [...resources.ranges(resource.name)] });
  }
  jsons.set(resources, out);
  return out;
}

/** By name, without what is none; ranges and sets count their elements. */
export function quantitiesJson(milli: ReadonlyMap<string, number>): Record<string, number> {
  const all = [...milli].filter(([, amount]) => amount !== 0);
  all.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(all.map(([name, amount]) => [name, amount / 1_000]));
}

export function resourceListJson(resources: readonly Resource[]): Json[] {
  return resources.map((one) => toJson('Resource', one) as Json);
}

export function attributesJson(attributes: readonly Attribute[] | undefined): Json {
  const entries = (attributes ?? []).map(({ name, type, scalar, text, set, ranges }) => {
    if (type === 'SCALAR') return [name, scalar?.value];
    if (type === 'TEXT') return [name, text?.value];
    return [name, type === 'SET' ? setText(set) : rangesText(ranges)];
  });
  return Object.fromEntries(entries) as Json;
}
