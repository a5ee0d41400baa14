// What Kubernetes' CEL knows of lists and sets: its own functions (library/lists.go) and the extensions of cel-go
// (ext/lists.go, ext/sets.go).
import { CelFailure, Duration, Uint } from './core-values.ts';
import type { Environment } from './environment.ts';
import { add, compare } from './operators.ts';
import { celEquals, typeOfValue } from './values.ts';

type List = readonly unknown[];

const DURATION = 'google.protobuf.Duration';
const TIMESTAMP = 'google.protobuf.Timestamp';
const comparable = ['int', 'uint', 'double', 'bool', DURATION, TIMESTAMP, 'string', 'bytes'];

/** The sums of nothing. */
const zeros: Readonly<Record<string, unknown>> = {
  int: 0n,
  uint: new Uint(0n),
  double: 0,
  [DURATION]: new Duration(0n),
};

const LISTS_MAX = 1_000_000;

function isSorted(list: List): boolean {
  return list.every((one, i) => i === 0 || compare(list[i - 1], one) <= 0);
}

function extreme(name: string, sign: number): (list: List) => unknown {
  return (list) => {
    if (list.length === 0) throw new CelFailure(`${name} called on empty list`);
    return list.reduce((best, one) => (compare(one, best) * sign > 0 ? one : best));
  };
}

function slice(list: List, start: bigint, end: bigint): unknown[] {
  const fail = (why: string): CelFailure =>
    new CelFailure(`cannot slice(${start}, ${end}), ${why}`);
  if (start < 0n || end < 0n) throw fail('negative indexes not supported');
  if (start > end) throw fail('start index must be less than or equal to end index');
  if (end > BigInt(list.length)) throw fail(`list is length ${list.length}`);
  return list.slice(Number(start), Number(end));
}

function flatten(list: List, depth: bigint): unknown[] {
  if (depth < 0n) throw new CelFailure('level must be non-negative');
  return (list as unknown[]).flat(Number(depth));
}

function distinct(list: List): unknown[] {
  const plain = new Set<unknown>();
  const found: unknown[] = [];
  for (const one of list) {
    // Texts are only equal to texts.
    if (typeof one === 'string') {
      if (plain.has(one)) continue;
      plain.add(one);
    } else if (found.some((known) => celEquals(known, one))) continue;
    found.push(one);
  }
  return found;
}

function sortedBy(list: List, keys: List): unknown[] {
  const [first] = keys;
  if (list.length === 0) return [];
  const type = typeOfValue(first).name;
  if (!comparable.includes(type)) throw new CelFailure('list elements must be comparable');
  if (keys.some((key) => typeOfValue(key).name !== type))
    throw new CelFailure('list elements must have the same type');
  const order = keys.map((_, i) => i).toSorted((a, b) => compare(keys[a], keys[b]));
  return order.map((i) => list[i]);
}

function range(count: bigint): bigint[] {
  if (count < 0n) throw new CelFailure(`lists.range: size must be non-negative, got ${count}`);
  if (count > LISTS_MAX) {
    const why = `size ${count} exceeds maximum allowed (${LISTS_MAX})`;
    throw new CelFailure(`lists.range: ${why}`);
  }
  return Array.from({ length: Number(count) }, (_, i) => BigInt(i));
}

export function registerLists(env: Environment): void {
  for (const type of comparable) {
    env.method(`list(${type}).isSorted(): bool`, isSorted);
    env.method(`list(${type}).max(): ${type}`, extreme('max', 1));
    env.method(`list(${type}).min(): ${type}`, extreme('min', -1));
    env.method(
      `list(${type}).sort(): list(${type})`,
      (list: List) => sortedBy(list, list),
      'named',
    );
    env.method(`list(T).@sortByAssociatedKeys(list(${type})): list(T)`, sortedBy);
  }
  for (const [type, zero] of Object.entries(zeros))
    env.method(`list(${type}).sum(): ${type}`, (list: List) => list.reduce(add, zero));
  env.method('list(A).indexOf(A): int', (list: List, wanted: unknown) =>
    BigInt(list.findIndex((one) => celEquals(one, wanted))),
  );
  env.method('list(A).lastIndexOf(A): int', (list: List, wanted: unknown) =>
    BigInt(list.findLastIndex((one) => celEquals(one, wanted))),
  );
  env.method('list(T).slice(int, int): list(T)', slice);
  env.method('list(list(T)).flatten(): list(T)', (list: List) => flatten(list, 1n), 'method');
  env.method('list(dyn).flatten(int): list(dyn)', flatten, 'method');
  env.method('list(T).distinct(): list(T)', distinct, 'list');
  env.method('list(T).reverse(): list(T)', (list: List) => list.toReversed());
  env.func('lists.range(int): list(int)', range);
}

export function registerSets(env: Environment): void {
  const hasAll = (a: List, b: List): boolean =>
    b.every((one) => a.some((other) => celEquals(one, other)));
  env.func('sets.contains(list(T), list(T)): bool', hasAll);
  env.func(
    'sets.equivalent(list(T), list(T)): bool',
    (a: List, b: List) => hasAll(a, b) && hasAll(b, a),
  );
  env.func('sets.intersects(list(T), list(T)): bool', (a: List, b: List) =>
    a.some((one) => b.some((other) => celEquals(one, other))),
  );
}
