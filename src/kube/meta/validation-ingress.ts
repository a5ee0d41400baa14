// Validates ingresses and network policies, as kube-apiserver v1.37 does.
import { isIP } from 'node:net';
import {
  cidrBlock,
  isObject,
  labelSelector,
  list,
  named,
  needed,
  oneOf,
  portName as portNameRule,
  portNumber,
  portNumberOrName,
  record,
  type Json,
} from './field-rules.ts';
import { forbidden, invalidValue, requiredValue } from './names.ts';
import { holds, rangeOf } from './ip-ranges.ts';
import type { KubeObject } from './object.ts';
import type { StatusCause } from './status.ts';
import { domainPath } from './validation-workloads.ts';

type Rule = (object: KubeObject, old?: KubeObject) => StatusCause[];

// ---- ingresses ----

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];

function resourceBackend({ apiGroup, kind, name }: Json, at: string): StatusCause[] {
  return [
    ...named(`${at}.apiGroup`, apiGroup, 'subdomain'),
    ...needed(`${at}.kind`, kind),
    ...(kind ? named(`${at}.kind`, kind, 'path-segment') : []),
    ...needed(`${at}.name`, name),
    ...(name ? named(`${at}.name`, name, 'path-segment') : []),
  ];
}

function validateBackend(backend: unknown, at: string): StatusCause[] {
  const { service, resource } = record(backend);
  if (isObject(service) && isObject(resource))
    return [invalidValue(at, '', 'cannot set both resource and service backends')];
  if (!isObject(service)) {
    if (isObject(resource)) return resourceBackend(resource, `${at}.resource`);
    return [invalidValue(at, '', 'resource or service backend is required')];
  }
  const { name: portName, number } = record(service['port']);
  const causes = needed(`${at}.service.name`, service['name']);
  if (service['name']) causes.push(...named(`${at}.service.name`, service['name'], 'label'));
  if (portName && number) {
    causes.push(invalidValue(at, '', 'cannot set both port name & port number'));
  } else if (!portName && !number) {
    causes.push(requiredValue(at, 'port name or number is required'));
  } else if (number) causes.push(...portNumber(`${at}.service.port.number`, number));
  else causes.push(...portNameRule(`${at}.service.port.name`, String(portName)));
  return causes;
}

function validatePath(path: Json, at: string): StatusCause[] {
  const type = path['pathType'];
  const text = String(path['path'] ?? '');
  const causes: StatusCause[] = [];
  if (type === undefined) return [requiredValue(`${at}.pathType`, 'pathType must be specified')];
  if (type === 'Exact' || type === 'Prefix') {
    const refuse = (why: string): void => void causes.push(invalidValue(`${at}.path`, text, why));
    if (!text.startsWith('/')) refuse('must be an absolute path');
    for (const one of ['//', '/./', '/../', '%2f', '%2F'])
      if (text.includes(one)) refuse(`must not contain '${one}'`);
    for (const one of ['/..', '/.']) if (text.endsWith(one)) refuse(`cannot end with '${one}'`);
  } else if (type === 'ImplementationSpecific') {
    if (text !== '' && !text.startsWith('/')) {
      causes.push(invalidValue(`${at}.path`, text, 'must be an absolute path'));
    }
  } else causes.push(...oneOf(`${at}.pathType`, type, pathTypes));
  return [...causes, ...validateBackend(path['backend'], `${at}.backend`)];
}

const wildcardText =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

function validateHost(host: unknown, at: string): StatusCause[] {
  if (!host) return [];
  const text = String(host);
  if (isIP(text) !== 0) {
    return [invalidValue(at, text, 'must be a DNS name, not an IP address')];
  }
  if (!text.includes('*')) return named(at, text, 'subdomain');
  const isRight = text.startsWith('*.') && named(at, text.slice(2), 'subdomain').length === 0;
  return isRight ? [] : [invalidValue(at, text, wildcardText)];
}

const CLASS = 'kubernetes.io/ingress.class';

/** Of a new one; what is there may have both. */
function classTwice({ metadata, spec }: KubeObject): StatusCause[] {
  const old = metadata.annotations?.[CLASS];
  const name = record(spec)['ingressClassName'];
  if (old === undefined || name === undefined || old === name) return [];
  const why = 'must match `ingressClassName` when both are specified';
  return [invalidValue(`annotations.${CLASS}`, old, why)];
}

const validateIngress: Rule = (object, old) => {
  const spec = record(object['spec']);
  const rules = list(spec['rules']);
  const causes = old === undefined ? classTwice(object) : [];
  if (rules.length === 0 && spec['defaultBackend'] === undefined) {
    const why = 'either `defaultBackend` or `rules` must be specified';
    causes.push(invalidValue('spec', null, why));
  }
  list(spec['tls']).forEach(({ hosts, secretName }, index) => {
    const at = `spec.tls[${index}]`;
    list(hosts).forEach((host, i) => {
      const where = `${at}.hosts[${i}]`;
      const isSaid = String(host) !== '';
      causes.push(...(isSaid ? validateHost(host, where) : named(where, '', 'subdomain')));
    });
    if (secretName) causes.push(...named(`${at}.secretName`, secretName, 'subdomain'));
  });
  rules.forEach((rule, index) => {
    const at = `spec.rules[${index}]`;
    causes.push(...validateHost(rule['host'], `${at}.host`));
    if (!isObject(rule['http'])) return;
    const paths = list(rule['http']['paths']);
    if (paths.length === 0) causes.push(requiredValue(`${at}.http.paths`));
    paths.forEach((path, i) => causes.push(...validatePath(path, `${at}.http.paths[${i}]`)));
  });
  if (spec['defaultBackend'] !== undefined) {
    causes.push(...validateBackend(spec['defaultBackend'], 'spec.defaultBackend'));
  }
  return [...causes, ...named('spec.ingressClassName', spec['ingressClassName'], 'subdomain')];
};

const CONTROLLER_LENGTH_MAX = 250;

const validateIngressClass: Rule = (object) => {
  const { controller, parameters } = record(object['spec']);
  const causes = classParameters(parameters, 'spec.parameters');
  const field = 'spec.controller';
  if (!controller) return [requiredValue(field), ...causes];
  if (String(controller).length > CONTROLLER_LENGTH_MAX) {
    const message = `Too long: may not be more than ${CONTROLLER_LENGTH_MAX} bytes`;
    causes.push({ reason: 'FieldValueTooLong', message, field });
  }
  return [...domainPath(field, controller), ...causes];
};

/** Those in a namespace name it, and those of the cluster do not. */
function classParameters(parameters: unknown, at: string): StatusCause[] {
  if (parameters === undefined) return [];
  const { apiGroup, kind, name, scope, namespace } = record(parameters);
  const causes = [
    ...named(`${at}.apiGroup`, apiGroup, 'subdomain'),
    ...(kind ? named(`${at}.kind`, kind, 'path-segment') : [requiredValue(`${at}.kind`)]),
    ...(name ? named(`${at}.name`, name, 'path-segment') : [requiredValue(`${at}.name`)]),
    ...oneOf(`${at}.scope`, scope, ['Cluster', 'Namespace']),
  ];
  const field = `${at}.namespace`;
  if (scope === 'Namespace') {
    const why = "`parameters.scope` is set to 'Namespace'";
    if (namespace === undefined) causes.push(requiredValue(field, why));
    else causes.push(...named(field, namespace, 'label'));
  }
  if (scope === 'Cluster' && namespace !== undefined) {
    causes.push(forbidden(field, "`parameters.scope` is set to 'Cluster'"));
  }
  return causes;
}

// ---- network policies ----

function blockCauses({ cidr, except }: Json, at: string, known: readonly unknown[]): StatusCause[] {
  if (!cidr) return [requiredValue(`${at}.cidr`)];
  const causes = cidrBlock(`${at}.cidr`, cidr, known);
  const outer = rangeOf(String(cidr));
  if (outer === undefined) return causes;
  const excepted = (list(except) as unknown[]).flatMap((one, i) => {
    const field = `${at}.except[${i}]`;
    const wrong = cidrBlock(field, one, known);
    const inner = rangeOf(String(one));
    if (inner === undefined) return wrong;
    if (outer.bits < inner.bits && holds(String(cidr), String(one))) return wrong;
    return [...wrong, invalidValue(field, one, 'must be a strict subset of `cidr`')];
  });
  return [...causes, ...excepted];
}

function policyPort(port: Json, at: string): StatusCause[] {
  const { protocol, port: number, endPort } = port;
  // In an order of its own.
  const causes = oneOf(`${at}.protocol`, protocol, ['TCP', 'UDP', 'SCTP']);
  if (number !== undefined) causes.push(...portNumberOrName(`${at}.port`, number));
  if (typeof endPort !== 'number') return causes;
  const field = `${at}.endPort`;
  const fail = (why: string): StatusCause[] => [...causes, invalidValue(field, endPort, why)];
  if (number === undefined) return fail('may not be specified when `port` is not specified');
  if (typeof number !== 'number') return fail('may not be specified when `port` is non-numeric');
  if (endPort < number)
    causes.push(invalidValue(field, endPort, 'must be greater than or equal to `port`'));
  return [...causes, ...portNumber(field, endPort)];
}

function validatePeers(peers: unknown, field: string, known: readonly unknown[]): StatusCause[] {
  return list(peers).flatMap((peer, index) => {
    const at = `${field}[${index}]`;
    if (Object.keys(peer).length === 0) return [requiredValue(at, 'must specify a peer')];
    const causes = [
      ...labelSelector(peer['podSelector'], `${at}.podSelector`),
      ...labelSelector(peer['namespaceSelector'], `${at}.namespaceSelector`),
    ];
    const block = peer['ipBlock'];
    if (!isObject(block)) return causes;
    causes.push(...blockCauses(block, `${at}.ipBlock`, known));
    const isMore = peer['podSelector'] !== undefined || peer['namespaceSelector'] !== undefined;
    const why = 'may not specify both ipBlock and another peer';
    return isMore ? [...causes, forbidden(at, why)] : causes;
  });
}

/** Every range of a policy. */
function blocksOf(spec: Json): unknown[] {
  const rules = [
    ...list(spec['ingress']).map(({ from }) => from),
    ...list(spec['egress']).map(({ to }) => to),
  ];
  return rules.flatMap(list).flatMap((peer) => {
    const { cidr, except } = record(peer['ipBlock']);
    return [cidr, ...list(except)];
  });
}

const validateNetworkPolicy: Rule = (object, old) => {
  const spec = record(object['spec']);
  const known = blocksOf(record(old?.['spec']));
  const causes = labelSelector(spec['podSelector'], 'spec.podSelector');
  for (const [field, side] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const) {
    list(spec[field]).forEach((rule, index) => {
      const at = `spec.${field}[${index}]`;
      list(rule['ports']).forEach((port, i) => {
        causes.push(...policyPort(port, `${at}.ports[${i}]`));
      });
      causes.push(...validatePeers(rule[side], `${at}.${side}`, known));
    });
  }
  const types = list(spec['policyTypes']);
  if (types.length > 2) {
    const why = 'may not specify more than two policyTypes';
    return [...causes, invalidValue('spec.policyTypes', types, why)];
  }
  types.forEach((type, index) =>
    causes.push(...oneOf(`spec.policyTypes[${index}]`, type, ['Ingress', 'Egress'])),
  );
  return causes;
};

export const ingressRules: Readonly<Record<string, Rule>> = {
  'networking.k8s.io/Ingress': validateIngress,
  'networking.k8s.io/IngressClass': validateIngressClass,
  'networking.k8s.io/NetworkPolicy': validateNetworkPolicy,
};
