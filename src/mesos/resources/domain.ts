// --domain of masters and agents: where in the world they are (`{"fault_domain": {"region": …, "zone": …}}`).
import { parseJson } from '#wire/mesos/codec.ts';
import type { DomainInfo } from '#wire/mesos/v1.ts';

/** Throws with what is wrong, in Mesos' words. */
export function parseDomain(json: string): DomainInfo {
  const info = parseJson('DomainInfo', json);
  if (info.fault_domain === undefined) throw new Error('`domain` must define `fault_domain`');
  return info;
}

export function regionOf(domain: DomainInfo | undefined): string | undefined {
  return domain?.fault_domain?.region.name;
}
