// Tables of networking and discovery.
import type { KubeObject } from '#kube/meta/object.ts';
import {
  columns,
  created,
  list,
  name,
  nameColumn,
  selectorText,
  shortened,
  type Printers,
} from './cells.ts';
import { column } from './columns.ts';

/** Addresses or names that a load balancer answers at. */
export function loadBalancerText(object: KubeObject): string {
  const all = list(object['status']?.loadBalancer?.ingress)
    .map((one) => String(one['ip'] || one['hostname'] || ''))
    .filter((one) => one !== '');
  return [...new Set(all)].toSorted().join(',');
}

function ingressHosts(ingress: KubeObject): string {
  const rules = list(ingress['spec']?.rules);
  const hosts: string[] = [];
  let isCut = false;
  for (const { host = '' } of rules) {
    if (hosts.length === 3) isCut = true;
    if (!isCut && host !== '') hosts.push(String(host));
  }
  if (hosts.length === 0) return '*';
  return hosts.join(',') + (isCut ? ` + ${rules.length - 3} more...` : '');
}

function ingressClassCells(one: KubeObject, now: number): unknown[] {
  const isDefault =
    one.metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true';
  const { controller, parameters } = one['spec'] ?? {};
  const group = parameters?.apiGroup === undefined ? '' : `.${String(parameters.apiGroup)}`;
  return [
    name(one) + (isDefault ? ' (default)' : ''),
    controller ?? '',
    parameters === undefined
      ? '<none>'
      : `${String(parameters.kind)}${group}/${String(parameters.name)}`,
    created(one, now),
  ];
}

function parentText(one: KubeObject): string {
  const parent = one['spec']?.parentRef;
  if (parent === undefined) return '<none>';
  const group = parent.group ? `.${String(parent.group)}` : '';
  const resource = `${String(parent.resource ?? '')}${group}`.toLowerCase();
  return [resource, parent.namespace, parent.name].filter((part) => (part ?? '') !== '').join('/');
}

export const networkPrinters: Printers = {
  'networking.k8s.io/ingresses': {
    columns: columns('Class', 'Hosts', 'Address', 'Ports'),
    cells: (one, now) => [
      name(one),
      one['spec']?.ingressClassName ?? '<none>',
      ingressHosts(one),
      loadBalancerText(one),
      list(one['spec']?.tls).length > 0 ? '80, 443' : '80',
      created(one, now),
    ],
  },
  'networking.k8s.io/ingressclasses': {
    columns: columns('Controller', 'Parameters'),
    cells: ingressClassCells,
  },
  'networking.k8s.io/networkpolicies': {
    columns: columns('Pod-Selector'),
    cells: (one, now) => [name(one), selectorText(one['spec']?.podSelector), created(one, now)],
  },
  'networking.k8s.io/servicecidrs': {
    columns: columns('CIDRs'),
    cells: (one, now) => [name(one), (one['spec']?.cidrs ?? []).join(','), created(one, now)],
  },
  'networking.k8s.io/ipaddresses': {
    columns: [nameColumn, column('ParentRef')],
    cells: (one, now) => [name(one), parentText(one), created(one, now)],
  },
  'discovery.k8s.io/endpointslices': {
    columns: columns('AddressType', 'Ports', 'Endpoints'),
    cells: (one, now) => {
      const ports = list(one['ports']).map((port) => String(port['port'] ?? port['name'] ?? '*'));
      const addresses = list(one['endpoints']).flatMap(
        (endpoint) => (endpoint['addresses'] ?? []) as string[],
      );
      return [
        name(one),
        one['addressType'],
        shortened(ports, 3, '<unset>'),
        shortened(addresses, 3, '<unset>'),
        created(one, now),
      ];
    },
  },
};
