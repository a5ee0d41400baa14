// Calls of a CRI v1 runtime (containerd, CRI-O) over its unix socket.
import { existsSync } from 'node:fs';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { ClientReadableStream, ServiceClientConstructor, Client } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { Fault } from '#base/fault.ts';
import { criDescriptor } from './cri-schema.ts';
import type { ImageMethod, RuntimeMethod } from './cri-schema.ts';

export type CriMessage = Readonly<Record<string, unknown>>;

const knownSockets = [
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/run/k3s/containerd/containerd.sock',
] as const;

/** The socket of a runtime on this machine, or as configured (`unix:///…` or a path). */
export function findCriSocket(configured: string | undefined): string | undefined {
  if (configured === 'none') return undefined;
  if (configured !== undefined && configured !== '') return configured.replace(/^unix:\/\//, '');
  return knownSockets.find((path) => existsSync(path));
}

type Unary = (
  request: CriMessage,
  options: { readonly deadline: number },
  done: (error: Error | null, response: CriMessage) => void,
) => void;

const serviceNames = ['RuntimeService', 'ImageService'] as const;

export function criServices(): Record<(typeof serviceNames)[number], ServiceClientConstructor> {
  const options = { keepCase: true, longs: Number, defaults: true, arrays: true, objects: false };
  const loaded = loadPackageDefinition(fromJSON(criDescriptor(), options)) as unknown as {
    readonly runtime: {
      readonly v1: Record<(typeof serviceNames)[number], ServiceClientConstructor>;
    };
  };
  return loaded.runtime.v1;
}

/** A runtime that starts again is found again soon; logs and lists may be long. */
const channelOptions = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
};

export class CriClient {
  readonly #runtime: Client;
  readonly #images: Client;

  constructor(socketPath: string) {
    const { RuntimeService, ImageService } = criServices();
    const address = `unix://${socketPath}`;
    const insecure = credentials.createInsecure();
    this.#runtime = new RuntimeService(address, insecure, channelOptions);
    this.#images = new ImageService(address, insecure, channelOptions);
  }

  call(method: RuntimeMethod, request: CriMessage, timeoutMs = 120_000): Promise<CriMessage> {
    return this.#call(this.#runtime, method, request, timeoutMs);
  }

  callImages(method: ImageMethod, request: CriMessage, timeoutMs = 600_000): Promise<CriMessage> {
    return this.#call(this.#images, method, request, timeoutMs);
  }

  #call(
    client: Client,
    method: string,
    request: CriMessage,
    timeoutMs: number,
  ): Promise<CriMessage> {
    const call = (client as unknown as Record<string, Unary>)[method];
    return new Promise((done, fail) => {
      call?.bind(client)(request, { deadline: Date.now() + timeoutMs }, (error, response) => {
        if (error === null) done(response);
        else fail(new Fault({ code: 'cri', method }, criMessage(error), { cause: error }));
      });
    });
  }

  /** Tells of changes to containers; `onEnd`, once, when the runtime cannot (any more). */
  events(
    onEvent: (containerId: string) => void,
    onEnd: (error: Error | undefined) => void,
  ): { cancel(): void } {
    const open = (
      this.#runtime as unknown as {
        GetContainerEvents(request: CriMessage): ClientReadableStream<CriMessage>;
      }
    ).GetContainerEvents({});
    open.on('data', (event: CriMessage) => onEvent(String(event['container_id'])));
    let isOver = false;
    const end = (error?: Error): void => {
      if (!isOver) onEnd(error);
      isOver = true;
    };
    open.on('error', end);
    open.on('end', () => end());
    return { cancel: () => open.cancel() };
  }

  close(): void {
    this.#runtime.close();
    this.#images.close();
  }
}

const grpcCodes = { 'not-found': 5, unimplemented: 12, unavailable: 14 } as const;

/** Looks at the error of a call, or at the cause of the Fault that became of it. */
export function hasGrpcCode(error: unknown, code: keyof typeof grpcCodes): boolean {
  const { code: own, cause } = (error ?? {}) as { readonly code?: unknown; cause?: unknown };
  return own === grpcCodes[code] || (cause !== undefined && hasGrpcCode(cause, code));
}

/**
 * The runtime is not there, or not yet: containerd opens its socket before it has found its containers
 * again, and until then answers with this sentence under the code of an unknown error (1.6, `checkInitialized`).
 */
export function isAway(error: unknown): boolean {
  if (hasGrpcCode(error, 'unavailable')) return true;
  return error instanceof Error && error.message === 'server is not initialized yet';
}

/** Without the code that gRPC puts before it. */
function criMessage(error: Error): string {
  const { details } = error as { readonly details?: unknown };
  return typeof details === 'string' && details !== '' ? details : error.message;
}
