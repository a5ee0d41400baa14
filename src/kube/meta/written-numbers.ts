// How a client has written a number, where that is more than the number: `1e2` and `1.0` are no whole numbers to Go,
// and a quantity keeps its exponent. Within an object that is known by its holder; within a patch, whose parts go into
// other objects, the number itself has it.

import { exactNumber } from './exact-numbers.ts';

const written = new WeakMap<object, Map<string, string>>();

/** After a key or within a list, a number with a point, an exponent, or more digits than are told apart. */
const ODD = /(?:"\s*:|[[,])\s*-?\d+(?:\.\d|[eE]|\d{15})/;

/** The same, and what YAML reads otherwise than JSON. */
const ODD_IN_YAML = /(?:"\s*:|[[,])\s*(?:-?\d+(?:\.\d|[eE]|\d{15})|-?0\d|-0)/;

export const hasOddNumbers = (json: string): boolean => ODD_IN_YAML.test(json);

type Source = { readonly source?: string } | undefined;

/** Not in TypeScript's libraries yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** A number of a patch that is not as JavaScript writes it. */
export class WrittenNumber {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  toJSON(): unknown {
    return rawJSON(this.source);
  }
}

/** Of what was read: that it has numbers that are WrittenNumber, and the first one that is none to Go. */
export interface BodyNumbers {
  readonly isWritten: boolean;
  readonly tooLarge?: string | undefined;
}

const ofBodies = new WeakMap<object, BodyNumbers>();

export const numbersOf = (body: unknown): BodyNumbers | undefined =>
  typeof body === 'object' && body !== null ? ofBodies.get(body) : undefined;

/**
 * As JSON.parse(), with whole numbers of int64 exactly, and what else is odd remembered: by its holder, or, `isWritten`,
 * in the place of the number.
 */
export function parseJson(text: string, isWritten = false): unknown {
  if (!ODD.test(text)) return JSON.parse(text) as unknown;
  let tooLarge: string | undefined;
  let hasWritten = false;
  function read(this: object, key: string, value: unknown, context?: Source): unknown {
    const source = context?.source;
    if (typeof value !== 'number' || source === undefined) return value;
    const exact = exactNumber(source);
    if (exact !== undefined || source === String(value)) return exact ?? value;
    if (!Number.isFinite(value)) tooLarge ??= source;
    hasWritten = isWritten;
    if (isWritten) return new WrittenNumber(source);
    const known = written.get(this) ?? new Map<string, string>();
    written.set(this, known.set(key, source));
    return value;
  }
  const body: unknown = JSON.parse(text, read);
  const isNoted = hasWritten || tooLarge !== undefined;
  if (isNoted && typeof body === 'object' && body !== null)
    ofBodies.set(body, { isWritten: hasWritten, tooLarge });
  return body;
}

/** undefined where it is as JavaScript writes it. */
export function writtenAs(holder: object, key: string | number): string | undefined {
  return written.get(holder)?.get(String(key));
}
