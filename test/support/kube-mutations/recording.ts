// The dense form in which answers are kept: steps by their numbers, behind each answer that several got alike.
import { createHash } from 'node:crypto';
import type { Answers, Lines } from './answers.ts';

/** Numbers and ranges of numbers, as `1 4-7`. */
type Numbers = string;

export interface Recorded {
  readonly count: number;
  /** Of the names of all steps: numbers mean nothing for others. */
  readonly names: string;
  readonly answers: readonly (readonly [steps: Numbers, ...lines: Lines])[];
}

export type Recording = Readonly<Record<string, Recorded>>;

function numbersOf(all: readonly number[]): Numbers {
  const ranges: [number, number][] = [];
  for (const one of all) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === one - 1) last[1] = one;
    else ranges.push([one, one]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ');
}

export function recorded(answers: Answers): Recorded {
  const byLines = new Map<string, number[]>();
  let number = 0;
  for (const lines of answers.values()) {
    const text = JSON.stringify(lines);
    if (lines.length > 0) byLines.set(text, [...(byLines.get(text) ?? []), number]);
    number += 1;
  }
  const names = createHash('sha256')
    .update([...answers.keys()].join('\n'))
    .digest('hex');
  return {
    count: answers.size,
    names: names.slice(0, 10),
    answers: [...byLines].map(([text, all]) => [numbersOf(all), ...(JSON.parse(text) as Lines)]),
  };
}

/** By the number of the step; what is not there was taken as usual. */
export function answersOf({ answers }: Recorded): ReadonlyMap<number, Lines> {
  const found = new Map<number, Lines>();
  for (const [numbers, ...lines] of answers) {
    for (const range of numbers.split(' ')) {
      const [from = 0, to = from] = range.split('-').map(Number);
      for (let number = from; number <= to; number++) found.set(number, lines);
    }
  }
  return found;
}

export function recordingText(recording: Recording): string {
  const objects = Object.entries(recording).map(([name, { count, names, answers }]) => {
    const lines = answers.map((one) => JSON.stringify(one)).join(',\n');
    return `${JSON.stringify(name)}: {"count": ${count}, "names": "${names}", "answers": [\n${lines}\n]}`;
  });
  return `{\n${objects.join(',\n')}\n}\n`;
}
