// Custom resource definitions become served resources: their structural schemas in the one form that
// everything reads, their names and conditions, and the checks of their objects.
import type { KubeObject } from '#kube/meta/object.ts';
import type { PrinterColumn, ResourceInfo, SubresourceInfo } from '#kube/meta/resource-info.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import type { Schema } from '#kube/meta/schema.ts';
import { compareVersions } from '#kube/openapi/discovery.ts';
import { typeSchema } from '#kube/types/registry.ts';
import { isTrue } from './conditions.ts';
import { prunedDefault } from './object-metadata.ts';
import { checkStructure, unstructured } from './structural-rules.ts';
import { Versions, type Conversion, type VersionServices } from './versions.ts';

type Json = Record<string, unknown>;

const verbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const structural = new Set([
  'type',
  'format',
  'properties',
  'required',
  'items',
  'additionalProperties',
  'default',
  'enum',
  'nullable',
  'description',
  'x-kubernetes-validations',
  'x-kubernetes-embedded-resource',
]);

function schemaType(json: Json): Schema['type'] {
  if (json['x-kubernetes-int-or-string'] === true) return 'any';
  const { type, additionalProperties, properties } = json;
  if (type === 'object') {
    return properties === undefined &&
      additionalProperties !== undefined &&
      additionalProperties !== false
      ? 'map'
      : 'object';
  }
  if (['string', 'integer', 'number', 'boolean', 'array'].includes(String(type)))
    return type as Schema['type'];
  return 'any';
}

/** A structural OpenAPI v3 schema, as a Schema. */
export function structuralSchema(json: Json): Schema {
  const type = schemaType(json);
  const keywords = Object.entries(json).filter(
    ([key]) =>
      !structural.has(key) &&
      !key.startsWith('x-kubernetes-list') &&
      key !== 'x-kubernetes-map-type',
  );
  const properties = json['properties'] as Record<string, Json> | undefined;
  const preserves = json['x-kubernetes-preserve-unknown-fields'] === true;
  const extra: Record<string, unknown> = {};
  if (json['x-kubernetes-int-or-string'] === true) extra['format'] = 'int-or-string';
  else if (json['format'] !== undefined) extra['format'] = json['format'];
  for (const key of ['required', 'default', 'enum', 'nullable', 'description'])
    if (json[key] !== undefined) extra[key] = json[key];
  if (json['x-kubernetes-list-type'] !== undefined)
    extra['listType'] = json['x-kubernetes-list-type'];
  if (json['x-kubernetes-list-map-keys'] !== undefined)
    extra['listMapKeys'] = json['x-kubernetes-list-map-keys'];
  if (json['x-kubernetes-map-type'] !== undefined) extra['mapType'] = json['x-kubernetes-map-type'];
  if (preserves) extra['preserveUnknownFields'] = true;
  if (keywords.length > 0) extra['validation'] = Object.fromEntries(keywords);
  const isEmbedded = json['x-kubernetes-embedded-resource'] === true;
  if (type === 'object' && (properties !== undefined || isEmbedded)) {
    const own = Object.entries(properties ?? {}).map(([key, one]) => [key, structuralSchema(one)]);
    const fields = Object.fromEntries(own);
    extra['properties'] = { ...fields, ...(isEmbedded ? embeddedMeta(fields) : {}) };
    if (isEmbedded) extra['embeddedResource'] = true;
  } else if (type === 'object' && !preserves) extra['properties'] = {};
  if (type === 'map') {
    const values = json['additionalProperties'];
    extra['values'] = values === true ? { type: 'any' } : structuralSchema(values as Json);
  }
  if (type === 'array') extra['items'] = structuralSchema((json['items'] ?? {}) as Json);
  const schema: Schema = { type, ...extra };
  if (schema.default === undefined) return schema;
  return { ...schema, default: prunedDefault(schema, schema.default) };
}

/** What every resource has, also one inside of another. */
function typeMeta(): Record<string, Schema> {
  return {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: typeSchema(OBJECT_META),
  };
}

/** The same, with the defaults that a definition gives for what there is of it. */
function embeddedMeta(own: Readonly<Record<string, Schema>>): Record<string, Schema> {
  const all = typeMeta();
  return Object.fromEntries(
    Object.entries(all).map(([key, one]) => [key, withDefaults(one, own[key])]),
  );
}

function withDefaults(schema: Schema, own: Schema | undefined): Schema {
  if (own === undefined) return schema;
  const given = Object.entries(own.properties ?? {}).filter(
    ([key, one]) => one.default !== undefined && schema.properties?.[key] !== undefined,
  );
  if (given.length === 0 && own.default === undefined) return schema;
  const fields = given.map(([key, one]) => [
    key,
    { ...schema.properties?.[key], default: one.default },
  ]);
  const properties = { ...schema.properties, ...Object.fromEntries(fields) };
  const typed = schema.type === 'object' ? { ...schema, properties } : schema;
  if (own.default === undefined) return typed;
  return { ...typed, default: decodeStrict(typed, structuredClone(own.default), false).value };
}

function rootSchema(json: Json | undefined): Schema {
  const own =
    json === undefined
      ? { type: 'object' as const, preserveUnknownFields: true }
      : structuralSchema(json);
  return {
    ...own,
    properties: { ...own.properties, ...typeMeta() },
  };
}

interface Version {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly deprecated?: boolean;
  readonly deprecationWarning?: string;
  readonly schema?: { readonly openAPIV3Schema?: Json };
  readonly subresources?: { readonly status?: Json; readonly scale?: Json };
  readonly additionalPrinterColumns?: readonly Json[];
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
}

function subresourcesOf(version: Version, group: string, kind: string): SubresourceInfo[] {
  const found: SubresourceInfo[] = [];
  const { status, scale } = version.subresources ?? {};
  if (status !== undefined) {
    found.push({
      name: 'status',
      group,
      version: version.name,
      kind,
      verbs: ['get', 'patch', 'update'],
    });
  }
  if (scale !== undefined) {
    const selector = scale['labelSelectorPath'];
    found.push({
      name: 'scale',
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get', 'patch', 'update'],
      scalePaths: {
        spec: String(scale['specReplicasPath']),
        status: String(scale['statusReplicasPath']),
        ...(selector === undefined ? {} : { selector: String(selector) }),
      },
    });
  }
  return found;
}

function columnsOf(version: Version): PrinterColumn[] {
  const own = (version.additionalPrinterColumns ?? []).map((one): PrinterColumn => ({
    name: String(one['name']),
    type: String(one['type']) as PrinterColumn['type'],
    format: one['format'] as string | undefined,
    description:
      (one['description'] as string | undefined) ||
      `Custom resource definition column (in JSONPath format): ${String(one['jsonPath'])}`,
    priority: Number(one['priority'] ?? 0),
    jsonPath: String(one['jsonPath']),
  }));
  if (own.length > 0) return own;
  return [{ name: 'Age', type: 'date', priority: 0, jsonPath: '.metadata.creationTimestamp' }];
}

/** What users of a deprecated version are told. */
function deprecationOf(
  spec: Json,
  version: Version,
  versions: readonly Version[],
): string | undefined {
  if (version.deprecated !== true) return undefined;
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const group = String(spec['group']);
  const kind = String((spec['names'] as Json)['kind']);
  const [newer] = versions
    .filter((one) => one.served && one.deprecated !== true)
    .map(({ name }) => name)
    .filter((name) => compareVersions(version.name, name) > 0)
    .sort(compareVersions);
  const head = `${group}/${version.name} ${kind} is deprecated`;
  return newer === undefined ? head : `${head}; use ${group}/${newer} ${kind}`;
}

function hiddenIn(schema: Json | undefined): ResourceInfo['schemaHiddenIn'] {
  const isStructural =
    schema !== undefined &&
    unstructured(schema) === undefined &&
    checkStructure(schema, '').length === 0;
  return isStructural ? 'v2' : 'v2 and v3';
}

/** The resources that a definition adds: one for each version that it serves. */
export function customResources(definition: KubeObject, services: VersionServices): ResourceInfo[] {
  const spec = definition['spec'] as Json;
  // Names that others have are wanted, and not yet served.
  const accepted = (definition['status'] as Json | undefined)?.['acceptedNames'] as
    | Json
    | undefined;
  const names = accepted ?? (spec['names'] as Json);
  const group = String(spec['group']);
  const kind = String(names['kind']);
  const versions = (spec['versions'] ?? []) as readonly Version[];
  const storageVersion = versions.find(({ storage }) => storage)?.name ?? versions[0]?.name ?? '';
  // Definitions of before v1: what their schemas do not name is kept, and they need not be structural.
  const isLoose = spec['preserveUnknownFields'] === true;
  const schemas = new Map(
    versions.map((one) => {
      const own = isLoose ? undefined : one.schema?.openAPIV3Schema;
      return [one.name, rootSchema(own)] as const;
    }),
  );
  const conversion = (spec['conversion'] ?? {}) as Conversion;
  const set = { group, kind, storageVersion, schemas, conversion };
  const converter = new Versions(set, services);
  const isGoing = isTrue(definition, 'Terminating');
  const all = new Map<string, ResourceInfo>();
  const inVersion = (wanted: string): ResourceInfo | undefined => all.get(wanted);
  for (const version of versions) {
    all.set(version.name, {
      group,
      version: version.name,
      resource: String(names['plural']),
      singular: String(names['singular'] ?? kind.toLowerCase()),
      kind,
      listKind: String(names['listKind'] ?? `${kind}List`),
      namespaced: spec['scope'] === 'Namespaced',
      verbs,
      isGoing,
      shortNames: (names['shortNames'] ?? []) as string[],
      categories: (names['categories'] ?? []) as string[],
      subresources: subresourcesOf(version, group, kind),
      storageVersion,
      schema: schemas.get(version.name) ?? { type: 'any' },
      customSchema: version.schema?.openAPIV3Schema,
      ...(isLoose ? { schemaHiddenIn: hiddenIn(version.schema?.openAPIV3Schema) } : {}),
      codec: converter.codec({ version: version.name }),
      deprecation: deprecationOf(spec, version, versions),
      selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) =>
        jsonPath.replace(/^\./, ''),
      ),
      printerColumns: columnsOf(version),
      customResourceDefinition: definition.metadata.name ?? '',
      inVersion,
    });
  }
  const isServed = new Set(versions.filter(({ served }) => served).map(({ name }) => name));
  return [...all.values()].filter(({ version }) => isServed.has(version));
}
