// The schema of a kind out of an OpenAPI v3 document, with everything that it refers to in its place
// (k8s.io/apiserver, cel/openapi/resolver).
import type { TypedSchema } from '#kube/cel/declared-types.ts';
import type { GroupVersionKind } from '#kube/meta/object.ts';

interface Described {
  readonly $ref?: string;
  readonly allOf?: readonly Described[];
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly additionalProperties?: Described | boolean;
  readonly items?: Described;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-group-version-kind'?: readonly GroupVersionKind[];
}

export interface OpenApiV3 {
  readonly components?: { readonly schemas?: Readonly<Record<string, Described>> };
}

const REF = '#/components/schemas/';

/** Where a reference has a description beside it, it stands in `allOf`. */
function refOf({ $ref, allOf = [] }: Described): string | undefined {
  if ($ref !== undefined) return $ref;
  for (const one of allOf) {
    const found = refOf(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

class Resolver {
  readonly #schemas: Readonly<Record<string, Described>>;
  /** On the way from the root: what comes again there is an object of no fields. */
  readonly #visited = new Set<string>();
  isWhole = true;

  constructor(schemas: Readonly<Record<string, Described>>) {
    this.#schemas = schemas;
  }

  resolve(schema: Described): TypedSchema {
    const ref = refOf(schema);
    if (ref === undefined) return this.#typed(schema);
    if (this.#visited.has(ref)) return { type: 'object' };
    const found = this.#schemas[ref.replace(REF, '')];
    if (found === undefined) {
      this.isWhole = false;
      return {};
    }
    this.#visited.add(ref);
    const typed = this.#typed(found);
    this.#visited.delete(ref);
    return typed;
  }

  /** Only what types come from: the rest of a document is big. */
  #typed(schema: Described): TypedSchema {
    const { type, format, properties, additionalProperties, items } = schema;
    const isEither = format === 'int-or-string' || schema['x-kubernetes-int-or-string'] === true;
    const entries = Object.entries(properties ?? {}).map(([name, one]) => [
      name,
      this.resolve(one),
    ]);
    return {
      ...(type === undefined ? {} : { type }),
      ...(format === undefined ? {} : { format }),
      ...(properties === undefined
        ? {}
        : { properties: Object.fromEntries(entries) as Record<string, TypedSchema> }),
      ...(typeof additionalProperties === 'object'
        ? { additionalProperties: this.resolve(additionalProperties) }
        : {}),
      ...(items === undefined ? {} : { items: this.resolve(items) }),
      ...(isEither ? { 'x-kubernetes-int-or-string': true } : {}),
      ...(schema['x-kubernetes-embedded-resource'] === true
        ? { 'x-kubernetes-embedded-resource': true }
        : {}),
    };
  }
}

/** undefined: the document does not describe the kind, or not all of it. */
export function schemaOf(document: OpenApiV3, wanted: GroupVersionKind): TypedSchema | undefined {
  const schemas = document.components?.schemas ?? {};
  const isWanted = (one: GroupVersionKind): boolean =>
    one.group === wanted.group && one.version === wanted.version && one.kind === wanted.kind;
  const found = Object.entries(schemas).find(([, schema]) =>
    schema['x-kubernetes-group-version-kind']?.some(isWanted),
  );
  if (found === undefined) return undefined;
  const resolver = new Resolver(schemas);
  const schema = resolver.resolve({ $ref: `${REF}${found[0]}` });
  return resolver.isWhole ? schema : undefined;
}
