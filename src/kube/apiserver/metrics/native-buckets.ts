// The buckets of a native histogram of Prometheus, beside those with fixed bounds: eight to each power of two, kept
// only where something fell into them, and half as many when there are too many (client_golang with a growth of 1.1 and
// at most 160 buckets, as kube-apiserver v1.37 has them).

const SCHEMA = 3;
const SCHEMA_MIN = -4;
const BUCKETS_MAX = 160;
/** What is closer to zero than this counts as zero. */
export const ZERO_THRESHOLD = 2 ** -128;

const STEPS = 2 ** SCHEMA;
const bounds = Float64Array.from({ length: STEPS }, (_one, i) => 2 ** (i / STEPS - 1));

const scratch = new Float64Array(1);
const words = new Uint32Array(scratch.buffer);
const EXPONENT_BITS = 20;
const EXPONENT_MASK = 0x7ff;
/** Of numbers from a half up to one. */
const HALF_EXPONENT = 1_022;

/** The bucket of a positive number at the finest resolution: (2^((k-1)/8), 2^(k/8)]. */
export function bucketOf(amount: number): number {
  scratch[0] = Math.min(amount, Number.MAX_VALUE);
  const high = words[1] as number;
  const exponent = ((high >>> EXPONENT_BITS) & EXPONENT_MASK) - HALF_EXPONENT;
  words[1] = (high & 0x80_0f_ff_ff) | (HALF_EXPONENT << EXPONENT_BITS);
  const fraction = scratch[0];
  let at = 0;
  while (at < STEPS && fraction > (bounds[at] as number)) at += 1;
  return at + (exponent - 1) * STEPS + (amount === Infinity ? 1 : 0);
}

export interface Span {
  /** After the end of the one before, or from bucket 0. */
  readonly offset: number;
  readonly length: number;
}

/** As it is told: each count is the difference to the one before. */
export interface Buckets {
  readonly spans: readonly Span[];
  readonly deltas: readonly number[];
}

export interface NativeHistogram {
  readonly schema: number;
  readonly zeroCount: number;
  readonly negative: Buckets;
  readonly positive: Buckets;
}

/** Gaps that are no longer are filled with empty buckets. */
const GAP_MAX = 2;

function told(counts: ReadonlyMap<number, number>): Buckets {
  const spans: { offset: number; length: number }[] = [];
  const deltas: number[] = [];
  let [before, next] = [0, 0];
  for (const [key, count] of [...counts].sort(([a], [b]) => a - b)) {
    const gap = key - next;
    const last = spans.at(-1);
    if (last === undefined || gap > GAP_MAX) spans.push({ offset: gap, length: 1 });
    else {
      last.length += gap + 1;
      for (let i = 0; i < gap; i += 1) deltas.push(i === 0 ? -before : 0);
      if (gap > 0) before = 0;
    }
    deltas.push(count - before);
    before = count;
    next = key + 1;
  }
  return { spans, deltas };
}

export class NativeBuckets {
  #schema = SCHEMA;
  #zeroCount = 0;
  #positive = new Map<number, number>();
  #negative = new Map<number, number>();

  observe(amount: number): void {
    if (Number.isNaN(amount)) return;
    const size = Math.abs(amount);
    if (size <= ZERO_THRESHOLD) {
      this.#zeroCount += 1;
      return;
    }
    const counts = amount > 0 ? this.#positive : this.#negative;
    const key = this.#coarse(bucketOf(size));
    const known = counts.get(key);
    counts.set(key, (known ?? 0) + 1);
    if (known === undefined) this.#limit();
  }

  #coarse(key: number): number {
    const halvings = SCHEMA - this.#schema;
    return halvings === 0 ? key : Math.ceil(key / 2 ** halvings);
  }

  #limit(): void {
    while (this.#positive.size + this.#negative.size > BUCKETS_MAX && this.#schema > SCHEMA_MIN) {
      this.#schema -= 1;
      this.#positive = halved(this.#positive);
      this.#negative = halved(this.#negative);
    }
  }

  told(): NativeHistogram {
    return {
      schema: this.#schema,
      zeroCount: this.#zeroCount,
      negative: told(this.#negative),
      positive: told(this.#positive),
    };
  }
}

function halved(counts: ReadonlyMap<number, number>): Map<number, number> {
  const wider = new Map<number, number>();
  for (const [key, count] of counts) {
    const half = Math.ceil(key / 2);
    wider.set(half, (wider.get(half) ?? 0) + count);
  }
  return wider;
}
