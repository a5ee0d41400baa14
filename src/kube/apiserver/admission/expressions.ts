// Expressions of policies and match conditions: which variables they see, compiled once, and run with what
// a request gives them.
import { CelFailure } from '#kube/cel/core-values.ts';
import { charge, CostExceeded, TOTAL_COST_MAX, type Metered } from '#kube/cel/cost.ts';
import type { Environment } from '#kube/cel/environment.ts';
import { declaredNamespace, declareRequest, variableType } from '#kube/cel/policy-types.ts';
import {
  baseEnvironment,
  compile,
  CompileError,
  failureText,
  type Program,
} from '#kube/cel/program.ts';
import { DYN, struct, type CelType } from '#kube/cel/types.ts';
import { dynValue } from '#kube/cel/values.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { authorizerValues, declareAuthorizer } from './authorizer-values.ts';
import type { Versioned } from './matching.ts';
import { registerLiterals } from './object-literals.ts';
import type { AdmissionRequest, AdmissionServices } from './request.ts';
import { reviewedRequest } from './review.ts';

export interface Variable {
  readonly name: string;
  readonly expression: string;
}

export interface Scope {
  readonly hasParams: boolean;
  readonly hasAuthorizer: boolean;
  readonly hasLiterals: boolean;
  readonly variables: readonly Variable[];
}

/** Why an expression cannot be compiled, or what it is. */
export type Compiled = { readonly program: Program } | { readonly error: string };

interface CompiledVariable {
  readonly name: string;
  readonly compiled: Compiled;
}

/** The variables of a policy: each is computed when it is first read, at the cost of the reader. */
class Variables extends Map<string, unknown> {
  readonly #compute: (name: string) => unknown;

  constructor(compute: (name: string) => unknown) {
    super();
    this.#compute = compute;
  }

  override get(name: string): unknown {
    if (!super.has(name)) super.set(name, this.#compute(name));
    return super.get(name);
  }
}

const VARIABLES = 'kubernetes.variables';

export class Expressions {
  readonly #env: Environment;
  readonly #messages: Environment;
  readonly #variables: CompiledVariable[] = [];

  constructor(scope: Scope) {
    const plain = baseEnvironment().clone();
    for (const name of ['object', 'oldObject']) plain.variable(name, DYN);
    declareRequest(plain);
    if (scope.hasParams) plain.variable('params', DYN);
    const fields = new Map<string, CelType>();
    // Mutations have variables whether there are some or not.
    const hasVariables = scope.variables.length > 0 || scope.hasLiterals;
    if (hasVariables) {
      const type = struct(VARIABLES);
      plain.struct({ type, field: (name) => fields.get(name) });
      plain.variable('variables', type);
    }
    this.#messages = plain;
    const env = plain.clone();
    if (scope.hasAuthorizer) declareAuthorizer(env);
    // Variables are compiled without the types of messages.
    this.#env = env.clone();
    if (scope.hasLiterals) registerLiterals(this.#env);
    // What is missing is told by validation; until then it is empty, as in Go.
    for (const { name = '', expression = '' } of scope.variables) {
      const compiled = this.#compile(env, expression);
      this.#variables.push({ name, compiled });
      // Nobody can read what is not there.
      if (expression.trim() === '') continue;
      fields.set(name, 'program' in compiled ? variableType(compiled.program.celType) : DYN);
    }
  }

  #compile(env: Environment, source: string): Compiled {
    try {
      return { program: compile(env, source) };
    } catch (error) {
      if (error instanceof CompileError) return { error: `compilation failed: ${error.message}` };
      throw error;
    }
  }

  compile(source: string): Compiled {
    return this.#compile(this.#env, source);
  }

  /** Messages do not see the authorizer. */
  compileMessage(source: string): Compiled {
    return this.#compile(this.#messages, source);
  }

  /** What the variables' own expressions are, by their index. */
  variables(): readonly Compiled[] {
    return this.#variables.map(({ compiled }) => compiled);
  }

  /** `most`: what all of its runs together may cost. */
  bind(input: Input, most = TOTAL_COST_MAX): Bound {
    const values: Record<string, unknown> = {
      object: objectValue(input.versioned.object),
      oldObject: objectValue(input.versioned.old),
      request: dynValue(reviewedRequest(input.request, input.versioned.matched)),
      namespaceObject: declaredNamespace(input.namespace),
      params: objectValue(input.params),
      ...authorizerValues(input.request, input.services.isAllowed),
    };
    const byName = new Map(this.#variables.map((one) => [one.name, one.compiled]));
    values['variables'] = new Variables((name) => {
      const compiled = byName.get(name);
      if (compiled === undefined) return undefined;
      const why = compileFailure(compiled);
      if (why !== undefined || !('program' in compiled)) throw new CelFailure(why ?? '');
      const { error, value, cost } = compiled.program.run(values, Number.MAX_SAFE_INTEGER);
      charge(cost);
      if (error === undefined) return value;
      const text = failureText(error);
      throw new CelFailure(
        `composited variable ${JSON.stringify(name)} fails to evaluate: ${text}`,
      );
    });
    return new Bound(values, most);
  }
}

/** Why it cannot be run at all, in the words of policies. */
export function compileFailure(compiled: Compiled): string | undefined {
  if ('error' in compiled) return compiled.error;
  const { failure } = compiled.program;
  return failure === undefined ? undefined : `program instantiation failed: ${failure}`;
}

function objectValue(object: KubeObject | undefined): unknown {
  return object === undefined ? null : dynValue(object);
}

export interface Input {
  readonly request: AdmissionRequest;
  readonly versioned: Versioned;
  readonly namespace: KubeObject | undefined;
  readonly params: KubeObject | undefined;
  readonly services: AdmissionServices;
}

/** The values of one request, and what may still be spent on it. */
export class Bound {
  readonly #values: Readonly<Record<string, unknown>>;
  #budget: number;

  constructor(values: Readonly<Record<string, unknown>>, most: number) {
    this.#values = values;
    this.#budget = most;
  }

  /** `error` in the words that policies use. */
  run(compiled: Compiled, source: string): { readonly value?: unknown; readonly error?: string } {
    const failure = compileFailure(compiled);
    if (failure !== undefined || 'error' in compiled)
      return { error: `compilation error: ${failure ?? ''}` };
    const result: Metered = compiled.program.run(this.#values);
    this.#budget -= result.cost;
    const isCutOff = result.error instanceof CostExceeded;
    if (!isCutOff && this.#budget < 0) {
      return {
        error:
          'validation failed due to running out of cost budget, no further validation rules will be run',
      };
    }
    if (result.error === undefined) return { value: result.value };
    return { error: `expression '${source}' resulted in error: ${failureText(result.error)}` };
  }
}
