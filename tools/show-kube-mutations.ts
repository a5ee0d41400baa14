// Shows how the answers to garbled objects differ from the recorded ones of a kube-apiserver v1.37:
// `node tools/show-kube-mutations.ts [NAME...]`, with names only of the objects that have one of them in theirs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { playMutations } from '#test/support/kube-mutations/play.ts';
import { answersOf, type Recording } from '#test/support/kube-mutations/recording.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const path = join(import.meta.dirname, '../test/vectors/kube-mutations.json');
const recording = JSON.parse(readFileSync(path, 'utf8')) as Recording;
const own = await startOwnServer();
try {
  for (const [object, answers] of Object.entries(
    await playMutations(own.target, process.argv.slice(2)),
  )) {
    const wanted = recording[object];
    const lines = wanted === undefined ? new Map<number, readonly string[]>() : answersOf(wanted);
    let differing = 0;
    for (const [number, [step, said]] of [...answers].entries()) {
      const theirs = lines.get(number) ?? [];
      if (JSON.stringify(said) === JSON.stringify(theirs)) continue;
      differing += 1;
      process.stdout.write(`${object} · ${step}\n`);
      const missing = theirs.filter((line) => !said.includes(line));
      const extra = said.filter((line) => !theirs.includes(line));
      for (const line of missing) process.stdout.write(`  - ${line}\n`);
      for (const line of extra) process.stdout.write(`  + ${line}\n`);
      if (missing.length + extra.length === 0) {
        process.stdout.write(`  - ${theirs.join(' | ')}\n  + ${said.join(' | ')}\n`);
      }
    }
    process.stdout.write(`== ${object}: ${differing} of ${answers.size}\n`);
  }
} finally {
  await own.close();
}
