// Whole numbers of custom resources that JavaScript's numbers cannot tell apart: Go reads them as int64, as which
// they are kept here: bigints, and the digits in JSON. Of built-in kinds no field is as large as that.

/** After a key or within a list, sixteen digits in a row. */
const LARGE = /(?:"\s*:|[[,])\s*-?\d{16}/;
const WHOLE = /^[-+]?\d+$/;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Not in TypeScript's libraries yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** JSON.stringify() asks for it. */
function toJson(this: bigint): unknown {
  return rawJSON(String(this));
}

Object.defineProperty(BigInt.prototype, 'toJSON', { value: toJson, configurable: true });

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
  return LARGE.test(text) ? JSON.parse(text, revive) : JSON.parse(text);
}
