// `./strata bench [NAME…]`: runs benchmarks beside their peers and reports ratios.
// A NAME is that of a benchmark, or the start of several: `mesos` runs all that compare with the Mesos master.
import { join } from 'node:path';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { bundle } from '#tools/bundle.ts';
import type { Side, Size } from './benchmark.ts';
import { benchmarks } from './catalogue.ts';
import { section, write, type Outcome } from './report.ts';
import { runBenchmark } from './runner.ts';

const usage = `Usage: ./strata bench [NAME…] [--size small|full] [--rounds N] [--side strata|peer] [--write [--label L]]
Benchmarks:
${benchmarks.map(({ name, about }) => `  ${name.padEnd(20)} ${about}`).join('\n')}
Peers are looked for in STRATA_BENCH_MESOS and STRATA_BENCH_KUBERNETES (see bench/peers.ts for the defaults).
`;

interface Choice {
  readonly names: readonly string[];
  readonly size: Size;
  readonly rounds: number;
  readonly sides: readonly Side[];
  /** Undefined: print only. Otherwise the results' file name after the date. */
  readonly label: string | undefined;
}

function choose(): Choice | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: 'string', default: 'full' },
      rounds: { type: 'string', default: '1' },
      side: { type: 'string' },
      write: { type: 'boolean', default: false },
      label: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  const { size, side } = values;
  if (values.help || !Number.isInteger(rounds) || rounds < 1) return undefined;
  if (size !== 'small' && size !== 'full') return undefined;
  if (side !== undefined && side !== 'strata' && side !== 'peer') return undefined;
  const sides: readonly Side[] = side === undefined ? ['strata', 'peer'] : [side];
  const label = values.write ? (values.label ?? (positionals.join('-') || 'all')) : undefined;
  return { names: positionals, size, rounds, sides, label };
}

async function main(): Promise<number> {
  const choice = choose();
  const isMeant = (name: string, wanted: string): boolean =>
    benchmarks.some((one) => one.name === wanted) ? name === wanted : name.startsWith(wanted);
  const chosen = benchmarks.filter(
    ({ name }) =>
      choice?.names.length === 0 || choice?.names.some((wanted) => isMeant(name, wanted)),
  );
  if (choice === undefined || chosen.length === 0) {
    process.stderr.write(usage);
    return 2;
  }
  await bundle();
  const date = new Date().toISOString().slice(0, 10);
  const facts = { date, size: choice.size, rounds: choice.rounds, load: loadavg()[0] ?? 0 };
  const outcomes: Outcome[] = [];
  let failures = 0;
  for (const benchmark of chosen) {
    const outcome = await runBenchmark(benchmark, {
      size: choice.size,
      rounds: choice.rounds,
      sides: choice.sides,
      tell: (line) => process.stderr.write(`${line}\n`),
    });
    if (outcome.failed) failures += 1;
    outcomes.push(outcome);
    process.stdout.write(`${section(outcome)}\n`);
  }
  if (choice.label !== undefined) {
    const folder = join(import.meta.dirname, 'results');
    const paths = write(folder, `${date}-${choice.label}`, outcomes, facts);
    process.stdout.write(`Written: ${paths.join(', ')}\n`);
  }
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main();
