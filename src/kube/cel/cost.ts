// What running an expression costs, in the units of cel-go: one for each name, field and call, more for
// what walks over long values. A run that costs more than it may is cut off.

/** Upstream's limits: of one expression, and of all the rules of one object or policy. */
export const CALL_COST_MAX = 1_000_000;
export const TOTAL_COST_MAX = 10_000_000;

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

const STRING_FACTOR = 0.1;
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

function sizeOf(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof Map || value instanceof Set) return value.size;
  return 1;
}

/** Calls whose cost grows with what they are called on. */
const walksText = new Set([
  'contains',
  'startsWith',
  'endsWith',
  'matches',
  'find',
  'findAll',
  'replace',
  'split',
  'lowerAscii',
  'upperAscii',
  'indexOf',
  'lastIndexOf',
  'format',
  'quantity',
  'url',
  'ip',
  'cidr',
  'semver',
]);
const walksList = new Set(['isSorted', 'sum', 'min', 'max', 'sort', 'distinct', 'join', 'flatten']);

function ownCost(node: Node, result: unknown): number {
  switch (node.op) {
    case 'id':
    case '.':
    case '.?':
    case '[]':
    case '[?]':
      return 1;
    case 'list':
      return LIST_COST;
    case 'map':
      return MAP_COST;
    case 'accuPush':
      return LIST_COST + 2;
    case 'accuValue':
    case 'accuInc':
      return 1;
    case 'call':
    case 'rcall': {
      const name = String((node.args as unknown[])[0]);
      if (walksText.has(name)) return 1 + Math.ceil(sizeOf(result) * STRING_FACTOR);
      return walksList.has(name) ? 1 + sizeOf(result) : 1;
    }
    case 'value':
    case '?:':
    case '&&':
    case '||':
    case 'comprehension':
      return 0;
    case '+':
      return typeof result === 'string' ? 1 + Math.ceil(result.length * STRING_FACTOR) : 1;
    default:
      return 1;
  }
}

/** Calls are charged for their receiver's or first argument's size: what they read. */
function chargesInput(node: Node): boolean {
  if (node.op !== 'call' && node.op !== 'rcall') return node.op === '==' || node.op === 'in';
  const name = String((node.args as unknown[])[0]);
  return walksText.has(name) || walksList.has(name);
}

function original(node: Node): Evaluate {
  const { alternate, macro } = node.meta;
  if (alternate !== undefined) {
    return (evaluator, _node, context) => alternate.evaluate(evaluator, alternate, context);
  }
  if (macro !== undefined)
    return (evaluator, _node, context) => macro.evaluate(evaluator, macro, context);
  return node.meta.evaluate;
}

interface Cell {
  size: number;
}

const counted = new WeakMap<Node, Cell>();

/** Makes every node of a checked expression charge for itself. */
export function countNodes(value: unknown): void {
  if (Array.isArray(value)) {
    for (const one of value) countNodes(one);
  } else if (isNode(value)) countNode(value);
  else if (typeof value === 'object' && value !== null && 'iterable' in value) {
    const { iterable, init, step } = value as Record<string, unknown>;
    for (const one of [iterable, init, step]) countNodes(one);
  }
}

/** The cell holds how long the node's last value was, for what reads it. */
function countNode(node: Node): Cell {
  const known = counted.get(node);
  if (known !== undefined) return known;
  const cell: Cell = { size: 0 };
  counted.set(node, cell);
  countNodes(node.args);
  const run = original(node);
  const operands = chargesInput(node) ? operandsOf(node).map(countNode) : undefined;
  node.evaluate = (evaluator, own, context) => {
    const result = run(evaluator, own, context);
    cell.size = sizeOf(result);
    charge(operands === undefined ? ownCost(node, result) : readCost(node, operands));
    return result;
  };
  return cell;
}

function readCost(node: Node, operands: readonly Cell[]): number {
  const size = operands.reduce((most, cell) => Math.max(most, cell.size), 0);
  const isCall = node.op === 'call' || node.op === 'rcall';
  const name = isCall ? String((node.args as unknown[])[0]) : node.op;
  if (walksList.has(name) || name === 'in') return 1 + size;
  return 1 + Math.ceil(size * STRING_FACTOR);
}

function operandsOf(node: Node): readonly Node[] {
  const args = node.args as unknown[];
  if (node.op === 'call') return (args[1] as Node[]) ?? [];
  if (node.op === 'rcall') return [args[1] as Node, ...((args[2] as Node[]) ?? [])];
  return args.filter(isNode);
}
