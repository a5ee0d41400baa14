// All that is asked of a custom object when it is written: its schema, its collections, the resources in
// it, the rules of its definition, and that its scale is one.
import { valueAt } from '#kube/apiserver/scale.ts';
import { invalidValue } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { validateCollections, validateEmbedded } from './collection-rules.ts';
import { evaluateRules } from './expression-rules.ts';
import type { JsonSchema } from './json-schema.ts';
import { validateBySchema } from './schema-validation.ts';

/** Errors after which rules are not looked at: they might not even fit the object. */
const blocking = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

const unchecked: StatusCause = {
  reason: 'FieldValueInvalid',
  message:
    'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  field: '<nil>',
};

const INT32_MAX = 2 ** 31 - 1;

function checkReplicas(object: KubeObject, path: string): StatusCause[] {
  const value = valueAt(object, path);
  if (value === undefined || value === null) return [];
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    const why = `${path} accessor error: ${String(value)} is of the type ${typeof value}, expected int64`;
    return [invalidValue(path, 0, why)];
  }
  if (value < 0) return [invalidValue(path, value, 'should be a non-negative integer')];
  const why = `should be less than or equal to ${INT32_MAX}`;
  return value > INT32_MAX ? [invalidValue(path, value, why)] : [];
}

function checkScale(info: ResourceInfo, object: KubeObject, isStatus: boolean): StatusCause[] {
  const paths = info.subresources.find(({ name }) => name === 'scale')?.scalePaths;
  if (paths === undefined) return [];
  const spec = isStatus ? [] : checkReplicas(object, paths.spec);
  return [...spec, ...checkReplicas(object, paths.status)];
}

export function validateCustom(
  info: ResourceInfo,
  object: KubeObject,
  old: KubeObject | undefined,
  subresource: string | undefined,
): { readonly causes: readonly StatusCause[]; readonly warnings: readonly string[] } {
  const whole = info.customSchema as JsonSchema | undefined;
  if (whole === undefined) return { causes: [], warnings: [] };
  const isStatus = subresource === 'status';
  const causes = isStatus
    ? statusCauses(whole, object, old)
    : validateBySchema(whole, object, {
        old: old === undefined ? undefined : { value: old },
      });
  causes.push(...checkScale(info, object, isStatus), ...validateEmbedded(whole, object));
  if (old === undefined || validateCollections(whole, old).length === 0) {
    causes.push(...validateCollections(whole, object));
  }
  if (causes.some(({ reason }) => blocking.has(reason ?? ''))) {
    const hasAny = evaluatesAnything(whole);
    return { causes: hasAny ? [...causes, unchecked] : causes, warnings: [] };
  }
  const rules = evaluateRules(whole, object, old);
  return { causes: [...causes, ...rules.causes], warnings: rules.warnings };
}

function evaluatesAnything(schema: JsonSchema): boolean {
  return JSON.stringify(schema).includes('"x-kubernetes-validations"');
}

/** Status updates are checked by the schema of the status alone. */
function statusCauses(
  schema: JsonSchema,
  object: KubeObject,
  old: KubeObject | undefined,
): StatusCause[] {
  const status = schema.properties?.['status'];
  if (status === undefined || object['status'] === undefined) return [];
  const before = old?.['status'] === undefined ? undefined : { value: old['status'] as unknown };
  return validateBySchema(status, object['status'], { path: 'status', old: before });
}
