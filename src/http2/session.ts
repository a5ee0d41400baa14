// The server's side of one HTTP/2 connection (RFC 9113): frames in, requests to the handler, answers out. All that
// is written within one turn of the event loop is one write, however many streams it is for.
import type { TLSSocket } from 'node:tls';
import { readDirectly } from '#base/direct-reads.ts';
import {
  ConnectionError,
  encodeFrame,
  errorCodes,
  flags,
  FRAME_BYTES_DEFAULT,
  FRAME_HEADER_BYTES,
  FrameReader,
  frameTypes,
  settingIds,
  uint32,
  WINDOW_DEFAULT,
  WINDOW_MAX,
  type Frame,
  type FrameHandler,
} from './frames.ts';
import { CompressionError, HpackDecoder, type HeaderList } from './hpack-decoder.ts';
import { encodeHeaders } from './hpack-encoder.ts';
import type { Http2Request, Http2Response } from './messages.ts';
import { BLOCK_BYTES, FrameBatch, giveBack } from './output.ts';
import { areTrailers, requestHead } from './request-headers.ts';
import { ServerStream, STREAM_WINDOW, type StreamOwner } from './server-stream.ts';
import { StreamTable } from './stream-table.ts';

export type RequestHandler = (request: Http2Request, response: Http2Response) => Promise<void>;

/** Of all streams together, before their handlers have taken it. */
const CONNECTION_WINDOW = 4 * 1024 * 1024;
const CREDIT_BYTES_MIN = 64 * 1024;
/** What the frames of shared bytes that wait may come to: they are copied when they are written. */
const SHARED_BYTES_MAX = 1024 * 1024;
/** With a turn of one stream more it still fits into a block (output.ts). */
const WRITE_BYTES_MAX = 128 * 1024;
/** Of one stream, before others have their turn; a frame more at most. */
const TURN_BYTES_MIN = 16 * 1024;
const HEADER_BLOCK_BYTES_MAX = 128 * 1024;
const HEADER_LIST_BYTES_MAX = 64 * 1024;
const CONTINUATIONS_MAX = 64;
/** Answers to pings, settings and resets of a client that does not read them. */
const CONTROL_FRAMES_MAX = 10_000;
const RESETS_KEPT = 1_000;

export interface SessionOptions {
  readonly streamsMax: number;
  readonly handle: RequestHandler;
  /** Called when the connection is over, or nothing more comes or goes on it. */
  readonly onClosed?: (() => void) | undefined;
}

interface HeaderBlock {
  readonly streamId: number;
  readonly isEnd: boolean;
  readonly pieces: Buffer[];
  size: number;
}

const empty = Buffer.alloc(0);

export class ServerSession implements StreamOwner, FrameHandler {
  readonly socket: TLSSocket;
  readonly #options: SessionOptions;
  readonly #reader = new FrameReader(this);
  readonly #decoder = new HpackDecoder();
  readonly #streams = new Map<number, ServerStream>();
  /** Streams that this side has reset: what was under way is for nobody. */
  readonly #resets = new Set<number>();
  readonly #batch = new FrameBatch();
  readonly table = new StreamTable();
  #ready: ServerStream[] = [];
  /** To be called when all that is in the batch has been written. */
  #done: (() => void)[] = [];
  #block: HeaderBlock | undefined;
  #lastId = 0;
  #running = 0;
  #hasSettings = false;
  /** Streams that begin from now on are refused. */
  #isEnding = false;
  #isClosed = false;
  #isScheduled = false;
  #controlFrames = 0;
  #isWriting = false;
  #sendWindow = WINDOW_DEFAULT;
  #receiveWindow = CONNECTION_WINDOW;
  #uncredited = 0;
  /** As the other side wants them. */
  #streamWindow = WINDOW_DEFAULT;

  constructor(socket: TLSSocket, options: SessionOptions) {
    this.socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    // Each record of TLS comes by itself: what a readable stream does for it costs more than its frames.
    readDirectly(socket, (chunk) => this.#onData(chunk));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => this.#close());
    const settings = [
      [settingIds.maxConcurrentStreams, options.streamsMax],
      [settingIds.initialWindowSize, STREAM_WINDOW],
      [settingIds.maxHeaderListSize, HEADER_LIST_BYTES_MAX],
    ] as const;
    const payload = Buffer.alloc(settings.length * 6);
    for (const [index, [id, value]] of settings.entries()) {
      payload.writeUInt16BE(id, index * 6);
      payload.writeUInt32BE(value, index * 6 + 2);
    }
    this.#control(encodeFrame(frameTypes.settings, 0, 0, payload));
    this.#widen(0, CONNECTION_WINDOW - WINDOW_DEFAULT);
  }

  // ---- StreamOwner ----

  ready(stream: ServerStream): void {
    if (!stream.isQueued) {
      stream.isQueued = true;
      this.#ready.push(stream);
    }
    this.#schedule();
  }

  room(length: number): number {
    if (this.#ready.length > 0 || length > FRAME_BYTES_DEFAULT || this.#isClosed) return 0;
    // As many as come to no more than what may wait, and one: a frame is added as long as there is less.
    const waiting = SHARED_BYTES_MAX - this.#batch.size;
    const frames = Math.ceil(waiting / (FRAME_HEADER_BYTES + length));
    return Math.min(Math.max(0, frames), Math.floor(this.#sendWindow / length));
  }

  share(streamIds: readonly number[], bytes: Buffer): void {
    this.#sendWindow -= streamIds.length * bytes.length;
    this.#batch.addShared(streamIds, bytes);
    this.#schedule();
  }

  credit(stream: ServerStream, bytes: number): void {
    this.#widen(stream.id, bytes);
    this.#creditConnection(bytes);
  }

  reset(stream: ServerStream, code: number): void {
    if (this.#streams.get(stream.id) !== stream) return;
    this.#resetId(stream.id, code);
    this.#forget(stream);
    stream.end();
  }

  closed(stream: ServerStream): void {
    this.#forget(stream);
  }

  #forget(stream: ServerStream): void {
    if (!this.#streams.delete(stream.id)) return;
    stream.forgotten();
    this.#creditConnection(stream.takeUncredited());
    if (this.#isEnding) this.#schedule();
  }

  // ---- what comes in ----

  #onData(chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (error instanceof ConnectionError) return this.#fail(error.code);
      if (error instanceof CompressionError) return this.#fail(errorCodes.compressionError);
      throw error;
    }
  }

  // ---- FrameHandler ----

  onFrame(frame: Frame): void {
    if (this.#isClosed) return;
    this.#checkOrder(frame.type);
    switch (frame.type) {
      case frameTypes.data:
        return this.#onDataFrame(frame);
      case frameTypes.headers:
        return this.#onHeaders(frame);
      case frameTypes.priority:
        if (frame.streamId === 0) throw broken('a priority of the connection');
        if (frame.payload.length !== 5)
          this.#streamError(frame.streamId, errorCodes.frameSizeError);
        return;
      case frameTypes.rstStream:
        return this.#onReset(frame);
      case frameTypes.settings:
        return this.#onSettings(frame);
      case frameTypes.pushPromise:
        throw broken('clients push nothing');
      case frameTypes.ping:
        return this.#onPing(frame);
      case frameTypes.goAway:
        if (frame.streamId !== 0) throw broken('a stream goes away');
        return;
      case frameTypes.windowUpdate:
        throw new ConnectionError(errorCodes.frameSizeError, 'no window');
      case frameTypes.continuation:
        return this.#onContinuation(frame);
      default:
    }
  }

  #checkOrder(type: number): void {
    if (!this.#hasSettings && type !== frameTypes.settings) throw broken('no settings');
    if (this.#block !== undefined && type !== frameTypes.continuation)
      throw broken('a header block is interrupted');
  }

  #onDataFrame(frame: Frame): void {
    const { streamId, payload } = frame;
    if (streamId === 0 || streamId > this.#lastId) throw broken('data of no stream');
    this.#receiveWindow -= payload.length;
    if (this.#receiveWindow < 0)
      throw new ConnectionError(errorCodes.flowControlError, 'more than the window');
    const bytes = withoutPadding(frame);
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.hasRequest) {
      this.#creditConnection(payload.length);
      if (!this.#resets.has(streamId)) this.#streamError(streamId, errorCodes.streamClosed);
      return;
    }
    const isLast = (frame.flags & flags.endStream) !== 0;
    const code = stream.receive(bytes, payload.length, isLast);
    if (code !== undefined) this.reset(stream, code);
  }

  #onHeaders(frame: Frame): void {
    const { streamId } = frame;
    if (streamId % 2 === 0) throw broken('a stream of this side');
    let bytes = withoutPadding(frame);
    if ((frame.flags & flags.priority) !== 0) {
      if (bytes.length < 5) throw new ConnectionError(errorCodes.frameSizeError, 'no priority');
      if ((bytes.readUInt32BE(0) & WINDOW_MAX) === streamId) throw broken('depends on itself');
      bytes = bytes.subarray(5);
    }
    const isEnd = (frame.flags & flags.endStream) !== 0;
    this.#block = { streamId, isEnd, pieces: [bytes], size: bytes.length };
    if ((frame.flags & flags.endHeaders) !== 0) this.#onBlock(this.#block);
  }

  #onContinuation({ streamId, payload, flags: frameFlags }: Frame): void {
    const block = this.#block;
    if (block === undefined || block.streamId !== streamId) throw broken('nothing is continued');
    block.pieces.push(payload);
    block.size += payload.length;
    if (block.size > HEADER_BLOCK_BYTES_MAX || block.pieces.length > CONTINUATIONS_MAX)
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'a header block is too long');
    if ((frameFlags & flags.endHeaders) !== 0) this.#onBlock(block);
  }

  #onBlock({ streamId, isEnd, pieces }: HeaderBlock): void {
    this.#block = undefined;
    const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
    const list = this.#decoder.decode(bytes, HEADER_LIST_BYTES_MAX);
    if (streamId > this.#lastId) {
      this.#lastId = streamId;
      return this.#open(streamId, list, isEnd);
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (this.#resets.has(streamId)) return;
      throw new ConnectionError(errorCodes.streamClosed, 'headers of a closed stream');
    }
    if (stream.hasRequest) return this.reset(stream, errorCodes.streamClosed);
    const isFine = isEnd && list !== undefined && areTrailers(list);
    const code = isFine ? stream.receiveEnd() : errorCodes.protocolError;
    if (code !== undefined) this.reset(stream, code);
  }

  #open(streamId: number, list: HeaderList | undefined, isWhole: boolean): void {
    const { streamsMax, handle } = this.#options;
    // Streams that are reset at once still run: they count too, or a client could have any number.
    if (this.#running >= 2 * streamsMax)
      throw new ConnectionError(errorCodes.enhanceYourCalm, 'too much is under way');
    if (this.#isEnding || this.#streams.size >= streamsMax)
      return this.#resetId(streamId, errorCodes.refusedStream);
    if (list === undefined) {
      const frameFlags = flags.endHeaders | flags.endStream;
      this.#control(encodeFrame(frameTypes.headers, frameFlags, streamId, encodeHeaders(431, [])));
      if (!isWhole) this.#resetId(streamId, errorCodes.noError);
      return;
    }
    const head = requestHead(list);
    const isShort = isWhole && (head?.contentLength ?? 0) > 0;
    if (head === undefined || isShort) return this.#resetId(streamId, errorCodes.protocolError);
    const sendWindow = this.#streamWindow;
    const stream = new ServerStream(streamId, this, { head, isWhole, sendWindow });
    this.#streams.set(streamId, stream);
    if (head.headers.expect === '100-continue') {
      const block = encodeHeaders(100, []);
      this.#control(encodeFrame(frameTypes.headers, flags.endHeaders, streamId, block));
    }
    this.#running += 1;
    void handle(stream.request, stream.response).finally(() => {
      this.#running -= 1;
    });
  }

  #onReset({ streamId, payload }: Frame): void {
    if (payload.length !== 4) throw new ConnectionError(errorCodes.frameSizeError, 'no code');
    if (streamId === 0 || streamId > this.#lastId) throw broken('a reset of no stream');
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.#forget(stream);
    stream.end();
  }

  #onSettings({ streamId, payload, flags: frameFlags }: Frame): void {
    if (streamId !== 0) throw broken('settings of a stream');
    const isAck = (frameFlags & flags.ack) !== 0;
    if (payload.length % 6 !== 0 || (isAck && payload.length > 0))
      throw new ConnectionError(errorCodes.frameSizeError, 'settings of another size');
    this.#hasSettings = true;
    if (isAck) return;
    for (let at = 0; at < payload.length; at += 6)
      this.#onSetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    this.#control(encodeFrame(frameTypes.settings, flags.ack, 0, empty));
  }

  #onSetting(id: number, value: number): void {
    if (id === settingIds.enablePush && value > 1) throw broken('neither true nor false');
    if (id === settingIds.maxFrameSize && (value < FRAME_BYTES_DEFAULT || value >= 2 ** 24))
      throw broken('no size of a frame');
    if (id !== settingIds.initialWindowSize) return;
    if (value > WINDOW_MAX)
      throw new ConnectionError(errorCodes.flowControlError, 'no size of a window');
    const change = value - this.#streamWindow;
    this.#streamWindow = value;
    for (const stream of this.#streams.values()) {
      if (!stream.widen(change))
        throw new ConnectionError(errorCodes.flowControlError, 'a window is too large');
    }
  }

  #onPing({ streamId, payload, flags: frameFlags }: Frame): void {
    if (streamId !== 0) throw broken('a ping of a stream');
    if (payload.length !== 8) throw new ConnectionError(errorCodes.frameSizeError, 'no ping');
    if ((frameFlags & flags.ack) !== 0) return;
    this.#control(encodeFrame(frameTypes.ping, flags.ack, 0, payload));
  }

  onWindowUpdate(streamId: number, bytes: number): void {
    if (this.#isClosed) return;
    this.#checkOrder(frameTypes.windowUpdate);
    if (streamId === 0) {
      if (bytes === 0) throw broken('a window grows by nothing');
      this.#sendWindow += bytes;
      if (this.#sendWindow > WINDOW_MAX)
        throw new ConnectionError(errorCodes.flowControlError, 'a window is too large');
      if (this.#ready.length > 0) this.#schedule();
      return;
    }
    if (streamId > this.#lastId) throw broken('a window of no stream');
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (bytes === 0) this.reset(stream, errorCodes.protocolError);
    else if (!stream.widen(bytes)) this.reset(stream, errorCodes.flowControlError);
  }

  #streamError(streamId: number, code: number): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) this.#resetId(streamId, code);
    else this.reset(stream, code);
  }

  #resetId(streamId: number, code: number): void {
    this.#control(encodeFrame(frameTypes.rstStream, 0, streamId, uint32(code)));
    this.#resets.add(streamId);
    if (this.#resets.size <= RESETS_KEPT) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      return;
    }
  }

  // ---- what goes out ----

  #creditConnection(bytes: number): void {
    this.#uncredited += bytes;
    if (this.#uncredited < CREDIT_BYTES_MIN || this.#isClosed) return;
    this.#receiveWindow += this.#uncredited;
    this.#widen(0, this.#uncredited);
    this.#uncredited = 0;
  }

  #widen(streamId: number, bytes: number): void {
    if (bytes > 0) this.#control(encodeFrame(frameTypes.windowUpdate, 0, streamId, uint32(bytes)));
  }

  #control(frames: Buffer): void {
    if (this.#isClosed) return;
    this.#batch.addWhole(frames);
    this.#controlFrames += 1;
    if (this.#controlFrames > CONTROL_FRAMES_MAX) return this.#fail(errorCodes.enhanceYourCalm);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Behind what this turn still writes, before the next one.
    process.nextTick(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  flush(): void {
    this.#fill(this.#done);
    this.#write();
    // Until then the batch has bytes of theirs.
    if (this.#batch.size === 0) this.#callDone();
    if (this.#isEnding) this.#endWhenIdle();
  }

  #callDone(): void {
    const done = this.#done;
    this.#done = [];
    for (const one of done) one();
  }

  /** Takes from the streams in turn. */
  #fill(done: (() => void)[]): void {
    const batch = this.#batch;
    while (this.#ready.length > 0 && this.#mayWrite && batch.size < WRITE_BYTES_MAX) {
      const turn = this.#ready;
      this.#ready = [];
      for (let index = 0; index < turn.length; index += 1) {
        const stream = turn[index] as ServerStream;
        if (batch.size >= WRITE_BYTES_MAX) {
          this.#ready = [...turn.slice(index), ...this.#ready];
          return;
        }
        stream.isQueued = false;
        const bounds = { enough: TURN_BYTES_MIN, window: this.#sendWindow };
        this.#sendWindow -= stream.drain(batch, bounds, done);
        if (!stream.hasMore) continue;
        stream.isQueued = true;
        this.#ready.push(stream);
      }
      if (this.#sendWindow === 0) return;
    }
  }

  get #mayWrite(): boolean {
    return !this.#isClosed && !this.#isWriting;
  }

  /**
   * One write at a time, each of records of its own: a socket that is given several would copy them into one. What
   * waits meanwhile stays with the streams, where it is counted against them.
   */
  #write(): void {
    if (this.#batch.size === 0 || !this.#mayWrite) return;
    const bytes = this.#batch.take(BLOCK_BYTES);
    this.#isWriting = true;
    // Whoever writes to a socket of TLS that nothing waits in has them encrypted when it returns (TLSWrap::DoWrite);
    // the next connection's write finds the same memory, still in the processor's caches.
    const isTaken = this.socket.writableLength === 0;
    this.socket.write(bytes, (error) => {
      if (error !== null && error !== undefined) return;
      if (!isTaken) giveBack(bytes);
      this.#isWriting = false;
      this.#controlFrames = 0;
      if (this.#ready.length > 0 || this.#batch.size > 0) this.flush();
      else if (this.#isEnding) this.#endWhenIdle();
    });
    if (isTaken) giveBack(bytes);
  }

  // ---- the end ----

  /** The client is told which streams are still answered; behind the last of them the connection ends. */
  end(): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#isEnding = true;
    this.#control(this.#goAway(errorCodes.noError));
  }

  #endWhenIdle(): void {
    if (this.#isClosed || this.#isWriting) return;
    if (this.#streams.size > 0 || this.#batch.size > 0) return;
    this.#close();
    // What the client has sent meanwhile is still taken from the socket: unread bytes would turn its end into a reset,
    // and the client might lose what it has not read.
    this.socket.end();
  }

  #goAway(code: number): Buffer {
    const payload = Buffer.concat([uint32(this.#lastId), uint32(code)]);
    return encodeFrame(frameTypes.goAway, 0, 0, payload);
  }

  #fail(code: number): void {
    if (this.#isClosed) return;
    this.#batch.addWhole(this.#goAway(code));
    // Behind what is being written.
    this.socket.write(this.#batch.take());
    this.#close();
    this.socket.destroySoon();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.#ready = [];
    for (const stream of streams) stream.end();
    this.#callDone();
    this.#options.onClosed?.();
  }
}

const broken = (message: string): ConnectionError =>
  new ConnectionError(errorCodes.protocolError, message);

function withoutPadding({ payload, flags: frameFlags }: Frame): Buffer {
  if ((frameFlags & flags.padded) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined || padding >= payload.length) throw broken('more padding than frame');
  return payload.subarray(1, payload.length - padding);
}
