// Requests that are for a node: logs, exec, attach, port-forward, proxy. The API server checks them and
// passes their bytes to the kubelet API of the pod's node, upgraded connections included.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { KeyPair } from '#kube/pki/authority.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ApiError, badRequest } from '#kube/meta/status.ts';

export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

export interface KubeletClient {
  readonly caCert: string;
  readonly pair: KeyPair;
}

export function nodeAddress(node: KubeObject): NodeAddress {
  const addresses = (node['status']?.addresses ?? []) as { type: string; address: string }[];
  const host = addresses.find(({ type }) => type === 'InternalIP')?.address;
  const port = node['status']?.daemonEndpoints?.kubeletEndpoint?.Port;
  if (host === undefined || typeof port !== 'number' || port === 0) {
    throw new ApiError(
      500,
      'InternalError',
      `Internal error occurred: node "${node.metadata.name}" has no kubelet yet`,
    );
  }
  return { host, port };
}

/** Which container is meant; an error names the choices when it is not clear. */
export function containerOf(pod: KubeObject, wanted: string | null): string {
  const spec = pod['spec'] ?? {};
  const names = (field: string) =>
    ((spec[field] ?? []) as { name: string }[]).map(({ name }) => name);
  const mains = names('containers');
  const all = [...mains, ...names('initContainers'), ...names('ephemeralContainers')];
  const { name } = pod.metadata;
  if (wanted !== null && wanted !== '') {
    if (all.includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  }
  const first = mains[0];
  if (mains.length === 1 && first !== undefined) return first;
  const inits = names('initContainers');
  const tail = inits.length === 0 ? '' : ` or one of the init containers: [${inits.join(' ')}]`;
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${mains.join(' ')}]${tail}`,
  );
}

const logParameters: readonly (readonly [string, string])[] = [
  ['follow', 'follow'],
  ['previous', 'previous'],
  ['timestamps', 'timestamps'],
  ['sinceSeconds', 'sinceSeconds'],
  ['sinceTime', 'sinceTime'],
  ['tailLines', 'tailLines'],
  ['limitBytes', 'limitBytes'],
  ['stream', 'stream'],
];

/** The kubelet's path for a subresource of a pod. */
export function kubeletPath(pod: KubeObject, subresource: string, query: URLSearchParams): string {
  const { namespace = '', name = '' } = pod.metadata;
  const place = `${namespace}/${name}`;
  const out = new URLSearchParams();
  if (subresource === 'portforward') {
    for (const port of query.getAll('ports')) out.append('port', port);
    return `/portForward/${place}?${out}`;
  }
  const container = containerOf(pod, query.get('container'));
  if (subresource === 'log') {
    for (const [from, to] of logParameters) {
      const value = query.get(from);
      if (value !== null) out.set(to, value);
    }
    return `/containerLogs/${place}/${container}?${out}`;
  }
  const flags: Record<string, string> = {
    stdin: 'input',
    stdout: 'output',
    stderr: 'error',
    tty: 'tty',
  };
  for (const [from, to] of Object.entries(flags)) {
    const value = query.get(from);
    if (value === 'true' || value === '1') out.set(to, '1');
  }
  for (const word of query.getAll('command')) out.append('command', word);
  return `/${subresource}/${place}/${container}?${out}`;
}

function unreachable(error: Error): ApiError {
  return new ApiError(
    500,
    'InternalError',
    `Internal error occurred: error dialing backend: ${error.message}`,
  );
}

const hopHeaders = new Set([
  'connection',
  'upgrade',
  'keep-alive',
  'transfer-encoding',
  'authorization',
  'host',
  'content-length',
]);

function forwarded(headers: IncomingMessage['headers']): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !name.startsWith(':') && !hopHeaders.has(name)) out[name] = value;
  }
  return out;
}

async function logFailure(answer: IncomingMessage): Promise<ApiError> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8').trim();
  const code = answer.statusCode ?? 502;
  if (code === 400) return badRequest(text);
  return new ApiError(code, code === 404 ? 'NotFound' : 'InternalError', text);
}

/** A plain request, its answer streamed as it comes. */
export function proxyRequest(
  client: KubeletClient,
  target: NodeAddress & { path: string },
  exchange: { request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  const { request, response } = exchange;
  return new Promise((done, fail) => {
    const outgoing = httpsRequest(
      {
        host: target.host,
        port: target.port,
        path: target.path,
        method: request.method,
        headers: forwarded(request.headers),
        ca: client.caCert,
        cert: client.pair.cert,
        key: client.pair.key,
        agent: false,
      },
      (answer) => {
        const type = answer.headers['content-type'];
        // The kubelet words the failures of logs in plain text; clients expect a Status.
        if ((answer.statusCode ?? 502) >= 400 && target.path.startsWith('/containerLogs/')) {
          void logFailure(answer).then(fail);
          return;
        }
        response.writeHead(
          answer.statusCode ?? 502,
          type === undefined ? {} : { 'Content-Type': type },
        );
        response.flushHeaders();
        answer.pipe(response);
        answer.on('end', done);
        answer.on('error', () => response.destroy());
        response.on('close', () => {
          outgoing.destroy();
          done();
        });
      },
    );
    outgoing.on('error', (error) => {
      if (response.headersSent) response.destroy();
      else fail(unreachable(error));
    });
    // What asks for a websocket has no body, and does not end before the connection does.
    if (request.headers.upgrade === undefined) request.pipe(outgoing);
    else outgoing.end();
  });
}

/** An upgraded connection (SPDY or websocket): after the 101 only bytes are passed. */
export function proxyUpgrade(
  client: KubeletClient,
  target: NodeAddress & { path: string },
  incoming: { request: IncomingMessage; socket: Duplex; head: Buffer },
): Promise<void> {
  const { request, socket, head } = incoming;
  return new Promise((done, fail) => {
    const outgoing = httpsRequest({
      host: target.host,
      port: target.port,
      path: target.path,
      method: request.method,
      headers: {
        ...forwarded(request.headers),
        Connection: 'Upgrade',
        Upgrade: String(request.headers.upgrade ?? ''),
      },
      ca: client.caCert,
      cert: client.pair.cert,
      key: client.pair.key,
      agent: false,
    });
    outgoing.on('error', (error) => fail(unreachable(error)));
    outgoing.on('response', (answer) => {
      // The kubelet refused: its answer is passed on as it is.
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const body = Buffer.concat(chunks);
        const type = answer.headers['content-type'] ?? 'text/plain';
        socket.write(
          `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`,
        );
        socket.end(body);
        done();
      });
    });
    outgoing.on('upgrade', (answer, backend, first) => {
      const lines = ['HTTP/1.1 101 Switching Protocols'];
      for (let i = 0; i < answer.rawHeaders.length; i += 2) {
        lines.push(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`);
      }
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      if (first.length > 0) socket.write(first);
      if (head.length > 0) backend.write(head);
      backend.pipe(socket);
      socket.pipe(backend);
      const end = (): void => {
        backend.destroy();
        socket.destroy();
        done();
      };
      for (const stream of [backend, socket]) {
        stream.on('close', end);
        stream.on('error', end);
      }
    });
    outgoing.end();
  });
}
