// What every cluster has before its first client comes: namespaces, roles, the service of the API
// server itself. Run at each start; what exists is brought up to date, never duplicated.
import { same } from '#base/same.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { parseApiVersion } from '#kube/meta/object.ts';
import { familyOf } from '#kube/meta/ip-ranges.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { RequestHeaderTrust } from './authentication.ts';
import { bootstrapObjects, bootstrapRoles, componentPolicies } from './bootstrap-policy.ts';
import type { Handler } from './handler.ts';
import { Unreadable } from './unreadable.ts';
import { objectFor } from './object-store.ts';
import type { WriteContext } from './resources.ts';
import { authenticated } from './user.ts';

const AUTO_UPDATE = 'rbac.authorization.kubernetes.io/autoupdate';

const system = authenticated('system:apiserver', ['system:masters']);

export function systemContext(handler: Handler, object: KubeObject): WriteContext {
  const { group, version } = parseApiVersion(object.apiVersion);
  const info = handler.registry.byKind(group, version, object.kind);
  if (info === undefined) throw new Error(`No kind ${object.kind} in ${object.apiVersion}`);
  return {
    info,
    subresource: undefined,
    namespace: object.metadata.namespace,
    user: system,
    fieldManager: 'kube-apiserver',
    fieldValidation: 'Ignore',
    isDryRun: false,
    warnings: [],
  };
}

/**
 * Creates the object, or makes the existing one say what it should; nothing is written where it does. One that cannot
 * be read is left as it is: somebody has to mend it, who needs this server for that.
 */
export async function ensure(
  handler: Handler,
  object: KubeObject,
  update?: (live: KubeObject) => KubeObject,
): Promise<void> {
  try {
    await makeSo(handler, object, update);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const { key, why } = error;
    handler.log.error('An object that this server needs cannot be read', { key, why });
  }
}

async function makeSo(
  handler: Handler,
  object: KubeObject,
  update?: (live: KubeObject) => KubeObject,
): Promise<void> {
  const context = systemContext(handler, object);
  const { name = '' } = object.metadata;
  const existing = await handler.resources.find(context.info, context.namespace, name);
  if (existing === undefined) await handler.resources.create(context, structuredClone(object));
  else if (update !== undefined) {
    const live = objectFor(context.info, existing);
    if (same(update(structuredClone(live)), live)) return;
    await handler.resources.modify(context, name, (live) => update(live));
  }
}

/**
 * Of what is also done later, when it is refused now: a webhook that is broken must not keep the server from
 * its start, or nobody could mend it. Whether it is done.
 */
export async function unlessRefused(
  work: () => Promise<void>,
  told: (error: ApiError) => void,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    told(error);
    return false;
  }
}

/** `ensureDefaults`: see default-objects.ts. */
export async function bootstrap(
  handler: Handler,
  ensureDefaults: () => Promise<void>,
): Promise<void> {
  await handler.adoptEarlierKeys();
  for (const object of bootstrapObjects()) await ensure(handler, object);
  for (const role of bootstrapRoles) {
    // Roles that were changed keep what was added (auto-update only adds).
    await ensure(handler, role, (live) => ({
      ...live,
      rules: merged(live['rules'], role['rules']),
    }));
  }
  await splitDiscovery(handler);
  await Promise.all(componentPolicies.map((one) => ensureComponent(handler, one)));
  await ensureDefaults();
  await ensure(handler, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'kube-apiserver-legacy-service-account-token-tracking',
      namespace: 'kube-system',
    },
    // Whoever wants to do away with tokens in secrets sees since when their use could have been noted.
    data: { since: handler.now().slice(0, 10) },
  });
  handler.reached('objects');
  await handler.addresses.adopt();
  handler.reached('addresses');
  await handler.loadDefinitions();
}

/** Clusters of before v1.14 said in one binding who may ask for discovery and who for health and version. */
async function splitDiscovery(handler: Handler): Promise<void> {
  const preset = componentPolicies.find(
    ({ kind, metadata }) =>
      kind === 'ClusterRoleBinding' && metadata.name === 'system:public-info-viewer',
  );
  if (preset === undefined) return;
  const bindings = ['rbac.authorization.k8s.io', 'clusterrolebindings', undefined] as const;
  const whole = await handler.resources.get(...bindings, 'system:discovery');
  if (whole === undefined) return;
  const { labels, annotations } = whole.metadata;
  await ensure(handler, {
    ...preset,
    metadata: {
      name: 'system:public-info-viewer',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    ...(whole['subjects'] === undefined ? {} : { subjects: whole['subjects'] }),
  });
}

/** Roles and bindings of components keep what was added to them. */
async function ensureComponent(handler: Handler, one: KubeObject): Promise<void> {
  const field = one.kind.endsWith('Binding') ? 'subjects' : 'rules';
  await ensure(handler, one, (live) => {
    if (live.metadata.annotations?.[AUTO_UPDATE] === 'false') return live;
    // Earlier versions had no node authorizer.
    const isNodes = one.kind === 'ClusterRoleBinding' && one.metadata.name === 'system:node';
    if (isNodes) return { ...live, subjects: withoutNodes(live['subjects']) };
    const { aggregationRule } = one;
    const aggregation = aggregationRule === undefined ? {} : { aggregationRule };
    const labels = { ...live.metadata.labels, ...one.metadata.labels };
    const metadata = { ...live.metadata, labels };
    const isSame = one[field] === undefined;
    return {
      ...live,
      ...aggregation,
      metadata,
      ...(isSame ? {} : { [field]: merged(live[field], one[field]) }),
    };
  });
}

function withoutNodes(subjects: unknown): unknown[] {
  const all = (subjects ?? []) as { kind: string; name: string }[];
  return all.filter((one) => one.kind !== 'Group' || one.name !== 'system:nodes');
}

/** The endpoints of the API servers themselves, under the service `default/kubernetes`. */
export async function publishEndpoints(
  handler: Handler,
  hosts: readonly string[],
  port: number,
): Promise<void> {
  const name = 'kubernetes';
  const namespace = 'default';
  const labels = { 'kubernetes.io/service-name': name };
  // Servers may have changed to the other family one after the other: a slice is of one.
  const isSix = hosts.length > 0 && hosts.every((host) => familyOf(host) === 'IPv6');
  const addressType = isSix ? 'IPv6' : 'IPv4';
  const endpoints = hosts
    .filter((host) => familyOf(host) === addressType)
    .map((host) => ({ addresses: [host], conditions: { ready: true } }));
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  const slice: KubeObject = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels },
    addressType,
    endpoints,
    ports,
  };
  const context = systemContext(handler, slice);
  const { resources } = handler;
  const earlier = await resources.find(context.info, namespace, name);
  if (earlier !== undefined && objectFor(context.info, earlier)['addressType'] !== addressType) {
    await resources.delete(context, name, {});
  }
  await ensure(handler, slice, (live) => ({ ...live, endpoints, ports }));
  const subsets = hosts.length === 0 ? [] : [{ addresses: hosts.map((ip) => ({ ip })), ports }];
  const whole: KubeObject = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    // Its slice is the one above.
    metadata: { name, namespace, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets,
  };
  await ensure(handler, whole, (live) => ({
    ...live,
    metadata: {
      ...live.metadata,
      labels: { ...live.metadata.labels, ...whole.metadata.labels },
    },
    subsets,
  }));
}

/** What extension servers need to know of authentication here, where they look for it. */
export async function publishAuthentication(
  handler: Handler,
  { clientCa, requestHeader }: { clientCa: string; requestHeader: RequestHeaderTrust },
): Promise<void> {
  const data = {
    'client-ca-file': clientCa,
    'requestheader-allowed-names': JSON.stringify(requestHeader.allowedNames),
    'requestheader-client-ca-file': requestHeader.caCert,
    'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
    'requestheader-uid-headers': '["X-Remote-Uid"]',
    'requestheader-username-headers': '["X-Remote-User"]',
  };
  const map: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data,
  };
  await ensure(handler, map, (live) => ({ ...live, data }));
}

function merged(live: unknown, wanted: unknown): unknown[] {
  const have = Array.isArray(live) ? live : [];
  const texts = new Set(have.map((one) => JSON.stringify(one)));
  const missing = (Array.isArray(wanted) ? wanted : []).filter(
    (one) => !texts.has(JSON.stringify(one)),
  );
  return [...have, ...missing];
}
