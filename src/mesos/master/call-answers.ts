// The answers on one connection of a scheduler, in the order of what it asked: short ones, and streams of events,
// each of which keeps waiting what is behind it until it ends; then the connection is read on as before.
import type { Socket } from 'node:net';

/** What carries a stream of events; an answer of node:http is one, too. */
export interface StreamAnswer {
  writeHead(status: 200, headers: Readonly<Record<string, string>>): unknown;
  write(bytes: Buffer): unknown;
  end(): unknown;
  /** With its connection. */
  destroy(): unknown;
  /** Bytes that the reader has not taken. */
  readonly writableLength: number;
  /** It has ended, or its connection has. */
  on(event: 'close' | 'error', listener: () => void): unknown;
}

const CRLF = Buffer.from('\r\n');
/** Copied into one piece with its frame: the kernel is asked once. Longer parts are not copied. */
const JOINED_BYTES_MAX = 64 * 1_024;

/** In chunks, as HTTP/1.1 frames what has no length. */
class ChunkedAnswer implements StreamAnswer {
  readonly #socket: Socket;
  readonly #onEnd: (answer: ChunkedAnswer) => void;
  readonly #date: string;
  readonly #listeners = new Set<() => void>();
  /** It leaves with what is written first. */
  #head = '';
  /** What was written before its turn; undefined once that has come. */
  #early: Buffer[] | undefined = [];
  #earlyBytes = 0;
  isEnded = false;

  constructor(socket: Socket, date: string, onEnd: (answer: ChunkedAnswer) => void) {
    this.#socket = socket;
    this.#date = date;
    this.#onEnd = onEnd;
  }

  get writableLength(): number {
    return this.#early === undefined ? this.#socket.writableLength : this.#earlyBytes;
  }

  on(_event: 'close' | 'error', listener: () => void): void {
    this.#listeners.add(listener);
  }

  writeHead(_status: 200, headers: Readonly<Record<string, string>>): void {
    const own = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const date = `Date: ${this.#date}\r\n`;
    this.#head = `HTTP/1.1 200 OK\r\n${own.join('')}${date}Transfer-Encoding: chunked\r\n\r\n`;
  }

  write(bytes: Buffer): void {
    // A chunk of nothing would be the end.
    if (this.isEnded || bytes.length === 0) return;
    const frame = Buffer.from(`${this.#takeHead()}${bytes.length.toString(16)}\r\n`, 'latin1');
    this.#send(frame, bytes, CRLF);
  }

  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#send(Buffer.from(`${this.#takeHead()}0\r\n\r\n`, 'latin1'));
    this.closed();
    this.#onEnd(this);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Its turn has come: nothing that was asked before waits for its answer. */
  begin(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    if (early.length > 0) this.#send(...early);
  }

  closed(): void {
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  #takeHead(): string {
    const head = this.#head;
    this.#head = '';
    return head;
  }

  #send(...parts: readonly Buffer[]): void {
    const length = parts.reduce((sum, one) => sum + one.length, 0);
    if (this.#early !== undefined) {
      this.#early.push(...parts);
      this.#earlyBytes += length;
      return;
    }
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (length <= JOINED_BYTES_MAX) {
      socket.write(Buffer.concat(parts, length));
      return;
    }
    socket.cork();
    for (const part of parts) socket.write(part);
    socket.uncork();
  }
}

export class CallAnswers {
  readonly socket: Socket;
  /** Not sent yet. */
  #text = '';
  /** The stream that is open, and what is behind it. */
  readonly #held: (string | ChunkedAnswer)[] = [];
  #heldLength = 0;
  #onFree: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.once('close', () => {
      for (const one of this.#held) if (typeof one === 'object') one.closed();
      this.#held.length = 0;
    });
  }

  /** Something is to be sent. */
  get isWaiting(): boolean {
    return this.#text !== '';
  }

  /** A stream is open. */
  get isHeld(): boolean {
    return this.#held.length > 0;
  }

  /** Characters of answers behind a stream. */
  get heldLength(): number {
    return this.#heldLength;
  }

  /** Of Latin-1. It leaves with `flush`, or behind the streams that are open. */
  say(text: string): void {
    if (!this.isHeld) {
      this.#text += text;
      return;
    }
    this.#held.push(text);
    this.#heldLength += text.length;
  }

  /** `date`: as HTTP writes it. */
  stream(date: string): StreamAnswer {
    const answer = new ChunkedAnswer(this.socket, date, (ended) => this.#ended(ended));
    this.#held.push(answer);
    if (this.#held.length > 1) return answer;
    this.flush();
    answer.begin();
    return answer;
  }

  /** Once, when no stream is open any more. */
  whenFree(act: () => void): void {
    this.#onFree = act;
  }

  flush(): void {
    const text = this.#text;
    if (text === '') return;
    this.#text = '';
    if (!this.socket.destroyed) this.socket.write(text, 'latin1');
  }

  #ended(answer: ChunkedAnswer): void {
    const [first] = this.#held;
    if (first !== answer) return;
    this.#held.shift();
    for (let next = this.#held.at(0); next !== undefined; next = this.#held.at(0)) {
      if (typeof next === 'object') {
        this.flush();
        next.begin();
        if (!next.isEnded) return;
      } else {
        this.#text += next;
        this.#heldLength -= next.length;
      }
      this.#held.shift();
    }
    this.flush();
    const act = this.#onFree;
    this.#onFree = undefined;
    act?.();
  }
}
