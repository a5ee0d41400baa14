// What Go writes even when it is zero: empty texts, no time, no list (which an empty one is when it is stored). It is
// filled in once an object was judged: until then what is absent tells what is missing.
import type { KubeObject } from './object.ts';
import type { ResourceInfo } from './resource-info.ts';
import type { Schema } from './schema.ts';

type Json = Record<string, unknown>;

interface Plan {
  readonly texts: readonly (readonly [string, unknown])[];
  /** Lists and maps that are null when there is nothing in them. */
  readonly lists: readonly string[];
  /** Fields with such fields in them. */
  readonly inside: readonly (readonly [string, Schema])[];
}

const plans = new WeakMap<Schema, Plan>();

function planOf(schema: Schema): Plan {
  let plan = plans.get(schema);
  if (plan === undefined) {
    const fields = Object.entries(schema.properties ?? {});
    plan = {
      texts: fields.filter(([, one]) => isWrittenText(one)).map(([key, { zero }]) => [key, zero]),
      lists: fields.filter(([, one]) => isWrittenList(one)).map(([key]) => key),
      inside: fields.filter(([, one]) => holdsZeros(one, new Set())),
    };
    plans.set(schema, plan);
  }
  return plan;
}

/** Pointers to structs as well, which are null. */
const isWrittenText = ({ type, zero }: Schema): boolean =>
  (type === 'string' && zero !== undefined) || (type === 'object' && zero === null);

const isWrittenList = ({ type, zero }: Schema): boolean =>
  (type === 'array' || type === 'map') && zero === null;

/** `seen`: schemas may contain themselves. */
function holdsZeros(schema: Schema, seen: Set<string>): boolean {
  const { items, values, properties, name } = schema;
  if (items !== undefined) return holdsZeros(items, seen);
  if (values !== undefined) return holdsZeros(values, seen);
  if (properties === undefined) return false;
  if (name !== undefined && seen.has(name)) return false;
  if (name !== undefined) seen.add(name);
  const all = Object.values(properties);
  return all.some((one) => isWrittenText(one) || isWrittenList(one) || holdsZeros(one, seen));
}

function write(schema: Schema, value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const one of value) write(schema.items, one);
    return;
  }
  if (schema.values !== undefined) {
    for (const one of Object.values(value)) write(schema.values, one);
    return;
  }
  const record = value as Json;
  const { texts, lists, inside } = planOf(schema);
  for (const [key, zero] of texts) record[key] ??= zero;
  for (const key of lists) {
    const one = record[key];
    if (typeof one === 'object' && one !== null && Object.keys(one).length === 0)
      record[key] = null;
  }
  for (const [key, field] of inside) {
    const one = record[key];
    if (one !== undefined) write(field, one);
  }
}

/** Changes the object in place; those of definitions are kept as they came. */
export function writeZeros(
  { schema, customResourceDefinition }: ResourceInfo,
  object: KubeObject,
): void {
  if (customResourceDefinition === undefined) write(schema, object);
}
