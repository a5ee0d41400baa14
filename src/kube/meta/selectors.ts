// Label and field selectors: parsing with upstream's grammar and words (apimachinery v0.37), matching.
import { isMet } from './requirements.ts';
import { labelValueProblem, qualifiedNameProblems } from './names.ts';
import { badRequest } from './status.ts';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values: readonly string[];
}

export type LabelSelector = readonly LabelRequirement[];

type TokenKind = 'identifier' | 'end' | 'error' | '!' | '(' | ')' | ',' | Operator;
type Operator = 'in' | 'notin' | '=' | '==' | '!=' | '>' | '<';

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const operators: Readonly<Record<Operator, LabelRequirement['operator']>> = {
  in: 'In',
  notin: 'NotIn',
  '=': 'In',
  '==': 'In',
  '!=': 'NotIn',
  '>': 'Gt',
  '<': 'Lt',
};
const operatorWords = 'in, notin, =, ==, !=, gt, lt';

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^=!(),<> \t\r\n]+))/gy;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [, symbol, word = ''] = match;
    if (symbol !== undefined) tokens.push({ kind: symbol as TokenKind, text: symbol });
    else if (word === 'in' || word === 'notin') tokens.push({ kind: word, text: word });
    else tokens.push({ kind: 'identifier', text: word });
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  /** Where a value or a key is wanted, `in` and `notin` are only words. */
  #peek(isValue = true): Token {
    const token = this.#tokens[this.#at] ?? { kind: 'end', text: '' };
    const isWord = token.kind === 'in' || token.kind === 'notin';
    return isWord && isValue ? { kind: 'identifier', text: token.text } : token;
  }

  #next(isValue = true): Token {
    const token = this.#peek(isValue);
    this.#at += 1;
    return token;
  }

  parse(): LabelSelector {
    const found: LabelRequirement[] = [];
    for (;;) {
      const { kind, text } = this.#peek();
      if (kind === 'end') return found;
      if (kind !== 'identifier' && kind !== '!') {
        throw badRequest(`found '${text}', expected: !, identifier, or 'end of string'`);
      }
      found.push(this.#requirement());
      const after = this.#next();
      if (after.kind === 'end') return found;
      if (after.kind !== ',') {
        throw badRequest(`found '${after.text}', expected: ',' or 'end of string'`);
      }
      const following = this.#peek();
      if (following.kind !== 'identifier' && following.kind !== '!') {
        throw badRequest(`found '${following.text}', expected: identifier after ','`);
      }
    }
  }

  #fail(why: string): never {
    throw badRequest(`unable to parse requirement: ${why}`);
  }

  #requirement(): LabelRequirement {
    let token = this.#next();
    const isNegated = token.kind === '!';
    if (isNegated) token = this.#next();
    if (token.kind !== 'identifier') this.#fail(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const wrong = qualifiedNameProblems(key).join('; ');
    if (wrong !== '') {
      this.#fail(`<nil>: Invalid value: ${JSON.stringify(key)}: ${wrong}`);
    }
    const { kind } = this.#peek();
    if (isNegated || kind === 'end' || kind === ',') {
      return { key, operator: isNegated ? 'DoesNotExist' : 'Exists', values: [] };
    }
    const sign = this.#operator();
    const values = sign === 'in' || sign === 'notin' ? this.#values() : [this.#exactValue()];
    this.#checkValues(key, sign, values);
    return { key, operator: operators[sign], values };
  }

  #operator(): Operator {
    const { kind, text } = this.#next(false);
    if (kind in operators) return kind as Operator;
    return this.#fail(`found '${text}', expected: ${operatorWords}`);
  }

  #exactValue(): string {
    const { kind } = this.#peek();
    if (kind === 'end' || kind === ',') return '';
    const token = this.#next();
    if (token.kind === 'identifier') return token.text;
    return this.#fail(`found '${token.text}', expected: identifier`);
  }

  #values(): string[] {
    const open = this.#next();
    if (open.kind !== '(') this.#fail(`found '${open.text}' expected: '('`);
    const first = this.#peek();
    if (first.kind === ')') {
      this.#next();
      return [''];
    }
    if (first.kind !== 'identifier' && first.kind !== ',') {
      this.#fail(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const found = new Set<string>();
    for (;;) {
      const { kind, text } = this.#next();
      if (kind === 'identifier') {
        found.add(text);
        const after = this.#peek();
        if (after.kind === ')') break;
        if (after.kind !== ',') this.#fail(`found '${after.text}', expected: ',' or ')'`);
      } else if (kind === ',') {
        if (found.size === 0) found.add('');
        const after = this.#peek().kind;
        if (after === ')' || after === ',') found.add('');
        if (after === ')') break;
      } else this.#fail(`found '${text}', expected: ',', or identifier`);
    }
    this.#next();
    return [...found].toSorted();
  }

  #checkValues(key: string, sign: Operator, values: readonly string[]): void {
    values.forEach((value, i) => {
      const isOrder = sign === '>' || sign === '<';
      if (isOrder && !/^[+-]?\d+$/.test(value)) {
        const why = "for 'Gt', 'Lt' operators, the value must be an integer";
        this.#fail(`values[${i}]: Invalid value: ${JSON.stringify(value)}: ${why}`);
      }
      const wrong = labelValueProblem(value);
      if (wrong !== undefined) {
        this.#fail(`values[${i}][${key}]: Invalid value: ${JSON.stringify(value)}: ${wrong}`);
      }
    });
  }
}

/** Throws ApiError 400. */
export function parseLabelSelector(text: string): LabelSelector {
  return new Parser(text).parse();
}

export function matchesLabels(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return selector.every((requirement) => {
    const { key } = requirement;
    const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
    return isMet(requirement, value);
  });
}

export interface LabelSelectorObject {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    key: string;
    operator: string;
    values?: readonly string[];
  }[];
}

/** A LabelSelector object of an API type; an absent one matches nothing, an empty one everything. */
export function labelSelectorFromObject(
  selector: LabelSelectorObject | undefined,
): LabelSelector | undefined {
  if (selector === undefined) return undefined;
  const labels = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: 'In', values: [value] }),
  );
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values }): LabelRequirement => ({
      key,
      operator: operator as LabelRequirement['operator'],
      values: values ?? [],
    }),
  );
  return [...labels, ...expressions];
}

export function formatLabelSelector(selector: LabelSelector): string {
  return selector
    .map(({ key, operator, values }) => {
      if (operator === 'In' && values.length === 1) return `${key}=${values[0]}`;
      if (operator === 'In') return `${key} in (${values.join(',')})`;
      if (operator === 'NotIn') return `${key} notin (${values.join(',')})`;
      if (operator === 'Exists') return key;
      return operator === 'DoesNotExist'
        ? `!${key}`
        : `${key}${operator === 'Gt' ? '>' : '<'}${values[0]}`;
    })
    .join(',');
}

export interface FieldRequirement {
  readonly path: string;
  readonly value: string;
  readonly isEqual: boolean;
}

/** Parts between commas, but for those after a backslash. */
function termsOf(text: string): string[] {
  const found = text.match(/(?:\\[^]|[^,\\]|\\$)+/g) ?? [];
  return [...found].toSorted((a, b) => (a < b ? -1 : Number(a > b)));
}

/** Backslashes stand before commas, signs of equality and themselves; throws ApiError 400. */
function unescaped(text: string): string {
  let value = '';
  const characters = [...text];
  for (let at = 0; at < characters.length; at++) {
    const one = characters[at] ?? '';
    if (one === ',' || one === '=') {
      const code = one.codePointAt(0) ?? 0;
      throw badRequest(`invalid field selector: unescaped character in value: ${code}`);
    }
    if (one !== '\\') {
      value += one;
      continue;
    }
    at += 1;
    const next = characters[at] ?? '';
    if (next === '' || !'\\,='.includes(next)) {
      throw badRequest(`invalid field selector: invalid escape sequence: \\${next}`);
    }
    value += next;
  }
  return value;
}

/** In the order of their texts, as upstream looks at them; throws ApiError 400. */
export function parseFieldTerms(text: string): FieldRequirement[] {
  return termsOf(text).map((part) => {
    const match = /^([^]*?)(!=|==|=)([^]*)$/.exec(part);
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`);
    const [, path = '', sign, value = ''] = match;
    return { path, value: unescaped(value), isEqual: sign !== '!=' };
  });
}

/** Throws ApiError 400 for fields that cannot be selected by. */
export function parseFieldSelector(
  text: string,
  allowed: readonly string[],
  refusal = (path: string): string => `field label not supported: ${path}`,
  hasNamespace = true,
): FieldRequirement[] {
  // What names no field and no value asks for nothing.
  const terms = parseFieldTerms(text).filter(({ path, value }) => path !== '' || value !== '');
  const known = ['metadata.name', ...(hasNamespace ? ['metadata.namespace'] : []), ...allowed];
  const unknown = terms.find(({ path }) => !known.includes(path))?.path;
  if (unknown === undefined) return terms;
  const names = 'only "metadata.name", "metadata.namespace"';
  const plain = `"${unknown}" is not a known field selector: ${names}`;
  throw badRequest(allowed.length === 0 ? plain : refusal(unknown));
}

/** Who reported an event, by the field of the old kind or else by that of the new one. */
function sourceOf(object: unknown): string {
  const { source, reportingComponent } = (object ?? {}) as {
    source?: { component?: string };
    reportingComponent?: string;
  };
  return source?.component || reportingComponent || '';
}

export function fieldValue(object: unknown, path: string): string {
  if (path === 'source') return sourceOf(object);
  let value: unknown = object;
  for (const part of path.split('.')) {
    value = (value as Record<string, unknown> | undefined | null)?.[part];
    if (value === undefined || value === null) break;
  }
  // Booleans and numbers are selected by their text; what is absent by the empty one.
  if (value === undefined || value === null)
    return path === 'spec.unschedulable' || path === 'spec.hostNetwork' ? 'false' : '';
  return typeof value === 'object' ? '' : String(value);
}

export function matchesFields(selector: readonly FieldRequirement[], object: unknown): boolean {
  return selector.every(
    ({ path, value, isEqual }) => (fieldValue(object, path) === value) === isEqual,
  );
}
