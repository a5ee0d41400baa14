// What an extension server says of the resources of one group and version: discovery and OpenAPI, fetched
// when the server has become available and again now and then, so that this server can answer for it.
import type { Json, RemoteVersion } from '#kube/openapi/remote-versions.ts';
import { resourcesOfList } from '#kube/openapi/remote-versions.ts';
import { aggregatorUser } from './availability.ts';
import type { ApiServiceSpec, Backend } from './backend.ts';

const DISCOVERY_MS = 5_000;
const OPENAPI_MS = 60_000;
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

interface GroupDiscovery {
  readonly metadata?: { readonly name?: string };
  readonly versions?: readonly { readonly version: string; readonly resources?: readonly Json[] }[];
}

/** A document and the tag by which its server knows it. */
interface Kept {
  readonly tag: string;
  readonly value: Json;
}

export class RemoteDocuments {
  readonly #spec: ApiServiceSpec;
  readonly #backend: Backend;
  readonly #kept = new Map<string, Kept>();
  #resources: readonly Json[] | undefined;
  #isFresh = false;

  constructor(spec: ApiServiceSpec, backend: Backend) {
    this.#spec = spec;
    this.#backend = backend;
  }

  get version(): RemoteVersion {
    const { group, version, groupPriorityMinimum, versionPriority } = this.#spec;
    return {
      group,
      version,
      priority: { group: groupPriorityMinimum, version: versionPriority },
      resources: this.#isFresh ? (this.#resources ?? []) : undefined,
      isCurrent: this.#isFresh,
    };
  }

  /** OpenAPI v2 of the server, with everything else that it serves. */
  get openApiV2(): Json | undefined {
    return this.#kept.get('/openapi/v2')?.value;
  }

  /** Where the server's own OpenAPI v3 of this version is, with its hash. */
  get openApiV3Url(): string | undefined {
    const { group, version } = this.#spec;
    const paths = this.#kept.get('/openapi/v3')?.value['paths'] as Json | undefined;
    const entry = paths?.[`apis/${group}/${version}`] as { serverRelativeURL?: string } | undefined;
    return entry?.serverRelativeURL;
  }

  /** The server cannot be asked now. */
  expire(): void {
    this.#isFresh = false;
  }

  /** Throws when discovery cannot be had; OpenAPI may be missing. Returns whether anything changed. */
  async refresh(): Promise<boolean> {
    const before = [this.#resources, this.#isFresh, ...this.#kept.values()];
    this.#resources = await this.#discover();
    this.#isFresh = true;
    await Promise.all([
      this.#fetch('/openapi/v2', OPENAPI_MS),
      this.#fetch('/openapi/v3', OPENAPI_MS),
    ]);
    const after = [this.#resources, this.#isFresh, ...this.#kept.values()];
    return after.length !== before.length || after.some((one, i) => one !== before[i]);
  }

  async #discover(): Promise<readonly Json[]> {
    const { group, version } = this.#spec;
    const root = group === '' ? '/api' : '/apis';
    const before = this.#kept.get(root);
    const found = await this.#fetch(root, DISCOVERY_MS, AGGREGATED);
    if (found?.value['kind'] === 'APIGroupDiscoveryList') {
      if (found === before && this.#resources !== undefined) return this.#resources;
      const items = (found.value['items'] ?? []) as readonly GroupDiscovery[];
      const one = items
        .find(({ metadata }) => (metadata?.name ?? '') === group)
        ?.versions?.find((own) => own.version === version);
      return (one?.resources ?? []).map(complete);
    }
    // A server without aggregated discovery.
    const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const list = await this.#fetch(path, DISCOVERY_MS);
    if (list === undefined) throw new Error(`failed to download legacy discovery for ${path}`);
    if (list === before) return this.#resources ?? [];
    return resourcesOfList(list.value, { group, version });
  }

  /** undefined: the server has no such document. Throws when it cannot be asked. */
  async #fetch(
    path: string,
    timeoutMs: number,
    accept = 'application/json',
  ): Promise<Kept | undefined> {
    const before = this.#kept.get(path);
    const tag = before?.tag ?? '';
    const headers = { accept, ...(tag === '' ? {} : { 'if-none-match': tag }) };
    const answer = await this.#backend.get(path, { user: aggregatorUser, timeoutMs, headers });
    if (answer.status === 304 && before !== undefined) return before;
    if (answer.status === 503) throw new Error(`${path}: the service answers with 503`);
    if (answer.status !== 200) return undefined;
    const text = answer.bytes.toString();
    const value = JSON.parse(text) as Json;
    if (
      before !== undefined &&
      tag === '' &&
      JSON.stringify(before.value) === JSON.stringify(value)
    ) {
      return before;
    }
    const kept = { tag: answer.headers.etag ?? '', value };
    this.#kept.set(path, kept);
    return kept;
  }
}

/** Some clients cannot do without the kind of what is answered. */
function complete(resource: Json): Json {
  const subresources = resource['subresources'] as readonly Json[] | undefined;
  const none = { group: '', version: '', kind: '' };
  return {
    ...resource,
    responseKind: resource['responseKind'] ?? none,
    ...(subresources === undefined
      ? {}
      : {
          subresources: subresources.map((sub) => ({
            ...sub,
            responseKind: sub['responseKind'] ?? none,
          })),
        }),
  };
}
