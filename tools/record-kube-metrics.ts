// Records which metrics a real kube-apiserver shows, for test/conformance/kube-metrics.test.ts:
// `node tools/record-kube-metrics.ts BINDIR`, with etcd and kube-apiserver in the folder.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playMetrics } from '#test/support/metric-names.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');
const real = await startRealServer(bin, {});
try {
  const { all, slis } = await playMetrics(real.target);
  const lines = (shapes: object): string =>
    Object.entries(shapes)
      .map(([name, shape]) => `${JSON.stringify(name)}: ${JSON.stringify(shape)}`)
      .join(',\n');
  const path = join(import.meta.dirname, '../test/vectors/kube-metrics.json');
  writeFileSync(path, `{"all": {\n${lines(all)}\n},\n"slis": {\n${lines(slis)}\n}}\n`);
  process.stdout.write(`${Object.keys(all).length} metrics\n`);
} finally {
  await real.close();
}
