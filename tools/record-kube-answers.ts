// Records what a real kube-apiserver answers to the corpus, for test/conformance/kube-objects.test.ts:
// `node tools/record-kube-answers.ts KUBECONFIG` against a server without controllers.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { answers } from '#test/support/kube-answers.ts';
import { sender } from '#test/support/kube-sender.ts';

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('Name the kubeconfig of the server to ask');
const { send, close } = sender(parse(readFileSync(path, 'utf8')) as never);
const found = await answers(send);
close();
const lines = Object.entries(found).map(
  ([name, answer]) => `${JSON.stringify(name)}: ${JSON.stringify(answer)}`,
);
const target = join(import.meta.dirname, '../test/vectors/kube-answers.json');
writeFileSync(target, `{\n${lines.join(',\n')}\n}\n`);
