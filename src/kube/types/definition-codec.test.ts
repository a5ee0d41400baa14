// Definitions between v1 and the version that they are stored in: there and back, whole and not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { definitionCodec } from './definition-codec.ts';

const definition = (spec: unknown): KubeObject =>
  ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'as.example.com' },
    ...(spec === undefined ? {} : { spec }),
  }) as KubeObject;

const common = { group: 'example.com', names: { plural: 'as', kind: 'A' }, scope: 'Cluster' };
const conversion = { strategy: 'None' };
const schema = (type: string) => ({ openAPIV3Schema: { type } });
const columns = [{ name: 'N', type: 'string', jsonPath: '.spec.n' }];
const webhook = {
  strategy: 'Webhook',
  webhook: { clientConfig: { url: 'https://a' }, conversionReviewVersions: ['v1'] },
};
const version = (name: string, more: object) => ({
  name,
  served: true,
  storage: name === 'v1',
  ...more,
});

const whole = [
  { ...common, versions: [version('v1', {})], conversion },
  { ...common, versions: [version('v1', { schema: schema('object') })], conversion: webhook },
  {
    ...common,
    versions: [
      version('v1', { schema: schema('object'), additionalPrinterColumns: columns }),
      version('v2', {
        deprecated: true,
        deprecationWarning: 'old',
        schema: schema('object'),
        subresources: { status: {} },
      }),
    ],
    conversion,
  },
  {
    ...common,
    versions: [
      version('v1', { subresources: {}, additionalPrinterColumns: columns, selectableFields: [] }),
      version('v2', { subresources: {}, additionalPrinterColumns: columns, selectableFields: [] }),
    ],
    conversion,
    preserveUnknownFields: true,
  },
];

for (const [i, spec] of whole.entries()) {
  test(`definition ${i} is the same after it was stored`, async () => {
    const given = definition(spec);
    const before = structuredClone(given);
    const stored = await definitionCodec.write(given);
    assert.equal(stored.apiVersion, 'apiextensions.k8s.io/v1beta1');
    assert.deepEqual(given, before);
    assert.deepEqual(definitionCodec.read(stored), before);
  });
}

const broken = [
  undefined,
  {},
  { versions: null },
  { versions: [] },
  { versions: [null] },
  { versions: 'v1' },
  { versions: [{}] },
  { versions: [{ additionalPrinterColumns: [null] }], conversion: null },
  { versions: [{ additionalPrinterColumns: null, schema: null }], conversion: { webhook: null } },
];

for (const spec of broken) {
  test(`what has not been judged yet is no fault: ${JSON.stringify(spec)}`, async () => {
    definitionCodec.read(await definitionCodec.write(definition(spec)));
  });
}
