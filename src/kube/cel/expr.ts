// An expression as it is once it was read and its macros are gone: what is checked, priced and run. Places
// are those that mistakes are told at.
import type { Overload } from './environment.ts';
import type { CelType } from './types.ts';

interface Placed {
  /** Where it is in the text, in UTF-16 units. */
  readonly at: number;
  /** Once it was checked. */
  type?: CelType;
}

export interface Literal extends Placed {
  readonly kind: 'literal';
  readonly value: unknown;
}
export interface Ident extends Placed {
  readonly kind: 'ident';
  name: string;
}
export interface Select extends Placed {
  readonly kind: 'select';
  readonly operand: Expr;
  readonly field: string;
  /** `has(operand.field)` */
  readonly isTest: boolean;
}
export interface Call extends Placed {
  readonly kind: 'call';
  readonly name: string;
  readonly target?: Expr | undefined;
  readonly args: readonly Expr[];
  /** Of all that the function has, those that fit. */
  overloads?: readonly Overload[];
}
export interface ListExpr extends Placed {
  readonly kind: 'list';
  readonly items: readonly Expr[];
  /** Which of the items have a question mark. */
  readonly optional: ReadonlySet<number>;
}
export interface MapEntry {
  readonly at: number;
  readonly key: Expr;
  readonly value: Expr;
  readonly isOptional: boolean;
}
export interface MapExpr extends Placed {
  readonly kind: 'map';
  readonly entries: readonly MapEntry[];
}
export interface MessageField {
  readonly at: number;
  readonly name: string;
  readonly value: Expr;
  readonly isOptional: boolean;
}
export interface Message extends Placed {
  readonly kind: 'message';
  readonly name: string;
  readonly fields: readonly MessageField[];
}
export interface Fold extends Placed {
  readonly kind: 'fold';
  readonly range: Expr;
  /** One name, or those of key and value. */
  readonly names: readonly string[];
  readonly accumulator: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}
/** What could not be read. */
export interface Nothing extends Placed {
  readonly kind: 'nothing';
}
export type Expr = Literal | Ident | Select | Call | ListExpr | MapExpr | Message | Fold | Nothing;

export const ACCUMULATOR = '@result';

export function copyOf(expr: Expr): Expr {
  switch (expr.kind) {
    case 'literal':
    case 'ident':
    case 'nothing':
      return { ...expr };
    case 'select':
      return { ...expr, operand: copyOf(expr.operand) };
    case 'call': {
      const target = expr.target === undefined ? undefined : copyOf(expr.target);
      return { ...expr, target, args: expr.args.map(copyOf) };
    }
    case 'list':
      return { ...expr, items: expr.items.map(copyOf) };
    case 'map': {
      const entries = expr.entries.map((one) => ({
        ...one,
        key: copyOf(one.key),
        value: copyOf(one.value),
      }));
      return { ...expr, entries };
    }
    case 'message': {
      const fields = expr.fields.map((one) => ({ ...one, value: copyOf(one.value) }));
      return { ...expr, fields };
    }
    case 'fold':
      return {
        ...expr,
        range: copyOf(expr.range),
        init: copyOf(expr.init),
        condition: copyOf(expr.condition),
        step: copyOf(expr.step),
        result: copyOf(expr.result),
      };
  }
}

export function partsOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'select':
      return [expr.operand];
    case 'call':
      return expr.target === undefined ? expr.args : [expr.target, ...expr.args];
    case 'list':
      return expr.items;
    case 'map':
      return expr.entries.flatMap(({ key, value }) => [key, value]);
    case 'message':
      return expr.fields.map(({ value }) => value);
    case 'fold':
      return [expr.range, expr.init, expr.condition, expr.step, expr.result];
    default:
      return [];
  }
}
