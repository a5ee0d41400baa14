// The older endpoints' JSON of one task, agent, framework or executor: shapes of Mesos 1.11
// (inventory 1.4). Built from the master's state; nothing is decided here.
import { Resources } from '#mesos/resources/resources.ts';
import { reservationRole, isReserved } from '#mesos/resources/kinds.ts';
import { toJson } from '#wire/mesos/codec.ts';
import type { CommandInfo, Resource, Task } from '#wire/mesos/v1.ts';
import type { Ledger } from './ledger.ts';
import { attributesJson, resourceListJson, resourcesJson, type Json } from './resource-json.ts';
import { rolesOf, hasCapability } from './roles.ts';
import type { MasterState } from './state.ts';
import type { OfferRecord } from './offer-book.ts';
import type { AgentRecord, ExecutorRecord, FrameworkRecord } from './types.ts';

function statusesJson(task: Task): Json[] {
  return (task.statuses ?? []).map(({ state, timestamp, labels, container_status, healthy }) => ({
    state,
    timestamp,
    ...(labels === undefined ? {} : { labels: labels.labels ?? [] }),
    ...(container_status === undefined
      ? {}
      : { container_status: toJson('ContainerStatus', container_status) }),
    ...(healthy === undefined ? {} : { healthy }),
  }));
}

function limitsJson(limits: Task['limits']): Json {
  const all = Object.entries(limits ?? {});
  return Object.fromEntries(
    all.map(([name, { value }]) => [name, Number.isFinite(value) ? value : 'Infinity']),
  );
}

/** `held`: what the task's record says of its resources; without it they are read again. */
export function taskJson(task: Task, held = Resources.of(task.resources)): Json {
  const { labels, discovery, container, health_check, limits } = task;
  return {
    id: task.task_id.value,
    name: task.name,
    framework_id: task.framework_id.value,
    executor_id: task.executor_id?.value ?? '',
    slave_id: task.agent_id.value,
    state: task.state,
    resources: resourcesJson(held),
    ...(limits === undefined || Object.keys(limits).length === 0
      ? {}
      : { limits: limitsJson(limits) }),
    role: task.resources?.[0]?.allocation_info?.role ?? '*',
    statuses: statusesJson(task),
    ...(task.user === undefined ? {} : { user: task.user }),
    ...(labels === undefined ? {} : { labels: labels.labels ?? [] }),
    ...(discovery === undefined ? {} : { discovery: toJson('DiscoveryInfo', discovery) }),
    ...(container === undefined ? {} : { container: toJson('ContainerInfo', container) }),
    ...(health_check === undefined ? {} : { health_check: toJson('HealthCheck', health_check) }),
  };
}

function byReservation(total: Resources): Map<string, Resources> {
  const roles = new Set(total.kinds().filter(isReserved).map(reservationRole));
  return new Map(
    [...roles].map((role) => [
      role,
      total.filter((kind) => isReserved(kind) && reservationRole(kind) === role),
    ]),
  );
}

/** Of one agent; `isFull` adds the resources as they are, as /slaves does. */
export function agentJson(
  state: MasterState,
  ledger: Ledger,
  agent: AgentRecord,
  { isFull } = { isFull: false },
): Json {
  const { info, total } = agent;
  const reserved = byReservation(total);
  const unreserved = total.filter((kind) => !isReserved(kind));
  const used = ledger.usedOn(agent.id);
  const offered = ledger.offeredOn(agent.id);
  const drain = state.standings.get(agent.id)?.drain;
  const jsonOf = <T>(make: (resources: Resources) => T): Record<string, T> =>
    Object.fromEntries([...reserved].map(([role, mine]) => [role, make(mine)]));
  return {
    id: agent.id,
    hostname: info.hostname,
    port: info.port ?? 5051,
    attributes: attributesJson(info.attributes),
    ...(info.domain === undefined ? {} : { domain: toJson('DomainInfo', info.domain) }),
    pid: agent.pid,
    registered_time: agent.registeredAt / 1_000,
    ...(agent.reregisteredAt === undefined
      ? {}
      : { reregistered_time: agent.reregisteredAt / 1_000 }),
    resources: resourcesJson(total),
    used_resources: resourcesJson(used),
    offered_resources: resourcesJson(offered),
    reserved_resources: jsonOf(resourcesJson),
    unreserved_resources: resourcesJson(unreserved),
    active: state.isActive(agent),
    deactivated: state.isDeactivated(agent.id),
    version: agent.version,
    capabilities: agent.capabilities.map(({ type }) => type),
    ...(drain === undefined ? {} : { drain_info: toJson('DrainInfo', drain) }),
    ...(agent.drainStartedAt === undefined
      ? {}
      : { estimated_drain_start_time_seconds: agent.drainStartedAt / 1_000 }),
    ...(isFull
      ? {
          reserved_resources_full: jsonOf((mine) => resourceListJson(mine.toEndpoint())),
          unreserved_resources_full: resourceListJson(unreserved.toEndpoint()),
          used_resources_full: resourceListJson(used.toEndpoint()),
          offered_resources_full: resourceListJson(offered.toEndpoint()),
        }
      : {}),
  };
}

/** Of an agent that the master knows from its registry only. */
export function recoveredAgentJson(info: {
  id?: { value: string } | undefined;
  hostname: string;
  port?: number | undefined;
  attributes?: Parameters<typeof attributesJson>[0];
  resources?: Resource[] | undefined;
}): Json {
  const total = Resources.of(info.resources);
  return {
    id: info.id?.value ?? '',
    hostname: info.hostname,
    port: info.port ?? 5051,
    attributes: attributesJson(info.attributes),
    resources: resourcesJson(total),
  };
}

export function offerJson(offer: OfferRecord): Json {
  return {
    id: offer.id,
    framework_id: offer.frameworkId,
    allocation_info: { role: offer.role },
    slave_id: offer.agentId,
    resources: resourcesJson(offer.resources),
  };
}

/** As /state-summary has it: without what it runs and is offered. */
export function frameworkSummary(ledger: Ledger, framework: FrameworkRecord): Json {
  const { info } = framework;
  return {
    id: framework.id,
    name: info.name,
    ...(framework.pid === undefined ? {} : { pid: framework.pid }),
    used_resources: resourcesJson(ledger.usedBy(framework.id)),
    offered_resources: resourcesJson(ledger.offeredTo(framework.id)),
    capabilities: (info.capabilities ?? []).map(({ type = 'UNKNOWN' }) => type),
    hostname: info.hostname ?? '',
    webui_url: info.webui_url ?? '',
    active: framework.isActive,
    connected: framework.connection !== undefined,
    recovered: framework.isRecovered,
  };
}

/** What is said of it beside its tasks, offers and executors. */
export function frameworkHead(ledger: Ledger, framework: FrameworkRecord): Json {
  const { info } = framework;
  const roles = rolesOf(info);
  const all = ledger.usedBy(framework.id).add(ledger.offeredTo(framework.id));
  return {
    ...frameworkSummary(ledger, framework),
    user: info.user,
    failover_timeout: info.failover_timeout ?? 0,
    checkpoint: info.checkpoint ?? false,
    registered_time: framework.registeredAt / 1_000,
    unregistered_time: (framework.unregisteredAt ?? 0) / 1_000,
    ...(info.principal === undefined ? {} : { principal: info.principal }),
    resources: resourcesJson(all),
    ...(framework.reregisteredAt === framework.registeredAt
      ? {}
      : { reregistered_time: framework.reregisteredAt / 1_000 }),
    ...(hasCapability(info, 'MULTI_ROLE') ? { roles } : { role: roles[0] ?? '*' }),
  };
}

/** What stands behind the lists. */
export function frameworkTail(framework: FrameworkRecord): Json {
  const { labels } = framework.info;
  const constraints = framework.offerConstraints ?? {};
  return {
    ...(labels === undefined ? {} : { labels: labels.labels ?? [] }),
    offer_constraints: toJson('SchedulerOfferConstraints', constraints),
  };
}

function commandJson({ shell, value, arguments: argv, environment, uris }: CommandInfo): Json {
  return {
    ...(shell === undefined ? {} : { shell }),
    ...(value === undefined ? {} : { value }),
    argv: argv ?? [],
    ...(environment === undefined ? {} : { environment: environmentJson(environment) }),
    uris: (uris ?? []).map(({ value: uri, executable }) => ({
      value: uri,
      ...(executable === undefined ? {} : { executable }),
    })),
  };
}

/** Without the values of secrets. */
function environmentJson(environment: NonNullable<CommandInfo['environment']>): Json {
  const variables = (environment.variables ?? []).map(({ secret, ...one }) =>
    secret === undefined ? one : { ...one, secret: { ...secret, value: undefined } },
  );
  return toJson('Environment', { variables } as never) as Json;
}

export function executorJson({ info, agentId, resources }: ExecutorRecord): Json {
  const role = info.resources?.[0]?.allocation_info?.role;
  const { labels, source, command } = info;
  return {
    executor_id: info.executor_id.value,
    name: info.name ?? '',
    framework_id: info.framework_id?.value ?? '',
    command: commandJson(command ?? {}),
    resources: resourcesJson(resources),
    ...(role === undefined ? {} : { role }),
    ...(source === undefined ? {} : { source }),
    ...(labels === undefined ? {} : { labels: labels.labels ?? [] }),
    ...(info.type === undefined ? {} : { type: info.type }),
    slave_id: agentId,
  };
}

export function frameworkJson(
  state: MasterState,
  ledger: Ledger,
  framework: FrameworkRecord,
): Json {
  return {
    ...frameworkHead(ledger, framework),
    tasks: [...framework.tasks.values()].map(({ task, resources }) => taskJson(task, resources)),
    unreachable_tasks: [...framework.unreachableTasks.values()].map((task) => taskJson(task)),
    completed_tasks: framework.completedTasks.map((task) => taskJson(task)),
    offers: framework.offers.all().map(offerJson),
    executors: [...framework.executors].map(executorJson),
    ...frameworkTail(framework),
  };
}
