// The JSON mapping of Mesos' v1 API (stout's protobuf mapping): field names as in the .proto, enums by
// name, 64-bit integers as numbers, bytes in base64; optional fields that have a default are written
// with it. Unknown fields are ignored, as the master does.
import type { Fault } from '#base/fault.ts';
import { JsonReaders } from './json-reader.ts';
import { JsonWriters } from './json-writer.ts';
import { jsonFault, type FieldDescriptor, type Schema } from './protobuf.ts';

type Value = Record<string, unknown>;

const isObject = (value: unknown): value is Value =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class JsonMapping {
  readonly #schema: Schema;
  readonly #writers: JsonWriters;
  readonly #readers: JsonReaders;

  constructor(schema: Schema) {
    this.#schema = schema;
    this.#writers = new JsonWriters(schema);
    this.#readers = new JsonReaders(schema);
  }

  stringify(message: string, value: object): string {
    return this.#writers.writer(message)(value as Value);
  }

  parse(message: string, text: string): Value {
    return this.fromJson(message, parseJsonText(message, text));
  }

  /** Fault `bad-json`: the first value of a wrong type, or all required fields that are missing. */
  fromJson(message: string, json: unknown): Value {
    return this.#plain(message, json) ?? this.fromAnyJson(message, json);
  }

  /** What is written as Mesos would write it; of messages that are nested too deeply the long way tells. */
  #plain(message: string, json: unknown): Value | undefined {
    try {
      return this.#readers.reader(message)(json);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** The same, whatever way it is written. */
  fromAnyJson(message: string, json: unknown): Value {
    if (!isObject(json)) throw jsonFault(message, '', 'Expecting a JSON object');
    const missing: string[] = [];
    const value = this.#whole(message, json, { missing, up: undefined, name: '', index: -1 });
    if (missing.length > 0) {
      const why = `Missing required fields: ${missing.join(', ')}`;
      throw jsonFault(message, missing[0] ?? '', why);
    }
    return value;
  }

  /** Messages that hold themselves may be nested without end. */
  #whole(message: string, json: Value, up: Place): Value {
    try {
      return this.#object(message, json, up);
    } catch (error) {
      if (error instanceof RangeError) throw jsonFault(message, '', 'nested too deeply');
      throw error;
    }
  }

  #object(message: string, json: Value, up: Place): Value {
    const out: Value = {};
    for (const field of this.#schema.fields(message)) {
      const { name } = field;
      const value = json[name];
      if (value === undefined || value === null) {
        if (field.label === '!') up.missing.push(pathOf(inside(up, name)));
        continue;
      }
      if (field.label === '+') {
        const list = this.#list(message, field, value, up);
        // To protobuf an empty list is none.
        if (list.length > 0) out[name] = list;
      } else if (field.label === '%') {
        if (!isObject(value)) throw wrongType(message, field, value, inside(up, name));
        // To protobuf a map is a list of entries, and Mesos names places so.
        const entries = Object.entries(value).map(([key, one], i) => [
          key,
          this.#one(message, field, one, inside(inside(up, name, i), 'value')),
        ]);
        out[name] = Object.fromEntries(entries);
      } else if (!this.#isUnknownOptional(field, value)) {
        out[name] = this.#one(message, field, value, inside(up, name));
      }
    }
    return out;
  }

  /** One value where a list belongs is a list of one, as the master takes it. */
  #list(message: string, field: FieldDescriptor, value: unknown, up: Place): unknown[] {
    const list: unknown[] = Array.isArray(value) ? value : [value];
    const known =
      field.kind === 'enum' ? list.filter((one) => !this.#isUnknownOptional(field, one)) : list;
    return known.map((one, i) => this.#one(message, field, one, inside(up, field.name, i)));
  }

  /** Mesos takes an enum value that it does not know as if the field were not there. */
  #isUnknownOptional(field: FieldDescriptor, value: unknown): boolean {
    if (field.kind !== 'enum' || field.label === '!' || typeof value !== 'string') return false;
    return !this.#schema.enumeration(field.type).byName.has(value);
  }

  #one(message: string, field: FieldDescriptor, value: unknown, at: Place): unknown {
    const wrong = (why: string) => jsonFault(message, pathOf(at), why);
    switch (field.kind) {
      case 'message':
        if (!isObject(value)) throw wrongType(message, field, value, at);
        return this.#object(field.type, value, at);
      case 'enum':
        if (typeof value !== 'string') throw wrongType(message, field, value, at);
        if (!this.#schema.enumeration(field.type).byName.has(value)) {
          throw wrong(`Failed to find enum for '${value}'`);
        }
        return value;
      case 's':
        if (typeof value !== 'string') throw wrongType(message, field, value, at);
        return value;
      case 'b':
        if (typeof value !== 'string') throw wrongType(message, field, value, at);
        if (!/^[A-Za-z0-9+/\-_\s]*={0,2}$/.test(value)) {
          const character = /[^A-Za-z0-9+/\-_\s]/.exec(value)?.[0] ?? '=';
          const what = `Failed to base64 decode bytes field '${field.name}'`;
          throw wrong(`${what}: Invalid character '${character}'`);
        }
        return new Uint8Array(Buffer.from(value, 'base64'));
      case 'B':
        if (value === 'true' || value === 'false') return value === 'true';
        if (typeof value === 'string') {
          throw wrong(`Failed to parse '${value}' as a JSON boolean for field '${field.name}'`);
        }
        if (typeof value !== 'boolean') throw wrongType(message, field, value, at);
        return value;
      default:
        return numberOf(message, field, value, at);
    }
  }
}

/** Where a value stands; its path is put together only when it is told. */
interface Place {
  readonly missing: string[];
  readonly up: Place | undefined;
  readonly name: string;
  /** In a list; -1: in none. */
  readonly index: number;
}

function inside(up: Place, name: string, index = -1): Place {
  return { missing: up.missing, up, name, index };
}

function pathOf({ up, name, index }: Place): string {
  const own = index < 0 ? name : `${name}[${index}]`;
  return up?.up === undefined ? own : `${pathOf(up)}.${own}`;
}

function wrongType(message: string, field: FieldDescriptor, value: unknown, at: Place): Fault {
  const kind = Array.isArray(value) ? 'array' : typeof value;
  return jsonFault(message, pathOf(at), `Not expecting a JSON ${kind} for field '${field.name}'`);
}

/** A number, or one written as a string, as Mesos takes both. */
function numberOf(message: string, field: FieldDescriptor, value: unknown, at: Place): number {
  const { kind, name } = field;
  if (typeof value !== 'number' && typeof value !== 'string') {
    throw wrongType(message, field, value, at);
  }
  const number = typeof value === 'number' ? value : value.trim() === '' ? NaN : Number(value);
  if (Number.isNaN(number)) {
    const why = `Failed to parse '${value}' as a JSON number for field '${name}'`;
    throw jsonFault(message, pathOf(at), `${why}: syntax error at line 1 near: ${value}`);
  }
  if (kind === 'd' || kind === 'f') return number;
  if (!Number.isInteger(number)) {
    throw jsonFault(message, pathOf(at), `Not expecting a fraction for field '${name}'`);
  }
  if (number < 0 && (kind === 'u' || kind === 'L')) {
    throw jsonFault(message, pathOf(at), `Not expecting a negative number for field '${name}'`);
  }
  return number;
}

/** JSON as it stands; the words of what is wrong are those of Mesos 1.11. */
export function parseJsonText(message: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw jsonFault(message, '', syntaxError(text, String(error)));
  }
}

function syntaxError(text: string, why: string): string {
  const at = Number(/at position (\d+)/.exec(why)?.[1] ?? text.length);
  const after = /non-whitespace character after JSON/.test(why);
  if (after) {
    const end = text.slice(0, at).trimEnd().length;
    return `Parsed JSON included non-whitespace trailing characters: ${text.slice(end)}`;
  }
  const line = text.slice(0, at).split('\n').length;
  const rest = text.slice(at).split('\n')[0] ?? '';
  return `syntax error at line ${line} near: ${rest}`;
}
