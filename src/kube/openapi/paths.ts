// The paths of a resource in an OpenAPI document: of its collection, in one namespace and in all of them, of one
// object, of what lies below it, and the old ones of watches; which operations each has. Custom resources have fewer.
import type { ResourceInfo, SubresourceInfo } from '#kube/meta/resource-info.ts';
import { answersDeleted } from '#kube/types/deleted-answers.ts';
import {
  operationId,
  pathItem,
  tagOf,
  titled,
  type Kind,
  type Method,
  type Operation,
  type PathForm,
} from './operations.ts';
import { deleting, listing, parametersOf, patching, writing } from './parameters.ts';

type Json = Record<string, unknown>;

export interface PathsOptions extends PathForm {
  /** The name of the definition of the kind, of its list, and of another kind; undefined: there is none. */
  readonly name: string;
  readonly listName: string | undefined;
  nameOf(kind: SubresourceInfo): string | undefined;
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

const connecting = new Set(['attach', 'exec', 'portforward', 'proxy']);
/** Of what is passed on: a proxy takes two methods more than discovery has verbs for. */
const verbOf: Readonly<Record<string, Method>> = {
  get: 'get',
  update: 'put',
  create: 'post',
  delete: 'delete',
  patch: 'patch',
  head: 'head',
  options: 'options',
};
const words: Readonly<Record<string, string>> = { get: 'read', update: 'replace' };

const builtInTypes = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
];
const customTypes = ['application/json', 'application/yaml'];
/** Of lists, of a kind that is never watched as well. */
const streamed = [
  ...builtInTypes,
  'application/json;stream=watch',
  'application/vnd.kubernetes.protobuf;stream=watch',
];
const patches = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json'];
const applied = 'application/apply-patch+yaml';

/** What differs between resources that are built in and custom ones. */
interface Manner {
  readonly produces: readonly string[];
  readonly consumes: readonly string[];
  readonly patches: readonly string[];
  readonly get: readonly string[];
  readonly deletecollection: readonly string[];
  readonly patchCodes: readonly number[];
}

const patchTypes = (names: readonly string[]): string[] => [
  ...names.map((name) => `application/${name}`),
  applied,
];

const builtIn: Manner = {
  produces: builtInTypes,
  consumes: ['*/*'],
  patches: patchTypes(patches),
  get: [],
  deletecollection: [...deleting, ...listing.filter((one) => !/watch/i.test(one))],
  patchCodes: [200, 201],
};

/** As its builder has it, which says the options of lists of a deletion, and nothing of what is really taken. */
const custom: Manner = {
  produces: customTypes,
  consumes: customTypes,
  patches: patchTypes(patches.filter((one) => !one.startsWith('strategic'))),
  get: ['resourceVersion'],
  deletecollection: listing,
  patchCodes: [200],
};

class ResourcePaths {
  readonly #info: ResourceInfo;
  readonly #options: PathsOptions;
  readonly #manner: Manner;
  readonly #isCustom: boolean;
  readonly #tag: string;
  readonly #root: string;
  readonly found: Record<string, Json> = {};

  constructor(info: ResourceInfo, options: PathsOptions) {
    const { group, version } = info;
    this.#info = info;
    this.#options = options;
    this.#isCustom = info.customResourceDefinition !== undefined;
    this.#manner = this.#isCustom ? custom : builtIn;
    this.#tag = tagOf(group, version);
    this.#root = group === '' ? '/api/v1' : `/apis/${group}/${version}`;
  }

  /** Custom resources are described in full while their definition goes, too. */
  has(verb: string): boolean {
    return this.#isCustom || this.#info.verbs.includes(verb);
  }

  /** Where the collection is, below `root`. */
  #place(before = ''): string {
    const { namespaced, resource } = this.#info;
    return `${this.#root}${before}${namespaced ? '/namespaces/{namespace}' : ''}/${resource}`;
  }

  #add(path: string, operations: readonly Operation[], kind: string): void {
    if (operations.length > 0) this.found[path] = pathItem(operations, kind, this.#options);
  }

  /** `rest`: of its name, behind the kind; `scope`: parameters that the path has. */
  #operation(
    verb: string,
    more: Pick<Operation, 'method'> & Partial<Operation> & { before?: string; rest?: string },
    scope: readonly string[],
  ): Operation {
    const { before = '', rest = '', ...given } = more;
    const { kind, namespaced } = this.#info;
    const spaced = namespaced && !rest.endsWith('ForAllNamespaces') ? 'Namespaced' : '';
    return {
      id: operationId(verb, this.#info, `${before}${spaced}${titled(kind)}${rest}`),
      tag: this.#tag,
      action: given.method,
      kind: this.#info,
      text: verb,
      about: { kind },
      consumes: this.#manner.consumes,
      produces: this.#manner.produces,
      ...given,
      parameters: [...scope, ...(given.parameters ?? [])],
    };
  }

  get #spaced(): string[] {
    return this.#info.namespaced ? ['namespace', 'pretty'] : ['pretty'];
  }

  #list(scope: readonly string[], rest = ''): Operation {
    const reply = this.#options.listName ?? this.#options.name;
    const produces = this.#isCustom ? customTypes : streamed;
    const text = this.#isCustom || !this.has('watch') ? 'list alone' : 'list';
    const own = { action: 'list', text, produces, reply, rest, parameters: listing };
    return this.#operation('list', { method: 'get', ...own }, scope);
  }

  collection(): void {
    const { name } = this.#options;
    const { kind } = this.#info;
    const scope = this.#spaced;
    const all: Operation[] = [];
    if (this.has('list')) all.push(this.#list(scope));
    if (this.has('create')) {
      const own = { body: name, reply: name, codes: [200, 201, 202], parameters: writing };
      all.push(this.#operation('create', { method: 'post', ...own }, scope));
    }
    if (this.has('deletecollection')) {
      const body = this.#isCustom ? undefined : `${meta}.DeleteOptions`;
      const parameters = this.#manner.deletecollection;
      const about = { action: 'deletecollection', text: 'deletecollection', before: 'Collection' };
      const own = { ...about, body, reply: `${meta}.Status`, parameters };
      all.push(this.#operation('delete', { method: 'delete', ...own }, scope));
    }
    this.#add(this.#place(), all, kind);
    if (!this.#info.namespaced || !this.has('list')) return;
    const everywhere = [this.#list(['pretty'], 'ForAllNamespaces')];
    this.#add(`${this.#root}/${this.#info.resource}`, everywhere, kind);
  }

  object(): void {
    const { name } = this.#options;
    const scope = ['name', ...this.#spaced];
    const { group, version, kind } = this.#info;
    const verbs = Object.keys(verbOf).filter((verb) => this.has(verb));
    const all = this.#changing({ group, version, kind, verbs }, name, '', scope);
    if (this.has('delete')) {
      const reply = answersDeleted(this.#info) ? name : `${meta}.Status`;
      const body = `${meta}.DeleteOptions`;
      const own = { body, reply, codes: [200, 202], parameters: deleting };
      all.push(this.#operation('delete', { method: 'delete', ...own }, scope));
    }
    this.#add(`${this.#place()}/{name}`, all, kind);
  }

  /** Reading and writing of an object, or of a part of it. */
  #changing(
    { verbs, ...kind }: Kind & { readonly verbs: readonly string[] },
    reply: string | undefined,
    part: string,
    scope: readonly string[],
  ): Operation[] {
    const manner = this.#manner;
    const of = (verb: string, own: Pick<Operation, 'method'> & Partial<Operation>): Operation => {
      const word = words[verb] ?? verb;
      const text = part === '' ? word : `${word} part`;
      const about = { kind: this.#info.kind, part };
      return this.#operation(word, { kind, text, about, reply, rest: titled(part), ...own }, scope);
    };
    const all: Operation[] = [];
    if (verbs.includes('get')) {
      const produces = part === 'log' ? ['text/plain', ...manner.produces] : manner.produces;
      all.push(of('get', { method: 'get', produces, parameters: manner.get }));
    }
    if (verbs.includes('update')) {
      all.push(
        of('update', { method: 'put', body: reply, codes: [200, 201], parameters: writing }),
      );
    }
    if (part !== '' && verbs.includes('create')) {
      const codes = [200, 201, 202];
      all.push(of('create', { method: 'post', body: reply, codes, parameters: writing }));
    }
    if (verbs.includes('patch')) {
      const own = { body: `${meta}.Patch`, consumes: manner.patches, codes: manner.patchCodes };
      all.push(of('patch', { method: 'patch', ...own, parameters: patching }));
    }
    return all;
  }

  below(sub: SubresourceInfo): void {
    const path = `${this.#place()}/{name}/${sub.name}`;
    if (connecting.has(sub.name)) return this.#connecting(sub, path);
    const own = this.#isCustom || sub.name === 'log' ? this.#info : sub;
    const { group, version, kind } = own;
    const scope = ['name', ...this.#spaced];
    const reply = sub.name === 'log' ? undefined : this.#options.nameOf(sub);
    const about = { group, version, kind, verbs: sub.verbs };
    const all = this.#changing(about, reply, sub.name, [...scope, ...parametersOf(sub.name)]);
    this.#add(path, all, kind);
  }

  #connecting(sub: SubresourceInfo, path: string): void {
    const { kind } = this.#info;
    const isProxy = sub.name === 'proxy';
    const verbs = isProxy ? [...sub.verbs, 'head', 'options'] : sub.verbs;
    const own = isProxy ? parametersOf(this.#info.resource) : parametersOf(sub.name);
    const spaced = this.#info.namespaced ? ['namespace'] : [];
    for (const rest of isProxy ? ['', 'WithPath'] : ['']) {
      const scope = ['name', ...spaced, ...own, ...(rest === '' ? [] : ['path'])];
      const any = { consumes: ['*/*'], produces: ['*/*'], action: 'connect', text: 'connect' };
      const all = verbs.flatMap((verb): Operation[] => {
        const method = verbOf[verb];
        if (method === undefined) return [];
        const about = { kind, part: sub.name };
        const names = { before: titled(method), rest: `${titled(sub.name)}${rest}` };
        return [this.#operation('connect', { method, kind: sub, about, ...any, ...names }, scope)];
      });
      this.#add(rest === '' ? path : `${path}/{path}`, all, sub.kind);
    }
  }

  /** They are deprecated, and served all the same. */
  watches(): void {
    const { kind, namespaced, resource } = this.#info;
    const of = (action: string, path: string, rest: string, more: readonly string[]): void => {
      const own = { action, text: action, produces: streamed, reply: `${meta}.WatchEvent` };
      const scope = [...more, ...listing];
      this.#add(path, [this.#operation('watch', { method: 'get', ...own, rest }, scope)], kind);
    };
    const place = this.#place('/watch');
    of('watchlist', place, 'List', this.#spaced);
    of('watch', `${place}/{name}`, '', ['name', ...this.#spaced]);
    if (!namespaced) return;
    of('watchlist', `${this.#root}/watch/${resource}`, 'ListForAllNamespaces', ['pretty']);
  }
}

export function pathsOf(info: ResourceInfo, options: PathsOptions): Record<string, Json> {
  const paths = new ResourcePaths(info, options);
  paths.collection();
  paths.object();
  for (const sub of info.subresources) paths.below(sub);
  const isWatched = paths.has('watch') && info.customResourceDefinition === undefined;
  if (isWatched) paths.watches();
  return paths.found;
}
