// Which old value an element of a new one is to be compared with: fields by their name, elements of lists
// only when the list is a map by keys.
import { same } from '#base/same.ts';
import { isObject, type JsonSchema } from './json-schema.ts';

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
