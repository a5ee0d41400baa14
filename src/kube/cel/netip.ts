// Reads IP addresses as Go's net/netip does, with its words for what is none.

/** Why a text is no address, in Go's words. */
export class AddressFault extends Error {}

export interface ParsedAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly zone: string;
}

const quoted = (text: string): string => JSON.stringify(text);

function fault(text: string, why: string, at = ''): AddressFault {
  const place = at === '' ? '' : ` (at ${quoted(at)})`;
  return new AddressFault(`ParseAddr(${quoted(text)}): ${why}${place}`);
}

const isDigit = (letter: string): boolean => letter >= '0' && letter <= '9';

/** `whole` is for messages. */
function fields4(whole: string, text: string): bigint {
  const fields: number[] = [];
  let value = 0;
  let digits = 0;
  for (let i = 0; i < text.length; i += 1) {
    const letter = text[i] as string;
    if (isDigit(letter)) {
      if (digits === 1 && value === 0) throw fault(whole, 'IPv4 field has octet with leading zero');
      value = value * 10 + Number(letter);
      digits += 1;
      if (value > 255) throw fault(whole, 'IPv4 field has value >255');
    } else if (letter === '.') {
      if (i === 0 || i === text.length - 1 || text[i - 1] === '.')
        throw fault(whole, 'IPv4 field must have at least one digit', text.slice(i));
      if (fields.length === 3) throw fault(whole, 'IPv4 address too long');
      fields.push(value);
      value = 0;
      digits = 0;
    } else throw fault(whole, 'unexpected character', text.slice(i));
  }
  if (fields.length < 3) throw fault(whole, 'IPv4 address too short');
  return [...fields, value].reduce((sum, one) => (sum << 8n) | BigInt(one), 0n);
}

/** The next group of hex digits. */
function group6(whole: string, rest: string): string {
  const digits = /^[0-9a-fA-F]*/.exec(rest)?.[0] ?? '';
  if (digits.length > 4) throw fault(whole, 'each group must have 4 or less digits', rest);
  if (digits === '')
    throw fault(whole, 'each colon-separated field must have at least one digit', rest);
  return digits;
}

/** What follows a group: the colon, and perhaps a second one. */
function afterGroup(whole: string, rest: string): string {
  if (rest[0] !== ':') throw fault(whole, 'unexpected character, want colon', rest);
  if (rest.length === 1) throw fault(whole, 'colon must be followed by more characters', rest);
  return rest.slice(1);
}

function parse6(whole: string): ParsedAddress {
  const percent = whole.indexOf('%');
  const zone = percent < 0 ? '' : whole.slice(percent + 1);
  if (percent >= 0 && zone === '') throw fault(whole, 'zone must be a non-empty string');
  let rest = percent < 0 ? whole : whole.slice(0, percent);
  const groups: number[] = [];
  let gap = -1;
  if (rest.startsWith('::')) {
    gap = 0;
    rest = rest.slice(2);
    if (rest === '') return { family: 6, value: 0n, zone };
  }
  while (groups.length < 8) {
    const digits = group6(whole, rest);
    if (rest[digits.length] === '.') {
      if (gap < 0 && groups.length !== 6) {
        const why = 'embedded IPv4 address must replace the final 2 fields of the address';
        throw fault(whole, why, rest);
      }
      if (groups.length > 6) {
        const why = 'too many hex fields to fit an embedded IPv4 at the end of the address';
        throw fault(whole, why, rest);
      }
      const tail = Number(fields4(whole, rest));
      groups.push(Math.floor(tail / 0x1_00_00), tail % 0x1_00_00);
      rest = '';
      break;
    }
    groups.push(Number.parseInt(digits, 16));
    rest = rest.slice(digits.length);
    if (rest === '') break;
    rest = afterGroup(whole, rest);
    if (rest[0] === ':') {
      if (gap >= 0) throw fault(whole, 'multiple :: in address', rest);
      gap = groups.length;
      rest = rest.slice(1);
      if (rest === '') break;
    }
  }
  if (rest !== '') throw fault(whole, 'trailing garbage after address', rest);
  if (groups.length < 8) {
    if (gap < 0) throw fault(whole, 'address string too short');
    groups.splice(gap, 0, ...Array.from({ length: 8 - groups.length }, () => 0));
  } else if (gap >= 0) {
    throw fault(whole, 'the :: must expand to at least one field of zeros');
  }
  const value = groups.reduce((sum, one) => (sum << 16n) | BigInt(one), 0n);
  return { family: 6, value, zone };
}

/** Throws AddressFault. */
export function parseAddress(text: string): ParsedAddress {
  switch (/[.:%]/.exec(text)?.[0]) {
    case '.':
      return { family: 4, value: fields4(text, text), zone: '' };
    case ':':
      return parse6(text);
    case '%':
      throw fault(text, 'missing IPv6 address');
    default:
      throw fault(text, 'unable to parse IP');
  }
}

export interface ParsedPrefix extends ParsedAddress {
  readonly bits: number;
}

/** Throws AddressFault. */
export function parsePrefix(text: string): ParsedPrefix {
  const fail = (why: string): AddressFault =>
    new AddressFault(`netip.ParsePrefix(${quoted(text)}): ${why}`);
  const slash = text.lastIndexOf('/');
  if (slash < 0) throw fail("no '/'");
  let address: ParsedAddress;
  try {
    address = parseAddress(text.slice(0, slash));
  } catch (error) {
    if (error instanceof AddressFault) throw fail(error.message);
    throw error;
  }
  if (address.zone !== '') throw fail('IPv6 zones cannot be present in a prefix');
  const digits = text.slice(slash + 1);
  if (!/^(?:0|[1-9]\d*)$/.test(digits) || Number(digits) > Number.MAX_SAFE_INTEGER)
    throw fail(`bad bits after slash: ${quoted(digits)}`);
  const bits = Number(digits);
  if (bits > (address.family === 4 ? 32 : 128)) throw fail('prefix length out of range');
  return { ...address, bits };
}
