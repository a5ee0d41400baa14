// Numbers as Go writes and bounds them, where the interpreter has JavaScript's ways: texts of doubles, whole
// numbers beyond 64 bits.
import { CelFailure } from './addresses.ts';
import { isNode, type Node } from './cost.ts';

interface Evaluator {
  run(node: Node, context: unknown): unknown;
}

type Evaluate = (evaluator: Evaluator, node: Node, context: unknown) => unknown;
type Changeable = Node & {
  setMeta(key: string, value: unknown): unknown;
  handle(value: unknown, node: Node, evaluator: Evaluator): unknown;
};

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
/** From this power of ten on, Go writes an exponent (`%g` of the shortest digits). */
const EXPONENT_MIN = 6;

/** As Go's strconv.FormatFloat does with 'g' and -1. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const [digits = '0', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (value === 0 || (exponent >= -4 && exponent < EXPONENT_MIN))
    return plainText(digits, exponent);
  const sign = exponent < 0 ? '-' : '+';
  return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function plainText(digits: string, exponent: number): string {
  const sign = digits.startsWith('-') ? '-' : '';
  const all = digits.replace(/[-.]/g, '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${all}`;
  const whole = all.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = all.slice(exponent + 1);
  return sign + whole + (fraction === '' ? '' : `.${fraction}`);
}

function wholeNumber(value: number): bigint {
  if (Number.isFinite(value)) {
    const whole = BigInt(Math.trunc(value));
    if (whole >= INT_MIN && whole <= INT_MAX) return whole;
  }
  throw new CelFailure('integer overflow');
}

const convert: Evaluate = (evaluator, node, context) => {
  const [name, [operand]] = node.args as [string, [Node]];
  const value = evaluator.run(operand, context);
  if (typeof value === 'number') return name === 'int' ? wholeNumber(value) : doubleText(value);
  return (node as Changeable).handle([value], node, evaluator);
};

const negate: Evaluate = (evaluator, node, context) => {
  const value = evaluator.run(node.args as Node, context);
  if (value === INT_MIN) throw new CelFailure('integer overflow');
  return (node as Changeable).handle(value, node, evaluator);
};

/** To be called before the expression is checked. */
export function convertAsGo(value: unknown): void {
  if (Array.isArray(value)) for (const one of value) convertAsGo(one);
  if (!isNode(value)) return;
  convertAsGo(value.args);
  if (value.op === '-_') (value as Changeable).setMeta('evaluate', negate);
  if (value.op !== 'call') return;
  const [name, args] = value.args as [string, readonly Node[]];
  if ((name === 'string' || name === 'int') && args.length === 1)
    (value as Changeable).setMeta('evaluate', convert);
}
