// What OpenAPI says of operations and their parameters, read from the doc comments of an installed client package: of
// one resource that has it, with the kind left open (src/kube/openapi/texts.ts).
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parametersOf } from '#kube/openapi/parameters.ts';

type Described = Record<string, string>;

interface Doc {
  readonly text: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const entities: Readonly<Record<string, string>> = {
  '&#39;': "'",
  '&quot;': '"',
  '&#x60;': '`',
  '&#x3D;': '=',
  '&lt;': '<',
  '&gt;': '>',
  '&amp;': '&',
};

const plain = (text: string): string =>
  text
    .replaceAll(/\\(['"`])/g, '$1')
    .replaceAll(/\\(&)/g, '$1')
    .replaceAll(/&(?:#x?\w+|\w+);/g, (one) => entities[one] ?? one)
    .trim();

/** By the name of the method. */
function docsIn(declaration: string): Map<string, Doc> {
  const found = new Map<string, Doc>();
  const pattern = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(\w+)\(/g;
  for (const [, comment = '', method = ''] of declaration.matchAll(pattern)) {
    const [text = '', ...rest] = comment.replaceAll(/^\s*\* ?/gm, '').split('@param ');
    const parameters = rest.map((one): [string, string] => {
      const [name = '', ...words] = one.split(' ');
      return [name.trim().replace(/^_/, ''), plain(words.join(' '))];
    });
    found.set(method, { text: plain(text), parameters: new Map(parameters) });
  }
  return found;
}

type Read = (api: string, method: string) => Doc | undefined;

/** Key of an operation -> which method says it, and what is left open of its words. */
const resourceOperations: readonly (readonly [key: string, method: string])[] = [
  ['create', 'createNamespacedDeployment'],
  ['list', 'listNamespacedDeployment'],
  ['read', 'readNamespacedDeployment'],
  ['replace', 'replaceNamespacedDeployment'],
  ['patch', 'patchNamespacedDeployment'],
  ['delete', 'deleteNamespacedDeployment'],
  ['deletecollection', 'deleteCollectionNamespacedDeployment'],
  ['read part', 'readNamespacedDeploymentStatus'],
  ['replace part', 'replaceNamespacedDeploymentStatus'],
  ['patch part', 'patchNamespacedDeploymentStatus'],
];
const serverOperations: readonly (readonly [key: string, api: string, method: string])[] = [
  ['group', 'AppsApi', 'getAPIGroup'],
  ['issuer', 'WellKnownApi', 'getServiceAccountIssuerOpenIDConfiguration'],
  ['keys', 'OpenidApi', 'getServiceAccountIssuerOpenIDKeyset'],
  ['resources', 'AppsV1Api', 'getAPIResources'],
  ['version', 'VersionApi', 'getCode'],
  ['versions', 'ApisApi', 'getAPIVersions'],
];

/** The client has no old paths of watches: these words are ours. */
const own: Described = {
  watch: 'watch {a kind}; deprecated: list with the parameter watch and a selector of fields',
  watchlist: 'watch all of kind {kind}; deprecated: list with the parameter watch',
};

const opened = (text: string, kind: string, part?: string): string => {
  const named = text.replace(new RegExp(`\\ban? ${kind}\\b`), '{a kind}').replace(kind, '{kind}');
  return part === undefined ? named : named.replace(part, '{part}');
};

function operations(read: Read): Described {
  const found: Described = { ...own };
  for (const [key, method] of resourceOperations) {
    const text = read('AppsV1Api', method)?.text;
    const part = key.endsWith(' part') ? 'status' : undefined;
    if (text !== undefined) found[key] = opened(text, 'Deployment', part);
  }
  for (const [key, api, method] of serverOperations) {
    const text = read(api, method)?.text;
    if (text !== undefined) found[key] = text;
  }
  const binding = read('CoreV1Api', 'createNamespacedPodBinding')?.text;
  if (binding !== undefined) found['create part'] = opened(binding, 'Pod', 'binding');
  const exec = read('CoreV1Api', 'connectGetNamespacedPodExec')?.text;
  if (exec !== undefined) found['connect'] = opened(exec, 'Pod', 'exec').replace('GET', '{method}');
  if (found['list'] !== undefined) found['list alone'] = found['list'].replace(' or watch', '');
  return found;
}

/** What is below a resource -> where its own parameters are told. */
const partMethods: Readonly<Record<string, string>> = {
  attach: 'connectGetNamespacedPodAttach',
  exec: 'connectGetNamespacedPodExec',
  log: 'readNamespacedPodLog',
  nodes: 'connectGetNodeProxy',
  pods: 'connectGetNamespacedPodProxy',
  portforward: 'connectGetNamespacedPodPortforward',
  services: 'connectGetNamespacedServiceProxy',
};

function parameters(read: Read): Described {
  const found: Described = {};
  const add = (doc: Doc | undefined): void => {
    for (const [name, text] of doc?.parameters ?? []) {
      if (text !== '') found[name] = text;
    }
  };
  for (const verb of ['list', 'delete', 'deleteCollection', 'create']) {
    add(read('AppsV1Api', `${verb}NamespacedDeployment`));
  }
  const patch = read('AppsV1Api', 'patchNamespacedDeployment')?.parameters;
  const [force, manager] = [patch?.get('force'), patch?.get('fieldManager')];
  if (force !== undefined) found['force'] = force;
  if (manager !== undefined) found['fieldManager of patch'] = manager;
  for (const [part, method] of Object.entries(partMethods)) {
    const doc = read('CoreV1Api', method);
    for (const key of parametersOf(part)) {
      const text = doc?.parameters.get(key.split(' ')[0] ?? '');
      if (text !== undefined) found[key] = text;
    }
  }
  const path = read('CoreV1Api', 'connectGetNamespacedPodProxyWithPath')?.parameters.get('path');
  if (path !== undefined) found['path'] = path;
  const { name } = found;
  if (name !== undefined) found['name'] = name.replace('Deployment', '{kind}');
  return found;
}

/** `apis`: the folder of the client's classes. */
export function describedOperations(apis: string): Record<'operations' | 'parameters', Described> {
  const known = new Map<string, Map<string, Doc>>();
  const read: Read = (api, method) => {
    const place = join(apis, `${api}.d.ts`);
    if (!known.has(api))
      known.set(api, existsSync(place) ? docsIn(readFileSync(place, 'utf8')) : new Map());
    return known.get(api)?.get(method);
  };
  return { operations: operations(read), parameters: parameters(read) };
}
