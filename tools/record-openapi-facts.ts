// Records what a real kube-apiserver's OpenAPI says of types beyond their fields: enums, the defaults that only v3
// shows, kinds and unions: `node tools/record-openapi-facts.ts BINDIR`, with etcd and kube-apiserver in the folder.
// No descriptions, which are others' sentences. For src/kube/openapi/facts.ts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { sendStep } from '#test/support/step-player.ts';

type Json = Record<string, unknown>;

const [bin] = process.argv.slice(2);
if (bin === undefined) throw new Error('Name the folder of etcd and kube-apiserver');

function factsOfField(field: Json): Json {
  const { default: preset, enum: words, items, additionalProperties: values } = field;
  const below = (inner: unknown): Json | undefined => {
    const { p: _plain, ...found } =
      typeof inner === 'object' && inner !== null ? factsOfField(inner as Json) : {};
    return Object.keys(found).length === 0 ? undefined : found;
  };
  const isPlain = field['$ref'] !== undefined ? true : undefined;
  const facts = { d: preset, e: words, p: isPlain, i: below(items), v: below(values) };
  return JSON.parse(JSON.stringify(facts)) as Json;
}

/** Kinds of every group: which are named depends on the document. */
const everywhere = new Set(['DeleteOptions', 'WatchEvent']);

function factsOfType(name: string, schema: Json): Json {
  const fields = Object.entries((schema['properties'] ?? {}) as Record<string, Json>)
    .map(([name, field]): [string, Json] => [name, factsOfField(field)])
    .filter(([, facts]) => Object.keys(facts).length > 0);
  const [kinds, unions] = ['group-version-kind', 'unions'].map(
    (one) => schema[`x-kubernetes-${one}`],
  );
  const facts = {
    fields: fields.length === 0 ? undefined : Object.fromEntries(fields),
    kinds: everywhere.has(name.split('.').at(-1) ?? '') ? undefined : kinds,
    unions,
  };
  return JSON.parse(JSON.stringify(facts)) as Json;
}

const real = await startRealServer(bin, {});
try {
  const ask = async (path: string): Promise<Json> =>
    (await sendStep(real.target, { name: path, method: 'GET', path })).body as Json;
  const { paths } = (await ask('/openapi/v3')) as { paths: Json };
  const found = new Map<string, Json>();
  for (const path of Object.keys(paths)) {
    const { components } = (await ask(`/openapi/v3/${path}`)) as {
      components?: { schemas?: Json };
    };
    for (const [name, schema] of Object.entries(components?.schemas ?? {})) {
      const facts = factsOfType(name, schema as Json);
      if (Object.keys(facts).length > 0) found.set(name, facts);
    }
  }
  const lines = [...found]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, facts]) => `${JSON.stringify(name)}:${JSON.stringify(facts)}`);
  const place = join(import.meta.dirname, '../src/kube/types/generated/openapi-facts.json');
  writeFileSync(place, `{\n${lines.join(',\n')}\n}\n`);
  process.stdout.write(`${lines.length} types\n`);
} finally {
  await real.close();
}
