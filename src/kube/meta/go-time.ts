// Times as Go reads them out of JSON and writes them again (time.Parse, v1.Time and v1.MicroTime): what of a text is
// no time, in Go's words, and one spelling for each moment.

const layouts = {
  'date-time': '2006-01-02T15:04:05Z07:00',
  'micro-time': '2006-01-02T15:04:05.000000Z07:00',
} as const;

export type TimeFormat = keyof typeof layouts;

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/** What is left of the text does not go on as the layout does. */
class Unfit extends Error {
  readonly rest: string;
  readonly wanted: string;

  constructor(rest: string, wanted: string) {
    super('unfit');
    this.rest = rest;
    this.wanted = wanted;
  }
}

class OutOfRange extends Error {}

class Scanner {
  #rest: string;

  constructor(text: string) {
    this.#rest = text;
  }

  get rest(): string {
    return this.#rest;
  }

  literal(sign: string): void {
    if (!this.#rest.startsWith(sign)) throw new Unfit(this.#rest, sign);
    this.#rest = this.#rest.slice(sign.length);
  }

  /** A match at the start; `wanted` is what the layout has there. */
  take(pattern: RegExp, wanted: string): string {
    const [found] = pattern.exec(this.#rest) ?? [];
    if (found === undefined) throw new Unfit(this.#rest, wanted);
    this.#rest = this.#rest.slice(found.length);
    return found;
  }

  number(
    pattern: RegExp,
    wanted: string,
    [least, most]: readonly [number, number],
    what: string,
  ): number {
    const value = Number(this.take(pattern, wanted));
    if (value < least || value > most) throw new OutOfRange(what);
    return value;
  }

  optional(pattern: RegExp): string {
    const [found = ''] = pattern.exec(this.#rest) ?? [];
    this.#rest = this.#rest.slice(found.length);
    return found;
  }
}

const TWO = /^\d\d/;

function scan(text: string, format: TimeFormat): void {
  const scanner = new Scanner(text);
  const year = Number(scanner.take(/^\d{4}/, '2006'));
  scanner.literal('-');
  const month = scanner.number(TWO, '01', [1, 12], 'month');
  scanner.literal('-');
  const day = Number(scanner.take(TWO, '02'));
  scanner.literal('T');
  scanner.number(/^\d\d?/, '15', [0, 23], 'hour');
  scanner.literal(':');
  scanner.number(TWO, '04', [0, 59], 'minute');
  scanner.literal(':');
  scanner.number(TWO, '05', [0, 59], 'second');
  if (format === 'micro-time') scanner.take(/^[.,]\d{6}/, '.000000');
  else scanner.optional(/^[.,]\d+/);
  const zone = scanner.take(/^(?:Z|[+-]\d\d:\d\d)/, 'Z07:00');
  if (Number(zone.slice(1, 3)) > 24) throw new OutOfRange('time zone offset hour');
  if (Number(zone.slice(4, 6)) > 60) throw new OutOfRange('time zone offset minute');
  if (scanner.rest !== '') throw new Error(`extra text: ${JSON.stringify(scanner.rest)}`);
  const days = month === 2 && isLeap(year) ? 29 : (DAYS[month - 1] ?? 0);
  if (day < 1 || day > days) throw new OutOfRange('day');
}

/** Why a text is no time; undefined when it is one. */
export function timeFault(text: string, format: TimeFormat): string | undefined {
  const quoted = JSON.stringify(text);
  try {
    scan(text, format);
    return undefined;
  } catch (error) {
    if (error instanceof Unfit) {
      const why = `cannot parse ${JSON.stringify(error.rest)} as "${error.wanted}"`;
      return `parsing time ${quoted} as "${layouts[format]}": ${why}`;
    }
    const { message } = error as Error;
    return `parsing time ${quoted}: ${error instanceof OutOfRange ? `${message} out of range` : message}`;
  }
}

const usual: Readonly<Record<TimeFormat, RegExp>> = {
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  'micro-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
};

/** Of a text that is a time: at Greenwich, in whole seconds or millionths. */
export function canonicalTime(text: string, format: TimeFormat): string {
  if (usual[format].test(text)) return text;
  const [, seconds = '', fraction = '', zone = ''] =
    /^(.{4}-..-..T\d\d?:..:..)[.,]?(\d*)(Z|[+-]..:..)$/.exec(text) ?? [];
  const moment = Date.parse(`${seconds.replace(/T(\d):/, 'T0$1:')}Z`);
  const sign = zone.startsWith('-') ? -1 : 1;
  const minutes = zone === 'Z' ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  const plain = new Date(moment - sign * minutes * 60_000).toISOString().slice(0, 19);
  return format === 'micro-time' ? `${plain}.${fraction}Z` : `${plain}Z`;
}
