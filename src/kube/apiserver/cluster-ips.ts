// Addresses and node ports of services: what a service gets when it is made, what it gets and lets go when it is
// changed (kube-apiserver v1.37, registry/core/service/storage: storage.go, alloc.go).
import type { Release } from './allocation.ts';
import { familyOf, type Family } from '#kube/meta/ip-ranges.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { invalidValue } from '#kube/meta/names.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { clusterIpsOf } from '#kube/meta/service-addresses.ts';
import { ApiError, invalid, type StatusCause } from '#kube/meta/status.ts';
import { AddressPool, type Taken } from './address-pool.ts';
import { NodePorts } from './node-ports.ts';
import type { Resources } from './resources.ts';
import { isLeftAlone, settleFamilies, textsOf } from './service-families.ts';
import {
  dropForeign,
  dropInnerPolicy,
  inFull,
  keepAllocated,
  settleAddresses,
} from './service-fields.ts';

type Spec = Record<string, unknown>;

export const isService = (info: ResourceInfo): boolean =>
  info.group === '' && info.resource === 'services';

const specOf = (service: KubeObject): Spec => (service['spec'] ?? {}) as Spec;
const isExternal = (spec: Spec): boolean => spec['type'] === 'ExternalName';
const isHeadless = ({ clusterIPs }: Spec): boolean => textsOf(clusterIPs)[0] === 'None';

interface Write {
  readonly info: ResourceInfo;
  readonly service: KubeObject;
  readonly isDryRun: boolean;
}

export class ServiceAddresses {
  readonly #resources: Resources;
  readonly #families: readonly Family[];
  readonly #pool: AddressPool;
  readonly #ports: NodePorts;

  /** `cidrs`: the server's ranges, of one family or both, the usual one first. */
  constructor(resources: Resources, cidrs: readonly string[]) {
    this.#resources = resources;
    this.#families = cidrs.map(familyOf);
    this.#pool = new AddressPool(resources, cidrs);
    this.#ports = new NodePorts(() => resources.listReadable('', 'services'));
  }

  /** Completes a new service. Throws ApiError 422. */
  async create(
    info: ResourceInfo,
    service: KubeObject,
    isDryRun: boolean,
  ): Promise<Release | undefined> {
    if (!isService(info)) return undefined;
    const spec = specOf(service);
    settleAddresses(spec, undefined);
    dropInnerPolicy(spec);
    this.#settle(info, service, undefined);
    const release = await this.#all({ info, service, isDryRun });
    await this.#giveBack(release, () => this.#ports.fill(info, service, { isDryRun }));
    return release;
  }

  /** Takes what the new form of a service needs beyond its old one, and drops what it does not. */
  async update(
    info: ResourceInfo,
    next: KubeObject,
    live: KubeObject,
    isDryRun: boolean,
  ): Promise<Release | undefined> {
    if (!isService(info)) return undefined;
    const [spec, before] = [specOf(next), inFull(specOf(live))];
    keepAllocated(spec, before);
    settleAddresses(spec, before);
    this.#settle(info, next, before);
    const release = await this.#more({ info, service: next, isDryRun }, before);
    await this.#giveBack(release, () => this.#ports.fill(info, next, { before, isDryRun }));
    dropForeign(next, before);
    return release;
  }

  /** Of a service that is gone, or that has let some of them go. */
  async release(service: KubeObject): Promise<void> {
    for (const ip of clusterIpsOf(service)) await this.#pool.free(ip, service);
  }

  /** Services of earlier versions have no address objects yet. */
  async adopt(): Promise<void> {
    for (const service of await this.#resources.listReadable('', 'services')) {
      for (const ip of clusterIpsOf(service)) await this.#pool.adopt(ip, service);
    }
  }

  #settle(info: ResourceInfo, service: KubeObject, before: Spec | undefined): void {
    const causes = settleFamilies(specOf(service), before, this.#families);
    if (causes.length > 0) throw invalid(info, service.metadata.name ?? '', causes);
  }

  /** A service that gets no ports holds no address. */
  async #giveBack(release: Release | undefined, fill: () => Promise<void>): Promise<void> {
    try {
      await fill();
    } catch (error) {
      await release?.();
      throw error;
    }
  }

  /** Every address of a service that had none. */
  async #all(write: Write): Promise<Release | undefined> {
    const spec = specOf(write.service);
    if (isExternal(spec) || isHeadless(spec)) return undefined;
    return await this.#fill(write, textsOf(spec['ipFamilies']) as Family[], 0);
  }

  async #more(write: Write, before: Spec): Promise<Release | undefined> {
    const spec = specOf(write.service);
    if (isLeftAlone(spec, before)) return undefined;
    if (isExternal(before)) return await this.#all(write);
    if (isHeadless(before) || isExternal(spec)) return undefined;
    const [had, wanted] = [textsOf(before['ipFamilies']), textsOf(spec['ipFamilies'])];
    if (had.length !== 1 || wanted.length !== 2) return undefined;
    return await this.#fill(write, wanted as Family[], 1);
  }

  /** Takes what is said of the addresses from an index on, and draws the others. */
  async #fill(
    { info, service, isDryRun }: Write,
    families: readonly Family[],
    start: number,
  ): Promise<Release | undefined> {
    const spec = specOf(service);
    const all = [...textsOf(spec['clusterIPs'])];
    while (all.length < families.length) all.push('');
    const taken: string[] = [];
    const release: Release = async () => {
      for (const ip of taken) await this.#pool.free(ip, service);
    };
    for (const [i, family] of [...families.entries()].slice(start)) {
      const wanted = all[i] ?? '';
      const found = await this.#get(family, wanted, service, isDryRun);
      if ('why' in found) {
        await release();
        throw refused({ info, service, isDryRun }, { found, wanted, all });
      }
      if (!isDryRun) taken.push(found.ip);
      spec['clusterIPs'] = all.with(i, found.ip);
      all[i] = found.ip;
    }
    spec['clusterIP'] = all[0];
    return isDryRun ? undefined : release;
  }

  async #get(
    family: Family,
    wanted: string,
    service: KubeObject,
    isDryRun: boolean,
  ): Promise<Taken> {
    const pool = this.#pool;
    if (wanted === '') {
      return isDryRun ? await pool.shown(family) : await pool.next(family, service);
    }
    return isDryRun ? await pool.couldTake(wanted) : await pool.take(wanted, service);
  }
}

interface Refused {
  readonly found: Extract<Taken, { readonly why: string }>;
  readonly wanted: string;
  readonly all: readonly string[];
}

function refused({ info, service }: Write, { found, wanted, all }: Refused): ApiError {
  const { name = '' } = service.metadata;
  const what = wanted === '' ? '' : ` ${wanted}`;
  if (found.isFull === true) {
    const why = `failed to allocate a serviceIP for Service ${JSON.stringify(name)}: ${found.why}`;
    const details = { causes: [{ message: why }] };
    return new ApiError(500, 'InternalError', `Internal error occurred: ${why}`, details);
  }
  const why = `failed to allocate IP${what}: ${found.why}`;
  const causes: readonly StatusCause[] = [invalidValue('spec.clusterIPs', all, why)];
  return invalid(info, name, causes);
}

/** A service that is changed may hold less than before. */
export function hasLetGo(info: ResourceInfo, live: KubeObject, next: KubeObject): boolean {
  if (!isService(info)) return false;
  const kept = clusterIpsOf(next);
  return clusterIpsOf(live).some((ip) => !kept.includes(ip));
}
