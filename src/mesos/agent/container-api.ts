// The calls of the agent's v1 API that launch, wait for, kill and remove containers, and that attach
// to their input and output. Errors in the order and words of Mesos 1.11 where it has any.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { faultCode } from '#base/fault.ts';
import { encodeRecord, RecordDecoder } from '#codec/recordio.ts';
import type { Env, Timer } from '#env/env.ts';
import type { ContentType } from '#mesos/libprocess/negotiate.ts';
import type {
  AgentCall,
  AgentProcessIO,
  AgentProcessIO_Data_Type,
  AgentResponse,
  ContainerID,
} from '#wire/mesos/v1.ts';
import type { AgentAccess, ContainerDeed } from './access.ts';
import { validateAgentCall } from './call-validation.ts';
import { nameOf, pathOf } from './container-id.ts';
import { endOf, follow, openInput, resizeTerminal } from './container-io.ts';
import {
  encodeAs,
  formOf,
  HttpProblem,
  notImplemented,
  parseAs,
  RECORDIO_MEDIA,
  sendText,
  type CallMedia,
} from './http.ts';
import type { AttachPoint, LaunchRequest, NestedContainers, Termination } from './nested.ts';

const RECORD_BYTES_MAX = 16 * 1024 * 1024;
const SIGKILL = 9;
const END_OF_TRANSMISSION = '\u0004';

/** The body of a valid call about one container: its field is named as its type, in lower case. */
function bodyOf(call: AgentCall): { container_id: ContainerID; signal?: number | undefined } {
  const field = (call.type ?? '').toLowerCase();
  return (call as Record<string, unknown>)[field] as ReturnType<typeof bodyOf>;
}

/** Which of its outputs a container's files hold. */
const terminalOutput = [['STDOUT', 'stdout']] as const;
const bothOutputs = [...terminalOutput, ['STDERR', 'stderr']] as const;

/** As Mesos words it, and its CLI looks for: only terminals and sessions have a switchboard there. */
function notAttachable(): HttpProblem {
  return new HttpProblem(500, 'I/O switchboard server was disabled for this container');
}

function notFound(id: ContainerID): HttpProblem {
  return new HttpProblem(404, `Container ${nameOf(pathOf(id))} cannot be found`);
}

/** Who may not be killed because it is not there, or is dead. */
function notAlive(id: ContainerID): HttpProblem {
  const name = nameOf(pathOf(id));
  return new HttpProblem(404, `Container '${name}' cannot be found (or is already killed)`);
}

interface Guarded {
  readonly response: ServerResponse;
  readonly access: AgentAccess;
  readonly media: CallMedia;
}

const deeds: Readonly<Record<string, ContainerDeed>> = {
  LAUNCH_NESTED_CONTAINER: 'LAUNCH',
  WAIT_NESTED_CONTAINER: 'WAIT',
  KILL_NESTED_CONTAINER: 'KILL',
  REMOVE_NESTED_CONTAINER: 'REMOVE',
  LAUNCH_NESTED_CONTAINER_SESSION: 'SESSION',
  ATTACH_CONTAINER_OUTPUT: 'ATTACH_OUTPUT',
  LAUNCH_CONTAINER: 'LAUNCH',
  WAIT_CONTAINER: 'WAIT',
  KILL_CONTAINER: 'KILL',
  REMOVE_CONTAINER: 'REMOVE',
};

/** Of calls that are about one container; 403 before it is told whether it is there. */
function allow(call: AgentCall, access: AgentAccess): void {
  const deed = deeds[call.type ?? ''];
  if (deed === undefined) return;
  const { container_id } = bodyOf(call);
  const given =
    call.launch_container ?? call.launch_nested_container ?? call.launch_nested_container_session;
  // A command that names nobody runs as the executor does.
  access.requireContainer(deed, container_id, given?.command ?? (given && {}));
}

export class ContainerApi {
  readonly #nested: NestedContainers;
  readonly #env: Env;
  readonly #heartbeatMs: number;
  /** Containers that somebody feeds right now: one input each. */
  readonly #fed = new Set<string>();

  /** `heartbeatMs`: between two signs of life to who is attached to an output. */
  constructor(nested: NestedContainers, env: Env, heartbeatMs: number) {
    this.#nested = nested;
    this.#env = env;
    this.#heartbeatMs = heartbeatMs;
  }

  async handle(call: AgentCall, { response, access, media }: Guarded): Promise<void> {
    allow(call, access);
    switch (call.type) {
      case 'LAUNCH_NESTED_CONTAINER':
      case 'LAUNCH_CONTAINER':
        sendText(response, (await this.#launch(call, false)) === 'launched' ? 200 : 202, '');
        return;
      case 'WAIT_NESTED_CONTAINER':
      case 'WAIT_CONTAINER':
        await this.#wait(call, formOf(media), response);
        return;
      case 'KILL_NESTED_CONTAINER':
      case 'KILL_CONTAINER': {
        const { container_id, signal = SIGKILL } = bodyOf(call);
        const name = signalName(signal);
        if (!this.#nested.kill(pathOf(container_id), name)) throw notAlive(container_id);
        sendText(response, 200, '');
        return;
      }
      case 'REMOVE_NESTED_CONTAINER':
      case 'REMOVE_CONTAINER': {
        const { container_id } = bodyOf(call);
        const outcome = await this.#nested.remove(pathOf(container_id));
        if (outcome === 'rootless') throw new HttpProblem(500, 'Unknown root container');
        if (outcome === 'busy') {
          throw new HttpProblem(500, 'Nested container has not terminated yet');
        }
        sendText(response, 200, '');
        return;
      }
      case 'LAUNCH_NESTED_CONTAINER_SESSION':
        await this.#session(call, media, response);
        return;
      case 'ATTACH_CONTAINER_OUTPUT':
        await this.#attachOutput(call, media, response);
        return;
      default:
        throw notImplemented();
    }
  }

  async #launch(call: AgentCall, isSession: boolean): Promise<'launched' | 'already'> {
    const { container_id } = bodyOf(call);
    const given =
      call.launch_container ?? call.launch_nested_container ?? call.launch_nested_container_session;
    const path = pathOf(container_id);
    const request: LaunchRequest = {
      path,
      command: given?.command,
      container: given?.container,
      resources: call.launch_container?.resources ?? [],
      limits: call.launch_container?.limits ?? {},
      isSession,
    };
    const parent = path.slice(0, -1);
    if (parent.length > 0 && !this.#nested.has(parent)) {
      throw new HttpProblem(400, `Parent container ${nameOf(parent)} does not exist`);
    }
    if (given?.command === undefined && (isSession || parent.length > 0)) {
      throw new HttpProblem(400, 'Failed to launch container: it has no command');
    }
    try {
      return await this.#nested.launch(request);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new HttpProblem(400, `Failed to launch container: ${why}`);
    }
  }

  async #wait(call: AgentCall, media: ContentType, response: ServerResponse): Promise<void> {
    const { container_id } = bodyOf(call);
    const waited = this.#nested.wait(pathOf(container_id));
    if (waited === undefined) throw notFound(container_id);
    const gone = new Promise<undefined>((done) => response.once('close', () => done(undefined)));
    const end: Termination | undefined = await Promise.race([waited, gone]);
    if (end === undefined) return;
    const answer: AgentResponse =
      call.type === 'WAIT_CONTAINER'
        ? { type: 'WAIT_CONTAINER', wait_container: end }
        : { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: end };
    const body = encodeAs(media, 'AgentResponse', answer);
    response.writeHead(200, { 'Content-Type': media, 'Content-Length': body.length });
    response.end(body);
  }

  async #session(call: AgentCall, media: CallMedia, response: ServerResponse): Promise<void> {
    const { container_id } = bodyOf(call);
    const path = pathOf(container_id);
    response.once('close', () => void this.#nested.kill(path, 'SIGKILL'));
    if ((await this.#launch(call, true)) === 'already') {
      sendText(response, 202, '');
      return;
    }
    const point = this.#nested.attach(path);
    if (point !== undefined) await this.#stream(point, 'start', media, response);
  }

  async #attachOutput(call: AgentCall, media: CallMedia, response: ServerResponse): Promise<void> {
    const { container_id } = bodyOf(call);
    const point = this.#nested.attach(pathOf(container_id));
    if (point === undefined) throw notFound(container_id);
    if (point.input === undefined && point.terminalInput === undefined) throw notAttachable();
    await this.#stream(point, 'end', media, response);
  }

  /** `from`: with all that is written, or with what is from now on. */
  async #stream(
    point: AttachPoint,
    from: 'start' | 'end',
    media: CallMedia,
    response: ServerResponse,
  ): Promise<void> {
    const outputs = point.hasTerminal ? terminalOutput : bothOutputs;
    // Whoever is told that the output is theirs may go on at once and wait for what comes of it.
    const beginnings = await Promise.all(
      outputs.map(([, name]) => (from === 'start' ? 0 : endOf(join(point.sandbox, name)))),
    );
    startStream(response, media);
    const form = formOf(media);
    const closed = new AbortController();
    response.once('close', () => closed.abort());
    const send = (io: AgentProcessIO): boolean =>
      closed.signal.aborted || response.write(encodeRecord(encodeAs(form, 'AgentProcessIO', io)));
    const stopBeating = this.#beat(send);
    const until = { ended: point.ended, signal: closed.signal };
    const copy = async (type: AgentProcessIO_Data_Type, name: string, at: number): Promise<void> =>
      follow(join(point.sandbox, name), at, until, async (data) => {
        if (!send({ type: 'DATA', data: { type, data } })) await drained(response);
      });
    try {
      await Promise.all(outputs.map(([type, name], i) => copy(type, name, beginnings[i] ?? 0)));
    } finally {
      stopBeating();
      response.end();
    }
  }

  #beat(send: (io: AgentProcessIO) => boolean): () => void {
    let timer: Timer;
    const interval = { nanoseconds: this.#heartbeatMs * 1e6 };
    const arm = (): void => {
      timer = this.#env.timers.after(this.#heartbeatMs, () => {
        send({ type: 'CONTROL', control: { type: 'HEARTBEAT', heartbeat: { interval } } });
        arm();
      });
    };
    arm();
    return () => timer.cancel();
  }

  // ---- input

  /** A request of records: the container first, then what goes into it. */
  async handleStream(
    request: IncomingMessage,
    response: ServerResponse,
    { access, media }: Omit<Guarded, 'response'>,
  ): Promise<void> {
    const { messageContent = 'application/json' } = media;
    const decoder = new RecordDecoder(RECORD_BYTES_MAX);
    let feed: Feed | undefined;
    try {
      for await (const chunk of request) {
        for (const record of decoder.push(chunk as Buffer)) {
          const call = parseAs(messageContent, 'AgentCall', record);
          const wrong = validateAgentCall(call);
          if (wrong !== undefined) {
            throw new HttpProblem(400, `Failed to validate agent::Call: ${wrong}`);
          }
          if (feed === undefined) feed = await this.#openFeed(call, access);
          else await feed.put(ioOf(call));
        }
      }
    } catch (error) {
      if (faultCode(error) !== 'bad-recordio') throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new HttpProblem(400, `Decoder failure: ${why}`);
    } finally {
      feed?.close();
    }
    if (feed === undefined) throw new HttpProblem(400, 'Received EOF while reading request body');
    sendText(response, 200, '');
  }

  async #openFeed(call: AgentCall, access: AgentAccess): Promise<Feed> {
    const input = call.attach_container_input;
    if (call.type !== 'ATTACH_CONTAINER_INPUT') {
      const type = call.type ?? 'UNKNOWN';
      throw new HttpProblem(
        415,
        `Streaming 'Content-Type' ${RECORDIO_MEDIA} is not supported for ${type} call`,
      );
    }
    const id = input?.container_id;
    if (input?.type !== 'CONTAINER_ID' || id === undefined) {
      const text = "Expecting 'attach_container_input.type' to be CONTAINER_ID";
      throw new HttpProblem(400, text);
    }
    const path = pathOf(id);
    const point = this.#nested.attach(path);
    if (point === undefined) throw notFound(id);
    access.requireContainer('ATTACH_INPUT', id);
    const name = nameOf(path);
    if (this.#fed.has(name)) {
      throw new HttpProblem(409, 'Multiple input connections are not allowed');
    }
    this.#fed.add(name);
    try {
      return await Feed.open(point, () => this.#fed.delete(name));
    } catch (error) {
      this.#fed.delete(name);
      throw error;
    }
  }
}

/** What goes into one container, from one request. */
class Feed {
  readonly #point: AttachPoint;
  readonly #socket: NonNullable<AttachPoint['input']>;
  readonly #onClose: () => void;

  constructor(point: AttachPoint, socket: NonNullable<AttachPoint['input']>, onClose: () => void) {
    this.#point = point;
    this.#socket = socket;
    this.#onClose = onClose;
  }

  static async open(point: AttachPoint, onClose: () => void): Promise<Feed> {
    if (point.input !== undefined) return new Feed(point, point.input, onClose);
    if (point.terminalInput === undefined) {
      throw notAttachable();
    }
    return new Feed(point, await openInput(point.terminalInput, 'write'), onClose);
  }

  /** Data of no length is the end of the input. */
  async put(io: AgentProcessIO): Promise<void> {
    const { data, control } = io;
    if (io.type === 'DATA' && data?.data !== undefined) {
      if (data.data.length > 0) await this.#write(data.data);
      else if (this.#point.hasTerminal) await this.#write(END_OF_TRANSMISSION);
      else this.#socket.destroy();
      return;
    }
    const size = control?.type === 'TTY_INFO' ? control.tty_info?.window_size : undefined;
    const { pid, resize } = this.#point;
    if (size === undefined || pid === undefined || !this.#point.hasTerminal) return;
    const { rows, columns } = size;
    await (resize?.(rows, columns) ?? resizeTerminal(pid, rows, columns));
  }

  /** Waits for room, or for the container's end. */
  async #write(data: Uint8Array | string): Promise<void> {
    if (this.#socket.destroyed) return;
    const written = new Promise<void>((done) => this.#socket.write(data, () => done()));
    await Promise.race([written, this.#point.ended]);
  }

  /** A session's input stays open: another connection may go on with it. */
  close(): void {
    if (this.#point.input === undefined) this.#socket.destroy();
    this.#onClose();
  }
}

function ioOf(call: AgentCall): AgentProcessIO {
  const input = call.attach_container_input;
  if (input?.type === 'PROCESS_IO' && input.process_io !== undefined) return input.process_io;
  throw new HttpProblem(400, "Expecting 'attach_container_input.type' to be PROCESS_IO");
}

function startStream(response: ServerResponse, { accept, messageAccept }: CallMedia): void {
  response.writeHead(200, {
    'Content-Type': accept,
    ...(messageAccept === undefined ? {} : { 'Message-Content-Type': messageAccept }),
    'Transfer-Encoding': 'chunked',
  });
  response.flushHeaders();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((done) => {
    const end = (): void => {
      response.off('drain', end);
      response.off('close', end);
      done();
    };
    response.once('drain', end);
    response.once('close', end);
  });
}

const SIGNALS: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  6: 'SIGABRT',
  9: 'SIGKILL',
  10: 'SIGUSR1',
  12: 'SIGUSR2',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  18: 'SIGCONT',
  19: 'SIGSTOP',
  28: 'SIGWINCH',
};

function signalName(signal: number): string {
  const name = SIGNALS[signal];
  if (name === undefined) throw new HttpProblem(400, `Signal ${signal} is not supported`);
  return name;
}
