// Reads the calls of schedulers from their connections without an HTTP server, which would cost more than the
// calls: a framework sends two for each task. Plain requests are taken, subscriptions among them, and the connection
// of one is read on when its stream has ended; whatever else comes is for the HTTP server of the port, from there on.
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { readDirectly } from '#base/direct-reads.ts';
import {
  beginsRequest,
  RequestParser,
  type ParseOutcome,
  type RequestHead,
} from '#mesos/libprocess/request-parser.ts';
import type { Authentication, Identity } from '#mesos/security/authentication.ts';
import { CallAnswers } from './call-answers.ts';
import {
  BODY_BYTES_MAX,
  bodyType,
  TOO_LARGE,
  type ContentType,
} from '#mesos/libprocess/negotiate.ts';
import { NAMELESS, SCHEDULER_REALM } from './realms.ts';
import type { SchedulerApi } from './scheduler-api.ts';
import type { MasterShell } from './shell.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';

interface CallHead {
  readonly contentType: ContentType | Refusal;
  readonly accept: string | undefined;
  readonly authorization: string | undefined;
  readonly streamId: string | undefined;
}

/** A call that came when others had their turn. */
interface WaitingCall {
  readonly head: CallHead;
  readonly body: Uint8Array;
}

/** A connection with answers of this turn. */
interface Reader {
  readonly answers: CallAnswers;
  /** They are answered in their order, each when it is its turn. */
  readonly waiting: WaitingCall[];
}

interface Answer extends Refusal {
  readonly headers?: Readonly<Record<string, string>>;
}

const LINE = /^POST (?:\/master)?\/api\/v1\/scheduler HTTP\/1\.1$/;
/** For the rest of a call to come, once it has begun. */
const STALLED_MS_MAX = 300_000;
const SECOND_MS = 1_000;
/** Answers that wait for the end of a stream; then no more is read until that. */
const HELD_MAX = 64 * 1_024;

function headOf({ line, headers }: RequestHead): CallHead | undefined {
  // What is packed is for the other server.
  if (!LINE.test(line) || headers.has('content-encoding')) return undefined;
  return {
    contentType: bodyType(headers.get('content-type')),
    accept: headers.get('accept'),
    authorization: headers.get('authorization'),
    streamId: headers.get('mesos-stream-id'),
  };
}

export class CallConnections {
  readonly #shell: MasterShell;
  readonly #calls: SchedulerApi;
  readonly #authentication: Authentication;
  #date = { second: 0, text: '' };
  /** Connections with answers that leave at the end of this turn. */
  #answering: Reader[] = [];

  constructor(shell: MasterShell, calls: SchedulerApi, authentication: Authentication) {
    this.#shell = shell;
    this.#calls = calls;
    this.#authentication = authentication;
  }

  /**
   * Takes a connection whose first bytes are such a call, until `giveBack` gets what is none. False: they are
   * not, and nothing was done.
   */
  accept(socket: Socket, first: Buffer, giveBack: (rest: Buffer) => void): boolean {
    // Who is known only after a while is for a server that waits.
    if (!this.#authentication.isImmediate(SCHEDULER_REALM)) return false;
    if (!beginsRequest(first, headOf)) return false;
    const { portions } = this.#shell;
    const reader: Reader = { answers: new CallAnswers(socket), waiting: [] };
    const { answers, waiting } = reader;
    const parser = new RequestParser({
      bodyBytesMax: BODY_BYTES_MAX,
      headOf,
      onRequest: (head: CallHead, body) => {
        if (waiting.length > 0 || !portions.hasTime) waiting.push({ head, body });
        else portions.spend(() => this.#serve(reader, head, body));
      },
    });
    /** All that came has been answered; this is behind it. */
    const goOn = (outcome: ParseOutcome): void => {
      if (answers.isHeld && (outcome.kind === 'foreign' || answers.heldLength > HELD_MAX)) {
        // Whoever asks for that much behind its own stream is not read before the end of that.
        socket.pause();
        answers.whenFree(() => {
          if (socket.destroyed) return;
          socket.resume();
          goOn(outcome);
        });
        return;
      }
      if (outcome.kind === 'read') return;
      if (outcome.kind === 'bad') {
        // There is no place for a refusal within an answer.
        if (answers.isHeld) socket.destroy();
        this.#tell(reader, refused(outcome));
      }
      stop();
      socket.off('end', onEnd);
      socket.setTimeout(0);
      flush(reader);
      if (outcome.kind === 'foreign') giveBack(outcome.rest);
      else socket.destroySoon();
    };
    const onData = (chunk: Buffer): void => {
      const wasInside = parser.isInside;
      const outcome = parser.push(chunk);
      if (parser.isInside !== wasInside) socket.setTimeout(parser.isInside ? STALLED_MS_MAX : 0);
      if (waiting.length === 0) {
        goOn(outcome);
        return;
      }
      // Not read until then: what one connection has waiting is what came in one piece.
      socket.pause();
      portions.add('call', () => {
        this.#answerWaiting(reader);
        if (waiting.length > 0) return true;
        flush(reader);
        if (!socket.writableNeedDrain || answers.isHeld) socket.resume();
        if (!socket.destroyed) goOn(outcome);
        return false;
      });
    };
    // Who has said everything is answered all the same; then the connection ends.
    const onEnd = (): void => flush(reader);
    socket.prependListener('end', onEnd);
    socket.on('timeout', () => socket.destroy());
    const stop = readDirectly(socket, onData);
    onData(first);
    return true;
  }

  /**
   * The answers of one turn leave together, when all that it brought has been decided on: whoever is woken by the
   * first one finds the others there too.
   */
  #tell(reader: Reader, answer: Answer): void {
    const { answers } = reader;
    const isFirst = !answers.isHeld && !answers.isWaiting;
    answers.say(this.#text(answer));
    if (isFirst && this.#answering.push(reader) === 1) setImmediate(() => this.#release());
  }

  #answerWaiting(reader: Reader): void {
    const { waiting } = reader;
    do {
      const { head, body } = waiting.shift() as WaitingCall;
      this.#serve(reader, head, body);
    } while (waiting.length > 0 && !this.#shell.portions.isOver);
  }

  #release(): void {
    const readers = this.#answering;
    this.#answering = [];
    for (const reader of readers) flush(reader);
  }

  #serve(reader: Reader, head: CallHead, body: Uint8Array): void {
    try {
      const answer = this.#answer(reader, head, body);
      if (answer !== undefined) this.#tell(reader, answer);
    } catch (error) {
      this.#shell.env.log.error('A request failed', { url: '/api/v1/scheduler', error });
      const message = error instanceof Error ? error.message : String(error);
      if (reader.answers.isHeld) reader.answers.socket.destroy();
      else this.#tell(reader, { status: 500, message });
    }
  }

  /** Undefined: a stream of events is its answer. */
  #answer({ answers }: Reader, head: CallHead, body: Uint8Array): Answer | undefined {
    const who = this.#authentication.identify(SCHEDULER_REALM, head) as Identity;
    if ('refusal' in who) return who.refusal;
    const { principal } = who;
    if (principal !== undefined && principal.value === undefined) {
      return { status: 403, message: NAMELESS };
    }
    const { contentType: type, accept, streamId } = head;
    if (typeof type === 'object') return type;
    const request = { type, body: body as Buffer, accept, streamId, principal };
    const outcome = this.#calls.answer(request);
    if (!('call' in outcome)) return outcome;
    this.#shell.portions.hurry();
    const stream = answers.stream(this.#now());
    this.#shell.subscribe(outcome.call, stream, outcome.type, principal);
    return undefined;
  }

  /** In Latin-1: a text of UTF-8 is in its bytes. */
  #text({ status, message, headers }: Answer): string {
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nDate: ${this.#now()}\r\n`;
    if (message === '') return `${head}Content-Length: 0\r\n\r\n`;
    const body = Buffer.from(message).toString('latin1');
    const own = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    const type = 'Content-Type: text/plain; charset=utf-8';
    return `${head}${own.join('')}${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  }

  #now(): string {
    const second = Math.floor(this.#shell.now / SECOND_MS);
    if (second !== this.#date.second) {
      this.#date = { second, text: new Date(second * SECOND_MS).toUTCString() };
    }
    return this.#date.text;
  }
}

function flush({ answers, waiting }: Reader): void {
  answers.flush();
  const { socket } = answers;
  // Who does not read the answers is not read either; a stream that is not read is cut off by itself.
  if (answers.isHeld || socket.destroyed || !socket.writableNeedDrain) return;
  socket.pause();
  socket.once('drain', () => {
    if (waiting.length === 0) socket.resume();
  });
}

function refused({ why }: Extract<ParseOutcome, { kind: 'bad' }>): Answer {
  const headers = { Connection: 'close' };
  if (why === 'length') return { status: 413, message: TOO_LARGE, headers };
  return { status: 400, message: '400 Bad Request.', headers };
}
