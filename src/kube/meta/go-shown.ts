// Values as kube-apiserver shows them in messages where it prints its own types: with Go's names of fields, in their
// order, and what is not there as zero. The fields are in types/generated/shapes.json.
import shapes from '#kube/types/generated/shapes.json' with { type: 'json' };
import { canonical } from '#base/same.ts';

type Json = Record<string, unknown>;

interface Row {
  readonly name: string;
  readonly key: string;
  readonly type: string;
  readonly zero: string;
  readonly kind: 'own' | 'embedded' | 'api';
}

const parsed = new Map<string, readonly Row[]>();

function rowOf(text: string): Row {
  if (text.startsWith('*')) {
    const [key = '', type = ''] = text.slice(1).split(':');
    return { name: '', key, type, zero: '', kind: 'embedded' };
  }
  if (text.startsWith('!')) {
    const [tag = '', type = ''] = text.slice(1).split(':');
    const [key = '', ...options] = tag.split(',');
    return { name: key, key, type, zero: options.length > 0 ? '' : '""', kind: 'api' };
  }
  const [, name = '', key = '', type = '', zero = ''] =
    /^(\S+) (\S+) ([^=]+)=(.*)$/.exec(text) ?? [];
  return { name, key, type, zero, kind: 'own' };
}

function rowsOf(type: string): readonly Row[] {
  let rows = parsed.get(type);
  if (rows === undefined) {
    rows = ((shapes as Readonly<Record<string, readonly string[]>>)[type] ?? []).map(rowOf);
    parsed.set(type, rows);
  }
  return rows;
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** Go writes no angle brackets and ampersands. */
function escaped(text: string): string {
  return text.replaceAll(
    /[<>&\u2028\u2029]/g,
    (one) => `\\u${one.codePointAt(0)?.toString(16).padStart(4, '0') ?? ''}`,
  );
}

const plain = (value: unknown): string => escaped(JSON.stringify(canonical(value)));

const schema = (value: unknown): string => shownAs('@JSONSchemaProps', value);

/** Types that are one of two things in the API, and both in the server. */
const either: Readonly<Record<string, (value: unknown) => string>> = {
  JSONSchemaPropsOrArray: (value) =>
    Array.isArray(value)
      ? `{"Schema":null,"JSONSchemas":[${value.map(schema).join(',')}]}`
      : // What is neither is taken, and is nothing.
        `{"Schema":${isObject(value) ? schema(value) : 'null'},"JSONSchemas":null}`,
  JSONSchemaPropsOrBool: (value) =>
    typeof value === 'boolean'
      ? `{"Allows":${value},"Schema":null}`
      : `{"Allows":true,"Schema":${schema(value)}}`,
  JSONSchemaPropsOrStringArray: (value) =>
    Array.isArray(value)
      ? `{"Schema":null,"Property":${plain(value)}}`
      : `{"Schema":${schema(value)},"Property":null}`,
};

function fieldsOf(type: string, value: Json): string[] {
  return rowsOf(type).flatMap(({ name, key, type: inner, zero, kind }) => {
    if (kind === 'embedded') {
      // Versions are not told of what is within the server.
      if (inner === '@TypeMeta') return [];
      const below = key === '' ? value : value[key];
      return fieldsOf(inner.slice(1), isObject(below) ? below : {});
    }
    const one = value[key];
    const isAbsent = one === undefined || one === null || (zero === '' && isEmpty(one));
    if (!isAbsent) return [`${JSON.stringify(name)}:${shownAs(inner, one)}`];
    if (zero === '') return [];
    const shown = zero === '{}' && inner.startsWith('@') ? shownAs(inner, {}) : zero;
    return [`${JSON.stringify(name)}:${shown}`];
  });
}

/** `type`: `@` and the name of a type, `[` and `{` before one for lists and maps. */
export function shownAs(type: string, value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (type.startsWith('[')) {
    if (!Array.isArray(value)) return plain(value);
    return `[${value.map((one) => shownAs(type.slice(1), one)).join(',')}]`;
  }
  if (type.startsWith('{') && isObject(value)) {
    const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const shown = entries.map(
      ([key, one]) => `${escaped(JSON.stringify(key))}:${shownAs(type.slice(1), one)}`,
    );
    return `{${shown.join(',')}}`;
  }
  if (!type.startsWith('@')) return plain(value);
  const name = type.slice(1);
  const special = either[name];
  if (special !== undefined) return special(value);
  return isObject(value) ? `{${fieldsOf(name, value).join(',')}}` : plain(value);
}

/** Go's names of the fields of a type that are there, in their order. */
export function fieldsSet(type: string, value: Json): string[] {
  return rowsOf(type).flatMap(({ name, key }) => {
    const one = value[key];
    return one === undefined || one === null || one === '' || one === false ? [] : [name];
  });
}
