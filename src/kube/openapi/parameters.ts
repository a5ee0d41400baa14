// The parameters of requests as OpenAPI describes them: their types, which request has which, and by what names the
// ones that many have are shared in OpenAPI v2 (kube-openapi v0.0.0-20260721, builder/parameters.go).

type Json = Record<string, unknown>;

export interface ParameterForm {
  readonly isV3: boolean;
  /** What is said of a parameter, by its key; undefined: nothing. */
  describe(key: string): string | undefined;
}

type Row = readonly [
  type: 'string' | 'integer' | 'boolean',
  shared?: string | undefined,
  place?: 'path',
];

/**
 * By name, and by ` of ` what where one name has several meanings. `shared`: what stands behind the name in
 * OpenAPI v2 where the parameter is shared; upstream makes it of all that it says of the parameter.
 */
const rows: Readonly<Record<string, Row>> = {
  allowWatchBookmarks: ['boolean', 'HC2hJt-J'],
  'command of exec': ['string', 'Py3eQybp'],
  'container of attach': ['string', '_Q-EJ3nR'],
  'container of exec': ['string', 'i5dOmRiM'],
  'container of log': ['string', '1GeXxFDC'],
  continue: ['string', 'QfD61s0i'],
  dryRun: ['string'],
  fieldManager: ['string', 'Qy4HdaTW'],
  'fieldManager of patch': ['string', '7c6nTn1T'],
  fieldSelector: ['string', 'xIcQKXFG'],
  fieldValidation: ['string'],
  'follow of log': ['boolean', '9OIXh_2R'],
  force: ['boolean', 'tOGGb0Yi'],
  gracePeriodSeconds: ['integer', '-K5HaBOS'],
  ignoreStoreReadErrorWithClusterBreakingPotential: ['boolean', 'QbNkfIqj'],
  'insecureSkipTLSVerifyBackend of log': ['boolean', 'gM00jVbe'],
  labelSelector: ['string', '5Zw57w4C'],
  limit: ['integer', '1NfNmdNH'],
  'limitBytes of log': ['integer', 'zwd1RXuc'],
  name: ['string', undefined, 'path'],
  namespace: ['string', 'vgWSWtn3', 'path'],
  orphanDependents: ['boolean', 'uRB25kX5'],
  path: ['string', 'z6Ciiujn', 'path'],
  'path of nodes': ['string', 'rFDtV0x9'],
  'path of pods': ['string', 'oPbzgLUj'],
  'path of services': ['string', 'QCf0eosM'],
  'ports of portforward': ['integer', '91KROJmm'],
  pretty: ['string', 'tJGM1-ng'],
  'previous of log': ['boolean', '1jxDPu3y'],
  propagationPolicy: ['string', '6jk3prlO'],
  resourceVersion: ['string', '5WAnf1kx'],
  resourceVersionMatch: ['string', 't8XhRHeC'],
  sendInitialEvents: ['boolean', 'rLXlEK_k'],
  shardSelector: ['string', 'Kgyki_3_'],
  'sinceSeconds of log': ['integer', 'vE2NLdnP'],
  'stderr of attach': ['boolean', '26jJhFUR'],
  'stderr of exec': ['boolean', 'W_1TNlWc'],
  'stdin of attach': ['boolean', 'sEFnN3IS'],
  'stdin of exec': ['boolean', 'PSzNhyUC'],
  'stdout of attach': ['boolean', '005YMKE6'],
  'stdout of exec': ['boolean', '-EZLRwV1'],
  'stream of log': ['string', 'l-48cgXv'],
  'tailLines of log': ['integer', '9xQLWHMV'],
  timeoutSeconds: ['integer', 'yvYezaOC'],
  'timestamps of log': ['boolean', 'c17fW1w_'],
  'tty of attach': ['boolean', 'g7MlET_l'],
  'tty of exec': ['boolean', 's0flW37O'],
  watch: ['boolean', 'XNNPZGbK'],
};

export const writing = ['dryRun', 'fieldManager', 'fieldValidation'] as const;
export const patching = ['dryRun', 'fieldManager of patch', 'fieldValidation', 'force'] as const;
export const deleting = [
  'dryRun',
  'gracePeriodSeconds',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'orphanDependents',
  'propagationPolicy',
] as const;
export const listing = [
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'shardSelector',
  'timeoutSeconds',
  'watch',
] as const;

/** Those that only this part of a resource has: of its log, or of what a connection is for. */
export function parametersOf(part: string): readonly string[] {
  return Object.keys(rows).filter((key) => key.endsWith(` of ${part}`));
}

const nameOf = (key: string): string => key.split(' of ')[0] ?? key;

function rowOf(key: string): Row {
  const row = rows[key];
  if (row === undefined) throw new Error(`No parameter is called ${key}`);
  return row;
}

/** Upstream's order: by name, what is in the path before what is asked for. */
export function inOrder(keys: readonly string[]): string[] {
  const rank = (key: string): string => `${nameOf(key)} ${rowOf(key)[2] ?? 'query'}`;
  return [...new Set(keys)].toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

function described(form: ParameterForm, key: string): Json {
  const description = form.describe(key);
  return description === undefined ? {} : { description };
}

function whole(key: string, form: ParameterForm): Json {
  const [type, , place = 'query'] = rowOf(key);
  const name = nameOf(key);
  const required = place === 'path' ? { required: true } : {};
  const text = described(form, key);
  return form.isV3
    ? { name, in: place, ...text, ...required, schema: { type, uniqueItems: true } }
    : { uniqueItems: true, type, ...text, name, in: place, ...required };
}

/** Where an operation has it: in OpenAPI v2 a reference, when it is shared. */
export function parameter(key: string, form: ParameterForm): Json {
  const shared = rowOf(key)[1];
  if (form.isV3 || shared === undefined) return whole(key, form);
  return { $ref: `#/parameters/${nameOf(key)}-${shared}` };
}

const meta = '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1';
/** Bodies that have nothing to do with the kind are shared as well. */
const bodies: Readonly<Record<string, Json>> = {
  'body-2Y1dVQaQ': { name: 'body', in: 'body', schema: { $ref: `${meta}.DeleteOptions` } },
  'body-78PwaGsr': { name: 'body', in: 'body', required: true, schema: { $ref: `${meta}.Patch` } },
};

/** In OpenAPI v2 alone; `ref`: of the definition. */
export function bodyParameter(ref: string, isRequired: boolean): Json {
  const shared = Object.entries(bodies).find(([, { schema }]) => (schema as Json)['$ref'] === ref);
  if (shared !== undefined) return { $ref: `#/parameters/${shared[0]}` };
  const required = isRequired ? { required: true } : {};
  return { name: 'body', in: 'body', ...required, schema: { $ref: ref } };
}

/** All that are shared, by the names that references have. */
export function sharedParameters(describe: ParameterForm['describe']): Record<string, Json> {
  const form = { isV3: false, describe };
  const found = Object.entries(rows).flatMap(([key, [, shared]]): [string, Json][] =>
    shared === undefined ? [] : [[`${nameOf(key)}-${shared}`, whole(key, form)]],
  );
  const all = [...found, ...Object.entries(bodies)];
  return Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
