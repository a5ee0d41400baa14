// Discovery documents, in the older form and aggregated (apidiscovery.k8s.io/v2).
import { createHash } from 'node:crypto';
import { apiVersionOf } from '#kube/meta/object.ts';
import type { ResourceInfo, ResourceRegistry } from '#kube/meta/resource-info.ts';
import { priorityOf, type Priority } from './priorities.ts';
import type { RemoteVersion } from './remote-versions.ts';

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

/** What other servers serve, and how all of it is ordered. */
export interface OtherVersions {
  readonly remotes: readonly RemoteVersion[];
  priorityOf(group: string, version: string): Priority;
}

const none: OtherVersions = { remotes: [], priorityOf };

export interface GroupVersions {
  readonly group: string;
  /** The preferred one first. */
  readonly versions: readonly string[];
}

interface Ranked {
  readonly group: string;
  readonly version: string;
  readonly priority: Priority;
}

const nameOf = ({ group, version }: Ranked): string => `${version}.${group}`;

/** Of versions of one priority that which is named first: `v1.apps`. */
const byVersion = (a: Ranked, b: Ranked): number => (nameOf(a) < nameOf(b) ? -1 : 1);
/** Aggregated discovery does not look at versions there. */
const byGroup = (a: Ranked, b: Ranked): number => (a.group < b.group ? -1 : 1);

/** Groups by the highest priority of their versions, then by name (v1/helper of kube-aggregator v0.37). */
export function groupsOf(
  registry: ResourceRegistry,
  others: OtherVersions = none,
  byName = byVersion,
): GroupVersions[] {
  const all = new Map<string, Ranked>();
  for (const one of [...registry.all(), ...others.remotes]) {
    const { group, version } = one;
    const key = `${group}/${version}`;
    if (all.has(key)) continue;
    all.set(key, { group, version, priority: others.priorityOf(group, version) });
  }
  const ranked = [...all.values()].sort(
    (a, b) => b.priority.group - a.priority.group || byName(a, b),
  );
  return [...new Set(ranked.map(({ group }) => group))].map((group) => {
    const versions = ranked
      .filter((one) => one.group === group)
      .sort(
        (a, b) => b.priority.version - a.priority.version || compareVersions(a.version, b.version),
      );
    return { group, versions: versions.map(({ version }) => version) };
  });
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

export function apiGroupListDocument(registry: ResourceRegistry, others: OtherVersions = none) {
  const groups = groupsOf(registry, others).filter(({ group }) => group !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) };
}

export function apiGroupDocument(
  registry: ResourceRegistry,
  group: string,
  others: OtherVersions = none,
) {
  const found = groupsOf(registry, others).find((one) => one.group === group && group !== '');
  return found === undefined
    ? undefined
    : { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(found) };
}

/**
 * By which clients see that objects are stored in another version than before; what is not stored has none, nor has a
 * custom kind while the version that is stored is not served.
 */
function storageVersionHash(registry: ResourceRegistry, info: ResourceInfo) {
  const { group, storageVersion, resource, kind, verbs, customResourceDefinition } = info;
  if (!verbs.includes('list') || kind === 'ComponentStatus') return {};
  const stored = registry.byResource(group, storageVersion, resource);
  if (customResourceDefinition !== undefined && stored === undefined) return {};
  // Events of both groups are stored as those of the older one.
  const text = `${kind === 'Event' && group === 'events.k8s.io' ? '' : group}/${storageVersion}/${kind}`;
  const hash = createHash('sha256').update(text).digest().subarray(0, 8);
  return { storageVersionHash: hash.toString('base64') };
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
      verbs: verbsOf(info),
      ...(info.shortNames.length === 0 ? {} : { shortNames: info.shortNames }),
      ...(info.categories.length === 0 ? {} : { categories: info.categories }),
      ...storageVersionHash(registry, info),
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
  // What is below a custom kind comes as it is declared: the status first.
  const isCustom = infos.every((one) => one.customResourceDefinition !== undefined);
  const placeOf = ({ name }: { readonly name: string }): string =>
    isCustom ? (name.split('/')[0] ?? '') : name;
  resources.sort((a, b) => {
    const [x, y] = [placeOf(a), placeOf(b)];
    return x === y ? 0 : x < y ? -1 : 1;
  });
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf({ group, version }),
    resources,
  };
}

const changing = new Set(['create', 'patch', 'update']);

/** Of a custom kind whose definition goes what changes objects is not told, although they are still changed. */
function verbsOf({ verbs, isGoing }: ResourceInfo): readonly string[] {
  return isGoing === true ? verbs.filter((verb) => !changing.has(verb)) : verbs;
}

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Of built-in kinds, empty means the group and version that the resource is listed under. */
function responseKindOf(info: ResourceInfo, { group, version, kind }: Kind): Kind {
  const isOwn = group === info.group && version === info.version;
  return isOwn && info.customResourceDefinition === undefined
    ? { group: '', version: '', kind }
    : { group, version, kind };
}

function aggregatedResource(info: ResourceInfo) {
  return {
    resource: info.resource,
    responseKind: responseKindOf(info, info),
    scope: info.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: info.singular,
    verbs: verbsOf(info),
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

function aggregatedRemote({ version, resources, isCurrent }: RemoteVersion) {
  const known = resources === undefined || resources.length === 0 ? {} : { resources };
  return { version, ...known, freshness: isCurrent ? 'Current' : 'Stale' };
}

/** For `/api` (the core group alone) or `/apis` (all others). */
export function aggregatedDocument(
  registry: ResourceRegistry,
  which: 'core' | 'groups',
  others: OtherVersions = none,
) {
  const isWanted = ({ group }: GroupVersions): boolean => (which === 'core') === (group === '');
  const groups = groupsOf(registry, others, byGroup).filter(isWanted);
  const remotes = new Map(others.remotes.map((one) => [`${one.group}/${one.version}`, one]));
  const items = groups.map(({ group, versions }) => ({
    metadata: group === '' ? {} : { name: group },
    versions: versions.map((version) => {
      const remote = remotes.get(`${group}/${version}`);
      if (remote !== undefined) return aggregatedRemote(remote);
      const resources = registry
        .all()
        .filter((one) => one.group === group && one.version === version)
        .map(aggregatedResource)
        .sort((a, b) => (a.resource < b.resource ? -1 : 1));
      return { version, resources, freshness: 'Current' };
    }),
  }));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items,
  };
}
