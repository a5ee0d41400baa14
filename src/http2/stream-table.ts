// What is looked at of every stream when many are sent the same bytes: side by side for all streams of a connection.
// A stream and its answer are some ten objects, most of which no processor's cache holds when there are a thousand.

export class StreamTable {
  /** By slot; 0 where no stream is. */
  #ids = new Int32Array(8);
  /** How much the other side lets each stream send; less than nothing after it has narrowed them. */
  #windows = new Int32Array(8);
  /** 1: data would be the next that the stream sends. */
  #clear = new Uint8Array(8);
  readonly #free: number[] = [];
  #used = 0;

  /** A slot for a stream, until it is given back. */
  take(id: number, window: number): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot === this.#ids.length) this.#grow();
    this.#ids[slot] = id;
    this.#windows[slot] = window;
    this.#clear[slot] = 1;
    return slot;
  }

  giveBack(slot: number): void {
    this.#ids[slot] = 0;
    this.#windows[slot] = 0;
    this.#clear[slot] = 0;
    this.#free.push(slot);
  }

  window(slot: number): number {
    return this.#windows[slot] as number;
  }

  setWindow(slot: number, bytes: number): void {
    this.#windows[slot] = bytes;
  }

  setClear(slot: number, isClear: boolean): void {
    this.#clear[slot] = isClear ? 1 : 0;
  }

  /** Takes the bytes from the stream's window, if it is still this stream's slot and nothing is in their way. */
  spend(slot: number, id: number, bytes: number): boolean {
    const isFree = this.#ids[slot] === id && this.#clear[slot] === 1;
    const left = (this.#windows[slot] as number) - bytes;
    if (!isFree || left < 0) return false;
    this.#windows[slot] = left;
    return true;
  }

  #grow(): void {
    const length = this.#ids.length * 2;
    const grown = <T extends Int32Array | Uint8Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#ids = grown(new Int32Array(length), this.#ids);
    this.#windows = grown(new Int32Array(length), this.#windows);
    this.#clear = grown(new Uint8Array(length), this.#clear);
  }
}
