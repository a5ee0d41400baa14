// pods/proxy and services/proxy: requests passed on to what a pod serves; links and redirects in the answers
// lead back through the proxy (kubernetes v1.37, and apimachinery's proxy transport).
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { BlockList, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Family } from '#kube/meta/ip-ranges.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ApiError, badRequest, notFound } from '#kube/meta/status.ts';
import type { ObjectLookup } from './object-lookup.ts';

export interface ProxyTarget {
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly path: string;
}

interface SplitName {
  readonly scheme: string;
  readonly name: string;
  readonly port: string;
}

/** `name`, `name:port` or `scheme:name:port`. */
export function splitName(id: string): SplitName | undefined {
  const parts = id.split(':');
  const [scheme = '', name = '', port = ''] =
    parts.length === 3 ? parts : ['', parts[0] ?? '', parts[1] ?? ''];
  const isRight = parts.length <= 3 && name !== '' && ['', 'http', 'https'].includes(scheme);
  return isRight ? { scheme, name, port } : undefined;
}

/** Addresses of this machine and its link: the server must not be made to talk to itself. */
const own = new BlockList();
own.addSubnet('127.0.0.0', 8);
own.addSubnet('169.254.0.0', 16);
own.addSubnet('224.0.0.0', 4);
own.addAddress('0.0.0.0');
own.addAddress('255.255.255.255');
own.addAddress('::1', 'ipv6');
own.addAddress('::', 'ipv6');
own.addSubnet('fe80::', 10, 'ipv6');
own.addSubnet('ff00::', 8, 'ipv6');

function isAllowed(ip: string): boolean {
  const family = isIP(ip);
  return family !== 0 && !own.check(ip, family === 6 ? 'ipv6' : 'ipv4');
}

export interface ProxiedPlace {
  readonly resource: 'pods' | 'services';
  readonly namespace: string;
  readonly id: string;
  readonly path: string;
}

const unavailable = (message: string): ApiError =>
  new ApiError(503, 'ServiceUnavailable', message, undefined);

async function podTarget(lookup: ObjectLookup, place: ProxiedPlace): Promise<ProxyTarget> {
  const { namespace, id, path } = place;
  const split = splitName(id);
  if (split === undefined) throw badRequest(`invalid pod request ${JSON.stringify(id)}`);
  const { scheme, name, port } = split;
  const pod = await lookup.get('', 'pods', namespace, name);
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name);
  const containers = (pod['spec']?.containers ?? []) as { ports?: { containerPort: number }[] }[];
  const first = containers.find(({ ports }) => (ports ?? []).length > 0)?.ports?.[0];
  const host = String(pod['status']?.podIP ?? '');
  if (!isAllowed(host)) throw badRequest('address not allowed');
  const isTls = scheme === 'https';
  const preset = isTls ? 443 : 80;
  const chosen = port === '' ? (first?.containerPort ?? preset) : Number(port);
  return { isTls, host, port: chosen, path };
}

/** Which of several endpoints. */
export interface Preference {
  /** In [0, 1). */
  readonly random: () => number;
  /** Endpoints of the other one are asked only where there is none of it. */
  readonly family: Family;
}

interface SliceEndpoint {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean };
  readonly targetRef?: { readonly namespace?: string; readonly name?: string };
}

/** Only addresses that are truly of pods of the namespace. */
async function isOfPod(
  lookup: ObjectLookup,
  namespace: string,
  { addresses = [], targetRef }: SliceEndpoint,
): Promise<boolean> {
  if (targetRef?.namespace !== namespace) return false;
  const pod = await lookup.get('', 'pods', namespace, targetRef.name ?? '');
  const ips = (pod?.['status']?.podIPs ?? []) as { ip: string }[];
  return ips.some(({ ip }) => ip === addresses[0]) && isAllowed(addresses[0] ?? '');
}

function portNameOf(service: KubeObject | undefined, split: SplitName): string {
  const { name, port } = split;
  if (!/^[+-]?\d+$/.test(port)) return port;
  if (service === undefined) throw notFound({ group: '', resource: 'services' }, name);
  const ports = (service['spec']?.ports ?? []) as { port: number; name?: string }[];
  const found = ports.find((one) => one.port === Number(port));
  if (found !== undefined) return found.name ?? '';
  throw unavailable(`no service port ${Number(port)} found for service ${JSON.stringify(name)}`);
}

async function serviceTarget(
  lookup: ObjectLookup,
  { namespace, id, path }: ProxiedPlace,
  { random, family }: Preference,
): Promise<ProxyTarget> {
  const split = splitName(id);
  if (split === undefined) throw badRequest(`invalid service request ${JSON.stringify(id)}`);
  const { scheme, name } = split;
  const service = await lookup.get('', 'services', namespace, name);
  const wanted = portNameOf(service, split);
  const slices = (await lookup.list('discovery.k8s.io', 'endpointslices', namespace)).filter(
    ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name,
  );
  const ready: { readonly host: string; readonly port: number; readonly isFirst: boolean }[] = [];
  for (const slice of slices) {
    const ports = (slice['ports'] ?? []) as { name?: string; port?: number }[];
    const port = ports.find((one) => (one.name ?? '') === wanted)?.port;
    if (port === undefined) continue;
    for (const one of (slice['endpoints'] ?? []) as SliceEndpoint[]) {
      if (one.conditions?.ready === false || !(await isOfPod(lookup, namespace, one))) continue;
      ready.push({
        host: one.addresses?.[0] ?? '',
        port,
        isFirst: slice['addressType'] === family,
      });
    }
  }
  const usual = ready.filter(({ isFirst }) => isFirst);
  const all = usual.length > 0 ? usual : ready;
  const found = all[Math.floor(random() * all.length)];
  if (found === undefined) {
    throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  }
  return { host: found.host, port: found.port, isTls: scheme === 'https', path };
}

/** Throws ApiError. */
export async function proxyTarget(
  lookup: ObjectLookup,
  place: ProxiedPlace,
  preference: Preference,
): Promise<ProxyTarget> {
  return place.resource === 'pods'
    ? await podTarget(lookup, place)
    : await serviceTarget(lookup, place, preference);
}

/** What comes after `/proxy` in the request, as it was written; undefined for nothing at all. */
export function proxiedPath(url: string): { readonly prefix: string; readonly path: string } {
  const [whole = '', ...query] = url.split('?');
  const tail = query.length === 0 ? '' : `?${query.join('?')}`;
  const found = /^(.*?\/(?:pods|services|nodes)\/[^/]+\/proxy)(\/.*)?$/.exec(whole);
  return { prefix: found?.[1] ?? whole, path: found?.[2] === undefined ? '' : found[2] + tail };
}

const hop = new Set([
  'authorization',
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function passedHeaders(request: IncomingMessage): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !name.startsWith(':') && !hop.has(name)) headers[name] = value;
  }
  const { remoteAddress } = request.socket;
  if (remoteAddress !== undefined) headers['x-forwarded-for'] = remoteAddress;
  headers['x-forwarded-host'] = String(request.headers[':authority'] ?? request.headers.host ?? '');
  headers['x-forwarded-proto'] = 'https';
  headers['x-forwarded-uri'] = (request.url ?? '/').split('?')[0] ?? '/';
  return headers;
}

const rewritten =
  /(<[a-z][^>]*?\s(?:href|src|action|formaction|cite|background|poster|longdesc|usemap|data|codebase|profile|manifest|icon)\s*=\s*)("([^"]*)"|'([^']*)')/gi;

/** A root-relative link, or one of the same host, leads through the proxy. */
export function rewriteLink(link: string, prefix: string, host: string): string {
  const absolute = /^https?:\/\/([^/?#]+)(\/.*)?$/.exec(link);
  if (absolute !== null && absolute[1] !== host) return link;
  const path = absolute === null ? link : (absolute[2] ?? '/');
  if (!path.startsWith('/') || path.startsWith('//') || path.startsWith(prefix)) return link;
  return `${prefix}${path}`;
}

export function rewriteHtml(html: string, prefix: string, host: string): string {
  return html.replaceAll(
    rewritten,
    (_all, head: string, quoted: string, double?: string, single?: string) => {
      const mark = quoted[0] ?? '"';
      return `${head}${mark}${rewriteLink(double ?? single ?? '', prefix, host)}${mark}`;
    },
  );
}

const HTML_BYTES_MAX = 10 * 1_024 * 1_024;

const open = (options: RequestOptions, isTls: boolean) =>
  // As upstream: nobody vouches for the certificates of pods.
  isTls ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);

function requestTo(target: ProxyTarget, request: IncomingMessage, more: Record<string, string>) {
  const { host, port, path, isTls } = target;
  const headers = { ...passedHeaders(request), ...more };
  return open({ host, port, path, method: request.method, headers, agent: false }, isTls);
}

function unreachable(error: Error): ApiError {
  return unavailable(`error trying to reach service: ${error.message}`);
}

/** Passes the request on; resolves when the answer has gone. Throws ApiError when there is none. */
export function passToPod(
  target: ProxyTarget,
  prefix: string,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
): Promise<void> {
  const source = `${target.host}:${target.port}`;
  return new Promise((done, fail) => {
    // What is to be rewritten must be readable.
    const outgoing = requestTo(target, request, { 'accept-encoding': 'identity' });
    outgoing.on('response', (answer) => {
      const headers: Record<string, string | string[]> = {};
      for (const [name, value] of Object.entries(answer.headers)) {
        if (value !== undefined && !hop.has(name)) headers[name] = value;
      }
      const { location } = answer.headers;
      if (location !== undefined) headers['location'] = rewriteLink(location, prefix, source);
      response.on('close', () => {
        outgoing.destroy();
        done();
      });
      answer.on('error', () => response.destroy());
      const status = answer.statusCode ?? 502;
      const isHtml = String(answer.headers['content-type'] ?? '').startsWith('text/html');
      if (!isHtml) {
        response.writeHead(status, headers);
        response.flushHeaders();
        answer.pipe(response);
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > HTML_BYTES_MAX) response.destroy();
        else chunks.push(chunk);
      });
      answer.on('end', () => {
        const html = rewriteHtml(Buffer.concat(chunks).toString(), prefix, source);
        response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(html) });
        response.end(html);
      });
    });
    outgoing.on('error', (error) => {
      if (response.headersSent) response.destroy();
      else fail(unreachable(error));
    });
    request.pipe(outgoing);
  });
}

/** Websockets and the like: after the 101 only bytes are passed. */
export function upgradeToPod(
  target: ProxyTarget,
  { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
): Promise<void> {
  return new Promise((done, fail) => {
    const upgrade = String(request.headers.upgrade ?? '');
    const outgoing = requestTo(target, request, { connection: 'Upgrade', upgrade });
    outgoing.on('error', (error) => fail(unreachable(error)));
    outgoing.on('response', (answer) => {
      answer.resume();
      fail(new ApiError(answer.statusCode ?? 502, '', 'the upgrade was refused', {}));
    });
    outgoing.on('upgrade', (answer, remote, rest: Buffer) => {
      const raw = answer.rawHeaders;
      const lines = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1]}`] : []));
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
      if (rest.length > 0) socket.write(rest);
      if (head.length > 0) remote.write(head);
      socket.pipe(remote).pipe(socket);
      for (const [from, to] of [
        [socket, remote],
        [remote, socket],
      ] as const) {
        from.on('close', () => to.destroy());
        from.on('error', () => to.destroy());
      }
      done();
    });
    outgoing.end();
  });
}
