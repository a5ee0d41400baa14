// A master that wants to know everybody: operators and frameworks by HTTP basic authentication, agents
// and drivers by CRAM-MD5; who is refused, with what challenge, and who goes by which principal.
import { createHmac } from 'node:crypto';
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  agentGreeting,
  FakeAgent,
  Scheduler,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, type Json } from './things.ts';

const credentials = { alice: 'wonder', bob: 'builder', 'a b': 'c', empty: '', 'colon:ed': 'x' };
const flags = {
  authenticate_http_readonly: 'true',
  authenticate_http_readwrite: 'true',
  authenticate_http_frameworks: 'true',
  http_framework_authenticators: 'basic',
  authenticate_frameworks: 'true',
  authenticate_agents: 'true',
};

const paths = [
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
  '/machine/up',
  '/machine/down',
  '/teardown',
  '/reserve',
  '/unreserve',
  '/create-volumes',
  '/destroy-volumes',
  '/flags',
  '/health',
  '/version',
  '/redirect',
  '/api/v1',
  '/api/v1/scheduler',
  '/system/stats.json',
  '/metrics/snapshot',
  '/logging/toggle',
  '/profiler/start',
  '/files/browse',
  '/files/read',
  '/files/download',
  '/files/debug',
  '/registrar(1)/registry',
  '/allocator/offer_constraints_debug',
  '/master/state',
  '/master/state/x',
  '/nothing',
];

const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** Headers that are not quite right, and some that are. */
const headers = [
  '',
  'Basic',
  'Basic ',
  `Basic  ${base64('alice:wonder')}`,
  `basic ${base64('alice:wonder')}`,
  `Bearer ${base64('alice:wonder')}`,
  `Basic ${base64('alice:wonder')}`,
  `Basic ${base64('alice:wonder')} x`,
  `Basic ${base64('alice:wonder').replace(/=+$/, '')}`,
  `Basic ${base64('alice:wonder')}===`,
  'Basic !!!',
  'Basic ====',
  `Basic ${base64('alice')}`,
  `Basic ${base64('alice:')}`,
  `Basic ${base64(':')}`,
  `Basic ${base64('alice:wonder:land')}`,
  `Basic ${base64('alice:Wonder')}`,
  `Basic ${base64('nobody:wonder')}`,
  `Basic ${base64('empty:')}`,
  `Basic ${base64('a b:c')}`,
  `Basic ${base64('colon:ed:x')}`,
];

async function http(world: World): Promise<void> {
  for (const path of paths) await world.http(`${path} of nobody`, { path });
  await world.http('POST /api/v1 of nobody', { method: 'POST', path: '/api/v1', body: '{}' });
  for (const Authorization of headers) {
    await world.http(`/weights by "${Authorization}"`, {
      path: '/weights',
      headers: { Authorization },
    });
  }
  world.as('bob', 'builder');
  for (const path of ['/weights', '/roles', '/frameworks', '/machine/up', '/api/v1']) {
    await world.http(`${path} of bob`, { path });
  }
  await world.operator('GET_HEALTH of bob', { type: 'GET_HEALTH' });
}

async function frameworks(world: World): Promise<void> {
  world.as(undefined);
  await new Scheduler(world, 'nobody').subscribe(aFramework('nobody'));
  world.as('alice', 'wonder');
  await new Scheduler(world, 'wrong').subscribe(aFramework('wrong', { principal: 'bob' }));
  const named = await new Scheduler(world, 'named').subscribe(
    aFramework('named', { principal: 'alice' }),
  );
  const unnamed = await new Scheduler(world, 'unnamed').subscribe(aFramework('unnamed'));
  const id = { value: unnamed.frameworkId };
  await named.call('REVIVE', { type: 'REVIVE' });
  await named.call('a wrong stream', { type: 'REVIVE' }, { 'Mesos-Stream-Id': 'x' });
  world.as('bob', 'builder');
  await named.call('REVIVE of bob', { type: 'REVIVE' });
  await named.call(
    'REVIVE of bob on a wrong stream',
    { type: 'REVIVE' },
    { 'Mesos-Stream-Id': 'x' },
  );
  const other = aFramework('unnamed', { id });
  await new Scheduler(world, 'taken').subscribe(other);
  await new Scheduler(world, 'taken').subscribe({ ...other, principal: 'bob' });
  await new Scheduler(world, 'taken').subscribe({ ...other, principal: 'alice' });
  world.as(undefined);
  await unnamed.call('TEARDOWN of nobody', { type: 'TEARDOWN' });
  world.as('alice', 'wonder');
  await new Scheduler(world, 'again').subscribe(other);
  await world.http('GET /frameworks', { path: '/frameworks' });
  const update: Json = {
    type: 'UPDATE_FRAMEWORK',
    update_framework: { framework_info: { ...other, principal: 'bob' } },
  };
  await unnamed.call('UPDATE_FRAMEWORK to bob', update);
}

type Text = (challenge: Uint8Array) => string;

function digest(secret: string, challenge: Uint8Array): string {
  return createHmac('md5', secret).update(challenge).digest('hex');
}

const answers: readonly (readonly [string, Text])[] = [
  ['a wrong secret', (challenge) => `alice ${digest('x', challenge)}`],
  ['a wrong name', (challenge) => `nobody ${digest('wonder', challenge)}`],
  ['nothing', () => ''],
  ['only a name', () => 'alice'],
  ['no name', (challenge) => ` ${digest('wonder', challenge)}`],
  ['a digest in capitals', (challenge) => `alice ${digest('wonder', challenge).toUpperCase()}`],
  ['half a digest', (challenge) => `alice ${digest('wonder', challenge).slice(16)}`],
  ['more than a digest', (challenge) => `alice ${digest('wonder', challenge)}0`],
  ['an empty secret', (challenge) => `empty ${digest('', challenge)}`],
  ['too much', () => 'x'.repeat(1_025)],
  ['a name of two words', (challenge) => `a b ${digest('c', challenge)}`],
];

/** A peer's session, up to its challenge. */
async function challenged(peer: FakeAgent, step: string): Promise<{ to: string; data: Buffer }> {
  peer.name = step;
  peer.send('AuthenticateMessage', { pid: peer.upid });
  const { from: to } = await peer.expect('AuthenticationMechanismsMessage');
  peer.send('AuthenticationStartMessage', { mechanism: 'CRAM-MD5' }, to);
  const { body } = await peer.find('AuthenticationStepMessage');
  return { to, data: Buffer.from(String(body['data']), 'base64') };
}

async function authenticate(peer: FakeAgent, step: string, text: Text, end: string): Promise<void> {
  const { to, data } = await challenged(peer, step);
  peer.send('AuthenticationStepMessage', { data: Buffer.from(text(data)) }, to);
  await peer.expect(end);
}

const alice: Text = (challenge) => `alice ${digest('wonder', challenge)}`;
const COMPLETED = 'AuthenticationCompletedMessage';

async function sessions(world: World): Promise<void> {
  const peer = await new FakeAgent(world, 'peer').start();
  for (const [step, text] of answers) {
    const { to, data } = await challenged(peer, step);
    peer.send('AuthenticationStepMessage', { data: Buffer.from(text(data)) }, to);
    await peer.expectOne(/^Authentication(Completed|Failed|Error)Message$/);
  }
  for (const [mechanism, first] of [
    ['PLAIN', ''],
    ['', ''],
    ['CRAM-MD5', 'alice x'],
  ] as const) {
    peer.name = `start of "${mechanism}" with "${first}"`;
    peer.send('AuthenticateMessage', { pid: peer.upid });
    const { from: to } = await peer.expect('AuthenticationMechanismsMessage');
    peer.send('AuthenticationStartMessage', { mechanism, data: Buffer.from(first) }, to);
    await peer.expect('AuthenticationErrorMessage');
  }
  peer.name = 'a step before the start';
  peer.send('AuthenticateMessage', { pid: peer.upid });
  const { from: to } = await peer.expect('AuthenticationMechanismsMessage');
  peer.send('AuthenticationStepMessage', { data: Buffer.from('alice x') }, to);
  await peer.expect('AuthenticationErrorMessage');
  const twice = await challenged(peer, 'two starts');
  peer.send('AuthenticationStartMessage', { mechanism: 'CRAM-MD5' }, twice.to);
  await peer.expect('AuthenticationErrorMessage');
}

async function drivers(world: World): Promise<void> {
  const subscribe = (peer: FakeAgent, more: Json): void => {
    const framework_info = { user: 'root', name: peer.name, roles: ['r'], ...more } as never;
    const capabilities = [{ type: 'MULTI_ROLE' as const }];
    const info = { ...(framework_info as object), capabilities } as never;
    peer.call({ type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  };
  const driver = await new FakeAgent(world, 'driver').start();
  subscribe(driver, {});
  await driver.expect('FrameworkErrorMessage');
  await authenticate(driver, 'driver', alice, COMPLETED);
  subscribe(driver, { principal: 'bob' });
  await driver.expect('FrameworkErrorMessage');
  subscribe(driver, { user: '' });
  subscribe(driver, {});
  await driver.expect('FrameworkRegisteredMessage');
  const named = await new FakeAgent(world, 'named driver').start();
  // What it says before it is known waits.
  const { to, data } = await challenged(named, 'named driver');
  subscribe(named, { principal: 'alice' });
  named.send('AuthenticationStepMessage', { data: Buffer.from(alice(data)) }, to);
  await named.expect(COMPLETED);
  await named.expect('FrameworkRegisteredMessage');
  world.as('alice', 'wonder');
  await world.http('GET /frameworks with drivers', { path: '/frameworks' });
  await world.metrics('after all');
}

async function agents(world: World): Promise<void> {
  const one = await new FakeAgent(world, 'one').start();
  const slave = one.info();
  one.send('RegisterSlaveMessage', { slave, ...agentGreeting });
  await authenticate(one, 'one', (challenge) => `bob ${digest('builder', challenge)}`, COMPLETED);
  await one.register();
  world.as('alice', 'wonder');
  await world.http('GET /slaves', { path: '/slaves' });
  const wrong = await new FakeAgent(world, 'wrong').start();
  await authenticate(wrong, 'wrong', () => 'bob 1234', 'AuthenticationFailedMessage');
  wrong.send('RegisterSlaveMessage', { slave: wrong.info(), ...agentGreeting });
  // The next one's registration comes later than that.
  await authenticate(wrong, 'right', alice, COMPLETED);
  await wrong.register();
}

async function play(world: World): Promise<void> {
  await http(world);
  await frameworks(world);
  await sessions(world);
  await agents(world);
  await drivers(world);
}

export const authentication: Scene = {
  name: 'authentication',
  settings: { credentials, flags },
  play,
};
