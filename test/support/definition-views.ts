// All that an API server shows of the custom resources of some groups: discovery in both forms, OpenAPI v2 and v3,
// tables of what is listed; and which of the documents are new when a definition has changed.
import { senderTo, type RawAnswer, type Target } from './kube-sender.ts';
import { documentOf, typesOf, wordless } from './definition-comparer.ts';

type Json = Record<string, unknown>;

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const TABLE = 'application/json;as=Table;g=meta.k8s.io;v=v1';

export interface View {
  readonly shown: Json;
  /** By the path of a document, what changes with it. */
  readonly tags: ReadonlyMap<string, string>;
}

export class DefinitionViewer {
  readonly #send: ReturnType<typeof senderTo>;
  readonly #groups: readonly string[];
  /** Large documents, while they are the same. */
  readonly #kept = new Map<string, Json>();

  constructor(target: Target, groups: readonly string[]) {
    this.#send = senderTo(target);
    this.#groups = groups;
  }

  async #get(path: string, accept = 'application/json'): Promise<RawAnswer> {
    return await this.#send({ method: 'GET', path, headers: { accept, 'user-agent': 'view' } });
  }

  async #json(path: string, accept?: string): Promise<Json> {
    const { status, bytes, headers } = await this.#get(path, accept);
    const text = bytes.toString();
    const body: unknown = text.startsWith('{') ? JSON.parse(text) : text;
    const warning = headers['warning'] === undefined ? {} : { warning: headers['warning'] };
    return { status, body, ...warning };
  }

  async #keep(tag: string, make: () => Json | Promise<Json>): Promise<Json> {
    const found = this.#kept.get(tag) ?? (await make());
    this.#kept.set(tag, found);
    return found;
  }

  #isOwn(path: string): boolean {
    return this.#groups.some((group) => path.includes(`apis/${group}`));
  }

  async view(): Promise<View> {
    const tags = new Map<string, string>();
    const shown: Json = {};
    const v3 = (await this.#json('/openapi/v3'))['body'] as {
      paths: Record<string, { serverRelativeURL: string }>;
    };
    for (const [path, { serverRelativeURL }] of Object.entries(v3.paths)) {
      tags.set(path, serverRelativeURL.split('hash=')[1] ?? '');
      if (!this.#isOwn(path)) continue;
      const { body } = await this.#keep(serverRelativeURL, () => this.#json(serverRelativeURL));
      shown[`v3 ${path}`] = documentOf(body as Json);
    }
    await this.#openApiV2(shown, tags);
    const served = await this.#discovery(shown, tags);
    // Upstream keeps the document of a version that is no more served until its definition goes, or it is started anew.
    for (const path of tags.keys()) {
      if (!this.#isOwn(path) || served.has(path)) continue;
      tags.delete(path);
      delete shown[`v3 ${path}`];
    }
    return { shown, tags };
  }

  async #openApiV2(shown: Json, tags: Map<string, string>): Promise<void> {
    const { headers, bytes } = await this.#get('/openapi/v2');
    const tag = String(headers['etag']);
    tags.set('v2', tag);
    const document = await this.#keep(tag, () => JSON.parse(bytes.toString()) as Json);
    const { paths, definitions } = document as Record<string, Json>;
    const ownPaths = Object.entries(paths ?? {}).filter(([path]) => this.#isOwn(path));
    const prefixes = this.#groups.map((group) => `${group.split('.').toReversed().join('.')}.`);
    const ownTypes = Object.entries(definitions ?? {}).filter(([name]) =>
      prefixes.some((prefix) => name.startsWith(prefix)),
    );
    shown['v2 paths'] = wordless(Object.fromEntries(ownPaths));
    shown['v2 types'] = typesOf(Object.fromEntries(ownTypes));
    shown['v2 number'] = [Object.keys(paths ?? {}).length, Object.keys(definitions ?? {}).length];
  }

  /** Gives the names that documents of what is served have. */
  async #discovery(shown: Json, tags: Map<string, string>): Promise<ReadonlySet<string>> {
    const served = new Set<string>();
    const groups = (await this.#json('/apis'))['body'] as { groups: { name: string }[] };
    shown['groups'] = groups.groups.filter(({ name }) => this.#groups.includes(name));
    const { headers, bytes } = await this.#get('/apis', AGGREGATED);
    tags.set('/apis', String(headers['etag']));
    const { items } = JSON.parse(bytes.toString()) as {
      items: { metadata: { name?: string }; versions: { version: string; resources?: Json[] }[] }[];
    };
    const own = items.filter(({ metadata }) => this.#groups.includes(metadata.name ?? ''));
    shown['aggregated'] = own.map(({ metadata: { name }, versions }) => ({
      name,
      versions: versions.map((one) => ({ ...one, resources: byName(one.resources, 'resource') })),
    }));
    for (const { metadata, versions } of own) {
      const group = `/apis/${metadata.name}`;
      shown[group] = await this.#json(group);
      for (const { version, resources = [] } of versions) {
        served.add(`apis/${metadata.name}/${version}`);
        const listed = await this.#json(`${group}/${version}`);
        const body = listed['body'] as { resources?: Json[] };
        shown[`${group}/${version}`] = {
          ...listed,
          body: { ...body, resources: byName(body.resources, 'name') },
        };
        for (const { resource } of resources) {
          const path = `${group}/${version}/${String(resource)}`;
          const table = await this.#json(path, TABLE);
          shown[`table ${path}`] = tableOf(table);
        }
      }
    }
    return served;
  }
}

/** Upstream lists the kinds of a version in any order. */
const byName = (all: Json[] = [], field: string): Json[] =>
  all.toSorted((a, b) => (String(a[field]) < String(b[field]) ? -1 : 1));

const AGE = /^(\d+[smhdy])+$/;
/** Of the name and of the age that is shown where a version has no columns: upstream's words. */
const isServers = (description: unknown): boolean =>
  /^(CreationTimestamp|Name) /.test(String(description));

/** Without what a server draws. */
function tableOf({ body, ...rest }: Json): Json {
  const { columnDefinitions = [], rows = [] } = body as {
    columnDefinitions?: Json[];
    rows?: { cells: unknown[] }[];
  };
  const columns = columnDefinitions.map((column) =>
    isServers(column['description']) ? { ...column, description: '' } : column,
  );
  const cells = rows.map((row) =>
    row.cells.map((cell) => (AGE.test(String(cell)) ? 'an age' : cell)),
  );
  return { ...rest, columns, rows: cells };
}

/** Documents that are new, gone or other than before. */
export function changedTags(before: View['tags'], after: View['tags']): string[] {
  const all = new Set([...before.keys(), ...after.keys()]);
  return [...all].filter((path) => before.get(path) !== after.get(path)).toSorted();
}
