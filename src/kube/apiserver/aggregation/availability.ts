// Whether the server behind an API service can be used: its service, its endpoints and its discovery are
// looked at, and the condition Available says what was found, in the reasons and words of kube-aggregator
// v0.37 (controllers/status/remote).
import type { KubeObject } from '#kube/meta/object.ts';
import type { ObjectLookup } from '#kube/apiserver/object-lookup.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import { specOf, type Backend } from './backend.ts';
import {
  isReady,
  servicePort,
  slicesOf,
  type SliceEndpoint,
  type SlicePort,
} from '#kube/apiserver/service-endpoints.ts';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime?: string;
}

export type Finding = Omit<Condition, 'type' | 'lastTransitionTime'>;

const no = (reason: string, message: string): Finding => ({ status: 'False', reason, message });

const ATTEMPTS = 5;
const ATTEMPT_MS = 5_000;
const PORT_DEFAULT = 443;

/** Whom extension servers see when this server asks for itself. */
export const aggregatorUser: UserInfo = {
  name: 'system:kube-aggregator',
  uid: '',
  groups: ['system:masters'],
  extra: {},
};

/** What the service and its endpoints already tell; undefined: the server has to be asked. */
async function findingOfService(
  lookup: ObjectLookup,
  apiService: KubeObject,
): Promise<Finding | undefined> {
  const { namespace = '', name = '', port = PORT_DEFAULT } = specOf(apiService).service ?? {};
  const where = `service/${name} in ${JSON.stringify(namespace)}`;
  const service = await lookup.get('', 'services', namespace, name);
  if (service === undefined) return no('ServiceNotFound', `${where} is not present`);
  if ((service['spec']?.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const found = servicePort(service, port);
  if (found === undefined) {
    return no('ServicePortError', `${where} is not listening on port ${port}`);
  }
  const slices = await slicesOf(lookup, { namespace, name, port });
  if (slices.length === 0) {
    return no('EndpointsNotFound', `cannot find endpointslices for ${where}`);
  }
  const portName = found.name ?? '';
  const isUsable = slices.some(
    (slice) =>
      ((slice['endpoints'] ?? []) as SliceEndpoint[]).some(isReady) &&
      ((slice['ports'] ?? []) as SlicePort[]).some(
        (one) => (one.name ?? '') === portName && one.port !== undefined,
      ),
  );
  if (isUsable) return undefined;
  const message = `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`;
  return no('MissingEndpoints', message);
}

/** Why one request for the discovery of the service failed; undefined when it did not. */
async function failureOf(backend: Backend, path: string): Promise<string | undefined> {
  let url = '';
  try {
    const address = await backend.resolve();
    const { host, port } = address;
    url = `https://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
    const answer = await backend.getFrom(address, path, {
      user: aggregatorUser,
      timeoutMs: ATTEMPT_MS,
    });
    if (answer.status >= 200 && answer.status < 300) return undefined;
    return `failing or missing response from ${url}: bad status from ${url}: ${answer.status}`;
  } catch (error) {
    const { message } = error as Error;
    if (url === '') return message;
    return `failing or missing response from ${url}: Get ${JSON.stringify(url)}: ${message}`;
  }
}

export function discoveryPath(apiService: KubeObject): string {
  const { group, version } = specOf(apiService);
  return apiService.metadata.name === 'v1.' ? `/api/${version}` : `/apis/${group}/${version}`;
}

/** One of several attempts is enough: there may be several servers behind the service. */
async function findingOfServer(backend: Backend, path: string): Promise<Finding> {
  const attempts = Array.from({ length: ATTEMPTS }, async () => {
    const failure = await failureOf(backend, path);
    if (failure !== undefined) throw new Error(failure);
  });
  try {
    await Promise.any(attempts);
    return { status: 'True', reason: 'Passed', message: 'all checks passed' };
  } catch (error) {
    const last = (error as AggregateError).errors.at(-1) as Error;
    return no('FailedDiscoveryCheck', last.message);
  }
}

export async function findingOf(
  lookup: ObjectLookup,
  apiService: KubeObject,
  backend: Backend,
): Promise<Finding> {
  return (
    (await findingOfService(lookup, apiService)) ??
    (await findingOfServer(backend, discoveryPath(apiService)))
  );
}

const conditionsOf = (apiService: KubeObject): readonly Condition[] =>
  (apiService['status']?.conditions ?? []) as readonly Condition[];

export function isAvailable(apiService: KubeObject): boolean {
  return conditionsOf(apiService).some(
    ({ type, status }) => type === 'Available' && status === 'True',
  );
}

/** The conditions with the finding in them; undefined when they say it already. */
export function withFinding(
  apiService: KubeObject,
  finding: Finding,
  now: string,
): readonly Condition[] | undefined {
  const all = conditionsOf(apiService);
  const before = all.find(({ type }) => type === 'Available');
  const isSame =
    before !== undefined &&
    before.status === finding.status &&
    before.reason === finding.reason &&
    before.message === finding.message;
  if (isSame) return undefined;
  const lastTransitionTime =
    before?.status === finding.status ? (before.lastTransitionTime ?? now) : now;
  const next: Condition = { type: 'Available', ...finding, lastTransitionTime };
  return before === undefined
    ? [...all, next]
    : all.map((one) => (one.type === 'Available' ? next : one));
}
