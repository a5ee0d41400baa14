// has() of a field of any expression, `has(self[0].name)`, as in cel-go; the interpreter takes names alone
// to begin with.
import { isNode, type Node } from './cost.ts';

interface Checker {
  check(node: Node, context: unknown): unknown;
  getType(name: string): unknown;
}

interface HasMacro {
  /** The selections from the outermost inwards, and what they are made on. */
  macroHasProps?: readonly Node[];
  typeCheck(checker: Checker, macro: HasMacro, context: unknown): unknown;
}

const isSelection = ({ op }: Node): boolean => op === '.' || op === '.?';

const operandOf = (node: Node): Node => (node.args as readonly Node[])[0] as Node;

/** To be called before the expression is checked. */
export function widenHas(value: unknown): void {
  if (Array.isArray(value)) for (const one of value) widenHas(one);
  if (!isNode(value)) return;
  widenHas(value.args);
  const [name, args] = value.op === 'call' ? (value.args as [unknown, readonly Node[]]) : [];
  const field = args?.[0];
  if (name !== 'has' || args?.length !== 1 || field?.op !== '.') return;
  const selections: Node[] = [];
  let base: Node = field;
  for (; isSelection(base); base = operandOf(base)) selections.push(base);
  if (base.op === 'id') return;
  const macro = value.meta.macro as unknown as HasMacro;
  macro.macroHasProps = [...selections, base];
  macro.typeCheck = (checker, _macro, context) => {
    checker.check(base, context);
    return checker.getType('bool');
  };
}
