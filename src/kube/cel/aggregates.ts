// Lists and maps that are written out, as cel-go has them: elements of one type, for which what has no type
// before it is run passes, and elements that are left out when they are none (`[?a]`, `{?key: value}`).
import { Optional } from '@marcbachmann/cel-js';
import { isNode, type Node } from './cost.ts';

interface Type {
  readonly kind: string;
  readonly name: string;
  readonly valueType?: Type;
  unify(registry: Registry, other: Type): Type | null | undefined;
}

interface Registry {
  getListType(value: Type): Type;
  getMapType(key: Type, value: Type): Type;
}

interface Checker {
  readonly registry: Registry;
  check(node: Node, context: unknown): Type;
  getType(name: string): Type;
  formatType(type: Type): string;
  createError(code: string, message: string, node: unknown): Error;
}

interface Evaluator {
  run(node: Node, context: unknown): unknown;
}

/** An element with a question mark before it, by its value or its key. */
export type Marked = Node & { isOptional?: boolean };

type Changeable = Node & { setMeta(key: string, value: unknown): unknown };

function mismatch(
  checker: Checker,
  code: string,
  node: Node,
  wanted: string,
  found: string,
): Error {
  return checker.createError(code, `expected type '${wanted}' but found '${found}'`, node);
}

function optionalType(checker: Checker, node: Node, found: Type): Type {
  if (found.kind === 'optional') return found.valueType ?? checker.getType('dyn');
  if (found.kind === 'dyn') return found;
  const name = checker.formatType(found);
  throw mismatch(checker, 'heterogeneous_list_element', node, `optional<${name}>`, name);
}

function joined(
  checker: Checker,
  code: string,
  node: Node,
  before: Type | undefined,
  type: Type,
): Type {
  if (before === undefined) return type;
  const both = before.unify(checker.registry, type);
  if (both !== null && both !== undefined) return both;
  throw mismatch(checker, code, node, checker.formatType(before), checker.formatType(type));
}

function checkList(checker: Checker, list: Node, context: unknown): Type {
  let type: Type | undefined;
  for (const one of list.args as readonly Marked[]) {
    const found = checker.check(one, context);
    const own = one.isOptional === true ? optionalType(checker, one, found) : found;
    type = joined(checker, 'heterogeneous_list_element', one, type, own);
  }
  return checker.registry.getListType(type ?? checker.getType('T'));
}

function checkMap(checker: Checker, map: Node, context: unknown): Type {
  let [keyType, valueType]: (Type | undefined)[] = [];
  for (const [key, value] of map.args as readonly (readonly [Marked, Node])[]) {
    const foundKey = checker.check(key, context);
    keyType = joined(checker, 'heterogeneous_map_key', key, keyType, foundKey);
    const found = checker.check(value, context);
    const own = key.isOptional === true ? optionalType(checker, value, found) : found;
    valueType = joined(checker, 'heterogeneous_map_value', value, valueType, own);
  }
  const dyn = checker.getType('dyn');
  return checker.registry.getMapType(keyType ?? dyn, valueType ?? dyn);
}

function makeList(evaluator: Evaluator, list: Node, context: unknown): unknown[] {
  return (list.args as readonly Marked[]).flatMap((one) => {
    const value = evaluator.run(one, context);
    if (one.isOptional !== true) return [value];
    return value instanceof Optional && value.hasValue() ? [value.value()] : [];
  });
}

function makeMap(evaluator: Evaluator, map: Node, context: unknown): Map<unknown, unknown> {
  const out = new Map<unknown, unknown>();
  for (const [key, one] of map.args as readonly (readonly [Marked, Node])[]) {
    const [name, value] = [evaluator.run(key, context), evaluator.run(one, context)];
    if (key.isOptional !== true) out.set(name, value);
    else if (value instanceof Optional && value.hasValue()) out.set(name, value.value());
  }
  return out;
}

/** To be called of every list and map that is read. */
export function widenAggregate(node: Changeable): void {
  const items = node.args as readonly (Marked | readonly [Marked, Node])[];
  if (items.length === 0) return;
  const isMap = node.op === 'map';
  node.setMeta('check', isMap ? checkMap : checkList);
  const isOwn = items.some((one) => {
    const first = isNode(one) ? one : one[0];
    // The interpreter makes texts of all keys.
    const isText = first.op === 'value' && typeof first.args === 'string';
    return first.isOptional === true || (isMap && !isText);
  });
  if (isOwn) node.setMeta('evaluate', isMap ? makeMap : makeList);
}
