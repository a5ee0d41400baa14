// Node ports of services: those that a client wants must be in range and nobody's, the others are drawn. Who has
// which is what the services say (kube-apiserver v1.37, registry/core/service/storage/alloc.go).
import { invalidValue } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { NODE_PORTS, nodePortsOf } from '#kube/meta/service-addresses.ts';
import { ApiError, invalid } from '#kube/meta/status.ts';

type Spec = Record<string, unknown>;

interface Port {
  readonly name?: string;
  readonly port?: number;
  readonly protocol?: string;
  nodePort?: number;
}

const { first: FIRST, last: LAST } = NODE_PORTS;

const portsOf = (spec: Spec): Port[] => (spec['ports'] ?? []) as Port[];
const isSet = (port: number | undefined): port is number => port !== undefined && port !== 0;

const TAKEN = 'provided port is already allocated';

/** In a dry run nobody looks at the range. */
function problemOf(port: number, used: ReadonlySet<number>, isDryRun: boolean): string | undefined {
  if (!isDryRun && (port < FIRST || port > LAST)) {
    return `provided port is not in the valid range. The range of valid ports is ${FIRST}-${LAST}`;
  }
  return used.has(port) ? TAKEN : undefined;
}

/** One node port serves several protocols of one port, but not two ports. */
function clash(port: Port, all: readonly Port[]): string | undefined {
  const first = all.find(({ nodePort }) => nodePort === port.nodePort);
  return first === undefined || first.port === port.port ? undefined : TAKEN;
}

/** Of a service that is changed it is found out by whoever hands out the ports. */
function checkTwice(ports: readonly Port[], before: Spec): void {
  if (Object.keys(before).length === 0) return;
  const seen = new Set<string>();
  for (const { nodePort, protocol = 'TCP' } of ports) {
    if (!isSet(nodePort)) continue;
    const use = `{${protocol} ${nodePort}}`;
    if (seen.has(use)) throw new ApiError(500, '', `duplicate nodePort: ${use}`);
    seen.add(use);
  }
}

function internal(message: string): ApiError {
  const details = { causes: [{ message }] };
  return new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, details);
}

/** Traffic that stays on a node is balanced by whether the node has an endpoint, which it is asked at a port. */
export const needsHealthCheck = (spec: Spec): boolean =>
  spec['type'] === 'LoadBalancer' && spec['externalTrafficPolicy'] === 'Local';

const hasPorts = ({ type }: Spec): boolean => type === 'NodePort' || type === 'LoadBalancer';

/** A balancer may be told to do without. */
const getsPorts = (spec: Spec): boolean =>
  spec['type'] === 'NodePort' ||
  (spec['type'] === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] !== false);

interface Filling {
  /** What the service was; it has its own ports already. */
  readonly before?: Spec;
  readonly isDryRun: boolean;
}

/** What is shown for ports that nobody takes: one after another from those that were asked for. */
function dummies(said: readonly Port[]): () => number {
  let last = said.length === 0 ? LAST + 1 : Math.max(...said.map(({ nodePort = 0 }) => nodePort));
  return () => (last += 1);
}

export class NodePorts {
  readonly #services: () => Promise<readonly KubeObject[]>;
  /** Where the next one is looked for: two that are made at once do not find the same. */
  #cursor = FIRST;

  constructor(services: () => Promise<readonly KubeObject[]>) {
    this.#services = services;
  }

  /** Completes the ports of a service; `before` has its own already. Throws ApiError 422. */
  async fill(
    info: ResourceInfo,
    service: KubeObject,
    { before = {}, isDryRun }: Filling,
  ): Promise<void> {
    const spec = (service['spec'] ?? {}) as Spec;
    if (!hasPorts(spec)) return;
    const { healthCheckNodePort: checked, ...rest } = before;
    const own = new Set(nodePortsOf(rest));
    const lacking = getsPorts(spec) ? portsOf(spec).filter(({ nodePort }) => !isSet(nodePort)) : [];
    const said = portsOf(spec).filter(({ nodePort }) => isSet(nodePort) && !own.has(nodePort));
    const checks = spec['healthCheckNodePort'] as number | undefined;
    const isChecked = needsHealthCheck(spec) && (!isSet(checks) || checks !== checked);
    if (lacking.length === 0 && said.length === 0 && !isChecked) return;
    const others = await this.#services();
    const { namespace, name = '' } = service.metadata;
    const used = new Set(
      others
        .filter(({ metadata }) => metadata.namespace !== namespace || metadata.name !== name)
        .flatMap((one) => nodePortsOf((one['spec'] ?? {}) as Spec)),
    );
    if (isSet(checked as number | undefined)) used.add(checked as number);
    const isNew = own.size === 0;
    for (const port of said) {
      const index = portsOf(spec).indexOf(port);
      const why =
        problemOf(port.nodePort ?? 0, used, isDryRun) ?? (isNew ? clash(port, said) : undefined);
      if (why === undefined) continue;
      const cause = invalidValue(`spec.ports[${index}].nodePort`, port.nodePort, why);
      throw invalid(info, name, [cause]);
    }
    checkTwice(portsOf(spec), before);
    const wrong = isChecked && isSet(checks) ? problemOf(checks, used, isDryRun) : undefined;
    if (wrong !== undefined)
      throw internal(`failed to allocate requested HealthCheck NodePort ${checks}: ${wrong}`);
    for (const port of nodePortsOf(spec)) used.add(port);
    const drawn = isDryRun ? dummies(said) : (): number => this.#next(used);
    for (const port of lacking) port.nodePort = drawn();
    if (isChecked && !isSet(checks)) spec['healthCheckNodePort'] = drawn();
  }

  #next(used: Set<number>): number {
    for (let tries = FIRST; tries <= LAST; tries++) {
      const port = this.#cursor;
      this.#cursor = port === LAST ? FIRST : port + 1;
      if (used.has(port)) continue;
      used.add(port);
      return port;
    }
    throw internal('failed to allocate a nodePort: range is full');
  }
}

/** A port of the same name keeps its node port when the client says none. */
export function keepNodePorts(spec: Spec, before: Spec): void {
  if (!getsPorts(spec) || !getsPorts(before)) return;
  const now = new Set(portsOf(spec).map(({ nodePort }) => nodePort));
  for (const port of portsOf(spec)) {
    if (isSet(port.nodePort)) continue;
    const old = portsOf(before).findLast(({ name = '' }) => name === (port.name ?? ''));
    if (isSet(old?.nodePort) && !now.has(old.nodePort)) port.nodePort = old.nodePort;
  }
}

/** Node ports go with the type that has them, unless the client has said others. */
export function dropNodePorts(spec: Spec, before: Spec): void {
  if (hasPorts(spec) || !hasPorts(before)) return;
  const old = new Set(portsOf(before).map(({ nodePort }) => nodePort));
  const isSame = portsOf(spec).every(({ nodePort }) => !isSet(nodePort) || old.has(nodePort));
  if (isSame) for (const port of portsOf(spec)) delete port.nodePort;
}
