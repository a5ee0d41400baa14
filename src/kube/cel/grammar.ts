// The grammar of cel-go (CEL.g4): what is made of the words of an expression. Beside each far decision stands
// which way well-formed texts go, so that the state machine is only asked when something is wrong.
import { StateMachine, type Part } from './state-machine.ts';
import { EOF, tokenType } from './tokens.ts';

/** Which way to go, from 1; undefined where only the machine knows. */
export type Hint = (typeAt: (ahead: number) => number, precedence: number) => number | undefined;

export type GrammarPart = Part & {
  readonly hint?: Hint | undefined;
  readonly label?: string | undefined;
};

const types = (names: string): number[] => names.split(' ').map(tokenType);
const token = (name: string, label?: string): GrammarPart => ({
  kind: 'token',
  type: tokenType(name),
  label,
});
const rule = (name: string, label = name, precedence = 0): GrammarPart => ({
  kind: 'rule',
  name,
  label,
  precedence,
});
const sequence = (...parts: Part[]): GrammarPart => ({ kind: 'sequence', parts, precedence: 0 });
/** What is left of it must bind at least that strongly. */
const binding = (precedence: number, ...parts: Part[]): GrammarPart => ({
  kind: 'sequence',
  parts,
  precedence,
});
const optional = (part: Part): GrammarPart => ({ kind: 'optional', part });
const star = (part: Part, hint?: Hint): GrammarPart =>
  hint === undefined
    ? { kind: 'star', part, isFar: false }
    : { kind: 'star', part, isFar: true, hint };
const choice = (hint: Hint | undefined, ...parts: Part[]): GrammarPart =>
  hint === undefined
    ? { kind: 'choice', parts, isFar: false }
    : { kind: 'choice', parts, isFar: true, hint };

const [comma, minus, bang, dot, question] = types("',' '-' '!' '.' '?'");
const [paren, bracket, brace] = types("'(' '[' '{'");
const [identifier, escaped] = types('IDENTIFIER ESC_IDENTIFIER');
const [numInt, numUint, numFloat] = types('NUM_INT NUM_UINT NUM_FLOAT');
const relations = types("'==' '!=' 'in' '<' '<=' '>=' '>'");
const factors = types("'*' '/' '%'");
const summands = types("'-' '+'");
const enders = new Set([EOF, ...types("')' ']' '}' ',' ':' '?' '&&' '||'")]);
const literals = types("STRING BYTES 'true' 'false' 'null'");
const operands = new Set([
  ...types("'(' '[' '{' '.' IDENTIFIER NUM_UINT"),
  numInt,
  numFloat,
  ...literals,
]);

const isNumber = (type: number): boolean => type === numInt || type === numFloat;

const relationHint: Hint = (typeAt, precedence) => {
  const type = typeAt(0);
  if (relations.includes(type)) return precedence <= 1 ? 1 : 2;
  return enders.has(type) ? 2 : undefined;
};

const calcHint: Hint = (typeAt, precedence) => {
  const type = typeAt(0);
  if (factors.includes(type)) return precedence <= 2 ? 1 : 2;
  if (summands.includes(type)) return precedence <= 1 ? 1 : 2;
  return enders.has(type) || relations.includes(type) ? 2 : undefined;
};

const memberHint: Hint = (typeAt) => {
  const [type, next] = [typeAt(0), typeAt(1)];
  if (type === bracket) return 1;
  if (type === dot) {
    return [identifier, escaped, question].includes(next) ? 1 : undefined;
  }
  const isOver = [
    enders.has(type),
    ...[relations, factors, summands].map((one) => one.includes(type)),
  ];
  return isOver.includes(true) ? 2 : undefined;
};

const memberKindHint: Hint = (typeAt) => {
  if (typeAt(0) === bracket) return 3;
  return typeAt(1) === identifier && typeAt(2) === paren ? 2 : 1;
};

const unaryHint: Hint = (typeAt) => {
  const [type, next] = [typeAt(0), typeAt(1)];
  if (type === bang) return 2;
  if (type !== minus) return operands.has(type) ? 1 : undefined;
  if (isNumber(next)) return 1;
  return next === minus || operands.has(next) ? 3 : undefined;
};

const primaryHint: Hint = (typeAt) => {
  const type = typeAt(0);
  if (type === paren) return 3;
  if (type === bracket) return 4;
  if (type === brace) return 5;
  let at = type === dot ? 1 : 0;
  if (typeAt(at) !== identifier) return at === 0 ? 7 : undefined;
  at += 1;
  if (typeAt(at) === paren) return 2;
  while (typeAt(at) === dot && typeAt(at + 1) === identifier) at += 2;
  return typeAt(at) === brace ? 6 : 1;
};

const literalHint: Hint = (typeAt) => {
  const type = typeAt(typeAt(0) === minus ? 1 : 0);
  if (type === numInt) return 1;
  if (type === numFloat) return 3;
  if (typeAt(0) === minus) return undefined;
  if (type === numUint) return 2;
  const index = literals.indexOf(type);
  return index < 0 ? undefined : index + 4;
};

/** A comma may also stand at the end of all. */
const itemHint: Hint = (typeAt) =>
  typeAt(0) === comma && !types("']' '}'").includes(typeAt(1)) ? 1 : 2;

const arguments_ = (): Part[] => [token("'('", 'open'), optional(rule('exprList')), token("')'")];
const leadingDot = (): Part => optional(token("'.'", 'leadingDot'));

export const grammar: Readonly<Record<string, GrammarPart>> = {
  start: sequence(rule('expr'), { kind: 'token', type: EOF }),
  expr: sequence(
    rule('conditionalOr', 'e'),
    optional(
      sequence(token("'?'", 'op'), rule('conditionalOr', 'e1'), token("':'"), rule('expr', 'e2')),
    ),
  ),
  conditionalOr: sequence(
    rule('conditionalAnd', 'e'),
    star(sequence(token("'||'", 'ops'), rule('conditionalAnd', 'e1'))),
  ),
  conditionalAnd: sequence(
    rule('relation', 'e'),
    star(sequence(token("'&&'", 'ops'), rule('relation', 'e1'))),
  ),
  relation: sequence(
    rule('calc', 'e'),
    star(
      binding(1, { kind: 'set', types: relations, label: 'op' }, rule('relation', 'right', 2)),
      relationHint,
    ),
  ),
  calc: sequence(
    rule('unary', 'e'),
    star(
      choice(
        (typeAt) => (factors.includes(typeAt(0)) ? 1 : 2),
        binding(2, { kind: 'set', types: factors, label: 'op' }, rule('calc', 'right', 3)),
        binding(1, { kind: 'set', types: summands, label: 'op' }, rule('calc', 'right', 2)),
      ),
      calcHint,
    ),
  ),
  unary: choice(
    unaryHint,
    rule('member', 'e'),
    sequence({ kind: 'plus', part: token("'!'", 'ops'), isFar: false }, rule('member', 'e')),
    sequence(
      {
        kind: 'plus',
        part: token("'-'", 'ops'),
        isFar: true,
        hint: ((typeAt) => (typeAt(0) === minus ? 1 : 2)) as Hint,
      } as Part,
      rule('member', 'e'),
    ),
  ),
  member: sequence(
    rule('primary', 'e'),
    star(
      choice(
        memberKindHint,
        binding(3, token("'.'", 'op'), optional(token("'?'", 'opt')), rule('escapeIdent', 'id')),
        binding(2, token("'.'", 'op'), token('IDENTIFIER', 'id'), ...arguments_()),
        binding(
          1,
          token("'['", 'op'),
          optional(token("'?'", 'opt')),
          rule('expr', 'index'),
          token("']'"),
        ),
      ),
      memberHint,
    ),
  ),
  primary: choice(
    primaryHint,
    sequence(leadingDot(), token('IDENTIFIER', 'id')),
    sequence(leadingDot(), token('IDENTIFIER', 'id'), ...arguments_()),
    sequence(token("'('"), rule('expr', 'e'), token("')'")),
    sequence(
      token("'['", 'op'),
      optional(rule('listInit', 'items')),
      optional(token("','")),
      token("']'"),
    ),
    sequence(
      token("'{'", 'op'),
      optional(rule('mapInitializerList', 'items')),
      optional(token("','")),
      token("'}'"),
    ),
    sequence(
      leadingDot(),
      token('IDENTIFIER', 'ids'),
      star(sequence(token("'.'"), token('IDENTIFIER', 'ids'))),
      token("'{'", 'op'),
      optional(rule('fieldInitializerList', 'items')),
      optional(token("','")),
      token("'}'"),
    ),
    rule('literal', 'e'),
  ),
  exprList: sequence(rule('expr', 'e'), star(sequence(token("','"), rule('expr', 'e')))),
  listInit: sequence(
    rule('optExpr', 'e'),
    star(sequence(token("','"), rule('optExpr', 'e')), itemHint),
  ),
  fieldInitializerList: sequence(
    rule('optField', 'keys'),
    token("':'", 'cols'),
    rule('expr', 'values'),
    star(
      sequence(
        token("','"),
        rule('optField', 'keys'),
        token("':'", 'cols'),
        rule('expr', 'values'),
      ),
      itemHint,
    ),
  ),
  optField: sequence(optional(token("'?'", 'opt')), rule('escapeIdent', 'id')),
  mapInitializerList: sequence(
    rule('optExpr', 'keys'),
    token("':'", 'cols'),
    rule('expr', 'values'),
    star(
      sequence(token("','"), rule('optExpr', 'keys'), token("':'", 'cols'), rule('expr', 'values')),
      itemHint,
    ),
  ),
  escapeIdent: choice(undefined, token('IDENTIFIER', 'id'), token('ESC_IDENTIFIER', 'id')),
  optExpr: sequence(optional(token("'?'", 'opt')), rule('expr', 'e')),
  literal: choice(
    literalHint,
    sequence(optional(token("'-'", 'sign')), token('NUM_INT', 'tok')),
    token('NUM_UINT', 'tok'),
    sequence(optional(token("'-'", 'sign')), token('NUM_FLOAT', 'tok')),
    token('STRING', 'tok'),
    token('BYTES', 'tok'),
    token("'true'", 'tok'),
    token("'false'", 'tok'),
    token("'null'", 'tok'),
  ),
};

let machine: StateMachine | undefined;

export function grammarMachine(): StateMachine {
  machine ??= new StateMachine(grammar);
  return machine;
}
