// What goes out on a connection within one turn of the event loop becomes one write: frames of all its streams,
// shared bytes copied once each, in as large pieces as the windows of the other side allow.
import {
  FRAME_BYTES_DEFAULT,
  FRAME_HEADER_BYTES,
  frameTypes,
  writeFrameHeader,
  writeStreamId,
} from './frames.ts';

/** What is longer has a buffer of its own. */
export const BLOCK_BYTES = 192 * 1024;
/** Kept for the next writes: as many as connections commonly write to in one turn, twice each. */
const BLOCKS_KEPT = 32;
/** What is shorter comes out of Node's own pool. */
const POOLED_BYTES_MAX = 4 * 1024;

const blocks: Buffer[] = [];

/** Large buffers are dear: each is memory outside of the heap, and a reason for the collector to run. */
function newBuffer(size: number): Buffer {
  if (size <= POOLED_BYTES_MAX) return Buffer.allocUnsafe(size);
  if (size > BLOCK_BYTES) return Buffer.allocUnsafeSlow(size);
  const block = blocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  return block.subarray(0, size);
}

/**
 * What the beginning of a block holds since it was filled last: frames of one payload after the other. The next
 * connection that is sent the same needs other streams in them, and nothing else.
 */
interface Laid {
  readonly memory: ArrayBufferLike;
  readonly payload: Buffer;
  readonly end: number;
}

let laid: Laid | undefined;

const isBlock = ({ buffer, byteOffset }: Buffer): boolean =>
  buffer.byteLength === BLOCK_BYTES && byteOffset === 0;

function noteLaid(bytes: Buffer, payload: Buffer, end: number): void {
  if (isBlock(bytes)) laid = { memory: bytes.buffer, payload, end };
}

/** Only once nobody reads the bytes any more: whoever does it later reads what others are sent. */
export function giveBack(bytes: Buffer): void {
  if (!isBlock(bytes)) return;
  if (blocks.length < BLOCKS_KEPT) blocks.push(Buffer.from(bytes.buffer as ArrayBuffer));
}

/**
 * Plain bytes in one record of TLS at most (RFC 8446, section 5.1). Who reads gets them record by record: a frame that
 * ends with its record comes in one piece, where others come in two.
 */
const RECORD_BYTES = 16 * 1024;
/** With less left of a record the next frame goes past its end. */
const PAYLOAD_BYTES_MIN = 1024;

/** These are whole frames. */
const WHOLE = -1;
/** Of a run of streams: from one place among them to before another, instead of flags and stream. */
const SHARED = -2;

/** Frames that wait to be written; filled, then taken as one buffer. */
export class FrameBatch {
  readonly #payloads: Buffer[] = [];
  /** For each payload: type, flags, stream, where it begins and ends; or one of those below. */
  readonly #facts: number[] = [];
  /** Streams that are sent the same payload, one run of them after the other. */
  readonly #ids: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Of a next frame's data: so long that it ends where a record of TLS does. */
  get payloadMax(): number {
    const left = RECORD_BYTES - (this.#size % RECORD_BYTES) - FRAME_HEADER_BYTES;
    return left < PAYLOAD_BYTES_MIN ? FRAME_BYTES_DEFAULT : left;
  }

  addWhole(frames: Buffer): void {
    this.#payloads.push(frames);
    this.#facts.push(WHOLE, 0, 0, 0, frames.length);
    this.#size += frames.length;
  }

  /** A frame of data with all of the payload for each of the streams; of the same one in turn, little more is noted. */
  addShared(streamIds: readonly number[], payload: Buffer): void {
    const facts = this.#facts;
    const last = facts.length - 5;
    const ids = this.#ids;
    if (this.#payloads.at(-1) === payload && facts[last] === SHARED) {
      (facts[last + 2] as number) += streamIds.length;
    } else {
      this.#payloads.push(payload);
      facts.push(SHARED, ids.length, ids.length + streamIds.length, 0, payload.length);
    }
    for (const id of streamIds) ids.push(id);
    this.#size += streamIds.length * (FRAME_HEADER_BYTES + payload.length);
  }

  add(
    head: { readonly type: number; readonly flags: number; readonly streamId: number },
    payload: Buffer,
    from: number,
    to: number,
  ): void {
    this.#payloads.push(payload);
    this.#facts.push(head.type, head.flags, head.streamId, from, to);
    this.#size += FRAME_HEADER_BYTES + to - from;
  }

  /**
   * For giveBack() after the write. No more than `bytesMax`, but at least one frame: what is shared is copied for
   * each stream only when it is written.
   */
  take(bytesMax = Infinity): Buffer {
    const size = this.#size <= bytesMax ? this.#size : this.#sizeWithin(bytesMax);
    const bytes = newBuffer(size);
    const facts = this.#facts;
    const laidTo = this.#laidTo(bytes);
    let at = 0;
    let payload = 0;
    for (; at < size; payload += 1) {
      const fact = payload * 5;
      const type = facts[fact] as number;
      const of = this.#payloads[payload] as Buffer;
      const from = facts[fact + 3] as number;
      const to = facts[fact + 4] as number;
      if (type === SHARED) {
        at = this.#putShared(bytes, at, payload === 0 ? laidTo : 0, fact);
        if (payload === 0) noteLaid(bytes, of, at);
        // The rest of the run is for later.
        if ((facts[fact + 1] as number) < (facts[fact + 2] as number)) break;
        continue;
      }
      if (type >= 0) {
        const [flags, streamId] = [facts[fact + 1] as number, facts[fact + 2] as number];
        writeFrameHeader(bytes, at, { length: to - from, type, flags, streamId });
        at += FRAME_HEADER_BYTES;
      }
      // Twice as fast as copy(), for what is copied most: a whole payload.
      if (to - from === of.length) bytes.set(of, at);
      else of.copy(bytes, at, from, to);
      at += to - from;
    }
    this.#drop(payload);
    this.#size -= size;
    return bytes;
  }

  /** Up to where the bytes, which are about to be filled, hold the first frames but for their streams. */
  #laidTo({ buffer }: Buffer): number {
    if (laid?.memory !== buffer) return 0;
    const { payload, end } = laid;
    laid = undefined;
    return this.#facts[0] === SHARED && this.#payloads[0] === payload ? end : 0;
  }

  /** How much of what waits, whole frames, is within the bound. */
  #sizeWithin(bytesMax: number): number {
    const facts = this.#facts;
    let size = 0;
    for (let fact = 0; fact < facts.length; fact += 5) {
      const type = facts[fact] as number;
      const head = type === WHOLE ? 0 : FRAME_HEADER_BYTES;
      const one = head + (facts[fact + 4] as number) - (facts[fact + 3] as number);
      const runs = type === SHARED ? (facts[fact + 2] as number) - (facts[fact + 1] as number) : 1;
      const fitting = Math.max(0, Math.min(runs, Math.floor((bytesMax - size) / one)));
      const taken = size === 0 ? Math.max(1, fitting) : fitting;
      size += taken * one;
      if (taken < runs) break;
    }
    return size;
  }

  /** The first payloads have been taken. */
  #drop(payloads: number): void {
    if (payloads >= this.#payloads.length) {
      this.#payloads.length = 0;
      this.#facts.length = 0;
      this.#ids.length = 0;
      return;
    }
    this.#payloads.splice(0, payloads);
    this.#facts.splice(0, payloads * 5);
  }

  #putShared(bytes: Buffer, from: number, laidTo: number, fact: number): number {
    const end = this.#facts[fact + 2] as number;
    const payload = this.#payloads[fact / 5] as Buffer;
    const { length } = payload;
    let at = from;
    let index = this.#facts[fact + 1] as number;
    for (; index < end && at < laidTo && at < bytes.length; index += 1) {
      writeStreamId(bytes, at, this.#ids[index] as number);
      at += FRAME_HEADER_BYTES + length;
    }
    for (; index < end && at < bytes.length; index += 1) {
      const streamId = this.#ids[index] as number;
      writeFrameHeader(bytes, at, { length, type: frameTypes.data, flags: 0, streamId });
      bytes.set(payload, at + FRAME_HEADER_BYTES);
      at += FRAME_HEADER_BYTES + length;
    }
    this.#facts[fact + 1] = index;
    return at;
  }
}
