// Compiles the messages of the Kubernetes protobuf table into an encoder from, and a decoder to, the JSON
// form in which everything else works. The bytes are those of the generated Go code of k8s.io/api v0.37:
// fields in the order of their tags, what is no pointer in Go always there, map keys sorted.
import { protobufFault } from '#codec/protobuf.ts';
import { Reader } from '#codec/protobuf-reader.ts';
import { Writer } from '#codec/protobuf-writer.ts';
import { fieldsOf, keyOf, scalars, wireType, type MessageField } from './message-fields.ts';
import { oddField, skipField } from './odd-field.ts';
import { specialMessages } from './special-messages.ts';

export type Json = Record<string, unknown>;
type Encode = (value: never, writer: Writer) => void;
type Decode = (reader: Reader) => unknown;

/** What the special messages (times, quantities …) need of the codec around them. */
export interface Codecs {
  encoder(message: string): (value: never, writer: Writer) => void;
  decoder(message: string): Decode;
  nested(message: string, reader: Reader): unknown;
}

const DEPTH_MAX = 100;
const zeros: Readonly<Record<string, string>> = { s: "''", B: 'false' };

export class MessageCodec {
  readonly #lines: Readonly<Record<string, string>>;
  readonly #encoders = new Map<string, Encode>();
  readonly #decoders = new Map<string, Decode>();
  readonly #writer = new Writer();
  #depth = 0;

  constructor(lines: Readonly<Record<string, string>>) {
    this.#lines = lines;
  }

  has(message: string): boolean {
    return this.#lines[message] !== undefined;
  }

  /** Exactly as many bytes as there are. */
  encode(message: string, value: Json): Uint8Array {
    this.#writer.reset();
    this.#encoder(message)(value as never, this.#writer);
    return this.#writer.take();
  }

  /** Fault `bad-protobuf` for truncated input and wrong wire types. */
  decode(message: string, bytes: Uint8Array): Json {
    this.#depth = 0;
    try {
      return this.#decoder(message)(new Reader(bytes)) as Json;
    } catch (error) {
      if (error instanceof RangeError || error instanceof SyntaxError)
        throw protobufFault(message, error.message);
      throw error;
    }
  }

  #encoder(message: string): Encode {
    let found = this.#encoders.get(message);
    if (found === undefined) {
      const special = specialMessages[message];
      found = special === undefined ? this.#compileEncoder(message) : special.encode(this.#codecs);
      this.#encoders.set(message, found);
    }
    return found;
  }

  #decoder(message: string): Decode {
    let found = this.#decoders.get(message);
    if (found === undefined) {
      const special = specialMessages[message];
      found = special === undefined ? this.#compileDecoder(message) : special.decode(this.#codecs);
      this.#decoders.set(message, found);
    }
    return found;
  }

  readonly #codecs: Codecs = {
    encoder: (message) => (value: never, writer: Writer) => this.#encoder(message)(value, writer),
    decoder: (message) => (reader: Reader) => this.#decoder(message)(reader),
    nested: (message, reader) => this.#nested(message, reader),
  };

  #line(message: string): string {
    const line = this.#lines[message];
    if (line === undefined) throw protobufFault(message, 'no such message');
    return line;
  }

  #compileEncoder(message: string): Encode {
    const types: string[] = [];
    const put = (type: string, name: string): string => {
      if (type === 'b') return `w.b(bytes(${name}));`;
      if (scalars.has(type)) return `w.${type}(${name});`;
      if (!types.includes(type)) types.push(type);
      const at = types.indexOf(type);
      return `{ const m = w.open(); e${at}(${name}, w); w.close(m); }`;
    };
    const lines = fieldsOf(this.#line(message)).map((field) => {
      const { name, label, type } = field;
      const tag = `w.tag(${keyOf(field)});`;
      const value = `v[${JSON.stringify(name)}]`;
      if (label === '+')
        return `if (${value}) for (const x of ${value}) { ${tag} ${put(type, 'x')} }`;
      if (label === '%') {
        const inner = `w.tag(10); w.s(k); w.tag(${(2 << 3) | wireType(type)}); ${put(type, 'x')}`;
        return `if (${value}) for (const k of Object.keys(${value}).sort()) { const x = ${value}[k]; ${tag} const o = w.open(); ${inner} w.close(o); }`;
      }
      if (label === '~') return `${tag} ${put(type, 'v')}`;
      if (label === ' ' && type !== 'b') {
        // Never absent: a nil struct and a zero value look the same in Go.
        const zero = scalars.has(type) ? (zeros[type] ?? '0') : 'none';
        return `{ const x = ${value} ?? ${zero}; ${tag} ${put(type, 'x')} }`;
      }
      return `{ const x = ${value}; if (x !== undefined && x !== null) { ${tag} ${put(type, 'x')} } }`;
    });
    const encoders = types.map(
      (_type, index) => `const e${index} = (x, w) => subs[${index}](x, w);`,
    );
    // The source is made of our own table only, never of input.
    // oxlint-disable-next-line no-new-func
    const make = new Function(
      'subs',
      'bytes',
      'none',
      `${encoders.join('\n')}\nreturn function (v, w) {\n${lines.join('\n')}\n};`,
    );
    // What is inside is compiled when there is one: most of what a pod may have no pod has, and messages may contain
    // themselves.
    const subs = types.map((type, index): Encode => {
      return (value, writer) => {
        const encode = this.#encoder(type);
        subs[index] = encode;
        encode(value, writer);
      };
    });
    return make(subs, base64Bytes, none) as Encode;
  }

  #compileDecoder(message: string): Decode {
    const fields = fieldsOf(this.#line(message));
    const short = message.slice(message.lastIndexOf('_') + 1);
    const cases = fields.map((field) => this.#decodeCase(field));
    const source = `return function (r) {
      const v = {};
      while (r.at < r.end) {
        const key = r.u();
        switch (key) {
          ${cases.join('\n          ')}
          default: odd(key, r);
        }
      }
      return v;
    };`;
    // oxlint-disable-next-line no-new-func
    const make = new Function('sub', 'entry', 'text', 'isEmpty', 'odd', source);
    return make(
      (type: string, reader: Reader) => this.#nested(type, reader),
      (target: Json, type: string, reader: Reader) => this.#mapEntry(target, type, reader),
      base64Text,
      isEmpty,
      (key: number, reader: Reader) => oddField(short, fields, key, reader),
    ) as Decode;
  }

  #decodeCase(field: MessageField): string {
    const { name, label, type } = field;
    const key = keyOf(field);
    const value = `v[${JSON.stringify(name)}]`;
    if (label === '%') return `case ${key}: entry(${value} ??= {}, '${type}', r); break;`;
    const read = !scalars.has(type)
      ? `sub('${type}', r)`
      : type === 'b'
        ? 'text(r.b())'
        : type === 'l'
          ? 'r.exact()'
          : `r.${type}()`;
    if (label === '~') return `case ${key}: Object.assign(v, ${read}); break;`;
    if (label === '+') {
      const single = `case ${key}: (${value} ??= []).push(${read}); break;`;
      if (wireType(type) === 2) return single;
      const packed = `{ const end = r.u() + r.at; if (end > r.end) throw new RangeError('truncated field'); while (r.at < end) (${value} ??= []).push(${read}); break; }`;
      return `${single}\n case ${(field.tag << 3) | 2}: ${packed}`;
    }
    if (label === '?' || type === 'b') {
      return `case ${key}: { const x = ${read}; if (x !== undefined) ${value} = x; break; }`;
    }
    // Without a pointer in Go, zero is how "not set" looks on the wire.
    const isSet = scalars.has(type)
      ? `x !== ${zeros[type] ?? '0'}`
      : name === 'metadata'
        ? 'true'
        : isAnyJson(type)
          ? 'x !== undefined'
          : '!isEmpty(x)';
    return `case ${key}: { const x = ${read}; if (${isSet}) ${value} = x; break; }`;
  }

  #nested(type: string, reader: Reader): unknown {
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

  #mapEntry(target: Json, type: string, reader: Reader): void {
    const end = reader.u() + reader.at;
    if (end > reader.end) throw new RangeError('truncated map entry');
    let key = '';
    let value: unknown = type === 's' || type === 'b' ? '' : undefined;
    while (reader.at < end) {
      const tag = reader.u();
      // Whatever the form says, as in Go.
      if (tag >> 3 === 1) key = reader.s();
      else if (tag >> 3 === 2) value = this.#mapValue(type, reader);
      else skipField(reader, tag % 8);
    }
    Object.defineProperty(target, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }

  #mapValue(type: string, reader: Reader): unknown {
    if (type === 's') return reader.s();
    if (type === 'b') return base64Text(reader.b());
    if (scalars.has(type)) return type === 'B' ? reader.B() : reader.exact();
    return this.#nested(type, reader);
  }
}

/** An object with nothing in it is a value of such a field, too. */
const isAnyJson = (type: string): boolean => type.endsWith('_runtime_RawExtension');

const none: Json = Object.freeze({});

function isEmpty(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  for (const _key in value) return false;
  return !Array.isArray(value) || value.length === 0;
}

function base64Bytes(text: unknown): Uint8Array {
  return Buffer.from(String(text), 'base64');
}

function base64Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
