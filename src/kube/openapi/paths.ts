// The paths of a resource in an OpenAPI document: of its collection, in one namespace and in all of them, of one
// object, and of what lies below it; which parameters, bodies and answers each has.
import type { ResourceInfo, SubresourceInfo } from '#kube/meta/resource-info.ts';

type Json = Record<string, unknown>;

export interface PathsOptions {
  readonly isV3: boolean;
  /** The name of the definition of the kind, of its list, and of another kind; undefined: there is none. */
  readonly name: string;
  readonly listName: string | undefined;
  nameOf(kind: SubresourceInfo): string | undefined;
}

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const gvk = ({ group, version, kind }: Kind): Json => ({ group, version, kind });

const methods: readonly (readonly [verb: string, method: string])[] = [
  ['get', 'get'],
  ['update', 'put'],
  ['create', 'post'],
  ['delete', 'delete'],
  ['patch', 'patch'],
];
/** What is passed on is passed on whatever it is. */
const anyMethods = [
  ['get', 'head'],
  ['get', 'options'],
] as const;
const connecting = new Set(['attach', 'exec', 'portforward', 'proxy']);
const STATUS = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';
const DELETE_OPTIONS = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';

class Operations {
  readonly #info: ResourceInfo;
  readonly #options: PathsOptions;

  constructor(info: ResourceInfo, options: PathsOptions) {
    this.#info = info;
    this.#options = options;
  }

  #ref(name: string): Json {
    const place = this.#options.isV3 ? '#/components/schemas/' : '#/definitions/';
    return { $ref: `${place}${name}` };
  }

  parameter(name: string, type: string, place: 'query' | 'path' = 'query'): Json {
    const required = place === 'path' ? { required: true } : {};
    const shape = { type, uniqueItems: true };
    return this.#options.isV3
      ? { name, in: place, ...required, schema: shape }
      : { name, in: place, ...required, ...shape };
  }

  #answer(name: string | undefined): Json {
    const schema = name === undefined ? { type: 'string' } : this.#ref(name);
    if (!this.#options.isV3) return { description: 'OK', schema };
    const type = name === undefined ? '*/*' : 'application/json';
    return { description: 'OK', content: { [type]: { schema } } };
  }

  /** `kind`: what the operation is about; `body` and `reply`: names of definitions. */
  of(
    action: string,
    kind: Kind,
    more: {
      readonly body?: string | undefined;
      readonly reply?: string | undefined;
      readonly query?: readonly (readonly [name: string, type: string])[];
      readonly suffix?: string;
    },
  ): Json {
    const { isV3 } = this.#options;
    const { group, version, kind: own, namespaced } = this.#info;
    const { body, reply, query = [], suffix = '' } = more;
    const parameters = query.map(([name, type]) => this.parameter(name, type));
    const isBodied = body !== undefined;
    if (isBodied && !isV3) {
      const required =
        action === 'delete' || action === 'deletecollection' ? {} : { required: true };
      parameters.unshift({ name: 'body', in: 'body', ...required, schema: this.#ref(body) });
    }
    const content = isBodied && isV3 ? { '*/*': { schema: this.#ref(body) } } : undefined;
    return {
      operationId: `${action}${group}${version}${namespaced ? 'Namespaced' : ''}${own}${suffix}`,
      parameters,
      ...(content === undefined ? {} : { requestBody: { content } }),
      responses: { 200: this.#answer(reply) },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': gvk(kind),
    };
  }
}

const text = (...names: readonly string[]) => names.map((name) => [name, 'string'] as const);
const writing = text('dryRun', 'fieldManager', 'fieldValidation');
const deleting = [
  ['dryRun', 'string'],
  ['gracePeriodSeconds', 'integer'],
  ['orphanDependents', 'boolean'],
  ['propagationPolicy', 'string'],
] as const;
const listing = [
  ['allowWatchBookmarks', 'boolean'],
  ['continue', 'string'],
  ['fieldSelector', 'string'],
  ['labelSelector', 'string'],
  ['limit', 'integer'],
  ['resourceVersion', 'string'],
  ['resourceVersionMatch', 'string'],
  ['sendInitialEvents', 'boolean'],
  ['timeoutSeconds', 'integer'],
  ['watch', 'boolean'],
] as const;

function below(
  info: ResourceInfo,
  sub: SubresourceInfo,
  all: Operations,
  options: PathsOptions,
): Json {
  const name = options.nameOf(sub);
  const isStream = connecting.has(sub.name);
  const found: Json = {};
  const isAny = sub.name === 'proxy';
  const served = methods.filter(([verb]) => sub.verbs.includes(verb));
  for (const [verb, method] of isAny ? [...served, ...anyMethods] : served) {
    const suffix = sub.name.charAt(0).toUpperCase() + sub.name.slice(1);
    if (isStream) {
      const kind = { group: sub.group, version: sub.version, kind: sub.kind };
      found[method] = all.of('connect', kind, { suffix: `${suffix}${method}` });
      continue;
    }
    const isWrite = verb !== 'get' && verb !== 'delete';
    const query = [
      ...(isWrite ? writing : []),
      ...(verb === 'patch' ? ([['force', 'boolean']] as const) : []),
    ];
    const reply = sub.name === 'log' ? undefined : name;
    const body = isWrite ? name : undefined;
    const kind = sub.name === 'log' ? info : sub;
    found[method] = all.of(method, kind, { body, reply, query, suffix });
  }
  return found;
}

export function pathsOf(info: ResourceInfo, options: PathsOptions): Record<string, Json> {
  const root = info.group === '' ? '/api/v1' : `/apis/${info.group}/${info.version}`;
  const place = info.namespaced
    ? `${root}/namespaces/{namespace}/${info.resource}`
    : `${root}/${info.resource}`;
  const all = new Operations(info, options);
  const { name, listName = name } = options;
  const has = (verb: string): boolean => info.verbs.includes(verb);
  const pretty = all.parameter('pretty', 'string');
  const named = all.parameter('name', 'string', 'path');
  const spaced = info.namespaced ? [all.parameter('namespace', 'string', 'path')] : [];
  const list = (suffix = ''): Json =>
    all.of('list', info, { reply: listName, query: listing, suffix });
  const collection: Json = {};
  const single: Json = {};
  if (has('list')) collection['get'] = list();
  if (has('create')) {
    collection['post'] = all.of('post', info, { body: name, reply: name, query: writing });
  }
  if (has('deletecollection')) {
    const query = [...deleting, ...listing.filter(([one]) => !/watch/i.test(one))];
    collection['delete'] = all.of('deletecollection', info, {
      body: DELETE_OPTIONS,
      reply: STATUS,
      query,
    });
  }
  if (has('get')) single['get'] = all.of('get', info, { reply: name });
  if (has('update'))
    single['put'] = all.of('put', info, { body: name, reply: name, query: writing });
  if (has('patch')) {
    const query = [...writing, ['force', 'boolean'] as const];
    single['patch'] = all.of('patch', info, { body: name, reply: name, query });
  }
  if (has('delete')) {
    single['delete'] = all.of('delete', info, {
      body: DELETE_OPTIONS,
      reply: STATUS,
      query: deleting,
    });
  }
  const found: Record<string, Json> = {};
  const add = (path: string, operations: Json, parameters: readonly Json[]): void => {
    if (Object.keys(operations).length > 0) found[path] = { ...operations, parameters };
  };
  add(place, collection, [...spaced, pretty]);
  add(`${place}/{name}`, single, [named, ...spaced, pretty]);
  if (info.namespaced && has('list')) {
    add(`${root}/${info.resource}`, { get: list('ForAllNamespaces') }, [pretty]);
  }
  for (const sub of info.subresources) {
    const operations = below(info, sub, all, options);
    add(`${place}/{name}/${sub.name}`, operations, [named, ...spaced]);
    if (sub.name !== 'proxy') continue;
    const path = all.parameter('path', 'string', 'path');
    add(`${place}/{name}/proxy/{path}`, operations, [named, ...spaced, path]);
  }
  return found;
}
