// Judges reviews of access before they are answered, as kube-apiserver v1.37 does: who is asked about, what, and
// which selectors narrow it.
import { list, record, requirement, labelValues, type Json } from '#kube/meta/field-rules.ts';
import { forbidden, invalidValue, requiredValue } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { badRequest, invalid, type StatusCause } from '#kube/meta/status.ts';

const RESOURCE = 'spec.resourceAttributes';

/** Of operators that are unknown nothing is said: newer clients may know them. */
function fieldRequirement(one: Json, at: string): StatusCause[] {
  const { key, operator } = one;
  const values = list(one['values']);
  const causes: StatusCause[] = [];
  if (!key) causes.push(requiredValue(`${at}.key`, 'must be specified'));
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
    const why = "must be specified when `operator` is 'In' or 'NotIn'";
    causes.push(requiredValue(`${at}.values`, why));
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
    const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    causes.push(forbidden(`${at}.values`, why));
  }
  return causes;
}

function labelRequirement(one: Json, at: string): StatusCause[] {
  const causes = requirement(one, at).filter(({ field }) => field !== `${at}.operator`);
  return [...causes, ...labelValues(one['values'], `${at}.values`)];
}

function selector(
  value: unknown,
  at: string,
  each: (one: Json, at: string) => StatusCause[],
): StatusCause[] {
  if (value === undefined) return [];
  const { rawSelector } = record(value);
  const requirements = list(record(value)['requirements']);
  const causes: StatusCause[] = [];
  if (rawSelector && requirements.length > 0) {
    const why = 'may not specified at the same time as requirements';
    causes.push(invalidValue(`${at}.rawSelector`, rawSelector, why));
  }
  if (!rawSelector && requirements.length === 0) {
    const why = `when ${at} is specified, requirements or rawSelector is required`;
    causes.push(requiredValue(`${at}.requirements`, why));
  }
  const inside = requirements.flatMap((one, i) => each(one, `${at}.requirements[${i}]`));
  return [...causes, ...inside];
}

const access: Readonly<Record<string, string>> = {
  selfsubjectaccessreviews: 'SelfSubjectAccessReview',
  subjectaccessreviews: 'SubjectAccessReview',
  localsubjectaccessreviews: 'LocalSubjectAccessReview',
};

/** Throws ApiError for what asks of nobody, of nothing, or of both kinds of things. */
export function checkReview(resource: string, review: KubeObject): void {
  const spec = record(review['spec']);
  if (access[resource] === undefined) {
    if (resource === 'selfsubjectrulesreviews' && !spec['namespace']) {
      throw badRequest('no namespace on request');
    }
    return;
  }
  const isOwn = resource === 'selfsubjectaccessreviews';
  const isLocal = resource === 'localsubjectaccessreviews';
  const causes: StatusCause[] = [];
  const [one, other] = [spec['resourceAttributes'], spec['nonResourceAttributes']];
  const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
  const { path = '', verb = '' } = record(other);
  const shown = { Path: path, Verb: verb };
  if (one === undefined && other === undefined) causes.push(invalidValue('spec', null, why));
  if (one !== undefined && other !== undefined) causes.push(invalidValue('spec', shown, why));
  if (!isOwn && !spec['user'] && list(spec['groups']).length === 0) {
    const who = 'at least one of user or group must be specified';
    causes.push(invalidValue('spec.user', spec['user'] ?? '', who));
  }
  const { fieldSelector, labelSelector, namespace: wanted = '' } = record(one);
  causes.push(...selector(fieldSelector, `${RESOURCE}.fieldSelector`, fieldRequirement));
  causes.push(...selector(labelSelector, `${RESOURCE}.labelSelector`, labelRequirement));
  const { managedFields: _managers, ...metadata } = review.metadata;
  const { namespace, ...rest } = metadata;
  if (Object.keys(isLocal ? rest : metadata).length > 0) {
    const empty = isLocal ? 'must be empty except for namespace' : 'must be empty';
    causes.push(invalidValue('metadata', review.metadata, empty));
  }
  if (isLocal && one !== undefined && wanted !== namespace) {
    causes.push(invalidValue(`${RESOURCE}.namespace`, wanted, 'must match metadata.namespace'));
  }
  if (isLocal && other !== undefined) {
    const no = 'disallowed on this kind of request';
    causes.push(invalidValue('spec.nonResourceAttributes', shown, no));
  }
  if (causes.length > 0) throw invalid({ group: 'authorization.k8s.io', kind: '' }, '', causes);
}
