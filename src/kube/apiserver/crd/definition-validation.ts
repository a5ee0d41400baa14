// What a definition must be beyond its names: a structural schema whose rules can be compiled and whose
// defaults are valid, subresources, columns and selectable fields that exist, a conversion that can be
// called. Field paths and words as apiextensions v0.37.
import { CelFailure } from '#kube/cel/addresses.ts';
import { goRegExp } from '#kube/cel/go-regexp.ts';
import {
  forbidden,
  invalidValue,
  nameProblem,
  requiredValue,
  unsupported,
} from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { checkConversion, checkPreserved } from './conversion-validation.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import { same } from '#base/same.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { structuralSchema } from './custom-resources.ts';
import { isTrue } from './conditions.ts';
import { isObject, valuesOf, type Json, type JsonSchema } from './json-schema.ts';
import { checkRule, checkRules } from './rule-validation.ts';
import { validateBySchema } from './schema-validation.ts';
import { checkColumn, checkScale, checkSelectable } from './version-validation.ts';

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

// ---- schemas ----

const nestedForbidden: readonly (readonly [string, string])[] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
];

/** Below allOf, anyOf, oneOf and not there are only checks of values. */
function checkNested(schema: JsonSchema, field: string): StatusCause[] {
  const causes = nestedForbidden
    .filter(([key]) => schema[key] !== undefined && schema[key] !== false)
    .map(([key, why]) => forbidden(`${field}.${key}`, why));
  causes.push(...checkPattern(schema, field), ...checkJunctors(schema, field, false));
  if (schema.items !== undefined) causes.push(...checkNested(schema.items, `${field}.items`));
  for (const [key, one] of Object.entries(schema.properties ?? {})) {
    const at = `${field}.properties[${key}]`;
    if (key === 'metadata') causes.push(forbidden(at, 'must not be specified in a nested context'));
    causes.push(...checkNested(one, at));
  }
  return causes;
}

function isIntOrStringPattern(schemas: readonly JsonSchema[] | undefined): boolean {
  return same(schemas, [{ type: 'integer' }, { type: 'string' }]);
}

function checkJunctors(schema: JsonSchema, field: string, isIntOrString: boolean): StatusCause[] {
  const causes: StatusCause[] = [];
  const skipsAny = isIntOrString && isIntOrStringPattern(schema.anyOf);
  if (!skipsAny)
    schema.anyOf?.forEach((one, i) => causes.push(...checkNested(one, `${field}.anyOf[${i}]`)));
  schema.allOf?.forEach((one, i) => {
    if (i === 0 && isIntOrString && isIntOrStringPattern(one.anyOf)) return;
    causes.push(...checkNested(one, `${field}.allOf[${i}]`));
  });
  schema.oneOf?.forEach((one, i) => causes.push(...checkNested(one, `${field}.oneOf[${i}]`)));
  if (schema.not !== undefined) causes.push(...checkNested(schema.not, `${field}.not`));
  return causes;
}

function checkPattern({ pattern }: JsonSchema, field: string): StatusCause[] {
  if (pattern === undefined || pattern === '') return [];
  try {
    goRegExp(pattern);
    return [];
  } catch (error) {
    if (!(error instanceof CelFailure)) throw error;
    const why = `must be a valid regular expression, but isn't: ${error.message}`;
    return [invalidValue(`${field}.pattern`, pattern, why)];
  }
}

const unsupportedKeys = [
  'id',
  'additionalItems',
  'patternProperties',
  'definitions',
  'dependencies',
  '$ref',
];

function checkKeywords(schema: JsonSchema, field: string): StatusCause[] {
  const causes = unsupportedKeys
    .filter((key) => schema[key] !== undefined)
    .map((key) => forbidden(`${field}.${key}`, `${key} is not supported`));
  if (schema.uniqueItems === true) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    causes.push(forbidden(`${field}.uniqueItems`, why));
  }
  const { additionalProperties, properties = {} } = schema;
  const hasProperties = Object.keys(properties).length > 0;
  if (additionalProperties !== undefined && additionalProperties !== true && hasProperties) {
    const why = 'additionalProperties and properties are mutual exclusive';
    causes.push(forbidden(`${field}.additionalProperties`, why));
  }
  if (Array.isArray(schema.items)) {
    causes.push(forbidden(`${field}.items`, 'items must be a schema object and not an array'));
  }
  return causes;
}

function checkExtensions(schema: JsonSchema, field: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const at = (key: string): string => `${field}.${key}`;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'];
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true;
  if (preserves === false) {
    causes.push(
      invalidValue(at('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined'),
    );
  }
  if (isIntOrString && preserves === true) {
    const why = 'must be false if x-kubernetes-int-or-string is true';
    causes.push(invalidValue(at('x-kubernetes-preserve-unknown-fields'), true, why));
  }
  if (schema['x-kubernetes-embedded-resource'] === true && schema.type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    causes.push(typeCause(schema, at('type'), why));
  }
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType !== undefined) {
    if (schema.type !== 'object')
      causes.push(
        typeCause(schema, at('type'), 'must be object if x-kubernetes-map-type is specified'),
      );
    if (!['atomic', 'granular'].includes(mapType)) {
      causes.push(unsupported(at('x-kubernetes-map-type'), mapType, ['atomic', 'granular']));
    }
  }
  return [...causes, ...checkListType(schema, field)];
}

function typeCause({ type = '' }: JsonSchema, field: string, why: string): StatusCause {
  return type === '' ? requiredValue(field, why) : invalidValue(field, type, why);
}

function checkListType(schema: JsonSchema, field: string): StatusCause[] {
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const causes: StatusCause[] = [];
  const at = (key: string): string => `${field}.${key}`;
  if (keys.length > 0 && type !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    causes.push(
      type === undefined
        ? requiredValue(at('x-kubernetes-list-type'), why)
        : invalidValue(at('x-kubernetes-list-type'), type, why),
    );
  }
  if (type === undefined) return causes;
  if (schema.type !== 'array')
    causes.push(
      typeCause(schema, at('type'), 'must be array if x-kubernetes-list-type is specified'),
    );
  if (!['atomic', 'set', 'map'].includes(type)) {
    causes.push(unsupported(at('x-kubernetes-list-type'), type, ['atomic', 'set', 'map']));
  }
  const { items } = schema;
  if (type === 'map' && new Set(keys).size < keys.length) {
    const field = at('x-kubernetes-list-map-keys');
    causes.push(invalidValue(field, keys, 'must not contain duplicate entries'));
  }
  if (items === undefined) {
    const why = 'must have a schema if x-kubernetes-list-type is map';
    return type === 'map' ? [...causes, requiredValue(at('items'), why)] : causes;
  }
  if (items.nullable === true && (type === 'set' || type === 'map')) {
    causes.push(
      forbidden(at('items.nullable'), `cannot be nullable when x-kubernetes-list-type is ${type}`),
    );
  }
  if (type === 'set' && items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic') {
    const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
    causes.push(invalidValue(at('items.x-kubernetes-map-type'), null, why));
  }
  if (type !== 'map') return causes;
  if (keys.length === 0) {
    causes.push(
      requiredValue(
        at('x-kubernetes-list-map-keys'),
        'must not be empty if x-kubernetes-list-type is map',
      ),
    );
  }
  if (items.type !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    causes.push(invalidValue(at('items.type'), items.type ?? '', why));
    return causes;
  }
  for (const key of keys) causes.push(...checkMapKey(schema, items, key, field));
  return causes;
}

function checkMapKey(
  schema: JsonSchema,
  items: JsonSchema,
  key: string,
  field: string,
): StatusCause[] {
  const property = items.properties?.[key];
  if (property === undefined) {
    const why = 'entries must all be names of item properties';
    return [
      invalidValue(
        `${field}.x-kubernetes-list-map-keys`,
        schema['x-kubernetes-list-map-keys'],
        why,
      ),
    ];
  }
  const at = `${field}.items.properties[${key}]`;
  const causes: StatusCause[] = [];
  if (property.type === 'array' || property.type === 'object') {
    const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
    causes.push(invalidValue(`${at}.type`, items.type, why));
  }
  const isRequired = Array.isArray(items.required) && items.required.includes(key);
  if (!isRequired && property.default === undefined) {
    const why =
      'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
    causes.push(requiredValue(`${at}.default`, why));
  }
  if (property.nullable === true) {
    const why = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
    causes.push(forbidden(`${at}.nullable`, why));
  }
  return causes;
}

interface Place {
  readonly field: string;
  readonly isRoot: boolean;
}

function checkSchema(schema: JsonSchema, { field, isRoot }: Place): StatusCause[] {
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true;
  const causes = [
    ...checkKeywords(schema, field),
    ...checkExtensions(schema, field),
    ...checkPattern(schema, field),
    ...checkJunctors(schema, field, isIntOrString),
    ...checkDefault(schema, field),
  ];
  (schema['x-kubernetes-validations'] ?? []).forEach((rule, i) =>
    causes.push(...checkRule(rule, schema, `${field}.x-kubernetes-validations[${i}]`)),
  );
  if (isRoot && schema.additionalProperties !== undefined) {
    causes.push(forbidden(`${field}.additionalProperties`, 'must not be used at the root'));
  }
  if (isRoot && schema.nullable === true) {
    causes.push(forbidden(`${field}.nullable`, 'nullable cannot be true at the root'));
  }
  for (const [key, one] of Object.entries(schema.properties ?? {})) {
    if (isRoot && key === 'metadata')
      causes.push(...checkMetadata(one, `${field}.properties[metadata]`));
    causes.push(...checkSchema(one, { field: `${field}.properties[${key}]`, isRoot: false }));
  }
  const values = valuesOf(schema);
  if (values !== undefined)
    causes.push(...checkSchema(values, { field: `${field}.additionalProperties`, isRoot: false }));
  if (isObject(schema.items))
    causes.push(...checkSchema(schema.items, { field: `${field}.items`, isRoot: false }));
  return causes;
}

function checkMetadata(schema: JsonSchema, field: string): StatusCause[] {
  const odd = Object.keys(schema.properties ?? {}).filter(
    (key) => key !== 'name' && key !== 'generateName',
  );
  if (odd.length === 0) return [];
  return [
    forbidden(
      field,
      'must not specify anything other than name and generateName, but metadata is implicitly specified',
    ),
  ];
}

function checkDefault(schema: JsonSchema, field: string): StatusCause[] {
  if (schema.default === undefined) return [];
  const at = `${field}.default`;
  const pruned = decodeStrict(
    structuralSchema(schema as Json),
    structuredClone(schema.default),
    false,
  );
  if (pruned.unknown.length > 0)
    return [invalidValue(at, schema.default, 'must not have unknown fields')];
  return validateBySchema(schema, schema.default).map((cause) => ({
    ...cause,
    field: cause.field === '<nil>' ? at : `${at}.${cause.field ?? ''}`,
    message: cause.message.replace(/^(Invalid value: [^:]*: )/, '$1'),
  }));
}

const knownTypes = new Set(['array', 'boolean', 'integer', 'number', 'object', 'string']);

/** Rules are compiled only where every value has a type that there is. */
function hasTypes(schema: JsonSchema): boolean {
  const isOpen =
    schema['x-kubernetes-int-or-string'] === true ||
    schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (!(schema.type ? knownTypes.has(schema.type) : isOpen)) return false;
  const { additionalProperties: values, items } = schema;
  const inner = [
    ...Object.values(schema.properties ?? {}),
    ...(typeof values === 'object' ? [values] : []),
    ...(items === undefined ? [] : [items]),
  ];
  return inner.every(hasTypes);
}

// ---- the rest of a version ----

function checkVersion(version: Json, at: string, isAlone: boolean, old?: Json): StatusCause[] {
  const place = isAlone ? 'spec' : at;
  const schema = (version['schema'] as Json | undefined)?.['openAPIV3Schema'] as
    | JsonSchema
    | undefined;
  const { scale } = (version['subresources'] ?? {}) as { scale?: Json };
  const causes = [
    ...checkScale(scale, `${place}.subresources`),
    ...list(version['additionalPrinterColumns']).flatMap((one, i) =>
      checkColumn(one, `${place}.additionalPrinterColumns[${i}]`),
    ),
  ];
  const { deprecated, deprecationWarning } = version;
  if (deprecationWarning !== undefined && deprecated !== true) {
    const why = 'can only be set for deprecated versions';
    causes.push(invalidValue(`${at}.deprecationWarning`, deprecationWarning, why));
  }
  if (schema === undefined) {
    if (list(version['selectableFields']).length === 0) return causes;
    const why = 'may only be set when `version.schema.openAPIV3Schema` is not included';
    return [...causes, invalidValue(`${place}.selectableFields`, '', why)];
  }
  const field = isAlone ? 'spec.validation.openAPIV3Schema' : `${at}.schema.openAPIV3Schema`;
  const own = checkSchema(schema, { field, isRoot: true });
  const { status } = (version['subresources'] ?? {}) as Json;
  if (status !== undefined && schema.type && schema.type !== 'object') {
    const why =
      'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    causes.push(invalidValue(`${field}.type`, schema.type, why));
  }
  causes.push(
    ...own,
    ...checkSelectable(list(version['selectableFields']), schema, `${place}.selectableFields`),
  );
  if (own.length > 0 || !hasTypes(schema)) return causes;
  const before = (old?.['schema'] as Json | undefined)?.['openAPIV3Schema'];
  return [...causes, ...checkRules(schema, field, before !== undefined && same(before, schema))];
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
  const causes = versions.flatMap((one, i) => {
    const was = before.find(({ name }) => name === one['name']);
    return checkVersion(one, `spec.versions[${i}]`, versions.length === 1, was);
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
    causes.push(invalidValue('spec.versions', versions, 'must contain unique version names'));
  }
  causes.push(...checkConversion(spec), ...checkPreserved(spec));
  if (old !== undefined) causes.push(...checkUpdate(spec, old));
  causes.push(...checkStored(object, versions));
  return causes;
}
