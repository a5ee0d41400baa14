// One request and its answer on a connection: what waits to be sent, the windows of both directions, and when it
// is over.
import type { TLSSocket } from 'node:tls';
import { errorCodes, flags, FRAME_BYTES_DEFAULT, frameTypes, WINDOW_MAX } from './frames.ts';
import { Http2Request, Http2Response, type StreamPort } from './messages.ts';
import type { FrameBatch } from './output.ts';
import type { RequestHead } from './request-headers.ts';
import type { GroupedStream, GroupOwner } from './stream-group.ts';

/** How much of a body may come before the handler has taken it. */
export const STREAM_WINDOW = 256 * 1024;
const CREDIT_BYTES_MIN = 16 * 1024;

const empty = Buffer.alloc(0);

/** Bytes behind others; `done` is absent when nobody waits for them. */
interface Piece {
  readonly bytes: Buffer;
  readonly done: (() => void) | undefined;
}

/** What a stream needs of its connection. */
export interface StreamOwner extends GroupOwner {
  readonly socket: TLSSocket;
  /** It has something to send. */
  ready(stream: ServerStream): void;
  /** The other side may send so many bytes more, on the stream and on the connection. */
  credit(stream: ServerStream, bytes: number): void;
  reset(stream: ServerStream, code: number): void;
  /** Writes what all streams have. */
  flush(): void;
  /** Both directions are done with. */
  closed(stream: ServerStream): void;
}

/** Of a stream that its connection has forgotten. */
const NO_SLOT = -1;

export class ServerStream implements StreamPort, GroupedStream {
  readonly id: number;
  readonly owner: StreamOwner;
  #slot: number;
  readonly request: Http2Request;
  readonly response: Http2Response;
  readonly #contentLength: number | undefined;
  #received = 0;
  #receiveWindow = STREAM_WINDOW;
  /** Received, and not yet given back to the other side's window. */
  #uncredited = 0;
  #hasRequest: boolean;
  #head: Buffer | undefined;
  #data: Buffer | undefined;
  #sent = 0;
  #onSent: (() => void) | undefined;
  /** What follows the data, oldest first. */
  #behind: Piece[] | undefined;
  #sharedBytes = 0;
  #onEnded: (() => void) | undefined;
  /** END_STREAM has been sent, or the stream reset by either side. */
  #isOver = false;
  isQueued = false;

  constructor(
    id: number,
    owner: StreamOwner,
    request: { readonly head: RequestHead; readonly isWhole: boolean; readonly sendWindow: number },
  ) {
    this.id = id;
    this.owner = owner;
    this.#slot = owner.table.take(id, request.sendWindow);
    this.#hasRequest = request.isWhole;
    this.#contentLength = request.head.contentLength;
    this.request = new Http2Request(request.head, this);
    this.response = new Http2Response(this, request.head.method === 'HEAD');
    if (request.isWhole) this.request.push(null);
  }

  get slot(): number {
    return this.#slot;
  }

  get grouped(): GroupedStream {
    return this;
  }

  get socket(): TLSSocket {
    return this.owner.socket;
  }

  /** The request has come whole. */
  get hasRequest(): boolean {
    return this.#hasRequest;
  }

  // ---- what comes in ----

  /** `size` is that of the frame, padding included. Returns the code of an error of the stream. */
  receive(bytes: Buffer, size: number, isLast: boolean): number | undefined {
    this.#receiveWindow -= size;
    this.#uncredited += size;
    if (this.#receiveWindow < 0) return errorCodes.flowControlError;
    this.#received += bytes.length;
    const expected = this.#contentLength;
    if (expected !== undefined) {
      const isWrong = isLast ? this.#received !== expected : this.#received > expected;
      if (isWrong) return errorCodes.protocolError;
    }
    if (bytes.length > 0) this.request.push(bytes);
    if (isLast) this.#requestIsWhole();
    return undefined;
  }

  /** At the end of a request without a last frame of data. */
  receiveEnd(): number | undefined {
    return this.receive(empty, 0, true);
  }

  #requestIsWhole(): void {
    this.#hasRequest = true;
    this.request.push(null);
    if (this.#isOver) this.owner.closed(this);
  }

  wantsBody(): void {
    if (this.#hasRequest || this.#uncredited < CREDIT_BYTES_MIN) return;
    const bytes = this.takeUncredited();
    this.#receiveWindow += bytes;
    this.owner.credit(this, bytes);
  }

  /** The connection's window is of all streams: what one leaves unread is given back at its end. */
  takeUncredited(): number {
    const bytes = this.#uncredited;
    this.#uncredited = 0;
    return bytes;
  }

  // ---- what goes out ----

  sendHead(block: Buffer): void {
    if (this.#isOver) return;
    this.#head = block;
    this.#noteClear();
    this.owner.ready(this);
  }

  sendData(bytes: Buffer, done: () => void): void {
    if (this.#isOver || bytes.length === 0) return done();
    this.#send(bytes, done);
  }

  sendShared(bytes: Buffer): void {
    if (this.#isOver || bytes.length === 0) return;
    this.#sharedBytes += bytes.length;
    this.#send(bytes, undefined);
  }

  get sharedBytes(): number {
    return this.#sharedBytes;
  }

  flush(): void {
    this.owner.flush();
  }

  #send(bytes: Buffer, done: (() => void) | undefined): void {
    if (this.#data === undefined) this.#begin(bytes, done);
    else (this.#behind ??= []).push({ bytes, done });
    this.owner.ready(this);
  }

  #begin(bytes: Buffer, done: (() => void) | undefined): void {
    this.#data = bytes;
    this.#sent = 0;
    this.#onSent = done;
    this.#noteClear();
  }

  sendEnd(done: () => void): void {
    if (this.#isOver) return done();
    this.#onEnded = done;
    this.#noteClear();
    this.owner.ready(this);
  }

  breakOff(): void {
    if (!this.#isOver) this.owner.reset(this, errorCodes.internalError);
  }

  /** False: the window would be larger than it can be. */
  widen(bytes: number): boolean {
    const widened = this.#sendWindow + bytes;
    if (widened > WINDOW_MAX) return false;
    if (this.#slot !== NO_SLOT) this.owner.table.setWindow(this.#slot, widened);
    if (this.#data !== undefined) this.owner.ready(this);
    return true;
  }

  /**
   * Puts into the batch what may be sent: of data as much as the connection's window lets through, in frames until it
   * is `enough`; what has to be called afterwards into `done`. Returns how much data it was. `hasMore` says whether
   * only these kept it from sending more.
   */
  drain(
    batch: FrameBatch,
    { enough, window }: { readonly enough: number; readonly window: number },
    done: (() => void)[],
  ): number {
    if (this.#isOver) return 0;
    this.#drainHead(batch);
    let taken = 0;
    // Piece by piece, until one does not fit.
    while (this.#data !== undefined && !this.#isOver && taken < enough) {
      const sent = this.#drainFrame(batch, window - taken, done);
      if (sent === 0) break;
      taken += sent;
    }
    const isEnded = this.#onEnded !== undefined && this.#data === undefined;
    if (isEnded && !this.#isOver) {
      const end = { type: frameTypes.data, flags: flags.endStream, streamId: this.id };
      batch.add(end, empty, 0, 0);
      this.#over();
    }
    if (this.#isOver && this.#onEnded !== undefined) {
      done.push(this.#onEnded);
      this.#onEnded = undefined;
    }
    return taken;
  }

  #drainHead(batch: FrameBatch): void {
    const block = this.#head;
    if (block === undefined) return;
    this.#head = undefined;
    this.#noteClear();
    const isAll = this.#onEnded !== undefined && this.#data === undefined;
    const endStream = isAll ? flags.endStream : 0;
    for (let from = 0; from < block.length; from += FRAME_BYTES_DEFAULT) {
      const to = Math.min(block.length, from + FRAME_BYTES_DEFAULT);
      const type = from === 0 ? frameTypes.headers : frameTypes.continuation;
      const endHeaders = to === block.length ? flags.endHeaders : 0;
      const frameFlags = endHeaders | (from === 0 ? endStream : 0);
      batch.add({ type, flags: frameFlags, streamId: this.id }, block, from, to);
    }
    if (isAll) this.#over();
  }

  /** As much of the data as one frame and both windows let through. */
  #drainFrame(batch: FrameBatch, window: number, done: (() => void)[]): number {
    const bytes = this.#data as Buffer;
    const isLast = this.#behind === undefined && this.response.isWhole;
    const left = bytes.length - this.#sent;
    const taken = Math.min(left, batch.payloadMax, window, this.#sendWindow);
    // A window may be less than nothing: the other side has made it smaller.
    if (taken <= 0) return 0;
    const to = this.#sent + taken;
    const isEnd = isLast && taken === left;
    const head = { type: frameTypes.data, flags: isEnd ? flags.endStream : 0, streamId: this.id };
    batch.add(head, bytes, this.#sent, to);
    this.#sent = to;
    this.owner.table.setWindow(this.#slot, this.#sendWindow - taken);
    if (taken === left) {
      this.#allSent(bytes, done);
      if (isLast) this.#over();
    }
    return taken;
  }

  #allSent(bytes: Buffer, done: (() => void)[]): void {
    if (this.#onSent === undefined) this.#sharedBytes -= bytes.length;
    else done.push(this.#onSent);
    const next = this.#behind?.shift();
    if (this.#behind?.length === 0) this.#behind = undefined;
    if (next !== undefined) return this.#begin(next.bytes, next.done);
    this.#data = undefined;
    this.#noteClear();
  }

  get #sendWindow(): number {
    return this.#slot === NO_SLOT ? 0 : this.owner.table.window(this.#slot);
  }

  /** To be called whenever one of these has changed. */
  #noteClear(): void {
    if (this.#slot === NO_SLOT) return;
    const isWaiting = this.#data !== undefined || this.#head !== undefined;
    const isClear = !isWaiting && !this.#isOver && this.#onEnded === undefined;
    this.owner.table.setClear(this.#slot, isClear);
  }

  /** The connection knows it no more: its slot is another's. */
  forgotten(): void {
    if (this.#slot === NO_SLOT) return;
    this.owner.table.giveBack(this.#slot);
    this.#slot = NO_SLOT;
  }

  /** Whether a drain would send something if the connection let it. */
  get hasMore(): boolean {
    if (this.#isOver) return false;
    if (this.#head !== undefined) return true;
    if (this.#data !== undefined) return this.#sendWindow > 0;
    return this.#onEnded !== undefined;
  }

  // ---- the end ----

  /** END_STREAM is among what is sent. */
  #over(): void {
    this.#isOver = true;
    this.#noteClear();
    // Whoever has its answer need not send the rest (RFC 9113, section 8.1).
    if (this.#hasRequest) this.owner.closed(this);
    else this.owner.reset(this, errorCodes.noError);
  }

  /** Reset by either side, or the connection is gone: handler and sender learn that nothing comes or goes. */
  end(): void {
    const wasOver = this.#isOver;
    this.#isOver = true;
    this.#head = undefined;
    const waiting = this.#data === undefined ? undefined : this.#onSent;
    const behind = this.#behind;
    this.#data = undefined;
    this.#behind = undefined;
    this.#sharedBytes = 0;
    const ended = this.#onEnded;
    this.#onEnded = undefined;
    if (!this.#hasRequest) this.request.destroy();
    if (!wasOver) this.response.destroy();
    waiting?.();
    for (const piece of behind ?? []) piece.done?.();
    ended?.();
  }
}
