// One description of the shape of a value, for built-in types and custom resources alike. Decoding,
// pruning, defaulting, validation, patches, apply, OpenAPI and explain all read it and nothing else.

export type SchemaType =
  | 'object'
  | 'map'
  | 'array'
  | 'string'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'any';

/** What a string or number really holds. `raw` is any JSON (RawExtension, FieldsV1). */
export type SchemaFormat =
  | 'int32'
  | 'int64'
  | 'double'
  | 'byte'
  | 'date-time'
  | 'micro-time'
  | 'duration'
  | 'quantity'
  | 'int-or-string'
  | 'raw'
  | (string & {});

export interface Schema {
  readonly type: SchemaType;
  readonly format?: SchemaFormat | undefined;
  /** Full name of the named type that this is, e.g. `io.k8s.api.core.v1.PodSpec`. */
  readonly name?: string | undefined;
  /** For `object`: its fields. A getter may resolve named types lazily, so recursion is possible. */
  /** What Go calls the type of a scalar that has a name of its own there: `v1.Protocol`. */
  readonly goType?: string | undefined;
  /** What Go calls the keys of a map, where they are no plain strings: `v1.QualifiedName`. */
  readonly goKey?: string | undefined;
  /** The embedded Go structs, from the outermost on, that a field of an object stands in. */
  readonly goEmbedding?: string | undefined;
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly required?: readonly string[] | undefined;
  /** For `map`: the value's schema. */
  readonly values?: Schema | undefined;
  /** For `array`: the element's schema. */
  readonly items?: Schema | undefined;
  readonly default?: unknown;
  /** What an absent value is to server-side apply: structs that are not pointers are never absent. */
  readonly zero?: unknown;
  /** Whether the zero value (`''`, 0, false, an empty list or map) is not written, and so absent. */
  readonly omitsZero?: boolean | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly nullable?: boolean | undefined;
  /** x-kubernetes-list-type; absent means atomic for apply. */
  readonly listType?: 'atomic' | 'set' | 'map' | undefined;
  readonly listMapKeys?: readonly string[] | undefined;
  /** x-kubernetes-map-type; absent means granular. */
  readonly mapType?: 'atomic' | 'granular' | undefined;
  /** Strategic merge patch: 'merge', 'replace', 'retainKeys', 'merge,retainKeys'. */
  readonly patchStrategy?: string | undefined;
  readonly patchMergeKey?: string | undefined;
  readonly preserveUnknownFields?: boolean | undefined;
  readonly embeddedResource?: boolean | undefined;
  /** The other OpenAPI v3 keywords of a structural schema (minimum, pattern, oneOf, CEL rules …). */
  readonly validation?: Readonly<Record<string, unknown>> | undefined;
  /** Protobuf: fields in the order of the message, [tag, wire type]; see kube/meta/proto. */
  readonly protobuf?: Readonly<Record<string, readonly [number, string]>> | undefined;
  readonly description?: string | undefined;
}
