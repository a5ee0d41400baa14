// Reservations and volumes: Strata's agent with Strata's master and with a real Mesos 1.11 master, and a
// real agent with Strata's master. They hold data from task to task, outlive agents and masters, and go
// when they are destroyed.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { systemDisk } from '#env/node/disk.ts';
import { AgentPaths } from '#mesos/agent/paths.ts';
import { ResourceStore } from '#mesos/agent/resource-store.ts';
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

interface AskedRefusal {
  readonly path: string;
  /** A form when it is text. */
  readonly body: string | object;
  readonly want: [status: number, text: string];
}

/** Everything here was answered so by a real Mesos 1.11 master. */
function refusals(id: string): AskedRefusal[] {
  const disk = (value: number, more: Partial<Resource> = {}): Resource => ({
    name: 'disk',
    type: 'SCALAR',
    scalar: { value },
    ...more,
  });
  const ops = [{ type: 'DYNAMIC' as const, role: 'ops' }];
  const made = {
    persistence: { id: 'o' },
    volume: { container_path: 'x', mode: 'RW' as const },
  };
  const call = (type: string, body: object, want: [number, string]): AskedRefusal => ({
    path: '/api/v1',
    body: { type, [type.toLowerCase()]: { agent_id: { value: id }, ...body } },
    want,
  });
  const form = (path: string, body: Record<string, string>, want: [number, string]) => ({
    path,
    body: new URLSearchParams(body).toString(),
    want,
  });
  const json = JSON.stringify;
  return [
    call('RESERVE_RESOURCES', { agent_id: { value: 'x' }, resources: [] }, [
      400,
      'No agent found with specified ID',
    ]),
    call('RESERVE_RESOURCES', { resources: [disk(1)] }, [
      400,
      'Invalid RESERVE operation on agent AGENT: Resource disk:1 is not dynamically reserved',
    ]),
    call('RESERVE_RESOURCES', { resources: [disk(1e6, { reservations: ops })] }, [
      409,
      'AVAILABLE does not contain disk:1000000',
    ]),
    call(
      'RESERVE_RESOURCES',
      { resources: [disk(1, { reservations: ops, allocation_info: { role: 'ops' } })] },
      [
        400,
        'Invalid RESERVE operation on agent AGENT: A reserve operation was attempted with an allocated resource, but the operator API only allows reservations to be made to unallocated resources',
      ],
    ),
    call('UNRESERVE_RESOURCES', { resources: [disk(1)] }, [
      400,
      'Invalid UNRESERVE operation: Resource disk:1 is not dynamically reserved',
    ]),
    call('UNRESERVE_RESOURCES', { resources: [disk(1, { reservations: ops })] }, [
      409,
      'AVAILABLE does not contain disk(reservations: [(DYNAMIC,ops)]):1',
    ]),
    call('CREATE_VOLUMES', { volumes: [disk(1, { reservations: ops })] }, [
      400,
      'Invalid CREATE operation on agent AGENT: Not a persistent volume: Resource disk(reservations: [(DYNAMIC,ops)]):1 does not have DiskInfo',
    ]),
    call('CREATE_VOLUMES', { volumes: [disk(1, { reservations: ops, disk: made })] }, [
      409,
      'AVAILABLE does not contain disk(reservations: [(DYNAMIC,ops)]):1',
    ]),
    call('DESTROY_VOLUMES', { volumes: [disk(1, { reservations: ops, disk: made })] }, [
      400,
      'Invalid DESTROY operation: Persistent volumes not found',
    ]),
    call('GROW_VOLUME', { volume: disk(1, { reservations: ops, disk: made }), addition: disk(0) }, [
      400,
      "Invalid GROW_VOLUME operation on agent AGENT: The size of 'GrowVolume.addition' field must be greater than zero",
    ]),
    call(
      'SHRINK_VOLUME',
      { volume: disk(1, { reservations: ops, disk: made }), subtract: { value: 5 } },
      [
        400,
        "Invalid SHRINK_VOLUME operation on agent AGENT: Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'",
      ],
    ),
    {
      path: '/api/v1',
      body: {
        type: 'SHRINK_VOLUME',
        shrink_volume: { volume: disk(1), subtract: { value: 1 } },
      },
      want: [
        400,
        "Failed to validate master::Call: Expecting 'agent_id' to be present; only agent default resources are supported right now",
      ],
    },
    form('/reserve', {}, [400, "Missing 'slaveId' query parameter in the request body"]),
    form('/reserve', { slaveId: id }, [
      400,
      "Missing 'resources' query parameter in the request body",
    ]),
    form('/reserve', { slaveId: id, resources: '{}' }, [
      400,
      "Error parsing 'resources' query parameter in the request body: Unexpected JSON type parsed",
    ]),
    form('/unreserve', { slaveId: 'x', resources: '[]' }, [
      400,
      'No agent found with specified ID',
    ]),
    form('/create-volumes', { slaveId: id }, [
      400,
      "Missing 'volumes' query parameter in the request body",
    ]),
    form('/create-volumes', { slaveId: id, volumes: json([disk(1)]) }, [
      400,
      'Invalid CREATE operation on agent AGENT: Not a persistent volume: Resource disk:1 does not have DiskInfo',
    ]),
    form('/destroy-volumes', { slaveId: id, volumes: json([disk(1, { role: 'ops' })]) }, [
      400,
      'Invalid DESTROY operation: Not a persistent volume: Resource disk(reservations: [(STATIC,ops)]):1 does not have DiskInfo',
    ]),
  ];
}

class Story {
  readonly machine: AgentMachine;

  constructor(kind: 'real' | 'own', agentKind: 'real' | 'own') {
    this.machine = new AgentMachine(kind, agentKind);
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

function stories(kind: 'real' | 'own', agentKind: 'real' | 'own' = 'own'): void {
  const story = new Story(kind, agentKind);
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

  function storyOfKeptFiles(): void {
    test("what a real agent keeps is read by Strata's, and the reverse", async () => {
      framework.holdsAcknowledgements = true;
      framework.operate((offer) =>
        hasVolume(offer, 'v', 50) ? [named('kept', reserve(reserved('cpus', 1)))] : undefined,
      );
      const told = await framework.operated('kept', 'OPERATION_FINISHED');
      await stop(machine.agent, 'SIGKILL');
      const work = (story.volumes[0] ?? '').replace(/\/volumes\/.*$/, '');
      const agentId = basename(readlinkSync(join(work, 'meta/slaves/latest')));
      const paths = new AgentPaths(work);
      const kept = await new ResourceStore(paths, systemDisk).recover(agentId);
      const ids = (kept?.resources ?? []).flatMap(({ disk }) => disk?.persistence?.id ?? []);
      assert.deepEqual(ids.toSorted(), ['v', 'w']);
      assert.ok(kept?.resources.some(({ name }) => name === 'cpus'));
      assert.deepEqual(
        kept?.operations.map(({ info: of, latest_status }) => [of.id?.value, latest_status.uuid]),
        [['kept', told.uuid]],
      );
      await systemDisk.remove(paths.operations(agentId));
      assert.ok(kept !== undefined);
      await new ResourceStore(paths, systemDisk).write(kept, agentId);
      const before = framework.operations.length;
      machine.startAgent();
      await eventually('it is told again, from what Strata wrote', async () =>
        framework.operations
          .slice(before)
          .some(({ operation_id }) => operation_id?.value === 'kept')
          ? true
          : undefined,
      );
      framework.holdsAcknowledgements = false;
      framework.acknowledgeOperation(told);
      framework.operate((offer) =>
        hasVolume(offer, 'v', 50) ? [unreserve(reserved('cpus', 1))] : undefined,
      );
      await eventually('the reservation is gone', async () =>
        (await story.total()).includes('cpus 8') ? true : undefined,
      );
    });
  }

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

  if (agentKind === 'real') storyOfKeptFiles();

  test('a master that restarts learns of all of it from the agent', async () => {
    const before = await story.total();
    await stop(machine.master, 'SIGKILL');
    machine.startMaster();
    if (agentKind === 'real') {
      // With a fixed address it looks for its master again only after 75 s without pings.
      await stop(machine.agent, 'SIGKILL');
      machine.startAgent();
    }
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

  test('an operator reserves, creates and destroys', async () => {
    const answer = await callMaster({ url: machine.masterUrl }, { type: 'GET_AGENTS' });
    const agent_id = answer.get_agents?.agents?.[0]?.agent_info.id ?? { value: '' };
    const own = [{ type: 'DYNAMIC' as const, role: 'ops' }];
    const memory = {
      name: 'disk',
      type: 'SCALAR' as const,
      scalar: { value: 7 },
      reservations: own,
    };
    const made = {
      ...memory,
      disk: {
        persistence: { id: 'o' },
        volume: { container_path: 'x', mode: 'RW' as const },
      },
    };
    const to = { url: machine.masterUrl };
    await callMaster(to, {
      type: 'RESERVE_RESOURCES',
      reserve_resources: { agent_id, resources: [memory] },
    });
    await callMaster(to, { type: 'CREATE_VOLUMES', create_volumes: { agent_id, volumes: [made] } });
    const path = join(story.machine.folder, 'agent');
    await eventually('the folder is there', async () => {
      const found = readdirSync(path, { recursive: true })
        .map(String)
        .find((one) => one.endsWith('volumes/roles/ops/o'));
      return found !== undefined && statSync(join(path, found)).isDirectory() ? found : undefined;
    });
    await callMaster(to, {
      type: 'DESTROY_VOLUMES',
      destroy_volumes: { agent_id, volumes: [made] },
    });
    await callMaster(to, {
      type: 'UNRESERVE_RESOURCES',
      unreserve_resources: { agent_id, resources: [memory] },
    });
    await eventually('the folder is gone', async () => {
      const left = readdirSync(path, { recursive: true }).map(String);
      return left.some((one) => one.endsWith('volumes/roles/ops/o')) ? undefined : true;
    });
    await eventually('nobody is left to acknowledge', async () => {
      const { body } = await callAgent(machine.agentUrl, { type: 'GET_OPERATIONS' });
      return (body.get_operations?.operations ?? []).length === 0 ? true : undefined;
    });
  });

  test('an operator moves a reservation to another role, and refines it', async () => {
    const answer = await callMaster({ url: machine.masterUrl }, { type: 'GET_AGENTS' });
    const agent_id = answer.get_agents?.agents?.[0]?.agent_info.id ?? { value: '' };
    const to = { url: machine.masterUrl };
    const mine = (...roles: string[]): Resource => ({
      name: 'mem',
      type: 'SCALAR',
      scalar: { value: 64 },
      reservations: roles.map((role) => ({ type: 'DYNAMIC' as const, role })),
    });
    const reservation = async (resource: Resource, source: Resource[] = []): Promise<void> => {
      const body = { agent_id, resources: [resource], source };
      await callMaster(to, { type: 'RESERVE_RESOURCES', reserve_resources: body });
    };
    const seen = (want: string) =>
      eventually(want, async () => ((await story.total()).includes(want) ? true : undefined));
    await reservation(mine('one'));
    await seen('mem one 64');
    await reservation(mine('two'), [mine('one')]);
    await seen('mem two 64');
    await reservation(mine('two', 'two/three'));
    await seen('mem two+two/three 64');
    const resources = [mine('two', 'two/three')];
    await callMaster(to, {
      type: 'UNRESERVE_RESOURCES',
      unreserve_resources: { agent_id, resources },
    });
    await seen('mem two 64');
    await callMaster(to, {
      type: 'UNRESERVE_RESOURCES',
      unreserve_resources: { agent_id, resources: [mine('two')] },
    });
    await eventually('all is given back', async () =>
      (await story.total()).some((one) => one.startsWith('mem two')) ? undefined : true,
    );
  });

  test('refusals of operators, in the words of Mesos', async () => {
    const answer = await callMaster({ url: machine.masterUrl }, { type: 'GET_AGENTS' });
    const agent_id = answer.get_agents?.agents?.[0]?.agent_info.id ?? { value: '' };
    for (const { path, body, want } of refusals(agent_id.value)) {
      const isForm = typeof body === 'string';
      const response = await fetch(machine.masterUrl + path, {
        method: 'POST',
        headers: {
          'Content-Type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
        },
        body: isForm ? body : JSON.stringify(body),
      });
      const text = (await response.text())
        .replaceAll(/on agent [^:]*:\d+ \([^)]*\)/g, 'on agent AGENT')
        // What is offered just now is not available.
        .replace(/^.* does not contain/, 'AVAILABLE does not contain');
      assert.deepEqual([response.status, text], want, `${path} ${JSON.stringify(body)}`);
    }
  });
}

const noReal = existsSync(realMaster) ? false : 'no real Mesos (set STRATA_REAL_MESOS)';
suite("operations with Strata's master", () => stories('own'));
suite('operations with a real Mesos master', { skip: noReal }, () => stories('real'));
suite("operations of a real agent with Strata's master", { skip: noReal }, () =>
  stories('own', 'real'),
);
