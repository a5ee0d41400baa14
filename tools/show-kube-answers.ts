// Shows how the answers to a suite of test/support/kube-differential differ from the recorded ones of a
// kube-apiserver v1.37: `node tools/show-kube-answers.ts SUITE`.
import { readRecording, type Recording } from '#test/support/kube-differential/record.ts';
import { suites, type Restart } from '#test/support/kube-differential/suites.ts';
import { compare } from '#test/support/mesos-differential/compare.ts';
import { ownOptions, startOwnServer } from '#test/support/step-target.ts';

const [suite = ''] = process.argv.slice(2);
const staged = await suites[suite]?.();
if (staged === undefined) throw new Error(`Name one of ${Object.keys(suites).join(', ')}`);
const own = await startOwnServer(ownOptions(staged.flags));
const restart: Restart = (flags) => own.restart(ownOptions(flags));
try {
  const found = JSON.parse(JSON.stringify(await staged.play(own.target, restart))) as Recording;
  for (const [scene, entries] of Object.entries(readRecording(suite))) {
    for (const { step, path, real, own: ours } of compare(entries, found[scene] ?? [])) {
      process.stdout.write(`${scene} · ${step} · ${path}\n`);
      process.stdout.write(`  - ${JSON.stringify(real)}\n  + ${JSON.stringify(ours)}\n`);
    }
  }
} finally {
  await own.close();
  await staged.close();
}
