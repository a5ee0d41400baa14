// What is wrong with a schedule of a CronJob, in the words of the parser that upstream uses (robfig/cron v3.0.1).
import { parseDuration } from './go-duration.ts';

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const days = 'sun mon tue wed thu fri sat'.split(' ');

/** Minute, hour, day of the month, month, day of the week. */
const fields: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
];

const descriptors = new Set(
  ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'].values(),
);

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** The number, or why it is none. */
function numberIn(text: string): number | string {
  const head = `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}`;
  if (!/^[+-]?\d+$/.test(text)) return `${head}: invalid syntax`;
  const value = BigInt(text.replace('+', ''));
  if (value > INT64_MAX || value < INT64_MIN) return `${head}: value out of range`;
  return value < 0n ? `negative number (${value}) not allowed: ${text}` : Number(value);
}

function numberOrName(text: string, { min, names = [] }: Bounds): number | string {
  const index = names.indexOf(text.toLowerCase());
  return index < 0 ? numberIn(text) : index + min;
}

/** Of a number, a range or a star, each with or without a step. */
function rangeProblem(text: string, bounds: Bounds): string | undefined {
  const [range = '', stepText, ...moreSteps] = text.split('/');
  const [low = '', high, ...more] = range.split('-');
  const isAll = low === '*' || low === '?';
  const start = isAll ? bounds.min : numberOrName(low, bounds);
  if (typeof start === 'string') return start;
  if (!isAll && more.length > 0) return `too many hyphens: ${text}`;
  let end: number | string = isAll ? bounds.max : start;
  if (!isAll && high !== undefined) end = numberOrName(high, bounds);
  if (typeof end === 'string') return end;
  if (moreSteps.length > 0) return `too many slashes: ${text}`;
  const step = stepText === undefined ? 1 : numberIn(stepText);
  if (typeof step === 'string') return step;
  if (stepText !== undefined && high === undefined) end = bounds.max;
  if (start < bounds.min) {
    return `beginning of range (${start}) below minimum (${bounds.min}): ${text}`;
  }
  if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${text}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${text}`;
  return step === 0 ? `step of range should be a positive number: ${text}` : undefined;
}

const EVERY = '@every ';

function descriptorProblem(text: string): string | undefined {
  if (descriptors.has(text)) return undefined;
  if (!text.startsWith(EVERY)) return `unrecognized descriptor: ${text}`;
  const duration = text.slice(EVERY.length);
  const found = parseDuration(duration);
  return typeof found === 'number' ? undefined : `failed to parse duration ${text}: ${found.why}`;
}

/** Why the schedule is none; undefined when it is one. */
export function scheduleProblem(schedule: string): string | undefined {
  if (schedule.startsWith('@')) return descriptorProblem(schedule);
  const parts = schedule.split(/\s+/).filter((part) => part !== '');
  if (parts.length !== fields.length) {
    return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`;
  }
  for (const [index, bounds] of fields.entries()) {
    for (const part of (parts[index] ?? '').split(',')) {
      const why = part === '' ? undefined : rangeProblem(part, bounds);
      if (why !== undefined) return why;
    }
  }
  return undefined;
}
