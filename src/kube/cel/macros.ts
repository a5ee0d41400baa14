// Macros that the language's extensions have and the interpreter has not: comprehensions with two
// variables, sortBy, and what optional values are mapped by.
import { Optional, ParseError, type Environment } from '@marcbachmann/cel-js';
import { CelFailure } from './addresses.ts';
import { charge } from './cost.ts';
import { celCompare } from './values.ts';

/** What the interpreter gives to macros; its own declarations leave these open. */
interface Node {
  readonly op: string;
  readonly args: unknown;
  setMeta(key: string, value: unknown): Node;
}
interface Type {
  readonly kind: string;
  readonly keyType?: Type;
  readonly valueType?: Type;
}
interface Context {
  forkWithVariable(name: string, type: Type): Context;
  reuse(parent: Context): Context;
  setIterValue(value: unknown, evaluator: Evaluator): Context;
}
interface Checker {
  check(node: Node, context: Context): Type;
  getType(name: string): Type;
  createError(code: string, message: string, node: Node): Error;
  readonly registry: { getListType(type: Type): Type; getMapType(key: Type, value: Type): Type };
}
interface Evaluator {
  run(node: Node, context: Context): unknown;
}
interface Parts {
  readonly ast: Node;
  readonly args: readonly Node[];
  readonly receiver: Node;
}

/** One way through a collection: its variables, the expressions under them, and what is made of the runs. */
interface Loop {
  readonly names: readonly string[];
  readonly bodies: readonly Node[];
  readonly typeOf: (checker: Checker, types: readonly Type[], items: readonly Type[]) => Type;
  readonly result: (runs: Iterable<Run>) => unknown;
  /** What going on to an item costs, besides the bodies: what upstream's loop does with its accumulator. */
  readonly each: number;
}

interface Run {
  readonly key: unknown;
  readonly value: unknown;
  /** Runs the body of that index with the variables set. */
  readonly body: (index: number) => unknown;
}

function itemTypes(checker: Checker, type: Type): readonly [Type, Type] {
  const dyn = checker.getType('dyn');
  if (type.kind === 'list') return [checker.getType('int'), type.valueType ?? dyn];
  if (type.kind === 'map') return [type.keyType ?? dyn, type.valueType ?? dyn];
  return [dyn, dyn];
}

function entriesOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return value.map((one, i) => [BigInt(i), one]);
  if (value instanceof Set) return [...value].map((one, i) => [BigInt(i), one]);
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)];
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  throw new CelFailure('no such overload');
}

function nameOf(node: Node | undefined): string {
  if (node?.op === 'id') return String(node.args);
  throw new ParseError('argument must be a simple name', node as never);
}

function loopMacro(make: (parts: Parts) => Loop) {
  return (parts: Parts) => {
    const loop = make(parts);
    parts.ast.setMeta('async', false);
    let contexts: readonly Context[] = [];
    return {
      loop,
      typeCheck(checker: Checker, _macro: unknown, context: Context): Type {
        const [key, value] = itemTypes(checker, checker.check(parts.receiver, context));
        const types = loop.names.length === 1 ? [value] : [key, value];
        const made: Context[] = [];
        let inner = context;
        for (const [i, name] of loop.names.entries()) {
          inner = inner.forkWithVariable(name, types[i] ?? value);
          made.push(inner);
        }
        contexts = made;
        const found = loop.bodies.map((body) => checker.check(body, inner));
        return loop.typeOf(checker, found, [key, value]);
      },
      evaluate(evaluator: Evaluator, _macro: unknown, context: Context): unknown {
        const entries = entriesOf(evaluator.run(parts.receiver, context));
        function* runs(): Generator<Run> {
          for (const [key, value] of entries) {
            charge(loop.each);
            const values = loop.names.length === 1 ? [value] : [key, value];
            const body = (index: number): unknown => {
              let inner = context;
              contexts.forEach((one, i) => {
                inner = one.reuse(inner).setIterValue(values[i], evaluator);
              });
              return evaluator.run(loop.bodies[index] as Node, inner);
            };
            yield { key, value, body };
          }
        }
        return loop.result(runs());
      },
    };
  };
}

function tried(run: Run, index = 0): unknown {
  try {
    return run.body(index);
  } catch (error) {
    return error;
  }
}

/** Errors do not count when another run decides. */
function quantified(runs: Iterable<Run>, decisive: boolean): boolean {
  let failure: unknown;
  for (const run of runs) {
    const found = tried(run);
    if (found === decisive) return decisive;
    if (found instanceof Error) failure ??= found;
  }
  if (failure !== undefined) throw failure;
  return !decisive;
}

function countOne(runs: Iterable<Run>): boolean {
  let count = 0;
  for (const run of runs) if (run.body(0) === true) count += 1;
  return count === 1;
}

function pairs(args: readonly Node[]): { names: string[]; bodies: readonly Node[] } {
  const names = [nameOf(args[0]), nameOf(args[1])];
  if (names[0] === names[1]) {
    const text = `duplicate variable name: ${names[0] ?? ''}`;
    throw new ParseError(text, args[1] as never);
  }
  return { names, bodies: args.slice(2) };
}

const bool = (checker: Checker): Type => checker.getType('bool');

function registerTwoVariables(register: (signature: string, macro: unknown) => void): void {
  const quantifier = (each: number, result: (runs: Iterable<Run>) => boolean) =>
    loopMacro(({ args }) => ({ ...pairs(args), typeOf: bool, result, each }));
  const all = quantifier(3, (runs) => quantified(runs, false));
  const exists = quantifier(4, (runs) => quantified(runs, true));
  register('list.all(ast, ast, ast): bool', all);
  register('list.exists(ast, ast, ast): bool', exists);
  register('list.existsOne(ast, ast, ast): bool', quantifier(2, countOne));
  register('list.exists_one(ast, ast, ast): bool', quantifier(2, countOne));
  const wanted = (run: Run, isFiltered: boolean): boolean => !isFiltered || run.body(0) === true;
  for (const isFiltered of [false, true]) {
    const at = isFiltered ? 1 : 0;
    const asts = Array.from({ length: 3 + at }, () => 'ast').join(', ');
    const list = loopMacro(({ args }) => ({
      ...pairs(args),
      typeOf: (checker, types) => checker.registry.getListType(types[at] ?? checker.getType('dyn')),
      each: 12,
      result: (runs) => {
        const out: unknown[] = [];
        for (const run of runs) if (wanted(run, isFiltered)) out.push(run.body(at));
        return out;
      },
    }));
    register(`list.transformList(${asts}): list<dyn>`, list);
    const map = loopMacro(({ args }) => ({
      ...pairs(args),
      typeOf: (checker, types, [key]) =>
        checker.registry.getMapType(
          key ?? checker.getType('dyn'),
          types[at] ?? checker.getType('dyn'),
        ),
      each: 3,
      result: (runs) => {
        const out = new Map<unknown, unknown>();
        for (const run of runs) if (wanted(run, isFiltered)) out.set(run.key, run.body(at));
        return out;
      },
    }));
    register(`list.transformMap(${asts}): map`, map);
    const entry = loopMacro(({ args }) => ({
      ...pairs(args),
      typeOf: (checker, types) => types[at] ?? checker.getType('map'),
      each: 3,
      result: (runs) => {
        const out = new Map<unknown, unknown>();
        for (const run of runs) {
          if (!wanted(run, isFiltered)) continue;
          for (const [key, value] of entriesOf(run.body(at))) {
            if (out.has(key))
              throw new CelFailure(`insert failed: key ${String(key)} already exists`);
            out.set(key, value);
          }
        }
        return out;
      },
    }));
    register(`list.transformMapEntry(${asts}): map`, entry);
  }
}

function sortedBy(runs: Iterable<Run>): unknown[] {
  const keyed = [...runs].map((run) => ({ value: run.value, key: run.body(0) }));
  keyed.sort((a, b) => {
    const found = celCompare(a.key, b.key);
    if (found === undefined) throw new CelFailure('no such overload');
    return found;
  });
  return keyed.map(({ value }) => value);
}

function optionalMacro(isFlat: boolean) {
  return ({ ast, args, receiver }: Parts) => {
    ast.setMeta('async', false);
    const name = nameOf(args[0]);
    const body = args[1] as Node;
    let inner: Context | undefined;
    return {
      typeCheck(checker: Checker, _macro: unknown, context: Context): Type {
        const type = checker.check(receiver, context);
        const dyn = checker.getType('dyn');
        inner = context.forkWithVariable(
          name,
          type.kind === 'optional' ? (type.valueType ?? dyn) : dyn,
        );
        const found = checker.check(body, inner);
        if (isFlat) return found;
        return checker.getType(`optional<${String(found)}>`);
      },
      evaluate(evaluator: Evaluator, _macro: unknown, context: Context): unknown {
        const value = evaluator.run(receiver, context);
        if (!(value instanceof Optional) || inner === undefined)
          throw new CelFailure('no such overload');
        if (!value.hasValue()) return Optional.none();
        const found = evaluator.run(
          body,
          inner.reuse(context).setIterValue(value.value(), evaluator),
        );
        return isFlat ? found : Optional.of(found);
      },
    };
  };
}

export function registerMacros(env: Environment): void {
  const register = (signature: string, macro: unknown): void =>
    void env.registerFunction(signature, macro as (...args: unknown[]) => unknown);
  registerTwoVariables(register);
  const sortBy = loopMacro(({ args }) => ({
    names: [nameOf(args[0])],
    bodies: args.slice(1),
    typeOf: (checker, _types, [, value]) =>
      checker.registry.getListType(value ?? checker.getType('dyn')),
    result: sortedBy,
    each: 12,
  }));
  register('list.sortBy(ast, ast): list<dyn>', sortBy);
  register('optional.optMap(ast, ast): dyn', optionalMacro(false));
  register('optional.optFlatMap(ast, ast): dyn', optionalMacro(true));
}
