// What a built-in executor remembers of its tasks, as text on disk: tasks as protobuf, in base64.
import type { TaskMemory } from '#mesos/executor/core.ts';
import { decode, encode } from '#wire/mesos/codec.ts';

type StoredTask = Omit<TaskMemory, 'task'> & { readonly bytes: string | undefined };

export function formatTaskMemory(memory: readonly TaskMemory[]): string {
  const stored: readonly StoredTask[] = memory.map(({ task, ...rest }) => ({
    ...rest,
    bytes:
      task === undefined ? undefined : Buffer.from(encode('TaskInfo', task)).toString('base64'),
  }));
  return JSON.stringify(stored);
}

/** What earlier versions did not know of is undefined. */
export function parseTaskMemory(text: string): readonly TaskMemory[] {
  const tasks = JSON.parse(text) as readonly StoredTask[];
  return tasks.map(({ bytes, ...rest }) => ({
    ...rest,
    container: rest.container ?? rest.taskId,
    completeBy: rest.completeBy ?? undefined,
    group: rest.group ?? undefined,
    task: bytes === undefined ? undefined : decode('TaskInfo', Buffer.from(bytes, 'base64')),
  }));
}
