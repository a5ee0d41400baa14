// Bits by row and column in one piece of memory: what is asked of very many pairs and is mostly not so is read
// without touching the pair itself. Grows as rows and columns are used.
const ROWS_MIN = 64;
const EVEN = 0x5555_5555;

export class BitTable {
  #words = new Uint32Array(ROWS_MIN);
  /** Words of a row. */
  #stride = 1;
  #rows = ROWS_MIN;

  has(row: number, column: number): boolean {
    const word = column >>> 5;
    if (row >= this.#rows || word >= this.#stride) return false;
    return (((this.#words[row * this.#stride + word] as number) >>> (column & 31)) & 1) === 1;
  }

  set(row: number, column: number): void {
    const word = column >>> 5;
    if (row >= this.#rows || word >= this.#stride) this.#grow(row, word);
    const at = row * this.#stride + word;
    this.#words[at] = (this.#words[at] as number) | (1 << (column & 31));
  }

  unset(row: number, column: number): void {
    const word = column >>> 5;
    if (row >= this.#rows || word >= this.#stride) return;
    const at = row * this.#stride + word;
    this.#words[at] = (this.#words[at] as number) & ~(1 << (column & 31));
  }

  clearRow(row: number): void {
    if (row >= this.#rows) return;
    this.#words.fill(0, row * this.#stride, (row + 1) * this.#stride);
  }

  /** Of odd columns only. */
  clearOdd(row: number): void {
    if (row >= this.#rows) return;
    const end = (row + 1) * this.#stride;
    for (let at = row * this.#stride; at < end; at++) {
      this.#words[at] = (this.#words[at] as number) & EVEN;
    }
  }

  clearColumn(column: number): void {
    const word = column >>> 5;
    if (word >= this.#stride) return;
    const kept = ~(1 << (column & 31));
    for (let at = word; at < this.#words.length; at += this.#stride) {
      this.#words[at] = (this.#words[at] as number) & kept;
    }
  }

  #grow(row: number, word: number): void {
    const [old, oldStride, oldRows] = [this.#words, this.#stride, this.#rows];
    if (row >= this.#rows) this.#rows = Math.max(row + 1, 2 * this.#rows);
    if (word >= this.#stride) this.#stride = Math.max(word + 1, this.#stride + (this.#stride >> 1));
    this.#words = new Uint32Array(this.#rows * this.#stride);
    for (let i = 0; i < oldRows; i++) {
      this.#words.set(old.subarray(i * oldStride, (i + 1) * oldStride), i * this.#stride);
    }
  }
}
