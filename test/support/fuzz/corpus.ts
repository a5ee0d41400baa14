// What is valid to say to a master, with the ids of a living agent and framework: the ground that
// fuzzing starts from. Calls of operators and schedulers, forms of the older endpoints, messages of agents and drivers.
import { encode, fromJson, type MessageName } from '#wire/mesos/codec.ts';
import { agentGreeting } from '#test/support/mesos-differential/player.ts';
import {
  aFramework,
  aTask,
  launch,
  scalar,
  type Json,
} from '#test/support/mesos-differential/scenes/things.ts';

export interface Ids {
  readonly agent: string;
  readonly framework: string;
  readonly stream: string;
  readonly offer: Json;
  /** `slave(1)@127.0.0.1:PORT` of the agent that there is. */
  readonly agentUpid: string;
  /** Where somebody listens who reads everything and says nothing. */
  readonly sinkPort: number;
}

export interface Valid {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  /** Of the body when it is a message or JSON, so that it can be changed by its structure. */
  readonly json?: unknown;
  /** The message that the JSON is of: protobuf can be sent, too. */
  readonly message?: MessageName;
  readonly text?: string;
}

const uuid = 'AAAAAAAAQACAAAAAAAAAAA==';

function operatorCalls({ agent, framework }: Ids): Json[] {
  const agent_id = { value: agent };
  const reserved = scalar('cpus', 1, { reservations: [{ type: 'DYNAMIC', role: 'r' }] });
  const volume = scalar('disk', 8, {
    reservations: [{ type: 'DYNAMIC', role: 'r' }],
    disk: { persistence: { id: 'v' }, volume: { mode: 'RW', container_path: 'v' } },
  });
  const machine_ids = [{ hostname: 'machine.example', ip: '10.0.0.1' }];
  const windows = [
    {
      machine_ids,
      unavailability: { start: { nanoseconds: 1e18 }, duration: { nanoseconds: 1e9 } },
    },
  ];
  const plain = [
    'GET_HEALTH',
    'GET_FLAGS',
    'GET_VERSION',
    'GET_LOGGING_LEVEL',
    'GET_STATE',
    'GET_AGENTS',
    'GET_FRAMEWORKS',
    'GET_EXECUTORS',
    'GET_OPERATIONS',
    'GET_TASKS',
    'GET_ROLES',
    'GET_WEIGHTS',
    'GET_MASTER',
    'GET_MAINTENANCE_STATUS',
    'GET_MAINTENANCE_SCHEDULE',
    'GET_QUOTA',
    'SUBSCRIBE',
  ].map((type) => ({ type }));
  return [
    ...plain,
    { type: 'GET_METRICS', get_metrics: { timeout: { nanoseconds: 1e9 } } },
    { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 1, duration: { nanoseconds: 1e9 } } },
    { type: 'LIST_FILES', list_files: { path: '/master/log' } },
    { type: 'READ_FILE', read_file: { path: '/master/log', offset: 0, length: 100 } },
    { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'r', weight: 2 }] } },
    {
      type: 'UPDATE_QUOTA',
      update_quota: {
        force: true,
        quota_configs: [
          { role: 'q', guarantees: { cpus: { value: 1 } }, limits: { cpus: { value: 2 } } },
        ],
      },
    },
    {
      type: 'SET_QUOTA',
      set_quota: { quota_request: { role: 's', force: true, guarantee: [scalar('cpus', 1)] } },
    },
    { type: 'REMOVE_QUOTA', remove_quota: { role: 's' } },
    { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } },
    { type: 'START_MAINTENANCE', start_maintenance: { machines: machine_ids } },
    { type: 'STOP_MAINTENANCE', stop_maintenance: { machines: machine_ids } },
    { type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } },
    { type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } },
    { type: 'DRAIN_AGENT', drain_agent: { agent_id: { value: 'nobody' }, mark_gone: true } },
    { type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: 'nobody' } } },
    { type: 'TEARDOWN', teardown: { framework_id: { value: `${framework}x` } } },
    { type: 'RESERVE_RESOURCES', reserve_resources: { agent_id, resources: [reserved] } },
    { type: 'UNRESERVE_RESOURCES', unreserve_resources: { agent_id, resources: [reserved] } },
    { type: 'CREATE_VOLUMES', create_volumes: { agent_id, volumes: [volume] } },
    { type: 'DESTROY_VOLUMES', destroy_volumes: { agent_id, volumes: [volume] } },
    { type: 'GROW_VOLUME', grow_volume: { agent_id, volume, addition: scalar('disk', 1) } },
    { type: 'SHRINK_VOLUME', shrink_volume: { agent_id, volume, subtract: { value: 1 } } },
  ];
}

function schedulerCalls({ agent, framework, offer }: Ids): Json[] {
  const framework_id = { value: framework };
  const agent_id = { value: agent };
  const task_id = { value: 'task' };
  const executor_id = { value: 'executor' };
  const offer_ids = [offer['id']];
  const filters = { refuse_seconds: 0.1 };
  const group = {
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor: { type: 'DEFAULT', executor_id, framework_id, resources: [scalar('cpus', 0.1)] },
      task_group: { tasks: [aTask('g', offer)] },
    },
  };
  const reserve = {
    type: 'RESERVE',
    id: { value: 'op' },
    reserve: {
      resources: [scalar('cpus', 1, { reservations: [{ type: 'DYNAMIC', role: 'r' }] })],
    },
  };
  const info = aFramework('fuzz', {
    labels: { labels: [{ key: 'k', value: 'v' }] },
    offer_filters: { r: { min_allocatable_resources: { quantities: [] } } },
  });
  const constraints = {
    role_constraints: {
      r: {
        groups: [
          {
            attribute_constraints: [
              {
                selector: { attribute_name: 'rack' },
                predicate: { text_matches: { regex: '(a|b)+c?' } },
              },
            ],
          },
        ],
      },
    },
  };
  const calls: Json[] = [
    { type: 'ACCEPT', accept: { offer_ids, filters, operations: [launch(aTask('a', offer))] } },
    { type: 'ACCEPT', accept: { offer_ids, filters, operations: [group, reserve] } },
    { type: 'DECLINE', decline: { offer_ids, filters } },
    { type: 'ACCEPT_INVERSE_OFFERS', accept_inverse_offers: { inverse_offer_ids: offer_ids } },
    { type: 'DECLINE_INVERSE_OFFERS', decline_inverse_offers: { inverse_offer_ids: offer_ids } },
    { type: 'REVIVE', revive: { roles: ['r'] } },
    { type: 'SUPPRESS', suppress: { roles: ['r'] } },
    {
      type: 'KILL',
      kill: { task_id, agent_id, kill_policy: { grace_period: { nanoseconds: 1 } } },
    },
    { type: 'SHUTDOWN', shutdown: { executor_id, agent_id } },
    { type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } },
    {
      type: 'ACKNOWLEDGE_OPERATION_STATUS',
      acknowledge_operation_status: { agent_id, uuid, operation_id: { value: 'op' } },
    },
    { type: 'RECONCILE', reconcile: { tasks: [{ task_id, agent_id }] } },
    {
      type: 'RECONCILE_OPERATIONS',
      reconcile_operations: { operations: [{ operation_id: { value: 'op' }, agent_id }] },
    },
    { type: 'MESSAGE', message: { agent_id, executor_id, data: 'aGk=' } },
    { type: 'REQUEST', request: { requests: [{ agent_id, resources: [scalar('cpus', 1)] }] } },
    {
      type: 'UPDATE_FRAMEWORK',
      update_framework: {
        framework_info: { ...info, id: framework_id },
        suppressed_roles: ['r'],
        offer_constraints: constraints,
      },
    },
  ];
  const subscribe = {
    type: 'SUBSCRIBE',
    subscribe: { framework_info: info, suppressed_roles: ['r'], offer_constraints: constraints },
  };
  return [...calls.map((call) => ({ framework_id, ...call })), subscribe];
}

function messages({ agent, framework, agentUpid, sinkPort, offer }: Ids): [MessageName, Json][] {
  const agent_id = { value: agent };
  const framework_id = { value: framework };
  const slave = {
    hostname: 'fuzz.example',
    port: sinkPort,
    resources: [scalar('cpus', 4), scalar('mem', 1024)],
    attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'a' } }],
  };
  const capabilities = agentGreeting.agent_capabilities as unknown as Json[];
  const greeting = { version: '1.11.0', agent_capabilities: capabilities };
  const status = { task_id: { value: 'a' }, state: 'TASK_RUNNING', agent_id, uuid, timestamp: 1 };
  const task = {
    ...aTask('old', offer),
    // As the agent and the framework are called in the message that brings it along.
    agent_id: { value: `${agent}9` },
    framework_id: { value: `${framework}9` },
    state: 'TASK_RUNNING',
  };
  return [
    ['RegisterSlaveMessage', { slave, ...greeting }],
    [
      'ReregisterSlaveMessage',
      {
        slave: { ...slave, id: { value: `${agent}9` } },
        tasks: [task],
        frameworks: [aFramework('old', { id: { value: `${framework}9` } })],
        ...greeting,
      },
    ],
    ['UnregisterSlaveMessage', { agent_id: { value: `${agent}9` } }],
    [
      'StatusUpdateMessage',
      {
        update: {
          framework_id,
          agent_id,
          status,
          timestamp: 1,
          uuid,
          latest_state: 'TASK_RUNNING',
        },
        pid: agentUpid,
      },
    ],
    [
      'UpdateSlaveMessage',
      { agent_id, resource_categories: { total: true }, total_resources: [scalar('cpus', 4)] },
    ],
    ['PongSlaveMessage', {}],
    ['ExitedExecutorMessage', { agent_id, framework_id, executor_id: { value: 'e' }, status: 1 }],
    [
      'ExecutorToFrameworkMessage',
      { agent_id, framework_id, executor_id: { value: 'e' }, data: 'aGk=' },
    ],
    [
      'UpdateOperationStatusMessage',
      {
        agent_id,
        framework_id,
        status: { state: 'OPERATION_FINISHED', operation_id: { value: 'op' } },
        operation_uuid: { value: uuid },
      },
    ],
    ['RegisterFrameworkMessage', { framework: aFramework('driver') }],
    [
      'ReregisterFrameworkMessage',
      { framework: aFramework('driver', { id: framework_id }), failover: true },
    ],
    ['UnregisterFrameworkMessage', { framework_id: { value: `${framework}9` } }],
    ['AuthenticateMessage', { pid: agentUpid }],
    ['AuthenticationStartMessage', { mechanism: 'CRAM-MD5', data: '' }],
    ['AuthenticationStepMessage', { data: 'aGk=' }],
  ];
}

const forms: readonly (readonly [string, string])[] = [
  ['/teardown', 'frameworkId=nobody'],
  ['/reserve', 'slaveId=nobody&resources=[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]'],
  ['/create-volumes', 'slaveId=nobody&volumes=[]'],
  ['/machine/down', '[{"hostname":"machine.example"}]'],
  ['/machine/up', '[{"hostname":"machine.example"}]'],
  ['/quota', '{"role":"z","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}'],
  ['/maintenance/schedule', '{"windows":[]}'],
];

const gets = [
  '/state',
  '/state-summary',
  '/slaves?slave_id=x',
  '/frameworks?framework_id=x',
  '/tasks?limit=3&offset=1&order=asc',
  '/roles',
  '/weights',
  '/quota',
  '/flags',
  '/health',
  '/redirect',
  '/version',
  '/metrics/snapshot?timeout=1secs',
  '/system/stats.json',
  '/logging/toggle?level=1&duration=1secs',
  '/files/browse?path=/master/log',
  '/files/read?path=/master/log&offset=0&length=10',
  '/files/download?path=/master/log',
  '/files/debug',
  '/maintenance/schedule',
  '/maintenance/status',
  '/registrar(1)/registry',
  '/allocator/explain?role=r',
  '/allocator/offer_constraints_debug',
  '/help/master',
  '/__processes__',
];

export function corpus(ids: Ids): Valid[] {
  const call =
    (message: MessageName, path: string, headers: readonly string[]) => (json: Json) => ({
      name: String(json['type']),
      method: 'POST',
      path,
      headers,
      json,
      message,
    });
  const stream = [`Mesos-Stream-Id: ${ids.stream}`];
  const scheduler = schedulerCalls(ids).map((json) => ({
    ...call('SchedulerCall', '/api/v1/scheduler', json['type'] === 'SUBSCRIBE' ? [] : stream)(json),
  }));
  const from = [
    `slave(1)@127.0.0.1:${ids.sinkPort}`,
    ids.agentUpid,
    'scheduler-1@127.0.0.1:1',
    'slave(1)@127.0.0.1:99999',
    '@',
  ];
  const told = messages(ids).flatMap(([message, json]) =>
    from.map((upid) => ({
      name: message,
      method: 'POST',
      path: `/master/mesos.internal.${message}`,
      headers: [`Libprocess-From: ${upid}`],
      json,
      message,
    })),
  );
  return [
    ...operatorCalls(ids).map(call('MasterCall', '/api/v1', [])),
    ...scheduler,
    ...told,
    ...forms.map(([path, text]) => ({ name: path, method: 'POST', path, headers: [], text })),
    {
      name: 'weights',
      method: 'PUT',
      path: '/weights',
      headers: [],
      text: '[{"role":"r","weight":2}]',
    },
    { name: 'quota', method: 'DELETE', path: '/quota/z', headers: [], text: '' },
    ...gets.map((path) => ({ name: path, method: 'GET', path, headers: [] })),
  ];
}

/** Undefined when JSON that was changed is no such message any more. */
export function asProtobuf(message: MessageName, json: unknown): Uint8Array | undefined {
  try {
    return encode(message, fromJson(message, json));
  } catch {
    return undefined;
  }
}
