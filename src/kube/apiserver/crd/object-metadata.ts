// The metadata of custom objects, and of resources within them: typed, whatever their definition says. Of clients
// it must fit; of what is stored already, what does not fit is left out.
import { invalidValue } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import type { Schema } from '#kube/meta/schema.ts';
import { isObject } from './json-schema.ts';

type Json = Record<string, unknown>;

const embedding = new WeakMap<Schema, boolean>();

/** Whether resources may be somewhere in it; of most definitions none are. */
function hasEmbedded(schema: Schema): boolean {
  let found = embedding.get(schema);
  if (found === undefined) {
    // Types of Kubernetes itself (the metadata) may contain themselves, and are no embedded resources.
    const isNamed = schema.name !== undefined;
    const { items, values, properties } = schema;
    found =
      schema.embeddedResource === true ||
      (!isNamed &&
        [items, values, ...Object.values(properties ?? {})].some(
          (one) => one !== undefined && hasEmbedded(one),
        ));
    embedding.set(schema, found);
  }
  return found;
}

type Visit = (resource: Json, schema: Schema, path: string) => void;

/** Every resource within the value. */
function visitEmbedded(schema: Schema, value: unknown, path: string, visit: Visit): void {
  if (!hasEmbedded(schema)) return;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return;
    value.forEach((one, i) => visitEmbedded(items, one, `${path}[${i}]`, visit));
    return;
  }
  if (!isObject(value)) return;
  if (schema.embeddedResource === true) visit(value, schema, path);
  for (const [key, one] of Object.entries(value)) {
    const field = schema.properties?.[key];
    if (field !== undefined) visitEmbedded(field, one, path === '' ? key : `${path}.${key}`, visit);
    else if (schema.values !== undefined)
      visitEmbedded(schema.values, one, `${path}[${key}]`, visit);
  }
}

/** Where the metadata of resources within the value lie: paths as decoding has them, with a dot behind. */
export function embeddedPlaces(root: Schema, value: unknown): string[] {
  const found: string[] = [];
  visitEmbedded(root, value, '', (_resource, _schema, path) => {
    found.push(`${path === '' ? '' : `${path}.`}metadata.`);
  });
  return found;
}

/** A default as it is filled in: without what the metadata of resources in it cannot have. */
export function prunedDefault(schema: Schema, value: unknown): unknown {
  if (!hasEmbedded(schema)) return value;
  const pruned = decodeStrict(schema, structuredClone(value), false).value;
  repairEmbedded(schema, pruned);
  return pruned;
}

/** What a client's object is refused for; the first of it, as upstream. */
export function embeddedErrors(root: Schema, object: unknown): string[] {
  if (!hasEmbedded(root)) return [];
  const found: string[] = [];
  visitEmbedded(root, object, '', ({ apiVersion, kind, metadata }, schema, path) => {
    if (found.length > 0) return;
    const refuse = (field: string, value: unknown, why: string): void => {
      const { message } = invalidValue('', value, why);
      found.push(`${path}.${field}: ${message}`);
    };
    if (apiVersion !== undefined && typeof apiVersion !== 'string')
      return refuse('apiVersion', apiVersion, 'must be a string');
    if (kind !== undefined && typeof kind !== 'string')
      return refuse('kind', kind, 'must be a string');
    const type = schema.properties?.['metadata'];
    if (metadata === undefined || type === undefined) return;
    const [wrong] = decodeStrict(type, metadata).errors;
    if (wrong !== undefined) refuse('metadata', metadata, wrong);
  });
  return found;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isNumber = (value: unknown): boolean => typeof value === 'number';
const isTexts = (value: unknown): boolean => isObject(value) && Object.values(value).every(isText);
const isList = (of: (one: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.every(of);

/** By field: whether it can be read at all. */
const shapes: Readonly<Record<string, (value: unknown) => boolean>> = {
  name: isText,
  generateName: isText,
  namespace: isText,
  selfLink: isText,
  uid: isText,
  resourceVersion: isText,
  generation: isNumber,
  creationTimestamp: isText,
  deletionTimestamp: isText,
  deletionGracePeriodSeconds: isNumber,
  labels: isTexts,
  annotations: isTexts,
  ownerReferences: isList(isObject),
  finalizers: isList(isText),
  managedFields: isList(isObject),
};

function dropMisshapen(metadata: Json): void {
  for (const key of Object.keys(metadata)) {
    const fits = shapes[key];
    if (fits !== undefined && !fits(metadata[key])) delete metadata[key];
  }
}

/** Changes a stored object; one of very old times, or that somebody else put there, has no generation. */
export function repairMetadata(root: Schema, object: KubeObject): void {
  const metadata = object.metadata as unknown as Json;
  dropMisshapen(metadata);
  metadata['generation'] ||= 1;
  repairEmbedded(root, object);
}

/** Changes the value: what is in the metadata of resources within it and cannot be is left out. */
export function repairEmbedded(root: Schema, value: unknown): void {
  visitEmbedded(root, value, '', (resource) => {
    for (const key of ['apiVersion', 'kind'])
      if (resource[key] !== undefined && !isText(resource[key])) delete resource[key];
    if (isObject(resource['metadata'])) dropMisshapen(resource['metadata'] as Json);
  });
}
