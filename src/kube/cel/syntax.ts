// Reads an expression by the grammar, as the parser does that ANTLR makes of it: all mistakes are told, and
// read on after in ANTLR's ways (a word left out, a word thought there, words skipped).
import { grammarMachine, type GrammarPart, type Hint } from './grammar.ts';
import type { Invocation, Places, State } from './state-machine.ts';
import { EOF, readWords, tokenNames, tokenType, type Token, type Words } from './tokens.ts';

const DEPTH_MAX = 250;
const TOO_DEEP = `expression recursion limit exceeded: ${DEPTH_MAX}`;
const RECOVERIES_MAX = 30;
const SKIPPED_MAX = 256;
const FAULTS_MAX = 100;

/** What was read by a rule: words and parts by their labels in the grammar. */
export interface SyntaxNode {
  readonly rule: string;
  /** Which of the rule's choices it is, from 1; 0 where it has none, or broke off before. */
  alternative: number;
  readonly start: Token;
  readonly tokens: Record<string, Token[] | undefined>;
  readonly nodes: Record<string, SyntaxNode[] | undefined>;
}

export interface Fault {
  /** Nowhere is -1. */
  readonly at: number;
  readonly message: string;
}

/** Reading cannot go on here; it is told where the rule ends. */
class Broken extends Error {
  readonly at: Token;
  constructor(message: string, at: Token) {
    super(message);
    this.at = at;
  }
}

/** Reading ends altogether. */
class GivenUp extends Error {}

const named = (type: number): string => (type === EOF ? '<EOF>' : (tokenNames[type] ?? ''));

/** What is expected, in the order in which the grammar numbers its words. */
function listed(types: ReadonlySet<number>): string {
  const names = [...types].toSorted((a, b) => a - b).map(named);
  return names.length > 1 ? `{${names.join(', ')}}` : (names[0] ?? '{}');
}

const quoted = (text: string): string =>
  `'${text.replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;

/** `no viable alternative at input '.true'` is told in the words of older versions. */
const RESERVED = /no viable alternative at input '.(true|false|null)'/g;

const types = (names: string): number[] => names.split(' ').map(tokenType);

const ends = [EOF, ...types("')' ']' '}' ',' ':'")];
const operators = types("'?' '&&' '||' '==' '!=' 'in' '<' '<=' '>=' '>' '+' '-' '*' '/' '%'");
const stopsAfter: Readonly<Record<string, ReadonlySet<number>>> = {
  expr: new Set(ends),
  unary: new Set([...ends, ...operators]),
};

/** Which choice of its rule a word is: of a primary, or of a literal. */
const NAME = 0;
const atoms = new Map([
  [tokenType('IDENTIFIER'), NAME],
  ...types("NUM_INT NUM_UINT NUM_FLOAT STRING BYTES 'true' 'false' 'null'").map(
    (type, i) => [type, i + 1] as const,
  ),
]);

class Reader {
  readonly faults: Fault[] = [];
  readonly #machine = grammarMachine();
  readonly #words: Words;
  readonly #depths = new Map<string, number>();
  readonly #hasHints: boolean;
  #index = 0;
  #state: State;
  #context: Invocation | undefined;
  #isRecovering = false;
  #lastErrorIndex = -1;
  #lastErrorStates = new Set<State>();
  #recoveries = 0;
  #skipped: number | undefined;

  constructor(words: Words, hasHints: boolean) {
    this.#words = words;
    this.#hasHints = hasHints;
    this.#state = (this.#machine.rules.get('start') as { start: State }).start;
  }

  read(): SyntaxNode | undefined {
    for (const { at, message } of this.#words.faults)
      this.faults.push({ at, message: `Syntax error: ${message}` });
    try {
      return this.#rule('start', 0);
    } catch (error) {
      if (error instanceof GivenUp) return undefined;
      // The stack may end before the limit does, deep down in other calls.
      if (!(error instanceof RangeError)) throw error;
      this.faults.push({ at: -1, message: TOO_DEEP });
      return undefined;
    }
  }

  readonly #typeAt = (ahead: number): number => {
    const { tokens } = this.#words;
    return (tokens[this.#index + ahead] ?? (tokens.at(-1) as Token)).type;
  };

  get #token(): Token {
    const { tokens } = this.#words;
    return tokens[this.#index] ?? (tokens.at(-1) as Token);
  }

  #consume(): void {
    if (this.#skipped !== undefined) {
      if (this.#skipped >= SKIPPED_MAX) {
        const message = `error recovery token lookahead limit exceeded: ${SKIPPED_MAX}`;
        this.faults.push({ at: -1, message });
        throw new GivenUp();
      }
      this.#skipped += 1;
    }
    if (this.#token.type !== EOF) this.#index += 1;
  }

  #tell(message: string, at: Token): void {
    // A text with hints is read for its tree alone: any mistake has it read again.
    if (this.#hasHints) throw new GivenUp();
    const text = message.replaceAll(RESERVED, "mismatched input '$1' expecting IDENTIFIER");
    if (this.faults.length < FAULTS_MAX) {
      this.faults.push({ at: at.start, message: `Syntax error: ${text}` });
      return;
    }
    this.faults.push({
      at: at.start,
      message: `Syntax error: More than ${FAULTS_MAX} syntax errors`,
    });
    throw new GivenUp();
  }

  /** A name or literal alone, where the rule ends behind it: the many rules in between say nothing of it. */
  #alone(name: string): SyntaxNode | undefined {
    const stops = stopsAfter[name];
    const alternative = atoms.get(this.#token.type);
    if (stops === undefined || alternative === undefined || !stops.has(this.#typeAt(1))) return;
    const start = this.#token;
    this.#index += 1;
    return alternative === NAME
      ? { rule: 'primary', alternative: 1, start, tokens: { id: [start] }, nodes: {} }
      : { rule: 'literal', alternative, start, tokens: { tok: [start] }, nodes: {} };
  }

  #rule(name: string, precedence: number): SyntaxNode {
    const alone = this.#hasHints ? this.#alone(name) : undefined;
    if (alone !== undefined) return alone;
    const { start, places, part } = this.#machine.rules.get(name) as {
      start: State;
      places: Places;
      part: GrammarPart;
    };
    const outer = this.#context;
    const outerGrown = this.#current;
    this.#current = undefined;
    const from = this.#state;
    const node: SyntaxNode = {
      rule: name,
      alternative: 0,
      start: this.#token,
      tokens: {},
      nodes: {},
    };
    const depth = (this.#depths.get(name) ?? 0) + 1;
    this.#depths.set(name, depth);
    if (depth > DEPTH_MAX) {
      this.faults.push({ at: -1, message: TOO_DEEP });
      throw new GivenUp();
    }
    this.#context = { rule: name, state: from, parent: outer, precedence };
    this.#state = start;
    try {
      return this.#part(part, places, node);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      if (!this.#isRecovering) {
        this.#isRecovering = true;
        this.#tell(error.message, error.at);
      }
      this.#recover();
      return this.#current ?? node;
    } finally {
      this.#context = outer;
      this.#current = outerGrown;
      this.#depths.set(name, depth - 1);
      this.#state = from;
    }
  }

  /** The node of a rule that joins to the left (`a + b`), while it grows. */
  #current: SyntaxNode | undefined;

  #part(part: GrammarPart, places: Places, given: SyntaxNode): SyntaxNode {
    let node = given;
    switch (part.kind) {
      case 'token':
      case 'set':
        this.#state = places.from;
        this.#match(part, node);
        return node;
      case 'rule': {
        this.#state = places.from;
        const label = part.label ?? part.name;
        const found = this.#rule(part.name, part.precedence);
        (node.nodes[label] ??= []).push(found);
        return node;
      }
      case 'sequence': {
        if (part.precedence > 0) node = this.#grown(given);
        for (const [i, one] of part.parts.entries())
          node = this.#part(one as GrammarPart, places.inner[i] as Places, node);
        return node;
      }
      case 'choice': {
        const at = this.#choose(part, places);
        const chosen = part.parts[at - 1] as GrammarPart;
        if (chosen.kind === 'sequence' && chosen.precedence > 0) {
          node = this.#grown(given);
          node.alternative = at;
          for (const [i, one] of chosen.parts.entries())
            this.#part(one as GrammarPart, places.inner[at - 1]?.inner[i] as Places, node);
          return node;
        }
        node.alternative = at;
        return this.#part(chosen, places.inner[at - 1] as Places, node);
      }
      case 'optional': {
        this.#sync(places.entry);
        const inner = places.inner[0] as Places;
        if (this.#machine.nextOf(inner.from).has(this.#token.type))
          return this.#part(part.part as GrammarPart, inner, node);
        return node;
      }
      case 'star':
      case 'plus':
        return this.#loop(part, places, node);
    }
  }

  /** A node whose first part is what was read before. */
  #grown(before: SyntaxNode): SyntaxNode {
    const { rule, start } = before;
    const node: SyntaxNode = { rule, alternative: 0, start, tokens: {}, nodes: { left: [before] } };
    this.#current = node;
    return node;
  }

  #choose(part: GrammarPart & { kind: 'choice' }, places: Places): number {
    this.#sync(places.entry);
    if (part.isFar) return this.#predict(places.entry, part.hint);
    const at = places.inner.findIndex(({ from }) =>
      this.#machine.nextOf(from).has(this.#token.type),
    );
    if (at < 0) throw this.#noWay(this.#token, this.#token);
    return at + 1;
  }

  #loop(
    part: GrammarPart & { kind: 'star' | 'plus' },
    places: Places,
    given: SyntaxNode,
  ): SyntaxNode {
    const body = part.part as GrammarPart;
    const inner = places.inner[0] as Places;
    const back = places.back as State;
    // ANTLR decides whether to go on with a `+` where it comes back, with a `*` where it began.
    const decision = part.kind === 'plus' ? back : places.entry;
    const goesOn = (): boolean =>
      part.isFar
        ? this.#predict(decision, part.hint) === 1
        : this.#machine.nextOf(inner.from).has(this.#token.type);
    let node = given;
    this.#sync(places.entry);
    let isOn = part.kind === 'plus' || goesOn();
    while (isOn) {
      node = this.#part(body, inner, node);
      this.#sync(back);
      isOn = goesOn();
    }
    return node;
  }

  #predict(decision: State, hint: Hint | undefined): number {
    const context = this.#context as Invocation;
    const hinted = this.#hasHints ? hint?.(this.#typeAt, context.precedence) : undefined;
    if (hinted !== undefined) return hinted;
    const found = this.#machine.predict(decision, context, this.#typeAt);
    if ('alternative' in found) return found.alternative;
    const { tokens } = this.#words;
    const dead = tokens[this.#index + found.deadAt] ?? (tokens.at(-1) as Token);
    throw this.#noWay(this.#token, dead);
  }

  #noWay(start: Token, dead: Token): Broken {
    const text = this.#words.all
      .filter((one) => one.type !== EOF && one.start >= start.start && one.start <= dead.start)
      .map((one) => one.text)
      .join('');
    const shown = start.type === EOF ? '<EOF>' : text;
    return new Broken(`no viable alternative at input ${quoted(shown)}`, dead);
  }

  #mismatch(): Broken {
    const expected = listed(this.#expected());
    return new Broken(
      `mismatched input ${quoted(this.#token.text)} expecting ${expected}`,
      this.#token,
    );
  }

  #expected(): ReadonlySet<number> {
    return this.#machine.expected(this.#state, this.#context as Invocation);
  }

  #match(part: GrammarPart & { kind: 'token' | 'set' }, node: SyntaxNode): void {
    const types = part.kind === 'token' ? [part.type] : part.types;
    let found = this.#token;
    if (types.includes(found.type)) {
      this.#settle();
      this.#consume();
    } else {
      found = this.#recoverInline();
    }
    if (part.label !== undefined) (node.tokens[part.label] ??= []).push(found);
  }

  #settle(): void {
    this.#isRecovering = false;
    this.#lastErrorStates.clear();
    this.#lastErrorIndex = -1;
  }

  #attempt(): void {
    if (this.#recoveries === RECOVERIES_MAX) {
      this.#tell(`error recovery attempt limit exceeded: ${RECOVERIES_MAX}`, this.#token);
      throw new GivenUp();
    }
    this.#recoveries += 1;
    this.#skipped = 0;
  }

  /** One word too many, or one that is not there. */
  #recoverInline(): Token {
    this.#attempt();
    try {
      const matched = this.#deleteToken();
      if (matched !== undefined) {
        this.#consume();
        return matched;
      }
      const after = this.#state.edges[0]?.to as State;
      const following = this.#machine.expected(after, this.#context as Invocation);
      if (!following.has(this.#token.type)) throw this.#mismatch();
      const expected = this.#expected();
      if (!this.#isRecovering) {
        this.#isRecovering = true;
        const at = quoted(this.#token.text);
        this.#tell(`missing ${listed(expected)} at ${at}`, this.#token);
      }
      const type = Math.min(...expected);
      const place = this.#token.type === EOF && this.#index > 0 ? this.#before : this.#token;
      return { type, text: `<missing ${named(type)}>`, start: place.start, end: place.start };
    } finally {
      this.#skipped = undefined;
    }
  }

  get #before(): Token {
    return this.#words.tokens[this.#index - 1] as Token;
  }

  #deleteToken(): Token | undefined {
    if (!this.#expected().has(this.#typeAt(1))) return undefined;
    this.#unwanted();
    this.#consume();
    const matched = this.#token;
    this.#settle();
    return matched;
  }

  #unwanted(): void {
    if (this.#isRecovering) return;
    this.#isRecovering = true;
    const expected = listed(this.#expected());
    this.#tell(`extraneous input ${quoted(this.#token.text)} expecting ${expected}`, this.#token);
  }

  #recover(): void {
    this.#attempt();
    try {
      if (this.#lastErrorIndex === this.#index && this.#lastErrorStates.has(this.#state))
        this.#consume();
      this.#lastErrorIndex = this.#index;
      this.#lastErrorStates.add(this.#state);
      this.#skipTo(this.#machine.recoverySet(this.#context as Invocation));
    } finally {
      this.#skipped = undefined;
    }
  }

  #skipTo(types: ReadonlySet<number>): void {
    while (this.#token.type !== EOF && !types.has(this.#token.type)) this.#consume();
  }

  /** Before a decision: a word that fits nowhere is told at once. */
  #sync(state: State): void {
    this.#state = state;
    if (this.#isRecovering) return;
    const next = this.#machine.nextOf(state);
    if (this.#machine.mayEnd(next) || next.has(this.#token.type)) return;
    if (state.kind === 'block' || state.kind === 'loop-entry') {
      if (this.#deleteToken() !== undefined) return;
      throw this.#mismatch();
    }
    if (state.kind !== 'loop-back') return;
    this.#unwanted();
    const after = new Set(this.#expected());
    for (const one of this.#machine.recoverySet(this.#context as Invocation)) after.add(one);
    this.#skipTo(after);
  }
}

export interface Syntax {
  readonly tree: SyntaxNode | undefined;
  readonly faults: readonly Fault[];
}

export function readSyntax(source: string): Syntax {
  const words = readWords(source);
  if (words.faults.length === 0) {
    const quick = new Reader(words, true);
    const tree = quick.read();
    if (tree !== undefined) return { tree, faults: [] };
  }
  const reader = new Reader(words, false);
  const tree = reader.read();
  return { tree, faults: reader.faults };
}
