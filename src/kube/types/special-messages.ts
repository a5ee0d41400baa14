// Protobuf messages that are a scalar, a list or any value in JSON: times, quantities, raw objects. As
// their hand-written Go code in k8s.io/apimachinery v0.37 has them.
import type { Reader } from '#codec/protobuf-reader.ts';
import type { Writer } from '#codec/protobuf-writer.ts';
import { parseExact, plainest } from '#kube/meta/exact-numbers.ts';
import { parseNanoseconds } from '#kube/meta/go-duration.ts';
import type { Codecs, Json } from './message-codec.ts';

interface Special {
  /** Writes what the JSON value stands for; an absent value comes as an empty object. */
  encode(codecs: Codecs): (value: never, writer: Writer) => void;
  /** undefined: nothing was set. */
  decode(codecs: Codecs): (reader: Reader) => unknown;
}

const META = 'apimachinery_pkg_apis_meta_v1';
const EXTENSIONS = 'apiextensions_apiserver_pkg_apis_apiextensions_v1';
const PROPS = `${EXTENSIONS}_JSONSchemaProps`;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

interface Fields {
  readonly numbers: Record<number, number>;
  readonly texts: Record<number, string>;
}

/** Varints and texts by their tags; messages of scalars only. */
function scalarsOf(reader: Reader): Fields {
  const fields: Fields = { numbers: {}, texts: {} };
  while (reader.at < reader.end) {
    const key = reader.u();
    if ((key & 7) === 0) fields.numbers[key >> 3] = reader.l();
    else if ((key & 7) === 2) fields.texts[key >> 3] = reader.s();
    else reader.skip(key & 7);
  }
  return fields;
}

/** The time that was read last: an object's times are often the same, and those of its neighbours. */
let parsedText = '';
let parsedMs = Number.NaN;

function parseTime(text: string): number {
  if (text !== parsedText) {
    parsedText = text;
    parsedMs = Date.parse(text);
  }
  return parsedMs;
}

function time(digits: 0 | 6): Special {
  return {
    encode: () => (value: unknown, writer: Writer) => {
      if (typeof value !== 'string') return;
      const milliseconds = parseTime(value);
      if (Number.isNaN(milliseconds)) return;
      const seconds = Math.floor(milliseconds / 1_000);
      writer.tag(8);
      writer.l(seconds);
      writer.tag(16);
      writer.l(digits === 0 ? 0 : microsecondsOf(value) * 1_000);
    },
    decode: () => (reader: Reader) => {
      if (reader.at >= reader.end) return undefined;
      const { numbers } = scalarsOf(reader);
      const at = new Date((numbers[1] ?? 0) * 1_000);
      if (Number.isNaN(at.getTime())) throw new RangeError('time out of range');
      const text = at.toISOString().slice(0, 19);
      if (digits === 0) return `${text}Z`;
      return `${text}.${String(Math.floor((numbers[2] ?? 0) / 1_000)).padStart(6, '0')}Z`;
    },
  };
}

function microsecondsOf(text: string): number {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  return Number(fraction.slice(0, 6).padEnd(6, '0'));
}

/** Bytes that are JSON themselves, under tag 1. */
const raw: Special = {
  encode: () => (value: unknown, writer: Writer) => {
    if (isAbsent(value)) return;
    writer.tag(10);
    writer.s(JSON.stringify(value));
  },
  decode: () => (reader: Reader) => {
    let value: unknown;
    while (reader.at < reader.end) {
      const key = reader.u();
      if (key !== 10) reader.skip(key & 7);
      else {
        const bytes = reader.b();
        if (bytes.length > 0) value = parseExact(decoder.decode(bytes));
      }
    }
    return value;
  },
};

/** What is no JSON is no set of fields, which is for others to see: the object may be good without. */
const fields: Special = {
  ...raw,
  decode: (codecs) => (reader: Reader) => {
    const { end } = reader;
    try {
      return raw.decode(codecs)(reader);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      reader.at = end;
      return 'no set of fields';
    }
  },
};

/** What the encoder passes for a struct that the object does not have. */
function isAbsent(value: unknown): boolean {
  return (
    value === undefined ||
    (typeof value === 'object' &&
      value !== null &&
      Object.isFrozen(value) &&
      Object.keys(value).length === 0)
  );
}

const quantity: Special = {
  encode: () => (value: unknown, writer: Writer) => {
    writer.tag(10);
    writer.s(isAbsent(value) ? '0' : String(value));
  },
  decode: () => (reader: Reader) => scalarsOf(reader).texts[1] ?? '0',
};

const intOrString: Special = {
  encode: () => (value: unknown, writer: Writer) => {
    const isText = typeof value === 'string';
    writer.tag(8);
    writer.l(isText ? 1 : 0);
    writer.tag(16);
    writer.l(typeof value === 'number' ? value : 0);
    writer.tag(26);
    writer.s(isText ? value : '');
  },
  decode: () => (reader: Reader) => {
    const { numbers, texts } = scalarsOf(reader);
    return numbers[1] === 1 ? (texts[3] ?? '') : (numbers[2] ?? 0);
  },
};

/** What is no duration is none. */
function nanoseconds(text: string): number | bigint {
  const found = parseNanoseconds(text);
  return typeof found === 'bigint' ? plainest(found) : 0;
}

/** As Go writes a time.Duration. */
export function durationText(total: number): string {
  if (total === 0) return '0s';
  const sign = total < 0 ? '-' : '';
  const size = Math.abs(total);
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${size / 1e3}µs`;
  if (size < 1e9) return `${sign}${size / 1e6}ms`;
  const hours = Math.floor(size / 3.6e12);
  const minutes = Math.floor((size % 3.6e12) / 6e10);
  const seconds = (size % 6e10) / 1e9;
  const withMinutes = hours > 0 || minutes > 0 ? `${minutes}m` : '';
  return `${sign}${hours > 0 ? `${hours}h` : ''}${withMinutes}${seconds}s`;
}

const duration: Special = {
  encode: () => (value: unknown, writer: Writer) => {
    writer.tag(8);
    writer.l(typeof value === 'string' ? nanoseconds(value) : 0);
  },
  decode: () => (reader: Reader) => durationText(scalarsOf(reader).numbers[1] ?? 0),
};

/** A message that is nothing but a list. */
const texts: Special = {
  encode: () => (value: unknown, writer: Writer) => {
    for (const one of Array.isArray(value) ? value : []) {
      writer.tag(10);
      writer.s(String(one));
    }
  },
  decode: () => (reader: Reader) => {
    const items: string[] = [];
    while (reader.at < reader.end) {
      const key = reader.u();
      if (key === 10) items.push(reader.s());
      else reader.skip(key & 7);
    }
    return items;
  },
};

function putMessage(codecs: Codecs, writer: Writer, tag: number, value: unknown): void {
  writer.tag((tag << 3) | 2);
  const mark = writer.open();
  codecs.encoder(PROPS)(value as never, writer);
  writer.close(mark);
}

/** One schema under tag 1, or a list under tag 2 (of schemas, or of texts). */
function schemaOr(items: 'schemas' | 'texts'): Special {
  return {
    encode: (codecs) => (value: unknown, writer: Writer) => {
      if (!Array.isArray(value)) return putMessage(codecs, writer, 1, value);
      for (const one of value) {
        if (items === 'schemas') putMessage(codecs, writer, 2, one);
        else {
          writer.tag(18);
          writer.s(String(one));
        }
      }
    },
    decode: (codecs) => (reader: Reader) => {
      let schema: unknown;
      const list: unknown[] = [];
      while (reader.at < reader.end) {
        const key = reader.u();
        if (key === 10) schema = codecs.nested(PROPS, reader);
        else if (key === 18)
          list.push(items === 'texts' ? reader.s() : codecs.nested(PROPS, reader));
        else reader.skip(key & 7);
      }
      return schema ?? list;
    },
  };
}

const schemaOrBool: Special = {
  encode: (codecs) => (value: unknown, writer: Writer) => {
    const isSchema = typeof value === 'object' && value !== null;
    writer.tag(8);
    writer.B(isSchema || value === true);
    if (isSchema) putMessage(codecs, writer, 2, value);
  },
  decode: (codecs) => (reader: Reader) => {
    let value: unknown = false;
    while (reader.at < reader.end) {
      const key = reader.u();
      if (key === 8) value = reader.B();
      else if (key === 18) value = codecs.nested(PROPS, reader) as Json;
      else reader.skip(key & 7);
    }
    return value;
  },
};

export const specialMessages: Readonly<Record<string, Special>> = {
  [`${META}_Time`]: time(0),
  [`${META}_MicroTime`]: time(6),
  [`${META}_Duration`]: duration,
  [`${META}_FieldsV1`]: fields,
  apimachinery_pkg_api_resource_Quantity: quantity,
  apimachinery_pkg_util_intstr_IntOrString: intOrString,
  apimachinery_pkg_runtime_RawExtension: raw,
  [`${EXTENSIONS}_JSON`]: raw,
  [`${EXTENSIONS}_JSONSchemaPropsOrBool`]: schemaOrBool,
  [`${EXTENSIONS}_JSONSchemaPropsOrArray`]: schemaOr('schemas'),
  [`${EXTENSIONS}_JSONSchemaPropsOrStringArray`]: schemaOr('texts'),
  apimachinery_pkg_apis_meta_v1_Verbs: texts,
  api_authentication_v1_AttestationValue: texts,
  api_authentication_v1_ExtraValue: texts,
  api_authorization_v1_ExtraValue: texts,
  api_certificates_v1_ExtraValue: texts,
};
