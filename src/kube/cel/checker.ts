// Checks an expression against its environment, as cel-go's checker does (checker.go): every mistake is told,
// and what is wrong already is not held against what is built on it.
import { fresh, type Environment, type Overload, type StructType } from './environment.ts';
import type { Call, Expr, Fold, Ident, ListExpr, MapExpr, Message, Select } from './expr.ts';
import type { Fault } from './syntax.ts';
import {
  areAssignable,
  BOOL,
  BYTES,
  DOUBLE,
  DYN,
  ERROR,
  INT,
  isDyn,
  isDynOrError,
  isSame,
  listOf,
  mapOf,
  mostGeneral,
  NULL,
  optionalOf,
  param,
  shownType,
  STRING,
  substitute,
  UINT,
  unwrapOptional,
  type CelType,
  Mapping,
} from './types.ts';
import { Uint } from './core-values.ts';

interface Scope {
  readonly names: ReadonlyMap<string, CelType>;
  readonly outer: Scope | undefined;
}

function literalType(value: unknown): CelType {
  switch (typeof value) {
    case 'string':
      return STRING;
    case 'bigint':
      return INT;
    case 'number':
      return DOUBLE;
    case 'boolean':
      return BOOL;
    default:
      if (value === null) return NULL;
      return value instanceof Uint ? UINT : BYTES;
  }
}

function applied(types: readonly CelType[], isMember: boolean): string {
  const [first, ...rest] = types;
  const args = (isMember ? rest : types).map(shownType).join(', ');
  return isMember && first !== undefined ? `${shownType(first)}.(${args})` : `(${args})`;
}

/** `a.b.c` of names alone. */
function dotted(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name;
  if (expr.kind !== 'select' || expr.isTest) return undefined;
  const before = dotted(expr.operand);
  return before === undefined ? undefined : `${before}.${expr.field}`;
}

const withoutDot = (name: string): string => name.replace(/^\./, '');

class Checker {
  readonly faults: Fault[] = [];
  readonly #env: Environment;
  readonly #mapping = new Mapping();
  #scope: Scope | undefined;
  #variables = 0;
  readonly #typed: Expr[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  /** The same expression, with names and functions found, and with types. */
  run(expr: Expr): Expr {
    const checked = this.check(expr);
    for (const one of this.#typed) one.type = substitute(this.#mapping, one.type ?? DYN, true);
    return checked;
  }

  #tell(at: number, message: string): void {
    this.faults.push({ at, message });
  }

  #undeclared(at: number, name: string): void {
    this.#tell(at, `undeclared reference to '${name}' (in container '')`);
  }

  #mismatch(at: number, wanted: CelType, found: CelType): void {
    this.#tell(at, `expected type '${shownType(wanted)}' but found '${shownType(found)}'`);
  }

  #with<T extends Expr>(expr: T, type: CelType): T {
    expr.type = type;
    this.#typed.push(expr);
    return expr;
  }

  #newType(): CelType {
    this.#variables += 1;
    return param(`_var${this.#variables - 1}`);
  }

  #fits(wanted: CelType, found: CelType): boolean {
    return areAssignable(this.#mapping, [wanted], [found]);
  }

  #local(name: string): CelType | undefined {
    for (let at = this.#scope; at !== undefined; at = at.outer) {
      const found = at.names.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  check(expr: Expr): Expr {
    switch (expr.kind) {
      case 'literal':
        return this.#with(expr, literalType(expr.value));
      case 'ident':
        return this.#ident(expr);
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
        return this.#with(expr, ERROR);
    }
  }

  #ident(expr: Ident): Expr {
    const { name, at } = expr;
    const own = name.startsWith('.') ? undefined : this.#local(name);
    const type = own ?? this.#env.typeOfName(withoutDot(name));
    if (type !== undefined) {
      // What is not local is marked, where something local has its name.
      const isHidden = own === undefined && this.#local(withoutDot(name)) !== undefined;
      const shown = isHidden ? `.${withoutDot(name)}` : withoutDot(name);
      return this.#with({ ...expr, name: shown }, type);
    }
    this.#undeclared(at, name);
    return this.#with(expr, ERROR);
  }

  /** The whole of `a.b.c` may be the name of a variable or a type. */
  #qualified(expr: Select): Ident | undefined {
    const name = dotted(expr);
    if (name === undefined) return undefined;
    const [first = ''] = name.startsWith('.') ? [''] : name.split('.');
    if (this.#local(first) !== undefined) return undefined;
    const type = this.#env.typeOfName(withoutDot(name));
    if (type === undefined) return undefined;
    return this.#with({ kind: 'ident', at: expr.at, name: withoutDot(name) }, type);
  }

  #select(expr: Select): Expr {
    const qualified = this.#qualified(expr);
    if (qualified !== undefined) return qualified;
    const operand = this.check(expr.operand);
    const found = this.#field(expr.at, operand, expr.field, false);
    const type = expr.isTest ? BOOL : substitute(this.#mapping, found, false);
    return this.#with({ ...expr, operand }, type);
  }

  #field(at: number, operand: Expr, field: string, isOptional: boolean): CelType {
    const whole = substitute(this.#mapping, operand.type ?? DYN, false);
    const inner = unwrapOptional(whole);
    const target = inner ?? whole;
    let found: CelType = ERROR;
    switch (target.kind) {
      case 'map':
        found = target.params[1] ?? DYN;
        break;
      case 'struct':
        found = this.#structField(at, target.name, field) ?? ERROR;
        break;
      case 'param':
        this.#fits(DYN, target);
        found = DYN;
        break;
      default:
        if (!isDynOrError(target))
          this.#tell(at, `type '${shownType(target)}' does not support field selection`);
        found = DYN;
    }
    return inner !== undefined || isOptional ? optionalOf(found) : found;
  }

  #structField(at: number, name: string, field: string): CelType | undefined {
    const struct = this.#env.structOf(name);
    if (struct === undefined) {
      this.#tell(at, `unexpected failed resolution of '${name}'`);
      return undefined;
    }
    const type = struct.field(field);
    if (type === undefined) this.#tell(at, `undefined field '${field}'`);
    return type;
  }

  #optionalSelect(expr: Call): Expr {
    const [first, field] = expr.args;
    const operand = this.check(first as Expr);
    const name = field?.kind === 'literal' ? String(field.value) : '';
    const type = this.#field(expr.at, operand, name, true);
    const args = [operand, this.#with(field as Expr, STRING)];
    return this.#with({ ...expr, args }, substitute(this.#mapping, type, false));
  }

  #call(expr: Call): Expr {
    const { name, target, at } = expr;
    if (name === '_?._') return this.#optionalSelect(expr);
    const args = expr.args.map((one) => this.check(one));
    if (target === undefined) {
      const overloads = this.#env.overloads(withoutDot(name));
      if (overloads !== undefined) return this.#resolve(withoutDot(name), overloads, at, args);
      this.#undeclared(at, name);
      return this.#with({ ...expr, args }, ERROR);
    }
    const prefix = dotted(target);
    if (prefix !== undefined) {
      const full = withoutDot(`${prefix}.${name}`);
      const overloads = this.#env.overloads(full);
      if (overloads !== undefined) return this.#resolve(full, overloads, at, args);
    }
    const receiver = this.check(target);
    const overloads = this.#env.overloads(name);
    if (overloads !== undefined) return this.#resolve(name, overloads, at, args, receiver);
    this.#undeclared(at, name);
    return this.#with({ ...expr, target: receiver, args }, ERROR);
  }

  #resolve(
    name: string,
    overloads: readonly Overload[],
    at: number,
    args: readonly Expr[],
    target?: Expr,
  ): Expr {
    const call: Call = { kind: 'call', at, name, target, args };
    const all = target === undefined ? args : [target, ...args];
    const types = all.map((one) => one.type ?? DYN);
    if (name === '_&&_' || name === '_||_') return this.#logic(call, types);
    const isMember = target !== undefined;
    let result: CelType | undefined;
    const fitting: Overload[] = [];
    for (const overload of overloads) {
      if (overload.isMember !== isMember) continue;
      const own = fresh(overload, () => this.#newType());
      if (!areAssignable(this.#mapping, types, own.args)) continue;
      fitting.push(overload);
      const found = substitute(this.#mapping, own.result, false);
      if (result === undefined) result = found;
      else if (!isDyn(result) && !isSame(found, result)) result = DYN;
    }
    if (result !== undefined) return this.#with({ ...call, overloads: fitting }, result);
    const shown = types.map((one) => substitute(this.#mapping, one, true));
    this.#tell(
      at,
      `found no matching overload for '${name}' applied to '${applied(shown, isMember)}'`,
    );
    return this.#with(call, ERROR);
  }

  #logic(call: Call, types: readonly CelType[]): Expr {
    let isWrong = false;
    for (const [i, type] of types.entries()) {
      if (this.#fits(type, BOOL)) continue;
      this.#mismatch(call.args[i]?.at ?? -1, BOOL, type);
      isWrong = true;
    }
    return this.#with(call, isWrong ? ERROR : BOOL);
  }

  /** What the value of an element is that may be left out. */
  #unwrapped(element: Expr): CelType {
    const type = element.type ?? DYN;
    const inner = unwrapOptional(type);
    if (inner === undefined && !isDyn(type)) this.#mismatch(element.at, optionalOf(type), type);
    return inner ?? type;
  }

  #join(element: Expr, before: CelType | undefined, type: CelType): CelType {
    if (before === undefined) return type;
    if (this.#fits(before, type)) return mostGeneral(before, type);
    return DYN;
  }

  #list(expr: ListExpr): Expr {
    let type: CelType | undefined;
    const items = expr.items.map((one, i) => {
      const item = this.check(one);
      const found = expr.optional.has(i) ? this.#unwrapped(item) : (item.type ?? DYN);
      type = this.#join(item, type, found);
      return item;
    });
    return this.#with({ ...expr, items }, listOf(type ?? this.#newType()));
  }

  #map(expr: MapExpr): Expr {
    let keyType: CelType | undefined;
    let valueType: CelType | undefined;
    const entries = expr.entries.map((entry) => {
      const key = this.check(entry.key);
      keyType = this.#join(key, keyType, key.type ?? DYN);
      const value = this.check(entry.value);
      const found = entry.isOptional ? this.#unwrapped(value) : (value.type ?? DYN);
      valueType = this.#join(value, valueType, found);
      return { ...entry, key, value };
    });
    const key = keyType ?? this.#newType();
    return this.#with({ ...expr, entries }, mapOf(key, valueType ?? this.#newType()));
  }

  #message(expr: Message): Expr {
    const { at } = expr;
    const name = withoutDot(expr.name);
    const named = this.#env.typeNamed(name);
    if (named === undefined) {
      this.#undeclared(at, expr.name);
      return this.#with(expr, ERROR);
    }
    let type = named.params[0] ?? ERROR;
    if (type.kind !== 'struct') {
      this.#tell(at, `'${type.name}' is not a message type`);
      type = ERROR;
    }
    const fields = expr.fields.map((field) => {
      const value = this.check(field.value);
      const wanted = this.#structField(field.at, name, field.name) ?? ERROR;
      const found = field.isOptional ? this.#unwrapped(value) : (value.type ?? DYN);
      if (!this.#fits(wanted, found)) {
        const types = `'${shownType(wanted)}' but provided type is '${shownType(found)}'`;
        this.#tell(field.at, `expected type of field '${field.name}' is ${types}`);
      }
      return { ...field, value };
    });
    return this.#with({ ...expr, name, fields }, type);
  }

  /** The types of a loop's variables: of the value alone, or of key and value. */
  #loopTypes(range: Expr, count: number): CelType[] {
    const type = substitute(this.#mapping, range.type ?? DYN, false);
    const [first = DYN, second = DYN] = type.params;
    switch (type.kind) {
      case 'list':
        return count === 2 ? [INT, first] : [first];
      case 'map':
        return [first, second];
      case 'dyn':
      case 'error':
      case 'param':
        this.#fits(DYN, type);
        return [DYN, DYN];
      default: {
        const why = 'cannot be range of a comprehension (must be list, map, or dynamic)';
        this.#tell(range.at, `expression of type '${shownType(type)}' ${why}`);
        return [ERROR, ERROR];
      }
    }
  }

  #fold(expr: Fold): Expr {
    const range = this.check(expr.range);
    const init = this.check(expr.init);
    const type = init.type ?? DYN;
    const outer = this.#scope;
    const types = this.#loopTypes(range, expr.names.length);
    const whole = { names: new Map([[expr.accumulator, type]]), outer };
    const names = new Map(expr.names.map((name, i) => [name, types[i] ?? DYN]));
    this.#scope = { names, outer: whole };
    const condition = this.check(expr.condition);
    this.#assert(condition, BOOL);
    const step = this.check(expr.step);
    this.#assert(step, type);
    this.#scope = whole;
    const result = this.check(expr.result);
    this.#scope = outer;
    const found = substitute(this.#mapping, result.type ?? DYN, false);
    return this.#with({ ...expr, range, init, condition, step, result }, found);
  }

  #assert(expr: Expr, type: CelType): void {
    if (!this.#fits(type, expr.type ?? DYN)) this.#mismatch(expr.at, type, expr.type ?? DYN);
  }
}

export interface Checked {
  readonly expr: Expr;
  readonly faults: readonly Fault[];
}

export function check(env: Environment, expr: Expr): Checked {
  const checker = new Checker(env);
  return { expr: checker.run(expr), faults: checker.faults };
}

export type { StructType };
