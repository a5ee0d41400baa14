// What running an expression may cost, in the units of cel-go. A run that costs more than it may is cut off.

/** Upstream's limits: of one expression, and of all the rules of one object or policy. */
export const CALL_COST_MAX = 1_000_000;
export const TOTAL_COST_MAX = 10_000_000;
/** Of the match conditions of one webhook or policy. */
export const CONDITIONS_COST_MAX = 2_500_000;

export class CostExceeded extends Error {
  override readonly name = 'CostExceeded';
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

interface Meter {
  cost: number;
  readonly most: number;
}

/** Evaluation is synchronous: there is never more than one. */
let meter: Meter | undefined;

/** Adds to the cost of the expression that is running. */
export function charge(cost: number): void {
  if (meter === undefined) return;
  meter.cost += cost;
  if (meter.cost > meter.most) throw new CostExceeded();
}

export interface Metered {
  readonly cost: number;
  readonly value?: unknown;
  readonly error?: Error;
}

/** Runs with a meter; CostExceeded cannot be swallowed by `||` and the like. */
export function metered(most: number, run: () => unknown): Metered {
  const outer = meter;
  const own: Meter = { cost: 0, most };
  meter = own;
  try {
    const value = run();
    if (own.cost > most) return { cost: own.cost, error: new CostExceeded() };
    return { cost: own.cost, value };
  } catch (error) {
    const isOver = own.cost > most;
    return { cost: own.cost, error: isOver ? new CostExceeded() : (error as Error) };
  } finally {
    meter = outer;
  }
}
