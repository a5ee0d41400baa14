// `'…'.format([…])`: the clauses of cel-go's string formatting (ext/formatting.go), which writes numbers as they
// are written in English. What is written out is checked before it runs.
import { toDouble, toText } from './conversions.ts';
import { CelFailure, Duration, Timestamp, Uint } from './core-values.ts';
import type { Call, Expr } from './expr.ts';
import type { Fault } from './syntax.ts';
import type { CelType } from './types.ts';
import { typeOfValue } from './values.ts';

/** A number of digits, and what they are of. */
interface Clause {
  readonly verb: string;
  readonly precision: number | undefined;
}

/** What each clause takes, and what is said of anything else. */
const clauses: Readonly<Record<string, readonly [kinds: string, why: string]>> = {
  d: ['int uint', 'decimal clause can only be used on integers, was given '],
  f: ['double', 'fixed-point clause can only be used on doubles, was given '],
  e: ['double', 'scientific clause can only be used on doubles, was given '],
  b: ['int uint bool', 'only integers and bools can be formatted as binary, was given '],
  x: [
    'int uint string bytes',
    'only integers, byte buffers, and strings can be formatted as hex, was given ',
  ],
  o: ['int uint', 'octal clause can only be used on integers, was given '],
  s: [
    'list map int uint double bool string google.protobuf.Timestamp bytes google.protobuf.Duration type null_type',
    'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ',
  ],
};

const DEFAULT_PRECISION = 6;
const PRECISION_MAX = 10_000;

/** Something that is wrong with an argument; told at its place where there is one. */
class Misfit extends CelFailure {
  readonly expr: Expr | undefined;
  constructor(message: string, expr?: Expr) {
    super(message);
    this.expr = expr;
  }
}

function parseClause(text: string, at: number): { readonly clause: Clause; readonly next: number } {
  const fail = (why: string): CelFailure =>
    new CelFailure(`could not parse formatting clause: ${why}`);
  let precision: number | undefined;
  let next = at;
  if (text[next] === '.') {
    const digits = /^\d*/.exec(text.slice(next + 1))?.[0] ?? '';
    next += digits.length + 1;
    if (next >= text.length)
      throw fail('error while parsing precision: could not find end of precision specifier');
    if (digits === '') {
      const why = 'strconv.Atoi: parsing "": invalid syntax';
      throw fail(
        `error while parsing precision: error while converting precision to integer: ${why}`,
      );
    }
    precision = Number(digits);
    if (precision > Number.MAX_SAFE_INTEGER) {
      const why = `strconv.Atoi: parsing "${digits}": value out of range`;
      throw fail(
        `error while parsing precision: error while converting precision to integer: ${why}`,
      );
    }
    // Go takes no more than its last digits into account, in ways that nobody needs.
    precision = Math.min(precision, PRECISION_MAX);
  }
  const verb = text[next] ?? '';
  const known = verb === 'X' ? 'x' : verb;
  if (clauses[known] === undefined) throw fail(`unrecognized formatting clause "${verb}"`);
  return { clause: { verb, precision }, next: next + 1 };
}

/** Calls for each clause with the number of its argument; gives back the text, and how many there were. */
function walk(
  text: string,
  count: number,
  isCheck: boolean,
  write: (clause: Clause, index: number) => string,
): { readonly text: string; readonly used: number } {
  let out = '';
  let used = 0;
  for (let at = 0; at < text.length;) {
    const letter = text[at] as string;
    if (letter !== '%') {
      out += letter;
      at += 1;
    } else if (text[at + 1] === '%') {
      out += '%';
      at += 2;
    } else {
      const isOver = used >= count;
      // A check looks for the argument later.
      if (isOver && !isCheck) throw new CelFailure(`index ${used} out of range`);
      if (at + 1 >= text.length) throw new CelFailure('unexpected end of string');
      if (isOver) throw new CelFailure(`index ${used} out of range`);
      const { clause, next } = parseClause(text, at + 1);
      out += write(clause, used);
      used += 1;
      at = next;
    }
  }
  return { text: out, used };
}

/** As Go's `%q` does. */
function goQuoted(text: string): string {
  const controls = JSON.stringify(text).replaceAll('\u007f', '\\x7f');
  return controls.replaceAll(/(\\\\)|\\u00([01][0-9a-f])/g, (whole, escaped, code) => {
    if (escaped !== undefined) return whole;
    return code === '07' ? '\\a' : code === '0b' ? '\\v' : `\\x${code}`;
  });
}

/** Within lists and maps. */
function inner(value: unknown): string {
  if (typeof value === 'string') return goQuoted(value);
  if (typeof value === 'number') {
    return Number.isFinite(value) ? exactFixed(value, DEFAULT_PRECISION) : goQuoted(toText(value));
  }
  if (value instanceof Uint8Array) return `b${goQuoted(toText(value))}`;
  if (value instanceof Timestamp) return `timestamp(${goQuoted(toText(value))})`;
  if (value instanceof Duration) return `duration(${goQuoted(toText(value))})`;
  if (!(clauses['s'] as readonly [string, string])[0].split(' ').includes(typeOfValue(value).name))
    throw new CelFailure(`no formatting function for ${typeOfValue(value).name}`);
  return plain(value);
}

function keyText(key: unknown): string {
  const type = typeOfValue(key).name;
  if (['string', 'bool', 'int', 'uint'].includes(type)) return inner(key);
  throw new CelFailure(`no formatting function for map key of type ${type}`);
}

function bytesText(value: Uint8Array): string {
  try {
    return toText(value);
  } catch (error) {
    if (!(error instanceof CelFailure)) throw error;
    const why = `could not convert argument ${goQuoted(error.message)} to string`;
    throw new CelFailure(why, { cause: error });
  }
}

function plain(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${value.map(inner).join(', ')}]`;
  if (value instanceof Uint8Array) return bytesText(value);
  if (!(value instanceof Map)) return toText(value);
  const entries = [...value].map(([key, one]) => [keyText(key), inner(one)] as const);
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${sorted.map(([key, one]) => `${key}:${one}`).join(', ')}}`;
}

const wholeOf = (value: unknown): bigint =>
  value instanceof Uint ? value.value : (value as bigint);

const grouped = (digits: string): string => digits.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',');

const special = (value: number): string | undefined =>
  Number.isFinite(value) ? undefined : Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '-∞';

/** `12,345.60` */
function fixedText(value: number, precision: number): string {
  const found = special(value);
  if (found !== undefined) return found;
  const [whole = '', fraction] = exactFixed(value, precision).split('.');
  return grouped(whole) + (fraction === undefined ? '' : `.${fraction}`);
}

const bits = new DataView(new ArrayBuffer(8));

/** What a double is exactly: a whole number times a power of two. */
function exactly(value: number): { readonly whole: bigint; readonly power: number } {
  bits.setFloat64(0, Math.abs(value));
  const raw = bits.getBigUint64(0);
  const exponent = Number(raw >> 52n);
  const fraction = raw & ((1n << 52n) - 1n);
  return exponent === 0
    ? { whole: fraction, power: -1074 }
    : { whole: fraction | (1n << 52n), power: exponent - 1075 };
}

/** Divided, and rounded to the nearest; of two that are as near, the even one. */
function rounded(value: bigint, by: bigint): bigint {
  const [whole, rest] = [value / by, (value % by) * 2n];
  return rest > by || (rest === by && whole % 2n === 1n) ? whole + 1n : whole;
}

/** As Go rounds; JavaScript takes the larger of two that are as near. */
function exactFixed(value: number, precision: number): string {
  const { whole, power } = exactly(value);
  const scaled = whole * 10n ** BigInt(precision);
  const digits = power >= 0 ? scaled << BigInt(power) : rounded(scaled, 1n << BigInt(-power));
  const text = String(digits).padStart(precision + 1, '0');
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const cut = text.length - precision;
  return `${sign}${text.slice(0, cut)}${precision === 0 ? '' : `.${text.slice(cut)}`}`;
}

/** A digit, a point, and the others, rounded as Go does. */
function inPowers(value: number): { readonly digits: string; readonly power: number } {
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (value === 0) return { digits: `${sign}0.${'0'.repeat(DEFAULT_PRECISION)}`, power: 0 };
  let power = Number(value.toExponential().split('e')[1]);
  const { whole, power: binary } = exactly(value);
  const shift = DEFAULT_PRECISION - power;
  const above = whole * 10n ** BigInt(Math.max(0, shift)) * 2n ** BigInt(Math.max(0, binary));
  const below = 10n ** BigInt(Math.max(0, -shift)) * 2n ** BigInt(Math.max(0, -binary));
  let text = String(rounded(above, below));
  if (text.length > DEFAULT_PRECISION + 1) {
    text = text.slice(0, -1);
    power += 1;
  }
  return { digits: `${sign}${text[0]}.${text.slice(1)}`, power };
}

const powers: Readonly<Record<string, string>> = {
  '-': '⁻',
  '0': '⁰',
  '1': '¹',
  '2': '²',
  '3': '³',
  '4': '⁴',
  '5': '⁵',
  '6': '⁶',
  '7': '⁷',
  '8': '⁸',
  '9': '⁹',
};

/** `1.234500×10⁰³`; what is asked for as precision is taken for a width. */
function scientificText(value: number, width: number): string {
  const found = special(value);
  if (found !== undefined) return found.padStart(width);
  const { digits, power } = inPowers(value);
  const signed = `${power < 0 ? '-' : ''}${String(Math.abs(power)).padStart(2, '0')}`;
  return `${digits}×10${[...signed].map((one) => powers[one]).join('')}`.padStart(width);
}

function hexText(value: unknown): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return wholeOf(value).toString(16);
}

const INFINITE = ['NaN', 'Infinity', '-Infinity'];

function written({ verb, precision = DEFAULT_PRECISION }: Clause, value: unknown): string {
  const [kinds, why] = clauses[verb === 'X' ? 'x' : verb] as readonly [string, string];
  const type = typeOfValue(value).name;
  const isReal = verb === 'f' || verb === 'e';
  const isSpecial = isReal && INFINITE.includes(value as string);
  if (!kinds.split(' ').includes(type) && !isSpecial) throw new CelFailure(why + type);
  switch (verb) {
    case 's':
      return plain(value);
    case 'd':
      return String(wholeOf(value));
    case 'f':
      return fixedText(toDouble(value), precision);
    case 'e':
      return scientificText(toDouble(value), precision);
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : wholeOf(value).toString(2);
    case 'o':
      return wholeOf(value).toString(8);
    default:
      return verb === 'X' ? hexText(value).toUpperCase() : hexText(value);
  }
}

/** Throws CelFailure when a clause has no argument, or does not fit it. */
export function formatText(text: string, args: readonly unknown[]): string {
  return walk(text, args.length, false, (clause, index) => {
    try {
      return written(clause, args[index]);
    } catch (error) {
      if (!(error instanceof CelFailure)) throw error;
      throw new CelFailure(`error during formatting: ${error.message}`, { cause: error });
    }
  }).text;
}

const typeOf = (expr: Expr): CelType => expr.type as CelType;

/** The part of it that has no text of its own. */
function unwritable(expr: Expr, kinds: readonly string[]): Expr | undefined {
  const { kind, name } = typeOf(expr);
  if (kind !== 'dyn' && !kinds.includes(name)) return expr;
  const parts =
    expr.kind === 'list'
      ? expr.items
      : expr.kind === 'map'
        ? expr.entries.flatMap(({ key, value }) => [key, value])
        : [];
  for (const one of parts) {
    const found = unwritable(one, kinds);
    if (found !== undefined) return found;
  }
  return undefined;
}

function checkArgument({ verb }: Clause, arg: Expr): string {
  const [kinds, why] = clauses[verb === 'X' ? 'x' : verb] as readonly [string, string];
  const fitting = kinds.split(' ');
  const all = verb === 'f' || verb === 'e' ? [...fitting, 'string'] : fitting;
  const isPlain = typeOf(arg).kind === 'dyn' || all.includes(typeOf(arg).name);
  const wrong = verb === 's' ? unwritable(arg, all) : isPlain ? undefined : arg;
  if (wrong === undefined) return '';
  throw new Misfit(`error during formatting: ${why}${typeOf(wrong).name}`, wrong);
}

/** What is wrong with a text that is written out, for arguments that are. */
export function formatFault(call: Call): Fault | undefined {
  const [args] = call.args;
  const { target } = call;
  if (target?.kind !== 'literal' || typeof target.value !== 'string' || args?.kind !== 'list')
    return undefined;
  const { items } = args;
  try {
    const { used } = walk(target.value, items.length, true, (clause, index) =>
      checkArgument(clause, items[index] as Expr),
    );
    if (items.length <= used) return undefined;
    const why = `(expected ${used}, got ${items.length})`;
    return { at: call.at, message: `too many arguments supplied to string.format ${why}` };
  } catch (error) {
    if (!(error instanceof CelFailure)) throw error;
    const at = error instanceof Misfit ? error.expr?.at : undefined;
    return { at: at ?? call.at, message: error.message };
  }
}
