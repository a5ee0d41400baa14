// Finds out what the node may do: namespaces and mounts need root and the programs for it.
import { spawnSync } from 'node:child_process';

export interface Privileges {
  /** Bind mounts, namespaces, other users. */
  readonly containers: boolean;
  /** Network namespaces and bridges. */
  readonly network: boolean;
}

function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

export function findPrivileges(): Privileges {
  if (process.getuid?.() !== 0) return { containers: false, network: false };
  const containers =
    works('unshare', ['--mount', '--pid', '--fork', 'true']) && works('nsenter', ['--version']);
  const network = containers && works('unshare', ['--net', 'true']) && works('ip', ['netns']);
  return { containers, network };
}
