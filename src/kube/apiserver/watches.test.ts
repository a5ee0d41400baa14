// The API server over real connections: content types, pages at one version, watches from every kind of
// beginning, and clients that do not keep up.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createEnv } from '#env/node/env.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { decodeEnvelope, decodeMessage, encodeEnvelope } from '#kube/types/protobuf.ts';
import type { Status } from '#kube/meta/status.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { flowsReported } from '#test/support/flows-reported.ts';
import { startApiServer, type ApiServer } from './server.ts';

type Json = Record<string, unknown>;
type Headers = Readonly<Record<string, string>>;

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const home = mkdtempSync(join(tmpdir(), 'strata-watches-'));
const store = new MemoryStore();
let server: ApiServer;
let session: ClientHttp2Session;

before(async () => {
  const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  server = await startApiServer(
    {
      instance: 'test',
      home,
      listen: { host: '127.0.0.1', port: 0 },
      store,
      registry: new TypeRegistry(),
      serviceCidr: '10.0.0.0/16',
    },
    env,
  );
  await flowsReported(store);
  session = await open();
});

after(async () => {
  session.destroy();
  await server.close();
  rmSync(home, { recursive: true, force: true });
});

async function open(): Promise<ClientHttp2Session> {
  const { authority, url } = server;
  const admin = { commonName: 'kubernetes-admin', organizations: ['system:masters'] };
  const { cert, key } = await authority.issueClient(admin, Date.now());
  return connect(url, { ca: authority.caCert, cert, key });
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  readonly json: Json & { metadata: Json; items: { metadata: { name: string } }[] };
}

async function ask(
  method: string,
  path: string,
  body?: object | Buffer,
  headers: Headers = {},
): Promise<Answer> {
  const stream = session.request({ ':method': method, ':path': path, ...headers });
  stream.end(body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  const answered = await new Promise<Headers>((done) => stream.once('response', done as never));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const isJson = answered['content-type'] === 'application/json';
  const text = answered['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
  return {
    status: Number(answered[':status']),
    headers: answered,
    bytes,
    json: isJson && bytes.length > 0 ? JSON.parse(String(text)) : {},
  };
}

const maps = '/api/v1/namespaces/default/configmaps';

function configMap(name: string, labels: Headers = {}, data: Headers = {}): Json {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data };
}

async function create(name: string, labels: Headers = {}, data: Headers = {}): Promise<number> {
  const { json, status } = await ask('POST', maps, configMap(name, labels, data));
  assert.equal(status, 201);
  return Number(json.metadata['resourceVersion']);
}

/** A watch whose lines are waited for. */
class Lines {
  readonly stream: ClientHttp2Stream;
  readonly all: { type: string; object: Json & { metadata: Json } }[] = [];
  ended = false;
  #wake: () => void = () => {};
  #rest = '';

  constructor(path: string, headers: Headers = {}) {
    this.stream = session.request({ ':path': path, ...headers });
    this.stream.setEncoding('utf8');
    this.stream.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      this.all.push(...lines.map((line) => JSON.parse(line)));
      this.#wake();
    });
    this.stream.on('close', () => {
      this.ended = true;
      this.#wake();
    });
  }

  async wait(count: number): Promise<void> {
    while (this.all.length < count && !this.ended)
      await new Promise<void>((done) => (this.#wake = done));
  }

  /** The next events, as `TYPE name`; fewer when the stream ends. */
  async take(count: number): Promise<string[]> {
    await this.wait(count);
    return this.all
      .splice(0, count)
      .map(({ type, object }) => `${type} ${String(object.metadata?.['name'] ?? '')}`.trim());
  }

  close(): void {
    this.stream.close();
  }
}

test('objects come and go in protobuf', async () => {
  const body = encodeEnvelope(configMap('proto', {}, { a: '1' }));
  const headers = { 'content-type': PROTOBUF, accept: `${PROTOBUF},application/json` };
  const made = await ask('POST', maps, body, headers);
  assert.deepEqual([made.status, made.headers['content-type']], [201, PROTOBUF]);
  const got = await ask('GET', `${maps}/proto`, undefined, headers);
  const json = await ask('GET', `${maps}/proto`);
  assert.deepEqual(decodeEnvelope(got.bytes), decodeEnvelope(encodeEnvelope(json.json)!));
  assert.deepEqual((decodeEnvelope(got.bytes) as { data: Json }).data, { a: '1' });
  const missing = await ask('GET', `${maps}/none`, undefined, headers);
  assert.deepEqual([missing.status, decodeEnvelope(missing.bytes)['reason']], [404, 'NotFound']);
  await ask('DELETE', `${maps}/proto`);
});

test('lists are the same in JSON, protobuf and packed, whole and in pages', async () => {
  for (let i = 0; i < 9; i++)
    await create(`page-${i}`, { page: 'yes' }, { text: 'x'.repeat(30_000) });
  const whole = await ask('GET', maps);
  const names = whole.json.items.map((one) => one.metadata.name);
  assert.deepEqual(Object.keys(whole.json.items[0] ?? {}), ['metadata', 'data']);
  const packed = await ask('GET', maps, undefined, { 'accept-encoding': 'gzip' });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.deepEqual(packed.json, whole.json);
  const binary = await ask('GET', maps, undefined, { accept: PROTOBUF });
  const both = await ask('GET', maps, undefined, { accept: PROTOBUF, 'accept-encoding': 'gzip' });
  assert.deepEqual(gunzipSync(both.bytes), binary.bytes);
  assert.deepEqual(binary.bytes.subarray(0, 4), Buffer.from('k8s\0'));
  for (const name of names) assert.ok(binary.bytes.includes(name));
  const selected = `${maps}?labelSelector=page%3Dyes`;
  for (const path of [maps, selected]) {
    const seen: string[] = [];
    let next = '';
    const wanted = (await ask('GET', path)).json.items.map((one) => one.metadata.name);
    do {
      const page = await ask(
        'GET',
        `${path}${path.includes('?') ? '&' : '?'}limit=2&continue=${next}`,
      );
      if (next === '') await create(`page-${path === maps ? 'a' : 'b'}-late`, { page: 'yes' });
      seen.push(...page.json.items.map((one) => one.metadata.name));
      next = String(page.json.metadata['continue'] ?? '');
    } while (next !== '');
    assert.deepEqual(seen, wanted);
  }
  const cached = await ask('GET', `${maps}?limit=1&resourceVersion=0`);
  assert.ok(cached.json.items.length > 1);
});

test('watchers with selectors see objects come into view, change, and leave it', async () => {
  const revision = await create('seen-0');
  const some = new Lines(`${maps}?watch=1&resourceVersion=${revision}&labelSelector=in%3Dyes`);
  const every = new Lines(`${maps}?watch=1&resourceVersion=${revision}`);
  const one = new Lines(
    `${maps}?watch=1&resourceVersion=${revision}&fieldSelector=metadata.name%3Dseen-1`,
  );
  await create('seen-1', { in: 'yes' });
  await ask('PUT', `${maps}/seen-1`, configMap('seen-1', { in: 'yes' }, { a: '1' }));
  await ask('PUT', `${maps}/seen-1`, configMap('seen-1', { in: 'no' }, { a: '1' }));
  await ask('DELETE', `${maps}/seen-0`);
  assert.deepEqual(await some.take(3), ['ADDED seen-1', 'MODIFIED seen-1', 'DELETED seen-1']);
  assert.deepEqual(await one.take(3), ['ADDED seen-1', 'MODIFIED seen-1', 'MODIFIED seen-1']);
  assert.deepEqual(await every.take(4), [
    'ADDED seen-1',
    'MODIFIED seen-1',
    'MODIFIED seen-1',
    'DELETED seen-0',
  ]);
  for (const lines of [some, every, one]) lines.close();
});

test('a watch may begin with the state, marked at its end', async () => {
  await create('state-0', { state: 'yes' });
  const selector = 'labelSelector=state%3Dyes';
  const options =
    'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const lines = new Lines(`${maps}?watch=1&${selector}&${options}`);
  assert.deepEqual(await lines.take(1), ['ADDED state-0']);
  await lines.wait(1);
  assert.equal(lines.all[0]?.type, 'BOOKMARK');
  assert.deepEqual(lines.all[0]?.object.metadata['annotations'], {
    'k8s.io/initial-events-end': 'true',
  });
  await lines.take(1);
  await create('state-1', { state: 'yes' });
  assert.deepEqual(await lines.take(1), ['ADDED state-1']);
  lines.close();
});

test('events are framed in protobuf, and metadata alone in both', async () => {
  const revision = await create('framed-0');
  const path = `${maps}?watch=1&resourceVersion=${revision}&timeoutSeconds=1`;
  const binary = ask('GET', path, undefined, { accept: `${PROTOBUF};stream=watch` });
  const partial = new Lines(path, {
    accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
  });
  await create('framed-1', {}, { secret: 'data' });
  const { bytes, headers } = await binary;
  assert.equal(headers['content-type'], `${PROTOBUF};stream=watch`);
  const size = bytes.readUInt32BE();
  assert.equal(bytes.length, size + 4);
  // WatchEvent: the type under 1, the object's envelope under 1 of 2.
  assert.equal(bytes.subarray(6, 11).toString(), 'ADDED');
  const at = bytes.indexOf('k8s\0');
  const { apiVersion, kind, data } = decodeEnvelope(bytes.subarray(at));
  assert.deepEqual([apiVersion, kind, data], ['v1', 'ConfigMap', { secret: 'data' }]);
  await partial.wait(1);
  assert.equal(partial.all[0]?.object['kind'], 'PartialObjectMetadata');
  assert.equal(partial.all[0]?.object['data'], undefined);
  assert.throws(() => decodeMessage('none', bytes));
  partial.close();
});

test('a watch from what is forgotten ends with an error event; one from the future waits', async () => {
  const revision = await create('old-0');
  await create('old-1');
  await store.compact(store.revision());
  const lines = new Lines(`${maps}?watch=1&resourceVersion=${revision}`);
  // Two are waited for: the stream ends after one.
  assert.deepEqual(await lines.take(2), ['ERROR']);
  const far = store.revision() + 1_000;
  const later = await ask('GET', `${maps}?watch=1&resourceVersion=${far}&timeoutSeconds=1`);
  assert.deepEqual([later.status, later.bytes.length], [200, 0]);
  const state = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
  const never = await ask('GET', `${maps}?watch=1&resourceVersion=${far}&${state}`);
  const { type, object } = JSON.parse(never.bytes.toString()) as { type: string; object: Status };
  assert.deepEqual(
    [never.status, type, object.code, object.reason],
    [200, 'ERROR', 504, 'Timeout'],
  );
  const list = await ask('GET', `${maps}?resourceVersion=${far}`);
  assert.deepEqual([list.status, list.json['reason']], [504, 'Timeout']);
});

test('list options that make no sense are refused in upstream words', async () => {
  const causes = async (query: string): Promise<unknown> => {
    const { status, json } = await ask('GET', `${maps}?${query}`);
    return [status, json['message']];
  };
  const head = 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: ';
  assert.deepEqual(await causes('resourceVersionMatch=Exact'), [
    422,
    `${head}Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided`,
  ]);
  assert.deepEqual(await causes('watch=1&sendInitialEvents=true'), [
    422,
    `${head}Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`,
  ]);
  assert.deepEqual(await causes('limit=x'), [400, 'strconv.ParseInt: parsing "x": invalid syntax']);
  assert.equal(((await causes('continue=abc')) as unknown[])[0], 400);
});

test('a client that does not read is cut off; others get everything', async () => {
  const revision = await create('slow-0');
  const idle = await open();
  const slow = idle.request({ ':path': `${maps}?watch=1&resourceVersion=${revision}` });
  await new Promise((done) => slow.once('response', done));
  slow.pause();
  const quick = new Lines(`${maps}?watch=1&resourceVersion=${revision}`);
  const big = { text: 'x'.repeat(900_000) };
  for (let i = 0; i < 14; i++) {
    const changed = configMap('slow-0', {}, { ...big, i: String(i) });
    assert.equal((await ask('PUT', `${maps}/slow-0`, changed)).status, 200);
  }
  assert.equal((await quick.take(14)).length, 14);
  quick.close();
  let count = 0;
  let rest = '';
  slow.setEncoding('utf8');
  slow.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    count += lines.length;
  });
  slow.resume();
  await new Promise((done) => slow.once('end', done));
  assert.ok(count > 0 && count < 14, String(count));
  assert.equal(rest, '');
  idle.destroy();
});
