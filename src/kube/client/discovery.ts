// What resources the server has, by the aggregated discovery documents; by the older ones where a server
// has no others.
import { ApiError } from '#kube/meta/status.ts';
import type { GroupVersionResource } from '#kube/meta/object.ts';
import type { KubeClient } from './client.ts';

export interface DiscoveredResource extends GroupVersionResource {
  readonly kind: string;
  /** When the server tells it. */
  readonly singular?: string | undefined;
  readonly isNamespaced: boolean;
  readonly verbs: readonly string[];
}

interface AggregatedList {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly {
      readonly version: string;
      readonly resources?: readonly {
        readonly resource: string;
        readonly singularResource?: string;
        readonly responseKind?: { readonly kind: string };
        readonly scope: string;
        readonly verbs: readonly string[];
      }[];
    }[];
  }[];
}

interface ApiResourceList {
  readonly resources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs: readonly string[];
  }[];
}

const accept =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

async function document(client: KubeClient, path: string): Promise<unknown> {
  return JSON.parse((await client.request({ method: 'GET', path, accept })).text);
}

/** Each resource once, in the version that its group prefers. */
export async function discover(client: KubeClient): Promise<readonly DiscoveredResource[]> {
  const seen = new Set<string>();
  return (await discoverVersions(client)).filter(({ group, resource }) => {
    const key = `${group}/${resource}`;
    return !seen.has(key) && seen.add(key);
  });
}

/** Each resource in each version of its group (of older servers: in the first), those first that the group prefers. */
export async function discoverVersions(client: KubeClient): Promise<readonly DiscoveredResource[]> {
  const found: DiscoveredResource[] = [];
  for (const path of ['/api', '/apis']) {
    const answer = await document(client, path);
    if ((answer as { kind?: string }).kind === 'APIGroupDiscoveryList') {
      found.push(...fromAggregated(answer as AggregatedList));
    } else {
      found.push(...(await fromGroups(client, path, answer)));
    }
  }
  return found;
}

function fromAggregated(list: AggregatedList): DiscoveredResource[] {
  const found: DiscoveredResource[] = [];
  for (const { metadata, versions = [] } of list.items ?? []) {
    const group = metadata?.name ?? '';
    for (const { version, resources = [] } of versions) {
      for (const {
        resource,
        singularResource: singular,
        responseKind,
        scope,
        verbs,
      } of resources) {
        const kind = responseKind?.kind ?? '';
        const isNamespaced = scope === 'Namespaced';
        found.push({ group, version, resource, singular, kind, isNamespaced, verbs });
      }
    }
  }
  return found;
}

async function fromGroups(
  client: KubeClient,
  path: string,
  answer: unknown,
): Promise<DiscoveredResource[]> {
  const groups =
    path === '/api'
      ? [{ group: '', version: 'v1' }]
      : (
          (answer as { groups?: { name: string; preferredVersion: { version: string } }[] })
            .groups ?? []
        ).map(({ name, preferredVersion }) => ({ group: name, version: preferredVersion.version }));
  const found: DiscoveredResource[] = [];
  for (const { group, version } of groups) {
    const at = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    try {
      const { resources } = (await document(client, at)) as ApiResourceList;
      for (const { name, kind, namespaced, verbs } of resources) {
        if (name.includes('/')) continue;
        found.push({ group, version, resource: name, kind, isNamespaced: namespaced, verbs });
      }
    } catch (error) {
      // A group that went between the two questions.
      if (!(error instanceof ApiError)) throw error;
    }
  }
  return found;
}
