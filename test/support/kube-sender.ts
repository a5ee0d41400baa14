// Sends plain requests to the API server of a kubeconfig, for the recorder and the tests that compare.
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:https';
import type { Send } from './kube-answers.ts';

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string | undefined>> }[];
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Buffer | undefined;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

export type SendRaw = (one: RawRequest) => Promise<RawAnswer>;

const decoded = (text: string | undefined): Buffer | undefined =>
  text === undefined ? undefined : Buffer.from(text, 'base64');

export function sender(config: Kubeconfig): {
  send: Send;
  sendRaw: SendRaw;
  close: () => void;
} {
  const cluster = config.clusters[0]?.cluster;
  const user = config.users[0]?.user ?? {};
  if (cluster === undefined) throw new Error('The kubeconfig names no cluster');
  const agent = new Agent({
    keepAlive: true,
    ca: decoded(cluster['certificate-authority-data']),
    cert: decoded(user['client-certificate-data']),
    key: decoded(user['client-key-data']),
  });
  const authorization =
    user['token'] === undefined ? {} : { authorization: `Bearer ${user['token']}` };
  const sendRaw: SendRaw = ({ method, path, headers, body }) =>
    new Promise((resolve, reject) => {
      // Node sends the body of a DELETE without a length, which no server reads then.
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
      const options = { method, agent, headers: { ...authorization, ...length, ...headers } };
      const call = request(cluster.server + path, options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers: answered } = response;
          resolve({ status, headers: answered, bytes: Buffer.concat(chunks) });
        });
      });
      call.on('error', reject);
      call.end(body);
    });
  const send: Send = async (method, path, body) => {
    const headers = { 'content-type': 'application/json' };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { status, bytes } = await sendRaw({ method, path, headers, body: text });
    return { status, body: JSON.parse(bytes.toString()) as unknown };
  };
  return { send, sendRaw, close: () => agent.destroy() };
}
