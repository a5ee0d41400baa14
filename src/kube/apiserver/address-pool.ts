// Addresses as they are taken and let go: each by making its IPAddress object, so that no two services, of however
// many API servers, have the same. Ranges are those of the ServiceCIDRs that are ready (the allocators of
// kubernetes v1.37: ipallocator.go, cidrallocator.go).
import type { KubeObject } from '#kube/meta/object.ts';
import {
  addressText,
  canonicalAddress,
  familyOf,
  holdsAddress,
  rangeOf,
  type Family,
} from '#kube/meta/ip-ranges.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { addressObject, clusterIpsOf } from '#kube/meta/service-addresses.ts';
import { ApiError } from '#kube/meta/status.ts';
import { bandsOf, type Band } from './cidr.ts';
import type { Resources } from './resources.ts';
import { systemWrite } from './system-write.ts';

const group = 'networking.k8s.io';
/** Upstream makes no allocator for a wider one. */
const V6_BITS_MIN = 64;

/** Why there is no address; what nobody can take is said in upstream's words. */
export type Refusal = { readonly why: string; readonly isFull?: boolean };
export type Taken = { readonly ip: string } | Refusal;

const FULL: Refusal = { why: 'range is full', isFull: true };
const NOT_READY: Refusal = { why: 'allocator not ready' };
const MISMATCHED: Refusal = { why: 'the provided network does not match the current range' };
const ALLOCATED: Refusal = { why: 'provided IP is already allocated' };

interface Status {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

/** Where no controllers run nobody says that a range is ready. */
function isReady({ metadata, status }: KubeObject): boolean {
  const { conditions = [] } = (status ?? {}) as Status;
  const found = conditions.find(({ type }) => type === 'Ready');
  return metadata.deletionTimestamp === undefined && (found?.status ?? 'True') === 'True';
}

export class AddressPool {
  readonly #resources: Resources;
  readonly #own: readonly string[];
  /** By the first address of a band: where the last one was found. */
  readonly #cursors = new Map<string, bigint>();

  /** `own`: the ranges that this server was told of, which come before others. */
  constructor(resources: Resources, own: readonly string[]) {
    this.#resources = resources;
    this.#own = own;
  }

  async #ranges(family: Family): Promise<string[]> {
    const all = await this.#resources.listReadable(group, 'servicecidrs');
    const ready = all.filter(isReady).flatMap((one) => (one['spec']?.cidrs ?? []) as string[]);
    const own = this.#own.filter((cidr) => ready.includes(cidr));
    return [...new Set([...own, ...ready])].filter((cidr) => {
      const range = rangeOf(cidr);
      if (range?.family !== family) return false;
      return family === 'IPv4' || range.bits >= V6_BITS_MIN;
    });
  }

  /** What a dry run shows: nothing is looked for. */
  async shown(family: Family): Promise<Taken> {
    const [cidr] = await this.#ranges(family);
    const range = cidr === undefined ? undefined : rangeOf(cidr);
    return range === undefined ? NOT_READY : { ip: addressText(range.first, family) };
  }

  /** In a dry run any of the ranges is asked, and whether it is free is not. */
  async couldTake(ip: string): Promise<Taken> {
    const [cidr] = await this.#ranges(familyOf(ip));
    if (cidr === undefined) return NOT_READY;
    if (holdsAddress(cidr, ip)) return { ip };
    const range = `The range of valid IPs is ${cidr}`;
    return { why: `the provided IP (${canonicalAddress(ip)}) is not in the valid range. ${range}` };
  }

  async take(ip: string, service: KubeObject): Promise<Taken> {
    const ranges = await this.#ranges(familyOf(ip));
    if (!ranges.some((cidr) => holdsAddress(cidr, ip))) return MISMATCHED;
    return await this.#make(ip, service);
  }

  /** Any that is free. */
  async next(family: Family, service: KubeObject): Promise<Taken> {
    for (const cidr of await this.#ranges(family)) {
      for (const band of bandsOf(cidr)) {
        const found = await this.#nextOf(band, service);
        if (found !== FULL) return found;
      }
    }
    return FULL;
  }

  async #nextOf({ family, first, last }: Band, service: KubeObject): Promise<Taken> {
    const key = addressText(first, family);
    const start = this.#cursors.get(key) ?? first;
    let known: ReadonlySet<string> | undefined;
    let number = start;
    do {
      const ip = addressText(number, family);
      number = number === last ? first : number + 1n;
      if (known?.has(ip) === true) continue;
      const taken = await this.#make(ip, service);
      if (taken !== ALLOCATED) {
        this.#cursors.set(key, number);
        return taken;
      }
      known ??= await this.#known();
    } while (number !== start);
    return FULL;
  }

  async #known(): Promise<ReadonlySet<string>> {
    const all = await this.#resources.listReadable(group, 'ipaddresses');
    return new Set(all.map(({ metadata }) => metadata.name ?? ''));
  }

  get #info(): ResourceInfo {
    const found = this.#resources.registry.byResource(group, 'v1', 'ipaddresses');
    if (found === undefined) throw new Error('No resource ipaddresses');
    return found;
  }

  async #make(ip: string, service: KubeObject): Promise<Taken> {
    try {
      await this.#resources.create(systemWrite(this.#info), addressObject(ip, service));
      return { ip };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return error.reason === 'AlreadyExists' ? ALLOCATED : { why: error.message };
    }
  }

  /** Of a service that has it already. */
  async adopt(ip: string, service: KubeObject): Promise<void> {
    await this.#make(ip, service);
  }

  /** Only if it is the service's own, and the service has it no more. */
  async free(ip: string, { metadata }: KubeObject): Promise<void> {
    const key = canonicalAddress(ip);
    const found = await this.#resources.get(group, 'ipaddresses', undefined, key);
    const { namespace, name } = (found?.['spec']?.parentRef ?? {}) as Record<string, string>;
    if (namespace !== metadata.namespace || name !== metadata.name) return;
    const live = await this.#resources.get('', 'services', namespace, name ?? '');
    if (live !== undefined && clusterIpsOf(live).includes(ip)) return;
    try {
      await this.#resources.delete(systemWrite(this.#info), key, {});
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
    }
  }
}
