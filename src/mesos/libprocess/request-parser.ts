// Takes requests out of the bytes of one connection, as far as they are plain HTTP/1.1 requests of a kind
// that its owner reads; the first that is not, and all behind it, is left to a general HTTP server.

export interface RequestHead {
  /** `POST /master/… HTTP/1.1` */
  readonly line: string;
  /** By names in lower case; no name stands there twice. */
  readonly headers: ReadonlyMap<string, string>;
}

export type ParseOutcome =
  /** All of it was requests, or the beginning of one. */
  | { readonly kind: 'read' }
  /** From here on it is something else. */
  | { readonly kind: 'foreign'; readonly rest: Buffer }
  /** It began as a request and is none, or one that is too long. */
  | { readonly kind: 'bad'; readonly why: 'chunks' | 'length' };

export interface ParserOptions<H> {
  readonly bodyBytesMax: number;
  /** What its owner reads out of a head; undefined: nothing of its kind. */
  readonly headOf: (head: RequestHead) => H | undefined;
  readonly onRequest: (head: H, body: Uint8Array) => void;
}

interface Framed<H> {
  readonly of: H;
  /** Of the body; undefined: it comes in chunks. */
  readonly length: number | undefined;
}

const HEAD_END = '\r\n\r\n';
const HEAD_BYTES_MAX = 16 * 1_024;
/** Of one connection: calls differ in their lengths. */
const HEADS_KEPT_MAX = 3;
const CHUNK_LINE_MAX = 4 * 1_024;
/** Parts of a body that are put together before it is whole: many may be of one byte. */
const PARTS_MAX = 1_024;
const NAME = /^[\w-]+$/;
const LENGTH = /^\d{1,15}$/;
const CHUNK = /^([\da-f]{1,8})(?:;[\w-]+(?:=[\w-]+)?)*$/i;
/** A head of another one may follow a control character that somebody takes for the end of a line. */
const CONTROL = /[^\P{Cc}\t]/u;
const framingNames: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'transfer-encoding',
  'upgrade',
]);
const NOTHING = Buffer.alloc(0);
const READ: ParseOutcome = { kind: 'read' };

/** Undefined: not plain enough. */
function readHead(text: string): RequestHead | undefined {
  const [line = '', ...lines] = text.split('\r\n');
  const headers = new Map<string, string>();
  for (const one of lines) {
    const name = nameIn(one);
    if (name === undefined || headers.has(name)) return undefined;
    headers.set(name, unpadded(one, name.length + 1));
  }
  return { line, headers };
}

/** In lower case; undefined: not the line of a header. */
function nameIn(line: string): string | undefined {
  const colon = line.indexOf(':');
  if (colon < 1 || CONTROL.test(line)) return undefined;
  const name = line.slice(0, colon).toLowerCase();
  return NAME.test(name) ? name : undefined;
}

/** What says where a request ends has no place behind it. */
function isTrailer(line: string): boolean {
  const name = nameIn(line);
  return name !== undefined && !framingNames.has(name);
}

function unpadded(text: string, from: number): string {
  let [start, end] = [from, text.length];
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** How long the body is; undefined where the connection is to end, or something else is to come. */
function framing({ headers }: RequestHead): { length: number | undefined } | undefined {
  if (headers.has('expect') || headers.has('upgrade')) return undefined;
  const connection = headers.get('connection');
  if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return undefined;
  const coding = headers.get('transfer-encoding');
  const length = headers.get('content-length');
  if (coding !== undefined) {
    return coding.toLowerCase() === 'chunked' && length === undefined ? { length } : undefined;
  }
  if (length === undefined) return { length: 0 };
  return LENGTH.test(length) ? { length: Number(length) } : undefined;
}

function framed<H>(text: string, headOf: ParserOptions<H>['headOf']): Framed<H> | undefined {
  const head = readHead(text);
  const frame = head && framing(head);
  if (head === undefined || frame === undefined) return undefined;
  const of = headOf(head);
  return of === undefined ? undefined : { of, length: frame.length };
}

/** Whether the first bytes of a connection hold the whole head of a request of this kind. */
export function beginsRequest(
  first: Buffer,
  headOf: (head: RequestHead) => object | undefined,
): boolean {
  const end = first.indexOf('\r\n\r\n', 0, 'latin1');
  if (end < 0 || end > HEAD_BYTES_MAX) return false;
  return framed(first.toString('latin1', 0, end), headOf) !== undefined;
}

export class RequestParser<H extends object> {
  readonly #options: ParserOptions<H>;
  #rest: Buffer = NOTHING;
  #head: Framed<H> | undefined;
  /** Heads of before, with the bytes of each and of its end: a client says nearly always the same few. */
  readonly #known: { readonly bytes: Buffer; readonly head: Framed<H> }[] = [];
  /** The one of them to be forgotten next. */
  #oldest = 0;
  readonly #parts: Buffer[] = [];
  /** So many of them are put together. */
  #joined = 0;
  #size = 0;
  /** Bytes of the body, or of its chunk, that are still to come; undefined: a chunk's length is. */
  #awaited: number | undefined;
  /** Of the body in chunks: its next line is its end, or the end of a chunk. */
  #isLast = false;
  #isAfterChunk = false;
  /** Bytes of trailers. */
  #trailed = 0;

  constructor(options: ParserOptions<H>) {
    this.#options = options;
  }

  /** A request has begun and is not whole. */
  get isInside(): boolean {
    return this.#head !== undefined || this.#rest.length > 0;
  }

  push(chunk: Buffer): ParseOutcome {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = NOTHING;
    let at = 0;
    while (at < bytes.length) {
      if (this.#head === undefined) {
        const known = this.#knownAt(bytes, at);
        const end = known === undefined ? bytes.indexOf(HEAD_END, at, 'latin1') : -1;
        if (known === undefined && end < 0 && bytes.length - at <= HEAD_BYTES_MAX) break;
        const head = known?.head ?? (end < 0 ? undefined : this.#headIn(bytes, at, end));
        if (head === undefined) return { kind: 'foreign', rest: bytes.subarray(at) };
        at = known === undefined ? end + HEAD_END.length : at + known.bytes.length;
        if (!this.#begin(head)) return { kind: 'bad', why: 'length' };
        continue;
      }
      if (this.#awaited === undefined) {
        const end = bytes.indexOf('\r\n', at, 'latin1');
        if (end < 0 && bytes.length - at <= CHUNK_LINE_MAX) break;
        const wrong = end < 0 ? 'chunks' : this.#line(bytes.toString('latin1', at, end));
        if (wrong !== undefined) return { kind: 'bad', why: wrong };
        at = end + 2;
        continue;
      }
      const taken = Math.min(this.#awaited, bytes.length - at);
      this.#take(bytes.subarray(at, at + taken));
      this.#awaited -= taken;
      at += taken;
      if (this.#awaited === 0) this.#filled();
    }
    // What is kept is copied: it must not hold the whole of what it came in.
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at));
    return READ;
  }

  #take(part: Buffer): void {
    this.#parts.push(part);
    if (this.#parts.length - this.#joined < PARTS_MAX) return;
    this.#parts.push(Buffer.concat(this.#parts.splice(this.#joined)));
    this.#joined += 1;
  }

  /** What begins with the whole of a known head is that head: its end is in it, and nowhere before. */
  #knownAt(bytes: Buffer, at: number): { bytes: Buffer; head: Framed<H> } | undefined {
    for (const one of this.#known) {
      const end = at + one.bytes.length;
      if (end <= bytes.length && one.bytes.compare(bytes, at, end) === 0) return one;
    }
    return undefined;
  }

  #headIn(bytes: Buffer, at: number, end: number): Framed<H> | undefined {
    if (end - at > HEAD_BYTES_MAX) return undefined;
    const head = framed(bytes.toString('latin1', at, end), this.#options.headOf);
    if (head === undefined) return undefined;
    const known = { bytes: Buffer.from(bytes.subarray(at, end + HEAD_END.length)), head };
    if (this.#known.length < HEADS_KEPT_MAX) this.#known.push(known);
    else this.#known[this.#oldest++ % HEADS_KEPT_MAX] = known;
    return head;
  }

  /** False: it is longer than allowed. */
  #begin(head: Framed<H>): boolean {
    const { length } = head;
    if (length !== undefined && length > this.#options.bodyBytesMax) return false;
    this.#head = head;
    this.#awaited = length;
    if (length === 0) this.#end();
    return true;
  }

  /** A line between chunks: the end of one, the length of the next, or the end of all; or why it is none. */
  #line(line: string): 'chunks' | 'length' | undefined {
    if (this.#isLast) {
      // Trailers say nothing here.
      this.#trailed += line.length;
      if (line === '') this.#end();
      else if (this.#trailed > HEAD_BYTES_MAX || !isTrailer(line)) return 'chunks';
      return undefined;
    }
    if (this.#isAfterChunk) {
      this.#isAfterChunk = false;
      return line === '' ? undefined : 'chunks';
    }
    const [, digits] = CHUNK.exec(line) ?? [];
    if (digits === undefined) return 'chunks';
    const length = Number.parseInt(digits, 16);
    this.#size += length;
    if (this.#size > this.#options.bodyBytesMax) return 'length';
    if (length === 0) this.#isLast = true;
    else this.#awaited = length;
    return undefined;
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
    // Emptied, not replaced: a list that grew old between two requests would keep what it held.
    this.#parts.length = 0;
    this.#joined = 0;
    this.#size = 0;
    this.#trailed = 0;
    this.#awaited = undefined;
    this.#isLast = false;
    if (head === undefined) return;
    const body = more.length === 0 ? first : Buffer.concat([first, ...more]);
    this.#options.onRequest(head.of, body);
  }
}
