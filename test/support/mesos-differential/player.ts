// Plays one script of calls against a master at a URL and writes down what it answers, normalised:
// HTTP exchanges, events on schedulers' and operators' streams, and what it tells its agents.
import { AGENT_CAPABILITIES } from '#mesos/resources/agent-capabilities.ts';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { RecordDecoder } from '#codec/recordio.ts';
import { basicHeader } from '#mesos/security/basic.ts';
import { LibprocessEndpoint } from '#mesos/libprocess/endpoint.ts';
import {
  decode,
  encode,
  parseJson,
  stringify,
  toJson,
  type MessageName,
} from '#wire/mesos/codec.ts';
import type { AgentInfo, MasterCall, Messages, TaskState } from '#wire/mesos/v1.ts';
import { metrics, normalise, normaliseText } from './normalise.ts';

export type ContentType = 'application/json' | 'application/x-protobuf';
export const JSON_TYPE = 'application/json';
export const PROTOBUF_TYPE = 'application/x-protobuf';

/** One thing that the master did, as it is kept and compared. */
export interface Entry {
  readonly step: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Request {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

type Json = Record<string, unknown>;

/** Headers that clients act upon. */
const kept = [
  'content-type',
  'content-encoding',
  'content-disposition',
  'location',
  'allow',
  'www-authenticate',
  'mesos-stream-id',
];
/** Everything is on this machine, which may be busy: what has not come by then does not come. */
const WAIT_MS = 30_000;

export class World {
  readonly url: string;
  readonly entries: Entry[] = [];
  readonly ports = new Map<number, string>();
  readonly texts = new Map<string, string>();
  /** Where an agent's master is; of a master, itself. */
  masterUrl: string;
  readonly #open: (() => void)[] = [];
  /** What every request says of who makes it, unless it says it itself. */
  authorization: string | undefined;

  constructor(url: string) {
    this.url = url;
    this.masterUrl = url;
    this.ports.set(Number(new URL(url).port), '<master port>');
  }

  /** From now on, all requests come from this principal; undefined: from nobody. */
  as(principal: string | undefined, secret = ''): void {
    this.authorization = principal === undefined ? undefined : basicHeader({ principal, secret });
  }

  /** The headers of a request, with who makes it. */
  signed(headers: Readonly<Record<string, string>>): Record<string, string> {
    const own = this.authorization === undefined ? {} : { Authorization: this.authorization };
    return { ...own, ...headers };
  }

  get masterUpid(): string {
    return `master@${new URL(this.url).host}`;
  }

  keep(step: string, what: Omit<Entry, 'step'>): void {
    this.entries.push({ step, ...what });
  }

  clean(value: unknown): unknown {
    return normalise(value, this);
  }

  onClose(close: () => void): void {
    this.#open.push(close);
  }

  close(): void {
    for (const close of this.#open.splice(0)) close();
  }

  /** Asks without keeping the answer. */
  ask({ method = 'GET', path, headers = {}, body }: Request): Promise<Answer> {
    return new Promise((done, fail) => {
      const length =
        body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
      const options = {
        method,
        // As it stands: a URL would be put in order.
        path,
        headers: this.signed({ ...length, ...headers }),
        agent: false as const,
      };
      const request = httpRequest(this.url, options, (response) => {
        const chunks: Buffer[] = [];
        response.on('error', fail);
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const { statusCode = 0, headers: answered } = response;
          done({ status: statusCode, headers: answered, bytes: Buffer.concat(chunks) });
        });
      });
      request.setTimeout(WAIT_MS, () => request.destroy(new Error(`No answer to ${path}`)));
      request.on('error', (cause) => {
        fail(new Error(`No answer to ${method} ${path} ${String(body)}`, { cause }));
      });
      request.end(body);
    });
  }

  /** `message`: what an answer in protobuf is. */
  async http(step: string, request: Request, message?: MessageName): Promise<Answer> {
    const answer = await this.ask(request);
    this.#keepAnswer(step, answer, message);
    return answer;
  }

  /** The older metrics endpoint, whose body is one flat object. */
  async metrics(step: string): Promise<void> {
    const { status, bytes } = await this.ask({ path: '/metrics/snapshot?timeout=10secs' });
    const all = Object.entries(JSON.parse(bytes.toString()) as Record<string, number>);
    const body = metrics(
      all.map(([name, value]) => ({ name, value })),
      this,
    );
    this.keep(`GET /metrics/snapshot: ${step}`, { status, body });
  }

  /** Only status and headers: the body is the peer's own text. */
  async headersOf(path: string): Promise<void> {
    const answer = await this.ask({ path });
    this.#keepAnswer(`GET ${path}`, { ...answer, bytes: Buffer.alloc(0) });
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.http(`GET ${path}`, { path, headers });
  }

  /** The older endpoints that change something take forms or JSON. */
  post(step: string, path: string, body: string | object, method = 'POST'): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.http(`${method} ${path}: ${step}`, { method, path, body: text });
  }

  /** A v1 operator call, in JSON as it stands (it may be wrong). */
  operatorJson(step: string, call: unknown): Promise<Answer> {
    const body = typeof call === 'string' ? call : JSON.stringify(call);
    const headers = { 'Content-Type': JSON_TYPE, Accept: JSON_TYPE };
    return this.http(`${step} (JSON)`, { method: 'POST', path: '/api/v1', headers, body });
  }

  async operatorProtobuf(step: string, call: MasterCall): Promise<Answer> {
    const headers = { 'Content-Type': PROTOBUF_TYPE, Accept: PROTOBUF_TYPE };
    const body = encode('MasterCall', call);
    const answer = await this.ask({ method: 'POST', path: '/api/v1', headers, body });
    this.#keepAnswer(`${step} (protobuf)`, answer, 'MasterResponse');
    return answer;
  }

  /** The call in both encodings; what it changes must be the same when done twice. */
  async operator(step: string, call: MasterCall): Promise<Json> {
    await this.operatorProtobuf(step, call);
    const { bytes, status } = await this.operatorJson(step, toJson('MasterCall', call));
    return status === 200 && bytes.length > 0 ? (JSON.parse(bytes.toString()) as Json) : {};
  }

  #keepAnswer(step: string, answer: Answer, message?: MessageName): void {
    const { status, bytes } = answer;
    const headers: Record<string, string> = {};
    for (const name of kept) {
      const value = answer.headers[name];
      if (typeof value === 'string') headers[name] = normaliseText(value, this);
    }
    // What is packed may be made piece by piece.
    const coding = answer.headers['transfer-encoding'];
    if (coding !== undefined && !('content-encoding' in headers)) {
      headers['transfer-encoding'] = coding;
    }
    const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
    const body = this.#bodyOf(headers['content-type'] ?? '', plain, message);
    this.keep(step, { status, headers, ...(body === '' ? {} : { body }) });
  }

  #bodyOf(type: string, bytes: Buffer, message: MessageName | undefined): unknown {
    if (bytes.length === 0) return '';
    if (type.startsWith(JSON_TYPE)) return this.clean(JSON.parse(bytes.toString()));
    if (type === PROTOBUF_TYPE && message !== undefined) {
      return this.clean(JSON.parse(stringify(message, decode(message, bytes) as never)));
    }
    return normaliseText(bytes.toString(), this);
  }

  /** Until so many offers are outstanding: when that is, is a matter of time. */
  async untilOffered(count: number): Promise<void> {
    await this.until(`${count} offers`, async () => {
      const { bytes } = await this.ask({ path: '/metrics/snapshot' });
      const all = JSON.parse(bytes.toString()) as Record<string, number>;
      return all['master/outstanding_offers'] === count ? true : undefined;
    });
  }

  async until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const end = performance.now() + WAIT_MS;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > end) throw new Error(`Never came true: ${what}`);
      await new Promise((done) => setTimeout(done, 10));
    }
  }
}

type StreamMessage = 'SchedulerEvent' | 'MasterEvent' | 'ExecutorEvent';

/** Events of one subscription, waited for one kind after the other. */
export class Stream {
  readonly events: Json[] = [];
  readonly name: string;
  status = 0;
  streamId = '';
  isOver = false;
  /** The text of an answer that is no stream. */
  refusal = '';
  /** How far each type has been looked at: the order between types is not Mesos' promise. */
  readonly #read = new Map<string, number>();
  readonly #world: World;
  readonly #message: StreamMessage;
  close: () => void = () => {};

  constructor(world: World, name: string, message: StreamMessage) {
    this.#world = world;
    this.name = name;
    this.#message = message;
    world.onClose(() => this.close());
  }

  open(path: string, body: string | Uint8Array, type: ContentType, accept = type): Promise<void> {
    return new Promise((done, fail) => {
      const headers = this.#world.signed({ 'Content-Type': type, Accept: accept });
      const options = { method: 'POST', headers, agent: false as const };
      const request = httpRequest(`${this.#world.url}${path}`, options, (response) => {
        this.status = response.statusCode ?? 0;
        this.streamId = String(response.headers['mesos-stream-id'] ?? '');
        this.close = () => void response.destroy();
        const decoder = new RecordDecoder();
        response.on('error', () => {});
        response.on('close', () => (this.isOver = true));
        response.on('data', (chunk: Buffer) => {
          if (this.status !== 200) this.refusal += chunk.toString();
          else for (const one of decoder.push(chunk)) this.events.push(this.#parse(one, accept));
        });
        done();
      });
      request.on('error', fail);
      request.end(body);
    });
  }

  #parse(record: Uint8Array, type: ContentType): Json {
    const bytes = Buffer.from(record);
    if (type === JSON_TYPE) return JSON.parse(bytes.toString()) as Json;
    return JSON.parse(stringify(this.#message, decode(this.#message, bytes) as never)) as Json;
  }

  /** The next event of the type; not kept. */
  async find(type: string, test: (event: Json) => boolean = () => true): Promise<Json> {
    return await this.#world.until(`${type} on ${this.name}`, () => {
      const from = this.#read.get(type) ?? 0;
      const index = this.events.findIndex(
        (one, at) => at >= from && one['type'] === type && test(one),
      );
      if (index < 0) return undefined;
      this.#read.set(type, index + 1);
      return this.events[index];
    });
  }

  /** The next event of the type, kept for comparison. */
  async expect(type: string, test?: (event: Json) => boolean): Promise<Json> {
    const event = await this.find(type, test).catch((error: unknown) => String(error));
    this.#world.keep(`${this.name}: ${type}`, { body: this.#world.clean(event) });
    return typeof event === 'string' ? {} : event;
  }

  /** That the master ends the stream, and what it said last. */
  async end(): Promise<void> {
    const over = (): true | undefined => (this.isOver ? true : undefined);
    await this.#world.until(`the end of ${this.name}`, over).catch(() => this.events.push({}));
    this.#world.keep(`${this.name}: end`, { body: this.#world.clean(this.events.at(-1)) });
  }
}

export class Scheduler {
  readonly stream: Stream;
  readonly #world: World;
  readonly #type: ContentType;
  frameworkId = '';

  constructor(world: World, name: string, type: ContentType = JSON_TYPE) {
    this.#world = world;
    this.#type = type;
    this.stream = new Stream(world, name, 'SchedulerEvent');
  }

  /** Subscribes with an info as it stands (it may be wrong); the answer's first event is kept. */
  async subscribe(info: object, more: object = {}): Promise<this> {
    const { id } = info as { id?: object };
    const call = {
      type: 'SUBSCRIBE',
      ...(id === undefined ? {} : { framework_id: id }),
      subscribe: { framework_info: info, ...more },
    };
    const body =
      this.#type === JSON_TYPE
        ? JSON.stringify(call)
        : encode('SchedulerCall', parseJson('SchedulerCall', JSON.stringify(call)));
    await this.stream.open('/api/v1/scheduler', body, this.#type);
    const first = await this.#world.until(`an answer to ${this.stream.name}`, () =>
      this.stream.isOver || this.stream.events.length > 0
        ? (this.stream.events[0] ?? {})
        : undefined,
    );
    const subscribed = first['subscribed'] as { framework_id: { value: string } } | undefined;
    this.frameworkId = subscribed?.framework_id.value ?? '';
    this.#world.keep(`${this.stream.name}: SUBSCRIBE`, {
      status: this.stream.status,
      headers: { 'mesos-stream-id': this.stream.streamId === '' ? '' : '<uuid>' },
      body: this.#world.clean(this.stream.refusal === '' ? first : this.stream.refusal),
    });
    return this;
  }

  /** A call of this framework; headers or ids may be overridden to be wrong. */
  async call(step: string, call: Json, headers: Record<string, string> = {}): Promise<Answer> {
    const request = this.#request(call, headers);
    return await this.#world.http(`${this.stream.name}: ${step}`, request);
  }

  #request(call: Json, headers: Record<string, string>): Request {
    const whole = { framework_id: { value: this.frameworkId }, ...call };
    const body =
      this.#type === JSON_TYPE
        ? JSON.stringify(whole)
        : encode('SchedulerCall', parseJson('SchedulerCall', JSON.stringify(whole)));
    const own = { 'Content-Type': this.#type, 'Mesos-Stream-Id': this.stream.streamId };
    const all = { ...own, ...headers };
    return { method: 'POST', path: '/api/v1/scheduler', headers: all, body };
  }

  async offer(test: (offer: Json) => boolean = () => true): Promise<Json> {
    const has = (event: Json): Json | undefined =>
      (event['offers'] as { offers: Json[] }).offers.find(test);
    return has(await this.stream.find('OFFERS', (event) => has(event) !== undefined)) as Json;
  }

  accept(step: string, offers: readonly Json[], operations: readonly object[], refuse = 0) {
    const offer_ids = offers.map((offer) => offer['id']);
    const accept = { offer_ids, operations, filters: { refuse_seconds: refuse } };
    return this.call(step, { type: 'ACCEPT', accept });
  }
}

type AgentMessage = { readonly name: string; readonly body: Json; readonly from: string };

/** An agent that speaks libprocess and does nothing but what the script says. */
export class FakeAgent {
  readonly received: AgentMessage[] = [];
  name: string;
  readonly #world: World;
  #endpoint!: LibprocessEndpoint;
  #server = createServer({ requireHostHeader: false, keepAliveTimeout: 0 });
  readonly #read = new Map<string, number>();
  #last = -1;
  port = 0;
  id = '';
  answersPings = true;
  #updates = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    world.onClose(() => this.stop());
  }

  get upid(): string {
    return this.#endpoint.upid;
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(this.port, '127.0.0.1', done));
    this.port = (this.#server.address() as AddressInfo).port;
    this.#world.ports.set(this.port, `<${this.name} port>`);
    this.#endpoint = new LibprocessEndpoint({
      id: 'slave(1)',
      address: `127.0.0.1:${this.port}`,
      bodyBytesMax: 1e8,
      onExited: () => {},
      onMessage: (from, fullName, body) => this.#onMessage(from, fullName, body),
    });
    this.#server.on('request', (request, response) => {
      if (!this.#endpoint.handle(request, response)) response.writeHead(404).end();
    });
    return this;
  }

  stop(): void {
    this.#endpoint?.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** The same address in a new life (or back after a cut). */
  async restart(): Promise<void> {
    this.#server = createServer({ requireHostHeader: false, keepAliveTimeout: 0 });
    await this.start();
  }

  #onMessage(from: string, fullName: string, body: Uint8Array): void {
    const name = fullName.replace('mesos.internal.', '') as MessageName;
    if (name === 'PingSlaveMessage') {
      if (this.answersPings) {
        this.#endpoint.send(from, 'mesos.internal.PongSlaveMessage', new Uint8Array());
      }
      return;
    }
    this.received.push({
      from,
      name,
      body: JSON.parse(stringify(name, decode(name, body) as never)),
    });
  }

  send<N extends MessageName>(name: N, body: Messages[N], to = this.#world.masterUpid): void {
    this.#endpoint.send(to, `mesos.internal.${name}`, encode(name, body));
  }

  /** A call of a driver (v0). */
  call(call: Messages['DriverCall']): void {
    const bytes = encode('DriverCall', call);
    this.#endpoint.send(this.#world.masterUpid, 'mesos.scheduler.Call', bytes);
  }

  info(more: Partial<AgentInfo> = {}): AgentInfo {
    const scalar = (name: string, value: number) => ({
      name,
      type: 'SCALAR' as const,
      scalar: { value },
    });
    return {
      hostname: `${this.name}.example`,
      port: this.port,
      resources: [
        scalar('cpus', 4),
        scalar('mem', 4096),
        scalar('disk', 10000),
        { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 31100 }] } },
      ],
      attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'a' } }],
      ...more,
    };
  }

  async register(
    more: Partial<AgentInfo> = {},
    hello: Partial<Messages['RegisterSlaveMessage']> = {},
  ) {
    const slave = this.info(more);
    this.send('RegisterSlaveMessage', { slave, ...agentGreeting, ...hello });
    const { body } = await this.expect('SlaveRegisteredMessage');
    this.id = (body['agent_id'] as { value: string }).value;
    return this;
  }

  /** The next message of the name; not kept. */
  async find(name: string): Promise<AgentMessage> {
    return await this.#world.until(`${name} at ${this.name}`, () => {
      const from = this.#read.get(name) ?? 0;
      const index = this.received.findIndex((one, at) => at >= from && one.name === name);
      if (index < 0) return undefined;
      this.#read.set(name, index + 1);
      this.#last = index;
      return this.received[index];
    });
  }

  /** The first of several that may come after what was looked at last; kept with its name. */
  async expectOne(names: RegExp): Promise<void> {
    const { name, body } = await this.#world.until(`${names} at ${this.name}`, () =>
      this.received.slice(this.#last + 1).find((one) => names.test(one.name)),
    );
    await this.find(name);
    const clean = this.#world.clean(body) as Json;
    this.#world.keep(`${this.name}: an end`, { body: { name, ...clean } });
  }

  async expect(name: string): Promise<AgentMessage> {
    const message = await this.find(name).catch((error: unknown) => ({
      name,
      from: '',
      body: { error: String(error) },
    }));
    this.#world.keep(`${this.name}: ${name}`, { body: this.#world.clean(message.body) });
    return message;
  }

  /** What an executor would have said. */
  update(frameworkId: string, taskId: string, state: TaskState): string {
    const uuid = aUuid(taskId.length * 16 + state.length);
    const agent_id = { value: this.id };
    this.#updates += 1;
    const status = {
      task_id: { value: taskId },
      state,
      agent_id,
      source: 'SOURCE_EXECUTOR' as const,
      timestamp: this.#updates,
      uuid,
    };
    const framework_id = { value: frameworkId };
    const update = {
      framework_id,
      agent_id,
      status,
      timestamp: 1,
      latest_state: state,
      uuid,
    };
    this.send('StatusUpdateMessage', { update, pid: this.upid });
    return Buffer.from(uuid).toString('base64');
  }
}

export function aUuid(seed: number): Uint8Array {
  const hex = `00000000-1111-4222-8333-4444444444${(seed % 256).toString(16).padStart(2, '0')}`;
  return Uint8Array.from(Buffer.from(hex.replaceAll('-', ''), 'hex'));
}

export const agentGreeting = {
  version: '1.11.0',
  agent_capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
  resource_version_uuid: { value: aUuid(1) },
};
