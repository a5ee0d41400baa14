// How many addresses and ports services have taken, and how many are left, counted at most once a minute, when
// somebody looks; under kube-apiserver's names.
import { addressCount } from '#kube/apiserver/cidr.ts';
import { holdsAddress } from '#kube/meta/ip-ranges.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { NODE_PORTS } from '#kube/meta/service-addresses.ts';
import { Gauge } from './metric-set.ts';

const INTERVAL_MS = 60_000;

interface Port {
  readonly nodePort?: number;
}

/** Upstream counts no further. */
const COUNT_MAX = 2n ** 63n - 1n;

interface Taken {
  /** In the order of the ranges. */
  readonly addresses: readonly number[];
  readonly ports: number;
}

export class AllocationMetrics {
  readonly #services: () => Promise<readonly KubeObject[]>;
  readonly #cidrs: readonly string[];
  readonly #now: () => number;
  #taken: Taken = { addresses: [], ports: 0 };
  #countedAt = Number.NEGATIVE_INFINITY;
  readonly #gauges: readonly Gauge[];

  /** `now` in ms, never going back; `cidrs`: where addresses come from. */
  constructor(
    services: () => Promise<readonly KubeObject[]>,
    cidrs: readonly string[],
    now: () => number,
  ) {
    this.#services = services;
    this.#cidrs = cidrs;
    this.#now = now;
    const ports = NODE_PORTS.last - NODE_PORTS.first + 1;
    const taken = (i: number): number => this.#taken.addresses[i] ?? 0;
    const left = (cidr: string, i: number): number => {
      const all = addressCount(cidr);
      return Number((all > COUNT_MAX ? COUNT_MAX : all) - BigInt(taken(i)));
    };
    const addressGauge = (what: string, value: (cidr: string, i: number) => number): Gauge =>
      new Gauge(`kube_apiserver_clusterip_allocator_${what}_ips`, ['cidr'], () =>
        cidrs.map((cidr, i) => [[cidr], value(cidr, i)]),
      );
    const portGauge = (what: string, value: () => number): Gauge =>
      new Gauge(`kube_apiserver_nodeport_allocator_${what}_ports`, [], () => [[[], value()]]);
    this.#gauges = [
      addressGauge('allocated', (_cidr, i) => taken(i)),
      addressGauge('available', left),
      portGauge('allocated', () => this.#taken.ports),
      portGauge('available', () => ports - this.#taken.ports),
    ];
  }

  /** As of some moment of the last minute. */
  async lines(): Promise<string[]> {
    if (this.#now() - this.#countedAt >= INTERVAL_MS) {
      this.#countedAt = this.#now();
      this.#taken = await this.#count();
    }
    return this.#gauges.flatMap((one) => one.lines());
  }

  async #count(): Promise<Taken> {
    const [addresses, ports] = [new Set<string>(), new Set<number>()];
    for (const { spec = {} } of (await this.#services()) as readonly { spec?: Service }[]) {
      for (const ip of spec.clusterIPs ?? []) addresses.add(ip);
      for (const { nodePort } of spec.ports ?? []) if (nodePort !== undefined) ports.add(nodePort);
      if (spec.healthCheckNodePort !== undefined) ports.add(spec.healthCheckNodePort);
    }
    const counts = this.#cidrs.map(
      (cidr) => [...addresses].filter((ip) => holdsAddress(cidr, ip)).length,
    );
    return { addresses: counts, ports: ports.size };
  }
}

interface Service {
  readonly clusterIPs?: readonly string[];
  readonly ports?: readonly Port[];
  readonly healthCheckNodePort?: number;
}
