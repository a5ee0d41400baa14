// Flags under Mesos' names, as text: how values are read, where they come from (command line, MESOS_
// variables), and what is said of those that are not known or cannot be read.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Fault } from '#base/fault.ts';

export interface FlagKind<T> {
  readonly fallback: string;
  readonly read: (text: string) => T;
  /** What is shown of a value that may hold secrets. */
  readonly shown?: ((text: string) => string) | undefined;
}

export function flag<T>(
  fallback: string,
  read: (text: string) => T,
  shown?: (text: string) => string,
): FlagKind<T> {
  return { fallback, read, shown };
}

/** Of a value that may also be the name of a file: only that is shown. */
export function fileOnly(text: string): string {
  return text.startsWith('/') || text.startsWith('file://') ? text : '<not shown>';
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  secs: 1000,
  mins: 60_000,
  hrs: 3_600_000,
  days: 86_400_000,
  weeks: 604_800_000,
};
const UNITS_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
  PB: 2 ** 50,
};

function quantity(text: string, units: Readonly<Record<string, number>>, what: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([a-zA-Z]+)$/.exec(text) ?? [];
  const size = units[unit];
  if (size === undefined) throw new Error(`"${text}" is no ${what}`);
  return Number(number) * size;
}

/** `5secs`, `1weeks`, as stout reads a Duration. */
export function durationMs(text: string): number {
  return quantity(text, UNITS_MS, 'duration');
}

export const bytes = (text: string): number => quantity(text, UNITS_BYTES, 'number of bytes');

export function bool(text: string): boolean {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw new Error(`"${text}" is neither true nor false`);
}

export function fraction(text: string): number {
  const value = Number(text);
  if (text === '' || !(value >= 0 && value <= 1)) throw new Error(`"${text}" is not within 0 to 1`);
  return value;
}

export function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`"${text}" is no number`);
  return Number(text);
}

export function oneOf<T extends string>(...words: readonly T[]): (text: string) => T {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found === undefined) throw new Error(`"${text}" is none of ${words.join(', ')}`);
    return found;
  };
}

/** The value itself, or, after `file://` or as an absolute path, that of a file. */
export function valueOrFile(text: string): string {
  if (text.startsWith('file://')) return readFileSync(fileURLToPath(text), 'utf8');
  return text.startsWith('/') ? readFileSync(text, 'utf8') : text;
}

export const words = (text: string): ReadonlySet<string> =>
  new Set(text.split(',').filter(Boolean));
export const optional = (text: string): string | undefined => (text === '' ? undefined : text);

type Kinds = Readonly<Record<string, FlagKind<unknown>>>;

/** The flags of one program, by name. */
export class FlagTable<K extends Kinds> {
  readonly #kinds: K;

  constructor(kinds: K) {
    this.#kinds = kinds;
  }

  get names(): readonly (keyof K & string)[] {
    return Object.keys(this.#kinds);
  }

  has(name: string): name is keyof K & string {
    return Object.hasOwn(this.#kinds, name);
  }

  /** What every flag is, with the defaults that there are. */
  texts(given: Readonly<Record<string, string>>): Record<string, string> {
    const defaults = Object.entries(this.#kinds).map(([name, { fallback }]) => [name, fallback]);
    const shown = Object.entries(given).map(([name, text]) => [
      name,
      (this.has(name) ? this.#kinds[name]?.shown?.(text) : undefined) ?? text,
    ]);
    return {
      ...Object.fromEntries(defaults.filter(([, text]) => text !== '')),
      ...Object.fromEntries(shown),
    };
  }

  /** Reads one flag after the other. Fault `bad-flag` for names that are not known, and for values. */
  reader(
    given: Readonly<Record<string, string>>,
  ): <N extends keyof K & string>(name: N) => ReturnType<K[N]['read']> {
    for (const name of Object.keys(given)) {
      if (this.has(name)) continue;
      throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}" is not known`);
    }
    return <N extends keyof K & string>(name: N) => {
      const kind = this.#kinds[name] as FlagKind<ReturnType<K[N]['read']>>;
      try {
        return kind.read(given[name] ?? kind.fallback);
      } catch (cause) {
        // What JSON.parse says quotes the text.
        const isTold = kind.shown === undefined || !(cause instanceof SyntaxError);
        const why = cause instanceof Error ? cause.message : String(cause);
        const message = `Cannot start: flag "${name}": ${isTold ? why : 'it is no JSON'}`;
        throw new Fault({ code: 'bad-flag', name }, message, isTold ? { cause } : {});
      }
    };
  }
}

/** Of MESOS_ variables only those that are flags of this program: others are for other programs. */
export function environmentFlags(
  environment: Readonly<Record<string, string | undefined>>,
  isKnown: (name: string) => boolean,
): Record<string, string> {
  const entries = Object.entries(environment)
    .map(([name, value]) => [name.replace(/^MESOS_/, '').toLowerCase(), value, name] as const)
    .filter(([name, , full]) => full.startsWith('MESOS_') && isKnown(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? '']));
}

/** `NAME=VALUE`, as `--flag` takes it. Fault `bad-flag`. */
export function namedFlag(text: string): [name: string, value: string] {
  const [, name = '', value = ''] = /^-*([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name !== '') return [name, value];
  throw new Fault({ code: 'bad-flag' }, `Cannot start: "${text}" is not NAME=VALUE`);
}

export function namedFlags(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(given.map(namedFlag));
}
