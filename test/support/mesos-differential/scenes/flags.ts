// A master with flags that few set: a name of the cluster, a list of roles with weights, a fault domain, offers
// that time out, no metrics of frameworks, and the files of a web UI.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { FakeAgent, Scheduler, type World } from '#test/support/mesos-differential/player.ts';
import { aFramework, scalar, type Json } from './things.ts';

const OFFER_TIMEOUT = '400ms';

function inRegion(region: string) {
  return { fault_domain: { region: { name: region }, zone: { name: `${region}-1` } } };
}

async function look(world: World, when: string): Promise<void> {
  await world.http(`GET /state ${when}`, { path: '/state' });
  await world.http(`GET /state-summary ${when}`, { path: '/state-summary' });
  await world.operatorJson(`GET_MASTER ${when}`, { type: 'GET_MASTER' });
  await world.operatorJson(`GET_AGENTS ${when}`, { type: 'GET_AGENTS' });
  await world.http(`GET /slaves ${when}`, { path: '/slaves' });
  await world.http(`GET /roles ${when}`, { path: '/roles' });
}

/** --roles, --weights */
async function listedRoles(world: World): Promise<void> {
  await world.operator('GET_WEIGHTS', { type: 'GET_WEIGHTS' });
  for (const [name, roles] of [
    ['other', ['other']],
    ['mixed', ['z', 'r', 'other']],
    ['nested', ['r/child']],
  ] as const) {
    const scheduler = await new Scheduler(world, name).subscribe(aFramework(name, { roles }));
    scheduler.stream.close();
  }
  const single = { roles: undefined, role: 'other', capabilities: [] };
  await new Scheduler(world, 'single').subscribe(aFramework('single', single));
  const known = await new Scheduler(world, 'known').subscribe(aFramework('known'));
  const framework_info = aFramework('known', {
    id: { value: known.frameworkId },
    roles: ['other'],
  });
  const update_framework = { framework_info };
  await known.call('UPDATE_FRAMEWORK', { type: 'UPDATE_FRAMEWORK', update_framework });
  known.stream.close();
  const weights = [
    { role: 'r', weight: 3 },
    { role: 'other', weight: 2 },
  ];
  await world.operatorJson('UPDATE_WEIGHTS of another role', {
    type: 'UPDATE_WEIGHTS',
    update_weights: { weight_infos: weights },
  });
  await world.post('another role', '/weights', weights, 'PUT');
  const quota_configs = [{ role: 'other', limits: { cpus: { value: 1 } } }];
  await world.operatorJson('UPDATE_QUOTA of another role', {
    type: 'UPDATE_QUOTA',
    update_quota: { quota_configs },
  });
  const guarantee = [scalar('cpus', 1)];
  await world.operatorJson('SET_QUOTA of another role', {
    type: 'SET_QUOTA',
    set_quota: { quota_request: { role: 'other', guarantee, force: true } },
  });
  await world.post('another role', '/quota', { role: 'other', guarantee, force: true });
  await world.post('another role', '/quota/other', '', 'DELETE');
  // REMOVE_QUOTA of such a role ends the real master's process.
}

/** --domain, --require_agent_domain */
async function domains(world: World): Promise<void> {
  const outside = await new FakeAgent(world, 'nowhere').start();
  outside.send('RegisterSlaveMessage', { slave: outside.info(), version: '1.11.0' });
  const here = await new FakeAgent(world, 'here').start();
  await here.register({ domain: inRegion('one') });
  // Had the first one been admitted, it would have been before this one.
  await look(world, 'with an agent at home');
  const far = await new FakeAgent(world, 'far').start();
  await far.register({ domain: inRegion('two') });
  const plain = await new Scheduler(world, 'plain').subscribe(aFramework('plain'));
  await plain.stream.expect('OFFERS');
  const capabilities = [{ type: 'MULTI_ROLE' }, { type: 'REGION_AWARE' }];
  const aware = await new Scheduler(world, 'aware').subscribe(
    aFramework('aware', { capabilities }),
  );
  await aware.stream.expect('OFFERS', (event) => {
    const { offers } = event['offers'] as { offers: Json[] };
    return offers.some((offer) => offer['hostname'] === 'far.example');
  });
  await look(world, 'with an agent far away');
  far.send('UnregisterSlaveMessage', { agent_id: { value: far.id } });
  aware.stream.close();
  plain.stream.close();
  const again = far.info({ id: { value: far.id } });
  far.send('ReregisterSlaveMessage', { slave: again, version: '1.11.0' });
  await world.until('one agent', async () => {
    const { bytes } = await world.ask({ path: '/slaves' });
    return (JSON.parse(bytes.toString()) as { slaves: Json[] }).slaves.length === 1
      ? true
      : undefined;
  });
}

/** --offer_timeout */
async function timeouts(world: World): Promise<void> {
  const holder = await new Scheduler(world, 'holder').subscribe(aFramework('holder'));
  await holder.stream.expect('OFFERS');
  await holder.stream.expect('RESCIND');
  // Nobody refused it: it comes again.
  await holder.stream.expect('OFFERS');
  holder.stream.close();
  await world.until('no framework', async () => {
    const { bytes } = await world.ask({ path: '/frameworks' });
    const { frameworks } = JSON.parse(bytes.toString()) as { frameworks: Json[] };
    return frameworks.length === 0 ? true : undefined;
  });
}

/** --webui_dir */
async function webUi(world: World): Promise<void> {
  for (const path of [
    '/',
    '/master',
    '/master/',
    '/?query',
    '/app/app.js',
    '/app/home.html',
    '/assets/css/mesos.css',
    '/assets/ico/favicon.ico',
    '/master/assets/img/logo.png',
    '/app/nothing.js',
    '/app',
    '/index.html',
    '/elsewhere',
    '/memory-profiler/state',
  ]) {
    await world.get(path);
  }
  await world.headersOf('/__processes__');
}

export const flags: Scene = {
  name: 'flags',
  settings: {
    hasWebUi: true,
    flags: {
      cluster: 'a cluster',
      roles: 'r,z/child',
      weights: 'r=2,z/child=0.5',
      domain: JSON.stringify(inRegion('one')),
      require_agent_domain: 'true',
      offer_timeout: OFFER_TIMEOUT,
      publish_per_framework_metrics: 'false',
    },
  },
  async play(world) {
    await webUi(world);
    await look(world, 'alone');
    await world.operator('GET_ROLES', { type: 'GET_ROLES' });
    await listedRoles(world);
    await domains(world);
    await timeouts(world);
    await world.metrics('without those of frameworks');
  },
};
