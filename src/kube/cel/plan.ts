// Makes a checked expression runnable, as cel-go's planner does: paths of fields are walked as one, what is
// constant is run ahead, and each step charges what it costs there.
import { badOptional, makeList, put } from './aggregate-values.ts';
import { charge } from './cost.ts';
import { CelFailure, LiteralMap, Optional, TypeValue, Uint } from './core-values.ts';
import type { Environment } from './environment.ts';
import type { Call, Expr, Fold, ListExpr, MapExpr, Message, Select } from './expr.ts';
import { goRegExp } from './go-regexp.ts';
import { insert, operatorOf } from './operator-calls.ts';
import { checkKey, noOverload } from './operators.ts';
import { chooser, isSimple } from './overload-choice.ts';
import { extended, isBranches, resolver, type Branches, type Path, type Step } from './paths.ts';
import { priceOf } from './run-costs.ts';
import { attempt, entriesOf, Failed, itemsOf, logic, type Frame, type Run } from './runs.ts';
import { celEquals } from './values.ts';

interface Planned {
  readonly run: Run;
  readonly path?: Path | Branches;
  /** What it always is. */
  readonly constant?: { readonly value: unknown };
}

const constantOf = (value: unknown): Planned => ({ run: () => value, constant: { value } });

/** Those whose results are known ahead when their argument is. */
const conversions = new Set(
  'bool bytes double duration dyn int string timestamp type uint'.split(' '),
);

function attribute(path: Path | Branches): Planned {
  const resolve = resolver(path);
  if (isBranches(path)) return { path, run: resolve };
  return {
    path,
    run: (frame) => {
      charge(1);
      return resolve(frame);
    },
  };
}

/** Their second argument is a pattern. */
const searches = new Set(['find', 'findAll', 'matches']);

const PRIMITIVES = new Set(['string', 'bigint', 'number', 'boolean']);

class Planner {
  readonly #env: Environment;
  /** Slots of loops' variables, by name; the innermost is last. */
  readonly #locals = new Map<string, number[]>();
  #slots = 0;

  constructor(env: Environment) {
    this.#env = env;
  }

  plan(expr: Expr): Planned {
    switch (expr.kind) {
      case 'literal':
        return constantOf(expr.value);
      case 'ident':
        return this.#ident(expr.name);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'message':
        return this.#message(expr);
      case 'fold':
        return this.#fold(expr);
      case 'nothing':
        throw new Error('an expression that was not read is run');
    }
  }

  #ident(name: string): Planned {
    const slot = this.#locals.get(name)?.at(-1);
    if (slot !== undefined) {
      return attribute({
        steps: [],
        base: ({ slots }) => {
          const value = slots[slot];
          if (value instanceof Failed) throw value.error;
          return value;
        },
      });
    }
    const global = name.startsWith('.') ? name.slice(1) : name;
    if (this.#env.isTypeName(global)) {
      const type = this.#env.typeNamed(global)?.params[0];
      if (type !== undefined) return constantOf(new TypeValue(type));
    }
    return attribute({
      steps: [],
      base: ({ variables }) => {
        const value = variables[global];
        if (value === undefined) throw new CelFailure(`no such attribute(s): ${global}`);
        return value;
      },
    });
  }

  /** What is no path yet begins one. */
  #pathOf(planned: Planned): Path | Branches {
    return planned.path ?? { base: planned.run, steps: [] };
  }

  #select({ operand, field, isTest }: Select): Planned {
    const path = this.#pathOf(this.plan(operand));
    const step: Step = { key: field, isOptional: false, isTest };
    if (!isTest) return attribute(extended(path, step));
    const resolve = resolver(extended(path, step));
    return {
      run: (frame) => {
        const found = resolve(frame);
        return found instanceof Optional ? found.hasValue : found;
      },
    };
  }

  #index(call: Call): Planned {
    const [operand, key] = call.args as [Expr, Expr];
    const path = this.#pathOf(this.plan(operand));
    const index = this.plan(key);
    const isOptional = call.name !== '_[_]';
    const known = index.constant;
    if (known !== undefined) checkKey(known.value);
    if (known !== undefined)
      return attribute(extended(path, { key: known.value, isOptional, isTest: false }));
    // A path as a key is walked, but what it begins with is free.
    const own = index.path === undefined ? index.run : resolver(index.path);
    return attribute(extended(path, { find: own, isOptional, isTest: false }));
  }

  #call(call: Call): Planned {
    switch (call.name) {
      case '_&&_':
      case '_||_':
        return {
          run: logic(
            call.args.map((one) => this.plan(one).run),
            call.name === '_||_',
          ),
        };
      case '_?_:_': {
        const [condition, yes, no] = call.args.map((one) => this.plan(one)) as [
          Planned,
          Planned,
          Planned,
        ];
        const path = { condition: condition.run, yes: this.#pathOf(yes), no: this.#pathOf(no) };
        return attribute(path);
      }
      case '_[_]':
      case '_[?_]':
      case '_?._':
        return this.#index(call);
      case '@not_strictly_false': {
        const { run } = this.plan(call.args[0] as Expr);
        return {
          run: (frame) => {
            const found = attempt(run, frame);
            charge(1);
            return found !== false;
          },
        };
      }
      default:
        return this.#function(call);
    }
  }

  #function(call: Call): Planned {
    const parts = call.target === undefined ? call.args : [call.target, ...call.args];
    const args = parts.map((one) => this.plan(one));
    if (call.target !== undefined && (call.name === 'or' || call.name === 'orValue'))
      return this.#alternative(call.name, args);
    const membership = call.name === '@in' ? this.#membership(args, parts) : undefined;
    if (membership !== undefined) return membership;
    const apply = this.#applying(call, parts);
    const only = args[0]?.constant;
    if (conversions.has(call.name) && args.length === 1 && only !== undefined)
      return constantOf(apply([only.value]));
    const price = priceOf(call.name, call.overloads?.length === 1);
    const runs = args.map(({ run }) => run);
    const [first, second] = runs;
    /** What has failed costs as well; its size is one. */
    const priced = (values: unknown[]): unknown => {
      let result: unknown;
      try {
        result = apply(values);
      } catch (error) {
        charge(price(values, undefined));
        throw error;
      }
      charge(price(values, result));
      return result;
    };
    if (runs.length === 1 && first !== undefined) {
      return {
        run: (frame) => {
          let value: unknown;
          try {
            value = first(frame);
          } catch (error) {
            charge(price([undefined], undefined));
            throw error;
          }
          return priced([value]);
        },
      };
    }
    if (runs.length === 2 && first !== undefined && second !== undefined) {
      return {
        run: (frame) => {
          let left: unknown;
          let right: unknown;
          try {
            left = first(frame);
          } catch (error) {
            // The other one is run all the same.
            const other = attempt(second, frame);
            charge(price([undefined, other instanceof Failed ? undefined : other], undefined));
            throw error;
          }
          try {
            right = second(frame);
          } catch (error) {
            charge(price([left, undefined], undefined));
            throw error;
          }
          return priced([left, right]);
        },
      };
    }
    return { run: (frame) => priced(runs.map((run) => run(frame))) };
  }

  #applying(call: Call, parts: readonly Expr[]): (args: unknown[]) => unknown {
    const operator = operatorOf(call.name);
    if (operator !== undefined) return operator;
    const isMember = call.target !== undefined;
    const all = (this.#env.overloads(call.name) ?? []).filter((one) => one.isMember === isMember);
    const isSure = parts.every(({ type }) => isSimple(type));
    const pattern = searches.has(call.name) ? parts[1] : undefined;
    const isWritten = pattern?.kind === 'literal' && typeof pattern.value === 'string';
    // A pattern that is written out is read ahead.
    if (isWritten) goRegExp(pattern.value as string);
    return chooser(call.name, all, call.overloads ?? [], isSure, isWritten ? 'plain' : undefined);
  }

  #alternative(name: string, [left, right]: readonly Planned[]): Planned {
    const [first, second] = [left?.run as Run, right?.run as Run];
    return {
      run: (frame) => {
        const found = first(frame);
        if (!(found instanceof Optional)) throw noOverload();
        if (!found.hasValue) return second(frame);
        return name === 'or' ? found : found.value;
      },
    };
  }

  /** `x in [1, 2, 3]` of what is written out is looked up, for nothing. */
  #membership(args: readonly Planned[], parts: readonly Expr[]): Planned | undefined {
    const list = args[1]?.constant?.value;
    const isList = parts[1]?.type?.kind === 'list';
    if (!Array.isArray(list) || !isList) return undefined;
    if (list.length === 0) return constantOf(false);
    const isPrimitive = (one: unknown): boolean =>
      PRIMITIVES.has(typeof one) || one instanceof Uint;
    if (!list.every(isPrimitive)) return undefined;
    const { run } = args[0] as Planned;
    const plain = new Set<unknown>(list);
    return {
      run: (frame) => {
        const value = run(frame);
        if (plain.has(value)) return true;
        if (typeof value === 'string') return false;
        return list.some((one) => celEquals(one, value));
      },
    };
  }

  #list(expr: ListExpr): Planned {
    const items = expr.items.map((one) => this.plan(one));
    if (items.every(({ constant }) => constant !== undefined)) {
      const made = makeList(
        items.map(({ constant }) => constant?.value),
        expr.optional,
      );
      return constantOf(made);
    }
    const runs = items.map(({ run }) => run);
    return {
      run: (frame) => {
        try {
          return makeList(
            runs.map((run) => run(frame)),
            expr.optional,
          );
        } finally {
          charge(LIST_COST);
        }
      },
    };
  }

  #map(expr: MapExpr): Planned {
    const entries = expr.entries.map(({ key, value, isOptional }) => ({
      key: this.plan(key),
      value: this.plan(value),
      isOptional,
    }));
    const build = (frame: Frame): Map<unknown, unknown> => {
      const out = new LiteralMap();
      for (const { key, value, isOptional } of entries) {
        const name = key.run(frame);
        const one = value.run(frame);
        if (!isOptional) put(out, name, one);
        else if (!(one instanceof Optional)) throw badOptional('entry', name, one);
        else if (one.hasValue) put(out, name, one.value);
        else out.delete(name);
      }
      return out;
    };
    const isConstant = entries.every(
      ({ key, value }) => key.constant !== undefined && value.constant !== undefined,
    );
    if (isConstant) return constantOf(build({ variables: {}, slots: [] }));
    return {
      run: (frame) => {
        try {
          return build(frame);
        } finally {
          charge(MAP_COST);
        }
      },
    };
  }

  #message(expr: Message): Planned {
    const fields = expr.fields.map(({ name, value, isOptional }) => ({
      name,
      run: this.plan(value).run,
      isOptional,
    }));
    const make = this.#env.structOf(expr.name)?.make;
    if (make === undefined) throw new CelFailure(`unknown type: ${expr.name}`);
    return {
      run: (frame) => {
        const values = new Map<string, unknown>();
        for (const { name, run, isOptional } of fields) {
          const one = run(frame);
          if (!isOptional) values.set(name, one);
          else if (!(one instanceof Optional)) throw badOptional('entry', name, one);
          else if (one.hasValue) values.set(name, one.value);
          else values.delete(name);
        }
        charge(MESSAGE_COST);
        return make(values);
      },
    };
  }

  #enter(name: string): number {
    const slot = this.#slots;
    this.#slots += 1;
    this.#locals.set(name, [...(this.#locals.get(name) ?? []), slot]);
    return slot;
  }

  #leave(name: string): void {
    this.#locals.get(name)?.pop();
  }

  /**
   * A step that only adds to a list or a map, `accu + [item]`, or does so on a condition: it grows in place. It costs
   * what the copies would.
   */
  #growing({ init, step, accumulator: name, condition }: Fold, slot: number): Run | undefined {
    const isEmpty =
      (init.kind === 'list' && init.items.length === 0) ||
      (init.kind === 'map' && init.entries.length === 0);
    if (!isEmpty || condition.kind !== 'literal') return undefined;
    const isOwn = (one: Expr | undefined): boolean => one?.kind === 'ident' && one.name === name;
    if (step.kind !== 'call') return undefined;
    if (step.name === '_?_:_' && isOwn(step.args[2])) {
      const filter = this.plan(step.args[0] as Expr).run;
      const grow = this.#grow(step.args[1] as Expr, slot, isOwn);
      if (grow === undefined) return undefined;
      return (frame) => {
        const found = filter(frame);
        if (found === true) return grow(frame);
        if (found !== false) throw noOverload();
        const value = frame.slots[slot];
        if (value instanceof Failed) throw value.error;
        return value;
      };
    }
    return this.#grow(step, slot, isOwn);
  }

  #grow(step: Expr, slot: number, isOwn: (one: Expr | undefined) => boolean): Run | undefined {
    if (step.kind !== 'call' || !isOwn(step.args[0])) return undefined;
    const held = (frame: Frame): unknown => {
      const value = frame.slots[slot];
      if (value instanceof Failed) throw value.error;
      return value;
    };
    const [, second, third] = step.args;
    if (step.name === '_+_' && second?.kind === 'list' && second.items.length === 1) {
      if (second.optional.size > 0) return undefined;
      const { run, constant } = this.plan(second.items[0] as Expr);
      const cost = constant === undefined ? LIST_COST + 2 : 2;
      return (frame) => {
        let item: unknown;
        try {
          item = run(frame);
        } finally {
          charge(cost);
        }
        const list = held(frame) as unknown[];
        list.push(item);
        return list;
      };
    }
    if (step.name !== 'cel.@mapInsert' || second === undefined) return undefined;
    const [key, value] = [this.plan(second).run, third && this.plan(third).run];
    return (frame) => {
      charge(1);
      const map = held(frame) as Map<unknown, unknown>;
      let name: unknown;
      let one: unknown;
      try {
        name = key(frame);
        one = value?.(frame);
      } finally {
        charge(1);
      }
      if (value !== undefined) insert(map, name, one);
      else if (!(name instanceof Map)) throw noOverload();
      else for (const [own, item] of name as Map<unknown, unknown>) insert(map, own, item);
      return map;
    };
  }

  #fold(expr: Fold): Planned {
    const init = this.plan(expr.init).run;
    const range = this.plan(expr.range).run;
    const accumulator = this.#enter(expr.accumulator);
    const [first = 0, second] = expr.names.map((name) => this.#enter(name));
    const condition = this.plan(expr.condition).run;
    const growing = this.#growing(expr, accumulator);
    const step = growing ?? this.plan(expr.step).run;
    const isList = expr.init.kind === 'list';
    for (const name of expr.names) this.#leave(name);
    const result = this.plan(expr.result).run;
    this.#leave(expr.accumulator);
    /** False when the loop is over. */
    const once = (frame: Frame): boolean => {
      if (attempt(condition, frame) === false) return false;
      frame.slots[accumulator] = attempt(step, frame);
      return true;
    };
    return {
      run: (frame) => {
        const { slots } = frame;
        const over = range(frame);
        // What grows is not shared with the next run.
        if (growing === undefined) slots[accumulator] = attempt(init, frame);
        else slots[accumulator] = isList ? [] : new LiteralMap();
        if (second === undefined) {
          for (const item of itemsOf(over)) {
            slots[first] = item;
            if (!once(frame)) break;
          }
        } else {
          for (const [key, item] of entriesOf(over)) {
            slots[first] = key;
            slots[second] = item;
            if (!once(frame)) break;
          }
        }
        return result(frame);
      },
    };
  }
}

const LIST_COST = 10;
const MAP_COST = 30;
const MESSAGE_COST = 40;

/** Throws CelFailure when a part that can be run ahead fails. */
export function plan(env: Environment, expr: Expr): (variables: Frame['variables']) => unknown {
  const { run } = new Planner(env).plan(expr);
  return (variables) => run({ variables, slots: [] });
}
