// Records what a real kube-apiserver writes into its audit log: `node tools/record-audit.ts BINDIR`, with etcd
// and kube-apiserver in the folder.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAuditWorld } from '#test/support/audit-world.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { playSteps } from '#test/support/step-player.ts';

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');
const world = await startAuditWorld();
const real = await startRealServer(bin, world.flags);
try {
  await playSteps(real.target, world.steps);
} finally {
  await real.close();
}
const lines = Object.entries(world.events()).map(
  ([step, events]) => `${JSON.stringify(step)}: ${JSON.stringify(events)}`,
);
const place = join(import.meta.dirname, '../test/vectors/kube-audit.json');
writeFileSync(place, `{\n${lines.join(',\n')}\n}\n`);
process.stdout.write(`${lines.length} requests\n`);
await world.close();
