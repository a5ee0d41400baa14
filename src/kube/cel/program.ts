// Compiles an expression in an environment, and runs it: mistakes and failures in the words of cel-go, results with
// their cost.
import { check } from './checker.ts';
import { CelFailure } from './core-values.ts';
import { CALL_COST_MAX, metered, type Metered } from './cost.ts';
import { costMax } from './cost-estimate.ts';
import type { Declared } from './declared-types.ts';
import { Environment } from './environment.ts';
import { expand } from './expanded-tree.ts';
import { partsOf, type Expr } from './expr.ts';
import { faultsText } from './faults.ts';
import { registerAuthorization } from './library-authorizer.ts';
import { registerLists, registerSets } from './library-collections.ts';
import { registerStrings } from './library-strings.ts';
import { registerTypes } from './library-types.ts';
import { parse } from './parse.ts';
import { plan } from './plan.ts';
import { registerStandard } from './standard.ts';
import type { Fault } from './syntax.ts';
import { DYN, typeText, type CelType } from './types.ts';
import { validate } from './validators.ts';

let shared: Environment | undefined;

/** The environment of v1.37: the language, its extensions, and Kubernetes' own functions; no variables. */
export function baseEnvironment(): Environment {
  if (shared === undefined) {
    shared = new Environment();
    registerStandard(shared);
    registerStrings(shared);
    registerTypes(shared);
    registerLists(shared);
    registerSets(shared);
    registerAuthorization(shared);
  }
  return shared;
}

export interface Program {
  readonly source: string;
  /** What it comes to, as cel-go writes it: `bool`, `dyn`, `list(int)`… */
  readonly type: string;
  readonly celType: CelType;
  /** Names of all variables that it reads. */
  readonly names: ReadonlySet<string>;
  /** Why it cannot be run: a part that is run ahead has failed. */
  readonly failure: string | undefined;
  run(variables: Readonly<Record<string, unknown>>, costMax?: number): Metered;
  /** The most that a run can cost; `root` is the type of `self`. */
  estimate(root: Declared | undefined): bigint;
}

/** What is wrong with an expression, as cel-go prints it, with the places in the text. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
}

function refuse(source: string, faults: readonly Fault[]): void {
  if (faults.length > 0) throw new CompileError(faultsText(source, faults));
}

function namesIn(expr: Expr, found = new Set<string>()): Set<string> {
  if (expr.kind === 'ident') found.add(expr.name.replace(/^\./, ''));
  for (const one of partsOf(expr)) namesIn(one, found);
  return found;
}

interface Plan {
  readonly run?: (variables: Readonly<Record<string, unknown>>) => unknown;
  readonly failure?: string;
}

function planned(env: Environment, expr: Expr): Plan {
  try {
    return { run: plan(env, expr) };
  } catch (error) {
    if (error instanceof CelFailure) return { failure: error.message };
    throw error;
  }
}

function checkedExpr(env: Environment, source: string): Expr {
  const parsed = parse(source);
  refuse(source, parsed.faults);
  const { expr, faults } = check(env, parsed.expr);
  refuse(source, faults);
  refuse(source, validate(expr));
  return expr;
}

/** What the expression comes to, for those who never run it. Throws CompileError. */
export function checkedType(env: Environment, source: string): CelType {
  return checkedExpr(env, source).type ?? DYN;
}

/** Throws CompileError. */
export function compile(env: Environment, source: string): Program {
  const expr = checkedExpr(env, source);
  const { run, failure } = planned(env, expr);
  const celType = expr.type ?? DYN;
  return {
    source,
    type: typeText(celType),
    celType,
    names: namesIn(expr),
    failure,
    run: (variables, most = CALL_COST_MAX) =>
      metered(most, () => {
        if (run === undefined) throw new CelFailure(failure ?? '');
        return run(variables);
      }),
    estimate: (root) => costMax(expand(expr), root),
  };
}

/** Why a run failed, in cel-go's words. */
export function failureText(error: Error): string {
  return error.message;
}
