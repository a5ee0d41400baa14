// Messages that expressions make, `Object.spec{replicas: 1}`: how they are checked and made. Of which types
// there are some, an environment says by registering them.
import { Optional } from '@marcbachmann/cel-js';
import type { Node } from './cost.ts';

export interface MessageField {
  readonly name: string;
  /** `?name: value` is left out when the value is none. */
  readonly isOptional: boolean;
  /** Where its colon stands. */
  readonly at: number;
}

interface Type {
  readonly kind: string;
  readonly name: string;
}

interface Declaration {
  readonly type: Type;
  readonly ctor: new () => Map<string, unknown>;
  /** Without them every name is a field, of any type. */
  readonly fields?: Readonly<Record<string, Type>>;
}

interface Checker {
  readonly objectTypes: ReadonlyMap<string, Declaration>;
  check(node: Node, context: unknown): Type;
  formatType(type: Type): string;
  createError(code: string, message: string, node: unknown): Error;
}

interface Evaluator {
  readonly objectTypes: ReadonlyMap<string, Declaration>;
  run(node: Node, context: unknown): unknown;
}

type MessageNode = Node & {
  readonly message: { readonly type: string; readonly fields: readonly MessageField[] };
};

const shown = (checker: Checker, type: Type): string =>
  checker
    .formatType(type)
    .replaceAll('<', '(')
    .replaceAll('>', ')')
    .replaceAll(/\boptional\(/g, 'optional_type(');

const place = ({ input }: Node, pos: number): object => ({ input, pos, start: pos, end: pos + 1 });

function checkField(
  checker: Checker,
  node: MessageNode,
  { fields }: Declaration,
  index: number,
  found: Type,
): void {
  const { name, isOptional, at } = node.message.fields[index] as MessageField;
  const value = (node.args as readonly Node[])[index] as Node;
  if (isOptional && found.kind !== 'optional' && found.kind !== 'dyn') {
    const type = shown(checker, found);
    const why = `expected type 'optional_type(${type})' but found '${type}'`;
    throw checker.createError('wrong_field_type', why, place(value, value.start));
  }
  if (fields === undefined) return;
  const wanted = fields[name];
  const isFree = wanted?.kind === 'dyn' || (wanted !== undefined && found.kind === 'dyn');
  if (isFree || wanted?.name === found.name) return;
  const why = `expected type of field '${name}' is '${wanted?.name ?? ''}' but provided type is '${shown(checker, found)}'`;
  throw checker.createError('wrong_field_type', why, place(node, at));
}

/** In the form in which the interpreter keeps its own operators. */
export const messageOperator = {
  name: 'message',
  check(checker: Checker, node: MessageNode, context: unknown): Type {
    const { type } = node.message;
    const declared = checker.objectTypes.get(type);
    if (declared === undefined) {
      const message = `Unknown variable: ${type}`;
      throw checker.createError('unknown_variable', message, place(node, node.pos));
    }
    for (const [i, value] of (node.args as readonly Node[]).entries())
      checkField(checker, node, declared, i, checker.check(value, context));
    return declared.type;
  },
  evaluate(evaluator: Evaluator, node: MessageNode, context: unknown): unknown {
    const { type, fields } = node.message;
    const { ctor } = evaluator.objectTypes.get(type) as Declaration;
    const made = new ctor();
    for (const [i, value] of (node.args as readonly Node[]).entries()) {
      const { name, isOptional } = fields[i] as MessageField;
      const found = evaluator.run(value, context);
      if (!isOptional) made.set(name, found);
      else if (found instanceof Optional && found.hasValue()) made.set(name, found.value());
    }
    return made;
  },
};
