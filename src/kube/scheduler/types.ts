// What the scheduler knows of pods and nodes: slim, read-only projections, made once when an object
// enters the cache. Amounts are whole numbers: milli-cpus, bytes.

export interface Amounts {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
  readonly gpus: number;
}

export const noAmounts: Amounts = {
  cpuMilli: 0,
  memoryBytes: 0,
  ephemeralStorageBytes: 0,
  gpus: 0,
};

export function addAmounts(a: Amounts, b: Amounts): Amounts {
  return {
    cpuMilli: a.cpuMilli + b.cpuMilli,
    memoryBytes: a.memoryBytes + b.memoryBytes,
    ephemeralStorageBytes: a.ephemeralStorageBytes + b.ephemeralStorageBytes,
    gpus: a.gpus + b.gpus,
  };
}

export interface Toleration {
  readonly key: string;
  readonly operator: string;
  readonly value: string;
  readonly effect: string;
}

export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: string;
}

export interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** Terms are or-ed; the requirements inside one are and-ed. An empty term matches nothing. */
export interface NodeSelectorTerm {
  readonly matchExpressions: readonly Requirement[];
  readonly matchFields: readonly Requirement[];
}

export interface PreferredTerm {
  readonly weight: number;
  readonly term: NodeSelectorTerm;
}

export interface HostPort {
  readonly protocol: string;
  readonly hostIp: string;
  readonly port: number;
}

export interface SchedulingPod {
  /** The pod's uid, also the id of its Mesos task. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly priority: number;
  readonly createdAt: number;
  readonly requests: Amounts;
  /** Extended resources that no node offers make a pod wait; name -> count. */
  readonly extended: Readonly<Record<string, number>>;
  readonly hostPorts: readonly HostPort[];
  /** Set when somebody chose the node already (spec.nodeName): nothing else is considered then. */
  readonly nodeName: string | undefined;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly requiredTerms: readonly NodeSelectorTerm[] | undefined;
  readonly preferredTerms: readonly PreferredTerm[];
  readonly tolerations: readonly Toleration[];
  /** Pods with the same non-empty key are spread over nodes: the uid of the controlling owner. */
  readonly spreadKey: string;
}

/** A node with what may be placed on it now: the sum of the offers held for its agent. */
export interface SchedulingNode {
  readonly name: string;
  readonly agentId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly isUnschedulable: boolean;
  readonly capacity: Amounts;
  readonly free: Amounts;
  /** Port ranges that the offers hold, inclusive. */
  readonly freePorts: readonly { readonly begin: number; readonly end: number }[];
  /** Host ports taken by this instance's pods on the node. */
  readonly usedHostPorts: readonly HostPort[];
  /** spreadKey -> number of pods of it on this node. */
  readonly spreadCounts: ReadonlyMap<string, number>;
  /** What the node's executor itself needs when it does not run yet. */
  readonly executorOverhead: Amounts;
}

export type Verdict =
  | { readonly ok: true }
  /** Worded as kube-scheduler v1.37 words it, e.g. `Insufficient cpu`. */
  | { readonly ok: false; readonly reasons: readonly string[] };

export const fits: Verdict = { ok: true };

export function fails(...reasons: readonly string[]): Verdict {
  return { ok: false, reasons };
}
