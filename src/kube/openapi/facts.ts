// What upstream's OpenAPI says of built-in types beyond their fields (tools/record-openapi-facts.ts): enums, kinds,
// unions, and the defaults that only v3 shows.
import recorded from '#kube/types/generated/openapi-facts.json' with { type: 'json' };

export interface FieldFacts {
  /** The default, in v3. */
  readonly d?: unknown;
  readonly e?: readonly unknown[];
  /** Of the items of a list, of the values of a map. */
  readonly i?: FieldFacts;
  readonly v?: FieldFacts;
  /** A reference alone, without anything said of it. */
  readonly p?: true;
}

export interface TypeFacts {
  readonly fields?: Readonly<Record<string, FieldFacts>>;
  readonly kinds?: readonly object[];
  readonly unions?: readonly object[];
}

const types = recorded as unknown as Readonly<Record<string, TypeFacts>>;

export function factsOf(name: string | undefined): TypeFacts {
  return (name === undefined ? undefined : types[name]) ?? {};
}
