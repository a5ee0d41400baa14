// Whole numbers that JavaScript's numbers cannot tell apart: Go reads them as int64, as which they are kept here:
// bigints, and the digits in JSON. What a number says exactly is never a bigint, so that `===` holds for both.

/** After a key or within a list, sixteen digits in a row. */
const LARGE = /(?:"\s*:|[[,])\s*-?\d{16}/;
/** Of the shortest text that has one. */
const LARGE_LENGTH = 18;
const WHOLE = /^[-+]?\d+$/;
export const INT64_MAX = 2n ** 63n - 1n;
export const INT64_MIN = -(2n ** 63n);

/** Not in TypeScript's libraries yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** JSON.stringify() asks for it. */
function toJson(this: bigint): unknown {
  return rawJSON(String(this));
}

Object.defineProperty(BigInt.prototype, 'toJSON', { value: toJson, configurable: true });

export const isNumber = (value: unknown): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint';

/** A number wherever it says the same. */
export function plainest(value: bigint): number | bigint {
  const isSafe = value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
  return isSafe ? Number(value) : value;
}

/** One more, exactly; after the last of int64 comes the first, as in Go. Typed as what holds it nearly always is. */
export function oneMore(value: number | bigint = 0): number {
  if (typeof value === 'number' && value < Number.MAX_SAFE_INTEGER) return value + 1;
  return plainest(BigInt.asIntN(64, BigInt(value) + 1n)) as number;
}

/** The number of these digits, exactly; undefined where a number says the same, or Go reads no int64. */
export function exactNumber(digits: string): bigint | undefined {
  if (!WHOLE.test(digits) || Number.isSafeInteger(Number(digits))) return undefined;
  const exact = BigInt(digits.replace(/^\+/, ''));
  return exact <= INT64_MAX && exact >= INT64_MIN ? exact : undefined;
}

/** Called for every value, with the text that it was read from. */
function revive(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  return exactNumber(context.source) ?? value;
}

/** As JSON.parse(), with bigints for whole numbers that are not told apart otherwise. */
export function parseExact(text: string): unknown {
  return text.length >= LARGE_LENGTH && LARGE.test(text)
    ? JSON.parse(text, revive)
    : JSON.parse(text);
}
