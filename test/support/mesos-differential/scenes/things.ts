// Frameworks, tasks and resources as the scenes need them: plain JSON, so that they may be wrong.

export type Json = Record<string, unknown>;

export function aFramework(name: string, more: Json = {}): Json {
  return {
    user: 'root',
    name,
    roles: ['r'],
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
    ...more,
  };
}

export function scalar(name: string, value: number, more: Json = {}): Json {
  return { name, type: 'SCALAR', scalar: { value }, ...more };
}

export function aTask(id: string, offer: Json, more: Json = {}): Json {
  const allocation_info = offer['allocation_info'];
  const own = allocation_info === undefined ? {} : { allocation_info };
  return {
    name: `task ${id}`,
    task_id: { value: id },
    agent_id: offer['agent_id'],
    resources: [scalar('cpus', 0.5, own), scalar('mem', 64, own)],
    command: { value: 'sleep 1000' },
    ...more,
  };
}

export function launch(...task_infos: Json[]): Json {
  return { type: 'LAUNCH', launch: { task_infos } };
}

export function anExecutor(id: string, offer: Json, more: Json = {}): Json {
  const own = { allocation_info: offer['allocation_info'] };
  return {
    type: 'CUSTOM',
    executor_id: { value: id },
    command: { value: 'run' },
    resources: [scalar('cpus', 0.1, own), scalar('mem', 32, own)],
    ...more,
  };
}
