// The environment of a container: its own variables, those taken from ConfigMaps, Secrets and the
// pod's fields, service variables, and $(VAR) expansion. Pure; the caller fetches the objects.
import { Fault } from '#base/fault.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { Container, EnvVar, FieldRef, Pod, ResourceFieldRef } from './pod-spec.ts';
import { numberOf } from '#kube/meta/quantity-number.ts';

export interface EnvSources {
  configMap(name: string): KubeObject | undefined;
  secret(name: string): KubeObject | undefined;
  readonly services: readonly KubeObject[];
  readonly nodeName: string;
  readonly hostIps: readonly string[];
  readonly podIps: readonly string[];
  readonly capacity: { readonly cpus: number; readonly memoryBytes: number };
}

/** Thrown as the reason why a container cannot be made: `CreateContainerConfigError`. */
export function configFault(message: string): Fault {
  return new Fault({ code: 'container-config' }, message);
}

/** `$(NAME)` becomes its value, `$$(NAME)` stays as `$(NAME)`, unknown names stay as they are. */
export function expand(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$(\$|\(([^()]*)\))?/g, (whole, kind: string | undefined, name: string) => {
    if (kind === '$') return '$';
    if (kind === undefined) return '$';
    return Object.hasOwn(values, name) ? (values[name] ?? '') : whole;
  });
}

export function containerEnv(
  pod: Pod,
  container: Container,
  sources: EnvSources,
): Record<string, string> {
  const env: Record<string, string> = {
    ...serviceEnv(pod, sources.services),
  };
  for (const source of container.envFrom ?? []) {
    for (const [key, value] of Object.entries(dataOf(source, sources))) {
      env[`${source.prefix ?? ''}${key}`] = value;
    }
  }
  // Service variables are defaults: they serve expansion, and own variables win over them.
  for (const variable of container.env ?? []) {
    const value = valueOf(pod, container, variable, sources, env);
    if (value !== undefined) env[variable.name] = value;
  }
  return env;
}

function dataOf(
  source: NonNullable<Container['envFrom']>[number],
  sources: EnvSources,
): Record<string, string> {
  if (source.configMapRef !== undefined) {
    const { name = '', optional } = source.configMapRef;
    const found = sources.configMap(name);
    if (found === undefined && optional !== true) {
      throw configFault(`configmap "${name}" not found`);
    }
    return stringMap(found?.['data']);
  }
  if (source.secretRef !== undefined) {
    const { name = '', optional } = source.secretRef;
    const found = sources.secret(name);
    if (found === undefined && optional !== true) throw configFault(`secret "${name}" not found`);
    return decoded(found);
  }
  return {};
}

function valueOf(
  pod: Pod,
  container: Container,
  variable: EnvVar,
  sources: EnvSources,
  env: Readonly<Record<string, string>>,
): string | undefined {
  const from = variable.valueFrom;
  if (from === undefined) return expand(variable.value ?? '', env);
  if (from.fieldRef !== undefined) return fieldValue(pod, from.fieldRef, sources);
  if (from.resourceFieldRef !== undefined) {
    return resourceValue(pod, from.resourceFieldRef, { container, sources });
  }
  if (from.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = from.configMapKeyRef;
    const found = sources.configMap(name);
    if (found === undefined && optional === true) return undefined;
    if (found === undefined) throw configFault(`configmap "${name}" not found`);
    const value = stringMap(found['data'])[key];
    if (value === undefined && optional !== true) {
      const place = `${pod.metadata.namespace ?? 'default'}/${name}`;
      throw configFault(`couldn't find key ${key} in ConfigMap ${place}`);
    }
    return value;
  }
  if (from.secretKeyRef !== undefined) {
    const { name = '', key, optional } = from.secretKeyRef;
    const found = sources.secret(name);
    if (found === undefined && optional === true) return undefined;
    if (found === undefined) throw configFault(`secret "${name}" not found`);
    const value = decoded(found)[key];
    if (value === undefined && optional !== true) {
      const place = `${pod.metadata.namespace ?? 'default'}/${name}`;
      throw configFault(`couldn't find key ${key} in Secret ${place}`);
    }
    return value;
  }
  return undefined;
}

export function stringMap(value: unknown): Record<string, string> {
  const map: Record<string, string> = {};
  if (typeof value !== 'object' || value === null) return map;
  for (const [key, text] of Object.entries(value)) map[key] = String(text);
  return map;
}

function decoded(secret: KubeObject | undefined): Record<string, string> {
  const map = stringMap(secret?.['data']);
  for (const [key, text] of Object.entries(map)) map[key] = utf8FromBase64(text);
  return map;
}

function utf8FromBase64(text: string): string {
  const binary = atob(text);
  return new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
}

/** Docker-link style variables of the services that the pod sees, and the API server's own. */
export function serviceEnv(pod: Pod, services: readonly KubeObject[]): Record<string, string> {
  const env: Record<string, string> = {};
  const namespace = pod.metadata.namespace ?? 'default';
  for (const service of services) {
    const { name = '', namespace: at } = service.metadata;
    const isApi = at === 'default' && name === 'kubernetes';
    const isLinked = pod.spec.enableServiceLinks !== false && at === namespace;
    if (!isApi && !isLinked) continue;
    Object.assign(env, variablesOf(name, service['spec'] as ServiceSpec));
  }
  return env;
}

interface ServiceSpec {
  readonly clusterIP?: string;
  readonly ports?: readonly {
    readonly name?: string;
    readonly port: number;
    readonly protocol?: string;
  }[];
}

function variablesOf(name: string, spec: ServiceSpec): Record<string, string> {
  const ip = spec.clusterIP;
  const ports = spec.ports ?? [];
  const first = ports[0];
  if (ip === undefined || ip === 'None' || ip === '' || first === undefined) return {};
  const prefix = name.toUpperCase().replaceAll('-', '_');
  const env: Record<string, string> = {
    [`${prefix}_SERVICE_HOST`]: ip,
    [`${prefix}_SERVICE_PORT`]: String(first.port),
  };
  for (const port of ports) {
    if (port.name === undefined || port.name === '') continue;
    const suffix = port.name.toUpperCase().replaceAll('-', '_');
    env[`${prefix}_SERVICE_PORT_${suffix}`] = String(port.port);
  }
  const host = ip.includes(':') ? `[${ip}]` : ip;
  for (const port of ports) {
    const protocol = (port.protocol ?? 'TCP').toLowerCase();
    const url = `${protocol}://${host}:${port.port}`;
    if (port === first) env[`${prefix}_PORT`] = url;
    const base = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`;
    env[base] = url;
    env[`${base}_PROTO`] = protocol;
    env[`${base}_PORT`] = String(port.port);
    env[`${base}_ADDR`] = ip;
  }
  return env;
}

/** A field of the pod as text, for env and the downward API volume. */
export function fieldValue(
  pod: Pod,
  { fieldPath }: FieldRef,
  sources: Pick<EnvSources, 'nodeName' | 'hostIps' | 'podIps'>,
): string {
  const subscript = /^metadata\.(annotations|labels)\['(.*)'\]$/.exec(fieldPath);
  if (subscript !== null) {
    const map = subscript[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations;
    return map?.[subscript[2] ?? ''] ?? '';
  }
  switch (fieldPath) {
    case 'metadata.name':
      return pod.metadata.name ?? '';
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(pod.metadata.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations);
    case 'spec.nodeName':
      return sources.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return sources.hostIps[0] ?? '';
    case 'status.hostIPs':
      return sources.hostIps.join(',');
    case 'status.podIP':
      return sources.podIps[0] ?? '';
    case 'status.podIPs':
      return sources.podIps.join(',');
    default:
      throw configFault(`unsupported fieldPath: ${fieldPath}`);
  }
}

/** `key="value"` lines, sorted by key. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.keys(map ?? {})
    .toSorted()
    .map((key) => `${key}=${JSON.stringify(map?.[key] ?? '')}`)
    .join('\n');
}

export function resourceValue(
  pod: Pod,
  ref: ResourceFieldRef,
  context: { readonly container?: Container | undefined; readonly sources: EnvSources },
): string {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const container =
    ref.containerName === undefined || ref.containerName === ''
      ? context.container
      : all.find(({ name }) => name === ref.containerName);
  const [kind = '', resource = ''] = ref.resource.split('.', 2);
  const list = kind === 'limits' ? container?.resources?.limits : container?.resources?.requests;
  const { capacity } = context.sources;
  const whole = resource === 'cpu' ? capacity.cpus : capacity.memoryBytes;
  const own = list?.[resource];
  // A limit that is not set is what the node has; a request that is not set is nothing.
  const amount = own === undefined ? (kind === 'limits' ? whole : 0) : numberOf(own);
  const divisor = ref.divisor === undefined ? 0 : numberOf(ref.divisor);
  return String(Math.ceil(amount / (divisor === 0 ? 1 : divisor) - 1e-9));
}
