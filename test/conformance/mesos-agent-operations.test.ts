// Reservations and volumes on this project's agent, with a real Mesos 1.11 master and with Strata's:
// they hold data from task to task, outlive agents and masters, and go when they are destroyed.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { callMaster } from '#mesos/client/operator-client.ts';
import type { Offer, Offer_Operation, Resource, TaskInfo } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, realMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const capabilities = [
  { type: 'MULTI_ROLE' as const },
  { type: 'PARTITION_AWARE' as const },
  { type: 'RESERVATION_REFINEMENT' as const },
  { type: 'SHARED_RESOURCES' as const },
];
const info = { roles: ['r/s'], capabilities, principal: 'p' };
const reservations = [{ type: 'DYNAMIC' as const, role: 'r/s', principal: 'p' }];

function plain(name: string, value: number): Resource {
  return { name, type: 'SCALAR', scalar: { value }, allocation_info: { role: 'r/s' } };
}

const reserved = (name: string, value: number): Resource => ({
  ...plain(name, value),
  reservations,
});

function volume(id: string, value: number, more: Partial<Resource> = {}): Resource {
  return {
    ...reserved('disk', value),
    disk: { persistence: { id, principal: 'p' }, volume: { container_path: 'data', mode: 'RW' } },
    ...more,
  };
}

function named(id: string, operation: Offer_Operation): Offer_Operation {
  return { id: { value: id }, ...operation };
}

const reserve = (...resources: Resource[]): Offer_Operation => ({
  type: 'RESERVE',
  reserve: { resources },
});
const create = (...volumes: Resource[]): Offer_Operation => ({
  type: 'CREATE',
  create: { volumes },
});
const destroy = (...volumes: Resource[]): Offer_Operation => ({
  type: 'DESTROY',
  destroy: { volumes },
});
const unreserve = (...resources: Resource[]): Offer_Operation => ({
  type: 'UNRESERVE',
  unreserve: { resources },
});

function launch(offer: Offer, id: string, script: string, volumes: Resource[]): Offer_Operation {
  const task: TaskInfo = {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    resources: [plain('cpus', 0.1), plain('mem', 32), ...volumes],
    command: { value: script },
  };
  return { type: 'LAUNCH', launch: { task_infos: [task] } };
}

/** Whether the offer has a volume of that id and size. */
function hasVolume(offer: Offer, id: string, value: number): boolean {
  return (offer.resources ?? []).some(
    (one) => one.disk?.persistence?.id === id && one.scalar?.value === value,
  );
}

class Story {
  readonly machine: AgentMachine;

  constructor(kind: 'real' | 'own') {
    this.machine = new AgentMachine(kind);
  }

  get volumes(): string[] {
    const folder = join(this.machine.folder, 'agent');
    const found: string[] = [];
    const look = (at: string): void => {
      for (const entry of readdirSync(at, { withFileTypes: true })) {
        if (!entry.isDirectory()) continue;
        if (at.endsWith('/volumes/roles/r s')) found.push(join(at, entry.name));
        else look(join(at, entry.name));
      }
    };
    look(folder);
    return found.toSorted();
  }

  volumeNames(): string[] {
    return this.volumes.map((path) => path.slice(path.lastIndexOf('/') + 1));
  }

  /** What the master says of the agent's total, in words that both masters use. */
  async total(): Promise<string[]> {
    const answer = await callMaster({ url: this.machine.masterUrl }, { type: 'GET_AGENTS' });
    const resources = answer.get_agents?.agents?.[0]?.total_resources ?? [];
    return resources
      .filter((one) => one.type === 'SCALAR')
      .map((one) => {
        const roles = (one.reservations ?? []).map(({ role }) => role).join('+');
        const id = one.disk?.persistence?.id ?? '';
        return [one.name, roles, id, one.scalar?.value].filter((part) => part !== '').join(' ');
      })
      .toSorted();
  }
}

function stories(kind: 'real' | 'own'): void {
  const story = new Story(kind);
  const { machine } = story;
  let framework: TestFramework;
  before(async () => {
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env, info);
  });
  after(async () => {
    await framework.close();
    await machine.close();
  });

  test('one ACCEPT reserves, creates and launches; what the task wrote stays', async () => {
    framework.operate((offer) => [
      named('reserve', reserve(reserved('disk', 100))),
      named('create', create(volume('v', 64))),
      launch(offer, 'writer', 'echo precious > data/file; id -u > data/uid', [volume('v', 64)]),
    ]);
    for (const id of ['reserve', 'create']) {
      const status = await framework.operated(id, 'OPERATION_FINISHED');
      assert.notEqual(status.uuid, undefined);
    }
    await framework.reached('writer', 'TASK_FINISHED');
    assert.deepEqual(story.volumeNames(), ['v']);
    const [path = ''] = story.volumes;
    assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'precious\n');
    assert.deepEqual(
      (await story.total()).filter((one) => one.startsWith('disk')),
      ['disk 900', 'disk r/s 36', 'disk r/s v 64'],
    );
    await eventually('the agent has every acknowledgement', async () => {
      const { body } = await callAgent(machine.agentUrl, { type: 'GET_OPERATIONS' });
      return (body.get_operations?.operations ?? []).length === 0 ? true : undefined;
    });
  });

  test('a volume grows and shrinks with what is in it', async () => {
    framework.operate((offer) =>
      hasVolume(offer, 'v', 64)
        ? [
            named('grow', {
              type: 'GROW_VOLUME',
              grow_volume: { volume: volume('v', 64), addition: reserved('disk', 16) },
            }),
          ]
        : undefined,
    );
    await framework.operated('grow', 'OPERATION_FINISHED');
    framework.operate((offer) =>
      hasVolume(offer, 'v', 80)
        ? [
            named('shrink', {
              type: 'SHRINK_VOLUME',
              shrink_volume: { volume: volume('v', 80), subtract: { value: 30 } },
            }),
          ]
        : undefined,
    );
    await framework.operated('shrink', 'OPERATION_FINISHED');
    assert.deepEqual(
      (await story.total()).filter((one) => one.startsWith('disk')),
      ['disk 900', 'disk r/s 50', 'disk r/s v 50'],
    );
    assert.equal(readFileSync(join(story.volumes[0] ?? '', 'file'), 'utf8'), 'precious\n');
  });

  test('kill -9 of the agent: volumes and what is not acknowledged come back', async () => {
    framework.holdsAcknowledgements = true;
    framework.operate((offer) =>
      hasVolume(offer, 'v', 50) ? [named('late', create(volume('w', 10)))] : undefined,
    );
    const told = await framework.operated('late', 'OPERATION_FINISHED');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent();
    await eventually('the operation is told again', async () => {
      const same = framework.operations.filter(
        ({ uuid }) =>
          Buffer.compare(uuid?.value ?? Buffer.of(), told.uuid?.value ?? Buffer.of(1)) === 0,
      );
      return same.length > 1 ? true : undefined;
    });
    framework.holdsAcknowledgements = false;
    framework.acknowledgeOperation(told);
    framework.operate((offer) =>
      hasVolume(offer, 'v', 50)
        ? [launch(offer, 'reader', 'grep -q precious data/file', [volume('v', 50)])]
        : undefined,
    );
    await framework.reached('reader', 'TASK_FINISHED');
    assert.deepEqual(story.volumeNames(), ['v', 'w']);
  });

  test('a master that restarts learns of all of it from the agent', async () => {
    const before = await story.total();
    await stop(machine.master, 'SIGKILL');
    machine.startMaster();
    await machine.agentActive();
    await eventually('the same total', async () => {
      const now = await story.total().catch(() => []);
      return now.join() === before.join() ? true : undefined;
    });
  });

  test('an operation that the master refuses changes nothing here', async () => {
    framework.operate((offer) =>
      hasVolume(offer, 'v', 50) ? [named('twice', create(volume('v', 10)))] : undefined,
    );
    const status = await framework.operated('twice', 'OPERATION_ERROR');
    assert.equal(status.uuid, undefined);
    assert.deepEqual(story.volumeNames(), ['v', 'w']);
  });

  test('DESTROY removes the data, UNRESERVE gives all of it back', async () => {
    framework.operate((offer) =>
      hasVolume(offer, 'v', 50) && hasVolume(offer, 'w', 10)
        ? [
            named('destroy', destroy(volume('v', 50), volume('w', 10))),
            named('unreserve', unreserve(reserved('disk', 100))),
          ]
        : undefined,
    );
    await framework.operated('destroy', 'OPERATION_FINISHED');
    await framework.operated('unreserve', 'OPERATION_FINISHED');
    assert.deepEqual(story.volumeNames(), []);
    assert.deepEqual(
      (await story.total()).filter((one) => one.startsWith('disk')),
      ['disk 1000'],
    );
  });

  test('two tasks share a shared volume at once, and each sees what the other wrote', async () => {
    const shared = volume('s', 10, { shared: {} });
    framework.operate((offer) => {
      const wait = 'for i in $(seq 200); do [ -e data/OTHER ] && exit 0; sleep 0.05; done; exit 1';
      return [
        reserve(reserved('disk', 10)),
        create(shared),
        launch(offer, 'one', `touch data/a; ${wait.replace('OTHER', 'b')}`, [shared]),
        launch(offer, 'two', `touch data/b; ${wait.replace('OTHER', 'a')}`, [shared]),
      ];
    });
    await framework.reached('one', 'TASK_FINISHED');
    await framework.reached('two', 'TASK_FINISHED');
  });
}

const noReal = existsSync(realMaster) ? false : 'no real Mesos (set STRATA_REAL_MESOS)';
suite("operations with Strata's master", () => stories('own'));
suite('operations with a real Mesos master', { skip: noReal }, () => stories('real'));
