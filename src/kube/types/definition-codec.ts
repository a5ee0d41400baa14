// Definitions of custom resources as kube-apiserver stores them, in apiextensions.k8s.io/v1beta1: what all versions
// have in common stands beside them. We write v1, which it reads, too.
import type { KubeObject } from '#kube/meta/object.ts';
import type { ObjectCodec } from '#kube/meta/resource-info.ts';

type Json = Record<string, unknown>;

const EARLIER = 'apiextensions.k8s.io/v1beta1';

/** Without what is undefined. */
const present = (fields: Json): Json =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

function columnOf({ JSONPath, ...column }: Json): Json {
  return { ...column, jsonPath: JSONPath };
}

function conversionOf(conversion: Json | undefined): Json {
  const { strategy = 'None', webhookClientConfig, conversionReviewVersions } = conversion ?? {};
  if (strategy !== 'Webhook') return { strategy };
  const clientConfig = webhookClientConfig;
  const versions = conversionReviewVersions ?? ['v1beta1'];
  return { strategy, webhook: present({ clientConfig, conversionReviewVersions: versions }) };
}

function specOf(spec: Json): Json {
  const {
    version,
    versions: listed = [],
    validation,
    subresources,
    additionalPrinterColumns,
    selectableFields,
    conversion,
    preserveUnknownFields = true,
    ...common
  } = spec;
  const known = listed as readonly Json[];
  const all = known.length === 0 ? [{ name: version, served: true, storage: true }] : known;
  const shared = { subresources, additionalPrinterColumns, selectableFields, schema: validation };
  const versions = all.map((one) => {
    const whole: Json = { ...present(shared), ...one };
    const columns = whole['additionalPrinterColumns'] as readonly Json[] | undefined;
    return present({ ...whole, additionalPrinterColumns: columns?.map(columnOf) });
  });
  return present({
    ...common,
    versions,
    conversion: conversionOf(conversion as Json | undefined),
    preserveUnknownFields: preserveUnknownFields === true ? true : undefined,
  });
}

export const definitionCodec: ObjectCodec = {
  mayCall: false,
  needsCall: () => false,
  read(stored) {
    if (stored.apiVersion !== EARLIER) return stored;
    const spec = specOf(stored['spec'] as Json);
    return { ...stored, apiVersion: 'apiextensions.k8s.io/v1', spec } as KubeObject;
  },
  readAll: async (stored) => stored.map((one) => definitionCodec.read(one)),
  write: async (object) => object,
};
