// Pods and nodes as the scheduler sees them, for tests: plain, with what a test is about changed.
import { noAmounts, type SchedulingNode, type SchedulingPod } from './types.ts';

/** Asks for a tenth of a processor, anywhere. */
export function aSchedulingPod(uid: string, more: Partial<SchedulingPod> = {}): SchedulingPod {
  return {
    uid,
    namespace: 'default',
    name: uid,
    priority: 0,
    createdAt: 0,
    requests: { ...noAmounts, cpuMilli: 100 },
    extended: {},
    hostPorts: [],
    nodeName: undefined,
    nodeSelector: {},
    requiredTerms: undefined,
    preferredTerms: [],
    tolerations: [],
    spreadKey: '',
    ...more,
  };
}

/** Nothing runs on it. */
export function aSchedulingNode(
  name: string,
  capacity: SchedulingNode['capacity'],
  more: Partial<SchedulingNode> = {},
): SchedulingNode {
  return {
    name,
    agentId: `agent-of-${name}`,
    labels: {},
    taints: [],
    isUnschedulable: false,
    capacity,
    free: capacity,
    freePorts: [],
    usedHostPorts: [],
    spreadCounts: new Map(),
    executorOverhead: noAmounts,
    ...more,
  };
}
