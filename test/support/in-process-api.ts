// The true API server behind a client without a network between: requests go straight into its handler,
// so that whole controllers run on virtual time.
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { bootstrap } from '#kube/apiserver/bootstrap.ts';
import { Handler } from '#kube/apiserver/handler.ts';
import { TokenAuthority } from '#kube/apiserver/tokens.ts';
import { KubeClient } from '#kube/client/client.ts';
import type { ApiRequest, ApiResponse, Transport } from '#kube/client/transport.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import type { Env, Log } from '#env/env.ts';
import { SimClock } from '#env/sim/clock.ts';
import { SimRandom } from '#env/sim/random.ts';

export interface SimEnv extends Env {
  readonly clock: SimClock;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

export function createSimEnv(seed: number, lines: LogLine[] = []): SimEnv {
  const clock = new SimClock();
  const at =
    (level: string) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      void lines.push({ level, message, fields });
  const log: Log = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  };
  return { clock, timers: clock, random: new SimRandom(seed), log };
}

class Answer extends Writable {
  status = 200;
  headers: Readonly<Record<string, unknown>> = {};
  headersSent = false;
  readonly #onText: (text: string) => void;

  constructor(onText: (text: string) => void) {
    super();
    this.#onText = onText;
  }

  writeHead(status: number, headers: Readonly<Record<string, unknown>> = {}): this {
    this.status = status;
    this.headers = headers;
    this.headersSent = true;
    return this;
  }

  flushHeaders(): void {
    this.headersSent = true;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#onText(chunk.toString());
    done();
  }
}

export class InProcessTransport implements Transport {
  readonly #handler: Handler;
  readonly #user: { readonly name: string; readonly groups: readonly string[] };
  readonly #open = new Set<Answer>();
  /** Requests are refused while this is set: the server is away. */
  isAway = false;

  constructor(handler: Handler, user: { name: string; groups: readonly string[] }) {
    this.#handler = handler;
    this.#user = user;
  }

  async send(request: ApiRequest): Promise<ApiResponse> {
    let text = '';
    const answer = new Answer((piece) => (text += piece));
    await this.#run(request, answer);
    return {
      status: answer.status,
      contentType: String(answer.headers['Content-Type'] ?? ''),
      text,
    };
  }

  async stream(
    request: ApiRequest,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<ApiResponse | undefined> {
    let failure = '';
    const answer = new Answer((piece) => {
      if (answer.status !== 200) failure += piece;
      else if (!signal.aborted) onText(piece);
    });
    const stop = (): void => void answer.destroy();
    signal.addEventListener('abort', stop, { once: true });
    this.#open.add(answer);
    await this.#run(request, answer);
    this.#open.delete(answer);
    signal.removeEventListener('abort', stop);
    if (answer.status === 200) return undefined;
    return { status: answer.status, contentType: 'application/json', text: failure };
  }

  /** All watches end, as when the server goes. */
  dropStreams(): void {
    for (const answer of this.#open) answer.destroy();
  }

  async close(): Promise<void> {
    this.dropStreams();
  }

  async #run(request: ApiRequest, answer: Answer): Promise<void> {
    if (this.isAway) throw new Error('the API server is away');
    const { method, path, body, contentType = 'application/json', accept } = request;
    const incoming = Object.assign(Readable.from(body === undefined ? [] : [Buffer.from(body)]), {
      method,
      url: path,
      headers: {
        accept: accept ?? 'application/json',
        'content-type': contentType,
        'user-agent': 'test',
      },
      rawHeaders: [],
      socket: {
        authorized: true,
        getPeerCertificate: () => ({
          subject: { CN: this.#user.name, O: this.#user.groups },
          raw: Buffer.from(this.#user.name),
        }),
      },
    });
    answer.on('error', () => {});
    await this.#handler.handle(
      incoming as unknown as IncomingMessage,
      answer as unknown as ServerResponse,
    );
    if (!answer.destroyed && !answer.writableFinished) {
      await new Promise((done) => answer.once('close', done));
    }
  }
}

export interface InProcessApi {
  readonly client: KubeClient;
  readonly transport: InProcessTransport;
  readonly store: MemoryStore;
  /** Another user's way to it. */
  as(name: string, groups: readonly string[]): InProcessTransport;
  close(): void;
}

export async function startInProcessApi(env: Env): Promise<InProcessApi> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-api-'));
  const tokens = await TokenAuthority.open(folder);
  const store = new MemoryStore();
  const handler = new Handler(
    {
      store,
      registry: new TypeRegistry(),
      tokens,
      serviceCidr: '10.96.0.0/16',
      kubelet: { caCert: '', pair: { cert: '', key: '' } },
    },
    env,
  );
  await bootstrap(handler, { host: '127.0.0.1', serviceIp: '10.96.0.1' });
  const transport = new InProcessTransport(handler, { name: 'admin', groups: ['system:masters'] });
  return {
    client: new KubeClient(transport),
    transport,
    store,
    as: (name, groups) => new InProcessTransport(handler, { name, groups }),
    close() {
      handler.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
