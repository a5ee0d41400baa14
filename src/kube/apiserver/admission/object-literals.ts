// The messages of mutating policies, `Object.spec{replicas: 1}` and `JSONPatch{op: "add"}`: each path below
// `Object` is a type of its own, whose fields may be anything.
import type { Environment } from '@marcbachmann/cel-js';
import { CelFailure } from '#kube/cel/addresses.ts';
import { namespaceFor, sync } from '#kube/cel/namespaces.ts';

/** An object that an expression makes, and its fields. */
export class ObjectValue extends Map<string, unknown> {
  /** The name of its type. */
  get path(): string {
    return OBJECT_TYPE;
  }
}

export class PatchOperation extends Map<string, unknown> {}

export const OBJECT_TYPE = 'Object';
const PATCH_TYPE = 'JSONPatch';

const TYPE_NAMES = /\bObject(?:\s*\.\s*[A-Za-z_]\w*)*(?=\s*\{)/g;

const patchFields = { op: 'string', path: 'string', from: 'string', value: 'dyn' };

/** Everything but the types below `Object`. */
export function registerLiterals(env: Environment): void {
  env.registerType(OBJECT_TYPE, ObjectValue);
  env.registerType(PATCH_TYPE, { ctor: PatchOperation, fields: patchFields } as never);
  const escape = (_space: unknown, key: string): string =>
    key.replaceAll('~', '~0').replaceAll('/', '~1');
  const space = namespaceFor(env, 'jsonpatch');
  env.registerFunction(`${space}.escapeKey(string): string`, escape, sync);
}

/** The environment with the types that an expression names. */
export function withObjectTypes(env: Environment, source: string): Environment {
  const names = new Set(
    [...source.matchAll(TYPE_NAMES)].map(([name]) => name.replaceAll(/\s/g, '')),
  );
  names.delete(OBJECT_TYPE);
  if (names.size === 0) return env;
  const own = env.clone();
  for (const name of names) {
    const type = class extends ObjectValue {
      override get path(): string {
        return name;
      }
    };
    own.registerType(name, type);
  }
  return own;
}

/** Every object has the type of the path of fields that it is at. Throws CelFailure. */
export function checkObjectTypes(object: ObjectValue): void {
  const wrong = wrongTypes(object, object.path);
  if (wrong.length > 0) throw new CelFailure(`type mismatch: ${wrong.join('\n')}`);
}

function wrongTypes(value: unknown, path: string): string[] {
  if (value instanceof ObjectValue) {
    const isWrong = value.path !== path;
    const why = `unexpected type name "${value.path}", expected "${path}", which matches field name path from root Object type`;
    const inner = [...value].flatMap(([key, one]) => wrongTypes(one, `${path}.${key}`));
    return isWrong ? [why, ...inner] : inner;
  }
  if (Array.isArray(value)) return value.flatMap((one) => wrongTypes(one, path));
  if (value instanceof Map) return [...value.values()].flatMap((one) => wrongTypes(one, path));
  if (typeof value === 'object' && value !== null && value.constructor === Object)
    return Object.values(value).flatMap((one) => wrongTypes(one, path));
  return [];
}
