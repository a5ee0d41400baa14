// Calls of a gRPC service on a unix socket whose messages are described by a schema table: CSI plugins and containerd.
import type { Client, ClientDuplexStream, Metadata, ServiceError } from '@grpc/grpc-js';
import { Fault } from '#base/fault.ts';
import type { Codec } from './protobuf-codec.ts';

/** `methods`: `SERVICE/METHOD` below the package -> message sent, message that comes back. */
export interface GrpcTable<Method extends string> {
  readonly package: string;
  readonly codec: Codec;
  readonly methods: Readonly<Record<Method, readonly [string, string]>>;
  /** The code of its faults. */
  readonly fault: 'csi' | 'containerd';
}

export interface CallOptions {
  /** Absent: none. */
  readonly timeoutMs?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A server that starts again is found again soon. */
const CHANNEL = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
};

type Answer = Readonly<Record<string, unknown>>;

export class GrpcClient<Method extends string> {
  readonly #table: GrpcTable<Method>;
  readonly #client: Client;
  readonly #newMetadata: () => Metadata;

  private constructor(table: GrpcTable<Method>, client: Client, newMetadata: () => Metadata) {
    this.#table = table;
    this.#client = client;
    this.#newMetadata = newMetadata;
  }

  /** `endpoint`: a path, or `unix://` and one. The library is loaded by those who call somebody only. */
  static async open<Method extends string>(
    endpoint: string,
    table: GrpcTable<Method>,
  ): Promise<GrpcClient<Method>> {
    const grpc = await import('@grpc/grpc-js');
    const address = `unix://${endpoint.replace(/^unix:(\/\/)?/, '')}`;
    const client = new grpc.Client(address, grpc.credentials.createInsecure(), CHANNEL);
    return new GrpcClient(table, client, () => new grpc.Metadata());
  }

  /** Rejects with a Fault of the table's code, in the server's own words, with its gRPC status as `status`. */
  call(method: Method, request: object, options: CallOptions = {}): Promise<Answer> {
    const { codec, methods, package: name } = this.#table;
    const [input, output] = methods[method];
    const { timeoutMs, signal } = options;
    return new Promise((done, fail) => {
      const call = this.#client.makeUnaryRequest<object, Answer>(
        `/${name}.${method}`,
        (message) => Buffer.from(codec.encode(input, message)),
        (bytes) => codec.decode(output, bytes) as Answer,
        request,
        this.#metadata(options),
        timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
        (error, response) => {
          signal?.removeEventListener('abort', cancel);
          if (error === null) done(response ?? {});
          else fail(this.#fault(method, error));
        },
      );
      const cancel = (): void => call.cancel();
      signal?.addEventListener('abort', cancel);
      if (signal?.aborted === true) cancel();
    });
  }

  /** Sends all requests, each once there is room for it; all that was answered. */
  async stream(
    method: Method,
    requests: AsyncIterable<object> | Iterable<object>,
    options: CallOptions = {},
  ): Promise<readonly Answer[]> {
    const { codec, methods, package: name } = this.#table;
    const [input, output] = methods[method];
    const { timeoutMs, signal } = options;
    const call: ClientDuplexStream<object, Answer> = this.#client.makeBidiStreamRequest(
      `/${name}.${method}`,
      (message: object) => Buffer.from(codec.encode(input, message)),
      (bytes) => codec.decode(output, bytes) as Answer,
      this.#metadata(options),
      timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
    );
    const answers: Answer[] = [];
    const ended = Promise.withResolvers<readonly Answer[]>();
    call.on('data', (answer: Answer) => answers.push(answer));
    call.on('end', () => ended.resolve(answers));
    call.on('error', (error: ServiceError) => ended.reject(this.#fault(method, error)));
    const failed = ended.promise.then(
      () => true,
      () => true,
    );
    const cancel = (): void => call.cancel();
    signal?.addEventListener('abort', cancel);
    void failed.then(() => signal?.removeEventListener('abort', cancel));
    if (signal?.aborted === true) cancel();
    for await (const request of requests) {
      if (call.write(request)) continue;
      const drained = new Promise<false>((done) => call.once('drain', () => done(false)));
      if (await Promise.race([failed, drained])) break;
    }
    call.end();
    return ended.promise;
  }

  #metadata({ metadata = {} }: CallOptions): Metadata {
    const made = this.#newMetadata();
    for (const [key, value] of Object.entries(metadata)) made.set(key, value);
    return made;
  }

  #fault(method: Method, error: ServiceError): Fault {
    const { code: status, details } = error;
    const about = { code: this.#table.fault, method, status };
    return new Fault(about, `${method}: ${details}`, { cause: error });
  }

  close(): void {
    this.#client.close();
  }
}
