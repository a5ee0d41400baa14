// Types of expressions over values with a schema: each object of the schema becomes a type with fields,
// and JSON becomes values of those types. How big values can get is kept for estimates of cost.
import { CelFailure } from './core-values.ts';
import type { Environment } from './environment.ts';
import { KeyedList, SetList } from './list-values.ts';
import { parseDuration, parseTimestamp } from './times.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  STRING,
  struct,
  TIMESTAMP,
  type CelType,
} from './types.ts';
import { dynValue } from './values.ts';

/** The part of a structural schema that types come from. */
export interface TypedSchema {
  readonly type?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, TypedSchema>>;
  readonly additionalProperties?: TypedSchema | boolean;
  readonly items?: TypedSchema;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-embedded-resource'?: boolean;
}

export interface Declared {
  readonly kind:
    | 'object'
    | 'map'
    | 'list'
    | 'string'
    | 'bytes'
    | 'duration'
    | 'timestamp'
    | 'int'
    | 'double'
    | 'bool'
    | 'dyn';
  readonly celType: CelType;
  /** By their escaped names. */
  readonly fields?: ReadonlyMap<string, { readonly key: string; readonly type: Declared }>;
  readonly values?: Declared;
  /** A list that is more than an order of items. */
  readonly emptyList?: (() => unknown[]) | undefined;
  readonly isNullable: boolean;
  /** Letters of a text, items of a collection; none for what has no size. */
  readonly elementsMax: number;
  /** Bytes of the shortest JSON. */
  readonly sizeMin: number;
  readonly construct?: (entries: Map<string, unknown>) => unknown;
}

const REQUEST_BYTES_MAX = 3 * 1024 * 1024;
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

const escapes: Readonly<Record<string, string>> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
};

/** The name of a field in expressions; undefined when it can have none. */
export function escapeField(key: string): string | undefined {
  if (key === '' || /^\d/.test(key) || !/^[\w./-]+$/.test(key)) return undefined;
  if (reserved.has(key)) return `__${key}__`;
  return key.replaceAll(/__|[./-]/g, (one) => escapes[one] ?? one);
}

export class DeclaredTypes {
  readonly #env: Environment;

  /** Types are registered in the environment, which must not have been cloned. */
  constructor(env: Environment) {
    this.#env = env;
  }

  /** undefined for what expressions cannot see. */
  declare(schema: TypedSchema, name: string, isResource: boolean): Declared | undefined {
    const isNullable = schema.nullable === true;
    if (schema['x-kubernetes-int-or-string'] === true) {
      const most =
        schema.maxLength === undefined ? REQUEST_BYTES_MAX - 2 : atMost(schema.maxLength) * 4;
      return { kind: 'dyn', celType: DYN, isNullable, elementsMax: most, sizeMin: 1 };
    }
    switch (schema.type) {
      case 'array':
        return this.#list(schema, name);
      case 'object':
        return typeof schema.additionalProperties === 'object'
          ? this.#map(schema, name)
          : this.#object(schema, name, isResource);
      case 'string':
        return text(schema, isNullable);
      case 'boolean':
        return { kind: 'bool', celType: BOOL, isNullable, elementsMax: 0, sizeMin: 4 };
      case 'number':
        return { kind: 'double', celType: DOUBLE, isNullable, elementsMax: 0, sizeMin: 1 };
      case 'integer':
        return { kind: 'int', celType: INT, isNullable, elementsMax: 0, sizeMin: 1 };
      default:
        return undefined;
    }
  }

  #list(schema: TypedSchema, name: string): Declared | undefined {
    const { items } = schema;
    if (items === undefined) return undefined;
    const values = this.declare(
      items,
      `${name}.@idx`,
      items['x-kubernetes-embedded-resource'] === true,
    );
    if (values === undefined) return undefined;
    const most = Math.floor((REQUEST_BYTES_MAX - 2) / (values.sizeMin + 1));
    return {
      kind: 'list',
      celType: listOf(values.celType),
      values,
      emptyList: emptyList(schema),
      isNullable: schema.nullable === true,
      elementsMax: atMost(schema.maxItems ?? most),
      sizeMin: 2,
    };
  }

  #map(schema: TypedSchema, name: string): Declared | undefined {
    const inner = schema.additionalProperties as TypedSchema;
    const values = this.declare(
      inner,
      `${name}.@elem`,
      inner['x-kubernetes-embedded-resource'] === true,
    );
    if (values === undefined) return undefined;
    const most = Math.floor((REQUEST_BYTES_MAX - 2) / (values.sizeMin + 6));
    return {
      kind: 'map',
      celType: mapOf(STRING, values.celType),
      values,
      isNullable: schema.nullable === true,
      elementsMax: atMost(schema.maxProperties ?? most),
      sizeMin: 2,
    };
  }

  #object(schema: TypedSchema, name: string, isResource: boolean): Declared {
    const fields = new Map<string, { key: string; type: Declared }>();
    const properties = isResource ? withMetadata(schema) : (schema.properties ?? {});
    let sizeMin = 2;
    for (const [key, one] of Object.entries(properties)) {
      const isEmbedded = one['x-kubernetes-embedded-resource'] === true;
      const type = this.declare(one, `${name}.${escapeField(key) ?? key}`, isEmbedded);
      if (type === undefined) continue;
      const escaped = escapeField(key);
      if (escaped !== undefined) fields.set(escaped, { key, type });
      // Words of the language may also be selected as they are.
      if (reserved.has(key)) fields.set(key, { key, type });
      const isNeeded = schema.required?.includes(key) === true && one.default === undefined;
      if (isNeeded) sizeMin += key.length + type.sizeMin + 4;
    }
    const celType = struct(name);
    const holder = class extends Map<string, unknown> {};
    this.#env.struct({ type: celType, field: (field) => fields.get(field)?.type.celType });
    return {
      kind: 'object',
      celType,
      fields,
      isNullable: schema.nullable === true,
      elementsMax: 0,
      sizeMin,
      construct: (entries) => new holder(entries),
    };
  }
}

function emptyList(schema: TypedSchema): (() => unknown[]) | undefined {
  const keys = (schema['x-kubernetes-list-map-keys'] ?? []).map((one) => escapeField(one) ?? one);
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return () => new SetList();
    case 'map':
      return () => new KeyedList(keys);
    default:
      return undefined;
  }
}

function text(schema: TypedSchema, isNullable: boolean): Declared {
  const of = (
    kind: Declared['kind'],
    celType: CelType,
    sizeMin: number,
    most: number,
  ): Declared => ({
    kind,
    celType,
    isNullable,
    sizeMin,
    elementsMax: most,
  });
  const { format, maxLength } = schema;
  switch (format) {
    case 'byte':
      return of('bytes', BYTES, 2, atMost(maxLength ?? REQUEST_BYTES_MAX - 2));
    case 'duration':
      return of('duration', DURATION, 3, 32);
    case 'date':
      return of('timestamp', TIMESTAMP, 12, 12);
    case 'date-time':
      return of('timestamp', TIMESTAMP, 21, 32);
    default: {
      const words = (schema.enum ?? []).map((one) =>
        typeof one === 'string' ? Buffer.byteLength(one) : 0,
      );
      const most = words.length > 0 ? Math.max(...words) : REQUEST_BYTES_MAX - 2;
      const longest = maxLength === undefined ? most : atMost(maxLength) * 4;
      return of('string', STRING, 2, longest);
    }
  }
}

/** Of a bound of 64 bits, which may be a bigint: enough for what is estimated. */
const atMost = (bound: number | bigint): number => Math.max(0, Number(bound));

const string: TypedSchema = { type: 'string' };
const NAME_LENGTH_MAX = 253;

function withMetadata(schema: TypedSchema): Readonly<Record<string, TypedSchema>> {
  const { apiVersion, kind, metadata } = schema.properties ?? {};
  const { name, generateName } = metadata?.properties ?? {};
  const isWhole = [apiVersion, kind, name, generateName].every((one) => one?.type === 'string');
  if (isWhole && metadata?.type === 'object') return schema.properties ?? {};
  const capped = (field: TypedSchema | undefined, most: number): TypedSchema => ({
    type: 'string',
    maxLength: Math.min(Number(field?.maxLength ?? most), most),
  });
  const own: TypedSchema = {
    type: 'object',
    properties: {
      name: capped(name, NAME_LENGTH_MAX),
      // What is drawn behind it has a letter at least.
      generateName: capped(generateName, NAME_LENGTH_MAX - 1),
    },
  };
  return { ...schema.properties, apiVersion: string, kind: string, metadata: own };
}

/** Of a day, its beginning. */
function declaredTime(text: string): unknown {
  return parseTimestamp(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text.toUpperCase());
}

/** The value that an expression sees. Throws CelFailure when the JSON does not fit the type. */
export function declaredValue(type: Declared, json: unknown): unknown {
  if (json === null) return null;
  switch (type.kind) {
    case 'object':
      return objectValue(type, json);
    case 'map': {
      const out = new Map<string, unknown>();
      for (const [key, one] of Object.entries(json as object))
        out.set(key, declaredValue(type.values as Declared, one));
      return out;
    }
    case 'list':
      if (!Array.isArray(json)) throw new CelFailure('invalid data, expected a list');
      return listValue(type, json);
    case 'int':
      return typeof json === 'number' ? BigInt(Math.trunc(json)) : json;
    case 'double':
      return typeof json === 'bigint' ? Number(json) : json;
    case 'bytes':
      return new Uint8Array(Buffer.from(String(json), 'base64'));
    case 'timestamp':
      return declaredTime(String(json));
    case 'duration':
      return parseDuration(String(json));
    case 'dyn':
      return dynValue(json);
    default:
      return json;
  }
}

function listValue({ values, emptyList: empty }: Declared, json: readonly unknown[]): unknown[] {
  const items = json.map((one) => declaredValue(values as Declared, one));
  const list = empty?.();
  if (list === undefined) return items;
  for (const one of items) list.push(one);
  return list;
}

function objectValue(type: Declared, json: unknown): unknown {
  if (typeof json !== 'object' || Array.isArray(json))
    throw new CelFailure('invalid data, expected a map');
  const out = new Map<string, unknown>();
  for (const [escaped, field] of type.fields ?? []) {
    const one = (json as Record<string, unknown>)[field.key];
    // What is null is as good as missing, as upstream has it.
    if (one !== undefined && one !== null) out.set(escaped, declaredValue(field.type, one));
  }
  return type.construct?.(out);
}
