// Judges how the versions of a custom kind become each other, and what is kept of fields that a schema does not
// have, as kube-apiserver v1.37 does.
import { list, record, type Json } from '#kube/meta/field-rules.ts';
import {
  forbidden,
  invalidValue,
  nameProblem,
  requiredValue,
  unsupported,
} from '#kube/meta/names.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { clientConfig } from '#kube/meta/validation-webhooks.ts';
import { bundleFault, bundleOf, hasUnusableBundle } from './conversion-bundle.ts';

const FIELD = 'spec.conversion';
const accepted = ['v1', 'v1beta1'];

function reviewVersions(versions: readonly string[]): StatusCause[] {
  const field = `${FIELD}.conversionReviewVersions`;
  if (versions.length === 0) return [requiredValue(field)];
  const causes = versions.flatMap((one, index) => {
    const at = `${field}[${index}]`;
    if (versions.indexOf(one) < index) return [invalidValue(at, one, 'duplicate version')];
    const wrong = nameProblem('label1035', one);
    return wrong === undefined ? [] : [invalidValue(at, one, wrong)];
  });
  if (versions.some((one) => accepted.includes(one))) return causes;
  const why = `must include at least one of ${accepted.join(', ')}`;
  return [...causes, invalidValue(field, versions, why)];
}

function strategyCauses(strategy: unknown): StatusCause[] {
  const field = `${FIELD}.strategy`;
  if (!strategy) return [requiredValue(field)];
  const all = ['None', 'Webhook'];
  return all.includes(String(strategy)) ? [] : [unsupported(field, strategy, all)];
}

export function checkConversion({ conversion, preserveUnknownFields }: Json): StatusCause[] {
  if (conversion === undefined) return [];
  const { strategy, webhook } = record(conversion);
  const config = record(webhook)['clientConfig'];
  const versions = list(record(webhook)['conversionReviewVersions']) as unknown as string[];
  const causes = strategyCauses(strategy);
  if (preserveUnknownFields === true && strategy !== 'None') {
    const why = 'must be None if spec.preserveUnknownFields is true';
    causes.push(invalidValue(`${FIELD}.strategy`, strategy, why));
  }
  const field = `${FIELD}.webhookClientConfig`;
  if (strategy !== 'Webhook') {
    const why = 'should not be set when strategy is not set to Webhook';
    return [
      ...causes,
      ...(config === undefined ? [] : [forbidden(field, why)]),
      ...(versions.length === 0 ? [] : [forbidden(`${FIELD}.conversionReviewVersions`, why)]),
    ];
  }
  const caller =
    config === undefined
      ? [requiredValue(field, 'required when strategy is set to Webhook')]
      : clientConfig(record(config), field);
  return [...causes, ...caller, ...reviewVersions(versions)];
}

/** Of an update: a new definition is let in, and not served; one that was unusable may stay so. */
export function checkBundle(conversion: unknown, before: unknown): StatusCause[] {
  const bundle = bundleOf(conversion);
  const wrong = bundle === undefined ? undefined : bundleFault(bundle);
  if (bundle === undefined || wrong === undefined || hasUnusableBundle(before)) return [];
  if (record(conversion)['strategy'] !== 'Webhook') return [];
  const shown = Buffer.from(bundle).toString('base64');
  return [invalidValue(`${FIELD}.webhookClientConfig.caBundle`, shown, wrong)];
}

const hasDefaults = (schema: unknown): boolean =>
  typeof schema === 'object' &&
  schema !== null &&
  (Object.hasOwn(schema, 'default') || Object.values(schema).some(hasDefaults));

/** Fields are kept by the schema, where it says so. */
export function checkPreserved({ preserveUnknownFields, versions }: Json): StatusCause[] {
  if (preserveUnknownFields !== true) return [];
  const field = 'spec.preserveUnknownFields';
  const why =
    'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
  const causes = [invalidValue(field, true, why)];
  const schemas = list(versions).map(({ schema }) => record(schema)['openAPIV3Schema']);
  if (!schemas.some(hasDefaults)) return causes;
  const other = 'must be false in order to use defaults in the schema';
  return [...causes, invalidValue(field, true, other)];
}
