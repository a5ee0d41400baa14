// Records what a real kube-apiserver describes in OpenAPI, in short: `node tools/record-kube-openapi.ts BINDIR`,
// with etcd and kube-apiserver in the folder. For test/conformance/kube-openapi.test.ts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documentHash, outlineOf, pathHashes, typeHashes } from '#test/support/kube-openapi.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { sendStep } from '#test/support/step-player.ts';

type Json = Record<string, unknown>;

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
  const ask = async (path: string): Promise<Json> =>
    (await sendStep(real.target, { name: path, method: 'GET', path })).body as Json;
  const { paths } = await ask('/openapi/v3');
  const types: Record<string, unknown> = {};
  const documents: Record<string, string> = { v2: documentHash(body as Json) };
  const old = pathHashes(body as Json);
  const next: typeof old = {};
  for (const path of Object.keys(paths as Json)) {
    const document = await ask(`/openapi/v3/${path}`);
    const { components } = document as { components?: { schemas?: Json } };
    Object.assign(types, components?.schemas);
    Object.assign(next, pathHashes(document));
    documents[path] = documentHash(document);
  }
  const pathRows = Object.entries(old).map(([path, item]) => {
    const both = Object.entries(item).map(([method, hash]): [string, string[]] => [
      method,
      [hash, next[path]?.[method] ?? ''],
    ]);
    return `${JSON.stringify(path)}: ${JSON.stringify(Object.fromEntries(both))}`;
  });
  const documentRows = Object.entries(documents).map(
    ([path, hash]) => `${JSON.stringify(path)}: ${JSON.stringify(hash)}`,
  );
  const parts = [documentRows, pathRows].map((rows) => `{\n${rows.join(',\n')}\n}`);
  writeFileSync(
    join(import.meta.dirname, '../test/vectors/kube-openapi-paths.json'),
    `{"documents": ${parts[0]},\n"paths": ${parts[1]}}\n`,
  );
  const { definitions } = body as { definitions: Json };
  const hashes = [typeHashes(definitions), typeHashes(types)] as const;
  const names = [...new Set(hashes.flatMap((one) => Object.keys(one)))].toSorted();
  const rows = names.map((name) => {
    const both = hashes.map((one) => one[name] ?? '');
    return `${JSON.stringify(name)}: ${JSON.stringify(both)}`;
  });
  const typesPlace = join(import.meta.dirname, '../test/vectors/kube-openapi-types.json');
  writeFileSync(typesPlace, `{\n${rows.join(',\n')}\n}\n`);
} finally {
  await real.close();
}
