// Ranges of service addresses: those a server is told of, and in which order the addresses of one are given out
// (kube-apiserver v1.37: options.go, ipallocator.go).
import { Fault } from '#base/fault.ts';
import {
  addressText,
  networkText,
  rangeOf,
  type Family,
  type Range,
} from '#kube/meta/ip-ranges.ts';

const FLAG = '--service-cluster-ip-range';
const ADDRESSES_MIN = 8n;

const bad = (text: string, why: string): Fault =>
  new Fault({ code: 'bad-service-range', range: text }, `Cannot use ${FLAG} "${text}": ${why}`);

/** The ranges of `10.0.0.0/16,fd00::/112`, one of each family at most. Throws Fault `bad-service-range`. */
export function serviceRanges(text: string): readonly string[] {
  const parts = text.split(',');
  if (parts.length > 2) throw bad(text, 'it must not contain more than two entries');
  const ranges = parts.map((part, i) => {
    const range = rangeOf(part.trim());
    if (range === undefined) throw bad(text, `entry ${i} is not a valid cidr`);
    return range;
  });
  const [first, second] = ranges;
  if (first === undefined || first.last - first.first + 1n < ADDRESSES_MIN) {
    throw bad(text, `the service cluster IP range must be at least ${ADDRESSES_MIN} IP addresses`);
  }
  if (first.family === second?.family) throw bad(text, 'both entries are of one IP family');
  return ranges.map(networkText);
}

/** The API server's own address in a range. */
export function ownAddress(cidr: string): string {
  const range = rangeOf(cidr);
  return range === undefined ? '127.0.0.1' : addressText(range.first + 1n, range.family);
}

/** Some addresses of a range, both ends included. */
export interface Band {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

const bandLimits = { fewest: 16n, most: 256n, part: 16n };

const capped = (value: bigint, low: bigint, high: bigint): bigint =>
  value < low ? low : value > high ? high : value;

function usable({ family, first, last }: Range): Band {
  return { family, first: first + 1n, last: family === 'IPv4' ? last - 1n : last };
}

/** Where addresses are drawn from: the low ones last, they are left to those who ask for one. */
export function bandsOf(cidr: string): readonly Band[] {
  const range = rangeOf(cidr);
  if (range === undefined) return [];
  const { family, first, last } = usable(range);
  const size = range.last - range.first + 1n;
  const { fewest, most, part } = bandLimits;
  const low = size <= fewest ? 0n : capped(size / part, fewest, most);
  const bands = [
    { family, first: first + low, last },
    { family, first, last: first + low - 1n },
  ];
  return bands.filter((band) => band.first <= band.last);
}

/** That services may have. */
export function addressCount(cidr: string): bigint {
  const range = rangeOf(cidr);
  if (range === undefined) return 0n;
  const { first, last } = usable(range);
  return last < first ? 0n : last - first + 1n;
}
