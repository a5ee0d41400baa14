// Discovery documents, in the older form and aggregated (apidiscovery.k8s.io/v2).
import { apiVersionOf } from '#kube/meta/object.ts';
import type { ResourceInfo, ResourceRegistry, SubresourceInfo } from '#kube/meta/resource-info.ts';

/** Groups in the order in which clients prefer them (upstream's group priorities). */
const groupOrder = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'storagemigration.k8s.io',
];

function rank(group: string): number {
  const at = groupOrder.indexOf(group);
  return at < 0 ? groupOrder.length : at;
}

/** Stable before beta before alpha, higher before lower (apimachinery's version priority). */
export function compareVersions(a: string, b: string): number {
  const parse = (text: string): [number, number, number] | undefined => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
    if (match === null) return undefined;
    const stage = match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1;
    return [stage, Number(match[1]), Number(match[3] ?? 0)];
  };
  const [x, y] = [parse(a), parse(b)];
  if (x === undefined || y === undefined) {
    if (x === undefined && y === undefined) return a < b ? -1 : 1;
    return x === undefined ? 1 : -1;
  }
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2];
}

export interface GroupVersions {
  readonly group: string;
  /** The preferred one first. */
  readonly versions: readonly string[];
}

export function groupsOf(registry: ResourceRegistry): GroupVersions[] {
  const versions = new Map<string, Set<string>>();
  for (const { group, version } of registry.all()) {
    versions.set(group, (versions.get(group) ?? new Set()).add(version));
  }
  return [...versions]
    .map(([group, found]) => ({ group, versions: [...found].sort(compareVersions) }))
    .sort((a, b) => rank(a.group) - rank(b.group) || (a.group < b.group ? -1 : 1));
}

function apiGroup({ group, versions }: GroupVersions) {
  const entries = versions.map((version) => ({
    groupVersion: apiVersionOf({ group, version }),
    version,
  }));
  return { name: group, versions: entries, preferredVersion: entries[0] };
}

export function apiVersionsDocument(address: string) {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
  };
}

export function apiGroupListDocument(registry: ResourceRegistry) {
  const groups = groupsOf(registry).filter(({ group }) => group !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) };
}

export function apiGroupDocument(registry: ResourceRegistry, group: string) {
  const found = groupsOf(registry).find((one) => one.group === group && group !== '');
  return found === undefined
    ? undefined
    : { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(found) };
}

export function apiResourceListDocument(
  registry: ResourceRegistry,
  group: string,
  version: string,
) {
  const infos = registry.all().filter((one) => one.group === group && one.version === version);
  if (infos.length === 0) return undefined;
  const resources = infos.flatMap((info) => [
    {
      name: info.resource,
      singularName: info.singular,
      namespaced: info.namespaced,
      kind: info.kind,
      verbs: info.verbs,
      ...(info.shortNames.length === 0 ? {} : { shortNames: info.shortNames }),
      ...(info.categories.length === 0 ? {} : { categories: info.categories }),
    },
    ...info.subresources.map((sub) => ({
      name: `${info.resource}/${sub.name}`,
      singularName: '',
      namespaced: info.namespaced,
      ...(sub.group === group && sub.version === version
        ? {}
        : { group: sub.group, version: sub.version }),
      kind: sub.kind,
      verbs: sub.verbs,
    })),
  ]);
  resources.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf({ group, version }),
    resources,
  };
}

function responseKindOf(info: ResourceInfo, sub: SubresourceInfo) {
  const isOwn = sub.group === info.group && sub.version === info.version;
  return isOwn
    ? { group: '', version: '', kind: sub.kind }
    : { group: sub.group, version: sub.version, kind: sub.kind };
}

function aggregatedResource(info: ResourceInfo) {
  return {
    resource: info.resource,
    // Empty means the group and version that the resource is listed under.
    responseKind: { group: '', version: '', kind: info.kind },
    scope: info.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: info.singular,
    verbs: info.verbs,
    ...(info.shortNames.length === 0 ? {} : { shortNames: info.shortNames }),
    ...(info.categories.length === 0 ? {} : { categories: info.categories }),
    ...(info.subresources.length === 0
      ? {}
      : {
          subresources: info.subresources.map((sub) => ({
            subresource: sub.name,
            responseKind: responseKindOf(info, sub),
            verbs: sub.verbs,
          })),
        }),
  };
}

/** For `/api` (the core group alone) or `/apis` (all others). */
export function aggregatedDocument(registry: ResourceRegistry, which: 'core' | 'groups') {
  const groups = groupsOf(registry).filter(({ group }) => (which === 'core') === (group === ''));
  const items = groups.map(({ group, versions }) => ({
    metadata: group === '' ? {} : { name: group },
    versions: versions.map((version) => ({
      version,
      resources: registry
        .all()
        .filter((one) => one.group === group && one.version === version)
        .map(aggregatedResource)
        .sort((a, b) => (a.resource < b.resource ? -1 : 1)),
      freshness: 'Current',
    })),
  }));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items,
  };
}
