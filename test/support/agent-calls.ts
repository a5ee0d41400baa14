// Calls of an agent's v1 API for tests, the streaming ones too, as the Mesos CLI makes them.
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { encodeRecord, RecordDecoder } from '#codec/recordio.ts';
import { parseJson, stringify } from '#wire/mesos/codec.ts';
import type { AgentCall, AgentProcessIO, AgentResponse, ContainerID } from '#wire/mesos/v1.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: AgentResponse;
}

export async function callAgent(url: string, call: AgentCall): Promise<Answer> {
  const response = await fetch(`${url}/api/v1`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: stringify('AgentCall', call),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type') === 'application/json';
  return { status: response.status, text, body: isJson ? parseJson('AgentResponse', text) : {} };
}

/** A session, or an attached output: collects what comes. */
export class OutputStream {
  stdout = '';
  stderr = '';
  status = 0;
  readonly heartbeats: unknown[] = [];
  readonly ended: Promise<void>;
  readonly #request: ClientRequest;
  readonly #waiters = new Set<() => void>();

  constructor(url: string, call: AgentCall) {
    const ended = Promise.withResolvers<void>();
    this.ended = ended.promise;
    const headers = {
      'Content-Type': 'application/json',
      Accept: 'application/recordio',
      'Message-Accept': 'application/json',
    };
    this.#request = request(`${url}/api/v1`, { method: 'POST', headers, agent: false });
    this.#request.on('response', (response) => this.#read(response, ended.resolve));
    this.#request.on('error', () => ended.resolve());
    this.#request.end(stringify('AgentCall', call));
  }

  #read(response: IncomingMessage, end: () => void): void {
    this.status = response.statusCode ?? 0;
    const decoder = new RecordDecoder();
    response.on('data', (chunk: Buffer) => {
      if (this.status !== 200) return;
      for (const record of decoder.push(chunk)) {
        const io = parseJson('AgentProcessIO', Buffer.from(record).toString()) as AgentProcessIO;
        const text = Buffer.from(io.data?.data ?? []).toString();
        if (io.data?.type === 'STDOUT') this.stdout += text;
        if (io.data?.type === 'STDERR') this.stderr += text;
        if (io.control?.type === 'HEARTBEAT') this.heartbeats.push(io.control.heartbeat);
      }
      for (const waiter of this.#waiters) waiter();
    });
    response.on('close', end);
    for (const waiter of this.#waiters) waiter();
  }

  until(what: string, isTrue: (stream: this) => boolean): Promise<void> {
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        fail(new Error(`Never came: ${what}; ${this.status} ${this.stdout}${this.stderr}`));
      }, 10_000);
      const check = (): void => {
        if (!isTrue(this)) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        done();
      };
      this.#waiters.add(check);
      check();
    });
  }

  close(): void {
    this.#request.destroy();
  }
}

/** An attached input. */
export class InputStream {
  readonly answered: Promise<number>;
  readonly #request: ClientRequest;

  constructor(url: string, container_id: ContainerID) {
    const answered = Promise.withResolvers<number>();
    this.answered = answered.promise;
    const headers = {
      'Content-Type': 'application/recordio',
      'Message-Content-Type': 'application/json',
      Accept: 'application/json',
      'Transfer-Encoding': 'chunked',
    };
    this.#request = request(`${url}/api/v1`, { method: 'POST', headers, agent: false });
    this.#request.on('response', (response) => {
      response.resume();
      answered.resolve(response.statusCode ?? 0);
    });
    this.#request.on('error', () => answered.resolve(0));
    this.#put({ type: 'CONTAINER_ID', container_id });
  }

  #put(attach_container_input: AgentCall['attach_container_input']): void {
    const call: AgentCall = { type: 'ATTACH_CONTAINER_INPUT', attach_container_input };
    this.#request.write(encodeRecord(stringify('AgentCall', call)));
  }

  /** Nothing is the end of the input. */
  write(text: string): void {
    const process_io: AgentProcessIO = {
      type: 'DATA',
      data: { type: 'STDIN', data: Buffer.from(text) },
    };
    this.#put({ type: 'PROCESS_IO', process_io });
  }

  resize(rows: number, columns: number): void {
    const tty_info = { window_size: { rows, columns } };
    const process_io: AgentProcessIO = { type: 'CONTROL', control: { type: 'TTY_INFO', tty_info } };
    this.#put({ type: 'PROCESS_IO', process_io });
  }

  end(): Promise<number> {
    this.#request.end();
    return this.answered;
  }
}
