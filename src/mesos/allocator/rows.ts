// Amounts of scalars as dense numbers: every resource name is a column, everything that holds
// something has a row. Thousandths, so that sums are exact.

/** Thousandths of each scalar, by name. */
export type Quantities = ReadonlyMap<string, number>;

/** Columns of all rows of one allocator; names are never forgotten. */
export class ScalarNames {
  readonly names: string[] = [];
  readonly #columns = new Map<string, number>();

  column(name: string): number {
    const known = this.#columns.get(name);
    if (known !== undefined) return known;
    this.#columns.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
}

/** What one bag holds, as columns and amounts. */
export class Amounts {
  readonly columns: number[] = [];
  readonly milli: number[] = [];

  static of(quantities: Quantities, names: ScalarNames): Amounts {
    const made = new Amounts();
    for (const [name, milli] of quantities) {
      if (milli === 0) continue;
      made.columns.push(names.column(name));
      made.milli.push(milli);
    }
    return made;
  }
}

const ROWS_MIN = 64;
const COLUMNS_MIN = 4;

export class Rows {
  readonly #names: ScalarNames;
  #data = new Float64Array(ROWS_MIN * COLUMNS_MIN);
  #stride = COLUMNS_MIN;
  #next = 0;
  readonly #dropped: number[] = [];

  constructor(names: ScalarNames) {
    this.#names = names;
  }

  /** A new row of zeros. */
  make(): number {
    const row = this.#dropped.pop() ?? this.#next++;
    if ((row + 1) * this.#stride > this.#data.length) this.#grow(2 * row, this.#stride);
    this.#data.fill(0, row * this.#stride, (row + 1) * this.#stride);
    return row;
  }

  drop(row: number): void {
    this.#dropped.push(row);
  }

  at(row: number, column: number): number {
    return column < this.#stride ? (this.#data[row * this.#stride + column] as number) : 0;
  }

  set(row: number, column: number, milli: number): void {
    if (column >= this.#stride) this.#grow(this.#data.length / this.#stride, 2 * column);
    this.#data[row * this.#stride + column] = milli;
  }

  add(row: number, amounts: Amounts, sign: 1 | -1): void {
    const { columns, milli } = amounts;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as number;
      if (column >= this.#stride) this.#grow(this.#data.length / this.#stride, 2 * column);
      const at = row * this.#stride + column;
      this.#data[at] = (this.#data[at] as number) + sign * (milli[i] as number);
    }
  }

  /** The largest part that the row is of another one, over the first columns; those with a mark are left out. */
  largestPart(row: number, whole: number, without: Uint8Array): number {
    const [data, stride] = [this.#data, this.#stride];
    const columns = Math.min(stride, this.#names.names.length);
    let largest = 0;
    for (let column = 0; column < columns; column++) {
      const total = data[whole * stride + column] as number;
      if (total <= 0 || without[column] === 1) continue;
      const part = (data[row * stride + column] as number) / total;
      if (part > largest) largest = part;
    }
    return largest;
  }

  isZero(row: number): boolean {
    for (let column = 0; column < this.#stride; column++) {
      if (this.at(row, column) !== 0) return false;
    }
    return true;
  }

  toMap(row: number): Map<string, number> {
    const map = new Map<string, number>();
    for (const [column, name] of this.#names.names.entries()) {
      const milli = this.at(row, column);
      if (milli !== 0) map.set(name, milli);
    }
    return map;
  }

  #grow(rows: number, stride: number): void {
    const old = this.#data;
    const oldStride = this.#stride;
    this.#data = new Float64Array(Math.max(rows, ROWS_MIN) * stride);
    this.#stride = stride;
    for (let row = 0; row * oldStride < old.length; row++) {
      this.#data.set(old.subarray(row * oldStride, (row + 1) * oldStride), row * stride);
    }
  }
}
