// Streams of RecordIO events to those who have subscribed at the agent, executors and resource providers:
// in order, and bounded in what waits for whoever does not read.
import type { ServerResponse } from 'node:http';
import { encodeRecord } from '#codec/recordio.ts';
import type { MessageName } from '#wire/mesos/codec.ts';
import type { ContentType } from '#mesos/libprocess/negotiate.ts';
import { encodeAs } from './http.ts';
import type { ConnectionId } from './types.ts';

/** More than this waiting ends a stream: its reader subscribes again, and is told what it does not know. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

export interface EventStreamsOptions {
  readonly message: MessageName;
  readonly nextConnection: () => ConnectionId;
  /** Default: 16 MB. */
  readonly waitingBytesMax?: number | undefined;
}

interface Stream {
  readonly response: ServerResponse;
  readonly media: ContentType;
}

export class EventStreams<Event extends object> {
  readonly #options: EventStreamsOptions;
  readonly #streams = new Map<ConnectionId, Stream>();

  constructor(options: EventStreamsOptions) {
    this.#options = options;
  }

  /** Answers 200; `onClosed` comes once, whoever has ended it. */
  open(
    response: ServerResponse,
    media: ContentType,
    headers: Readonly<Record<string, string>>,
    onClosed: (connection: ConnectionId) => void,
  ): ConnectionId {
    const connection = this.#options.nextConnection();
    this.#streams.set(connection, { response, media });
    response.writeHead(200, { 'Content-Type': media, ...headers });
    response.flushHeaders();
    response.once('close', () => {
      this.#streams.delete(connection);
      onClosed(connection);
    });
    return connection;
  }

  /** To a stream that has ended: without effect. */
  send(connection: ConnectionId, event: Event): void {
    const stream = this.#streams.get(connection);
    if (stream === undefined) return;
    const { response, media } = stream;
    response.write(encodeRecord(encodeAs(media, this.#options.message, event)));
    const { waitingBytesMax = WAITING_BYTES_MAX } = this.#options;
    if (response.writableLength <= waitingBytesMax) return;
    this.#streams.delete(connection);
    response.destroy();
  }

  /** After what was sent. */
  end(connection: ConnectionId): void {
    this.#streams.get(connection)?.response.end();
  }

  close(): void {
    for (const { response } of this.#streams.values()) response.destroy();
    this.#streams.clear();
  }
}
