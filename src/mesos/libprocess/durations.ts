// Durations and numbers in text as Mesos reads them, with its words for what is wrong.

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  secs: 1_000,
  mins: 60_000,
  hrs: 3_600_000,
  days: 86_400_000,
  weeks: 604_800_000,
};

export type Parsed = { readonly ok: true; readonly value: number } | { ok: false; why: string };

/** A number as a whole text. */
export function parseNumber(text: string): Parsed {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    return { ok: false, why: `Failed to convert '${text}' to number` };
  }
  return { ok: true, value };
}

/** `10secs` in milliseconds. */
export function parseDuration(text: string): Parsed {
  if (text === '') return { ok: false, why: `Invalid duration ''` };
  const digits = /^[-+0-9.]*/.exec(text)?.[0] ?? '';
  const number = parseNumber(digits);
  if (!number.ok) return number;
  const unit = text.slice(digits.length);
  if (unit === '') return { ok: false, why: `Invalid duration '${text}'` };
  const size = UNITS_MS[unit];
  if (size !== undefined) return { ok: true, value: number.value * size };
  const units = "'ns', 'us', 'ms', 'secs', 'mins', 'hrs', 'days', and 'weeks'";
  return { ok: false, why: `Unknown duration unit '${unit}'; supported units are ${units}.` };
}
