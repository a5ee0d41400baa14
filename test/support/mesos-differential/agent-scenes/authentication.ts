// An agent that asks who calls it: which endpoint is in which realm, how strangers and wrong secrets are refused,
// and what --acls let some callers see and do.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { JSON_TYPE, type World } from '#test/support/mesos-differential/player.ts';

const none = { type: 'NONE' };
const reader = { values: ['reader'] };
const readerAlone = (what: string): object[] => [
  { principals: reader, [what]: { type: 'ANY' } },
  { principals: { type: 'ANY' }, [what]: none },
];
const acls = {
  get_endpoints: readerAlone('paths'),
  view_flags: readerAlone('flags'),
  view_frameworks: readerAlone('users'),
  set_log_level: readerAlone('level'),
  access_mesos_logs: readerAlone('logs'),
  prune_images: readerAlone('images'),
  view_resource_providers: readerAlone('resource_providers'),
  mark_resource_providers_gone: readerAlone('resource_providers'),
  modify_resource_provider_configs: readerAlone('resource_providers'),
  launch_standalone_containers: readerAlone('users'),
  kill_standalone_containers: readerAlone('users'),
  wait_standalone_containers: readerAlone('users'),
};

const paths = [
  '/slave(1)/health',
  '/slave(1)/flags',
  '/slave(1)/state',
  '/slave(1)/containers',
  '/slave(1)/monitor/statistics',
  '/slave(1)/nothing',
  '/version',
  '/metrics/snapshot?timeout=1secs',
  '/system/stats.json',
  '/logging/toggle',
  '/files/debug',
  '/files/browse?path=/x',
  '/files/read?path=/x',
  '/files/download?path=/x',
  '/slave(1)/api/v1',
  '/slave(1)/api/v1/executor',
  '/slave(1)/api/v1/resource_provider',
];

const id = { value: 'one' };
const calls: readonly object[] = [
  { type: 'GET_HEALTH' },
  { type: 'GET_FLAGS' },
  { type: 'GET_AGENT' },
  { type: 'GET_STATE' },
  { type: 'GET_FRAMEWORKS' },
  { type: 'GET_CONTAINERS' },
  { type: 'GET_OPERATIONS' },
  { type: 'GET_RESOURCE_PROVIDERS' },
  { type: 'GET_LOGGING_LEVEL' },
  { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 0, duration: { nanoseconds: 1e9 } } },
  { type: 'LIST_FILES', list_files: { path: '/x' } },
  { type: 'PRUNE_IMAGES' },
  {
    type: 'MARK_RESOURCE_PROVIDER_GONE',
    mark_resource_provider_gone: { resource_provider_id: id },
  },
  {
    type: 'REMOVE_RESOURCE_PROVIDER_CONFIG',
    remove_resource_provider_config: { type: 'a', name: 'b' },
  },
  { type: 'WAIT_CONTAINER', wait_container: { container_id: id } },
  { type: 'KILL_CONTAINER', kill_container: { container_id: id } },
  { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id: { ...id, parent: id } } },
];

const wrongHeaders: readonly string[] = [
  'Basic',
  'Basic ',
  'Basic !!!',
  `Basic ${Buffer.from('reader').toString('base64')}`,
  `Basic ${Buffer.from('reader:wrong').toString('base64')}`,
  `Basic ${Buffer.from(':').toString('base64')}`,
  `basic ${Buffer.from('reader:r').toString('base64')}`,
  'Bearer abc',
];

async function asked(world: World, who: string): Promise<void> {
  for (const path of paths) {
    const { status, headers, bytes } = await world.ask({ path });
    // Bodies that are given are compared where everybody may ask.
    const body = status === 200 ? undefined : world.clean(bytes.toString());
    const kept = { 'www-authenticate': headers['www-authenticate'] ?? '' };
    world.keep(`GET ${path} by ${who}`, { status, headers: kept, body });
  }
  for (const call of calls) {
    const body = JSON.stringify(call);
    const headers = { 'Content-Type': JSON_TYPE, Accept: JSON_TYPE };
    const request = { method: 'POST', path: '/slave(1)/api/v1', headers, body };
    const { status, bytes } = await world.ask(request);
    const shown = status === 200 ? undefined : world.clean(bytes.toString());
    world.keep(`${body} by ${who}`, { status, body: shown });
  }
}

export const agentAuthentication: Scene = {
  name: 'agent-authentication',
  settings: {
    credentials: { reader: 'r', nobody: 'n' },
    flags: {
      authenticate_http_readonly: 'true',
      authenticate_http_readwrite: 'true',
      acls: JSON.stringify(acls),
    },
  },
  async play(world) {
    await asked(world, 'a stranger');
    world.as('reader', 'r');
    await asked(world, 'the reader');
    world.as('nobody', 'n');
    await asked(world, 'nobody');
    world.as(undefined);
    for (const authorization of wrongHeaders) {
      for (const path of ['/slave(1)/state', '/slave(1)/health', '/files/debug']) {
        const { status, headers } = await world.ask({ path, headers: { authorization } });
        const kept = { 'www-authenticate': headers['www-authenticate'] ?? '' };
        world.keep(`GET ${path} with '${authorization}'`, { status, headers: kept });
      }
    }
  },
};
