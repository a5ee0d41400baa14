// Which overload of a function a call is: where its types do not tell, its values do, and what fits none fails in
// the words that cel-go has for that function.
import { CelFailure } from './core-values.ts';
import type { Misfit, Overload } from './environment.ts';
import { goNameOf, noOverload } from './operators.ts';
import type { CelType } from './types.ts';
import { typeOfValue } from './values.ts';

type Matcher = (value: unknown) => boolean;

/** Whether a value is of the type, as far as cel-go looks: into collections by their first item alone. */
function matcher(type: CelType): Matcher {
  switch (type.kind) {
    case 'dyn':
    case 'any':
    case 'param':
    case 'error':
      return () => true;
    case 'list': {
      const item = matcher(type.params[0] as CelType);
      return (value) => Array.isArray(value) && (value.length === 0 || item(value[0]));
    }
    case 'map': {
      const [key, one] = type.params.map(matcher) as [Matcher, Matcher];
      return (value) => {
        if (!(value instanceof Map)) return false;
        const [first] = value;
        return first === undefined || (key(first[0]) && one(first[1]));
      };
    }
    default:
      return (value) => typeOfValue(value).name === type.name;
  }
}

interface Choice {
  readonly fits: readonly Matcher[];
  readonly handler: (...args: unknown[]) => unknown;
}

const PLAIN = new Set<CelType['kind']>(['bool', 'bytes', 'double', 'int', 'string', 'uint']);

/** Of some functions of lists cel-go does not look into the lists. */
const bare = (type: CelType): Matcher => (type.kind === 'list' ? Array.isArray : matcher(type));

function choicesOf(overloads: readonly Overload[], kind: Misfit): Choice[] {
  const match = kind === 'method' || kind === 'list' ? bare : matcher;
  return overloads.flatMap(({ args, handler }) =>
    handler === undefined ? [] : [{ fits: args.map(match), handler: handler as Choice['handler'] }],
  );
}

/** What cel-go says, which here and there is only how Go fails. */
function misfit(kind: Misfit, name: string, args: readonly unknown[]): CelFailure {
  const [first, ...rest] = args;
  const types = args.map((one) => typeOfValue(one).name);
  switch (kind) {
    case 'plain':
      return noOverload();
    case 'named': {
      // These may have methods of any name, as far as cel-go knows.
      const { kind: own } = typeOfValue(first);
      if (own === 'duration' || own === 'timestamp' || own === 'string') return noOverload();
      return new CelFailure(`no such overload: ${name}`);
    }
    case 'method':
      if (Array.isArray(first)) {
        const why = `ref.Val is ${goNameOf(rest[0])}, not types.Int`;
        return new CelFailure(`internal error: interface conversion: ${why}`);
      }
      return new CelFailure(
        `no such overload: ${shownReceiver(first)}.${name}(${types.slice(1).join(', ')})`,
      );
    case 'list': {
      const { kind: own } = typeOfValue(first);
      const missing = ADDABLE.has(own) ? 'Contains' : 'Add';
      const why = `${goNameOf(first)} is not traits.Lister: missing method ${missing}`;
      return new CelFailure(`internal error: interface conversion: ${why}`);
    }
    default:
      return new CelFailure(`no such overload: ${name}(${types.join(', ')})`);
  }
}

const ADDABLE = new Set<CelType['kind']>([
  'bytes',
  'double',
  'duration',
  'int',
  'string',
  'timestamp',
  'uint',
]);

const shownReceiver = (value: unknown): string => {
  const { name } = typeOfValue(value);
  return name === 'optional_type' ? 'optional_type(dyn)' : name;
};

/**
 * The function as it is to be called. `all` are its overloads, `fitting` those that fit by their types; `isSure`: the
 * arguments are of simple types that are known.
 */
export function chooser(
  name: string,
  all: readonly Overload[],
  fitting: readonly Overload[],
  isSure: boolean,
  words?: Misfit,
): (args: unknown[]) => unknown {
  const [only, ...others] = fitting;
  const kind = words ?? all[0]?.misfit ?? 'typed';
  const own = others.length === 0 && only !== undefined ? [only] : all;
  const choices = choicesOf(own, kind);
  const choose = (args: unknown[]): unknown => {
    for (const { fits, handler } of choices)
      if (fits.every((one, i) => one(args[i]))) return handler(...args);
    throw misfit(kind, name, args);
  };
  if (only?.handler === undefined || others.length > 0 || !isSure) return choose;
  const handler = only.handler as (...args: unknown[]) => unknown;
  // Items of lists may be null, whatever their type.
  return (args) => (args.includes(null) ? choose(args) : handler(...args));
}

export const isSimple = (type: CelType | undefined): boolean =>
  type !== undefined && PLAIN.has(type.kind);
