// What Kubernetes' CEL knows of strings, lists, sets and regular expressions beyond the language itself.
import type { Environment } from '@marcbachmann/cel-js';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { CelFailure } from './addresses.ts';
import { formatText } from './format-text.ts';
import { goRegExp } from './go-regexp.ts';
import { namespaceFor, operator, sync } from './namespaces.ts';
import { celCompare, celEquals } from './values.ts';

type List = readonly unknown[];
type Handler = (...args: never[]) => unknown;

const listOf = (value: unknown): List =>
  Array.isArray(value) ? value : [...(value as Set<unknown>)];

function registerStrings(env: Environment): void {
  const add = (signature: string, handler: Handler): void =>
    void env.registerFunction(signature, handler as (...args: unknown[]) => unknown, sync);
  add('string.charAt(int): string', (text: string, at: bigint) => {
    const letters = [...text];
    if (at < 0n || at > BigInt(letters.length)) throw new CelFailure(`index out of range: ${at}`);
    return letters[Number(at)] ?? '';
  });
  const replace = (text: string, old: string, next: string, most: number): string => {
    if (most < 0) return text.replaceAll(old, () => next);
    let count = 0;
    return text.replaceAll(old, (found) => (count++ < most ? next : found));
  };
  add('string.replace(string, string): string', (text: string, old: string, next: string) =>
    replace(text, old, next, -1),
  );
  add(
    'string.replace(string, string, int): string',
    (text: string, old: string, next: string, most: bigint) =>
      replace(text, old, next, Number(most)),
  );
  add('string.format(list): string', (text: string, args: unknown) =>
    formatText(text, listOf(args)),
  );
  add('string.find(string): string', (text: string, pattern: string) => {
    return goRegExp(pattern).exec(text)?.[0] ?? '';
  });
  const findAll = (text: string, pattern: string, most: number): string[] => {
    const all = new RegExp(goRegExp(pattern), `${goRegExp(pattern).flags}g`);
    const found = [...text.matchAll(all)].map(([one]) => one);
    return most < 0 ? found : found.slice(0, most);
  };
  add('string.findAll(string): list<string>', (text: string, pattern: string) =>
    findAll(text, pattern, -1),
  );
  add('string.findAll(string, int): list<string>', (text: string, pattern: string, most: bigint) =>
    findAll(text, pattern, Number(most)),
  );
  add('matches(string, string): bool', (text: string, pattern: string) =>
    goRegExp(pattern).test(text),
  );
  const strings = namespaceFor(env, 'strings');
  add(`${strings}.quote(string): string`, (_: unknown, text: string) => JSON.stringify(text));
}

function order(a: unknown, b: unknown): number {
  const found = celCompare(a, b);
  if (found === undefined) throw new CelFailure('no such overload');
  return found;
}

function extreme(name: string, list: List, sign: number): unknown {
  if (list.length === 0) throw new CelFailure(`${name} called on empty list`);
  return list.reduce((best, one) => (order(one, best) * sign > 0 ? one : best));
}

function sum(list: List): unknown {
  let total: unknown;
  for (const one of list) {
    if (total === undefined) total = one;
    else if (total instanceof Duration) total = total.addDuration(one as Duration);
    else if (typeof total === 'bigint' && typeof one === 'bigint') total += one;
    else total = Number(total) + Number(one);
  }
  return total ?? 0n;
}

function flatten(list: List, depth: number): unknown[] {
  if (depth < 0) throw new CelFailure('level must be non-negative');
  return (list as unknown[]).flat(depth);
}

function registerLists(env: Environment): void {
  const add = (signature: string, handler: Handler): void =>
    void env.registerFunction(signature, handler as (...args: unknown[]) => unknown, sync);
  add('list.isSorted(): bool', (value: unknown) => {
    const list = listOf(value);
    return list.every((one, i) => i === 0 || order(list[i - 1], one) <= 0);
  });
  add('list<A>.sum(): A', (value: unknown) => sum(listOf(value)));
  add('list<A>.min(): A', (value: unknown) => extreme('min', listOf(value), -1));
  add('list<A>.max(): A', (value: unknown) => extreme('max', listOf(value), 1));
  add('list<A>.indexOf(A): int', (value: unknown, wanted: unknown) =>
    BigInt(listOf(value).findIndex((one) => celEquals(one, wanted))),
  );
  add('list<A>.lastIndexOf(A): int', (value: unknown, wanted: unknown) =>
    BigInt(listOf(value).findLastIndex((one) => celEquals(one, wanted))),
  );
  add('list<A>.slice(int, int): list<A>', (value: unknown, start: bigint, end: bigint) => {
    const list = listOf(value);
    const fail = (why: string): never => {
      throw new CelFailure(`cannot slice(${start}, ${end}), ${why}`);
    };
    if (start < 0n || end < 0n) return fail('negative indexes not supported');
    if (start > end) return fail('start index must be less than or equal to end index');
    if (end > BigInt(list.length)) return fail(`list is length ${list.length}`);
    return list.slice(Number(start), Number(end));
  });
  add('list.flatten(): list', (value: unknown) => flatten(listOf(value), 1));
  add('list.flatten(int): list', (value: unknown, depth: bigint) =>
    flatten(listOf(value), Number(depth)),
  );
  add('list<A>.distinct(): list<A>', (value: unknown) => {
    const found: unknown[] = [];
    for (const one of listOf(value))
      if (!found.some((known) => celEquals(known, one))) found.push(one);
    return found;
  });
  add('list<A>.sort(): list<A>', (value: unknown) => listOf(value).toSorted(order));
  add('list<A>.reverse(): list<A>', (value: unknown) => listOf(value).toReversed());
  const lists = namespaceFor(env, 'lists');
  add(`${lists}.range(int): list<int>`, (_: unknown, count: bigint) =>
    Array.from({ length: Math.max(0, Number(count)) }, (__, i) => BigInt(i)),
  );
}

function registerSets(env: Environment): void {
  const sets = namespaceFor(env, 'sets');
  const add = (name: string, holds: (a: List, b: List) => boolean): void =>
    void env.registerFunction(
      `${sets}.${name}(list<A>, list<A>): bool`,
      (_: unknown, a: unknown, b: unknown) => holds(listOf(a), listOf(b)),
      sync,
    );
  const hasAll = (a: List, b: List): boolean =>
    b.every((one) => a.some((other) => celEquals(one, other)));
  add('contains', hasAll);
  add('equivalent', (a, b) => hasAll(a, b) && hasAll(b, a));
  add('intersects', (a, b) => a.some((one) => b.some((other) => celEquals(one, other))));
}

/** Byte by byte; the interpreter has only equality. */
function registerBytes(env: Environment): void {
  const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);
  operator(env, 'bytes < bytes', (a: Uint8Array, b: Uint8Array) => compare(a, b) < 0);
  operator(env, 'bytes <= bytes', (a: Uint8Array, b: Uint8Array) => compare(a, b) <= 0);
  operator(env, 'bytes > bytes', (a: Uint8Array, b: Uint8Array) => compare(a, b) > 0);
  operator(env, 'bytes >= bytes', (a: Uint8Array, b: Uint8Array) => compare(a, b) >= 0);
}

export function registerCollections(env: Environment): void {
  registerBytes(env);
  registerStrings(env);
  registerLists(env);
  registerSets(env);
}
