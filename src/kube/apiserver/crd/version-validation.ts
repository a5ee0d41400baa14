// What a version of a definition has beside its schema: where its scale is, what is printed of its objects,
// which fields may be selected by.
import { duplicate, invalidValue, requiredValue } from '#kube/meta/names.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { fieldPathOf } from './field-path.ts';
import type { Json, JsonSchema } from './json-schema.ts';

function checkPath(value: unknown, field: string, under: readonly string[]): StatusCause[] {
  const text = String(value ?? '');
  if (text === '') return [requiredValue(field)];
  if (!text.startsWith('.'))
    return [invalidValue(field, text, 'must be a simple json path starting with .')];
  if (under.some((one) => text.startsWith(`.${one}.`))) return [];
  const where =
    under.length === 1
      ? `.${under[0] ?? ''}`
      : `either ${under.map((one) => `.${one}`).join(' or ')}`;
  return [invalidValue(field, text, `should be a json path under ${where}`)];
}

export function checkScale(scale: Json | undefined, field: string): StatusCause[] {
  if (scale === undefined) return [];
  const selector = scale['labelSelectorPath'];
  return [
    ...checkPath(scale['specReplicasPath'], `${field}.scale.specReplicasPath`, ['spec']),
    ...checkPath(scale['statusReplicasPath'], `${field}.scale.statusReplicasPath`, ['status']),
    ...(selector === undefined || selector === ''
      ? []
      : checkPath(selector, `${field}.scale.labelSelectorPath`, ['spec', 'status'])),
  ];
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = [
  'byte',
  'date',
  'date-time',
  'double',
  'float',
  'int32',
  'int64',
  'password',
];

export function checkColumn(column: Json, field: string): StatusCause[] {
  const { name, type, format, jsonPath } = column as Record<string, string | undefined>;
  const causes: StatusCause[] = [];
  if (!name) causes.push(requiredValue(`${field}.name`));
  const types = `must be one of ${columnTypes.join(',')}`;
  if (!type) causes.push(requiredValue(`${field}.type`, types));
  else if (!columnTypes.includes(type)) causes.push(invalidValue(`${field}.type`, type, types));
  if (format && !columnFormats.includes(format)) {
    causes.push(
      invalidValue(`${field}.format`, format, `must be one of ${columnFormats.join(',')}`),
    );
  }
  if (!jsonPath) causes.push(requiredValue(`${field}.JSONPath`));
  else if (!jsonPath.startsWith('.')) {
    causes.push(
      invalidValue(`${field}.JSONPath`, jsonPath, 'must be a simple json path starting with .'),
    );
  }
  return causes;
}

const SELECTABLE_MAX = 8;

export function checkSelectable(
  fields: readonly Json[],
  schema: JsonSchema,
  field: string,
): StatusCause[] {
  const causes: StatusCause[] = [];
  const seen = new Set<string>();
  fields.forEach(({ jsonPath }, i) => {
    const at = `${field}[${i}].jsonPath`;
    const text = String(jsonPath ?? '');
    if (text === '') return void causes.push(requiredValue(at));
    const found = fieldPathOf(text, schema, false);
    if (typeof found === 'string')
      return void causes.push(invalidValue(at, text, `is an invalid path: ${found}`));
    if (found.path.split('.')[0] === 'metadata') {
      causes.push(invalidValue(at, text, 'must not point to fields in metadata'));
    }
    if (!['string', 'boolean', 'integer'].includes(found.schema.type ?? '')) {
      const why =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      causes.push(invalidValue(at, text, why));
    }
    if (seen.has(found.path)) causes.push(duplicate(at, text));
    seen.add(found.path);
  });
  if (seen.size > SELECTABLE_MAX) {
    const message = `Too many: ${seen.size}: must have at most ${SELECTABLE_MAX} items`;
    causes.push({ reason: 'FieldValueTooMany', message, field });
  }
  return causes;
}
