// The files /etc/hosts and /etc/resolv.conf of a pod, whatever runs it. Decisions as the kubelet makes
// them from dnsPolicy, dnsConfig, hostAliases, hostname and subdomain.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostname } from './process-places.ts';
import type { Pod } from './pod-spec.ts';
import type { PodPlace } from './runtime.ts';

export interface ResolverConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

interface DnsSpec {
  readonly dnsPolicy?: string;
  readonly dnsConfig?: {
    readonly nameservers?: readonly string[];
    readonly searches?: readonly string[];
    readonly options?: readonly { readonly name?: string; readonly value?: string }[];
  };
  readonly hostAliases?: readonly { readonly ip: string; readonly hostnames?: readonly string[] }[];
}

const domain = 'cluster.local';
const empty: ResolverConfig = { servers: [], searches: [], options: [] };

/** A resolv.conf's words; the last `search` line counts. */
export function parseResolver(text: string): ResolverConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [word = '', ...rest] = line.trim().split(/\s+/);
    if (word === 'nameserver') servers.push(...rest.slice(0, 1));
    else if (word === 'search') searches = rest;
    else if (word === 'options') options = rest;
  }
  return { servers, searches, options };
}

/**
 * What a pod resolves names with; undefined: exactly what the machine does. `machine` is the machine's
 * own configuration, to which a dnsConfig is added under policy `Default`.
 */
export function resolverOf(
  pod: Pod,
  { clusterDns, machine }: { readonly clusterDns: readonly string[]; machine: ResolverConfig },
): ResolverConfig | undefined {
  const { dnsPolicy = 'ClusterFirst', dnsConfig } = pod.spec as DnsSpec;
  const onHost = pod.spec.hostNetwork === true && dnsPolicy === 'ClusterFirst';
  const isCluster = dnsPolicy.startsWith('ClusterFirst') && !onHost && clusterDns.length > 0;
  if (!isCluster && dnsPolicy !== 'None' && dnsConfig === undefined) return undefined;
  const namespace = pod.metadata.namespace ?? 'default';
  const cluster: ResolverConfig = {
    servers: clusterDns,
    searches: [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...machine.searches],
    options: ['ndots:5'],
  };
  let base = machine;
  if (dnsPolicy === 'None') base = empty;
  else if (isCluster) base = cluster;
  const options = new Map(base.options.map((option) => [option.split(':')[0] ?? '', option]));
  for (const { name = '', value } of dnsConfig?.options ?? []) {
    options.set(name, value === undefined ? name : `${name}:${value}`);
  }
  return {
    servers: [...new Set([...base.servers, ...(dnsConfig?.nameservers ?? [])])],
    searches: [...new Set([...base.searches, ...(dnsConfig?.searches ?? [])])],
    options: [...options.values()],
  };
}

export function resolverText({ servers, searches, options }: ResolverConfig): string {
  const lines = [
    ...(searches.length === 0 ? [] : [`search ${searches.join(' ')}`]),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export function hostsText(place: PodPlace, ip: string): string {
  const { hostAliases = [] } = place.pod.spec as DnsSpec;
  const name = hostname(place);
  const { subdomain } = place.pod.spec;
  const namespace = place.pod.metadata.namespace ?? 'default';
  const isLong = subdomain !== undefined && subdomain !== '';
  const long = isLong ? `${name}.${subdomain}.${namespace}.svc.${domain}\t` : '';
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    `${ip}\t${long}${name}`,
    ...hostAliases.map((alias) => `${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export async function machineResolver(): Promise<ResolverConfig> {
  return parseResolver(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
}

export function hostsPath({ folder }: PodPlace): string {
  return join(folder, 'etc-hosts');
}

export function resolverPath({ folder }: PodPlace): string {
  return join(folder, 'resolv.conf');
}

/** Writes both files; a pod without a resolver of its own gets an empty file, which is not mounted. */
export async function writeEtc(
  place: PodPlace,
  { ip, clusterDns }: { readonly ip: string; readonly clusterDns: readonly string[] },
): Promise<void> {
  await writeFile(hostsPath(place), hostsText(place, ip));
  const resolver = resolverOf(place.pod, { clusterDns, machine: await machineResolver() });
  await writeFile(resolverPath(place), resolver === undefined ? '' : resolverText(resolver));
}

/** What of them a container has to mount. */
export async function etcMounts(
  place: PodPlace,
): Promise<readonly { readonly source: string; readonly target: string }[]> {
  const mounts = [{ source: hostsPath(place), target: '/etc/hosts' }];
  const text = await readFile(resolverPath(place), 'utf8').catch(() => '');
  if (text !== '') mounts.push({ source: resolverPath(place), target: '/etc/resolv.conf' });
  return mounts;
}
