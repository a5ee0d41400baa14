// From the text of an expression to what is checked and run, in the ways of cel-go's parser (parser.go): all
// mistakes are told, each at its place.
import type { Expr, MapEntry, MessageField } from './expr.ts';
import { expandMacro, MacroFault } from './macros.ts';
import { readSyntax, type Fault, type SyntaxNode } from './syntax.ts';
import type { Token } from './tokens.ts';
import { bytesOf, EscapeFault, textOf } from './unescape.ts';
import { Uint } from './core-values.ts';

const SIZE_MAX = 100_000;
const DEPTH_MAX = 250;

const reserved = new Set(
  (
    'as break const continue else false for function if import in let loop package namespace null return true var ' +
    'void while'
  ).split(' '),
);

const operators: Readonly<Record<string, string>> = {
  '+': '_+_',
  '-': '_-_',
  '*': '_*_',
  '/': '_/_',
  '%': '_%_',
  '==': '_==_',
  '!=': '_!=_',
  '<': '_<_',
  '<=': '_<=_',
  '>': '_>_',
  '>=': '_>=_',
  in: '@in',
};

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

class TooDeep extends Error {}

/** The part that says something: what only passes on another is skipped. */
function unnest(node: SyntaxNode | undefined): SyntaxNode | undefined {
  let at = node;
  while (at !== undefined) {
    const { rule, tokens, nodes, alternative } = at;
    switch (rule) {
      case 'expr':
      case 'relation':
      case 'calc':
        if (tokens['op'] !== undefined) return at;
        break;
      case 'conditionalOr':
      case 'conditionalAnd':
        if (tokens['ops'] !== undefined) return at;
        break;
      case 'unary':
        if (alternative !== 1) return at;
        break;
      case 'member':
        if (alternative !== 0) return at;
        break;
      case 'primary':
        if (alternative !== 3 && alternative !== 7) return at;
        break;
      default:
        return at;
    }
    at = nodes['e']?.[0];
  }
  return undefined;
}

class Translator {
  readonly faults: Fault[];
  #depth = 0;

  constructor(faults: readonly Fault[]) {
    this.faults = [...faults];
  }

  #tell(at: number, message: string): Expr {
    this.faults.push({ at, message });
    return { kind: 'nothing', at };
  }

  expr(node: SyntaxNode | undefined): Expr {
    const found = unnest(node);
    if (found === undefined) return { kind: 'nothing', at: -1 };
    const isDeep = ['expr', 'relation', 'calc', 'member'].includes(found.rule);
    if (isDeep) this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new TooDeep();
    const made = this.#one(found);
    if (isDeep) this.#depth -= 1;
    return made;
  }

  #one(node: SyntaxNode): Expr {
    const { tokens, nodes, rule } = node;
    const at = node.start.start;
    switch (rule) {
      case 'expr': {
        const condition = this.expr(nodes['e']?.[0]);
        const place = tokens['op']?.[0]?.start ?? at;
        const args = [condition, this.expr(nodes['e1']?.[0]), this.expr(nodes['e2']?.[0])];
        return this.#call(place, '_?_:_', args);
      }
      case 'conditionalOr':
        return this.#logic(node, '||');
      case 'conditionalAnd':
        return this.#logic(node, '&&');
      case 'relation':
      case 'calc': {
        const [op] = tokens['op'] ?? [];
        const name = operators[op?.text ?? ''];
        if (name === undefined) return this.#tell(at, 'operator not found');
        const args = [this.expr(nodes['left']?.[0]), this.expr(nodes['right']?.[0])];
        return this.#call(op?.start ?? at, name, args);
      }
      case 'unary':
        return this.#unary(node);
      case 'member':
        return this.#member(node);
      case 'primary':
        return this.#primary(node);
      case 'literal':
        return this.#literal(node);
      default:
        return { kind: 'nothing', at };
    }
  }

  /** Long chains are made into trees that are not deep. */
  #logic(node: SyntaxNode, sign: string): Expr {
    const operands = [this.expr(node.nodes['e']?.[0])];
    const rest = node.nodes['e1'] ?? [];
    const ops = node.tokens['ops'] ?? [];
    for (const i of ops.keys()) {
      if (i >= rest.length)
        return this.#tell(node.start.start, `unexpected character, wanted '${sign}'`);
      operands.push(this.expr(rest[i]));
    }
    const tree = (from: number, to: number): Expr => {
      const middle = Math.floor((from + to + 1) / 2);
      const left = middle === from ? (operands[middle] as Expr) : tree(from, middle - 1);
      const right = middle === to ? (operands[middle + 1] as Expr) : tree(middle + 1, to);
      const at = (ops[middle] as Token).start;
      return { kind: 'call', at, name: `_${sign}_`, args: [left, right] };
    };
    return tree(0, ops.length - 1);
  }

  #unary({ alternative, tokens, nodes, start }: SyntaxNode): Expr {
    if (alternative === 0) return { kind: 'literal', at: start.start, value: '<<error>>' };
    const ops = tokens['ops'] ?? [];
    const operand = this.expr(nodes['e']?.[0]);
    // Two signs are none.
    if (ops.length % 2 === 0) return operand;
    return this.#call(ops[0]?.start ?? -1, alternative === 2 ? '!_' : '-_', [operand]);
  }

  #member(node: SyntaxNode): Expr {
    const { alternative, tokens, nodes } = node;
    const at = node.start.start;
    const operand = this.expr(nodes['left']?.[0]);
    const op = tokens['op']?.[0];
    if (alternative === 2) {
      const [id] = tokens['id'] ?? [];
      if (id === undefined) return { kind: 'nothing', at };
      const args = this.#args(nodes['exprList']?.[0]);
      return this.#call(tokens['open']?.[0]?.start ?? -1, id.text, args, operand);
    }
    if (alternative === 3) {
      if (op === undefined) return { kind: 'nothing', at };
      const index = this.expr(nodes['index']?.[0]);
      const name = tokens['opt'] === undefined ? '_[_]' : '_[?_]';
      return this.#call(op.start, name, [operand, index]);
    }
    const [named] = nodes['id'] ?? [];
    if (named === undefined || op === undefined) return { kind: 'nothing', at };
    const field = this.#name(named);
    if (tokens['opt'] === undefined)
      return { kind: 'select', at: op.start, operand, field, isTest: false };
    const literal: Expr = { kind: 'literal', at: named.start.start, value: field };
    return { kind: 'call', at: op.start, name: '_?._', args: [operand, literal] };
  }

  #name(node: SyntaxNode): string {
    const text = node.tokens['id']?.[0]?.text;
    if (text === undefined) {
      this.#tell(node.start.start, 'unsupported ident kind');
      return '';
    }
    return node.alternative === 2 ? text.slice(1, -1) : text;
  }

  #args(node: SyntaxNode | undefined): Expr[] {
    return (node?.nodes['e'] ?? []).map((one) => this.expr(one));
  }

  #primary(node: SyntaxNode): Expr {
    const { alternative, tokens, nodes } = node;
    const at = node.start.start;
    const dot = tokens['leadingDot'] === undefined ? '' : '.';
    const op = tokens['op']?.[0];
    const [items] = nodes['items'] ?? [];
    switch (alternative) {
      case 1:
      case 2: {
        const [id] = tokens['id'] ?? [];
        if (id === undefined) return { kind: 'nothing', at };
        if (reserved.has(id.text)) return this.#tell(at, `reserved identifier: ${id.text}`);
        const name = dot + id.text;
        if (alternative === 1) return { kind: 'ident', at: id.start, name };
        const args = this.#args(nodes['exprList']?.[0]);
        return this.#call(tokens['open']?.[0]?.start ?? -1, name, args);
      }
      case 4: {
        const parts = items?.nodes['e'] ?? [];
        const made = parts.map((one) => this.expr(one.nodes['e']?.[0]));
        const optional = new Set(
          parts.flatMap((one, i) => (one.tokens['opt'] === undefined ? [] : [i])),
        );
        return { kind: 'list', at: op?.start ?? at, items: made, optional };
      }
      case 5:
        return { kind: 'map', at: op?.start ?? at, entries: this.#entries(items) };
      case 6: {
        const name = dot + (tokens['ids'] ?? []).map(({ text }) => text).join('.');
        return { kind: 'message', at: op?.start ?? at, name, fields: this.#fields(items) };
      }
      default:
        return { kind: 'nothing', at };
    }
  }

  #entries(node: SyntaxNode | undefined): MapEntry[] {
    const { keys = [], values = [] } = node?.nodes ?? {};
    const out: MapEntry[] = [];
    for (const [i, col] of (node?.tokens['cols'] ?? []).entries()) {
      const key = keys[i];
      if (key === undefined || values[i] === undefined) return [];
      out.push({
        at: col.start,
        key: this.expr(key.nodes['e']?.[0]),
        value: this.expr(values[i]),
        isOptional: key.tokens['opt'] !== undefined,
      });
    }
    return out;
  }

  #fields(node: SyntaxNode | undefined): MessageField[] {
    const { keys = [], values = [] } = node?.nodes ?? {};
    const cols = node?.tokens['cols'] ?? [];
    const out: MessageField[] = [];
    for (const [i, key] of keys.entries()) {
      const col = cols[i];
      if (col === undefined || values[i] === undefined) return [];
      const [named] = key.nodes['id'] ?? [];
      if (named?.tokens['id'] === undefined) {
        this.#tell(node?.start.start ?? -1, 'unsupported ident kind');
        continue;
      }
      const name = this.#name(named);
      const isOptional = key.tokens['opt'] !== undefined;
      out.push({ at: col.start, name, value: this.expr(values[i]), isOptional });
    }
    return out;
  }

  #literal({ alternative, tokens, start }: SyntaxNode): Expr {
    const at = start.start;
    const text = tokens['tok']?.[0]?.text ?? '';
    const sign = tokens['sign']?.[0]?.text ?? '';
    const literal = (value: unknown): Expr => ({ kind: 'literal', at, value });
    try {
      switch (alternative) {
        case 1: {
          const value = BigInt(text) * (sign === '' ? 1n : -1n);
          const isBig = value < INT_MIN || value > INT_MAX;
          return isBig ? this.#tell(at, 'invalid int literal') : literal(value);
        }
        case 2: {
          const value = BigInt(text.slice(0, -1));
          return value > UINT_MAX
            ? this.#tell(at, 'invalid uint literal')
            : literal(new Uint(value));
        }
        case 3: {
          const value = Number(sign + text);
          return Number.isFinite(value) ? literal(value) : this.#tell(at, 'invalid double literal');
        }
        case 4:
          return literal(textOf(text));
        case 5:
          return literal(bytesOf(text.slice(1)));
        case 6:
        case 7:
          return literal(alternative === 6);
        case 8:
          return literal(null);
        default:
          return { kind: 'nothing', at };
      }
    } catch (error) {
      // A number that is thought there has no digits.
      if (error instanceof EscapeFault) return this.#tell(at, error.message);
      if (error instanceof SyntaxError) return this.#tell(at, 'invalid int literal');
      throw error;
    }
  }

  #call(at: number, name: string, args: readonly Expr[], target?: Expr): Expr {
    try {
      return expandMacro(at, name, target, args) ?? { kind: 'call', at, name, target, args };
    } catch (error) {
      if (error instanceof MacroFault) return this.#tell(error.at, error.message);
      throw error;
    }
  }
}

export interface Parsed {
  readonly expr: Expr;
  readonly faults: readonly Fault[];
}

export function parse(source: string): Parsed {
  const nothing: Expr = { kind: 'nothing', at: -1 };
  // Letters beyond the basic plane are one each; what is short enough anyway is not counted.
  const size = source.length > SIZE_MAX ? [...source].length : source.length;
  if (size > SIZE_MAX) {
    const message = `expression code point size exceeds limit: size: ${size}, limit ${SIZE_MAX}`;
    return { expr: nothing, faults: [{ at: -1, message }] };
  }
  const { tree, faults } = readSyntax(source);
  if (tree === undefined) return { expr: nothing, faults };
  const translator = new Translator(faults);
  try {
    const expr = translator.expr(tree.nodes['expr']?.[0]);
    return { expr, faults: translator.faults };
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error;
    const message = 'max recursion depth exceeded';
    return { expr: nothing, faults: [...translator.faults, { at: -1, message }] };
  }
}
