// The scheduler client against a master that breaks, moves, falls silent or refuses.
import assert from 'node:assert/strict';
import { afterEach, suite, test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import type { SchedulerEvent } from '#wire/mesos/v1.ts';
import { SchedulerClient, type SchedulerClientOptions } from './scheduler-client.ts';
import { ScriptedPeer, TestTime } from './scripted-peer-fixture.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function master(port = 0) {
  const peer = await ScriptedPeer.start('SchedulerCall', 'SchedulerEvent', port);
  closers.push(() => peer.close());
  return peer;
}

class Scheduler {
  readonly time = new TestTime();
  readonly events: SchedulerEvent[] = [];
  readonly errors: Error[] = [];
  disconnections = 0;
  readonly client: SchedulerClient;

  constructor(masterUrl: string, more: Partial<SchedulerClientOptions> = {}) {
    const framework = { user: 'u', name: 'f', roles: ['r'] };
    this.client = new SchedulerClient(
      { masterUrl, framework, ...more },
      {
        onEvent: (event) => this.events.push(event),
        onDisconnected: () => (this.disconnections += 1),
        onError: (error) => this.errors.push(error),
      },
      this.time.env,
    );
    closers.push(() => this.client.close());
    this.client.start();
  }

  async subscribed(peer: Awaited<ReturnType<typeof master>>, count = 1): Promise<void> {
    await this.time.until(() => peer.streams.length >= count);
    const seen = this.events.length;
    peer.send({
      type: 'SUBSCRIBED',
      subscribed: { framework_id: { value: 'f-1' }, heartbeat_interval_seconds: 15 },
    });
    await this.time.until(() => this.events.length > seen);
  }
}

test('a client that is closed while calls wait leaves no connection behind', async () => {
  const peer = await master();
  const scheduler = new Scheduler(peer.url);
  await scheduler.subscribed(peer);
  peer.refuse = ({ type }) => type === 'REVIVE';
  const revive = () => scheduler.client.call({ type: 'REVIVE' });
  const calls = Array.from({ length: 5 }, revive);
  await scheduler.time.until(() => peer.calls.length === 2);
  scheduler.client.close();
  const ends = await Promise.allSettled([...calls, revive()]);
  const codes = ends.map((one) => (one.status === 'rejected' ? faultCode(one.reason) : 'answered'));
  assert.deepEqual(codes, [...calls.map(() => 'unreachable'), 'not-subscribed']);
  await scheduler.time.until(() => peer.connections.size === 0);
  assert.equal(peer.calls.length, 2);
});

for (const contentType of ['application/json', 'application/x-protobuf'] as const) {
  suite(contentType, () => {
    test('events come in order; calls carry the stream id and the framework id', async () => {
      const peer = await master();
      const scheduler = new Scheduler(peer.url, { contentType, suppressedRoles: ['r'] });
      await scheduler.subscribed(peer);
      assert.deepEqual(peer.calls[0]?.call.subscribe?.suppressed_roles, ['r']);
      assert.equal(peer.calls[0]?.headers['mesos-stream-id'], undefined);
      for (let i = 0; i < 200; i++) {
        peer.send({ type: 'RESCIND', rescind: { offer_id: { value: `o${i}` } } });
        peer.send({ type: 'HEARTBEAT' });
      }
      await scheduler.time.until(() => scheduler.events.length === 201);
      assert.deepEqual(
        scheduler.events.slice(1).map((event) => event.rescind?.offer_id.value),
        Array.from({ length: 200 }, (_, i) => `o${i}`),
      );
      const data = new Uint8Array([0, 255]);
      const calls = Array.from({ length: 50 }, (_, i) => ({ value: `t${i}` })).map((task_id) =>
        scheduler.client.call({
          type: 'ACKNOWLEDGE',
          acknowledge: { agent_id: { value: 'a' }, task_id, uuid: data },
        }),
      );
      await Promise.all(calls);
      const got = peer.calls.slice(1);
      assert.deepEqual(
        got.map(({ call }) => call.acknowledge?.task_id.value),
        Array.from({ length: 50 }, (_, i) => `t${i}`),
      );
      assert.deepEqual(got[0]?.call.acknowledge?.uuid, data);
      for (const { call, headers } of got) {
        assert.equal(call.framework_id?.value, 'f-1');
        assert.equal(headers['mesos-stream-id'], 'stream-0');
      }
    });
  });
}

test('a broken stream is told once, and the framework subscribes again with its id', async () => {
  const peer = await master();
  const scheduler = new Scheduler(peer.url);
  await scheduler.subscribed(peer);
  peer.streams[0]?.destroy();
  await scheduler.time.until(() => scheduler.disconnections > 0);
  await assert.rejects(
    scheduler.client.call({ type: 'REVIVE' }),
    (error) => faultCode(error) === 'not-subscribed',
  );
  await scheduler.subscribed(peer, 2);
  const again = peer.calls.at(-1)?.call;
  assert.equal(again?.framework_id?.value, 'f-1');
  assert.equal(again?.subscribe?.framework_info.id?.value, 'f-1');
  assert.equal(scheduler.disconnections, 1);
});

test('a master that comes back on its address is found again', async () => {
  const peer = await master();
  const scheduler = new Scheduler(peer.url);
  await scheduler.subscribed(peer);
  await peer.close();
  closers.shift();
  await scheduler.time.until(() => scheduler.disconnections === 1);
  scheduler.time.clock.advance(10_000);
  const successor = await master(peer.port);
  await scheduler.subscribed(successor);
  assert.equal(scheduler.disconnections, 1);
});

test('a silent master is given up after five missed heartbeats', async () => {
  const peer = await master();
  const scheduler = new Scheduler(peer.url);
  await scheduler.subscribed(peer);
  scheduler.time.clock.advance(74_000);
  await scheduler.time.clock.settle();
  assert.equal(scheduler.disconnections, 0);
  peer.send({ type: 'HEARTBEAT' });
  await scheduler.time.clock.settle(74_000);
  assert.equal(scheduler.disconnections, 0, 'a heartbeat begins the time again');
  await scheduler.time.until(() => peer.streams.length === 2);
  assert.equal(scheduler.disconnections, 1);
});

test('a redirect to the leader is followed; a leader that is gone is asked for again', async () => {
  const leader = await master();
  const follower = await master();
  follower.refuse = (_call, response) => {
    response.writeHead(307, { Location: `//127.0.0.1:${leader.port}/api/v1/scheduler` }).end();
    return true;
  };
  const scheduler = new Scheduler(follower.url);
  await scheduler.subscribed(leader);
  assert.equal(scheduler.client.masterUrl, leader.url);
  follower.refuse = undefined;
  await leader.close();
  closers.shift();
  await scheduler.subscribed(follower);
  assert.equal(scheduler.client.masterUrl, follower.url);
});

test('an ERROR event ends the client: it does not fight for a framework it lost', async () => {
  const peer = await master();
  const scheduler = new Scheduler(peer.url);
  await scheduler.subscribed(peer);
  peer.send({ type: 'ERROR', error: { message: 'Framework failed over' } });
  await scheduler.time.until(() => scheduler.errors.length === 1);
  assert.equal(scheduler.errors[0]?.message, 'Framework failed over');
  await scheduler.time.clock.settle(60_000);
  assert.equal(peer.streams.length, 1);
});

test('wrong credentials are told, other refusals tried again', async () => {
  const peer = await master();
  let answers = [503, 500, 401];
  peer.refuse = (_call, response) => {
    response.writeHead(answers.shift() ?? 401).end('no');
    return true;
  };
  const scheduler = new Scheduler(peer.url, { authorization: 'Basic x' });
  await scheduler.time.until(() => scheduler.errors.length === 1);
  assert.equal(peer.calls.length, 3);
  assert.equal(peer.calls[0]?.headers.authorization, 'Basic x');
  answers = [];
  await scheduler.time.clock.settle(60_000);
  assert.equal(peer.calls.length, 3);
});

test('a refused call is a fault with its status and text', async () => {
  const peer = await master();
  const scheduler = new Scheduler(peer.url);
  await scheduler.subscribed(peer);
  peer.refuse = (_call, response) => {
    response.writeHead(400).end('Failed to validate scheduler::Call: no');
    return true;
  };
  await assert.rejects(scheduler.client.call({ type: 'KILL' }), /400: Failed to validate/);
});
