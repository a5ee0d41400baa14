// SPDY/3.1 frames to and from bytes, as far as kubectl and the kubelet use them: no flow control.
// Header blocks are sent in stored deflate blocks, so writing needs no compressor state.

export type Headers = Readonly<Record<string, string>>;

export type Frame =
  | {
      readonly kind: 'syn-stream';
      readonly streamId: number;
      readonly fin: boolean;
      /** Still compressed. */
      readonly block: Buffer;
    }
  | {
      readonly kind: 'syn-reply';
      readonly streamId: number;
      readonly fin: boolean;
      readonly block: Buffer;
    }
  | {
      readonly kind: 'headers';
      readonly streamId: number;
      readonly fin: boolean;
      readonly block: Buffer;
    }
  | { readonly kind: 'data'; readonly streamId: number; readonly fin: boolean; bytes: Buffer }
  | { readonly kind: 'reset'; readonly streamId: number; readonly status: number }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'go-away' }
  | { readonly kind: 'ignored' };

const finFlag = 1;
export const frameBytesMax = 16 * 1024 * 1024;

const types = { synStream: 1, synReply: 2, reset: 3, ping: 6, goAway: 7, headers: 8 } as const;

export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames: Frame[] = [];
    while (this.#rest.length >= 8) {
      const length = this.#rest.readUIntBE(5, 3);
      if (this.#rest.length < 8 + length) break;
      frames.push(parseFrame(this.#rest.subarray(0, 8 + length)));
      this.#rest = this.#rest.subarray(8 + length);
    }
    return frames;
  }
}

function parseFrame(bytes: Buffer): Frame {
  const first = bytes.readUInt32BE(0);
  const fin = ((bytes[4] ?? 0) & finFlag) !== 0;
  const body = bytes.subarray(8);
  if (first < 0x80000000) return { kind: 'data', streamId: first, fin, bytes: body };
  const streamId = body.length >= 4 ? body.readUInt32BE(0) & 0x7fffffff : 0;
  switch (first & 0xffff) {
    case types.synStream:
      return { kind: 'syn-stream', streamId, fin, block: body.subarray(10) };
    case types.synReply:
      return { kind: 'syn-reply', streamId, fin, block: body.subarray(4) };
    case types.headers:
      return { kind: 'headers', streamId, fin, block: body.subarray(4) };
    case types.reset:
      return { kind: 'reset', streamId, status: body.readUInt32BE(4) };
    case types.ping:
      return { kind: 'ping', id: body.readUInt32BE(0) };
    case types.goAway:
      return { kind: 'go-away' };
    default:
      return { kind: 'ignored' };
  }
}

function control(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt8(flags, 4);
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}

export function synStream(streamId: number, block: Buffer): Buffer {
  const priority = Buffer.alloc(2);
  return control(types.synStream, 0, Buffer.concat([words(streamId, 0), priority, block]));
}

export function synReply(streamId: number, block: Buffer): Buffer {
  return control(types.synReply, 0, Buffer.concat([words(streamId), block]));
}

export function reset(streamId: number, status: number): Buffer {
  return control(types.reset, 0, words(streamId, status));
}

export function ping(id: number): Buffer {
  return control(types.ping, 0, words(id));
}

export function goAway(lastStreamId: number): Buffer {
  return control(types.goAway, 0, words(lastStreamId, 0));
}

export function dataFrame(streamId: number, bytes: Uint8Array, fin: boolean): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(streamId, 0);
  head.writeUInt8(fin ? finFlag : 0, 4);
  head.writeUIntBE(bytes.length, 5, 3);
  return Buffer.concat([head, bytes]);
}

/** Name and value pairs before compression. Names are in lower case, values joined by NUL. */
export function headerBlock(headers: Headers): Buffer {
  const entries = Object.entries(headers);
  const parts: Buffer[] = [words(entries.length)];
  for (const [name, value] of entries) {
    for (const text of [name.toLowerCase(), value]) {
      const bytes = Buffer.from(text);
      parts.push(words(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

export function parseHeaderBlock(block: Buffer): Headers {
  const headers: [string, string][] = [];
  let offset = 0;
  const number = (): number => {
    offset += 4;
    return block.readUInt32BE(offset - 4);
  };
  const text = (): string => {
    const length = number();
    offset += length;
    if (offset > block.length) throw new RangeError('SPDY header block is cut off');
    return block.toString('utf8', offset - length, offset);
  };
  for (let count = number(); count > 0; count--) {
    const name = text();
    headers.push([name, text()]);
  }
  // Whatever the name is, "__proto__" too: no assignment.
  return Object.fromEntries(headers);
}

/** Makes the compressed form, with stored blocks; one per connection and direction. */
export class HeaderWriter {
  readonly #dictionaryId: number;
  #isFirst = true;

  constructor(dictionary: Buffer) {
    this.#dictionaryId = adler32(dictionary);
  }

  write(headers: Headers): Buffer {
    const plain = headerBlock(headers);
    const parts: Buffer[] = [];
    if (this.#isFirst) parts.push(Buffer.from([0x78, 0x20]), words(this.#dictionaryId));
    this.#isFirst = false;
    for (let at = 0; at < plain.length; at += 0xffff) {
      parts.push(...storedBlock(plain.subarray(at, at + 0xffff)));
    }
    // The empty block makes the reader give out what it has.
    parts.push(...storedBlock(Buffer.alloc(0)));
    return Buffer.concat(parts);
  }
}

function storedBlock(bytes: Buffer): Buffer[] {
  const head = Buffer.alloc(5);
  head.writeUInt16LE(bytes.length, 1);
  head.writeUInt16LE(~bytes.length & 0xffff, 3);
  return [head, bytes];
}

function adler32(bytes: Buffer): number {
  let low = 1;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  return ((high << 16) | low) >>> 0;
}
