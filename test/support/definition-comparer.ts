// Puts definitions of custom resources, and objects of theirs, before two API servers and compares what they answer
// and what they show for them.
import { setTimeout as pause } from 'node:timers/promises';
import { senderTo, type Target } from './kube-sender.ts';

type Json = Record<string, unknown>;

export interface Manifest extends Json {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name?: string; readonly namespace?: string };
}

/** Where two answers differ: a path in them, and what each has there. */
export interface Difference {
  readonly at: string;
  readonly real: unknown;
  readonly own: unknown;
}

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
/** What a server draws by itself. */
const drawn = new Set([
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'time',
  'lastTransitionTime',
]);

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTyped = (all: readonly unknown[]): all is readonly Json[] =>
  all.every((one) => isObject(one) && typeof one['type'] === 'string');

const byType = (all: readonly Json[]): readonly Json[] =>
  all.toSorted((a, b) => (String(a['type']) < String(b['type']) ? -1 : 1));

export function differences(real: unknown, own: unknown, at = ''): Difference[] {
  if (Array.isArray(real) && Array.isArray(own) && real.length === own.length) {
    // Of upstream's controllers each puts its condition behind those that are there, whoever comes first.
    if (at.endsWith('.conditions') && isTyped(real) && isTyped(own)) {
      return byType(real).flatMap((one, index) =>
        differences(one, byType(own)[index], `${at}[${index}]`),
      );
    }
    return real.flatMap((one, index) => differences(one, own[index], `${at}[${index}]`));
  }
  if (isObject(real) && isObject(own)) {
    const names = new Set([...Object.keys(real), ...Object.keys(own)]);
    return [...names]
      .filter((name) => !drawn.has(name))
      .flatMap((name) => differences(real[name], own[name], `${at}.${name}`));
  }
  return comparable(real) === comparable(own) ? [] : [{ at, real, own }];
}

/** Of several fields that a schema has not, upstream tells any one. */
const comparable = (value: unknown): string | undefined =>
  JSON.stringify(value)?.replaceAll(/\.[\w.]+: field not declared/g, 'field not declared');

interface Answer {
  readonly status: number;
  readonly warnings: string;
  readonly body: unknown;
}

async function ask(
  target: Target,
  { method, path, body, type }: { method: string; path: string; body?: unknown; type?: string },
): Promise<Answer> {
  const { status, headers, bytes } = await senderTo(target)({
    method,
    path,
    headers: { 'content-type': type ?? 'application/json', 'user-agent': 'compare' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = bytes.toString();
  const isJson = text.startsWith('{') || text.startsWith('[');
  const warnings = String(headers['warning'] ?? '');
  return { status, warnings, body: isJson ? inOrder(JSON.parse(text)) : text };
}

/** Upstream goes over fields in another order each time: several causes come in any. */
function inOrder(body: unknown): unknown {
  const details = isObject(body) ? body['details'] : undefined;
  const causes = isObject(details) ? details['causes'] : undefined;
  if (!Array.isArray(causes) || causes.length < 2) return body;
  const sorted = causes.map((one) => JSON.stringify(one)).toSorted();
  const message = String((body as Json)['message']).replace(/\[.*\]/s, `[${causes.length}]`);
  return {
    ...(body as Json),
    message,
    details: { ...(details as Json), causes: sorted.map((one) => JSON.parse(one) as unknown) },
  };
}

const isEstablished = ({ body }: Answer): boolean => {
  const conditions = ((body as Json)['status'] as Json | undefined)?.['conditions'];
  return ((conditions ?? []) as Json[]).some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );
};

export class DefinitionComparer {
  readonly #targets: readonly [real: Target, own: Target];
  /** Of each kind its plural and whether it is in namespaces: by `group/kind`. */
  readonly #kinds = new Map<string, { readonly plural: string; readonly namespaced: boolean }>();

  constructor(real: Target, own: Target) {
    this.#targets = [real, own];
  }

  async #both(request: Parameters<typeof ask>[1]): Promise<[Answer, Answer]> {
    const [real, own] = this.#targets;
    return [await ask(real, request), await ask(own, request)];
  }

  /** Created, established, applied on the server's side, and looked at. */
  async definition(definition: Manifest): Promise<Difference[]> {
    const { name = '' } = definition.metadata;
    const spec = (definition['spec'] ?? {}) as Json;
    const { plural = '', kind = '' } = (spec['names'] ?? {}) as Record<string, string>;
    this.#kinds.set(`${String(spec['group'])}/${kind}`, {
      plural,
      namespaced: spec['scope'] === 'Namespaced',
    });
    const created = await this.#both({ method: 'POST', path: DEFINITIONS, body: definition });
    const found = differences(...created, `${name} created`);
    if (created.some(({ status }) => status !== 201)) return found;
    const path = `${DEFINITIONS}/${name}`;
    for (const target of this.#targets) {
      while (!isEstablished(await ask(target, { method: 'GET', path }))) await pause(20);
    }
    const settled = await this.#both({ method: 'GET', path });
    const { status: _status, ...applied } = definition;
    const type = 'application/apply-patch+yaml';
    const apply = `${path}?fieldManager=compare&force=true`;
    const again = await this.#both({ method: 'PATCH', path: apply, body: applied, type });
    return [
      ...found,
      ...differences(...settled, `${name} settled`),
      ...differences(...again, `${name} applied`),
    ];
  }

  /** Discovery and OpenAPI of a group and version. */
  async shown(group: string, version: string): Promise<Difference[]> {
    const at = `${group}/${version}`;
    const path = `/apis/${at}`;
    const listed = (await this.#both({ method: 'GET', path })).map(sorted);
    const documents = await this.#documents(`/openapi/v3${path}`);
    const [real = {}, own = {}] = documents.map(documentOf);
    return [
      ...differences(listed[0], listed[1], `${at} discovery`),
      ...differences(real, own, `${at} OpenAPI`),
    ];
  }

  /** Upstream publishes within a second. */
  async #documents(path: string): Promise<Json[]> {
    const documents: Json[] = [];
    for (const target of this.#targets) {
      let answer = await ask(target, { method: 'GET', path });
      for (let tries = 0; answer.status !== 200 && tries < 250; tries++) {
        await pause(20);
        answer = await ask(target, { method: 'GET', path });
      }
      documents.push(answer.body as Json);
    }
    return documents;
  }

  /** The definitions of some groups in OpenAPI v2, once the slower server shows all of them. */
  async published(groups: ReadonlySet<string>): Promise<Difference[]> {
    const wanted = [...this.#kinds.keys()].filter((one) => groups.has(one.split('/')[0] ?? ''));
    const found: Json[] = [];
    for (const target of this.#targets) {
      for (let tries = 0; tries < 50; tries++) {
        const { body } = await ask(target, { method: 'GET', path: '/openapi/v2' });
        const shown = definitionsOf(body as Json, groups);
        const kinds = new Set(Object.values(shown).map(kindOf));
        if (wanted.every((kind) => kinds.has(kind)) || tries === 49) {
          found.push(shown);
          break;
        }
        await pause(200);
      }
    }
    return differences(found[0], found[1], 'OpenAPI v2');
  }

  /** Undefined: of no kind that was defined. */
  async object(object: Manifest): Promise<Difference[] | undefined> {
    const [group = '', version = ''] = object.apiVersion.split('/');
    const kind = this.#kinds.get(`${group}/${object.kind}`);
    if (kind === undefined) return undefined;
    const { metadata } = object;
    const name = metadata.name ?? 'unnamed';
    const place = kind.namespaced ? '/namespaces/default' : '';
    const path = `/apis/${group}/${version}${place}/${kind.plural}`;
    const { namespace: _namespace, ...rest } = metadata;
    const body = { ...object, metadata: { ...rest, name } };
    const at = `${object.kind} ${name}`;
    const created = await this.#both({ method: 'POST', path, body });
    const found = differences(...created, `${at} created`);
    if (created.some(({ status }) => status !== 201)) return found;
    const type = 'application/apply-patch+yaml';
    const apply = `${path}/${name}?fieldManager=compare&force=true`;
    const applied = await this.#both({ method: 'PATCH', path: apply, body, type });
    const read = await this.#both({ method: 'GET', path: `${path}/${name}` });
    const gone = await this.#both({ method: 'DELETE', path: `${path}/${name}` });
    return [
      ...found,
      ...differences(...applied, `${at} applied`),
      ...differences(...read, `${at} read`),
      ...differences(...gone, `${at} deleted`),
    ];
  }
}

const serversFields = new Set(['metadata', 'kind', 'apiVersion']);

/** What the server says of resources within a resource. */
function withoutEmbeddedTexts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmbeddedTexts);
  if (!isObject(value)) return value;
  const isEmbedded = value['x-kubernetes-embedded-resource'] === true;
  const entries = Object.entries(value).map(([key, one]): [string, unknown] => {
    if (!isEmbedded || key !== 'properties') return [key, withoutEmbeddedTexts(one)];
    const fields = Object.entries(one as Record<string, Json>).map(([name, field]) => {
      const { description: _text, allOf, ...others } = field;
      const reference = Array.isArray(allOf) && name === 'metadata' ? (allOf[0] as Json) : {};
      const plain = serversFields.has(name) ? { ...others, ...reference } : field;
      return [name, withoutEmbeddedTexts(plain)];
    });
    return [key, Object.fromEntries(fields)];
  });
  return Object.fromEntries(entries);
}

/** Without the server's own sentences about metadata and lists, which belong to upstream. */
function withoutTexts(schema: Json): Json {
  const isList = JSON.stringify(schema['properties'] ?? {}).includes('apis.meta.v1.ListMeta');
  const { description, properties, ...rest } = schema;
  const fields = Object.entries((properties ?? {}) as Record<string, Json>).map(([name, field]) => {
    const { description: _text, allOf, ...others } = field;
    const reference = Array.isArray(allOf) && name === 'metadata' ? (allOf[0] as Json) : {};
    const isServers = isList || serversFields.has(name);
    return [name, isServers ? { ...others, ...reference } : withoutEmbeddedTexts(field)];
  });
  const own = isList ? {} : { description };
  return { ...rest, ...own, properties: Object.fromEntries(fields) as Json };
}

/** `group/kind` of a definition of a kind. */
function kindOf(definition: unknown): string {
  const [{ group = '', kind = '' } = {}] = ((definition as Json)[
    'x-kubernetes-group-version-kind'
  ] ?? []) as Record<string, string>[];
  return `${group}/${kind}`;
}

function definitionsOf(document: Json, groups: ReadonlySet<string>): Json {
  const all = Object.entries((document['definitions'] ?? {}) as Record<string, Json>);
  return Object.fromEntries(
    all
      .filter(([, one]) => groups.has(kindOf(one).split('/')[0] ?? '') && kindOf(one) !== '/')
      .map(([name, one]) => [name, withoutTexts(one)]),
  );
}

/** Upstream lists custom kinds in any order. */
function sorted({ status, body }: Answer): Json {
  const { resources = [], ...rest } = body as { resources?: { name: string }[] };
  return { status, ...rest, resources: resources.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** Operations, parameters and the types of the server have upstream's words. */
export function wordless(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(wordless);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(
    ([key, one]) => key !== 'description' || typeof one !== 'string',
  );
  return Object.fromEntries(entries.map(([key, one]) => [key, wordless(one)]));
}

export function typesOf(all: unknown): Json {
  const types = Object.entries((all ?? {}) as Record<string, Json>);
  return Object.fromEntries(
    types.map(([name, one]) => {
      const isServers = /^io\.k8s\.(?:apimachinery|api)\./.test(name);
      return [name, isServers ? wordless(one) : withoutTexts(one)];
    }),
  );
}

/** An OpenAPI document but for upstream's words. */
export function documentOf(document: Json): Json {
  const { components, paths, ...head } = document as Record<string, Json>;
  const { schemas, ...others } = (components ?? {}) as Record<string, Json>;
  return { head, others: wordless(others), types: typesOf(schemas), paths: wordless(paths) };
}
