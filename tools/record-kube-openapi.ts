// Records what a real kube-apiserver describes in OpenAPI, in short: `node tools/record-kube-openapi.ts BINDIR`,
// with etcd and kube-apiserver in the folder. For test/conformance/kube-openapi.test.ts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { outlineOf } from '#test/support/kube-openapi.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { sendStep } from '#test/support/step-player.ts';

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');
const real = await startRealServer(bin, {});
try {
  const step = { name: 'openapi', method: 'GET', path: '/openapi/v2' };
  const { body } = await sendStep(real.target, step);
  const outline = outlineOf(body as Record<string, unknown>);
  const lines = Object.entries(outline).map(([part, all]) => {
    const inner = Object.entries(all as Record<string, unknown>).map(
      ([name, one]) => `${JSON.stringify(name)}: ${JSON.stringify(one)}`,
    );
    return `${JSON.stringify(part)}: {\n${inner.join(',\n')}\n}`;
  });
  const place = join(import.meta.dirname, '../test/vectors/kube-openapi.json');
  writeFileSync(place, `{\n${lines.join(',\n')}\n}\n`);
  process.stdout.write(`${Object.keys(outline.paths).length} paths\n`);
} finally {
  await real.close();
}
