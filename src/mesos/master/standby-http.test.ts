// What a master that does not lead answers itself, as the processes beside Mesos' master do, and what it sends elsewhere.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { Registry } from '#mesos/registry/registry.ts';
import { parseAcls } from '#mesos/security/acls.ts';
import { OPEN } from '#mesos/security/authentication.ts';
import { Authorizer } from '#mesos/security/authorizer.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { testOptions } from './core-fixture.ts';
import { MasterHttp } from './http.ts';
import { MasterShell } from './shell.ts';
import { StandbyHttp, type StandbyView } from './standby-http.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const folder = mkdtempSync(join(tmpdir(), 'strata-standby-'));
const verbosities: number[] = [];
const servers: Server[] = [];
const leader = { id: 'x', ip: 0, port: 5050, hostname: 'leader.example' };
let standby: StandbyHttp;
let url = '';

async function serve(http: Pick<StandbyHttp, 'handle'>): Promise<string> {
  const server = createServer((request, response) => http.handle(request, response));
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function standbyOf(change: Partial<StandbyView> = {}): StandbyHttp {
  const view: StandbyView = {
    options: testOptions,
    flags: { port: '5050' },
    files: new Map([['/master/log', join(folder, 'log')]]),
    onVerbosity: (level) => verbosities.push(level),
    leader: () => leader,
    isRecovering: () => false,
    authentication: OPEN,
    authorizer: new Authorizer(undefined),
    disabled: new Set(),
    webUiFolder: '/nowhere',
    ...change,
  };
  return new StandbyHttp(view, env);
}

before(async () => {
  writeFileSync(join(folder, 'log'), 'what it did\n');
  standby = standbyOf();
  url = await serve(standby);
});

after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true });
});

const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${url}${path}`, { redirect: 'manual', ...init });

test('it has every metric of a leader that knows nobody, and is not elected', async () => {
  const shell = await MasterShell.start(testOptions, new Registry(new MemoryStore()), env);
  const leading = await serve(new MasterHttp(shell));
  const metricsOf = async (where: string): Promise<Record<string, number>> =>
    (await (await fetch(`${where}/metrics/snapshot`)).json()) as Record<string, number>;
  const [theirs, own] = [await metricsOf(leading), await metricsOf(url)];
  await shell.close();
  assert.deepEqual(Object.keys(own).toSorted(), Object.keys(theirs).toSorted());
  assert.deepEqual([theirs['master/elected'], own['master/elected']], [1, 0]);
});

test('its log, its machine and its version are its own', async () => {
  const read = await ask('/files/read?path=/master/log&offset=5');
  assert.deepEqual(await read.json(), { data: 'it did\n', offset: 5 });
  assert.equal((await ask('/files/browse?path=/nothing')).status, 404);
  const version = (await (await ask('/version?jsonp=cb')).text()).slice(0, 4);
  assert.equal(version, 'cb({');
  assert.ok('cpus_total' in ((await (await ask('/system/stats.json')).json()) as object));
  assert.deepEqual(await (await ask('/flags')).json(), { flags: { port: '5050' } });
});

test('operators change how much it logs itself, until it leads', async () => {
  assert.equal((await ask('/logging/toggle?level=2&duration=1mins')).status, 200);
  assert.equal(await (await ask('/logging/toggle')).text(), '2\n');
  assert.deepEqual(verbosities.splice(0), [2]);
  standby.close();
  assert.deepEqual(verbosities.splice(0), [0]);
});

test('all else is where the leader is, as it was asked for', async () => {
  const places = [
    ['/state?a=1&b=%20', '/state?a=1&b=%20'],
    ['/master/slaves', '/master/slaves'],
    ['/registrar(1)/registry', '/registrar(1)/registry'],
    ['/redirect', ''],
  ] as const;
  for (const [path, there] of places) {
    const answer = await ask(path);
    assert.equal(answer.status, 307, path);
    assert.equal(answer.headers.get('location'), `//leader.example:5050${there}`);
  }
  assert.equal((await ask('/nothing')).status, 404);
  assert.equal((await ask('/state?a=%zz')).status, 400);
});

test('who may not, may not here either', async () => {
  const acls = parseAcls(
    JSON.stringify({
      permissive: true,
      get_endpoints: [{ principals: { type: 'ANY' }, paths: { type: 'NONE' } }],
      view_flags: [{ principals: { type: 'ANY' }, flags: { type: 'NONE' } }],
      access_mesos_logs: [{ principals: { type: 'ANY' }, logs: { type: 'NONE' } }],
    }),
  );
  const guarded = await serve(standbyOf({ authorizer: new Authorizer(acls) }));
  for (const path of [
    '/flags',
    '/metrics/snapshot',
    '/logging/toggle',
    '/files/debug',
    '/files/read?path=/master/log',
  ]) {
    assert.equal((await fetch(`${guarded}${path}`)).status, 403, path);
  }
});

test('nobody leads, or it is about to', async () => {
  const alone = await serve(standbyOf({ leader: () => undefined }));
  const answer = await fetch(`${alone}/state`);
  assert.deepEqual([answer.status, await answer.text()], [503, 'No leader elected']);
  const next = await serve(standbyOf({ isRecovering: () => true }));
  assert.equal((await fetch(`${next}/state`)).status, 503);
});
