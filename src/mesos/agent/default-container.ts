// `--default_container_info`: the container of executors, and of tasks without an executor, that name none.
import type { ContainerInfo, ExecutorEvent } from '#wire/mesos/v1.ts';

export function withContainer<T extends { container?: ContainerInfo | undefined }>(
  info: T,
  byDefault: ContainerInfo | undefined,
): T {
  if (byDefault === undefined || info.container !== undefined) return info;
  return { ...info, container: byDefault };
}

/** A task that is its executor's only one is launched with LAUNCH; those of a group have none of their own. */
export function eventWithContainer(
  event: ExecutorEvent,
  byDefault: ContainerInfo | undefined,
): ExecutorEvent {
  if (event.type !== 'LAUNCH' || event.launch === undefined) return event;
  return {
    ...event,
    launch: { ...event.launch, task: withContainer(event.launch.task, byDefault) },
  };
}
