// What a ContainerInfo asks of the process host, and what this agent cannot do for one: refused
// with the words for the task's last update rather than left out in silence.
import type { ProcessSpec } from '#env/process.ts';
import type { ContainerInfo, RLimitInfo, TaskInfo } from '#wire/mesos/v1.ts';

export type Isolation = Pick<ProcessSpec, 'rlimits' | 'terminal'>;

const TERMINAL_SIZE = { rows: 24, columns: 80 } as const;

/** prlimit(1) calls them like Mesos does, in lower case. */
function rlimitsOf(info: RLimitInfo | undefined): ProcessSpec['rlimits'] {
  return (info?.rlimits ?? []).map(({ type, soft, hard }) => {
    if (type === undefined || type === 'UNKNOWN') throw new Error('Unknown rlimit type');
    if ((soft === undefined) !== (hard === undefined)) {
      throw new Error(`Invalid rlimit: ${type} needs both or neither of soft and hard`);
    }
    if (soft !== undefined && hard !== undefined && soft > hard) {
      throw new Error(`Invalid rlimit: the soft limit of ${type} is above the hard one`);
    }
    return { name: type.replace(/^RLMT_/, '').toLowerCase(), soft, hard };
  });
}

export function isolationOf(container: ContainerInfo | undefined): Isolation {
  const rlimits = rlimitsOf(container?.rlimit_info);
  const { tty_info } = container ?? {};
  return {
    ...(rlimits === undefined || rlimits.length === 0 ? {} : { rlimits }),
    ...(tty_info === undefined ? {} : { terminal: tty_info.window_size ?? TERMINAL_SIZE }),
  };
}

export function containerProblem(container: ContainerInfo | undefined): string | undefined {
  if (container === undefined) return undefined;
  if (container.type === 'DOCKER') return 'Docker containers are not supported';
  if (container.mesos?.image !== undefined) return 'Container images are not supported';
  if ((container.volumes ?? []).length > 0) return 'Volumes are not supported';
  if ((container.network_infos ?? []).some((one) => one.name !== undefined)) {
    return 'Container networks are not supported';
  }
  if (container.linux_info !== undefined) return 'Linux isolation options are not supported';
  return undefined;
}

export function taskProblem(task: TaskInfo): string | undefined {
  const persistent = (task.resources ?? []).some((one) => one.disk?.persistence !== undefined);
  if (persistent) return 'Persistent volumes are not supported';
  return containerProblem(task.container);
}
