// The field paths of rules and selectable fields: `.spec.names['a key']`, checked against a schema.
import { valuesOf, type JsonSchema } from './json-schema.ts';

export interface FoundField {
  readonly path: string;
  readonly schema: JsonSchema;
}

const TOKEN = /'(?:[^'\\]|\\.)*'|[.[\]]|[^.[\]]+/g;
const letters: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  "'": "'",
  '\\': '\\',
};

/** The field, or why the path leads to none. */
export function fieldPathOf(
  text: string,
  root: JsonSchema,
  allowsKeys = true,
): FoundField | string {
  const tokens = text.match(TOKEN) ?? [];
  let schema = root;
  let path = '';
  let at = 0;
  const step = (name: string): string | undefined => {
    const values = valuesOf(schema);
    if (schema.properties !== undefined) {
      const next = schema.properties[name];
      path = path === '' ? name : `${path}.${name}`;
      if (next === undefined) return 'does not refer to a valid field';
      schema = next;
      return undefined;
    }
    if (values === undefined) return 'does not refer to a valid field';
    path = `${path}[${name}]`;
    schema = values;
    return undefined;
  };
  while (at < tokens.length) {
    const token = tokens[at++];
    let name = tokens[at++];
    if (token === '[') {
      if (!allowsKeys) return 'array notation is not allowed';
      if (name === undefined) return 'unexpected end of JSON path';
      if (!/^'[\s\S]*'$/.test(name) || name.length < 2)
        return `expected single quoted string but got ${name}`;
      let wrong: string | undefined;
      name = name.slice(1, -1).replaceAll(/\\([\s\S])/g, (whole, letter: string) => {
        if (letters[letter] === undefined)
          wrong = `invalid string literal: invalid escape char ${whole}`;
        return letters[letter] ?? '';
      });
      if (wrong !== undefined) return wrong;
      const failed = step(name);
      if (failed !== undefined) return failed;
      const closing = tokens[at++];
      if (closing === undefined) return 'unexpected end of JSON path';
      if (closing !== ']') return `expected ] but got ${closing}`;
    } else if (token === '.') {
      if (name === undefined) return 'unexpected end of JSON path';
      const failed = step(name);
      if (failed !== undefined) return failed;
    } else return `expected [ or . but got: ${token ?? ''}`;
  }
  return { path, schema };
}
