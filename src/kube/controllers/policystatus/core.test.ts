// Which types policies are checked by, what schemas become of documents, and that a status is written once for each
// generation. What is said of expressions: test/conformance/kube-policy-warnings.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiscoveredResource } from '#kube/client/discovery.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { doubtsOf, isUnchecked, statusOf, warningsOf, type CheckedKind } from './core.ts';
import { matchedTypes } from './matched-types.ts';
import { schemaOf, type OpenApiV3 } from './schemas.ts';

const known = (group: string, version: string, kinds: string): DiscoveredResource[] =>
  kinds.split(' ').map((kind) => ({
    group,
    version,
    kind,
    resource: `${kind.toLowerCase()}s`,
    singular: '',
    isNamespaced: true,
    verbs: [],
  }));

const resources = [
  ...known('', 'v1', 'Pod Service Event A B C D E F G H I J K'),
  ...known('apps', 'v1', 'Deployment DaemonSet'),
  ...known('events.k8s.io', 'v1', 'Event'),
  ...known('old.example.com', 'v1', 'Thing'),
  ...known('old.example.com', 'v1beta1', 'Thing'),
];

function policy(spec: object): KubeObject {
  const metadata = { name: 'p', generation: 3 };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata,
    spec,
  };
}

/** Rules of groups, versions and resources, with blanks between; `core` has no name. */
function types(...rules: [string, string, string][]): string {
  const resourceRules = rules.map(([groups, versions, names]) => ({
    apiGroups: groups.split(' ').map((one) => (one === 'core' ? '' : one)),
    apiVersions: versions.split(' '),
    resources: names.split(' '),
  }));
  return matchedTypes(policy({ matchConstraints: { resourceRules } }), resources)
    .map(({ group, version, kind }) => `${group}/${version}/${kind}`)
    .join(' ');
}

test('types that rules match, as far as that can be told', () => {
  assert.equal(types(['apps', 'v1', 'deployments']), 'apps/v1/Deployment');
  assert.equal(types(['apps', 'v1', 'deployment']), 'apps/v1/Deployment');
  assert.equal(types(['apps core', 'v1', 'pods daemonsets']), '/v1/Pod apps/v1/DaemonSet');
  assert.equal(types(['core', 'v1', 'events']), '/v1/Event events.k8s.io/v1/Event');
  assert.equal(
    types(['old.example.com', 'v1beta1 v1', 'things']),
    'old.example.com/v1/Thing old.example.com/v1beta1/Thing',
  );
  assert.equal(types(['*', 'v1', 'pods']), '');
  assert.equal(types(['core', '*', 'pods'], ['apps', 'v1', 'deployments']), 'apps/v1/Deployment');
  assert.equal(types(['core', 'v1', '*']), '');
  assert.equal(types(['core', 'v1', '*/scale pods/status pods']), '/v1/Pod');
  assert.equal(types(['gone.example.com', 'v1', 'pods']), '');
  assert.deepEqual(matchedTypes(policy({}), resources), []);
});

test('at most ten types of a rule, and none of the rules behind it', () => {
  const all = 'as bs cs ds es fs gs hs is js ks';
  const found = types(['core', 'v1', all], ['apps', 'v1', 'deployments']);
  assert.equal(found, 'A B C D E F G H I J'.replaceAll(/\w/g, '/v1/$&'));
});

const told = (given: KubeObject, objects: readonly CheckedKind[]) =>
  warningsOf(
    given,
    objects.map((one) => doubtsOf(given, one)),
  );

const kind = { group: 'example.com', version: 'v1', kind: 'Tree' };
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const document = (schemas: object): OpenApiV3 => ({
  components: {
    schemas: {
      tree: {
        type: 'object',
        properties: {
          kept: { allOf: [ref('part')] },
          child: ref('tree'),
          list: { items: ref('port') },
        },
        'x-kubernetes-group-version-kind': [{ ...kind, version: 'v2' }, kind],
      },
      port: { oneOf: [], format: 'int-or-string' },
      ...schemas,
    } as Record<string, object>,
  },
});

test('a schema has everything in it that it refers to; itself is an object of no fields', () => {
  const whole = document({ part: { type: 'object', additionalProperties: { type: 'string' } } });
  assert.deepEqual(schemaOf(whole, kind), {
    type: 'object',
    properties: {
      kept: { type: 'object', additionalProperties: { type: 'string' } },
      child: { type: 'object' },
      list: { items: { format: 'int-or-string', 'x-kubernetes-int-or-string': true } },
    },
  });
  assert.equal(schemaOf(whole, { ...kind, kind: 'Bush' }), undefined);
  assert.equal(schemaOf(document({}), kind), undefined, 'a part is missing');
  assert.equal(schemaOf({}, kind), undefined);
});

test('expressions are looked at for each type, and those of no type not at all', () => {
  const validations = [
    { expression: 'object.a == variables.b', messageExpression: 'object.c' },
    { expression: 'variables.broken.anything' },
  ];
  const variables = [
    { name: 'b', expression: '1' },
    { name: 'broken', expression: 'object.none' },
  ];
  const objects = ['First', 'Second'].map((name, i) => ({
    kind: { ...kind, kind: name },
    schema: { type: 'object', properties: { a: { type: i === 0 ? 'string' : 'integer' } } },
  }));
  const given = policy({ validations, variables });
  assert.deepEqual(
    told(given, objects).map(({ fieldRef, warning }) => [
      fieldRef,
      warning.match(/Kind=\w+: ERROR: \S+/g),
    ]),
    [
      ['spec.validations[0].expression', ['Kind=First: ERROR: <input>:1:10:']],
      [
        'spec.validations[0].messageExpression',
        ['Kind=First: ERROR: <input>:1:7:', 'Kind=Second: ERROR: <input>:1:7:'],
      ],
    ],
  );
  assert.deepEqual(told(given, []), []);
  const isOpen = told(given, [{ kind, schema: {} }]);
  assert.deepEqual(isOpen, [], 'a type that nothing is known of');
});

test('a policy is looked at once for each generation', () => {
  const fresh = policy({});
  assert.equal(isUnchecked(fresh), true);
  const effect = statusOf(fresh, []);
  assert.ok(effect.kind === 'patch');
  assert.equal(effect.fieldManager, 'validatingadmissionpolicy-status');
  const { status } = effect.patch as { status: object };
  assert.deepEqual(status, { observedGeneration: 3, typeChecking: {} });
  assert.equal(isUnchecked({ ...fresh, status }), false);
  assert.equal(isUnchecked({ ...fresh, status: { observedGeneration: 2 } }), true);
});
