// Calls webhooks: a URL, or a service of the cluster by its endpoints; trusted by the bundle that the configuration
// brings. For admission, conversion, and webhooks of access, which a file may place at an http URL.
import type { ObjectLookup } from '#kube/apiserver/object-lookup.ts';
import { request as requestPlain, type Agent } from 'node:http';
import { request as requestSecure } from 'node:https';
import { dialText } from './dial-errors.ts';
import { parseExact } from '#kube/meta/exact-numbers.ts';
import type { KeyPair } from '#kube/pki/authority.ts';
import { resolveEndpoint, type Address } from './service-endpoints.ts';
import type { WebhookConnections } from './webhook-connections.ts';

export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly path?: string;
  readonly port?: number;
}

export interface ClientConfig {
  readonly url?: string;
  readonly service?: ServiceReference;
  /** Base64 of PEM. */
  readonly caBundle?: string;
}

interface Endpoint extends Address {
  /** The name that the certificate must be for. */
  readonly serverName: string;
}

const PORT_DEFAULT = 443;
const PLAIN_PORT_DEFAULT = 80;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** Why a call has no usable answer; the message is put into the caller's own words. */
export class WebhookFailure extends Error {
  override readonly name = 'WebhookFailure';
  /** Set when the webhook answered at all. */
  readonly status: number | undefined;

  constructor(message: string, options: { cause?: unknown; status?: number } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.status = options.status;
  }
}

export interface WebhookCall {
  readonly config: ClientConfig;
  readonly body: unknown;
  readonly timeoutMs: number;
  /** As messages name the call; the URL when it is not given. */
  readonly query?: string;
  readonly pair?: KeyPair | undefined;
  /** The certificate is not looked at. */
  readonly isInsecure?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where it is, whatever its name or its endpoints say; it is not left for elsewhere then. */
  readonly at?: Address;
}

interface Goal extends Endpoint {
  readonly isPlain: boolean;
  readonly path: string;
  /** For messages. */
  readonly url: string;
}

/** Where a URL leads, but for what is behind its host. */
function placeOf(url: URL): Endpoint & Pick<Goal, 'isPlain'> {
  const isPlain = url.protocol === 'http:';
  const port = isPlain ? PLAIN_PORT_DEFAULT : PORT_DEFAULT;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { host, port: url.port === '' ? port : Number(url.port), serverName: host, isPlain };
}

async function goalOf({ lookup, random }: Callers, call: WebhookCall): Promise<Goal> {
  const { config, query = '' } = call;
  if (config.url !== undefined) {
    const url = new URL(config.url);
    const path = `${url.pathname}${url.search}`;
    const tail = query === '' ? '' : `${path.includes('?') ? '&' : '?'}${query}`;
    return { ...placeOf(url), ...call.at, path: path + tail, url: config.url + tail };
  }
  const { service } = config;
  if (service === undefined) throw new WebhookFailure('neither a URL nor a service is configured');
  const { namespace, name, port = PORT_DEFAULT } = service;
  const serverName = `${name}.${namespace}.svc`;
  const tail = query === '' ? '' : `?${query}`;
  const path = `/${(service.path ?? '').replace(/^\//, '')}${tail}`;
  const url = `https://${serverName}:${port}${path}`;
  try {
    const address = call.at ?? (await resolveEndpoint(lookup, { namespace, name, port }, random));
    return { ...address, serverName, isPlain: false, path, url };
  } catch (error) {
    const why = (error as Error).message;
    throw new WebhookFailure(`Post ${JSON.stringify(url)}: ${why}`, { cause: error });
  }
}

export interface Callers {
  readonly lookup: ObjectLookup;
  readonly webhooks: WebhookConnections;
  /** In [0, 1): which endpoint of a service is called. */
  readonly random: () => number;
}

/** The parsed answer. Throws WebhookFailure. */
export async function callWebhook(callers: Callers, call: WebhookCall): Promise<unknown> {
  const goal = await goalOf(callers, call);
  const text = Buffer.from(JSON.stringify(call.body));
  const answer = await followed(goal, { text, call, webhooks: callers.webhooks });
  try {
    return parseExact(answer);
  } catch (error) {
    // It was there: asking again brings nothing else.
    throw new WebhookFailure((error as Error).message, { cause: error, status: 200 });
  }
}

interface Sent {
  readonly text: Buffer;
  readonly call: WebhookCall;
  readonly webhooks: WebhookConnections;
}

/** What a webhook answers, or where it sends the same request instead. */
type Answer = { readonly body: string } | { readonly location: string };

const REDIRECTS_MAX = 10;
/** Those after which a request is made again as it was. */
const REPEATED: ReadonlySet<number> = new Set([307, 308]);

/** Goes where it is sent, as Go's client does. Throws WebhookFailure. */
async function followed(first: Goal, sent: Sent): Promise<string> {
  // All of it is one call.
  const signal = AbortSignal.timeout(Math.ceil(sent.call.timeoutMs));
  let goal = first;
  for (let turns = 0; turns < REDIRECTS_MAX; turns++) {
    const answer = await post(goal, sent, signal);
    if ('body' in answer) return answer.body;
    goal = redirected(goal, answer.location);
    if (sent.call.at !== undefined && new URL(goal.url).origin !== new URL(first.url).origin) {
      const why = 'a redirect to another server is not followed';
      throw new WebhookFailure(`Post ${JSON.stringify(goal.url)}: ${why}`);
    }
  }
  const quoted = JSON.stringify(goal.url);
  throw new WebhookFailure(`Post ${quoted}: stopped after ${REDIRECTS_MAX} redirects`);
}

/** On the same host the same endpoint is asked, also where its name is a service's. */
function redirected(goal: Goal, location: string): Goal {
  const quoted = JSON.stringify(goal.url);
  const url = URL.parse(location, goal.url);
  if (url === null) {
    const why = `failed to parse Location header ${JSON.stringify(location)}`;
    throw new WebhookFailure(`Post ${quoted}: ${why}`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    const why = `unsupported protocol scheme ${JSON.stringify(url.protocol.slice(0, -1))}`;
    throw new WebhookFailure(`Post ${JSON.stringify(url.href)}: ${why}`);
  }
  const path = `${url.pathname}${url.search}`;
  if (url.origin === new URL(goal.url).origin) return { ...goal, path, url: url.href };
  return { ...placeOf(url), path, url: url.href };
}

/** A connection that was kept may be gone by now; nobody has answered on it then. */
class Stale extends Error {
  override readonly name = 'Stale';
}

async function post(goal: Goal, sent: Sent, signal: AbortSignal): Promise<Answer> {
  try {
    return await postOn(agentOf(goal, sent, 'kept'), goal, sent, signal);
  } catch (error) {
    if (!(error instanceof Stale)) throw error;
  }
  // Those beside it are as old.
  return await postOn(agentOf(goal, sent, 'new'), goal, sent, signal);
}

function agentOf(
  { serverName, url, isPlain }: Goal,
  { call, webhooks }: Sent,
  which: 'kept' | 'new',
): Agent {
  const { config, pair, headers, isInsecure = false } = call;
  const { caBundle } = config;
  const authorization = headers?.['Authorization'];
  const identity = { serverName, isPlain, caBundle, pair, isInsecure, authorization };
  try {
    return which === 'kept' ? webhooks.poolFor(identity) : webhooks.single(identity);
  } catch (error) {
    throw new WebhookFailure(`Post ${JSON.stringify(url)}: ${(error as Error).message}`);
  }
}

function postOn(
  agent: Agent,
  goal: Goal,
  { text, call }: Sent,
  signal: AbortSignal,
): Promise<Answer> {
  const quoted = JSON.stringify(goal.url);
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void =>
      reject(new WebhookFailure(`Post ${quoted}: ${why}`, { cause }));
    const request = goal.isPlain ? requestPlain : requestSecure;
    const sent = request(
      {
        host: goal.host,
        port: goal.port,
        path: goal.path,
        method: 'POST',
        agent,
        headers: {
          // The name of a service, not the address of its endpoint.
          Host: /^https?:\/\/([^/?#]+)/i.exec(goal.url)?.[1] ?? goal.host,
          'Content-Type': 'application/json',
          Accept: 'application/json, */*',
          'User-Agent': 'kube-apiserver-admission',
          'Content-Length': text.length,
          ...call.headers,
        },
        signal,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > ANSWER_BYTES_MAX) response.destroy(new Error('the answer is too big'));
          chunks.push(chunk);
        });
        response.on('error', (error) => fail(error.message, error));
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString();
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) return resolve({ body });
          const { location } = response.headers;
          if (REPEATED.has(status) && location !== undefined) return resolve({ location });
          const type = response.headers['content-type'];
          reject(new WebhookFailure(httpFailure(status, body, type), { status }));
        });
      },
    );
    sent.on('error', (error: Error & { code?: string }) => {
      const isGone = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      if (sent.reusedSocket && isGone) reject(new Stale());
      else fail(dialText(goal, error), error);
    });
    sent.end(text);
  });
}

/** What is said of a status whatever the body is, as client-go has it (NewGenericServerResponse). */
const statusTexts: ReadonlyMap<number, string> = new Map([
  [400, 'the server rejected our request for an unknown reason'],
  [401, 'the server has asked for the client to provide credentials'],
  [404, 'the server could not find the requested resource'],
  [405, 'the server does not allow this method on the requested resource'],
  [409, 'the server reported a conflict'],
  [422, 'the server rejected our request due to an error in our request'],
  [429, 'the server has received too many requests and has asked us to try again later'],
  [503, 'the server is currently unable to handle the request'],
  [
    504,
    'the server was unable to return a response in the time allotted, but may still be processing the request',
  ],
]);

/** Their own words are kept. */
const ownWords = new Set([403, 406, 415]);
const SAID_BYTES_MAX = 2_048;

function httpFailure(status: number, body: string, type: string | undefined): string {
  try {
    const said = JSON.parse(body) as { kind?: unknown; status?: unknown; message?: unknown };
    const isStatus = said.kind === undefined || said.kind === 'Status';
    if (isStatus && said.status === 'Failure' && typeof said.message === 'string')
      return said.message;
  } catch {
    // Plain text then.
  }
  const text = statusTexts.get(status);
  if (text !== undefined) return text;
  const isText = type === undefined || type.startsWith('text/');
  const said = isText ? body.slice(0, SAID_BYTES_MAX).trim() : 'unknown';
  if (ownWords.has(status)) {
    return status === 406 && (said === '' || said === 'unknown')
      ? 'the server was unable to respond with a content type that the client supports'
      : said;
  }
  if (status >= 500)
    return `an error on the server (${JSON.stringify(said)}) has prevented the request from succeeding`;
  return `the server responded with the status code ${status} but did not return more information`;
}
