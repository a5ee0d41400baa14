// Compiles a message's descriptor into an encoder and a decoder.
import { protobufFault, type FieldDescriptor, type Schema } from './protobuf.ts';
import { Reader } from './protobuf-reader.ts';
import { Writer } from './protobuf-writer.ts';

type Value = Record<string, unknown>;
type Encode = (value: Value, writer: Writer) => void;
type Decode = (reader: Reader) => Value;

const DEPTH_MAX = 100;
/** A buffer that has grown beyond it is let go. */
const KEPT_BYTES_MAX = 256 * 1_024;

function wireTypeOf(field: FieldDescriptor): number {
  if (field.label === '%') return 2;
  switch (field.kind) {
    case 's':
    case 'b':
    case 'message':
      return 2;
    case 'd':
      return 1;
    case 'f':
      return 5;
    default:
      return 0;
  }
}

export class Codec {
  readonly #schema: Schema;
  readonly #encoders = new Map<string, Encode>();
  readonly #decoders = new Map<string, Decode>();
  /** Of all messages, one after the other; undefined while one is being written. */
  #writer: Writer | undefined = new Writer();
  #depth = 0;

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  encode(message: string, value: object): Uint8Array {
    const writer = this.#writer ?? new Writer();
    this.#writer = undefined;
    writer.reset();
    try {
      this.#encoder(message)(value as Value, writer);
      return writer.copy();
    } finally {
      if (writer.capacity <= KEPT_BYTES_MAX) this.#writer = writer;
      else this.#writer = new Writer();
    }
  }

  /** Fault `bad-protobuf` for truncated input, wrong wire types and missing required fields. */
  decode(message: string, bytes: Uint8Array): Value {
    this.#depth = 0;
    try {
      return this.#decoder(message)(new Reader(bytes));
    } catch (error) {
      if (error instanceof RangeError) throw protobufFault(message, error.message);
      throw error;
    }
  }

  #encoder(message: string): Encode {
    let found = this.#encoders.get(message);
    if (found === undefined) {
      found = this.#compileEncoder(message);
      this.#encoders.set(message, found);
    }
    return found;
  }

  #decoder(message: string): Decode {
    let found = this.#decoders.get(message);
    if (found === undefined) {
      found = this.#compileDecoder(message);
      this.#decoders.set(message, found);
    }
    return found;
  }

  #compileEncoder(message: string): Encode {
    const lines: string[] = [];
    // In the order of the tags, as every other implementation writes: the same bytes for a value.
    const fields = this.#schema.fields(message).toSorted((a, b) => a.tag - b.tag);
    for (const field of fields) {
      const key = (field.tag << 3) | wireTypeOf(field);
      const one = (name: string): string => {
        if (field.kind === 'message') {
          return `w.tag(${key}); { const m = w.open(); e('${field.type}')(${name}, w); w.close(m); }`;
        }
        if (field.kind === 'enum') return `w.tag(${key}); w.l(n('${field.type}', ${name}));`;
        return `w.tag(${key}); w.${field.kind}(${name});`;
      };
      const access = `v.${field.name}`;
      if (field.label === '+')
        lines.push(`if (${access}) for (const x of ${access}) { ${one('x')} }`);
      else if (field.label === '%') {
        const inner = { ...field, tag: 2, label: ' ' as const };
        const valueKey = (2 << 3) | wireTypeOf(inner);
        const put =
          field.kind === 'message'
            ? `w.tag(${valueKey}); { const m = w.open(); e('${field.type}')(x, w); w.close(m); }`
            : `w.tag(${valueKey}); w.${field.kind}(x);`;
        lines.push(
          `if (${access}) for (const [k, x] of Object.entries(${access})) {` +
            ` w.tag(${key}); const o = w.open(); w.tag(10); w.s(k); ${put} w.close(o); }`,
        );
      } else lines.push(`if (${access} !== undefined && ${access} !== null) { ${one(access)} }`);
    }
    // The source is made of our own descriptors only, never of input.
    // oxlint-disable-next-line no-new-func
    const make = new Function('e', 'n', `return function (v, w) {\n${lines.join('\n')}\n};`);
    const number = (type: string, name: string): number => {
      const found = this.#schema.enumeration(type).byName.get(name);
      if (found === undefined) throw new Error(`Enum ${type} has no value ${name}`);
      return found;
    };
    return make((type: string) => this.#encoder(type), number) as Encode;
  }

  #compileDecoder(message: string): Decode {
    const fields = this.#schema.fields(message);
    const cases = fields.map((field) => this.#decodeCase(field));
    const required = fields.filter(({ label }) => label === '!').map(({ name }) => name);
    const checks = required.map((name) => `if (v.${name} === undefined) missing('${name}');`);
    const source = `return function (r) {
      const v = {};
      while (r.at < r.end) {
        const key = r.u();
        switch (key) {
          ${cases.join('\n          ')}
          default: r.skip(key & 7);
        }
      }
      ${checks.join('\n      ')}
      return v;
    };`;
    // oxlint-disable-next-line no-new-func
    const make = new Function('sub', 'name', 'entry', 'missing', source);
    return make(
      (type: string, reader: Reader) => this.#nested(type, reader),
      (type: string, number: number) => this.#schema.enumeration(type).byNumber.get(number),
      (target: Value, type: string, kind: string, reader: Reader) =>
        this.#mapEntry(target, { type, kind }, reader),
      (field: string) => {
        throw protobufFault(message, `missing required field "${field}"`);
      },
    ) as Decode;
  }

  #decodeCase(field: FieldDescriptor): string {
    const key = (field.tag << 3) | wireTypeOf(field);
    const { name, type, kind, label } = field;
    if (label === '%') {
      return `case ${key}: entry(v.${name} ??= {}, '${type}', '${kind}', r); break;`;
    }
    if (kind === 'enum') {
      const put = label === '+' ? `(v.${name} ??= []).push(x)` : `v.${name} = x`;
      // Values that this version does not know read as absent (proto2).
      return `case ${key}: { const x = name('${type}', r.l()); if (x !== undefined) ${put}; break; }`;
    }
    const read = kind === 'message' ? `sub('${type}', r)` : `r.${kind}()`;
    if (label !== '+') return `case ${key}: v.${name} = ${read}; break;`;
    const single = `case ${key}: (v.${name} ??= []).push(${read}); break;`;
    const isPackable = 'BiluLdf'.includes(kind);
    if (!isPackable) return single;
    const packedKey = (field.tag << 3) | 2;
    return `${single}\n case ${packedKey}: { const end = r.u() + r.at; if (end > r.end) throw new RangeError('truncated field'); while (r.at < end) (v.${name} ??= []).push(${read}); break; }`;
  }

  #nested(type: string, reader: Reader): Value {
    const length = reader.u();
    const outer = reader.end;
    if (length > outer - reader.at) throw new RangeError('truncated message');
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new RangeError('nested too deeply');
    reader.end = reader.at + length;
    const value = this.#decoder(type)(reader);
    reader.end = outer;
    this.#depth -= 1;
    return value;
  }

  #empty({ type, kind }: { type: string; kind: string }): unknown {
    const nothing = new Uint8Array();
    if (kind !== 'message') return kind === 'b' ? nothing : '';
    return this.#decoder(type)(new Reader(nothing));
  }

  #mapEntry(target: Value, field: { type: string; kind: string }, reader: Reader): void {
    const end = reader.u() + reader.at;
    if (end > reader.end) throw new RangeError('truncated map entry');
    let key = '';
    let value: unknown;
    while (reader.at < end) {
      const tag = reader.u();
      if (tag === 10) key = reader.s();
      else if (tag === 18) {
        value =
          field.kind === 'message'
            ? this.#nested(field.type, reader)
            : field.kind === 'b'
              ? reader.b()
              : reader.s();
      } else reader.skip(tag & 7);
    }
    if (reader.at !== end) throw new RangeError('truncated map entry');
    // An entry without a value has an empty one, which may lack what is required.
    value ??= this.#empty(field);
    Object.defineProperty(target, key, { value, enumerable: true, writable: true });
  }
}
