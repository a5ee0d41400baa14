// What the node executor keeps on disk for each pod, beside the pod core's own state: the task it
// was launched as, and the object as last seen. So a successor can go on without the API server.
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeMounted } from './memory-volumes.ts';
import type { Pod } from './pod-spec.ts';

export type TerminalState = 'TASK_FINISHED' | 'TASK_FAILED' | 'TASK_KILLED';

export interface TaskRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** The attempt that counts; undefined in what earlier versions wrote: the first. */
  taskId?: string;
  /** The wire message in its JSON form, to subscribe with again. */
  task: string;
  /** Earlier attempts that this one took over from, until their end is acknowledged. */
  former?: string[];
  /** Acknowledged terminal tasks keep their record until the pod is gone from the API. */
  end?: { readonly state: TerminalState; readonly message: string; acknowledged: boolean };
}

export interface KeptPod {
  readonly record: TaskRecord;
  readonly pod: Pod | undefined;
}

async function write(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.${process.pid}.new`;
  await writeFile(temporary, JSON.stringify(value));
  await rename(temporary, path);
}

async function read<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

export class NodeState {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  podFolder(uid: string): string {
    return join(this.#folder, 'pods', uid.replaceAll('/', '_'));
  }

  async list(): Promise<KeptPod[]> {
    const root = join(this.#folder, 'pods');
    await mkdir(root, { recursive: true });
    const kept: KeptPod[] = [];
    for (const name of await readdir(root)) {
      const record = await read<TaskRecord>(join(root, name, 'task.json'));
      const pod = await read<Pod>(join(root, name, 'pod.json'));
      if (record !== undefined) kept.push({ record, pod });
    }
    return kept;
  }

  /**
   * Whether the folder is of another run of the executor (the agent has ended that one and told the
   * scheduler so): then nothing in it may go on.
   */
  async claim(runId: string): Promise<'same' | 'other'> {
    await mkdir(this.#folder, { recursive: true });
    const known = await read<{ readonly runId: string }>(join(this.#folder, 'run.json'));
    return known === undefined || known.runId === runId ? 'same' : 'other';
  }

  async setRun(runId: string): Promise<void> {
    await write(join(this.#folder, 'run.json'), { runId });
  }

  async writeTask(record: TaskRecord): Promise<void> {
    const folder = this.podFolder(record.uid);
    await mkdir(folder, { recursive: true });
    await write(join(folder, 'task.json'), record);
  }

  async writePod(pod: Pod): Promise<void> {
    const folder = this.podFolder(pod.metadata.uid ?? '');
    await mkdir(folder, { recursive: true });
    await write(join(folder, 'pod.json'), pod);
  }

  async remove(uid: string): Promise<void> {
    await removeMounted(this.podFolder(uid));
  }
}
