// ValidatingAdmissionPolicy: expressions that must hold, for the bindings and parameters that match; what
// fails denies, warns or is written to the audit log.
import type { KubeObject } from '#kube/meta/object.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { ConfiguredObjects } from './configured-objects.ts';
import { CONDITIONS_COST_MAX } from '#kube/cel/cost.ts';
import { Expressions, type Bound, type Compiled } from './expressions.ts';
import { isExemptOfPolicies, versioned } from './matching.ts';
import {
  bindingMatches,
  compileConditions,
  conditionsHold,
  ConfigurationError,
  namespaceOf,
  paramsFor,
  policyMatch,
  scopeOf,
  type BindingSpec,
  type CompiledCondition,
  type PolicySpec,
} from './policy-parts.ts';
import {
  forbiddenBy,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
} from './request.ts';

interface Validation {
  readonly expression: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
}

interface ValidatingSpec extends PolicySpec {
  readonly validations?: readonly Validation[];
  readonly auditAnnotations?: readonly { readonly key: string; readonly valueExpression: string }[];
}

interface CompiledPolicy {
  readonly expressions: Expressions;
  readonly conditions: {
    readonly expressions: Expressions;
    readonly all: readonly CompiledCondition[];
  };
  readonly validations: readonly {
    readonly validation: Validation;
    readonly compiled: Compiled;
    readonly message: Compiled | undefined;
  }[];
  readonly annotations: readonly {
    readonly key: string;
    readonly source: string;
    readonly compiled: Compiled;
  }[];
}

const compiledPolicies = new WeakMap<KubeObject, CompiledPolicy>();

function specOf(policy: KubeObject): ValidatingSpec {
  return (policy['spec'] ?? {}) as ValidatingSpec;
}

export function compileValidatingPolicy(policy: KubeObject): CompiledPolicy {
  const known = compiledPolicies.get(policy);
  if (known !== undefined) return known;
  const spec = specOf(policy);
  const expressions = new Expressions(scopeOf(spec, false));
  const made: CompiledPolicy = {
    expressions,
    conditions: compileConditions(spec.matchConditions ?? [], spec.paramKind !== undefined),
    validations: (spec.validations ?? []).map((validation) => ({
      validation,
      compiled: expressions.compile(validation.expression),
      message:
        validation.messageExpression === undefined
          ? undefined
          : expressions.compileMessage(validation.messageExpression),
    })),
    annotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      source: valueExpression,
      compiled: expressions.compile(valueExpression),
    })),
  };
  compiledPolicies.set(policy, made);
  return made;
}

interface Denial {
  readonly policy: KubeObject;
  readonly binding: KubeObject | undefined;
  readonly message: string;
  readonly reason: string;
}

const codes: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

const MESSAGE_BYTES_MAX = 5 * 1024;

function messageOf(validation: Validation, message: Compiled | undefined, bound: Bound): string {
  if (message !== undefined) {
    const { value } = bound.run(message, validation.messageExpression ?? '');
    const text = typeof value === 'string' ? value.trim() : '';
    if (text !== '' && Buffer.byteLength(text) <= MESSAGE_BYTES_MAX && !text.includes('\n'))
      return text;
  }
  return validation.message?.trim() || `failed expression: ${validation.expression.trim()}`;
}

interface Failure {
  readonly message: string;
  readonly reason: string;
  readonly index: number;
}

/** What one run of a policy found wrong. */
function evaluate(
  policy: KubeObject,
  compiled: CompiledPolicy,
  bound: { policy: Bound; conditions: Bound },
): Failure[] {
  const isIgnored = specOf(policy).failurePolicy === 'Ignore';
  const failed = (message: string, index: number): Failure[] =>
    isIgnored ? [] : [{ message, reason: 'Invalid', index }];
  const { holds, error } = conditionsHold(compiled.conditions.all, bound.conditions);
  if (error !== undefined) return failed(error, 0);
  if (!holds) return [];
  return compiled.validations.flatMap(({ validation, compiled: one, message }, index) => {
    const result = bound.policy.run(one, validation.expression);
    if (result.error !== undefined) return failed(result.error, index);
    if (result.value === true) return [];
    const reason = validation.reason ?? 'Invalid';
    return [{ message: messageOf(validation, message, bound.policy), reason, index }];
  });
}

const ANNOTATION_LENGTH_MAX = 10 * 1024;

function annotate(
  policy: KubeObject,
  compiled: CompiledPolicy,
  bound: Bound,
  request: AdmissionRequest,
): Failure[] {
  const failures: Failure[] = [];
  for (const [index, { key, source, compiled: one }] of compiled.annotations.entries()) {
    const { value, error } = bound.run(one, source);
    if (error !== undefined) {
      if (specOf(policy).failurePolicy !== 'Ignore')
        failures.push({ message: error, reason: 'Invalid', index });
      continue;
    }
    if (typeof value !== 'string' || value.trim() === '') continue;
    const name = `${policy.metadata.name ?? ''}/${key}`;
    const text = value.trim().slice(0, ANNOTATION_LENGTH_MAX);
    const before = request.annotations[name];
    if (before?.split(', ').includes(text) !== true) {
      request.annotations[name] = before === undefined ? text : `${before}, ${text}`;
    }
  }
  return failures;
}

function refuse(request: AdmissionRequest, { policy, binding, message, reason }: Denial): ApiError {
  const head = `ValidatingAdmissionPolicy '${policy.metadata.name ?? ''}'`;
  const by = binding === undefined ? '' : ` with binding '${binding.metadata.name ?? ''}'`;
  const text = `${head}${by} denied request: ${message}`;
  const error = forbiddenBy(request, text);
  return new ApiError(codes[reason] ?? 422, reason, error.message, {
    ...error.details,
    causes: [{ message: text }],
  });
}

export class ValidatingPolicies implements AdmissionPlugin {
  readonly name = 'ValidatingAdmissionPolicy';
  readonly #objects: ConfiguredObjects;

  constructor(objects: ConfiguredObjects) {
    this.#objects = objects;
  }

  async validate(request: AdmissionRequest, services: AdmissionServices): Promise<void> {
    const isExempt = isExemptOfPolicies(request);
    const policies = this.#objects.all('validatingadmissionpolicies', isExempt);
    if (policies.length === 0) return;
    const denials: Denial[] = [];
    const failures: unknown[] = [];
    for (const policy of policies) {
      const own = this.#objects.bindings('validatingadmissionpolicybindings', policy);
      if (own.length > 0) await this.#one(policy, own, { request, services, denials, failures });
    }
    if (failures.length > 0) {
      request.annotations['validation.policy.admission.k8s.io/validation_failure'] =
        JSON.stringify(failures);
    }
    const [denial] = denials;
    if (denial !== undefined) throw refuse(request, denial);
  }

  async #one(policy: KubeObject, bindings: readonly KubeObject[], state: State): Promise<void> {
    const { request, services, denials } = state;
    const spec = specOf(policy);
    const matched = await policyMatch(spec, request, services);
    if (matched === undefined) return;
    const compiled = compileValidatingPolicy(policy);
    const namespace = await namespaceOf(request, services);
    const seen = await versioned(request, matched);
    for (const binding of bindings) {
      const bindingSpec = binding['spec'] as BindingSpec;
      if (!(await bindingMatches(bindingSpec, request, services))) continue;
      try {
        for (const params of await paramsFor(spec, bindingSpec, request, services)) {
          const input = { request, versioned: seen, namespace, params, services };
          const bound = {
            policy: compiled.expressions.bind(input),
            conditions: compiled.conditions.expressions.bind(input, CONDITIONS_COST_MAX),
          };
          const found = evaluate(policy, compiled, bound);
          for (const failure of found) this.#act(policy, binding, failure, state);
          for (const failure of annotate(policy, compiled, bound.policy, request)) {
            denials.push({ policy, binding, ...failure });
          }
        }
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        if (spec.failurePolicy === 'Ignore') continue;
        const message = `failed to configure binding: ${error.message}`;
        denials.push({ policy, binding, message, reason: 'Invalid' });
      }
    }
  }

  #act(policy: KubeObject, binding: KubeObject, failure: Failure, state: State): void {
    const { request, denials, failures } = state;
    const actions = (binding['spec'] as BindingSpec).validationActions ?? [];
    const { message, reason, index } = failure;
    const [policyName = '', bindingName = ''] = [policy.metadata.name, binding.metadata.name];
    for (const action of actions) {
      if (action === 'Deny') denials.push({ policy, binding, message, reason });
      if (action === 'Warn') {
        const head = `Validation failed for ValidatingAdmissionPolicy '${policyName}'`;
        request.warnings.push(`${head} with binding '${bindingName}': ${message}`);
      }
      if (action === 'Audit') {
        failures.push({
          message,
          policy: policyName,
          binding: bindingName,
          expressionIndex: index,
          validationActions: actions,
        });
      }
    }
  }
}

interface State {
  readonly request: AdmissionRequest;
  readonly services: AdmissionServices;
  readonly denials: Denial[];
  readonly failures: unknown[];
}
