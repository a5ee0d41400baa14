// A session with ZooKeeper over one connection at a time: requests in their order, pings, another server
// when one is gone. The session outlives connections; when it is over, so is the client.
import { connect, type Socket } from 'node:net';
import { Fault } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import {
  connectFrame,
  FrameDecoder,
  JuteReader,
  JuteWriter,
  noSession,
  operations,
  readConnected,
  writeAcl,
  xids,
  zookeeperFault,
  type Session,
} from './zookeeper-wire.ts';

export interface ZooKeeperOptions {
  /** `host:port`, the members of one ensemble. */
  readonly servers: readonly string[];
  /** `user:password` of the digest scheme. */
  readonly credentials?: string | undefined;
  /** Asked for; the server grants what its limits allow. */
  readonly sessionTimeoutMs: number;
}

export interface ZooKeeperHandlers {
  /** The children of a node that is watched have changed, or may have. */
  readonly onChange: () => void;
  /** The session is over: its ephemeral nodes are gone. Nothing follows. */
  readonly onExpired: () => void;
}

const RECONNECT_MS = 100;
const PENDING_MAX = 1_000;

interface Pending {
  readonly xid: number;
  readonly path: string;
  readonly done: (reply: JuteReader) => void;
  readonly fail: (error: Fault) => void;
}

interface Request {
  readonly operation: number;
  readonly path: string;
  readonly write: (writer: JuteWriter) => void;
}

function lost(): Fault {
  return new Fault({ code: 'zookeeper-unavailable' }, 'The connection to ZooKeeper broke');
}

export class ZooKeeperClient {
  readonly #options: ZooKeeperOptions;
  readonly #handlers: ZooKeeperHandlers;
  readonly #env: Pick<Env, 'clock' | 'timers' | 'log' | 'random'>;
  #session: Session = noSession;
  #socket: Socket | undefined;
  #isConnected = false;
  #isClosed = false;
  #server: number;
  #xid = 0;
  #zxid = 0n;
  #sent: Pending[] = [];
  /** Waiting for a connection. */
  #unsent: { readonly request: Request; readonly pending: Pending }[] = [];
  #timer: Timer | undefined;
  #heardAt = 0;

  constructor(
    options: ZooKeeperOptions,
    handlers: ZooKeeperHandlers,
    env: Pick<Env, 'clock' | 'timers' | 'log' | 'random'>,
  ) {
    this.#options = options;
    this.#handlers = handlers;
    this.#env = env;
    this.#server = Math.floor(env.random.next() * options.servers.length);
    this.#heardAt = env.clock.monotonicMs();
    this.#connect();
  }

  /** Faults: `zookeeper` (with its name for the error), `zookeeper-unavailable` (made or not). */
  async create(path: string, data: Uint8Array, flags: number): Promise<string> {
    const reply = await this.#request({
      operation: operations.create,
      path,
      write: (writer) => {
        writer.text(path).buffer(data);
        writeAcl(writer, this.#options.credentials !== undefined).int(flags);
      },
    });
    return reply.text();
  }

  async delete(path: string): Promise<void> {
    const write = (writer: JuteWriter): void => void writer.text(path).int(-1);
    await this.#request({ operation: operations.delete, path, write });
  }

  async data(path: string): Promise<Uint8Array> {
    const write = (writer: JuteWriter): void => void writer.text(path).bool(false);
    return (await this.#request({ operation: operations.getData, path, write })).buffer();
  }

  /** Once with a watch: `onChange` tells when to ask again. */
  async watchChildren(path: string): Promise<string[]> {
    const write = (writer: JuteWriter): void => void writer.text(path).bool(true);
    return (await this.#request({ operation: operations.getChildren, path, write })).texts();
  }

  /** Ends the session, so that its ephemeral nodes go at once. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#isConnected) {
      const write = (): void => {};
      const farewell = this.#request({ operation: operations.close, path: '/', write });
      await farewell.catch(() => {});
    }
    this.#end();
  }

  #end(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#socket?.destroy();
    for (const { fail } of this.#sent.splice(0)) fail(lost());
    for (const { pending } of this.#unsent.splice(0)) pending.fail(lost());
  }

  #connect(): void {
    const { servers } = this.#options;
    const address = servers[this.#server % servers.length] ?? '';
    this.#server += 1;
    const colon = address.lastIndexOf(':');
    const [host, port] = [address.slice(0, colon), Number(address.slice(colon + 1))];
    const socket = connect({ host, port, noDelay: true });
    this.#socket = socket;
    const frames = new FrameDecoder();
    socket.on('connect', () => {
      socket.write(connectFrame(this.#session, this.#zxid, this.#options.sessionTimeoutMs));
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of frames.push(chunk)) this.#onFrame(frame);
      } catch (error) {
        this.#env.log.warn('ZooKeeper sent what cannot be read', { error });
        socket.destroy();
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#onLost());
    this.#timer?.cancel();
    this.#timer = this.#env.timers.after(this.#patienceMs, () => socket.destroy());
  }

  /** A server that says nothing for so long is given up. */
  get #patienceMs(): number {
    const timeoutMs = this.#session.timeoutMs || this.#options.sessionTimeoutMs;
    return Math.max(100, Math.floor((timeoutMs * 2) / 3));
  }

  #onLost(): void {
    this.#isConnected = false;
    this.#timer?.cancel();
    for (const { fail } of this.#sent.splice(0)) fail(lost());
    if (this.#isClosed) return;
    // Nobody can say so while no server is reached; it is surely over, and holding on would mislead.
    const silentMs = this.#env.clock.monotonicMs() - this.#heardAt;
    if (this.#session.id !== 0n && silentMs > this.#session.timeoutMs) {
      this.#expire();
      return;
    }
    this.#timer = this.#env.timers.after(RECONNECT_MS, () => this.#connect());
  }

  #expire(): void {
    this.#end();
    this.#handlers.onExpired();
  }

  #onFrame(frame: Buffer): void {
    this.#heardAt = this.#env.clock.monotonicMs();
    if (!this.#isConnected) {
      this.#onConnected(readConnected(frame));
      return;
    }
    this.#watchSilence();
    const reader = new JuteReader(frame);
    const xid = reader.int();
    const zxid = reader.long();
    const error = reader.int();
    if (zxid > 0n) this.#zxid = zxid;
    if (xid === xids.ping) return;
    if (xid === xids.watch) {
      this.#handlers.onChange();
      return;
    }
    if (xid === xids.auth) {
      if (error !== 0) this.#env.log.error('ZooKeeper refused the credentials', { error });
      return;
    }
    const pending = this.#sent.shift();
    if (pending === undefined) return;
    if (pending.xid !== xid) {
      pending.fail(lost());
      this.#socket?.destroy();
    } else if (error !== 0) pending.fail(zookeeperFault(error, pending.path));
    else pending.done(reader);
  }

  #onConnected(session: Session | undefined): void {
    if (session === undefined) {
      this.#expire();
      return;
    }
    this.#session = session;
    this.#isConnected = true;
    const { credentials } = this.#options;
    if (credentials !== undefined) {
      const auth = new JuteWriter().int(xids.auth).int(operations.auth).int(0);
      this.#socket?.write(auth.text('digest').text(credentials).frame());
    }
    for (const { request, pending } of this.#unsent.splice(0)) this.#send(request, pending);
    this.#watchSilence();
    // Watches of an earlier connection are gone, and what they would have told with them.
    this.#handlers.onChange();
  }

  /** Pings while nothing is said, and gives up a server that does not answer them. */
  #watchSilence(): void {
    this.#timer?.cancel();
    const pingMs = Math.max(50, Math.floor(this.#session.timeoutMs / 3));
    this.#timer = this.#env.timers.after(pingMs, () => {
      this.#socket?.write(new JuteWriter().int(xids.ping).int(operations.ping).frame());
      const restMs = Math.max(50, this.#patienceMs - pingMs);
      this.#timer = this.#env.timers.after(restMs, () => this.#socket?.destroy());
    });
  }

  #request(request: Request): Promise<JuteReader> {
    return new Promise((done, fail) => {
      if (this.#isClosed || this.#sent.length + this.#unsent.length >= PENDING_MAX) {
        fail(lost());
        return;
      }
      const pending = { xid: ++this.#xid, path: request.path, done, fail };
      if (this.#isConnected) this.#send(request, pending);
      else this.#unsent.push({ request, pending });
    });
  }

  #send(request: Request, pending: Pending): void {
    const writer = new JuteWriter().int(pending.xid).int(request.operation);
    request.write(writer);
    this.#sent.push(pending);
    this.#socket?.write(writer.frame());
  }
}
