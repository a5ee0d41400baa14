// Regular expressions of clients, written for Go's RE2, as those of this platform.
import { CelFailure } from './core-values.ts';

const classes: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** Flags as this platform has them: `U`, which changes what is found and not whether, is none of them. */
function modifiers(on: string, off: string | undefined): string {
  const known = (flags: string): string => flags.replaceAll(/[^ims]/g, '');
  const without = known(off ?? '');
  return without === '' ? `(?${known(on)}:` : `(?${known(on)}-${without}:`;
}

const FLAGS = /\(\?([imsU]*)(?:-([imsU]+))?([:)])/y;
/** What is copied as it is: an escape, or a class whose first bracket may close nothing. */
const OPAQUE = /\\[\s\S]|\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\]\\])*\]/y;

/**
 * `(?i)` holds until its group ends, in each of the alternatives that follow; here flags have groups of their own:
 * `(a(?i)b|c)` is `(a(?i:b)|(?i:c))`. A bracket that a class begins with is escaped.
 */
function withLocalFlags(pattern: string): string {
  let out = '';
  /** Of each open group the flags that hold to its end. */
  const groups: string[][] = [[]];
  for (let at = 0; at < pattern.length;) {
    OPAQUE.lastIndex = at;
    FLAGS.lastIndex = at;
    const opaque = OPAQUE.exec(pattern)?.[0];
    const flags = opaque === undefined ? FLAGS.exec(pattern) : null;
    const held = groups.at(-1) ?? [];
    // Here a class that begins with a bracket is empty.
    if (opaque !== undefined) out += opaque.replace(/^\[(\^?)\]/, '[$1\\]');
    else if (flags !== null) {
      const opening = modifiers(flags[1] ?? '', flags[2]);
      out += opening;
      if (flags[3] === ')') held.push(opening);
      else groups.push([]);
    } else {
      const letter = pattern[at] ?? '';
      if (letter === '|') out += `${')'.repeat(held.length)}|${held.join('')}`;
      else if (letter === ')') out += `${')'.repeat(held.length)})`;
      else out += letter;
      if (letter === '(') groups.push([]);
      if (letter === ')' && groups.length > 1) groups.pop();
    }
    at += opaque?.length ?? flags?.[0].length ?? 1;
  }
  return out + ')'.repeat(groups.at(-1)?.length ?? 0);
}

function translate(pattern: string): { source: string; flags: string } {
  let source = pattern;
  let flags = '';
  const head = /^\(\?([imsU]+)\)/.exec(source);
  if (head !== null) {
    source = source.slice(head[0].length);
    for (const flag of head[1] ?? '') if ('ims'.includes(flag)) flags += flag;
  }
  source = withLocalFlags(source)
    .replaceAll(/\(\?P</g, '(?<')
    .replaceAll(/\[:(\^?)(\w+):\]/g, (whole, negated: string, name: string) =>
      negated === '' && classes[name] !== undefined ? classes[name] : whole,
    )
    .replaceAll(/\\([\s\S])/g, (whole, letter: string) =>
      letter === 'A' ? '^' : letter === 'z' ? '$' : letter === 'a' ? '\\x07' : whole,
    )
    .replaceAll(/\\x\{([0-9a-fA-F]+)\}/g, (_whole, code: string) => `\\u{${code}}`)
    .replaceAll(/\\p([A-Z])/g, (_whole, name: string) => `\\p{${name}}`)
    .replaceAll(/\\P([A-Z])/g, (_whole, name: string) => `\\P{${name}}`);
  return { source, flags };
}

/** Why it is no pattern, in the words of Go's regexp/syntax. */
function reasonOf(message: string, pattern: string): string {
  const quoted = (text: string): string => `\`${text}\``;
  const last = (sign: RegExp): string => sign.exec(pattern)?.[0] ?? pattern;
  if (/Unterminated group/.test(message)) return `missing closing ): ${quoted(pattern)}`;
  if (/Unmatched '\)'/.test(message)) return `unexpected ): ${quoted(pattern)}`;
  if (/Unterminated character class/.test(message)) {
    return `missing closing ]: ${quoted(pattern.slice(pattern.lastIndexOf('[')))}`;
  }
  if (/Nothing to repeat/.test(message)) {
    return `missing argument to repetition operator: ${quoted(last(/[*+?]/))}`;
  }
  if (/at end of pattern/.test(message)) return 'trailing backslash at end of expression: ``';
  if (/out of order in character class/.test(message)) {
    return `invalid character class range: ${quoted(last(/(?:\\?.)-(?:\\?.)(?=[^[]*\])/))}`;
  }
  if (/out of order in \{\}/.test(message)) {
    return `invalid repeat count: ${quoted(last(/\{\d+,\d+\}/))}`;
  }
  return message.replace(/^Invalid regular expression: /, '');
}

const CACHE_MAX = 1_000;
const compiled = new Map<string, RegExp>();

/** Look-around and references back are not in RE2, and would make matching slow. */
const unsupported = /(^|[^\\])\(\?(<?[=!])|(^|[^\\])\\[1-9]/;

/** Throws CelFailure for what is no pattern. */
export function goRegExp(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const look = unsupported.exec(pattern);
  if (look !== null) {
    const what = look[0].replace(/^[^(\\]/, '');
    const why = what.startsWith('(')
      ? `invalid or unsupported Perl syntax: \`${what}\``
      : `invalid escape sequence: \`${what}\``;
    throw new CelFailure(`error parsing regexp: ${why}`);
  }
  const { source, flags } = translate(pattern);
  let found: RegExp;
  try {
    found = new RegExp(source, `${flags}u`);
  } catch {
    try {
      // Escapes of ordinary characters are refused in Unicode mode only.
      found = new RegExp(source, flags);
    } catch (error) {
      const why = reasonOf((error as Error).message, pattern);
      throw new CelFailure(`error parsing regexp: ${why}`, { cause: error });
    }
  }
  if (compiled.size >= CACHE_MAX) compiled.clear();
  compiled.set(pattern, found);
  return found;
}
