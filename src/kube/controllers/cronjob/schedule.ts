// Cron schedules: five fields or one of the @names, in a time zone. Finds the moments that they mean.

interface Field {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[] | undefined;
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const days = 'sun mon tue wed thu fri sat'.split(' ');

const fields: readonly Field[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
];

const named: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

export interface Schedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** When both are limited, either of them is enough. */
  readonly isAnyDay: boolean;
  readonly isAnyWeekday: boolean;
  /** `@every`: only the distance counts. */
  readonly everyMs?: number | undefined;
}

function numberIn(field: Field, text: string): number | undefined {
  const index = field.names?.indexOf(text.toLowerCase()) ?? -1;
  if (index >= 0) return index + field.min;
  if (!/^\d+$/.test(text)) return undefined;
  const number = Number(text);
  // Seven is Sunday, too.
  return field.max === 6 && number === 7 ? 0 : number;
}

function parseField(field: Field, text: string): ReadonlySet<number> | undefined {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [range = '', stepText] = part.split('/');
    const step = stepText === undefined ? 1 : Number(stepText);
    if (!Number.isInteger(step) || step < 1) return undefined;
    let [from, to]: [number | undefined, number | undefined] = [field.min, field.max];
    if (range !== '*' && range !== '?') {
      const [first = '', last] = range.split('-');
      from = numberIn(field, first);
      if (last !== undefined) to = numberIn(field, last);
      else to = stepText === undefined ? from : field.max;
    }
    if (from === undefined || to === undefined) return undefined;
    if (from < field.min || to > field.max || from > to) return undefined;
    for (let value = from; value <= to; value += step) found.add(value);
  }
  return found;
}

function everyMs(text: string): number | undefined {
  const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([hms])/g)];
  if (parts.map(([all]) => all).join('') !== text || parts.length === 0) return undefined;
  const total = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0),
    0,
  );
  return Math.max(1_000, total);
}

/** undefined when it is no schedule. */
export function parseSchedule(text: string): Schedule | undefined {
  const trimmed = text.trim();
  if (trimmed.startsWith('@every ')) {
    const period = everyMs(trimmed.slice('@every '.length));
    const base = parseSchedule('* * * * *');
    return period === undefined || base === undefined ? undefined : { ...base, everyMs: period };
  }
  const parts = (named[trimmed] ?? trimmed).split(/\s+/);
  if (parts.length !== fields.length) return undefined;
  const sets: ReadonlySet<number>[] = [];
  for (const [index, field] of fields.entries()) {
    const set = parseField(field, parts[index] ?? '');
    if (set === undefined) return undefined;
    sets.push(set);
  }
  const [minutes, hours, monthDays, monthSet, weekdays] = sets;
  if (!minutes || !hours || !monthDays || !monthSet || !weekdays) return undefined;
  const isAny = (part: string | undefined): boolean => /^[*?]/.test(part ?? '');
  return {
    minutes,
    hours,
    days: monthDays,
    months: monthSet,
    weekdays,
    isAnyDay: isAny(parts[2]),
    isAnyWeekday: isAny(parts[4]),
  };
}

/** Milliseconds to add to UTC for local time, at that moment. */
function offsetAt(zone: string, at: number): number {
  if (zone === 'UTC') return 0;
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at);
  const of = (type: string): number => Number(parts.find((one) => one.type === type)?.value ?? 0);
  const local = Date.UTC(
    of('year'),
    of('month') - 1,
    of('day'),
    of('hour'),
    of('minute'),
    of('second'),
  );
  return local - Math.floor(at / 1_000) * 1_000;
}

function isDay(schedule: Schedule, local: Date): boolean {
  if (!schedule.months.has(local.getUTCMonth() + 1)) return false;
  const isMonthDay = schedule.days.has(local.getUTCDate());
  const isWeekday = schedule.weekdays.has(local.getUTCDay());
  if (schedule.isAnyDay || schedule.isAnyWeekday) return isMonthDay && isWeekday;
  return isMonthDay || isWeekday;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const YEARS_MAX = 5;

/** The first moment after `after`; undefined when there is none in five years. */
export function nextTime(schedule: Schedule, after: number, zone = 'UTC'): number | undefined {
  if (schedule.everyMs !== undefined) {
    return Math.floor(after / 1_000) * 1_000 + schedule.everyMs;
  }
  let at = Math.floor(after / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  const limit = after + YEARS_MAX * 366 * 24 * HOUR_MS;
  while (at < limit) {
    const offset = offsetAt(zone, at);
    const local = new Date(at + offset);
    if (!isDay(schedule, local)) {
      // To the next local midnight, by the offset that holds now; a change of it is met on the way.
      const intoDay = (((at + offset) % (24 * HOUR_MS)) + 24 * HOUR_MS) % (24 * HOUR_MS);
      at += Math.min(24 * HOUR_MS - intoDay, zone === 'UTC' ? Infinity : HOUR_MS);
      continue;
    }
    if (!schedule.hours.has(local.getUTCHours())) {
      at += HOUR_MS - ((((at + offset) % HOUR_MS) + HOUR_MS) % HOUR_MS);
      continue;
    }
    if (schedule.minutes.has(local.getUTCMinutes())) return at;
    at += MINUTE_MS;
  }
  return undefined;
}

/** The latest moment in (after, until], and whether there were many more before it. */
export function lastTime(
  schedule: Schedule,
  span: { after: number; until: number },
  zone = 'UTC',
): { at: number; missedCount: number } | undefined {
  let found: number | undefined;
  let missedCount = 0;
  let at = nextTime(schedule, span.after, zone);
  while (at !== undefined && at <= span.until) {
    found = at;
    missedCount += 1;
    // Far behind: only the end of the span matters.
    if (missedCount === 100 && span.until - at > 100 * HOUR_MS) {
      at = nextTime(schedule, Math.max(at, span.until - 100 * HOUR_MS), zone);
    } else at = nextTime(schedule, at, zone);
  }
  return found === undefined ? undefined : { at: found, missedCount };
}
