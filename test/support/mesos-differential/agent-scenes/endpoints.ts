// The older endpoints of an agent that runs nothing: paths, methods, parameters, negotiation.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { JSON_TYPE, type World } from '#test/support/mesos-differential/player.ts';

/** `/containerizer/debug` ends the real agent, which has no tracker when it is put together by the peer. */
const reading = [
  '/slave(1)/state',
  '/slave(1)/flags',
  '/slave(1)/health',
  '/slave(1)/containers',
  '/slave(1)/monitor/statistics',
  '/version',
  '/system/stats.json',
  '/files/debug',
];

const odd = [
  '/slave(1)',
  '/slave(1)/',
  '/slave(1)/nothing',
  '/slave(1)/state/',
  '/slave(1)/state/x',
  '/slave(1)/state.json',
  '/slave(1)/health/x',
  '/slave(1)/containers/x',
  '/slave(1)/monitor',
  '/slave(1)/monitor/statistics.json',
  '/slave(1)/api',
  '/slave(1)/api/v1/x',
  '/slave(1)/api/v1/executor/x',
  '/slave(1)/%73tate',
  '/slave(1)/%zz',
  '/slave(2)/state',
  '/files',
  '/files/x',
  '/metrics',
  '/system',
  '/logging',
  '/slave(1)/containers?jsonp=cb',
  '/slave(1)/monitor/statistics?jsonp=cb',
  '/slave(1)/health?jsonp=cb',
  '/files/debug?jsonp=cb',
  '/slave(1)/containers?container_id=nobody',
  '/slave(1)/containers?show_nested=true&show_standalone=true',
  '/slave(1)/containers?show_nested=x',
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
  '/files/browse?path=/',
  '/files/browse?path=/nothing',
  '/files/browse?path=nothing',
  '/files/browse?path=/slave/log',
  '/files/browse?path=/etc',
  '/files/browse?path=/nothing&jsonp=cb',
  '/files/read',
  '/files/read?path=',
  '/files/read?path=/nothing',
  '/files/read?path=/nothing&offset=x',
  '/files/read?path=/nothing&offset=0&length=x',
  '/files/read?path=/nothing&offset=-5',
  '/files/read?path=/nothing&offset=0&length=-5',
  '/files/read?path=/etc/passwd',
  '/files/download',
  '/files/download?path=',
  '/files/download?path=/nothing',
  '/files/download?path=/etc/passwd',
  '/profiler/start',
  '/profiler/stop',
];

/** Names alone, and only the agent's: the peer's program has a master within that answers no more. */
async function metrics(world: World): Promise<void> {
  const { status, bytes } = await world.ask({ path: '/metrics/snapshot?timeout=2secs' });
  const names = Object.keys(JSON.parse(bytes.toString()) as object);
  const body = names
    .filter((name) => /^(slave|containerizer|gc|resource_prov)/.test(name))
    .toSorted();
  world.keep('names of metrics', { status, body });
}

/** Whose bodies differ from run to run, within the call of a function as well. */
const varying = [
  '/help',
  '/help/slave(1)',
  '/__processes__',
  '/slave(1)/state?jsonp=cb',
  '/slave(1)/flags?jsonp=cb',
  '/slave(1)/flags?jsonp=',
  '/version?jsonp=cb',
  '/system/stats.json?jsonp=cb',
];

async function methods(world: World): Promise<void> {
  for (const path of [...reading, '/files/browse', '/logging/toggle']) {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await world.ask({ method, path, body: '' });
      // Bodies that differ at every run are looked at once, by GET.
      world.keep(`${method} ${path}`, {
        status,
        headers: { allow: headers.allow ?? '', type: headers['content-type'] ?? '' },
      });
    }
  }
  for (const path of ['/slave(1)/api/v1', '/slave(1)/api/v1/executor']) {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      await world.http(`${method} ${path}`, { method, path, body: '' });
    }
  }
}

async function negotiation(world: World): Promise<void> {
  const path = '/slave(1)/state';
  for (const encoding of ['gzip', 'deflate, gzip;q=0', '*', 'identity']) {
    const headers = { 'Accept-Encoding': encoding };
    await world.http(`GET ${path} with ${encoding}`, { path, headers });
  }
  for (const accept of ['text/html', 'application/x-protobuf', '*/*', JSON_TYPE]) {
    await world.http(`GET ${path} accepting ${accept}`, { path, headers: { accept } });
  }
}

export const agentEndpoints: Scene = {
  name: 'agent-endpoints',
  async play(world) {
    for (const path of reading) await world.get(path);
    for (const path of odd) await world.get(path);
    for (const path of varying) await world.headersOf(path);
    await metrics(world);
    await methods(world);
    await negotiation(world);
  },
};
