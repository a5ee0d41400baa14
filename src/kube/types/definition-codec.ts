// Definitions of custom resources as kube-apiserver stores them, in apiextensions.k8s.io/v1beta1: what all versions
// have in common stands beside them (conversions of k8s.io/apiextensions-apiserver v0.37).
import { same } from '#base/same.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ObjectCodec } from '#kube/meta/resource-info.ts';

type Json = Record<string, unknown>;

const EARLIER = 'apiextensions.k8s.io/v1beta1';
const SERVED = 'apiextensions.k8s.io/v1';

/** Without what is undefined. */
const present = (fields: Json): Json =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

function columnOf(column: unknown): unknown {
  const { JSONPath, ...rest } = (column ?? {}) as Json;
  return { ...rest, jsonPath: JSONPath };
}

function conversionOf(conversion: Json | undefined): Json {
  const { strategy = 'None', webhookClientConfig, conversionReviewVersions } = conversion ?? {};
  if (strategy !== 'Webhook') return { strategy };
  const clientConfig = webhookClientConfig;
  const versions = conversionReviewVersions ?? ['v1beta1'];
  return { strategy, webhook: present({ clientConfig, conversionReviewVersions: versions }) };
}

function versionOf(version: Json, shared: Json): Json {
  const { additionalPrinterColumns, ...own } = version;
  const { name, served, storage, deprecated, deprecationWarning } = own;
  const columns = additionalPrinterColumns ?? shared['additionalPrinterColumns'];
  // In the order of Go's struct.
  return present({
    name,
    served,
    storage,
    deprecated,
    deprecationWarning,
    schema: own['schema'] ?? shared['validation'],
    subresources: own['subresources'] ?? shared['subresources'],
    additionalPrinterColumns: Array.isArray(columns) ? columns.map(columnOf) : undefined,
    selectableFields: own['selectableFields'] ?? shared['selectableFields'],
  });
}

function specOf(spec: Json): Json {
  const { version, versions: listed = [], conversion, preserveUnknownFields = true } = spec;
  const { group, names, scope = 'Namespaced' } = spec;
  const known = Array.isArray(listed) ? (listed as readonly Json[]) : [];
  const all = known.length === 0 ? [{ name: version, served: true, storage: true }] : known;
  return present({
    group,
    names,
    scope,
    versions: all.map((one) => versionOf(one, spec)),
    conversion: conversionOf(conversion as Json | undefined),
    preserveUnknownFields: preserveUnknownFields === true ? true : undefined,
  });
}

/** The definition in v1, whichever version it is in. */
export function servedDefinition(stored: KubeObject): KubeObject {
  if (stored.apiVersion !== EARLIER) return stored;
  const spec = specOf((stored['spec'] ?? {}) as Json);
  return { ...stored, apiVersion: SERVED, spec } as KubeObject;
}

// ---- to be stored ----

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;

function storedColumnOf(column: unknown): unknown {
  if (!isObject(column)) return column;
  const { jsonPath, ...rest } = column;
  return { ...rest, JSONPath: jsonPath };
}

function storedConversionOf({ strategy = 'None', webhook }: Json): Json {
  const { clientConfig, conversionReviewVersions } = (webhook ?? {}) as Json;
  return present({ strategy, webhookClientConfig: clientConfig, conversionReviewVersions });
}

/** What every version has, and has the same of, is said once. */
const sharable: readonly (readonly [ofVersion: string, ofSpec: string])[] = [
  ['schema', 'validation'],
  ['subresources', 'subresources'],
  ['additionalPrinterColumns', 'additionalPrinterColumns'],
  ['selectableFields', 'selectableFields'],
];

function storedSpecOf(spec: Json): Json {
  const { group, names, scope, versions: listed = [], conversion, preserveUnknownFields } = spec;
  const versions = (listed as readonly Json[]).map((one): Json => {
    const { additionalPrinterColumns: columns } = one;
    if (!Array.isArray(columns)) return { ...one };
    return { ...one, additionalPrinterColumns: columns.map(storedColumnOf) };
  });
  const [first = {}] = versions;
  const shared: Json = {};
  for (const [ofVersion, ofSpec] of sharable) {
    if (!versions.every((one) => same(one[ofVersion], first[ofVersion]))) continue;
    shared[ofSpec] = first[ofVersion];
    for (const one of versions) delete one[ofVersion];
  }
  return present({
    group,
    version: first['name'],
    names,
    scope,
    ...shared,
    versions,
    conversion: storedConversionOf((conversion ?? {}) as Json),
    // Who is not told takes it for true.
    preserveUnknownFields: preserveUnknownFields === true,
  });
}

export const definitionCodec: ObjectCodec = {
  mayCall: false,
  needsCall: () => false,
  read: servedDefinition,
  readAll: async (stored) => stored.map(servedDefinition),
  async write(object) {
    const { spec } = object as { spec?: Json };
    const versions = spec?.['versions'];
    // What has not been judged yet may lack anything; it is stored by nobody.
    const isWhole = Array.isArray(versions) && versions.length > 0 && versions.every(isObject);
    if (object.apiVersion === EARLIER || spec === undefined || !isWhole) return object;
    return { ...object, apiVersion: EARLIER, spec: storedSpecOf(spec) } as KubeObject;
  },
};
