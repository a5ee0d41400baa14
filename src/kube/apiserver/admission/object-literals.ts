// The messages of mutating policies, `Object.spec{replicas: 1}` and `JSONPatch{op: "add"}`: each path below
// `Object` is a type of its own, whose fields may be anything.
import { CelFailure } from '#kube/cel/core-values.ts';
import type { Environment } from '#kube/cel/environment.ts';
import { DYN, STRING, struct, UNSPECIFIED, type CelType } from '#kube/cel/types.ts';

/** An object that an expression makes, and its fields. */
export class ObjectValue extends Map<string, unknown> {
  /** The name of its type. */
  readonly path: string;

  constructor(path: string, fields: Iterable<readonly [string, unknown]>) {
    super(fields);
    this.path = path;
  }

  get celType(): CelType {
    return struct(this.path);
  }
}

export class PatchOperation extends Map<string, unknown> {
  get celType(): CelType {
    return struct(PATCH_TYPE);
  }
}

export const OBJECT_TYPE = 'Object';
const PATCH_TYPE = 'JSONPatch';

const patchFields = new Map([
  ['op', STRING],
  ['path', STRING],
  ['from', STRING],
  ['value', DYN],
]);

const isObjectType = (name: string): boolean =>
  name === OBJECT_TYPE || name.startsWith(`${OBJECT_TYPE}.`);

/** The types of messages: the patch's, and those of every path below `Object`. */
export function registerLiterals(env: Environment): void {
  env.struct({
    type: struct(PATCH_TYPE),
    // Of other fields cel-go says that there are some, and not of which type.
    field: (name) => patchFields.get(name) ?? UNSPECIFIED,
    make: (values) => new PatchOperation(values),
  });
  env.structsFrom((name) =>
    isObjectType(name)
      ? {
          type: struct(name),
          field: () => DYN,
          make: (values) => new ObjectValue(name, values),
        }
      : undefined,
  );
  env.func('jsonpatch.escapeKey(string): string', (key: string) =>
    key.replaceAll('~', '~0').replaceAll('/', '~1'),
  );
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
  return [];
}
