// The sandbox of a task in a group, below that of its executor.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** At once: another thread would take longer to be asked. */
export function makeNestedSandbox(executorSandbox: string, sandbox: string, taskId: string): void {
  mkdirSync(dirname(sandbox), { recursive: true, mode: 0o755 });
  mkdirSync(sandbox, { recursive: true, mode: 0o750 });
  mkdirSync(join(executorSandbox, 'tasks'), { recursive: true });
  const link = join(executorSandbox, 'tasks', taskId.replaceAll('/', '%2F'));
  rmSync(link, { force: true });
  symlinkSync(sandbox, link);
}
