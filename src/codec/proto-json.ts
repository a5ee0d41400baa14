// The JSON mapping of Mesos' v1 API (stout's protobuf mapping): field names as in the .proto, enums by
// name, 64-bit integers as numbers, bytes in base64; optional fields that have a default are written
// with it. Unknown fields are ignored, as the master does.
import type { Fault } from '#base/fault.ts';
import { jsonFault, type FieldDescriptor, type Schema } from './protobuf.ts';

type Value = Record<string, unknown>;

const isObject = (value: unknown): value is Value =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class JsonMapping {
  readonly #schema: Schema;

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  stringify(message: string, value: object): string {
    const json = this.toJson(message, value);
    const text = JSON.stringify(json);
    // Nothing of ours is null, so a null is an infinity (a task without a limit), which Mesos
    // writes as a text. Words that contain "null" only cost the slower way.
    return text.includes('null') ? JSON.stringify(json, infinityAsText) : text;
  }

  /** The value itself when nothing in it needs translation. */
  toJson(message: string, value: object): object {
    if (!this.#schema.isTranslated(message)) return value;
    const out: Value = { ...value };
    for (const field of this.#schema.fields(message)) {
      const one = out[field.name];
      if (one === undefined) {
        if (field.fallback !== undefined) out[field.name] = field.fallback;
        continue;
      }
      const isMessage = field.kind === 'message' && this.#schema.isTranslated(field.type);
      if (field.kind !== 'b' && !isMessage) continue;
      const convert = (item: unknown): unknown =>
        field.kind === 'b'
          ? Buffer.from(item as Uint8Array).toString('base64')
          : this.toJson(field.type, item as object);
      if (field.label === '+') out[field.name] = (one as unknown[]).map(convert);
      else if (field.label === '%') {
        const entries = Object.entries(one as object).map(([key, item]) => [key, convert(item)]);
        out[field.name] = Object.fromEntries(entries);
      } else out[field.name] = convert(one);
    }
    return out;
  }

  parse(message: string, text: string): Value {
    return this.fromJson(message, parseJsonText(message, text));
  }

  /** Fault `bad-json`: the first value of a wrong type, or all required fields that are missing. */
  fromJson(message: string, json: unknown): Value {
    if (!isObject(json)) throw jsonFault(message, '', 'Expecting a JSON object');
    const missing: string[] = [];
    const value = this.#object(message, json, { path: '', missing });
    if (missing.length > 0) {
      const why = `Missing required fields: ${missing.join(', ')}`;
      throw jsonFault(message, missing[0] ?? '', why);
    }
    return value;
  }

  #object(message: string, json: Value, at: Place): Value {
    const out: Value = {};
    for (const field of this.#schema.fields(message)) {
      const value = json[field.name];
      const path = at.path === '' ? field.name : `${at.path}.${field.name}`;
      if (value === undefined || value === null) {
        if (field.label === '!') at.missing.push(path);
        continue;
      }
      const place = { path, missing: at.missing };
      if (field.label === '+') {
        // One value where a list belongs is a list of one, as the master takes it.
        const list: unknown[] = Array.isArray(value) ? value : [value];
        out[field.name] = list
          .filter((one) => !this.#isUnknownOptional(field, one))
          .map((one, i) => this.#one(message, field, one, { ...place, path: `${path}[${i}]` }));
      } else if (field.label === '%') {
        if (!isObject(value)) throw wrongType(message, field, value, path);
        const entries = Object.entries(value).map(([key, one]) => [
          key,
          this.#one(message, field, one, { ...place, path: `${path}.${key}` }),
        ]);
        out[field.name] = Object.fromEntries(entries);
      } else if (!this.#isUnknownOptional(field, value)) {
        out[field.name] = this.#one(message, field, value, place);
      }
    }
    return out;
  }

  /** Mesos takes an enum value that it does not know as if the field were not there. */
  #isUnknownOptional(field: FieldDescriptor, value: unknown): boolean {
    if (field.kind !== 'enum' || field.label === '!' || typeof value !== 'string') return false;
    return !this.#schema.enumeration(field.type).byName.has(value);
  }

  #one(message: string, field: FieldDescriptor, value: unknown, at: Place): unknown {
    const wrong = (why: string) => jsonFault(message, at.path, why);
    switch (field.kind) {
      case 'message':
        if (!isObject(value)) throw wrongType(message, field, value, at.path);
        return this.#object(field.type, value, at);
      case 'enum':
        if (typeof value !== 'string') throw wrongType(message, field, value, at.path);
        if (!this.#schema.enumeration(field.type).byName.has(value)) {
          throw wrong(`Failed to find enum for '${value}'`);
        }
        return value;
      case 's':
        if (typeof value !== 'string') throw wrongType(message, field, value, at.path);
        return value;
      case 'b':
        if (typeof value !== 'string') throw wrongType(message, field, value, at.path);
        if (!/^[A-Za-z0-9+/\-_\s]*={0,2}$/.test(value)) {
          throw wrong(`Failed to base64 decode bytes field '${field.name}': Invalid character`);
        }
        return new Uint8Array(Buffer.from(value, 'base64'));
      case 'B':
        if (value === 'true' || value === 'false') return value === 'true';
        if (typeof value === 'string') {
          throw wrong(`Failed to parse '${value}' as a JSON boolean for field '${field.name}'`);
        }
        if (typeof value !== 'boolean') throw wrongType(message, field, value, at.path);
        return value;
      default:
        return numberOf(message, field, value, at.path);
    }
  }
}

interface Place {
  readonly path: string;
  readonly missing: string[];
}

function wrongType(message: string, field: FieldDescriptor, value: unknown, path: string): Fault {
  const kind = Array.isArray(value) ? 'array' : typeof value;
  return jsonFault(message, path, `Not expecting a JSON ${kind} for field '${field.name}'`);
}

function infinityAsText(_key: string, value: unknown): unknown {
  return value === Infinity || value === -Infinity ? String(value) : value;
}

/** A number, or one written as a string, as Mesos takes both. */
function numberOf(message: string, field: FieldDescriptor, value: unknown, path: string): number {
  const { kind, name } = field;
  if (typeof value !== 'number' && typeof value !== 'string') {
    throw wrongType(message, field, value, path);
  }
  const number = typeof value === 'number' ? value : value.trim() === '' ? NaN : Number(value);
  if (Number.isNaN(number)) {
    const why = `Failed to parse '${value}' as a JSON number for field '${name}'`;
    throw jsonFault(message, path, `${why}: syntax error at line 1 near: ${value}`);
  }
  if (kind === 'd' || kind === 'f') return number;
  if (!Number.isInteger(number)) {
    throw jsonFault(message, path, `Not expecting a fraction for field '${name}'`);
  }
  if (number < 0 && (kind === 'u' || kind === 'L')) {
    throw jsonFault(message, path, `Not expecting a negative number for field '${name}'`);
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
