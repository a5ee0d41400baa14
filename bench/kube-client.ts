// The benchmarks' own client of either API server, for what the load generator has no command for: requests by
// several workers over a few connections, and pages of protobuf. An answer that is no success ends the load.
import { Reader } from '#codec/protobuf-reader.ts';
import { connect, type ClientHttp2Session } from 'node:http2';
import { loadKubeconfig, type ApiAccess } from '#kube/client/kubeconfig.ts';
import { quantile } from '#test/support/quantile.ts';

export interface BenchRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly contentType?: string;
  readonly accept?: string;
  readonly body?: string;
}

export interface Paced {
  readonly perSecond: number;
  readonly p99Ms: number;
}

const CONNECTIONS = 4;

export class KubeClient implements Disposable {
  readonly #access: ApiAccess;
  readonly #sessions: ClientHttp2Session[];

  constructor(kubeconfig: string) {
    this.#access = loadKubeconfig(kubeconfig);
    const { server, caPem, certPem, keyPem } = this.#access;
    const pair =
      certPem === undefined || keyPem === undefined ? {} : { cert: certPem, key: keyPem };
    const settings = { initialWindowSize: 8 * 1024 * 1024, enablePush: false };
    const options = { ...(caPem === undefined ? {} : { ca: caPem }), ...pair, settings };
    this.#sessions = Array.from({ length: CONNECTIONS }, () => connect(server, options));
    for (const session of this.#sessions) {
      session.on('connect', () => session.setLocalWindowSize(32 * 1024 * 1024));
      // Whoever waits for an answer is told.
      session.on('error', () => {});
    }
  }

  send(request: BenchRequest, worker = 0): Promise<Buffer> {
    const { method, path, contentType, accept = 'application/json', body } = request;
    const { token } = this.#access;
    const session = this.#sessions[worker % CONNECTIONS] as ClientHttp2Session;
    return new Promise((done, fail) => {
      const stream = session.request({
        ':method': method,
        ':path': path,
        accept,
        'user-agent': 'bench',
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      });
      const chunks: Buffer[] = [];
      let status = 0;
      stream.on('response', (headers) => (status = Number(headers[':status'])));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('error', fail);
      stream.once('end', () => {
        const answer = Buffer.concat(chunks);
        if (status >= 200 && status < 300) return done(answer);
        fail(new Error(`${method} ${path}: ${status} ${answer.toString().slice(0, 300)}`));
      });
      stream.end(body);
    });
  }

  /** All of the requests, so many at a time. */
  async load(workers: number, count: number, of: (index: number) => BenchRequest): Promise<Paced> {
    const latencies: number[] = [];
    let next = 0;
    const began = performance.now();
    const work = async (worker: number): Promise<void> => {
      while (next < count) {
        const index = next++;
        const from = performance.now();
        await this.send(of(index), worker);
        latencies.push(performance.now() - from);
      }
    };
    await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
    const seconds = (performance.now() - began) / 1_000;
    const p99Ms = quantile(latencies, 0.99) ?? Number.NaN;
    return { perSecond: count / seconds, p99Ms };
  }

  /** A whole list in protobuf, page by page. */
  async protobufPages(path: string, limit: number): Promise<{ pages: number; items: number }> {
    const accept = 'application/vnd.kubernetes.protobuf';
    let [pages, items, next] = [0, 0, ''];
    do {
      const more = next === '' ? '' : `&continue=${next}`;
      const page = readPage(
        await this.send({ method: 'GET', path: `${path}?limit=${limit}${more}`, accept }),
      );
      pages += 1;
      items += page.items;
      ({ next } = page);
    } while (next !== '');
    return { pages, items };
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions) session.destroy();
  }
}

/** How many items (field 2) there are in an enveloped list, and the token of its ListMeta (field 1). */
function readPage(bytes: Buffer): { items: number; next: string } {
  if (bytes.toString('latin1', 0, 4) !== 'k8s\0') throw new Error('The page is no protobuf');
  const list = new Reader(field(bytes.subarray(4), 2) ?? new Uint8Array());
  let items = 0;
  let next = '';
  while (list.at < list.end) {
    const key = list.u();
    if (key === ((1 << 3) | 2)) next = Buffer.from(field(list.b(), 3) ?? []).toString();
    else {
      if (key === ((2 << 3) | 2)) items += 1;
      list.skip(key & 7);
    }
  }
  return { items, next };
}

/** The bytes of the first field with the tag. */
function field(message: Uint8Array, tag: number): Uint8Array | undefined {
  const reader = new Reader(message);
  while (reader.at < reader.end) {
    const key = reader.u();
    if (key === ((tag << 3) | 2)) return reader.b();
    reader.skip(key & 7);
  }
  return undefined;
}
