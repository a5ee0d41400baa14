// What watches running containers, made as the agent's flags say: their disk, their listening ports. Whoever goes
// beyond what it was given is told of to the agent's core.
import type { Env } from '#env/env.ts';
import type { Ranges } from '#mesos/resources/ranges.ts';
import { DiskWatch } from './disk-watch.ts';
import type { AgentFlags } from './flags.ts';
import { ALL_CGROUPS } from './isolators.ts';
import type { AgentPaths } from './paths.ts';
import { PerfWatch } from './perf-watch.ts';
import { PortsWatch } from './ports-watch.ts';
import { linuxProjects } from './project-kernel.ts';
import { ProjectQuotas } from './project-quotas.ts';
import type { AgentInput } from './types.ts';

type OnInput = (input: AgentInput) => void;

/** Only with disk/xfs. */
export function projectQuotas(
  flags: AgentFlags,
  { work }: AgentPaths,
  env: Env,
): ProjectQuotas | undefined {
  if (!flags.isolators.has('disk/xfs')) return undefined;
  const enforced = flags.killsByXfsQuota ? 'kill' : 'refuse';
  return new ProjectQuotas(
    {
      ids: flags.xfsProjects,
      policy: flags.enforcesDiskQuota ? enforced : 'account',
      headroomBytes: flags.xfsHeadroomBytes,
      reclaimMs: flags.diskWatchMs,
      workFolder: work,
    },
    linuxProjects,
    env,
  );
}

export function diskWatch(
  flags: AgentFlags,
  paths: AgentPaths,
  quotas: ProjectQuotas | undefined,
  env: Env,
  onInput: OnInput,
): DiskWatch {
  const isWatched = quotas !== undefined || flags.isolators.has('disk/du');
  return new DiskWatch(
    {
      intervalMs: isWatched ? flags.containerDiskWatchMs : undefined,
      enforces: flags.enforcesDiskQuota,
      quotas,
      persistentVolume: (resource) => paths.persistentVolume(resource),
      onExceeded: (containerId, message, limitation) => {
        const reason = 'REASON_CONTAINER_LIMITATION_DISK';
        onInput({ kind: 'container-limited', containerId, reason, message, limitation });
      },
    },
    env,
  );
}

/** With cgroups/perf_event and events to count. */
export function perfWatch(
  { perf, isolators }: AgentFlags,
  cgroupRoot: string,
  members: (containerId: string) => readonly number[],
  env: Env,
): PerfWatch {
  const isOn = ['cgroups/perf_event', ALL_CGROUPS].some((one) => isolators.has(one));
  const cgroupOf = (id: string) => (members(id).length > 0 ? `${cgroupRoot}/${id}` : undefined);
  return new PerfWatch(isOn ? perf : { ...perf, events: [] }, cgroupOf, env);
}

/** `members`: the processes of a container. */
export function portsWatch(
  flags: AgentFlags,
  ownPorts: Ranges,
  members: (containerId: string) => readonly number[],
  env: Env,
  onInput: OnInput,
): PortsWatch {
  return new PortsWatch(
    {
      intervalMs: flags.isolators.has('network/ports') ? flags.containerPortsWatchMs : undefined,
      enforces: flags.enforcesPorts,
      isolated: flags.checksOwnPortsOnly ? ownPorts : flags.isolatedPorts,
      members,
      onForeign: (containerId, message, limitation) => {
        const reason = 'REASON_CONTAINER_LIMITATION';
        onInput({ kind: 'container-limited', containerId, reason, message, limitation });
      },
    },
    env,
  );
}
