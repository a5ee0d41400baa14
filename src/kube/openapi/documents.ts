// OpenAPI v2 and v3 out of the registry: what kubectl needs to validate, explain, diff and apply.
import { same } from '#base/same.ts';
import type { ResourceInfo, ResourceRegistry, SubresourceInfo } from '#kube/meta/resource-info.ts';
import type { Schema } from '#kube/meta/schema.ts';
import { typeNameOf, typeSchema } from '#kube/types/registry.ts';
import { customDefinition } from './custom-definitions.ts';
import { groupsOf } from './discovery.ts';
import { factsOf, type FieldFacts } from './facts.ts';
import { kindsEverywhere, type Scope } from './known-versions.ts';
import type { PathForm } from './operations.ts';
import { sharedParameters } from './parameters.ts';
import { pathsOf } from './paths.ts';
import { serverDocuments, serverPaths, serverType } from './server-paths.ts';
import { parameterText, textsOf, type Descriptions, type Texts } from './texts.ts';

type Json = Record<string, unknown>;

const metaPrefix = 'io.k8s.apimachinery.pkg.apis.meta.v1';

const formats: Readonly<Record<string, Json>> = {
  quantity: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  'int-or-string': { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  raw: { type: 'object' },
};

/** Formats whose values are types of their own. */
const scalarNames: Readonly<Record<string, string>> = {
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  'int-or-string': 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  raw: 'io.k8s.apimachinery.pkg.runtime.RawExtension',
  'date-time': `${metaPrefix}.Time`,
  'micro-time': `${metaPrefix}.MicroTime`,
};

/** The table has any object for it. */
const fieldsV1: Schema = { type: 'object', name: `${metaPrefix}.FieldsV1` };

/** As the table has it; undefined for custom kinds. */
const builtIn = (name: string): Schema | undefined =>
  serverType(name) ?? (name.startsWith('io.k8s.') ? typeSchema(name) : undefined);

/** Writes the definitions of types, and gathers those that they refer to. */
export class DefinitionWriter implements PathForm {
  readonly #prefix: string;
  readonly #scope: Scope;
  readonly #descriptions: Descriptions;
  readonly isV3: boolean;
  readonly texts: Texts;
  readonly definitions: Record<string, Json> = {};

  /** `scope`: what the document is about, of OpenAPI v2 everything. */
  constructor(isV3: boolean, descriptions: Descriptions, scope: Scope) {
    this.isV3 = isV3;
    this.texts = textsOf(descriptions);
    this.#prefix = isV3 ? '#/components/schemas/' : '#/definitions/';
    this.#scope = scope;
    this.#descriptions = descriptions;
  }

  ref(schema: Schema): Json {
    const { name } = schema;
    if (name === undefined) return this.inline(schema);
    if (this.definitions[name] === undefined) {
      this.definitions[name] = {};
      // What is said of it in one place is not said of the type.
      Object.assign(this.definitions[name] ?? {}, this.inline(builtIn(name) ?? schema));
    }
    return { $ref: `${this.#prefix}${name}` };
  }

  readonly refTo = (name: string): Json => {
    const known = this.definitions[name] === undefined ? builtIn(name) : undefined;
    return known === undefined ? { $ref: `${this.#prefix}${name}` } : this.ref(known);
  };

  /** What is said of a field, or of the type itself (''); nothing of custom ones. */
  said(type: string, field: string): Json {
    const description = this.#descriptions[type]?.[field];
    return description === undefined ? {} : { description };
  }

  custom({ customSchema, schemaHiddenIn }: ResourceInfo): Json {
    // The package that the texts are read from has none for metadata; what upstream's begins with.
    const pod: Readonly<Record<string, string>> = {
      metadata: "Standard object's metadata.",
      ...this.#descriptions['io.k8s.api.core.v1.Pod'],
    };
    const texts = Object.fromEntries(
      ['apiVersion', 'kind', 'metadata'].flatMap((field) =>
        pod[field] === undefined ? [] : [[field, pod[field]]],
      ),
    ) as Record<string, string>;
    const metadata = this.ref(typeSchema(`${metaPrefix}.ObjectMeta`));
    const isHidden = schemaHiddenIn === 'v2 and v3' || (schemaHiddenIn === 'v2' && !this.isV3);
    return customDefinition(isHidden ? undefined : customSchema, {
      isV3: this.isV3,
      metadata,
      texts,
    });
  }

  /** Scalars of Go have definitions as well. */
  #scalar(schema: Schema): Json | undefined {
    const name = schema.name === undefined ? scalarNames[schema.format ?? ''] : undefined;
    if (name === undefined) return undefined;
    this.definitions[name] ??= this.inline(schema);
    return this.refTo(name);
  }

  #field(schema: Schema, description: string | undefined, facts: FieldFacts, isItem = false): Json {
    const plain =
      schema.name === undefined
        ? (this.#scalar(schema) ?? this.inline(schema, facts))
        : this.ref(schema);
    const extras: Json = {};
    if (description !== undefined) extras['description'] = description;
    if (schema.patchStrategy !== undefined)
      extras['x-kubernetes-patch-strategy'] = schema.patchStrategy;
    if (schema.patchMergeKey !== undefined)
      extras['x-kubernetes-patch-merge-key'] = schema.patchMergeKey;
    const { name, mapType } = schema;
    if (name !== undefined && mapType !== undefined && mapType !== builtIn(name)?.mapType)
      extras['x-kubernetes-map-type'] = mapType;
    if (this.isV3 && facts.d !== undefined) extras['default'] = facts.d;
    if (facts.e !== undefined) extras['enum'] = facts.e;
    if (plain['$ref'] === undefined) return { ...plain, ...extras };
    const isAlone = facts.p === true || (isItem && Object.keys(extras).length === 0);
    return this.isV3 && !isAlone ? { allOf: [plain], ...extras } : { ...plain, ...extras };
  }

  inline(schema: Schema, facts: FieldFacts = {}): Json {
    const special = schema.format === undefined ? undefined : formats[schema.format];
    const out: Json = {};
    const { kinds: known, unions } = factsOf(schema.name);
    const kinds = kindsEverywhere(schema.name ?? '', this.#scope) ?? known;
    const own = schema.name === undefined ? undefined : this.#descriptions[schema.name];
    if (own?.[''] !== undefined) out['description'] = own[''];
    else if (schema.description !== undefined) out['description'] = schema.description;
    if (schema.name?.startsWith('io.k8s.apiextensions-apiserver') === true && special !== undefined)
      return out;
    if (special !== undefined) {
      Object.assign(out, this.isV3 ? special : { type: special['type'] ?? 'string' });
      if (schema.format === 'int-or-string' && !this.isV3) out['format'] = 'int-or-string';
    } else if (schema.type === 'map') {
      Object.assign(out, {
        type: 'object',
        additionalProperties: this.#field(
          schema.values ?? { type: 'any' },
          undefined,
          facts.v ?? {},
          true,
        ),
      });
    } else if (schema.type === 'array') {
      Object.assign(out, {
        type: 'array',
        items: this.#field(schema.items ?? { type: 'any' }, undefined, facts.i ?? {}, true),
      });
    } else if (schema.type === 'object') {
      out['type'] = 'object';
      const { fields = {} } = factsOf(schema.name);
      const entries = Object.entries(schema.properties ?? {});
      if (entries.length > 0) {
        out['properties'] = Object.fromEntries(
          entries.map(([key, one]) => [
            key,
            this.#field(
              key === 'fieldsV1' ? fieldsV1 : one,
              own?.[key] ?? one.description,
              fields[key] ?? {},
            ),
          ]),
        );
      }
      if (schema.required !== undefined && schema.required.length > 0)
        out['required'] = schema.required;
    } else if (schema.type !== 'any') {
      out['type'] = schema.type;
      if (schema.format !== undefined)
        out['format'] = schema.format === 'micro-time' ? 'date-time' : schema.format;
    }
    if (schema.enum !== undefined) out['enum'] = schema.enum;
    if (schema.nullable === true && this.isV3) out['nullable'] = true;
    if (schema.listType !== undefined) out['x-kubernetes-list-type'] = schema.listType;
    if (schema.listMapKeys !== undefined) out['x-kubernetes-list-map-keys'] = schema.listMapKeys;
    if (schema.mapType !== undefined) out['x-kubernetes-map-type'] = schema.mapType;
    if (schema.preserveUnknownFields === true) out['x-kubernetes-preserve-unknown-fields'] = true;
    if (kinds !== undefined) out['x-kubernetes-group-version-kind'] = [...kinds];
    if (unions !== undefined) out['x-kubernetes-unions'] = unions;
    return out;
  }
}

function gvk(info: { group: string; version: string; kind: string }): Json {
  return { group: info.group, version: info.version, kind: info.kind };
}

/** Custom kinds have no name in the table; upstream names them after their reversed group. */
function nameOf(info: ResourceInfo): string {
  return (
    info.schema.name ??
    `${info.group.split('.').toReversed().join('.')}.${info.version}.${info.kind}`
  );
}

/** By which fields custom objects are selected; of built-in kinds nobody says so. */
function selectable({ customResourceDefinition, selectableFields }: ResourceInfo): Json {
  if (customResourceDefinition === undefined || selectableFields.length === 0) return {};
  return { 'x-kubernetes-selectable-fields': selectableFields.map((fieldPath) => ({ fieldPath })) };
}

function addKind(writer: DefinitionWriter, info: ResourceInfo): string {
  const name = nameOf(info);
  if (info.customResourceDefinition === undefined) writer.ref(info.schema);
  else writer.definitions[name] = writer.custom(info);
  const definition = writer.definitions[name] ?? {};
  const known = (definition['x-kubernetes-group-version-kind'] ?? []) as Json[];
  if (!known.some((one) => same(one, gvk(info)))) known.push(gvk(info));
  definition['x-kubernetes-group-version-kind'] = known;
  Object.assign(definition, selectable(info));
  return name;
}

function listMeta(writer: DefinitionWriter, info: ResourceInfo): Json {
  const ref = writer.ref(typeSchema(`${metaPrefix}.ListMeta`));
  const isOwn = writer.isV3 && info.customResourceDefinition === undefined;
  return isOwn ? { default: {}, allOf: [ref] } : ref;
}

/** A list of the kind, where it has one. */
function addList(writer: DefinitionWriter, info: ResourceInfo, name: string): string | undefined {
  if (!info.verbs.includes('list')) return undefined;
  const isCustom = info.customResourceDefinition !== undefined;
  const listName = isCustom ? nameOf({ ...info, kind: info.listKind }) : `${name}List`;
  const said = (field: string): Json => writer.said(listName, field);
  writer.definitions[listName] = {
    ...said(''),
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { ...said('apiVersion'), type: 'string' },
      items: { ...said('items'), type: 'array', items: writer.refTo(name) },
      kind: { ...said('kind'), type: 'string' },
      metadata: listMeta(writer, info),
    },
    'x-kubernetes-group-version-kind': [{ ...gvk(info), kind: info.listKind }],
    ...selectable(info),
  };
  return listName;
}

/** Adds the kind, its list and what lies below it; gives its paths. */
export function addResource(writer: DefinitionWriter, info: ResourceInfo): Record<string, Json> {
  const name = addKind(writer, info);
  const listName = addList(writer, info, name);
  const nameOf = ({ group, version, kind }: SubresourceInfo): string | undefined => {
    const isOwn = group === info.group && kind === info.kind;
    return isOwn ? name : typeNameOf(group, version, kind);
  };
  const { isV3, texts, refTo } = writer;
  return pathsOf(info, { isV3, texts, refTo, name, listName, nameOf });
}

/** What is said at the head of a document of custom resources, and of any other. */
export function headOf(isCustom: boolean) {
  return isCustom
    ? { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' }
    : { title: 'Kubernetes', version: '1.37' };
}

const bearer = {
  type: 'apiKey',
  description: 'Bearer Token authentication',
  name: 'authorization',
  in: 'header',
};

/** By which clients are known: in OpenAPI v2, and in v3 where custom resources alone are described. */
export const securityDefinitions = { BearerToken: bearer };
export const security = [{ BearerToken: [] }];

/** What OpenAPI v2 says once, and operations refer to. */
export function sharedV2(texts: Texts): Record<string, Json> {
  return sharedParameters((key) => parameterText(texts, key));
}

/** By name, as upstream's documents are. */
export function sorted<T>(all: Readonly<Record<string, T>>): Record<string, T> {
  const entries = Object.entries(all).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries) as Record<string, T>;
}

export function openApiV2(registry: ResourceRegistry, descriptions: Descriptions): Json {
  const writer = new DefinitionWriter(false, descriptions, 'everything');
  const paths = serverPaths(groupsOf(registry), writer);
  for (const one of registry.all()) Object.assign(paths, addResource(writer, one));
  return {
    swagger: '2.0',
    info: headOf(false),
    paths: sorted(paths),
    definitions: sorted(writer.definitions),
    parameters: sharedV2(writer.texts),
    securityDefinitions,
    security,
  };
}

/** `path`: of the document, as openApiPaths() has it. */
export function openApiV3(
  registry: ResourceRegistry,
  path: string,
  descriptions: Descriptions,
): Json | undefined {
  const infos = registry.all().filter((one) => openApiPath(one) === path);
  const groups = groupsOf(registry);
  const [{ group = '', version = '' } = {}] = infos;
  const writer = new DefinitionWriter(true, descriptions, { group, version });
  const paths = serverPaths(groups, writer, path);
  for (const one of infos) Object.assign(paths, addResource(writer, one));
  if (Object.keys(paths).length === 0) return undefined;
  const schemas = sorted(writer.definitions);
  const named = Object.keys(schemas).length === 0 ? {} : { schemas };
  const components = { ...named, securitySchemes: securityDefinitions };
  return { openapi: '3.0.0', info: headOf(false), paths: sorted(paths), components };
}

export function openApiPath({ group, version }: { group: string; version: string }): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

/** Of all documents of OpenAPI v3. */
export function openApiPaths(registry: ResourceRegistry): string[] {
  const groups = groupsOf(registry);
  const ofVersions = groups.flatMap(({ group, versions }) =>
    versions.map((version) => openApiPath({ group, version })),
  );
  return [...serverDocuments(groups), ...ofVersions].toSorted();
}

/** The index names every document with a hash of its content, so that clients may keep it for ever. */
export function openApiV3Index(hashes: ReadonlyMap<string, string>): Json {
  const paths = [...hashes].map(([path, hash]): [string, Json] => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
  ]);
  return { paths: Object.fromEntries(paths) };
}
