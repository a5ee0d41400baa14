// cel-go's grammar where the interpreter's parser has another: relations bind all alike, from the left, and
// `Type{field: value}` makes a message. Its parser is taken from the first expression that it reads.
import { Environment, ParseError } from '@marcbachmann/cel-js';
import { widenAggregate, type Marked } from './aggregates.ts';
import { isNode, type Node } from './cost.ts';
import { messageOperator, type MessageField } from './messages.ts';

interface Operator {
  readonly name: string;
  readonly check: unknown;
  readonly evaluate: unknown;
}

type Made = Node & {
  pos: number;
  start: number;
  end: number;
  clone(op: unknown, args: unknown): Made;
  setMeta(key: string, value: unknown): Made;
  message?: { readonly type: string; readonly fields: readonly MessageField[] };
};

interface Lexer {
  pos: number;
  readonly input: string;
  readonly length: number;
  nextToken(): Lexer;
  readNumber(): Lexer;
  token(pos: number, type: number, value: unknown): Lexer;
}

/** What of the interpreter's parser is used. */
interface Parser {
  readonly input: string;
  readonly type: number;
  readonly value: unknown;
  readonly pos: number;
  readonly lexer: Lexer;
  /** What parsePrimary is to give next. */
  pending?: Made | undefined;
  /** Where question marks stand that are not an element's yet. */
  marks?: Map<Made, number>;
  match(token: number): boolean;
  consume(token: number): number;
  parse(input: string): Made;
  parseExpression(): Made;
  parseList(): Made;
  parseMap(): Made;
  parseAdditive(): Made;
  parseEquality(): Made;
  parsePostfix(): Made;
  parsePrimary(): Made;
}

/** What may begin an operand, as cel-go's grammar names it. */
export const OPERANDS =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

const DOT = 27;
const EOF = 0;
const IDENTIFIER = 5;
const LBRACE = 25;
const RBRACE = 26;
const COMMA = 28;
const COLON = 29;
const QUESTION = 30;
/** By the interpreter's numbers of tokens. */
const relations: Readonly<Record<number, string>> = {
  11: '==',
  12: '!=',
  13: '<',
  14: '<=',
  15: '>',
  16: '>=',
  20: 'in',
};

function anyParser(): Parser {
  let found: Parser | undefined;
  const macro = (parts: { readonly parser: Parser }) => {
    found = parts.parser;
    return { typeCheck: () => undefined, evaluate: () => undefined };
  };
  const env = new Environment({});
  env.registerFunction('parserOf(ast): bool', macro as never);
  env.parse('parserOf(1)');
  return found as unknown as Parser;
}

/** `.5` is a number, and what stands in backquotes a name. */
function teachTokens(prototype: Lexer): void {
  const { nextToken } = prototype;
  prototype.nextToken = function nextOfGo(this: Lexer): Lexer {
    while (' \t\n\r'.includes(this.input[this.pos] ?? 'x')) this.pos += 1;
    const { pos, input } = this;
    if (input[pos] === '.' && /\d/.test(input[pos + 1] ?? '')) return this.readNumber();
    const quoted = input[pos] === '`' ? /^`([\w./ -]+)`/.exec(input.slice(pos)) : null;
    if (quoted === null) return nextToken.call(this);
    this.pos += quoted[0].length;
    return this.token(pos, IDENTIFIER, quoted[1]);
  };
}

/** How the interpreter checks and runs each relation. */
function relationOperators(): ReadonlyMap<string, Operator> {
  const env = new Environment({});
  return new Map(
    Object.values(relations).map((name) => {
      const { ast } = env.parse(`1 ${name} 2`) as unknown as { readonly ast: Node };
      const { check, evaluate } = ast.meta as unknown as Operator;
      return [name, { name, check, evaluate }];
    }),
  );
}

/** `Object.spec` of names with dots between, as the type of a message is written. */
function typeName(node: Made): string | undefined {
  if (node.op === 'id') return String(node.args);
  if (node.op !== '.') return undefined;
  const [left, name] = node.args as [Made, unknown];
  const before = typeName(left);
  return before === undefined ? undefined : `${before}.${String(name)}`;
}

function mismatched(parser: Parser, expected: string): ParseError {
  const { pos, input, type } = parser;
  const token = type === EOF ? '<EOF>' : input.slice(pos, parser.lexer.pos);
  const message = `mismatched input '${token}' expecting ${expected}`;
  return new ParseError(message, { pos, start: pos, end: pos + 1, input } as never);
}

/** The fields up to the closing brace, whose opening one is the next token. */
function parseMessage(parser: Parser, type: string, named: Made): Made {
  const at = parser.consume(LBRACE);
  const fields: MessageField[] = [];
  const values: Made[] = [];
  let isFirst = true;
  while (!parser.match(RBRACE)) {
    if (!isFirst && !parser.match(COMMA)) throw mismatched(parser, "{'}', ','}");
    if (parser.match(COMMA)) {
      parser.consume(COMMA);
      // One comma may stand at the end.
      if (parser.match(RBRACE)) break;
    }
    const isOptional = parser.match(QUESTION);
    if (isOptional) parser.consume(QUESTION);
    if (!parser.match(IDENTIFIER)) {
      const begins = isOptional ? '' : isFirst ? "'}', ',', '?', " : "'}', '?', ";
      throw mismatched(parser, `{${begins}IDENTIFIER, ESC_IDENTIFIER}`);
    }
    const name = String(parser.value);
    parser.consume(IDENTIFIER);
    if (!parser.match(COLON)) throw mismatched(parser, "':'");
    fields.push({ name, isOptional, at: parser.consume(COLON) });
    values.push(parser.parseExpression());
    isFirst = false;
  }
  const node = named.clone(messageOperator, values);
  node.start = named.start;
  node.pos = at;
  node.end = parser.lexer.pos;
  parser.consume(RBRACE);
  node.message = { type, fields };
  return node.setMeta('async', false);
}

function relation(operator: Operator | undefined, left: Made, right: Made): Made {
  const node = left.clone(operator, [left, right]);
  node.pos = left.start;
  node.start = left.start;
  node.end = right.end;
  return node;
}

/** Elements of lists and maps may have a question mark before them. */
function teachElements(prototype: Parser): void {
  const { parse, parseExpression, parseList, parseMap } = prototype;
  prototype.parse = function parseWhole(this: Parser, input): Made {
    this.marks = new Map();
    const found = parse.call(this, input);
    const [pos] = this.marks.values();
    if (pos === undefined) return found;
    const message = `mismatched input '?' expecting ${OPERANDS}`;
    throw new ParseError(message, { pos, start: pos, end: pos + 1, input } as never);
  };
  prototype.parseExpression = function parseElement(this: Parser): Made {
    if (!this.match(QUESTION)) return parseExpression.call(this);
    const at = this.consume(QUESTION);
    const found = parseExpression.call(this);
    this.marks?.set(found, at);
    return found;
  };
  const marking = (parseAll: () => Made, markedOf: (item: never) => Marked) =>
    function parseAggregate(this: Parser): Made {
      const node = parseAll.call(this);
      for (const item of node.args as never[]) {
        const one = markedOf(item);
        if (this.marks?.delete(one as Made) === true) one.isOptional = true;
      }
      widenAggregate(node);
      return node;
    };
  prototype.parseList = marking(parseList, (item) => item);
  prototype.parseMap = marking(parseMap, (item) => item[0]);
}

let isTaught = false;

/** From then on every environment reads expressions as cel-go does. */
export function teachGrammar(): void {
  if (isTaught) return;
  isTaught = true;
  const operators = relationOperators();
  const parser = anyParser();
  const prototype = Object.getPrototypeOf(parser) as Parser;
  teachTokens(Object.getPrototypeOf(parser.lexer) as Lexer);
  const { parsePrimary, parsePostfix } = prototype;
  teachElements(prototype);
  prototype.parseEquality = function parseRelations(this: Parser): Made {
    let left = this.parseAdditive();
    for (;;) {
      const name = relations[this.type];
      if (name === undefined) return left;
      this.consume(this.type);
      left = relation(operators.get(name), left, this.parseAdditive());
    }
  };
  prototype.parsePrimary = function parsePrimaryOrMessage(this: Parser): Made {
    const { pending } = this;
    this.pending = undefined;
    if (pending !== undefined) return pending;
    // A name with a dot before it is looked for outside of any container; there is none.
    if (this.match(DOT)) this.consume(DOT);
    return parsePrimary.call(this);
  };
  prototype.parsePostfix = function parsePostfixOfMessages(this: Parser): Made {
    let node = parsePostfix.call(this);
    while (this.match(LBRACE)) {
      const type = isNode(node) ? typeName(node) : undefined;
      if (type === undefined) return node;
      this.pending = parseMessage(this, type, node);
      node = parsePostfix.call(this);
    }
    return node;
  };
}
