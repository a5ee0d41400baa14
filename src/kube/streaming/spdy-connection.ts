// One SPDY/3.1 connection over any duplex (a socket after its upgrade, or a websocket tunnel):
// streams as Node duplexes. Both the kubelet's side and, for tests, the client's.
import { Duplex } from 'node:stream';
import { createInflate } from 'node:zlib';
import type { Inflate } from 'node:zlib';
import { spdyDictionary } from './spdy-dictionary.ts';
import * as frames from './spdy-frames.ts';
import type { Frame, Headers } from './spdy-frames.ts';

const chunkBytesMax = 64 * 1024;
/** Unread bytes of all streams together, above which the peer has to wait. */
const unreadBytesMax = 4 * 1024 * 1024;
const streamCountMax = 4096;

export class SpdyStream extends Duplex {
  readonly streamId: number;
  readonly headers: Headers;
  readonly #connection: SpdyConnection;

  constructor(connection: SpdyConnection, streamId: number, headers: Headers) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    this.streamId = streamId;
    this.headers = headers;
  }

  override _read(): void {
    this.#connection.onDrained();
  }

  override _write(
    chunk: Uint8Array,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    const last = Math.max(1, Math.ceil(chunk.length / chunkBytesMax)) - 1;
    for (let index = 0; index <= last; index++) {
      const piece = chunk.subarray(index * chunkBytesMax, (index + 1) * chunkBytesMax);
      const frame = frames.dataFrame(this.streamId, piece, false);
      this.#connection.send(frame, index === last ? done : undefined);
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.send(frames.dataFrame(this.streamId, new Uint8Array(0), true), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.forget(this, error !== null || !this.writableFinished);
    done(error);
  }
}

export interface SpdyOptions {
  readonly role: 'server' | 'client';
  onStream?: ((stream: SpdyStream) => void) | undefined;
  onClose?: (() => void) | undefined;
}

export class SpdyConnection {
  readonly #under: Duplex;
  readonly #options: SpdyOptions;
  readonly #decoder = new frames.FrameDecoder();
  readonly #inflate: Inflate;
  readonly #writer: frames.HeaderWriter;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #replies = new Map<number, () => void>();
  #nextId: number;
  #lastPeerId = 0;
  #work: Promise<void> = Promise.resolve();
  #paused = false;
  #closed = false;

  constructor(under: Duplex, options: SpdyOptions) {
    const dictionary = spdyDictionary();
    this.#under = under;
    this.#options = options;
    this.#inflate = createInflate({ dictionary });
    this.#inflate.on('error', () => this.close());
    this.#writer = new frames.HeaderWriter(dictionary);
    this.#nextId = options.role === 'client' ? 1 : 2;
    under.on('data', (chunk: Buffer) => this.#onData(chunk));
    under.on('error', () => this.#end());
    under.on('end', () => this.#ended());
    under.on('close', () => this.#ended());
  }

  /** What has come before the end is read first: how a command ended comes just before its connection does. */
  #ended(): void {
    this.#work = this.#work.then(() => this.#end());
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Opens a stream and waits for the peer's reply. */
  async open(headers: Headers): Promise<SpdyStream> {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    const replied = new Promise<void>((done) => this.#replies.set(id, done));
    this.send(frames.synStream(id, this.#writer.write(headers)));
    await replied;
    return stream;
  }

  send(frame: Buffer, done?: (error?: Error | null) => void): void {
    if (this.#closed || !this.#under.writable) done?.(null);
    else if (done === undefined) this.#under.write(frame);
    else this.#under.write(frame, (error) => done(error ?? null));
  }

  forget(stream: SpdyStream, isReset: boolean): void {
    if (this.#streams.get(stream.streamId) !== stream) return;
    this.#streams.delete(stream.streamId);
    if (isReset) this.send(frames.reset(stream.streamId, 5));
  }

  onDrained(): void {
    if (!this.#paused || this.#unread() > unreadBytesMax / 2) return;
    this.#paused = false;
    this.#under.resume();
  }

  #unread(): number {
    let sum = 0;
    for (const stream of this.#streams.values()) sum += stream.readableLength;
    return sum;
  }

  /** Tells the peer, and closes what is under it once everything has been sent. */
  close(): void {
    if (this.#closed) return;
    this.send(frames.goAway(this.#lastPeerId));
    this.#under.end();
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    const streams = Array.from(this.#streams.values());
    this.#streams.clear();
    for (const stream of streams) {
      stream.push(null);
      // What is not read yet goes with it.
      if (stream.readableLength === 0) stream.destroy();
      else stream.once('end', () => stream.destroy());
    }
    for (const reply of this.#replies.values()) reply();
    this.#inflate.close();
    this.#options.onClose?.();
  }

  #onData(chunk: Buffer): void {
    const list = this.#decoder.push(chunk);
    this.#work = this.#work.then(async () => {
      for (const frame of list) await this.#onFrame(frame);
    });
    this.#work = this.#work.catch(() => this.close());
  }

  async #onFrame(frame: Frame): Promise<void> {
    if (this.#closed) return;
    switch (frame.kind) {
      case 'syn-stream': {
        const headers = await this.#readHeaders(frame.block);
        this.#onSynStream(frame.streamId, headers, frame.fin);
        return;
      }
      case 'syn-reply':
        await this.#readHeaders(frame.block);
        this.#replies.get(frame.streamId)?.();
        this.#replies.delete(frame.streamId);
        return;
      case 'headers':
        await this.#readHeaders(frame.block);
        return;
      case 'data':
        return this.#onStreamData(frame.streamId, frame.bytes, frame.fin);
      case 'reset': {
        const stream = this.#streams.get(frame.streamId);
        this.#streams.delete(frame.streamId);
        stream?.push(null);
        stream?.destroy();
        return;
      }
      case 'ping':
        // Even numbers are the server's, odd ones the client's: only the peer's are answered.
        if ((frame.id % 2 === 1) === (this.#options.role === 'server')) {
          this.send(frames.ping(frame.id));
        }
        return;
      case 'go-away':
      case 'ignored':
    }
  }

  #onSynStream(streamId: number, headers: Headers, fin: boolean): void {
    if (this.#streams.size >= streamCountMax) {
      this.send(frames.reset(streamId, 3));
      return;
    }
    this.#lastPeerId = streamId;
    const stream = new SpdyStream(this, streamId, headers);
    this.#streams.set(streamId, stream);
    this.send(frames.synReply(streamId, this.#writer.write({})));
    if (fin) stream.push(null);
    this.#options.onStream?.(stream);
  }

  #onStreamData(streamId: number, bytes: Buffer, fin: boolean): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.readableEnded) return;
    if (bytes.length > 0) stream.push(bytes);
    if (fin) stream.push(null);
    if (this.#paused || this.#unread() <= unreadBytesMax) return;
    this.#paused = true;
    this.#under.pause();
  }

  async #readHeaders(block: Buffer): Promise<Headers> {
    await new Promise<void>((done, fail) => {
      this.#inflate.write(block, (error) => (error ? fail(error) : done()));
    });
    const plain: Buffer = this.#inflate.read() ?? Buffer.alloc(4);
    return frames.parseHeaderBlock(plain);
  }
}
