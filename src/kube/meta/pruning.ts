// Decodes a client's value against a schema: wrong types are errors, unknown fields are found (strict
// clients refuse them) and dropped, nulls mean absent. Wording as apimachinery v0.37 where it is seen.
import { emptiedIn, type Emptied } from './emptied-fields.ts';
import { canonicalTime, timeFault } from './go-time.ts';
import { canonicalQuantity, quantityProblem, roundedUpToMilli } from './quantity.ts';
import type { Schema } from './schema.ts';
import { isNumber } from './exact-numbers.ts';
import {
  conversionFault,
  convertedNumber,
  plainNumbers,
  wholeNumber,
  type NumberForm,
} from './read-numbers.ts';
import { writtenAs, WrittenNumber } from './written-numbers.ts';
import { typeSchema } from '#kube/types/registry.ts';

export interface Decoded {
  readonly value: unknown;
  /** Paths of fields that the schema does not have. */
  readonly unknown: readonly string[];
  /** What could not be decoded; empty when all is well. */
  readonly errors: readonly string[];
  /** Lists and maps that are left out because there is nothing in them. */
  readonly emptied: readonly Emptied[];
}

type Json = Record<string, unknown>;

const goTypes: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'bool',
  integer: 'int32',
  number: 'float64',
};

/** Types that read themselves out of a text: by themselves they ask for no more than that. */
const textTypes: Readonly<Record<string, string>> = {
  'date-time': 'v1.Time',
  'micro-time': 'v1.MicroTime',
  duration: 'v1.Duration',
};

const anyTypes: Readonly<Record<string, string>> = {
  'int-or-string': 'int32',
  quantity: 'resource.Quantity',
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
      return schema.format === 'byte' ? '[]uint8' : `[]${elementType(schema.items)}`;
    case 'map':
      return schema.values?.format === 'quantity' && schema.goKey === undefined
        ? 'v1.ResourceList'
        : `map[${schema.goKey ?? 'string'}]${elementType(schema.values)}`;
    case 'object':
      return goName(schema.name).qualified;
    case 'any':
      if (schema.name !== undefined) return goName(schema.name).qualified;
      return anyTypes[schema.format ?? ''] ?? 'interface {}';
    case 'string':
      return schema.format === 'byte' ? '[]uint8' : 'string';
    default:
      return schema.format === 'int64' ? 'int64' : (goTypes[schema.type] ?? schema.type);
  }
}

function elementType(schema: Schema = { type: 'any' }): string {
  const own = schema.type === 'string' ? textTypes[schema.format ?? ''] : undefined;
  return own ?? goType(schema);
}

function jsonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'bigint' ? 'number' : typeof value;
}

/** Types that read themselves out of JSON. */
const readsItself = ({ format = '' }: Schema): boolean =>
  format === 'int-or-string' || format === 'quantity' || Object.hasOwn(textTypes, format);

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Where Go's decoder breaks off a text that is no base64. */
function base64Fault(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const one = text.charAt(at);
    if (one === '\n' || one === '\r') continue;
    if (/[A-Za-z0-9+/]/.test(one)) count += 1;
    else if (one !== '=' || count % 4 < 2) return at;
    else return padFault(text, at, 4 - (count % 4));
  }
  return text.length - (count % 4);
}

/** After the first sign of padding, of which there have to be `wanted`. */
function padFault(text: string, first: number, wanted: number): number {
  let at = first;
  for (let seen = 0; at < text.length; at++) {
    const one = text.charAt(at);
    if (one === '\n' || one === '\r') continue;
    if (one !== '=' || seen === wanted) return at;
    seen += 1;
  }
  return at;
}

interface Place {
  /** As strict decoding names it: with list indices. */
  readonly path: string;
  /** As type errors name it: the enclosing type and names of fields only. */
  readonly struct: string;
  readonly fields: string;
}

const nowhere: Place = { path: '', struct: '', fields: '' };

/** Types that are a schema or something else. */
const SCHEMA_OR = /\.JSONSchemaPropsOr(?:Bool|Array|StringArray)$/;

const zeroTexts: Readonly<Record<string, unknown>> = { quantity: '0', 'int-or-string': 0 };

class Decoder {
  readonly unknown: string[] = [];
  readonly errors: string[] = [];
  readonly dropped: (readonly [holder: object, key: string, value: unknown])[] = [];

  readonly #checksTypes: boolean;
  readonly #numbers: NumberForm;
  readonly #keepsNulls: boolean;
  #isOver = false;
  /** Of the number that is looked at, where it is not as JavaScript writes it. */
  #written: string | undefined;

  constructor(checksTypes: boolean, numbers: NumberForm, keepsNulls: boolean) {
    this.#checksTypes = checksTypes;
    this.#numbers = numbers;
    this.#keepsNulls = keepsNulls;
  }

  /**
   * Only the first is told. Where a type reads itself upstream's decoder stops; of what it merely cannot put into a
   * field it tells at the end.
   */
  #fail(message: string, reads: 'by itself' | 'plainly' = 'plainly'): undefined {
    if (reads === 'by itself' && !this.#isOver) {
      this.#isOver = true;
      this.errors.splice(0, 1, message);
    } else if (this.errors.length === 0) this.errors.push(message);
    return undefined;
  }

  #wrong(schema: Schema, value: unknown, at: Place): undefined {
    if (this.#numbers === 'values' && !readsItself(schema))
      return this.#fail(conversionFault(schema, value, goType(schema)));
    const isOfNumbers = schema.type === 'integer' || schema.type === 'number';
    const isOddNumber = isNumber(value) && isOfNumbers;
    const what = isOddNumber ? `number ${this.#written ?? String(value)}` : jsonTypeOf(value);
    // What reads itself is not told where it is.
    const { struct, fields } = this.#numbers === 'values' ? nowhere : at;
    const where = struct === '' ? fields : `${struct}.${fields}`;
    const place = where === '' ? 'Go value' : `Go struct field ${where}`;
    const reads = readsItself(schema) ? 'by itself' : 'plainly';
    const why = `json: cannot unmarshal ${what} into ${place} of type ${goType(schema)}`;
    return this.#fail(why, reads);
  }

  decode(schema: Schema, value: unknown, at: Place): unknown {
    if (this.#checksTypes) {
      if (this.#numbers !== 'written' || !(value instanceof WrittenNumber))
        return this.#decode(schema, value, at);
      this.#written = value.source;
      return this.#decode(schema, Number(value.source), at);
    }
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
        return isNumber(value) && Number.isFinite(Number(value))
          ? Number(value)
          : this.#wrong(schema, value, at);
      case 'array':
        if (!Array.isArray(value)) return this.#wrong(schema, value, at);
        return value.map((one, i) => {
          if (one === null) return this.#unset(schema.items);
          const inside = { ...at, path: `${at.path}[${i}]` };
          this.#written = typeof one === 'number' ? writtenAs(value, i) : undefined;
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
    if (!isNumber(value)) return this.#wrong(schema, value, at);
    const { format } = schema;
    if (this.#numbers === 'values' && format !== 'int-or-string') {
      const isWhole = typeof value === 'bigint' || Number.isInteger(value);
      return isWhole ? convertedNumber(value, format) : this.#wrong(schema, value, at);
    }
    const isWritten = this.#written === undefined || /^-?\d+$/.test(this.#written);
    const whole = isWritten ? wholeNumber(value, format) : undefined;
    if (whole !== undefined) return whole;
    return this.#wrong(schema, value, at);
  }

  #text(schema: Schema, value: string): unknown {
    const format = schema.format as string | undefined;
    if (format === 'date-time' || format === 'micro-time') {
      const fault = timeFault(value, format);
      return fault === undefined ? canonicalTime(value, format) : this.#fail(fault, 'by itself');
    }
    if (schema.format === 'byte' && !BASE64.test(value.replaceAll(/[\r\n]/g, ''))) {
      return this.#fail(`illegal base64 data at input byte ${base64Fault(value)}`);
    }
    return value;
  }

  /** A schema, or what may stand in its place; unknown fields are dropped unseen, as upstream's own reader does. */
  #schemaOr(name: string, value: unknown, at: Place): unknown {
    const isOne = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isOne && name.endsWith('OrBool') && typeof value !== 'boolean')
      return this.#fail('boolean or JSON schema expected', 'by itself');
    if (!isOne) return value;
    const known = this.unknown.length;
    const schema = typeSchema(name.replace(/Or\w+$/, ''));
    const decoded = this.#object(schema, value as Json, at);
    this.unknown.length = known;
    return decoded;
  }

  #any(schema: Schema, value: unknown, at: Place): unknown {
    const { name } = schema;
    if (name !== undefined && SCHEMA_OR.test(name)) return this.#schemaOr(name, value, at);
    if (schema.format === 'quantity') {
      const isScalar = typeof value === 'string' || isNumber(value);
      // Quantities are text on the wire, in one spelling, however they were written.
      const text = typeof value === 'number' ? this.#written : undefined;
      const given = isScalar ? (text ?? String(value)).trim() : '';
      return canonicalQuantity(given) ?? this.#fail(quantityProblem(given), 'by itself');
    }
    if (schema.format === 'int-or-string') {
      if (typeof value === 'string') return value;
      return this.#integer({ ...schema, format: 'int-or-string', type: 'integer' }, value, at);
    }
    return this.#numbers === 'written' ? plainNumbers(value) : value;
  }

  #zero(schema: Schema): unknown {
    if (schema.type !== 'object' || schema.zero === null) return schema.zero;
    return this.#object(schema, {}, nowhere);
  }

  /** What Go has for a null in a list or a map: the zero value. */
  #unset(schema: Schema = { type: 'any' }): unknown {
    if (!this.#checksTypes) return null;
    switch (schema.type) {
      case 'object':
        return this.#object(schema, {}, nowhere);
      case 'string':
        return schema.format === undefined || schema.format === 'byte' ? '' : null;
      case 'integer':
      case 'number':
        return 0;
      case 'boolean':
        return false;
      default:
        return zeroTexts[schema.format ?? ''] ?? null;
    }
  }

  #map(schema: Schema, value: Json, at: Place): Json {
    const out: Json = {};
    // Amounts of resources are whole thousandths.
    const isAmounts = schema.values?.format === 'quantity' && schema.goKey === undefined;
    for (const [key, one] of Object.entries(value)) {
      if (schema.values !== undefined && isRightLeaf(schema.values, one)) {
        out[key] = one;
        continue;
      }
      if (one === null) {
        if (this.#checksTypes) out[key] = this.#unset(schema.values);
        continue;
      }
      const inside = { ...at, path: `${at.path}.${key}` };
      this.#written = typeof one === 'number' ? writtenAs(value, key) : undefined;
      const decoded = this.decode(schema.values ?? { type: 'any' }, one, inside);
      out[key] = isAmounts ? (roundedUpToMilli(String(decoded)) ?? decoded) : decoded;
    }
    return out;
  }

  #object(schema: Schema, value: Json, at: Place): Json {
    const { properties } = schema;
    if (properties === undefined) return value;
    const out: Json = {};
    const { struct, written } = factsOf(schema, properties);
    for (const [key, one] of Object.entries(value)) {
      const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
      if (known !== undefined && isRightLeaf(known, one)) {
        if (known.omitsZero !== true || !isZero(one)) out[key] = one;
        continue;
      }
      const path = at.path === '' ? key : `${at.path}.${key}`;
      if (known === undefined) {
        if (schema.preserveUnknownFields === true) out[key] = one;
        else this.unknown.push(path);
        continue;
      }
      if (one === null) {
        const isTyped = schema.name !== undefined || known.name !== undefined;
        const isKept = this.#keepsNulls && known.default === undefined && !isTyped;
        if (known.nullable === true || isKept) out[key] = null;
        continue;
      }
      const own = known.goEmbedding === undefined ? key : `${known.goEmbedding}.${key}`;
      const fields = at.fields === '' ? own : `${at.fields}.${own}`;
      this.#written = typeof one === 'number' ? writtenAs(value, key) : undefined;
      const decoded = this.decode(known, one, { path, struct, fields });
      if (known.omitsZero !== true || !isZero(decoded)) out[key] = decoded;
      else if (typeof decoded === 'object') this.dropped.push([out, key, decoded]);
    }
    for (const [key, field] of this.#checksTypes ? written : []) {
      if (out[key] === undefined) out[key] = this.#zero(field);
    }
    return out;
  }
}

type Fields = Readonly<Record<string, Schema>>;

/** What is asked of a type for each object of it. */
interface TypeFacts {
  /** Its name, as type errors have it. */
  readonly struct: string;
  readonly written: readonly (readonly [string, Schema])[];
}

const facts = new WeakMap<Schema, TypeFacts>();

function factsOf(schema: Schema, properties: Fields): TypeFacts {
  let found = facts.get(schema);
  if (found === undefined) {
    found = { struct: goName(schema.name).short, written: writtenFields(properties) };
    facts.set(schema, found);
  }
  return found;
}

/** Most of what there is: nothing about it can be wrong, and nothing is made of it. */
function isRightLeaf({ type, format }: Schema, value: unknown): boolean {
  if (type === 'string') return typeof value === 'string' && format === undefined;
  return type === 'boolean' && typeof value === 'boolean';
}

/**
 * Fields that are in the answer even when nobody set them: structs, lists and maps (null), numbers.
 * Texts are left out, for validation tells what is missing from what is wrong.
 */
function writtenFields(properties: Fields): readonly (readonly [string, Schema])[] {
  return Object.entries(properties).filter(([, { type, zero }]) => {
    if (zero === undefined || type === 'string' || type === 'any') return false;
    return type !== 'object' || zero !== null;
  });
}

function isZero(value: unknown): boolean {
  if (typeof value !== 'object') return value === '' || value === 0 || value === false;
  return value !== null && Object.keys(value).length === 0;
}

/**
 * With `checksTypes` false only unknown fields are found: custom resources are validated later. With `keepsNulls`
 * a null stays where nothing stands in its place, for validation to judge.
 */
export function decodeStrict(
  schema: Schema,
  value: unknown,
  checksTypes = true,
  numbers: NumberForm = 'plain',
  keepsNulls = false,
): Decoded {
  const decoder = new Decoder(checksTypes, numbers, keepsNulls);
  const decoded = decoder.decode(schema, value, nowhere);
  const { unknown, errors, dropped } = decoder;
  const emptied = dropped.length === 0 ? [] : emptiedIn(decoded, dropped);
  return { value: decoded, unknown, errors, emptied };
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

interface Places {
  /** Of each key of the text, the first time. */
  readonly first: ReadonlyMap<string, number>;
  /** Of each key that is there again. */
  readonly again: readonly number[];
}

const places = new WeakMap<readonly string[], Places>();

/** Where in its text what duplicateKeys() found stands. */
export function placesOf(duplicates: readonly string[]): Places | undefined {
  return places.get(duplicates);
}

/** Their paths; scans the text. */
function findDuplicates(text: string): string[] {
  const found: string[] = [];
  const first = new Map<string, number>();
  const again: number[] = [];
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
      const path = join(top.path, key);
      if (!first.has(path)) first.set(path, match.index);
      if (top.keys.has(key)) {
        found.push(path);
        again.push(match.index);
      }
      top.keys.add(key);
      top.key = key;
      expectKey = false;
    }
  }
  places.set(found, { first, again });
  return found;
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
