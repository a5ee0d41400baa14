// The operators of CEL as functions of their arguments, by the names that cel-go gives them.
import {
  add,
  compare,
  divide,
  find,
  isKey,
  modulo,
  multiply,
  negate,
  noOverload,
  subtract,
} from './operators.ts';
import { CelFailure, LiteralMap } from './core-values.ts';
import { celEquals, isOpaque, typeOfValue } from './values.ts';

type Apply = (args: unknown[]) => unknown;

function isIn([item, container]: unknown[]): boolean {
  if (Array.isArray(container)) return container.some((one) => celEquals(one, item));
  if (container instanceof Map) return isKey(item) && find(container, item) !== undefined;
  throw new CelFailure('no such overload: @in');
}

/** Throws CelFailure where the key is there already. */
export function insert(map: Map<unknown, unknown>, key: unknown, value: unknown): void {
  if (find(map, key) !== undefined)
    throw new CelFailure(`insert failed: key ${String(key)} already exists`);
  map.set(key, value);
}

function mapInsert([map, key, value]: unknown[]): unknown {
  const out = new LiteralMap(map as Map<unknown, unknown>);
  if (value === undefined) {
    if (!(key instanceof Map)) throw noOverload();
    for (const [name, one] of key as Map<unknown, unknown>) insert(out, name, one);
  } else insert(out, key, value);
  return out;
}

/** Values of Kubernetes' own types are not equal to others, nor are they not. */
function equals(a: unknown, b: unknown): boolean {
  if (isOpaque(a) && b !== null && typeOfValue(b).name !== a.celType.name) throw noOverload();
  return celEquals(a, b);
}

const operators: Readonly<Record<string, Apply>> = {
  '_+_': ([a, b]) => add(a, b),
  '_-_': ([a, b]) => subtract(a, b),
  '_*_': ([a, b]) => multiply(a, b),
  '_/_': ([a, b]) => divide(a, b),
  '_%_': ([a, b]) => modulo(a, b),
  '-_': ([a]) => negate(a),
  '!_': ([a]) => {
    if (typeof a !== 'boolean') throw noOverload();
    return !a;
  },
  '_==_': ([a, b]) => equals(a, b),
  '_!=_': ([a, b]) => !celEquals(a, b),
  '_<_': ([a, b]) => compare(a, b, '_<_') < 0,
  '_<=_': ([a, b]) => compare(a, b, '_<=_') <= 0,
  '_>_': ([a, b]) => compare(a, b, '_>_') > 0,
  '_>=_': ([a, b]) => compare(a, b, '_>=_') >= 0,
  '@in': isIn,
  'cel.@mapInsert': mapInsert,
};

export function operatorOf(name: string): Apply | undefined {
  return Object.hasOwn(operators, name) ? operators[name] : undefined;
}
