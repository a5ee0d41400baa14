// The paths of the server itself in its OpenAPI documents: where discovery begins, of each group and version, its
// version and its keys; and the types that those answer with.
import type { Schema } from '#kube/meta/schema.ts';
import type { GroupVersions } from './discovery.ts';
import { operationId, pathItem, tagOf, type Operation, type PathForm } from './operations.ts';

type Json = Record<string, unknown>;

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const INFO = 'io.k8s.apimachinery.pkg.version.Info';
const text: Schema = { type: 'string' };

function object(name: string, fields: Record<string, Schema>, required: readonly string[]): Schema {
  const properties = Object.fromEntries(
    Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
  const some = required.length === 0 ? {} : { required };
  return { type: 'object', name, properties, ...some };
}

const kind = { apiVersion: text, kind: text };
const atomic = (items: Schema): Schema => ({ type: 'array', items, listType: 'atomic' });

const address = object(
  `${meta}.ServerAddressByClientCIDR`,
  { clientCIDR: text, serverAddress: text },
  ['clientCIDR', 'serverAddress'],
);
const groupVersion = object(
  `${meta}.GroupVersionForDiscovery`,
  { groupVersion: text, version: text },
  ['groupVersion', 'version'],
);
const apiGroup = object(
  `${meta}.APIGroup`,
  {
    ...kind,
    name: text,
    preferredVersion: groupVersion,
    serverAddressByClientCIDRs: atomic(address),
    versions: atomic(groupVersion),
  },
  ['name', 'versions'],
);
const apiResource = object(
  `${meta}.APIResource`,
  {
    categories: atomic(text),
    group: text,
    kind: text,
    name: text,
    namespaced: { type: 'boolean' },
    shortNames: atomic(text),
    singularName: text,
    storageVersionHash: text,
    verbs: { type: 'array', items: text },
    version: text,
  },
  ['name', 'singularName', 'namespaced', 'kind', 'verbs'],
);
const built = ['major', 'minor', 'gitVersion', 'gitCommit', 'gitTreeState', 'buildDate'];
const versionFields = [...built, 'goVersion', 'compiler', 'platform'];
const compatible = ['emulationMajor', 'emulationMinor', 'minCompatibilityMajor'];

/** Types that no object has and no table of types knows. */
const types = [
  address,
  groupVersion,
  apiGroup,
  object(`${meta}.APIGroupList`, { ...kind, groups: atomic(apiGroup) }, ['groups']),
  apiResource,
  object(
    `${meta}.APIResourceList`,
    { ...kind, groupVersion: text, resources: atomic(apiResource) },
    ['groupVersion', 'resources'],
  ),
  object(
    `${meta}.APIVersions`,
    { ...kind, serverAddressByClientCIDRs: atomic(address), versions: atomic(text) },
    ['versions', 'serverAddressByClientCIDRs'],
  ),
  object(`${meta}.Patch`, {}, []),
  object(
    INFO,
    Object.fromEntries(
      [...versionFields, ...compatible, 'minCompatibilityMinor'].map((name) => [name, text]),
    ),
    versionFields,
  ),
];

const byName = new Map(types.map((one) => [String(one.name), one]));

export const serverTypeNames: readonly string[] = [...byName.keys()];

export function serverType(name: string): Schema | undefined {
  return byName.get(name);
}

const discoveryTypes = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
];

function discovery(own: Pick<Operation, 'id' | 'tag' | 'text' | 'reply'>): Operation {
  return { method: 'get', consumes: discoveryTypes, produces: discoveryTypes, ...own };
}

const group = (name: string): Operation =>
  discovery({
    id: operationId('get', { group: name }, 'APIGroup'),
    tag: tagOf(name),
    text: 'group',
    reply: `${meta}.APIGroup`,
  });

const version = (name: string, own: string): Operation =>
  discovery({
    id: operationId('get', { group: name, version: own }, 'APIResources'),
    tag: tagOf(name, own),
    text: 'resources',
    reply: `${meta}.APIResourceList`,
  });

const issuer = 'getServiceAccountIssuerOpenID';
const json = ['application/json'];
const keys = ['application/jwk-set+json'];

const ofServer: Readonly<Record<string, Operation>> = {
  '.well-known/openid-configuration': {
    method: 'get',
    id: `${issuer}Configuration`,
    tag: 'WellKnown',
    text: 'issuer',
    produces: json,
  },
  api: discovery({
    id: operationId('get', { group: '' }, 'APIVersions'),
    tag: tagOf(''),
    text: 'versions',
    reply: `${meta}.APIVersions`,
  }),
  apis: discovery({
    id: 'getAPIVersions',
    tag: 'apis',
    text: 'versions',
    reply: `${meta}.APIGroupList`,
  }),
  'openid/v1/jwks': {
    method: 'get',
    id: `${issuer}Keyset`,
    tag: 'openid',
    text: 'keys',
    produces: keys,
  },
  version: {
    method: 'get',
    id: 'getCodeVersion',
    tag: 'version',
    text: 'version',
    consumes: json,
    produces: json,
    reply: INFO,
  },
};

/** Of each path, without slashes around it, what it does; versions of the groups among them. */
function operationsOf(groups: readonly GroupVersions[]): Map<string, Operation> {
  const found = new Map(Object.entries(ofServer));
  for (const { group: name, versions } of groups) {
    const root = name === '' ? 'api' : `apis/${name}`;
    if (name !== '') found.set(root, group(name));
    for (const own of versions) found.set(`${root}/${own}`, version(name, own));
  }
  return found;
}

/** The names of the documents of OpenAPI v3 that have no resources. */
export function serverDocuments(groups: readonly GroupVersions[]): string[] {
  return [...operationsOf(groups.map((one) => ({ ...one, versions: [] }))).keys()].toSorted();
}

/** `wanted`: one path, as a document of OpenAPI v3 is named; all of them when it is left out. */
export function serverPaths(
  groups: readonly GroupVersions[],
  form: PathForm,
  wanted?: string,
): Record<string, Json> {
  const found = [...operationsOf(groups)].filter(([path]) => path === (wanted ?? path));
  return Object.fromEntries(found.map(([path, one]) => [`/${path}/`, pathItem([one], '', form)]));
}
