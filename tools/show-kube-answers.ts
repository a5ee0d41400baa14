// Shows how the answers to a suite of test/support/kube-differential differ from the recorded ones of a
// kube-apiserver v1.37: `node tools/show-kube-answers.ts SUITE`.
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { readRecording, type Recording } from '#test/support/kube-differential/record.ts';
import { suites } from '#test/support/kube-differential/suites.ts';
import { compare } from '#test/support/mesos-differential/compare.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const [suite = ''] = process.argv.slice(2);
const staged = await suites[suite]?.();
if (staged === undefined) throw new Error(`Name one of ${Object.keys(suites).join(', ')}`);
const given = Object.entries(staged.flags).map(([name, value]) => [flagKey(name), value]);
const own = await startOwnServer({ flags: Object.fromEntries(given) as Record<string, string> });
try {
  const found = JSON.parse(JSON.stringify(await staged.play(own.target))) as Recording;
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
