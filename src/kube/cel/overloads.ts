// Which of cel-go's overloads a call may turn out to be, as far as they differ in cost: all that the types
// allow, since a value of no known type leaves several.
import type { StaticType } from './static-types.ts';

type Kind = StaticType['kind'];

/** Elements that lists of Kubernetes' CEL can be sorted by. */
const comparable = ['int', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'] as const;

interface Choice {
  readonly kinds: readonly Kind[];
  readonly overload: string;
}

function chosen(type: StaticType | undefined, choices: readonly Choice[]): string[] {
  const isOpen = type === undefined || type.kind === 'dyn';
  const found = choices.filter(({ kinds }) => isOpen || kinds.includes(type.kind));
  if (isOpen) return [...found.map(({ overload }) => overload), 'other'];
  return found.length === 0 ? ['other'] : found.map(({ overload }) => overload);
}

const known = (types: readonly StaticType[]): StaticType | undefined =>
  types.find(({ kind }) => kind !== 'dyn');

const addition: readonly Choice[] = [
  { kinds: ['string'], overload: 'add_string' },
  { kinds: ['bytes'], overload: 'add_bytes' },
  { kinds: ['list'], overload: 'add_list' },
];

const comparison: readonly Choice[] = [{ kinds: ['string', 'bytes'], overload: 'compare_text' }];

const index: readonly Choice[] = [
  { kinds: ['list'], overload: 'index_list' },
  { kinds: ['map', 'struct'], overload: 'index_map' },
];

const operators: Readonly<Record<string, readonly Choice[]>> = {
  '_+_': addition,
  '_<_': comparison,
  '_<=_': comparison,
  '_>_': comparison,
  '_>=_': comparison,
};

const sameEverywhere: Readonly<Record<string, string>> = {
  '_==_': 'equals',
  '_!=_': 'equals',
  '_&&_': 'logical',
  '_||_': 'logical',
  '_?_:_': 'conditional',
  matches: 'matches',
  contains: 'contains_string',
  startsWith: 'starts_or_ends',
  endsWith: 'starts_or_ends',
  format: 'string_format',
  'strings.quote': 'strings_quote',
  slice: 'list_slice',
  flatten: 'list_flatten',
  reverse: 'list_reverse',
  distinct: 'list_distinct',
  'lists.range': 'lists_range',
  'sets.contains': 'sets_once',
  'sets.intersects': 'sets_once',
  'sets.equivalent': 'sets_twice',
};

function sorting(list: StaticType | undefined): string[] {
  const element = list?.kind === 'list' ? list.value : undefined;
  const isKnown = element !== undefined && element.kind !== 'dyn';
  const kinds: readonly Kind[] = isKnown ? [element.kind] : comparable;
  const isText = (kind: Kind): boolean => kind === 'string' || kind === 'bytes';
  return [...new Set(kinds.map((kind) => (isText(kind) ? 'list_sort_text' : 'list_sort')))];
}

/** Never none. */
export function overloadsOf(
  name: string,
  target: StaticType | undefined,
  args: readonly StaticType[],
): readonly string[] {
  const operator = operators[name];
  if (operator !== undefined) return chosen(known(args), operator);
  switch (name) {
    case '@in':
      return chosen(args[1], [
        { kinds: ['list'], overload: 'in_list' },
        { kinds: ['map'], overload: 'in_map' },
      ]);
    case '_[_]':
      return chosen(args[0], index);
    case 'string':
      return chosen(args[0], [{ kinds: ['bytes'], overload: 'bytes_to_string' }]);
    case 'bytes':
      return chosen(args[0], [{ kinds: ['string'], overload: 'string_to_bytes' }]);
    case 'ip':
      return target === undefined ? ['string_to_ip'] : ['cidr_ip'];
    case 'containsIP':
    case 'containsCIDR':
      return chosen(args[0], [{ kinds: ['string'], overload: 'cidr_contains_string' }]);
    case 'sort':
      return sorting(target);
    case '@sortByAssociatedKeys':
      return sorting(args[0]);
    default:
      return [sameEverywhere[name] ?? 'other'];
  }
}
