// What is doubtful about a policy's expressions, by the types of the objects that it matches: told in its status, and
// of no effect on requests (k8s.io/apiserver, policy/validating/typechecking.go).
import { DeclaredTypes, type TypedSchema } from '#kube/cel/declared-types.ts';
import type { Environment } from '#kube/cel/environment.ts';
import { AUTHORIZER_TYPE } from '#kube/cel/library-authorizer.ts';
import { declareRequest, variableType } from '#kube/cel/policy-types.ts';
import { baseEnvironment, checkedType, CompileError } from '#kube/cel/program.ts';
import { DYN, struct, type CelType } from '#kube/cel/types.ts';
import { validatingAdmissionPolicies } from '#kube/client/resources.ts';
import type { Effect } from '#kube/controllers/effects.ts';
import type { GroupVersionKind, KubeObject } from '#kube/meta/object.ts';

/** Of the status, whoever wrote it before; as upstream. */
const MANAGER = 'validatingadmissionpolicy-status';

export interface CheckedKind {
  readonly kind: GroupVersionKind;
  readonly schema: TypedSchema;
}

export interface CheckedTypes {
  /** Of `object` and `oldObject`, in the order in which they are told. */
  readonly objects: readonly CheckedKind[];
  /** Of `params`; undefined: anything. */
  readonly params?: CheckedKind | undefined;
}

interface Spec {
  readonly paramKind?: object;
  readonly variables?: readonly { readonly name: string; readonly expression: string }[];
  readonly validations?: readonly {
    readonly expression: string;
    readonly messageExpression?: string;
  }[];
}

interface Warning {
  readonly fieldRef: string;
  readonly warning: string;
}

/** Upstream has a number of the clock behind the kind: names of types are nobody's to rely on. */
function declared(env: Environment, { kind, schema }: CheckedKind, number: number): CelType {
  return new DeclaredTypes(env).declare(schema, `${kind.kind}${number}`, true)?.celType ?? DYN;
}

/** Why the expression is none; undefined when it is one. */
type Check = (expression: string) => string | undefined;

function checkerOf(spec: Spec, object: CheckedKind, params: CheckedKind | undefined): Check {
  const env = baseEnvironment().clone();
  declareRequest(env);
  const type = declared(env, object, 0);
  env.variable('object', type);
  env.variable('oldObject', type);
  if (spec.paramKind) env.variable('params', params === undefined ? DYN : declared(env, params, 1));
  env.variable('authorizer', AUTHORIZER_TYPE);
  const fields = new Map<string, CelType>();
  const variables = struct('kubernetes.variables');
  env.struct({ type: variables, field: (name) => fields.get(name) });
  env.variable('variables', variables);
  for (const { name, expression } of spec.variables ?? []) {
    let of = DYN;
    try {
      of = variableType(checkedType(env, expression));
    } catch {
      // Whatever is wrong with it was told when the policy was written.
    }
    fields.set(name, of);
  }
  return (expression) => {
    try {
      checkedType(env, expression);
      return undefined;
    } catch (error) {
      const { message } = error as Error;
      return error instanceof CompileError ? message : `type checking error: ${message}`;
    }
  };
}

const kindText = ({ group, version, kind }: GroupVersionKind): string =>
  `${group}/${version}, Kind=${kind}`;

export function expressionWarnings(policy: KubeObject, types: CheckedTypes): Warning[] {
  const spec = (policy['spec'] ?? {}) as Spec;
  const checks = types.objects.map((one) => ({
    name: kindText(one.kind),
    check: checkerOf(spec, one, types.params),
  }));
  const warnings: Warning[] = [];
  const look = (fieldRef: string, expression = ''): void => {
    const found = checks.flatMap(({ name, check }) => {
      const why = check(expression);
      return why === undefined ? [] : [`${name}: ${why}\n`];
    });
    if (found.length > 0) warnings.push({ fieldRef, warning: found.join('\n') });
  };
  for (const [i, { expression, messageExpression }] of (spec.validations ?? []).entries()) {
    look(`spec.validations[${i}].expression`, expression);
    if (messageExpression) look(`spec.validations[${i}].messageExpression`, messageExpression);
  }
  return warnings;
}

/** Whether nobody has looked at what the policy says now. */
export function isUnchecked({ metadata, status }: KubeObject): boolean {
  const seen = (status as { observedGeneration?: number } | undefined)?.observedGeneration ?? 0;
  return Number(metadata.generation ?? 0) > Number(seen);
}

export function statusOf(policy: KubeObject, warnings: readonly Warning[]): Effect {
  const { name, generation } = policy.metadata;
  const typeChecking = warnings.length === 0 ? {} : { expressionWarnings: warnings };
  return {
    kind: 'patch',
    resource: validatingAdmissionPolicies,
    object: policy,
    type: 'apply',
    fieldManager: MANAGER,
    subresource: 'status',
    patch: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      status: { observedGeneration: generation, typeChecking },
    },
  };
}
