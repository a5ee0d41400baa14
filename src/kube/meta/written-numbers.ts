// How a client has written a number, where that is more than the number: `1e2` and `1.0` are no whole numbers to Go,
// and a quantity keeps its exponent.

const written = new WeakMap<object, Map<string, string>>();

/** After a key or within a list, a number with a point, an exponent, or more digits than are told apart. */
const ODD = /(?:"\s*:|[[,])\s*-?\d+(?:\.\d|[eE]|\d{15})/;

/** As JSON.parse(), and what is odd is remembered. */
export function parseJson(text: string): unknown {
  if (!ODD.test(text)) return JSON.parse(text) as unknown;
  return JSON.parse(text, remember) as unknown;
}

/** Called for every value, with the text that it was read from. */
function remember(
  this: object,
  key: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined || source === String(value)) return value;
  const known = written.get(this) ?? new Map<string, string>();
  written.set(this, known.set(key, source));
  return value;
}

/** undefined where it is as JavaScript writes it. */
export function writtenAs(holder: object, key: string | number): string | undefined {
  return written.get(holder)?.get(String(key));
}
