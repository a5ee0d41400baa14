// Objects of the access, admission, certificate and flow-control resources for the differential suite.
import type { KindCase } from './kinds.ts';

const rule = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
const user = { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'u' };
const webhook = {
  name: 'w.example.com',
  clientConfig: { url: 'https://w.example.com/x' },
  rules: [
    { apiGroups: ['a.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['as'] },
  ],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const match = {
  resourceRules: [
    { apiGroups: ['a.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['as'] },
  ],
};
const condition = {
  type: 'Odd',
  status: 'True',
  lastTransitionTime: '2026-01-02T03:04:05Z',
  reason: 'R',
  message: 'm',
};

// Keys nobody has any more.
export const request = `-----BEGIN CERTIFICATE REQUEST-----
MIHKMHICAQAwEDEOMAwGA1UEAwwFZHVtbXkwWTATBgcqhkjOPQIBBggqhkjOPQMB
BwNCAAR3RZd7J6+RcLTkgH2xGrxBnZymORcZSuvAMCG7ZkhXQCn+B6/Lk4pOtA1h
R/IsZbALQC6yBP+n13+H/yvvJEGDoAAwCgYIKoZIzj0EAwIDSAAwRQIhAN3LIf43
PVEH4cQMG64GB7xWO8pksviydhgMvTFAp61RAiBf+YvemqM7VXLYREFi1J6WpuI8
Ji11jI45bc31GjAQSQ==
-----END CERTIFICATE REQUEST-----
`;
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIULAvP0lZB/LiPY7dVZEaXd2AQF1IwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFZHVtbXkwIBcNMjYxMTI5MDY0ODIzWhgPMjEyNjExMDUwNjQ4
MjNaMBAxDjAMBgNVBAMMBWR1bW15MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
d0WXeyevkXC05IB9sRq8QZ2cpjkXGUrrwDAhu2ZIV0Ap/gevy5OKTrQNYUfyLGWw
C0AusgT/p9d/h/8r7yRBg6NTMFEwHQYDVR0OBBYEFGlomGMd9oMf/OlcwPfzECz9
bkhKMB8GA1UdIwQYMBaAFGlomGMd9oMf/OlcwPfzECz9bkhKMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgDSlkME+Nzjt/HemC8zJDq/FPCo17Y9II
Fyuloo2Fe4ECIQCP/5rgupLkj51xQKHOdawxK46F3+DsTLRE7HddeY0tbg==
-----END CERTIFICATE-----
`;

const rbac = 'rbac.authorization.k8s.io/v1';
const admission = 'admissionregistration.k8s.io/v1';

export const policyKinds: readonly KindCase[] = [
  {
    apiVersion: rbac,
    resource: 'roles',
    kind: 'Role',
    base: { rules: [rule] },
    change: { rules: [{ ...rule, verbs: ['list'] }] },
    bad: { rules: [{ ...rule, verbs: [] }] },
  },
  {
    apiVersion: rbac,
    resource: 'clusterroles',
    kind: 'ClusterRole',
    isClusterWide: true,
    base: { rules: [rule] },
    change: { rules: [{ ...rule, verbs: ['list'] }] },
    bad: { rules: [{ ...rule, verbs: [] }] },
  },
  {
    apiVersion: rbac,
    resource: 'rolebindings',
    kind: 'RoleBinding',
    base: { roleRef, subjects: [user] },
    change: { subjects: [{ ...user, name: 'v' }] },
    bad: { roleRef: { name: 'edit' } },
  },
  {
    apiVersion: rbac,
    resource: 'clusterrolebindings',
    kind: 'ClusterRoleBinding',
    isClusterWide: true,
    base: { roleRef, subjects: [user] },
    change: { subjects: [{ ...user, name: 'v' }] },
    bad: { roleRef: { name: 'edit' } },
  },
  ...['Mutating', 'Validating'].map((one) => ({
    apiVersion: admission,
    resource: `${one.toLowerCase()}webhookconfigurations`,
    kind: `${one}WebhookConfiguration`,
    isClusterWide: true,
    base: { webhooks: [webhook] },
    change: { webhooks: [{ ...webhook, timeoutSeconds: 5 }] },
    bad: { webhooks: [{ ...webhook, timeoutSeconds: 50 }] },
  })),
  {
    apiVersion: admission,
    resource: 'validatingadmissionpolicies',
    kind: 'ValidatingAdmissionPolicy',
    isClusterWide: true,
    base: { spec: { matchConstraints: match, validations: [{ expression: 'true' }] } },
    change: { spec: { validations: [{ expression: 'object != null' }] } },
    bad: { spec: { failurePolicy: 'Wrong' } },
    status: { conditions: [condition] },
  },
  {
    apiVersion: admission,
    resource: 'mutatingadmissionpolicies',
    kind: 'MutatingAdmissionPolicy',
    isClusterWide: true,
    base: {
      spec: {
        matchConstraints: match,
        reinvocationPolicy: 'Never',
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: { expression: '[JSONPatch{op: "add", path: "/data/a", value: "1"}]' },
          },
        ],
      },
    },
    change: { spec: { reinvocationPolicy: 'IfNeeded' } },
    bad: {
      spec: {
        mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: '[]' } }],
      },
    },
  },
  ...['Mutating', 'Validating'].map((one) => ({
    apiVersion: admission,
    resource: `${one.toLowerCase()}admissionpolicybindings`,
    kind: `${one}AdmissionPolicyBinding`,
    isClusterWide: true,
    base: {
      spec: {
        policyName: 'p',
        ...(one === 'Validating' ? { validationActions: ['Deny'] } : {}),
        matchResources: match,
      },
    },
    change: { spec: { policyName: 'q' } },
    bad: { spec: { policyName: '' } },
  })),
  {
    apiVersion: 'apiextensions.k8s.io/v1',
    resource: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    isClusterWide: true,
    name: 'as.scene.example',
    base: {
      spec: {
        group: 'scene.example',
        names: { plural: 'as', kind: 'A' },
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: false,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object' } },
          },
        ],
      },
    },
    change: { metadata: { annotations: { b: '2' } } },
    goesLater: true,
    reports: 'Established',
    bad: { spec: { group: 'other.example' } },
  },
  {
    apiVersion: 'apiregistration.k8s.io/v1',
    resource: 'apiservices',
    kind: 'APIService',
    isClusterWide: true,
    name: 'v1.scene.example',
    base: {
      spec: {
        group: 'scene.example',
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 10,
        insecureSkipTLSVerify: true,
        service: { name: 'none', namespace: 'scenes' },
      },
    },
    change: { spec: { versionPriority: 11 } },
    reports: 'Available',
    bad: { spec: { versionPriority: 0 } },
  },
  {
    apiVersion: 'certificates.k8s.io/v1',
    resource: 'certificatesigningrequests',
    kind: 'CertificateSigningRequest',
    isClusterWide: true,
    base: {
      spec: {
        request: Buffer.from(request).toString('base64'),
        signerName: 'a.example/b',
        usages: ['client auth'],
      },
    },
    bad: { spec: { usages: ['digital signature'] } },
    status: { conditions: [condition] },
  },
  {
    apiVersion: 'certificates.k8s.io/v1',
    resource: 'clustertrustbundles',
    kind: 'ClusterTrustBundle',
    isClusterWide: true,
    base: { spec: { trustBundle: certificate } },
    bad: { spec: { trustBundle: 'x' } },
  },
  {
    apiVersion: 'certificates.k8s.io/v1',
    resource: 'podcertificaterequests',
    kind: 'PodCertificateRequest',
    base: {
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
      },
    },
    change: { metadata: { annotations: { b: '2' } } },
    bad: { spec: { nodeName: 'm' } },
    status: {
      conditions: [
        {
          type: 'Denied',
          status: 'True',
          reason: 'R',
          message: 'm',
          lastTransitionTime: '2026-01-02T03:04:05Z',
        },
      ],
    },
  },
  {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    resource: 'flowschemas',
    kind: 'FlowSchema',
    isClusterWide: true,
    base: { spec: { priorityLevelConfiguration: { name: 'global-default' } } },
    change: { spec: { matchingPrecedence: 900 } },
    reports: 'Dangling',
    bad: { spec: { matchingPrecedence: 0 } },
    status: { conditions: [{ type: 'Odd', status: 'True' }] },
  },
  {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    resource: 'prioritylevelconfigurations',
    kind: 'PriorityLevelConfiguration',
    isClusterWide: true,
    base: { spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } } },
    change: { spec: { limited: { nominalConcurrencyShares: 5 } } },
    bad: { spec: { type: 'Wrong' } },
    status: { conditions: [{ type: 'Odd', status: 'True' }] },
  },
  {
    apiVersion: 'scheduling.k8s.io/v1',
    resource: 'priorityclasses',
    kind: 'PriorityClass',
    isClusterWide: true,
    base: { value: 5 },
    change: { description: 'x' },
    bad: { value: 6 },
  },
];
