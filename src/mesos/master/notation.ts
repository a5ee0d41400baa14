// A message of the v1 API put together out of parts that are written already, in JSON or protobuf: its
// own fields as a frame, lists and messages within it as ropes.
import { holeOf } from '#codec/json-writer.ts';
import { encode, stringify, tagOf, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages } from '#wire/mesos/v1.ts';
import type { Form } from './kept-list.ts';
import type { ContentType } from '#mesos/libprocess/negotiate.ts';
import { Rope } from './rope.ts';

/** A list inside a message, and what its elements are. */
export interface ListField {
  readonly message: MessageName;
  readonly field: string;
  readonly element: MessageName;
}

/** Names of fields that come as ropes. */
export interface Holes {
  readonly lists?: readonly string[];
  readonly messages?: readonly string[];
}

/** A message without some of its fields; written once, filled as often as these change. */
export interface Frame {
  fill(fields: Readonly<Record<string, Rope>>): Rope;
}

export interface Notation {
  readonly type: ContentType;
  /** How one element of the list is written. */
  form<T>(list: ListField, valueOf: (one: T) => object): Form<T>;
  /** The same for an element that is a rope. */
  element(list: ListField, rope: Rope): Rope;
  frame<N extends MessageName>(name: N, value: Partial<Messages[N]>, holes: Holes): Frame;
}

/** Control characters never stand in JSON as they are. */
const hole = new RegExp(`([${String.fromCharCode(1)}-${String.fromCharCode(31)}])`);

export const jsonNotation: Notation = {
  type: 'application/json',
  form: ({ element }, valueOf) => ({
    name: `${element} in JSON`,
    write: (one, out) => out.text(`,${stringify(element, valueOf(one) as never)}`),
  }),
  element: (_list, rope) => new Rope().text(',').rope(rope),
  frame: (name, value, { lists = [], messages = [] }) => {
    const fields = [...lists, ...messages];
    const marks = fields.map((_field, i) => String.fromCharCode(1 + i));
    const marked = fields.map((field, i) => [field, holeOf(marks[i] ?? '')]);
    const text = stringify(name, { ...value, ...Object.fromEntries(marked) } as never);
    const pieces = text.split(hole).map((piece, i) => {
      return i % 2 === 0 ? Buffer.from(piece) : (fields[piece.charCodeAt(0) - 1] ?? '');
    });
    return {
      fill: (ropes) => {
        const rope = new Rope();
        for (const piece of pieces) {
          if (typeof piece !== 'string') rope.bytes(piece);
          else if (lists.includes(piece)) rope.list(ropes[piece] ?? new Rope());
          else rope.rope(ropes[piece] ?? new Rope());
        }
        return rope;
      },
    };
  },
};

const MESSAGE_WIRE_TYPE = 2;

function varint(value: number, bytes: number[] = []): number[] {
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
}

/** What stands before a message inside another one. */
function prefix(tag: number, length: number): Uint8Array {
  return Uint8Array.from(varint(length, varint(tag * 8 + MESSAGE_WIRE_TYPE)));
}

export const protobufNotation: Notation = {
  type: 'application/x-protobuf',
  form: ({ message, field, element }, valueOf) => {
    const tag = tagOf(message, field);
    return {
      name: `${element} in protobuf`,
      write: (one, out) => {
        const bytes = encode(element, valueOf(one) as never);
        out.bytes(prefix(tag, bytes.length));
        out.bytes(bytes);
      },
    };
  },
  element: ({ message, field }, rope) =>
    new Rope().bytes(prefix(tagOf(message, field), rope.length)).rope(rope),
  frame: (name, value, { lists = [], messages = [] }) => {
    const own = encode(name, value as never);
    return {
      fill: (ropes) => {
        const rope = new Rope().bytes(own);
        for (const field of lists) rope.rope(ropes[field] ?? new Rope());
        for (const field of messages) {
          const inner = ropes[field] ?? new Rope();
          rope.bytes(prefix(tagOf(name, field), inner.length)).rope(inner);
        }
        return rope;
      },
    };
  },
};
