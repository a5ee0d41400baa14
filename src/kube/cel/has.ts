// has() of a field of any expression, `has(self[0].name)`, as in cel-go; the interpreter takes names alone
// to begin with.
import { isNode, type Node } from './cost.ts';

interface Type {
  readonly kind: string;
  readonly name: string;
  readonly valueType?: Type;
}

interface Checker {
  readonly objectTypes: ReadonlyMap<
    string,
    { readonly fields?: Readonly<Record<string, unknown>> }
  >;
  check(node: Node, context: unknown): Type;
  getType(name: string): Type;
  createError(code: string, message: string, node: unknown): Error;
}

type Check = (checker: Checker, node: Node, context: unknown) => Type;

interface HasMacro {
  /** The selections from the outermost inwards, and what they are made on. */
  macroHasProps?: readonly Node[];
  typeCheck(checker: Checker, macro: HasMacro, context: unknown): unknown;
}

const isSelection = ({ op }: Node): boolean => op === '.' || op === '.?';

const operandOf = (node: Node): Node => (node.args as readonly Node[])[0] as Node;

/** The name of a field that a declared type has not; undefined for what has no declared fields. */
function missingField(checker: Checker, type: Type, field: Node): string | undefined {
  const own = type.kind === 'optional' ? type.valueType : type;
  const fields = checker.objectTypes.get(own?.name ?? '')?.fields;
  const name = (field.args as readonly unknown[])[1];
  if (fields === undefined || typeof name !== 'string' || Object.hasOwn(fields, name)) return;
  return name;
}

/** `self.?name` of a type that has no such field is a mistake, as `self.name` is. */
function refuseMissing(node: Node): void {
  const { check } = node.meta as unknown as { readonly check: Check };
  const strict: Check = (checker, field, context) => {
    const missing = missingField(checker, checker.check(operandOf(field), context), field);
    if (missing !== undefined)
      throw checker.createError('no_such_key', `No such key: ${missing}`, field);
    return check(checker, field, context);
  };
  (node as Node & { setMeta(key: string, check: Check): unknown }).setMeta('check', strict);
}

/** To be called before the expression is checked. */
export function widenHas(value: unknown): void {
  if (Array.isArray(value)) for (const one of value) widenHas(one);
  if (!isNode(value)) return;
  widenHas(value.args);
  if (value.op === '.?') refuseMissing(value);
  const [name, args] = value.op === 'call' ? (value.args as [unknown, readonly Node[]]) : [];
  const field = args?.[0];
  if (name !== 'has' || args?.length !== 1 || field?.op !== '.') return;
  const selections: Node[] = [];
  let base: Node = field;
  for (; isSelection(base); base = operandOf(base)) selections.push(base);
  const macro = value.meta.macro as unknown as HasMacro;
  macro.macroHasProps = [...selections, base];
  macro.typeCheck = (checker, _macro, context) => {
    const missing = missingField(checker, checker.check(operandOf(field), context), field);
    if (missing !== undefined)
      throw checker.createError('no_such_key', `No such key: ${missing}`, value);
    return checker.getType('bool');
  };
}
