// The values of CEL that JavaScript has none for: unsigned numbers, spans and points of time, types, and what
// may be missing.
import type { CelType } from './types.ts';

/** Why an expression fails while it runs, in cel-go's words. */
export class CelFailure extends Error {
  override readonly name = 'CelFailure';
}

export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }

  toString(): string {
    return String(this.value);
  }
}

const SECOND = 1_000_000_000n;

/** `.5` of half a second; nothing of none. */
export function fractionText(nanos: bigint): string {
  const digits = String(nanos).padStart(9, '0').replace(/0+$/, '');
  return digits === '' ? '' : `.${digits}`;
}

export class Duration {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  toString(): string {
    const [sign, size] = this.nanos < 0n ? ['-', -this.nanos] : ['', this.nanos];
    return `${sign}${size / SECOND}${fractionText(size % SECOND)}s`;
  }
}

export class Timestamp {
  /** Since 1970. */
  readonly nanos: bigint;
  /** East of Greenwich, in minutes: how it was written. */
  readonly offset: number;

  constructor(nanos: bigint, offset = 0) {
    this.nanos = nanos;
    this.offset = offset;
  }

  /** The fields of its local time are those of this date in UTC. */
  local(offset = this.offset): Date {
    const millis = this.nanos / 1_000_000n - (this.nanos % 1_000_000n < 0n ? 1n : 0n);
    return new Date(Number(millis) + offset * 60_000);
  }

  /** Nanoseconds within the second. */
  get fraction(): bigint {
    return ((this.nanos % SECOND) + SECOND) % SECOND;
  }

  toString(): string {
    const day = this.local()
      .toISOString()
      .replace(/\.\d+Z$/, '');
    const plain = day.replace(/^\+00/, '') + fractionText(this.fraction);
    if (this.offset === 0) return `${plain}Z`;
    const two = (value: number): string => String(value).padStart(2, '0');
    const size = Math.abs(this.offset);
    return `${plain}${this.offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  }
}

/** What may be missing. */
export class Optional {
  static readonly NONE = new Optional(undefined);
  readonly value: unknown;

  private constructor(value: unknown) {
    this.value = value;
  }

  static of(value: unknown): Optional {
    return new Optional(value);
  }

  static none(): Optional {
    return Optional.NONE;
  }

  get hasValue(): boolean {
    return this !== Optional.NONE;
  }
}

/** A map that an expression made; others came from outside. */
export class LiteralMap extends Map<unknown, unknown> {}

/** A type as a value. */
export class TypeValue {
  readonly type: CelType;

  constructor(type: CelType) {
    this.type = type;
  }

  get name(): string {
    return this.type.name;
  }

  toString(): string {
    return this.type.name;
  }
}
