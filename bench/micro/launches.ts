// What the master itself does for a launch, without sockets: bytes of ACCEPT, of the agent's update and of
// ACKNOWLEDGE in, bytes of offers, RunTaskMessage, UPDATE and the agent's acknowledgement out.
// `node bench/micro/launches.ts [AGENTS] [TASKS] [PER_CALL]` prints processor time for each task.
import { Buffer } from 'node:buffer';
import type { ToAgent } from '#mesos/master/types.ts';
import type { Messages, Offer, SchedulerEvent, TaskInfo } from '#wire/mesos/v1.ts';
import { MasterDrive } from './master-drive.ts';

export interface LaunchShape {
  readonly agents: number;
  readonly tasks: number;
  readonly perCall: number;
}

export interface LaunchCost {
  readonly running: number;
  readonly acknowledged: number;
  /** Processor time of this process for each task. */
  readonly us: number;
}

const BATCH = 8;
const REFUSE_MS = 100;
const STEP_MS = 5;

class Bench {
  readonly drive = new MasterDrive({
    onEvent: (event) => this.#told(event),
    onSend: (sent) => this.toAgents.push(sent),
  });
  frameworkId = '';
  readonly offers: Offer[] = [];
  readonly updates: SchedulerEvent[] = [];
  readonly toAgents: { readonly to: string; readonly message: ToAgent }[] = [];
  acknowledged = 0;

  call(call: object): void {
    const text = JSON.stringify({ framework_id: { value: this.frameworkId }, ...call });
    this.drive.perform(this.drive.call(this.frameworkId, text));
  }

  /** The end of a turn of the event loop. */
  turn(): void {
    this.drive.now += STEP_MS;
    this.drive.tick();
    this.drive.allocate();
  }

  /** What agents answer to what they were sent. */
  answer(): void {
    for (const { to, message } of this.toAgents.splice(0)) {
      if (message.name === 'StatusUpdateAcknowledgementMessage') this.acknowledged += 1;
      if (message.name === 'RunTaskMessage')
        this.#run(to, message.body as Messages['RunTaskMessage']);
    }
  }

  #told(event: SchedulerEvent): void {
    if (event.type === 'SUBSCRIBED') this.frameworkId = event.subscribed?.framework_id.value ?? '';
    if (event.type === 'OFFERS') this.offers.push(...(event.offers?.offers ?? []));
    if (event.type === 'UPDATE') this.updates.push(event);
  }

  #run(pid: string, { framework, task }: Messages['RunTaskMessage']): void {
    const uuid = new Uint8Array(16).fill(1);
    const { task_id, agent_id } = task;
    const status = {
      task_id,
      agent_id,
      uuid,
      state: 'TASK_RUNNING',
      source: 'SOURCE_EXECUTOR',
      executor_id: task_id,
      timestamp: 1,
    };
    const update = {
      framework_id: framework.id,
      executor_id: task_id,
      agent_id,
      status,
      timestamp: 1,
      uuid,
      latest_state: 'TASK_RUNNING',
    };
    this.drive.from(pid, 'StatusUpdateMessage', { update, pid });
  }
}

function taskOf(name: string, { agent_id }: Offer): TaskInfo {
  const resources = [
    {
      name: 'cpus',
      type: 'SCALAR' as const,
      scalar: { value: 0.1 },
      allocation_info: { role: 'r' },
    },
    { name: 'mem', type: 'SCALAR' as const, scalar: { value: 32 }, allocation_info: { role: 'r' } },
  ];
  return { name, task_id: { value: name }, agent_id, resources, command: { value: 'true' } };
}

export function measure({ agents, tasks, perCall }: LaunchShape): LaunchCost {
  const bench = new Bench();
  for (let i = 0; i < agents; i++) bench.drive.register(i, 4 + (i % 16) * 4);
  bench.toAgents.length = 0;
  bench.drive.subscribe(1);
  bench.turn();
  const before = process.cpuUsage();
  let next = 0;
  let running = 0;
  while (running < tasks) {
    const spare: Offer[] = [];
    const given = bench.offers.splice(0, next < tasks ? BATCH : Infinity);
    for (const offer of given) {
      const infos: TaskInfo[] = [];
      while (infos.length < perCall && next < tasks) infos.push(taskOf(`t-${next++}`, offer));
      if (infos.length === 0) {
        spare.push(offer);
        continue;
      }
      const operations = [{ type: 'LAUNCH', launch: { task_infos: infos } }];
      const filters = { refuse_seconds: REFUSE_MS / 1_000 };
      bench.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations, filters } });
    }
    if (spare.length > 0) {
      const offer_ids = spare.map(({ id }) => id);
      bench.call({ type: 'DECLINE', decline: { offer_ids, filters: { refuse_seconds: 3_600 } } });
    }
    bench.answer();
    for (const { update } of bench.updates.splice(0)) {
      running += 1;
      const { task_id, agent_id, uuid } = update?.status ?? {};
      const text = Buffer.from(uuid ?? []).toString('base64');
      bench.call({ type: 'ACKNOWLEDGE', acknowledge: { task_id, agent_id, uuid: text } });
    }
    bench.answer();
    bench.turn();
  }
  const { user, system } = process.cpuUsage(before);
  return { running, acknowledged: bench.acknowledged, us: (user + system) / tasks };
}

if (import.meta.main) {
  const [agents = 10_000, tasks = 5_000, perCall = 1] = process.argv.slice(2).map(Number);
  const { running, acknowledged, us } = measure({ agents, tasks, perCall });
  process.stdout.write(
    `${running} running, ${acknowledged} acknowledged: ${us.toFixed(0)} us a task\n`,
  );
}
