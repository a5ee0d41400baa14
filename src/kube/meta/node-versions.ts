// What a node of ours names as its kubelet and, where pods are processes, as its container runtime
// (NodeSystemInfo of v1.37: `v` and a version; a name, `://` and a version).

export const KUBELET_VERSION = 'v1.37.2+strata';
export const PROCESS_RUNTIME = 'strata://0.1.0';
