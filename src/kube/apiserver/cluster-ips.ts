// Addresses and node ports of services. An address is taken by making its IPAddress object, so that no two
// services, of however many API servers, have the same; ranges are the ServiceCIDRs that are ready.
import { familyCauses } from './service-families.ts';
import { isIP } from 'node:net';
import type { Release } from './allocation.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { invalidValue, nameProblem } from '#kube/meta/names.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { validateCreate } from '#kube/meta/validation.ts';
import { addressObject } from '#kube/meta/service-addresses.ts';
import { ApiError, invalid } from '#kube/meta/status.ts';
import { addressAt, isInside } from './cidr.ts';
import { dropNodePorts, NodePorts } from './node-ports.ts';
import type { Resources } from './resources.ts';
import { systemWrite } from './system-write.ts';

type Spec = Record<string, unknown>;

/** The range's own address, and that of the API server. */
const INDEX_FIRST = 2;
const group = 'networking.k8s.io';

export const isService = (info: ResourceInfo): boolean =>
  info.group === '' && info.resource === 'services';

const specOf = (service: KubeObject): Spec => (service['spec'] ?? {}) as Spec;
const isExternal = (spec: Spec): boolean => spec['type'] === 'ExternalName';

/** An address belongs to a service by its name, which must be one: judged before all else. */
function checkName(info: ResourceInfo, service: KubeObject, ip: string): void {
  const { name = '' } = service.metadata;
  const wrong = nameProblem('path-segment', name);
  if (wrong === undefined) return;
  const shown = JSON.stringify(name);
  const why = `spec.parentRef.name: Invalid value: ${shown}: ${wrong}`;
  const what = `IPAddress.networking.k8s.io "${ip}" is invalid: ${why}`;
  const message = `Invalid value: [""]: failed to allocate IP: ${what}`;
  throw invalid(info, name, [{ reason: 'FieldValueInvalid', message, field: 'spec.clusterIPs' }]);
}

function refused(info: ResourceInfo, service: KubeObject, ip: string, why: string): ApiError {
  const message = `Invalid value: ${JSON.stringify([ip])}: failed to allocate IP ${ip}: ${why}`;
  const cause = { reason: 'FieldValueInvalid', message, field: 'spec.clusterIPs' };
  return invalid(info, service.metadata.name ?? '', [cause]);
}

/** Throws ApiError 422. */
function checkFamilies(info: ResourceInfo, service: KubeObject, before: Spec | undefined): void {
  const causes = familyCauses(specOf(service), before);
  if (causes.length > 0) throw invalid(info, service.metadata.name ?? '', causes);
}

export class ServiceAddresses {
  readonly #resources: Resources;
  readonly #cidr: string;
  readonly #ports: NodePorts;
  /** By range: where the last one was found. */
  readonly #cursors = new Map<string, number>();

  constructor(resources: Resources, cidr: string) {
    this.#resources = resources;
    this.#cidr = cidr;
    this.#ports = new NodePorts(() => resources.list('', 'services', undefined));
  }

  /** Completes a new service. Throws ApiError 422. */
  async create(
    info: ResourceInfo,
    service: KubeObject,
    isDryRun: boolean,
  ): Promise<Release | undefined> {
    const spec = specOf(service);
    if (!isService(info) || isExternal(spec)) return undefined;
    checkFamilies(info, service, undefined);
    // Upstream takes addresses before it judges, but in a dry run, where nothing is taken.
    if (isDryRun && validateCreate(info, service).length > 0) return undefined;
    const release = await this.#address(info, service, isDryRun);
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
    const [spec, before] = [specOf(next), specOf(live)];
    if (!isService(info) || isExternal(spec)) return undefined;
    checkFamilies(info, next, before);
    dropNodePorts(spec, before);
    const release = isExternal(before) ? await this.#address(info, next, isDryRun) : undefined;
    await this.#giveBack(release, () => this.#ports.fill(info, next, { before, isDryRun }));
    return release;
  }

  /** Of a service that is gone, or that has become a name for something outside. */
  async release(service: KubeObject): Promise<void> {
    const { clusterIP } = specOf(service);
    if (typeof clusterIP !== 'string' || clusterIP === '' || clusterIP === 'None') return;
    await this.#free(clusterIP, service);
  }

  /** Services of earlier versions have no address objects yet. */
  async adopt(): Promise<void> {
    for (const service of await this.#resources.list('', 'services', undefined)) {
      const { clusterIP } = specOf(service);
      if (typeof clusterIP !== 'string' || clusterIP === '' || clusterIP === 'None') continue;
      await this.#take(clusterIP, service);
    }
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

  async #address(
    info: ResourceInfo,
    service: KubeObject,
    isDryRun: boolean,
  ): Promise<Release | undefined> {
    const spec = specOf(service);
    const wanted = String(spec['clusterIP'] ?? '');
    let taken: string | undefined;
    if (wanted === '') {
      checkName(info, service, addressAt(this.#cidr, INDEX_FIRST) ?? '');
      taken = await this.#next(service, isDryRun);
      spec['clusterIP'] = taken;
    } else if (wanted !== 'None') {
      await this.#claim(info, service, wanted, isDryRun);
      taken = wanted;
    }
    spec['clusterIPs'] = [spec['clusterIP']];
    fillFamilies(spec);
    const ip = taken;
    return ip === undefined || isDryRun ? undefined : () => this.#free(ip, service);
  }

  /** The default range first. */
  async #ranges(): Promise<string[]> {
    const all = await this.#resources.list(group, 'servicecidrs', undefined);
    const ready = all.filter(({ metadata, status }) => {
      const conditions = ((status as Spec | undefined)?.['conditions'] ?? []) as Spec[];
      const isReady = conditions.some((one) => one['type'] === 'Ready' && one['status'] === 'True');
      return isReady && metadata.deletionTimestamp === undefined;
    });
    const more = ready.flatMap((one) => (one['spec']?.cidrs ?? []) as string[]);
    return [...new Set([this.#cidr, ...more.filter((one) => !one.includes(':'))])];
  }

  async #claim(
    info: ResourceInfo,
    service: KubeObject,
    ip: string,
    isDryRun: boolean,
  ): Promise<void> {
    if (isIP(ip) === 0) {
      const why = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
      const cause = invalidValue('spec.clusterIPs[0]', ip, why);
      throw invalid(info, service.metadata.name ?? '', [cause]);
    }
    const ranges = await this.#ranges();
    if (!ranges.some((cidr) => isInside(cidr, ip))) {
      // In a dry run any of the ranges is asked, else the one that has the address, and there is none.
      const why = isDryRun
        ? `the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${this.#cidr}`
        : 'the provided network does not match the current range';
      throw refused(info, service, ip, why);
    }
    const isFree = isDryRun ? !(await this.#isTaken(ip)) : await this.#take(ip, service);
    if (!isFree) throw refused(info, service, ip, 'provided IP is already allocated');
  }

  async #next(service: KubeObject, isDryRun: boolean): Promise<string> {
    let known: ReadonlySet<string> | undefined;
    for (const cidr of await this.#ranges()) {
      let index = this.#cursors.get(cidr) ?? INDEX_FIRST;
      const start = index;
      let hasTurned = false;
      for (;;) {
        const ip = addressAt(cidr, index);
        if (ip === undefined) {
          if (hasTurned) break;
          [hasTurned, index] = [true, INDEX_FIRST];
          continue;
        }
        if (hasTurned && index >= start) break;
        index += 1;
        if (known?.has(ip) === true) continue;
        const isFree = isDryRun ? !(await this.#isTaken(ip)) : await this.#take(ip, service);
        if (isFree) {
          if (!isDryRun) this.#cursors.set(cidr, index);
          return ip;
        }
        known ??= await this.#taken();
      }
    }
    throw new ApiError(
      500,
      'InternalError',
      'Internal error occurred: failed to allocate a serviceIP: range is full',
    );
  }

  async #taken(): Promise<ReadonlySet<string>> {
    const all = await this.#resources.list(group, 'ipaddresses', undefined);
    return new Set(all.map(({ metadata }) => metadata.name ?? ''));
  }

  async #isTaken(ip: string): Promise<boolean> {
    return (await this.#resources.get(group, 'ipaddresses', undefined, ip)) !== undefined;
  }

  get #info(): ResourceInfo {
    const found = this.#resources.registry.byResource(group, 'v1', 'ipaddresses');
    if (found === undefined) throw new Error('No resource ipaddresses');
    return found;
  }

  /** False when somebody else has it. */
  async #take(ip: string, service: KubeObject): Promise<boolean> {
    try {
      await this.#resources.create(systemWrite(this.#info), addressObject(ip, service));
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A service whose name is none is refused by its own rules, later.
      if (error.reason === 'Invalid') return true;
      if (error.reason !== 'AlreadyExists') throw error;
    }
    // It may have been taken for the very same service before.
    const found = await this.#resources.get(group, 'ipaddresses', undefined, ip);
    const { namespace, name } = (found?.['spec']?.parentRef ?? {}) as Record<string, string>;
    if (namespace !== service.metadata.namespace || name !== service.metadata.name) return false;
    const live = await this.#resources.get('', 'services', namespace, name ?? '');
    return live === undefined || specOf(live)['clusterIP'] === ip;
  }

  /** Only if it is the service's own. */
  async #free(ip: string, { metadata }: KubeObject): Promise<void> {
    const found = await this.#resources.get(group, 'ipaddresses', undefined, ip);
    const { namespace, name } = (found?.['spec']?.parentRef ?? {}) as Record<string, string>;
    if (namespace !== metadata.namespace || name !== metadata.name) return;
    const live = await this.#resources.get('', 'services', namespace, name ?? '');
    if (live !== undefined && specOf(live)['clusterIP'] === ip) return;
    try {
      await this.#resources.delete(systemWrite(this.#info), ip, {});
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
    }
  }
}

/** Without an address and without a selector it is for whoever writes the endpoints: of both families. */
function fillFamilies(spec: Spec): void {
  const isBare = Object.keys((spec['selector'] ?? {}) as object).length === 0;
  const isOpen = spec['clusterIP'] === 'None' && isBare;
  spec['ipFamilyPolicy'] ??= isOpen ? 'RequireDualStack' : 'SingleStack';
  const families = (spec['ipFamilies'] ??= ['IPv4']) as string[];
  if (!isOpen || families.length !== 1 || spec['ipFamilyPolicy'] === 'SingleStack') return;
  families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4');
}

/** A service that becomes a name for something outside holds no address any more. */
export function hasLetGo(info: ResourceInfo, live: KubeObject, next: KubeObject): boolean {
  if (!isService(info)) return false;
  const type = (one: KubeObject): unknown => one['spec']?.type;
  return type(next) === 'ExternalName' && type(live) !== 'ExternalName';
}
