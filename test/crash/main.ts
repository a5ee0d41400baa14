// `node test/crash/main.ts [--rounds 500] [--seed 1] [--master own|real]`: rounds of the crash suite; the
// first ones kill the agent before and after each of its writes and process steps, the others at random.
import { parseArgs } from 'node:util';
import { crashOf, CrashSuite, crashText, seeded } from './crash-suite.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '500' },
    from: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    master: { type: 'string', default: 'own' },
  },
});
const chance = seeded(Number(values.seed));
const rounds = Number(values.rounds);
const suite = await CrashSuite.start(values.master === 'real' ? 'real' : 'own');
const counts = new Map<string, number>();
let failures = 0;
const started = performance.now();
try {
  for (let round = Number(values.from); round < rounds; round += 1) {
    const crash = crashOf(round, chance);
    counts.set(crash.kind, (counts.get(crash.kind) ?? 0) + 1);
    try {
      await suite.round(round, crash);
      if (round % 10 === 9) process.stdout.write(`${round + 1} rounds\n`);
    } catch (error) {
      failures += 1;
      const text = error instanceof Error ? error.message : String(error);
      process.stdout.write(`Round ${round} failed: ${crashText(crash)}\n${text}\n${suite.log()}\n`);
    }
  }
} finally {
  await suite.close();
}
const seconds = Math.round((performance.now() - started) / 1000);
const kinds = [...counts].map(([kind, count]) => `${kind} ${count}`).join(', ');
process.stdout.write(
  `${rounds} rounds (${kinds}), ${suite.crashes} agents died, ${failures} failures, ${seconds} s\n`,
);
process.exitCode = failures === 0 ? 0 : 1;
