// Semantic versions as CEL values, compared by the rules of semver.org 2.0.
import { CelFailure } from './addresses.ts';

const NUMBER = '(0|[1-9]\\d*)';
const PRE = '(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)';
const PATTERN = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${PRE}(?:\\.${PRE})*))?(?:\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?$`,
);

export class Semver {
  readonly numbers: readonly bigint[];
  readonly pre: readonly string[];
  readonly text: string;

  constructor(text: string, numbers: readonly bigint[], pre: readonly string[]) {
    this.text = text;
    this.numbers = numbers;
    this.pre = pre;
  }

  equals(other: Semver): boolean {
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

/** Throws CelFailure. */
export function parseSemver(text: string, normalize = false): Semver {
  const plain = normalize ? normalized(text) : text;
  const match = PATTERN.exec(plain);
  if (match === null) {
    if (plain === '') throw new CelFailure('Version string empty');
    const isShort = plain.split('.').length < 3;
    if (isShort) throw new CelFailure('No Major.Minor.Patch elements found');
    throw new CelFailure(`Invalid character(s) found in version ${JSON.stringify(plain)}`);
  }
  const numbers = [match[1], match[2], match[3]].map((one) => BigInt(one ?? 0));
  return new Semver(plain, numbers, match[4]?.split('.') ?? []);
}
