// An executor that the script plays runs tasks on the agent: what it is told, what its calls are answered, and
// every view of it, its tasks and its sandbox while they run and after their end.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { JSON_TYPE, Scheduler, Stream, World } from '#test/support/mesos-differential/player.ts';
import {
  aFramework,
  anExecutor,
  aTask,
  launch,
  type Json,
} from '#test/support/mesos-differential/scenes/things.ts';

const API = '/slave(1)/api/v1';

/** Figures of use differ at every look. */
function withoutFigures(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutFigures);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => !key.endsWith('statistics'));
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutFigures(inner)]));
}

async function views(world: World, when: string): Promise<void> {
  for (const path of ['/slave(1)/state', '/slave(1)/containers', '/slave(1)/monitor/statistics']) {
    const { status, bytes } = await world.ask({ path });
    const body = withoutFigures(world.clean(JSON.parse(bytes.toString())));
    world.keep(`GET ${path} ${when}`, { status, body });
  }
  const headers = { 'Content-Type': JSON_TYPE, Accept: JSON_TYPE };
  const types = ['GET_TASKS', 'GET_EXECUTORS', 'GET_FRAMEWORKS', 'GET_STATE', 'GET_CONTAINERS'];
  for (const type of types) {
    const body = JSON.stringify({ type });
    const answer = await world.ask({ method: 'POST', path: API, headers, body });
    const shown = withoutFigures(world.clean(JSON.parse(answer.bytes.toString())));
    world.keep(`${type} ${when}`, { status: answer.status, body: shown });
  }
}

/** Sandboxes, by all their names. */
async function files(world: World, when: string): Promise<void> {
  const { bytes } = await world.ask({ path: '/slave(1)/state' });
  type Run = {
    id: string;
    executors: { directory: string }[];
    completed_executors: { directory: string }[];
  };
  const state = JSON.parse(bytes.toString()) as { frameworks: Run[]; completed_frameworks: Run[] };
  const [framework] = [...state.frameworks, ...state.completed_frameworks];
  const [executor] = [...(framework?.executors ?? []), ...(framework?.completed_executors ?? [])];
  const folder = executor?.directory ?? '';
  const virtual = `/frameworks/${framework?.id}/executors/e/runs/latest`;
  const { pathname: latest } = new URL('latest', `file://${folder}`);
  const ask = async (path: string): Promise<void> => {
    const { status, headers, bytes: body } = await world.ask({ path });
    const kept = { type: headers['content-type'] ?? '', as: headers['content-disposition'] ?? '' };
    world.keep(String(world.clean(`${path} ${when}`)), {
      status,
      headers: kept,
      body: shownFiles(world, body),
    });
  };
  for (const root of [folder, latest, virtual]) {
    for (const inner of [
      '',
      '/',
      '/d',
      '/d/',
      '/d/f',
      '/nothing',
      '/..',
      '/d/..',
      '/link',
      '/d/f/x',
    ]) {
      await ask(`/files/browse?path=${root}${inner}`);
    }
    for (const inner of ['', '/d', '/d/f', '/link', '/nothing']) {
      await ask(`/files/download?path=${root}${inner}`);
      await ask(`/files/read?path=${root}${inner}`);
      await ask(`/files/read?path=${root}${inner}&offset=0`);
    }
    for (const part of [
      'offset=2',
      'offset=0&length=3',
      'offset=0&length=-1',
      'offset=-1',
      'offset=5000',
    ]) {
      await ask(`/files/read?path=${root}/d/f&${part}`);
    }
    for (const path of [root, `${root}/d`, `${root}/d/f`, `${root}/nothing`]) {
      await call(world, when, { type: 'LIST_FILES', list_files: { path } });
      for (const part of [
        { offset: 0 },
        { offset: 0, length: 2 },
        { offset: 3 },
        { offset: 5000 },
      ]) {
        await call(world, when, { type: 'READ_FILE', read_file: { path, ...part } });
      }
    }
  }
  for (const up of ['', '/..', '/../..']) await ask(`/files/browse?path=${folder}/..${up}`);
  const debug = await world.ask({ path: '/files/debug' });
  world.keep(`/files/debug ${when}`, { body: world.clean(JSON.parse(debug.bytes.toString())) });
}

async function call(world: World, when: string, asked: object): Promise<void> {
  const headers = { 'Content-Type': JSON_TYPE, Accept: JSON_TYPE };
  const body = JSON.stringify(asked);
  const answer = await world.ask({ method: 'POST', path: API, headers, body });
  const step = String(world.clean(`${body} ${when}`));
  world.keep(step, { status: answer.status, body: shownFiles(world, answer.bytes) });
}

/** Sizes of folders are the file system's; the runtime's own files are each peer's. */
function shownFiles(world: World, bytes: Buffer): unknown {
  const text = bytes.toString();
  if (!/^[[{]/.test(text)) return world.clean(text);
  const parsed = JSON.parse(text) as Json | Json[];
  const list = (parsed as { list_files?: { file_infos?: Json[] } }).list_files;
  const infos = Array.isArray(parsed) ? parsed : list?.file_infos;
  if (infos === undefined) return world.clean(parsed);
  const own = infos.filter(({ path }) => /\/(d|f|link|stdout|stderr)$/.test(String(path)));
  return world.clean(
    own.map(({ size, mtime, nlink, ...one }) => ({
      ...one,
      times: [typeof mtime, typeof nlink],
      size: /[/]f$/.test(String(one['path'])) ? size : '<size>',
    })),
  );
}

class PlayedExecutor {
  readonly stream: Stream;
  readonly #world: World;
  readonly #ids: Json;
  #updates = 0;

  constructor(world: World, frameworkId: string) {
    this.#world = world;
    this.#ids = { executor_id: { value: 'e' }, framework_id: { value: frameworkId } };
    this.stream = new Stream(world, 'executor', 'ExecutorEvent');
  }

  async subscribe(): Promise<void> {
    const body = JSON.stringify({ ...this.#ids, type: 'SUBSCRIBE', subscribe: {} });
    await this.stream.open(`${API}/executor`, body, JSON_TYPE);
    this.#world.keep('executor: SUBSCRIBE', { status: this.stream.status });
  }

  async call(step: string, more: Json): Promise<void> {
    const headers = { 'Content-Type': JSON_TYPE };
    const body = JSON.stringify({ ...this.#ids, ...more });
    await this.#world.http(`executor: ${step}`, {
      method: 'POST',
      path: `${API}/executor`,
      headers,
      body,
    });
  }

  async update(task: string, state: string, more: Json = {}): Promise<void> {
    const uuid = Buffer.from(
      `000000000000400080000000000000${(++this.#updates).toString(16).padStart(2, '0')}`,
      'hex',
    );
    const status = {
      task_id: { value: task },
      state,
      source: 'SOURCE_EXECUTOR',
      uuid: uuid.toString('base64'),
      ...more,
    };
    await this.call(`UPDATE ${task} ${state}`, { type: 'UPDATE', update: { status } });
  }
}

async function play(world: World): Promise<void> {
  const master = new World(world.masterUrl);
  world.onClose(() => master.close());
  const scheduler = await new Scheduler(master, 'scheduler').subscribe(
    aFramework('agents', {
      checkpoint: true,
      failover_timeout: 3600,
      labels: { labels: [{ key: 'k', value: 'v' }] },
    }),
  );
  const acknowledge = async (state: string): Promise<void> => {
    const event = await scheduler.stream.find('UPDATE', (one) => statusOf(one)['state'] === state);
    const { task_id, agent_id, uuid } = statusOf(event);
    await scheduler.call('ACKNOWLEDGE', {
      type: 'ACKNOWLEDGE',
      acknowledge: { task_id, agent_id, uuid },
    });
  };
  const offer = await scheduler.offer();
  const command =
    'mkdir d; printf hello > d/f; ln -s /etc/passwd link; touch ready; exec sleep 1000';
  const executor = anExecutor('e', offer, {
    command: { value: command },
    name: 'an executor',
    source: 's',
  });
  const tasks = ['one', 'two'].map((id) =>
    aTask(id, offer, {
      command: undefined,
      executor,
      labels: { labels: [{ key: 'a', value: 'b' }] },
    }),
  );
  await scheduler.accept('ACCEPT', [offer], [launch(...tasks)], 3600);
  const { frameworkId } = scheduler;
  await world.until('the sandbox is made', async () => {
    const path = `/files/browse?path=/frameworks/${frameworkId}/executors/e/runs/latest`;
    const { bytes } = await world.ask({ path });
    return bytes.includes('/ready') ? true : undefined;
  });
  await views(world, 'before it is subscribed');
  const played = new PlayedExecutor(world, frameworkId);
  await played.call('MESSAGE before', { type: 'MESSAGE', message: { data: 'aGVsbG8=' } });
  await played.subscribe();
  await played.stream.expect('SUBSCRIBED');
  await played.stream.expect('LAUNCH');
  await played.stream.expect('LAUNCH');
  await played.update('one', 'TASK_STARTING');
  await acknowledge('TASK_STARTING');
  await played.stream.expect('ACKNOWLEDGED');
  await played.update('one', 'TASK_RUNNING', { message: 'runs', healthy: true, data: 'ZGF0YQ==' });
  await acknowledge('TASK_RUNNING');
  await played.stream.expect('ACKNOWLEDGED');
  await views(world, 'with a task');
  await files(world, 'with a task');
  await played.update('nobody', 'TASK_RUNNING', { executor_id: { value: 'e' } });
  await played.stream.expect('ACKNOWLEDGED');
  await played.call('MESSAGE', { type: 'MESSAGE', message: { data: 'aGVsbG8=' } });
  await played.call('UNKNOWN', { type: 'UNKNOWN' });
  const agent_id = offer['agent_id'];
  await scheduler.call('MESSAGE', {
    type: 'MESSAGE',
    message: { agent_id, executor_id: { value: 'e' }, data: 'aGk=' },
  });
  await played.stream.expect('MESSAGE');
  await scheduler.call('KILL', {
    type: 'KILL',
    kill: {
      task_id: { value: 'one' },
      agent_id,
      kill_policy: { grace_period: { nanoseconds: 1e9 } },
    },
  });
  await played.stream.expect('KILL');
  await played.update('one', 'TASK_KILLED');
  await acknowledge('TASK_KILLED');
  await played.stream.expect('ACKNOWLEDGED');
  await world.until('the end is acknowledged', async () => {
    const headers = { 'Content-Type': JSON_TYPE };
    const body = '{"type":"GET_TASKS"}';
    const { bytes } = await world.ask({ method: 'POST', path: API, headers, body });
    const { get_tasks } = JSON.parse(bytes.toString()) as {
      get_tasks: { completed_tasks?: Json[] };
    };
    return get_tasks.completed_tasks?.length === 1 ? true : undefined;
  });
  await views(world, 'after a task');
  await scheduler.call('SHUTDOWN', {
    type: 'SHUTDOWN',
    shutdown: { executor_id: { value: 'e' }, agent_id },
  });
  await played.stream.expect('SHUTDOWN');
}

function statusOf(event: Json): Json {
  return (event['update'] as { status: Json }).status;
}

export const agentTasks: Scene = { name: 'agent-tasks', play };
