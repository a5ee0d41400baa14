// Keys in order, in blocks: adding, removing and counting between two keys cost little however many there
// are. Ordered by UTF-16 code units, as JavaScript compares strings.

const BLOCK_MAX = 512;

export class SortedKeys {
  readonly #blocks: string[][] = [];

  /** The key must not be there yet. */
  add(key: string): void {
    const at = this.#blockOf(key);
    const block = this.#blocks[at];
    if (block === undefined) {
      this.#blocks.push([key]);
      return;
    }
    block.splice(firstNotBefore(block, key), 0, key);
    if (block.length <= BLOCK_MAX) return;
    // What grows at its end is split there, so that keys in ascending order fill their blocks.
    const isLast = at === this.#blocks.length - 1;
    const rest = block.splice(isLast ? BLOCK_MAX - 1 : BLOCK_MAX >> 1);
    this.#blocks.splice(at + 1, 0, rest);
  }

  remove(key: string): void {
    const at = this.#blockOf(key);
    const block = this.#blocks[at] ?? [];
    const index = firstNotBefore(block, key);
    if (block[index] !== key) return;
    block.splice(index, 1);
    if (block.length === 0) this.#blocks.splice(at, 1);
  }

  /** Keys in [start, end), in order. */
  *between(start: string, end: string): Generator<string> {
    let at = this.#blockOf(start);
    let index = firstNotBefore(this.#blocks[at] ?? [], start);
    for (; at < this.#blocks.length; at++, index = 0) {
      const block = this.#blocks[at] as string[];
      for (; index < block.length; index++) {
        const key = block[index] as string;
        if (key >= end) return;
        yield key;
      }
    }
  }

  /** How many keys are in [start, end). */
  count(start: string, end: string): number {
    if (start >= end) return 0;
    return this.#before(end) - this.#before(start);
  }

  /** How many keys are before this one. */
  #before(key: string): number {
    const at = this.#blockOf(key);
    let count = 0;
    for (let i = 0; i < at; i++) count += (this.#blocks[i] as string[]).length;
    return count + firstNotBefore(this.#blocks[at] ?? [], key);
  }

  /** The last block that begins at or before the key; the first one when none does. */
  #blockOf(key: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#blocks[middle]?.[0] ?? '') <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

function firstNotBefore(block: readonly string[], key: string): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((block[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
