// How a client has written a number, where that is more than the number: `1e2` and `1.0` are no whole numbers to Go,
// and a quantity keeps its exponent.

import { exactNumber } from './exact-numbers.ts';

const written = new WeakMap<object, Map<string, string>>();

/** After a key or within a list, a number with a point, an exponent, or more digits than are told apart. */
const ODD = /(?:"\s*:|[[,])\s*-?\d+(?:\.\d|[eE]|\d{15})/;

/** As JSON.parse(), and what is odd is remembered. `isExact`: as `parseExact` besides. */
export function parseJson(text: string, isExact = false): unknown {
  if (!ODD.test(text)) return JSON.parse(text) as unknown;
  return JSON.parse(text, isExact ? rememberExact : remember) as unknown;
}

function rememberExact(
  this: object,
  key: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  const exact = typeof value === 'number' ? exactNumber(context?.source ?? '') : undefined;
  return exact ?? remember.call(this, key, value, context);
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
