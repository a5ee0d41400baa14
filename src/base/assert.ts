// Invariants: a broken one is a bug and ends the process; it is never an answer to bad input.

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** For the `default` of an exhaustive switch: the type checker proves that it is never reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`Unreachable: ${JSON.stringify(value)}`);
}

/** The value, when the caller knows that it is there; a bug otherwise. */
export function present<T>(value: T | undefined | null, what: string): T {
  assert(value !== undefined && value !== null, `Missing: ${what}`);
  return value;
}
