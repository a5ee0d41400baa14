// What one task costs on an agent: from the ACCEPT to TASK_RUNNING on an idle agent, memory for each of 500
// that run, and what an agent needs that has nothing to do.
import { readdirSync, readFileSync } from 'node:fs';
import { AgentCluster, missingAgent } from './agent-cluster.ts';
import { median, type Benchmark, type Measure } from './benchmark.ts';
import { processorSeconds, residentMb } from './program.ts';
import { quantile } from '#test/support/quantile.ts';

const MB = 1024;

/** Resident memory of a process in MB, pages that others share counted in parts. */
function shareOfMemoryMb(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s*(\d+)/m.exec(text)?.[1] ?? 0) / MB;
  } catch {
    return 0;
  }
}

/** The agent and all that it has started but the tasks' own command: shims, executors, helpers. */
function ownProcesses(agentPid: number): number[] {
  const parents = new Map<number, number>();
  const own = [agentPid];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      // A shim that outlives its agent is nobody's child.
      if (line.includes('strata-shim')) own.push(Number(name));
      if (!line.startsWith('sleep\0') && !line.startsWith('/bin/sleep\0')) {
        parents.set(Number(name), Number(parent));
      }
    } catch {
      continue;
    }
  }
  const known = new Set(own);
  for (let found = true; found;) {
    found = false;
    for (const [pid, parent] of parents) {
      if (known.has(pid) || !known.has(parent)) continue;
      known.add(pid);
      found = true;
    }
  }
  return [...known];
}

const memoryOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + shareOfMemoryMb(pid), 0);

export const agentTask: Benchmark = {
  name: 'agent-task',
  about: '200 tasks one after the other, then 500 at once, on an agent of its own',
  peer: 'Mesos',
  missing: missingAgent,
  async measure(side, size): Promise<Measure[]> {
    const [single, many, idleMs] = size === 'full' ? [200, 500, 20_000] : [5, 20, 1_000];
    await using cluster = await AgentCluster.start(side);
    const { pid } = cluster.agent;
    const idleMemory = residentMb(pid);
    const idleCpu = processorSeconds(pid);
    await new Promise((done) => setTimeout(done, idleMs));
    const idlePercent = ((processorSeconds(pid) - idleCpu) * 100_000) / idleMs;
    const latencies: number[] = [];
    for (let index = 0; index < single; index += 1) {
      const id = `one-${index}`;
      const [timed] = await cluster.launch([id]);
      latencies.push((timed?.runningAt ?? Infinity) - (timed?.askedAt ?? 0));
      await cluster.end([id]);
    }
    const before = memoryOf(ownProcesses(pid));
    const ids = Array.from({ length: many }, (_, index) => `many-${index}`);
    await cluster.launch(ids);
    const each = (memoryOf(ownProcesses(pid)) - before) / many;
    await cluster.end(ids);
    const lower = (name: string, value: number, unit: string, atMost: number): Measure => ({
      name,
      value,
      unit,
      better: 'lower',
      atMost,
    });
    const p99 = quantile(latencies, 0.99) ?? 0;
    return [
      lower('ACCEPT to TASK_RUNNING, median', median(latencies) ?? 0, 'ms', 25),
      lower('ACCEPT to TASK_RUNNING, p99', p99, 'ms', 100),
      lower('memory of ours for a running task', each, 'MB', 1),
      lower('resident memory of the idle agent', idleMemory, 'MB', 60),
      lower('processor of the idle agent', idlePercent, '% of a core', 0.5),
    ];
  },
};
