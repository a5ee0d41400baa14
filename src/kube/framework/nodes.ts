// The Node object of an agent: what it should be, as a pure function of the agent and of what the
// instance holds. Capacity is the agent's; allocatable is what is held plus what was offered
// (DESIGN section 4, rule 2); readiness is the substrate's own knowledge of the agent.
import { AGENT_PROVIDER, KUBELET_VERSION, PROCESS_RUNTIME } from '#kube/meta/node-versions.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { addAmounts, type Amounts } from '#kube/scheduler/types.ts';
import type { Agent } from './types.ts';

export const PODS_MAX = 1_000;

export interface NodeInput {
  readonly agent: Agent;
  readonly held: Amounts;
  readonly offered: Amounts | undefined;
  readonly podCidr: string | undefined;
  readonly kubeletPort: number | undefined;
  readonly existing: KubeObject | undefined;
  readonly now: number;
}

function quantities(amounts: Amounts): Record<string, string> {
  const { cpuMilli, memoryBytes, ephemeralStorageBytes, gpus } = amounts;
  return {
    cpu: cpuMilli % 1_000 === 0 ? String(cpuMilli / 1_000) : `${cpuMilli}m`,
    memory: `${Math.floor(memoryBytes / 1_024)}Ki`,
    'ephemeral-storage': `${Math.floor(ephemeralStorageBytes / 1_024)}Ki`,
    pods: String(PODS_MAX),
    ...(gpus > 0 ? { 'nvidia.com/gpu': String(gpus) } : {}),
  };
}

/** Attributes that are labels already keep their name; the others are put under one prefix. */
function labelsOf(agent: Agent): Record<string, string> {
  const { attributes } = agent;
  const labels: Record<string, string> = {
    'kubernetes.io/hostname': agent.nodeName,
    'kubernetes.io/os': attributes['os'] ?? 'linux',
    'kubernetes.io/arch': attributes['arch'] ?? 'amd64',
  };
  if (agent.region !== undefined) labels['topology.kubernetes.io/region'] = agent.region;
  if (agent.zone !== undefined) labels['topology.kubernetes.io/zone'] = agent.zone;
  for (const [name, value] of Object.entries(attributes)) {
    const isLabelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/.test(value);
    const isSpecial = name === 'os' || name === 'arch' || name === 'kube-node-name';
    if (isLabelValue && !isSpecial) labels[name] = value;
  }
  return labels;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastHeartbeatTime: string;
  readonly lastTransitionTime: string;
}

function readyCondition(input: NodeInput): Condition {
  const { agent, existing, now } = input;
  const before = ((existing?.['status']?.conditions ?? []) as readonly Condition[]).find(
    (condition) => condition.type === 'Ready',
  );
  const status = agent.isReachable ? 'True' : 'Unknown';
  const time = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    type: 'Ready',
    status,
    reason: agent.isReachable ? 'AgentReachable' : 'AgentUnreachable',
    message: agent.isReachable
      ? `agent ${agent.id} is registered with the master`
      : `agent ${agent.id} does not answer the master`,
    // No heartbeat: the time changes only with the condition, so that idle nodes cost nothing.
    lastHeartbeatTime: before?.status === status ? before.lastHeartbeatTime : time,
    lastTransitionTime: before?.status === status ? before.lastTransitionTime : time,
  };
}

export function desiredNode(input: NodeInput): KubeObject {
  const { agent, held, offered, podCidr, kubeletPort, existing } = input;
  const otherConditions = ((existing?.['status']?.conditions ?? []) as readonly Condition[]).filter(
    (condition) => condition.type !== 'Ready',
  );
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: agent.nodeName,
      labels: { ...existing?.metadata.labels, ...labelsOf(agent) },
      annotations: { ...existing?.metadata.annotations },
    },
    spec: {
      ...existing?.['spec'],
      providerID: existing?.['spec']?.providerID ?? `${AGENT_PROVIDER}${agent.nodeName}`,
      ...(podCidr === undefined ? {} : { podCIDR: podCidr, podCIDRs: [podCidr] }),
    },
    status: {
      ...existing?.['status'],
      capacity: quantities(agent.capacity),
      allocatable: quantities(offered === undefined ? agent.capacity : addAmounts(held, offered)),
      conditions: [...otherConditions, readyCondition(input)],
      addresses: [
        { type: 'InternalIP', address: agent.ip },
        { type: 'Hostname', address: agent.nodeName },
      ],
      ...(kubeletPort === undefined
        ? {}
        : { daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } } }),
      nodeInfo: {
        machineID: '',
        systemUUID: agent.nodeName,
        bootID: '',
        kernelVersion: agent.attributes['kernel'] ?? '',
        osImage: agent.attributes['os-image'] ?? '',
        containerRuntimeVersion: PROCESS_RUNTIME,
        kubeletVersion: KUBELET_VERSION,
        kubeProxyVersion: '',
        operatingSystem: agent.attributes['os'] ?? 'linux',
        architecture: agent.attributes['arch'] ?? 'amd64',
        ...existing?.['status']?.nodeInfo,
      },
    },
  };
}
