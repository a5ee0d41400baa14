// The three patches of a client's own making: JSON patch (RFC 6902), JSON merge patch (RFC 7386), and
// strategic merge patch by the patch strategies of the schema.
import { cloneJson } from '#base/clone.ts';
import type { Schema } from './schema.ts';
import { ApiError, badRequest } from './status.ts';
import { goNumber } from './read-numbers.ts';
import { numbersOf, WrittenNumber } from './written-numbers.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof WrittenNumber);

export interface PatchRequest {
  readonly type: 'json' | 'merge' | 'strategic';
  readonly schema: Schema;
  readonly current: unknown;
  readonly patch: unknown;
}

const goDecodings: Readonly<Record<PatchRequest['type'], readonly [head: string, place: string]>> =
  {
    json: ['error decoding patch: ', 'Go struct field jsonPatchOp.value'],
    merge: ['error decoding patch: ', 'Go value'],
    strategic: ['', 'Go value'],
  };

/** Throws ApiError 400 for a number that is too large for Go; where nobody asks, JSON is not read for that. */
export function checkPatchNumbers(
  type: PatchRequest['type'],
  patch: unknown,
  fieldValidation: string,
): void {
  const number = numbersOf(patch)?.tooLarge;
  if (number === undefined || (fieldValidation === 'Ignore' && type !== 'strategic')) return;
  const [head, place] = goDecodings[type];
  throw badRequest(`${head}json: cannot unmarshal number ${number} into ${place} of type float64`);
}

/** A new value; the given one is not changed. Throws ApiError. */
export function applyPatch({ type, schema, current, patch }: PatchRequest): unknown {
  if (type === 'json') return jsonPatch(cloneJson(current), patch);
  if (!isObject(patch)) {
    const what = Array.isArray(patch) ? 'array' : goKind(patch);
    const why = `json: cannot unmarshal ${what} into Go value of type map[string]interface {}`;
    throw badRequest(`error decoding patch: ${why}`);
  }
  if (type === 'merge') return mergePatch(current, patch);
  return strategicMerge(schema, isObject(current) ? current : {}, patch);
}

// ---- JSON patch ----

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** Upstream does not say what is wrong with a patch that does not fit; the caller's text is for readers. */
function unprocessable(_why: string): ApiError {
  const message = 'the server rejected our request due to an error in our request';
  return new ApiError(422, 'Invalid', message, {});
}

function goKind(value: unknown): string {
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** A JSON value as Go prints it: `map[a:1 b:[x y]]`. */
export function goText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (typeof value === 'number') return goNumber(value);
  if (!isObject(value)) return String(value as string | boolean | bigint);
  const keys = Object.keys(value).toSorted();
  return `map[${keys.map((key) => `${key}:${goText(value[key])}`).join(' ')}]`;
}

function tokens(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw unprocessable(`invalid JSON pointer "${pointer}"`);
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function read(target: unknown, path: readonly string[], pointer: string): unknown {
  let value = target;
  for (const token of path) {
    if (Array.isArray(value)) value = (value as unknown[])[arrayIndex(value, token, false)];
    else if (isObject(value) && Object.hasOwn(value, token)) value = value[token];
    else throw unprocessable(`path "${pointer}" does not exist`);
  }
  return value;
}

function arrayIndex(array: readonly unknown[], token: string, isInsert: boolean): number {
  if (token === '-' && isInsert) return array.length;
  const length = array.length + (isInsert ? 1 : 0);
  // As Go reads numbers; from the end when it is less than nothing.
  const given = /^[+-]?\d+$/.test(token) ? Number(token) : Number.NaN;
  const index = given < 0 ? given + length : given;
  if (!(index >= 0 && index < length)) throw unprocessable(`index "${token}" is out of bounds`);
  return index;
}

function write(root: unknown, pointer: string, value: unknown, isReplace: boolean): unknown {
  const path = tokens(pointer);
  const last = path.pop();
  if (last === undefined) return value;
  const parent = read(root, path, pointer);
  if (Array.isArray(parent)) {
    const index = arrayIndex(parent, last, !isReplace);
    if (isReplace) parent[index] = value;
    else parent.splice(index, 0, value);
  } else if (isObject(parent)) {
    // Upstream replaces also what is not there, in an object.
    Object.defineProperty(parent, last, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  } else throw unprocessable(`path "${pointer}" does not exist`);
  return root;
}

function removeAt(root: unknown, pointer: string): unknown {
  const path = tokens(pointer);
  const last = path.pop();
  if (last === undefined) return undefined;
  const parent = read(root, path, pointer);
  read(parent, [last], pointer);
  if (Array.isArray(parent)) parent.splice(arrayIndex(parent, last, false), 1);
  else delete (parent as Json)[last];
  return root;
}

/** What an object has not is as good as null there. */
function tested(root: unknown, pointer: string): unknown {
  const path = tokens(pointer);
  const last = path.pop();
  if (last === undefined) return root;
  const parent = read(root, path, pointer);
  if (isObject(parent)) return Object.hasOwn(parent, last) ? (parent[last] ?? null) : null;
  return read(parent, [last], pointer) ?? null;
}

function deepEqual(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((one, index) => deepEqual(one, b[index]));
  }
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => deepEqual(a[key], b[key]));
  }
  if (a instanceof WrittenNumber && b instanceof WrittenNumber) return a.source === b.source;
  return a === b;
}

/** As cloneJson(), with numbers as they are written. */
function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copied(one)]));
}

const OPERATIONS_MAX = 10_000;

function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    const what = isObject(patch) ? 'object' : goKind(patch);
    const why = `json: cannot unmarshal ${what} into Go value of type []handlers.jsonPatchOp`;
    throw badRequest(`error decoding patch: ${why}`);
  }
  if (patch.length > OPERATIONS_MAX) {
    const message = `The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${patch.length}`;
    throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`);
  }
  const copy = numbersOf(patch)?.isWritten === true ? copied : cloneJson;
  let root = target;
  for (const { op, path, from = '', value } of patch as Operation[]) {
    if (typeof path !== 'string') throw unprocessable('missing path');
    switch (op) {
      case 'add':
        root = write(root, path, copy(value), false);
        break;
      case 'replace':
        root = write(root, path, copy(value), true);
        break;
      case 'remove':
        root = removeAt(root, path);
        break;
      case 'move': {
        const moved = read(root, tokens(from), from);
        root = write(removeAt(root, from), path, moved, false);
        break;
      }
      case 'copy':
        root = write(root, path, copy(tested(root, from)), false);
        break;
      case 'test':
        if (!deepEqual(tested(root, path), value ?? null)) {
          throw unprocessable(`testing path ${path} failed: test failed`);
        }
        break;
      default:
        throw unprocessable(`Unexpected kind: ${String(op)}`);
    }
  }
  return root;
}

// ---- merge patch ----

function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const out: Json = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = mergePatch(out[key], value);
  }
  return out;
}

// ---- strategic merge patch ----

const PATCH = '$patch';
const RETAIN = '$retainKeys';
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';
const ORDER = '$setElementOrder/';

/** What upstream's strategic merge gives up on. */
function mistaken(why: string): ApiError {
  return new ApiError(500, '', why);
}

function checkDirective(patch: Json): void {
  const directive = patch[PATCH];
  if (directive === undefined || directive === 'merge') return;
  throw mistaken(`unknown patch type: ${goText(directive)} in map: ${goText(patch)}`);
}

function fieldSchema(schema: Schema, key: string): Schema {
  if (schema.type === 'map') return schema.values ?? { type: 'any' };
  return schema.properties?.[key] ?? { type: 'any' };
}

function strategicMerge(schema: Schema, current: Json, patch: Json): Json {
  if (patch[PATCH] === 'replace') return withoutDirectives(patch) as Json;
  if (patch[PATCH] === 'delete') return {};
  checkDirective(patch);
  let out: Json = { ...current };
  const retain = patch[RETAIN];
  if (Array.isArray(retain)) {
    out = Object.fromEntries(Object.entries(out).filter(([key]) => retain.includes(key)));
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key === PATCH || key === RETAIN || key.startsWith(ORDER)) continue;
    if (key.startsWith(DELETE_PRIMITIVES)) {
      const name = key.slice(DELETE_PRIMITIVES.length);
      const gone = value as unknown[];
      if (Array.isArray(out[name]))
        out[name] = out[name].filter((one: unknown) => !gone.includes(one));
      continue;
    }
    if (value === null) {
      delete out[key];
      continue;
    }
    const order = patch[`${ORDER}${key}`];
    out[key] = mergeField(fieldSchema(schema, key), out[key], value, order);
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(ORDER)) continue;
    const name = key.slice(ORDER.length);
    if (patch[name] !== undefined || !Array.isArray(out[name])) continue;
    const list: readonly unknown[] = out[name];
    if (!Array.isArray(order)) continue;
    out[name] = inOrder(fieldSchema(schema, name), list, { order, before: list });
  }
  return out;
}

function mergeField(schema: Schema, current: unknown, patch: unknown, order: unknown): unknown {
  const strategies = (schema.patchStrategy ?? '').split(',');
  if (isObject(patch)) {
    // What replaces is taken as it is, with all that is no field of it.
    if (strategies.includes('replace')) return patch;
    const isStructured = schema.type === 'object' || schema.type === 'map';
    if (!isStructured) return mergeRaw(current, patch);
    return strategicMerge(schema, isObject(current) ? current : {}, patch);
  }
  if (!Array.isArray(patch) || !strategies.includes('merge')) return patch;
  const before = Array.isArray(current) ? current : [];
  const merged = mergeList(schema, before, patch, current === undefined);
  if (patch.some(isReplacing)) return merged;
  return inOrder(schema, merged, { order: Array.isArray(order) ? order : patch, before });
}

/** Of what has no fields that are known: nothing within it can be merged. */
function mergeRaw(current: unknown, patch: Json): unknown {
  if (!isObject(current)) return withoutDirectives(patch);
  const out: Json = { ...current };
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue;
    if (value === null) delete out[key];
    else if (isObject(value) && isObject(out[key])) {
      const why = 'unable to find api field in struct RawExtension for the json field';
      throw mistaken(`${why} ${JSON.stringify(key)}`);
    } else out[key] = withoutDirectives(value);
  }
  return out;
}

const isReplacing = (one: unknown): boolean => isObject(one) && one[PATCH] === 'replace';

function mergeList(
  schema: Schema,
  current: readonly unknown[],
  patch: readonly unknown[],
  isNew: boolean,
): unknown[] {
  const key = schema.patchMergeKey;
  if (key === undefined) return [...new Set([...current, ...patch])];
  if (patch.some(isReplacing)) {
    return patch
      .filter((one) => !(isObject(one) && one[PATCH] !== undefined))
      .map(withoutDirectives);
  }
  const items = schema.items ?? { type: 'any' };
  const out: unknown[] = [...current];
  for (const one of patch) {
    if (!isObject(one)) continue;
    if (one[PATCH] !== 'delete') checkDirective(one);
    if (one[key] === undefined)
      throw mistaken(`map: ${goText(one)} does not contain declared merge key: ${key}`);
    // Where there was no list, two of one key stay two.
    const at = isNew ? -1 : out.findIndex((item) => isObject(item) && item[key] === one[key]);
    if (one[PATCH] === 'delete') {
      if (at >= 0) out.splice(at, 1);
    } else if (at >= 0) out[at] = strategicMerge(items, out[at] as Json, one);
    else out.push(strategicMerge(items, {}, one));
  }
  return out;
}

/**
 * The order of a merged list as upstream makes it (strategicpatch of apimachinery v0.37): elements that `order`
 * names (the list of the patch, or its $setElementOrder) come in that order, the others as they were in
 * `before`, and what is new comes before those that the patch does not name.
 */
function inOrder(
  schema: Schema,
  merged: readonly unknown[],
  { order, before }: { readonly order: readonly unknown[]; readonly before: readonly unknown[] },
): unknown[] {
  const key = schema.patchMergeKey;
  const id = (item: unknown): unknown => (key !== undefined && isObject(item) ? item[key] : item);
  for (const one of order) {
    if (key === undefined || !isObject(one) || one[key] !== undefined) continue;
    throw mistaken(`map: ${goText(one)} does not contain declared merge key: ${key}`);
  }
  const wanted = order.map(id);
  const known = before.map(id);
  const named = merged.filter((item) => wanted.includes(id(item)));
  named.sort((a, b) => wanted.indexOf(id(a)) - wanted.indexOf(id(b)));
  const others = merged.filter((item) => !wanted.includes(id(item)));
  others.sort((a, b) => known.indexOf(id(a)) - known.indexOf(id(b)));
  const out: unknown[] = [];
  while (named.length > 0 && others.length > 0) {
    const [ours, theirs] = [known.indexOf(id(named[0])), known.indexOf(id(others[0]))];
    const from = ours >= 0 && theirs >= 0 && theirs < ours ? others : named;
    out.push(from.shift());
  }
  return [...out, ...named, ...others];
}

function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(
    ([key, one]) => !key.startsWith('$') && one !== null,
  );
  return Object.fromEntries(entries.map(([key, one]) => [key, withoutDirectives(one)]));
}
