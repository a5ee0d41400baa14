// Durations and points in time, read and taken apart as Go does (time.ParseDuration, RFC 3339).
import { CelFailure, Duration, Timestamp } from './core-values.ts';

const INT_MAX = 2n ** 63n - 1n;

const UNITS: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ns: 1n,
};

const DURATION = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/g;

/** Throws CelFailure. */
export function parseDuration(text: string): Duration {
  const fail = (why: string): CelFailure =>
    new CelFailure(`time: ${why} duration ${JSON.stringify(text)}`);
  if (!DURATION.test(text)) throw durationFault(text, fail);
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(PART)) {
    const size = UNITS[unit] ?? 1n;
    nanos += BigInt(whole || 0) * size;
    if (fraction !== '') nanos += (BigInt(fraction) * size) / 10n ** BigInt(fraction.length);
  }
  const signed = text.startsWith('-') ? -nanos : nanos;
  if (signed > INT_MAX || signed < -INT_MAX - 1n) throw fail('invalid');
  return new Duration(signed);
}

function durationFault(text: string, fail: (why: string) => CelFailure): CelFailure {
  const rest = text
    .replace(/^[+-]/, '')
    .replace(/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)(?![a-z]))+/, '');
  const unit = /^(?:\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest);
  if (unit === null) return fail('invalid');
  if (unit[1] === '') return fail('missing unit in');
  return new CelFailure(
    `time: unknown unit ${JSON.stringify(unit[1])} in duration ${JSON.stringify(text)}`,
  );
}

const TIMESTAMP =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** Of this span points in time are. */
const MIN = -62_135_596_800n;
const MAX = 253_402_300_799n;
const SECOND = 1_000_000_000n;

export function timestampOf(nanos: bigint, offset = 0): Timestamp {
  const seconds = nanos / SECOND - (nanos % SECOND < 0n ? 1n : 0n);
  if (seconds < MIN || seconds > MAX) throw new CelFailure('timestamp overflow');
  return new Timestamp(nanos, offset);
}

/** Throws CelFailure. */
export function parseTimestamp(text: string): Timestamp {
  const match = TIMESTAMP.exec(text);
  const fail = (): CelFailure =>
    new CelFailure(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00"`);
  if (match === null) throw fail();
  const [, year, month, day, hour, minute, second, fraction = '', sign, zoneHour, zoneMinute] =
    match;
  const fields = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(fields[0], fields[1] - 1, fields[2]);
  date.setUTCHours(fields[3], fields[4], fields[5]);
  const isReal =
    date.getUTCMonth() === fields[1] - 1 &&
    date.getUTCDate() === fields[2] &&
    fields[3] < 24 &&
    fields[4] < 60 &&
    fields[5] < 60;
  if (!isReal || Number(zoneHour ?? 0) > 24 || Number(zoneMinute ?? 0) >= 60) throw fail();
  const offset = (Number(zoneHour ?? 0) * 60 + Number(zoneMinute ?? 0)) * (sign === '-' ? -1 : 1);
  const nanos =
    BigInt(date.getTime() - offset * 60_000) * 1_000_000n +
    BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return timestampOf(nanos, offset);
}
