// A checked expression as the estimator of cost walks over it: the same tree, with types in its own form.
import type { Expr } from './expr.ts';
import { DYN, staticType, type StaticType } from './static-types.ts';

export interface Literal {
  readonly kind: 'literal';
  readonly type: StaticType;
  readonly value: unknown;
}
export interface Ident {
  readonly kind: 'ident';
  readonly type: StaticType;
  readonly name: string;
}
export interface Select {
  readonly kind: 'select';
  readonly type: StaticType;
  readonly operand: Tree;
  readonly field: string;
  /** `has(operand.field)` */
  readonly isTest: boolean;
}
export interface Call {
  readonly kind: 'call';
  readonly type: StaticType;
  readonly name: string;
  readonly target?: Tree;
  readonly args: readonly Tree[];
}
export interface ListTree {
  readonly kind: 'list';
  readonly type: StaticType;
  readonly items: readonly Tree[];
}
export interface MapTree {
  readonly kind: 'map';
  readonly type: StaticType;
  readonly entries: readonly (readonly [Tree, Tree])[];
}
export interface Fold {
  readonly kind: 'fold';
  readonly type: StaticType;
  readonly range: Tree;
  /** One name, or those of key and value. */
  readonly names: readonly string[];
  readonly accumulator: string;
  readonly init: Tree;
  readonly condition: Tree;
  readonly step: Tree;
  readonly result: Tree;
}
export type Tree = Literal | Ident | Select | Call | ListTree | MapTree | Fold;

/** The tree of a checked expression. */
export function expand(expr: Expr): Tree {
  const type = expr.type === undefined ? DYN : staticType(expr.type);
  switch (expr.kind) {
    case 'literal':
      return { kind: 'literal', type, value: expr.value };
    case 'ident':
      return { kind: 'ident', type, name: expr.name };
    case 'select':
      return { ...expr, type, operand: expand(expr.operand) };
    case 'call': {
      const { name, target } = expr;
      const args = expr.args.map(expand);
      return target === undefined
        ? { kind: 'call', type, name, args }
        : { kind: 'call', type, name, args, target: expand(target) };
    }
    case 'list':
      return { kind: 'list', type, items: expr.items.map(expand) };
    case 'map': {
      const entries = expr.entries.map(({ key, value }) => [expand(key), expand(value)] as const);
      return { kind: 'map', type, entries };
    }
    case 'message': {
      const entries = expr.fields.map(
        ({ name, value }) =>
          [{ kind: 'literal', type: DYN, value: name } as const, expand(value)] as const,
      );
      return { kind: 'map', type, entries };
    }
    case 'fold': {
      const { range, names, accumulator, init, condition, step, result } = expr;
      const [over, from] = [expand(range), expand(init)];
      const rest = { condition: expand(condition), step: expand(step), result: expand(result) };
      return { kind: 'fold', type, range: over, names, accumulator, init: from, ...rest };
    }
    case 'nothing':
      throw new Error('an expression that was not read is priced');
  }
}
