// How the schema of a custom resource is published: in OpenAPI v3 as its definition has it, in v2 without
// what clients of v2 cannot read (k8s.io/apiextensions-apiserver v1.37).
import { same } from '#base/same.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const PRESERVE = 'x-kubernetes-preserve-unknown-fields';
const EMBEDDED = 'x-kubernetes-embedded-resource';
const junctors = ['allOf', 'oneOf', 'anyOf', 'not'];
/** What structural schemas do not keep. */
const dropped = ['$schema', 'id'];

export interface CustomForm {
  readonly isV3: boolean;
  /** A reference to ObjectMeta. */
  readonly metadata: Json;
  /** Descriptions of apiVersion, kind and metadata, where there are any. */
  readonly texts: Readonly<Record<string, string>>;
}

const EITHER = 'x-kubernetes-int-or-string';
const either = [{ type: 'integer' }, { type: 'string' }];

/** That a value is a number or a text is said in words that everybody knows as well. */
function unfolded(schema: Json): Json {
  const { anyOf, allOf } = schema;
  if (schema[EITHER] !== true || same(anyOf, either)) return schema;
  const all = Array.isArray(allOf) ? (allOf as Json[]) : [];
  if (same(all[0]?.['anyOf'], either)) return schema;
  return anyOf === undefined
    ? { ...schema, anyOf: either }
    : { ...schema, allOf: [{ anyOf: either }, ...all] };
}

function plain(schema: Json, { isV3 }: CustomForm): Json {
  const gone = isV3 ? dropped : [...dropped, ...junctors, 'default'];
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !gone.includes(key))) as Json;
}

/** Clients of v2 know no null, no unknown fields beside known ones, and no list of anything. */
function forV2(schema: Json): Json {
  const out = { ...schema };
  if (out['nullable'] === true) {
    for (const field of ['nullable', 'type', 'items', 'properties']) delete out[field];
  }
  if (out[PRESERVE] === true) {
    for (const field of ['items', 'properties']) delete out[field];
    if (out['type'] === 'object') delete out['type'];
  }
  if (out['type'] === 'array' && out['items'] === undefined) delete out['type'];
  // As upstream: what is required beside values that may be null is not told.
  const values = out['additionalProperties'];
  if (isObject(values) && values['nullable'] === true) delete out['required'];
  const properties = out['properties'];
  if (isObject(properties) && Array.isArray(out['required'])) {
    const isNull = (name: unknown): boolean =>
      (properties[String(name)] as Json | undefined)?.['nullable'] === true;
    const required = (out['required'] as unknown[]).filter((name) => !isNull(name));
    if (required.length > 0) out['required'] = required;
    else delete out['required'];
  }
  return out;
}

function withType(schema: Json, form: CustomForm): Json {
  const { texts, metadata } = form;
  const described = (name: string, value: Json): Json =>
    texts[name] === undefined ? value : { ...value, description: texts[name] };
  const meta =
    form.isV3 && texts['metadata'] !== undefined ? { allOf: [metadata] } : { ...metadata };
  return {
    ...schema,
    properties: {
      ...(schema['properties'] as Json | undefined),
      apiVersion: described('apiVersion', { type: 'string' }),
      kind: described('kind', { type: 'string' }),
      metadata: described('metadata', meta),
    },
  };
}

function published(given: unknown, form: CustomForm): unknown {
  if (!isObject(given)) return given;
  const known = plain(given, form);
  const schema = form.isV3 ? unfolded(known) : forV2(known);
  const { properties, items, additionalProperties } = schema;
  if (isObject(properties)) {
    const entries = Object.entries(properties).map(([key, one]) => [key, published(one, form)]);
    schema['properties'] = Object.fromEntries(entries) as Json;
  }
  if (items !== undefined) schema['items'] = published(items, form);
  if (isObject(additionalProperties)) {
    schema['additionalProperties'] = published(additionalProperties, form);
  }
  if (schema[EMBEDDED] !== true || (!form.isV3 && schema[PRESERVE] === true)) return schema;
  const required = new Set([...((schema['required'] ?? []) as string[]), 'kind', 'apiVersion']);
  return { ...withType(schema, form), required: [...required] };
}

/** The definition of a custom kind, without its group, version and kind. */
export function customDefinition(schema: unknown, form: CustomForm): Json {
  const isOpen = !isObject(schema) || (!form.isV3 && schema[PRESERVE] === true);
  if (isOpen) return { type: 'object' };
  return withType(published(schema, form) as Json, form);
}
