// Which name servers containers in CNI networks get (`--default_container_dns`) when the plugin of their network
// tells none: those for that network, or for every one that is not named.
import { valueOrFile } from '#mesos/flags/flag-table.ts';
import type { CniResult } from './cni-plugin.ts';

export type Dns = NonNullable<CniResult['dns']>;

export interface DefaultDns {
  readonly byNetwork: ReadonlyMap<string, Dns>;
  readonly others: Dns | undefined;
}

interface Given {
  readonly network_mode?: string;
  readonly network_name?: string;
  readonly dns?: Dns;
}

export const NO_DNS: DefaultDns = { byNetwork: new Map(), others: undefined };

/** `{"mesos": [{"network_mode": "CNI", "network_name": "a", "dns": {"nameservers": ["10.0.0.1"]}}]}` */
export function defaultDns(text: string): DefaultDns {
  if (text === '') return NO_DNS;
  const { mesos = [] } = JSON.parse(valueOrFile(text)) as { mesos?: readonly Given[] };
  const byNetwork = new Map<string, Dns>();
  let others: Dns | undefined;
  for (const { network_mode: mode = 'UNKNOWN', network_name: name, dns = {} } of mesos) {
    if (mode === 'HOST') throw new Error('DNS for the host network cannot be set');
    if (mode !== 'CNI') throw new Error(`there is no network mode '${mode}'`);
    const isTwice = name === undefined ? others !== undefined : byNetwork.has(name);
    if (isTwice) throw new Error(`there are two for ${name ?? 'networks that are not named'}`);
    if (name === undefined) others = dns;
    else byNetwork.set(name, dns);
  }
  return { byNetwork, others };
}

/** What the plugin of a network says comes before what the agent's operator does. */
export function dnsOf(
  told: Dns | undefined,
  network: string,
  byDefault: DefaultDns,
): Dns | undefined {
  if ((told?.nameservers ?? []).length > 0) return told;
  const found = byDefault.byNetwork.get(network) ?? byDefault.others;
  return (found?.nameservers ?? []).length > 0 ? found : undefined;
}

/** The text of a resolv.conf. */
export function resolvText(all: readonly Dns[]): string {
  const lines = all.flatMap(({ domain, search = [], options = [], nameservers = [] }) => [
    ...(domain === undefined ? [] : [`domain ${domain}`]),
    ...(search.length === 0 ? [] : [`search ${search.join(' ')}`]),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
    ...nameservers.map((address) => `nameserver ${address}`),
  ]);
  return `${lines.join('\n')}\n`;
}
