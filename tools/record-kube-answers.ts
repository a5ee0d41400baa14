// Records what a real kube-apiserver answers: to the corpus of objects, for
// test/conformance/kube-objects.test.ts, and to the scenes of test/support/kube-differential, for
// test/conformance/kube-differential.test.ts. The server has to be without controllers.
// `node tools/record-kube-answers.ts KUBECONFIG [objects|scenes]`
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { answers } from '#test/support/kube-answers.ts';
import { playScenes } from '#test/support/kube-differential/play.ts';
import { writeRecording } from '#test/support/kube-differential/record.ts';
import { sender } from '#test/support/kube-sender.ts';

const [path, only] = process.argv.slice(2);
if (path === undefined) throw new Error('Name the kubeconfig of the server to ask');
const { send, sendRaw, close } = sender(parse(readFileSync(path, 'utf8')) as never);
if (only !== 'scenes') {
  const found = await answers(send);
  const lines = Object.entries(found).map(
    ([name, answer]) => `${JSON.stringify(name)}: ${JSON.stringify(answer)}`,
  );
  const target = join(import.meta.dirname, '../test/vectors/kube-answers.json');
  writeFileSync(target, `{\n${lines.join(',\n')}\n}\n`);
}
if (only !== 'objects') writeRecording(await playScenes(sendRaw));
close();
