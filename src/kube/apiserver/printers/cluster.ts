// Tables of what governs a cluster: access, certificates, admission, flow control, classes, leases.
import type { KubeObject } from '#kube/meta/object.ts';
import { formatLabelSelector, labelSelectorFromObject } from '#kube/meta/selectors.ts';
import {
  ageColumn,
  boolean,
  columns,
  conditionStatus,
  created,
  integer,
  labelsText,
  list,
  name,
  nameColumn,
  shortened,
  wide,
  type Printer,
  type Printers,
} from './cells.ts';
import { column, humanDuration } from './columns.ts';

function bindingCells(binding: KubeObject, now: number): unknown[] {
  const { kind, name: roleName } = binding['roleRef'] ?? {};
  const subjects = list(binding['subjects']);
  const named = (wanted: string): string =>
    subjects
      .filter((one) => one['kind'] === wanted)
      .map((one) => {
        const own = String(one['name']);
        return wanted === 'ServiceAccount' ? `${String(one['namespace'] ?? '')}/${own}` : own;
      })
      .join(', ');
  return [
    name(binding),
    `${String(kind)}/${String(roleName)}`,
    created(binding, now),
    named('User'),
    named('Group'),
    named('ServiceAccount'),
  ];
}

const bindings: Printer = {
  columns: [...columns('Role'), wide('Users'), wide('Groups'), wide('ServiceAccounts')],
  cells: bindingCells,
};

function requestStatus(request: KubeObject): string {
  const types = new Set(list(request['status']?.conditions).map((one) => one['type']));
  const word = types.has('Denied') ? 'Denied' : types.has('Approved') ? 'Approved' : 'Pending';
  const failed = types.has('Failed') ? ',Failed' : '';
  return word + failed + (request['status']?.certificate ? ',Issued' : '');
}

function podRequestState(request: KubeObject): string {
  const states = list(request['status']?.conditions)
    .map((one) => String(one['type']))
    .filter((type) => type === 'Issued' || type === 'Denied' || type === 'Failed');
  return states.at(-1) ?? 'Pending';
}

function counted(what: string, of: (object: KubeObject) => unknown): Printer {
  return {
    columns: columns(integer(what)),
    cells: (one, now) => [name(one), list(of(one)).length, created(one, now)],
  };
}

function policies(what: string, of: (object: KubeObject) => unknown): Printer {
  return {
    columns: columns(integer(what), 'ParamKind'),
    cells: (one, now) => {
      const { paramKind } = one['spec'] ?? {};
      return [
        name(one),
        list(of(one)).length,
        paramKind === undefined ? '<unset>' : `${paramKind.apiVersion}/${paramKind.kind}`,
        created(one, now),
      ];
    },
  };
}

function paramText(binding: KubeObject): string {
  const reference = binding['spec']?.paramRef;
  if (reference === undefined) return '<unset>';
  if (reference.name) return `${reference.namespace || '*'}/${reference.name}`;
  if (reference.selector === undefined) return '<unset>';
  return formatLabelSelector(labelSelectorFromObject(reference.selector) ?? []);
}

const policyBindings: Printer = {
  columns: columns('PolicyName', 'ParamRef'),
  cells: (one, now) => [
    name(one),
    one['spec']?.policyName ?? '',
    paramText(one),
    created(one, now),
  ],
};

function levelCells(level: KubeObject, now: number): unknown[] {
  const { type, limited } = level['spec'] ?? {};
  const queuing = limited?.limitResponse?.queuing;
  return [
    name(level),
    type,
    limited === undefined ? '<none>' : (limited.nominalConcurrencyShares ?? 0),
    queuing?.queues ?? '<none>',
    queuing?.handSize ?? '<none>',
    queuing?.queueLengthLimit ?? '<none>',
    created(level, now),
  ];
}

function migrationStatus(migration: KubeObject): string {
  const words = list(migration['status']?.conditions)
    .filter((one) => one['status'] === 'True')
    .map((one) => String(one['type']))
    .filter((type) => type === 'Running' || type === 'Failed' || type === 'Succeeded');
  return words.at(-1) ?? 'Unknown';
}

function groupResource(resource: { group?: string; resource?: string } | undefined): string {
  const { group = '', resource: plural = '' } = resource ?? {};
  return group === '' ? plural : `${plural}.${group}`;
}

function availability(service: KubeObject): string {
  const found = list(service['status']?.conditions).find((one) => one['type'] === 'Available');
  if (found === undefined) return 'Unknown';
  if (found['status'] === 'True') return 'True';
  return `${String(found['status'])} (${String(found['reason'] ?? '')})`;
}

/** Where upstream has no printer of its own. */
export const unprinted: Printer = {
  columns: [nameColumn, column('Created At', 'date')],
  cells: (one) => [name(one), one.metadata.creationTimestamp],
};

export const clusterPrinters: Printers = {
  'rbac.authorization.k8s.io/rolebindings': bindings,
  'rbac.authorization.k8s.io/clusterrolebindings': bindings,
  'certificates.k8s.io/certificatesigningrequests': {
    columns: [
      nameColumn,
      ageColumn,
      column('SignerName'),
      column('Requestor'),
      column('RequestedDuration'),
      column('Condition'),
    ],
    cells: (one, now) => {
      const { signerName, username, expirationSeconds } = one['spec'] ?? {};
      return [
        name(one),
        created(one, now),
        signerName || '<none>',
        username ?? '',
        expirationSeconds === undefined ? '<none>' : humanDuration(expirationSeconds * 1_000),
        requestStatus(one),
      ];
    },
  },
  'certificates.k8s.io/clustertrustbundles': {
    columns: [nameColumn, column('SignerName')],
    cells: (one) => [name(one), one['spec']?.signerName || '<none>'],
  },
  'certificates.k8s.io/podcertificaterequests': {
    columns: [
      nameColumn,
      ...['PodName', 'ServiceAccountName', 'NodeName', 'SignerName', 'State'].map((one) =>
        column(one),
      ),
      column('UnverifiedUserAnnotations'),
    ],
    cells: (one) => {
      const spec = one['spec'] ?? {};
      return [
        name(one),
        spec.podName ?? '',
        spec.serviceAccountName ?? '',
        spec.nodeName ?? '',
        spec.signerName ?? '',
        podRequestState(one),
        labelsText(spec.unverifiedUserAnnotations),
      ];
    },
  },
  'apiextensions.k8s.io/customresourcedefinitions': {
    columns: [
      nameColumn,
      column('Scope'),
      column('Versions'),
      column('Created At', 'date'),
      wide('Group'),
      wide('Kind'),
      wide('ShortNames'),
      column('Established', 'boolean', 1),
    ],
    cells: (one) => {
      const { scope = '', group = '', names = {}, versions } = one['spec'] ?? {};
      const served = list(versions)
        .filter((version) => version['served'] === true)
        .map(({ name: own, storage }) => `${String(own)}${storage === true ? '(storage)' : ''}`);
      return [
        name(one),
        scope,
        served.toSorted().join(','),
        one.metadata.creationTimestamp,
        group,
        names.kind ?? '',
        (names.shortNames ?? []).join(','),
        conditionStatus(one, 'Established') === 'True',
      ];
    },
  },
  'apiregistration.k8s.io/apiservices': {
    columns: columns('Service', 'Available'),
    cells: (one, now) => {
      const { service } = one['spec'] ?? {};
      return [
        name(one),
        service === undefined || service === null
          ? 'Local'
          : `${service.namespace}/${service.name}`,
        availability(one),
        created(one, now),
      ];
    },
  },
  'coordination.k8s.io/leases': {
    columns: columns('Holder'),
    cells: (one, now) => [name(one), one['spec']?.holderIdentity ?? '', created(one, now)],
  },
  'coordination.k8s.io/leasecandidates': {
    columns: columns('LeaseName', 'BinaryVersion', 'EmulationVersion'),
    cells: (one, now) => {
      const { leaseName = '', binaryVersion = '', emulationVersion = '' } = one['spec'] ?? {};
      return [name(one), leaseName, binaryVersion, emulationVersion, created(one, now)];
    },
  },
  'scheduling.k8s.io/priorityclasses': {
    columns: [...columns(integer('Value'), boolean('Global-Default')), column('PreemptionPolicy')],
    cells: (one, now) => [
      name(one),
      one['value'] ?? 0,
      one['globalDefault'] === true,
      created(one, now),
      one['preemptionPolicy'] ?? '',
    ],
  },
  'node.k8s.io/runtimeclasses': {
    columns: columns('Handler'),
    cells: (one, now) => [name(one), one['handler'], created(one, now)],
  },
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': counted(
    'Webhooks',
    (one) => one['webhooks'],
  ),
  'admissionregistration.k8s.io/validatingwebhookconfigurations': counted(
    'Webhooks',
    (one) => one['webhooks'],
  ),
  'admissionregistration.k8s.io/validatingadmissionpolicies': policies(
    'Validations',
    (one) => one['spec']?.validations,
  ),
  'admissionregistration.k8s.io/mutatingadmissionpolicies': policies(
    'Mutations',
    (one) => one['spec']?.mutations,
  ),
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': policyBindings,
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': policyBindings,
  'flowcontrol.apiserver.k8s.io/flowschemas': {
    columns: [
      ...columns('PriorityLevel', 'MatchingPrecedence', 'DistinguisherMethod'),
      column('MissingPL'),
    ],
    cells: (one, now) => [
      name(one),
      one['spec']?.priorityLevelConfiguration?.name ?? '',
      one['spec']?.matchingPrecedence ?? 0,
      one['spec']?.distinguisherMethod?.type ?? '<none>',
      created(one, now),
      conditionStatus(one, 'Dangling') ?? '?',
    ],
  },
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': {
    columns: columns('Type', 'NominalConcurrencyShares', 'Queues', 'HandSize', 'QueueLengthLimit'),
    cells: levelCells,
  },
  'internal.apiserver.k8s.io/storageversions': {
    columns: columns('CommonEncodingVersion', 'StorageVersions'),
    cells: (one, now) => [
      name(one),
      one['status']?.commonEncodingVersion ?? '<unset>',
      shortened(
        list(one['status']?.storageVersions).map(
          (each) => `${String(each['apiServerID'])}=${String(each['encodingVersion'])}`,
        ),
        3,
        '<unset>',
      ),
      created(one, now),
    ],
  },
  'storagemigration.k8s.io/storageversionmigrations': {
    columns: [{ ...nameColumn, format: '' }, column('Resource'), column('Status')],
    cells: (one) => [name(one), groupResource(one['spec']?.resource), migrationStatus(one)],
  },
};
