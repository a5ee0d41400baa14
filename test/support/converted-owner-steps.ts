// Who owns which field of custom resources that a webhook converts: versions that name and nest fields differently, the
// webhook for them, and writes by several managers in all of them.
import { below, get, patch, place, post, put, quiet, remove, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

const space = 'converted';
const GROUP = 'converted.example.com';
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const DEFINITION = `${DEFINITIONS}/gears.${GROUP}`;

const text = { type: 'string' };
const whole = { type: 'integer' };
const set = { type: 'array', items: text, 'x-kubernetes-list-type': 'set' };
const map = (key: string): Json => ({
  type: 'array',
  items: { type: 'object', required: [key], properties: { [key]: text, value: text } },
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': [key],
});

const schemas: Readonly<Record<string, Json>> = {
  v1: { replicas: whole, color: text, tags: set, parts: map('name'), note: text },
  v2: {
    scale: { type: 'object', properties: { count: whole } },
    colour: text,
    words: set,
    pieces: map('id'),
    note: text,
  },
  v3: { replicas: text, look: { type: 'object', properties: { color: text, tags: set } } },
};

const version = (name: string, more: Json = {}): Json => ({
  name,
  served: true,
  storage: name === 'v1',
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: { type: 'object', properties: schemas[name] },
        status: { type: 'object', properties: { seen: text } },
      },
    },
  },
  subresources: { status: {} },
  ...more,
});

export interface Hook {
  readonly url: string;
  readonly caBundle: string;
}

const definition = ({ url, caBundle }: Hook): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `gears.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'gears', singular: 'gear', kind: 'Gear', listKind: 'GearList' },
    versions: ['v1', 'v2', 'v3'].map((name) => version(name)),
    conversion: {
      strategy: 'Webhook',
      webhook: { clientConfig: { url, caBundle }, conversionReviewVersions: ['v1'] },
    },
  },
});

/** Without what there is not. */
const plain = (value: Json): Json =>
  JSON.parse(JSON.stringify(value), (_key, one: unknown) => one ?? undefined) as Json;

const renamed = (list: unknown, from: string, to: string): Json[] | undefined =>
  (list as Json[] | undefined)?.map(({ [from]: key, ...rest }) => ({ [to]: key, ...rest }));

/** Of the first version, what the others are converted by way of. */
function toFirst(version: string, spec: Json): Json {
  if (version === 'v2') {
    const { scale, colour, words, pieces, note } = spec as Record<string, Json>;
    const parts = renamed(pieces, 'id', 'name');
    return { replicas: scale?.['count'], color: colour, tags: words, parts, note };
  }
  if (version === 'v3') {
    const { replicas, look } = spec as Record<string, Json | undefined>;
    const count = replicas === undefined ? undefined : Number(replicas);
    return { replicas: count, color: look?.['color'], tags: look?.['tags'] };
  }
  return spec;
}

function fromFirst(version: string, spec: Json): Json {
  const { replicas, color, tags, parts, note } = spec;
  if (version === 'v2') {
    const scale = replicas === undefined ? undefined : { count: replicas };
    return { scale, colour: color, words: tags, pieces: renamed(parts, 'name', 'id'), note };
  }
  if (version === 'v3') {
    const look = color === undefined && tags === undefined ? undefined : { color, tags };
    return { replicas: replicas === undefined ? undefined : String(replicas), look };
  }
  return spec;
}

const versionOf = (apiVersion: unknown): string => String(apiVersion).split('/')[1] ?? '';

function converted(object: Json, apiVersion: string): Json {
  // Where fields were taken out, upstream leaves nulls behind.
  const spec = plain((object['spec'] ?? {}) as Json);
  const first = toFirst(versionOf(object['apiVersion']), spec);
  const made = fromFirst(versionOf(apiVersion), first);
  // Something that the version has not.
  const odd = spec['note'] === 'odd' ? { odd: 1 } : {};
  const next = { ...made, ...odd };
  const isThere = Object.keys(next).length > 0 || object['spec'] !== undefined;
  return { ...object, apiVersion, ...(isThere ? { spec: plain(next) } : {}) };
}

/** Answers a ConversionReview; objects with the note `fail` are not converted. */
export function convert(review: Json): Json {
  const { uid, desiredAPIVersion, objects } = review['request'] as {
    uid: string;
    desiredAPIVersion: string;
    objects: Json[];
  };
  const fails = objects.some(({ spec }) => (spec as Json | undefined)?.['note'] === 'fail');
  const response = fails
    ? { uid, result: { status: 'Failure', message: 'it will not' } }
    : {
        uid,
        result: { status: 'Success' },
        convertedObjects: objects.map((one) => converted(one, desiredAPIVersion)),
      };
  return { apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview', response };
}

const at = (name: string): string => `${below(`${GROUP}/${name}`, space)}/gears`;
const gear = (version: string, spec: Json, name = 'a'): Json => ({
  apiVersion: `${GROUP}/${version}`,
  kind: 'Gear',
  metadata: { name },
  spec,
});

function apply(name: string, version: string, spec: Json, more: string): Step {
  return patch(name, `${at(version)}/a?fieldManager=${more}`, gear(version, spec), 'apply');
}

const changed = (name: string, version: string, manager: string, spec: Json): Step =>
  patch(name, `${at(version)}/a?fieldManager=${manager}`, { spec });

const seen = (when: string): Step[] =>
  ['v1', 'v2', 'v3'].map((version) => get(`${when}, in ${version}`, `${at(version)}/a`));

const established = (name: string, version: string): Step => ({
  ...quiet(get(name, at(version))),
  until: (status) => status === 200,
});

function appliers(): Step[] {
  const parts = [
    { name: 'x', value: '1' },
    { name: 'y', value: '2' },
  ];
  return [
    apply('one applies v1', 'v1', { replicas: 1, color: 'red', tags: ['a', 'b'], parts }, 'one'),
    apply('two applies v2', 'v2', { scale: { count: 2 }, words: ['b', 'c'] }, 'two'),
    apply(
      'two applies v2, forced',
      'v2',
      { scale: { count: 2 }, words: ['b', 'c'] },
      'two&force=true',
    ),
    ...seen('after two'),
    apply('one applies v1 again', 'v1', { replicas: 1, color: 'red', tags: ['a'] }, 'one'),
    apply('one applies less', 'v1', { color: 'red', tags: ['a'] }, 'one'),
    ...seen('after less'),
    apply('three applies v3', 'v3', { replicas: '2', look: { tags: ['d'] } }, 'three'),
    apply('three applies another colour', 'v3', { look: { color: 'blue' } }, 'three'),
    apply(
      'three applies another colour, forced',
      'v3',
      { look: { color: 'blue' } },
      'three&force=true',
    ),
    ...seen('after three'),
    apply('one applies v2', 'v2', { colour: 'blue', pieces: [{ id: 'z' }] }, 'one'),
    apply('one applies v2 without pieces', 'v2', { colour: 'blue' }, 'one'),
    apply('one applies v3', 'v3', { look: { color: 'blue' } }, 'one'),
    apply('one applies v1 at last', 'v1', { note: 'n' }, 'one'),
    ...seen('after one'),
    apply('two leaves all', 'v2', {}, 'two'),
    apply('three leaves all, by v1', 'v1', {}, 'three'),
    ...seen('after all left'),
  ];
}

function updaters(): Step[] {
  return [
    changed('four changes v1', 'v1', 'four', { replicas: 4, color: 'green', tags: ['t'] }),
    changed('five changes v2', 'v2', 'five', { colour: 'grey' }),
    changed('four changes v3', 'v3', 'four', { look: { tags: ['t', 'u'] } }),
    ...seen('after changes'),
    put(
      'six puts v2',
      `${at('v2')}/a?fieldManager=six`,
      gear('v2', { scale: { count: 4 }, words: ['t'] }),
    ),
    patch(
      'seven by operations',
      `${at('v3')}/a?fieldManager=seven`,
      [
        { op: 'replace', path: '/spec/replicas', value: '9' },
        { op: 'remove', path: '/spec/look/tags' },
      ],
      'json',
    ),
    changed('four adds pieces', 'v2', 'four', { pieces: [{ id: 'p', value: '1' }, { id: 'q' }] }),
    changed('five takes one', 'v1', 'five', { parts: [{ name: 'p', value: '2' }] }),
    ...seen('after five'),
    apply(
      'eight applies what is',
      'v2',
      { scale: { count: 9 }, pieces: [{ id: 'p', value: '2' }] },
      'eight',
    ),
    apply('eight applies another value', 'v2', { pieces: [{ id: 'p', value: '3' }] }, 'eight'),
    changed('four changes nothing', 'v3', 'four', { replicas: '9' }),
    patch('status by v2', `${at('v2')}/a/status?fieldManager=watcher`, { status: { seen: 'yes' } }),
    patch(
      'status applied by v3',
      `${at('v3')}/a/status?fieldManager=watcher`,
      { ...gear('v3', {}), status: { seen: 'no' } },
      'apply',
    ),
    patch(
      'status applied by v3, forced',
      `${at('v3')}/a/status?fieldManager=keeper&force=true`,
      { ...gear('v3', {}), status: { seen: 'no' } },
      'apply',
    ),
    ...seen('after status'),
    patch('labels by v3', `${at('v3')}/a?fieldManager=labeller`, {
      metadata: { labels: { l: '1' } },
    }),
    patch(
      'labels applied by v2',
      `${at('v2')}/a?fieldManager=other`,
      { ...gear('v2', {}), metadata: { name: 'a', labels: { l: '2' } } },
      'apply',
    ),
    apply('dry', 'v2', { colour: 'white' }, 'dry&dryRun=All&force=true'),
    post(
      'made in v2',
      `${at('v2')}?fieldManager=maker`,
      gear('v2', { colour: 'new', words: ['w'] }, 'b'),
    ),
    get('made, in v1', `${at('v1')}/b`),
    patch(
      'made by apply in v3',
      `${at('v3')}/c?fieldManager=maker`,
      gear('v3', { replicas: '3' }, 'c'),
      'apply',
    ),
    patch('made, changed in v1', `${at('v1')}/c?fieldManager=maker`, { spec: { replicas: 5 } }),
  ];
}

/** The webhook fails, or gives what the version has not. */
function failures(): Step[] {
  const one = (version: string) => `${at(version)}/f?fieldManager`;
  return [
    post(
      'made in v1',
      `${at('v1')}?fieldManager=first`,
      gear('v1', { color: 'red', replicas: 1 }, 'f'),
    ),
    patch('changed in v2', `${one('v2')}=second`, { spec: { colour: 'blue' } }),
    patch('a note that fails', `${one('v1')}=third`, { spec: { note: 'fail' } }),
    patch('changed while it fails', `${one('v1')}=third`, { spec: { color: 'green' } }),
    patch(
      'applied while it fails',
      `${one('v1')}=fourth`,
      gear('v1', { replicas: 7 }, 'f'),
      'apply',
    ),
    patch(
      'applied while it fails, forced',
      `${one('v1')}=fourth&force=true`,
      gear('v1', { replicas: 7 }, 'f'),
      'apply',
    ),
    patch('an odd note', `${one('v1')}=third`, { spec: { note: 'odd' } }),
    patch('changed while it is odd', `${one('v1')}=third`, { spec: { color: 'black' } }),
    patch(
      'applied while it is odd',
      `${one('v1')}=fourth&force=true`,
      gear('v1', { replicas: 8 }, 'f'),
      'apply',
    ),
    patch('no note', `${one('v1')}=third`, { spec: { note: null } }),
    patch(
      'applied again',
      `${one('v1')}=fourth&force=true`,
      gear('v1', { replicas: 9 }, 'f'),
      'apply',
    ),
  ];
}

/** Versions that owners name go. */
function removal(): Step[] {
  const versions = ['v1', 'v2', 'v3'].map((name) => version(name));
  const two = (name: string, spec: Json, more: string): Step => apply(name, 'v1', spec, more);
  return [
    patch('v3 is not served', DEFINITION, {
      spec: { versions: [versions[0], versions[1], version('v3', { served: false })] },
    }),
    { ...quiet(get('until v3 is not served', at('v3'))), until: (status) => status === 404 },
    two('applied while v3 is not served', { color: 'pink' }, 'nine&force=true'),
    changed('changed while v3 is not served', 'v2', 'four', { scale: { count: 11 } }),
    patch('v3 is gone', DEFINITION, { spec: { versions: versions.slice(0, 2) } }),
    quiet(get('a moment', DEFINITION)),
    two('applied when v3 is gone', { color: 'brown' }, 'nine&force=true'),
    changed('changed when v3 is gone', 'v2', 'four', { scale: { count: 12 } }),
    get('owners at last', `${at('v1')}/a`),
    remove('definition', DEFINITION),
  ];
}

export const convertedOwnerSteps = (hook: Hook): Step[] => [
  ...place(space),
  quiet(post('definition with a webhook', DEFINITIONS, definition(hook))),
  established('v1 is served', 'v1'),
  established('v2 is served', 'v2'),
  established('v3 is served', 'v3'),
  ...appliers(),
  ...updaters(),
  ...failures(),
  ...removal(),
];
