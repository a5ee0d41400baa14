// libprocess messages between master and agents: HTTP/1.1 POST /<id>/<message name>, one way, answered
// by 202 that nobody waits for, ordered per connection (inventory section 7; Mesos 1.11).
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { readDirectly } from '#base/direct-reads.ts';
import { connectTo, type Peer } from '#mesos/security/tls-client.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import { beginsMessage, messageParser, type ParsedMessage } from './message-parser.ts';

/** `id@ip:port`, e.g. `slave(1)@127.0.0.1:5051`. */
export type Upid = string;

export interface EndpointOptions {
  /** The name this process is reached by: `master`, `slave(1)`. */
  readonly id: string;
  /** `ip:port` that peers reach this process at. */
  readonly address: string;
  /** Undefined: peers are spoken to without TLS. */
  readonly tls?: TlsSettings | undefined;
  /** Largest message taken. */
  readonly bodyBytesMax: number;
  /** `connection`: what came on a connection that was made later has the larger number. */
  readonly onMessage: (from: Upid, name: string, body: Uint8Array, connection: number) => void;
  /** The connection to a linked peer broke. */
  readonly onExited: (peer: Upid) => void;
}

/** Bytes waiting for one peer before its connection is given up as stuck. */
const QUEUED_BYTES_MAX = 256 * 1024 * 1024;

/** For the rest of a message to come, once it has begun. */
const STALLED_MS_MAX = 300_000;

const PORT_MAX = 65_535;

export function addressOf(upid: Upid): string {
  return upid.slice(upid.lastIndexOf('@') + 1);
}

/** Of nearly all peers; any other one is looked at with more care. */
const ORDINARY = /^[\w().-]+@[\w.-]+:(?:[1-9]\d{0,3}|[1-5]\d{4})$/;

/** Peers say themselves who they are: only what can be connected to, and be written in a request line. */
function isReachable(upid: Upid): boolean {
  if (ORDINARY.test(upid)) return true;
  const port = /^[^\s@/\p{Cc}]+@[\w.-]+:(\d{1,5})$/u.exec(upid)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= PORT_MAX;
}

interface Link {
  socket: Socket;
  /** It is not known yet whether the peer speaks TLS. */
  isUndecided: boolean;
  /** Messages of this turn, or sent while it is undecided. */
  readonly unsent: Buffer[];
  /** Peers whose owners want to hear of the end of this connection. */
  readonly watched: Set<Upid>;
}

export class LibprocessEndpoint {
  readonly #options: EndpointOptions;
  readonly #links = new Map<string, Link>();
  readonly #upid: Upid;
  /** Of the connections that peers have made. */
  readonly #numbers = new WeakMap<Socket, number>();
  #connections = 0;
  /** Links with messages of this turn. */
  #gathering: Link[] = [];
  #isClosed = false;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#upid = `${options.id}@${options.address}`;
  }

  get upid(): Upid {
    return this.#upid;
  }

  /** Sends without waiting; a message to a peer that is not there is lost, as in libprocess. */
  send(to: Upid, name: string, body: Uint8Array): void {
    if (this.#isClosed) return;
    const at = to.lastIndexOf('@');
    const address = to.slice(at + 1);
    const known = this.#links.get(address);
    if (known?.watched.has(to) !== true && !isReachable(to)) return;
    const link = known ?? this.#linkTo(address);
    const { socket } = link;
    if (socket.writableLength > QUEUED_BYTES_MAX) {
      socket.destroy();
      return;
    }
    const head =
      `POST /${to.slice(0, at)}/${name} HTTP/1.1\r\n` +
      `User-Agent: libprocess/${this.#upid}\r\nLibprocess-From: ${this.#upid}\r\n` +
      'Connection: Keep-Alive\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n';
    const chunk = body.length === 0 ? '' : `${body.length.toString(16)}\r\n`;
    const tail = body.length === 0 ? '0\r\n\r\n' : '\r\n0\r\n\r\n';
    // In one piece: the kernel is asked once, whatever the parts.
    const from = head.length + chunk.length;
    const bytes = Buffer.allocUnsafe(from + body.length + tail.length);
    bytes.write(head + chunk, 0, 'latin1');
    bytes.set(body, from);
    bytes.write(tail, from + body.length, 'latin1');
    // What is sent to a peer in one turn leaves together.
    if (link.unsent.push(bytes) > 1 || link.isUndecided) return;
    if (this.#gathering.push(link) === 1) setImmediate(() => this.#release());
  }

  #release(): void {
    const links = this.#gathering;
    this.#gathering = [];
    for (const link of links) flush(link);
  }

  /** Keeps a connection to the peer; its end is told by `onExited`. */
  link(to: Upid): void {
    if (!this.#isClosed && isReachable(to)) this.#linkTo(addressOf(to)).watched.add(to);
  }

  unlink(to: Upid): void {
    this.#links.get(addressOf(to))?.watched.delete(to);
  }

  /**
   * Reads a connection from its first bytes on, for as long as they are messages as libprocess writes them;
   * `giveBack` then gets the rest. False: they are not, and nothing was done. Nothing is answered, as in
   * libprocess, which answers only senders that it does not know by User-Agent.
   */
  accept(socket: Socket, first: Buffer, giveBack: (rest: Buffer) => void): boolean {
    if (!beginsMessage(first)) return false;
    const connection = this.#numberOf(socket);
    const parser = messageParser({
      bodyBytesMax: this.#options.bodyBytesMax,
      onMessage: (message) => this.#onParsed(message, connection),
    });
    const onData = (chunk: Buffer): void => {
      const wasInside = parser.isInside;
      const outcome = parser.push(chunk);
      if (outcome.kind === 'bad') socket.destroy();
      else if (outcome.kind === 'foreign') {
        stop();
        socket.setTimeout(0);
        giveBack(outcome.rest);
      } else if (parser.isInside !== wasInside) {
        socket.setTimeout(parser.isInside ? STALLED_MS_MAX : 0);
      }
    };
    socket.on('timeout', () => socket.destroy());
    const stop = readDirectly(socket, onData);
    onData(first);
    return true;
  }

  #onParsed({ id, name, from, body }: ParsedMessage, connection: number): void {
    if (id !== this.#options.id && decoded(id) !== this.#options.id) return;
    if (this.#isClosed || !isReachable(from)) return;
    this.#options.onMessage(from, name, body, connection);
  }

  /** True when the request is a libprocess message (and is taken care of). */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const from = senderOf(request);
    const match = /^\/([^/]+)\/([\w.]+)$/.exec(request.url ?? '');
    if (request.method !== 'POST' || from === undefined || match === null) return false;
    const [, id = '', name = ''] = match;
    if (id !== this.#options.id && decoded(id) !== this.#options.id) {
      request.resume();
      const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': 14 };
      response.writeHead(404, headers).end('404 Not Found.');
      return true;
    }
    const connection = this.#numberOf(request.socket);
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > this.#options.bodyBytesMax) request.destroy();
      else chunks.push(chunk);
    });
    request.on('error', () => {});
    request.on('end', () => {
      response.writeHead(202, { 'Content-Length': '0' }).end();
      // Who cannot be answered is not heard either, as in libprocess.
      if (this.#isClosed || !isReachable(from)) return;
      this.#options.onMessage(from, name, Buffer.concat(chunks), connection);
    });
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#release();
    // `end` lets what was sent last (an unregistration) still go out.
    for (const { socket } of this.#links.values()) socket.end();
    this.#links.clear();
  }

  #numberOf(socket: Socket): number {
    const known = this.#numbers.get(socket);
    if (known !== undefined) return known;
    this.#connections += 1;
    this.#numbers.set(socket, this.#connections);
    return this.#connections;
  }

  #linkTo(address: string): Link {
    const existing = this.#links.get(address);
    if (existing !== undefined) return existing;
    const colon = address.lastIndexOf(':');
    const peer = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
    const { tls } = this.#options;
    const isOpen = tls?.supportsDowngrade === true;
    const socket = connectTo(peer, tls);
    const link: Link = { socket, isUndecided: isOpen, unsent: [], watched: new Set() };
    this.#links.set(address, link);
    if (isOpen) this.#tryBoth(link, peer, address);
    else this.#keep(link, address);
    return link;
  }

  /** As libprocess does it during an upgrade: without TLS, where the peer does not speak it. */
  #tryBoth(link: Link, peer: Peer, address: string): void {
    const go = (socket: Socket): void => {
      link.isUndecided = false;
      link.socket = socket;
      this.#keep(link, address);
      flush(link);
    };
    const { socket } = link;
    const onError = (): void => go(connectTo(peer, undefined));
    socket.once('error', onError);
    socket.once('secureConnect', () => {
      socket.off('error', onError);
      go(socket);
    });
    socket.unref();
  }

  #keep(link: Link, address: string): void {
    const { socket } = link;
    // Answers carry nothing; they only have to be read.
    socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#links.get(address) === link) this.#links.delete(address);
      if (this.#isClosed) return;
      for (const upid of link.watched) this.#options.onExited(upid);
    });
    socket.unref();
  }
}

function flush(link: Link): void {
  const [first, ...more] = link.unsent;
  if (first === undefined) return;
  // Emptied, not left for a new one: it has become old until the next message comes, and what a dead old list
  // holds is kept as if it were old, too, until all that is old is looked at.
  link.unsent.length = 0;
  link.socket.write(more.length === 0 ? first : Buffer.concat([first, ...more]));
}

/** Undefined for what is no percent-encoded text, which anybody may send. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function senderOf(request: IncomingMessage): Upid | undefined {
  const from = request.headers['libprocess-from'];
  if (typeof from === 'string') return from;
  const agent = request.headers['user-agent'];
  return agent?.startsWith('libprocess/') === true ? agent.slice('libprocess/'.length) : undefined;
}
