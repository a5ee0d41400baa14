// The JSON mapping of Mesos' v1 API (stout's protobuf mapping): field names as in the .proto, enums by
// name, 64-bit integers as numbers, bytes in base64. Unknown fields are ignored, as the master does.
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
    if (!this.#schema.hasBytes(message)) return value;
    const out: Value = { ...value };
    for (const field of this.#schema.fields(message)) {
      const one = out[field.name];
      if (one === undefined) continue;
      const isMessage = field.kind === 'message' && this.#schema.hasBytes(field.type);
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
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (error) {
      throw jsonFault(message, '', `invalid JSON: ${(error as Error).message}`);
    }
    return this.fromJson(message, json);
  }

  /** Fault `bad-json` with the path of the first wrong field. */
  fromJson(message: string, json: unknown, path = ''): Value {
    if (!isObject(json)) throw jsonFault(message, path, 'expected a JSON object');
    const out: Value = {};
    for (const field of this.#schema.fields(message)) {
      const value = json[field.name];
      const where = path === '' ? field.name : `${path}.${field.name}`;
      if (value === undefined || value === null) {
        if (field.label === '!') throw jsonFault(message, where, 'missing required field');
        continue;
      }
      if (field.label === '+') {
        if (!Array.isArray(value)) throw jsonFault(message, where, 'expected a JSON array');
        out[field.name] = value.map((one, i) => this.#one(message, field, one, `${where}[${i}]`));
      } else if (field.label === '%') {
        if (!isObject(value)) throw jsonFault(message, where, 'expected a JSON object');
        const entries = Object.entries(value).map(([key, one]) => [
          key,
          this.#one(message, field, one, `${where}.${key}`),
        ]);
        out[field.name] = Object.fromEntries(entries);
      } else if (!this.#isUnknownOptional(field, value)) {
        out[field.name] = this.#one(message, field, value, where);
      }
    }
    return out;
  }

  /** Mesos takes an enum value that it does not know as if the field were not there. */
  #isUnknownOptional(field: FieldDescriptor, value: unknown): boolean {
    if (field.kind !== 'enum' || field.label !== ' ' || typeof value !== 'string') return false;
    return !this.#schema.enumeration(field.type).byName.has(value);
  }

  #one(message: string, field: FieldDescriptor, value: unknown, path: string): unknown {
    const wrong = (what: string) => jsonFault(message, path, `expected ${what}`);
    switch (field.kind) {
      case 'message':
        return this.fromJson(field.type, value, path);
      case 'enum':
        if (typeof value !== 'string') throw wrong('the name of an enum value');
        if (!this.#schema.enumeration(field.type).byName.has(value)) {
          throw jsonFault(message, path, `no such enum value "${value}"`);
        }
        return value;
      case 's':
        if (typeof value !== 'string') throw wrong('a string');
        return value;
      case 'b':
        if (typeof value !== 'string') throw wrong('base64 text');
        if (!/^[A-Za-z0-9+/\-_\s]*={0,2}$/.test(value)) throw wrong('base64 text');
        return new Uint8Array(Buffer.from(value, 'base64'));
      case 'B':
        if (value === 'true' || value === 'false') return value === 'true';
        if (typeof value !== 'boolean') throw wrong('a boolean');
        return value;
      case 'd':
      case 'f': {
        const number = numberOf(value);
        if (number === undefined) throw wrong('a number');
        return number;
      }
      default: {
        const number = numberOf(value);
        if (number === undefined || !Number.isInteger(number)) throw wrong('an integer');
        if (number < 0 && (field.kind === 'u' || field.kind === 'L'))
          throw wrong('no negative number');
        return number;
      }
    }
  }
}

function infinityAsText(_key: string, value: unknown): unknown {
  return value === Infinity || value === -Infinity ? String(value) : value;
}

/** A number, or one written as a string, as Mesos takes both. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}
