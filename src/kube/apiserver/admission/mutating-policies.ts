// MutatingAdmissionPolicy: expressions that make an apply configuration or JSON patches of the object.
import { cloneJson } from '#base/clone.ts';
import { CelFailure } from '#kube/cel/addresses.ts';
import { jsonValue } from '#kube/cel/values.ts';
import { applyDefaults } from '#kube/meta/defaulting.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { applyPatch } from '#kube/meta/patch.ts';
import type { Schema } from '#kube/meta/schema.ts';
import { ApiError } from '#kube/meta/status.ts';
import { fieldSchema, isObject, merge, shapeErrors } from '#kube/meta/structured.ts';
import { same } from '#base/same.ts';
import type { ObjectCache } from '#kube/apiserver/object-cache.ts';
import { CONDITIONS_COST_MAX } from '#kube/cel/cost.ts';
import { Expressions, type Bound, type Compiled } from './expressions.ts';
import { isExempt } from './matching.ts';
import { ObjectValue } from './object-literals.ts';
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
import { forbiddenBy, type AdmissionRequest, type AdmissionServices } from './request.ts';

interface Mutation {
  readonly patchType?: string;
  readonly applyConfiguration?: { readonly expression?: string };
  readonly jsonPatch?: { readonly expression?: string };
}

interface MutatingSpec extends PolicySpec {
  readonly mutations?: readonly Mutation[];
  readonly reinvocationPolicy?: string;
}

interface CompiledMutation {
  readonly source: string;
  readonly isPatch: boolean;
  readonly compiled: Compiled;
}

interface CompiledPolicy {
  readonly expressions: Expressions;
  readonly conditions: {
    readonly expressions: Expressions;
    readonly all: readonly CompiledCondition[];
  };
  readonly mutations: readonly CompiledMutation[];
}

const compiledPolicies = new WeakMap<KubeObject, CompiledPolicy>();

export function compileMutatingPolicy(policy: KubeObject): CompiledPolicy {
  const known = compiledPolicies.get(policy);
  if (known !== undefined) return known;
  const spec = (policy['spec'] ?? {}) as MutatingSpec;
  const expressions = new Expressions(scopeOf(spec, true));
  const made: CompiledPolicy = {
    expressions,
    conditions: compileConditions(spec.matchConditions ?? [], spec.paramKind !== undefined),
    mutations: (spec.mutations ?? []).map(({ patchType, applyConfiguration, jsonPatch }) => {
      const isPatch = patchType === 'JSONPatch';
      const source = (isPatch ? jsonPatch?.expression : applyConfiguration?.expression) ?? '';
      return { source, isPatch, compiled: expressions.compile(source) };
    }),
  };
  compiledPolicies.set(policy, made);
  return made;
}

/** Lists, maps and structs that are replaced as a whole may not be set: others' parts would be lost. */
function atomics(schema: Schema, value: unknown, path: string): string[] {
  if (Array.isArray(value)) {
    const isAtomic = schema.type === 'array' && (schema.listType ?? 'atomic') === 'atomic';
    const inner = value.flatMap((one, i) =>
      atomics(schema.items ?? { type: 'any' }, one, `${path}[${i}]`),
    );
    return isAtomic ? [path, ...inner] : inner;
  }
  if (!isObject(value)) return [];
  const own = schema.mapType === 'atomic' ? [path] : [];
  return [
    ...own,
    ...Object.entries(value).flatMap(([key, one]) =>
      atomics(fieldSchema(schema, key), one, `${path}.${key}`),
    ),
  ];
}

function applied(object: KubeObject, value: unknown, schema: Schema): KubeObject {
  if (!(value instanceof ObjectValue))
    throw new CelFailure('unsupported return type from ApplyConfiguration expression');
  const patch = jsonValue(value) as Record<string, unknown>;
  const typed = { ...patch, apiVersion: object.apiVersion, kind: object.kind };
  const wrong = shapeErrors(schema, typed);
  if (wrong.length > 0) {
    const why = wrong.length === 1 ? (wrong[0] ?? '') : `errors:\n  ${wrong.join('\n  ')}`;
    throw new CelFailure(
      `error applying patch: failed to convert patch object to typed object: ${why}`,
    );
  }
  const found = atomics(schema, patch, '');
  if (found.length > 0) {
    const why = `may not mutate atomic arrays, maps or structs: ${found.join(', ')}`;
    throw new CelFailure(`error applying patch: invalid ApplyConfiguration: ${why}`);
  }
  return merge(schema, object, typed) as KubeObject;
}

function patched(object: KubeObject, value: unknown, schema: Schema): KubeObject {
  if (!Array.isArray(value))
    throw new CelFailure('type mismatch: JSONPatchType.expression should evaluate to array');
  const patch = value.map((one) => jsonValue(one) as { op?: string });
  let current: unknown = object;
  for (const operation of patch) {
    try {
      current = applyPatch({ type: 'json', schema, current, patch: [operation] });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A test that fails leaves the object as it was.
      if (operation.op === 'test') return object;
      throw new CelFailure(`JSON Patch: ${error.message}`, { cause: error });
    }
  }
  return current as KubeObject;
}

interface Invocation {
  readonly policy: KubeObject;
  readonly binding: KubeObject;
  readonly params: KubeObject | undefined;
}

export class MutatingPolicies {
  readonly #cache: ObjectCache;

  constructor(cache: ObjectCache) {
    this.#cache = cache;
  }

  /** Policies that may run again; `isAgain` runs only those. */
  async mutate(
    request: AdmissionRequest,
    services: AdmissionServices,
    isAgain: boolean,
  ): Promise<void> {
    const policies = this.#cache.all('mutatingadmissionpolicies');
    if (policies.length === 0 || isExempt(request) || request.object === undefined) return;
    const bindings = this.#cache.all('mutatingadmissionpolicybindings');
    for (const policy of policies) {
      const spec = policy['spec'] as MutatingSpec;
      if (isAgain && spec.reinvocationPolicy !== 'IfNeeded') continue;
      const own = bindings.filter(
        ({ spec: one }) => (one as BindingSpec).policyName === policy.metadata.name,
      );
      const errors: { message: string; binding: KubeObject }[] = [];
      const matched = own.length === 0 ? undefined : await policyMatch(spec, request, services);
      if (matched === undefined) continue;
      const namespace = await namespaceOf(request, services);
      for (const binding of own) {
        const bindingSpec = binding['spec'] as BindingSpec;
        if (!(await bindingMatches(bindingSpec, request, services))) continue;
        try {
          for (const params of await paramsFor(spec, bindingSpec, request, services)) {
            const input = { request, matched, namespace, params, services };
            runMutations({ policy, binding, params }, input);
          }
        } catch (error) {
          if (error instanceof ConfigurationError) {
            errors.push({ message: `failed to configure binding: ${error.message}`, binding });
          } else if (error instanceof CelFailure) errors.push({ message: error.message, binding });
          else throw error;
        }
      }
      const [first] = errors;
      if (first !== undefined && spec.failurePolicy !== 'Ignore')
        throw refuse(request, policy, first);
    }
  }
}

function runMutations({ policy }: Invocation, input: Parameters<Expressions['bind']>[0]): void {
  const { request } = input;
  const compiled = compileMutatingPolicy(policy);
  const conditions = conditionsHold(
    compiled.conditions.all,
    compiled.conditions.expressions.bind(input, CONDITIONS_COST_MAX),
  );
  if (conditions.error !== undefined) throw new CelFailure(conditions.error);
  if (!conditions.holds) return;
  for (const mutation of compiled.mutations) {
    const bound: Bound = compiled.expressions.bind(input);
    const { value, error } = bound.run(mutation.compiled, mutation.source);
    if (error !== undefined) throw new CelFailure(error);
    const { object, info } = request;
    if (object === undefined) return;
    const next = mutation.isPatch
      ? patched(cloneJson(object), value, info.schema)
      : applied(cloneJson(object), value, info.schema);
    if (same(next, object)) continue;
    applyDefaults(info, next);
    request.object = next;
  }
}

function refuse(
  request: AdmissionRequest,
  policy: KubeObject,
  { message, binding }: { message: string; binding: KubeObject },
): ApiError {
  const text = `policy '${policy.metadata.name ?? ''}' with binding '${binding.metadata.name ?? ''}' denied request: ${message}`;
  const { details } = forbiddenBy(request, text);
  return new ApiError(403, 'Invalid', text, { ...details, causes: [{ message: text }] });
}
