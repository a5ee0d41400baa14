// The registry as /registrar(1)/registry shows it: the JSON of Mesos' Registry message, which still
// has the old names of agents (inventory section 6).
import { toJson } from '#wire/mesos/codec.ts';
import type { AgentInfo, Resource } from '#wire/mesos/v1.ts';
import type { MasterCore } from './core.ts';
import { masterInfoOf } from './master-info.ts';
import type { Json } from './resource-json.ts';
import { Resources } from '#mesos/resources/resources.ts';

function infoJson(info: AgentInfo): Json {
  const resources = Resources.of(info.resources).toPreRefinement();
  const shown = resources.map((one: Resource) => ({
    ...(toJson('Resource', one) as Json),
    role: one.role ?? '*',
  }));
  return { checkpoint: false, ...(toJson('AgentInfo', info) as Json), resources: shown };
}

function standingJson(core: MasterCore, agentId: string): Json {
  const standing = core.state.standings.get(agentId);
  return {
    deactivated: standing?.deactivated === true,
    ...(standing?.drain === undefined ? {} : { drain_info: toJson('DrainInfo', standing.drain) }),
  };
}

function at(ms: number): Json {
  return { nanoseconds: Math.round(ms) * 1e6 };
}

function quotasJson(core: MasterCore): Json {
  const { configs = [] } = core.quotas.status();
  const set = configs.filter(({ guarantees, limits }) => {
    return Object.keys({ ...guarantees, ...limits }).length > 0;
  });
  return set.length === 0
    ? {}
    : { quota_configs: set.map((config) => toJson('QuotaConfig', config)) };
}

function maintenanceJson(core: MasterCore): Json {
  const { machines, schedule } = core.maintenance;
  const known = machines.map((info) => ({ info: toJson('MachineInfo', info) }));
  return {
    ...(known.length === 0 ? {} : { machines: { machines: known } }),
    ...((schedule.windows ?? []).length === 0
      ? {}
      : { schedules: [toJson('MaintenanceSchedule', schedule)] }),
  };
}

/** Features that an older master would not understand, once they are used. */
function capabilitiesJson(core: MasterCore): Json {
  const needed = [
    ...(core.state.standings.size > 0 || core.lifecycle.isUsed ? ['AGENT_DRAINING'] : []),
    ...(core.quotas.status().configs !== undefined ? ['QUOTA_V2'] : []),
  ];
  if (needed.length === 0) return {};
  return { minimum_capabilities: needed.map((capability) => ({ capability })) };
}

export function registryJson(core: MasterCore): Json {
  const { state } = core;
  const admitted = [
    ...[...state.agents.values()].map(({ info }) => info),
    ...state.recovered.values(),
  ];
  const slaves = admitted.map((info) => ({
    info: infoJson(info),
    ...standingJson(core, info.id?.value ?? ''),
  }));
  const unreachable = [...state.unreachable].map(([id, ms]) => ({
    id: { value: id },
    timestamp: at(ms),
    ...standingJson(core, id),
  }));
  const gone = [...state.gone].map(([id, ms]) => ({ id: { value: id }, timestamp: at(ms) }));
  const weights = state.allocator.weights().map(({ role, weight }) => ({ info: { role, weight } }));
  return {
    master: { info: toJson('MasterInfo', masterInfoOf(state.options)) },
    ...(slaves.length > 0 ? { slaves: { slaves } } : state.nextAgent > 0 ? { slaves: {} } : {}),
    ...(unreachable.length === 0 ? {} : { unreachable: { slaves: unreachable } }),
    ...(gone.length === 0 ? {} : { gone: { slaves: gone } }),
    ...maintenanceJson(core),
    ...quotasJson(core),
    ...(weights.length === 0 ? {} : { weights }),
    ...capabilitiesJson(core),
  };
}
