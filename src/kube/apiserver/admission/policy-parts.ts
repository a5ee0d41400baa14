// What validating and mutating policies share: whom they are about, their bindings and parameters, their
// conditions, and what happens when they cannot be evaluated.
import { parseApiVersion, type KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { labelSelectorFromObject, matchesLabels } from '#kube/meta/selectors.ts';
import {
  Expressions,
  type Bound,
  type Compiled,
  type Scope,
  type Variable,
} from './expressions.ts';
import { matchedResource, type Constraints, type Rule } from './matching.ts';
import type { AdmissionRequest, AdmissionServices } from './request.ts';

type Selector = Constraints['namespaceSelector'];

export interface MatchResources {
  readonly resourceRules?: readonly Rule[];
  readonly excludeResourceRules?: readonly Rule[];
  readonly namespaceSelector?: Selector;
  readonly objectSelector?: Selector;
  readonly matchPolicy?: string;
}

export interface MatchCondition {
  readonly name: string;
  readonly expression: string;
}

export interface PolicySpec {
  readonly paramKind?: { readonly apiVersion?: string; readonly kind?: string };
  readonly matchConstraints?: MatchResources;
  readonly matchConditions?: readonly MatchCondition[];
  readonly variables?: readonly Variable[];
  readonly failurePolicy?: string;
}

interface ParamRef {
  readonly name?: string;
  readonly namespace?: string;
  readonly selector?: Selector;
  readonly parameterNotFoundAction?: string;
}

export interface BindingSpec {
  readonly policyName?: string;
  readonly paramRef?: ParamRef;
  readonly matchResources?: MatchResources;
  readonly validationActions?: readonly string[];
}

function constraintsOf(match: MatchResources): Constraints {
  return {
    rules: match.resourceRules ?? [],
    excluded: match.excludeResourceRules,
    namespaceSelector: match.namespaceSelector,
    objectSelector: match.objectSelector,
    matchPolicy: match.matchPolicy,
  };
}

const everything: Rule = {
  operations: ['*'],
  apiGroups: ['*'],
  apiVersions: ['*'],
  resources: ['*/*'],
};

/** A policy without constraints is about nothing. */
export async function policyMatch(
  spec: PolicySpec,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<ResourceInfo | undefined> {
  if (spec.matchConstraints === undefined) return undefined;
  return await matchedResource(constraintsOf(spec.matchConstraints), request, services);
}

/** A binding narrows its policy; without rules of its own it takes all of it. */
export async function bindingMatches(
  { matchResources }: BindingSpec,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<boolean> {
  if (matchResources === undefined) return true;
  const { rules, ...rest } = constraintsOf(matchResources);
  const own = rules.length === 0 ? [everything] : rules;
  return (await matchedResource({ ...rest, rules: own }, request, services)) !== undefined;
}

/** Why a policy or binding cannot be used. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/** The resource that parameters are of; undefined for a policy without. Throws ConfigurationError. */
export function paramKindOf(
  { paramKind }: PolicySpec,
  services: AdmissionServices,
): ResourceInfo | undefined {
  if (paramKind === undefined) return undefined;
  const { group, version } = parseApiVersion(paramKind.apiVersion ?? '');
  const info = services.registry.byKind(group, version, paramKind.kind ?? '');
  if (info !== undefined) return info;
  const text = `${group}/${version}, Kind=${paramKind.kind ?? ''}`;
  throw new ConfigurationError(`failed to find resource referenced by paramKind: '${text}'`);
}

/** The parameters of a binding: one run of the policy for each; [undefined] for a policy without. */
export async function paramsFor(
  spec: PolicySpec,
  binding: BindingSpec,
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<readonly (KubeObject | undefined)[]> {
  const info = paramKindOf(spec, services);
  const { paramRef } = binding;
  if (info === undefined || paramRef === undefined) return [undefined];
  let place: string | undefined;
  if (info.namespaced) {
    place = paramRef.namespace || request.namespace;
    if (place === undefined || place === '') {
      throw new ConfigurationError(
        'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources',
      );
    }
  } else if (paramRef.namespace !== undefined && paramRef.namespace !== '') {
    throw new ConfigurationError(
      'paramRef.namespace must not be provided for a cluster-scoped `paramKind`',
    );
  }
  const found = await findParams(info, place, paramRef, services);
  if (found.length > 0) return found;
  if (paramRef.parameterNotFoundAction === 'Allow') return [];
  throw new ConfigurationError(
    'no params found for policy binding with `Deny` parameterNotFoundAction',
  );
}

async function findParams(
  info: ResourceInfo,
  namespace: string | undefined,
  { name, selector }: ParamRef,
  { lookup }: AdmissionServices,
): Promise<readonly KubeObject[]> {
  if (name !== undefined && name !== '') {
    const one = await lookup.get(info.group, info.resource, namespace, name);
    return one === undefined ? [] : [one];
  }
  const parsed = labelSelectorFromObject(selector ?? {}) ?? [];
  const all = await lookup.list(info.group, info.resource, namespace);
  return all.filter(({ metadata }) => matchesLabels(parsed, metadata.labels));
}

export interface CompiledCondition {
  readonly condition: MatchCondition;
  readonly compiled: Compiled;
}

export function scopeOf(spec: PolicySpec, hasLiterals: boolean): Scope {
  return {
    hasParams: spec.paramKind !== undefined,
    hasAuthorizer: true,
    hasLiterals,
    variables: spec.variables ?? [],
  };
}

/** Conditions see everything but the policy's own variables. */
export function compileConditions(
  conditions: readonly MatchCondition[],
  hasParams: boolean,
): { readonly expressions: Expressions; readonly all: readonly CompiledCondition[] } {
  const scope = { hasParams, hasAuthorizer: true, hasLiterals: false, variables: [] };
  const expressions = new Expressions(scope);
  const all = conditions.map((condition) => ({
    condition,
    compiled: expressions.compile(condition.expression),
  }));
  return { expressions, all };
}

/** Whether all hold; one that is false decides before one that fails. */
export function conditionsHold(
  all: readonly CompiledCondition[],
  bound: Bound,
): { readonly holds: boolean; readonly error?: string } {
  const errors: string[] = [];
  for (const { condition, compiled } of all) {
    const { value, error } = bound.run(compiled, condition.expression);
    if (error !== undefined) errors.push(error);
    else if (value === false) return { holds: false };
    else if (value !== true)
      errors.push(`match condition ${JSON.stringify(condition.name)} is no boolean`);
  }
  return errors.length === 0 ? { holds: true } : { holds: true, error: errors.join('\n') };
}

export async function namespaceOf(
  request: AdmissionRequest,
  services: AdmissionServices,
): Promise<KubeObject | undefined> {
  const { namespace, info } = request;
  if (namespace === undefined || (info.group === '' && info.resource === 'namespaces'))
    return undefined;
  return await services.lookup.get('', 'namespaces', undefined, namespace);
}
