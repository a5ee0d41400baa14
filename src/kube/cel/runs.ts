// What runs of expressions are made of: variables and loops' own, and failures that others may outweigh.
import { CelFailure } from './core-values.ts';
import { goNameOf, noOverload } from './operators.ts';

export interface Frame {
  readonly variables: Readonly<Record<string, unknown>>;
  /** Of loops: their variables and accumulators. */
  readonly slots: unknown[];
}

export type Run = (frame: Frame) => unknown;

/** An error that a loop goes on with. */
export class Failed {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

/** Errors of libraries and operators; others are bugs, or the end of the run. */
function failureOf(error: unknown): CelFailure {
  if (error instanceof CelFailure) return error;
  throw error;
}

export function attempt(run: Run, frame: Frame): unknown {
  try {
    return run(frame);
  } catch (error) {
    return new Failed(failureOf(error));
  }
}

/** `&&` is decided by false, `||` by true, whatever the other operands are. */
export function logic(runs: readonly Run[], decisive: boolean): Run {
  return (frame) => {
    let failure: CelFailure | undefined;
    for (const run of runs) {
      const found = attempt(run, frame);
      if (found === decisive) return decisive;
      if (found === !decisive) continue;
      failure ??= found instanceof Failed ? (found.error as CelFailure) : noOverload();
    }
    if (failure !== undefined) throw failure;
    return !decisive;
  };
}

export function entriesOf(value: unknown): Iterable<readonly [unknown, unknown]> {
  if (value instanceof Map) return value as Map<unknown, unknown>;
  if (!Array.isArray(value))
    throw new CelFailure(`unsupported comprehension range type: ${goNameOf(value)}`);
  return value.map((one, i) => [BigInt(i), one] as const);
}

export function itemsOf(value: unknown): Iterable<unknown> {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return value.keys();
  throw new CelFailure(`got '${goNameOf(value)}', expected iterable type`);
}
