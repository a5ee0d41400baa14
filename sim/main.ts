// `node sim/main.ts --seed N` replays one seed with its story; `--seeds FROM..TO` runs many.
import { parseArgs } from 'node:util';
import { planOf } from './plan.ts';
import { run, runSeed } from './run.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, seeds: { type: 'string' }, quiet: { type: 'boolean' } },
});

/** A list of runs is to be read; the replay tells all. */
const WORDS_MAX = 300;

function print(line: string | undefined): void {
  process.stdout.write(`${line ?? ''}\n`);
}

function replay(seed: number): number {
  const plan = planOf(seed);
  const outcome = run(plan, { isTraced: true });
  if (values.quiet !== true) {
    print(JSON.stringify(plan, undefined, 2));
    for (const line of outcome.lines) print(line);
  }
  for (const violation of outcome.violations) print(`VIOLATION: ${violation}`);
  const { steps, virtualMs, tasksStarted, violations } = outcome;
  print(
    `seed ${seed}: ${violations.length} violations, ${tasksStarted} tasks, ${steps} steps, ` +
      `${Math.round(virtualMs / 1_000)} virtual seconds`,
  );
  return violations.length;
}

function runMany(from: number, to: number): number {
  const started = performance.now();
  let [bad, tasks, steps] = [0, 0, 0];
  for (let seed = from; seed <= to; seed++) {
    const outcome = runSeed(seed);
    tasks += outcome.tasksStarted;
    steps += outcome.steps;
    if (outcome.violations.length === 0) continue;
    bad += 1;
    print(`seed ${seed}: ${outcome.violations[0]?.slice(0, WORDS_MAX)}`);
  }
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  print(
    `${to - from + 1} seeds, ${bad} with violations, ${tasks} tasks, ${steps} steps, ${seconds} s`,
  );
  return bad;
}

if (values.seed !== undefined) process.exitCode = replay(Number(values.seed)) === 0 ? 0 : 1;
else {
  const [from = 1, to = 100] = (values.seeds ?? '1..100').split('..').map(Number);
  process.exitCode = runMany(from, to) === 0 ? 0 : 1;
}
