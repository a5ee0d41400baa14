// An agent's record to and from what is said of it on the wire.
import type { AgentFacts } from '#mesos/allocator/allocator-core.ts';
import { withCheckpointed } from '#mesos/resources/conversions.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { AgentInfo, Messages, Resource } from '#wire/mesos/v1.ts';
import type { SharedParts } from './shared-parts.ts';
import type { MasterState } from './state.ts';
import { allocatedOn } from './holdings.ts';
import type { AgentRecord, MasterEffect } from './types.ts';

/** What it is configured with, changed by what was reserved and created on it since. */
export function totalOf(
  parts: SharedParts,
  info: AgentInfo,
  message: Messages['RegisterSlaveMessage'] | Messages['ReregisterSlaveMessage'],
): Resources {
  const configured = Resources.of(info.resources);
  const { checkpointed_resources = [] } = message;
  if (checkpointed_resources.length === 0) return configured;
  const total = withCheckpointed(configured, Resources.of(checkpointed_resources));
  return total.ok ? parts.bag(total.value) : configured;
}

/** `slave(1)@10.0.0.1:5051` as a URL of the agent's own endpoints. */
export function agentUrl({ pid, info }: AgentRecord) {
  const at = pid.lastIndexOf('@');
  const address = pid.slice(at + 1);
  const colon = address.lastIndexOf(':');
  const [ip, port] = [address.slice(0, colon), Number(address.slice(colon + 1))];
  return {
    scheme: 'http',
    address: { hostname: info.hostname, ip, port },
    path: `/${pid.slice(0, at)}`,
  };
}

/** What decides whom it is offered to, beside its resources. */
export function factsOf({ info, capabilities }: AgentRecord): AgentFacts {
  const { hostname, attributes, domain } = info;
  const can = (type: string): boolean => capabilities.some((one) => one.type === type);
  const [isMultiRole, isHierarchical] = [can('MULTI_ROLE'), can('HIERARCHICAL_ROLE')];
  return { hostname, attributes, domain, isMultiRole, isHierarchical };
}

/** Lists are shared by agents of one kind. */
const refinedLists = new WeakMap<readonly Resource[], Resource[]>();

/** With its resources in the form that has reservations as a stack, as v1 clients are told. */
function refined(info: AgentInfo): AgentInfo {
  const { resources: list = [] } = info;
  let resources = refinedLists.get(list);
  if (resources === undefined) {
    resources = Resources.of(list).toWire();
    refinedLists.set(list, resources);
  }
  return { ...info, resources };
}

export function agentToWire(state: MasterState, agent: AgentRecord) {
  const seconds = (ms: number) => ({ nanoseconds: ms * 1e6 });
  const drain = state.standings.get(agent.id)?.drain;
  return {
    agent_info: refined(agent.info),
    active: state.isActive(agent),
    deactivated: state.isDeactivated(agent.id),
    version: agent.version,
    pid: agent.pid,
    registered_time: seconds(agent.registeredAt),
    ...(agent.reregisteredAt === undefined
      ? {}
      : { reregistered_time: seconds(agent.reregisteredAt) }),
    total_resources: agent.total.toEndpoint(),
    capabilities: [...agent.capabilities],
    ...(agent.providers.size === 0
      ? {}
      : {
          resource_providers: [...agent.providers.values()].map(({ info, total }) => ({
            resource_provider_info: info,
            total_resources: total.toWire(),
          })),
        }),
    ...(drain === undefined ? {} : { drain_info: drain }),
    ...(agent.drainStartedAt === undefined
      ? {}
      : { estimated_drain_start_time: seconds(agent.drainStartedAt) }),
  };
}

/** What operators are told of an agent that came, or came back. */
export function agentAdded(state: MasterState, agent: AgentRecord): MasterEffect {
  const allocated_resources = Resources.join(allocatedOn(agent)).toEndpoint();
  const told = {
    ...agentToWire(state, agent),
    // Mesos says so of each agent that comes.
    active: true,
    ...(allocated_resources.length === 0 ? {} : { allocated_resources }),
  };
  return {
    kind: 'operator-event',
    event: { type: 'AGENT_ADDED', agent_added: { agent: told } },
  };
}

/** Between the two, nothing has changed an agent's resources but what its master asked for. */
export function isSameVersion(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}
