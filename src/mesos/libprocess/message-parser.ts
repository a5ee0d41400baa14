// Takes libprocess messages out of the bytes of one connection, as far as they are written the way libprocess
// writes them; what is not is left to a general HTTP server.

/** One message: POST /ID/NAME from a process that libprocess names in User-Agent. */
export interface ParsedMessage {
  readonly id: string;
  readonly name: string;
  readonly from: string;
  readonly body: Uint8Array;
}

export type ParseOutcome =
  /** All of it was messages, or the beginning of one. */
  | { readonly kind: 'read' }
  /** From here on it is something else. */
  | { readonly kind: 'foreign'; readonly rest: Buffer }
  /** It began as a message and is none, or one that is too long. */
  | { readonly kind: 'bad' };

export interface ParserOptions {
  readonly bodyBytesMax: number;
  readonly onMessage: (message: ParsedMessage) => void;
}

interface Head {
  readonly id: string;
  readonly name: string;
  readonly from: string;
  /** Of the body; undefined: it comes in chunks. */
  readonly length: number | undefined;
}

const HEAD_BYTES_MAX = 16 * 1_024;
const CHUNK_LINE_MAX = 256;
const AGENT = 'libprocess/';
const REQUEST_LINE = /^POST \/([^/ ?#]+)\/([\w.]+) HTTP\/1\.1$/;
const NAME = /^[\w-]+$/;
const NOTHING = Buffer.alloc(0);
const READ: ParseOutcome = { kind: 'read' };
const BAD: ParseOutcome = { kind: 'bad' };

/** Undefined: not a head that libprocess writes. */
function headOf(text: string): Head | undefined {
  const lines = text.split('\r\n');
  const request = REQUEST_LINE.exec(lines[0] ?? '');
  if (request === null) return undefined;
  let agent = '';
  let from: string | undefined;
  let length: number | undefined;
  let isChunked = false;
  for (let index = 1; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const colon = line.indexOf(':');
    if (colon < 1 || !NAME.test(line.slice(0, colon))) return undefined;
    const value = line.slice(colon + 1).trim();
    switch (line.slice(0, colon).toLowerCase()) {
      case 'user-agent':
        agent = value;
        break;
      case 'libprocess-from':
        from = value;
        break;
      case 'content-length':
        if (length !== undefined || !/^\d{1,15}$/.test(value)) return undefined;
        length = Number(value);
        break;
      case 'transfer-encoding':
        if (value.toLowerCase() !== 'chunked') return undefined;
        isChunked = true;
        break;
      case 'connection':
        if (value.toLowerCase() !== 'keep-alive') return undefined;
        break;
      case 'expect':
      case 'upgrade':
        return undefined;
      default:
    }
  }
  if (!agent.startsWith(AGENT) || (isChunked && length !== undefined)) return undefined;
  const [, id = '', name = ''] = request;
  const ofBody = isChunked ? undefined : (length ?? 0);
  return { id, name, from: from ?? agent.slice(AGENT.length), length: ofBody };
}

/** Whether the first bytes of a connection hold the whole head of a message. */
export function beginsMessage(first: Buffer): boolean {
  const end = first.indexOf('\r\n\r\n', 0, 'latin1');
  return end > 0 && end <= HEAD_BYTES_MAX && headOf(first.toString('latin1', 0, end)) !== undefined;
}

export class MessageParser {
  readonly #options: ParserOptions;
  #rest: Buffer = NOTHING;
  #head: Head | undefined;
  #parts: Buffer[] = [];
  #size = 0;
  /** Bytes of the body, or of its chunk, that are still to come; undefined: a chunk's length is. */
  #awaited: number | undefined;
  /** Of the body in chunks: its next line is its end, or the end of a chunk. */
  #isLast = false;
  #isAfterChunk = false;

  constructor(options: ParserOptions) {
    this.#options = options;
  }

  /** A message has begun and is not whole. */
  get isInside(): boolean {
    return this.#head !== undefined || this.#rest.length > 0;
  }

  push(chunk: Buffer): ParseOutcome {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = NOTHING;
    let at = 0;
    while (at < bytes.length) {
      if (this.#head === undefined) {
        const end = bytes.indexOf('\r\n\r\n', at, 'latin1');
        if (end < 0 && bytes.length - at <= HEAD_BYTES_MAX) break;
        const head = end < 0 ? undefined : headOf(bytes.toString('latin1', at, end));
        if (head === undefined) return { kind: 'foreign', rest: bytes.subarray(at) };
        at = end + 4;
        if (!this.#begin(head)) return BAD;
        continue;
      }
      if (this.#awaited === undefined) {
        const end = bytes.indexOf('\r\n', at, 'latin1');
        if (end < 0 && bytes.length - at <= CHUNK_LINE_MAX) break;
        if (end < 0 || !this.#line(bytes.toString('latin1', at, end))) return BAD;
        at = end + 2;
        continue;
      }
      const taken = Math.min(this.#awaited, bytes.length - at);
      this.#parts.push(bytes.subarray(at, at + taken));
      this.#awaited -= taken;
      at += taken;
      if (this.#awaited === 0) this.#filled();
    }
    // What is kept is copied: it must not hold the whole of what it came in.
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at));
    return READ;
  }

  /** False: it is longer than allowed. */
  #begin(head: Head): boolean {
    const { length } = head;
    if (length !== undefined && length > this.#options.bodyBytesMax) return false;
    this.#head = head;
    this.#awaited = length;
    if (length === 0) this.#end();
    return true;
  }

  /** A line between chunks: the end of one, the length of the next, or the end of all. */
  #line(line: string): boolean {
    if (this.#isLast) {
      if (line !== '') return false;
      this.#end();
      return true;
    }
    if (this.#isAfterChunk) {
      this.#isAfterChunk = false;
      return line === '';
    }
    if (!/^[\da-f]{1,8}$/i.test(line)) return false;
    const length = Number.parseInt(line, 16);
    this.#size += length;
    if (this.#size > this.#options.bodyBytesMax) return false;
    if (length === 0) this.#isLast = true;
    else this.#awaited = length;
    return true;
  }

  /** head.length bytes, or a chunk, are whole. */
  #filled(): void {
    if (this.#head?.length !== undefined) {
      this.#end();
      return;
    }
    this.#awaited = undefined;
    this.#isAfterChunk = true;
  }

  #end(): void {
    const head = this.#head;
    const [first = NOTHING, ...more] = this.#parts;
    this.#head = undefined;
    this.#parts = [];
    this.#size = 0;
    this.#awaited = undefined;
    this.#isLast = false;
    if (head === undefined) return;
    const body = more.length === 0 ? first : Buffer.concat([first, ...more]);
    this.#options.onMessage({ id: head.id, name: head.name, from: head.from, body });
  }
}
