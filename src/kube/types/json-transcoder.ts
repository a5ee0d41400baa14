// Protobuf out of the JSON in which an object lies in the store, without making the object: names and texts are copied
// from one to the other, and what was read just before (most pods are like their neighbours in most parts) is not
// read again. The bytes are those of message-codec.ts; whatever is not as serialize() writes it is left to that.
import {
  FIELDS_MAX,
  OBJECT_META,
  TranscoderPlans,
  type FieldPlan,
  type Memo,
  type MessagePlan,
} from './transcoder-plan.ts';
import { parseExact } from '#kube/meta/exact-numbers.ts';
import { secondsOf, TIME_BYTES } from './time-bytes.ts';

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c];
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];
const [ZERO, NINE] = [0x30, 0x39];
const [LETTER_F, LETTER_N, LETTER_T] = [0x66, 0x6e, 0x74];

const DEPTH_MAX = 32;
/** A place for the beginning and one for the end of each field of a message. */
const SLOTS = 2 * FIELDS_MAX;
const ABSENT = -1;
/** Of any number that is exact. */
const DIGITS_MAX = 16;
/** What is longer is not kept for the next one. */
const MEMO_BYTES_MAX = 16 * 1024;
/** What is shorter is read as fast. */
const MEMO_BYTES_MIN = 12;
/** A value that is always another one is kept only so often. */
const MISSES_MAX = 4;
const MISSES_KEPT = 16;

/** The codec of objects, for what has no plan. */
export interface ObjectEncoder {
  encode(message: string, value: unknown): Uint8Array;
}

/** How the codec knows what is not there. */
const none = Object.freeze({});

/** Thrown when the JSON is written in another way, and caught in here. */
const odd = new Error('The JSON is not as expected');

export class JsonTranscoder {
  readonly #plans: TranscoderPlans;
  readonly #objects: ObjectEncoder;
  readonly #slots = new Int32Array(DEPTH_MAX * SLOTS).fill(ABSENT);
  #json: Buffer = Buffer.alloc(0);
  #at = 0;
  #version = '';
  #out = Buffer.allocUnsafeSlow(16 * 1024);
  #size = 0;

  constructor(lines: Readonly<Record<string, string>>, objects: ObjectEncoder) {
    this.#objects = objects;
    this.#plans = new TranscoderPlans(lines, (message) => objects.encode(message, none));
  }

  /**
   * The message of an object's JSON, with the version in its metadata; undefined when the JSON is not as our own
   * serialize() has it. A view of memory that the next call writes to.
   */
  transcode(message: string, json: Buffer, version: string): Buffer | undefined {
    const plan = this.#plans.of(message);
    if (plan === undefined) return undefined;
    this.#json = json;
    this.#at = 0;
    this.#size = 0;
    this.#version = version;
    try {
      this.#body(plan, 0);
    } catch (error) {
      if (error !== odd) throw error;
      this.#slots.fill(ABSENT);
      return undefined;
    }
    return this.#at === json.length ? this.#out.subarray(0, this.#size) : undefined;
  }

  // ---- messages ----

  /** The fields of the object that begins here, without a length before them. */
  #body(plan: MessagePlan, depth: number): void {
    if (depth >= DEPTH_MAX || this.#json[this.#at] !== OPEN) throw odd;
    this.#at += 1;
    const base = depth * SLOTS;
    const start = this.#size;
    if (this.#json[this.#at] === CLOSE) this.#at += 1;
    else this.#fields(plan, depth, base);
    this.#assemble(plan, base, start);
  }

  #fields(plan: MessagePlan, depth: number, base: number): void {
    const json = this.#json;
    let before: FieldPlan | undefined;
    for (;;) {
      const field = this.#name(plan, before);
      if (field === undefined) this.#skip();
      else if (field.form === 'unsent') {
        this.#skip();
        before = field;
      } else {
        const from = this.#size;
        const isThere = this.#field(field, depth);
        this.#slots[base + 2 * field.index] = isThere ? from : ABSENT;
        this.#slots[base + 2 * field.index + 1] = this.#size;
        before = field;
      }
      const end = json[this.#at];
      this.#at += 1;
      if (end === CLOSE) return;
      if (end !== COMMA) throw odd;
    }
  }

  /** Reads a name and what is behind it; most often it is the one that came here the last time, too. */
  #name(plan: MessagePlan, before: FieldPlan | undefined): FieldPlan | undefined {
    const json = this.#json;
    const start = this.#at + 1;
    if (json[this.#at] !== QUOTE) throw odd;
    const guess = before === undefined ? plan.first : before.next;
    if (guess !== undefined) {
      const { name } = guess;
      let i = 0;
      while (i < name.length && json[start + i] === name[i]) i += 1;
      if (i === name.length && json[start + i] === QUOTE && json[start + i + 1] === COLON) {
        this.#at = start + i + 2;
        return guess;
      }
    }
    const end = json.indexOf(QUOTE, start);
    if (end < 0 || json[end + 1] !== COLON) throw odd;
    const name = json.toString('latin1', start, end);
    if (name.includes('\\')) throw odd;
    this.#at = end + 2;
    const field = plan.byName.get(name);
    if (before === undefined) plan.first = field;
    else before.next = field;
    return field;
  }

  /** Puts the fields, each of which has been written somewhere behind `start`, into their order. */
  #assemble(plan: MessagePlan, base: number, start: number): void {
    const body = this.#size;
    this.#inOrder(plan.fields, base);
    const size = this.#size - body;
    this.#out.copyWithin(start, body, this.#size);
    this.#size = start + size;
  }

  #inOrder(fields: readonly FieldPlan[], base: number): void {
    const slots = this.#slots;
    for (let i = 0; i < fields.length; i += 1) {
      const field = fields[i] as FieldPlan;
      if (field.form === 'embedded') {
        const start = this.#size;
        this.#inOrder(field.inner, base);
        this.#enclose(field.key, start);
        continue;
      }
      const slot = base + 2 * field.index;
      const from = slots[slot] as number;
      if (from !== ABSENT) {
        this.#put(this.#out, from, slots[slot + 1] as number);
        slots[slot] = ABSENT;
      } else if (field.absent.length > 0) this.#put(field.absent, 0, field.absent.length);
    }
  }

  /** What was written from `start` on, behind the field's key and its length. */
  #enclose(key: Buffer, start: number): void {
    const length = this.#size - start;
    const head = key.length + varintSize(length);
    this.#need(head);
    this.#out.copyWithin(start + head, start, this.#size);
    this.#size = start;
    this.#put(key, 0, key.length);
    this.#varint(length);
    this.#size += length;
  }

  // ---- fields ----

  /** False: it is null, which is as if it were not there. */
  #field(field: FieldPlan, depth: number): boolean {
    const first = this.#json[this.#at];
    if (first === LETTER_N) return this.#null();
    if (field.label === '%') this.#map(field);
    else if (field.label === '+') this.#list(field, depth);
    else if (depth === 0 && field.type === OBJECT_META) this.#metadata(field);
    else this.#value(field, depth);
    return true;
  }

  #null(): false {
    if (this.#json.toString('latin1', this.#at, this.#at + 4) !== 'null') throw odd;
    this.#at += 4;
    return false;
  }

  /** As any message, with the version: what is stored does not have it. */
  #metadata(field: FieldPlan): void {
    const plan = this.#plans.of(OBJECT_META) as MessagePlan;
    const version = plan.byName.get('resourceVersion') as FieldPlan;
    const start = this.#size;
    this.#textField(version.key, Buffer.from(this.#version));
    const end = this.#size;
    if (this.#json[this.#at] !== OPEN) throw odd;
    this.#at += 1;
    if (this.#json[this.#at] === CLOSE) this.#at += 1;
    else this.#fields(plan, 1, SLOTS);
    const slot = SLOTS + 2 * version.index;
    this.#slots[slot] = start;
    this.#slots[slot + 1] = end;
    this.#assemble(plan, SLOTS, start);
    this.#enclose(field.key, start);
  }

  #list(field: FieldPlan, depth: number): void {
    const json = this.#json;
    if (json[this.#at] !== OPEN_LIST) throw odd;
    this.#at += 1;
    if (json[this.#at] === CLOSE_LIST) {
      this.#at += 1;
      return;
    }
    for (;;) {
      this.#value(field, depth);
      const end = json[this.#at];
      this.#at += 1;
      if (end === CLOSE_LIST) return;
      if (end !== COMMA) throw odd;
    }
  }

  /** Entries are on the wire in the order of their keys; whoever wrote them in another is left to the codec. */
  #map(field: FieldPlan): void {
    const json = this.#json;
    const [mapFrom, mapStart] = [this.#at, this.#size];
    if (json[this.#at] !== OPEN) throw odd;
    if (this.#again(field)) return;
    this.#at += 1;
    if (json[this.#at] === CLOSE) {
      this.#at += 1;
      return;
    }
    let [lastFrom, lastTo] = [0, 0];
    for (;;) {
      const [from, to] = this.#plainText();
      if (!isBefore(json, [lastFrom, lastTo], [from, to])) throw odd;
      [lastFrom, lastTo] = [from, to];
      if (json[this.#at] !== COLON) throw odd;
      this.#at += 1;
      const start = this.#size;
      this.#byte(10);
      this.#varint(to - from);
      this.#put(json, from, to);
      this.#byte(field.entryKey);
      if (field.type === 'b') this.#base64();
      else this.#text(field.form === 'text');
      this.#enclose(field.key, start);
      const end = json[this.#at];
      this.#at += 1;
      if (end === CLOSE) return this.#remember(field, mapFrom, mapStart);
      if (end !== COMMA) throw odd;
    }
  }

  #value(field: FieldPlan, depth: number): void {
    const { form, key } = field;
    if (form === 'scalar') return this.#scalar(field);
    if (form === 'text') {
      this.#put(key, 0, key.length);
      return this.#text(true);
    }
    if (form === 'time') return this.#time(key);
    if (this.#again(field)) return;
    const [from, start] = [this.#at, this.#size];
    if (form === 'message') this.#body(this.#plans.of(field.type) as MessagePlan, depth + 1);
    else this.#other(field);
    this.#enclose(key, start);
    this.#remember(field, from, start);
  }

  /** Whether the value is the one that was read before; it has been written then. */
  #again(field: FieldPlan): boolean {
    const { memo } = field;
    if (!this.#isNext(memo)) return false;
    this.#put(memo.bytes, 0, memo.bytesSize);
    this.#at += memo.jsonSize;
    field.misses = 0;
    return true;
  }

  /** Whoever begins with all of a text or object, and so with its end, has nothing else there. */
  #isNext({ json: bytes, jsonSize: size }: Memo): boolean {
    const json = this.#json;
    const at = this.#at;
    if (size === 0 || at + size > json.length) return false;
    // Most of those that differ do so here; a call costs more.
    const middle = size >>> 1;
    if (json[at + size - 1] !== bytes[size - 1] || json[at + middle] !== bytes[middle])
      return false;
    return bytes.compare(json, at, at + size, 0, size) === 0;
  }

  #remember(field: FieldPlan, from: number, start: number): void {
    field.misses += 1;
    const size = this.#at - from;
    if (field.misses > MISSES_MAX && field.misses % MISSES_KEPT !== 0) return;
    const last = this.#json[this.#at - 1];
    const isClosed = last === CLOSE || last === QUOTE;
    if (!isClosed || size < MEMO_BYTES_MIN || size > MEMO_BYTES_MAX) return;
    const { memo } = field;
    memo.jsonSize = size;
    memo.bytesSize = this.#size - start;
    // For long, and so not out of a pool that would be kept with it.
    if (memo.json.length < size) memo.json = Buffer.allocUnsafeSlow(2 * size);
    if (memo.bytes.length < memo.bytesSize) memo.bytes = Buffer.allocUnsafeSlow(2 * memo.bytesSize);
    this.#json.copy(memo.json, 0, from, this.#at);
    this.#out.copy(memo.bytes, 0, start, this.#size);
  }

  #other(field: FieldPlan): void {
    const from = this.#at;
    this.#skip();
    const text = this.#json;
    if (field.form === 'raw') {
      this.#byte(10);
      this.#varint(this.#at - from);
      this.#put(text, from, this.#at);
      return;
    }
    const value = parseExact(text.toString('utf8', from, this.#at));
    if (value === null) throw odd;
    const bytes = this.#objects.encode(field.type, value);
    this.#put(bytes, 0, bytes.length);
  }

  // ---- scalars ----

  #scalar({ type, key }: FieldPlan): void {
    const first = this.#json[this.#at];
    this.#put(key, 0, key.length);
    if (type === 's') return this.#text(false);
    if (type === 'B') return this.#boolean(first);
    if (type === 'b') return this.#base64();
    if (type === 'd') throw odd;
    this.#integer();
  }

  /** Seconds, and no nanoseconds. */
  #time(key: Buffer): void {
    const seconds = secondsOf(this.#json, this.#at);
    if (seconds === undefined) throw odd;
    this.#put(key, 0, key.length);
    this.#byte(1 + varintSize(seconds) + 2);
    this.#byte(8);
    this.#varint(seconds);
    this.#byte(16);
    this.#byte(0);
    this.#at += TIME_BYTES;
  }

  #base64(): void {
    const [from, to] = this.#plainText();
    const bytes = Buffer.from(this.#json.toString('latin1', from, to), 'base64');
    this.#varint(bytes.length);
    this.#put(bytes, 0, bytes.length);
  }

  #boolean(first: number | undefined): void {
    const isTrue = first === LETTER_T;
    if (!isTrue && first !== LETTER_F) throw odd;
    this.#at += isTrue ? 4 : 5;
    this.#byte(isTrue ? 1 : 0);
  }

  #integer(): void {
    const json = this.#json;
    const start = this.#at;
    let value = 0;
    for (; ; this.#at += 1) {
      const digit = json[this.#at] as number;
      // A minus, too: it is rare, and long on the wire.
      if (digit < ZERO || digit > NINE || digit === undefined) break;
      value = value * 10 + (digit - ZERO);
    }
    const end = json[this.#at];
    const isWhole = end === COMMA || end === CLOSE || end === CLOSE_LIST;
    const digits = this.#at - start;
    if (!isWhole || digits === 0 || digits > DIGITS_MAX) throw odd;
    if (value > Number.MAX_SAFE_INTEGER) throw odd;
    this.#varint(value);
  }

  /** Where the text that begins here has its bytes; one that has to be read to be known is left to the codec. */
  #plainText(): readonly [from: number, to: number] {
    const json = this.#json;
    const from = this.#at + 1;
    if (json[this.#at] !== QUOTE) throw odd;
    const to = json.indexOf(QUOTE, from);
    if (to < 0) throw odd;
    for (let i = from; i < to; i += 1) {
      const byte = json[i] as number;
      if (byte === BACKSLASH || byte > 127) throw odd;
    }
    this.#at = to + 1;
    return [from, to];
  }

  /** The text that begins here behind its length; `isNested`: as the first field of a message. */
  #text(isNested: boolean): void {
    const json = this.#json;
    if (json[this.#at] !== QUOTE) throw odd;
    let to = this.#at + 1;
    let byte = json[to];
    while (byte !== QUOTE && byte !== BACKSLASH && byte !== undefined) byte = json[++to];
    const from = this.#at + 1;
    if (byte === undefined) throw odd;
    if (byte === BACKSLASH) return this.#escapedText(isNested);
    if (isNested) this.#nest(to - from);
    this.#varint(to - from);
    this.#put(json, from, to);
    this.#at = to + 1;
  }

  #escapedText(isNested: boolean): void {
    const from = this.#at;
    this.#skip();
    const bytes = Buffer.from(JSON.parse(this.#json.toString('utf8', from, this.#at)) as string);
    if (isNested) this.#nest(bytes.length);
    this.#varint(bytes.length);
    this.#put(bytes, 0, bytes.length);
  }

  #nest(length: number): void {
    this.#varint(1 + varintSize(length) + length);
    this.#byte(10);
  }

  #textField(key: Buffer, bytes: Buffer): void {
    this.#put(key, 0, key.length);
    this.#varint(bytes.length);
    this.#put(bytes, 0, bytes.length);
  }

  // ---- JSON that is passed over ----

  /** To behind the value that begins here. */
  #skip(): void {
    const json = this.#json;
    let depth = 0;
    let at = this.#at;
    for (; at < json.length; at += 1) {
      const byte = json[at];
      if (byte === QUOTE) {
        at = endOfText(json, at);
        if (depth === 0) {
          this.#at = at + 1;
          return;
        }
      } else if (byte === OPEN || byte === OPEN_LIST) depth += 1;
      else if (byte === CLOSE || byte === CLOSE_LIST) {
        depth -= 1;
        if (depth > 0) continue;
        // Of a number or word, the end of what is around it.
        this.#at = depth === 0 ? at + 1 : at;
        return;
      } else if (byte === COMMA && depth === 0) break;
    }
    this.#at = at;
  }

  // ---- what is written ----

  #need(count: number): void {
    const wanted = this.#size + count;
    if (wanted <= this.#out.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#out.length * 2, wanted));
    this.#out.copy(grown, 0, 0, this.#size);
    this.#out = grown;
  }

  #byte(value: number): void {
    this.#need(1);
    this.#out[this.#size++] = value;
  }

  /** Below 2^53. */
  #varint(value: number): void {
    this.#need(8);
    const out = this.#out;
    let rest = value;
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 128))
      out[this.#size++] = (rest % 128) | 0x80;
    for (; rest > 127; rest >>>= 7) out[this.#size++] = (rest & 127) | 0x80;
    out[this.#size++] = rest;
  }

  #put(bytes: Uint8Array, from: number, to: number): void {
    const length = to - from;
    this.#need(length);
    // `bytes` may be what had to grow: it still has what is copied.
    const out = this.#out;
    const at = this.#size;
    this.#size = at + length;
    if (length > LOOP_MAX) out.set(bytes.subarray(from, to), at);
    else for (let i = 0; i < length; i += 1) out[at + i] = bytes[from + i] as number;
  }
}

/** What is longer is copied faster by a call. */
const LOOP_MAX = 64;

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

type Range = readonly [from: number, to: number];

/** Whether one key is before another; none is before all. */
function isBefore(json: Buffer, [from, to]: Range, [nextFrom, nextTo]: Range): boolean {
  if (from === 0) return true;
  const length = Math.min(to - from, nextTo - nextFrom);
  for (let i = 0; i < length; i += 1) {
    const difference = (json[from + i] as number) - (json[nextFrom + i] as number);
    if (difference !== 0) return difference < 0;
  }
  return to - from < nextTo - nextFrom;
}

/** Of the quote that ends the text whose first one is at `start`. */
function endOfText(json: Buffer, start: number): number {
  let at = start + 1;
  for (let byte = json[at]; byte !== QUOTE; byte = json[at]) {
    if (byte === undefined) throw odd;
    at += byte === BACKSLASH ? 2 : 1;
  }
  return at;
}
