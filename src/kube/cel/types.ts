// The types of CEL, as cel-go has them: how they are named in messages, which fit which, and what the
// parameters of generic functions become (checker/types.go).
export interface CelType {
  readonly kind:
    | 'any'
    | 'bool'
    | 'bytes'
    | 'double'
    | 'duration'
    | 'dyn'
    | 'error'
    | 'int'
    | 'list'
    | 'map'
    | 'null'
    /** Of a library: `net.IP`, `optional_type(int)`. */
    | 'opaque'
    | 'param'
    | 'string'
    /** With fields. */
    | 'struct'
    | 'timestamp'
    | 'type'
    | 'uint'
    /** Of a field that there is not, and that can nevertheless be named. */
    | 'unspecified';
  readonly name: string;
  readonly params: readonly CelType[];
}

const simple = (kind: CelType['kind'], name: string): CelType => ({ kind, name, params: [] });

export const ANY = simple('any', 'google.protobuf.Any');
export const BOOL = simple('bool', 'bool');
export const BYTES = simple('bytes', 'bytes');
export const DOUBLE = simple('double', 'double');
export const DURATION = simple('duration', 'google.protobuf.Duration');
export const DYN = simple('dyn', 'dyn');
export const ERROR = simple('error', '*error*');
export const INT = simple('int', 'int');
export const NULL = simple('null', 'null_type');
export const STRING = simple('string', 'string');
export const TIMESTAMP = simple('timestamp', 'google.protobuf.Timestamp');
export const TYPE = simple('type', 'type');
export const UINT = simple('uint', 'uint');
export const UNSPECIFIED = simple('unspecified', '');

export const listOf = (item: CelType): CelType => ({ kind: 'list', name: 'list', params: [item] });
export const mapOf = (key: CelType, value: CelType): CelType => ({
  kind: 'map',
  name: 'map',
  params: [key, value],
});
export const optionalOf = (value: CelType): CelType => opaque('optional_type', value);
export const typeOf = (type: CelType): CelType => ({ kind: 'type', name: 'type', params: [type] });
export const param = (name: string): CelType => simple('param', name);
export const struct = (name: string): CelType => simple('struct', name);

export function opaque(name: string, ...params: CelType[]): CelType {
  return { kind: 'opaque', name, params };
}

const simpleNames = new Map(
  [ANY, BOOL, BYTES, DOUBLE, DURATION, DYN, INT, NULL, STRING, TIMESTAMP, TYPE, UINT].map(
    (type) => [type.name, type] as const,
  ),
);

/** What a name is read as: `list(map(string, A))`; a single capital is a parameter. */
export function parseType(text: string): CelType {
  const open = text.indexOf('(');
  if (open < 0) {
    if (/^[A-Z]$/.test(text)) return param(text);
    const known =
      simpleNames.get(text) ?? (text === 'list' || text === 'map' ? bare(text) : undefined);
    // Of Kubernetes' own only addresses are opaque.
    return known ?? (text.startsWith('kubernetes.') ? struct(text) : opaque(text));
  }
  const params = splitTypes(text.slice(open + 1, -1)).map(parseType);
  const name = text.slice(0, open);
  if (name === 'list') return listOf(params[0] as CelType);
  if (name === 'map') return mapOf(params[0] as CelType, params[1] as CelType);
  return name === 'type' ? typeOf(params[0] as CelType) : opaque(name, ...params);
}

const bare = (name: 'list' | 'map'): CelType => (name === 'list' ? listOf(DYN) : mapOf(DYN, DYN));

/** At the commas that are not within brackets. */
export function splitTypes(text: string): string[] {
  const out: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= text.length; i += 1) {
    const letter = text[i];
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (i < text.length && (letter !== ',' || depth > 0)) continue;
    const one = text.slice(from, i).trim();
    if (one !== '') out.push(one);
    from = i + 1;
  }
  return out;
}

const shortNames: Readonly<Partial<Record<CelType['kind'], string>>> = {
  any: 'any',
  duration: 'duration',
  error: '!error!',
  null: 'null',
  timestamp: 'timestamp',
};

/** As mistakes tell it. */
export function shownType(type: CelType): string {
  const short = shortNames[type.kind];
  if (short !== undefined) return short;
  if (type.params.length === 0) return type.name;
  return `${type.name}(${type.params.map(shownType).join(', ')})`;
}

/** As what an expression comes to is told. */
export function typeText(type: CelType): string {
  if (type.kind === 'param') return `<${type.name}>`;
  if (type.params.length === 0) return type.name;
  return `${type.name}(${type.params.map(typeText).join(', ')})`;
}

export const isDyn = ({ kind }: CelType): boolean => kind === 'dyn' || kind === 'any';
export const isDynOrError = (type: CelType): boolean => isDyn(type) || type.kind === 'error';

export function unwrapOptional(type: CelType): CelType | undefined {
  return type.kind === 'opaque' && type.name === 'optional_type' ? type.params[0] : undefined;
}

/** `isLoose`: parameters are alike whatever their names. */
export function isSame(a: CelType, b: CelType, isLoose = false): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind || a.params.length !== b.params.length) return false;
  if (a.name !== b.name && !(isLoose && a.kind === 'param')) return false;
  return a.params.every((one, i) => isSame(one, b.params[i] as CelType, isLoose));
}

/** What parameters stand for. What was set by an attempt that failed can be taken back. */
export class Mapping {
  readonly #types = new Map<string, CelType>();
  readonly #before: (readonly [name: string, type: CelType | undefined])[] = [];

  get(name: string): CelType | undefined {
    return this.#types.get(name);
  }

  set(name: string, type: CelType): void {
    this.#before.push([name, this.#types.get(name)]);
    this.#types.set(name, type);
  }

  /** Undoes what the attempt has set when it fails. */
  attempt(run: () => boolean): boolean {
    const mark = this.#before.length;
    if (run()) return true;
    while (this.#before.length > mark) {
      const [name, type] = this.#before.pop() as readonly [string, CelType | undefined];
      if (type === undefined) this.#types.delete(name);
      else this.#types.set(name, type);
    }
    return false;
  }
}

const find = (mapping: Mapping, type: CelType): CelType | undefined =>
  type.kind === 'param' ? mapping.get(type.name) : undefined;

/** With parameters replaced by what they stand for; those that stand for nothing become dyn, if wanted. */
export function substitute(mapping: Mapping, type: CelType, isFinal: boolean): CelType {
  const found = find(mapping, type);
  if (found !== undefined) return substitute(mapping, found, isFinal);
  if (type.kind === 'param') return isFinal ? DYN : type;
  if (type.params.length === 0) return type;
  const params = type.params.map((one) => substitute(mapping, one, isFinal));
  return params.every((one, i) => one === type.params[i]) ? type : { ...type, params };
}

function isLessSpecific(a: CelType, b: CelType): boolean {
  if (isDyn(a) || a.kind === 'param') return true;
  if (isDyn(b) || b.kind === 'param') return false;
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case 'opaque':
      return (
        a.name === b.name &&
        a.params.length === b.params.length &&
        a.params.every((one, i) => isLessSpecific(one, b.params[i] as CelType))
      );
    case 'list':
    case 'map':
      return a.params.every((one, i) => isLessSpecific(one, b.params[i] as CelType));
    case 'type':
      return true;
    default:
      return isSame(a, b);
  }
}

/** Of two that go together. */
export const mostGeneral = (a: CelType, b: CelType): CelType => (isLessSpecific(a, b) ? a : b);

function isApartFrom(mapping: Mapping, type: CelType, within: CelType): boolean {
  if (isSame(type, within)) return false;
  if (within.kind === 'param') {
    const found = find(mapping, within);
    return found === undefined || isApartFrom(mapping, type, found);
  }
  return within.params.every((one) => isApartFrom(mapping, type, one));
}

/** Whether the parameter may stand for the type, and whether it stood for something before. */
function substitutes(
  mapping: Mapping,
  type: CelType,
  parameter: CelType,
): { readonly isValid: boolean; readonly isBound: boolean } {
  if (type.kind === parameter.kind && isSame(type, parameter))
    return { isValid: true, isBound: true };
  const found = find(mapping, parameter);
  if (found !== undefined) {
    if (type.kind === found.kind && isSame(type, found)) return { isValid: true, isBound: true };
    if (!assign(mapping, type, found)) return { isValid: false, isBound: true };
    const general = mostGeneral(type, found);
    if (isApartFrom(mapping, parameter, general)) mapping.set(parameter.name, general);
    return { isValid: true, isBound: true };
  }
  if (!isApartFrom(mapping, parameter, type)) return { isValid: false, isBound: false };
  mapping.set(parameter.name, type);
  return { isValid: true, isBound: false };
}

const nullable = new Set<CelType['kind']>([
  'opaque',
  'struct',
  'any',
  'duration',
  'timestamp',
  'null',
]);

function assign(mapping: Mapping, a: CelType, b: CelType): boolean {
  if (b.kind === 'param') {
    const { isValid, isBound } = substitutes(mapping, a, b);
    if (isValid) return true;
    if (isBound) return false;
  }
  if (a.kind === 'param') return substitutes(mapping, b, a).isValid;
  if (isDynOrError(a) || isDynOrError(b)) return true;
  if (a.kind === 'null') return nullable.has(b.kind);
  if (b.kind === 'null') return nullable.has(a.kind);
  switch (a.kind) {
    case 'type':
      return b.kind === 'type';
    case 'opaque':
    case 'list':
    case 'map':
      return (
        a.kind === b.kind &&
        a.name === b.name &&
        a.params.length === b.params.length &&
        a.params.every((one, i) => assign(mapping, one, b.params[i] as CelType))
      );
    default:
      return a.kind === b.kind && a.name === b.name;
  }
}

/** Whether each of the second may be where the first is wanted; the mapping is widened only if so. */
export function areAssignable(
  mapping: Mapping,
  wanted: readonly CelType[],
  found: readonly CelType[],
): boolean {
  if (wanted.length !== found.length) return false;
  return mapping.attempt(() => wanted.every((one, i) => assign(mapping, one, found[i] as CelType)));
}
