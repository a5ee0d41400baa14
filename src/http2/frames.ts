// HTTP/2 frames (RFC 9113, section 4): their types, flags and errors, and what comes in cut into frames.

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
export const FRAME_HEADER_BYTES = 9;
export const FRAME_BYTES_DEFAULT = 16_384;
export const WINDOW_DEFAULT = 65_535;
export const WINDOW_MAX = 2 ** 31 - 1;

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flags = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export const errorCodes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const;

export const settingIds = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Ends the connection: GOAWAY with the code. */
export class ConnectionError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export function writeFrameHeader(
  to: Buffer,
  at: number,
  frame: { readonly length: number; readonly type: number; flags: number; streamId: number },
): void {
  const { length } = frame;
  to[at] = length >>> 16;
  to[at + 1] = length >>> 8;
  to[at + 2] = length;
  to[at + 3] = frame.type;
  to[at + 4] = frame.flags;
  writeStreamId(to, at, frame.streamId);
}

/** Into the frame that begins there. */
export function writeStreamId(to: Buffer, at: number, streamId: number): void {
  to[at + 5] = streamId >>> 24;
  to[at + 6] = streamId >>> 16;
  to[at + 7] = streamId >>> 8;
  to[at + 8] = streamId;
}

export function encodeFrame(
  type: number,
  frameFlags: number,
  streamId: number,
  payload: Buffer,
): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(frame, 0, { length: payload.length, type, flags: frameFlags, streamId });
  payload.copy(frame, FRAME_HEADER_BYTES);
  return frame;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const uint24 = (bytes: Buffer, at: number): number =>
  ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);

/** The first bit is reserved. */
const uint31 = (bytes: Buffer, at: number): number =>
  (((bytes[at] as number) & 0x7f) << 24) | uint24(bytes, at + 1);

export interface FrameHandler {
  onFrame(frame: Frame): void;
  /** The frame that comes most often, one for two or three events of each watcher. */
  onWindowUpdate(streamId: number, increment: number): void;
}

/** Cuts what comes in into frames. Payloads are views into it. */
export class FrameReader {
  readonly #handler: FrameHandler;
  #rest: Buffer[] = [];
  #size = 0;
  /** Bytes until something can be done: a header, or a whole frame. */
  #wanted = PREFACE.length;
  #hasPreface = false;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Throws ConnectionError for what is no HTTP/2, or a frame that is longer than it may be. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#size > 0) {
      this.#rest.push(chunk);
      this.#size += chunk.length;
      if (this.#size < this.#wanted) return;
      bytes = Buffer.concat(this.#rest, this.#size);
      this.#rest = [];
      this.#size = 0;
    }
    const start = this.#preface(bytes);
    if (start === undefined) return;
    let at = start;
    for (;;) {
      const left = bytes.length - at;
      const length = left < FRAME_HEADER_BYTES ? 0 : uint24(bytes, at);
      if (length > FRAME_BYTES_DEFAULT)
        throw new ConnectionError(errorCodes.frameSizeError, 'a frame is too long');
      this.#wanted = FRAME_HEADER_BYTES + length;
      if (left < this.#wanted) break;
      const end = at + this.#wanted;
      this.#take(bytes, at, end);
      at = end;
    }
    this.#keep(bytes, at);
  }

  #take(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at + 3] ?? 0;
    const streamId = uint31(bytes, at + 5);
    if (type === frameTypes.windowUpdate && end - at === FRAME_HEADER_BYTES + 4)
      return this.#handler.onWindowUpdate(streamId, uint31(bytes, at + FRAME_HEADER_BYTES));
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end);
    this.#handler.onFrame({ type, flags: bytes[at + 4] ?? 0, streamId, payload });
  }

  /** Where the first frame begins; undefined while the preface has not come whole. */
  #preface(bytes: Buffer): number | undefined {
    if (this.#hasPreface) return 0;
    const seen = bytes.toString('latin1', 0, PREFACE.length);
    if (!PREFACE.startsWith(seen))
      throw new ConnectionError(errorCodes.protocolError, 'the connection begins otherwise');
    if (seen.length < PREFACE.length) {
      this.#keep(bytes, 0);
      return undefined;
    }
    this.#hasPreface = true;
    return PREFACE.length;
  }

  #keep(bytes: Buffer, from: number): void {
    if (from >= bytes.length) return;
    this.#rest = [bytes.subarray(from)];
    this.#size = bytes.length - from;
  }
}
