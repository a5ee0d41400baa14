// Records what a real kube-apiserver asks admission webhooks: `node tools/record-reviews.ts FOLDER`, where
// FOLDER holds kube-apiserver v1.37 and etcd.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { playReviews } from '#test/support/review-steps.ts';

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of kube-apiserver and etcd');
const server = await startRealServer(bin, {});
try {
  const found = await playReviews(server.target);
  const lines = Object.entries(found).map(
    ([step, reviews]) => `${JSON.stringify(step)}: ${JSON.stringify(reviews)}`,
  );
  const place = join(import.meta.dirname, '../test/vectors/kube-reviews.json');
  writeFileSync(place, `{\n${lines.join(',\n')}\n}\n`);
  process.stdout.write(`${lines.length} steps\n`);
} finally {
  await server.close();
}
process.exit();
