// What kube-apiserver v1.37 takes, but warns of: values that are deprecated or do not mean what they seem to.
import { same } from '#base/same.ts';
import { isObject, list, record, type Json } from './field-rules.ts';
import { nameProblem, qualifiedNameProblems } from './names.ts';
import type { KubeObject } from './object.ts';
import { canonicalQuantity } from './quantity.ts';
import type { ResourceInfo } from './resource-info.ts';
import { addressWarnings, networkWarnings } from './warnings-addresses.ts';
import { definitionWarnings } from './warnings-definitions.ts';
import {
  claimSpecWarnings,
  deadVolumeWarnings,
  deprecatedNodeLabel,
  isMore,
  podWarnings,
  termWarnings,
} from './warnings-pods.ts';

/** `old` is undefined for a creation. */
type Rule = (object: KubeObject, old: KubeObject | undefined) => readonly string[];

const specOf = (object: KubeObject | undefined): Json => record(object?.['spec']);
const annotationsOf = ({ metadata }: KubeObject): Readonly<Record<string, string>> =>
  metadata.annotations ?? {};

const NAMES = 'this is used in Pod names and hostnames';
const HOSTNAME = "this is used in the Pod's hostname";

/** Of creations only. */
function nameWarnings({ metadata: { name = '' } }: KubeObject, what: string): string[] {
  const problem = nameProblem('label-without-dots', name);
  if (name === '' || problem === undefined || nameProblem('subdomain', name) !== undefined)
    return [];
  const why = `${what}, which can result in surprising behavior`;
  return [`metadata.name: ${why}; a DNS label is recommended: [${problem}]`];
}

/** Updates are warned of when what is wanted has changed. */
function templated(path: string, isNamed = false): Rule {
  const at = (object: KubeObject): Json =>
    path.split('.').reduce<Json>((value, key) => record(value[key]), object);
  return (object, old) => {
    if (old !== undefined && object.metadata.generation === old.metadata.generation) return [];
    const names = isNamed && old === undefined ? nameWarnings(object, NAMES) : [];
    return [...names, ...podWarnings(at(object), path)];
  };
}

const COMPLETIONS_MAX = 100_000;
const PARALLELISM_MAX = 10_000;

function jobWarnings(object: KubeObject, path: string): string[] {
  const spec = path.split('.').reduce<Json>((value, key) => record(value[key]), object);
  const { completionMode, completions = 0, parallelism = 0 } = spec;
  const isMuch = Number(completions) > COMPLETIONS_MAX && Number(parallelism) > PARALLELISM_MAX;
  const why =
    'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail';
  const indexed = completionMode === 'Indexed' && isMuch ? [`${path}: ${why}`] : [];
  return [...indexed, ...podWarnings(record(spec['template']), `${path}.template`)];
}

function jobRule(path: string): Rule {
  return (object, old) => {
    if (old === undefined) return [...nameWarnings(object, NAMES), ...jobWarnings(object, path)];
    const isSame = object.metadata.generation === old.metadata.generation;
    return isSame ? [] : jobWarnings(object, path);
  };
}

const cronJob: Rule = (object, old) => {
  const found = jobRule('spec.jobTemplate.spec')(object, old);
  const hasZone = old !== undefined && String(specOf(object)['schedule']).includes('TZ');
  const why =
    'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details';
  return hasZone ? [...found, why] : found;
};

const statefulSet: Rule = (object, old) => {
  const spec = specOf(object);
  const tail = old === undefined ? '' : '.Spec';
  const claims = list(spec['volumeClaimTemplates']).flatMap((one, i) =>
    claimSpecWarnings(one['spec'], `spec.volumeClaimTemplates[${i}]${tail}`),
  );
  const limit =
    'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended';
  const isNegative = Number(spec['revisionHistoryLimit'] ?? 0) < 0;
  return [...templated('spec.template')(object, old), ...claims, ...(isNegative ? [limit] : [])];
};

const daemonSet: Rule = templated('spec.template');

const service: Rule = (object) => {
  const spec = specOf(object);
  const { type, clusterIP, clusterIPs, externalName, loadBalancerIP, sessionAffinity } = spec;
  const externalIPs = (spec['externalIPs'] ?? []) as unknown[];
  const isHeadless = type === 'ClusterIP' && clusterIP === 'None';
  const found: string[] = [];
  const hints = 'service.kubernetes.io/topology-aware-hints';
  if (annotationsOf(object)[hints] !== undefined) {
    found.push(
      `annotation ${hints} is deprecated, please use service.kubernetes.io/topology-mode instead`,
    );
  }
  if (clusterIP && clusterIP !== 'None') {
    ((clusterIPs ?? []) as unknown[]).forEach((one, i) =>
      found.push(...addressWarnings(`spec.clusterIPs[${i}]`, one)),
    );
  }
  if (isHeadless) {
    const ignored = { 'spec.loadBalancerIP': Boolean(loadBalancerIP) };
    const all = { ...ignored, 'spec.externalIPs': externalIPs.length > 0 };
    const each = { ...all, 'spec.SessionAffinity': sessionAffinity !== 'None' };
    for (const [field, isSet] of Object.entries(each)) {
      if (isSet) found.push(`${field} is ignored for headless services`);
    }
  }
  externalIPs.forEach((one, i) => found.push(...addressWarnings(`spec.externalIPs[${i}]`, one)));
  if (externalIPs.length > 0 && !isHeadless && type !== 'ExternalName') {
    found.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  }
  if (loadBalancerIP) found.push(...addressWarnings('spec.loadBalancerIP', loadBalancerIP));
  ((spec['loadBalancerSourceRanges'] ?? []) as unknown[]).forEach((one, i) =>
    found.push(...networkWarnings(`spec.loadBalancerSourceRanges[${i}]`, one)),
  );
  if (type === 'ExternalName' && externalIPs.length > 0) {
    found.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  }
  if (type !== 'ExternalName' && externalName) {
    found.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (spec['trafficDistribution'] === 'PreferClose') {
    found.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return found;
};

const endpoints: Rule = ({ metadata, ...object }) => {
  if (metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller') return [];
  return list((object as Json)['subsets']).flatMap((subset, i) =>
    ['addresses', 'notReadyAddresses'].flatMap((field) =>
      list(subset[field]).flatMap(({ ip }, j) =>
        addressWarnings(`subsets[${i}].${field}[${j}].ip`, ip),
      ),
    ),
  );
};

const sliceManagers = new Set([
  'endpointslice-controller.k8s.io',
  'endpointslicemirroring-controller.k8s.io',
]);

const endpointSlice: Rule = (object, old) => {
  const isName = old === undefined && object['addressType'] === 'FQDN';
  const manager = object.metadata.labels?.['endpointslice.kubernetes.io/managed-by'];
  const addresses = sliceManagers.has(manager ?? '')
    ? []
    : list(object['endpoints']).flatMap((one, i) =>
        ((one['addresses'] ?? []) as unknown[]).flatMap((address, j) =>
          addressWarnings(`endpoints[${i}].addresses[${j}]`, address),
        ),
      );
  return [...(isName ? ['spec.addressType: FQDN endpoints are deprecated'] : []), ...addresses];
};

const node: Rule = (object) => {
  const { configSource, externalID, podCIDRs = [] } = specOf(object);
  return [
    ...(configSource === undefined ? [] : ['spec.configSource: the feature is removed']),
    ...(externalID
      ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes']
      : []),
    ...(podCIDRs as unknown[]).flatMap((one, i) => networkWarnings(`spec.podCIDRs[${i}]`, one)),
  ];
};

const CLASS = 'volume.beta.kubernetes.io/storage-class';
const OPTIONS = 'volume.beta.kubernetes.io/mount-options';
const noted = (object: KubeObject, key: string, why: string): string[] =>
  annotationsOf(object)[key] === undefined ? [] : [`metadata.annotations[${key}]: ${why}`];

const claim: Rule = (object) => [
  ...noted(object, CLASS, 'deprecated since v1.8; use "storageClassName" attribute instead'),
  ...claimSpecWarnings(object['spec'], 'spec'),
];

const volume: Rule = (object) => {
  const spec = specOf(object);
  const terms = list(record(record(spec['nodeAffinity'])['required'])['nodeSelectorTerms']);
  const recycle =
    'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.';
  return [
    ...noted(object, CLASS, 'deprecated since v1.8; use "storageClassName" attribute instead'),
    ...noted(object, OPTIONS, 'deprecated since v1.31; use "mountOptions" attribute instead'),
    ...(spec['persistentVolumeReclaimPolicy'] === 'Recycle' ? [recycle] : []),
    ...terms.flatMap((term, i) =>
      termWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`),
    ),
    ...deadVolumeWarnings(spec, 'spec'),
  ];
};

const storageClass: Rule = (object) =>
  list(object['allowedTopologies']).flatMap((topology, i) =>
    list(topology['matchLabelExpressions']).flatMap(({ key }, j) => {
      const why = deprecatedNodeLabel(key);
      const field = `allowedTopologies[${i}].matchLabelExpressions[${j}].key`;
      return why === undefined ? [] : [`${field}: ${why}`];
    }),
  );

const storageCapacity: Rule = (object) => {
  const labels = Object.keys(record(record(object['nodeTopology'])['matchLabels'])).toSorted();
  return [
    ...termWarnings(object['nodeTopology'], 'nodeTopology'),
    ...labels.flatMap((label) => {
      const why = deprecatedNodeLabel(label);
      return why === undefined ? [] : [`nodeTopology.matchLabels.${label}: ${why}`];
    }),
  ];
};

const driver: Rule = (object, old) => {
  const { tokenRequests, serviceAccountTokenInSecrets } = specOf(object);
  const isChanged = old === undefined || !same(specOf(old)['tokenRequests'], tokenRequests);
  const isMeant = list(tokenRequests).length > 0 && serviceAccountTokenInSecrets === undefined;
  const why =
    'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes';
  return isChanged && isMeant ? [why] : [];
};

const quota: Rule = (object, old) => {
  if (old !== undefined) return [];
  const hard = record(specOf(object)['hard']);
  const shown = (value: unknown): string => canonicalQuantity(String(value)) ?? String(value);
  return ['cpu', 'memory', 'storage', 'ephemeral-storage'].flatMap((name) => {
    const isShort = name === 'cpu' || name === 'memory';
    const whole = `requests.${name}`;
    const request = hard[whole] === undefined && isShort ? name : whole;
    const [least, most] = [hard[request], hard[`limits.${name}`]];
    if (least === undefined || most === undefined || !isMore(least, most)) return [];
    const limit = `limits.${name} (${shown(most)})`;
    return [`ResourceQuota ${request} (${shown(least)}) should be less than ${limit}`];
  });
};

const runtimeClass: Rule = (object) =>
  Object.keys(record(record(object['scheduling'])['nodeSelector']))
    .toSorted()
    .flatMap((key) => {
      const why = deprecatedNodeLabel(key);
      return why === undefined ? [] : [`scheduling.nodeSelector: ${why}`];
    });

const slice: Rule = (object) => {
  const name = String(specOf(object)['driver'] ?? '');
  if (name === name.toLowerCase()) return [];
  const quoted = JSON.stringify(name);
  return [`spec.driver: driver names should be lowercase; ${quoted} contains uppercase characters`];
};

const INGRESS_CLASS = 'kubernetes.io/ingress.class';

const ingress: Rule = (object, old) => {
  const isSet = annotationsOf(object)[INGRESS_CLASS] !== undefined;
  const isOld = isSet && specOf(object)['ingressClassName'] === undefined;
  const why = `annotation "${INGRESS_CLASS}" is deprecated, please use 'spec.ingressClassName' instead`;
  return old === undefined && isOld ? [why] : [];
};

const networkPolicy: Rule = (object) =>
  (
    [
      ['ingress', 'from'],
      ['egress', 'to'],
    ] as const
  ).flatMap(([direction, peers]) =>
    list(specOf(object)[direction]).flatMap((rule, i) =>
      list(rule[peers]).flatMap(({ ipBlock }, j) => {
        if (!isObject(ipBlock)) return [];
        const at = `spec.${direction}[${i}].${peers}[${j}].ipBlock`;
        const { cidr, except = [] } = ipBlock;
        return [
          ...networkWarnings(`${at}.cidr`, cidr),
          ...(except as unknown[]).flatMap((one, k) => networkWarnings(`${at}.except[${k}]`, one)),
        ];
      }),
    ),
  );

const MOUNTABLE = 'kubernetes.io/enforce-mountable-secrets';

const account: Rule = (object, old) => {
  const isKnown = old !== undefined && annotationsOf(old)[MOUNTABLE] !== undefined;
  const why =
    'deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets';
  return isKnown ? [] : noted(object, MOUNTABLE, why);
};

const hasPem = (data: unknown): boolean =>
  Buffer.from(String(data ?? ''), 'base64').includes('-----BEGIN ');

/** Whether certificate and key are of one pair is not looked at here. */
const secret: Rule = (object) => {
  if (object['type'] !== 'kubernetes.io/tls') return [];
  const data = record(object['data']);
  const missing = hasPem(data['tls.crt']) ? (hasPem(data['tls.key']) ? '' : 'key') : 'certificate';
  return missing === '' ? [] : [`tls: failed to find any PEM data in ${missing} input`];
};

const pod: Rule = (object, old) =>
  old === undefined ? [...nameWarnings(object, HOSTNAME), ...podWarnings(object, '')] : [];

const rules: Readonly<Record<string, Rule>> = {
  '/pods': pod,
  '/podtemplates': templated('template'),
  '/replicationcontrollers': templated('spec.template', true),
  'apps/deployments': templated('spec.template', true),
  'apps/replicasets': templated('spec.template', true),
  'apps/daemonsets': daemonSet,
  'apps/statefulsets': statefulSet,
  'batch/jobs': jobRule('spec'),
  'batch/cronjobs': cronJob,
  '/services': service,
  '/endpoints': endpoints,
  '/nodes': node,
  '/persistentvolumeclaims': claim,
  '/persistentvolumes': volume,
  '/resourcequotas': quota,
  '/serviceaccounts': account,
  '/secrets': secret,
  'discovery.k8s.io/endpointslices': endpointSlice,
  'networking.k8s.io/ingresses': ingress,
  'networking.k8s.io/networkpolicies': networkPolicy,
  'node.k8s.io/runtimeclasses': runtimeClass,
  'resource.k8s.io/resourceslices': slice,
  'storage.k8s.io/storageclasses': storageClass,
  'storage.k8s.io/csistoragecapacities': storageCapacity,
  'storage.k8s.io/csidrivers': driver,
  'apiextensions.k8s.io/customresourcedefinitions': definitionWarnings,
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhookRules,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhookRules,
};

/** What is asked and not stored: no webhook sees it (kubernetes v1.37, kubeapiserver/admission/exclusion). */
const unseenByWebhooks: ReadonlySet<string> = new Set([
  'selfsubjectreviews.authentication.k8s.io',
  'tokenreviews.authentication.k8s.io',
  'localsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
]);

/** Of rules that name what webhooks are never told of. */
function webhookRules(object: KubeObject): string[] {
  return list(object['webhooks']).flatMap((webhook, i) =>
    list(webhook['rules']).flatMap((rule, j) => {
      const groups = (rule['apiGroups'] ?? []) as readonly string[];
      const resources = (rule['resources'] ?? []) as readonly string[];
      if (groups.includes('*') || resources.includes('*')) return [];
      const named = groups.flatMap((group) => resources.map((one) => `${one}.${group}`));
      const why = 'is excluded from admission webhooks; this rule will have no effect';
      return [...new Set(named)]
        .filter((one) => unseenByWebhooks.has(one))
        .map((one) => `webhooks[${i}].rules[${j}]: ${one} ${why}`);
    }),
  );
}

const balancers = new Set(['/services', 'networking.k8s.io/ingresses']);

function statusWarnings(key: string, object: KubeObject): string[] {
  const status = record(object['status']);
  if (balancers.has(key)) {
    return list(record(status['loadBalancer'])['ingress']).flatMap(({ ip }, i) =>
      ip ? addressWarnings(`status.loadBalancer.ingress[${i}]`, ip) : [],
    );
  }
  if (key !== '/pods') return [];
  return ['podIPs', 'hostIPs'].flatMap((field) =>
    list(status[field]).flatMap(({ ip }, i) => addressWarnings(`status.${field}[${i}].ip`, ip)),
  );
}

const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

/** Of a custom object: finalizers that it has only now. */
function finalizerWarnings(object: KubeObject, old?: KubeObject): string[] {
  const before = new Set(old?.metadata.finalizers);
  const added = new Set((object.metadata.finalizers ?? []).filter((one) => !before.has(one)));
  const prefer = 'prefer a domain-qualified finalizer name';
  const why = 'to avoid accidental conflicts with other finalizer writers';
  return [...added].toSorted().flatMap((name) => {
    const isPlain = !name.includes('/') && !standardFinalizers.has(name);
    const path = name.includes('.') ? ' including a path (/)' : '';
    const problems = [
      ...qualifiedNameProblems(name),
      ...(isPlain ? [`${prefer}${path} ${why}`] : []),
    ];
    return problems.map((one) => `metadata.finalizers: ${JSON.stringify(name)}: ${one}`);
  });
}

/** Each once; `old` is undefined for a creation. */
export function warningsOf(
  info: Pick<ResourceInfo, 'group' | 'resource' | 'customResourceDefinition'>,
  object: KubeObject,
  old?: KubeObject,
  subresource?: string,
): readonly string[] {
  if (info.customResourceDefinition !== undefined)
    return subresource === undefined ? finalizerWarnings(object, old) : [];
  const key = `${info.group}/${info.resource}`;
  if (subresource === 'status') return [...new Set(statusWarnings(key, object))];
  return subresource === undefined ? [...new Set(rules[key]?.(object, old))] : [];
}
