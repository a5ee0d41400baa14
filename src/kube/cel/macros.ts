// The macros of cel-go's language and of the extensions that Kubernetes has: what they are made into.
import { ACCUMULATOR, copyOf, partsOf, type Call, type Expr, type Fold } from './expr.ts';

/** A macro that is not well-formed. */
export class MacroFault extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

interface Use {
  readonly at: number;
  readonly target: Expr;
  readonly args: readonly Expr[];
}

type Expand = (use: Use) => Expr;

const OLD_ACCUMULATOR = '__result__';

const literal = (at: number, value: unknown): Expr => ({ kind: 'literal', at, value });
const ident = (at: number, name: string): Expr => ({ kind: 'ident', at, name });
const accumulator = (at: number): Expr => ident(at, ACCUMULATOR);
const list = (at: number, ...items: Expr[]): Expr => ({
  kind: 'list',
  at,
  items,
  optional: new Set(),
});
const call = (at: number, name: string, ...args: Expr[]): Call => ({
  kind: 'call',
  at,
  name,
  args,
});
const method = (at: number, name: string, target: Expr, ...args: Expr[]): Call => ({
  kind: 'call',
  at,
  name,
  target,
  args,
});

function nameOf(arg: Expr | undefined, why: string): string {
  if (arg?.kind !== 'ident') throw new MacroFault(arg?.at ?? -1, why);
  return arg.name;
}

function loopName(arg: Expr | undefined, why: string): string {
  const name = nameOf(arg, why);
  if (name === ACCUMULATOR || name === OLD_ACCUMULATOR)
    throw new MacroFault(arg?.at ?? -1, 'iteration variable overwrites accumulator variable');
  return name;
}

/** Those of loops with an index or key, and a value. */
function pairOfNames([first, second]: readonly Expr[]): string[] {
  const why = 'argument must be a simple name';
  const names = [nameOf(first, why), nameOf(second, why)];
  if (names[0] === names[1])
    throw new MacroFault(second?.at ?? -1, `duplicate variable name: ${names[0] ?? ''}`);
  return [loopName(first, why), loopName(second, why)];
}

type Steps = Pick<Fold, 'init' | 'condition' | 'step' | 'result'>;

const folded = ({ at, target }: Use, names: readonly string[], steps: Steps): Expr => ({
  kind: 'fold',
  at,
  range: target,
  names,
  accumulator: ACCUMULATOR,
  ...steps,
});

const loopArguments = (use: Use, count: number): { names: string[]; bodies: readonly Expr[] } => {
  const why = 'argument must be a simple name';
  const names = count === 2 ? pairOfNames(use.args) : [loopName(use.args[0], why)];
  return { names, bodies: use.args.slice(count) };
};

const all =
  (count: number): Expand =>
  (use) => {
    const { names, bodies } = loopArguments(use, count);
    const { at } = use;
    return folded(use, names, {
      init: literal(at, true),
      condition: call(at, '@not_strictly_false', accumulator(at)),
      step: call(at, '_&&_', accumulator(at), bodies[0] as Expr),
      result: accumulator(at),
    });
  };

const exists =
  (count: number): Expand =>
  (use) => {
    const { names, bodies } = loopArguments(use, count);
    const { at } = use;
    return folded(use, names, {
      init: literal(at, false),
      condition: call(at, '@not_strictly_false', call(at, '!_', accumulator(at))),
      step: call(at, '_||_', accumulator(at), bodies[0] as Expr),
      result: accumulator(at),
    });
  };

const existsOne =
  (count: number): Expand =>
  (use) => {
    const { names, bodies } = loopArguments(use, count);
    const { at } = use;
    const more = call(at, '_+_', accumulator(at), literal(at, 1n));
    return folded(use, names, {
      init: literal(at, 0n),
      condition: literal(at, true),
      step: call(at, '_?_:_', bodies[0] as Expr, more, accumulator(at)),
      result: call(at, '_==_', accumulator(at), literal(at, 1n)),
    });
  };

/** A list to which the loop adds; `filter` says whether. */
function pushing(use: Use, names: readonly string[], item: Expr, filter: Expr | undefined): Expr {
  const { at } = use;
  const push = call(at, '_+_', accumulator(at), list(at, item));
  return folded(use, names, {
    init: list(at),
    condition: literal(at, true),
    step: filter === undefined ? push : call(at, '_?_:_', filter, push, accumulator(at)),
    result: accumulator(at),
  });
}

/** The last body is the value, one before it says whether. */
const split = (bodies: readonly Expr[]): [item: Expr, filter: Expr | undefined] => [
  bodies.at(-1) as Expr,
  bodies.length === 2 ? bodies[0] : undefined,
];

const map: Expand = (use) => {
  const name = loopName(use.args[0], 'argument is not an identifier');
  return pushing(use, [name], ...split(use.args.slice(1)));
};

const filter: Expand = (use) => {
  const [item, condition] = use.args as [Expr, Expr];
  const name = loopName(item, 'argument is not an identifier');
  return pushing(use, [name], item, condition);
};

const transformList: Expand = (use) => {
  const { names, bodies } = loopArguments(use, 2);
  return pushing(use, names, ...split(bodies));
};

const transformMap =
  (isEntry: boolean): Expand =>
  (use) => {
    const { at } = use;
    const { names, bodies } = loopArguments(use, 2);
    const [value, condition] = split(bodies);
    const parts = isEntry ? [value] : [ident(at, names[0] as string), value];
    const insert = call(at, 'cel.@mapInsert', accumulator(at), ...parts);
    return folded(use, names, {
      init: { kind: 'map', at, entries: [] },
      condition: literal(at, true),
      step:
        condition === undefined ? insert : call(at, '_?_:_', condition, insert, accumulator(at)),
      result: accumulator(at),
    });
  };

/** A loop over nothing, whose accumulator is the variable. */
const bound = (at: number, name: string, init: Expr, result: Expr): Expr => ({
  kind: 'fold',
  at,
  range: list(at),
  names: ['#unused'],
  accumulator: name,
  init,
  condition: literal(at, false),
  step: ident(at, name),
  result,
});

const SORTED = '@__sortBy_input__';

const sortBy: Expand = (use) => {
  const { at, target } = use;
  if (!['list', 'select', 'ident', 'fold', 'call'].includes(target.kind)) {
    const kinds = 'a list, identifier, comprehension, call or select expression';
    throw new MacroFault(target.at, `sortBy can only be applied to ${kinds}`);
  }
  const keys = map({ ...use, target: ident(at, SORTED) });
  const sorted = method(at, '@sortByAssociatedKeys', ident(at, SORTED), keys);
  return bound(at, SORTED, target, sorted);
};

/** Of expressions that are copied. */
const SIZE_MAX = 20_000;
const sizes = new WeakMap<Expr, number>();

function sizeOf(expr: Expr): number {
  let size = sizes.get(expr);
  if (size === undefined) {
    size = partsOf(expr).reduce((sum, one) => sum + sizeOf(one), 1);
    sizes.set(expr, size);
  }
  return size;
}

const optMap =
  (name: 'optMap' | 'optFlatMap'): Expand =>
  ({ at, target, args }) => {
    const variable = nameOf(args[0], `${name}() variable name must be a simple identifier`);
    // The target is there twice: in chains of them there would be no end of it.
    if (sizeOf(target) > SIZE_MAX) throw new MacroFault(target.at, 'expression is too large');
    const value = method(at, 'value', copyOf(target));
    const made = bound(at, variable, value, args[1] as Expr);
    return call(
      at,
      '_?_:_',
      method(at, 'hasValue', target),
      name === 'optMap' ? call(at, 'optional.of', made) : made,
      call(at, 'optional.none'),
    );
  };

/** By name and count of arguments. */
const methods: Readonly<Record<string, Expand>> = {
  'all/2': all(1),
  'all/3': all(2),
  'exists/2': exists(1),
  'exists/3': exists(2),
  'exists_one/2': existsOne(1),
  'exists_one/3': existsOne(2),
  'existsOne/3': existsOne(2),
  'map/2': map,
  'map/3': map,
  'filter/2': filter,
  'transformList/3': transformList,
  'transformList/4': transformList,
  'transformMap/3': transformMap(false),
  'transformMap/4': transformMap(false),
  'transformMapEntry/3': transformMap(true),
  'transformMapEntry/4': transformMap(true),
  'sortBy/2': sortBy,
  'optMap/2': optMap('optMap'),
  'optFlatMap/2': optMap('optFlatMap'),
};

/** What a call is, if it is none of a function. Throws MacroFault. */
export function expandMacro(
  at: number,
  name: string,
  target: Expr | undefined,
  args: readonly Expr[],
): Expr | undefined {
  if (target !== undefined) return methods[`${name}/${args.length}`]?.({ at, target, args });
  const [arg] = args;
  if (name !== 'has' || args.length !== 1 || arg === undefined) return undefined;
  if (arg.kind !== 'select') throw new MacroFault(arg.at, 'invalid argument to has() macro');
  return { kind: 'select', at, operand: arg.operand, field: arg.field, isTest: true };
}
