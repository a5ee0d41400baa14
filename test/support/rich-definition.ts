// A definition whose schema has what a schema can have, for documents that are made of it.
const text = (more: object = {}): object => ({ type: 'string', ...more });

const spec = {
  type: 'object',
  description: 'First line: with a colon.\nSecond line # with a mark.\n\n  Indented.\n',
  required: ['name', 'list'],
  properties: {
    name: text({ pattern: '^[a-z]+$', minLength: 1, maxLength: 10, default: 'a', title: 'Name' }),
    word: text({
      enum: ['', 'a', 'true', 'No', '1', '*', 'two words', ' x', "it's", 'a: b', '- a', 'ä'],
    }),
    count: { type: 'integer', format: 'int64', minimum: 0, maximum: 10, default: 0, multipleOf: 2 },
    part: { type: 'number', minimum: 0.5, exclusiveMinimum: true, default: 1.5 },
    flag: { type: 'boolean', default: false },
    either: {
      'x-kubernetes-int-or-string': true,
      anyOf: [{ type: 'integer' }, { type: 'string' }],
    },
    any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    map: {
      type: 'object',
      additionalProperties: text(),
      maxProperties: 3,
      'x-kubernetes-map-type': 'atomic',
    },
    open: { type: 'object', additionalProperties: true },
    list: {
      type: 'array',
      minItems: 1,
      maxItems: 5,
      items: { type: 'object', required: ['key'], properties: { key: text(), value: text() } },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['key'],
    },
    nothing: text({ nullable: true }),
    embedded: {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      'x-kubernetes-preserve-unknown-fields': true,
    },
    started: text({ format: 'date-time', example: 'now' }),
    choice: {
      type: 'object',
      default: { a: 'b' },
      properties: { a: text(), b: text() },
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
      not: { required: ['a', 'b'] },
    },
  },
  'x-kubernetes-validations': [
    {
      rule: "self.name != 'b'",
      message: "not 'b'",
      reason: 'FieldValueForbidden',
      fieldPath: '.name',
    },
    { rule: 'self.count < 10 || !self.flag', messageExpression: '"no: " + self.name' },
    { rule: 'self.name.size() < 11\n&& self.list.size() < 6', message: 'short' },
  ],
};

export const richDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'riches.rich.example.com' },
  spec: {
    group: 'rich.example.com',
    scope: 'Namespaced',
    names: {
      plural: 'riches',
      singular: 'rich',
      kind: 'Rich',
      listKind: 'RichList',
      shortNames: ['ri'],
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: 'object', properties: { spec, status: { type: 'object' } } },
        },
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.count', statusReplicasPath: '.status.count' },
        },
        selectableFields: [{ jsonPath: '.spec.name' }],
        additionalPrinterColumns: [{ name: 'Count', type: 'integer', jsonPath: '.spec.count' }],
      },
    ],
  },
};
