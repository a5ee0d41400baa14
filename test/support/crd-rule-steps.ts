// Requests about the rules of schemas (CEL), and about objects that were there before their schema.
import { CRDS, definition, group, object, objects, served, type Json } from './crd-definition.ts';
import type { Step } from './step-player.ts';

// ---- rules ----

const rules: Json = {
  type: 'object',
  'x-kubernetes-validations': [
    { rule: 'self.min <= self.max', message: 'min must not exceed max' },
    {
      rule: 'self.min <= self.max',
      messageExpression: "'%d is more than %d'.format([self.min, self.max])",
    },
    { rule: '!has(self.locked) || self.locked == oldSelf.locked', message: 'locked cannot change' },
    { rule: 'self.min >= 0', reason: 'FieldValueForbidden', fieldPath: '.min' },
    { rule: "self.names.all(n, n.startsWith('x'))" },
    {
      rule: "self.hosts.all(h, isURL(h) && url(h).getScheme() == 'https')",
      reason: 'FieldValueInvalid',
      message: 'https only',
    },
    { rule: 'self.amount.isGreaterThan(quantity("1"))', message: 'never compiled' },
  ].slice(0, 6),
  properties: {
    min: { type: 'integer', default: 1 },
    max: { type: 'integer', default: 5 },
    locked: { type: 'string' },
    names: { type: 'array', maxItems: 10, default: [], items: { type: 'string', maxLength: 20 } },
    hosts: { type: 'array', maxItems: 10, default: [], items: { type: 'string', maxLength: 100 } },
    size: {
      type: 'string',
      maxLength: 10,
      'x-kubernetes-validations': [
        {
          rule: "isQuantity(self) && quantity(self).isGreaterThan(quantity('1Gi'))",
          message: 'too small',
        },
      ],
    },
    fixed: {
      type: 'string',
      maxLength: 10,
      'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'fixed is immutable' }],
    },
    parts: {
      type: 'array',
      maxItems: 10,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string', maxLength: 10 },
          value: {
            type: 'integer',
            'x-kubernetes-validations': [{ rule: 'self >= oldSelf', message: 'values only grow' }],
          },
        },
      },
    },
    once: {
      type: 'string',
      maxLength: 10,
      'x-kubernetes-validations': [
        {
          rule: '!oldSelf.hasValue() || oldSelf.value() == self',
          optionalOldSelf: true,
          message: 'once only',
        },
      ],
    },
    either: {
      'x-kubernetes-int-or-string': true,
      'x-kubernetes-validations': [{ rule: "type(self) == int ? self < 100 : self.endsWith('%')" }],
    },
    divided: {
      type: 'integer',
      'x-kubernetes-validations': [{ rule: '10 / self > 1' }],
    },
  },
};

const ruled = definition('rules', 'Ruled', {
  schema: { openAPIV3Schema: { type: 'object', properties: { spec: rules } } },
  subresources: { status: {} },
});

const judged: Readonly<Record<string, Json>> = {
  'all well': { names: ['xa'], hosts: ['https://example.com'], size: '2Gi', either: 5, divided: 2 },
  'min above max': { min: 9 },
  negative: { min: -1 },
  'names are wrong': { names: ['a'] },
  'hosts are wrong': { hosts: ['http://example.com'] },
  'size is too small': { size: '1Mi' },
  'size is none': { size: 'nonsense' },
  'either too big': { either: 500 },
  'either no percentage': { either: 'x' },
  'division by zero': { divided: 0 },
  'division too small': { divided: 9 },
};

export function ruleSteps(): Step[] {
  const steps = served('ruled', ruled);
  for (const [name, spec] of Object.entries(judged)) {
    steps.push({
      name: `ruled: ${name}`,
      method: 'POST',
      path: `${objects('rules')}?dryRun=All`,
      body: object('Ruled', 'one', { spec }),
    });
  }
  steps.push({
    name: 'ruled: create',
    method: 'POST',
    path: objects('rules'),
    body: object('Ruled', 'kept', {
      spec: { locked: 'a', fixed: 'a', once: 'a', parts: [{ name: 'p', value: 3 }] },
    }),
  });
  const changes: Readonly<Record<string, Json>> = {
    'locked changes': { locked: 'b' },
    'fixed changes': { fixed: 'b' },
    'fixed is added to nothing': { min: 2 },
    'once changes': { once: 'b' },
    'a part shrinks': { parts: [{ name: 'p', value: 2 }] },
    'a part grows': { parts: [{ name: 'p', value: 4 }] },
    'a part comes': {
      parts: [
        { name: 'p', value: 4 },
        { name: 'q', value: 1 },
      ],
    },
  };
  for (const [name, spec] of Object.entries(changes)) {
    steps.push({
      name: `ruled: ${name}`,
      method: 'PATCH',
      path: `${objects('rules')}/kept?dryRun=All`,
      type: 'application/merge-patch+json',
      body: { spec },
    });
  }
  return steps;
}

// ---- ratcheting ----

const loose = definition('ratchets', 'Ratchet', {
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: {
            a: { type: 'string' },
            b: { type: 'string' },
            list: { type: 'array', items: { type: 'string' } },
          },
        },
      },
    },
  },
});

export function ratchetSteps(): Step[] {
  const path = `${objects('ratchets')}/old`;
  const merge = 'application/merge-patch+json';
  const tight = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          a: {
            type: 'string',
            maxLength: 3,
            'x-kubernetes-validations': [{ rule: "self != 'forbidden'", message: 'never that' }],
          },
          b: { type: 'string', enum: ['x', 'y'] },
          list: { type: 'array', maxItems: 1, items: { type: 'string' } },
        },
      },
    },
  };
  return [
    ...served('ratchet', loose),
    {
      name: 'ratchet: create',
      method: 'POST',
      path: objects('ratchets'),
      body: object('Ratchet', 'old', { spec: { a: 'forbidden', b: 'z', list: ['1', '2'] } }),
    },
    {
      name: 'ratchet: tighten',
      method: 'PATCH',
      path: `${CRDS}/ratchets.${group}`,
      type: 'application/json-patch+json',
      body: [{ op: 'replace', path: '/spec/versions/0/schema/openAPIV3Schema', value: tight }],
      isSilent: true,
    },
    {
      name: 'ratchet: tightened',
      method: 'POST',
      path: `${objects('ratchets')}?dryRun=All`,
      body: object('Ratchet', 'new', { spec: { b: 'z' } }),
      until: (status) => status === 422,
    },
    {
      name: 'ratchet: labels change',
      method: 'PATCH',
      path,
      type: merge,
      body: { metadata: { labels: { a: 'b' } } },
    },
    {
      name: 'ratchet: b becomes right',
      method: 'PATCH',
      path: `${path}?dryRun=All`,
      type: merge,
      body: { spec: { b: 'x' } },
    },
    {
      name: 'ratchet: b becomes wrong anew',
      method: 'PATCH',
      path: `${path}?dryRun=All`,
      type: merge,
      body: { spec: { b: 'w' } },
    },
    {
      name: 'ratchet: list changes and stays too long',
      method: 'PATCH',
      path: `${path}?dryRun=All`,
      type: merge,
      body: { spec: { list: ['1', '3'] } },
    },
  ];
}
