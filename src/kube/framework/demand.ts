// What an instance asks for with REQUEST: on which agents, and how much there. Pure. Undefined where
// whole offers are better; a master that does not know REQUEST gives whole offers anyhow.
import { couldRun } from '#kube/scheduler/plan.ts';
import type { Amounts, SchedulingNode, SchedulingPod } from '#kube/scheduler/types.ts';
import type { PortRange } from './types.ts';

/** One request: so much on the agent, or (without amounts) all that there is. */
export interface Wanted {
  readonly agentId: string;
  readonly amounts: Amounts | undefined;
  readonly ports: readonly number[];
}

export interface DemandAgent {
  /** With all of its capacity free. */
  readonly node: SchedulingNode;
  readonly managedPorts: readonly PortRange[];
  /** The first pod brings the executor and a port of its own along: then everything is asked for. */
  readonly isExecutorRunning: boolean;
}

/** As many nodes as kube-scheduler would look at for one pod, at least. */
const AGENTS_MAX = 100;
/** More would cost more than whole offers do: to say, and to work out with every pod that comes. */
const REQUESTS_MAX = 2_000;
const PODS_MAX = 100;
const MB = 1024 * 1024;

interface Group {
  readonly pod: SchedulingPod;
  count: number;
}

/** Requests of 1, 2, 4 … pods: as many as there is room for can be served, by few requests. */
export function portionsOf(count: number): number[] {
  const sizes: number[] = [];
  for (let size = 1, left = count; left > 0; size *= 2) {
    const one = Math.min(size, left);
    sizes.push(one);
    left -= one;
  }
  return sizes.toReversed();
}

/** Whole megabytes, as they are charged, so that a portion holds as many pods as it is for. */
function times({ cpuMilli, memoryBytes, ephemeralStorageBytes, gpus }: Amounts, count: number) {
  return {
    cpuMilli: cpuMilli * count,
    memoryBytes: Math.ceil(memoryBytes / MB) * MB * count,
    ephemeralStorageBytes: Math.ceil(ephemeralStorageBytes / MB) * MB * count,
    gpus: gpus * count,
  };
}

function portsOn(pod: SchedulingPod, { managedPorts }: DemandAgent): number[] {
  return pod.hostPorts
    .map(({ port }) => port)
    .filter((port) => managedPorts.some(({ begin, end }) => begin <= port && port <= end));
}

/** Pods that are alike for the substrate; those with host ports stand alone. */
function groupsOf(pods: readonly SchedulingPod[]): Group[] {
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    const { requests, nodeName, nodeSelector, requiredTerms, tolerations, extended } = pod;
    const alike = [requests, nodeName, nodeSelector, requiredTerms, tolerations, extended];
    const key = pod.hostPorts.length > 0 ? pod.uid : JSON.stringify(alike);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { pod, count: 1 });
    else known.count++;
  }
  return [...groups.values()];
}

/** Agents by number; undefined for those that no pod may go to now. */
export interface DemandAgents {
  readonly count: number;
  at(index: number): DemandAgent | undefined;
}

/**
 * `pods`: waiting, their requests as they are charged. `from`: at which agent to begin, so that not
 * the same ones are asked for again and again.
 */
export function demandOf(
  pods: readonly SchedulingPod[],
  agents: DemandAgents,
  from: number,
): Wanted[] | undefined {
  if (pods.length > PODS_MAX) return undefined;
  const groups = groupsOf(pods);
  const met = new Set<Group>();
  const wanted: Wanted[] = [];
  let asked = 0;
  for (let i = 0; i < agents.count; i++) {
    if (asked >= AGENTS_MAX && met.size === groups.length) break;
    const agent = agents.at((from + i) % agents.count);
    if (agent === undefined) continue;
    const fitting = groups.filter(({ pod }) => couldRun(pod, agent.node));
    // Once enough agents are asked, only those that a pod depends on are.
    const isNeeded = asked < AGENTS_MAX || fitting.some((group) => !met.has(group));
    if (fitting.length === 0 || !isNeeded) continue;
    asked++;
    for (const group of fitting) met.add(group);
    const { agentId } = agent.node;
    if (!agent.isExecutorRunning) {
      wanted.push({ agentId, amounts: undefined, ports: [] });
      continue;
    }
    for (const { pod, count } of fitting) {
      const ports = portsOn(pod, agent);
      for (const portion of portionsOf(count)) {
        wanted.push({ agentId, amounts: times(pod.requests, portion), ports });
      }
    }
    if (wanted.length > REQUESTS_MAX) return undefined;
  }
  // What fits nowhere, and why, is seen on whole offers.
  return met.size === groups.length ? wanted : undefined;
}
