// Decodes a client's value against a schema: wrong types are errors, unknown fields are found (strict
// clients refuse them) and dropped, nulls mean absent. Wording as apimachinery v0.37 where it is seen.
import type { Schema } from './schema.ts';

export interface Decoded {
  readonly value: unknown;
  /** Paths of fields that the schema does not have. */
  readonly unknown: readonly string[];
  /** What could not be decoded; empty when all is well. */
  readonly errors: readonly string[];
}

type Json = Record<string, unknown>;

const goTypes: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'bool',
  integer: 'int32',
  number: 'float64',
  array: 'slice',
  object: 'struct',
  map: 'map',
};

function jsonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
}

class Decoder {
  readonly unknown: string[] = [];
  readonly errors: string[] = [];

  #wrong(schema: Schema, value: unknown, path: string): undefined {
    const go = schema.format === 'int64' ? 'int64' : (goTypes[schema.type] ?? schema.type);
    this.errors.push(
      `json: cannot unmarshal ${jsonTypeOf(value)} into Go struct field ${path} of type ${go}`,
    );
    return undefined;
  }

  decode(schema: Schema, value: unknown, path: string): unknown {
    switch (schema.type) {
      case 'string':
        return typeof value === 'string' ? value : this.#wrong(schema, value, path);
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#wrong(schema, value, path);
      case 'integer':
        return typeof value === 'number' && Number.isInteger(value)
          ? value
          : this.#wrong(schema, value, path);
      case 'number':
        return typeof value === 'number' ? value : this.#wrong(schema, value, path);
      case 'array':
        if (!Array.isArray(value)) return this.#wrong(schema, value, path);
        return value.map((one, i) =>
          one === null ? one : this.decode(schema.items ?? { type: 'any' }, one, `${path}[${i}]`),
        );
      case 'map':
      case 'object':
        if (typeof value !== 'object' || value === null || Array.isArray(value)) {
          return this.#wrong(schema, value, path);
        }
        return schema.type === 'map'
          ? this.#map(schema, value as Json, path)
          : this.#object(schema, value as Json, path);
      default:
        return this.#any(schema, value, path);
    }
  }

  #any(schema: Schema, value: unknown, path: string): unknown {
    const isScalar = typeof value === 'string' || typeof value === 'number';
    if (schema.format === 'int-or-string' || schema.format === 'quantity') {
      if (!isScalar) return this.#wrong({ type: 'string' }, value, path);
      // Quantities are text on the wire, however they were written.
      return schema.format === 'quantity' ? String(value) : value;
    }
    return value;
  }

  #map(schema: Schema, value: Json, path: string): Json {
    const out: Json = {};
    for (const [key, one] of Object.entries(value)) {
      if (one === null) continue;
      out[key] = this.decode(schema.values ?? { type: 'any' }, one, `${path}.${key}`);
    }
    return out;
  }

  #object(schema: Schema, value: Json, path: string): Json {
    const { properties } = schema;
    if (properties === undefined) return value;
    const out: Json = {};
    for (const [key, one] of Object.entries(value)) {
      const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
      const where = path === '' ? key : `${path}.${key}`;
      if (known === undefined) {
        if (schema.preserveUnknownFields === true) out[key] = one;
        else this.unknown.push(where);
        continue;
      }
      if (one === null) {
        if (known.nullable === true) out[key] = null;
        continue;
      }
      out[key] = this.decode(known, one, where);
    }
    return out;
  }
}

export function decodeStrict(schema: Schema, value: unknown): Decoded {
  const decoder = new Decoder();
  const decoded = decoder.decode(schema, value, '');
  return { value: decoded, unknown: decoder.unknown, errors: decoder.errors };
}

/** Keys that stand twice in one JSON object, as strict clients want to be told; scans the text. */
export function duplicateKeys(text: string): string[] {
  const found: string[] = [];
  const stack: { keys: Set<string> | undefined; path: string; index: number; key: string }[] = [];
  const pattern = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;
  let expectKey = false;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const token = match[0];
    const top = stack.at(-1);
    if (token === '{' || token === '[') {
      const base =
        top === undefined
          ? ''
          : top.keys === undefined
            ? `${top.path}[${top.index}]`
            : join(top.path, top.key);
      stack.push({ keys: token === '{' ? new Set() : undefined, path: base, index: 0, key: '' });
      expectKey = token === '{';
    } else if (token === '}' || token === ']') {
      stack.pop();
      expectKey = false;
    } else if (token === ',') {
      if (top?.keys === undefined && top !== undefined) top.index += 1;
      expectKey = top?.keys !== undefined;
    } else if (expectKey && token.startsWith('"') && top?.keys !== undefined) {
      const key = JSON.parse(token) as string;
      if (top.keys.has(key)) found.push(join(top.path, key));
      top.keys.add(key);
      top.key = key;
      expectKey = false;
    }
  }
  return found;
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
