// Compiles an expression in an environment, and runs it: errors in the words of cel-go, results with
// their cost.
import { Environment } from '@marcbachmann/cel-js';
import { metered, countNodes, isNode, CALL_COST_MAX, type Metered, type Node } from './cost.ts';
import { costMax } from './cost-estimate.ts';
import { convertAsGo } from './conversions.ts';
import type { Declared } from './declared-types.ts';
import { expand } from './expanded-tree.ts';
import { mixFormatArguments } from './format-arguments.ts';
import { OPERANDS, teachGrammar } from './grammar.ts';
import { widenHas } from './has.ts';
import { registerCollections } from './library-collections.ts';
import { registerTypes } from './library-types.ts';
import { badLiterals, bigLiteral } from './literals.ts';
import { registerMacros } from './macros.ts';
import type { StaticType } from './static-types.ts';

let shared: Environment | undefined;

/** The environment of v1.37: the language, its extensions, and Kubernetes' own functions; no variables. */
export function baseEnvironment(): Environment {
  if (shared === undefined) {
    teachGrammar();
    shared = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: true });
    registerTypes(shared);
    registerCollections(shared);
    registerMacros(shared);
  }
  return shared;
}

export interface Program {
  readonly source: string;
  /** Name of the type of the result: `bool`, `string`, `dyn`, `list<int>` … */
  readonly type: string;
  /** Names of all variables that it reads. */
  readonly names: ReadonlySet<string>;
  run(variables: Readonly<Record<string, unknown>>, costMax?: number): Metered;
  /** The most that a run can cost; `root` is the type of `self`. */
  estimate(variables: ReadonlyMap<string, StaticType>, root: Declared | undefined): bigint;
}

/** What is wrong with an expression, as cel-go prints it, with the place in the text. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
}

interface Failure {
  readonly code?: string;
  readonly summary?: string;
  readonly message: string;
  readonly node?: Partial<Node> | undefined;
}

const operatorNames: Readonly<Record<string, string>> = {
  '&&': '_&&_',
  '||': '_||_',
  in: '@in',
  '[]': '_[_]',
};

function overloadText(summary: string): string {
  const operator = /^no such overload: (.+) (==|!=|<=|>=|<|>|\+|-|\*|\/|%|in) (.+)$/.exec(summary);
  if (operator !== null) {
    const [, left = '', name = '', right = ''] = operator;
    const shown = operatorNames[name] ?? `_${name}_`;
    return `found no matching overload for '${shown}' applied to '(${typeText(left)}, ${typeText(right)})'`;
  }
  const unary = /^no such overload: ([!-])(.+)$/.exec(summary);
  if (unary !== null) {
    return `found no matching overload for '${unary[1]}_' applied to '(${typeText(unary[2] ?? '')})'`;
  }
  return summary;
}

/** `list(int)` where the interpreter writes `list<int>`. */
function typeText(name: string): string {
  return name
    .replaceAll('<', '(')
    .replaceAll('>', ')')
    .replaceAll(/\bnull\b/g, 'null')
    .replaceAll(/\boptional\(/g, 'optional_type(');
}

/** What the interpreter's macros say, which cel-go says otherwise. */
const macroTexts: readonly (readonly [pattern: RegExp, text: string])[] = [
  [/^has\(\) invalid argument$/, 'invalid argument to has() macro'],
  [/^(?:duplicate variable name|argument must be a simple name)/, '$&'],
  [/^.* invalid predicate iteration variable$/, 'argument must be a simple name'],
  [
    /^Expression of type '(.*)' (cannot be range of a comprehension .*)\.$/,
    "expression of type '$1' $2",
  ],
  [
    /^optional\.(\w+)\(\w+\) argument must be compatible type, got '(.*)' and '(.*)'$/,
    "found no matching overload for '$1' applied to 'optional_type($2).($3)'",
  ],
  [/^Reserved identifier: /, 'reserved identifier: '],
  [/^Invalid integer: .*$/, 'invalid uint literal'],
  [/^Invalid number: Infinity$/, 'invalid double literal'],
];

function ofMacro(summary: string): string | undefined {
  const found = macroTexts.find(([pattern]) => pattern.test(summary));
  return found && summary.replace(...found);
}

function detailOf(env: Environment, error: Failure): string {
  const summary = error.summary ?? error.message;
  const own = ofMacro(summary);
  if (own !== undefined) return own;
  switch (error.code) {
    case 'unknown_variable':
      return `undeclared reference to '${summary.replace(/^Unknown variable: /, '')}' (in container '')`;
    case 'no_such_key':
      return `undefined field '${summary.replace(/^No such key: /, '')}'`;
    case 'no_such_overload':
      return overloadText(summary);
    case 'no_matching_overload':
      return callText(env, summary);
    case 'cannot_index_type':
      return `type '${typeText(/'(.*)'/.exec(summary)?.[1] ?? '')}' does not support field selection`;
    case 'invalid_index_type': {
      const index = /, got '(.*)'$/.exec(summary)?.[1];
      const [list] = (error.node?.args ?? []) as readonly { checkedType?: { name: string } }[];
      const name = list?.checkedType?.name;
      if (index === undefined || name === undefined) return summary;
      return `found no matching overload for '_[_]' applied to '(${typeText(name)}, ${index})'`;
    }
    case 'invalid_logical_operand':
    case 'invalid_condition_type': {
      const type = typeText(/got '(.*)'/.exec(summary)?.[1] ?? '');
      return `expected type 'bool' but found '${type}'`;
    }
    case 'heterogeneous_list_element':
    case 'heterogeneous_map_key':
    case 'heterogeneous_map_value': {
      const [, expected = '', found = ''] =
        /expected type '(.*)' but found '(.*)'/.exec(summary) ?? [];
      return `expected type '${typeText(expected)}' but found '${typeText(found)}'`;
    }
    case 'incompatible_ternary_branches': {
      const [, left = '', right = ''] = /got '(.*)' and '(.*)'$/.exec(summary) ?? [];
      const types = `(bool, ${typeText(left)}, ${typeText(right)})`;
      return `found no matching overload for '_?_:_' applied to '${types}'`;
    }
    default:
      return summary;
  }
}

/** What is read as one token, where something stands that nothing can follow. */
const TOKEN = /^(?:[A-Za-z_]\w*|\d[\w.]*|"[^"\n]*"|'[^'\n]*'|[=!<>]=|&&|\|\||\S)/;

/** What may follow within brackets, besides operands. */
function operandsAfter(before: string): string {
  const letter = before.trimEnd().at(-1);
  const more =
    letter === '(' && /\w\s*\($/.test(before.trimEnd())
      ? "'(', ')',"
      : letter === '{'
        ? "'}', '(',"
        : "'(',";
  const isKey = letter === '{';
  const isOptional = isKey || (letter === '[' && /[\w)\]]\s*\[$/.test(before.trimEnd()));
  return OPERANDS.replace("'(',", more)
    .replace("'.',", isKey ? "'.', ','," : "'.',")
    .replace("'!',", isOptional ? "'!', '?'," : "'!',");
}

/** One token too many is told by itself, where an operand follows or the brackets are closed. */
function unexpected(source: string, at: number, token: string): string {
  const rest = source.slice(at + token.length).trimStart();
  const isExtra = /^[\w"'([{.-]/.test(rest) || (token === ',' && rest.startsWith(')'));
  const expected = operandsAfter(source.slice(0, at));
  return `Syntax error: ${isExtra ? 'extraneous' : 'mismatched'} input '${token}' expecting ${expected}`;
}

function missingText(
  wanted: string,
  token: string | undefined,
  source: string,
  at: number,
): string | undefined {
  const found = token ?? '<EOF>';
  if (wanted === 'COLON') return `mismatched input '${found}' expecting ':'`;
  if (token !== undefined) return undefined;
  if (wanted === 'RPAREN') return "missing ')' at '<EOF>'";
  if (wanted !== 'RBRACKET') return undefined;
  const isIndex = /[\w)\]]\s*\[/.test(source.slice(0, at));
  return isIndex ? "missing ']' at '<EOF>'" : "mismatched input '<EOF>' expecting {']', ','}";
}

/** cel-go tells what it expected in the words of its grammar, of a single token that is too many by its own. */
function syntaxText(summary: string, source: string, at: number): string {
  if (summary === 'Unexpected token: EOF') {
    const isAfterSign = /[!-]\s*$/.test(source);
    const what = isAfterSign ? 'extraneous' : 'mismatched';
    return `Syntax error: ${what} input '<EOF>' expecting ${OPERANDS}`;
  }
  const rest = source.slice(at);
  const token = TOKEN.exec(rest)?.[0];
  if (summary.startsWith('Unexpected token: ') && token !== undefined)
    return unexpected(source, at, token);
  const missing = /^Expected ([A-Z]+), got ([A-Z]+)$/.exec(summary);
  if (missing !== null) {
    const text = missingText(missing[1] ?? '', token, source, at);
    if (text !== undefined) return `Syntax error: ${text}`;
  }
  const isOdd = /^Unexpected character: '.'$/.test(summary) && token !== undefined;
  if (!isOdd) return `Syntax error: ${summary}`;
  const isLast = rest.slice(token.length).trim() === '';
  return `Syntax error: ${isLast ? 'extraneous' : 'mismatched'} input '${token}' expecting <EOF>`;
}

const isSyntax = (error: Failure): boolean => (error as Error).name === 'ParseError';

function callText(env: Environment, summary: string): string {
  const call = /^found no matching overload for '(?:(.*)\.)?(\w+)\((.*)\)'$/.exec(summary);
  if (call === null) return summary;
  const [, receiver, name = '', args = ''] = call;
  const space = /^([A-Z]\w*)Namespace$/.exec(receiver ?? '')?.[1]?.toLowerCase();
  if (space !== undefined)
    return `found no matching overload for '${space}.${name}' applied to '(${typeText(args)})'`;
  const isKnown = env.getDefinitions().functions.some((one) => one.name === name);
  if (!isKnown) return `undeclared reference to '${name}' (in container '')`;
  const shown = `(${typeText(args)})`;
  const applied = receiver === undefined ? shown : `${typeText(receiver)}.${shown}`;
  return `found no matching overload for '${name}' applied to '${applied}'`;
}

/** cel-go points at the dot of a selection and at the bracket of a call. */
function placeOf(node: Partial<Node> | undefined, source: string): number {
  if (node === undefined) return 0;
  const { op, args, start = 0, pos = start } = node;
  if (op === '.' || op === '.?' || op === 'rcall' || op === 'call' || op === '[]') {
    const inner = op === 'rcall' ? (args as unknown[])[1] : (args as unknown[])[0];
    let at = isNode(inner) ? inner.end : pos;
    const wanted = op === '.' || op === '.?' ? '.' : op === '[]' ? '[' : '(';
    if (op === 'rcall') at = source.indexOf('.', at);
    const found = source.indexOf(wanted, at);
    return found < 0 ? pos : found;
  }
  const isBinary = Array.isArray(args) && (args.length === 2 || op === '?:');
  if (isBinary && isNode(args[0]) && op !== undefined) {
    const found = source.indexOf(op === '?:' ? '?' : op, args[0].end);
    return found < 0 ? pos : found;
  }
  return pos;
}

function located(source: string, at: number, detail: string): string {
  const before = source.slice(0, at);
  const line = before.split('\n').length;
  const column = at - (before.lastIndexOf('\n') + 1);
  const text = source.split('\n')[line - 1] ?? '';
  // Letters beyond ASCII take a wide dot.
  const dots = text.slice(0, column).replaceAll(/[^]/g, (one) => (one > '\x7f' ? '．' : '.'));
  return `ERROR: <input>:${line}:${column + 1}: ${detail}\n | ${text}\n | ${dots.padEnd(column, '.')}^`;
}

/** Of `&&` and `||` the operand is shown that is no boolean. */
function shownNode({ code, node }: Failure): Partial<Node> | undefined {
  if (code !== 'invalid_logical_operand' || !Array.isArray(node?.args)) return node;
  const isBool = (one: unknown): boolean =>
    ['bool', 'dyn'].includes((one as { checkedType?: { name: string } }).checkedType?.name ?? '');
  const wrong = (node.args as unknown[]).find((one) => isNode(one) && !isBool(one));
  return (wrong as Node | undefined) ?? node;
}

function compileError(env: Environment, source: string, error: unknown): CompileError {
  const failure = error as Failure;
  const at = placeOf(shownNode(failure), source);
  if (!isSyntax(failure)) {
    return new CompileError(located(source, at, detailOf(env, failure)), { cause: error });
  }
  const own = ofMacro(failure.summary ?? failure.message);
  if (own !== undefined) return new CompileError(located(source, at, own), { cause: error });
  const text = syntaxText(failure.summary ?? failure.message, source, at);
  // Of nothing there is no place to show.
  const shown = source === '' ? `ERROR: <input>:1:0: ${text}` : located(source, at, text);
  return new CompileError(shown, { cause: error });
}

function namesIn(value: unknown, found: Set<string>): Set<string> {
  if (Array.isArray(value)) for (const one of value) namesIn(one, found);
  else if (isNode(value)) {
    if (value.op === 'id') found.add(String(value.args));
    namesIn(value.args, found);
  } else if (typeof value === 'object' && value !== null && 'iterable' in value) {
    const { iterable, init, step } = value as Record<string, unknown>;
    namesIn([iterable, init, step], found);
  }
  return found;
}

/** The interpreter's `cel.bind` is none of Kubernetes' macros. */
function refuseBinding(source: string, value: unknown): void {
  if (Array.isArray(value)) for (const one of value) refuseBinding(source, one);
  if (!isNode(value)) return;
  if (value.op === 'id' && value.args === 'cel') {
    const why = "undeclared reference to 'cel' (in container '')";
    throw new CompileError(located(source, value.start, why));
  }
  refuseBinding(source, value.args);
}

/** Throws CompileError. */
export function compile(env: Environment, source: string): Program {
  let parsed: ReturnType<Environment['parse']>;
  try {
    parsed = env.parse(source);
  } catch (error) {
    throw compileError(env, source, error);
  }
  const { ast } = parsed as unknown as { readonly ast: Node };
  const big = bigLiteral(ast);
  if (big !== undefined) throw new CompileError(located(source, big.start, 'invalid int literal'));
  refuseBinding(source, ast);
  widenHas(ast);
  mixFormatArguments(ast);
  convertAsGo(ast);
  const checked = parsed.check();
  if (!checked.valid) throw compileError(env, source, checked.error);
  const bad = badLiterals(ast);
  if (bad.length > 0) {
    throw new CompileError(bad.map(({ node, why }) => located(source, node.start, why)).join('\n'));
  }
  const names = namesIn(ast, new Set());
  countNodes(ast);
  return {
    source,
    type: checked.type ?? 'dyn',
    names,
    run: (variables, most = CALL_COST_MAX) => metered(most, () => parsed(variables)),
    estimate: (variables, root) => costMax(expand(ast, variables), root),
  };
}

/** Why a run failed, in cel-go's words, without the place in the text. */
export function failureText(error: Error): string {
  const { code, summary = error.message } = error as Error & Failure;
  switch (code) {
    case 'no_such_key':
      return summary.replace(/^No such key: /, 'no such key: ');
    case 'index_out_of_bounds': {
      const at = /index (-?\d+) /.exec(summary)?.[1];
      return at === undefined ? summary : `index out of bounds: ${at}`;
    }
    case 'no_such_overload':
    case 'no_matching_overload':
    case 'invalid_logical_operand':
      return 'no such overload';
    case 'numeric_overflow':
      return 'integer overflow';
    case 'modulo_by_zero':
      return 'modulus by zero';
    default:
      return summary;
  }
}
