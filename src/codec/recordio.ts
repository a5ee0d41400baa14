// RecordIO: each record is its length in decimal, a newline, and that many bytes (Mesos v1 streams).
import { Fault } from '#base/fault.ts';

const RECORD_BYTES_MAX = 512 * 1024 * 1024;
const LENGTH_DIGITS_MAX = 10;

export function encodeRecord(record: Uint8Array | string): Buffer {
  const length = typeof record === 'string' ? Buffer.byteLength(record) : record.length;
  const head = `${length}\n`;
  const bytes = Buffer.allocUnsafe(head.length + length);
  bytes.write(head, 'latin1');
  if (typeof record === 'string') bytes.write(record, head.length);
  else bytes.set(record, head.length);
  return bytes;
}

/** Splits a stream of chunks into records. Fault `bad-recordio` for what is no length. */
export class RecordDecoder {
  readonly #bytesMax: number;
  #pending: Buffer[] = [];
  #pendingSize = 0;
  #wanted: number | undefined;

  constructor(bytesMax = RECORD_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  push(chunk: Uint8Array): Uint8Array[] {
    this.#pending.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#pendingSize += chunk.length;
    const records: Uint8Array[] = [];
    for (;;) {
      if (this.#wanted === undefined && !this.#readLength()) return records;
      const wanted = this.#wanted ?? 0;
      if (this.#pendingSize < wanted) return records;
      records.push(this.#take(wanted));
      this.#wanted = undefined;
    }
  }

  /** True when the stream ended between two records. */
  get isClean(): boolean {
    return this.#pendingSize === 0 && this.#wanted === undefined;
  }

  #readLength(): boolean {
    if (this.#pendingSize === 0) return false;
    const bytes = this.#join();
    const newline = bytes.indexOf(10);
    const digits = newline < 0 ? bytes.length : newline;
    if (digits > LENGTH_DIGITS_MAX || (newline === 0 && digits === 0)) {
      throw new Fault({ code: 'bad-recordio' }, 'Cannot decode RecordIO: no length at its place');
    }
    const text = bytes.toString('latin1', 0, digits);
    if (!/^\d+$/.test(text)) {
      throw new Fault({ code: 'bad-recordio' }, `Cannot decode RecordIO: length "${text}"`);
    }
    if (newline < 0) return false;
    const length = Number(text);
    if (length > this.#bytesMax) {
      throw new Fault({ code: 'bad-recordio', length }, `Cannot decode RecordIO: ${length} bytes`);
    }
    this.#wanted = length;
    this.#pending = [bytes.subarray(newline + 1)];
    this.#pendingSize = bytes.length - newline - 1;
    return true;
  }

  #join(): Buffer {
    const bytes = this.#pending.length === 1 ? this.#pending[0] : Buffer.concat(this.#pending);
    this.#pending = bytes === undefined ? [] : [bytes];
    return bytes ?? Buffer.alloc(0);
  }

  #take(count: number): Uint8Array {
    const bytes = this.#join();
    this.#pending = bytes.length === count ? [] : [bytes.subarray(count)];
    this.#pendingSize = bytes.length - count;
    return bytes.subarray(0, count);
  }
}
