// What is told of an executor that used more memory than it had: what it had is its limitation.
import type { ExitStatus } from '#env/process.ts';
import type { ContainerEnd, ContainerLaunch } from './types.ts';

export function memoryEnd(
  launch: ContainerLaunch,
  status: ExitStatus,
  end: ContainerEnd,
): ContainerEnd {
  const limitation = launch.resources.filter((one) => one.name === 'mem');
  const megabytes = limitation.reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0);
  const used = Math.round((status.memoryBytesPeak ?? 0) / 2 ** 20);
  return {
    ...end,
    reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
    message: `Memory limit exceeded: Requested: ${megabytes}MB Maximum Used: ${used}MB`,
    limitation,
  };
}
