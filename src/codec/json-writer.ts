// Compiles a message's descriptor into a writer of its JSON. What is said again and again (an
// agent's address, its resources) is written once: `keepJson` marks a value that never changes.
import type { FieldDescriptor, Schema } from './protobuf.ts';

type Value = Record<string, unknown>;
type Write = (value: Value) => string;

const KEPT = Symbol('json');

interface Keepable {
  [KEPT]?: string | (() => string) | undefined;
}

/** The caller never changes the value again: its JSON is made at its first use, and kept with it. */
export function keepJson<T extends object>(value: T): T {
  const keepable = value as Keepable;
  keepable[KEPT] ??= '';
  return value;
}

/** The JSON of a list, made by the caller each time it is written. */
export function writtenBy<T extends object>(list: T[], write: () => string): T[] {
  (list as Keepable)[KEPT] = write;
  return list;
}

/** Stands for a list or a message that is not there: `mark`, which is no JSON, is written for it. */
export function holeOf(mark: string): object {
  return { [KEPT]: mark };
}

/** What is added up piece by piece stays a tree of pieces, ten times as large; this is the text alone. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}

/** Text that needs no escape is the rule. */
const special = /[^ !#-[\]-~]/;

function quote(text: string): string {
  return special.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** Infinities as texts, as Mesos writes them. */
function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'null' : `"${value}"`;
}

function base64(value: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = value;
  return `"${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}"`;
}

/** The expression that writes one value of a field. */
function expression(field: FieldDescriptor, name: string): string {
  switch (field.kind) {
    case 'message':
      return `e_${field.type}(${name})`;
    case 's':
      return `q(${name})`;
    case 'b':
      return `b(${name})`;
    case 'enum':
      return `'"' + ${name} + '"'`;
    case 'B':
      return `(${name} ? 'true' : 'false')`;
    default:
      return `n(${name})`;
  }
}

function statement(field: FieldDescriptor): string {
  const access = `v.${field.name}`;
  const put = `s += c + '"${field.name}":'`;
  if (field.label === '+') {
    return `{ const a = ${access}; if (a) { ${put} + many(a, ${writerOf(field)}); c = ','; } }`;
  }
  if (field.label === '%') {
    return `{ const a = ${access}; if (a) { ${put} + map(a, ${writerOf(field)}); c = ','; } }`;
  }
  // Mesos writes optional fields that have a default also when they are not set.
  const { fallback } = field;
  const value = fallback === undefined ? access : `${access} ?? ${JSON.stringify(fallback)}`;
  const write = `${put} + ${expression(field, 'x')}; c = ',';`;
  return `{ const x = ${value}; if (x !== undefined && x !== null) { ${write} } }`;
}

function writerOf(field: FieldDescriptor): string {
  return field.kind === 'message' ? `e_${field.type}` : `(x) => ${expression(field, 'x')}`;
}

function many(values: readonly Value[] & Keepable, write: Write): string {
  const kept = values[KEPT];
  if (kept) return typeof kept === 'string' ? kept : kept();
  let text = '[';
  for (let i = 0; i < values.length; i++) {
    text += i === 0 ? write(values[i] as Value) : `,${write(values[i] as Value)}`;
  }
  text += ']';
  if (kept === undefined) return text;
  return (values[KEPT] = flat(text));
}

function map(values: Record<string, Value>, write: Write): string {
  const entries = Object.entries(values).map(([key, one]) => `${quote(key)}:${write(one)}`);
  return `{${entries.join(',')}}`;
}

export class JsonWriters {
  readonly #schema: Schema;
  readonly #writers = new Map<string, Write>();

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  writer(message: string): Write {
    let found = this.#writers.get(message);
    if (found === undefined) {
      found = this.#compile(message);
      this.#writers.set(message, found);
    }
    return found;
  }

  #compile(message: string): Write {
    const fields = this.#schema.fields(message);
    const types = new Set(fields.filter(({ kind }) => kind === 'message').map(({ type }) => type));
    // Found at first use, as messages may hold each other.
    const late = [...types].map(
      (type) => `let e_${type} = (v) => { e_${type} = writer('${type}'); return e_${type}(v); };`,
    );
    const source = `${late.join('\n')}
    return function (v) {
      const kept = v[KEPT];
      if (kept) return kept;
      let s = '{', c = '';
      ${fields.map(statement).join('\n      ')}
      s += '}';
      return kept === undefined ? s : (v[KEPT] = flat(s));
    };`;
    const names = ['KEPT', 'flat', 'writer', 'q', 'n', 'b', 'many', 'map'];
    // The source is made of our own descriptors only, never of input.
    // oxlint-disable-next-line no-new-func
    const make = new Function(...names, source);
    const writer = (type: string) => this.writer(type);
    return make(KEPT, flat, writer, quote, numberText, base64, many, map) as Write;
  }
}
