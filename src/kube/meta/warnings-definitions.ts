// What kube-apiserver v1.37 says of the schemas of custom resources: formats that nobody checks, sets of what
// cannot be compared.
import { isObject, list, record, type Json } from './field-rules.ts';
import type { KubeObject } from './object.ts';

const texts = new Set(
  [
    'bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13',
    'creditcard ssn hexcolor rgbcolor byte password date duration datetime',
    'k8sshortname k8slongname',
  ].flatMap((line) => line.split(' ')),
);
const numbers: Readonly<Record<string, readonly string[]>> = {
  integer: ['int32', 'int64'],
  number: ['float', 'double'],
};

function isKnown(type: unknown, format: string): boolean {
  if (type === undefined || type === '' || type === 'string') {
    return texts.has(format.replaceAll('-', ''));
  }
  return numbers[String(type)]?.includes(format) === true;
}

const single = ['additionalProperties', 'items', 'not', 'additionalItems'];
const several = ['allOf', 'anyOf', 'oneOf'];
const named = ['properties', 'patternProperties', 'definitions'];

/** The schema and all below it. */
function* schemasIn(schema: Json): Generator<Json> {
  yield schema;
  for (const field of single) {
    if (isObject(schema[field])) yield* schemasIn(schema[field]);
  }
  for (const field of several) for (const one of list(schema[field])) yield* schemasIn(one);
  for (const field of named) {
    for (const one of Object.values(record(schema[field]))) yield* schemasIn(record(one));
  }
}

function found({ spec }: KubeObject): { readonly formats: string[]; readonly sets: string[] } {
  const formats: string[] = [];
  const sets = new Set<string>();
  for (const { schema } of list(record(spec)['versions'])) {
    const whole = record(record(schema)['openAPIV3Schema']);
    for (const { type, format, items, 'x-kubernetes-list-type': listType } of schemasIn(whole)) {
      const isOdd = typeof format === 'string' && format !== '' && !isKnown(type, format);
      if (isOdd) formats.push(`unrecognized format ${JSON.stringify(format)}`);
      const { type: kind } = record(items);
      if (listType !== 'set' || (kind !== 'object' && kind !== 'array')) continue;
      sets.add(
        `x-kubernetes-list-type: set for items of type ${JSON.stringify(kind)} is not supported by server-side apply or CEL validation rules`,
      );
    }
  }
  return { formats, sets: [...sets].toSorted() };
}

/** Of an update only what is new. */
export function definitionWarnings(object: KubeObject, old: KubeObject | undefined): string[] {
  const { formats, sets } = found(object);
  const before = old === undefined ? undefined : found(old);
  const isNew = (one: string): boolean =>
    before === undefined || (!before.formats.includes(one) && !before.sets.includes(one));
  return [...formats, ...sets].filter(isNew);
}
