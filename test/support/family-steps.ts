// Families of addresses of services on a server with one range: what is filled in, and what is refused.
import { below, patch, place, post, remove, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

const space = 'families';
const services = `${below('v1', space)}/services`;
const dry = `${services}?dryRun=All`;

const service = (spec: Json, name = 'a'): Json => ({
  metadata: { name },
  spec: { ports: [{ port: 80 }], selector: { a: 'b' }, ...spec },
});

const made: Readonly<Record<string, Json>> = {
  'single stack': { ipFamilyPolicy: 'SingleStack' },
  'prefers two': { ipFamilyPolicy: 'PreferDualStack' },
  'needs two': { ipFamilyPolicy: 'RequireDualStack' },
  'odd policy': { ipFamilyPolicy: 'Odd' },
  'family of the range': { ipFamilies: ['IPv4'] },
  'other family': { ipFamilies: ['IPv6'] },
  'two families': { ipFamilies: ['IPv4', 'IPv6'] },
  'two families, single': { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'SingleStack' },
  'two families, preferred': { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' },
  'two families, needed': { ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'RequireDualStack' },
  'same family twice': { ipFamilies: ['IPv4', 'IPv4'] },
  'three families': { ipFamilies: ['IPv4', 'IPv6', 'IPv4'] },
  'odd family': { ipFamilies: ['IPv5'] },
  'no families': { ipFamilies: [] },
  headless: { clusterIP: 'None' },
  'headless, preferred': { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack' },
  'headless, needed': { clusterIP: 'None', ipFamilyPolicy: 'RequireDualStack' },
  'headless, other family': { clusterIP: 'None', ipFamilies: ['IPv6'] },
  'headless, two families': { clusterIP: 'None', ipFamilies: ['IPv4', 'IPv6'] },
  'headless without a selector': { clusterIP: 'None', selector: null },
  'headless without a selector, single': {
    clusterIP: 'None',
    selector: null,
    ipFamilyPolicy: 'SingleStack',
  },
  'headless without a selector, family': {
    clusterIP: 'None',
    selector: null,
    ipFamilies: ['IPv6'],
  },
  'address alone': { clusterIP: '198.18.0.77' },
  'addresses alone': { clusterIPs: ['198.18.0.78'] },
  'address of the other family': { clusterIP: 'fd00::1' },
  'address and family': { clusterIP: '198.18.0.79', ipFamilies: ['IPv6'] },
  'addresses that differ': { clusterIP: '198.18.0.80', clusterIPs: ['198.18.0.81'] },
  'two addresses': { clusterIPs: ['198.18.0.82', 'fd00::1'] },
  'two addresses, needed': {
    clusterIPs: ['198.18.0.83', 'fd00::1'],
    ipFamilyPolicy: 'RequireDualStack',
  },
  'two addresses of one family': { clusterIPs: ['198.18.0.84', '198.18.0.85'] },
  'three addresses': { clusterIPs: ['198.18.0.86', 'fd00::1', '198.18.0.87'] },
  'none and an address': { clusterIP: 'None', clusterIPs: ['None', '198.18.0.88'] },
  'odd address': { clusterIPs: ['x'] },
  'empty address': { clusterIPs: [''] },
  'beyond the range': { clusterIP: '10.0.0.1' },
  'external name': { type: 'ExternalName', externalName: 'a.b', ports: null },
  'external name with a policy': {
    type: 'ExternalName',
    externalName: 'a.b',
    ipFamilyPolicy: 'SingleStack',
  },
  'external name with families': {
    type: 'ExternalName',
    externalName: 'a.b',
    ipFamilies: ['IPv4'],
  },
  'external name with an address': {
    type: 'ExternalName',
    externalName: 'a.b',
    clusterIP: '198.18.0.89',
  },
  'external name with addresses': {
    type: 'ExternalName',
    externalName: 'a.b',
    clusterIPs: ['198.18.0.90'],
  },
  balancer: { type: 'LoadBalancer', ipFamilyPolicy: 'PreferDualStack' },
};

const changes: Readonly<Record<string, Json>> = {
  'to two': { ipFamilyPolicy: 'PreferDualStack' },
  'to needed two': { ipFamilyPolicy: 'RequireDualStack' },
  'to the other family': { ipFamilies: ['IPv6'] },
  'to both families': { ipFamilies: ['IPv4', 'IPv6'] },
  'to no policy': { ipFamilyPolicy: null },
  'to no families': { ipFamilies: null },
  'to no address': { clusterIP: null, clusterIPs: null },
  'to no addresses': { clusterIPs: null },
  'to another address': { clusterIP: '198.18.0.99' },
  'to other addresses': { clusterIPs: ['198.18.0.99'] },
  'to headless': { clusterIP: 'None', clusterIPs: ['None'] },
  'to a name': { type: 'ExternalName', externalName: 'a.b' },
  'to a name without addresses': {
    type: 'ExternalName',
    externalName: 'a.b',
    clusterIP: '',
    clusterIPs: null,
  },
  'to a name without anything': {
    type: 'ExternalName',
    externalName: 'a.b',
    clusterIP: null,
    clusterIPs: null,
    ipFamilies: null,
    ipFamilyPolicy: null,
  },
};

export const familySteps = (): Step[] => [
  ...place(space),
  ...Object.entries(made).map(([name, spec]) => post(`made: ${name}`, dry, service(spec))),
  post('kept', services, service({ clusterIP: '198.18.0.70' }, 'kept')),
  post('kept headless', services, service({ clusterIP: 'None' }, 'bare')),
  post('kept name', services, service({ type: 'ExternalName', externalName: 'a.b' }, 'name')),
  ...['kept', 'bare', 'name'].flatMap((one) =>
    Object.entries(changes).map(([name, spec]) =>
      patch(`${one} ${name}`, `${services}/${one}?dryRun=All`, { spec }),
    ),
  ),
  patch('name to an address', `${services}/name?dryRun=All`, {
    spec: { type: 'ClusterIP', externalName: null },
  }),
  patch('bare gets a selector', `${services}/bare?dryRun=All`, { spec: { selector: null } }),
  remove('kept goes', `${services}/kept`),
];
