// Every served resource: the built-in ones out of the generated table, and those that custom resource
// definitions add. Schemas are made from the table when they are first asked for.
import { assert } from '#base/assert.ts';
import type {
  ObjectCodec,
  ResourceInfo,
  ResourceRegistry,
  SubresourceInfo,
} from '#kube/meta/resource-info.ts';
import type { Schema } from '#kube/meta/schema.ts';
import table from './generated/table.json' with { type: 'json' };
import { autoscalerCodecs } from './autoscaler-codec.ts';
import { definitionCodec } from './definition-codec.ts';
import { eventCodec } from './event-codec.ts';
import { selectableFields } from './selectable-fields.ts';
import { renamingCodec, storageVersionOf } from './stored-versions.ts';

type Row = Readonly<Record<string, unknown>>;

interface TableType {
  readonly p: Readonly<Record<string, unknown>>;
  readonly q?: readonly string[];
  readonly mt?: string;
  readonly raw?: boolean;
  /** Scalars that are pointers in Go. */
  readonly x?: readonly string[];
  /** Fields that Go writes even when they are zero. */
  readonly w?: readonly string[];
  /** Go's names of the scalars, or of what lists and maps are made of, that have one. */
  readonly g?: Readonly<Record<string, string>>;
  /** The embedded structs on the way to fields that are in one. */
  readonly m?: Readonly<Record<string, string>>;
}

const types = table.types as unknown as Readonly<Record<string, TableType>>;
const kinds = table.kinds as Readonly<Record<string, string>>;

const scalarSchemas: Readonly<Record<string, Schema>> = {
  s: { type: 'string' },
  b: { type: 'boolean' },
  i32: { type: 'integer', format: 'int32' },
  i64: { type: 'integer', format: 'int64' },
  n: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  time: { type: 'string', format: 'date-time' },
  microtime: { type: 'string', format: 'micro-time' },
  duration: { type: 'string', format: 'duration' },
  quantity: { type: 'any', format: 'quantity' },
  intstr: { type: 'any', format: 'int-or-string' },
  raw: { type: 'any', format: 'raw' },
};

const extensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** Pointers of the types that are not in k8s.io/api, where the table's facts come from. */
const otherPointers: Readonly<Record<string, readonly string[]>> = {
  [`${extensions}.JSONSchemaProps`]: [
    'maximum',
    'minimum',
    'multipleOf',
    'maxLength',
    'minLength',
    'maxItems',
    'minItems',
    'maxProperties',
    'minProperties',
    'x-kubernetes-preserve-unknown-fields',
    'x-kubernetes-list-type',
    'x-kubernetes-map-type',
  ],
  [`${extensions}.ValidationRule`]: ['reason', 'optionalOldSelf'],
  [`${extensions}.CustomResourceDefinitionVersion`]: ['deprecationWarning'],
  [`${extensions}.WebhookClientConfig`]: ['url'],
  [`${extensions}.ServiceReference`]: ['path', 'port'],
  [`${extensions}.CustomResourceSubresourceScale`]: ['labelSelectorPath'],
  'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference': ['port'],
};

const DEVICES = 'io.k8s.api.resource.v1';
const QUALIFIED = 'v1.QualifiedName';

/** Maps whose keys have a name of their own in Go, and lists that have one as a whole. */
const goNames: Readonly<Record<string, Readonly<Record<string, Partial<Schema>>>>> = {
  'io.k8s.api.core.v1.PersistentVolumeClaimStatus': {
    allocatedResourceStatuses: { goKey: 'v1.ResourceName' },
  },
  [`${DEVICES}.Device`]: { attributes: { goKey: QUALIFIED }, capacity: { goKey: QUALIFIED } },
  [`${DEVICES}.CapacityRequirements`]: { requests: { goKey: QUALIFIED } },
  [`${DEVICES}.DeviceRequestAllocationResult`]: { consumedCapacity: { goKey: QUALIFIED } },
  [`${extensions}.JSONSchemaProps`]: {
    'x-kubernetes-validations': { goType: 'v1.ValidationRules' },
  },
};

const named = new Map<string, Schema>();

/** The schema of a named type; its properties are made when they are first looked at. */
export function typeSchema(name: string): Schema {
  const known = named.get(name);
  if (known !== undefined) return known;
  const type = types[name];
  // It says that there is one, and nothing more.
  if (name === `${extensions}.CustomResourceSubresourceStatus`)
    return { type: 'object', name, properties: {} };
  if (type === undefined || type.raw === true) return { type: 'any', format: 'raw', name };
  let properties: Readonly<Record<string, Schema>> | undefined;
  const schema: Schema = {
    type: 'object',
    name,
    ...(type.q === undefined ? {} : { required: type.q }),
    ...(type.mt === 'atomic' ? { mapType: 'atomic' as const } : {}),
    get properties() {
      const pointers = otherPointers[name];
      const facts = pointers === undefined ? type : { ...type, x: pointers };
      properties ??= Object.fromEntries(
        Object.entries(type.p).map(([key, node]) => {
          const field = propertySchema(facts, key, node);
          const own = goNames[name]?.[key];
          return [key, own === undefined ? field : withFacts(field, own)];
        }),
      );
      return properties;
    },
  };
  named.set(name, schema);
  return schema;
}

function simpleSchema(word: string): Schema {
  if (word.startsWith('@')) return typeSchema(word.slice(1));
  const found = scalarSchemas[word];
  assert(found !== undefined, `The type table has no "${word}"`);
  return found;
}

const scalarProperties = new Map<string, Schema>();

/** A field of a type, and what its absence means in Go: the zero value, or nothing. */
function propertySchema(type: TableType, key: string, node: unknown): Schema {
  const schema = withGoNames(nodeSchema(node), type, key);
  const isWritten = type.w?.includes(key) === true;
  const isPointer = type.x?.includes(key) === true;
  const zero = isPointer
    ? pointerZero(isWritten)
    : zeroOf(schema, isWritten, (node as Row)['z'] === true);
  const isOmitted = !isWritten && !isPointer && zeroes.has(schema.type);
  if (zero === undefined && !isOmitted) return schema;
  const facts = {
    ...(zero === undefined ? {} : { zero }),
    ...(isOmitted ? { omitsZero: true } : {}),
  };
  if (typeof node !== 'string' || schema.type === 'object') return withFacts(schema, facts);
  const { goType, goEmbedding } = schema;
  const name = JSON.stringify([node, facts, goType, goEmbedding]);
  const known = scalarProperties.get(name) ?? { ...schema, ...facts };
  scalarProperties.set(name, known);
  return known;
}

/** Of what a field is made of, in a list or a map or by itself. */
function withGoType(schema: Schema, goType: string): Schema {
  if (schema.type === 'array') return { ...schema, items: withGoType(schema.items ?? any, goType) };
  if (schema.type === 'map') {
    // A list in a map has the name itself.
    const { values = any } = schema;
    const named = values.type === 'array' ? { ...values, goType } : withGoType(values, goType);
    return { ...schema, values: named };
  }
  return { ...schema, goType };
}

const any: Schema = { type: 'any' };

function withGoNames(schema: Schema, { g, m }: TableType, key: string): Schema {
  const [goType, goEmbedding] = [g?.[key], m?.[key]];
  const typed = goType === undefined ? schema : withGoType(schema, goType);
  return goEmbedding === undefined ? typed : withFacts(typed, { goEmbedding });
}

const zeroes: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['string', ''],
  ['integer', 0],
  ['number', 0],
  ['boolean', false],
  ['array', null],
  ['map', null],
]);

const pointerZero = (isWritten: boolean): unknown => (isWritten ? null : undefined);

function zeroOf(schema: Schema, isWritten: boolean, isStruct: boolean): unknown {
  if (isStruct) return {};
  if (!isWritten) return undefined;
  if (schema.format === 'date-time' || schema.format === 'micro-time') return null;
  return zeroes.get(schema.type) ?? null;
}

/** A copy with a getter of its own, so that the properties stay lazy. */
function withFacts(schema: Schema, facts: Partial<Schema>): Schema {
  if (schema.type !== 'object') return { ...schema, ...facts };
  const { name, required, mapType, patchStrategy, patchMergeKey, goEmbedding } = schema;
  const kept = { name, required, mapType, patchStrategy, patchMergeKey, goEmbedding };
  const own = { type: 'object', ...kept, ...facts };
  return Object.defineProperty(own, 'properties', {
    get: () => schema.properties,
    enumerable: true,
  }) as unknown as Schema;
}

function nodeSchema(node: unknown): Schema {
  if (typeof node === 'string') return simpleSchema(node);
  const { t, i, v, lt, lk, mt, ps, pk, e, d } = node as Row;
  const extra: Record<string, unknown> = {};
  if (lt !== undefined) extra['listType'] = lt;
  if (lk !== undefined) extra['listMapKeys'] = lk;
  if (mt !== undefined) extra['mapType'] = mt;
  if (ps !== undefined) extra['patchStrategy'] = ps;
  if (pk !== undefined) extra['patchMergeKey'] = pk;
  if (e !== undefined) extra['enum'] = e;
  if (d !== undefined) extra['default'] = d;
  if (t === 'a') return { type: 'array', items: nodeSchema(i), ...extra };
  if (t === 'm') return { type: 'map', values: nodeSchema(v), ...extra };
  const simple = simpleSchema(String(t));
  return withFacts(simple, extra);
}

export function schemaOfKind(group: string, version: string, kind: string): Schema | undefined {
  const name = kinds[`${group}/${version}/${kind}`];
  return name === undefined ? undefined : typeSchema(name);
}

/** The full name of a kind's type (`io.k8s.api.core.v1.Pod`); undefined when it is not built in. */
export function typeNameOf(group: string, version: string, kind: string): string | undefined {
  return kinds[`${group}/${version}/${kind}`];
}

/** What upstream warns of whenever the resource is asked for. */
const deprecations: Readonly<Record<string, string>> = {
  '/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  '/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
};

type Stored = Pick<ResourceInfo, 'group' | 'version' | 'storageVersion'>;

function codecOf({ group, version, storageVersion }: Stored): ObjectCodec | undefined {
  if (group === 'events.k8s.io') return eventCodec;
  if (group === 'apiextensions.k8s.io') return definitionCodec;
  if (group === 'autoscaling') return autoscalerCodecs[version];
  return storageVersion === version
    ? undefined
    : renamingCodec(group, { served: version, stored: storageVersion });
}

function resourceOf(row: Row): ResourceInfo {
  const group = String(row['g']);
  const version = String(row['v']);
  const resource = String(row['r']);
  const kind = String(row['k']);
  const key = `${group}/${resource}`;
  const storageVersion = storageVersionOf(group, resource, version);
  const subresources = ((row['sub'] ?? []) as Row[]).map((sub): SubresourceInfo => ({
    name: String(sub['n']),
    group: String(sub['g']),
    version: String(sub['v']),
    kind: String(sub['k']),
    verbs: sub['verbs'] as string[],
  }));
  return {
    group,
    version,
    resource,
    singular: String(row['s']) || kind.toLowerCase(),
    kind,
    listKind: `${kind}List`,
    namespaced: row['n'] === true,
    verbs: row['verbs'] as string[],
    shortNames: (row['short'] ?? []) as string[],
    categories: (row['cat'] ?? []) as string[],
    subresources,
    storageVersion,
    schema: typeSchema(String(row['type'])),
    selectableFields: selectableFields[key] ?? [],
    deprecation: deprecations[key],
    codec: codecOf({ group, version, storageVersion }),
  };
}

export function builtinResources(): ResourceInfo[] {
  const all = (table.resources as unknown as Row[])
    .filter((row) => row['type'] !== undefined)
    .map(resourceOf);
  return all.map((info) => {
    if (info.group !== 'autoscaling') return info;
    const ofKind = all.filter(({ group, kind }) => group === info.group && kind === info.kind);
    const inVersion = (wanted: string): ResourceInfo | undefined =>
      ofKind.find(({ version }) => version === wanted);
    return { ...info, inVersion };
  });
}

const keyOf = (group: string, version: string, name: string): string =>
  `${group}/${version}/${name}`;

export class TypeRegistry implements ResourceRegistry {
  #all: readonly ResourceInfo[] = [];
  readonly #byResource = new Map<string, ResourceInfo>();
  readonly #byKind = new Map<string, ResourceInfo>();
  readonly #listeners = new Set<() => void>();

  constructor(resources: readonly ResourceInfo[] = builtinResources()) {
    this.#set(resources);
  }

  all(): readonly ResourceInfo[] {
    return this.#all;
  }

  byResource(group: string, version: string, resource: string): ResourceInfo | undefined {
    return this.#byResource.get(keyOf(group, version, resource));
  }

  byKind(group: string, version: string, kind: string): ResourceInfo | undefined {
    return this.#byKind.get(keyOf(group, version, kind));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Replaces whatever the definition had added before. */
  addCustom(definition: string, resources: readonly ResourceInfo[]): void {
    const others = this.#all.filter((one) => one.customResourceDefinition !== definition);
    this.#set([...others, ...resources]);
    for (const listener of this.#listeners) listener();
  }

  removeCustom(definition: string): void {
    if (!this.#all.some((one) => one.customResourceDefinition === definition)) return;
    this.addCustom(definition, []);
  }

  #set(resources: readonly ResourceInfo[]): void {
    this.#all = resources;
    this.#byResource.clear();
    this.#byKind.clear();
    for (const info of resources) {
      this.#byResource.set(keyOf(info.group, info.version, info.resource), info);
      const kind = keyOf(info.group, info.version, info.kind);
      if (!this.#byKind.has(kind)) this.#byKind.set(kind, info);
    }
  }
}
