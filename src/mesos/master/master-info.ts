// How this master tells of itself: in SUBSCRIBED events, GET_MASTER, and to those that look for it.
import type { MasterInfo } from '#wire/mesos/v1.ts';
import type { MasterOptions } from './types.ts';

/** The bits of what Mesos 1.11 can do that frameworks and agents look for. */
export const masterCapabilities = ['AGENT_UPDATE', 'AGENT_DRAINING', 'QUOTA_V2'] as const;

export function masterInfoOf(options: MasterOptions): MasterInfo {
  const { masterId, ip, port, pid, hostname, version, domain } = options;
  const bytes = ip.split('.').map(Number);
  const number = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
  return {
    id: masterId,
    ip: number,
    port,
    pid,
    hostname,
    version,
    address: { hostname, ip, port },
    ...(domain === undefined ? {} : { domain }),
    capabilities: masterCapabilities.map((type) => ({ type })),
  };
}
