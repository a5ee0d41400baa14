// To and from Mesos messages: offers and agents as the framework core knows them, launches as tasks.
import type { Amounts } from '#kube/scheduler/types.ts';
import type {
  AgentInfo,
  ExecutorInfo,
  Offer as WireOffer,
  Request,
  Resource,
  TaskInfo,
  TaskStatus as WireStatus,
} from '#wire/mesos/v1.ts';
import type { Wanted } from './demand.ts';
import type { Agent, Launch, Offer, PortRange, TaskStatus } from './types.ts';

const MB = 1024 * 1024;

export function amountsOf(resources: readonly Resource[] | undefined): Amounts {
  const sum = (name: string): number =>
    (resources ?? [])
      .filter((one) => one.name === name && one.revocable === undefined)
      .reduce((total, one) => total + (one.scalar?.value ?? 0), 0);
  return {
    cpuMilli: Math.floor(sum('cpus') * 1_000 + 1e-6),
    memoryBytes: Math.floor(sum('mem')) * MB,
    ephemeralStorageBytes: Math.floor(sum('disk')) * MB,
    gpus: Math.floor(sum('gpus')),
  };
}

export function portsOf(resources: readonly Resource[] | undefined): PortRange[] {
  return (resources ?? [])
    .filter(({ name }) => name === 'ports')
    .flatMap(({ ranges }) => ranges?.range ?? [])
    .map(({ begin, end }) => ({ begin, end }));
}

export function offerFromWire(offer: WireOffer): Offer {
  return {
    id: offer.id.value,
    agentId: offer.agent_id.value,
    amounts: amountsOf(offer.resources),
    ports: portsOf(offer.resources),
    hasExecutor: (offer.executor_ids ?? []).length > 0,
  };
}

export interface AgentEntry {
  readonly agent_info: AgentInfo;
  readonly active: boolean;
  readonly pid?: string | undefined;
}

/** `<hostname>-<port>` unless an attribute names the node. */
export function agentFromWire({ agent_info: info, active, pid }: AgentEntry): Agent {
  const attributes: Record<string, string> = {};
  for (const { name, text, scalar } of info.attributes ?? []) {
    const value = text?.value ?? (scalar === undefined ? undefined : String(scalar.value));
    if (value !== undefined) attributes[name] = value;
  }
  const address = pid?.slice(pid.indexOf('@') + 1) ?? `127.0.0.1:${info.port ?? 5051}`;
  const ip = address.slice(0, address.lastIndexOf(':'));
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const name = attributes['kube-node-name'] ?? `${info.hostname}-${port}`;
  const domain = info.domain?.fault_domain;
  return {
    id: info.id?.value ?? '',
    hostname: info.hostname,
    ip,
    port,
    nodeName: name.toLowerCase().replaceAll(/[^a-z0-9.-]/g, '-'),
    attributes,
    region: domain?.region.name,
    zone: domain?.zone.name,
    capacity: amountsOf(info.resources),
    ports: portsOf(info.resources),
    isReachable: active,
  };
}

export function statusFromWire(status: WireStatus): TaskStatus {
  const { uuid } = status;
  return {
    taskId: status.task_id.value,
    state: status.state,
    agentId: status.agent_id?.value,
    source: status.source ?? '',
    reason: status.reason ?? '',
    message: status.message ?? '',
    uuid:
      uuid === undefined || uuid.length === 0 ? undefined : Buffer.from(uuid).toString('base64'),
  };
}

export function resourcesToWire(
  amounts: Amounts,
  ports: readonly number[],
  role: string,
): Resource[] {
  const allocation_info = { role };
  const scalar = (name: string, value: number): Resource[] =>
    value > 0 ? [{ name, type: 'SCALAR', scalar: { value }, allocation_info }] : [];
  const range = ports.map((port) => ({ begin: port, end: port }));
  return [
    ...scalar('cpus', amounts.cpuMilli / 1_000),
    ...scalar('mem', Math.ceil(amounts.memoryBytes / MB)),
    ...scalar('disk', Math.ceil(amounts.ephemeralStorageBytes / MB)),
    ...scalar('gpus', amounts.gpus),
    ...(range.length === 0
      ? []
      : [{ name: 'ports', type: 'RANGES' as const, ranges: { range }, allocation_info }]),
  ];
}

/** Who names no amounts wants all that the agent has free. */
export function requestToWire({ agentId, amounts, ports }: Wanted): Request {
  const resources = amounts === undefined ? [] : resourcesToWire(amounts, ports, '*');
  return {
    agent_id: { value: agentId },
    resources: resources.map(({ allocation_info: _role, ...plain }) => plain),
  };
}

/** Host ports that the agent manages are part of the task's resources; others belong to nobody. */
export function taskToWire(
  launch: Launch,
  context: {
    agentId: string;
    role: string;
    executor: ExecutorInfo;
    offeredPorts: readonly PortRange[];
  },
): TaskInfo {
  const { agentId, role, executor, offeredPorts } = context;
  const managed = launch.hostPorts.filter((port) =>
    offeredPorts.some(({ begin, end }) => begin <= port && port <= end),
  );
  const data = { namespace: launch.namespace, name: launch.name, uid: launch.uid };
  return {
    name: `${launch.namespace}/${launch.name}`,
    task_id: { value: launch.taskId },
    agent_id: { value: agentId },
    resources: resourcesToWire(launch.resources, managed, role),
    executor,
    data: new TextEncoder().encode(JSON.stringify(data)),
    labels: {
      labels: [
        { key: 'kubernetes.io/namespace', value: launch.namespace },
        { key: 'kubernetes.io/name', value: launch.name },
      ],
    },
  };
}
