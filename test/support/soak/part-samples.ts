// What the parts of a running home hold: resident memory, open files, and whether they are the same processes.
import { readFileSync, readdirSync } from 'node:fs';
import type { SupervisorState } from '#supervisor/home.ts';

interface Sample {
  readonly pid: number;
  readonly rssMb: number;
  readonly files: number;
}

const GROWTH_MAX = 1.25;
/** A heap that is young yet, or a file more for a client that has just come. */
const SLACK_MB = 24;
const SLACK_FILES = 24;

function sampleOf(pid: number): Sample {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  const files = readdirSync(`/proc/${pid}/fd`).length;
  return { pid, rssMb: (pages * 4_096) / 1_000_000, files };
}

export class PartSamples {
  readonly #byPart = new Map<string, Sample[]>();

  take({ parts }: SupervisorState): void {
    for (const { name, pid } of parts) {
      if (pid === undefined) continue;
      const list = this.#byPart.get(name) ?? [];
      this.#byPart.set(name, list);
      try {
        list.push(sampleOf(pid));
      } catch {
        // It has just ended: the next one has another pid, which is told.
      }
    }
  }

  /** `master 120 MB/45` */
  now(): string {
    return [...this.#byPart]
      .map(([name, list]) => [name, list.at(-1)] as const)
      .map(([name, last]) => `${name} ${last?.rssMb.toFixed(0)} MB/${last?.files}`)
      .join(', ');
  }

  /** Parts that did not stay what they were, and those that grew from the second quarter to the last. */
  problems(): string[] {
    return [...this.#byPart].flatMap(([name, list]) => {
      const pids = new Set(list.map(({ pid }) => pid));
      const found = pids.size > 1 ? [`${name} was started again: pids ${[...pids].join()}`] : [];
      const quarter = Math.floor(list.length / 4);
      if (quarter === 0) return found;
      const early = list.slice(quarter, 2 * quarter);
      const late = list.slice(-quarter);
      const most = (of: readonly Sample[], key: 'rssMb' | 'files'): number =>
        Math.max(...of.map((one) => one[key]));
      const grew = (key: 'rssMb' | 'files', slack: number): boolean =>
        most(late, key) > most(early, key) * GROWTH_MAX + slack;
      const told = (key: 'rssMb' | 'files'): string =>
        `${most(early, key).toFixed(0)} to ${most(late, key).toFixed(0)}`;
      if (grew('rssMb', SLACK_MB)) found.push(`memory of ${name} grew from ${told('rssMb')} MB`);
      if (grew('files', SLACK_FILES)) found.push(`files of ${name} grew from ${told('files')}`);
      return found;
    });
  }
}
