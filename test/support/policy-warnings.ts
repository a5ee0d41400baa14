// Policies whose expressions are doubtful in many ways, and what an API server with its controllers says of them.
import type { KubeClient } from '#kube/client/client.ts';
import { customResourceDefinitions, validatingAdmissionPolicies } from '#kube/client/resources.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { eventually } from './cluster.ts';

type Rule = readonly [groups: string, versions: string, resources: string];

interface Case {
  /** Lists with commas. */
  readonly rules: readonly Rule[];
  readonly paramKind?: { readonly apiVersion: string; readonly kind: string };
  readonly variables?: Readonly<Record<string, string>>;
  /** Expressions, or an expression and that of its message. */
  readonly validations: readonly (string | readonly [string, string])[];
}

export interface PolicyAnswer {
  readonly status: unknown;
  /** Who wrote what of it: `manager operation subresource`. */
  readonly managers: readonly string[];
}

const deployments: Rule = ['apps', 'v1', 'deployments'];
const pods: Rule = ['', 'v1', 'pods'];
const gauges: Rule = ['warned.example.com', 'v1', 'gauges'];
const configMap = { apiVersion: 'v1', kind: 'ConfigMap' };

const cases: Readonly<Record<string, Case>> = {
  right: { rules: [deployments], validations: [['object.spec.replicas > 1', "'no'"]] },
  confused: {
    rules: [deployments],
    validations: [
      ["object.spec.replicas > '1'", "'wants more, got ' + object.spec.replicas"],
      'object.spec.foo == 1 && object.metadata.nme == oldObject.metadata.name',
      'object.spec.template.spec.containers.all(c, c.image.startsWith(c.ports))',
      'object.spec.template.spec.containers[0].resource.limits.size() > 0',
      'object.spec.template.spec.containers[0].resources.limits.size() > 0',
    ],
  },
  several: {
    rules: [['apps', 'v1', 'statefulsets,deployments,daemonsets'], pods],
    validations: [
      'object.spec.replicas > 1',
      ['object.spec.serviceName == "x"', '"a" + object.spec.hostname'],
      'object.metadata.labels["a"] == "b"',
      'object.metadata.labels.a == 2',
    ],
  },
  fields: {
    rules: [pods],
    validations: [
      'has(object.spec.hostNetwork) && object.spec.hostNetwork',
      'object.metadata.creationTimestamp > timestamp("2020-01-01T00:00:00Z")',
      'object.metadata.creationTimestamp == "2020"',
      'object.spec.tolerations.exists(t, t.tolerationSeconds == "x")',
      'object.spec.containers[0].ports[0].containerPort.foo == 1',
      'object.spec.containers[0].livenessProbe.httpGet.port == 80',
      'object.spec.containers[0].livenessProbe.httpGet.port == "http"',
      'object.spec.nodeSelector > "a"',
      'object + 1 == 2',
      'object.spec.containers + 1 == 2',
      'object.spec.volumes.map(v, v.emptyDir.sizeLimit) == []',
      'object.spec.containers.map(c, c.name)[0].foo == 1',
      'object == oldObject && object.spec == oldObject.metadata',
    ],
  },
  parts: {
    rules: [['', 'v1', 'secrets,configmaps,nodes,services,events']],
    validations: [
      'object.data["a"] == b"x"',
      'object.data.a == "x"',
      'object.spec.ports.all(p, p.targetPort == 80 || p.protocol == 6)',
      'object.status.capacity.cpu == "1"',
      'object.metadata.managedFields[0].fieldsV1.size() == 0',
    ],
  },
  definition: {
    rules: [['apiextensions.k8s.io', 'v1', 'customresourcedefinitions']],
    validations: [
      'object.spec.versions.all(v, v.schema.openAPIV3Schema.properties["a"].type == "x")',
      'object.spec.versions.all(v, v.schema.openAPIV3Schema.not.type == "x")',
      'object.spec.versions.all(v, v.schema.openAPIV3Schema.type == 1)',
    ],
  },
  custom: {
    rules: [gauges],
    validations: [
      "object.spec.size > '1'",
      'object.spec.maxRetries < 10',
      'object.spec.ratio > 1',
      'object.spec.at == "2020-01-01"',
      'object.spec.either == 1 || object.spec.either == "a"',
      'object.spec.marks.foo.bar == 1',
      'object.spec.free.any == 1',
      'object.spec.unknown == 1',
      'object.spec.list.exists(l, l.name == 1)',
      'object.spec.raw == "a"',
      'object.spec.template.metadata.name == 1',
      'object.spec.template.metadata.labels == {}',
      'object.spec.__namespace__ == 1 && object.spec.a__dash__b == 1 && object.spec.__in__ == 1',
      'object.spec.namespace == 1',
      'object.metadata.labels.foo == 1',
      'object.status.x == 1',
    ],
  },
  open: { rules: [['warned.example.com', 'v1', 'opens']], validations: ['object.spec.a == 1'] },
  params: {
    rules: [pods],
    paramKind: configMap,
    validations: [
      'params.data.a == object.metadata.name',
      'params.data.a == 1',
      'params.dta.a == "x"',
      'params == object',
    ],
  },
  paramsCustom: {
    rules: [deployments],
    paramKind: { apiVersion: 'warned.example.com/v1', kind: 'Gauge' },
    validations: [
      'object.spec.replicas < params.spec.size',
      'object.spec.replicas < params.spec.raw',
    ],
  },
  paramsUnknown: {
    rules: [pods],
    paramKind: { apiVersion: 'nowhere.example.com/v1', kind: 'Nothing' },
    validations: ['params.anything == 1', 'params.anything == object.foo'],
  },
  variables: {
    rules: [deployments],
    variables: {
      replicas: 'object.spec.replicas',
      odd: 'variables.replicas % 2 == 1',
      wrong: 'object.spec.foo',
      spec: 'object.spec',
      images: 'object.spec.template.spec.containers.map(c, c.image)',
      containers: 'object.spec.template.spec.containers',
      labels: 'object.metadata.labels',
      made: "{'a': [1, 2]}",
      maybe: 'object.?spec',
      late: 'variables.odd ? variables.images : []',
      group: "authorizer.group('apps')",
    },
    validations: [
      "variables.replicas > '1'",
      'variables.wrong > 1',
      'variables.spec.whatever == 1',
      'variables.images.all(i, i == 1)',
      'variables.containers.all(c, c.foo == 1)',
      'variables.labels.a == 1',
      'variables.made.a[0] == variables.replicas',
      'variables.made.a == variables.replicas',
      'variables.maybe.orValue({}).foo == 1',
      'variables.late[0] == 1',
      "variables.group.resource('pods').check('get').allowed() && variables.replicas == 'x'",
    ],
  },
  // Of a variable that is an object nothing is known, neither where it is written nor where it is looked at.
  unknown: {
    rules: [pods],
    variables: {
      user: 'request.userInfo',
      users: '[request.userInfo]',
      byName: "{'a': namespaceObject.metadata}",
      maybe: 'optional.of(1)',
      group: "authorizer.group('apps')",
      kind: 'type(1)',
      nothing: 'null',
      time: 'namespaceObject.metadata.creationTimestamp',
    },
    validations: [
      'variables.user.foo == 1',
      'variables.users[0].foo == 1',
      "variables.byName['a'].foo == 1",
      'variables.maybe == 1',
      'variables.group == 1',
      'variables.kind == 1',
      'variables.nothing == object.metadata.name',
      'variables.time == object.metadata.name',
      ['true', "'a' + variables.user.foo"],
    ],
  },
  around: {
    rules: [pods],
    validations: [
      'request.operation == object.metadata.generation',
      'request.userInfo.groups.exists(g, g == object.spec.containers)',
      'request.options.anything == 1 && object.foo',
      'namespaceObject.metadata.labels.a == object.metadata.generation',
      'namespaceObject.metadata.creationTimestamp < object.metadata.name',
      "authorizer.group('').resource(object.spec.priority).check('get').allowed()",
      "authorizer.requestResource.check('get').allowed()",
      "authorizer.path(object.metadata.name).check('get').allowed()",
      ['true', 'request.name + object.spec.priority'],
    ],
  },
  lines: {
    rules: [pods],
    validations: [
      "'ä' == 'ä' || object.foo == 1 || object.bar == '\\t'",
      'object.a == 1 || object.b == 1 || object.metadata.name == 1',
      ' \tobject.foo == 1  ',
    ],
  },
  wildGroup: { rules: [['*', 'v1', 'pods']], validations: ['object.foo == 1'] },
  wildVersion: { rules: [['', '*', 'pods'], deployments], validations: ['object.foo == 1'] },
  wildResource: { rules: [['', 'v1', '*']], validations: ['object.foo == 1'] },
  nothing: { rules: [['', 'v1', 'pods/status']], validations: ['object.foo == 1'] },
  absent: {
    rules: [['absent.example.com', 'v1', 'things'], pods],
    validations: ['object.foo == 1'],
  },
  singular: { rules: [['apps', 'v1', 'deployment,Pod']], validations: ['object.foo == 1'] },
  versions: {
    rules: [['autoscaling', 'v1,v2', 'horizontalpodautoscalers']],
    validations: ['object.spec.metrics.size() > 0'],
  },
  many: {
    rules: [
      [
        'apps,batch,',
        'v1',
        'pods,services,secrets,configmaps,deployments,daemonsets,statefulsets,replicasets,jobs,cronjobs,nodes,endpoints',
      ],
      ['rbac.authorization.k8s.io', 'v1', 'roles'],
    ],
    validations: ['object.foo == 1'],
  },
};

const one = (name: string, properties: object): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${name}s.warned.example.com` },
  spec: {
    group: 'warned.example.com',
    scope: 'Namespaced',
    names: {
      plural: `${name}s`,
      singular: name,
      kind: `${name[0]?.toUpperCase()}${name.slice(1)}`,
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', ...properties } },
      },
    ],
  },
});

const string = { type: 'string' };
const keep = { 'x-kubernetes-preserve-unknown-fields': true };
const definitions = [
  one('gauge', {
    properties: {
      spec: {
        type: 'object',
        properties: {
          size: { type: 'integer' },
          ratio: { type: 'number' },
          at: { type: 'string', format: 'date-time' },
          either: { 'x-kubernetes-int-or-string': true },
          marks: { type: 'object', additionalProperties: string },
          free: { type: 'object', ...keep },
          unknown: keep,
          list: { type: 'array', items: { type: 'object', properties: { name: string } } },
          raw: { type: 'string', format: 'byte' },
          template: { type: 'object', 'x-kubernetes-embedded-resource': true, ...keep },
          namespace: string,
          'a-b': string,
          in: string,
        },
      },
    },
  }),
  one('open', keep),
];

function policyOf(name: string, { rules, paramKind, variables, validations }: Case): KubeObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: `${name.toLowerCase()}.example.com` },
    spec: {
      ...(paramKind && { paramKind }),
      matchConstraints: {
        resourceRules: rules.map(([groups, versions, resources]) => ({
          apiGroups: groups.split(','),
          apiVersions: versions.split(','),
          operations: ['CREATE', 'UPDATE'],
          resources: resources.split(','),
        })),
      },
      variables: Object.entries(variables ?? {}).map(([of, expression]) => ({
        name: of,
        expression,
      })),
      validations: validations.map((given) => {
        if (typeof given === 'string') return { expression: given };
        return { expression: given[0], messageExpression: given[1] };
      }),
    },
  };
}

/** Upstream's names of types have a number of the clock, ours another one. */
const unnumbered = (text: string): string =>
  text.replace(/\b(Pod|Deployment|Gauge|ConfigMap|Secret|Service|Node|Event)\d+/g, '$1N');

async function answerTo(client: KubeClient, policy: KubeObject): Promise<PolicyAnswer> {
  const { name = '' } = policy.metadata;
  try {
    await client.create(validatingAdmissionPolicies, policy);
  } catch (error) {
    return { status: (error as Error).message, managers: [] };
  }
  return await eventually(`${name} is looked at`, async () => {
    const found = await client.get(validatingAdmissionPolicies, { name });
    const { status, metadata } = found;
    const isSeen = (status as { observedGeneration?: number } | undefined)?.observedGeneration;
    if (isSeen === undefined) return undefined;
    const managers = (metadata.managedFields ?? []).map(
      ({ manager, operation, subresource }) => `${manager} ${operation} ${subresource}`,
    );
    return {
      status: JSON.parse(unnumbered(JSON.stringify(status))) as unknown,
      managers: managers.filter((given) => given.endsWith('status')),
    };
  });
}

export async function policyAnswers(
  client: KubeClient,
): Promise<Readonly<Record<string, PolicyAnswer>>> {
  for (const definition of definitions) await client.create(customResourceDefinitions, definition);
  await eventually('the definitions are published', async () => {
    const path = '/openapi/v3/apis/warned.example.com/v1';
    const { text } = await client.request({ method: 'GET', path, accept: 'application/json' });
    return text.includes('"Open"') && text.includes('"Gauge"');
  });
  const answers: Record<string, PolicyAnswer> = {};
  for (const [name, given] of Object.entries(cases)) {
    answers[name] = await answerTo(client, policyOf(name, given));
  }
  return answers;
}
