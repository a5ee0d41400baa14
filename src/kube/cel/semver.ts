// Semantic versions as CEL values, compared by the rules of semver.org 2.0.
import { CelFailure } from './core-values.ts';
import { parseType, type CelType } from './types.ts';
import type { OpaqueValue } from './values.ts';

const SEMVER_TYPE = parseType('kubernetes.Semver');

export class Semver implements OpaqueValue {
  readonly numbers: readonly bigint[];
  readonly pre: readonly string[];
  readonly text: string;

  constructor(text: string, numbers: readonly bigint[], pre: readonly string[]) {
    this.text = text;
    this.numbers = numbers;
    this.pre = pre;
  }

  get celType(): CelType {
    return SEMVER_TYPE;
  }

  equals(other: unknown): boolean {
    return other instanceof Semver && this.isSame(other);
  }

  isSame(other: Semver): boolean {
    return this.compare(other) === 0;
  }

  compare(other: Semver): number {
    for (let i = 0; i < 3; i++) {
      const [a, b] = [this.numbers[i] ?? 0n, other.numbers[i] ?? 0n];
      if (a !== b) return a < b ? -1 : 1;
    }
    if (this.pre.length === 0 || other.pre.length === 0) {
      if (this.pre.length === other.pre.length) return 0;
      return this.pre.length === 0 ? 1 : -1;
    }
    for (let i = 0; i < Math.max(this.pre.length, other.pre.length); i++) {
      const order = comparePre(this.pre[i], other.pre[i]);
      if (order !== 0) return order;
    }
    return 0;
  }
}

/** A missing part comes first, numbers before words. */
function comparePre(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  const [x, y] = [a, b].map((one) => (/^\d+$/.test(one) ? BigInt(one) : undefined));
  if (x !== undefined && y !== undefined) return x < y ? -1 : 1;
  if (x !== undefined) return -1;
  if (y !== undefined) return 1;
  return a < b ? -1 : 1;
}

function normalized(text: string): string {
  const [first = '', second, ...rest] = text.replace(/^v/, '').split('.');
  const parts = [first, ...(second === undefined ? [] : [second])];
  if (rest.length > 0) parts.push(rest.join('.'));
  const plain = parts.map((part) =>
    part.length > 1 ? part.replace(/^0+/, '').replace(/^(?!\d)/, '0') : part,
  );
  if (plain.length < 3 && /[+-]/.test(plain.at(-1) ?? '')) {
    throw new CelFailure('short version cannot contain PreRelease/Build meta data');
  }
  while (plain.length < 3) plain.push('0');
  return plain.join('.');
}

const NUMBERS = /^\d*$/;
const LETTERS = /^[0-9A-Za-z-]*$/;
const UINT_MAX = 2n ** 64n - 1n;

function numberIn(part: string, name: string): bigint {
  const shown = JSON.stringify(part);
  if (!NUMBERS.test(part))
    throw new CelFailure(`Invalid character(s) found in ${name} number ${shown}`);
  if (/^0./.test(part)) {
    const upper = `${(name[0] ?? '').toUpperCase()}${name.slice(1)}`;
    throw new CelFailure(`${upper} number must not contain leading zeroes ${shown}`);
  }
  return unsigned(part);
}

function unsigned(part: string): bigint {
  const fail = (why: string): CelFailure =>
    new CelFailure(`strconv.ParseUint: parsing ${JSON.stringify(part)}: ${why}`);
  if (part === '') throw fail('invalid syntax');
  const found = BigInt(part);
  if (found > UINT_MAX) throw fail('value out of range');
  return found;
}

function checkPre(part: string): void {
  const shown = JSON.stringify(part);
  if (part === '') throw new CelFailure('Prerelease is empty');
  if (NUMBERS.test(part)) {
    if (/^0./.test(part)) {
      const why = 'Numeric PreRelease version must not contain leading zeroes';
      throw new CelFailure(`${why} ${shown}`);
    }
    unsigned(part);
  } else if (!LETTERS.test(part))
    throw new CelFailure(`Invalid character(s) found in prerelease ${shown}`);
}

/** As github.com/blang/semver does. Throws CelFailure. */
export function parseSemver(text: string, normalize = false): Semver {
  const plain = normalize ? normalized(text) : text;
  if (plain === '') throw new CelFailure('Version string empty');
  const [major = '', minor = '', ...rest] = plain.split('.');
  if (rest.length === 0) throw new CelFailure('No Major.Minor.Patch elements found');
  const numbers = [numberIn(major, 'major'), numberIn(minor, 'minor')];
  const whole = rest.join('.');
  const plus = whole.indexOf('+');
  const build = plus < 0 ? undefined : whole.slice(plus + 1);
  const before = plus < 0 ? whole : whole.slice(0, plus);
  const dash = before.indexOf('-');
  const pre = dash < 0 ? [] : before.slice(dash + 1).split('.');
  numbers.push(numberIn(dash < 0 ? before : before.slice(0, dash), 'patch'));
  for (const part of pre) checkPre(part);
  for (const part of build?.split('.') ?? []) {
    if (part === '') throw new CelFailure('Build meta data is empty');
    if (!LETTERS.test(part)) {
      const shown = JSON.stringify(part);
      throw new CelFailure(`Invalid character(s) found in build meta data ${shown}`);
    }
  }
  return new Semver(plain, numbers, pre);
}
