// Makes src/kube/types/generated/table.json, the compact table of all built-in Kubernetes types and
// resources, out of the Go modules of Kubernetes (the OpenAPI v3 and discovery documents inside them).
// Needs Go and its module proxy; the table is committed, descriptions are not part of it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readGoFacts } from './kube-go-facts.ts';
import { flat, reachableMessages, readProtobuf } from './kube-protobuf-table.ts';

const VERSION = 'v1.37.2';
const target = join(import.meta.dirname, '../src/kube/types/generated/table.json');

type Json = Record<string, unknown>;

/** Written as text where one word says all: `s`, `b`, `i32`, `@Ref`. */
type Node = string | Json;

function moduleFolder(module: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'strata-types-'));
  try {
    writeFileSync(join(folder, 'go.mod'), 'module types\n\ngo 1.24\n');
    const answer = execFileSync('go', ['mod', 'download', '-json', module], { cwd: folder });
    return (JSON.parse(answer.toString()) as { Dir: string }).Dir;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
/** Named types that are a scalar, or anything, on the wire. */
const scalars: Readonly<Record<string, string>> = {
  [`${meta}.Time`]: 'time',
  [`${meta}.MicroTime`]: 'microtime',
  [`${meta}.Duration`]: 'duration',
  [`${meta}.FieldsV1`]: 'raw',
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intstr',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'raw',
};

function refOf(schema: Json): string | undefined {
  const direct = schema['$ref'];
  const inAll = (schema['allOf'] as Json[] | undefined)?.[0]?.['$ref'];
  const ref = typeof direct === 'string' ? direct : typeof inAll === 'string' ? inAll : undefined;
  return ref?.split('/').at(-1);
}

function base(schema: Json): Node {
  const ref = refOf(schema);
  if (ref !== undefined) return scalars[ref] ?? `@${ref}`;
  const { type, format } = schema;
  if (type === 'string') return format === 'byte' ? 'bytes' : 's';
  if (type === 'boolean') return 'b';
  if (type === 'integer') return format === 'int64' ? 'i64' : 'i32';
  if (type === 'number') return 'n';
  if (type === 'array') return { t: 'a', i: node((schema['items'] ?? {}) as Json) };
  if (type === 'object' && schema['additionalProperties'] !== undefined) {
    return { t: 'm', v: node(schema['additionalProperties'] as Json) };
  }
  return 'raw';
}

function node(schema: Json): Node {
  const simple = base(schema);
  const extra: Json = {};
  const copy = (from: string, to: string): void => {
    if (schema[from] !== undefined) extra[to] = schema[from];
  };
  copy('x-kubernetes-list-type', 'lt');
  copy('x-kubernetes-list-map-keys', 'lk');
  copy('x-kubernetes-map-type', 'mt');
  copy('x-kubernetes-patch-strategy', 'ps');
  copy('x-kubernetes-patch-merge-key', 'pk');
  copy('enum', 'e');
  const value = schema['default'];
  const isTrivial = value === '' || value === 0 || value === false;
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  // The generator of OpenAPI writes the zero value of each Go type as a default; those mean nothing.
  if (value !== undefined && !isTrivial && !isEmpty) extra['d'] = value;
  // An empty default marks a struct that is not a pointer: it is there even when nobody wrote it.
  if (isEmpty) extra['z'] = true;
  if (Object.keys(extra).length === 0) return simple;
  return typeof simple === 'string' ? { t: simple, ...extra } : { ...simple, ...extra };
}

function definition(schema: Json): Json {
  const properties = (schema['properties'] ?? {}) as Record<string, Json>;
  const out: Json = {
    p: Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, node(one)])),
  };
  if (schema['required'] !== undefined) out['q'] = schema['required'];
  if (schema['x-kubernetes-map-type'] !== undefined) out['mt'] = schema['x-kubernetes-map-type'];
  const unions = schema['x-kubernetes-unions'];
  if (unions !== undefined) out['u'] = unions;
  if (schema['properties'] === undefined) out['raw'] = true;
  return out;
}

/** Also a list or a map of scalars. */
function isScalar(one: Node): boolean {
  const word = typeof one === 'string' ? one : one['t'];
  if (word === 'a') return isScalar((one as Json)['i'] as Node);
  if (word === 'm') return isScalar((one as Json)['v'] as Node);
  return ['s', 'b', 'i32', 'i64'].includes(String(word));
}

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

function readSchemas(folder: string): { types: Record<string, Json>; kinds: Map<string, string> } {
  const types: Record<string, Json> = {};
  const kinds = new Map<string, string>();
  for (const name of readdirSync(folder).toSorted()) {
    const document = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
      components?: { schemas?: Record<string, Json> };
    };
    for (const [full, schema] of Object.entries(document.components?.schemas ?? {})) {
      if (scalars[full] !== undefined) continue;
      types[full] ??= definition(schema);
      const gvks = (schema['x-kubernetes-group-version-kind'] ?? []) as GroupVersionKind[];
      if (gvks.length > 4) continue;
      for (const { group, version, kind } of gvks) kinds.set(`${group}/${version}/${kind}`, full);
    }
  }
  return { types, kinds };
}

interface AggregatedResource {
  readonly resource: string;
  readonly responseKind: GroupVersionKind;
  readonly scope: string;
  readonly singularResource: string;
  readonly verbs: string[];
  readonly shortNames?: string[];
  readonly categories?: string[];
  readonly subresources?: {
    subresource: string;
    responseKind: GroupVersionKind;
    verbs: string[];
  }[];
}

interface Aggregated {
  readonly items: {
    metadata?: { name?: string };
    versions: { version: string; resources?: AggregatedResource[] }[];
  }[];
}

function readResources(path: string, kinds: ReadonlyMap<string, string>): Json[] {
  const document = JSON.parse(readFileSync(path, 'utf8')) as Aggregated;
  const found: Json[] = [];
  for (const item of document.items) {
    const group = item.metadata?.name ?? '';
    for (const { version, resources = [] } of item.versions) {
      // Only generally available versions are on by default in this release.
      if (!/^v\d+$/.test(version)) continue;
      for (const one of resources) {
        const kind = one.responseKind;
        const type = kinds.get(`${kind.group || group}/${kind.version || version}/${kind.kind}`);
        found.push({
          g: group,
          v: version,
          r: one.resource,
          s: one.singularResource,
          k: kind.kind,
          n: one.scope === 'Namespaced',
          verbs: one.verbs,
          type,
          ...(one.shortNames === undefined ? {} : { short: one.shortNames }),
          ...(one.categories === undefined ? {} : { cat: one.categories }),
          ...(one.subresources === undefined
            ? {}
            : {
                sub: one.subresources.map(({ subresource, responseKind, verbs }) => ({
                  n: subresource,
                  g: responseKind.group || group,
                  v: responseKind.version || version,
                  k: responseKind.kind,
                  verbs,
                })),
              }),
        });
      }
    }
  }
  return found;
}

interface CoreResource {
  readonly name: string;
  readonly singularName: string;
  readonly namespaced: boolean;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: string[];
  readonly shortNames?: string[];
  readonly categories?: string[];
}

/** The core group has the older discovery document: subresources are rows of their own. */
function readCoreResources(path: string, kinds: ReadonlyMap<string, string>): Json[] {
  const document = JSON.parse(readFileSync(path, 'utf8')) as { resources: CoreResource[] };
  const rows = document.resources.filter(({ name }) => !name.includes('/'));
  return rows.map((one) => {
    const prefix = `${one.name}/`;
    const sub = document.resources
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, group = '', version = 'v1', kind, verbs }) => ({
        n: name.slice(prefix.length),
        g: group,
        v: version,
        k: kind,
        verbs,
      }));
    return {
      g: '',
      v: 'v1',
      r: one.name,
      s: one.singularName,
      k: one.kind,
      n: one.namespaced,
      verbs: one.verbs,
      type: kinds.get(`/v1/${one.kind}`),
      ...(one.shortNames === undefined ? {} : { short: one.shortNames }),
      ...(one.categories === undefined ? {} : { cat: one.categories }),
      ...(sub.length === 0 ? {} : { sub }),
    };
  });
}

/** Only what the served resources can reach is kept, and what clients send beside them. */
function reachable(
  types: Readonly<Record<string, Json>>,
  roots: Iterable<string>,
): Record<string, Json> {
  const kept: Record<string, Json> = {};
  const visit = (value: unknown): void => {
    if (typeof value === 'string') {
      if (value.startsWith('@')) keep(value.slice(1));
    } else if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit);
  };
  const keep = (name: string): void => {
    const type = types[name];
    if (kept[name] !== undefined || type === undefined) return;
    kept[name] = type;
    visit(type['p']);
  };
  for (const root of roots) keep(root);
  return kept;
}

const folder = moduleFolder(`k8s.io/kubernetes@${VERSION}`);
const { types, kinds } = readSchemas(join(folder, 'api/openapi-spec/v3'));
const resources = readResources(join(folder, 'api/discovery/aggregated_v2.json'), kinds);
resources.unshift(...readCoreResources(join(folder, 'api/discovery/api__v1.json'), kinds));
const roots = new Set(resources.map(({ type }) => String(type)));
for (const resource of resources) {
  for (const sub of (resource['sub'] ?? []) as Record<string, string>[]) {
    const type = kinds.get(`${sub['g']}/${sub['v']}/${sub['k']}`);
    if (type !== undefined) roots.add(type);
  }
}
for (const name of [
  'Status',
  'DeleteOptions',
  'ObjectMeta',
  'ListMeta',
  'LabelSelector',
  'WatchEvent',
]) {
  roots.add(`${meta}.${name}`);
}
const S = 'v0.37.2';
const modules = ['api', 'apimachinery', 'apiextensions-apiserver', 'kube-aggregator'].map((name) =>
  moduleFolder(`k8s.io/${name}@${S}`),
);
const goFacts = readGoFacts(modules);
const kept = reachable(types, roots);
for (const [name, type] of Object.entries(kept)) {
  const isHere = (one: string): boolean => (type['p'] as Json)[one] !== undefined;
  const facts = goFacts[flat(name)];
  const { pointers = [], written = [], embedded = {}, names = {} } = facts ?? {};
  if (pointers.some(isHere)) type['x'] = pointers.filter(isHere);
  if (written.some(isHere)) type['w'] = written.filter(isHere);
  const ways = Object.entries(embedded).filter(([field]) => isHere(field));
  if (ways.length > 0) type['m'] = Object.fromEntries(ways);
  const scalarNames = Object.entries(names).filter(([field]) => {
    return isHere(field) && isScalar((type['p'] as Json)[field] as Node);
  });
  if (scalarNames.length > 0) type['g'] = Object.fromEntries(scalarNames);
}
const kindsKept = Object.fromEntries([...kinds].filter(([, full]) => kept[full] !== undefined));
const table = { version: VERSION, resources, kinds: kindsKept, types: kept };
writeFileSync(target, `${JSON.stringify(table)}\n`);
process.stdout.write(`${resources.length} resources, ${Object.keys(kept).length} types\n`);

const clientRoots = [
  'Status',
  'DeleteOptions',
  'ListMeta',
  'PartialObjectMetadata',
  'APIVersions',
  'APIGroupList',
  'APIResourceList',
].map((name) => flat(`${meta}.${name}`));
const messages = reachableMessages(readProtobuf(modules), [
  ...[...roots].map(flat),
  ...clientRoots,
  flat('io.k8s.api.apidiscovery.v2.APIGroupDiscoveryList'),
]);
const protobufTarget = join(import.meta.dirname, '../src/kube/types/generated/protobuf.json');
writeFileSync(protobufTarget, `${JSON.stringify({ messages })}\n`);
process.stdout.write(`${Object.keys(messages).length} messages\n`);
