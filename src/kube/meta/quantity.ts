// Quantities (`1500m`, `1Gi`, `2e3`): exact arithmetic on whole nano units, and the one spelling that the
// API writes them in, as apimachinery's resource.Quantity does.

const PATTERN = /^([+-]?)(\d*\.?\d*)((?:[KMGTPE]i)|[numkMGTPE]|(?:[eE][+-]?\d+))?$/;

const decimalExponents: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const decimalSuffixes = new Map(
  Object.entries(decimalExponents).map(([suffix, exponent]) => [exponent, suffix]),
);
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const NANO_DIGITS = 9;
const NANO = 10n ** BigInt(NANO_DIGITS);
const EXPONENT_MAX = 4_096;
/** Of binary ones: what is more is cut to it, as upstream does. */
const BYTES_MAX = 2n ** 63n - 1n;

/** How it was written, which decides how it is written back. */
type Form = 'binary' | 'decimal' | 'exponent';

export interface Quantity {
  /** In units of 1e-9, rounded away from zero. */
  readonly nano: bigint;
  readonly form: Form;
}

export const quantityRule =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Why a text is no quantity. */
export function quantityProblem(text: string): string {
  const isSuffix = /^[+-]?\d*\.?\d*[eEinumkKMGTP]*[-+]?\d*$/.test(text) && text !== '';
  return isSuffix ? "unable to parse quantity's suffix" : quantityRule;
}

const power = (base: bigint, exponent: number): bigint => base ** BigInt(exponent);

/** undefined when the text is no quantity. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = PATTERN.exec(text);
  if (match === null || text === '') return undefined;
  const [, sign = '', digits = '', suffix = ''] = match;
  if (digits === '' && sign === '') return undefined;
  const [whole = '', fraction = ''] = digits.split('.');
  let numerator = BigInt(whole + fraction || '0');
  let denominatorDigits = fraction.length;
  let form: Form = 'decimal';
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) {
    numerator *= power(1024n, binary);
    form = 'binary';
  } else {
    const isExponent = decimalExponents[suffix] === undefined;
    const exponent = isExponent ? Number(suffix.slice(1)) : (decimalExponents[suffix] ?? 0);
    if (Math.abs(exponent) > EXPONENT_MAX) return undefined;
    if (isExponent) form = 'exponent';
    denominatorDigits -= exponent;
  }
  const shift = NANO_DIGITS - denominatorDigits;
  let nano = numerator;
  if (shift >= 0) nano *= power(10n, shift);
  else {
    const divisor = power(10n, -shift);
    nano = (numerator + divisor - 1n) / divisor;
  }
  if (form === 'binary' && nano > BYTES_MAX * NANO) nano = BYTES_MAX * NANO;
  return { nano: sign === '-' ? -nano : nano, form };
}

/** The biggest power of `base` (at most `most`) that divides the amount. */
function factors(amount: bigint, base: bigint, most: number): number {
  let count = 0;
  for (let rest = amount; count < most && rest % base === 0n; rest /= base) count += 1;
  return count;
}

export function formatQuantity({ nano, form }: Quantity): string {
  if (nano === 0n) return '0';
  const sign = nano < 0n ? '-' : '';
  const size = nano < 0n ? -nano : nano;
  // Parts of bytes are told in decimals, so that nothing is lost.
  if (form === 'binary' && size >= 1024n * NANO && size % NANO === 0n) {
    const whole = size / NANO;
    const steps = factors(whole, 1024n, binarySuffixes.length - 1);
    return `${sign}${whole / power(1024n, steps)}${binarySuffixes[steps] ?? ''}`;
  }
  // Amounts beyond the last suffix lose it, as upstream's do.
  const thousands = factors(size, 1000n, EXPONENT_MAX);
  const exponent = thousands * 3 - NANO_DIGITS;
  const mantissa = size / power(1000n, thousands);
  if (form === 'exponent' && exponent !== 0) return `${sign}${mantissa}e${exponent}`;
  return `${sign}${mantissa}${decimalSuffixes.get(exponent) ?? ''}`;
}

const DIGITS_MAX = 18;

/** Whether upstream keeps the text as it came: what it takes for canonical is not always so. */
function isKept(text: string): boolean {
  const [, , digits = '', suffix = ''] = PATTERN.exec(text) ?? [];
  const [whole = '', fraction = ''] = digits.split('.');
  const leading = whole.replace(/^0+/, '') || '0';
  const shifted = leading + fraction;
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) {
    const precision = 14 - leading.length - Math.trunc(binary * 3);
    const isOdd = (BigInt(shifted) & 7n) !== 0n;
    const size = BigInt(shifted) * power(1024n, binary);
    return fraction === '' && precision >= 0 && isOdd && size < 2n ** 63n;
  }
  const exponent = decimalExponents[suffix] ?? Number(suffix.slice(1));
  const scale = exponent - fraction.length;
  const isShort = shifted.length <= DIGITS_MAX && scale >= -NANO_DIGITS;
  return isShort && scale % 3 === 0 && !shifted.endsWith('000') && !shifted.startsWith('0');
}

/** The spelling that the API stores; undefined when the text is no quantity. */
export function canonicalQuantity(text: string): string | undefined {
  if (PATTERN.test(text) && isKept(text)) return text;
  const parsed = parseQuantity(text);
  return parsed === undefined ? undefined : formatQuantity(parsed);
}

/** Rounded up to thousandths, as resource lists of containers are. */
export function roundedUpToMilli(text: string): string | undefined {
  const parsed = parseQuantity(text);
  if (parsed === undefined) return undefined;
  const step = power(10n, 6);
  const rest = parsed.nano % step;
  if (rest === 0n) return canonicalQuantity(text);
  const up = parsed.nano > 0n ? parsed.nano - rest + step : parsed.nano - rest - step;
  return formatQuantity({ nano: up, form: parsed.form });
}

/** Negative, zero or positive, like a - b; text that is no quantity counts as 0. */
export function compareQuantities(a: unknown, b: unknown): number {
  const [x, y] = [a, b].map((one) => parseQuantity(String(one ?? '0'))?.nano ?? 0n);
  return x === y ? 0 : (x ?? 0n) < (y ?? 0n) ? -1 : 1;
}

export function isWholeQuantity(value: unknown): boolean {
  return (parseQuantity(String(value))?.nano ?? 0n) % NANO === 0n;
}
