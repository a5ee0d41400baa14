// Do the offers held for the node have what the pod asks for? (kube-scheduler's NodeResourcesFit, NodePorts)
import {
  fails,
  fits,
  type HostPort,
  type SchedulingNode,
  type SchedulingPod,
  type Verdict,
} from '#kube/scheduler/types.ts';

export function filterResources(pod: SchedulingPod, node: SchedulingNode): Verdict {
  const { free, executorOverhead } = node;
  const { requests } = pod;
  const reasons: string[] = [];
  if (requests.cpuMilli + executorOverhead.cpuMilli > free.cpuMilli) {
    reasons.push('Insufficient cpu');
  }
  if (requests.memoryBytes + executorOverhead.memoryBytes > free.memoryBytes) {
    reasons.push('Insufficient memory');
  }
  if (requests.ephemeralStorageBytes > free.ephemeralStorageBytes) {
    reasons.push('Insufficient ephemeral-storage');
  }
  if (requests.gpus > free.gpus) reasons.push('Insufficient nvidia.com/gpu');
  for (const [name, count] of Object.entries(pod.extended)) {
    if (count > 0) reasons.push(`Insufficient ${name}`);
  }
  return reasons.length === 0 ? fits : fails(...reasons);
}

/** Whether one machine cannot have both. */
export function collide(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  const anyAddress = (ip: string): boolean => ip === '' || ip === '0.0.0.0' || ip === '::';
  return anyAddress(a.hostIp) || anyAddress(b.hostIp) || a.hostIp === b.hostIp;
}

/**
 * A host port must be free of this instance's pods, and of other frameworks' tasks where the agent
 * offers that port at all; ports outside of what the agent manages belong to nobody in the substrate.
 */
export function filterHostPorts(
  pod: SchedulingPod,
  node: SchedulingNode,
  managedPorts: readonly { readonly begin: number; readonly end: number }[],
): Verdict {
  const inside = (
    ranges: readonly { readonly begin: number; readonly end: number }[],
    port: number,
  ): boolean => ranges.some(({ begin, end }) => begin <= port && port <= end);
  for (const wanted of pod.hostPorts) {
    const taken = node.usedHostPorts.some((used) => collide(used, wanted));
    const held = !inside(managedPorts, wanted.port) || inside(node.freePorts, wanted.port);
    if (taken || !held) {
      return fails("node(s) didn't have free ports for the requested pod ports");
    }
  }
  return fits;
}
