// A rope is the bytes of its parts, packed or not; messages put together of ropes decode as what they say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, stringify } from '#wire/mesos/codec.ts';
import { jsonNotation, protobufNotation, type Notation } from './notation.ts';
import { Rope } from './rope.ts';
import { Sink } from './kept-list.ts';

test('small parts are put together, large ones stay what they are', () => {
  const large = Buffer.alloc(20_000, 'l');
  const rope = new Rope().text('a').text('b').bytes(large).text('c');
  const packed = rope.packed();
  assert.ok(packed.toBuffer().equals(rope.toBuffer()));
  assert.equal(packed.length, 20_003);
  assert.equal(packed.parts.length, 3);
  assert.equal(packed.parts[1], large);
  const many = new Rope();
  for (let i = 0; i < 10_000; i++) many.text(`${i},`.repeat(5));
  assert.ok(many.packed().toBuffer().equals(many.toBuffer()));
  assert.ok(many.packed().parts.length < 10);
});

const list = {
  message: 'MasterResponse_GetTasks',
  field: 'tasks',
  element: 'Task',
} as const;
// A name with a character that stands for a hole, were it not escaped.
const tasks = ['a', 'b\u0001"', 'ü'.repeat(200)].map((name) => ({
  name,
  task_id: { value: name },
  framework_id: { value: 'f' },
  agent_id: { value: 's' },
  state: 'TASK_RUNNING' as const,
}));

function composed(notation: Notation, some: typeof tasks): Buffer {
  const form = notation.form<(typeof tasks)[0]>(list, (one) => one);
  const sink = new Sink();
  for (const task of some) form.write(task, sink);
  const elements = Rope.of([sink.take()]);
  const inner = notation
    .frame('MasterResponse_GetTasks', { completed_tasks: tasks }, { lists: ['tasks'] })
    .fill({ tasks: elements });
  const frame = notation.frame(
    'MasterResponse',
    { type: 'GET_TASKS' },
    { messages: ['get_tasks'] },
  );
  return frame.fill({ get_tasks: inner }).toBuffer();
}

for (const some of [[], tasks.slice(0, 1), tasks]) {
  test(`a message with ${some.length} elements in a hole`, () => {
    const whole = {
      type: 'GET_TASKS' as const,
      get_tasks: { tasks: some, completed_tasks: tasks },
    };
    assert.equal(composed(jsonNotation, some).toString(), stringify('MasterResponse', whole));
    assert.deepEqual(
      decode('MasterResponse', composed(protobufNotation, some)),
      decode('MasterResponse', encode('MasterResponse', whole)),
    );
  });
}
