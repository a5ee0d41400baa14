// Maintenance: schedules right and wrong, machines down and up, inverse offers and what is answered
// to them, unavailability in offers, agents that come from a machine that is down.
import type { MachineID, MasterCall, MaintenanceSchedule } from '#wire/mesos/v1.ts';
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  FakeAgent,
  Scheduler,
  Stream,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, aTask, launch, type Json } from './things.ts';

/** In 2100, so that it is always to come. */
const START = 4102444800e9;
const unavailability = { start: { nanoseconds: START }, duration: { nanoseconds: 3600e9 } };

function update(schedule: MaintenanceSchedule): MasterCall {
  return { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule } };
}

function schedule(...machine_ids: MachineID[]): MaintenanceSchedule {
  return { windows: [{ machine_ids, unavailability }] };
}

async function look(world: World, when: string): Promise<void> {
  await world.http(`GET /maintenance/schedule ${when}`, { path: '/maintenance/schedule' });
  await world.http(`GET /maintenance/status ${when}`, { path: '/maintenance/status' });
  await world.operator(`GET_MAINTENANCE_STATUS ${when}`, { type: 'GET_MAINTENANCE_STATUS' });
  await world.operator(`GET_MAINTENANCE_SCHEDULE ${when}`, { type: 'GET_MAINTENANCE_SCHEDULE' });
}

async function schedules(world: World): Promise<void> {
  const wrong: Readonly<Record<string, MaintenanceSchedule>> = {
    'a window of no machine': { windows: [{ unavailability }] },
    'a machine without a name': schedule({}),
    'a machine with empty names': schedule({ hostname: '', ip: '' }),
    'a machine twice in one window': schedule({ hostname: 'h' }, { hostname: 'h' }),
    'a machine twice, in capitals': schedule({ hostname: 'h' }, { hostname: 'H' }),
    'a machine in two windows': {
      windows: [
        ...(schedule({ hostname: 'h' }).windows ?? []),
        ...(schedule({ hostname: 'h' }).windows ?? []),
      ],
    },
    'a bad address': schedule({ ip: '1.2.3' }),
    'a negative duration': {
      windows: [
        {
          machine_ids: [{ hostname: 'h' }],
          unavailability: { start: { nanoseconds: START }, duration: { nanoseconds: -1 } },
        },
      ],
    },
  };
  for (const [name, one] of Object.entries(wrong)) {
    await world.operator(`UPDATE_MAINTENANCE_SCHEDULE with ${name}`, update(one));
    await world.post(name, '/maintenance/schedule', one);
  }
  const right: Readonly<Record<string, MaintenanceSchedule>> = {
    'two machines': schedule({ hostname: 'Host.One' }, { ip: '10.0.0.7' }),
    'one machine by both': schedule({ hostname: 'h', ip: '10.0.0.8' }),
    'no duration': {
      windows: [
        { machine_ids: [{ hostname: 'h' }], unavailability: { start: { nanoseconds: 5 } } },
      ],
    },
    nothing: {},
  };
  for (const [name, one] of Object.entries(right)) {
    await world.operator(`UPDATE_MAINTENANCE_SCHEDULE with ${name}`, update(one));
    await look(world, `with ${name}`);
    await world.post(name, '/maintenance/schedule', one);
  }
}

async function machines(world: World): Promise<void> {
  const down = (machines: MachineID[]): MasterCall => ({
    type: 'START_MAINTENANCE',
    start_maintenance: { machines },
  });
  const up = (machines: MachineID[]): MasterCall => ({
    type: 'STOP_MAINTENANCE',
    stop_maintenance: { machines },
  });
  await world.operator(
    'START_MAINTENANCE of a machine without schedule',
    down([{ hostname: 'x' }]),
  );
  await world.operator('STOP_MAINTENANCE of a machine without schedule', up([{ hostname: 'x' }]));
  await world.operatorJson('schedule a, b and c', {
    ...update(schedule({ hostname: 'a' }, { hostname: 'b' }, { hostname: 'c' })),
  });
  await world.operator('STOP_MAINTENANCE of a machine that is up', up([{ hostname: 'a' }]));
  const [a, b] = [{ hostname: 'a' }, { hostname: 'b' }];
  await world.operatorJson('START_MAINTENANCE of one twice', down([a, a]));
  await world.operatorJson(
    'START_MAINTENANCE of a known and an unknown',
    down([a, { hostname: 'x' }]),
  );
  await world.operatorJson('START_MAINTENANCE of a bad address', down([{ ip: '1.2.3.4.5' }]));
  await look(world, 'before any is down');
  await world.operatorJson('START_MAINTENANCE of a and b', down([a, { hostname: 'B' }]));
  await look(world, 'with a and b down');
  await world.operatorJson('START_MAINTENANCE of a again', down([a]));
  await world.operatorJson('a schedule without a, which is down', update(schedule(b)));
  await world.operatorJson('a schedule of nothing while a is down', update({}));
  await world.post('a and c', '/machine/up', [a, { hostname: 'c' }]);
  await world.post('a', '/machine/up', [a]);
  await look(world, 'with a up again');
  await world.post('c', '/machine/down', [{ hostname: 'c' }]);
  await world.post('all', '/machine/up', [b, { hostname: 'c' }]);
  await look(world, 'with all up again');
}

async function inverseOffers(world: World): Promise<void> {
  const one = await (await new FakeAgent(world, 'one').start()).register();
  const framework = await new Scheduler(world, 'runner').subscribe(aFramework('runner'));
  const offer = await framework.offer();
  await framework.accept('ACCEPT', [offer], [launch(aTask('t', offer))]);
  await one.expect('RunTaskMessage');
  const plain = await framework.offer();
  world.keep('an offer without maintenance', { body: world.clean(plain) });
  const id = { hostname: 'one.example', ip: '127.0.0.1' };
  await world.operatorJson('a schedule for the agent', update(schedule(id)));
  await framework.stream.expect('RESCIND');
  const inverse = await framework.stream.expect('INVERSE_OFFERS');
  const { offers: later } = (await framework.stream.find('OFFERS'))['offers'] as { offers: Json[] };
  world.keep('an offer before maintenance', { body: world.clean(later[0]) });
  await look(world, 'with an inverse offer');
  await world.operatorJson('GET_FRAMEWORKS with an inverse offer', { type: 'GET_FRAMEWORKS' });
  await answers(world, framework, inverse);
  await world.operatorJson('another schedule', update(schedule(id, { hostname: 'z' })));
  await framework.stream.expect('RESCIND_INVERSE_OFFER');
  await framework.stream.expect('INVERSE_OFFERS');
  const drain = { type: 'DRAIN_AGENT', drain_agent: { agent_id: { value: one.id } } };
  await world.operatorJson('DRAIN_AGENT while in maintenance', drain);
  await fall(world, { one, framework, id });
}

function idsOf(event: Json): Json[] {
  const { inverse_offers } = event['inverse_offers'] as { inverse_offers: Json[] };
  return inverse_offers.map((offer) => offer['id'] as Json);
}

async function answers(world: World, framework: Scheduler, inverse: Json): Promise<void> {
  const filters = { refuse_seconds: 0 };
  await framework.call('DECLINE_INVERSE_OFFERS', {
    type: 'DECLINE_INVERSE_OFFERS',
    decline_inverse_offers: { inverse_offer_ids: idsOf(inverse), filters },
  });
  const again = await framework.stream.expect('INVERSE_OFFERS');
  await look(world, 'with a declined inverse offer');
  await framework.call('ACCEPT_INVERSE_OFFERS', {
    type: 'ACCEPT_INVERSE_OFFERS',
    accept_inverse_offers: { inverse_offer_ids: idsOf(again), filters },
  });
  await framework.stream.expect('INVERSE_OFFERS');
  await look(world, 'with an accepted inverse offer');
  await world.metrics('with inverse offers');
}

async function fall(
  world: World,
  { one, framework, id }: { one: FakeAgent; framework: Scheduler; id: MachineID },
): Promise<void> {
  const events = new Stream(world, 'operator', 'MasterEvent');
  await events.open('/api/v1', '{"type":"SUBSCRIBE"}', 'application/json');
  await events.find('SUBSCRIBED');
  await world.post('the agent', '/machine/down', [id]);
  await one.expect('ShutdownMessage');
  await framework.stream.expect('RESCIND_INVERSE_OFFER');
  await framework.stream.expect('UPDATE');
  await framework.stream.expect('FAILURE');
  await events.expect('AGENT_REMOVED');
  await look(world, 'with the agent down');
  await world.operatorJson('GET_AGENTS with the agent down', { type: 'GET_AGENTS' });
  await world.operatorJson('GET_TASKS with the agent down', { type: 'GET_TASKS' });
  // Nothing of a machine that is down may register.
  one.send('RegisterSlaveMessage', { slave: one.info(), version: '1.11.0' });
  await one.expect('ShutdownMessage');
  await world.http('GET /registrar(1)/registry', { path: '/registrar(1)/registry' });
  await world.post('the agent', '/machine/up', [id]);
  await one.register();
  await look(world, 'at the end');
  await world.metrics('after maintenance');
}

export const maintenance: Scene = {
  name: 'maintenance',
  async play(world) {
    await schedules(world);
    await machines(world);
    await inverseOffers(world);
  },
};
