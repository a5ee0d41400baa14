// The status of definitions: names are taken by whoever comes first in a group, conditions say whether the
// resource is served, and that it is going. Reasons and messages as the controllers of apiextensions v0.37.
import type { KubeObject } from '#kube/meta/object.ts';
import { same } from '#base/same.ts';
import { invalidValue } from '#kube/meta/names.ts';
import { joinedFailures, type StatusCause } from '#kube/meta/status.ts';
import { hasUnusableBundle } from './conversion-bundle.ts';
import type { JsonSchema } from './json-schema.ts';
import { checkStructure, unstructured } from './structural-rules.ts';

type Json = Record<string, unknown>;

export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime?: string;
}

export interface Names {
  readonly plural?: string;
  readonly singular?: string;
  readonly shortNames?: readonly string[];
  readonly kind?: string;
  readonly listKind?: string;
  readonly categories?: readonly string[];
}

export function conditionsOf(definition: KubeObject): readonly Condition[] {
  return (definition['status']?.conditions ?? []) as Condition[];
}

export function isTrue(definition: KubeObject, type: string): boolean {
  return conditionsOf(definition).some((one) => one.type === type && one.status === 'True');
}

/** Kept in its place; its time changes only with its status. */
export function withCondition(
  conditions: readonly Condition[],
  condition: Condition,
  now: string,
): Condition[] {
  const before = conditions.find(({ type }) => type === condition.type);
  const isKept = before?.status === condition.status;
  const time = isKept ? (before?.lastTransitionTime ?? now) : now;
  const { type, status, reason, message } = condition;
  const next = { type, status, lastTransitionTime: time, reason, message };
  if (before === undefined) return [...conditions, next];
  return conditions.map((one) => (one.type === type ? next : one));
}

function acceptedNames(definition: KubeObject): Names {
  return (definition['status']?.acceptedNames ?? {}) as Names;
}

/** Names that other definitions of the group have taken. */
function takenNames(definition: KubeObject, all: Iterable<KubeObject>) {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const other of all) {
    const isOther = other.metadata.name !== definition.metadata.name;
    if (!isOther || other['spec']?.group !== definition['spec']?.group) continue;
    const { plural, singular, shortNames = [], kind, listKind } = acceptedNames(other);
    for (const name of [plural, singular, ...shortNames]) if (name) resources.add(name);
    for (const name of [kind, listKind]) if (name) kinds.add(name);
  }
  return { resources, kinds };
}

interface Naming {
  readonly names: Names;
  readonly condition: Condition;
}

function nameIn(definition: KubeObject, all: Iterable<KubeObject>): Naming {
  const wanted = (definition['spec']?.names ?? {}) as Names;
  const accepted = acceptedNames(definition);
  const { resources, kinds } = takenNames(definition, all);
  const names: Record<string, unknown> = { ...accepted };
  let conflict: { reason: string; message: string } | undefined;
  const check = (
    key: 'plural' | 'singular' | 'kind' | 'listKind',
    reason: string,
    taken: Set<string>,
  ) => {
    const name = wanted[key] ?? '';
    if (name !== accepted[key] && taken.has(name)) {
      conflict = { reason, message: `${JSON.stringify(name)} is already in use` };
    } else names[key] = name;
  };
  check('plural', 'PluralConflict', resources);
  check('singular', 'SingularConflict', resources);
  const short = wanted.shortNames ?? [];
  const clashing = short.filter(
    (one) => accepted.shortNames?.includes(one) !== true && resources.has(one),
  );
  if (clashing.length > 0) {
    const texts = clashing.map((one) => `${JSON.stringify(one)} is already in use`);
    const message = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
    conflict = { reason: 'ShortNamesConflict', message };
  } else if (short.length > 0) names['shortNames'] = short;
  else delete names['shortNames'];
  check('kind', 'KindConflict', kinds);
  check('listKind', 'ListKindConflict', kinds);
  if (wanted.categories !== undefined) names['categories'] = wanted.categories;
  else delete names['categories'];
  const type = 'NamesAccepted';
  if (conflict !== undefined) return { names, condition: { type, status: 'False', ...conflict } };
  const message = 'no conflicts found';
  return { names, condition: { type, status: 'True', reason: 'NoConflicts', message } };
}

const notAccepted: Condition = {
  type: 'Established',
  status: 'False',
  reason: 'NotAccepted',
  message: 'not all names are accepted',
};
const established: Condition = {
  type: 'Established',
  status: 'True',
  reason: 'InitialNamesAccepted',
  message: 'the initial names have been accepted',
};

const invalidBundle: Condition = {
  type: 'Established',
  status: 'False',
  reason: 'InvalidCABundle',
  message: 'The conversion webhook CABundle is invalid',
};

/** Groups of the project need the approval of its reviewers, in an annotation. */
function approvalOf(definition: KubeObject): Condition | undefined {
  const group = String(definition['spec']?.group ?? '');
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return undefined;
  const key = 'api-approved.kubernetes.io';
  const value = definition.metadata.annotations?.[key];
  const type = 'KubernetesAPIApprovalPolicyConformant';
  if (value === undefined || value === '') {
    const message = `protected groups must have approval annotation "${key}", see https://github.com/kubernetes/enhancements/pull/1111`;
    return { type, status: 'False', reason: 'MissingAnnotation', message };
  }
  if (value.startsWith('unapproved')) {
    const message = `not approved: ${JSON.stringify(value)}`;
    return { type, status: 'False', reason: 'UnapprovedAnnotation', message };
  }
  if (URL.canParse(value)) {
    return { type, status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${value}` };
  }
  const message = `protected groups must have approval annotation "${key}" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`;
  return { type, status: 'False', reason: 'InvalidAnnotation', message };
}

const NON_STRUCTURAL = 'NonStructuralSchema';

interface SchemaOfVersion {
  readonly name?: string;
  readonly schema?: { readonly openAPIV3Schema?: JsonSchema };
}

/** What definitions of before v1 may have, and new ones may not. */
function structureOf(spec: Json): Condition | undefined {
  const type = NON_STRUCTURAL;
  const causes: StatusCause[] = [];
  if (spec['preserveUnknownFields'] === true)
    causes.push(invalidValue('spec.preserveUnknownFields', true, 'must be false'));
  for (const [i, { name = '', schema }] of (
    (spec['versions'] ?? []) as SchemaOfVersion[]
  ).entries()) {
    const root = schema?.openAPIV3Schema;
    if (root === undefined) continue;
    const why = unstructured(root);
    if (why !== undefined) {
      const message = `failed to check validation schema for version ${name}: ${why}`;
      return { type, status: 'Unknown', reason: 'StructuralError', message };
    }
    causes.push(...checkStructure(root, `spec.versions[${i}].schema.openAPIV3Schema`));
  }
  if (causes.length === 0) return undefined;
  const message = joinedFailures(causes.map(({ field, message: why }) => `${field ?? ''}: ${why}`));
  return { type, status: 'True', reason: 'Violations', message };
}

/** Schemas are judged once: definitions are looked at with each change of any. */
const judged = new WeakMap<object, { readonly condition: Condition | undefined }>();

function withStructure(definition: KubeObject, before: readonly Condition[], now: string) {
  const spec = (definition['spec'] ?? {}) as Json;
  let known = judged.get(spec);
  if (known === undefined) {
    known = { condition: structureOf(spec) };
    judged.set(spec, known);
  }
  const { condition } = known;
  return condition === undefined
    ? before.filter(({ type }) => type !== NON_STRUCTURAL)
    : withCondition(before, condition, now);
}

/** The status that the definition is to have now; undefined when it has it. */
export function nextStatus(
  definition: KubeObject,
  all: Iterable<KubeObject>,
  now: string,
): Json | undefined {
  const { names, condition } = nameIn(definition, all);
  const was = conditionsOf(definition).find(({ type }) => type === 'Established');
  const approval = approvalOf(definition);
  const before = withStructure(definition, conditionsOf(definition), now);
  // Upstream's controllers of approvals and of names each come first now and then.
  const approved = approval === undefined ? before : withCondition(before, approval, now);
  let conditions = withCondition(approved, condition, now);
  if (was?.status !== 'True') {
    const { conversion } = definition['spec'] ?? {};
    const served = hasUnusableBundle(conversion) ? invalidBundle : established;
    const next = condition.status === 'True' ? served : (was ?? notAccepted);
    conditions = withCondition(conditions, next, now);
  }
  const status = (definition['status'] ?? {}) as Json;
  const next = { ...status, conditions, acceptedNames: names };
  return same(status, next) ? undefined : next;
}

export const PENDING: Condition = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionPending',
  message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
};

export const IN_PROGRESS: Condition = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionInProgress',
  message: 'CustomResource deletion is in progress',
};
