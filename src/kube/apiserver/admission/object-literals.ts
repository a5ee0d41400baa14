// `Object.spec{replicas: 1}` and `JSONPatch{op: "add"}`: the interpreter has no literals of messages, so
// they are written as calls, with each field free to have a type of its own.
import type { Environment } from '@marcbachmann/cel-js';
import { Optional } from '@marcbachmann/cel-js';
import { CelFailure } from '#kube/cel/addresses.ts';
import { sync } from '#kube/cel/namespaces.ts';

/** An object that an expression makes: the path of its type under `Object`, and its fields. */
export class ObjectValue extends Map<string, unknown> {
  path = '';
}

export class PatchOperation extends Map<string, unknown> {}

const TYPE_NAME = /^(Object(?:\.\w+)*|JSONPatch)\s*\{/;

/** The end of a string literal that begins at `at`. */
function endOfString(text: string, at: number): number {
  const quote =
    text.startsWith('"""', at) || text.startsWith("'''", at)
      ? text.slice(at, at + 3)
      : (text[at] ?? '');
  let i = at + quote.length;
  while (i < text.length && !text.startsWith(quote, i)) i += text[i] === '\\' ? 2 : 1;
  return i + quote.length;
}

interface Literal {
  readonly text: string;
  readonly end: number;
}

/** The fields of a literal whose brace stands before `at`, as entries of a map. */
function fieldsFrom(text: string, at: number): Literal {
  const entries: string[] = [];
  let i = at;
  for (;;) {
    const head = /^\s*(?:(\})|(\?)?`?([\w./-]+)`?\s*:)/.exec(text.slice(i));
    if (head === null) throw new CelFailure('Syntax error: mismatched input in an object literal');
    i += head[0].length;
    if (head[1] !== undefined) break;
    const value = valueFrom(text, i);
    const made = `dyn(${value.text.trim()})`;
    entries.push(`${JSON.stringify(`${head[2] ?? ''}${head[3] ?? ''}`)}: ${made}`);
    i = value.end;
    if (text[i] === ',') i += 1;
  }
  return { text: `{${entries.join(', ')}}`, end: i };
}

/** An expression up to the comma or bracket that ends it. */
function valueFrom(text: string, at: number): Literal {
  let out = '';
  let depth = 0;
  let i = at;
  while (i < text.length) {
    const letter = text[i] ?? '';
    if (letter === '"' || letter === "'") {
      const end = endOfString(text, i);
      out += text.slice(i, end);
      i = end;
      continue;
    }
    const isNew = !/[\w.]/.test(text[i - 1] ?? '');
    const literal = isNew ? TYPE_NAME.exec(text.slice(i)) : null;
    if (literal !== null) {
      const [type = '', name = ''] = [literal[0], literal[1]];
      const fields = fieldsFrom(text, i + type.length);
      out +=
        name === 'JSONPatch'
          ? `celPatch(${fields.text})`
          : `celObject(${JSON.stringify(name)}, ${fields.text})`;
      i = fields.end;
      continue;
    }
    if (depth === 0 && (letter === ',' || letter === '}')) break;
    if ('([{'.includes(letter)) depth += 1;
    if (')]}'.includes(letter)) depth -= 1;
    out += letter;
    i += 1;
  }
  return { text: out, end: i };
}

/** The expression with its literals as calls. Throws CelFailure. */
export function withoutLiterals(source: string): string {
  let out = '';
  let rest = source;
  while (rest !== '') {
    const part = valueFrom(rest, 0);
    out += part.text;
    rest = rest.slice(part.end);
    if (rest === '') break;
    out += rest[0] ?? '';
    rest = rest.slice(1);
  }
  return out;
}

function fill(
  target: Map<string, unknown>,
  fields: Map<string, unknown> | Record<string, unknown>,
): void {
  const entries = fields instanceof Map ? [...fields] : Object.entries(fields);
  for (const [key, value] of entries) {
    if (!key.startsWith('?')) target.set(key, value);
    else if (value instanceof Optional && value.hasValue()) target.set(key.slice(1), value.value());
  }
}

export const OBJECT_TYPE = 'Object';
export const PATCH_TYPE = 'JSONPatch';

export function registerLiterals(env: Environment): void {
  env.registerType(OBJECT_TYPE, ObjectValue);
  env.registerType(PATCH_TYPE, PatchOperation);
  const object = (name: string, fields: Map<string, unknown>): ObjectValue => {
    const made = new ObjectValue();
    made.path = name;
    fill(made, fields);
    checkTypes(made);
    return made;
  };
  env.registerFunction(`celObject(string, map): ${OBJECT_TYPE}`, object, sync);
  const patch = (fields: Map<string, unknown>): PatchOperation => {
    const made = new PatchOperation();
    fill(made, fields);
    return made;
  };
  env.registerFunction(`celPatch(map): ${PATCH_TYPE}`, patch, sync);
  const escape = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');
  env.registerFunction('celEscapeKey(string): string', escape, sync);
}

/** `jsonpatch.escapeKey` is a function with a dot in its name. */
export function withPlainNames(source: string): string {
  return source.replaceAll(/\bjsonpatch\.escapeKey\(/g, 'celEscapeKey(');
}

/** A field of an object has the type of its own path. */
function checkTypes(object: ObjectValue): void {
  for (const [key, value] of object) {
    const wanted = `${object.path}.${key}`;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one instanceof ObjectValue && one.path !== wanted) {
        throw new CelFailure(
          `type mismatch: unexpected type name ${JSON.stringify(one.path)}, expected ${JSON.stringify(wanted)}, which matches field name path from root Object type`,
        );
      }
    }
  }
}
