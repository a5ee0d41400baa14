// An agent with access control lists of its own: what it launches, what it shows of frameworks and
// sandboxes, and which calls upon containers it refuses, as Mesos 1.11 does by the same lists.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { AgentCall } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const ANY = { type: 'ANY' };
const NONE = { type: 'NONE' };
const only = (field: string, ...values: string[]) => [
  { principals: ANY, [field]: { values } },
  { principals: ANY, [field]: NONE },
];
const no = (field: string) => [{ principals: ANY, [field]: NONE }];

const acls = {
  run_tasks: only('users', 'root'),
  view_frameworks: only('users', 'root'),
  view_tasks: only('users', 'root'),
  access_sandboxes: no('users'),
  view_flags: no('flags'),
  view_containers: no('users'),
  get_endpoints: only('paths', '/containers'),
  prune_images: no('images'),
  launch_nested_containers_under_parent_with_user: no('users'),
  kill_nested_containers: no('users'),
  wait_nested_containers: no('users'),
  remove_nested_containers: no('users'),
  attach_containers_output: no('users'),
  launch_nested_container_sessions_as_user: only('users', 'root'),
  launch_standalone_containers: no('users'),
};

suite(`an agent's own access control lists (${bestMaster} master)`, () => {
  const machine = new AgentMachine(bestMaster);
  let framework: TestFramework;
  before(async () => {
    await machine.start(['--flag', `acls=${JSON.stringify(acls)}`]);
    framework = new TestFramework(machine.masterUrl, env);
    framework.launch([{ id: 'own', script: 'sleep 600' }]);
    await framework.reached('own', 'TASK_RUNNING');
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  const call = (it: AgentCall) => callAgent(machine.agentUrl, it);
  const get = async (path: string) => await fetch(machine.agentUrl + path);

  test('a task of another user is refused by the agent', async () => {
    framework.launch([{ id: 'of nobody', command: { value: 'true', user: 'nobody' } }]);
    const status = await framework.reached('of nobody', 'TASK_ERROR');
    assert.equal(status.reason, 'REASON_TASK_UNAUTHORIZED');
    assert.equal(status.source, 'SOURCE_AGENT');
    assert.match(status.message ?? '', /^Framework \S+ is not authorized to launch task \{/);
  });

  test('what is not seen is left out, and what is not served is refused', async () => {
    const { body } = await call({ type: 'GET_TASKS' });
    const launched = body.get_tasks?.launched_tasks ?? [];
    assert.deepEqual(
      launched.map((one) => one.task_id.value),
      ['own'],
    );
    const hidden = new TestFramework(machine.masterUrl, env, { user: 'daemon', name: 'hidden' });
    hidden.launch([{ id: 'as root', command: { value: 'sleep 600', user: 'root' } }]);
    await hidden.reached('as root', 'TASK_RUNNING');
    const { frameworks, flags } = (await (await get('/state')).json()) as {
      frameworks: { user: string }[];
      flags?: object;
    };
    assert.deepEqual(
      frameworks.map(({ user }) => user),
      ['root'],
    );
    assert.equal(flags, undefined);
    const seen = (await call({ type: 'GET_FRAMEWORKS' })).body.get_frameworks?.frameworks ?? [];
    assert.deepEqual(
      seen.map(({ framework_info }) => framework_info.user),
      ['root'],
    );
    await hidden.close();
    assert.equal((await call({ type: 'GET_FLAGS' })).status, 403);
    assert.equal((await get('/flags')).status, 403);
    assert.equal((await get('/monitor/statistics')).status, 403);
    assert.deepEqual(await (await get('/containers')).json(), []);
    const containers = await call({ type: 'GET_CONTAINERS', get_containers: {} });
    assert.equal(containers.body.get_containers?.containers, undefined);
    assert.equal((await call({ type: 'PRUNE_IMAGES', prune_images: {} })).status, 403);
  });

  test('sandboxes stay closed, by every way to them', async () => {
    const { frameworks } = (await (await get('/state')).json()) as {
      frameworks: { executors: { directory: string; container: string }[] }[];
    };
    const [executor] = frameworks[0]?.executors ?? [];
    const directory = executor?.directory ?? '';
    const path = `${directory}/stdout`;
    for (const way of ['browse', 'read', 'download']) {
      const target = way === 'browse' ? directory : path;
      const answer = await get(`/files/${way}?path=${encodeURIComponent(target)}`);
      assert.equal(answer.status, 403, way);
    }
    const read = await call({ type: 'READ_FILE', read_file: { path, offset: 0 } });
    assert.equal(read.status, 403);
    const list = await call({ type: 'LIST_FILES', list_files: { path: directory } });
    assert.equal(list.status, 403);
  });

  test('calls upon containers are refused, also upon those that are not there', async () => {
    const state = (await (await get('/state')).json()) as {
      frameworks: { executors: { container: string }[] }[];
    };
    const parent = { value: state.frameworks[0]?.executors[0]?.container ?? '' };
    const container_id = { value: 'nested', parent };
    const command = { value: 'true' };
    const about = { container_id };
    const calls: AgentCall[] = [
      { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { ...about, command } },
      {
        type: 'LAUNCH_NESTED_CONTAINER_SESSION',
        launch_nested_container_session: { ...about, command: { ...command, user: 'nobody' } },
      },
      { type: 'KILL_NESTED_CONTAINER', kill_nested_container: about },
      { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: about },
      { type: 'REMOVE_NESTED_CONTAINER', remove_nested_container: about },
      { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: about },
      { type: 'KILL_CONTAINER', kill_container: about },
      { type: 'LAUNCH_CONTAINER', launch_container: { container_id: { value: 's' }, command } },
    ];
    for (const one of calls) {
      const { status, text } = await call(one);
      assert.deepEqual([one.type, status, text], [one.type, 403, '403 Forbidden.']);
    }
  });
});
