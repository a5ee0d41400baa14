// Objects of access, admission, certificates, flow control and definitions for the suite that garbles them.
import { certificate, request } from '#test/support/kube-differential/kinds-policies.ts';
import { HOME, type Json, type Mutated } from './mutated.ts';

const condition = {
  type: 'Odd',
  status: 'True',
  observedGeneration: 1,
  lastTransitionTime: '2026-01-02T03:04:05Z',
  reason: 'R',
  message: 'm',
};
const roles = '/apis/rbac.authorization.k8s.io/v1';
const admission = '/apis/admissionregistration.k8s.io/v1';
const flow = '/apis/flowcontrol.apiserver.k8s.io/v1';
const certificates = '/apis/certificates.k8s.io/v1';
const selector = {
  matchLabels: { a: 'b' },
  matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }],
};

const rules = [
  { apiGroups: [''], resources: ['pods'], verbs: ['get'], resourceNames: ['n'] },
  { apiGroups: ['apps'], resources: ['deployments/scale'], verbs: ['*'] },
];
const subjects = [
  { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'u' },
  { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'g' },
  { kind: 'ServiceAccount', name: 's', namespace: 'n' },
];

const access: readonly Mutated[] = [
  {
    name: 'Role',
    path: `${roles}/${HOME}/roles`,
    isUpdated: true,
    base: { metadata: { name: 'r' }, rules },
  },
  {
    name: 'ClusterRole',
    path: `${roles}/clusterroles`,
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      rules: [...rules, { nonResourceURLs: ['/x/*'], verbs: ['get'] }],
      aggregationRule: { clusterRoleSelectors: [selector] },
    },
  },
  {
    name: 'RoleBinding',
    path: `${roles}/${HOME}/rolebindings`,
    isUpdated: true,
    base: {
      metadata: { name: 'b' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects,
    },
  },
  {
    name: 'ClusterRoleBinding',
    path: `${roles}/clusterrolebindings`,
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects,
    },
  },
];

const rule = {
  apiGroups: ['a.example'],
  apiVersions: ['v1'],
  operations: ['CREATE', 'UPDATE'],
  resources: ['things', 'things/status'],
  scope: 'Namespaced',
};
const matchConditions = [{ name: 'c', expression: 'object != null' }];
const webhook: Json = {
  name: 'w.example.com',
  clientConfig: { url: 'https://w.example.com/x' },
  rules: [rule],
  failurePolicy: 'Ignore',
  matchPolicy: 'Exact',
  namespaceSelector: selector,
  objectSelector: selector,
  sideEffects: 'None',
  timeoutSeconds: 5,
  admissionReviewVersions: ['v1', 'v1beta1'],
  matchConditions,
};
const byService = {
  ...webhook,
  name: 'v.example.com',
  clientConfig: { service: { namespace: 'n', name: 's', path: '/x', port: 443 } },
};
const named = { ...rule, resourceNames: ['n'] };
const matched = {
  namespaceSelector: selector,
  objectSelector: selector,
  resourceRules: [named],
  excludeResourceRules: [named],
  matchPolicy: 'Exact',
};
const variables = [{ name: 'v', expression: '1 + 1' }];
const policy = {
  paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
  matchConstraints: matched,
  failurePolicy: 'Ignore',
  matchConditions,
  variables,
};
const binding = (more: Json): Json => ({
  metadata: { name: 'mutated' },
  spec: {
    policyName: 'p',
    paramRef: { name: 'n', namespace: 'm', parameterNotFoundAction: 'Allow' },
    matchResources: matched,
    ...more,
  },
});

const policies: readonly Mutated[] = [
  {
    name: 'ValidatingWebhookConfiguration',
    path: `${admission}/validatingwebhookconfigurations`,
    isUpdated: true,
    base: { metadata: { name: 'mutated' }, webhooks: [webhook] },
  },
  {
    name: 'MutatingWebhookConfiguration',
    path: `${admission}/mutatingwebhookconfigurations`,
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      webhooks: [{ ...byService, reinvocationPolicy: 'IfNeeded' }],
    },
  },
  {
    name: 'ValidatingAdmissionPolicy',
    path: `${admission}/validatingadmissionpolicies`,
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        ...policy,
        validations: [
          {
            expression: 'variables.v == 2',
            message: 'm',
            reason: 'Forbidden',
            messageExpression: '"a" + "b"',
          },
        ],
        auditAnnotations: [{ key: 'k', valueExpression: '"a"' }],
      },
    },
    status: {
      observedGeneration: 1,
      typeChecking: { expressionWarnings: [{ fieldRef: 'spec.x', warning: 'w' }] },
      conditions: [condition],
    },
  },
  {
    name: 'ValidatingAdmissionPolicyBinding',
    path: `${admission}/validatingadmissionpolicybindings`,
    isUpdated: true,
    base: binding({ validationActions: ['Warn', 'Audit'] }),
  },
  {
    name: 'ValidatingAdmissionPolicyBinding by a selector',
    below: 'spec.paramRef',
    path: `${admission}/validatingadmissionpolicybindings`,
    base: binding({
      paramRef: { selector, parameterNotFoundAction: 'Deny' },
      validationActions: ['Deny'],
    }),
  },
  {
    name: 'MutatingAdmissionPolicy',
    path: `${admission}/mutatingadmissionpolicies`,
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        ...policy,
        reinvocationPolicy: 'IfNeeded',
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: { expression: '[JSONPatch{op: "add", path: "/data/a", value: "1"}]' },
          },
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: {
              expression: 'Object{metadata: Object.metadata{labels: {"a": "b"}}}',
            },
          },
        ],
      },
    },
  },
  {
    name: 'MutatingAdmissionPolicyBinding',
    path: `${admission}/mutatingadmissionpolicybindings`,
    isUpdated: true,
    base: binding({ matchResources: { resourceRules: [named] } }),
  },
];

const schema: Json = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      properties: {
        replicas: { type: 'integer', minimum: 0, maximum: 5, default: 1, format: 'int32' },
        name: { type: 'string', pattern: '^a', minLength: 1, maxLength: 9, enum: ['a', 'ab'] },
        list: {
          type: 'array',
          maxItems: 5,
          items: { type: 'object', required: ['k'], properties: { k: { type: 'string' } } },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
        },
        any: { 'x-kubernetes-preserve-unknown-fields': true },
        either: { 'x-kubernetes-int-or-string': true },
        map: { type: 'object', additionalProperties: { type: 'string', nullable: true } },
      },
      'x-kubernetes-validations': [
        {
          rule: 'self.replicas <= 5',
          message: 'm',
          messageExpression: '"a"',
          reason: 'FieldValueForbidden',
          fieldPath: '.replicas',
        },
      ],
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' } } },
  },
};

const definitions: readonly Mutated[] = [
  {
    name: 'CustomResourceDefinition',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    isUpdated: true,
    reports: 'Established',
    base: {
      metadata: { name: 'mutants.mutated.example' },
      spec: {
        group: 'mutated.example',
        names: {
          plural: 'mutants',
          singular: 'mutant',
          shortNames: ['mu'],
          kind: 'Mutant',
          listKind: 'MutantList',
          categories: ['all'],
        },
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            deprecated: true,
            deprecationWarning: 'w',
            schema: { openAPIV3Schema: schema },
            subresources: {
              status: {},
              scale: {
                specReplicasPath: '.spec.replicas',
                statusReplicasPath: '.status.replicas',
                labelSelectorPath: '.status.selector',
              },
            },
            additionalPrinterColumns: [
              {
                name: 'N',
                type: 'integer',
                format: 'int32',
                description: 'd',
                priority: 1,
                jsonPath: '.spec.replicas',
              },
            ],
            selectableFields: [{ jsonPath: '.spec.name' }],
          },
          {
            name: 'v1beta1',
            served: false,
            storage: false,
            schema: { openAPIV3Schema: { type: 'object' } },
          },
        ],
        conversion: {
          strategy: 'Webhook',
          webhook: {
            clientConfig: { service: { namespace: 'n', name: 's', path: '/x', port: 443 } },
            conversionReviewVersions: ['v1'],
          },
        },
        preserveUnknownFields: false,
      },
    },
  },
  {
    name: 'APIService',
    path: '/apis/apiregistration.k8s.io/v1/apiservices',
    isUpdated: true,
    reports: 'Available',
    base: {
      metadata: { name: 'v1.served.example' },
      spec: {
        group: 'served.example',
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 10,
        insecureSkipTLSVerify: true,
        service: { name: 'none', namespace: 'mutated', port: 443 },
      },
    },
  },
];

const others: readonly Mutated[] = [
  {
    name: 'CertificateSigningRequest',
    path: `${certificates}/certificatesigningrequests`,
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        request: Buffer.from(request).toString('base64'),
        signerName: 'a.example/b',
        expirationSeconds: 3600,
        usages: ['client auth', 'digital signature'],
      },
    },
    status: {
      conditions: [
        {
          ...condition,
          type: 'Failed',
          lastUpdateTime: '2026-01-02T03:04:05Z',
          observedGeneration: undefined,
        },
      ],
      certificate: Buffer.from(certificate).toString('base64'),
    },
  },
  {
    name: 'ClusterTrustBundle',
    path: `${certificates}/clustertrustbundles`,
    isUpdated: true,
    base: {
      metadata: { name: 'a.example:b:mutated' },
      spec: { signerName: 'a.example/b', trustBundle: certificate },
    },
  },
  {
    name: 'PodCertificateRequest',
    path: `${certificates}/${HOME}/podcertificaterequests`,
    isUpdated: true,
    base: {
      metadata: { name: 'p' },
      spec: {
        signerName: 'a.example/b',
        podName: 'p',
        podUID: '11111111-1111-4111-8111-111111111111',
        serviceAccountName: 's',
        serviceAccountUID: '22222222-2222-4222-8222-222222222222',
        nodeName: 'n',
        nodeUID: '33333333-3333-4333-8333-333333333333',
        maxExpirationSeconds: 86_400,
        stubPKCS10Request: request.replaceAll(/-----.*-----|\n/g, ''),
        unverifiedUserAnnotations: { 'a.example/b': 'c' },
      },
    },
  },
  {
    name: 'FlowSchema',
    path: `${flow}/flowschemas`,
    isUpdated: true,
    reports: 'Dangling',
    base: {
      metadata: { name: 'mutated' },
      spec: {
        priorityLevelConfiguration: { name: 'global-default' },
        matchingPrecedence: 9_000,
        distinguisherMethod: { type: 'ByUser' },
        rules: [
          {
            subjects: [
              { kind: 'User', user: { name: 'u' } },
              { kind: 'Group', group: { name: 'g' } },
              { kind: 'ServiceAccount', serviceAccount: { namespace: 'n', name: 's' } },
            ],
            resourceRules: [
              {
                verbs: ['get'],
                apiGroups: ['a.example'],
                resources: ['things'],
                clusterScope: true,
                namespaces: ['n'],
              },
            ],
            nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/x/*'] }],
          },
        ],
      },
    },
    status: { conditions: [{ ...condition, observedGeneration: undefined }] },
  },
  {
    name: 'PriorityLevelConfiguration',
    path: `${flow}/prioritylevelconfigurations`,
    isUpdated: true,
    base: {
      metadata: { name: 'mutated' },
      spec: {
        type: 'Limited',
        limited: {
          nominalConcurrencyShares: 5,
          limitResponse: {
            type: 'Queue',
            queuing: { queues: 8, handSize: 2, queueLengthLimit: 5 },
          },
          lendablePercent: 50,
          borrowingLimitPercent: 50,
        },
      },
    },
    status: { conditions: [{ ...condition, observedGeneration: undefined }] },
  },
];

export const policyObjects: readonly Mutated[] = [
  ...access,
  ...policies,
  ...definitions,
  ...others,
];
