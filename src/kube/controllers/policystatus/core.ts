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

function expressionsOf(policy: KubeObject): { fieldRef: string; expression: string }[] {
  const { validations = [] } = (policy['spec'] ?? {}) as Spec;
  return validations.flatMap(({ expression, messageExpression }, i) => {
    const at = `spec.validations[${i}]`;
    const own = { fieldRef: `${at}.expression`, expression };
    if (!messageExpression) return [own];
    return [own, { fieldRef: `${at}.messageExpression`, expression: messageExpression }];
  });
}

/** Of each expression, in their order: why it is none for objects of one kind. */
export type Doubts = readonly (string | undefined)[];

export function doubtsOf(policy: KubeObject, object: CheckedKind, params?: CheckedKind): Doubts {
  const check = checkerOf((policy['spec'] ?? {}) as Spec, object, params);
  return expressionsOf(policy).map(({ expression }) => {
    const why = check(expression);
    return why === undefined ? undefined : `${kindText(object.kind)}: ${why}\n`;
  });
}

/** Doubts of all kinds, in the order of these. */
export function warningsOf(policy: KubeObject, doubts: readonly Doubts[]): Warning[] {
  return expressionsOf(policy).flatMap(({ fieldRef }, i) => {
    const found = doubts.flatMap((one) => one[i] ?? []);
    return found.length === 0 ? [] : [{ fieldRef, warning: found.join('\n') }];
  });
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
