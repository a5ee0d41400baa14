// Types of expressions as the estimator of cost needs them: those of the schema where values come from it,
// what the language says of its own operators and functions otherwise.
import type { Declared } from './declared-types.ts';

export interface StaticType {
  readonly kind:
    | 'list'
    | 'map'
    | 'struct'
    | 'string'
    | 'bytes'
    | 'int'
    | 'double'
    | 'bool'
    | 'duration'
    | 'timestamp'
    | 'null'
    | 'type'
    | 'optional'
    | 'named'
    | 'dyn';
  /** Of a type that Kubernetes adds: `kubernetes.Quantity`. */
  readonly name?: string;
  readonly key?: StaticType;
  /** Of items, of a map's values, of what is optional. */
  readonly value?: StaticType;
  readonly declared?: Declared;
}

const simple = (kind: StaticType['kind']): StaticType => ({ kind });
export const DYN = simple('dyn');
export const BOOL = simple('bool');
export const INT = simple('int');
export const STRING = simple('string');
export const TYPE = simple('type');

export const listOf = (value: StaticType): StaticType => ({ kind: 'list', value });
export const mapOf = (key: StaticType, value: StaticType): StaticType => ({
  kind: 'map',
  key,
  value,
});
export const optionalOf = (value: StaticType): StaticType => ({ kind: 'optional', value });

/** Of a value with a schema. Whether it may be null is not part of its type. */
export function typeOfDeclared(declared: Declared): StaticType {
  switch (declared.kind) {
    case 'object':
      return { kind: 'struct', declared };
    case 'list':
      return listOf(typeOfDeclared(declared.values as Declared));
    case 'map':
      return mapOf(STRING, typeOfDeclared(declared.values as Declared));
    default:
      return simple(declared.kind);
  }
}

export function typeOfValue(value: unknown): StaticType {
  switch (typeof value) {
    case 'string':
      return STRING;
    case 'bigint':
      return INT;
    case 'number':
      return simple('double');
    case 'boolean':
      return BOOL;
    default:
      if (value === null) return simple('null');
      return simple(value instanceof Uint8Array ? 'bytes' : 'int');
  }
}

/** Of the interpreter's own description of a type. */
export interface CheckedType {
  readonly kind: string;
  readonly name: string;
  readonly keyType?: CheckedType;
  readonly valueType?: CheckedType;
}

const checkedNames: Readonly<Record<string, StaticType>> = {
  string: STRING,
  int: INT,
  uint: INT,
  double: simple('double'),
  bool: BOOL,
  bytes: simple('bytes'),
  null: simple('null'),
  type: TYPE,
  'google.protobuf.Timestamp': simple('timestamp'),
  'google.protobuf.Duration': simple('duration'),
};

export function typeOfChecked(type: CheckedType | undefined): StaticType {
  if (type === undefined) return DYN;
  const value = (): StaticType => typeOfChecked(type.valueType);
  if (type.kind === 'list') return listOf(value());
  if (type.kind === 'map') return mapOf(typeOfChecked(type.keyType), value());
  if (type.kind === 'optional') return optionalOf(value());
  if (type.kind === 'dyn' || type.kind === 'param') return DYN;
  return checkedNames[type.name] ?? { kind: 'named', name: type.name };
}

export function fieldType(type: StaticType, name: string): StaticType {
  switch (type.kind) {
    case 'struct': {
      const field = type.declared?.fields?.get(name);
      return field === undefined ? DYN : typeOfDeclared(field.type);
    }
    case 'map':
      return type.value ?? DYN;
    case 'optional':
      return optionalOf(fieldType(type.value ?? DYN, name));
    default:
      return DYN;
  }
}

/** Of `a[b]`; an optional stays one. */
export function itemType(type: StaticType): StaticType {
  if (type.kind === 'optional') return optionalOf(itemType(type.value ?? DYN));
  return type.kind === 'list' || type.kind === 'map' ? (type.value ?? DYN) : DYN;
}

/** Whether all values are of one size: neither texts nor collections. */
export function isScalar(type: StaticType): boolean {
  switch (type.kind) {
    case 'bool':
    case 'double':
    case 'duration':
    case 'int':
    case 'timestamp':
      return true;
    case 'optional':
      return isScalar(type.value ?? DYN);
    default:
      return false;
  }
}

const results: Readonly<Record<string, StaticType>> = {
  size: INT,
  int: INT,
  uint: INT,
  double: simple('double'),
  string: STRING,
  bytes: simple('bytes'),
  bool: BOOL,
  timestamp: simple('timestamp'),
  duration: simple('duration'),
  type: TYPE,
  indexOf: INT,
  lastIndexOf: INT,
  charAt: STRING,
  lowerAscii: STRING,
  upperAscii: STRING,
  replace: STRING,
  substring: STRING,
  trim: STRING,
  join: STRING,
  format: STRING,
  find: STRING,
  'strings.quote': STRING,
  split: listOf(STRING),
  findAll: listOf(STRING),
  'lists.range': listOf(INT),
  contains: BOOL,
  startsWith: BOOL,
  endsWith: BOOL,
  matches: BOOL,
  includes: BOOL,
  isSorted: BOOL,
  hasValue: BOOL,
};

/** Of a call, by its name and what it is made on; undefined where the interpreter must be asked. */
export function resultType(
  name: string,
  target: StaticType | undefined,
  args: readonly StaticType[],
): StaticType | undefined {
  const first = target ?? args[0] ?? DYN;
  switch (name) {
    case '_+_':
    case '_-_':
    case '_*_':
    case '_/_':
    case '_%_':
      return args.find(({ kind }) => kind !== 'dyn') ?? DYN;
    case '-_':
      return first;
    case '_?_:_':
      return args.slice(1).find(({ kind }) => kind !== 'dyn') ?? DYN;
    case '_[_]':
      return itemType(first);
    case '_[?_]':
      return first.kind === 'optional' ? itemType(first) : optionalOf(itemType(first));
    case 'sum':
    case 'min':
    case 'max':
      return first.value ?? DYN;
    case 'slice':
    case 'reverse':
    case 'distinct':
    case 'sort':
    case '@sortByAssociatedKeys':
      return first;
    case 'flatten':
      return args.length === (target === undefined ? 2 : 1) ? listOf(DYN) : (first.value ?? DYN);
    case 'optional.of':
    case 'optional.ofNonZeroValue':
      return optionalOf(args[0] ?? DYN);
    case 'value':
      return first.kind === 'optional' ? (first.value ?? DYN) : undefined;
    case 'orValue':
      return first.value?.kind === 'dyn' ? args[0] : first.value;
    case 'or':
      return first;
    default:
      return results[name];
  }
}
