// MutatingAdmissionPolicy: expressions that make an apply configuration or JSON patches of the object. Which
// policies, bindings and parameters are meant is settled before the first of them changes anything.
import { cloneJson } from '#base/clone.ts';
import { same } from '#base/same.ts';
import { CelFailure } from '#kube/cel/core-values.ts';
import { CONDITIONS_COST_MAX } from '#kube/cel/cost.ts';
import { applyDefaults } from '#kube/meta/defaulting.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { ConfiguredObjects } from './configured-objects.ts';
import { Expressions, type Compiled, type Input } from './expressions.ts';
import { convertedTo, isExemptOfPolicies, versioned } from './matching.ts';
import { applied, patched } from './policy-mutations.ts';
import {
  bindingMatches,
  compileConditions,
  conditionsHold,
  ConfigurationError,
  namespaceOf,
  paramKindOf,
  paramsFor,
  policyMatch,
  scopeOf,
  type BindingSpec,
  type CompiledCondition,
  type PolicySpec,
} from './policy-parts.ts';
import type { Reinvocation } from './reinvocation.ts';
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

function compileMutatingPolicy(policy: KubeObject): CompiledPolicy {
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

interface Invocation {
  readonly policy: KubeObject;
  readonly binding: KubeObject;
  readonly matched: ResourceInfo;
  readonly params: KubeObject | undefined;
}

interface PolicyError {
  readonly policy: KubeObject;
  readonly binding?: KubeObject | undefined;
  readonly message: string;
  /** Forbidden where it is not said. */
  readonly reason?: 'Invalid';
}

const specOf = (policy: KubeObject): MutatingSpec => policy['spec'] as MutatingSpec;

export class MutatingPolicies {
  readonly #objects: ConfiguredObjects;

  constructor(objects: ConfiguredObjects) {
    this.#objects = objects;
  }

  /** In the second round only those that are to see later changes. */
  async mutate(
    request: AdmissionRequest,
    services: AdmissionServices,
    round: Reinvocation,
  ): Promise<void> {
    const isExempt = isExemptOfPolicies(request);
    const all = this.#objects.all('mutatingadmissionpolicies', isExempt);
    if (all.length === 0 || request.object === undefined) return;
    const errors: PolicyError[] = [];
    const invocations: Invocation[] = [];
    for (const policy of all)
      invocations.push(...(await this.#invocations(policy, request, services, errors)));
    if (invocations.length > 0) {
      const namespace = await namespaceOf(request, services);
      round.begin(request.object);
      for (const one of invocations) {
        const { params, policy } = one;
        const key = keyOf(one);
        if (!round.isDue(key)) continue;
        const before: KubeObject | undefined = request.object;
        const found = await run(one, { request, namespace, params, services });
        if (found === undefined) continue;
        errors.push(...found);
        if (request.object !== before) round.changed();
        if (specOf(policy).reinvocationPolicy === 'IfNeeded') round.asked(key);
      }
      // Of a change whoever made it is told, too.
      if (round.isWanted) round.changed();
      round.end(request.object);
    }
    const refused = errors.filter(({ policy }) => specOf(policy).failurePolicy !== 'Ignore');
    if (refused.length > 0) throw refusal(request, refused);
  }

  /** What the policy is to be run with; why it cannot be is put among the errors. */
  async #invocations(
    policy: KubeObject,
    request: AdmissionRequest,
    services: AdmissionServices,
    errors: PolicyError[],
  ): Promise<readonly Invocation[]> {
    const spec = specOf(policy);
    const bindings = this.#objects.bindings('mutatingadmissionpolicybindings', policy);
    const matched = bindings.length === 0 ? undefined : await policyMatch(spec, request, services);
    if (matched === undefined) return [];
    let binding: KubeObject | undefined;
    const found: Invocation[] = [];
    const configure = async (of: string, work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        errors.push({ policy, binding, message: `failed to configure ${of}: ${error.message}` });
      }
    };
    await configure('policy', async () => {
      paramKindOf(spec, services);
      for (binding of bindings) {
        const own = binding['spec'] as BindingSpec;
        const of = binding;
        if (!(await bindingMatches(own, request, services))) continue;
        await configure('binding', async () => {
          const all = await paramsFor(spec, own, request, services);
          const isCustom = paramKindOf(spec, services)?.customResourceDefinition !== undefined;
          for (const params of isCustom ? all : all.map(withoutKind))
            found.push({ policy, binding: of, matched, params });
        });
      }
    });
    return found;
  }
}

/** Built-in parameters are kept without saying what they are; expressions of these policies see them so. */
function withoutKind(object: KubeObject | undefined): KubeObject | undefined {
  if (object === undefined) return undefined;
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return rest as KubeObject;
}

const keyOf = ({ policy, binding, params }: Invocation): string =>
  JSON.stringify([
    policy.metadata.name,
    binding.metadata.name,
    params?.metadata.namespace,
    params?.metadata.name,
  ]);

/**
 * undefined where its conditions do not hold. Each mutation goes on from what the ones before have made, also after
 * one that failed.
 */
async function run(
  { policy, binding, matched }: Invocation,
  rest: Omit<Input, 'versioned'>,
): Promise<PolicyError[] | undefined> {
  const compiled = compileMutatingPolicy(policy);
  const inputNow = async (): Promise<Input> => ({
    ...rest,
    versioned: await versioned(rest.request, matched),
  });
  const conditions = conditionsHold(
    compiled.conditions.all,
    compiled.conditions.expressions.bind(await inputNow(), CONDITIONS_COST_MAX),
  );
  const failed = (message: string): PolicyError => ({
    policy,
    binding,
    message,
    reason: 'Invalid',
  });
  if (conditions.error !== undefined) return [failed(conditions.error)];
  if (!conditions.holds) return undefined;
  const errors: PolicyError[] = [];
  for (const mutation of compiled.mutations) {
    try {
      await mutateOnce(compiled, mutation, await inputNow());
    } catch (error) {
      if (!(error instanceof CelFailure)) throw error;
      errors.push(failed(error.message));
    }
  }
  return errors;
}

async function mutateOnce(
  { expressions }: CompiledPolicy,
  { compiled, source, isPatch }: CompiledMutation,
  input: Input,
): Promise<void> {
  const { request, versioned: seen } = input;
  const { matched } = seen;
  const { object, info } = request;
  if (object === undefined) return;
  const { value, error } = expressions.bind(input).run(compiled, source);
  if (error !== undefined) throw new CelFailure(error);
  const own = cloneJson(seen.object ?? object);
  const next = isPatch ? patched(own, value, matched) : applied(own, value, matched);
  if (matched !== info && info.customResourceDefinition === undefined) {
    const [from, to] = [matched, info].map(({ version, kind }) => `(${version}.${kind})`);
    throw new CelFailure(`converting ${from} to ${to}: unknown conversion`);
  }
  const made = matched === info ? next : await convertedTo(info, next, matched);
  if (same(made, object)) return;
  applyDefaults(info, made);
  request.object = made;
}

function refusal(request: AdmissionRequest, errors: readonly PolicyError[]): ApiError {
  const texts = errors.map(({ policy, binding, message }) => {
    const name = policy.metadata.name ?? '';
    if (binding === undefined) return `policy ${JSON.stringify(name)} denied request: ${message}`;
    const head = `policy '${name}' with binding '${binding.metadata.name ?? ''}'`;
    return `${head} denied request: ${message}`;
  });
  const { details } = forbiddenBy(request, texts[0] ?? '');
  return new ApiError(403, errors[0]?.reason ?? 'Forbidden', texts[0] ?? '', {
    ...details,
    causes: texts.map((message) => ({ message })),
  });
}
