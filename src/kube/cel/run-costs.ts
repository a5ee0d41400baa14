// What a call has cost, by the sizes of what it was made on and of what came out, as cel-go v0.29 and
// k8s.io/apiserver v0.37 count runs.
import { Cidr, IpAddress } from './addresses.ts';
import { Optional } from './core-values.ts';

const TEXT_FACTOR = 0.1;
const REGEX_FACTOR = 0.25;
const LIST_COST = 10;
const CHECK_COST = 350_000;

type Values = readonly unknown[];
type Price = (args: Values, result: unknown) => number;

/** A surrogate pair is one letter; what is all ASCII is not looked through twice. */
function letters(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i += 1) {
    const code = text.charCodeAt(i);
    if (code >= 0xd8_00 && code < 0xdc_00) count -= 1;
  }
  return count;
}

/** Letters, bytes or items. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return letters(value);
  if (typeof value !== 'object' || value === null) return 1;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length;
  if (value instanceof Map) return value.size;
  // Of an address in bytes, of a network those that count.
  if (value instanceof IpAddress) return value.bits / 8;
  if (value instanceof Cidr) return Math.ceil(value.bits / 8);
  return value instanceof Optional && value.hasValue ? sizeOf(value.value) : 1;
}

/** Of everything in it, for what compares all items. */
function walkOf(value: unknown): number {
  if (typeof value === 'string') return Math.floor(Buffer.byteLength(value) * TEXT_FACTOR);
  if (value instanceof Uint8Array) return Math.floor(value.length * TEXT_FACTOR);
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + walkOf(one), 0);
  if (!(value instanceof Map)) return 1;
  let sum = 0;
  for (const [key, one] of value) sum += walkOf(key) + walkOf(one);
  return sum;
}

const textCost = (size: number, factor = TEXT_FACTOR): number => Math.ceil(size * factor);

const regexCost = (text: number, pattern: number): number =>
  textCost(text + 1) * textCost(pattern, REGEX_FACTOR);

const listCost = (size: number, factor = 1): number => Math.floor(size * factor) + 1 + LIST_COST;

const walksText: Price = ([first]) => textCost(sizeOf(first));
const walksAll: Price = ([first]) => walkOf(first);
const walksTextTwice: Price = ([first]) => textCost(sizeOf(first), 2 * TEXT_FACTOR);
const comparesText: Price = ([first, second]) => textCost(Math.min(sizeOf(first), sizeOf(second)));
const orders: Price = (args, result) => {
  const [first] = args;
  const isText = typeof first === 'string' || first instanceof Uint8Array;
  return isText ? comparesText(args, result) : 1;
};
const searches: Price = ([text, pattern]) => regexCost(sizeOf(text), sizeOf(pattern));
const squares: Price = ([first]) => listCost(sizeOf(first) ** 2, 2);
const parses = (value: unknown): number =>
  typeof value === 'string' ? textCost(letters(value)) : 0;
/** Both sizes, of sets that are looked through for each other's items. */
const crosses =
  (times: number): Price =>
  ([first, second]) =>
    times * sizeOf(first) * sizeOf(second) + 1;

const prices: Readonly<Record<string, Price>> = {
  '_+_': ([first, second]) => {
    const isText = typeof first === 'string' || first instanceof Uint8Array;
    return isText ? textCost(sizeOf(first) + sizeOf(second)) : 1;
  },
  '_==_': comparesText,
  '_!=_': comparesText,
  '_<_': orders,
  '_<=_': orders,
  '_>_': orders,
  '_>=_': orders,
  '@in': ([, second]) => (Array.isArray(second) ? second.length : 1),
  startsWith: ([, second]) => textCost(sizeOf(second)),
  endsWith: ([, second]) => textCost(sizeOf(second)),
  contains: ([first, second]) => textCost(sizeOf(first)) * textCost(sizeOf(second)),
  matches: searches,
  find: searches,
  findAll: searches,
  validate: ([format, text]) =>
    regexCost(sizeOf(text), (format as { readonly patternSize?: number }).patternSize ?? 0),
  replace: walksTextTwice,
  split: walksTextTwice,
  'ip.isCanonical': walksTextTwice,
  join: (_, result) => textCost(sizeOf(result), 2 * TEXT_FACTOR),
  containsIP: ([first, second]) => textCost(2 * sizeOf(first)) + parses(second),
  containsCIDR: ([first, second]) =>
    textCost(2 * sizeOf(first)) + textCost(sizeOf(first)) + 1 + parses(second),
  check: () => CHECK_COST,
  string: ([first]) => (first instanceof Uint8Array ? textCost(first.length) : 1),
  bytes: ([first]) => (typeof first === 'string' ? textCost(letters(first)) : 1),
  ip: ([first]) => (typeof first === 'string' ? textCost(letters(first)) : 1),
  slice: (_, result) => listCost(sizeOf(result)),
  reverse: (_, result) => listCost(sizeOf(result)),
  'lists.range': (_, result) => listCost(sizeOf(result)),
  flatten: ([first]) => listCost(sizeOf(first)),
  distinct: squares,
  sort: squares,
  '@sortByAssociatedKeys': squares,
  'sets.contains': crosses(1),
  'sets.intersects': crosses(1),
  'sets.equivalent': crosses(2),
};

const one: Price = () => 1;

const textWalkers = new Set(
  (
    'url lowerAscii upperAscii substring trim cidr isIP isCIDR quantity isQuantity semver isSemver ' +
    'strings.quote format jsonpatch.escapeKey'
  ).split(' '),
);
const itemWalkers = new Set([
  'isSorted',
  'sum',
  'max',
  'min',
  'indexOf',
  'lastIndexOf',
  'includes',
]);

/** Of these each overload costs something else; as long as it is not known, one. */
const byOverload = new Set(
  '_+_ _<_ _<=_ _>_ _>=_ @in string bytes sort @sortByAssociatedKeys'.split(' '),
);

/** What calls of the function cost; its receiver is the first argument. `isSure`: it can only be one overload. */
export function priceOf(name: string, isSure: boolean): Price {
  if (!isSure && byOverload.has(name)) return one;
  if (textWalkers.has(name)) return walksText;
  if (itemWalkers.has(name)) return walksAll;
  return prices[name] ?? one;
}
