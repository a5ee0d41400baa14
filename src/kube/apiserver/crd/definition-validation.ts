// What a definition must be beyond its names: a structural schema whose rules can be compiled and whose
// defaults are valid, subresources, columns and selectable fields that exist, a conversion that can be
// called. Field paths and words as apiextensions v0.37.
import { fieldsSet, shownAs } from '#kube/meta/go-shown.ts';
import { shownVersions } from '#kube/meta/validation-definitions.ts';
import { forbidden, invalidShown, invalidValue, nameProblem } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { checkBundle, checkConversion, checkPreserved } from './conversion-validation.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import { same } from '#base/same.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { structuralSchema } from './custom-resources.ts';
import { isTrue } from './conditions.ts';
import { embeddedPlaces } from './object-metadata.ts';
import { valuesOf, type Json, type JsonSchema } from './json-schema.ts';
import { checkKeywords } from './keyword-rules.ts';
import { checkRules } from './rule-validation.ts';
import { validateBySchema } from './schema-validation.ts';
import { checkStructure, itemsOf, unstructured } from './structural-rules.ts';
import { checkColumn, checkScale, checkSelectable } from './version-validation.ts';

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

// ---- schemas ----

/** What the root may have where its status is judged by itself. */
const rootFields = [
  'Description',
  'Type',
  'Format',
  'Title',
  'Maximum',
  'ExclusiveMaximum',
  'Minimum',
  'ExclusiveMinimum',
  'MaxLength',
  'MinLength',
  'Pattern',
  'MaxItems',
  'MinItems',
  'UniqueItems',
  'MultipleOf',
  'Required',
  'Items',
  'Properties',
  'ExternalDocs',
  'Example',
  'XPreserveUnknownFields',
  'XValidations',
];

/** The first that is wrong is told. */
function checkRoot(schema: JsonSchema, field: string): StatusCause[] {
  for (const name of fieldsSet('JSONSchemaProps', schema as Json)) {
    if (name === 'Type') {
      if (schema.type === 'object') continue;
      const why =
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
      return [invalidValue(`${field}.type`, schema.type, why)];
    }
    if (rootFields.includes(name)) continue;
    const why = `only [${rootFields.join(' ')}] fields are allowed at the root of the schema if the status subresource is enabled`;
    return [invalidShown(field, shownAs('@JSONSchemaProps', schema), why)];
  }
  return [];
}

function checkDefault(schema: JsonSchema, field: string, isMeta: boolean): StatusCause[] {
  if (schema.default === undefined) return [];
  const at = `${field}.default`;
  const shape = structuralSchema(schema as Json);
  const { unknown } = decodeStrict(shape, structuredClone(schema.default), false);
  // What the metadata of a resource does not have is dropped from the default without a word.
  const places = embeddedPlaces(shape, schema.default);
  const isTold = (path: string): boolean => !places.some((place) => path.startsWith(place));
  if (!isMeta && unknown.some(isTold))
    return [invalidValue(at, schema.default, 'must not have unknown fields')];
  return validateBySchema(schema, schema.default, { hasAllFormats: true }).map((cause) => ({
    ...cause,
    field: cause.field === '<nil>' ? at : `${at}.${cause.field ?? ''}`,
    message: cause.message.replace(/^(Invalid value: [^:]*: )/, '$1'),
  }));
}

const metaFields = new Set(['apiVersion', 'kind', 'metadata']);

/** `isInMeta`: the type or the metadata of a resource within the object. */
function checkDefaults(schema: JsonSchema, field: string, isInMeta = false): StatusCause[] {
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true;
  const isMeta = isInMeta && !isEmbedded;
  const causes = checkDefault(schema, field, isMeta);
  for (const [key, one] of Object.entries(schema.properties ?? {})) {
    const isBelow = isMeta || (isEmbedded && metaFields.has(key));
    causes.push(...checkDefaults(one, `${field}.properties[${key}]`, isBelow));
  }
  const values = valuesOf(schema);
  if (values !== undefined)
    causes.push(...checkDefaults(values, `${field}.additionalProperties`, isMeta));
  const items = itemsOf(schema);
  if (items !== undefined) causes.push(...checkDefaults(items, `${field}.items`, isMeta));
  return causes;
}

/** Defaults are judged only where the schema is structural, and rules only where all else is well. */
function checkSchema(
  schema: JsonSchema,
  field: string,
  options: { readonly hasStatus: boolean; readonly isUnchanged: boolean },
): StatusCause[] {
  const causes = options.hasStatus ? checkRoot(schema, field) : [];
  if (schema.nullable === true)
    causes.push(forbidden(`${field}.nullable`, 'nullable cannot be true at the root'));
  const unread = unstructured(schema);
  if (unread === undefined) {
    const structure = checkStructure(schema, field);
    causes.push(...(structure.length > 0 ? structure : checkDefaults(schema, field)));
  }
  causes.push(...checkKeywords(schema, field));
  if (unread !== undefined && causes.length === 0) return [invalidValue(field, '', unread)];
  return causes.length > 0 ? causes : checkRules(schema, field, options.isUnchanged);
}

// ---- the rest of a version ----

const shareable = ['schema', 'subresources', 'additionalPrinterColumns', 'selectableFields'];

/** Of the fields that all versions have the same of upstream has one, of the definition, and tells of that. */
function sharedFields(versions: readonly Json[]): ReadonlySet<string> {
  const [first] = versions;
  return new Set(shareable.filter((key) => versions.every((one) => same(one[key], first?.[key]))));
}

/** Where a version stands among the others. */
interface VersionPlace {
  readonly at: string;
  readonly isFirst: boolean;
  readonly shared: ReadonlySet<string>;
  /** Whether any version has a status. */
  readonly isAnyStatus: boolean;
  readonly old: Json | undefined;
}

function checkVersion(version: Json, context: VersionPlace): StatusCause[] {
  const { at, isFirst, shared, isAnyStatus, old } = context;
  const isTold = (key: string): boolean => isFirst || !shared.has(key);
  const placeOf = (key: string): string => (shared.has(key) ? 'spec' : at);
  const schema = (version['schema'] as Json | undefined)?.['openAPIV3Schema'] as
    | JsonSchema
    | undefined;
  const { scale } = (version['subresources'] ?? {}) as { scale?: Json };
  const causes = [
    ...(isTold('subresources') ? checkScale(scale, `${placeOf('subresources')}.subresources`) : []),
    ...(isTold('additionalPrinterColumns')
      ? list(version['additionalPrinterColumns'])
      : []
    ).flatMap((one, i) =>
      checkColumn(one, `${placeOf('additionalPrinterColumns')}.additionalPrinterColumns[${i}]`),
    ),
  ];
  const { deprecated, deprecationWarning } = version;
  if (deprecationWarning !== undefined && deprecated !== true) {
    const why = 'can only be set for deprecated versions';
    causes.push(invalidValue(`${at}.deprecationWarning`, deprecationWarning, why));
  }
  const selectable = isTold('selectableFields') ? list(version['selectableFields']) : [];
  const selectableAt = `${placeOf('selectableFields')}.selectableFields`;
  if (schema === undefined) {
    if (selectable.length === 0) return causes;
    const why = 'may only be set when `version.schema.openAPIV3Schema` is not included';
    return [...causes, invalidValue(selectableAt, '', why)];
  }
  const isShared = shared.has('schema');
  const field = isShared ? 'spec.validation.openAPIV3Schema' : `${at}.schema.openAPIV3Schema`;
  const before = (old?.['schema'] as Json | undefined)?.['openAPIV3Schema'];
  const { status } = (version['subresources'] ?? {}) as Json;
  const isUnchanged = before !== undefined && same(before, schema);
  const hasStatus = isShared ? isAnyStatus : status !== undefined;
  return [
    ...causes,
    ...(isTold('schema') ? checkSchema(schema, field, { hasStatus, isUnchanged }) : []),
    ...checkSelectable(selectable, schema, selectableAt),
  ];
}

const isFixed = 'field is immutable';

function checkUpdate(spec: Json, old: KubeObject): StatusCause[] {
  const before = old['spec'] as Json;
  const causes: StatusCause[] = [];
  const fixed = (field: string, next: unknown, was: unknown): void => {
    if (!same(next, was)) causes.push(invalidValue(`spec.${field}`, next ?? '', isFixed));
  };
  const [names, wereNames] = [spec['names'] as Json, before['names'] as Json];
  if (isTrue(old, 'Established')) {
    fixed('scope', spec['scope'], before['scope']);
    fixed('names.kind', names['kind'], wereNames['kind']);
  }
  fixed('group', spec['group'], before['group']);
  fixed('names.plural', names['plural'], wereNames['plural']);
  return causes;
}

function checkStored(object: KubeObject, versions: readonly Json[]): StatusCause[] {
  const stored = (object['status']?.storedVersions ?? []) as string[];
  const names = versions.map(({ name }) => String(name));
  const seen = new Set<string>();
  const missing = versions.flatMap(({ name, storage }) => {
    const own = String(name ?? '');
    const isThere = stored.includes(own) && !seen.has(own);
    seen.add(own);
    if (storage !== true || isThere || own === '' || stored.length === 0) return [];
    return [invalidValue('status.storedVersions', stored, `must have the storage version ${own}`)];
  });
  const left = stored.flatMap((one, i) => {
    if (names.includes(one)) return [];
    const why = `missing from spec.versions; ${one} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${one} and removes ${one} from status.storedVersions`;
    return [invalidValue(`status.storedVersions[${i}]`, one, why)];
  });
  return [...missing, ...left];
}

/** Causes beyond those of names and types; an unchanged spec is not judged again. */
export function validateDefinitionSpec(
  object: KubeObject,
  old: KubeObject | undefined,
): StatusCause[] {
  const spec = object['spec'] as Json | undefined;
  if (spec === undefined || (old !== undefined && same(spec, old['spec']))) return [];
  const versions = list(spec['versions']);
  const names = (spec['names'] ?? {}) as Json;
  const before = list((old?.['spec'] as Json | undefined)?.['versions']);
  const shared = sharedFields(versions);
  const hasStatus = ({ subresources }: Json): boolean =>
    (subresources as Json | undefined)?.['status'] !== undefined;
  const isAnyStatus = versions.some(hasStatus);
  const causes = versions.flatMap((one, i) => {
    const old = before.find(({ name }) => name === one['name']);
    const at = `spec.versions[${i}]`;
    return checkVersion(one, { at, isFirst: i === 0, shared, isAnyStatus, old });
  });
  for (const [key, words] of [
    ['shortNames', names['shortNames']],
    ['categories', names['categories']],
  ] as const) {
    (list(words) as unknown as string[]).forEach((word, i) => {
      const wrong = nameProblem('label1035', word);
      if (wrong !== undefined) causes.push(invalidValue(`spec.names.${key}[${i}]`, word, wrong));
    });
  }
  const seen = new Set(versions.map(({ name }) => name));
  if (seen.size < versions.length) {
    const shown = shownVersions(versions);
    causes.push(invalidShown('spec.versions', shown, 'must contain unique version names'));
  }
  causes.push(...checkConversion(spec), ...checkPreserved(spec));
  if (old !== undefined) {
    if (isTrue(old, 'Established'))
      causes.push(...checkBundle(spec['conversion'], (old['spec'] as Json)['conversion']));
    causes.push(...checkUpdate(spec, old));
  }
  causes.push(...checkStored(object, versions));
  return causes;
}
