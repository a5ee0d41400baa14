// A list whose written form is kept, in pages: an element that changed is written again, the rest of
// its page is copied, and all other pages stay the very bytes that readers may still be sending.
import { assert } from '#base/assert.ts';

/** How one element is written: JSON with a comma before it, or a field of a protobuf message. */
export interface Form<T> {
  readonly name: string;
  write(one: T, out: Sink): void;
}

/** Elements in a page: what is copied when one of them changes. */
const PAGE_ITEMS = 256;
/** A page with so few places is not worth being tidied. */
const TIDY_MIN = 16;

interface Text {
  bytes: Uint8Array;
  /** Of each place that is written: where it ends. */
  ends: Uint32Array;
  /** Places that are written, but no longer true. */
  readonly dirty: Set<number>;
}

interface Page<T> {
  /** In order; undefined where one has left. */
  items: (T | undefined)[];
  live: number;
  readonly texts: Map<Form<T>, Text>;
}

/** Bytes that grow; one for all, as nobody writes while another does. */
export class Sink {
  #bytes = Buffer.allocUnsafeSlow(1 << 20);
  size = 0;

  text(text: string): void {
    this.#need(text.length * 3);
    this.size += this.#bytes.write(text, this.size);
  }

  bytes(bytes: Uint8Array, from = 0, to = bytes.length): void {
    if (from >= to) return;
    this.#need(to - from);
    this.#bytes.set(
      from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to),
      this.size,
    );
    this.size += to - from;
  }

  /** A copy of all, and begins anew. */
  take(): Uint8Array {
    const copy = Buffer.allocUnsafeSlow(this.size);
    this.#bytes.copy(copy, 0, 0, this.size);
    this.size = 0;
    return copy;
  }

  #need(count: number): void {
    if (this.size + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.size + count));
    this.#bytes.copy(grown, 0, 0, this.size);
    this.#bytes = grown;
  }
}

const sink = new Sink();

export class KeptList<T extends object> {
  readonly #pages: Page<T>[] = [];
  readonly #pageOf = new Map<T, Page<T>>();
  /** By form: pages whose text is not true any more. */
  readonly #stale = new Map<Form<T>, Set<Page<T>>>();

  constructor(items: Iterable<T>) {
    for (const one of items) this.add(one);
  }

  get size(): number {
    return this.#pageOf.size;
  }

  /** Behind the others; one that is there already stays where it is. */
  add(one: T): void {
    if (this.#pageOf.has(one)) return;
    let page = this.#pages.at(-1);
    if (page === undefined || page.items.length >= PAGE_ITEMS) {
      page = { items: [], live: 0, texts: new Map() };
      this.#pages.push(page);
    }
    this.#append(page, one);
  }

  remove(one: T): void {
    const page = this.#pageOf.get(one);
    if (page === undefined) return;
    this.#pageOf.delete(one);
    const at = page.items.indexOf(one);
    page.items[at] = undefined;
    page.live -= 1;
    this.#soil(page, at);
    if (page.live * 2 <= page.items.length) this.#tidy(page);
  }

  /** What is said of it has changed. One that is not in the list is passed over. */
  touch(one: T): void {
    const page = this.#pageOf.get(one);
    if (page !== undefined) this.#soil(page, page.items.indexOf(one));
  }

  /** Writes what is stale until `isOver`; false: there is more to do. */
  refresh(form: Form<T>, isOver: () => boolean): boolean {
    let stale = this.#stale.get(form);
    if (stale === undefined) {
      stale = new Set(this.#pages);
      this.#stale.set(form, stale);
    }
    for (const page of stale) {
      if (isOver()) return false;
      page.texts.set(form, written(page, form));
      stale.delete(page);
    }
    return true;
  }

  /** Its text, in parts; `refresh` has said that it is true. */
  parts(form: Form<T>): Uint8Array[] {
    assert(this.#stale.get(form)?.size === 0, 'a text is refreshed before it is read');
    const parts: Uint8Array[] = [];
    for (const { texts } of this.#pages) {
      const bytes = texts.get(form)?.bytes;
      if (bytes !== undefined && bytes.length > 0) parts.push(bytes);
    }
    return parts;
  }

  /** Each element with its text, after `refresh`. */
  *texts(form: Form<T>): Generator<readonly [T, Uint8Array, number, number]> {
    for (const { items, texts } of this.#pages) {
      const text = texts.get(form);
      if (text === undefined) continue;
      for (const [at, one] of items.entries()) {
        if (one === undefined) continue;
        yield [one, text.bytes, at === 0 ? 0 : (text.ends[at - 1] ?? 0), text.ends[at] ?? 0];
      }
    }
  }

  #append(page: Page<T>, one: T): void {
    page.items.push(one);
    page.live += 1;
    this.#pageOf.set(one, page);
    for (const stale of this.#stale.values()) stale.add(page);
  }

  #soil(page: Page<T>, at: number): void {
    for (const [form, stale] of this.#stale) {
      stale.add(page);
      const text = page.texts.get(form);
      if (text !== undefined && at < text.ends.length) text.dirty.add(at);
    }
  }

  /** Without the places of those that left; what then fits into the page before moves there. */
  #tidy(page: Page<T>): void {
    const isLast = page === this.#pages.at(-1);
    if (page.live > 0 && page.items.length < TIDY_MIN) return;
    const index = this.#pages.indexOf(page);
    const before = this.#pages[index - 1];
    const left = page.items.filter((one) => one !== undefined);
    const fits = before !== undefined && before.items.length + left.length <= PAGE_ITEMS;
    if (left.length === 0 || (fits && !isLast)) {
      this.#pages.splice(index, 1);
      for (const stale of this.#stale.values()) stale.delete(page);
      if (before !== undefined) for (const one of left) this.#append(before, one);
      return;
    }
    for (const text of page.texts.values()) squeeze(page, text);
    page.items = left;
  }
}

/** The text of a page as it is now: places that are still true are copied, runs of them at once. */
function written<T>(page: Page<T>, form: Form<T>): Text {
  const { items } = page;
  const old = page.texts.get(form);
  const ends = new Uint32Array(items.length);
  let runFrom = 0;
  let runTo = 0;
  const copyRun = (): void => {
    if (old !== undefined && runTo > runFrom) sink.bytes(old.bytes, runFrom, runTo);
    runFrom = runTo;
  };
  let pending = 0;
  for (const [at, one] of items.entries()) {
    const isWritten = old !== undefined && at < old.ends.length;
    const from = isWritten && at > 0 ? (old.ends[at - 1] ?? 0) : 0;
    const to = isWritten ? (old.ends[at] ?? 0) : 0;
    if (isWritten && !old.dirty.has(at)) {
      if (from !== runTo) {
        copyRun();
        pending = 0;
        runFrom = from;
      }
      runTo = to;
      pending += to - from;
      ends[at] = sink.size + pending;
      continue;
    }
    copyRun();
    pending = 0;
    if (one !== undefined) form.write(one, sink);
    ends[at] = sink.size;
  }
  copyRun();
  return { bytes: sink.take(), ends, dirty: new Set() };
}

/** Takes the places of those that left out of a text. */
function squeeze<T>({ items }: Page<T>, text: Text): void {
  const ends: number[] = [];
  const dirty = new Set<number>();
  for (const [at, one] of items.entries()) {
    if (at >= text.ends.length) break;
    const from = at === 0 ? 0 : (text.ends[at - 1] ?? 0);
    if (one === undefined) continue;
    if (text.dirty.has(at)) dirty.add(ends.length);
    sink.bytes(text.bytes, from, text.ends[at]);
    ends.push(sink.size);
  }
  text.bytes = sink.take();
  text.ends = Uint32Array.from(ends);
  text.dirty.clear();
  for (const at of dirty) text.dirty.add(at);
}
