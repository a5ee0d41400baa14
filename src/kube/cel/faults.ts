// Mistakes of expressions as cel-go prints them: each with its place, the line that it is on, and a mark below.
import type { Fault } from './syntax.ts';

const FAULTS_MAX = 100;
const LINE_MAX = 16_384;

interface Place {
  readonly line: number;
  readonly column: number;
}

/** Columns count letters, also those beyond the basic plane. */
function placeOf(source: string, at: number): Place {
  if (at < 0) return { line: -1, column: -1 };
  const before = source.slice(0, at);
  const start = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (const letter of before) if (letter === '\n') line += 1;
  const letters = Array.from(before.slice(start));
  return { line, column: letters.length };
}

function shown(
  source: string,
  lines: readonly string[],
  { line, column }: Place,
  message: string,
): string {
  const head = `ERROR: <input>:${line}:${column + 1}: ${message}`;
  const text = lines[line - 1];
  if (text === undefined || source === '' || Buffer.byteLength(text) > LINE_MAX) return head;
  const letters = [...text.replaceAll('\t', ' ')];
  // Letters beyond ASCII take wide marks.
  const mark = (letter: string | undefined, narrow: string, wide: string): string =>
    letter !== undefined && letter > '\u007f' ? wide : narrow;
  const dots = letters.slice(0, column).map((one) => mark(one, '.', '\uff0e'));
  return `${head}\n | ${letters.join('')}\n | ${dots.join('')}${mark(letters[column], '^', '\uff3e')}`;
}

/** In the order of their places. */
export function faultsText(source: string, faults: readonly Fault[]): string {
  const lines = source.split('\n');
  const placed = faults
    .slice(0, FAULTS_MAX)
    .map(({ at, message }) => ({
      // Of nothing there is no first letter.
      place: source === '' && at >= 0 ? { line: 1, column: -1 } : placeOf(source, at),
      message,
    }))
    .toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
    .map(({ place, message }) => shown(source, lines, place, message));
  if (faults.length > FAULTS_MAX)
    placed.push(`${faults.length - FAULTS_MAX} more errors were truncated`);
  return placed.join('\n');
}
