// Resource providers: Strata's provider of local disk at Strata's agent and at a real Mesos 1.11 agent, with
// Strata's master and with a real one. Raw disk is offered, becomes a volume that a task writes to, and raw
// disk again; what the parties lose meanwhile they find again.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { systemDisk } from '#env/node/disk.ts';
import { callMaster } from '#mesos/client/operator-client.ts';
import type { ContentType } from '#mesos/client/http.ts';
import { LocalProvider } from '#mesos/provider/shell.ts';
import { Volumes } from '#mesos/provider/volumes.ts';
import type { Offer, Offer_Operation, Resource } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, realMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const info = {
  roles: ['r'],
  principal: 'p',
  capabilities: [
    { type: 'MULTI_ROLE' as const },
    { type: 'PARTITION_AWARE' as const },
    { type: 'RESERVATION_REFINEMENT' as const },
  ],
};
const reservations = [{ type: 'DYNAMIC' as const, role: 'r', principal: 'p' }];

/** Where a disk to be mounted is: all of a provider's are below one root. */
function pathOf(disk: Resource | undefined): string {
  const { mount, id = '' } = disk?.disk?.source ?? {};
  return join(mount?.root ?? '', id, 'target');
}

class Story {
  readonly machine: AgentMachine;
  readonly providers: LocalProvider[] = [];
  readonly contentType: ContentType;
  /** Undefined until the machine has started. */
  framework: TestFramework | undefined;

  constructor(kind: 'real' | 'own', agentKind: 'real' | 'own', contentType: ContentType) {
    this.machine = new AgentMachine(kind, agentKind);
    this.contentType = contentType;
  }

  get api(): string {
    return `${this.machine.agentUrl}/api/v1/resource_provider`;
  }

  folder(name: string): string {
    return join(this.machine.folder, name);
  }

  async provide(name: string, megabytes: number): Promise<LocalProvider> {
    const provider = new LocalProvider(
      {
        url: this.api,
        contentType: this.contentType,
        info: { type: 'strata.rp.local.disk', name },
        stateFile: join(this.folder(`${name}-state`), 'resource_provider.state'),
        settings: { megabytes, profile: 'fast', reservations: [], retryMs: 500, retryMsMax: 5_000 },
      },
      { env, disk: systemDisk, volumes: new Volumes(this.folder(name), 'folder') },
    );
    this.providers.push(provider);
    await provider.start();
    return provider;
  }

  /** Of the first agent, as its master has it: `TYPE megabytes`. */
  async provided(): Promise<string[]> {
    const answer = await callMaster({ url: this.machine.masterUrl }, { type: 'GET_AGENTS' });
    const [agent] = answer.get_agents?.agents ?? [];
    return (agent?.resource_providers ?? [])
      .flatMap(({ total_resources = [] }) => total_resources)
      .map((one) => {
        const { persistence, source } = one.disk ?? {};
        const role = one.reservations?.[0]?.role;
        return [source?.type, one.scalar?.value, role, persistence?.id].filter(Boolean).join(' ');
      })
      .toSorted();
  }

  has(...want: string[]): Promise<unknown> {
    return eventually(`the master has ${want.join(', ')}`, async () =>
      JSON.stringify(await this.provided()) === JSON.stringify(want.toSorted()) ? true : undefined,
    );
  }

  /** On the first offer with such a disk. */
  operate(type: string, make: (disk: Resource, offer: Offer) => Offer_Operation[]): void {
    this.framework?.operate((offer) => {
      const disk = (offer.resources ?? []).find((one) => one.disk?.source?.type === type);
      const hasRoom = (offer.resources ?? []).some(({ name }) => name === 'cpus');
      return disk === undefined || !hasRoom ? undefined : make(disk, offer);
    });
  }

  async close(): Promise<void> {
    for (const provider of this.providers) await provider.close();
    await this.framework?.close();
    await this.machine.close();
  }
}

function stories(
  kind: 'real' | 'own',
  agentKind: 'real' | 'own',
  contentType: ContentType = 'application/json',
): void {
  const story = new Story(kind, agentKind, contentType);
  const { machine } = story;
  let framework: TestFramework;
  let provider: LocalProvider;
  let providerId = '';
  before(async () => {
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env, info);
    story.framework = framework;
    provider = await story.provide('ssd', 1_000);
  });
  after(() => story.close());

  test('raw disk is offered, and becomes a disk to be mounted', async () => {
    story.operate('RAW', (raw) => [
      {
        type: 'CREATE_DISK',
        id: { value: 'make' },
        create_disk: { source: { ...raw, scalar: { value: 300 } }, target_type: 'MOUNT' },
      },
    ]);
    const status = await framework.operated('make', 'OPERATION_FINISHED');
    const [disk] = status.converted_resources ?? [];
    assert.equal(disk?.disk?.source?.type, 'MOUNT');
    assert.equal(disk?.scalar?.value, 300);
    providerId = provider.id ?? '';
    assert.deepEqual(status.resource_provider_id, { value: providerId });
    assert.ok(existsSync(pathOf(disk)));
    await story.has('MOUNT 300', 'RAW 700');
    const { body } = await callAgent(machine.agentUrl, { type: 'GET_RESOURCE_PROVIDERS' });
    const [shown] = body.get_resource_providers?.resource_providers ?? [];
    assert.equal(shown?.resource_provider_info.name, 'ssd');
    const state = (await (await fetch(`${machine.agentUrl}/state`)).json()) as {
      resource_providers: {
        resource_provider_info: { id: { value: string } };
        total_resources: { disk: { source: { type: string } }; scalar: { value: number } }[];
      }[];
    };
    const [told] = state.resource_providers;
    assert.equal(told?.resource_provider_info.id.value, providerId);
    const disks = told?.total_resources.map((one) => [one.disk.source.type, one.scalar.value]);
    assert.deepEqual(disks?.sort(), [
      ['MOUNT', 300],
      ['RAW', 700],
    ]);
    await eventually('the acknowledgement has come to the provider', async () => {
      const answer = await callAgent(machine.agentUrl, { type: 'GET_OPERATIONS' });
      return (answer.body.get_operations?.operations ?? []).length === 0 ? true : undefined;
    });
  });

  let root = '';
  const volumeOf = (disk: Resource): Resource => ({
    ...disk,
    reservations,
    disk: {
      ...disk.disk,
      persistence: { id: 'data', principal: 'p' },
      volume: { container_path: 'data', mode: 'RW' },
    },
  });

  test('one ACCEPT reserves it, makes a volume of it and launches a task that writes to it', async () => {
    story.operate('MOUNT', (disk, offer) => {
      root = pathOf(disk);
      const scalar = (name: string, value: number): Resource => ({
        name,
        type: 'SCALAR',
        scalar: { value },
        allocation_info: { role: 'r' },
      });
      const task = {
        name: 'writer',
        task_id: { value: 'writer' },
        agent_id: offer.agent_id,
        resources: [scalar('cpus', 0.1), scalar('mem', 32), volumeOf(disk)],
        command: { value: 'echo precious > data/file' },
      };
      return [
        {
          type: 'RESERVE',
          id: { value: 'reserve' },
          reserve: { resources: [{ ...disk, reservations }] },
        },
        { type: 'CREATE', id: { value: 'create' }, create: { volumes: [volumeOf(disk)] } },
        { type: 'LAUNCH', launch: { task_infos: [task] } },
      ];
    });
    await framework.operated('reserve', 'OPERATION_FINISHED');
    await framework.operated('create', 'OPERATION_FINISHED');
    await framework.reached('writer', 'TASK_FINISHED');
    assert.equal(readFileSync(join(root, 'file'), 'utf8'), 'precious\n');
    await story.has('MOUNT 300 r data', 'RAW 700');
  });

  test('a provider that leaves takes what it has along, and comes back as who it was', async () => {
    await provider.close();
    await story.has();
    provider = await story.provide('ssd', 1_000);
    await story.has('MOUNT 300 r data', 'RAW 700');
    assert.equal(provider.id, providerId);
  });

  test('an agent that was killed knows its providers again', async () => {
    await stop(machine.agent, 'SIGKILL');
    await eventually('the master misses it', async () => {
      const answer = await machine.ask('/slaves');
      const { slaves } = (await answer.json()) as { slaves: { active: boolean }[] };
      return slaves.every((one) => !one.active) ? true : undefined;
    });
    machine.startAgent();
    await machine.agentActive();
    await story.has('MOUNT 300 r data', 'RAW 700');
    assert.equal(provider.id, providerId);
  });

  test('destroyed and unreserved it is raw disk again, and what was on it is gone', async () => {
    // On an offer from before the provider is with the new agent they are dropped: on a later one they are not.
    for (let attempt = 0; !(await isUnmade(attempt)); attempt++);
    assert.equal(existsSync(root), false);
    await story.has('RAW 1000');
  });

  async function isUnmade(attempt: number): Promise<boolean> {
    const ids = ['destroy', 'unreserve', 'unmake'].map((name) => `${name}-${attempt}`);
    const [destroy = '', unreserve = '', unmake = ''] = ids;
    story.operate('MOUNT', (disk) => {
      const { persistence: _id, volume: _path, ...plain } = disk.disk ?? {};
      const reserved = { ...disk, disk: plain };
      const { reservations: _mine, ...free } = reserved;
      return [
        { type: 'DESTROY', id: { value: destroy }, destroy: { volumes: [disk] } },
        { type: 'UNRESERVE', id: { value: unreserve }, unreserve: { resources: [reserved] } },
        { type: 'DESTROY_DISK', id: { value: unmake }, destroy_disk: { source: free } },
      ];
    });
    const isTold = (id: string, state: string): boolean =>
      framework.operations.some((one) => one.operation_id?.value === id && one.state === state);
    const isDone = (): boolean => ids.every((id) => isTold(id, 'OPERATION_FINISHED'));
    const isDropped = (): boolean => ids.some((id) => isTold(id, 'OPERATION_DROPPED'));
    await framework.until(`${ids.join()} are told`, () => isDone() || isDropped());
    return isDone();
  }

  test('one that has nothing may be marked gone, and one that has something may not', async () => {
    const mark = (id: string) =>
      callAgent(machine.agentUrl, {
        type: 'MARK_RESOURCE_PROVIDER_GONE',
        mark_resource_provider_gone: { resource_provider_id: { value: id } },
      });
    const refused = await mark(providerId);
    assert.equal(refused.status, 500);
    assert.equal(
      refused.text,
      `Could not mark resource provider '${providerId}' as gone: Resource provider has resources`,
    );
    const empty = await story.provide('empty', 0);
    await eventually('it is there', async () => empty.id);
    const answer = await mark(empty.id ?? '');
    assert.equal(answer.status, 200);
    await empty.gone;
    await story.has('RAW 1000');
  });

  const provided = { value: 'x' };
  const state = { resource_version_uuid: { value: 'AAAAAAAAQACAAAAAAAAAAA==' } };
  /** Everything here was answered so by a real Mesos 1.11 agent. */
  const refusals: [string, object | string, Record<string, string>, number, string][] = [
    [
      'GET',
      '',
      {},
      405,
      "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.",
    ],
    [
      'POST',
      'x',
      { 'Content-Type': 'text/plain' },
      415,
      "Expecting 'Content-Type' of application/json or application/x-protobuf",
    ],
    [
      'POST',
      {},
      {},
      400,
      "Failed to validate resource_provider::Call: Expecting 'type' to be present",
    ],
    [
      'POST',
      { type: 'SUBSCRIBE' },
      {},
      400,
      "Failed to validate resource_provider::Call: Expecting 'subscribe' to be present",
    ],
    [
      'POST',
      { type: 'SUBSCRIBE', subscribe: { resource_provider_info: { type: 'a.b', name: 'c' } } },
      { Accept: 'text/html' },
      406,
      "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
    ],
    [
      'POST',
      { type: 'SUBSCRIBE', subscribe: { resource_provider_info: { type: 'a.b', name: 'c' } } },
      { 'Mesos-Stream-Id': 'x' },
      400,
      "Subscribe calls should not include the 'Mesos-Stream-Id' header",
    ],
    [
      'POST',
      { type: 'UPDATE_STATE', update_state: state },
      {},
      400,
      "Failed to validate resource_provider::Call: Expecting 'resource_provider_id' to be present",
    ],
    [
      'POST',
      { type: 'UPDATE_STATE', resource_provider_id: provided },
      {},
      400,
      "Failed to validate resource_provider::Call: Expecting 'update_state' to be present",
    ],
    [
      'POST',
      { type: 'UPDATE_STATE', resource_provider_id: provided, update_state: state },
      {},
      400,
      'Resource provider is not subscribed',
    ],
    [
      'POST',
      { type: 'UPDATE_STATE', resource_provider_id: 'MINE', update_state: state },
      {},
      400,
      "All non-subscribe calls should include to 'Mesos-Stream-Id' header",
    ],
    [
      'POST',
      { type: 'UPDATE_STATE', resource_provider_id: 'MINE', update_state: state },
      { 'Mesos-Stream-Id': 'x' },
      400,
      "The stream ID 'x' included in this request didn't match the stream ID currently associated with  resource provider ID MINE",
    ],
    [
      'POST',
      {
        type: 'UPDATE_STATE',
        resource_provider_id: 'MINE',
        update_state: {
          ...state,
          resources: [{ name: 'disk', type: 'SCALAR', scalar: { value: 1 } }],
        },
      },
      {},
      400,
      "Inconsistent call: Inconsistent resource provider ID in 'update_state'",
    ],
    [
      'POST',
      {
        type: 'UPDATE_OPERATION_STATUS',
        resource_provider_id: 'MINE',
        update_operation_status: {
          status: { state: 'OPERATION_FINISHED' },
          operation_uuid: state.resource_version_uuid,
        },
      },
      {},
      400,
      "Inconsistent call: Inconsistent resource provider ID in 'update_operation_status'",
    ],
    [
      'POST',
      { type: 'UPDATE_PUBLISH_RESOURCES_STATUS', resource_provider_id: provided },
      {},
      400,
      "Failed to validate resource_provider::Call: Expecting 'update_publish_resources_status' to be present.",
    ],
  ];
  test('what is refused is refused in the words of a real agent', async () => {
    const answers: [number, string][] = [];
    const wanted: [number, string][] = [];
    for (const [method, asked, headers, status, text] of refusals) {
      const plain = typeof asked === 'string' ? asked : JSON.stringify(asked);
      const body = plain.replaceAll('"MINE"', JSON.stringify({ value: providerId }));
      const answer = await send(story.api, method, body, headers);
      answers.push([answer.status, answer.text.replaceAll(providerId, 'MINE')]);
      wanted.push([status, text]);
    }
    assert.deepEqual(answers, wanted);
  });
}

function send(
  url: string,
  method: string,
  body: string,
  headers: Record<string, string>,
): Promise<{ status: number; text: string }> {
  return new Promise((done, fail) => {
    const own = { 'Content-Type': 'application/json', ...headers };
    const sent = request(url, { method, headers: own, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => done({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', fail);
    sent.end(body);
  });
}

suite("Strata's agent, Strata's master", () => stories('own', 'own', 'application/x-protobuf'));
suite("Strata's agent, a real master", { skip: !existsSync(realMaster) }, () => {
  stories('real', 'own');
});
suite("a real agent, Strata's master", { skip: !existsSync(realMaster) }, () => {
  stories('own', 'real');
});
