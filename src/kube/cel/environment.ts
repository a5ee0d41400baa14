// What expressions may name: variables, types and functions, each function with all of its overloads. What
// libraries declare here is what is checked against, and what is run.
import { Mapping, parseType, splitTypes, substitute, typeOf, type CelType } from './types.ts';

export type Handler = (...args: never[]) => unknown;

export type Misfit = 'typed' | 'named' | 'plain' | 'method' | 'list';

export interface Overload {
  readonly isMember: boolean;
  /** The receiver first. */
  readonly args: readonly CelType[];
  readonly result: CelType;
  readonly params: readonly string[];
  /** Undefined for what the language itself runs. */
  readonly handler: Handler | undefined;
  /** How it is told that values fit none: with their types, the name alone, neither, as of a method, or of no list. */
  readonly misfit: Misfit;
}

/** A type with fields. */
export interface StructType {
  readonly type: CelType;
  /** undefined: there is none of that name. */
  field(name: string): CelType | undefined;
  /** Undefined for what expressions cannot make. */
  readonly make?: ((values: Map<string, unknown>) => unknown) | undefined;
}

function paramsIn(types: readonly CelType[], found = new Set<string>()): Set<string> {
  for (const { kind, name, params } of types) {
    if (kind === 'param') found.add(name);
    paramsIn(params, found);
  }
  return found;
}

export class Environment {
  readonly #functions: Map<string, Overload[]>;
  readonly #variables: Map<string, CelType>;
  readonly #types: Map<string, CelType>;
  readonly #structs: Map<string, StructType>;
  /** Where types are found whose names are not known before. */
  readonly #sources: ((name: string) => StructType | undefined)[];

  constructor(from?: Environment) {
    const own = from === undefined ? undefined : from.#parts;
    this.#functions = new Map(own?.functions);
    this.#variables = new Map(own?.variables);
    this.#types = new Map(own?.types);
    this.#structs = new Map(own?.structs);
    this.#sources = [...(own?.sources ?? [])];
  }

  get #parts() {
    return {
      functions: this.#functions,
      variables: this.#variables,
      types: this.#types,
      structs: this.#structs,
      sources: this.#sources,
    };
  }

  clone(): Environment {
    return new Environment(this);
  }

  #add(
    name: string,
    receiver: string | undefined,
    { args, result }: { readonly args: string; readonly result: string },
    handler: Handler | undefined,
    misfit: Misfit,
  ): void {
    const own = splitTypes(args).map(parseType);
    const types = receiver === undefined ? own : [parseType(receiver), ...own];
    const overload: Overload = {
      isMember: receiver !== undefined,
      args: types,
      result: parseType(result),
      params: [...paramsIn([...types, parseType(result)])],
      handler,
      misfit,
    };
    this.#functions.set(name, [...(this.#functions.get(name) ?? []), overload]);
  }

  /** `name(args): result`, where the name may have dots. */
  func(signature: string, handler?: Handler, misfit: Misfit = 'typed'): void {
    const { head, ...types } = partsOf(signature);
    this.#add(head, undefined, types, handler, misfit);
  }

  /** `receiver.name(args): result` */
  method(signature: string, handler?: Handler, misfit: Misfit = 'typed'): void {
    const { head, ...types } = partsOf(signature);
    const dot = head.lastIndexOf('.');
    this.#add(head.slice(dot + 1), head.slice(0, dot), types, handler, misfit);
  }

  variable(name: string, type: CelType): void {
    this.#variables.set(name, type);
  }

  /** The name may be written where a type is meant: `type(a) == net.IP`. */
  typeName(type: CelType, name = type.name): void {
    this.#types.set(name, typeOf(type));
  }

  struct(struct: StructType): void {
    this.#structs.set(struct.type.name, struct);
  }

  structsFrom(source: (name: string) => StructType | undefined): void {
    this.#sources.push(source);
  }

  overloads(name: string): readonly Overload[] | undefined {
    return this.#functions.get(name);
  }

  /** Of a variable, or of the name of a type. */
  typeOfName(name: string): CelType | undefined {
    const known = this.#variables.get(name) ?? this.#types.get(name);
    if (known !== undefined) return known;
    const struct = this.structOf(name);
    return struct && typeOf(struct.type);
  }

  isTypeName(name: string): boolean {
    return !this.#variables.has(name) && this.typeOfName(name) !== undefined;
  }

  typeNamed(name: string): CelType | undefined {
    const known = this.#types.get(name);
    if (known !== undefined) return known;
    const struct = this.structOf(name);
    return struct && typeOf(struct.type);
  }

  structOf(name: string): StructType | undefined {
    const known = this.#structs.get(name);
    if (known !== undefined) return known;
    for (const source of this.#sources) {
      const found = source(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function partsOf(signature: string): { head: string; args: string; result: string } {
  const colon = signature.lastIndexOf('): ');
  const open = openOf(signature, colon);
  return {
    head: signature.slice(0, open),
    args: signature.slice(open + 1, colon),
    result: signature.slice(colon + 3),
  };
}

/** The bracket that the one at `close` closes. */
function openOf(text: string, close: number): number {
  let depth = 0;
  for (let i = close; i >= 0; i -= 1) {
    if (text[i] === ')') depth += 1;
    if (text[i] === '(') depth -= 1;
    if (depth === 0) return i;
  }
  return 0;
}

/** The overload with parameters of its own, `_var3` and so on. */
export function fresh(overload: Overload, next: () => CelType): Overload {
  if (overload.params.length === 0) return overload;
  const mapping = new Mapping();
  for (const name of overload.params) mapping.set(name, next());
  return {
    ...overload,
    args: overload.args.map((one) => substitute(mapping, one, false)),
    result: substitute(mapping, overload.result, false),
  };
}
