// A run's outcome as Markdown for people and JSON for machines.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Benchmark, Comparison, Measure, Side, Size } from './benchmark.ts';

export interface Outcome {
  readonly benchmark: Benchmark;
  readonly rounds: Readonly<Record<Side, readonly Measure[][]>>;
  readonly comparisons: readonly Comparison[];
  /** Why a side has no figures, or what failed. */
  readonly notes: readonly string[];
}

export interface RunFacts {
  readonly date: string;
  readonly size: Size;
  readonly rounds: number;
  /** The one-minute load average before the run: with much of it only ratios mean anything. */
  readonly load: number;
}

function amount(value: number | undefined, unit: string): string {
  if (value === undefined) return '-';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 4;
  return `${value.toFixed(digits)} ${unit}`.trim();
}

function verdict({ ratio, goal, atMost, strata }: Comparison): string {
  if (atMost !== undefined && strata !== undefined) return strata <= atMost ? 'met' : 'missed';
  if (ratio === undefined || goal === undefined) return '';
  return ratio >= goal ? 'met' : 'missed';
}

function row(one: Comparison): string {
  const ratio = one.ratio === undefined ? '-' : `${one.ratio.toFixed(2)}×`;
  const least = one.goal === undefined ? '' : `${one.goal}×`;
  const goal = one.atMost === undefined ? least : `≤ ${one.atMost} ${one.unit}`;
  const cells = [
    one.name,
    amount(one.strata, one.unit),
    amount(one.peer, one.unit),
    ratio,
    goal,
    verdict(one),
  ];
  return `| ${cells.join(' | ')} |`;
}

export function section({ benchmark, comparisons, notes }: Outcome): string {
  const lines = [`## ${benchmark.name}: ${benchmark.about}`, ''];
  for (const note of notes) lines.push(`${note}`, '');
  if (comparisons.length > 0) {
    lines.push(`| measure | Strata | ${benchmark.peer} | ratio | goal | |`);
    lines.push('| --- | --- | --- | --- | --- | --- |');
    lines.push(...comparisons.map(row), '');
  }
  return lines.join('\n');
}

export function markdown(outcomes: readonly Outcome[], facts: RunFacts): string {
  const machine = `${cpus().length} processors (${cpus()[0]?.model ?? 'unknown'})`;
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const head = [
    `# Benchmarks of ${facts.date}, size ${facts.size}`,
    '',
    `${machine}, ${memory}, Node ${process.version}; load average before: ${facts.load.toFixed(1)}.`,
    `Medians of ${facts.rounds} round(s), both sides in each round, their order alternating. A ratio above 1`,
    'means that Strata is the better one. On a machine that others use too, processor time is steadier',
    'than wall time, and only ratios are to be compared.',
    '',
  ];
  return `${head.join('\n')}\n${outcomes.map(section).join('\n')}`;
}

/** Writes `NAME.md` and `NAME.json` into `folder`; gives the paths. */
export function write(
  folder: string,
  name: string,
  outcomes: readonly Outcome[],
  facts: RunFacts,
): string[] {
  mkdirSync(folder, { recursive: true });
  const paths = [join(folder, `${name}.md`), join(folder, `${name}.json`)];
  const data = {
    ...facts,
    node: process.version,
    benchmarks: outcomes.map(({ benchmark, comparisons, notes, rounds }) => {
      return { name: benchmark.name, about: benchmark.about, notes, comparisons, rounds };
    }),
  };
  writeFileSync(paths[0] ?? '', markdown(outcomes, facts));
  writeFileSync(paths[1] ?? '', `${JSON.stringify(data, undefined, 1)}\n`);
  return paths;
}
