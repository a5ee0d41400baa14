// Regular expressions whose matching time is linear in the text, whatever the pattern: patterns come
// from frameworks and are matched inside the master. The syntax is RE2's without captures and
// assertions inside; always a full match.

/** Instructions of a compiled pattern: as many as RE2 has by default (Mesos 1.11). */
const PROGRAM_SIZE_MAX = 100;
const REPEAT_MAX = 1_000;

type CharTest = (code: number) => boolean;

/** `next`: where it goes on; `other`: the second branch of a split. */
interface Instruction {
  test: CharTest | undefined;
  next: number;
  other: number;
  kind: 'char' | 'split' | 'jump' | 'begin' | 'end' | 'match';
}

type Node =
  | { readonly kind: 'char'; readonly test: CharTest }
  | { readonly kind: 'begin' | 'end' | 'empty' }
  | { readonly kind: 'cat' | 'or'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number };

class PatternError extends Error {}

const isDigit: CharTest = (code) => code >= 48 && code <= 57;
const isWord: CharTest = (code) =>
  isDigit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const isSpace: CharTest = (code) => code === 32 || (code >= 9 && code <= 13 && code !== 11);
const not =
  (test: CharTest): CharTest =>
  (code) =>
    !test(code);
const escapes: Readonly<Record<string, CharTest>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace),
};
const controls: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, f: 12, v: 11, a: 7 };
const posix: Readonly<Record<string, CharTest>> = {
  alpha: (code) => isWord(code) && !isDigit(code) && code !== 95,
  digit: isDigit,
  alnum: (code) => isWord(code) && code !== 95,
  upper: (code) => code >= 65 && code <= 90,
  lower: (code) => code >= 97 && code <= 122,
  space: (code) => isSpace(code) || code === 11,
  word: isWord,
  xdigit: (code) => isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102),
};

class Parser {
  readonly #chars: string[];
  #at = 0;

  constructor(pattern: string) {
    this.#chars = [...pattern];
  }

  parse(): Node {
    const node = this.#alternation();
    if (this.#at < this.#chars.length) throw new PatternError(`unexpected ): ${this.#rest()}`);
    return node;
  }

  #rest(): string {
    return this.#chars.join('');
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #take(text: string): boolean {
    const isThere = this.#chars.slice(this.#at, this.#at + text.length).join('') === text;
    if (isThere) this.#at += text.length;
    return isThere;
  }

  #alternation(): Node {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? (parts[0] as Node) : { kind: 'or', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')';) {
      parts.push(this.#repeated());
      next = this.#peek();
    }
    return { kind: 'cat', parts };
  }

  #repeated(): Node {
    let node = this.#atom();
    for (let isFirst = true; ; isFirst = false) {
      const range = this.#range();
      if (range === undefined) return node;
      if (!isFirst) throw new PatternError(`bad repetition operator: ${this.#rest()}`);
      this.#take('?');
      node = { kind: 'repeat', of: node, ...range };
    }
  }

  #range(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Infinity };
    if (this.#take('+')) return { min: 1, max: Infinity };
    if (this.#take('?')) return { min: 0, max: 1 };
    const text = this.#chars.slice(this.#at).join('');
    const match = /^\{(\d+)(,?)(\d*)\}/.exec(text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === '' ? min : match[3] === '' ? Infinity : Number(match[3]);
    if (min > REPEAT_MAX || (max !== Infinity && (max > REPEAT_MAX || max < min))) {
      throw new PatternError(`invalid repetition size: ${match[0]}`);
    }
    return { min, max };
  }

  #atom(): Node {
    const char = this.#chars[this.#at++] as string;
    if (char === '(') return this.#group();
    if (char === '[') return { kind: 'char', test: this.#charClass() };
    if (char === '.') return { kind: 'char', test: (code) => code !== 10 };
    if (char === '^') return { kind: 'begin' };
    if (char === '$') return { kind: 'end' };
    if (char === '\\') return this.#escape();
    if ('*+?'.includes(char)) {
      throw new PatternError(`no argument for repetition operator: ${char}`);
    }
    const code = char.codePointAt(0);
    return { kind: 'char', test: (other) => other === code };
  }

  #group(): Node {
    if (this.#take('?:') || this.#chars[this.#at] !== '?') {
      const node = this.#alternation();
      if (!this.#take(')')) throw new PatternError(`missing ): ${this.#rest()}`);
      return node;
    }
    const named = /^\?P?<\w+>/.exec(this.#chars.slice(this.#at).join(''));
    if (named === null) throw new PatternError('invalid perl operator: (?');
    this.#at += named[0].length;
    const node = this.#alternation();
    if (!this.#take(')')) throw new PatternError(`missing ): ${this.#rest()}`);
    return node;
  }

  #escape(): Node {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new PatternError('trailing \\');
    if (char === 'A') return { kind: 'begin' };
    if (char === 'z') return { kind: 'end' };
    return { kind: 'char', test: this.#escaped(char) };
  }

  #escaped(char: string): CharTest {
    const set = escapes[char];
    if (set !== undefined) return set;
    const control = controls[char];
    if (control !== undefined) return (code) => code === control;
    if (/[A-Za-z0-9]/.test(char)) throw new PatternError(`invalid escape sequence: \\${char}`);
    const code = char.codePointAt(0);
    return (other) => other === code;
  }

  #charClass(): CharTest {
    const isNegative = this.#take('^');
    const tests: CharTest[] = [];
    for (let isFirst = true; isFirst || this.#peek() !== ']'; isFirst = false) {
      const char = this.#chars[this.#at];
      if (char === undefined) throw new PatternError(`missing ]: ${this.#rest()}`);
      tests.push(this.#classItem());
    }
    this.#at++;
    const any: CharTest = (code) => tests.some((test) => test(code));
    return isNegative ? not(any) : any;
  }

  #classItem(): CharTest {
    const named = /^\[:(\^?)(\w+):\]/.exec(this.#chars.slice(this.#at).join(''));
    if (named !== null) {
      const test = posix[named[2] ?? ''];
      if (test === undefined) throw new PatternError(`invalid character class range: ${named[0]}`);
      this.#at += named[0].length;
      return named[1] === '^' ? not(test) : test;
    }
    const char = this.#chars[this.#at++] as string;
    if (char === '\\') {
      const escaped = this.#chars[this.#at++];
      if (escaped === undefined) throw new PatternError('trailing \\');
      if (escapes[escaped] !== undefined) return this.#escaped(escaped);
      return this.#classRange(controls[escaped] ?? (escaped.codePointAt(0) as number));
    }
    return this.#classRange(char.codePointAt(0) as number);
  }

  #classRange(from: number): CharTest {
    const end = this.#chars[this.#at + 1];
    if (this.#peek() !== '-' || end === undefined || end === ']') return (code) => code === from;
    this.#at += 2;
    let to = end.codePointAt(0) as number;
    if (end === '\\') to = this.#chars[this.#at++]?.codePointAt(0) ?? to;
    if (to < from) throw new PatternError(`invalid character class range: ${this.#rest()}`);
    return (code) => code >= from && code <= to;
  }
}

export class LinearRegex {
  readonly #program: Instruction[] = [];

  private constructor(node: Node) {
    this.#emit(node);
    this.#push('match');
  }

  /** The compiled pattern, or what is wrong with it in the words of Mesos 1.11. */
  static compile(pattern: string): LinearRegex | string {
    try {
      return new LinearRegex(new Parser(pattern).parse());
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      return error.message.startsWith('Regex')
        ? `Regex '${pattern}' ${error.message.slice('Regex '.length)}`
        : `Failed to construct regex from pattern '${pattern}': ${error.message}`;
    }
  }

  /** The whole text. */
  matches(text: string): boolean {
    const codes = Array.from(text, (char) => char.codePointAt(0) as number);
    let states = new Set<number>();
    this.#follow(0, states, { isBegin: true, isEnd: codes.length === 0 });
    for (const [i, code] of codes.entries()) {
      const next = new Set<number>();
      for (const at of states) {
        const { kind, test, next: then } = this.#program[at] as Instruction;
        if (kind === 'char' && test?.(code) === true) {
          this.#follow(then, next, { isBegin: false, isEnd: i === codes.length - 1 });
        }
      }
      if (next.size === 0) return false;
      states = next;
    }
    return [...states].some((at) => this.#program[at]?.kind === 'match');
  }

  #follow(from: number, states: Set<number>, at: { isBegin: boolean; isEnd: boolean }): void {
    const open = [from];
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      if (states.has(one)) continue;
      states.add(one);
      const { kind, next, other } = this.#program[one] as Instruction;
      if (kind === 'jump' || (kind === 'begin' && at.isBegin) || (kind === 'end' && at.isEnd)) {
        open.push(next);
      } else if (kind === 'split') open.push(other, next);
    }
  }

  #push(kind: Instruction['kind'], test?: CharTest): Instruction {
    const next = this.#program.length + 1;
    if (next > PROGRAM_SIZE_MAX) {
      const most = `larger than maximum of ${PROGRAM_SIZE_MAX} allowed`;
      throw new PatternError(`Regex is too complex: program size of ${next} is ${most}`);
    }
    const made: Instruction = { kind, test, next, other: next };
    this.#program.push(made);
    return made;
  }

  #emit(node: Node): void {
    switch (node.kind) {
      case 'char':
        this.#push('char', node.test);
        return;
      case 'begin':
      case 'end':
        this.#push(node.kind);
        return;
      case 'empty':
        return;
      case 'cat':
        for (const part of node.parts) this.#emit(part);
        return;
      case 'or':
        this.#emitOr(node.parts);
        return;
      case 'repeat':
        this.#emitRepeat(node.of, node.min, node.max);
    }
  }

  #emitOr(parts: readonly Node[]): void {
    const jumps: Instruction[] = [];
    for (const [i, part] of parts.entries()) {
      const isLast = i === parts.length - 1;
      const split = isLast ? undefined : this.#push('split');
      this.#emit(part);
      if (split === undefined) continue;
      jumps.push(this.#push('jump'));
      split.other = this.#program.length;
    }
    for (const jump of jumps) jump.next = this.#program.length;
  }

  #emitRepeat(of: Node, min: number, max: number): void {
    for (let i = 0; i < min; i++) this.#emit(of);
    if (max === Infinity) {
      const at = this.#program.length;
      const split = this.#push('split');
      this.#emit(of);
      this.#push('jump').next = at;
      split.other = this.#program.length;
      return;
    }
    const splits: Instruction[] = [];
    for (let i = min; i < max; i++) {
      splits.push(this.#push('split'));
      this.#emit(of);
    }
    for (const split of splits) split.other = this.#program.length;
  }
}
