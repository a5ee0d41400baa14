// A peer for client tests that answers as a test tells it to, over real sockets: subscriptions stay
// open as RecordIO streams, other calls are kept and accepted.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { encodeRecord } from '#codec/recordio.ts';
import { SimClock } from '#env/sim/clock.ts';
import { SimRandom } from '#env/sim/random.ts';
import type { Env, Log } from '#env/env.ts';
import { decode, encode, parseJson, stringify, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages } from '#wire/mesos/v1.ts';

const silent: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
};

/** Virtual time that passes as fast as the sockets allow, so that no back-off is waited for. */
export class TestTime {
  readonly clock = new SimClock();
  readonly env: Env = {
    clock: this.clock,
    timers: this.clock,
    random: new SimRandom(1),
    log: silent,
  };

  /** Lets time pass in small steps until the condition holds. */
  async until(isTrue: () => boolean, stepMs = 20): Promise<void> {
    for (let turn = 0; !isTrue(); turn++) {
      if (turn > 20_000) throw new Error('Never came true');
      await new Promise<void>((done) => setImmediate(done));
      if (turn % 20 === 19) this.clock.advance(stepMs);
    }
  }
}

type CallName = 'SchedulerCall' | 'ExecutorCall' | 'MasterCall';

export class ScriptedPeer<C extends CallName, E extends MessageName> {
  readonly calls: { readonly call: Messages[C]; readonly headers: IncomingMessage['headers'] }[] =
    [];
  readonly streams: ServerResponse[] = [];
  readonly connections = new Set<Socket>();
  /** Answers instead of the usual; true when it did. */
  refuse: ((call: Messages[C], response: ServerResponse) => boolean) | undefined;
  port = 0;
  readonly #server: Server;
  readonly #names: { readonly call: C; readonly event: E };

  private constructor(names: { call: C; event: E }) {
    this.#names = names;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on('connection', (socket) => {
      this.connections.add(socket);
      socket.once('close', () => this.connections.delete(socket));
    });
  }

  static async start<C extends CallName, E extends MessageName>(call: C, event: E, port = 0) {
    const peer = new ScriptedPeer<C, E>({ call, event });
    await new Promise<void>((done) => peer.#server.listen(port, '127.0.0.1', done));
    peer.port = (peer.#server.address() as AddressInfo).port;
    return peer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((done) => this.#server.close(done));
    this.#server.closeAllConnections();
    await closed;
  }

  /** On the newest stream, as that stream's subscriber wants it. */
  send(event: Messages[E]): void {
    const stream = this.streams.at(-1);
    const isJson = stream?.getHeader('Content-Type') === 'application/json';
    const bytes = isJson ? stringify(this.#names.event, event) : encode(this.#names.event, event);
    stream?.write(encodeRecord(bytes));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const type = request.headers['content-type'] ?? '';
    const call =
      type === 'application/json'
        ? parseJson(this.#names.call, body.toString())
        : decode(this.#names.call, body);
    this.calls.push({ call, headers: request.headers });
    if (this.refuse?.(call, response) === true) return;
    if ((call as { type?: string }).type !== 'SUBSCRIBE') {
      response.writeHead(202).end();
      return;
    }
    const streamId = `stream-${this.streams.length}`;
    response.setHeader('Content-Type', type);
    response.setHeader('Mesos-Stream-Id', streamId);
    response.writeHead(200);
    response.flushHeaders();
    this.streams.push(response);
  }
}
