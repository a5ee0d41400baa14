// Changes of custom resource definitions, one after another: versions that come and go, other names, schemas, columns,
// subresources and selectors, and definitions that want the same names.

import { richDefinition } from './rich-definition.ts';

type Json = Record<string, unknown>;

export interface Change {
  readonly name: string;
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** Of a patch; JSON when it is left out. */
  readonly type?: string;
}

export const changedGroups = ['first.example.com', 'second.example.com'];

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const text = { type: 'string' };
const schema = (more: Json = {}): Json => ({
  openAPIV3Schema: {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: { count: { type: 'integer' }, colour: text, ...more },
      },
      status: { type: 'object', properties: { count: { type: 'integer' }, labels: text } },
    },
  },
});

interface Version extends Json {
  readonly name: string;
}

const version = (name: string, more: Json = {}): Version => ({
  name,
  served: true,
  storage: true,
  schema: schema(),
  ...more,
});

const definition = (group: string, plural: string, names: Json, more: Json): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: { group, names: { plural, ...names }, scope: 'Namespaced', ...more },
});

const [first = '', second = ''] = changedGroups;
const lamps = `${DEFINITIONS}/lamps.${first}`;
const merge = 'application/merge-patch+json';
const patched = (name: string, spec: Json, path = lamps): Change => ({
  name,
  method: 'PATCH',
  path,
  type: merge,
  body: { spec },
});

const notStored = { storage: false };
const v2 = (more: Json = {}): Version =>
  version('v2', { ...notStored, schema: schema({ size: { type: 'integer' } }), ...more });
const status = { status: {} };
const scale = { specReplicasPath: '.spec.count', statusReplicasPath: '.status.count' };

const versions = (name: string, ...all: readonly Version[]): Change =>
  patched(name, { versions: all });

const either = { 'x-kubernetes-int-or-string': true };
const both = [{ type: 'integer' }, { type: 'string' }];
const embedded = { type: 'object', 'x-kubernetes-embedded-resource': true };
/** What is published otherwise than it is written. */
const odd: Json = {
  either,
  both: { ...either, anyOf: both },
  one: { ...either, anyOf: [{ pattern: '^a' }] },
  more: { ...either, allOf: [{ anyOf: both }, { pattern: '^a' }] },
  some: { ...either, allOf: [{ pattern: '^a' }] },
  list: { type: 'array', items: { ...either, nullable: true } },
  map: { type: 'object', additionalProperties: either },
  inner: { ...embedded, properties: { spec: { type: 'object', properties: { either } } } },
  named: { ...embedded, required: ['spec'], properties: { spec: { type: 'object' } } },
  known: {
    ...embedded,
    required: ['metadata', 'kind'],
    properties: { metadata: { type: 'object' } },
  },
  open: { ...embedded, 'x-kubernetes-preserve-unknown-fields': true, description: 'anything' },
  nothing: { type: 'object', nullable: true, required: ['a'], properties: { a: text } },
  bounded: {
    type: 'object',
    maxProperties: 2,
    additionalProperties: { type: 'object', nullable: true },
  },
  deep: {
    type: 'array',
    items: {
      type: 'array',
      items: { type: 'object', properties: { a: { ...text, nullable: true } } },
    },
  },
};

const columns = [
  { name: 'Count', type: 'integer', jsonPath: '.spec.count', description: 'how many' },
  { name: 'Colour', type: 'string', jsonPath: '.spec.colour', priority: 1 },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];
const stored = (name: string, storedVersions: readonly string[]): Change => ({
  name,
  method: 'PATCH',
  path: `${lamps}/status`,
  type: merge,
  body: { status: { storedVersions } },
});
const object = (group: string, resource: string, more: Json): Change => ({
  name: `an object of ${resource}`,
  method: 'POST',
  path: `/apis/${group}/v1/namespaces/default/${resource}`,
  body: { apiVersion: `${group}/v1`, metadata: { name: 'one' }, ...more },
});

const posted = (name: string, body: Json): Change => ({
  name,
  method: 'POST',
  path: DEFINITIONS,
  body,
});

export const changes: readonly Change[] = [
  posted(
    'one version',
    definition(first, 'lamps', { kind: 'Lamp' }, { versions: [version('v1')] }),
  ),
  object(first, 'lamps', { kind: 'Lamp', spec: { count: 2, colour: 'red' } }),
  posted(
    'another group',
    definition(
      second,
      'chairs',
      { kind: 'Chair', singular: 'chair' },
      { versions: [version('v1')] },
    ),
  ),
  versions('a second version', version('v1'), v2()),
  versions('status in one version', version('v1', { subresources: status }), v2()),
  versions(
    'status and scale, status in the other',
    version('v1', { subresources: { ...status, scale } }),
    v2({ subresources: status }),
  ),
  versions('scale alone', version('v1', { subresources: { scale } }), v2()),
  versions('no subresources', version('v1'), v2()),
  versions('deprecated', version('v1', { deprecated: true }), v2()),
  versions(
    'deprecated with a warning',
    version('v1', { deprecated: true, deprecationWarning: 'take v2' }),
    v2(),
  ),
  versions('no more deprecated', version('v1'), v2()),
  versions('columns', version('v1', { additionalPrinterColumns: columns }), v2()),
  versions('other columns', version('v1'), v2({ additionalPrinterColumns: columns.slice(0, 1) })),
  versions(
    'selectable fields',
    version('v1', { selectableFields: [{ jsonPath: '.spec.colour' }] }),
    v2({ selectableFields: [{ jsonPath: '.spec.size' }, { jsonPath: '.spec.colour' }] }),
  ),
  versions('no selectable fields', version('v1'), v2()),
  versions('the other is stored', version('v1', notStored), v2({ storage: true })),
  versions(
    'the first is not served',
    version('v1', { ...notStored, served: false }),
    v2({ storage: true }),
  ),
  versions(
    'what is stored is not served',
    version('v1', notStored),
    v2({ storage: true, served: false }),
  ),
  versions('served again', version('v1', notStored), v2({ storage: true })),
  {
    name: 'stored again in the new version',
    method: 'PATCH',
    path: `/apis/${first}/v2/namespaces/default/lamps/one`,
    type: merge,
    body: { metadata: { labels: { again: 'true' } } },
  },
  stored('the first is stored no more', ['v2']),
  versions('renamed', version('v1beta1', notStored), v2({ storage: true })),
  versions(
    'none served',
    version('v1beta1', { ...notStored, served: false }),
    v2({ storage: true, served: false }),
  ),
  versions(
    'one served',
    version('v1beta1', { ...notStored, served: false }),
    v2({ storage: true }),
  ),
  versions(
    'another schema',
    v2({ storage: true, schema: schema({ size: { ...text, enum: ['s', 'l'] } }) }),
  ),
  versions(
    'an open schema',
    v2({
      storage: true,
      schema: {
        openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    }),
  ),
  versions('a rich schema', v2({ storage: true, schema: richDefinition.spec.versions[0]?.schema })),
  versions('odd schemas', v2({ storage: true, schema: schema(odd) })),
  versions('an old schema', v2({ storage: true })),
  patched('more names', {
    names: { shortNames: ['la'], categories: ['all', 'lights'], listKind: 'LampCollection' },
  }),
  patched('another kind, which is refused', { names: { kind: 'Lantern', singular: 'lantern' } }),
  posted(
    'names that are taken',
    definition(
      first,
      'lights',
      { kind: 'Light', singular: 'light', shortNames: ['la', 'li'] },
      { versions: [version('v2')] },
    ),
  ),
  patched('names are free', { names: { shortNames: ['lp'] } }),
  patched(
    'a name that is taken by the other is wanted',
    { names: { shortNames: ['lp'], categories: ['lights'] } },
    `${DEFINITIONS}/lights.${first}`,
  ),
  posted(
    'of the whole cluster',
    definition(
      first,
      'suns',
      { kind: 'Sun' },
      { scope: 'Cluster', versions: [version('v2', { subresources: { ...status, scale } })] },
    ),
  ),
  object(second, 'chairs', {
    kind: 'Chair',
    metadata: { name: 'held', finalizers: ['example.com/hold'] },
  }),
  { name: 'terminating', method: 'DELETE', path: `${DEFINITIONS}/chairs.${second}` },
  {
    name: 'let go',
    method: 'PATCH',
    path: `/apis/${second}/v1/namespaces/default/chairs/held`,
    type: merge,
    body: { metadata: { finalizers: null } },
  },
  { name: 'one gone', method: 'DELETE', path: `${DEFINITIONS}/suns.${first}` },
  { name: 'another gone', method: 'DELETE', path: lamps },
  { name: 'all gone', method: 'DELETE', path: `${DEFINITIONS}/lights.${first}` },
];
