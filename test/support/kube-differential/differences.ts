// Every place where this server answers otherwise than kube-apiserver v1.37, with the reason. The test
// fails for a difference that is not here, and for an entry here that no difference needs any more.
import type { KnownDifference } from '#test/support/mesos-differential/compare.ts';

export const knownDifferences: readonly KnownDifference[] = [
  {
    scene: 'admissionregistration.k8s.io/v1 mutatingadmissionpolicies',
    step: /./,
    reason: 'webhook configurations and mutations are not validated in full yet',
  },
  {
    scene: 'admissionregistration.k8s.io/v1 mutatingwebhookconfigurations',
    step: /./,
    reason: 'webhook configurations and mutations are not validated in full yet',
  },
  {
    scene: 'admissionregistration.k8s.io/v1 validatingwebhookconfigurations',
    step: /./,
    reason: 'webhook configurations and mutations are not validated in full yet',
  },
  {
    scene: 'certificates.k8s.io/v1 certificatesigningrequests',
    step: /./,
    path: /^body\.spec\.(?:uid|extra)(?:\.|$)/,
    reason: 'the user is another one',
  },
  {
    scene: 'certificates.k8s.io/v1 certificatesigningrequests',
    step: /./,
    path: /^body\.spec\.username(?:\.|$)/,
    reason: 'the user is another one',
  },
  {
    scene: 'certificates.k8s.io/v1 certificatesigningrequests',
    step: /^delete all$/,
    path: /^body\.items(?:\.|$)/,
    reason: 'the user is another one',
  },
  {
    scene: 'certificates.k8s.io/v1 podcertificaterequests',
    step: /./,
    reason: 'requests for certificates of pods are not validated yet',
  },
  {
    scene: 'flowcontrol.apiserver.k8s.io/v1 flowschemas',
    step: /./,
    reason: 'nobody reports on priority and fairness',
  },
  {
    scene: 'resource.k8s.io/v1 devicetaintrules',
    step: /./,
    path: /^body\.metadata\.managedFields(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'resource.k8s.io/v1 devicetaintrules',
    step: /^delete all$/,
    path: /^body\.items(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'storagemigration.k8s.io/v1 storageversionmigrations',
    step: /./,
    path: /^body\.metadata\.managedFields(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'storagemigration.k8s.io/v1 storageversionmigrations',
    step: /^delete all$/,
    path: /^body\.items(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'v1 persistentvolumeclaims',
    step: /./,
    reason: 'the finalizers that protect volumes in use are not added',
  },
  {
    scene: 'apiextensions.k8s.io/v1 customresourcedefinitions',
    step: /./,
    reason: 'the status and finalizers of definitions follow another order of writes',
  },
  {
    scene: 'discovery.k8s.io/v1 endpointslices',
    step: /^create badly$/,
    reason: 'not yet',
  },
  {
    scene: 'resource.k8s.io/v1 resourceclaims',
    step: /^create badly$/,
    path: /^body\.spec\.devices(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'resource.k8s.io/v1 resourceclaimtemplates',
    step: /^create badly$/,
    path: /^body\.spec\.spec(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'v1 services',
    step: /^create by a bad name$/,
    path: /^body\.details\.causes(?:\.|$)/,
    reason: 'addresses are taken before the rest is checked; status is not judged by the type',
  },
  {
    scene: 'v1 services',
    step: /^(?:delete|delete dry|get status|put status by the object)$/,
    path: /^body\.metadata\.labels(?:\.|$)/,
    reason: 'addresses are taken before the rest is checked; status is not judged by the type',
  },
  {
    scene: 'v1 services',
    step: /^(?:delete|delete dry|get status|put status by the object)$/,
    path: /^body\.metadata\.managedFields(?:\.|$)/,
    reason: 'addresses are taken before the rest is checked; status is not judged by the type',
  },
  {
    scene: 'v1 services',
    step: /^(?:delete|delete dry|get status|put status by the object)$/,
    path: /^body\.status\.loadBalancer(?:\.|$)/,
    reason: 'addresses are taken before the rest is checked; status is not judged by the type',
  },
  {
    scene: 'v1 services',
    step: /^(?:merge status|put status)$/,
    reason: 'addresses are taken before the rest is checked; status is not judged by the type',
  },
  {
    scene: 'v1 pods',
    step: /^(?:delete|delete dry|get status|merge status|put status|put status by the object)$/,
    path: /^body\.metadata\.managedFields(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'events.k8s.io/v1 events',
    step: /^delete another id$/,
    path: /^body\.details\.group(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'events.k8s.io/v1 events',
    step: /^(?:delete another id|list by a bad field)$/,
    path: /^body\.message(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'v1 namespaces',
    step: /^delete another id$/,
    path: /^body\.message(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'batch/v1 jobs',
    step: /^delete by a bad selector$/,
    path: /^headers\.warning(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'batch/v1 jobs',
    step: /^list by a bad field$/,
    path: /^body\.message(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'apps/v1 daemonsets',
    step: /^(?:get as table|get as table with status|list as table)$/,
    path: /^body\.rows(?:\.|$)/,
    reason: 'upstream shows metadata alone without the annotation that counts templates',
  },
  {
    scene: 'apps/v1 daemonsets',
    step: /^get metadata$/,
    path: /^body\.metadata(?:\.|$)/,
    reason: 'upstream shows metadata alone without the annotation that counts templates',
  },
  {
    scene: 'apps/v1 daemonsets',
    step: /^list metadata$/,
    path: /^body\.items(?:\.|$)/,
    reason: 'upstream shows metadata alone without the annotation that counts templates',
  },
  {
    scene: '*',
    step: /as table/,
    path: /^body\.rows(?:\.|$)/,
    reason: 'the columns of the kind are not printed yet',
  },
  {
    scene: 'flowcontrol.apiserver.k8s.io/v1 flowschemas',
    step: /./,
    reason: 'the columns of the kind are not printed yet',
  },
  {
    scene: 'autoscaling/v2 horizontalpodautoscalers',
    step: /^get by autoscaling\/v1$/,
    path: /^body\.spec\.metrics(?:\.|$)/,
    reason: 'versions share one form',
  },
  {
    scene: 'autoscaling/v2 horizontalpodautoscalers',
    step: /^get by autoscaling\/v1$/,
    path: /^body\.spec\.targetCPUUtilizationPercentage(?:\.|$)/,
    reason: 'versions share one form',
  },
  {
    scene: 'autoscaling/v2 horizontalpodautoscalers',
    step: /^get by autoscaling\/v1$/,
    path: /^body\.status\.currentMetrics(?:\.|$)/,
    reason: 'versions share one form',
  },
  {
    scene: 'apps/v1 deployments',
    step: /^(?:get status|merge status|put status|put status by the object)$/,
    path: /^body\.metadata\.managedFields(?:\.|$)/,
    reason: 'not yet',
  },
  {
    scene: 'flowcontrol.apiserver.k8s.io/v1 prioritylevelconfigurations',
    step: /^(?:get status|merge status|put status|put status by the object)$/,
    path: /^body\.metadata\.managedFields(?:\.|$)/,
    reason: 'nobody reports on priority and fairness',
  },
];
