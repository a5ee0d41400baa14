// Feeds our master with changed calls, messages and heads of requests, for a while, from a seed:
// `node tools/fuzz-mesos.ts [--seconds N] [--seed N]`. Ends with 1 when it has found something.
import { parseArgs } from 'node:util';
import { startFuzzedMaster } from '#test/support/fuzz/fuzzed-master.ts';
import { MasterFuzzer } from '#test/support/fuzz/fuzzer.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '600' }, seed: { type: 'string', default: '1' } },
});
const master = await startFuzzedMaster();
try {
  const fuzzer = new MasterFuzzer(master, Number(values.seed));
  const { findings, rssMb, ...result } = await fuzzer.run(Number(values.seconds) * 1_000);
  const tenths = Array.from({ length: 11 }, (_, i) =>
    Math.round(rssMb[Math.min(rssMb.length - 1, Math.floor((rssMb.length * i) / 10))] ?? 0),
  );
  process.stdout.write(`${JSON.stringify({ ...result, rssMb: tenths })}\n`);
  for (const { what, request, detail } of findings) {
    process.stdout.write(`\n== ${what}\n${request}\n-- ${detail}\n`);
  }
  process.exitCode = findings.length === 0 ? 0 : 1;
} finally {
  await master.close();
}
