// One extension server as this server reaches it: its service, its trust, the certificate and the headers
// that say on whose behalf a request comes.
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request, type RequestOptions } from 'node:https';
import { checkServerIdentity, rootCertificates } from 'node:tls';
import type { KubeObject } from '#kube/meta/object.ts';
import type { KeyPair } from '#kube/pki/authority.ts';
import { dialText } from '#kube/apiserver/dial-errors.ts';
import type { ObjectLookup } from '#kube/apiserver/object-lookup.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import {
  resolveEndpoint,
  type Address,
  type ServicePlace,
} from '#kube/apiserver/service-endpoints.ts';

export interface BackendServices {
  readonly lookup: ObjectLookup;
  readonly pair: KeyPair;
  readonly draw: () => number;
}

export interface ApiServiceSpec {
  readonly group: string;
  readonly version: string;
  readonly groupPriorityMinimum: number;
  readonly versionPriority: number;
  readonly service?: { readonly namespace: string; readonly name: string; readonly port?: number };
  /** Base64 of PEM. */
  readonly caBundle?: string;
  readonly insecureSkipTLSVerify?: boolean;
}

export const specOf = (service: KubeObject): ApiServiceSpec =>
  service['spec'] as unknown as ApiServiceSpec;

/** Letters that a header's name may not have are escaped (client-go's headerKeyEscape). */
function escapedKey(key: string): string {
  return key.replaceAll(/[^!#$&'*+.^_`|~0-9A-Za-z-]/g, (one) =>
    [...Buffer.from(one)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

/** What an extension server knows a user by. */
export function remoteHeaders({
  name,
  uid,
  groups,
  extra,
}: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'X-Remote-User': name };
  if (uid !== '') headers['X-Remote-Uid'] = uid;
  if (groups.length > 0) headers['X-Remote-Group'] = [...groups];
  for (const [key, values] of Object.entries(extra)) {
    headers[`X-Remote-Extra-${escapedKey(key)}`] = [...values];
  }
  return headers;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
}

export interface Question {
  readonly user: UserInfo;
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Ended by the other side while nobody used it: the request was never looked at. */
export function isStaleConnection(sent: ClientRequest, error: Error & { code?: string }): boolean {
  return sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

const PORT_DEFAULT = 443;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export class Backend {
  readonly place: ServicePlace;
  readonly #services: BackendServices;
  readonly #agent: Agent;

  constructor(spec: ApiServiceSpec, services: BackendServices) {
    const { namespace = '', name = '', port = PORT_DEFAULT } = spec.service ?? {};
    this.place = { namespace, name, port };
    this.#services = services;
    const bundle = spec.caBundle ?? '';
    const serverName = `${name}.${namespace}.svc`;
    this.#agent = new Agent({
      keepAlive: true,
      maxFreeSockets: 32,
      ca: bundle === '' ? [...rootCertificates] : Buffer.from(bundle, 'base64').toString(),
      rejectUnauthorized: spec.insecureSkipTLSVerify !== true,
      servername: serverName,
      checkServerIdentity: (_host, cert) => checkServerIdentity(serverName, cert),
      cert: services.pair.cert,
      key: services.pair.key,
    });
  }

  /** Throws an Error in upstream's words. */
  async resolve(): Promise<Address> {
    return await resolveEndpoint(this.#services.lookup, this.place, this.#services.draw);
  }

  /** For a request that the caller sends by itself; one connection of its own when it is upgraded. */
  options({ host, port }: Address, isUpgrade = false): RequestOptions {
    const { options } = this.#agent;
    return isUpgrade
      ? { ...options, host, port, agent: false }
      : { host, port, agent: this.#agent };
  }

  /** A whole answer. Throws an Error with the words of Go's client. */
  async get(path: string, question: Question): Promise<Answer> {
    return await this.getFrom(await this.resolve(), path, question);
  }

  getFrom(address: Address, path: string, question: Question): Promise<Answer> {
    const { user, timeoutMs, headers } = question;
    return new Promise((done, fail) => {
      const sent = request(
        {
          ...this.options(address),
          path,
          headers: { ...headers, ...remoteHeaders(user) },
          signal: AbortSignal.timeout(timeoutMs),
        },
        (answer) => {
          const chunks: Buffer[] = [];
          let size = 0;
          answer.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > ANSWER_BYTES_MAX) answer.destroy(new Error('the answer is too big'));
            chunks.push(chunk);
          });
          answer.on('error', fail);
          answer.on('end', () =>
            done({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              bytes: Buffer.concat(chunks),
            }),
          );
        },
      );
      sent.on('error', (error) => {
        if (isStaleConnection(sent, error)) return done(this.getFrom(address, path, question));
        fail(new Error(dialText(address, error), { cause: error }));
      });
      sent.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
