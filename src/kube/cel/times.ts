// Durations and points in time, read and taken apart as Go does (time.ParseDuration, RFC 3339).
import { parseNanoseconds } from '#kube/meta/go-duration.ts';
import { CelFailure, Duration, Timestamp } from './core-values.ts';

/** Throws CelFailure. */
export function parseDuration(text: string): Duration {
  const found = parseNanoseconds(text);
  if (typeof found === 'bigint') return new Duration(found);
  throw new CelFailure(found.why);
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
