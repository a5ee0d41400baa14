// What Kubernetes' CEL knows of texts beyond the language itself: the extension of cel-go (ext/strings.go, version 2)
// and regular expressions.
import { CelFailure } from './core-values.ts';
import type { Environment } from './environment.ts';
import { formatText } from './format-text.ts';
import { goRegExp } from './go-regexp.ts';
import { shownValue } from './operators.ts';

const SURROGATE = /[\ud800-\udfff]/;

/** By letters: those beyond the basic plane are one each. */
const lettersOf = (text: string): string | string[] => (SURROGATE.test(text) ? [...text] : text);

function part(letters: string | string[], start: number, end?: number): string {
  const found = letters.slice(start, end);
  return typeof found === 'string' ? found : found.join('');
}

const outOfRange = (at: bigint): CelFailure => new CelFailure(`index out of range: ${at}`);

function charAt(text: string, at: bigint): string {
  const letters = lettersOf(text);
  if (at < 0n || at > BigInt(letters.length)) throw outOfRange(at);
  return letters[Number(at)] ?? '';
}

function substring(text: string, start: bigint, end?: bigint): string {
  const letters = lettersOf(text);
  const size = BigInt(letters.length);
  if (end !== undefined && start > end)
    throw new CelFailure(`invalid substring range. start: ${start}, end: ${end}`);
  if (start < 0n || start > size) throw outOfRange(start);
  if (end !== undefined && (end < 0n || end > size)) throw outOfRange(end);
  return part(letters, Number(start), end === undefined ? undefined : Number(end));
}

/** `reach` gives where to look, and is asked for the sizes of both. */
function place(
  text: string,
  wanted: string,
  offset: bigint,
  find: (letters: string | string[], wanted: string | string[]) => number,
): bigint {
  if (offset < 0n) throw outOfRange(offset);
  const letters = lettersOf(text);
  const size = BigInt(letters.length);
  if (wanted === '') return offset > size ? size : offset;
  if (offset >= size) return -1n;
  return BigInt(find(letters, lettersOf(wanted)));
}

function matchesAt(letters: string | string[], wanted: string | string[], at: number): boolean {
  for (let i = 0; i < wanted.length; i += 1) if (letters[at + i] !== wanted[i]) return false;
  return true;
}

function indexOf(text: string, wanted: string, offset: bigint): bigint {
  return place(text, wanted, offset, (letters, own) => {
    if (typeof letters === 'string' && typeof own === 'string')
      return letters.indexOf(own, Number(offset));
    for (let at = Number(offset); at <= letters.length - own.length; at += 1)
      if (matchesAt(letters, own, at)) return at;
    return -1;
  });
}

function lastIndexOf(text: string, wanted: string, offset: bigint): bigint {
  return place(text, wanted, offset, (letters, own) => {
    for (let at = Math.min(Number(offset), letters.length - own.length); at >= 0; at -= 1)
      if (matchesAt(letters, own, at)) return at;
    return -1;
  });
}

function replace(text: string, old: string, next: string, most: number): string {
  if (most < 0) return text.replaceAll(old, () => next);
  let count = 0;
  return text.replaceAll(old, (found) => (count++ < most ? next : found));
}

/** With `most` the last part is what is left; none of nothing. */
function split(text: string, separator: string, most = -1): string[] {
  if (most === 0) return [];
  const all = separator === '' ? [...text] : text.split(separator);
  if (most < 0 || all.length <= most) return all;
  const rest = all.slice(most - 1).join(separator);
  return [...all.slice(0, most - 1), rest];
}

function join(list: readonly unknown[], separator = ''): string {
  const wrong = list.findIndex((one) => typeof one !== 'string');
  if (wrong >= 0) throw new CelFailure(`join: invalid input: ${shownValue(list[wrong])}`);
  return list.join(separator);
}

/** What Go takes for space. */
const SPACE =
  '[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const SPACES = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');

const escapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

const quote = (text: string): string => `"${[...text].map((one) => escapes[one] ?? one).join('')}"`;

function illegal<T>(search: () => T): T {
  try {
    return search();
  } catch (error) {
    if (!(error instanceof CelFailure)) throw error;
    throw new CelFailure(`Illegal regex: ${error.message}`, { cause: error });
  }
}

function findAll(text: string, pattern: string, most: number): string[] {
  const expression = illegal(() => goRegExp(pattern));
  const all = new RegExp(expression, `${expression.flags}g`);
  const found: string[] = [];
  for (const [one] of text.matchAll(all)) {
    if (most >= 0 && found.length >= most) break;
    found.push(one);
  }
  return found;
}

export function registerStrings(env: Environment): void {
  env.method('string.charAt(int): string', charAt);
  env.method('string.indexOf(string): int', (text: string, wanted: string) =>
    indexOf(text, wanted, 0n),
  );
  env.method('string.indexOf(string, int): int', indexOf);
  env.method('string.lastIndexOf(string): int', (text: string, wanted: string) => {
    const size = BigInt(lettersOf(text).length);
    if (wanted === '') return size;
    return Buffer.byteLength(text) < Buffer.byteLength(wanted)
      ? -1n
      : lastIndexOf(text, wanted, size - 1n);
  });
  env.method('string.lastIndexOf(string, int): int', lastIndexOf);
  env.method('string.lowerAscii(): string', (text: string) =>
    text.replaceAll(/[A-Z]+/g, (one) => one.toLowerCase()),
  );
  env.method('string.upperAscii(): string', (text: string) =>
    text.replaceAll(/[a-z]+/g, (one) => one.toUpperCase()),
  );
  env.method('string.replace(string, string): string', (text: string, old: string, next: string) =>
    replace(text, old, next, -1),
  );
  env.method(
    'string.replace(string, string, int): string',
    (text: string, old: string, next: string, most: bigint) =>
      replace(text, old, next, Number(most)),
  );
  env.method('string.split(string): list(string)', (text: string, separator: string) =>
    split(text, separator),
  );
  env.method(
    'string.split(string, int): list(string)',
    (text: string, separator: string, most: bigint) => split(text, separator, Number(most)),
  );
  env.method('string.substring(int): string', substring);
  env.method('string.substring(int, int): string', substring);
  env.method('string.trim(): string', (text: string) => text.replaceAll(SPACES, ''));
  env.method('list(string).join(): string', join);
  env.method('list(string).join(string): string', join);
  env.func('strings.quote(string): string', quote);
  env.method('string.format(list(dyn)): string', formatText);
  env.method('string.find(string): string', (text: string, pattern: string) => {
    return illegal(() => goRegExp(pattern)).exec(text)?.[0] ?? '';
  });
  env.method('string.findAll(string): list(string)', (text: string, pattern: string) =>
    findAll(text, pattern, -1),
  );
  env.method(
    'string.findAll(string, int): list(string)',
    (text: string, pattern: string, most: bigint) => findAll(text, pattern, Number(most)),
  );
}
