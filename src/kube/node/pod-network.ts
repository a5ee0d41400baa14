// Gives each pod its own network namespace on the node's bridge, by the `ip` program. Root only.
//
// Names are derived from cluster and node, so that several clusters (and several nodes of one)
// share a machine, and whatever a former executor left behind is recognised.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { Fault } from '#base/fault.ts';

export interface NetworkOwner {
  /** What no other cluster has, on whatever machine: the certificate of its authority. */
  readonly cluster: string;
  readonly nodeName: string;
}

export interface PodNetworkOptions extends NetworkOwner {
  /** IPv4, for example 10.244.3.0/24; the bridge has its first address. */
  readonly podCidr: string;
}

/** What somebody else needs to connect a pod's network namespace to the node's bridge. */
export interface PodAddress {
  readonly address: string;
  readonly bits: number;
  readonly gateway: string;
  readonly bridge: string;
  /** Name of the pod's end outside its namespace. */
  readonly outside: string;
}

export interface PodNetworkNames {
  readonly bridge: string;
  /** Names of namespaces begin with it. */
  readonly prefix: string;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function networkNames({ cluster, nodeName }: NetworkOwner): PodNetworkNames {
  const hash = digest(`${cluster}/${nodeName}`).slice(0, 8);
  return { bridge: `strata${hash}`, prefix: `strata-${hash}-` };
}

function isBridgeName(name: string): boolean {
  return /^strata[0-9a-f]{8}$/.test(name);
}

/** Addresses of an IPv4 range as numbers: the bridge's and those for pods. */
export function parseCidr(cidr: string): { first: number; last: number; bits: number } {
  const [ip = '', bitsText = ''] = cidr.split('/');
  const parts = ip.split('.').map(Number);
  const bits = Number(bitsText);
  const isGood = parts.length === 4 && parts.every((part) => part >= 0 && part <= 255);
  if (!isGood || !(bits >= 8 && bits <= 30)) {
    throw new Fault(
      { code: 'pod-cidr', cidr },
      `Cannot use pod range "${cidr}": not IPv4 /8 to /30`,
    );
  }
  const number = ipNumber(ip);
  const size = 2 ** (32 - bits);
  const base = number - (number % size);
  return { first: base + 1, last: base + size - 2, bits };
}

function ipNumber(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function ipText(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** The next free address after the one given last. */
export function nextAddress(
  range: { readonly first: number; readonly last: number },
  used: ReadonlySet<string>,
  after: number,
): number | undefined {
  const count = range.last - range.first;
  const begin = after > range.first && after <= range.last ? after - range.first : 0;
  for (let step = 1; step <= count; step++) {
    const candidate = range.first + 1 + ((begin + step - 1) % count);
    if (!used.has(ipText(candidate))) return candidate;
  }
  return undefined;
}

function ip(args: readonly string[]): Promise<string> {
  return new Promise((done, fail) => {
    execFile('ip', args, { timeout: 20_000 }, (error, stdout, stderr) => {
      if (error === null) done(stdout);
      else {
        const what = `Cannot run "ip ${args.join(' ')}": ${stderr.trim() || error.message}`;
        fail(new Fault({ code: 'pod-network' }, what, { cause: error }));
      }
    });
  });
}

/** What `ip -json address` tells of an interface, as far as it matters here. */
interface Interface {
  readonly ifname: string;
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

/**
 * Interfaces that take a range's traffic away from another bridge: those with an equal or a
 * narrower range in it. A wider one loses to the bridge by the rule of the longest prefix.
 */
export function interfacesWithin(
  interfaces: readonly Interface[],
  range: { readonly first: number; readonly last: number; readonly bits: number },
): readonly string[] {
  const isWithin = ({ local, prefixlen = 32 }: { local?: string; prefixlen?: number }): boolean => {
    if (local === undefined || prefixlen < range.bits) return false;
    const number = ipNumber(local);
    return number >= range.first - 1 && number <= range.last + 1;
  };
  return interfaces
    .filter(({ addr_info: addresses = [] }) => addresses.some(isWithin))
    .map(({ ifname }) => ifname);
}

async function tryIp(args: readonly string[]): Promise<boolean> {
  return ip(args).then(
    () => true,
    () => false,
  );
}

export class PodNetwork {
  readonly #names: PodNetworkNames;
  readonly #range: { readonly first: number; readonly last: number; readonly bits: number };
  readonly #addresses = new Map<string, string>();
  #lastGiven = 0;
  #making: Promise<void> | undefined;
  /** This executor has found or made the bridge whole. */
  #isMine = false;

  constructor(options: PodNetworkOptions) {
    this.#names = networkNames(options);
    this.#range = parseCidr(options.podCidr);
  }

  #nameOf(uid: string): string {
    return `${this.#names.prefix}${digest(uid).slice(0, 12)}`;
  }

  namespacePath(uid: string): string {
    return `/run/netns/${this.#nameOf(uid)}`;
  }

  /** Tells of a pod whose namespace a former executor made. */
  remember(uid: string, address: string): void {
    this.#addresses.set(uid, address);
  }

  addressOf(uid: string): string {
    const address = this.#addresses.get(uid);
    if (address !== undefined) return address;
    throw new Fault({ code: 'pod-network' }, 'Cannot reach the pod: it has no address');
  }

  /** Removes the namespaces of pods that are not in the list. */
  async removeOthers(uids: readonly string[]): Promise<void> {
    const known = new Set(uids.map((uid) => this.#nameOf(uid)));
    const names = await readdir('/run/netns').catch(() => []);
    for (const name of names) {
      if (!name.startsWith(this.#names.prefix) || known.has(name)) continue;
      await tryIp(['netns', 'delete', name]);
    }
  }

  async add(uid: string): Promise<string> {
    const { address, outside } = await this.reserve(uid);
    try {
      await this.#connect(this.#nameOf(uid), address, outside);
    } catch (error) {
      await this.remove(uid);
      throw error;
    }
    return address;
  }

  /** An address for a pod whose network namespace somebody else makes and connects. */
  async reserve(uid: string): Promise<PodAddress> {
    // Each time: a bridge without pods may have been taken for one that somebody left behind.
    this.#making ??= this.#makeBridge().finally(() => (this.#making = undefined));
    await this.#making;
    const had = this.#addresses.get(uid);
    if (had !== undefined) await this.remove(uid);
    const used = new Set(this.#addresses.values());
    const number = nextAddress(this.#range, used, this.#lastGiven);
    if (number === undefined) {
      throw new Fault({ code: 'pod-network' }, 'Cannot give the pod an address: all are in use');
    }
    this.#lastGiven = number;
    const address = ipText(number);
    this.#addresses.set(uid, address);
    const { bits, first } = this.#range;
    const { bridge } = this.#names;
    return { address, bits, gateway: ipText(first), bridge, outside: this.#outsideOf(uid) };
  }

  #outsideOf(uid: string): string {
    return `sv${digest(uid).slice(0, 10)}`;
  }

  async #connect(name: string, address: string, outside: string): Promise<void> {
    const { bridge } = this.#names;
    const gateway = ipText(this.#range.first);
    await ip(['netns', 'add', name]);
    const peer = ['peer', 'name', 'eth0', 'netns', name];
    await ip(['link', 'add', outside, 'master', bridge, 'type', 'veth', ...peer]);
    await ip(['link', 'set', outside, 'up']);
    const inside = ['-n', name];
    await ip([...inside, 'link', 'set', 'lo', 'up']);
    await ip([...inside, 'address', 'add', `${address}/${this.#range.bits}`, 'dev', 'eth0']);
    await ip([...inside, 'link', 'set', 'eth0', 'up']);
    await ip([...inside, 'route', 'add', 'default', 'via', gateway]);
  }

  async remove(uid: string): Promise<void> {
    this.#addresses.delete(uid);
    // The veth pair goes with the namespace.
    await tryIp(['link', 'delete', this.#outsideOf(uid)]);
    await tryIp(['netns', 'delete', this.#nameOf(uid)]);
  }

  /** Removes everything, the bridge included. */
  async destroy(): Promise<void> {
    await this.removeOthers([]);
    await tryIp(['link', 'delete', this.#names.bridge]);
  }

  async #makeBridge(): Promise<void> {
    const { bridge } = this.#names;
    if (existsSync(`/sys/class/net/${bridge}`) && this.#isMine) return;
    await this.#clearRange();
    const address = `${ipText(this.#range.first)}/${this.#range.bits}`;
    if (!(await tryIp(['link', 'show', bridge]))) {
      await ip(['link', 'add', bridge, 'type', 'bridge']);
    }
    await ip(['address', 'replace', address, 'dev', bridge]);
    await ip(['link', 'set', bridge, 'up']);
    // Between the bridges of several nodes on this machine; other interfaces are left alone.
    await writeFile(`/proc/sys/net/ipv4/conf/${bridge}/forwarding`, '1').catch(() => {});
    this.#isMine = true;
  }

  /**
   * Two interfaces with one range: the kernel sends everything to the one that is older. Bridges
   * of clusters that are gone have no ports any more and are removed; others are a Fault.
   */
  async #clearRange(): Promise<void> {
    const interfaces = JSON.parse(await ip(['-json', '-4', 'address'])) as readonly Interface[];
    for (const name of interfacesWithin(interfaces, this.#range)) {
      if (name === this.#names.bridge) continue;
      const ports = await readdir(`/sys/class/net/${name}/brif`).catch(() => undefined);
      if (isBridgeName(name) && ports?.length === 0) {
        await tryIp(['link', 'delete', name]);
        continue;
      }
      const range = `${ipText(this.#range.first - 1)}/${this.#range.bits}`;
      throw new Fault(
        { code: 'pod-network', range, interface: name },
        `Cannot give pods addresses of ${range}: interface "${name}" of this machine has them`,
      );
    }
  }
}
