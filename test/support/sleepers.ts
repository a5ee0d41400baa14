// A small Mesos framework for failure tests: launches N command tasks that sleep, and stays subscribed,
// also over a restart of the master. Runs until it is killed.
import { createEnv } from '#env/node/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import type { Offer, SchedulerEvent, TaskInfo } from '#wire/mesos/v1.ts';

const [, , masterUrl = '', count = '0', command = 'sleep 1000'] = process.argv;
const env = createEnv({ component: 'sleepers', logLevel: 'warn', logFormat: 'text' });
const CPUS = 0.01;
const MEM = 4;
let launched = 0;

function tasksFor(offer: Offer): TaskInfo[] {
  const left = (name: string): number =>
    offer.resources?.find((one) => one.name === name)?.scalar?.value ?? 0;
  const room = Math.floor(Math.min(left('cpus') / CPUS, left('mem') / MEM));
  const tasks: TaskInfo[] = [];
  while (launched < Number(count) && tasks.length < room) {
    launched += 1;
    tasks.push({
      name: `sleeper-${launched}`,
      task_id: { value: `sleeper-${launched}` },
      agent_id: offer.agent_id,
      command: { value: command },
      resources: [
        { name: 'cpus', type: 'SCALAR', scalar: { value: CPUS }, allocation_info: { role: '*' } },
        { name: 'mem', type: 'SCALAR', scalar: { value: MEM }, allocation_info: { role: '*' } },
      ],
    });
  }
  return tasks;
}

async function onEvent(event: SchedulerEvent): Promise<void> {
  for (const offer of event.offers?.offers ?? []) {
    const task_infos = tasksFor(offer);
    const filters = { refuse_seconds: task_infos.length === 0 ? 3_600 : 0 };
    if (task_infos.length === 0) {
      await client.call({ type: 'DECLINE', decline: { offer_ids: [offer.id], filters } });
      continue;
    }
    const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
    await client.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations, filters } });
  }
  const status = event.update?.status;
  if (status?.uuid !== undefined && status.agent_id !== undefined) {
    const { task_id, agent_id, uuid } = status;
    await client.call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
  }
}

const client = new SchedulerClient(
  {
    masterUrl,
    framework: {
      user: 'root',
      name: 'sleepers',
      roles: ['*'],
      checkpoint: true,
      failover_timeout: 3_600,
      capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
    },
  },
  {
    onEvent: (event) =>
      void onEvent(event).catch((error: unknown) => env.log.warn('A call failed', { error })),
    onDisconnected: () => {},
    onError: (error) => env.log.error('Refused', { error }),
  },
  env,
);
client.start();
