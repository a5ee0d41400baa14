// Records objects of a real kube-apiserver as JSON and as protobuf, for src/kube/types/protobuf.test.ts:
// `node tools/record-kube-protobuf.ts KUBECONFIG` against a server without controllers. The objects are
// those of the corpus that the server takes, and up to three of each resource that it has by itself.
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { parse } from 'yaml';
import { builtinResources } from '#kube/types/registry.ts';
import { collection, namespace } from '#test/support/kube-answers.ts';
import { changed, corpus } from '#test/support/kube-corpus.ts';
import { richObjects } from '#test/support/kube-rich-objects.ts';

type Json = Record<string, unknown>;

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('Name the kubeconfig of the server to ask');
const config = parse(readFileSync(path, 'utf8'));
const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
const agent = new Agent({ keepAlive: true, ca: Buffer.from(ca, 'base64') });

const PROTOBUF = 'application/vnd.kubernetes.protobuf';

function send(
  method: string,
  url: string,
  accept: string,
  body?: unknown,
): Promise<{ status: number; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = {
      accept,
      'content-type': 'application/json',
      authorization: `Bearer ${config.users[0].user.token}`,
    };
    const call = request(server + url, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) }),
      );
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const vectors: { json: Json; protobuf: string }[] = [];
const shapes = new Set<string>();

/** What makes an object another one for an encoder: its fields, not its texts. */
function shape(value: unknown): string {
  if (Array.isArray(value)) return `[${[...new Set(value.map(shape))].sort().join()}]`;
  if (typeof value !== 'object' || value === null) return typeof value;
  return `{${Object.entries(value)
    .map(([key, one]) => `${key}:${shape(one)}`)
    .join()}}`;
}

async function record(url: string): Promise<void> {
  const json = await send('GET', url, 'application/json');
  const { managedFields: _fields, ...metadata } = JSON.parse(String(json.bytes)).metadata ?? {};
  const object = JSON.parse(String(json.bytes)) as Json;
  const key = shape({ ...object, metadata });
  if (json.status !== 200 || shapes.has(key)) return;
  shapes.add(key);
  const { bytes } = await send('GET', url, PROTOBUF);
  vectors.push({ json: object, protobuf: bytes.toString('base64') });
}

await send('POST', '/api/v1/namespaces', 'application/json', { metadata: { name: namespace } });
await send('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, 'application/json', {
  metadata: { name: 'default' },
});
const wanted = [
  ...richObjects(namespace),
  ...corpus()
    .filter(({ operation }) => operation === 'create')
    .map((one) => changed(one.base, one.change)),
];
for (const object of wanted) {
  const metadata = (object['metadata'] ?? {}) as Json;
  const name = metadata['name'] ?? 'vector';
  const folder = collection(object);
  const made = await send('POST', folder, 'application/json', {
    ...object,
    metadata: { ...metadata, name },
  });
  if (made.status !== 201) continue;
  const made2 = JSON.parse(String(made.bytes)) as { metadata: { name: string } };
  await record(`${folder}/${made2.metadata.name}`);
  await send('DELETE', `${folder}/${made2.metadata.name}?gracePeriodSeconds=0`, 'application/json');
}
for (const { group, version, resource, verbs } of builtinResources()) {
  if (!verbs.includes('list')) continue;
  const root = group === '' ? '/api/v1' : `/apis/${group}/${version}`;
  const list = await send('GET', `${root}/${resource}`, 'application/json');
  if (list.status !== 200) continue;
  const { items } = JSON.parse(String(list.bytes)) as {
    items: { metadata: { name: string; namespace?: string } }[];
  };
  for (const { metadata } of items.slice(0, 3)) {
    const place = metadata.namespace === undefined ? '' : `namespaces/${metadata.namespace}/`;
    await record(`${root}/${place}${resource}/${metadata.name}`);
  }
}
agent.destroy();
const target = join(import.meta.dirname, '../test/vectors/kube-protobuf.json');
writeFileSync(target, `[\n${vectors.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
process.stdout.write(`${vectors.length} objects\n`);
