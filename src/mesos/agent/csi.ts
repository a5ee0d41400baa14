// CSI volumes of an agent that has plugins for them: `--isolation=volume/csi` and `--csi_plugin_config_dir`.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Disk } from '#env/disk.ts';
import type { Env } from '#env/env.ts';
import { CsiPlugins, type CsiPluginsOptions } from './csi-plugins.ts';
import { CsiVolumes } from './csi-volumes.ts';
import type { AgentPaths } from './paths.ts';

/** Where the sockets of the plugins that an agent runs are: short, as the kernel wants it. */
export function csiSocketFolder(workFolder: string): string {
  const own = createHash('sha256').update(workFolder).digest('hex').slice(0, 12);
  return `/run/strata-csi-${own}`;
}

/** Undefined: it has none. The flags have been checked (`checkCsiFlags`). */
export function csiVolumes(
  configFolder: string | undefined,
  paths: AgentPaths,
  wiring: Pick<CsiPluginsOptions, 'agentId' | 'containers'>,
  { disk, env }: { readonly disk: Disk; readonly env: Env },
): CsiVolumes | undefined {
  if (configFolder === undefined) return undefined;
  const socketFolder = csiSocketFolder(paths.work);
  const plugins = new CsiPlugins({ configFolder, socketFolder, env, ...wiring });
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return new CsiVolumes({ ...paths.csi, bootId }, plugins, { disk, env });
}
