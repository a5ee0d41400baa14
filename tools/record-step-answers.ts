// Records what a real kube-apiserver answers to the steps of the extension suites:
// `node tools/record-step-answers.ts KUBECONFIG [SUITE…]` against a fresh server without controllers.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playSteps } from '#test/support/step-player.ts';
import { suites } from '#test/support/step-suites.ts';
import { targetOf } from '#test/support/step-target.ts';

const [path, ...wanted] = process.argv.slice(2);
if (path === undefined) throw new Error('Name the kubeconfig of the server to ask');
const target = targetOf(path);
for (const [name, steps] of Object.entries(suites)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const found = await playSteps(target, steps());
  const lines = Object.entries(found).map(
    ([step, answer]) => `${JSON.stringify(step)}: ${JSON.stringify(answer)}`,
  );
  const place = join(import.meta.dirname, `../test/vectors/kube-steps-${name}.json`);
  writeFileSync(place, `{\n${lines.join(',\n')}\n}\n`);
  process.stdout.write(`${name}: ${lines.length} answers\n`);
}
target.agent.destroy();
