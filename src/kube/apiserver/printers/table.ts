// Tables for kubectl get: columns and cells per kind as upstream prints them, or by the columns of a
// custom resource; the default is name and age.
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { formatLabelSelector, labelSelectorFromObject } from '#kube/meta/selectors.ts';
import { age, column, humanDuration, type Column } from './columns.ts';
import { piecePrinters } from './pieces.ts';
import { podCells, podColumns } from './pods.ts';

type Json = Record<string, unknown>;

export interface Printer {
  readonly columns: readonly Column[];
  readonly cells: (object: KubeObject, now: number) => unknown[];
}

const created = (object: KubeObject, now: number): string =>
  age(object.metadata.creationTimestamp, now);
const name = (object: KubeObject): string => object.metadata.name ?? '';
const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function selectorText(selector: unknown): string {
  const parsed = labelSelectorFromObject(selector as never);
  return parsed === undefined || parsed.length === 0 ? '<none>' : formatLabelSelector(parsed);
}

function containerCells(template: unknown): [string, string] {
  const containers = list((template as KubeObject | undefined)?.['spec']?.containers);
  return [
    containers.map((one) => String(one['name'])).join(','),
    containers.map((one) => String(one['image'])).join(','),
  ];
}

const workload = [
  column('Containers', 'string', 1),
  column('Images', 'string', 1),
  column('Selector', 'string', 1),
];

function workloadCells(object: KubeObject): unknown[] {
  return [...containerCells(object['spec']?.template), selectorText(object['spec']?.selector)];
}

function nodeStatus(node: KubeObject): string {
  const ready = list(node['status']?.conditions).find((one) => one['type'] === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady';
  return node['spec']?.unschedulable === true ? `${word},SchedulingDisabled` : word;
}

function nodeRoles(node: KubeObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.keys(node.metadata.labels ?? {}).filter((key) => key.startsWith(prefix));
  return roles.length === 0
    ? '<none>'
    : roles
        .map((key) => key.slice(prefix.length))
        .sort()
        .join(',');
}

function nodeAddress(node: KubeObject, type: string): string {
  const found = list(node['status']?.addresses).find((one) => one['type'] === type);
  return String(found?.['address'] ?? '<none>');
}

function servicePorts(service: KubeObject): string {
  const ports = list(service['spec']?.ports).map((port) => {
    const nodePort = port['nodePort'] === undefined ? '' : `:${String(port['nodePort'])}`;
    return `${String(port['port'])}${nodePort}/${String(port['protocol'])}`;
  });
  return ports.length === 0 ? '<none>' : ports.join(',');
}

function serviceExternal(service: KubeObject): string {
  const ingress = list(service['status']?.loadBalancer?.ingress).map((one) =>
    String(one['ip'] ?? one['hostname']),
  );
  if (ingress.length > 0) return ingress.join(',');
  const ips = (service['spec']?.externalIPs ?? []) as string[];
  if (ips.length > 0) return ips.join(',');
  if (service['spec']?.type === 'ExternalName') return String(service['spec'].externalName);
  return service['spec']?.type === 'LoadBalancer' ? '<pending>' : '<none>';
}

function jobStatus(job: KubeObject): string {
  const is = (type: string): boolean =>
    list(job['status']?.conditions).some((one) => one['type'] === type && one['status'] === 'True');
  if (is('Complete')) return 'Complete';
  if (is('Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  return is('Suspended') ? 'Suspended' : 'Running';
}

function jobDuration(job: KubeObject, now: number): string {
  const { startTime, completionTime } = job['status'] ?? {};
  if (startTime === undefined) return '';
  return humanDuration(
    (completionTime === undefined ? now : Date.parse(completionTime)) - Date.parse(startTime),
  );
}

function endpointsText(endpoints: KubeObject): string {
  const all = list(endpoints['subsets']).flatMap((subset) =>
    list(subset['addresses']).flatMap((address) => {
      const ports = list(subset['ports']);
      return ports.length === 0
        ? [String(address['ip'])]
        : ports.map((port) => `${String(address['ip'])}:${String(port['port'])}`);
    }),
  );
  if (all.length === 0) return '<none>';
  return all.length <= 3
    ? all.join(',')
    : `${all.slice(0, 3).join(',')} + ${all.length - 3} more...`;
}

function eventCells(event: KubeObject, now: number): unknown[] {
  const { series, eventTime } = event;
  const last =
    series?.lastObservedTime ??
    event['lastTimestamp'] ??
    event['deprecatedLastTimestamp'] ??
    eventTime;
  const first = event['firstTimestamp'] ?? event['deprecatedFirstTimestamp'] ?? eventTime;
  const involved = event['involvedObject'] ?? event['regarding'] ?? {};
  const { component, host } = event['source'] ?? event['deprecatedSource'] ?? {};
  const reporter = event['reportingComponent'] ?? event['reportingController'];
  const source = [component || reporter, host || event['reportingInstance']]
    .filter((one) => one !== undefined && one !== '')
    .join(', ');
  const object = `${String(involved.kind ?? '').toLowerCase()}/${String(involved.name ?? '')}`;
  return [
    age(last, now),
    event['type'],
    event['reason'],
    object,
    involved.fieldPath ?? '',
    source,
    String(event['message'] ?? event['note'] ?? '').trim(),
    age(first, now),
    series?.count ?? event['count'] ?? event['deprecatedCount'] ?? 1,
    name(event),
  ];
}

const ageColumn = column('Age');

const eventPrinter: Printer = {
  columns: [
    column('Last Seen'),
    column('Type'),
    column('Reason'),
    column('Object'),
    column('Subobject', 'string', 1),
    column('Source', 'string', 1),
    column('Message'),
    column('First Seen', 'string', 1),
    column('Count', 'string', 1),
    column('Name', 'string', 1),
  ],
  cells: eventCells,
};

const printers: Readonly<Record<string, Printer>> = {
  '/pods': { columns: podColumns, cells: podCells },
  '/nodes': {
    columns: [
      column('Name'),
      column('Status'),
      column('Roles'),
      ageColumn,
      column('Version'),
      column('Internal-IP', 'string', 1),
      column('External-IP', 'string', 1),
      column('OS-Image', 'string', 1),
      column('Kernel-Version', 'string', 1),
      column('Container-Runtime', 'string', 1),
    ],
    cells: (node, now) => {
      const info = node['status']?.nodeInfo ?? {};
      const known = (text: unknown): string =>
        text === undefined || text === '' ? '<unknown>' : String(text);
      return [
        name(node),
        nodeStatus(node),
        nodeRoles(node),
        created(node, now),
        info.kubeletVersion ?? '',
        nodeAddress(node, 'InternalIP'),
        nodeAddress(node, 'ExternalIP'),
        known(info.osImage),
        known(info.kernelVersion),
        known(info.containerRuntimeVersion),
      ];
    },
  },
  '/namespaces': {
    columns: [column('Name'), column('Status'), ageColumn],
    cells: (one, now) => [name(one), one['status']?.phase ?? '', created(one, now)],
  },
  '/services': {
    columns: [
      column('Name'),
      column('Type'),
      column('Cluster-IP'),
      column('External-IP'),
      column('Port(s)'),
      ageColumn,
      column('Selector', 'string', 1),
    ],
    cells: (one, now) => {
      const selector = Object.entries((one['spec']?.selector ?? {}) as Json).map(
        ([key, value]) => `${key}=${String(value)}`,
      );
      return [
        name(one),
        one['spec']?.type ?? '',
        one['spec']?.clusterIP ?? '<none>',
        serviceExternal(one),
        servicePorts(one),
        created(one, now),
        selector.join(',') || '<none>',
      ];
    },
  },
  '/endpoints': {
    columns: [column('Name'), column('Endpoints'), ageColumn],
    cells: (one, now) => [name(one), endpointsText(one), created(one, now)],
  },
  '/configmaps': {
    columns: [column('Name'), column('Data'), ageColumn],
    cells: (one, now) => [
      name(one),
      Object.keys(one['data'] ?? {}).length + Object.keys(one['binaryData'] ?? {}).length,
      created(one, now),
    ],
  },
  '/secrets': {
    columns: [column('Name'), column('Type'), column('Data'), ageColumn],
    cells: (one, now) => [
      name(one),
      one['type'] ?? '',
      Object.keys(one['data'] ?? {}).length,
      created(one, now),
    ],
  },
  '/events': eventPrinter,
  'events.k8s.io/events': eventPrinter,
  'apps/deployments': {
    columns: [
      column('Name'),
      column('Ready'),
      column('Up-to-date'),
      column('Available'),
      ageColumn,
      ...workload,
    ],
    cells: (one, now) => {
      const status = one['status'] ?? {};
      return [
        name(one),
        `${status.readyReplicas ?? 0}/${one['spec']?.replicas ?? 0}`,
        status.updatedReplicas ?? 0,
        status.availableReplicas ?? 0,
        created(one, now),
        ...workloadCells(one),
      ];
    },
  },
  'apps/replicasets': {
    columns: [
      column('Name'),
      column('Desired', 'integer'),
      column('Current', 'integer'),
      column('Ready', 'integer'),
      ageColumn,
      ...workload,
    ],
    cells: (one, now) => [
      name(one),
      one['spec']?.replicas ?? 0,
      one['status']?.replicas ?? 0,
      one['status']?.readyReplicas ?? 0,
      created(one, now),
      ...workloadCells(one),
    ],
  },
  'apps/daemonsets': {
    columns: [
      column('Name'),
      column('Desired', 'integer'),
      column('Current', 'integer'),
      column('Ready', 'integer'),
      column('Up-to-date', 'integer'),
      column('Available', 'integer'),
      column('Node Selector'),
      ageColumn,
      ...workload,
    ],
    cells: (one, now) => {
      const status = one['status'] ?? {};
      const selector = Object.entries(
        (one['spec']?.template?.spec?.nodeSelector ?? {}) as Json,
      ).map(([key, value]) => `${key}=${String(value)}`);
      return [
        name(one),
        status.desiredNumberScheduled ?? 0,
        status.currentNumberScheduled ?? 0,
        status.numberReady ?? 0,
        status.updatedNumberScheduled ?? 0,
        status.numberAvailable ?? 0,
        selector.join(',') || '<none>',
        created(one, now),
        ...workloadCells(one),
      ];
    },
  },
  'apps/statefulsets': {
    columns: [column('Name'), column('Ready'), ageColumn, ...workload.slice(0, 2)],
    cells: (one, now) => [
      name(one),
      `${one['status']?.readyReplicas ?? 0}/${one['spec']?.replicas ?? 0}`,
      created(one, now),
      ...containerCells(one['spec']?.template),
    ],
  },
  'batch/jobs': {
    columns: [
      column('Name'),
      column('Status'),
      column('Completions'),
      column('Duration'),
      ageColumn,
      ...workload,
    ],
    cells: (one, now) => {
      const wanted =
        one['spec']?.completions ??
        (one['spec']?.parallelism > 1 ? `1 of ${one['spec'].parallelism}` : 1);
      return [
        name(one),
        jobStatus(one),
        `${one['status']?.succeeded ?? 0}/${wanted}`,
        jobDuration(one, now),
        created(one, now),
        ...workloadCells(one),
      ];
    },
  },
  'batch/cronjobs': {
    columns: [
      column('Name'),
      column('Schedule'),
      column('Timezone'),
      column('Suspend', 'boolean'),
      column('Active', 'integer'),
      column('Last Schedule'),
      ageColumn,
      ...workload,
    ],
    cells: (one, now) => {
      const last = one['status']?.lastScheduleTime;
      const suspend = one['spec']?.suspend === true ? 'True' : 'False';
      return [
        name(one),
        one['spec']?.schedule,
        one['spec']?.timeZone ?? '<none>',
        suspend,
        list(one['status']?.active).length,
        last === undefined ? '<none>' : age(last, now),
        created(one, now),
        ...containerCells(one['spec']?.jobTemplate?.spec?.template),
        selectorText(one['spec']?.jobTemplate?.spec?.selector),
      ];
    },
  },
  'discovery.k8s.io/endpointslices': {
    columns: [
      column('Name'),
      column('AddressType'),
      column('Ports'),
      column('Endpoints'),
      ageColumn,
    ],
    cells: (one, now) => {
      const ports =
        list(one['ports'])
          .map((port) => String(port['port']))
          .join(',') || '<unset>';
      const addresses = list(one['endpoints']).flatMap(
        (endpoint) => endpoint['addresses'] as string[],
      );
      const text =
        addresses.length > 3
          ? `${addresses.slice(0, 3).join(',')} + ${addresses.length - 3} more...`
          : addresses.join(',') || '<unset>';
      return [name(one), one['addressType'], ports, text, created(one, now)];
    },
  },
  'rbac.authorization.k8s.io/roles': {
    columns: [column('Name'), column('Created At', 'date')],
    cells: (one) => [name(one), one.metadata.creationTimestamp],
  },
  'rbac.authorization.k8s.io/clusterroles': {
    columns: [column('Name'), column('Created At', 'date')],
    cells: (one) => [name(one), one.metadata.creationTimestamp],
  },
  'apiextensions.k8s.io/customresourcedefinitions': {
    columns: [column('Name'), column('Created At', 'date')],
    cells: (one) => [name(one), one.metadata.creationTimestamp],
  },
  'node.k8s.io/runtimeclasses': {
    columns: [column('Name'), column('Handler'), ageColumn],
    cells: (one, now) => [name(one), one['handler'], created(one, now)],
  },
  'coordination.k8s.io/leases': {
    columns: [column('Name'), column('Holder'), ageColumn],
    cells: (one, now) => [name(one), one['spec']?.holderIdentity ?? '', created(one, now)],
  },
  'scheduling.k8s.io/priorityclasses': {
    columns: [
      column('Name'),
      column('Value', 'integer'),
      column('Global-Default', 'boolean'),
      ageColumn,
      column('PreemptionPolicy'),
    ],
    cells: (one, now) => [
      name(one),
      one['value'],
      one['globalDefault'] === true,
      created(one, now),
      one['preemptionPolicy'] ?? '',
    ],
  },
};

/** `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`: the paths that columns use. */
export function jsonPath(object: unknown, path: string): unknown {
  let values: unknown[] = [object];
  for (const token of path.match(
    /\.[A-Za-z0-9_-]+|\['[^']+'\]|\[\d+\]|\[\*\]|\[\?\(@\.[\w.]+==["'][^"']*["']\)\]/g,
  ) ?? []) {
    const filter = /^\[\?\(@\.([\w.]+)==["']([^"']*)["']\)\]$/.exec(token);
    values = values.flatMap((value): unknown[] => {
      if (value === undefined || value === null) return [];
      if (filter !== null) {
        return list(value).filter((one) => String(jsonPath(one, `.${filter[1]}`)) === filter[2]);
      }
      if (token === '[*]') return Array.isArray(value) ? value : Object.values(value as Json);
      const key = token.startsWith('.') ? token.slice(1) : token.replace(/^\['?|'?\]$/g, '');
      const found = (value as Json)[key];
      return found === undefined ? [] : [found];
    });
  }
  return values.length > 1 ? values : values[0];
}

function customPrinter(info: ResourceInfo): Printer {
  const columns = info.printerColumns ?? [];
  return {
    columns: [
      column('Name'),
      ...columns.map((one) => ({
        ...column(one.name, one.type, one.priority),
        format: one.format ?? '',
        description: one.description ?? '',
      })),
    ],
    cells: (object, now) => [
      name(object),
      ...columns.map((one) => {
        const value = jsonPath(object, one.jsonPath ?? '');
        if (value === undefined) return null;
        if (one.type === 'date') return age(value, now);
        return typeof value === 'object' ? JSON.stringify(value) : value;
      }),
    ],
  };
}

const plain: Printer = {
  columns: [column('Name'), ageColumn],
  cells: (one, now) => [name(one), created(one, now)],
};

export function printerOf(info: ResourceInfo): Printer {
  if (info.printerColumns !== undefined && info.printerColumns.length > 0)
    return customPrinter(info);
  const key = `${info.group}/${info.resource}`;
  return printers[key] ?? piecePrinters[key] ?? plain;
}

export interface TableOptions {
  readonly now: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  /** Later events of a watch leave the columns out. */
  readonly withColumns: boolean;
}

export function toTable(info: ResourceInfo, objects: readonly KubeObject[], options: TableOptions) {
  const printer = printerOf(info);
  const rows = objects.map((object) => ({
    cells: printer.cells(object, options.now),
    ...(options.includeObject === 'None'
      ? {}
      : {
          object:
            options.includeObject === 'Object'
              ? object
              : {
                  kind: 'PartialObjectMetadata',
                  apiVersion: 'meta.k8s.io/v1',
                  metadata: object.metadata,
                },
        }),
  }));
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata,
    columnDefinitions: options.withColumns ? printer.columns : null,
    rows,
  };
}
