// Requests about custom resource definitions and their objects: schemas of every kind, rules, ratcheting,
// subresources, versions, and definitions that are wrong.
import { definition, group, object, objects, served, type Json } from './crd-definition.ts';
import { ratchetSteps, ruleSteps } from './crd-rule-steps.ts';
import type { Step } from './step-player.ts';

// ---- schemas ----

const fields: Json = {
  type: 'object',
  required: ['needed'],
  properties: {
    needed: { type: 'string' },
    text: { type: 'string', minLength: 2, maxLength: 5, pattern: '^[a-z]+$' },
    count: { type: 'integer', minimum: 1, maximum: 10, multipleOf: 2 },
    ratio: { type: 'number', minimum: 0, exclusiveMinimum: true, maximum: 1.5 },
    flag: { type: 'boolean' },
    choice: { type: 'string', enum: ['a', 'b'] },
    when: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    site: { type: 'string', format: 'uri' },
    mail: { type: 'string', format: 'email' },
    address: { type: 'string', format: 'ipv4' },
    id: { type: 'string', format: 'uuid' },
    span: { type: 'string', format: 'duration' },
    data: { type: 'string', format: 'byte' },
    odd: { type: 'string', format: 'no-such-format' },
    either: { 'x-kubernetes-int-or-string': true },
    maybe: { type: 'string', nullable: true },
    preset: { type: 'string', default: 'filled' },
    deep: {
      type: 'object',
      default: {},
      properties: { inner: { type: 'integer', default: 7 }, other: { type: 'string' } },
    },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    mixed: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { known: { type: 'object', properties: { a: { type: 'string' } } } },
    },
    any: { 'x-kubernetes-preserve-unknown-fields': true },
    map: {
      type: 'object',
      maxProperties: 2,
      minProperties: 1,
      additionalProperties: { type: 'integer', minimum: 0 },
    },
    list: { type: 'array', minItems: 1, maxItems: 2, items: { type: 'string', maxLength: 3 } },
    set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    keyed: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, value: { type: 'integer', maximum: 5 } },
      },
    },
    embedded: {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      'x-kubernetes-preserve-unknown-fields': true,
    },
    one: {
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'string' } },
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
    },
    some: {
      type: 'string',
      anyOf: [{ pattern: '^x' }, { minLength: 4 }],
    },
    every: { type: 'integer', allOf: [{ minimum: 3 }, { maximum: 6 }] },
    never: { type: 'string', not: { pattern: '^bad' } },
  },
};

const rich = definition('riches', 'Rich', {
  schema: { openAPIV3Schema: { type: 'object', properties: { spec: fields } } },
});

const wrongValues: Readonly<Record<string, Json>> = {
  'all well': { text: 'abc', count: 4, ratio: 1, flag: true, choice: 'a' },
  'needed is missing': { needed: undefined },
  'wrong types': {
    text: 4,
    count: 'x',
    ratio: 'y',
    flag: 'z',
    choice: 1,
    map: [],
    list: {},
    free: 'text',
  },
  'integer is fractional': { count: 4.5 },
  'text too short': { text: 'a' },
  'text too long': { text: 'abcdef' },
  'pattern fails': { text: 'ABC' },
  'below minimum': { count: 0 },
  'above maximum': { count: 12 },
  'no multiple': { count: 3 },
  'exclusive minimum': { ratio: 0 },
  'above fractional maximum': { ratio: 1.75 },
  'not in enum': { choice: 'c' },
  'formats are wrong': {
    when: 'x',
    day: 'x',
    site: 'x',
    mail: 'x',
    address: 'x',
    id: 'x',
    span: 'x',
    data: '*',
  },
  'formats are right': {
    when: '2026-01-02T03:04:05Z',
    day: '2026-01-02',
    site: 'https://example.com/x',
    mail: 'a@example.com',
    address: '10.0.0.1',
    id: '123e4567-e89b-12d3-a456-426614174000',
    span: '1h30m',
    data: 'aGVsbG8=',
    odd: 'anything',
  },
  'int or string: int': { either: 5 },
  'int or string: string': { either: '50%' },
  'int or string: bool': { either: true },
  'null where allowed': { maybe: null },
  'null where not allowed': { text: null },
  'null where there is a default': { preset: null },
  'unknown fields are pruned': { unknown: 1, deep: { unknown: 2 }, free: { any: { thing: 1 } } },
  'unknown fields below what preserves': { mixed: { known: { a: 'x', gone: 1 }, stays: 1 } },
  'anything goes': { any: [1, 'x', { a: null }] },
  'map too big': { map: { a: 1, b: 2, c: 3 } },
  'map too small': { map: {} },
  'map with wrong value': { map: { a: -1, b: 'x' } },
  'list too long': { list: ['a', 'b', 'c'] },
  'list too short': { list: [] },
  'list with wrong elements': { list: ['abcd', 5] },
  'set with duplicates': { set: ['a', 'b', 'a', 'a'] },
  'keys with duplicates': { keyed: [{ name: 'a' }, { name: 'a' }, { name: 'b' }] },
  'key is missing': { keyed: [{ value: 3 }] },
  'embedded without kind': { embedded: { metadata: { name: 'x' } } },
  'embedded well': {
    embedded: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', bogus: 1 }, spec: { a: 1 } },
  },
  'embedded with wrong names': {
    embedded: { apiVersion: 'a/b/c', kind: '5', metadata: { labels: { '!': 'x' } } },
  },
  'one of: none': { one: {} },
  'one of: both': { one: { a: 'x', b: 'y' } },
  'one of: right': { one: { a: 'x' } },
  'any of: none': { some: 'ab' },
  'any of: right': { some: 'xy' },
  'all of: one fails': { every: 1 },
  'not: fails': { never: 'bad news' },
};

function schemaSteps(): Step[] {
  const steps: Step[] = served('rich', rich);
  for (const [name, spec] of Object.entries(wrongValues)) {
    for (const validation of ['Strict', 'Warn']) {
      if (validation === 'Warn' && !name.includes('unknown') && !name.includes('embedded well'))
        continue;
      steps.push({
        name: `rich: ${name} (${validation})`,
        method: 'POST',
        path: `${objects('riches')}?dryRun=All&fieldValidation=${validation}`,
        body: object('Rich', 'one', { spec: { needed: 'x', ...spec } }),
      });
    }
  }
  steps.push(
    {
      name: 'rich: no spec',
      method: 'POST',
      path: `${objects('riches')}?dryRun=All`,
      body: object('Rich', 'one', {}),
    },
    {
      name: 'rich: bad name',
      method: 'POST',
      path: `${objects('riches')}?dryRun=All`,
      body: object('Rich', 'Not_Good', { spec: {} }),
    },
    {
      name: 'rich: wrong kind',
      method: 'POST',
      path: `${objects('riches')}?dryRun=All`,
      body: object('Poor', 'one', { spec: {} }),
    },
    {
      name: 'rich: create',
      method: 'POST',
      path: objects('riches'),
      body: object('Rich', 'kept', {
        spec: { needed: 'x', keyed: [{ name: 'a', value: 1 }], set: ['a'] },
      }),
    },
    {
      name: 'rich: apply to keyed lists and sets',
      method: 'PATCH',
      path: `${objects('riches')}/kept?fieldManager=other`,
      type: 'application/apply-patch+yaml',
      body: object('Rich', 'kept', {
        spec: { keyed: [{ name: 'b', value: 2 }], set: ['b'], deep: { other: 'mine' } },
      }),
    },
    {
      name: 'rich: apply meets a conflict',
      method: 'PATCH',
      path: `${objects('riches')}/kept?fieldManager=third`,
      type: 'application/apply-patch+yaml',
      body: object('Rich', 'kept', { spec: { needed: 'mine', keyed: [{ name: 'b', value: 3 }] } }),
    },
    {
      name: 'rich: merge patch to something wrong',
      method: 'PATCH',
      path: `${objects('riches')}/kept`,
      type: 'application/merge-patch+json',
      body: { spec: { count: 3, preset: null } },
    },
    {
      name: 'rich: update without a version',
      method: 'PUT',
      path: `${objects('riches')}/kept`,
      body: object('Rich', 'kept', { spec: { needed: 'y' } }),
    },
  );
  return steps;
}

// ---- subresources, columns, selectable fields ----

const full = definition(
  'fulls',
  'Full',
  {
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            properties: {
              replicas: { type: 'integer' },
              color: { type: 'string' },
              host: { type: 'string' },
            },
          },
          status: {
            type: 'object',
            properties: { replicas: { type: 'integer', maximum: 9 }, selector: { type: 'string' } },
          },
        },
      },
    },
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.selector',
      },
    },
    selectableFields: [{ jsonPath: '.spec.color' }],
    additionalPrinterColumns: [
      { name: 'Color', type: 'string', jsonPath: '.spec.color' },
      { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
    ],
  },
  {},
);

function subresourceSteps(): Step[] {
  const path = `${objects('fulls')}/one`;
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  return [
    ...served('full', full),
    {
      name: 'full: create drops the status',
      method: 'POST',
      path: objects('fulls'),
      body: object('Full', 'one', { spec: { replicas: 2, color: 'red' }, status: { replicas: 5 } }),
    },
    {
      name: 'full: status patch',
      method: 'PATCH',
      path: `${path}/status`,
      type: 'application/merge-patch+json',
      body: {
        spec: { replicas: 7 },
        metadata: { labels: { x: 'y' } },
        status: { replicas: 2, selector: 'a=b' },
      },
    },
    {
      name: 'full: wrong status',
      method: 'PATCH',
      path: `${path}/status`,
      type: 'application/merge-patch+json',
      body: { status: { replicas: 12 } },
    },
    { name: 'full: scale', method: 'GET', path: `${path}/scale` },
    {
      name: 'full: scale up',
      method: 'PATCH',
      path: `${path}/scale`,
      type: 'application/merge-patch+json',
      body: { spec: { replicas: 4 } },
    },
    {
      name: 'full: scale below zero',
      method: 'PATCH',
      path: `${path}/scale`,
      type: 'application/merge-patch+json',
      body: { spec: { replicas: -1 } },
    },
    {
      name: 'full: negative replicas',
      method: 'PATCH',
      path,
      type: 'application/merge-patch+json',
      body: { spec: { replicas: -1 } },
    },
    { name: 'full: table', method: 'GET', path: objects('fulls'), headers: { accept: table } },
    {
      name: 'full: select red',
      method: 'GET',
      path: `${objects('fulls')}?fieldSelector=spec.color%3Dred`,
    },
    {
      name: 'full: select blue',
      method: 'GET',
      path: `${objects('fulls')}?fieldSelector=spec.color%3Dblue`,
    },
    {
      name: 'full: select by what is not selectable',
      method: 'GET',
      path: `${objects('fulls')}?fieldSelector=spec.host%3Dx`,
    },
    { name: 'full: resource list', method: 'GET', path: `/apis/${group}/v1`, isSilent: true },
    { name: 'full: delete', method: 'DELETE', path },
  ];
}

// ---- versions ----

const several = {
  ...definition('severals', 'Several', {}),
};
(several['spec'] as Json)['versions'] = [
  {
    name: 'v1',
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            properties: { a: { type: 'string' }, b: { type: 'string', default: 'one' } },
          },
        },
      },
    },
  },
  {
    name: 'v2beta1',
    served: true,
    storage: false,
    deprecated: true,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            properties: { a: { type: 'string' }, c: { type: 'string', default: 'two' } },
          },
        },
      },
    },
  },
  {
    name: 'v3',
    served: false,
    storage: false,
    schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
  },
];

function versionSteps(): Step[] {
  return [
    ...served('several', several),
    {
      name: 'several: create in v2beta1',
      method: 'POST',
      path: objects('severals', 'v2beta1'),
      body: object('Several', 'one', { spec: { a: 'x', c: 'y' } }, 'v2beta1'),
    },
    { name: 'several: get in v1', method: 'GET', path: `${objects('severals')}/one` },
    { name: 'several: list in v2beta1', method: 'GET', path: objects('severals', 'v2beta1') },
    { name: 'several: not served', method: 'GET', path: `${objects('severals', 'v3')}/one` },
    {
      name: 'several: patch in v2beta1',
      method: 'PATCH',
      path: `${objects('severals', 'v2beta1')}/one`,
      type: 'application/merge-patch+json',
      body: { spec: { a: 'z' } },
    },
    { name: 'several: group', method: 'GET', path: `/apis/${group}` },
  ];
}

export function crdSteps(): Step[] {
  return [
    ...schemaSteps(),
    ...ruleSteps(),
    ...ratchetSteps(),
    ...subresourceSteps(),
    ...versionSteps(),
  ];
}
