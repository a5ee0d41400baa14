// Decodes a client's value against a schema: wrong types are errors, unknown fields are found (strict
// clients refuse them) and dropped, nulls mean absent. Wording as apimachinery v0.37 where it is seen.
import { canonicalQuantity, quantityRule } from './quantity.ts';
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
};

/** `v1.PodSpec` of `io.k8s.api.core.v1.PodSpec`, and the kind alone. */
function goName(name: string | undefined): { qualified: string; short: string } {
  const [short = '', version = ''] = (name ?? '').split('.').toReversed();
  return { qualified: `${version}.${short}`, short };
}

/** What a Go server would call the type; clients have seen these words for years. */
function goType(schema: Schema): string {
  if (schema.goType !== undefined) return schema.goType;
  switch (schema.type) {
    case 'array':
      return schema.format === 'byte' ? '[]uint8' : `[]${goType(schema.items ?? { type: 'any' })}`;
    case 'map':
      return schema.values?.format === 'quantity'
        ? 'v1.ResourceList'
        : `map[string]${goType(schema.values ?? { type: 'any' })}`;
    case 'object':
      return goName(schema.name).qualified;
    case 'any':
      return schema.format === 'int-or-string' ? 'int32' : 'interface {}';
    case 'string':
      return schema.format === 'byte' ? '[]uint8' : 'string';
    default:
      return schema.format === 'int64' ? 'int64' : (goTypes[schema.type] ?? schema.type);
  }
}

function jsonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
}

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
const RFC3339_START = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/;
const timeLayouts: Readonly<Record<string, string>> = {
  'date-time': '2006-01-02T15:04:05Z07:00',
  'micro-time': '2006-01-02T15:04:05.000000Z07:00',
};
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const PADDED = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)/;

interface Place {
  /** As strict decoding names it: with list indices. */
  readonly path: string;
  /** As type errors name it: the enclosing type and names of fields only. */
  readonly struct: string;
  readonly fields: string;
}

class Decoder {
  readonly unknown: string[] = [];
  readonly errors: string[] = [];

  readonly #checksTypes: boolean;

  constructor(checksTypes: boolean) {
    this.#checksTypes = checksTypes;
  }

  /** Only the first is told, as upstream's decoder stops there. */
  #fail(message: string): undefined {
    if (this.errors.length === 0) this.errors.push(message);
    return undefined;
  }

  #wrong(schema: Schema, value: unknown, at: Place): undefined {
    const isOddNumber = typeof value === 'number' && schema.type === 'integer';
    const what = isOddNumber ? `number ${value}` : jsonTypeOf(value);
    const where = at.struct === '' ? at.fields : `${at.struct}.${at.fields}`;
    const place = where === '' ? 'Go value' : `Go struct field ${where}`;
    return this.#fail(`json: cannot unmarshal ${what} into ${place} of type ${goType(schema)}`);
  }

  decode(schema: Schema, value: unknown, at: Place): unknown {
    if (this.#checksTypes) return this.#decode(schema, value, at);
    // Only what has the right shape is looked into; the rest is kept for validation to judge.
    if (Array.isArray(value) && schema.type === 'array') return this.#decode(schema, value, at);
    const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
    const isHeld = schema.type === 'map' || schema.type === 'object';
    return isRecord && isHeld ? this.#decode(schema, value, at) : value;
  }

  #decode(schema: Schema, value: unknown, at: Place): unknown {
    switch (schema.type) {
      case 'string':
        return typeof value === 'string'
          ? this.#text(schema, value)
          : this.#wrong(schema, value, at);
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#wrong(schema, value, at);
      case 'integer':
        return this.#integer(schema, value, at);
      case 'number':
        return typeof value === 'number' ? value : this.#wrong(schema, value, at);
      case 'array':
        if (!Array.isArray(value)) return this.#wrong(schema, value, at);
        return value.map((one, i) => {
          if (one === null) return one;
          const inside = { ...at, path: `${at.path}[${i}]` };
          return this.decode(schema.items ?? { type: 'any' }, one, inside);
        });
      case 'map':
      case 'object':
        if (typeof value !== 'object' || value === null || Array.isArray(value)) {
          return this.#wrong(schema, value, at);
        }
        return schema.type === 'map'
          ? this.#map(schema, value as Json, at)
          : this.#object(schema, value as Json, at);
      default:
        return this.#any(schema, value, at);
    }
  }

  #integer(schema: Schema, value: unknown, at: Place): unknown {
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      return this.#wrong(schema, value, at);
    }
    const isTooBig = schema.format === 'int32' && (value > INT32_MAX || value < INT32_MIN);
    return isTooBig ? this.#wrong(schema, value, at) : value;
  }

  #text(schema: Schema, value: string): unknown {
    const layout = timeLayouts[schema.format ?? ''];
    if (layout !== undefined && (!RFC3339.test(value) || Number.isNaN(Date.parse(value)))) {
      const quoted = JSON.stringify(value);
      const [whole = ''] = RFC3339_START.exec(value) ?? [];
      if (whole !== '' && whole !== value) {
        const extra = JSON.stringify(value.slice(whole.length));
        return this.#fail(`parsing time ${quoted}: extra text: ${extra}`);
      }
      return this.#fail(`parsing time ${quoted} as "${layout}": cannot parse ${quoted} as "2006"`);
    }
    if (schema.format === 'byte' && !BASE64.test(value.replaceAll(/[\r\n]/g, ''))) {
      const whole = PADDED.exec(value)?.[0].length;
      const at = whole ?? Math.max(0, value.search(/[^A-Za-z0-9+/]/));
      return this.#fail(`illegal base64 data at input byte ${at}`);
    }
    return value;
  }

  #any(schema: Schema, value: unknown, at: Place): unknown {
    if (schema.format === 'quantity') {
      const isScalar = typeof value === 'string' || typeof value === 'number';
      // Quantities are text on the wire, in one spelling, however they were written.
      const text = isScalar ? canonicalQuantity(String(value)) : undefined;
      return text ?? this.#fail(quantityRule);
    }
    if (schema.format === 'int-or-string') {
      if (typeof value === 'string') return value;
      return this.#integer({ ...schema, format: 'int32', type: 'integer' }, value, at);
    }
    return value;
  }

  #zero(schema: Schema): unknown {
    if (schema.type !== 'object' || schema.zero === null) return schema.zero;
    return this.#object(schema, {}, { path: '', struct: '', fields: '' });
  }

  #map(schema: Schema, value: Json, at: Place): Json {
    const out: Json = {};
    for (const [key, one] of Object.entries(value)) {
      if (one === null) continue;
      const inside = { ...at, path: `${at.path}.${key}` };
      out[key] = this.decode(schema.values ?? { type: 'any' }, one, inside);
    }
    return out;
  }

  #object(schema: Schema, value: Json, at: Place): Json {
    const { properties } = schema;
    if (properties === undefined) return value;
    const out: Json = {};
    const struct = goName(schema.name).short;
    for (const [key, one] of Object.entries(value)) {
      const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
      const path = at.path === '' ? key : `${at.path}.${key}`;
      if (known === undefined) {
        if (schema.preserveUnknownFields === true) out[key] = one;
        else this.unknown.push(path);
        continue;
      }
      if (one === null) {
        if (known.nullable === true) out[key] = null;
        continue;
      }
      const own = known.goEmbedding === undefined ? key : `${known.goEmbedding}.${key}`;
      const fields = at.fields === '' ? own : `${at.fields}.${own}`;
      const decoded = this.decode(known, one, { path, struct, fields });
      if (known.omitsZero !== true || !isZero(decoded)) out[key] = decoded;
    }
    for (const [key, field] of this.#checksTypes ? writtenFields(properties) : []) {
      if (out[key] === undefined) out[key] = this.#zero(field);
    }
    return out;
  }
}

type Fields = Readonly<Record<string, Schema>>;

const written = new WeakMap<Fields, readonly (readonly [string, Schema])[]>();

/**
 * Fields that are in the answer even when nobody set them: structs, lists and maps (null), numbers.
 * Texts are left out, for validation tells what is missing from what is wrong.
 */
function writtenFields(properties: Fields): readonly (readonly [string, Schema])[] {
  let found = written.get(properties);
  if (found === undefined) {
    found = Object.entries(properties).filter(([, { type, zero }]) => {
      if (zero === undefined || type === 'string' || type === 'any') return false;
      return type !== 'object' || zero !== null;
    });
    written.set(properties, found);
  }
  return found;
}

function isZero(value: unknown): boolean {
  if (typeof value !== 'object') return value === '' || value === 0 || value === false;
  return value !== null && Object.keys(value).length === 0;
}

/** With `checksTypes` false only unknown fields are found: custom resources are validated later. */
export function decodeStrict(schema: Schema, value: unknown, checksTypes = true): Decoded {
  const decoder = new Decoder(checksTypes);
  const decoded = decoder.decode(schema, value, { path: '', struct: '', fields: '' });
  return { value: decoded, unknown: decoder.unknown, errors: decoder.errors };
}

const [QUOTE, BACKSLASH, COLON, SPACE] = [0x22, 0x5c, 0x3a, 0x20];

/** How many strings of the text, which is JSON, are keys. */
function keysInText(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at)) {
    at += 1;
    for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at))
      at += code === BACKSLASH ? 2 : 1;
    at += 1;
    // Space, tab and line breaks are all the white space of JSON.
    while (text.charCodeAt(at) <= SPACE) at += 1;
    if (text.charCodeAt(at) === COLON) count += 1;
  }
  return count;
}

function keysInValue(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const one of value) count += keysInValue(one);
    return count;
  }
  for (const key in value)
    count += 1 + keysInValue((value as Readonly<Record<string, unknown>>)[key]);
  return count;
}

/** Keys that stand twice in one JSON object, as strict clients want to be told. `value` is what the text says. */
export function duplicateKeys(text: string, value: unknown): string[] {
  return keysInText(text) === keysInValue(value) ? [] : findDuplicates(text);
}

/** Their paths; scans the text. */
function findDuplicates(text: string): string[] {
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
