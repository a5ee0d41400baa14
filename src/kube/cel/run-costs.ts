// What a call has cost, by the sizes of what it was made on and of what came out, as cel-go v0.29 and
// k8s.io/apiserver v0.37 count runs.

/** What is remembered of a value: its letters, bytes or items, and whether it is a list. */
export interface Measure {
  readonly size: number;
  readonly isList: boolean;
  /** Letters or bytes. */
  readonly isText: boolean;
  /** Of everything in it, for what compares all items. */
  readonly walk: number;
}

const TEXT_FACTOR = 0.1;
const REGEX_FACTOR = 0.25;
const LIST_COST = 10;
const CHECK_COST = 350_000;
/** Of the patterns behind named formats. */
const FORMAT_REGEX_LENGTH = 128;
/** Bytes of an address, as the longest are. */
const ADDRESS_BYTES = 16;

export const NO_MEASURE: Measure = { size: 1, isList: false, isText: false, walk: 1 };

/** A surrogate pair is one letter; what is all ASCII is not looked through twice. */
function letters(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i += 1) {
    const code = text.charCodeAt(i);
    if (code >= 0xd8_00 && code < 0xdc_00) count -= 1;
  }
  return count;
}

function walkOf(value: unknown): number {
  if (typeof value === 'string') return Math.floor(value.length * TEXT_FACTOR);
  if (value instanceof Uint8Array) return Math.floor(value.length * TEXT_FACTOR);
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + walkOf(one), 0);
  if (!(value instanceof Map)) return 1;
  let sum = 0;
  for (const [key, one] of value) sum += walkOf(key) + walkOf(one);
  return sum;
}

export function measureOf(value: unknown): Measure {
  if (typeof value === 'string')
    return { size: letters(value), isList: false, isText: true, walk: 0 };
  if (Array.isArray(value)) {
    const measure = { size: value.length, isList: true, isText: false };
    return {
      ...measure,
      get walk() {
        return walkOf(value);
      },
    };
  }
  if (value instanceof Uint8Array)
    return { size: value.length, isList: false, isText: true, walk: 0 };
  if (value instanceof Map) return { size: value.size, isList: false, isText: false, walk: 0 };
  if (value instanceof Set)
    return { size: value.size, isList: true, isText: false, walk: value.size };
  return NO_MEASURE;
}

const textCost = (size: number, factor = TEXT_FACTOR): number => Math.ceil(size * factor);

function regexCost(text: number, pattern: number): number {
  return textCost(text + 1) * textCost(pattern, REGEX_FACTOR);
}

const listCost = (size: number, factor = 1): number => Math.floor(size * factor) + 1 + LIST_COST;

const walksText = new Set(
  (
    'url lowerAscii upperAscii substring trim cidr isIP isCIDR ip quantity isQuantity semver isSemver string bytes ' +
    'strings.quote format jsonpatch.escapeKey'
  ).split(' '),
);
const walksAll = new Set(['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf']);

/** `name` has its namespace, `sets.contains`; the receiver is the first argument. */
export function runCost(name: string, args: readonly Measure[], result: Measure): number {
  const [first = NO_MEASURE, second = NO_MEASURE] = args;
  if (walksText.has(name)) return textCost(first.size);
  if (walksAll.has(name)) return first.isList ? first.walk : textCost(first.size);
  switch (name) {
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return textCost(Math.min(first.size, second.size));
    case 'in':
      return second.isList ? second.size : 1;
    case 'startsWith':
    case 'endsWith':
      return textCost(second.size);
    case 'contains':
      return textCost(first.size) * textCost(second.size);
    case 'matches':
    case 'find':
    case 'findAll':
      return regexCost(first.size, second.size);
    case 'validate':
      return regexCost(second.size, FORMAT_REGEX_LENGTH);
    case 'replace':
    case 'split':
    case 'ip.isCanonical':
      return textCost(first.size, 2 * TEXT_FACTOR);
    case 'join':
      return textCost(result.size, 2 * TEXT_FACTOR);
    case 'containsIP':
      return textCost(2 * ADDRESS_BYTES) + (second.size > 1 ? textCost(second.size) : 0);
    case 'containsCIDR':
      return (
        textCost(2 * ADDRESS_BYTES) +
        textCost(ADDRESS_BYTES) +
        1 +
        (second.size > 1 ? textCost(second.size) : 0)
      );
    case 'check':
      return CHECK_COST;
    default:
      return collectionCost(name, first, second, result);
  }
}

function collectionCost(name: string, first: Measure, second: Measure, result: Measure): number {
  switch (name) {
    case 'slice':
    case 'reverse':
    case 'lists.range':
      return listCost(result.size);
    case 'flatten':
      return listCost(first.size);
    case 'distinct':
    case 'sort':
      return listCost(first.size ** 2, 2);
    case 'sets.contains':
    case 'sets.intersects':
      return first.size * second.size + 1;
    case 'sets.equivalent':
      return 2 * first.size * second.size + 1;
    default:
      return 1;
  }
}
