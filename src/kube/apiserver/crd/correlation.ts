// Which old value an element of a new one is to be compared with: fields by their name, elements of lists
// only when the list is a map by keys.
import { same } from '#base/same.ts';
import { isObject, valuesOf, type JsonSchema } from './json-schema.ts';

interface Old {
  readonly value: unknown;
}

function keysOf(schema: JsonSchema, item: unknown): unknown[] | undefined {
  if (!isObject(item)) return undefined;
  const { properties } = schema.items ?? {};
  return (schema['x-kubernetes-list-map-keys'] ?? []).map(
    (key) => item[key] ?? properties?.[key]?.default,
  );
}

/** The old element with the same keys. */
export function oldItemFor(
  schema: JsonSchema,
  oldList: unknown,
  item: unknown,
  _index: number,
): Old | undefined {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(oldList)) return undefined;
  const keys = keysOf(schema, item);
  if (keys === undefined) return undefined;
  const found: unknown = oldList.find((one) => same(keysOf(schema, one), keys));
  return found === undefined ? undefined : { value: found };
}

/** Whether nothing has changed; lists that are maps may have another order. */
export function isUnchangedBy(schema: JsonSchema, old: unknown, value: unknown): boolean {
  if (same(old, value)) return true;
  if (Array.isArray(old) && Array.isArray(value)) {
    const { items = {} } = schema;
    if (schema['x-kubernetes-list-type'] !== 'map' || old.length !== value.length) return false;
    return value.every((one: unknown, index) => {
      const before = oldItemFor(schema, old, one, index);
      return before !== undefined && isUnchangedBy(items, before.value, one);
    });
  }
  if (!isObject(old) || !isObject(value)) return false;
  const keys = Object.keys(value);
  if (keys.length !== Object.keys(old).length) return false;
  const values = valuesOf(schema);
  return keys.every((key) => {
    if (old[key] === undefined) return false;
    const field = schema.properties?.[key] ?? values;
    if (field === undefined) return same(old[key], value[key]);
    return isUnchangedBy(field, old[key], value[key]);
  });
}
