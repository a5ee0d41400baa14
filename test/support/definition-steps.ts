// Definitions of custom resources that are wrong, one thing at a time.
import { CRDS, definition, group, type Json } from './crd-definition.ts';
import type { Step } from './step-player.ts';

const schema = (spec: Json, root: Json = {}): Json => ({
  schema: { openAPIV3Schema: { type: 'object', properties: { spec }, ...root } },
});

const rule = (text: string, rest: Json = {}): Json => ({
  type: 'object',
  properties: { a: { type: 'integer' }, s: { type: 'string', maxLength: 10 } },
  'x-kubernetes-validations': [{ rule: text, ...rest }],
});

const wrong: Readonly<Record<string, Json>> = {
  'rule: unknown field': schema(rule('self.b > 1')),
  'rule: wrong types': schema(rule('self.a > self.s')),
  'rule: no boolean': schema(rule('self.a + 1')),
  'rule: unknown name': schema(rule('other.a == 1')),
  'rule: empty': schema(rule(' ')),
  'rule: wrong reason': schema(rule('self.a > 1', { reason: 'Odd' })),
  'rule: wrong field path': schema(rule('self.a > 1', { fieldPath: '.nope' })),
  'rule: wrong message expression': schema(rule('self.a > 1', { messageExpression: '5' })),
  'rule: several lines without message': schema(rule('self.a > 1\n && true')),
  'rule: optional old self unused': schema(rule('self.a > 1', { optionalOldSelf: true })),
  'rule: old self in an atomic list': schema({
    type: 'array',
    maxItems: 10,
    items: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
  }),
  'type is missing': schema({ properties: { a: { type: 'string' } } }),
  'items are missing': schema({ type: 'array' }),
  'type in anyOf': schema({
    type: 'object',
    properties: { a: { type: 'string', anyOf: [{ type: 'string' }] } },
  }),
  'description in allOf': schema({ type: 'string', allOf: [{ description: 'x' }] }),
  'int or string with its pattern': schema({
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
  }),
  'properties and additionalProperties': schema({
    type: 'object',
    properties: { a: { type: 'string' } },
    additionalProperties: { type: 'string' },
  }),
  'additionalProperties at the root': schema(
    { type: 'object' },
    { additionalProperties: { type: 'string' } },
  ),
  'wrong pattern': schema({ type: 'string', pattern: '(' }),
  'unique items': schema({ type: 'array', uniqueItems: true, items: { type: 'string' } }),
  'preserve is false': schema({ type: 'object', 'x-kubernetes-preserve-unknown-fields': false }),
  'embedded without type': schema({
    'x-kubernetes-embedded-resource': true,
    'x-kubernetes-preserve-unknown-fields': true,
  }),
  'list type of a string': schema({ type: 'string', 'x-kubernetes-list-type': 'set' }),
  'wrong list type': schema({
    type: 'array',
    'x-kubernetes-list-type': 'odd',
    items: { type: 'string' },
  }),
  'map without keys': schema({
    type: 'array',
    'x-kubernetes-list-type': 'map',
    items: { type: 'object', properties: { a: { type: 'string' } } },
  }),
  'map key is optional': schema({
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['a'],
    items: { type: 'object', properties: { a: { type: 'string' } } },
  }),
  'map key is no property': schema({
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['b'],
    items: { type: 'object', required: ['a'], properties: { a: { type: 'string' } } },
  }),
  'wrong map type': schema({ type: 'object', 'x-kubernetes-map-type': 'odd' }),
  'default of a wrong type': schema({
    type: 'object',
    properties: { a: { type: 'integer', default: 'x' } },
  }),
  'default with unknown fields': schema({
    type: 'object',
    default: { b: 1 },
    properties: { a: { type: 'integer' } },
  }),
  'metadata is restricted': schema(
    { type: 'object' },
    { properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } },
  ),
  'nullable at the root': schema({ type: 'object' }, { nullable: true }),
  'scale outside of spec': {
    ...schema({ type: 'object' }),
    subresources: {
      scale: { specReplicasPath: '.replicas', statusReplicasPath: 'status.replicas' },
    },
  },
  'wrong column': {
    ...schema({ type: 'object' }),
    additionalPrinterColumns: [{ name: 'a', type: 'odd', format: 'odd', jsonPath: 'x' }],
  },
  'selectable field is no field': {
    ...schema({ type: 'object', properties: { o: { type: 'object' } } }),
    selectableFields: [{ jsonPath: '.spec.nope' }, { jsonPath: '.spec.o' }],
  },
  'warning of what is not deprecated': { ...schema({ type: 'object' }), deprecationWarning: 'x' },
};

const extras: Readonly<Record<string, Json>> = {
  'conversion is odd': { conversion: { strategy: 'Odd' } },
  'conversion without webhook': { conversion: { strategy: 'Webhook' } },
  'conversion without versions': {
    conversion: {
      strategy: 'Webhook',
      webhook: { clientConfig: { url: 'https://a/b' }, conversionReviewVersions: ['v9'] },
    },
  },
  'wrong short name': {
    names: {
      plural: 'wrongs',
      singular: 'wrong',
      kind: 'Wrong',
      listKind: 'WrongList',
      shortNames: ['A_B'],
    },
  },
};

export function definitionSteps(): Step[] {
  const plain = { schema: { openAPIV3Schema: { type: 'object' } } };
  const path = `${CRDS}?dryRun=All`;
  return [
    ...Object.entries(wrong).map(([name, version]) => ({
      name: `definition: ${name}`,
      method: 'POST',
      path,
      body: definition('wrongs', 'Wrong', version),
    })),
    ...Object.entries(extras).map(([name, extra]) => ({
      name: `definition: ${name}`,
      method: 'POST',
      path,
      body: definition('wrongs', 'Wrong', plain, extra),
    })),
    {
      name: 'definition: made',
      method: 'POST',
      path: CRDS,
      body: definition('fixeds', 'Fixed', plain),
      isSilent: true,
    },
    {
      name: 'definition: established',
      method: 'GET',
      path: `${CRDS}/fixeds.${group}`,
      until: (_s, body) => JSON.stringify(body).includes('InitialNamesAccepted'),
      isSilent: true,
    },
    {
      name: 'definition: scope changes',
      method: 'PATCH',
      path: `${CRDS}/fixeds.${group}`,
      type: 'application/merge-patch+json',
      body: { spec: { scope: 'Cluster', group: 'other.example.com' } },
    },
    {
      name: 'definition: same names',
      method: 'POST',
      path: CRDS,
      body: {
        ...definition('others', 'Fixed', plain),
      },
      isSilent: true,
    },
    {
      name: 'definition: names conflict',
      method: 'GET',
      path: `${CRDS}/others.${group}`,
      until: (_s, body) => JSON.stringify(body).includes('Conflict'),
    },
  ];
}
