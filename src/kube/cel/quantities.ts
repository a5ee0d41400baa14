// Quantities as CEL values, over the exact arithmetic of kube/meta.
import { formatQuantity, parseQuantity, quantityRule, type Quantity } from '#kube/meta/quantity.ts';
import { CelFailure } from './core-values.ts';
import { parseType, type CelType } from './types.ts';
import type { OpaqueValue } from './values.ts';

const NANO = 1_000_000_000n;
const INT_MAX = 2n ** 63n - 1n;

const QUANTITYVALUE_TYPE = parseType('kubernetes.Quantity');

export class QuantityValue implements OpaqueValue {
  readonly quantity: Quantity;

  constructor(quantity: Quantity) {
    this.quantity = quantity;
  }

  get celType(): CelType {
    return QUANTITYVALUE_TYPE;
  }

  /** Throws CelFailure. */
  static parse(text: string): QuantityValue {
    const quantity = parseQuantity(text);
    if (quantity === undefined) throw new CelFailure(quantityRule);
    return new QuantityValue(quantity);
  }

  static of(whole: bigint): QuantityValue {
    return new QuantityValue({ nano: whole * NANO, form: 'decimal' });
  }

  toString(): string {
    return formatQuantity(this.quantity);
  }

  equals(other: unknown): boolean {
    return other instanceof QuantityValue && this.isSame(other);
  }

  isSame(other: QuantityValue): boolean {
    return this.compare(other) === 0;
  }

  compare(other: QuantityValue): number {
    const [a, b] = [this.quantity.nano, other.quantity.nano];
    return a < b ? -1 : a > b ? 1 : 0;
  }

  plus(other: QuantityValue): QuantityValue {
    const { nano, form } = this.quantity;
    return new QuantityValue({ nano: nano + other.quantity.nano, form });
  }

  minus(other: QuantityValue): QuantityValue {
    const { nano, form } = this.quantity;
    return new QuantityValue({ nano: nano - other.quantity.nano, form });
  }

  get sign(): bigint {
    const { nano } = this.quantity;
    return nano < 0n ? -1n : nano > 0n ? 1n : 0n;
  }

  get isInteger(): boolean {
    const { nano } = this.quantity;
    const whole = nano / NANO;
    return nano % NANO === 0n && whole <= INT_MAX && whole >= -INT_MAX - 1n;
  }

  /** Throws CelFailure when it is no whole number of 64 bits. */
  asInteger(): bigint {
    if (!this.isInteger) throw new CelFailure('cannot convert value to integer');
    return this.quantity.nano / NANO;
  }

  asFloat(): number {
    const { nano } = this.quantity;
    return Number(nano / NANO) + Number(nano % NANO) / Number(NANO);
  }
}
