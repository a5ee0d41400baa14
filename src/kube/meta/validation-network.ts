// Validates services and endpoints, as kube-apiserver v1.37 does.
import { same } from '#base/same.ts';
import {
  cidrBlock,
  ipAddress,
  labelValues,
  list,
  named,
  oneOf,
  portNumber,
  portNumberOrName,
  qualified,
  record,
  type Json,
} from './field-rules.ts';
import { duplicate, forbidden, invalidValue, requiredValue, validateLabels } from './names.ts';
import type { KubeObject } from './object.ts';
import { addressProblem, familyOf, strictAddressProblem } from './ip-ranges.ts';
import type { StatusCause } from './status.ts';
import { serviceAddressCauses } from './validation-service-addresses.ts';
import { ingressRules } from './validation-ingress.ts';

type Rule = (object: KubeObject, old?: KubeObject) => StatusCause[];

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const protocols = ['SCTP', 'TCP', 'UDP'];

function validateServicePorts(spec: Json): StatusCause[] {
  const ports = list(spec['ports']);
  const names = new Set<unknown>();
  const uses = new Set<string>();
  const nodeUses = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `spec.ports[${index}]`;
    const { name, protocol, targetPort } = port;
    const causes: StatusCause[] = [];
    if (ports.length > 1 && !name) causes.push(requiredValue(`${at}.name`));
    else if (name) {
      const wrong = named(`${at}.name`, name, 'label');
      causes.push(...wrong);
      if (wrong.length === 0 && names.has(name)) causes.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    causes.push(
      ...portNumber(`${at}.port`, port['port']),
      ...oneOf(`${at}.protocol`, protocol, protocols),
      ...portNumberOrName(`${at}.targetPort`, targetPort),
      ...(port['appProtocol'] === undefined
        ? []
        : qualified(`${at}.appProtocol`, port['appProtocol'])),
    );
    if (spec['type'] === 'ClusterIP' && port['nodePort']) {
      const why = "may not be used when `type` is 'ClusterIP'";
      causes.push(forbidden(`${at}.nodePort`, why));
    }
    const nodeUse = `${String(protocol)}/${String(port['nodePort'])}`;
    if (port['nodePort'] && nodeUses.has(nodeUse)) {
      causes.push(duplicate(`${at}.nodePort`, port['nodePort']));
    }
    nodeUses.add(nodeUse);
    const use = `${String(protocol)}/${String(port['port'])}`;
    if (uses.has(use)) {
      const shown = {
        Name: '',
        Protocol: protocol,
        AppProtocol: null,
        Port: port['port'],
        TargetPort: 0,
        NodePort: 0,
      };
      causes.push(duplicate(at, shown));
    }
    uses.add(use);
    return causes;
  });
}

function validateTraffic(spec: Json, before: Json): StatusCause[] {
  const causes: StatusCause[] = [];
  const { type } = spec;
  const isOutside = type === 'NodePort' || type === 'LoadBalancer';
  const outer = spec['externalTrafficPolicy'];
  const hasAddresses = list(spec['externalIPs']).length > 0;
  if (outer !== undefined && !isOutside && !hasAddresses) {
    const why = 'may only be set for externally-accessible services';
    causes.push(invalidValue('spec.externalTrafficPolicy', outer, why));
  } else causes.push(...oneOf('spec.externalTrafficPolicy', outer, ['Cluster', 'Local']));
  const checks = spec['healthCheckNodePort'];
  const isChecked = type === 'LoadBalancer' && outer === 'Local';
  if (!isChecked && checks) {
    const why =
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    causes.push(invalidValue('spec.healthCheckNodePort', checks, why));
  }
  const inner = spec['internalTrafficPolicy'];
  causes.push(...oneOf('spec.internalTrafficPolicy', inner, ['Cluster', 'Local']));
  const ranges = list(spec['loadBalancerSourceRanges']);
  if (ranges.length > 0 && type !== 'LoadBalancer') {
    const why = "may only be used when `type` is 'LoadBalancer'";
    causes.push(forbidden('spec.LoadBalancerSourceRanges', why));
  }
  ranges.forEach((one, index) =>
    causes.push(
      ...cidrBlock(
        `spec.LoadBalancerSourceRanges[${index}]`,
        one,
        list(before['loadBalancerSourceRanges']),
      ),
    ),
  );
  return causes;
}

/** What is a name for something outside has no address of its own. */
function unaddressed(spec: Json): StatusCause[] {
  const { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy } = spec;
  const given = {
    clusterIPs: Boolean(clusterIP) || list(clusterIPs).length > 0,
    ipFamilies: list(ipFamilies).length > 0,
    ipFamilyPolicy: ipFamilyPolicy !== undefined,
  };
  return Object.entries(given).flatMap(([field, isGiven]) =>
    isGiven ? [forbidden(`spec.${field}`, 'may not be set for ExternalName services')] : [],
  );
}

const AFFINITY_SECONDS_MAX = 86_400;

function affinityTime(spec: Json): StatusCause[] {
  const { timeoutSeconds: time } = record(record(spec['sessionAffinityConfig'])['clientIP']);
  if (spec['sessionAffinity'] !== 'ClientIP' || typeof time !== 'number') return [];
  if (time > 0 && time <= AFFINITY_SECONDS_MAX) return [];
  const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  const why = `must be greater than 0 and less than ${AFFINITY_SECONDS_MAX}`;
  return [invalidValue(field, time, why)];
}

/** In the order in which upstream tells them. */
function oneOfOrdered({ trafficDistribution }: Json): StatusCause[] {
  const words = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
  return oneOf('spec.trafficDistribution', trafficDistribution, words);
}

/** What only services of load balancers have. */
function balanced(spec: Json): StatusCause[] {
  const { loadBalancerClass: name, allocateLoadBalancerNodePorts: takes } = spec;
  const checks = spec['healthCheckNodePort'];
  const isBalanced = spec['type'] === 'LoadBalancer';
  const why = "may only be used when `type` is 'LoadBalancer'";
  const only = (field: string, value: unknown): StatusCause[] =>
    isBalanced || value === undefined ? [] : [forbidden(`spec.${field}`, why)];
  return [
    ...only('allocateLoadBalancerNodePorts', takes),
    ...only('loadBalancerClass', name),
    ...(isBalanced && name !== undefined ? qualified('spec.loadBalancerClass', name) : []),
    ...(isBalanced && checks ? portNumber('spec.healthCheckNodePort', checks) : []),
  ];
}

const validateService: Rule = (object, old) => {
  const [spec, before] = [record(object['spec']), record(old?.['spec'])];
  const { type, clusterIP, externalName } = spec;
  const causes: StatusCause[] = [];
  const isExternal = type === 'ExternalName';
  const hasPorts = list(spec['ports']).length > 0;
  if (!hasPorts && !isExternal && clusterIP !== 'None') causes.push(requiredValue('spec.ports'));
  if (clusterIP === 'None' && (type === 'NodePort' || type === 'LoadBalancer')) {
    const why = `may not be set to 'None' for ${type} services`;
    causes.push(invalidValue('spec.clusterIPs[0]', 'None', why));
  }
  if (isExternal) {
    if (!externalName) causes.push(requiredValue('spec.externalName'));
    else {
      const name = String(externalName).replace(/\.$/, '');
      causes.push(...named('spec.externalName', name, 'subdomain'));
    }
  }
  if (isExternal) causes.push(...unaddressed(spec));
  else causes.push(...serviceAddressCauses(spec, before));
  causes.push(
    ...validateServicePorts(spec),
    ...validateLabels(spec['selector'] as Record<string, string> | undefined, 'spec.selector'),
    ...oneOf('spec.sessionAffinity', spec['sessionAffinity'], ['ClientIP', 'None']),
    ...list(spec['externalIPs']).flatMap((one, index) => {
      const field = `spec.externalIPs[${index}]`;
      const wrong = ipAddress(field, one, list(before['externalIPs']));
      return wrong.length > 0 ? wrong : endpointAddress(field, String(one));
    }),
    ...oneOf('spec.type', type, serviceTypes),
    ...validateTraffic(spec, before),
    ...affinityTime(spec),
    ...oneOfOrdered(spec),
    ...balanced(spec),
  );
  return causes;
};

/** Unlike upstream, loopback is allowed: by default everything here lives on it. */
function endpointAddress(field: string, ip: string): StatusCause[] {
  const refuse = (why: string): StatusCause[] => [invalidValue(field, ip, why)];
  if (ip === '0.0.0.0' || ip === '::') return refuse(`may not be unspecified (${ip})`);
  if (/^(?:169\.254\.|fe[89ab][0-9a-f]:)/i.test(ip)) {
    return refuse('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  }
  if (/^(?:224\.0\.0\.|ff[0-9a-f]2:)/i.test(ip)) {
    return refuse('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
  return [];
}

/** Of a slice: one of the family that the slice is of. */
function sliceAddress(field: string, i: number, address: unknown, type: unknown): StatusCause[] {
  const where = `${field}[${i}]`;
  if (type === 'FQDN')
    return address === '' ? [requiredValue(where)] : named(where, address, 'subdomain');
  const text = String(address);
  const problem = type === 'IPv6' ? strictAddressProblem(text) : addressProblem(text);
  if (problem !== undefined) return [invalidValue(where, address, problem)];
  const causes = endpointAddress(where, text);
  if (familyOf(text) === type) return causes;
  const why = `must be an ${String(type)} address`;
  return [invalidValue(field, address, why), ...causes];
}

const ENDPOINTS_MAX = 1_000;
const ADDRESSES_MAX = 100;
const PORTS_MAX = 20_000;

function tooMany(field: string, count: number, most: number): StatusCause {
  const message = `Too many: ${count}: must have at most ${most} items`;
  return { reason: 'FieldValueTooMany', message, field };
}

const validateEndpoints: Rule = (object) =>
  list(object['subsets']).flatMap((subset, index) => {
    const at = `subsets[${index}]`;
    const causes: StatusCause[] = [];
    for (const field of ['addresses', 'notReadyAddresses']) {
      list(subset[field]).forEach(({ ip = '', hostname, nodeName }, i) => {
        const where = `${at}.${field}[${i}].ip`;
        causes.push(
          ...named(`${at}.${field}[${i}].hostname`, hostname || undefined, 'label'),
          ...named(`${at}.${field}[${i}].nodeName`, nodeName, 'subdomain'),
        );
        const wrong = ipAddress(where, ip);
        causes.push(...wrong);
        if (wrong.length > 0) {
          causes.push(invalidValue(where, ip, 'must be a valid IP address'));
        } else causes.push(...endpointAddress(where, String(ip)));
      });
    }
    const count = list(subset['addresses']).length + list(subset['notReadyAddresses']).length;
    if (count === 0) {
      causes.push(requiredValue(at, 'must specify `addresses` or `notReadyAddresses`'));
    }
    const ports = list(subset['ports']);
    ports.forEach(({ name, port, protocol, appProtocol }, i) => {
      const where = `${at}.ports[${i}]`;
      if (ports.length > 1 && !name) causes.push(requiredValue(`${where}.name`));
      causes.push(
        ...named(`${where}.name`, name || undefined, 'label'),
        ...portNumber(`${where}.port`, port),
        ...oneOf(`${where}.protocol`, protocol, protocols),
        ...(appProtocol === undefined ? [] : qualified(`${where}.appProtocol`, appProtocol)),
      );
    });
    return causes;
  });

const validateSlice: Rule = (object, old) => {
  const type = object['addressType'] as unknown;
  const types = ['FQDN', 'IPv4', 'IPv6'];
  if (!type) return [requiredValue('addressType')];
  const causes = oneOf('addressType', type, types);
  const names = new Set<unknown>();
  // What was taken before stays right.
  const isJudged = old === undefined || !same(object['endpoints'], old['endpoints']);
  (isJudged ? list(object['endpoints']) : []).forEach((endpoint, index) => {
    const addresses = list(endpoint['addresses']);
    const field = `endpoints[${index}].addresses`;
    if (addresses.length === 0) causes.push(requiredValue(field));
    if (addresses.length > ADDRESSES_MAX) {
      causes.push(tooMany(field, addresses.length, ADDRESSES_MAX));
    }
    if (types.includes(String(type))) {
      addresses.forEach((one, i) => causes.push(...sliceAddress(field, i, one, type)));
    }
    const { nodeName, hostname } = endpoint;
    causes.push(
      ...named(`endpoints[${index}].nodeName`, nodeName, 'subdomain'),
      ...named(`endpoints[${index}].hostname`, hostname, 'label'),
      ...hints(endpoint['hints'], `endpoints[${index}].hints`),
    );
  });
  if (list(object['endpoints']).length > ENDPOINTS_MAX) {
    return [...causes, tooMany('endpoints', list(object['endpoints']).length, ENDPOINTS_MAX)];
  }
  if (list(object['ports']).length > PORTS_MAX) {
    return [...causes, tooMany('ports', list(object['ports']).length, PORTS_MAX)];
  }
  list(object['ports']).forEach((port, index) => {
    const at = `ports[${index}]`;
    const name = port['name'] ?? '';
    if (names.has(name)) causes.push(duplicate(`${at}.name`, name));
    names.add(name);
    if (name !== '') causes.push(...named(`${at}.name`, name, 'label'));
    causes.push(...oneOf(`${at}.protocol`, port['protocol'], protocols));
    const { appProtocol } = port;
    if (appProtocol !== undefined) causes.push(...qualified(`${at}.appProtocol`, appProtocol));
  });
  return causes;
};

/** Zones are values of labels, nodes have names. */
function hints(given: unknown, at: string): StatusCause[] {
  return ['forZones', 'forNodes'].flatMap((what) => {
    const seen = new Set<unknown>();
    return list(record(given)[what]).flatMap(({ name = '' }, index) => {
      const field = `${at}.${what}[${index}].name`;
      const isTwice = seen.has(name);
      seen.add(name);
      const wrong =
        what === 'forNodes'
          ? named(field, name, 'subdomain')
          : labelValues([name], field).map((one) => ({ ...one, field }));
      return [...(isTwice ? [duplicate(field, name)] : []), ...wrong];
    });
  });
}

export const networkRules: Readonly<Record<string, Rule>> = {
  '/Service': validateService,
  '/Endpoints': validateEndpoints,
  'discovery.k8s.io/EndpointSlice': validateSlice,
  ...ingressRules,
};
