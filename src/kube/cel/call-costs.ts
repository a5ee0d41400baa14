// What one call costs at most, and how big its result can get: the functions of the language, of its
// extensions and of Kubernetes, as cel-go v0.29 and k8s.io/apiserver v0.37 estimate them.
import {
  fixed,
  MOST,
  NOTHING,
  plus,
  scaled,
  times,
  union,
  UNKNOWN,
  type Range,
} from './estimates.ts';
import type { Tree } from './expanded-tree.ts';
import type { StaticType } from './static-types.ts';

/** An argument or receiver, as estimators are given it. */
export interface Operand {
  readonly tree: Tree;
  readonly type: StaticType;
  /** As far as the expression itself or the schema says. */
  readonly size: Range | undefined;
  /** Of the items, when it is a list. */
  readonly items: Range | undefined;
}

export interface CallCost {
  readonly cost: Range;
  readonly size?: Range;
}

export interface CallSite {
  readonly name: string;
  readonly overload: string;
  readonly target?: Operand;
  readonly args: readonly Operand[];
}

const TEXT_FACTOR = 0.1;
const REGEX_FACTOR = 0.25;
const LIST_COST = 10;
const STRUCT_COST = 40;
const NAME_REGEX_LENGTH = 128;
const FORMAT_LENGTH = 64;
const CHECK_COST = 350_000;

const one = fixed(1);

export const sizeOf = (operand: Operand | undefined): Range => operand?.size ?? UNKNOWN;
const traversal = (operand: Operand | undefined): Range => scaled(sizeOf(operand), TEXT_FACTOR);

/** A number that is written as one. */
function literalOf(operand: Operand | undefined, otherwise: bigint): bigint {
  if (operand?.tree.kind !== 'literal' || typeof operand.tree.value !== 'bigint') return otherwise;
  return operand.tree.value < 0n ? 0n : operand.tree.value;
}

// ---- lists and sets ----

function listCall(factor: number, size: Range): CallCost {
  return { cost: plus(scaled(size, factor), one, fixed(LIST_COST)), size };
}

function sliceCost({ target, args }: CallSite): CallCost {
  const from = literalOf(args[0], 0n);
  const to = literalOf(args[1], sizeOf(target).max);
  return listCall(1, fixed(BigInt.asUintN(64, to - from)));
}

function squared(factor: number, operand: Operand | undefined): CallCost {
  const size = sizeOf(operand);
  return listCall(factor, times(size, size));
}

function setsCost(factor: number, { args }: CallSite): CallCost {
  return { cost: plus(scaled(times(sizeOf(args[0]), sizeOf(args[1])), factor), one) };
}

/** Of functions that bring estimators of their own, which go before all others. */
function extensionCost(site: CallSite): CallCost | undefined {
  const { target, args, overload } = site;
  const sorted = args[0] ?? target;
  switch (overload) {
    case 'list_slice':
      return sliceCost(site);
    case 'lists_range':
      return listCall(1, fixed(literalOf(args[0], MOST)));
    case 'list_reverse':
      return listCall(1, sizeOf(target));
    case 'list_flatten':
      return listCall(args.length === 0 ? 1 : Number(literalOf(args[0], MOST)), sizeOf(target));
    case 'list_distinct':
      return squared(2, target);
    case 'list_sort':
      return squared(2, sorted);
    case 'list_sort_text':
      return squared(2 + TEXT_FACTOR, sorted);
    case 'sets_once':
      return setsCost(1, site);
    case 'sets_twice':
      return setsCost(2, site);
    default:
      return undefined;
  }
}

// ---- Kubernetes' own ----

function scanCost({ name, target }: CallSite): CallCost {
  const type = target?.type;
  const element = type?.kind === 'list' || type?.kind === 'map' ? listElement(type) : undefined;
  if (element !== undefined) {
    const isText = element.kind === 'string' || element.kind === 'bytes';
    const each = isText ? plus(one, scaled(target?.items ?? UNKNOWN, TEXT_FACTOR)) : one;
    return { cost: times(sizeOf(target), each) };
  }
  return { cost: name === 'includes' ? sizeOf(target) : traversal(target) };
}

const listElement = (type: StaticType): StaticType | undefined =>
  type.kind === 'map' ? type.key : type.value;

/** How often, times what is put in, and what is kept. */
function replacedSize(text: Range, old: Range, next: Range): Range {
  let [most, keptMost] = [0n, 0n];
  if (old.min === 0n) {
    most = text.max < MOST ? text.max + 1n : text.max;
    keptMost = text.max;
  } else if (next.max <= old.min) keptMost = text.max;
  else most = parts(text.max, old.min);
  let [least, keptLeast] = [0n, 0n];
  if (old.max === 0n) {
    least = text.min < MOST ? text.min + 1n : text.min;
    keptLeast = text.min;
  } else if (old.max <= next.min) keptLeast = text.min;
  else least = parts(text.min, old.max);
  return plus(times({ min: least, max: most }, next), { min: keptLeast, max: keptMost });
}

function parts(whole: bigint, each: bigint): bigint {
  const count = BigInt(Math.ceil(Number(whole) / Number(each)));
  return count > MOST ? MOST : count;
}

function joinCost({ target, args }: CallSite): CallCost {
  const list = sizeOf(target);
  const hasItems = target !== undefined && target.type.value !== undefined;
  let size = hasItems ? times(list, target.items ?? UNKNOWN) : NOTHING;
  if (args.length > 0) {
    const less = (count: bigint): bigint => (count > 0n ? count - 1n : 0n);
    size = plus(size, times(sizeOf(args[0]), { min: less(list.min), max: less(list.max) }));
  }
  return { cost: scaled(size, TEXT_FACTOR), size };
}

function regexCost(text: Range, pattern: Range): Range {
  return times(scaled(plus(text, one), TEXT_FACTOR), scaled(pattern, REGEX_FACTOR));
}

function splitCost({ target, args }: CallSite): CallCost {
  const text = sizeOf(target);
  const second = args[1]?.tree;
  const isLiteral = second?.kind === 'literal' && typeof second.value === 'bigint';
  const max = isLiteral ? BigInt.asUintN(64, second.value as bigint) : text.max;
  return { cost: scaled(text, 2 * TEXT_FACTOR), size: { min: 0n, max } };
}

function networkCost({ args, overload }: CallSite, isNetwork: boolean): CallCost {
  const bytes: Range = { min: 4n, max: 16n };
  let cost = scaled(plus(bytes, bytes), TEXT_FACTOR);
  if (isNetwork) cost = plus(cost, scaled(bytes, TEXT_FACTOR), one);
  if (overload === 'cidr_contains_string') cost = plus(cost, traversal(args[0]));
  return { cost };
}

function selectorCost({ args }: CallSite): CallCost | undefined {
  if (args.length !== 1) return undefined;
  const size = sizeOf(args[0]);
  const requirements = scaled(scaled(size, 0.5), LIST_COST + STRUCT_COST);
  return { cost: plus(fixed(LIST_COST), scaled(size, TEXT_FACTOR), requirements) };
}

const cheap = new Set(
  (
    'serviceAccount path group resource subresource namespace name allowed reason error errored ' +
    'masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast ' +
    'isGlobalUnicast format.named sign asInteger isInteger asApproximateFloat isGreaterThan ' +
    'isLessThan compareTo add sub major minor patch getScheme getHostname getHost getPort ' +
    'getEscapedPath getQuery'
  ).split(' '),
);

const cheapEquality = new Set([
  'net.IP',
  'net.CIDR',
  'kubernetes.Quantity',
  'kubernetes.Semver',
  'kubernetes.authorization.Authorizer',
]);

function equalityCost({ args }: CallSite): CallCost | undefined {
  const [left, right] = args;
  if (left?.type.kind !== 'named' || left.type.name !== right?.type.name) return undefined;
  const name = left.type.name ?? '';
  if (cheapEquality.has(name)) return { cost: one };
  if (name === 'kubernetes.NamedFormat') {
    return { cost: scaled({ min: 1n, max: BigInt(FORMAT_LENGTH) }, TEXT_FACTOR) };
  }
  if (name !== 'kubernetes.URL') return undefined;
  return { cost: scaled({ min: 1n, max: right?.size?.max ?? 1n }, TEXT_FACTOR) };
}

function kubernetesCost(site: CallSite): CallCost | undefined {
  const { name, target, args } = site;
  if (cheap.has(name)) return { cost: one };
  const size = sizeOf(target ?? args[0]);
  switch (name) {
    case 'check':
      return { cost: fixed(CHECK_COST) };
    case 'fieldSelector':
    case 'labelSelector':
      return selectorCost(site);
    case 'isSorted':
    case 'sum':
    case 'max':
    case 'min':
    case 'indexOf':
    case 'lastIndexOf':
    case 'includes':
      return target === undefined ? undefined : scanCost(site);
    case 'url':
    case 'jsonpatch.escapeKey':
    case 'lowerAscii':
    case 'upperAscii':
    case 'substring':
    case 'trim':
      return { cost: scaled(size, TEXT_FACTOR), size };
    case 'replace': {
      const made = replacedSize(size, sizeOf(args[0]), sizeOf(args[1]));
      return { cost: scaled(size, 2 * TEXT_FACTOR), size: made };
    }
    case 'split':
      return splitCost(site);
    case 'join':
      return joinCost(site);
    case 'find':
    case 'findAll':
      return { cost: regexCost(size, sizeOf(args[0])), size: { min: 0n, max: size.max } };
    default:
      return typeCost(site);
  }
}

function typeCost(site: CallSite): CallCost | undefined {
  const { name, args, overload } = site;
  switch (name) {
    case 'ip':
      return { cost: overload === 'cidr_ip' ? one : traversal(args[0]) };
    case 'cidr':
    case 'isIP':
    case 'isCIDR':
    case 'quantity':
    case 'isQuantity':
    case 'semver':
    case 'isSemver':
      return { cost: traversal(args[0]) };
    case 'ip.isCanonical':
      return { cost: scaled(sizeOf(args[0]), 2 * TEXT_FACTOR) };
    case 'containsIP':
      return networkCost(site, false);
    case 'containsCIDR':
      return networkCost(site, true);
    case 'validate':
      return { cost: scaled(traversal(args[0]), NAME_REGEX_LENGTH * REGEX_FACTOR) };
    case '_==_':
      return equalityCost(site);
    default:
      return undefined;
  }
}

// ---- the language ----

const wrapped = (size: bigint): bigint => BigInt.asUintN(64, size);

function languageCost({ overload, target, args }: CallSite): CallCost {
  const [first, second] = args;
  const size = sizeOf(first);
  const walked = scaled(size, TEXT_FACTOR);
  switch (overload) {
    case 'string_format':
      return { cost: traversal(target) };
    case 'string_to_bytes':
      return { cost: walked, size: { min: size.min, max: wrapped(size.max * 4n) } };
    case 'bytes_to_string':
      return { cost: walked, size: { min: size.min / 4n, max: size.max } };
    case 'strings_quote': {
      const quoted = { min: wrapped(size.min + 2n), max: wrapped(size.max * 2n + 2n) };
      return { cost: walked, size: quoted };
    }
    case 'starts_or_ends':
      return { cost: walked };
    case 'in_list':
      return { cost: sizeOf(second) };
    case 'matches':
      return target === undefined
        ? { cost: regexCost(size, sizeOf(second)) }
        : { cost: regexCost(sizeOf(target), size) };
    case 'contains_string':
      return { cost: times(traversal(target), walked) };
    case 'add_list':
      return { cost: one, size: plus(size, sizeOf(second)) };
    case 'add_string':
    case 'add_bytes': {
      const made = plus(size, sizeOf(second));
      return { cost: scaled(made, TEXT_FACTOR), size: made };
    }
    case 'compare_text':
    case 'equals': {
      const other = sizeOf(second).max;
      const smaller = other < size.max ? other : size.max;
      return { cost: scaled({ min: smaller > 0n ? 1n : 0n, max: smaller }, TEXT_FACTOR) };
    }
    case 'logical':
      return { cost: NOTHING };
    case 'conditional':
      return { cost: NOTHING, size: union(sizeOf(second), sizeOf(args[2])) };
    default:
      return { cost: one };
  }
}

/** Without what its arguments cost; that of `&&`, `||` and `?:` lies in those alone. */
export function callCost(site: CallSite): CallCost {
  return extensionCost(site) ?? kubernetesCost(site) ?? languageCost(site);
}
