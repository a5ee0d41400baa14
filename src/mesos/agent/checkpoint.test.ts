// What an agent told anybody is known to its next life, whichever of its writes it dies before, and
// whether its process dies or the machine with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Log } from '#env/env.ts';
import { SimDisk } from '#env/sim/disk.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import type { StatusUpdate, TaskState, TaskStatus } from '#wire/mesos/v1.ts';
import { Checkpoints } from './checkpoint.ts';
import { Agent } from './core-fixture.ts';
import { DyingDisk } from './dying-disk-fixture.ts';
import { AgentPaths } from './paths.ts';
import type { AgentEffect, CheckpointRecord } from './types.ts';

const paths = new AgentPaths('/w');
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

type Step =
  | { readonly kind: 'run' | 'subscribe' | 'running' | 'finish' | 'end'; readonly task: string }
  /** The oldest update that was sent and not acknowledged. */
  | { readonly kind: 'acknowledge' };

/** One agent on a disk, with what it has told to its executors and to its master. */
class Life {
  readonly disk: SimDisk;
  readonly dying: DyingDisk;
  readonly checkpoints: Checkpoints;
  readonly launched = new Set<string>();
  readonly sent: StatusUpdate[] = [];
  /** Uuids whose acknowledgement is on disk. */
  readonly acknowledged = new Set<string>();
  agent!: Agent;

  constructor(disk: SimDisk, changes: number) {
    this.disk = disk;
    this.dying = new DyingDisk(disk, changes);
    this.checkpoints = new Checkpoints(paths, { disk: this.dying, log });
  }

  async start(): Promise<void> {
    const recovered = await this.checkpoints.recover();
    this.agent = new Agent(recovered);
    this.agent.input({ kind: 'master-found', address: 'm:5050' });
    const body = { agent_id: { value: 'a' }, connection: { total_ping_timeout_seconds: 75 } };
    const isNew = recovered.info === undefined;
    const name = isNew ? 'SlaveRegisteredMessage' : 'SlaveReregisteredMessage';
    this.agent.master({ name, body });
    await this.perform();
  }

  /** As the shell does it: side by side, and what is told only when all of that is written. */
  async perform(): Promise<void> {
    const effects = this.agent.effects.splice(0);
    const records = effects.flatMap((one) => (one.kind === 'checkpoint' ? [one.record] : []));
    await Promise.all(records.map((record) => this.#write(record)));
    for (const effect of effects) this.#tell(effect);
  }

  async #write(record: CheckpointRecord): Promise<void> {
    await this.checkpoints.write(record);
    if (record.kind === 'acknowledgement') this.acknowledged.add(hex(record.uuid));
  }

  #tell(effect: AgentEffect): void {
    if (effect.kind === 'executor-event') {
      const task = effect.event.launch?.task.task_id.value;
      if (task !== undefined) this.launched.add(task);
    }
    if (effect.kind !== 'send-master') return;
    const { update } = effect.body as { update?: StatusUpdate };
    if (effect.name === 'StatusUpdateMessage' && update !== undefined) this.sent.push(update);
  }

  async step(step: Step): Promise<void> {
    const { agent } = this;
    if (step.kind === 'acknowledge') {
      const open = this.sent.find((one) => !this.acknowledged.has(hex(one.uuid)));
      if (open === undefined) return;
      const { framework_id, status } = open;
      const body = { framework_id, task_id: status.task_id, uuid: open.uuid ?? new Uint8Array() };
      agent.master({ name: 'StatusUpdateAcknowledgementMessage', body });
    } else if (step.kind === 'run') agent.runTask(step.task);
    else if (step.kind === 'subscribe') agent.subscribe(step.task);
    else if (step.kind === 'end') agent.end(step.task);
    // An executor tells of nothing that it was not given.
    else if (!this.launched.has(step.task)) return;
    else agent.update(step.task, step.task, STATES[step.kind]);
    await this.perform();
  }
}

const STATES = { running: 'TASK_RUNNING', finish: 'TASK_FINISHED' } as const satisfies Record<
  string,
  TaskState
>;
const hex = (uuid: Uint8Array | undefined): string => Buffer.from(uuid ?? []).toString('hex');

/** Lives until the disk dies (true) or every step is done, and then once more on what is there. */
async function liveTwice(steps: readonly Step[], changes: number, losesPower: boolean) {
  const disk = new SimDisk();
  await disk.makeFolder('/w');
  const first = new Life(disk, changes);
  let died = false;
  try {
    await first.start();
    for (const step of steps) await first.step(step);
  } catch (error) {
    assert.match(String(error), /dead/);
    died = true;
  }
  // What was begun ends before anybody looks at the disk.
  await new Promise((done) => setImmediate(done));
  if (losesPower) disk.losePower();
  const second = new Life(disk, Infinity);
  await second.start();
  check(first, second);
  return died;
}

function check(first: Life, second: Life): void {
  const { workloads } = second.agent.core;
  const statesOf = (task: string): readonly TaskStatus[] =>
    first.sent.filter((one) => one.status.task_id.value === task).map((one) => one.status);
  const resent = new Set(second.sent.map((one) => hex(one.uuid)));
  // One that its executor was never given is asked for by the master, as by Mesos'.
  const sent = first.sent.filter((one) => first.launched.has(one.status.task_id.value));
  const tasks = new Set(sent.map((one) => one.status.task_id.value));
  for (const task of tasks) {
    const told = statesOf(task);
    const end = told.find((one) => isTerminal(one.state));
    const isOver = end !== undefined && first.acknowledged.has(hex(end.uuid));
    assert.ok(isOver || workloads.hasTask('f', task), `${task} was told of and is forgotten`);
  }
  // Sent again at once is the first of each task that nobody has acknowledged, and nothing else.
  const done = new Set<string>();
  for (const { status, uuid } of sent) {
    const task = status.task_id.value;
    const isAcknowledged = first.acknowledged.has(hex(uuid));
    if (isAcknowledged) assert.ok(!resent.has(hex(uuid)), `${task} ${status.state} is sent again`);
    if (isAcknowledged || done.has(task)) continue;
    done.add(task);
    assert.ok(resent.has(hex(uuid)), `${task} ${status.state} was never acknowledged`);
  }
}

const story: readonly Step[] = [
  { kind: 'run', task: 'one' },
  { kind: 'subscribe', task: 'one' },
  { kind: 'running', task: 'one' },
  { kind: 'run', task: 'two' },
  { kind: 'acknowledge' },
  { kind: 'subscribe', task: 'two' },
  { kind: 'finish', task: 'one' },
  { kind: 'running', task: 'two' },
  { kind: 'acknowledge' },
  { kind: 'end', task: 'one' },
  { kind: 'acknowledge' },
  { kind: 'end', task: 'two' },
];

for (const losesPower of [false, true]) {
  test(`dying before each write, ${losesPower ? 'with the machine' : 'alone'}, forgets nothing that was told`, async () => {
    let changes = 0;
    while (await liveTwice(story, changes, losesPower)) changes += 1;
    assert.ok(changes > 20, `only ${changes} changes`);
  });
}

test('so does any other story', async () => {
  const task = fc.constantFrom('one', 'two', 'three');
  const kind = fc.constantFrom('run', 'subscribe', 'running', 'finish', 'end');
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ kind, task }),
    fc.constant({ kind: 'acknowledge' as const }),
  );
  const steps = fc.array(step, { maxLength: 25 });
  const changes = fc.integer({ min: 0, max: 60 });
  await fc.assert(
    fc.asyncProperty(steps, changes, fc.boolean(), async (made, count, losesPower) => {
      await liveTwice(made, count, losesPower);
    }),
    { numRuns: 300 },
  );
});

test('what is launched is on disk for a next life of the agent alone', async () => {
  const disk = new SimDisk();
  await disk.makeFolder('/w');
  const first = new Life(disk, Infinity);
  await first.start();
  await first.step({ kind: 'run', task: 'one' });
  await first.step({ kind: 'subscribe', task: 'one' });
  assert.deepEqual([...first.launched], ['one']);
  const second = new Life(disk, Infinity);
  await second.start();
  assert.ok(second.agent.core.workloads.hasTask('f', 'one'));
});
