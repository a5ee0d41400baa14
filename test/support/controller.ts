// A controller of cgroups of version 1 for one test: the machine's, or, where it is not mounted, mounted for it alone.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCgroups } from '#env/node/process-cgroup.ts';

export type Controller =
  | {
      readonly root: string;
      /** Removes an empty group of every controller, and what was mounted. */
      close(group: string): void;
    }
  /** Why there is none. */
  | string;

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
    close(group) {
      for (const folder of [own, ...cgroups.roots.values()]) {
        try {
          rmdirSync(join(folder, group));
        } catch {
          // The same hierarchy under two names.
        }
      }
      if (isMounted) spawnSync('umount', [own]);
      rmdirSync(own);
    },
  };
}
