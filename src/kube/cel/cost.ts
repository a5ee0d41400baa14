// What running an expression costs, in the units of cel-go: one for each name, field and call, more for
// what walks over long values. A run that costs more than it may is cut off.
import { goRegExp } from './go-regexp.ts';
import { measureOf, NO_MEASURE, runCost, type Measure } from './run-costs.ts';
import { namespaces } from './namespaces.ts';

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

const TEXT_FACTOR = 0.1;
const LIST_COST = 10;
const MAP_COST = 30;

type Evaluate = (evaluator: unknown, node: Node, context: unknown) => unknown;

export interface Node {
  readonly op: string;
  args: unknown;
  readonly pos: number;
  readonly start: number;
  readonly end: number;
  readonly input: string;
  readonly meta: {
    readonly evaluate: Evaluate;
    readonly alternate?: Node;
    readonly macro?: { readonly evaluate: (e: unknown, macro: unknown, c: unknown) => unknown };
  };
  evaluate: Evaluate;
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'op' in value && 'meta' in value;
}

function original(node: Node): Evaluate {
  const { alternate, macro } = node.meta;
  if (alternate !== undefined) {
    return (evaluator, _node, context) => alternate.evaluate(evaluator, alternate, context);
  }
  if (macro !== undefined)
    return (evaluator, _node, context) => macro.evaluate(evaluator, macro, context);
  return isMatch(node) ? evaluateMatch : node.meta.evaluate;
}

const isMatch = ({ op, args }: Node): boolean =>
  op === 'rcall' && (args as readonly unknown[])[0] === 'matches';

/** Patterns are Go's, `(?i)` included; the interpreter takes them for JavaScript's. */
const evaluateMatch: Evaluate = (evaluator, node, context) => {
  const [, receiver, [pattern]] = node.args as [string, Node, [Node]];
  const run = (one: Node): unknown =>
    (evaluator as { run(node: Node, context: unknown): unknown }).run(one, context);
  const [text, source] = [run(receiver), run(pattern)];
  if (typeof text === 'string' && typeof source === 'string') return goRegExp(source).test(text);
  return node.meta.evaluate(evaluator, node, context);
};

interface Cell {
  measure: Measure;
}

const counted = new WeakMap<Node, Cell>();

/** Makes every node of a checked expression charge for itself. */
export function countNodes(value: unknown): void {
  if (Array.isArray(value)) {
    for (const one of value) countNodes(one);
  } else if (isNode(value)) countNode(value);
}

/** A comprehension, as the interpreter makes it out of a macro. */
interface Loop {
  readonly init: Node;
  readonly step: Node;
}

/**
 * What upstream's loops do besides running their bodies: each time the accumulator is looked at, whether to go
 * on, and joined with what the body said.
 */
const LOOP_COSTS: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  [true, 3],
  [false, 4],
]);

function countLoop(alternate: Node | undefined): void {
  if (alternate?.op !== 'comprehension') return;
  const { init, step } = alternate.args as Loop;
  countNode(step);
  const cost = init.op === 'value' ? (LOOP_COSTS.get(init.args) ?? 0) : 0;
  if (cost === 0) return;
  const run = step.evaluate;
  step.evaluate = (evaluator, node, context) => {
    charge(cost);
    return run(evaluator, node, context);
  };
}

/** The cell holds how big the node's last value was, for what reads it. */
function countNode(node: Node): Cell {
  const known = counted.get(node);
  if (known !== undefined) return known;
  const cell: Cell = { measure: NO_MEASURE };
  counted.set(node, cell);
  countNodes(node.args);
  countLoop(node.meta.alternate);
  const run = original(node);
  const costOf = pricing(node);
  node.evaluate = (evaluator, own, context) => {
    const result = run(evaluator, own, context);
    cell.measure = measureOf(result);
    charge(costOf(cell.measure));
    return result;
  };
  return cell;
}

const fixedCosts: Readonly<Record<string, number>> = {
  id: 1,
  '.': 1,
  '.?': 1,
  '[]': 1,
  '[?]': 1,
  list: LIST_COST,
  map: MAP_COST,
  // A list of one item is made, and put behind the accumulator.
  accuPush: LIST_COST + 2,
  accuValue: 1,
  accuInc: 2,
  value: 0,
  '?:': 0,
  '&&': 0,
  '||': 0,
  comprehension: 0,
  message: 40,
};

function pricing(node: Node): (result: Measure) => number {
  const fixed = fixedCosts[node.op];
  if (fixed !== undefined) return () => fixed;
  if (node.meta.alternate !== undefined || node.meta.macro !== undefined) {
    const cost = macroCost(node);
    return () => cost;
  }
  const { name, operands } = callOf(node);
  const cells = operands.map(countNode);
  if (name === '+') {
    return (result) => (result.isText ? Math.ceil(result.size * TEXT_FACTOR) : 1);
  }
  return (result) =>
    runCost(
      name,
      cells.map((one) => one.measure),
      result,
    );
}

/** Beyond its parts: the fields that has() goes through, the result of a loop. */
function macroCost(node: Node): number {
  const { macroHasProps } = (node.meta.macro ?? {}) as { macroHasProps?: readonly Node[] };
  return macroHasProps === undefined ? 1 : Math.max(0, macroHasProps.length - 2);
}

interface Called {
  readonly name: string;
  readonly operands: readonly Node[];
}

function callOf(node: Node): Called {
  const args = node.args as readonly unknown[];
  if (node.op === 'call') {
    return { name: String(args[0]), operands: (args[1] as readonly Node[] | undefined) ?? [] };
  }
  if (node.op !== 'rcall') {
    return { name: node.op, operands: isNode(args) ? [args] : args.filter(isNode) };
  }
  const [name, receiver, operands] = args as [string, Node, readonly Node[] | undefined];
  const isSpace = receiver.op === 'id' && namespaces.has(String(receiver.args));
  if (isSpace) return { name: `${String(receiver.args)}.${name}`, operands: operands ?? [] };
  return { name, operands: [receiver, ...(operands ?? [])] };
}
