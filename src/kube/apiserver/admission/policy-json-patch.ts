// JSON patches that mutating policies make, applied as by github.com/evanphx/json-patch v4, in its words.
import { cloneJson } from '#base/clone.ts';
import { CelFailure } from '#kube/cel/core-values.ts';

type Json = Record<string, unknown>;
type Container = Json | unknown[];

export interface PatchStep {
  readonly op: string;
  readonly path: string;
  readonly from: string;
  /** Whether there is a value; it may be null. */
  readonly hasValue: boolean;
  readonly value: unknown;
}

/** A test that does not hold leaves the object as it is. */
export class TestFailed extends Error {
  override readonly name = 'TestFailed';
}

class Missing extends Error {}

const isContainer = (value: unknown): value is Container =>
  typeof value === 'object' && value !== null;

const decoded = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~');

const failure = (text: string): CelFailure => new CelFailure(`JSON Patch: ${text}`);
const missing = (text: string): CelFailure => failure(`${text}: missing value`);

function arrayIndex(key: string, length: number): number {
  if (!/^[+-]?\d+$/.test(key))
    throw new Missing(`strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  const given = Number(key);
  const index = given < 0 ? given + length : given;
  if (index >= 0 && index < length) return index;
  throw new Missing(`Unable to access invalid index: ${given}: invalid index referenced`);
}

/** Where a path leads, but for its last part; undefined where nothing is. */
function find(root: Container, path: string): readonly [Container, string] | undefined {
  const parts = path.split('/');
  if (parts.length < 2) return undefined;
  let found: unknown = root;
  for (const part of parts.slice(1, -1)) {
    try {
      found = got(found as Container, decoded(part));
    } catch (error) {
      if (error instanceof Missing) return undefined;
      throw error;
    }
    if (!isContainer(found)) return undefined;
  }
  return [found as Container, decoded(parts.at(-1) ?? '')];
}

function got(container: Container, key: string): unknown {
  if (Array.isArray(container)) return container[arrayIndex(key, container.length)];
  return Object.hasOwn(container, key) ? container[key] : undefined;
}

function put(container: Container, key: string, value: unknown, isNew: boolean): void {
  if (!Array.isArray(container)) {
    const own = { value, enumerable: true, writable: true, configurable: true };
    Object.defineProperty(container, key, own);
  } else if (!isNew) container[arrayIndex(key, container.length)] = value;
  else if (key === '-') container.push(value);
  else if (!/^[+-]?\d+$/.test(key)) {
    const why = `strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`;
    throw new Missing(`value was not a proper array index: '${key}': ${why}`);
  } else container.splice(arrayIndex(key, container.length + 1), 0, value);
}

function removed(container: Container, key: string): void {
  if (Array.isArray(container)) container.splice(arrayIndex(key, container.length), 1);
  else if (Object.hasOwn(container, key)) delete container[key];
  else throw new Missing(`Unable to remove nonexistent key: ${key}: missing value`);
}

function equal(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((one, i) => equal(one, b[i]));
  if (!isContainer(a) || !isContainer(b) || Array.isArray(a) || Array.isArray(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => equal(a[key], b[key]));
}

/** `attempt`, with what it says of what is missing after the words for the operation. */
function tried<T>(head: string, attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof Missing) throw failure(`${head}: ${error.message}`);
    throw error;
  }
}

function test(root: Container, { path, hasValue, value }: PatchStep): void {
  const failed = new TestFailed(path);
  if (path === '') {
    if (equal(root, value)) return;
    throw failed;
  }
  const place = find(root, path);
  if (place === undefined) throw missing(`test operation does not apply: is missing path: ${path}`);
  const found = tried(`error in test for path: '${path}'`, () => got(...place));
  if (found === undefined || found === null) {
    if (!hasValue) return;
    throw failed;
  }
  if (!hasValue || !equal(found, value)) throw failed;
}

/** Puts a value at the path of a move or copy, whose words for a failure are given. */
function putAt(root: Container, op: string, path: string, value: unknown, head: string): void {
  const place = find(root, path);
  if (place === undefined)
    throw missing(`${op} operation does not apply: doc is missing destination path: ${path}`);
  tried(head, () => put(...place, value, true));
}

function step(root: Container, one: PatchStep): Container {
  const { op, path, from, value } = one;
  switch (op) {
    case 'add': {
      const place = find(root, path);
      if (place === undefined)
        throw missing(`add operation does not apply: doc is missing path: "${path}"`);
      tried(`error in add for path: '${path}'`, () => put(...place, value, true));
      return root;
    }
    case 'remove': {
      const place = find(root, path);
      if (place === undefined)
        throw missing(`remove operation does not apply: doc is missing path: "${path}"`);
      tried(`error in remove for path: '${path}'`, () => removed(...place));
      return root;
    }
    case 'replace': {
      if (path === '') {
        if (isContainer(value)) return value;
        throw failure('replace operation value must be object or array: %!w(<nil>)');
      }
      const head = 'replace operation does not apply: doc is missing';
      const place = find(root, path);
      if (place === undefined) throw missing(`${head} path: ${path}`);
      try {
        got(...place);
      } catch (error) {
        if (error instanceof Missing) throw missing(`${head} key: ${path}`);
        throw error;
      }
      put(...place, value, false);
      return root;
    }
    case 'move':
    case 'copy': {
      const place = find(root, from);
      if (place === undefined)
        throw missing(`${op} operation does not apply: doc is missing from path: ${from}`);
      const isMove = op === 'move';
      const head = isMove
        ? `error in move for path: '${place[1]}'`
        : `error in copy for from: '${from}'`;
      const found = tried(head, () => got(...place));
      if (isMove) tried(head, () => removed(...place));
      const late = isMove
        ? `error in move for path: '${path}'`
        : 'error while adding value during copy';
      putAt(root, op, path, isMove ? found : cloneJson(found ?? null), late);
      return root;
    }
    case 'test':
      test(root, one);
      return root;
    default:
      throw failure(`Unexpected kind: ${op}`);
  }
}

/** Throws CelFailure, and TestFailed. */
export function applySteps(object: object, steps: readonly PatchStep[]): unknown {
  let root = cloneJson(object) as Container;
  for (const one of steps) root = step(root, one);
  return root;
}
