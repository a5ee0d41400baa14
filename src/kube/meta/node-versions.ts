// What a node of ours names as its kubelet and, where pods are processes, as its container runtime
// (NodeSystemInfo of v1.37: `v` and a version; a name, `://` and a version), and what its providerID begins with.
import type { KubeObject } from './object.ts';

export const KUBELET_VERSION = 'v1.37.2+strata';
export const PROCESS_RUNTIME = 'strata://0.1.0';

export const AGENT_PROVIDER = 'mesos://';

/** Its agent's master knows whether it answers: no kubelet speaks for it. */
export function isAgentNode(node: KubeObject): boolean {
  return String(node['spec']?.providerID ?? '').startsWith(AGENT_PROVIDER);
}
