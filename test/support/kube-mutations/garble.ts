// Changes one field of an object after the other: left out, empty, of the wrong form, too long, out of range, of
// another type, with an unknown key; and, for what is stored, merely other.
import type { Json } from './mutated.ts';

export type Place = readonly (string | number)[];

export const LONG = 300;

export function* placesIn(value: unknown, at: Place = []): Generator<Place> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    const place = [...at, Array.isArray(value) ? Number(key) : key];
    yield place;
    yield* placesIn(inner, place);
  }
}

export const valueAt = (object: unknown, place: Place): unknown =>
  place.reduce<unknown>((value, key) => (value as Json | undefined)?.[key], object);

/** By what is done to the value; undefined: it is left out. */
export type Garbled = readonly (readonly [what: string, value: unknown])[];

const gone = ['left out', undefined] as const;

export function garbled(value: unknown): Garbled {
  if (typeof value === 'string') {
    return [gone, ['empty', ''], ['bad', 'Bad_Value/!'], ['long', 'x'.repeat(LONG)]];
  }
  if (typeof value === 'number') return [gone, ['-1', -1], ['0', 0], ['99999', 99_999]];
  if (typeof value === 'boolean') return [gone, [String(!value), !value]];
  if (Array.isArray(value)) return [gone, ['empty', []], ['twice', [...value, ...value]]];
  return [gone, ['empty', {}]];
}

/** Of another type, or with a key that is unknown or none. */
export function mistyped(value: unknown): Garbled {
  if (typeof value === 'string') return [['a number', 1]];
  if (Array.isArray(value)) return [['an object', { a: 1 }]];
  if (typeof value !== 'object') return [['a text', 'x']];
  return [
    ['with an odd key', { ...(value as Json), 'Odd/Key!': 'x' }],
    ['a text', 'x'],
  ];
}

/** Other values that may well be as valid. */
export function altered(value: unknown): Garbled {
  if (typeof value === 'string') return [gone, ['other', `${value}x`]];
  if (typeof value === 'number') return [gone, ['more', value + 1], ['less', value - 1]];
  if (typeof value === 'boolean') return [gone, [String(!value), !value]];
  if (!Array.isArray(value)) return [gone];
  return value.length < 2 ? [gone] : [gone, ['turned round', value.toReversed()]];
}

/** Those of a place and what it holds. */
export function isBelow(place: Place, path: string): boolean {
  const text = placeText(place);
  return path === '' || text === path || text.startsWith(`${path}.`) || text.startsWith(`${path}[`);
}

/** Whether the value at a place can be changed: the server may have dropped what held it. */
export function isThere(base: Json, place: Place): boolean {
  return valueAt(base, place.slice(0, -1)) !== undefined;
}

export function changed(base: Json, place: Place, value: unknown): Json {
  const copy = structuredClone(base);
  const parent = valueAt(copy, place.slice(0, -1)) as Record<string | number, unknown>;
  const last = place.at(-1) ?? '';
  if (value !== undefined) parent[last] = value;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return copy;
}

/** As messages name it. */
export function placeText(place: Place): string {
  const parts = place.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`));
  return parts.join('').replace(/^\./, '');
}
