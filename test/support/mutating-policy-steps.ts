// Requests that MutatingAdmissionPolicies change or refuse: apply configurations and JSON patches of every kind of
// value, variables, parameters, conditions, reinvocation, failure policies; and policies that are wrong.
import { onMaps, onPods } from './mutating-policy-expressions.ts';
import { mutatingPolicyMistakes } from './mutating-policy-mistakes.ts';
import {
  applying,
  mutatingBindings as BINDINGS,
  mutatingPolicies as POLICIES,
  patching,
  rules,
} from './mutating-policy-parts.ts';
import { create, namespace, silent, type Json } from './step-parts.ts';
import type { Step } from './step-player.ts';

const place = 'mutations';
const base = `/api/v1/namespaces/${place}`;

interface Case {
  readonly mutations: readonly Json[];
  readonly policy?: Json;
  readonly binding?: Json;
  /** What is asked, by the path after the namespace. */
  readonly path?: string;
  readonly object?: Json;
}

/** Objects are meant by a label with the name of the case. */
const pod = (spec: Json = {}): Json => ({
  spec: { containers: [{ name: 'main', image: 'a:1', env: [{ name: 'A', value: '1' }] }], ...spec },
});

const add = (key: string, value = '"x"'): Json =>
  patching(`[JSONPatch{op: "add", path: "/data/${key}", value: ${value}}]`);

function otherCases(): Readonly<Record<string, Case>> {
  const ignoring = { failurePolicy: 'Ignore' };
  const map = { data: { a: '1' } };
  return {
    'first-fails-ignored': {
      mutations: [add('b', 'object.data.none'), add('c')],
      policy: ignoring,
    },
    'first-fails': {
      mutations: [add('b', 'object.data.none'), add('c'), add('d', 'object.data.none')],
    },
    'one-after-another': {
      mutations: [
        add('b'),
        add('c', 'object.data.b + "y"'),
        applying('Object{data: {"d": string(object.data.size())}}'),
      ],
    },
    variables: {
      mutations: [
        add('b', 'variables.both'),
        applying('Object{data: {"c": variables.size, "d": variables.both}}'),
      ],
      policy: {
        variables: [
          { name: 'size', expression: 'string(object.data.size())' },
          { name: 'both', expression: 'variables.size + variables.size' },
        ],
      },
    },
    'variable-object': {
      mutations: [applying('Object{data: variables.made}')],
      policy: { variables: [{ name: 'made', expression: '{"b": "c"}' }] },
    },
    'variable-fails': {
      mutations: [applying('Object{data: {"b": variables.bad}}')],
      policy: { variables: [{ name: 'bad', expression: 'object.data.none' }] },
    },
    'variable-fails-unused': {
      mutations: [add('c')],
      policy: { variables: [{ name: 'bad', expression: 'object.data.none' }] },
    },
    'condition-false': {
      mutations: [add('b')],
      policy: { matchConditions: [{ name: 'never', expression: 'false' }] },
    },
    'condition-fails': {
      mutations: [add('b')],
      policy: { matchConditions: [{ name: 'bad', expression: 'object.data.none == "x"' }] },
    },
    'condition-fails-ignored': {
      mutations: [add('b')],
      policy: {
        ...ignoring,
        matchConditions: [{ name: 'bad', expression: 'object.data.none == "x"' }],
      },
    },
    'condition-fails-but-false': {
      mutations: [add('b')],
      policy: {
        matchConditions: [
          { name: 'bad', expression: 'object.data.none == "x"' },
          { name: 'never', expression: 'false' },
        ],
      },
    },
    params: {
      mutations: [
        add('b', 'params.data.value'),
        add('c', 'string(has(params.kind)) + params.metadata.name'),
      ],
      policy: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } },
      binding: { paramRef: { name: 'given', namespace: place, parameterNotFoundAction: 'Deny' } },
    },
    'params-same-place': {
      mutations: [add('b', 'params.data.value')],
      policy: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } },
      binding: { paramRef: { name: 'given', parameterNotFoundAction: 'Deny' } },
    },
    'params-gone': {
      mutations: [add('b', 'params.data.value')],
      policy: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } },
      binding: { paramRef: { name: 'none', namespace: place, parameterNotFoundAction: 'Deny' } },
    },
    'params-gone-ignored': {
      mutations: [add('b', 'params.data.value')],
      policy: { ...ignoring, paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } },
      binding: { paramRef: { name: 'none', namespace: place, parameterNotFoundAction: 'Deny' } },
    },
    'params-gone-allowed': {
      mutations: [add('b', 'params.data.value')],
      policy: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } },
      binding: { paramRef: { name: 'none', namespace: place, parameterNotFoundAction: 'Allow' } },
    },
    'params-without-ref': {
      mutations: [add('b', 'params == null ? "none" : "some"')],
      policy: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } },
    },
    'params-several': {
      mutations: [
        patching(
          '[JSONPatch{op: "add", path: "/data/" + params.metadata.name, value: params.data.value}]',
        ),
      ],
      policy: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } },
      binding: {
        paramRef: {
          selector: { matchLabels: { given: 'yes' } },
          namespace: place,
          parameterNotFoundAction: 'Deny',
        },
      },
    },
    'params-in-condition': {
      mutations: [add('b')],
      policy: {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConditions: [{ name: 'on', expression: 'params.data.value == "other"' }],
      },
      binding: { paramRef: { name: 'given', namespace: place, parameterNotFoundAction: 'Deny' } },
    },
    'params-of-a-place': {
      mutations: [add('b', 'params.metadata.name')],
      policy: { paramKind: { apiVersion: 'v1', kind: 'Namespace' } },
      binding: { paramRef: { name: place, namespace: place, parameterNotFoundAction: 'Deny' } },
    },
    'params-of-the-cluster': {
      mutations: [add('b', 'params.metadata.name')],
      policy: { paramKind: { apiVersion: 'v1', kind: 'Namespace' } },
      binding: { paramRef: { name: place, parameterNotFoundAction: 'Deny' } },
    },
    'params-of-no-kind': {
      mutations: [add('b')],
      policy: { paramKind: { apiVersion: 'nothing.example.com/v1', kind: 'Nothing' } },
      binding: { paramRef: { name: 'given', parameterNotFoundAction: 'Deny' } },
    },
    'bound-elsewhere': {
      mutations: [add('b')],
      binding: { matchResources: { namespaceSelector: { matchLabels: { nothing: 'x' } } } },
    },
    'bound-to-others': {
      mutations: [add('b')],
      binding: { matchResources: { resourceRules: rules('secrets') } },
    },
    'too-dear': {
      mutations: [
        add(
          'b',
          'string([1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c, [1,2,3,4,5,6,7,8,9,10].map(d, [1,2,3,4,5,6,7,8,9,10].map(e, [1,2,3,4,5,6,7,8,9,10].map(f, a*b*c*d*e*f)))))).size())',
        ),
      ],
    },
    'again-once': {
      mutations: [
        patching(
          'has(object.data.n) ? [JSONPatch{op: "add", path: "/data/n2", value: "again"}] : [JSONPatch{op: "add", path: "/data/n", value: "once"}]',
        ),
      ],
      policy: { reinvocationPolicy: 'IfNeeded' },
    },
    'never-again': {
      mutations: [
        patching(
          'has(object.data.n) ? [JSONPatch{op: "add", path: "/data/n2", value: "again"}] : [JSONPatch{op: "add", path: "/data/n", value: "once"}]',
        ),
      ],
    },
    deployment: {
      mutations: [
        applying(
          'Object{spec: Object.spec{replicas: 3, template: Object.spec.template{metadata: Object.spec.template.metadata{labels: {"x": "y"}}, spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "a", imagePullPolicy: "Never"}]}}}}',
        ),
      ],
      policy: { matchConstraints: { resourceRules: rules('deployments') } },
      path: `/apis/apps/v1/namespaces/${place}/deployments`,
      object: {
        spec: {
          selector: { matchLabels: { app: 'w' } },
          template: {
            metadata: { labels: { app: 'w' } },
            spec: { containers: [{ name: 'a', image: 'b' }] },
          },
        },
      },
    },
    service: {
      mutations: [
        applying(
          'Object{spec: Object.spec{type: "NodePort", ports: [Object.spec.ports{port: 80, name: "web"}, Object.spec.ports{port: 81, protocol: "UDP", name: "other"}]}}',
        ),
      ],
      policy: { matchConstraints: { resourceRules: rules('services') } },
      path: `${base}/services`,
      object: { spec: { clusterIP: 'None', ports: [{ port: 80 }] } },
    },
    namespace: {
      mutations: [
        applying(
          'Object{metadata: Object.metadata{labels: {"made": string(namespaceObject == null)}}}',
        ),
      ],
      policy: { matchConstraints: { resourceRules: rules('namespaces') } },
      path: '/api/v1/namespaces',
    },
    'old-version': {
      mutations: [
        applying('Object{spec: Object.spec{minReplicas: 2, targetCPUUtilizationPercentage: 33}}'),
      ],
      policy: {
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ['autoscaling'],
              apiVersions: ['v1'],
              operations: ['CREATE'],
              resources: ['horizontalpodautoscalers'],
            },
          ],
        },
      },
      path: `/apis/autoscaling/v2/namespaces/${place}/horizontalpodautoscalers`,
      object: {
        spec: {
          maxReplicas: 5,
          scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
        },
      },
    },
    secret: {
      mutations: [
        patching(
          '[JSONPatch{op: "add", path: "/data/k", value: b"abc"}, JSONPatch{op: "add", path: "/stringData", value: {"s": "t"}}]',
        ),
      ],
      policy: { matchConstraints: { resourceRules: rules('secrets') } },
      path: `${base}/secrets`,
      object: { data: { a: 'YQ==' } },
    },
    policies: {
      mutations: [applying('Object{metadata: Object.metadata{labels: {"x": "y"}}}')],
      policy: { matchConstraints: { resourceRules: rules('*') } },
      path: BINDINGS,
      object: { spec: { policyName: 'nothing' } },
    },
    ...Object.fromEntries(
      Object.entries(onPods).map(([name, expression]) => [
        name,
        {
          mutations: [applying(expression)],
          policy: { matchConstraints: { resourceRules: rules('pods') } },
          path: `${base}/pods`,
          object: pod(),
        },
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(onMaps).map(([name, expression]) => [
        name,
        { mutations: [patching(expression)], object: map },
      ]),
    ),
  };
}

function caseSteps(): Step[] {
  const cases = otherCases();
  const maps = `${base}/configmaps`;
  const made = Object.entries(cases).flatMap(([name, one]) => {
    const { matchConstraints = { resourceRules: rules('configmaps') }, ...more } = one.policy ?? {};
    const constraints = {
      ...(matchConstraints as Json),
      objectSelector: { matchLabels: { case: name } },
    };
    const spec = {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      matchConstraints: constraints,
      mutations: one.mutations,
      ...more,
    };
    return [
      create(`${name}: policy`, POLICIES, { metadata: { name }, spec }),
      create(
        `${name}: binding`,
        BINDINGS,
        { metadata: { name }, spec: { policyName: name, ...one.binding } },
        silent,
      ),
    ];
  });
  const asked = Object.entries(cases).map(
    ([name, { path = maps, object = { data: { a: '1' } } }]) =>
      create(`${name}: asked`, `${path}?dryRun=All`, {
        metadata: { name, labels: { case: name } },
        ...object,
      }),
  );
  const barrier: Step[] = [
    create('barrier: policy', POLICIES, {
      metadata: { name: 'zz-barrier' },
      spec: {
        reinvocationPolicy: 'Never',
        matchConstraints: {
          resourceRules: rules('configmaps'),
          objectSelector: { matchLabels: { case: 'barrier' } },
        },
        mutations: [add('b')],
      },
    }),
    create('barrier: binding', BINDINGS, {
      metadata: { name: 'zz-barrier' },
      spec: { policyName: 'zz-barrier' },
    }),
    create(
      'barrier: asked',
      `${maps}?dryRun=All`,
      { metadata: { name: 'barrier', labels: { case: 'barrier' } }, data: { a: '1' } },
      { until: (_status, body) => ((body['data'] ?? {}) as Json)['b'] !== undefined },
    ),
  ];
  const given = ['given', 'other'].map((name) =>
    create(
      `params ${name}`,
      maps,
      { metadata: { name, labels: { given: 'yes' } }, data: { value: name } },
      silent,
    ),
  );
  return [...namespace(place), ...given, ...made, ...barrier, ...asked];
}

export const mutatingPolicySteps = (): Step[] => [...mutatingPolicyMistakes(), ...caseSteps()];
