// Records tables of a real kube-apiserver for src/kube/apiserver/printers/table.test.ts:
// `node tools/record-kube-tables.ts KUBECONFIG` against a server without controllers. Of each resource
// the columns, and a row for each object of the corpus that the server takes and that it has by itself.
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { parse } from 'yaml';
import { builtinResources } from '#kube/types/registry.ts';
import { collection, namespace } from '#test/support/kube-answers.ts';
import { changed, corpus } from '#test/support/kube-corpus.ts';
import { richObjects } from '#test/support/kube-rich-objects.ts';
import type { RecordedTable } from '#test/support/kube-tables.ts';

type Json = Record<string, unknown>;

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('Name the kubeconfig of the server to ask');
const config = parse(readFileSync(path, 'utf8'));
const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
const agent = new Agent({ keepAlive: true, ca: Buffer.from(ca, 'base64') });

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
/** Rows kept of one resource: different shapes are worth more than many. */
const ROWS_MAX = 6;

interface Answer {
  readonly status: number;
  readonly at: number;
  readonly body: Json;
}

function send(method: string, url: string, accept: string, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      accept,
      'content-type': 'application/json',
      authorization: `Bearer ${config.users[0].user.token}`,
    };
    const call = request(server + url, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const at = Date.parse(response.headers.date ?? '');
        const isJson = String(response.headers['content-type']).includes('json');
        resolve({ status: response.statusCode ?? 0, at, body: isJson ? JSON.parse(text) : {} });
      });
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

interface Table {
  readonly columnDefinitions: readonly (Json & { name: string })[];
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object: Json }[] | null;
}

const tables = new Map<string, RecordedTable>();

/** Fields of which no cell is made. */
function slim(object: Json): Json {
  const { managedFields: _fields, uid: _uid, ...metadata } = object['metadata'] as Json;
  return { ...object, metadata };
}

async function record(of: { group: string; version: string; resource: string }): Promise<void> {
  const { group, version, resource } = of;
  const root = group === '' ? '/api/v1' : `/apis/${group}/${version}`;
  const url = `${root}/${resource}?includeObject=Object`;
  const { status, at, body } = await send('GET', url, TABLE);
  if (status !== 200) return;
  const { columnDefinitions, ...answer } = body as unknown as Table;
  const rows = answer.rows ?? [];
  const key = `${group}/${version}/${resource}`;
  const known = tables.get(key);
  const columns = columnDefinitions.map(({ name, type, format, priority }) =>
    [name, type, format, priority].join('|'),
  );
  // Classes are told from each other by all that are there: a table of theirs is kept whole.
  const made = {
    at,
    cells: rows.map(({ cells }) => cells),
    objects: rows.map(({ object }) => slim(object)),
  };
  const isWorthIt = rows.length > 0 && (known?.tables.length ?? 0) < ROWS_MAX;
  tables.set(key, {
    group,
    version,
    resource,
    columns,
    tables: [...(known?.tables ?? []), ...(isWorthIt ? [made] : [])],
  });
}

await send('POST', '/api/v1/namespaces', 'application/json', { metadata: { name: namespace } });
await send('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, 'application/json', {
  metadata: { name: 'default' },
});
const resources = builtinResources().filter(({ verbs }) => verbs.includes('list'));
for (const one of resources) await record(one);
const wanted = [
  ...richObjects(namespace),
  ...corpus()
    .filter(({ operation }) => operation === 'create')
    .map((one) => changed(one.base, one.change)),
];
const done = new Map<string, number>();
for (const object of wanted) {
  const metadata = (object['metadata'] ?? {}) as Json;
  const name = metadata['name'] ?? 'vector';
  const folder = collection(object);
  const kind = String(object['kind']);
  if ((done.get(kind) ?? 0) >= 3) continue;
  const made = await send('POST', folder, 'application/json', {
    ...object,
    metadata: { ...metadata, name },
  });
  if (made.status !== 201) continue;
  done.set(kind, (done.get(kind) ?? 0) + 1);
  for (const one of resources) if (folder.endsWith(`/${one.resource}`)) await record(one);
  const own = (made.body['metadata'] as { name: string }).name;
  await send('DELETE', `${folder}/${own}?gracePeriodSeconds=0`, 'application/json');
}
agent.destroy();
const all = [...tables.values()].map((one) => {
  // What the server has by itself is in each of the tables; the first tells enough of it.
  const [first, ...others] = one.tables;
  const seen = new Set(first?.objects.map((object) => JSON.stringify(object)));
  const rest = others.map((table) => {
    const fresh = table.objects.map((object) => !seen.has(JSON.stringify(object)));
    for (const object of table.objects) seen.add(JSON.stringify(object));
    const isKept = (_: unknown, index: number): boolean => fresh[index] === true;
    return {
      at: table.at,
      cells: table.cells.filter(isKept),
      objects: table.objects.filter(isKept),
    };
  });
  const few = first === undefined ? [] : [cut(first)];
  return { ...one, tables: [...few, ...rest.map(cut)].filter(({ cells }) => cells.length > 0) };
});

function cut(table: RecordedTable['tables'][number]): RecordedTable['tables'][number] {
  return {
    at: table.at,
    cells: table.cells.slice(0, ROWS_MAX),
    objects: table.objects.slice(0, ROWS_MAX),
  };
}
const target = join(import.meta.dirname, '../test/vectors/kube-tables.json');
writeFileSync(target, `[\n${all.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
const rows = all.flatMap(({ tables: each }) => each.flatMap(({ cells }) => cells)).length;
process.stdout.write(`${all.length} resources, ${rows} rows\n`);
