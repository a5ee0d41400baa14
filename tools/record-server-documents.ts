// Records what a real kube-apiserver says of itself: `node tools/record-server-documents.ts BINDIR`, with etcd and
// kube-apiserver in the folder. For test/conformance/kube-server-documents.test.ts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { askAll } from '#test/support/server-documents.ts';

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');
const real = await startRealServer(bin, {});
try {
  const answers = await askAll(real.target);
  const lines = Object.entries(answers).map(
    ([name, one]) => `${JSON.stringify(name)}: ${JSON.stringify(one)}`,
  );
  const place = join(import.meta.dirname, '../test/vectors/kube-server-documents.json');
  writeFileSync(place, `{\n${lines.join(',\n')}\n}\n`);
  process.stdout.write(`${lines.length} answers\n`);
} finally {
  await real.close();
}
