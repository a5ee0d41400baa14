// What is mounted on this machine, as the kernel tells this process.
import { readFile } from 'node:fs/promises';

/** Paths of mount points, those that were mounted last behind; none where the system does not tell. */
export async function mountPoints(): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text
    .split('\n')
    .flatMap((line) => line.split(' ').slice(4, 5))
    .map((path) =>
      path.replace(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    );
}
