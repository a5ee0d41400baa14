// Sends plain requests to an API server, real or ours, and gives its answers as they came.
import type { IncomingHttpHeaders } from 'node:http';
import { request, type Agent } from 'node:https';

export interface Target {
  readonly server: string;
  readonly agent: Agent;
  /** Without credentials, for requests that bring their own. */
  readonly bare: Agent;
  readonly headers: Readonly<Record<string, string>>;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  /** An empty `authorization`: nobody asks. */
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined;
  readonly body?: string | Buffer | undefined;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

export type SendRaw = (one: RawRequest) => Promise<RawAnswer>;

export function senderTo(target: Target): SendRaw {
  return ({ method, path, headers = {}, body }) =>
    new Promise((resolve, reject) => {
      const { authorization, ...others } = headers;
      const agent = authorization === undefined ? target.agent : target.bare;
      const own: Record<string, string | string[]> = {
        ...target.headers,
        // Node sends the body of a DELETE without a length, which no server reads then.
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...others,
        ...(authorization === undefined ? {} : { authorization }),
      };
      if (authorization === '') delete own['authorization'];
      const call = request(target.server + path, { method, agent, headers: own }, (response) => {
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
}

/** Upstream hangs up where it panics. */
export const patient =
  (send: SendRaw): SendRaw =>
  async (request) =>
    await send(request).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ECONNRESET')) throw error;
      const bytes = Buffer.from('hung up');
      return { status: 500, headers: { 'content-type': 'text/plain' }, bytes };
    });
