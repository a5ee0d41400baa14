// Texts that are written out where a duration, a point in time or a pattern is meant: they are looked at when
// the expression is compiled, as Kubernetes' environments of CEL have it.
import { CelFailure } from './addresses.ts';
import { isNode, type Node } from './cost.ts';
import { goRegExp } from './go-regexp.ts';

const DURATION = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)$/;

function isPattern(text: string): boolean {
  try {
    goRegExp(text);
    return true;
  } catch (error) {
    if (error instanceof CelFailure) return false;
    throw error;
  }
}

const checks: Readonly<Record<string, (text: string) => boolean>> = {
  duration: (text) => DURATION.test(text),
  timestamp: (text) => TIMESTAMP.test(text) && !Number.isNaN(Date.parse(text)),
  matches: isPattern,
};

const INT_MAX = 2n ** 63n - 1n;

/** A number that is no int of 64 bits; the sign before it is part of it. */
export function bigLiteral(value: unknown): Node | undefined {
  if (Array.isArray(value)) {
    for (const one of value) {
      const found = bigLiteral(one);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (!isNode(value)) return undefined;
  if (value.op === 'value')
    return typeof value.args === 'bigint' && value.args > INT_MAX ? value : undefined;
  const inner = value.op === '-_' && isNode(value.args) ? value.args.args : undefined;
  return inner === INT_MAX + 1n ? undefined : bigLiteral(value.args);
}

export interface BadLiteral {
  readonly node: Node;
  readonly why: string;
}

/** In the order of the text. */
export function badLiterals(value: unknown, found: BadLiteral[] = []): readonly BadLiteral[] {
  if (Array.isArray(value)) for (const one of value) badLiterals(one, found);
  if (!isNode(value)) return found;
  badLiterals(value.args, found);
  if (value.op !== 'call' && value.op !== 'rcall') return found;
  const parts = value.args as readonly unknown[];
  const name = String(parts[0]);
  const first = (parts.at(-1) as readonly Node[])[0];
  if (first?.op !== 'value' || typeof first.args !== 'string') return found;
  if (checks[name]?.(first.args) === false) {
    found.push({ node: first, why: `invalid ${name} argument` });
  }
  return found;
}
