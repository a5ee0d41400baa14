// IP addresses of both families, and ranges of them such as `10.0.0.0/16` or `fd00::/112`, as numbers.
import { isIP } from 'node:net';

export type Family = 'IPv4' | 'IPv6';

export const otherFamily = (family: Family): Family => (family === 'IPv4' ? 'IPv6' : 'IPv4');

/** Of an address or a range that is known to be one. */
export const familyOf = (text: string): Family => (text.includes(':') ? 'IPv6' : 'IPv4');

/** As RFC 5952 writes it: what URLs do, too. */
export function canonicalV6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

const withoutZeros = (text: string): string => text.replaceAll(/(^|\.)0+(?=\d)/g, '$1');

/** How the object that stands for an address is named. */
export const canonicalAddress = (ip: string): string =>
  isIP(ip) === 6 ? canonicalV6(ip) : withoutZeros(ip);

/** Of what is known to be an address. */
export function addressNumber(address: string): bigint {
  if (familyOf(address) === 'IPv4') {
    return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  }
  const [head = '', tail] = canonicalV6(address).split('::');
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : []);
  const [first, last] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last].reduce((sum, one) => sum * 65_536n + BigInt(`0x${one}`), 0n);
}

export function addressText(number: bigint, family: Family): string {
  if (family === 'IPv4') {
    return [24n, 16n, 8n, 0n].map((shift) => String((number >> shift) & 255n)).join('.');
  }
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((number >> BigInt(16 * (7 - i))) & 65_535n).toString(16),
  );
  return canonicalV6(groups.join(':'));
}

export interface Range {
  readonly family: Family;
  /** Of its addresses as such, whatever they may be used for. */
  readonly first: bigint;
  readonly last: bigint;
  readonly bits: number;
}

/** Of either family, with zeros before its numbers or without; undefined for what is no range. */
export function rangeOf(cidr: string): Range | undefined {
  const [written = '', length = '', more] = cidr.split('/');
  const address = written.includes(':') ? written : withoutZeros(written);
  const version = isIP(address);
  const width = version === 4 ? 32 : 128;
  const isLength = /^\d{1,9}$/.test(length) && Number(length) <= width;
  if (version === 0 || !isLength || more !== undefined) return undefined;
  const rest = BigInt(width - Number(length));
  const first = (addressNumber(address) >> rest) << rest;
  const family = version === 4 ? 'IPv4' : 'IPv6';
  return { family, first, last: first + (1n << rest) - 1n, bits: Number(length) };
}

/** The range as it is written when nothing is set behind its length. */
export const networkText = ({ family, first, bits }: Range): string =>
  `${addressText(first, family)}/${bits}`;

/** A range is within another; what is no range only within itself. */
export function holds(outer: string, inner: string): boolean {
  const [wide, narrow] = [rangeOf(outer), rangeOf(inner)];
  if (wide === undefined || narrow === undefined) return outer === inner;
  const isIn = wide.first <= narrow.first && narrow.last <= wide.last;
  return isIn && wide.family === narrow.family;
}

/** That a host may have: not the range's own address, nor in IPv4 its last one. */
export function holdsAddress(cidr: string, ip: string): boolean {
  const range = rangeOf(cidr);
  if (range === undefined || isIP(ip) === 0 || range.family !== familyOf(ip)) return false;
  const number = addressNumber(ip);
  const last = range.family === 'IPv4' ? range.last - 1n : range.last;
  return range.first < number && number <= last;
}

// ---- what is wrong with their texts: IsValidIP, IsValidCIDR of apimachinery v0.37 ----

const ZEROS = /(?:^|\.)0+\d/;

/** 4 or 6 for what is an address by Go's older parser, which lets leading zeros of IPv4 be. */
function sloppyVersion(text: string): number {
  if (text.includes('%')) return 0;
  return isIP(/^[\d.]+$/.test(text) ? withoutZeros(text) : text);
}

const isMapped = (address: string): boolean =>
  isIP(address) === 6 && /^::ffff:[0-9a-f]{1,4}:[0-9a-f]{1,4}$/.test(canonicalV6(address));

export function addressProblem(text: string): string | undefined {
  const version = sloppyVersion(text);
  if (version === 0) return 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
  if (version === 4 && ZEROS.test(text)) return 'must not have leading 0s';
  return isMapped(text) ? 'must not be an IPv4-mapped IPv6 address' : undefined;
}

/** Of newer fields, which take one form alone. */
export function strictAddressProblem(text: string): string | undefined {
  const problem = addressProblem(text);
  if (problem !== undefined) return problem;
  const better = canonicalAddress(text);
  return better === text ? undefined : `must be in canonical form (${JSON.stringify(better)})`;
}

export function networkProblem(text: string): string | undefined {
  const [address = '', length = '', more] = text.split('/');
  const version = sloppyVersion(address);
  const isLength = /^\d{1,9}$/.test(length) && Number(length) <= (version === 4 ? 32 : 128);
  if (version === 0 || !isLength || more !== undefined) {
    return 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
  }
  if ((version === 4 && ZEROS.test(address)) || /^0\d/.test(length)) {
    return 'must not have leading 0s in IP or prefix length';
  }
  if (isMapped(address)) return 'must not have an IPv4-mapped IPv6 address';
  const range = rangeOf(text);
  if (range?.first === addressNumber(address)) return undefined;
  return 'must not have bits set beyond the prefix length';
}

/** Of newer fields, which take one form alone. */
export function strictNetworkProblem(text: string): string | undefined {
  const problem = networkProblem(text);
  const range = problem === undefined ? rangeOf(text) : undefined;
  if (range === undefined) return problem;
  const better = networkText(range);
  return better === text ? undefined : `must be in canonical form (${JSON.stringify(better)})`;
}
