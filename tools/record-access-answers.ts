// Records what a real kube-apiserver says to tokens of issuers, files and webhooks, and to a webhook that
// decides: `node tools/record-access-answers.ts BINDIR`, with etcd and kube-apiserver in the folder.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAccessWorld } from '#test/support/access-world.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { playSteps } from '#test/support/step-player.ts';

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');
const world = await startAccessWorld();
const real = await startRealServer(bin, world.flags);
try {
  const found = await playSteps(real.target, world.steps);
  const lines = Object.entries(found).map(
    ([step, answer]) => `${JSON.stringify(step)}: ${JSON.stringify(answer)}`,
  );
  const place = join(import.meta.dirname, '../test/vectors/kube-access.json');
  writeFileSync(place, `{\n${lines.join(',\n')}\n}\n`);
  process.stdout.write(`${lines.length} answers\n`);
} finally {
  await real.close();
  await world.close();
}
