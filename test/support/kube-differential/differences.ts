// Every place where this server answers otherwise than kube-apiserver v1.37, with the reason. The test
// fails for a difference that is not here, and for an entry here that no difference needs any more.
import type { KnownDifference } from '#test/support/mesos-differential/compare.ts';

/** An answer that is another one: whatever of it differs. */
const otherAnswer =
  /^(?:status$|body$|body\.(?:apiVersion|code|details|kind|message|metadata|reason|spec|status|subsets)(?:\.|$))/;

/** Of these upstream cannot tell the elements apart that a patch puts in order: it hangs up. */
const unordered = [
  'Pod, updated',
  'Deployment',
  'ReplicaSet',
  'DaemonSet',
  'StatefulSet',
  'PersistentVolumeClaim',
  'CSIStorageCapacity',
  'ResourceClaim',
  'ResourceClaimTemplate',
  'RuntimeClass',
  'ServiceAccount',
  'LimitRange, updated',
  'Node',
  'RoleBinding',
  'ClusterRoleBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'MutatingAdmissionPolicy',
  'CustomResourceDefinition',
].map((scene) => ({
  scene,
  step: /^order of the list /,
  reason: 'upstream panics at an order for a list without keys; here it means nothing',
}));

/** Expressions that are judged in other words, or run otherwise, by what it is that differs. */
const expressions = (
  [
    [
      /^rule: (?:unknown\.x == |unknown\(\) == |self\.a == 1 && unknown|cel\.bind|1 == 1\.0 && |math\.|base64\.|self\.a === |self\.a = |self\.a & |self\.a == 1;|@a|self\.a #1|self\.\.a|self\.1|self\.!a|1\. |-$|"\\q"|self\.a == ["']x$|self\.l\.map\(x, \)|\{: 1\})/,
      'of several mistakes in an expression only the first is told, not always in the words of the grammar',
    ],
    [
      /^rule: (?:self\.a \? true|self\.s\[0\]|self\["a"\]|has\(self\.a, self\.b\)|self\.l\.(?:all\(x\)|existsOne|sum|size\(1\))|sets\.nothing|format\.nothing|optional\.of\(1\))/,
      'functions that there are not for these types are told in other words, or found out when they run',
    ],
    [/^rule: \[,\]/, 'a comma is not taken for a list of nothing'],
    [
      /^(?:v(?:8|16|17|35|36|37|97): policy|value of (?:string\((?:int\("x"\)|int\(1e19\)|uint\(-1\)|b"\\xff")|"(?:%d|%s %s|%q)"\.format\(\["x"\]))/,
      'expressions without variables are not run when they are compiled',
    ],
    [
      /^v(?:1|43|47|51|98|106|111|112|113|114): policy/,
      'types of types have no parameter; of several mistakes only the first is told',
    ],
    [
      /^(?:v(?:101|102|103): policy|value of dyn\((?:\{"a": "b"\}|"a")\))/,
      'a message of no known type is judged when it is run',
    ],
    [
      /^value of (?:string\((?:1u - 2u|timestamp\("2026-01-02T03:04:05(?:\+02|Z"\)\.getHours)|\[\]\.sum|ip\("1\.2\.3"|size\(dyn)|"%\.2f|"abc"\.substring\(5|format\.uri)/,
      'other words for a failure; offsets of times, scientific notation and the sum of nothing are not kept',
    ],
  ] as const
).map(([step, reason]) => ({ scene: 'expressions', step, reason }));

export const knownDifferences: readonly KnownDifference[] = [
  ...unordered,
  // ---- on purpose ----
  {
    scene: 'v1 Endpoints',
    step: /"subsets\.0\.addresses\.0\.ip":"127\.0\.0\.1"/,
    path: otherAnswer,
    reason: 'loopback is allowed: by default everything lives on it',
  },
  {
    scene: 'access',
    step: /^review: of a secret that is gone$/,
    path: /^body\.status\./,
    reason: 'upstream remembers good tokens for ten seconds, also when they are good no more',
  },
  {
    scene: 'services',
    step: /^external addresses$/,
    path: /^body\.details\.causes$/,
    reason: 'loopback is allowed: by default everything lives on it',
  },
  ...['198.19.0.0/29', 'fd00:19::/125,198.19.0.0/29'].map((scene) => ({
    scene,
    step: /^its address$/,
    path: otherAnswer,
    reason: 'an address is free with its service, also when no range holds it any more',
  })),
  // ---- of no consequence ----
  {
    scene: 'v1 persistentvolumeclaims',
    step: /^put back$/,
    path: /^body\.metadata\.resourceVersion$/,
    reason: 'the first update of a claim is written anew by upstream, though nothing differs',
  },
  {
    scene: 'flowcontrol.apiserver.k8s.io/v1 flowschemas',
    step: /^put status by the object$/,
    path: otherAnswer,
    reason: 'the condition is reported at another moment: here not between a get and a put',
  },
  {
    scene: 'flowcontrol.apiserver.k8s.io/v1 flowschemas',
    step: /^(?:get status|get as table with status)$/,
    path: /^body\.(?:rows\.0\.object\.metadata|metadata\.resourceVersion)$/,
    reason: 'the condition is reported at another moment',
  },
  {
    scene: 'v1 endpoints',
    step: /^get as an odd form$/,
    path: /^headers\.warning$/,
    reason: 'a form that is refused is refused before the resource is looked at',
  },
  {
    scene: 'v1 namespaces',
    step: /^create with a drawn name$/,
    path: /^body\.metadata\.managedFields\./,
    reason: 'the label with the name belongs to the client, also when its name was drawn',
  },
  // ---- not yet ----
  {
    scene: 'numbers: raw',
    step: /^create (?:by YAML )?(?:-0|-0\.0|1\.0|1e2|1E.2|1e-1|1e1[89]|9007199254740993\.0|9223372036854775808|9{20})$/,
    path: /^body\.data\.(?:n|l\.0)$/,
    reason:
      'in objects of no type numbers beyond int64, points, exponents and the sign of zero are not kept as written',
  },
  {
    scene: 'numbers: raw',
    step: /^(?:create|update) 1e400$/,
    reason:
      'upstream hangs up at a number in an object of no type that float64 has not; here it is refused',
  },
  {
    scene: 'numbers: text',
    step: /^merge strategically (?:1\.0|1e2)$/,
    path: /^body\.details\.causes\.0\.message$/,
    reason: 'a whole number in place of a text is told as int64, however it was written',
  },
  {
    scene: 'numbers: list of int64',
    step: /^merge strategically (?:1\.0|1e2)$/,
    path: /^body\.details\.causes\.0\.message$/,
    reason: 'a whole number in place of a list is told as int64, however it was written',
  },
  ...expressions,
  {
    scene: 'v1 events',
    step: /^create by null$/,
    path: /^body\.details\.causes$/,
    reason: 'events of the old kind may be without a name upstream; here every object has one',
  },
];
