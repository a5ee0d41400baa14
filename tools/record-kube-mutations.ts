// Records what a real kube-apiserver says to garbled objects, for test/conformance/kube-mutations.test.ts:
// `node tools/record-kube-mutations.ts BINDIR`, with etcd and kube-apiserver in the folder.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playMutations } from '#test/support/kube-mutations/play.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');
const real = await startRealServer(bin, {});
try {
  const found = await playMutations(real.target);
  const scenes = Object.entries(found).map(([name, answers]) => {
    const lines = Object.entries(answers).map(
      ([step, texts]) => `${JSON.stringify(step)}: ${JSON.stringify(texts)}`,
    );
    return `${JSON.stringify(name)}: {\n${lines.join(',\n')}\n}`;
  });
  const path = join(import.meta.dirname, '../test/vectors/kube-mutations.json');
  writeFileSync(path, `{\n${scenes.join(',\n')}\n}\n`);
  const count = Object.values(found).flatMap((one) => Object.keys(one)).length;
  process.stdout.write(`${count} answers\n`);
} finally {
  await real.close();
}
