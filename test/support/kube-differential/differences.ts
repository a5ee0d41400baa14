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
  {
    scene: 'what is below',
    step: /^Service status: (?:put|merged|applied) to nobody$/,
    path: otherAnswer,
    reason: 'upstream makes a service of a status that is sent to nobody',
  },
  {
    scene: 'what is below',
    step: /^Thing scale: applied (?:with metadata|by another name)$/,
    path: otherAnswer,
    reason:
      'what is applied to the scale of a custom object upstream cannot convert when it says more than replicas',
  },
  // ---- of no consequence ----
  {
    scene: 'what is below',
    step: /^Thing status: put of another kind$/,
    path: otherAnswer,
    reason: 'of two mistakes the kind is told before the version that is missing',
  },
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
  {
    scene: 'v1 events',
    step: /^create by null$/,
    path: /^body\.details\.causes$/,
    reason: 'events of the old kind may be without a name upstream; here every object has one',
  },
];
