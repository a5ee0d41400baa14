// The older endpoints of a master that knows nobody: paths, methods, parameters, negotiation.
import { gzipSync } from 'node:zlib';
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { JSON_TYPE, type World } from '#test/support/mesos-differential/player.ts';

const reading = [
  '/state',
  '/state-summary',
  '/slaves',
  '/frameworks',
  '/tasks',
  '/roles',
  '/weights',
  '/quota',
  '/maintenance/schedule',
  '/maintenance/status',
  '/flags',
  '/health',
  '/version',
  '/redirect',
  '/system/stats.json',
  '/files/debug',
];
const changing = [
  '/teardown',
  '/reserve',
  '/unreserve',
  '/create-volumes',
  '/destroy-volumes',
  '/machine/up',
  '/machine/down',
  '/api/v1',
  '/api/v1/scheduler',
];
const odd = [
  '/',
  '/master',
  '/master/',
  '/master/state',
  '/master/state/',
  '/master/state/x',
  '/master/slaves',
  '/master/frameworks/',
  '/master/health',
  '/master/version',
  '/master/metrics/snapshot',
  '/master/redirect',
  '/state/',
  '/state/x/y',
  '/state.json',
  '/slave(1)/state',
  '/slaves/x',
  '/nothing',
  '/master/nothing',
  '/redirect/x',
  '/api',
  '/api/v2',
  '/api/v1/x',
  '/api/v1/scheduler/x',
  '/maintenance',
  '/machine',
  '/files',
  '/metrics',
  '/system',
  '/logging',
  '/quota/x',
  '/%73tate-summary',
  '/%',
  '/%zz',
  '/roles?jsonp=cb',
  '/tasks?jsonp=cb',
  '/weights?jsonp=cb',
  '/quota?jsonp=cb',
  '/frameworks?jsonp=cb',
  '/slaves?jsonp=a.b%5B0%5D',
  '/maintenance/schedule?jsonp=cb',
  '/maintenance/status?jsonp=cb',
  '/roles?jsonp=',
  '/roles?jsonp',
  '/roles?jsonp=a&jsonp=b',
  '/roles?jsonp=a;limit=1',
  '/roles?jsonp=a=b',
  '/roles?jsonp=a+b%20c',
  '/roles?',
  '/roles#there',
  '/roles?jsonp=cb#there',
  '//roles',
  '/master//roles/',
  '//master/roles',
  '//master//roles',
  '/master/../roles',
  'http://elsewhere.example/roles',
  'http://elsewhere.example:5050/master/roles?jsonp=cb',
  '*',
  '/health?jsonp=cb',
  '/tasks?limit=x',
  '/tasks?limit=-1',
  '/tasks?limit=1.5',
  '/tasks?offset=-2&order=down',
  '/tasks?order=asc&limit=0',
  '/slaves?slave_id=nobody',
  '/frameworks?framework_id=nobody',
  '/tasks?framework_id=nobody',
  '/metrics/snapshot?timeout=1x',
  '/metrics/snapshot?timeout=x',
  '/metrics/snapshot?timeout=',
  '/logging/toggle',
  '/logging/toggle?level=1',
  '/logging/toggle?duration=1secs',
  '/logging/toggle?level=x&duration=1secs',
  '/logging/toggle?level=-1&duration=1secs',
  '/logging/toggle?level=1&duration=x',
  '/logging/toggle?level=1&duration=1secs',
  '/logging/toggle?level=0&duration=1secs',
  '/files/browse',
  '/files/browse?path=',
  '/files/browse?path=/nothing',
  '/files/browse?path=/master/log',
  '/files/read',
  '/files/read?path=',
  '/files/read?path=/nothing',
  '/files/read?path=/nothing&offset=x',
  '/files/read?path=/nothing&offset=0&length=x',
  '/files/read?path=/nothing&offset=-5',
  '/files/read?path=/nothing&offset=0&length=-5',
  '/files/download',
  '/files/download?path=/nothing',
  '/profiler/start',
  '/profiler/stop',
  '/registrar(1)/registry',
  '/allocator/offer_constraints_debug',
  '/hierarchical-allocator(1)/offer_constraints_debug',
];

async function methods(world: World): Promise<void> {
  for (const path of [...reading, ...changing]) {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      // Bodies of calls that change something are scenes of their own.
      if (changing.includes(path) && method === 'POST') continue;
      await world.http(`${method} ${path}`, { method, path, body: '' });
    }
  }
  for (const path of changing) await world.get(path);
}

async function negotiation(world: World): Promise<void> {
  const gzip = { 'Accept-Encoding': 'gzip' };
  await world.get('/flags', gzip);
  await world.http('GET /state with gzip', { path: '/state', headers: gzip });
  const deflate = { 'Accept-Encoding': 'deflate, gzip;q=0' };
  await world.http('GET /state with gzip;q=0', { path: '/state', headers: deflate });
  const all = { 'Accept-Encoding': '*' };
  await world.http('GET /state with any encoding', { path: '/state', headers: all });
  for (const accept of ['text/html', 'application/x-protobuf', '*/*', JSON_TYPE]) {
    await world.http(`GET /roles accepting ${accept}`, { path: '/roles', headers: { accept } });
  }
  for (const coding of ['GZIP', ' gzip ; q=0.5', 'gzip;q=0, *', 'gzip;q=x', 'br, *;q=0.1', '']) {
    const headers = { 'Accept-Encoding': coding };
    await world.http(`GET /state with "${coding}"`, { path: '/state', headers });
  }
  const great = { 'X-Great': 'x'.repeat(60_000) };
  await world.http('GET /roles with a great header', { path: '/roles', headers: great });
  await world.http('GET /roles with a great query', { path: `/roles?x=${'x'.repeat(60_000)}` });
  const expecting = { Expect: 'wonders' };
  await world.http('GET /roles expecting wonders', { path: '/roles', headers: expecting });
  const sender = { 'Libprocess-From': 'a@127.0.0.1:1' };
  await world.http('a message to nobody', { method: 'POST', path: '/nobody/x', headers: sender });
}

async function badBodies(world: World): Promise<void> {
  const forms = ['/reserve', '/unreserve', '/create-volumes', '/destroy-volumes'];
  for (const path of forms) {
    const field = path.includes('volumes') ? 'volumes' : 'resources';
    await world.post('nothing', path, '');
    await world.post('no slaveId', path, `${field}=[]`);
    await world.post('no list', path, 'slaveId=x');
    await world.post('an unknown agent', path, `slaveId=x&${field}=[]`);
    await world.post('broken JSON', path, `slaveId=x&${field}=[`);
    await world.post('no array', path, `slaveId=x&${field}={}`);
    await world.post('an odd form', path, `slaveId=x&${field}=%zz`);
    await world.post('a nameless resource', path, `slaveId=x&${field}=[{"type":"SCALAR"}]`);
  }
  await world.post('nothing', '/teardown', '');
  await world.post('an unknown framework', '/teardown', 'frameworkId=nobody');
  await world.post('an odd form', '/teardown', 'frameworkId=a&b');
  await world.post('a form with a semicolon', '/teardown', 'x=1;frameworkId=');
  await world.post('a form with a name twice', '/teardown', 'frameworkId=&frameworkId=nobody');
  const packed = { 'Content-Encoding': 'gzip' };
  const packings = {
    'a packed form': gzipSync('frameworkId=nobody'),
    'no packed form': 'frameworkId=nobody',
  };
  for (const [step, body] of Object.entries(packings)) {
    await world.http(step, { method: 'POST', path: '/teardown', headers: packed, body });
  }
  await world.post('an empty id', '/teardown', 'frameworkId=');
  for (const path of ['/machine/up', '/machine/down', '/maintenance/schedule', '/quota']) {
    for (const body of ['', '{', '{}', '[]', '[1]', '"x"', '[{}]', '{"windows":1}']) {
      await world.post(body, path, body);
    }
  }
  for (const body of ['', '{', '{}', '[]', '[1]', '[{}]', '[{"role":"a"}]', '[{"weight":2}]']) {
    await world.post(body, '/weights', body, 'PUT');
  }
  for (const path of ['/quota', '/quota/', '/quota/nobody', '/quota/a/b']) {
    await world.http(`DELETE ${path} at the end`, { method: 'DELETE', path });
  }
}

export const endpoints: Scene = {
  name: 'endpoints',
  async play(world) {
    for (const path of reading) await world.get(path);
    for (const path of odd) await world.get(path);
    await world.headersOf('/help');
    await world.metrics('nobody');
    await methods(world);
    await negotiation(world);
    await badBodies(world);
  },
};
