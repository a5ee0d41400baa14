// Requests under admission policies: validating with bindings, parameters, variables and messages of their
// own; mutating by apply configurations and JSON patches; and policies that are wrong.
import type { Step } from './step-player.ts';

type Json = Record<string, unknown>;

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const POLICIES = `${ADMISSION}/validatingadmissionpolicies`;
const BINDINGS = `${ADMISSION}/validatingadmissionpolicybindings`;
const MUTATING = `${ADMISSION}/mutatingadmissionpolicies`;
const MUTATING_BINDINGS = `${ADMISSION}/mutatingadmissionpolicybindings`;

const rule = (groups: string[], resources: string[], operations = ['CREATE', 'UPDATE']): Json => ({
  apiGroups: groups,
  apiVersions: ['*'],
  operations,
  resources,
});

function create(name: string, path: string, body: Json, extra: Partial<Step> = {}): Step {
  return { name, method: 'POST', path, body, ...extra };
}

function namespace(name: string, labels: Json = {}): Step[] {
  return [
    create(
      `namespace ${name}`,
      '/api/v1/namespaces',
      { metadata: { name, labels } },
      { isSilent: true },
    ),
    create(
      `account of ${name}`,
      `/api/v1/namespaces/${name}/serviceaccounts`,
      { metadata: { name: 'default' }, automountServiceAccountToken: false },
      { isSilent: true },
    ),
  ];
}

/** Made, and waited for until a request that it must refuse is refused. */
function policy(
  name: string,
  spec: Json,
  binding: Json,
  probe: { path: string; body: Json },
): Step[] {
  return [
    create(`policy ${name}`, POLICIES, { metadata: { name }, spec }, { isSilent: true }),
    create(
      `binding of ${name}`,
      BINDINGS,
      { metadata: { name: `${name}-binding` }, spec: { policyName: name, ...binding } },
      { isSilent: true },
    ),
    create(`policy ${name} acts`, `${probe.path}?dryRun=All`, probe.body, {
      until: (status) => status >= 400 && status !== 404,
    }),
  ];
}

const maps = (place: string): string => `/api/v1/namespaces/${place}/configmaps`;
const map = (name: string, data: Json = {}, labels: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data,
});

function validating(): Step[] {
  const place = 'policies';
  const inPlace = { namespaceSelector: { matchLabels: { policed: 'yes' } } };
  const paths = `${maps(place)}?dryRun=All`;
  const spec: Json = {
    failurePolicy: 'Fail',
    matchConstraints: { resourceRules: [rule([''], ['configmaps'])], ...inPlace },
    matchConditions: [
      { name: 'not-exempt', expression: "!object.metadata.name.startsWith('exempt')" },
    ],
    variables: [
      { name: 'size', expression: 'has(object.data) ? size(object.data) : 0' },
      { name: 'limit', expression: 'variables.size + 1' },
    ],
    validations: [
      { expression: 'variables.size < 3', message: 'too many entries' },
      {
        expression: "!has(object.data) || !('bad' in object.data)",
        messageExpression: "'bad is not allowed, limit ' + string(variables.limit)",
        reason: 'Forbidden',
      },
      { expression: "object.metadata.name != 'wrong'" },
      { expression: "!has(object.data) || object.data.all(k, object.data[k] != 'x')" },
      {
        expression: 'oldObject == null || !has(oldObject.data) || oldObject.data == object.data',
        message: 'data is final',
      },
      {
        expression:
          "request.userInfo.username != 'nobody' && request.operation in ['CREATE', 'UPDATE']",
      },
      { expression: "namespaceObject.metadata.name == 'policies'" },
      {
        expression:
          "authorizer.group('').resource('pods').namespace('policies').check('create').allowed()",
      },
      { expression: "!has(object.data) || !has(object.data.fail) || object.data.nothing == 'x'" },
    ],
    auditAnnotations: [{ key: 'size', valueExpression: "'has ' + string(variables.size)" }],
  };
  return [
    ...namespace(place, { policed: 'yes' }),
    ...policy(
      'strict',
      spec,
      { validationActions: ['Deny'] },
      { path: maps(place), body: map('wrong') },
    ),
    create('strict: all well', paths, map('fine', { a: '1' })),
    create('strict: exempt', paths, map('exempt-wrong', { a: '1', b: '2', c: '3' })),
    create('strict: too many', paths, map('fine', { a: '1', b: '2', c: '3' })),
    create('strict: forbidden', paths, map('fine', { bad: '1' })),
    create('strict: without a message', paths, map('fine', { a: 'x' })),
    create('strict: expression fails', paths, map('fine', { fail: '1' })),
    create('strict: made', maps(place), map('kept', { a: '1' })),
    {
      name: 'strict: changed',
      method: 'PATCH',
      path: `${maps(place)}/kept`,
      type: 'application/merge-patch+json',
      body: { data: { b: '2' } },
    },
    {
      name: 'strict: labelled',
      method: 'PATCH',
      path: `${maps(place)}/kept`,
      type: 'application/merge-patch+json',
      body: { metadata: { labels: { a: 'b' } } },
    },
    create('strict: elsewhere', '/api/v1/namespaces/default/configmaps?dryRun=All', map('wrong')),
    create('strict: secrets are not meant', `/api/v1/namespaces/${place}/secrets?dryRun=All`, {
      metadata: { name: 'wrong' },
    }),
  ];
}

function parameters(): Step[] {
  const place = 'params';
  const spec: Json = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConstraints: {
      resourceRules: [rule(['apps'], ['deployments'])],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': place } },
    },
    validations: [
      {
        expression: 'object.spec.replicas <= int(params.data.max)',
        messageExpression: "'replicas must be at most ' + params.data.max",
      },
    ],
  };
  const deployment = (replicas: number): Json => ({
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'a', image: 'b' }] },
      },
    },
  });
  const path = `/apis/apps/v1/namespaces/${place}/deployments?dryRun=All`;
  return [
    ...namespace(place),
    ...policy(
      'bounded',
      spec,
      {
        validationActions: ['Deny'],
        paramRef: { name: 'limits', namespace: place, parameterNotFoundAction: 'Deny' },
      },
      { path: `/apis/apps/v1/namespaces/${place}/deployments`, body: deployment(9) },
    ),
    create('bounded: limits', maps(place), map('limits', { max: '3' }), { isSilent: true }),
    create('bounded: too many', path, deployment(5), {
      until: (_status, body) => String(body['message']).includes('at most'),
    }),
    create('bounded: few', path, deployment(2), { isSilent: true }),
  ];
}

function warning(): Step[] {
  const place = 'warned';
  const spec: Json = {
    matchConstraints: {
      resourceRules: [rule([''], ['configmaps'])],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': place } },
    },
    validations: [{ expression: "object.metadata.name != 'wrong'", message: 'wrong is wrong' }],
  };
  return [
    ...namespace(place),
    create('policy warning', POLICIES, { metadata: { name: 'warning' }, spec }, { isSilent: true }),
    create('binding of warning', BINDINGS, {
      metadata: { name: 'warning' },
      spec: { policyName: 'warning', validationActions: ['Warn', 'Audit'] },
    }),
    create('warning: probe', `${maps(place)}?dryRun=All`, map('wrong'), {
      isSilent: true,
      // Warnings are not in the body: the policy above has been taken up by then.
      until: () => true,
    }),
    ...policy(
      'later',
      { ...spec, validations: [{ expression: "object.metadata.name != 'probe'" }] },
      { validationActions: ['Deny'] },
      { path: maps(place), body: map('probe') },
    ),
    create('warning: warned', `${maps(place)}?dryRun=All`, map('wrong')),
    {
      name: 'deletion: policy',
      method: 'POST',
      path: POLICIES,
      body: {
        metadata: { name: 'undeletable' },
        spec: {
          matchConstraints: {
            resourceRules: [rule([''], ['configmaps'], ['DELETE'])],
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': place } },
          },
          validations: [
            {
              expression: "oldObject.metadata.name != 'stays' && object == null",
              message: 'it stays',
            },
          ],
        },
      },
      isSilent: true,
    },
    create(
      'deletion: binding',
      BINDINGS,
      {
        metadata: { name: 'undeletable' },
        spec: { policyName: 'undeletable', validationActions: ['Deny'] },
      },
      { isSilent: true },
    ),
    create('deletion: made', maps(place), map('stays'), { isSilent: true }),
    {
      name: 'deletion: refused',
      method: 'DELETE',
      path: `${maps(place)}/stays?dryRun=All`,
      until: (status) => status >= 400,
    },
  ];
}

function mutating(): Step[] {
  const place = 'mutated';
  const constraints = {
    resourceRules: [rule([''], ['configmaps'], ['CREATE'])],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': place } },
  };
  const mutations: Json[] = [
    {
      patchType: 'ApplyConfiguration',
      applyConfiguration: {
        expression:
          'Object{metadata: Object.metadata{labels: Object.metadata.labels{applied: "yes"}}, data: Object.data{count: string(has(object.data) ? size(object.data) : 0)}}',
      },
    },
    {
      patchType: 'JSONPatch',
      jsonPatch: {
        expression:
          '[JSONPatch{op: "test", path: "/data/count", value: "1"}, JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/b"), value: "patched"}]',
      },
    },
  ];
  const paths = `${maps(place)}?dryRun=All`;
  return [
    ...namespace(place),
    create('mutating policy', MUTATING, {
      metadata: { name: 'mutating' },
      spec: {
        matchConstraints: constraints,
        reinvocationPolicy: 'Never',
        failurePolicy: 'Fail',
        mutations,
      },
    }),
    create('mutating binding', MUTATING_BINDINGS, {
      metadata: { name: 'mutating' },
      spec: { policyName: 'mutating' },
    }),
    create('mutating: applied', paths, map('one', { a: '1' }), {
      until: (_status, body) => ((body['data'] ?? {}) as Json)['count'] !== undefined,
    }),
    create('mutating: test fails', paths, map('two', { a: '1', b: '2' })),
    create(
      'mutating fails: policy',
      MUTATING,
      {
        metadata: { name: 'failing' },
        spec: {
          matchConstraints: constraints,
          reinvocationPolicy: 'Never',
          failurePolicy: 'Fail',
          matchConditions: [{ name: 'only', expression: "object.metadata.name == 'fails'" }],
          mutations: [
            {
              patchType: 'ApplyConfiguration',
              applyConfiguration: {
                expression: 'Object{data: Object.data{x: object.data.missing}}',
              },
            },
          ],
        },
      },
      { isSilent: true },
    ),
    create(
      'mutating fails: binding',
      MUTATING_BINDINGS,
      { metadata: { name: 'failing' }, spec: { policyName: 'failing' } },
      { isSilent: true },
    ),
    create('mutating fails: refused', paths, map('fails', { a: '1' }), {
      until: (status) => status >= 400,
    }),
  ];
}

const wrongSpecs: Readonly<Record<string, Json>> = {
  'syntax error': { validations: [{ expression: 'object.metadata.name ==' }] },
  'unknown variable': { validations: [{ expression: 'thing.x == 1' }] },
  'params without a kind': { validations: [{ expression: 'params.x == 1' }] },
  'unknown composite': { validations: [{ expression: 'variables.nope == 1' }] },
  'no boolean': { validations: [{ expression: '"text"' }] },
  'no validations': { validations: [] },
  'empty expression': { validations: [{ expression: '' }] },
  'wrong reason': { validations: [{ expression: 'true', reason: 'Odd' }] },
  'wrong message expression': { validations: [{ expression: 'true', messageExpression: '5' }] },
  'wrong failure policy': { failurePolicy: 'Odd', validations: [{ expression: 'true' }] },
  'wrong variable name': {
    variables: [{ name: '5x', expression: 'true' }],
    validations: [{ expression: 'true' }],
  },
  'wrong condition': {
    matchConditions: [{ name: 'a b', expression: 'x' }],
    validations: [{ expression: 'true' }],
  },
  'no constraints': { matchConstraints: null, validations: [{ expression: 'true' }] },
  'no rules': { matchConstraints: { resourceRules: [] }, validations: [{ expression: 'true' }] },
  'rule without operations': {
    matchConstraints: {
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
    },
    validations: [{ expression: 'true' }],
  },
};

function wrong(): Step[] {
  const constraints = { resourceRules: [rule([''], ['configmaps'])] };
  const steps = Object.entries(wrongSpecs).map(([name, spec]) =>
    create(`wrong policy: ${name}`, `${POLICIES}?dryRun=All`, {
      metadata: { name: 'wrong' },
      spec: { matchConstraints: constraints, ...spec },
    }),
  );
  steps.push(
    create('right policy: defaults', `${POLICIES}?dryRun=All`, {
      metadata: { name: 'right' },
      spec: { matchConstraints: constraints, validations: [{ expression: 'true' }] },
    }),
    create('wrong binding: no actions', `${BINDINGS}?dryRun=All`, {
      metadata: { name: 'x' },
      spec: { policyName: 'x' },
    }),
    create('wrong binding: no policy', `${BINDINGS}?dryRun=All`, {
      metadata: { name: 'x' },
      spec: { validationActions: ['Deny'] },
    }),
    create('wrong binding: deny and warn', `${BINDINGS}?dryRun=All`, {
      metadata: { name: 'x' },
      spec: { policyName: 'x', validationActions: ['Deny', 'Warn'] },
    }),
    create('wrong mutating policy: no mutations', `${MUTATING}?dryRun=All`, {
      metadata: { name: 'x' },
      spec: { matchConstraints: constraints },
    }),
  );
  return steps;
}

export function policySteps(): Step[] {
  return [...validating(), ...parameters(), ...warning(), ...mutating(), ...wrong()];
}
