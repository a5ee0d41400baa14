// Judges how a capacity of a device may be divided among those who share it (chosen amounts, or a range in
// steps), as kube-apiserver v1.37 does. Amounts are exact, in units of 1e-9.
import { list, record, type Json } from './field-rules.ts';
import { duplicate, forbidden, invalidValue, requiredValue, tooMany } from './names.ts';
import { formatQuantity, parseQuantity, type Quantity } from './quantity.ts';
import type { StatusCause } from './status.ts';

const OPTIONS_MAX = 10;
const NANO = 1_000_000_000n;
const MILLI = 1_000_000n;
const INT64_MAX = 2n ** 63n - 1n;

interface Amount {
  readonly nano: bigint;
  readonly text: string;
  readonly form: Quantity['form'];
}

function amount(value: unknown): Amount {
  const { nano, form } = parseQuantity(String(value)) ?? { nano: 0n, form: 'decimal' as const };
  return { nano, form, text: formatQuantity({ nano, form }) };
}

const amountAt = (from: Json, name: string): Amount | undefined =>
  from[name] === undefined || from[name] === null ? undefined : amount(from[name]);

function chosen(
  usual: Amount,
  capacity: Amount,
  options: readonly Amount[],
  at: string,
): StatusCause[] {
  const causes: StatusCause[] = [];
  options.forEach(({ nano, text }, index) => {
    const before = options[index - 1];
    if (before === undefined || before.nano <= nano) return;
    causes.push(invalidValue(`${at}[${index}]`, text, 'values must be sorted in ascending order'));
  });
  if (options.length > OPTIONS_MAX) {
    causes.push(tooMany(at, options.length, OPTIONS_MAX));
    return [...causes, invalidValue(at, usual.text, NO_DEFAULT)];
  }
  const seen = new Set<bigint>();
  options.forEach(({ nano, text }, index) => {
    const field = `${at}[${index}]`;
    if (nano > capacity.nano) {
      const why = `option is larger than capacity value: ${capacity.text}`;
      causes.push(invalidValue(field, text, why));
    }
    if (seen.has(nano)) causes.push(duplicate(field, plainDecimal(nano)));
    seen.add(nano);
  });
  if (seen.has(usual.nano)) return causes;
  return [...causes, invalidValue(at, usual.text, NO_DEFAULT)];
}

const NO_DEFAULT = 'default value is not valid according to the requestPolicy';

/** Without a suffix and without zeros at its end. */
function plainDecimal(nano: bigint): string {
  const [whole, rest] = [nano / NANO, nano % NANO];
  return rest === 0n ? `${whole}` : `${whole}.${String(rest).padStart(9, '0').replace(/0+$/, '')}`;
}

interface Range {
  readonly usual: Amount;
  readonly min: Amount;
  readonly max: Amount | undefined;
  readonly step: Amount | undefined;
}

function bounds({ usual, min, max }: Range, capacity: Amount, at: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const refuse = (name: string, { text }: Amount, why: string): void =>
    void causes.push(invalidValue(`${at}.${name}`, text, why));
  const over = `larger than capacity value: ${capacity.text}`;
  if (min.nano > capacity.nano) refuse('min', min, `min is ${over}`);
  if (usual.nano < min.nano) refuse('default', usual, `default is less than min: ${min.text}`);
  if (max === undefined) return causes;
  if (min.nano > max.nano) refuse('max', min, `min is larger than max: ${max.text}`);
  if (max.nano > capacity.nano) refuse('max', max, `max is ${over}`);
  if (usual.nano > max.nano) refuse('default', usual, `default is more than max: ${max.text}`);
  return causes;
}

function partsOf({ usual, min, max, step }: Range): (readonly [string, Amount])[] {
  const all = [
    ['default', usual],
    ['min', min],
    ['max', max],
    ['step', step],
  ] as const;
  return all.flatMap(([name, one]) => (one === undefined ? [] : [[name, one] as const]));
}

function steps(range: Range, capacity: Amount, at: string, isFine: boolean): StatusCause[] {
  const { usual, min, max, step } = range;
  if (step === undefined) return [];
  const field = `${at}.step`;
  if (step.nano <= 0n) return [invalidValue(field, step.text, 'must be greater than zero')];
  const causes: StatusCause[] = [];
  const first = { nano: min.nano + step.nano, form: min.nano === 0n ? step.form : min.form };
  if (first.nano > capacity.nano) {
    const why = `one step ${formatQuantity(first)} is larger than capacity value: ${capacity.text}`;
    causes.push(invalidValue(field, step.text, why));
  }
  const unsafe = isFine
    ? []
    : partsOf(range).flatMap(([name, one]) => outOfInt64(`${at}.${name}`, one));
  if (unsafe.length > 0) return [...causes, ...unsafe];
  const why = `value is not a multiple of a given step (${step.text}) from (${min.text})`;
  for (const one of [usual, ...(max === undefined ? [] : [max])]) {
    if ((one.nano - min.nano) % step.nano === 0n) continue;
    causes.push(invalidValue(field, one.text, why));
  }
  return causes;
}

function outOfInt64(field: string, { nano, text }: Amount): StatusCause[] {
  if (nano < 0n) return [invalidValue(field, text, 'must be greater than or equal to 0')];
  if (nano <= INT64_MAX * NANO) return [];
  return [invalidValue(field, text, `must not be larger than ${INT64_MAX}`)];
}

function ranged(usual: Amount, capacity: Amount, given: Json, at: string): StatusCause[] {
  const min = amountAt(given, 'min');
  if (min === undefined) {
    return [requiredValue(`${at}.min`, 'required when validRange is defined')];
  }
  const range = { usual, min, max: amountAt(given, 'max'), step: amountAt(given, 'step') };
  const causes = bounds(range, capacity, at);
  const parts = partsOf(range);
  const isFine = parts.some(([, { nano }]) => nano % NANO !== 0n);
  const tooFine = isFine ? parts.filter(([, { nano }]) => nano % MILLI !== 0n) : [];
  if (tooFine.length > 0) {
    const why = 'value cannot be represented as a milli value';
    return [
      ...causes,
      ...tooFine.map(([name, { text }]) => invalidValue(`${at}.${name}`, text, why)),
    ];
  }
  return [...causes, ...steps(range, capacity, at, isFine)];
}

/** `capacity`: what there is to divide, as a quantity. */
export function divisionCauses(capacity: string, policy: Json, at: string): StatusCause[] {
  const { validValues, validRange } = policy;
  const options = list(validValues).map(amount);
  if (options.length > 0 && validRange !== undefined) {
    const why =
      'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time';
    return [forbidden(at, why)];
  }
  if (options.length === 0 && validRange === undefined) return [];
  const which = options.length > 0 ? 'validValues' : 'validRange';
  const usual = amountAt(policy, 'default');
  if (usual === undefined) {
    return [requiredValue(`${at}.default`, `required when ${which} is defined`)];
  }
  const whole = amount(capacity);
  return options.length > 0
    ? chosen(usual, whole, options, `${at}.validValues`)
    : ranged(usual, whole, record(validRange), `${at}.validRange`);
}
