// Connections to pods, services and nodes (exec, attach, port-forward, proxy) as admission sees them: the
// options of the query as an object, which may be refused or changed before anybody is connected.
import type { KubeObject } from '#kube/meta/object.ts';
import { admissionRequestOf } from './admission/write-request.ts';
import { badRequest } from '#kube/meta/status.ts';
import type { RequestInfo } from './request-info.ts';
import type { Resources, WriteContext } from './resources.ts';

type Json = Record<string, unknown>;

const streams = ['stdin', 'stdout', 'stderr', 'tty'] as const;

const proxyKinds: Readonly<Record<string, string>> = {
  pods: 'PodProxyOptions',
  services: 'ServiceProxyOptions',
  nodes: 'NodeProxyOptions',
};

/** As Go reads a boolean of a query: everything that is there but these is true. */
const isTrue = (text: string | null): boolean =>
  text !== null && text !== '0' && text.toLowerCase() !== 'false';

/** What follows `/proxy` in the path; a slash at its end counts, nothing at all is something else. */
function pathOf({ rest, path }: RequestInfo): string {
  const whole = rest === '' ? '' : `/${rest}`;
  return path.endsWith('/') && !whole.endsWith('/') ? `${whole}/` : whole;
}

/** PodExecOptions and its kin, as v1 writes them; undefined for logs, which are read. */
function optionsOf(info: RequestInfo): (Json & { kind: string }) | undefined {
  const { resource, subresource, query } = info;
  const apiVersion = 'v1';
  if (subresource === 'proxy') {
    const path = pathOf(info);
    return { kind: proxyKinds[resource] ?? '', apiVersion, ...(path === '' ? {} : { path }) };
  }
  if (subresource === 'portforward') {
    const ports = query.getAll('ports').flatMap((one) => one.split(','));
    const numbers = ports.map((one) => portOf(one));
    const kind = 'PodPortForwardOptions';
    return { kind, apiVersion, ...(numbers.length === 0 ? {} : { ports: numbers }) };
  }
  if (subresource !== 'exec' && subresource !== 'attach') return undefined;
  const flags = streams.filter((one) => isTrue(query.get(one))).map((one) => [one, true]);
  const container = query.get('container') ?? '';
  const common = {
    ...Object.fromEntries(flags),
    ...(container === '' ? {} : { container }),
  } as Json;
  if (subresource === 'attach') return { kind: 'PodAttachOptions', apiVersion, ...common };
  const command = query.getAll('command');
  const own = { command: command.length === 0 ? null : command };
  return { kind: 'PodExecOptions', apiVersion, ...common, ...own };
}

function portOf(text: string): number {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** The query that says the same as the options. */
function queryOf(options: Json): URLSearchParams {
  const query = new URLSearchParams();
  for (const one of streams) if (options[one] === true) query.set(one, 'true');
  const { container, command, ports } = options;
  if (typeof container === 'string') query.set('container', container);
  for (const one of (command ?? []) as string[]) query.append('command', one);
  for (const one of (ports ?? []) as number[]) query.append('ports', String(one));
  return query;
}

/** Throws ApiError for a refusal. */
export async function admitConnection(
  resources: Resources,
  context: WriteContext,
  info: RequestInfo,
): Promise<RequestInfo> {
  const options = optionsOf(info);
  if (options === undefined) return info;
  // These objects have no metadata; whoever looks for it in a connection finds none.
  const object = options as unknown as KubeObject;
  const before = JSON.stringify(object);
  const request = admissionRequestOf(context, 'CONNECT', object, undefined, info.name ?? '');
  const admitted = (await resources.admitted(context, request)) as unknown as Json;
  if (JSON.stringify(admitted) === before) return info;
  if (info.subresource !== 'proxy') return { ...info, query: queryOf(admitted) };
  return { ...info, rest: String(admitted['path'] ?? '').replace(/^\//, '') };
}
