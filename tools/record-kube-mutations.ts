// Records what a real kube-apiserver says to garbled objects, for test/conformance/kube-mutations.test.ts:
// `node tools/record-kube-mutations.ts BINDIR [NAME...]`, with etcd and kube-apiserver in the folder; with names
// only of the objects that have one of them in theirs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playMutations } from '#test/support/kube-mutations/play.ts';
import { recorded, recordingText, type Recording } from '#test/support/kube-mutations/recording.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';

const [bin, ...only] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');
const path = join(import.meta.dirname, '../test/vectors/kube-mutations.json');
const real = await startRealServer(bin, {});
try {
  const before = only.length === 0 ? {} : (JSON.parse(readFileSync(path, 'utf8')) as Recording);
  const played = Object.entries(await playMutations(real.target, only));
  const found = Object.fromEntries(played.map(([name, answers]) => [name, recorded(answers)]));
  const all: Recording = { ...before, ...found };
  writeFileSync(path, recordingText(all));
  const count = Object.values(all).reduce((sum, one) => sum + one.count, 0);
  process.stdout.write(`${count} answers\n`);
} finally {
  await real.close();
}
