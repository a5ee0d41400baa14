// A controller of cgroups of version 1 for one test: the machine's, or, where it is not mounted, mounted for it alone.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCgroups } from '#env/node/process-cgroup.ts';
import { eventually } from './cluster.ts';

export type Controller =
  | {
      readonly root: string;
      /** Removes an empty group of every controller, and what was mounted. */
      close(group: string): Promise<void>;
    }
  /** Why there is none. */
  | string;

/** Hierarchy 0: that of version 2, or none. */
function stateOf(name: string): { readonly hierarchy: number; readonly groups: number } {
  const line = readFileSync('/proc/cgroups', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}\t`));
  const [, hierarchy = 0, groups = 0] = (line ?? '').split('\t').map(Number);
  return { hierarchy, groups };
}

/**
 * A hierarchy that is unmounted while groups of it are still going stays, in every process's /proc/PID/cgroup,
 * where containerd then looks for its place in vain.
 */
async function unmount(name: string, place: string): Promise<void> {
  await eventually(`groups of ${name} have gone`, async () =>
    stateOf(name).groups <= 1 ? true : undefined,
  );
  // A perf(1) that is about to end may still have it open.
  await eventually(`${name} is unmounted`, async () =>
    spawnSync('umount', [place]).status === 0 ? true : undefined,
  );
  await eventually(`the hierarchy of ${name} has gone`, async () =>
    stateOf(name).hierarchy === 0 ? true : undefined,
  );
}

export function controller(name: string): Controller {
  const cgroups = findCgroups();
  if (cgroups?.version !== 1) return 'needs root and cgroups of version 1';
  const there = cgroups.roots.get(name);
  const own = mkdtempSync(join(tmpdir(), `strata-${name}-`));
  const isMounted =
    there === undefined && spawnSync('mount', ['-t', 'cgroup', '-o', name, name, own]).status === 0;
  if (there === undefined && !isMounted) {
    rmdirSync(own);
    return `the controller ${name} cannot be mounted as of version 1`;
  }
  return {
    root: there ?? own,
    async close(group) {
      for (const folder of [own, ...cgroups.roots.values()]) {
        try {
          rmdirSync(join(folder, group));
        } catch {
          // The same hierarchy under two names.
        }
      }
      if (isMounted) await unmount(name, own);
      rmdirSync(own);
    },
  };
}
