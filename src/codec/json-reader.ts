// Compiles a message's descriptor into a reader of JSON that is written as Mesos itself would write it. For
// all else it gives up, and proto-json.ts takes the long way: it knows what else is taken, and what is said
// of what is not.
import type { FieldDescriptor, Schema } from './protobuf.ts';

type Value = Record<string, unknown>;
/** Undefined: not written plainly, or wrong. */
type Read = (json: unknown) => Value | undefined;

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function bytesOf(text: string): Uint8Array | undefined {
  return BASE64.test(text) ? new Uint8Array(Buffer.from(text, 'base64')) : undefined;
}

/** Statements that put the value `x` of a field into `y`, or give up. */
function reading(field: FieldDescriptor): string {
  switch (field.kind) {
    case 'message':
      return `const y = r_${field.type}(x); if (y === undefined) return undefined;`;
    case 'enum':
      return `if (!e_${field.type}.has(x)) return undefined; const y = x;`;
    case 's':
      return `if (typeof x !== 'string') return undefined; const y = x;`;
    case 'b':
      return (
        `if (typeof x !== 'string') return undefined; const y = bytes(x);` +
        ` if (y === undefined) return undefined;`
      );
    case 'B':
      return `if (x !== true && x !== false) return undefined; const y = x;`;
    case 'd':
    case 'f':
      return `if (typeof x !== 'number' || x !== x) return undefined; const y = x;`;
    case 'u':
    case 'L':
      return `if (!Number.isInteger(x) || x < 0) return undefined; const y = x;`;
    default:
      return `if (!Number.isInteger(x)) return undefined; const y = x;`;
  }
}

function statement(field: FieldDescriptor): string {
  const { name, label } = field;
  const missing = label === '!' ? 'else return undefined;' : '';
  const there = `if (v !== undefined && v !== null)`;
  const start = `{ const v = j.${name}; ${there}`;
  if (label === '%') return `${start} return undefined; }`;
  if (label !== '+') {
    return `${start} { const x = v; ${reading(field)} o.${name} = y; } ${missing} }`;
  }
  return `${start} {
    if (!Array.isArray(v)) return undefined;
    if (v.length > 0) {
      const list = [];
      for (let i = 0; i < v.length; i++) { const x = v[i]; ${reading(field)} list.push(y); }
      o.${name} = list;
    }
  } }`;
}

export class JsonReaders {
  readonly #schema: Schema;
  readonly #readers = new Map<string, Read>();

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  reader(message: string): Read {
    let found = this.#readers.get(message);
    if (found === undefined) {
      found = this.#compile(message);
      this.#readers.set(message, found);
    }
    return found;
  }

  #compile(message: string): Read {
    const fields = this.#schema.fields(message).filter(({ label }) => label !== '%');
    const typesOf = (kind: string): Set<string> =>
      new Set(fields.filter((one) => one.kind === kind).map(({ type }) => type));
    // Found at first use, as messages may hold each other.
    const late = [...typesOf('message')].map(
      (type) => `let r_${type} = (j) => { r_${type} = reader('${type}'); return r_${type}(j); };`,
    );
    const enums = [...typesOf('enum')].map((type) => `const e_${type} = names('${type}');`);
    const source = `${late.join('\n')}
    ${enums.join('\n')}
    return function (j) {
      if (typeof j !== 'object' || j === null || Array.isArray(j)) return undefined;
      const o = {};
      ${this.#schema.fields(message).map(statement).join('\n      ')}
      return o;
    };`;
    // The source is made of our own descriptors only, never of input.
    // oxlint-disable-next-line no-new-func
    const make = new Function('reader', 'names', 'bytes', source);
    const names = (type: string) => this.#schema.enumeration(type).byName;
    return make((type: string) => this.reader(type), names, bytesOf) as Read;
  }
}
