// What Kubernetes' environments of CEL refuse although the types fit: texts that are written out and are no
// duration, point in time or pattern; lists and maps of several types (cel/validator.go).
import { toDuration, toTimestamp } from './conversions.ts';
import { CelFailure } from './core-values.ts';
import { partsOf, type Expr } from './expr.ts';
import { formatFault } from './format-text.ts';
import { goRegExp } from './go-regexp.ts';
import type { Fault } from './syntax.ts';
import { isSame, shownType, type CelType } from './types.ts';

type Attempt = (value: unknown) => unknown;

const attempts: readonly (readonly [name: string, attempt: Attempt])[] = [
  ['duration', toDuration],
  ['timestamp', toTimestamp],
  ['matches', (pattern) => goRegExp(String(pattern))],
];

interface Found {
  readonly expr: Expr;
  /** Within the call of a formatter, whose arguments may be of several types. */
  readonly isFree: boolean;
}

function* within(expr: Expr, isFree = false): Generator<Found> {
  yield { expr, isFree };
  const isFormat = expr.kind === 'call' && expr.name === 'format';
  for (const one of partsOf(expr)) yield* within(one, isFree || isFormat);
}

function fails(attempt: Attempt, value: unknown): boolean {
  try {
    attempt(value);
    return false;
  } catch (error) {
    if (error instanceof CelFailure) return true;
    throw error;
  }
}

function badLiterals(all: readonly Expr[]): Fault[] {
  return attempts.flatMap(([name, attempt]) =>
    all.flatMap((expr) => {
      const first = expr.kind === 'call' && expr.name === name ? expr.args[0] : undefined;
      if (first?.kind !== 'literal') return [];
      const message = `invalid ${name} argument`;
      return fails(attempt, first.value) ? [{ at: first.at, message }] : [];
    }),
  );
}

function mismatch(at: number, wanted: CelType, found: CelType): Fault {
  return { at, message: `expected type '${shownType(wanted)}' but found '${shownType(found)}'` };
}

const typeIn = (expr: Expr, isOptional: boolean): CelType => {
  const type = expr.type as CelType;
  return isOptional ? (type.params[0] ?? type) : type;
};

function mixedAggregates(all: readonly Expr[]): Fault[] {
  const out: Fault[] = [];
  for (const expr of all) {
    if (expr.kind !== 'list') continue;
    let wanted: CelType | undefined;
    for (const [i, item] of expr.items.entries()) {
      const type = typeIn(item, expr.optional.has(i));
      wanted ??= type;
      if (isSame(wanted, type, true)) continue;
      out.push(mismatch(item.at, wanted, type));
      break;
    }
  }
  for (const expr of all) {
    if (expr.kind !== 'map') continue;
    const [first] = expr.entries;
    if (first === undefined) continue;
    const [keyType, valueType] = [first.key.type as CelType, typeIn(first.value, first.isOptional)];
    for (const { key, value, isOptional } of expr.entries) {
      const type = typeIn(value, isOptional);
      if (!isSame(keyType, key.type as CelType, true))
        out.push(mismatch(key.at, keyType, key.type as CelType));
      if (!isSame(valueType, type, true)) out.push(mismatch(value.at, valueType, type));
    }
  }
  return out;
}

function badFormats(all: readonly Expr[]): Fault[] {
  return all.flatMap((expr) => {
    const isFormat = expr.kind === 'call' && expr.target !== undefined && expr.name === 'format';
    const found = isFormat ? formatFault(expr) : undefined;
    return found === undefined ? [] : [found];
  });
}

export function validate(expr: Expr): readonly Fault[] {
  const found = [...within(expr)];
  const all = found.map((one) => one.expr);
  const strict = found.filter(({ isFree }) => !isFree).map((one) => one.expr);
  return [...badLiterals(all), ...mixedAggregates(strict), ...badFormats(all)];
}
