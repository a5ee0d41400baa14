// What callers may do with the messages that they ask about: users of tasks and executors, paths of
// reservations, nested containers, and callers that are known by claims only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkInfo, Resource, Task } from '#wire/mesos/v1.ts';
import { parseAcls } from './acls.ts';
import {
  Authorizer,
  mayViewExecutor,
  mayViewFramework,
  mayViewResource,
  mayViewTask,
  userOf,
} from './authorizer.ts';

const only = (values: string[]) => ({ values });
const ANY = { type: 'ANY' };

function authorizer(acls: object): Authorizer {
  return new Authorizer(parseAcls(JSON.stringify({ permissive: false, ...acls })));
}

const framework = { user: 'root', name: 'f' } satisfies FrameworkInfo;
const task = {
  name: 't',
  task_id: { value: 't' },
  framework_id: { value: 'f' },
  agent_id: { value: 'a' },
  state: 'TASK_RUNNING',
} satisfies Task;

test('without lists everybody may do everything, and nothing needs filtering', () => {
  const all = new Authorizer(undefined);
  assert.equal(all.isOpen, true);
  for (const subject of [undefined, { value: 'foo' }, { claims: {} }]) {
    const approvers = all.of(subject);
    assert.deepEqual([approvers.isAll, approvers.may('VIEW_FLAGS')], [true, true]);
  }
});

test('frameworks, tasks and executors go by their users', () => {
  const approvers = authorizer({
    view_frameworks: [{ principals: only(['foo']), users: only(['root']) }],
    view_tasks: [{ principals: only(['foo']), users: only(['bob']) }],
    view_executors: [{ principals: only(['foo']), users: only(['root']) }],
  }).of({ value: 'foo' });
  const executor = { executor_id: { value: 'e' } };
  assert.equal(mayViewFramework(approvers, framework), true);
  assert.equal(mayViewFramework(approvers, { ...framework, user: 'bob' }), false);
  // A task of no user runs as its framework's.
  assert.equal(mayViewTask(approvers, task, framework), false);
  assert.equal(mayViewTask(approvers, { ...task, user: 'bob' }, framework), true);
  assert.equal(mayViewExecutor(approvers, executor, framework), true);
  assert.equal(
    mayViewExecutor(approvers, { ...executor, command: { user: 'bob' } }, framework),
    false,
  );
});

test('a task runs as the user of its command, of its executor or of its framework', () => {
  const info = { name: 't', task_id: { value: 't' }, agent_id: { value: 'a' } };
  const executor = { executor_id: { value: 'e' }, command: { user: 'eve' } };
  assert.equal(userOf({ ...info, command: { user: 'bob' }, executor }, framework), 'bob');
  assert.equal(userOf({ ...info, command: {}, executor }, framework), 'eve');
  assert.equal(userOf(info, framework), 'root');
});

test('a resource is seen by who may see every role of its reservations and of its allocation', () => {
  const approvers = authorizer({
    view_roles: [{ principals: ANY, roles: only(['a', 'a/%', '*']) }],
  }).of(undefined);
  const resource = (...roles: string[]): Resource => ({
    name: 'cpus',
    type: 'SCALAR',
    scalar: { value: 1 },
    reservations: roles.map((role) => ({ type: 'DYNAMIC', role })),
  });
  assert.equal(mayViewResource(approvers, resource()), true);
  assert.equal(mayViewResource(approvers, resource('a', 'a/b')), true);
  assert.equal(mayViewResource(approvers, resource('b')), false);
  assert.equal(
    mayViewResource(approvers, { ...resource('a'), allocation_info: { role: 'a/x' } }),
    true,
  );
  assert.equal(
    mayViewResource(approvers, { ...resource('a'), allocation_info: { role: 'b' } }),
    false,
  );
  // Of agents that have not come back since the master's start.
  assert.equal(mayViewResource(approvers, { ...resource(), role: 'b' }), false);
});

test('who launches inside a container needs both lists, without a command only that of its parent', () => {
  const approvers = authorizer({
    launch_nested_containers_as_user: [{ principals: only(['foo']), users: only(['bob']) }],
    launch_nested_containers_under_parent_with_user: [
      { principals: only(['foo']), users: only(['root']) },
    ],
  }).of({ value: 'foo' });
  const may = (user: string, parent: string): boolean =>
    approvers.mayWith('LAUNCH_NESTED_CONTAINER', {
      framework: { ...framework, user: parent },
      command: { user },
    });
  assert.equal(may('bob', 'root'), true);
  assert.equal(may('eve', 'root'), false);
  assert.equal(may('bob', 'eve'), false);
  assert.equal(approvers.mayWith('LAUNCH_NESTED_CONTAINER', { framework }), true);
  assert.equal(approvers.mayWith('LAUNCH_NESTED_CONTAINER_SESSION', { framework }), false);
});

test('an executor that is known by its claims may act in its own container only', () => {
  const approvers = authorizer({ permissive: true }).of({ claims: { cid: 'root-container' } });
  const inside = (value: string) => ({ containerId: { value: 'n', parent: { value } } });
  assert.equal(approvers.mayWith('KILL_NESTED_CONTAINER', inside('root-container')), true);
  assert.equal(approvers.mayWith('KILL_NESTED_CONTAINER', inside('another')), false);
  assert.equal(approvers.mayWith('ATTACH_CONTAINER_INPUT', inside('root-container')), false);
  assert.equal(approvers.may('VIEW_FLAGS'), false);
});

test('a resource provider may act on standalone containers of its prefix', () => {
  const approvers = authorizer({}).of({ claims: { cid_prefix: 'csi-' } });
  assert.equal(
    approvers.mayWith('KILL_STANDALONE_CONTAINER', { containerId: { value: 'csi-1' } }),
    true,
  );
  assert.equal(
    approvers.mayWith('KILL_STANDALONE_CONTAINER', { containerId: { value: 'x' } }),
    false,
  );
});
