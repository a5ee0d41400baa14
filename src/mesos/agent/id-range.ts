// Numbers of a range that are given one by one: groups of volumes, projects of folders.
import type { Ranges } from '#mesos/resources/ranges.ts';

export class IdRange {
  readonly #ranges: Ranges;
  readonly total: number;

  /** Sorted, without overlap. */
  constructor(ranges: Ranges) {
    this.#ranges = ranges;
    this.total = ranges.reduce((sum, { begin, end }) => sum + end - begin + 1, 0);
  }

  has(id: number): boolean {
    return this.#ranges.some(({ begin, end }) => begin <= id && id <= end);
  }

  /** How many are left when these, of which some may be of another range, are taken. */
  free(taken: Iterable<number>): number {
    return this.total - [...taken].filter((id) => this.has(id)).length;
  }

  first(isTaken: (id: number) => boolean): number | undefined {
    for (const { begin, end } of this.#ranges) {
      for (let id = begin; id <= end; id++) if (!isTaken(id)) return id;
    }
    return undefined;
  }
}
