// Fuzzes every decoder of the API server: `node tools/fuzz-decoders.ts [--seconds 600] [--seed 1] [TARGET…]`;
// one input again by `--from INDEX --inputs 1`. Prints one line a target for docs/operating/api-server.md and
// fails on a finding.
import { parseArgs } from 'node:util';
import { createEnv } from '#env/node/env.ts';
import { fuzz } from '#test/support/kube-fuzz/fuzz.ts';
import { targets } from '#test/support/kube-fuzz/targets.ts';
import { startInProcessApi } from '#test/support/in-process-api.ts';
import { preparePod } from '#test/support/kube-fuzz/prepare.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    inputs: { type: 'string' },
  },
});
const env = createEnv({ component: 'fuzz', logLevel: 'error', logFormat: 'text' });
const api = await startInProcessApi({ ...env, log: { ...env.log, error: () => {} } });
await preparePod(api);
for (const target of targets(api)) {
  if (positionals.length > 0 && !positionals.includes(target.name)) continue;
  const result = await fuzz(target, {
    seed: Number(values.seed),
    from: Number(values.from),
    seconds: Number(values.seconds),
    ...(values.inputs === undefined ? {} : { inputs: Number(values.inputs) }),
  });
  const { inputs, slowestMs, findings } = result;
  const day = new Date().toISOString().slice(0, 10);
  const cells = [
    day,
    target.name,
    values.seconds,
    values.seed,
    inputs,
    Math.round(slowestMs),
    findings.length,
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
  for (const { index, why, input } of findings) {
    process.stdout.write(
      `  --seed ${values.seed} --from ${index} --inputs 1 ${target.name}: ${why}\n`,
    );
    process.stdout.write(
      `  ${JSON.stringify(input.toString().slice(0, 300))} (${input.length} bytes)\n`,
    );
  }
  if (findings.length > 0) process.exitCode = 1;
}
process.exit();
