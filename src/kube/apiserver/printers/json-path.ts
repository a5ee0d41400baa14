// The paths by which columns of custom resources find their values (client-go/util/jsonpath v0.37), as far as one
// expression goes: fields, indices, slices, unions, wildcards, recursion and filters.

type Json = Record<string, unknown>;

/** The first, the end and the step of a slice, as far as they are given. */
interface Slice {
  readonly first?: number | undefined;
  readonly end?: number | undefined;
  readonly step?: number | undefined;
}

type Node =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'wildcard' | 'recursive' | 'unknown' }
  | { readonly kind: 'index'; readonly at: number }
  | { readonly kind: 'slice'; readonly slice: Slice }
  | { readonly kind: 'union'; readonly all: readonly Path[] }
  | {
      readonly kind: 'filter';
      readonly left: Path;
      /** Undefined: whether there is a left one. */
      readonly operator?: string;
      readonly right: Path;
    };

/** Nodes, each applied to what the one before it found. */
export type Path = readonly Node[];

/** What stands after an identifier. */
const TERMINATORS = /[\s.,[\]$@{}]/;
const FILTER = /^([^!<>=]+)([!<>=]+)(.+)$/s;
const SLICE = /^(-?\d*)(:-?\d*)?(:-?\d*)?$/;

/** Undefined: it is no path, and the column is left out. */
export function parsePath(text: string): Path | undefined {
  return new Parser(`${text}}`).parse();
}

class Parser {
  readonly #text: string;
  readonly #nodes: Node[] = [];
  #at = 0;

  /** `text`: with the brace that ends it. */
  constructor(text: string) {
    this.#text = text;
  }

  parse(): Path | undefined {
    for (;;) {
      const rest = this.#text.slice(this.#at);
      if (rest === '') return undefined;
      if (rest.startsWith('}')) return this.#nodes;
      if (!this.#step(rest)) return undefined;
    }
  }

  /** Whether it could be read. */
  #step(rest: string): boolean {
    const [sign = ''] = rest;
    if (rest.startsWith('[?(')) return this.#filter();
    if (rest.startsWith('..')) return this.#recursive();
    if (/[ @$]/.test(sign)) return this.#move(1);
    if (sign === '[') return this.#brackets(rest);
    if (sign === '"' || sign === "'") return this.#quoted(sign);
    if (sign === '.') return this.#move(1) && this.#field();
    const number = /^[+-]?[\d.]*/.exec(rest)?.[0] ?? '';
    if (number !== '') {
      const value = Number(number);
      this.#nodes.push({ kind: 'value', value });
      return !Number.isNaN(value) && this.#move(number.length);
    }
    return /[\p{L}_]/u.test(sign) && this.#word();
  }

  #move(length: number): boolean {
    this.#at += length;
    return true;
  }

  #word(): boolean {
    const word = this.#until();
    const isBoolean = word === 'true' || word === 'false';
    this.#nodes.push(isBoolean ? { kind: 'value', value: word === 'true' } : { kind: 'unknown' });
    return true;
  }

  /** Up to the next terminator that no backslash stands before. */
  #until(): string {
    const start = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const sign = this.#text.charAt(this.#at);
      if (sign === '\\') this.#at += 1;
      else if (TERMINATORS.test(sign)) break;
    }
    return this.#text.slice(start, this.#at);
  }

  #field(): boolean {
    const name = this.#until();
    this.#nodes.push(
      name === '*' ? { kind: 'wildcard' } : { kind: 'field', name: name.replaceAll('\\', '') },
    );
    return true;
  }

  #recursive(): boolean {
    if (this.#nodes.at(-1)?.kind === 'recursive') return false;
    this.#nodes.push({ kind: 'recursive' });
    this.#move(2);
    return /[\p{L}\d_]/u.test(this.#text.charAt(this.#at)) ? this.#field() : true;
  }

  #quoted(sign: string): boolean {
    let end = this.#text.indexOf(sign, this.#at + 1);
    while (end > 0 && this.#text[end - 1] === '\\') end = this.#text.indexOf(sign, end + 1);
    if (end < 0) return false;
    const value = this.#text.slice(this.#at + 1, end).replaceAll(/\\(.)/g, '$1');
    this.#nodes.push({ kind: 'value', value });
    this.#at = end + 1;
    return true;
  }

  #brackets(rest: string): boolean {
    const end = rest.indexOf(']');
    if (end < 0 || rest.slice(0, end).includes('\n')) return false;
    this.#move(end + 1);
    const text = rest.slice(1, end);
    const parts = text.split(',');
    if (parts.length > 1) {
      const all = parts.map((part) => parsePath(`[${part.replaceAll(/^ +| +$/g, '')}]`));
      if (all.includes(undefined)) return false;
      this.#nodes.push({ kind: 'union', all: all as Path[] });
      return true;
    }
    // A quoted key is read as a field, whatever it holds.
    const key = /^'([^']*)'$/.exec(text)?.[1];
    if (key !== undefined) {
      const nodes = parsePath(`.${key}`);
      this.#nodes.push(...(nodes ?? []));
      return nodes !== undefined;
    }
    return this.#slice(text === '*' ? ':' : text);
  }

  #slice(text: string): boolean {
    const match = SLICE.exec(text);
    if (match === null) return false;
    const [, first = '', end, step] = match;
    const number = (part: string | undefined): number | undefined =>
      part === undefined || part === '' ? undefined : Number(part);
    if (first === '-') return false;
    const at = number(first);
    if (end === undefined) this.#nodes.push({ kind: 'index', at: at ?? 0 });
    else {
      const slice = { first: at, end: number(end.slice(1)), step: number(step?.slice(1)) };
      this.#nodes.push({ kind: 'slice', slice });
    }
    return true;
  }

  #filter(): boolean {
    const start = this.#at + '[?('.length;
    const end = endOfFilter(this.#text, start);
    if (end === undefined || this.#text[end + 1] !== ']') return false;
    const text = this.#text.slice(start, end);
    this.#at = end + 2;
    const [, leftText = text, operator, rightText = ''] = FILTER.exec(text) ?? [];
    const [left, right] = [parsePath(leftText), parsePath(rightText)];
    if (left === undefined || right === undefined) return false;
    const compared = operator === undefined ? {} : { operator };
    this.#nodes.push({ kind: 'filter', left, right, ...compared });
    return true;
  }
}

/** The parenthesis that ends it: within quotes, of which there is one pair, none does. */
function endOfFilter(text: string, start: number): number | undefined {
  let pair: string | undefined;
  let isOver = false;
  for (let at = start; at < text.length; at++) {
    const sign = text.charAt(at);
    if (sign === '\n') return undefined;
    if (sign === '"' || sign === "'") {
      if (pair === undefined) pair = sign;
      else if (sign === pair && text[at - 1] !== '\\') isOver = true;
    } else if (sign === ')' && (pair !== undefined) === isOver) return at;
  }
  return undefined;
}

class Unfit extends Error {}

/** What the path finds; undefined: it does not fit the object. */
export function valuesAt(path: Path, object: unknown): readonly unknown[] | undefined {
  try {
    return follow(path, [object]);
  } catch (error) {
    if (error instanceof Unfit) return undefined;
    throw error;
  }
}

function follow(path: Path, values: readonly unknown[]): readonly unknown[] {
  let found = values;
  for (const node of path) found = applied(node, found);
  return found;
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function applied(node: Node, values: readonly unknown[]): readonly unknown[] {
  const present = values.filter((value) => value !== null && value !== undefined);
  switch (node.kind) {
    case 'field':
      return present.flatMap((value) =>
        isObject(value) && Object.hasOwn(value, node.name) ? [value[node.name]] : [],
      );
    case 'value':
      return values.map(() => node.value);
    case 'wildcard':
      return present.flatMap(inside);
    case 'recursive':
      return present.flatMap(containers);
    case 'index':
      return present.map((value) => indexed(arrayOf(value), node.at));
    case 'slice':
      return present.flatMap((value) => sliced(arrayOf(value), node.slice));
    case 'union':
      return node.all.flatMap((one) => follow(one, values));
    case 'filter':
      return values.flatMap((value) => arrayOf(value).filter((one) => passes(node, one)));
    case 'unknown':
      throw new Unfit();
  }
}

/** In the order of names, where upstream has none; texts are not taken apart into bytes. */
function inside(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (!isObject(value)) return [];
  return Object.keys(value)
    .toSorted()
    .map((key) => value[key]);
}

/** The value and all below it that hold something. */
function containers(value: unknown): readonly unknown[] {
  const held = inside(value);
  if (held.length === 0) return [];
  return [value, ...held.flatMap(containers)];
}

function arrayOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Unfit();
}

function indexed(all: readonly unknown[], at: number): unknown {
  const place = at < 0 ? at + all.length : at;
  if (place < 0 || place >= all.length) throw new Unfit();
  return all[place];
}

function sliced(all: readonly unknown[], { first = 0, end, step = 1 }: Slice): readonly unknown[] {
  const { length } = all;
  const start = first < 0 ? first + length : first;
  let stop = end ?? length;
  if (stop < 0) stop += length;
  if (start === stop) return [];
  if (start < 0 || start >= length || stop < 0 || stop > length || start > stop) throw new Unfit();
  if (step <= 0) throw new Unfit();
  return all.slice(start, stop).filter((_one, index) => index % step === 0);
}

type Filter = Extract<Node, { kind: 'filter' }>;

function passes({ left, operator, right }: Filter, element: unknown): boolean {
  if (operator === undefined) return (valuesAt(left, element) ?? []).length > 0;
  const lefts = follow(left, [element]);
  if (lefts.length === 0) return false;
  const rights = lefts.length === 1 ? follow(right, [element]) : [];
  if (lefts.length > 1 || rights.length > 1) throw new Unfit();
  if (rights.length === 0) return false;
  return compared(lefts[0], operator, rights[0]);
}

/** What Go calls it: whole numbers and others are never compared. */
function kindOf(value: unknown): string {
  const type = typeof value;
  if (type === 'bigint') return 'int';
  if (type === 'number') return isWhole(value as number) ? 'int' : 'float';
  if (type === 'string' || type === 'boolean') return type;
  throw new Unfit();
}

/** Whether Go has it in an int64. */
export function isWhole(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 63;
}

type Comparable = number | string;

function compared(left: unknown, operator: string, right: unknown): boolean {
  const kind = kindOf(left);
  if (kind !== kindOf(right)) throw new Unfit();
  const [a, b] = [left as Comparable, right as Comparable];
  if (operator === '==') return a === b;
  if (operator === '!=') return a !== b;
  if (kind === 'boolean') throw new Unfit();
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    default:
      throw new Unfit();
  }
}
