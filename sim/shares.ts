// What a framework really holds on the machines, as a share of all.
import { frameworkOf } from './programs.ts';
import type { World } from './world.ts';

/** The larger of its shares of all cpus and all memory, by tasks that run. */
export function dominantShareOf(world: World, name: string): number {
  const sums = { cpus: 0, mem: 0 };
  const totals = { cpus: 0, mem: 0 };
  for (const machine of world.machines) {
    totals.cpus += machine.total.scalar('cpus');
    totals.mem += machine.total.scalar('mem');
    for (const task of machine.runningTasks()) {
      if (frameworkOf(task) !== name) continue;
      for (const { name: kind, scalar } of task.resources ?? []) {
        if (kind === 'cpus' || kind === 'mem') sums[kind] += scalar?.value ?? 0;
      }
    }
  }
  return Math.max(sums.cpus / totals.cpus, sums.mem / totals.mem);
}
