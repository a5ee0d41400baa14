// A grammar as the machine that ANTLR makes of it: which words may follow where, and which way an ambiguous
// beginning goes. Mistakes are told, and skipped, by what it says; texts without mistakes hardly ask it.
import { EOF } from './tokens.ts';

/** A rule's text: words, rules, and what is made of them. `isFar`: one word does not tell which way to go. */
export type Part =
  | { readonly kind: 'token'; readonly type: number; readonly label?: string | undefined }
  | { readonly kind: 'set'; readonly types: readonly number[]; readonly label?: string | undefined }
  | { readonly kind: 'rule'; readonly name: string; readonly precedence: number }
  | { readonly kind: 'sequence'; readonly parts: readonly Part[]; readonly precedence: number }
  | { readonly kind: 'choice'; readonly parts: readonly Part[]; readonly isFar: boolean }
  | { readonly kind: 'optional'; readonly part: Part }
  | { readonly kind: 'star'; readonly part: Part; readonly isFar: boolean }
  | { readonly kind: 'plus'; readonly part: Part; readonly isFar: boolean };

interface Edge {
  readonly to: State;
  readonly types?: ReadonlySet<number>;
  /** A rule that is gone into; `to` is its beginning, `follow` where it comes back. */
  readonly rule?: string;
  readonly follow?: State;
  /** Only where what binds that strongly is allowed. */
  readonly precedence?: number;
}

export interface State {
  readonly id: number;
  readonly kind: 'plain' | 'block' | 'loop-entry' | 'loop-back' | 'rule-stop';
  readonly rule: string;
  readonly edges: Edge[];
}

/** The states of a part at which decisions are made. */
export interface Places {
  readonly from: State;
  readonly entry: State;
  readonly back?: State;
  readonly inner: readonly Places[];
}

/** Where a rule was gone into, from the innermost outwards. */
export interface Invocation {
  readonly rule: string;
  readonly state: State;
  readonly parent: Invocation | undefined;
  readonly precedence: number;
}

const EPSILON = -2;

interface Stack {
  readonly follow: State;
  readonly below: Stack | undefined;
  readonly key: string;
}

interface Config {
  readonly state: State;
  readonly alternative: number;
  readonly stack: Stack | undefined;
  /** The rule of the decision has ended. */
  readonly isOutside: boolean;
}

const configKey = ({ state, alternative, stack }: Config): string =>
  `${state.id}/${alternative}/${stack?.key ?? ''}`;

export class StateMachine {
  readonly rules = new Map<string, { start: State; stop: State; places: Places; part: Part }>();
  readonly #callers = new Map<string, Edge[]>();
  readonly #next = new Map<State, ReadonlySet<number>>();
  #count = 0;

  constructor(grammar: Readonly<Record<string, Part>>) {
    for (const name of Object.keys(grammar)) {
      const [start, stop] = [this.#state('plain', name), this.#state('rule-stop', name)];
      this.rules.set(name, { start, stop, places: undefined as never, part: undefined as never });
    }
    for (const [name, part] of Object.entries(grammar)) {
      const rule = this.rules.get(name) as { start: State; stop: State };
      const { places, end } = this.#build(part, name);
      rule.start.edges.push({ to: places.from });
      end.edges.push({ to: rule.stop });
      this.rules.set(name, { ...rule, places, part });
    }
  }

  #state(kind: State['kind'], rule: string): State {
    this.#count += 1;
    return { id: this.#count, kind, rule, edges: [] };
  }

  /** `tail`: where an alternative or a loop's body ends; a last word or rule leads there at once, as ANTLR has it. */
  #build(part: Part, rule: string, tail?: State): { places: Places; end: State } {
    const plain = (): State => this.#state('plain', rule);
    const joined = (one: Part, to: State): Places => {
      const { places, end } = this.#build(one, rule, to);
      if (end !== to) end.edges.push({ to });
      return places;
    };
    switch (part.kind) {
      case 'token':
      case 'set': {
        const [from, end] = [plain(), tail ?? plain()];
        const types = new Set(part.kind === 'token' ? [part.type] : part.types);
        from.edges.push({ to: end, types });
        return { places: { from, entry: from, inner: [] }, end };
      }
      case 'rule': {
        const [from, end] = [plain(), tail ?? plain()];
        const { start } = this.rules.get(part.name) as { start: State };
        const edge: Edge = { to: start, rule: part.name, follow: end };
        from.edges.push(edge);
        this.#callers.set(part.name, [...(this.#callers.get(part.name) ?? []), edge]);
        return { places: { from, entry: from, inner: [] }, end };
      }
      case 'sequence': {
        const from = plain();
        let end = from;
        if (part.precedence > 0) {
          end = plain();
          from.edges.push({ to: end, precedence: part.precedence });
        }
        const inner: Places[] = [];
        for (const [i, one] of part.parts.entries()) {
          const built = this.#build(one, rule, i === part.parts.length - 1 ? tail : undefined);
          end.edges.push({ to: built.places.from });
          inner.push(built.places);
          end = built.end;
        }
        return { places: { from, entry: from, inner }, end };
      }
      case 'choice':
      case 'optional': {
        const [from, end] = [this.#state('block', rule), plain()];
        const inner: Places[] = [];
        for (const one of part.kind === 'choice' ? part.parts : [part.part]) {
          const places = joined(one, end);
          from.edges.push({ to: places.from });
          inner.push(places);
        }
        if (part.kind === 'optional') from.edges.push({ to: end });
        return { places: { from, entry: from, inner }, end };
      }
      case 'star': {
        const [entry, back] = [this.#state('loop-entry', rule), this.#state('loop-back', rule)];
        const end = plain();
        const places = joined(part.part, back);
        entry.edges.push({ to: places.from }, { to: end });
        back.edges.push({ to: entry });
        return { places: { from: entry, entry, back, inner: [places] }, end };
      }
      case 'plus': {
        const [entry, back] = [this.#state('block', rule), this.#state('loop-back', rule)];
        const end = plain();
        const places = joined(part.part, back);
        entry.edges.push({ to: places.from });
        back.edges.push({ to: entry }, { to: end });
        return { places: { from: entry, entry, back, inner: [places] }, end };
      }
    }
  }

  /** What may come next within the rule; EPSILON is in it where the rule may end. */
  nextOf(state: State): ReadonlySet<number> {
    let known = this.#next.get(state);
    if (known !== undefined) return known;
    const found = new Set<number>();
    this.#look(state, undefined, new Set(), found);
    known = found;
    this.#next.set(state, known);
    return known;
  }

  /** Whether the rule may end there. */
  mayEnd(next: ReadonlySet<number>): boolean {
    return next.has(EPSILON);
  }

  #followOf(invocation: Invocation): State {
    return invocation.state.edges[0]?.follow as State;
  }

  #look(state: State, stack: Stack | undefined, seen: Set<string>, found: Set<number>): void {
    const key = `${state.id}/${stack?.key ?? ''}`;
    if (seen.has(key)) return;
    seen.add(key);
    if (state.kind === 'rule-stop') {
      if (stack === undefined) found.add(EPSILON);
      else this.#look(stack.follow, stack.below, seen, found);
      return;
    }
    for (const edge of state.edges) {
      if (edge.types !== undefined) for (const type of edge.types) found.add(type);
      else this.#look(edge.to, pushed(stack, edge.follow), seen, found);
    }
  }

  /** What is expected at a place, as it is told: without an end but that of the whole. */
  expected(state: State, context: Invocation): ReadonlySet<number> {
    const expected = new Set(this.nextOf(state));
    let mayEnd = expected.delete(EPSILON);
    for (let at: Invocation | undefined = context; mayEnd && at?.parent !== undefined;) {
      const following = this.nextOf(this.#followOf(at));
      for (const one of following) expected.add(one);
      mayEnd = expected.delete(EPSILON);
      at = at.parent;
    }
    if (mayEnd) expected.add(EOF);
    return expected;
  }

  /** What one may go on with after a mistake: all that follows one of the open rules. */
  recoverySet(context: Invocation): ReadonlySet<number> {
    const found = new Set<number>();
    for (let at: Invocation = context; at.parent !== undefined; at = at.parent)
      for (const one of this.nextOf(this.#followOf(at))) found.add(one);
    found.delete(EPSILON);
    return found;
  }

  /**
   * Which way to go at a decision, from 1; or at which word all ways end. Without regard to how one got here,
   * at first; with it where that leaves several ways that are alike.
   */
  predict(
    decision: State,
    context: Invocation,
    typeAt: (ahead: number) => number,
  ): { readonly alternative: number } | { readonly deadAt: number } {
    let configs = this.#starting(decision, undefined, context.precedence);
    for (let ahead = 0; ; ahead += 1) {
      const reached = this.#reach(configs, typeAt(ahead));
      if (reached.length === 0) return finished(configs) ?? { deadAt: ahead };
      const only = onlyAlternative(reached);
      if (only !== undefined) return { alternative: only };
      if (isConflict(reached)) return this.#predictFully(decision, context, typeAt);
      configs = reached;
    }
  }

  #predictFully(
    decision: State,
    context: Invocation,
    typeAt: (ahead: number) => number,
  ): { readonly alternative: number } | { readonly deadAt: number } {
    let stack: Stack | undefined;
    const open: Invocation[] = [];
    for (let at: Invocation | undefined = context; at?.parent !== undefined; at = at.parent)
      open.push(at);
    for (const one of open.toReversed()) stack = pushed(stack, this.#followOf(one));
    let configs = this.#starting(decision, { stack }, context.precedence);
    for (let ahead = 0; ; ahead += 1) {
      const reached = this.#reach(configs, typeAt(ahead), true);
      // Told at the beginning, as ANTLR does.
      if (reached.length === 0) return finished(configs) ?? { deadAt: 0 };
      const only = onlyAlternative(reached);
      if (only !== undefined) return { alternative: only };
      if (isConflict(reached) || typeAt(ahead) === EOF)
        return { alternative: Math.min(...reached.map((one) => one.alternative)) };
      configs = reached;
    }
  }

  #starting(
    decision: State,
    full: { readonly stack: Stack | undefined } | undefined,
    precedence: number,
  ): Config[] {
    const out = new Map<string, Config>();
    for (const [i, { to }] of decision.edges.entries()) {
      const config = { state: to, alternative: i + 1, stack: full?.stack, isOutside: false };
      this.#close(config, { out, isFull: full !== undefined, precedence, depth: full?.stack });
    }
    return [...out.values()].filter(isWaiting);
  }

  #reach(configs: readonly Config[], type: number, isFull = false): Config[] {
    const out = new Map<string, Config>();
    for (const config of configs) {
      for (const { to, types } of config.state.edges) {
        if (types?.has(type) === true)
          this.#close({ ...config, state: to }, { out, isFull, precedence: undefined });
      }
    }
    return [...out.values()].filter(isWaiting);
  }

  #close(config: Config, going: Going): void {
    const key = configKey(config);
    if (going.out.has(key)) return;
    going.out.set(key, config);
    const { state, stack } = config;
    if (state.kind === 'rule-stop') {
      if (stack !== undefined) {
        const isOutside = config.isOutside || stack === going.depth;
        this.#close({ ...config, state: stack.follow, stack: stack.below, isOutside }, going);
      } else if (!going.isFull) {
        for (const { follow } of this.#callers.get(state.rule) ?? [])
          this.#close({ ...config, state: follow as State, isOutside: true }, going);
      }
      return;
    }
    for (const { to, types, follow, precedence } of state.edges) {
      if (types !== undefined) continue;
      const isHere = !config.isOutside && stack === going.depth;
      const isRefused =
        precedence !== undefined &&
        going.precedence !== undefined &&
        isHere &&
        precedence < going.precedence;
      if (!isRefused) this.#close({ ...config, state: to, stack: pushed(stack, follow) }, going);
    }
  }
}

interface Going {
  readonly out: Map<string, Config>;
  readonly isFull: boolean;
  /** How strongly what is read here must bind; undefined once a word was read. */
  readonly precedence: number | undefined;
  /** The stack at the decision. */
  readonly depth?: Stack | undefined;
}

/** For a word, or for nothing any more; all others only lead on. */
const isWaiting = ({ state, stack }: Config): boolean =>
  state.edges.some(({ types }) => types !== undefined) ||
  (state.kind === 'rule-stop' && stack === undefined && state.rule === 'start');

function pushed(below: Stack | undefined, follow: State | undefined): Stack | undefined {
  if (follow === undefined) return below;
  return { follow, below, key: `${follow.id},${below?.key ?? ''}` };
}

/** What can be taken although no way goes on: the rule of the decision has ended before. */
function finished(configs: readonly Config[]): { readonly alternative: number } | undefined {
  const ended = configs.filter(
    ({ isOutside, state, stack }) =>
      isOutside || (state.kind === 'rule-stop' && stack === undefined),
  );
  if (ended.length === 0) return undefined;
  return { alternative: Math.min(...ended.map(({ alternative }) => alternative)) };
}

function onlyAlternative(configs: readonly Config[]): number | undefined {
  const first = configs[0]?.alternative;
  return configs.every(({ alternative }) => alternative === first) ? first : undefined;
}

/** Several ways have come to the same place, and none is alone anywhere. */
function isConflict(configs: readonly Config[]): boolean {
  const byPlace = new Map<string, Set<number>>();
  const byState = new Map<State, Set<number>>();
  for (const { state, stack, alternative } of configs) {
    const key = `${state.id}/${stack?.key ?? ''}`;
    byPlace.set(key, (byPlace.get(key) ?? new Set()).add(alternative));
    byState.set(state, (byState.get(state) ?? new Set()).add(alternative));
  }
  const hasConflict = [...byPlace.values()].some(({ size }) => size > 1);
  return hasConflict && [...byState.values()].every(({ size }) => size > 1);
}
