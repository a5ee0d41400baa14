// Records what a real kube-apiserver answers to the suites of test/support/kube-differential, for
// test/conformance/kube-differential.test.ts: `node tools/record-kube-answers.ts BINDIR [SUITE…]`, with etcd
// and kube-apiserver in the folder. Each suite gets a fresh server without controllers.
import { readRecording, writeRecording } from '#test/support/kube-differential/record.ts';
import { suites } from '#test/support/kube-differential/suites.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';

const [bin, ...wanted] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');
for (const [name, stage] of Object.entries(suites)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const staged = await stage();
  const real = await startRealServer(bin, staged.flags);
  try {
    writeRecording(name, await staged.play(real.target, (flags) => real.restart(flags)));
  } finally {
    await real.close();
    await staged.close();
  }
  const count = Object.values(readRecording(name)).flat().length;
  process.stdout.write(`${name}: ${count} answers\n`);
}
