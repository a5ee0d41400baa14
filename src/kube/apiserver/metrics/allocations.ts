// How many addresses and ports services have taken, and how many are left, counted at most once a minute, when
// somebody looks; under kube-apiserver's names.
import { addressCount, isInside } from '#kube/apiserver/cidr.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { NODE_PORTS } from '#kube/meta/service-addresses.ts';
import { Gauge } from './metric-set.ts';

const INTERVAL_MS = 60_000;

interface Port {
  readonly nodePort?: number;
}

interface Taken {
  readonly addresses: number;
  readonly ports: number;
}

export class AllocationMetrics {
  readonly #services: () => Promise<readonly KubeObject[]>;
  readonly #cidr: string;
  readonly #now: () => number;
  #taken: Taken = { addresses: 0, ports: 0 };
  #countedAt = Number.NEGATIVE_INFINITY;
  readonly #gauges: readonly Gauge[];

  /** `now` in ms, never going back; `cidr`: where addresses come from. */
  constructor(services: () => Promise<readonly KubeObject[]>, cidr: string, now: () => number) {
    this.#services = services;
    this.#cidr = cidr;
    this.#now = now;
    const all = addressCount(cidr);
    const ports = NODE_PORTS.last - NODE_PORTS.first + 1;
    const addressGauge = (what: string, value: () => number): Gauge =>
      new Gauge(`kube_apiserver_clusterip_allocator_${what}_ips`, ['cidr'], () => [
        [[cidr], value()],
      ]);
    const portGauge = (what: string, value: () => number): Gauge =>
      new Gauge(`kube_apiserver_nodeport_allocator_${what}_ports`, [], () => [[[], value()]]);
    this.#gauges = [
      addressGauge('allocated', () => this.#taken.addresses),
      addressGauge('available', () => all - this.#taken.addresses),
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
      for (const ip of spec.clusterIPs ?? []) if (isInside(this.#cidr, ip)) addresses.add(ip);
      for (const { nodePort } of spec.ports ?? []) if (nodePort !== undefined) ports.add(nodePort);
      if (spec.healthCheckNodePort !== undefined) ports.add(spec.healthCheckNodePort);
    }
    return { addresses: addresses.size, ports: ports.size };
  }
}

interface Service {
  readonly clusterIPs?: readonly string[];
  readonly ports?: readonly Port[];
  readonly healthCheckNodePort?: number;
}
