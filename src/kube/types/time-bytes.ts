// The form in which nearly all times are stored, "2026-11-30T06:29:15Z", read from its bytes.

/** With its quotes. */
export const TIME_BYTES = 22;

const [ZERO, NINE] = [0x30, 0x39];
/** What is between the digits, and where. */
const FORM = '"____-__-__T__:__:__Z"';
const PLACES = [...Array(TIME_BYTES).keys()].filter((place) => FORM[place] !== '_');
const SIGNS = PLACES.map((place) => FORM.charCodeAt(place));
const DAYS_OF_MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const DAYS_BEFORE_MONTHS = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/** Of so many digits; NaN when there are others among them. */
function number(bytes: Uint8Array, from: number, digits: number): number {
  let value = 0;
  for (let i = from; i < from + digits; i += 1) {
    const digit = bytes[i] ?? 0;
    if (digit < ZERO || digit > NINE) return Number.NaN;
    value = value * 10 + (digit - ZERO);
  }
  return value;
}

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/** Since 1970; undefined before it, and for anything that is not written in this form. */
export function secondsOf(bytes: Uint8Array, at: number): number | undefined {
  for (let i = 0; i < PLACES.length; i += 1)
    if (bytes[at + (PLACES[i] as number)] !== SIGNS[i]) return undefined;
  const year = number(bytes, at + 1, 4);
  const month = number(bytes, at + 6, 2);
  const day = number(bytes, at + 9, 2);
  const hour = number(bytes, at + 12, 2);
  const minute = number(bytes, at + 15, 2);
  const second = number(bytes, at + 18, 2);
  if (!(year >= 1970 && month >= 1 && month <= 12 && day >= 1)) return undefined;
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return undefined;
  const leapDay = isLeap(year) ? 1 : 0;
  if (day > (DAYS_OF_MONTHS[month - 1] as number) + (month === 2 ? leapDay : 0)) return undefined;
  const years = year - 1;
  const leapYears = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  // 477 leap years were before 1970.
  const daysBefore = (year - 1970) * 365 + leapYears - 477;
  const inYear = (DAYS_BEFORE_MONTHS[month - 1] as number) + (month > 2 ? leapDay : 0) + day - 1;
  return ((daysBefore + inYear) * 24 + hour) * 3_600 + minute * 60 + second;
}
