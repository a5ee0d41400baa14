// What a text is formatted with may be of any types together, `'%s: %d'.format([name, count])`, as in cel-go;
// the interpreter wants the items of every list that is written out to be of one type.
import { isNode, type Node } from './cost.ts';

interface Checker {
  check(node: Node, context: unknown): unknown;
  getType(name: string): unknown;
}

type Check = (checker: Checker, node: Node, context: unknown) => unknown;

const mixedList: Check = (checker, node, context) => {
  for (const one of node.args as readonly Node[]) checker.check(one, context);
  return checker.getType('list<dyn>');
};

const mixedMap: Check = (checker, node, context) => {
  for (const one of (node.args as readonly (readonly Node[])[]).flat()) checker.check(one, context);
  return checker.getType('map<dyn, dyn>');
};

/** The list or map, and all that are written out in it. */
function mix(value: unknown): void {
  if (Array.isArray(value)) for (const one of value) mix(one);
  if (!isNode(value) || (value.op !== 'list' && value.op !== 'map')) return;
  mix(value.args);
  if ((value.args as readonly unknown[]).length === 0) return;
  const node = value as Node & { setMeta(key: string, check: Check): unknown };
  node.setMeta('check', value.op === 'list' ? mixedList : mixedMap);
}

/** To be called before the expression is checked. */
export function mixFormatArguments(value: unknown): void {
  if (Array.isArray(value)) for (const one of value) mixFormatArguments(one);
  if (!isNode(value)) return;
  mixFormatArguments(value.args);
  const [name, , args] = value.op === 'rcall' ? (value.args as [unknown, Node, Node[]]) : [];
  const list = args?.[0];
  if (name !== 'format' || args?.length !== 1 || list?.op !== 'list') return;
  mix(list);
}
