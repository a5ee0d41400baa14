// The words of an expression, by the lexer's half of cel-go's grammar (CEL.g4): the longest match counts, and
// what is no word is told and left out.
export const EOF = -1;

/** As cel-go's grammar numbers them: the order in which what was expected is told. */
export const tokenNames = [
  '<INVALID>',
  "'=='",
  "'!='",
  "'in'",
  "'<'",
  "'<='",
  "'>='",
  "'>'",
  "'&&'",
  "'||'",
  "'['",
  "']'",
  "'{'",
  "'}'",
  "'('",
  "')'",
  "'.'",
  "','",
  "'-'",
  "'!'",
  "'?'",
  "':'",
  "'+'",
  "'*'",
  "'/'",
  "'%'",
  "'true'",
  "'false'",
  "'null'",
  'WHITESPACE',
  'COMMENT',
  'NUM_FLOAT',
  'NUM_INT',
  'NUM_UINT',
  'STRING',
  'BYTES',
  'IDENTIFIER',
  'ESC_IDENTIFIER',
] as const;

/** The number of a word by what it is named: `'=='`, `IDENTIFIER`. */
export function tokenType(name: string): number {
  const found = (tokenNames as readonly string[]).indexOf(name);
  if (found < 0) throw new Error(`no token ${name}`);
  return found;
}

const [WHITESPACE, COMMENT] = ['WHITESPACE', 'COMMENT'].map(tokenType) as [number, number];
const [NUM_FLOAT, NUM_INT, NUM_UINT] = ['NUM_FLOAT', 'NUM_INT', 'NUM_UINT'].map(tokenType) as [
  number,
  number,
  number,
];
const [STRING, BYTES] = ['STRING', 'BYTES'].map(tokenType) as [number, number];
const [IDENTIFIER, ESC_IDENTIFIER] = ['IDENTIFIER', 'ESC_IDENTIFIER'].map(tokenType) as [
  number,
  number,
];

export interface Token {
  readonly type: number;
  readonly text: string;
  /** Places in the text, by UTF-16 units; the end is not part of it. */
  readonly start: number;
  readonly end: number;
}

export interface LexerFault {
  readonly at: number;
  readonly message: string;
}

const ESCAPE =
  '\\\\(?:[abfnrtv"\'\\\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})';
const TEXT = [
  `"""(?:${ESCAPE}|[^\\\\])*?"""`,
  `'''(?:${ESCAPE}|[^\\\\])*?'''`,
  '[rR]"""[^]*?"""',
  "[rR]'''[^]*?'''",
  `"(?:${ESCAPE}|[^\\\\"\\n\\r])*"`,
  `'(?:${ESCAPE}|[^\\\\'\\n\\r])*'`,
  '[rR]"[^"\\n\\r]*"',
  "[rR]'[^'\\n\\r]*'",
].join('|');

const words = new Map(
  tokenNames.flatMap((name, type) =>
    /^'[a-z]+'$/.test(name) ? [[name.slice(1, -1), type] as const] : [],
  ),
);
const signs = new Map(
  tokenNames.flatMap((name, type) =>
    /^'[^a-z]+'$/.test(name) ? [[name.slice(1, -1), type] as const] : [],
  ),
);

const patterns: readonly (readonly [type: number, pattern: RegExp])[] = [
  [WHITESPACE, /[\t \r\n\f]+/y],
  [COMMENT, /\/\/[^\n]*/y],
  [NUM_FLOAT, /\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?/y],
  [NUM_INT, /0x[0-9a-fA-F]+|\d+/y],
  [NUM_UINT, /0x[0-9a-fA-F]+[uU]|\d+[uU]/y],
  [STRING, new RegExp(TEXT, 'uy')],
  [BYTES, new RegExp(`[bB](?:${TEXT})`, 'uy')],
  [IDENTIFIER, /[A-Za-z_][A-Za-z0-9_]*/y],
  [ESC_IDENTIFIER, /`[A-Za-z0-9_./ -]+`/y],
];

const spaces = patterns.filter(([type]) => type === WHITESPACE);
const numbers = patterns.filter(([type]) => [NUM_FLOAT, NUM_INT, NUM_UINT].includes(type));
const plainWords = patterns.filter(([type]) => type === IDENTIFIER);

/** Those that may begin with the letter. */
function patternsFor(letter: string): typeof patterns {
  if (' \t\n\r\f'.includes(letter)) return spaces;
  if (letter >= '0' && letter <= '9') return numbers;
  const isWord = /[A-Za-z_]/.test(letter);
  return isWord && !'rRbB'.includes(letter) ? plainWords : patterns;
}

/** How far a text goes that does not end, up to what cannot be part of it. */
const UNENDED = new RegExp(
  `"(?:${ESCAPE}|[^\\\\"\\n\\r])*|'(?:${ESCAPE}|[^\\\\'\\n\\r])*|\`[A-Za-z0-9_./ -]*|[=&|]`,
  'uy',
);
const HALF_ESCAPE = /\\(?:[xX][0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|[0-3][0-7]?)?/y;

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

function longest(source: string, at: number): Token | undefined {
  let type = 0;
  let text = '';
  for (const length of [2, 1]) {
    const sign = signs.get(source.slice(at, at + length));
    if (sign === undefined || text !== '') continue;
    type = sign;
    text = source.slice(at, at + length);
  }
  // Most signs begin nothing else.
  if (text !== '' && !'./'.includes(source[at] ?? ''))
    return { type, text, start: at, end: at + text.length };
  for (const [one, pattern] of patternsFor(source[at] ?? '')) {
    const found = matchAt(pattern, source, at);
    if (found === undefined || found.length <= text.length) continue;
    type = one === IDENTIFIER ? (words.get(found) ?? one) : one;
    text = found;
  }
  return text === '' ? undefined : { type, text, start: at, end: at + text.length };
}

/** What is told of letters that begin no word: with the one that does not fit, which is left out as well. */
function unknown(source: string, at: number): string {
  let text = matchAt(UNENDED, source, at) ?? '';
  if (/^["']/.test(text)) text += matchAt(HALF_ESCAPE, source, at + text.length) ?? '';
  const next = source.codePointAt(at + text.length);
  return next === undefined ? text : text + String.fromCodePoint(next);
}

export interface Words {
  /** Also what lies between: it is part of what is shown of a place. The last one is the end. */
  readonly all: readonly Token[];
  /** Without what lies between. */
  readonly tokens: readonly Token[];
  readonly faults: readonly LexerFault[];
}

export function readWords(source: string): Words {
  const all: Token[] = [];
  const faults: LexerFault[] = [];
  for (let at = 0; at < source.length;) {
    const token = longest(source, at);
    if (token === undefined) {
      const text = unknown(source, at);
      faults.push({ at, message: `token recognition error at: '${text}'` });
      at += text.length;
      continue;
    }
    all.push(token);
    at = token.end;
  }
  all.push({ type: EOF, text: '<EOF>', start: source.length, end: source.length });
  const tokens = all.filter(({ type }) => type !== WHITESPACE && type !== COMMENT);
  return { all, tokens, faults };
}
