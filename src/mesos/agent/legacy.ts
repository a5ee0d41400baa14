// The agent's own endpoints from before the v1 API: /state, /health, /flags, /containers in their old shapes
// (v0 names: slave_id, SOURCE_SLAVE).
import { nameOf, pathOf } from './container-id.ts';
import { scalarSum } from './metrics.ts';
import { isReserved, reservationRole } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Attribute, ContainerStatus, Resource, Task, TaskStatus } from '#wire/mesos/v1.ts';
import { toJson } from '#wire/mesos/codec.ts';
import type { AgentAccess } from './access.ts';
import type { AgentCore } from './core.ts';
import { type Executor, type Framework, resourcesOf, taskOf } from './agent-state.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import { sendJson } from '#mesos/libprocess/negotiate.ts';
import { sendText } from './http.ts';
import type { AgentView } from './operator-api.ts';
import { listContainers } from './statistics.ts';
import { VERSION_INFO } from './version.ts';

interface LegacyView extends AgentView {
  readonly upid: string;
}

export class LegacyApi {
  readonly #view: LegacyView;

  constructor(view: LegacyView) {
    this.#view = view;
  }

  /** `path` is one of the agent's own. */
  async handle(path: string, query: URLSearchParams, exchange: Exchange): Promise<void> {
    const { flags } = this.#view;
    exchange.request.resume();
    const access = this.#view.access(exchange);
    access.requireEndpoint(path);
    switch (path) {
      case '/health':
        sendText(exchange.response, 200, '');
        return;
      case '/flags':
        access.require('VIEW_FLAGS');
        sendJson(exchange, query, { flags });
        return;
      case '/state':
        sendJson(exchange, query, this.#state(access));
        return;
      case '/containerizer/debug':
        // What Mesos tells of here are its own containerizer's futures.
        sendJson(exchange, query, { pending: [] });
        return;
      default:
        sendJson(exchange, query, await this.#statistics(query, path === '/containers', access));
    }
  }

  #state(access: AgentAccess): unknown {
    const { shell, flags, upid } = this.#view;
    const { core } = shell;
    const { workloads, info } = core;
    const master = core.master.kind === 'registered' ? core.master.address : undefined;
    const used = workloads.executors().flatMap(resourcesOf);
    return {
      ...VERSION_INFO,
      id: core.agentId ?? '',
      pid: upid,
      hostname: info.hostname,
      resources: summary(core.resources.total.toWire()),
      ...reservationsOf(core.resources.total, access),
      ...allocatedOf(Resources.of(used), access),
      resource_providers: access.seesProviders ? this.#providers() : [],
      attributes: attributesOf(info.attributes ?? []),
      ...(info.domain === undefined ? {} : { domain: toJson('DomainInfo', info.domain) }),
      start_time: (core.registeredAt ?? 0) / 1000,
      capabilities: core.options.capabilities.map(({ type }) => type),
      ...drainOf(core),
      ...(master === undefined ? {} : { master_hostname: master.replace(/:\d+$/, '') }),
      ...(access.seesFlags ? { ...logOf(flags), flags } : {}),
      frameworks: this.#frameworks([...workloads.frameworks.values()], access),
      completed_frameworks: this.#frameworks(workloads.completedFrameworks, access),
    };
  }

  #providers(): unknown[] {
    return [...this.#view.shell.core.providers.subscribed.values()].map(({ info, total }) => ({
      resource_provider_info: toJson('ResourceProviderInfo', info),
      total_resources: total.toWire().map((one) => toJson('Resource', one)),
    }));
  }

  #frameworks(all: readonly Framework[], access: AgentAccess): unknown[] {
    const seen = all.filter((one) => access.maySeeFramework(one));
    return seen.map((one) => this.#framework(one, access));
  }

  #framework(framework: Framework, access: AgentAccess): unknown {
    const { info, id } = framework;
    const isMultiRole = info.capabilities?.some((one) => one.type === 'MULTI_ROLE') === true;
    const shown = (all: readonly Executor[]): unknown[] =>
      all
        .filter((one) => access.maySeeExecutor(one, framework))
        .map((one) => this.#executor(one, (task) => access.maySeeTask(task, framework)));
    return {
      id,
      name: info.name,
      user: info.user,
      failover_timeout: info.failover_timeout ?? 0,
      checkpoint: info.checkpoint ?? false,
      hostname: info.hostname ?? '',
      ...(info.principal === undefined ? {} : { principal: info.principal }),
      ...(isMultiRole ? { roles: info.roles ?? [] } : { role: info.role ?? '*' }),
      executors: shown([...framework.executors.values()]),
      completed_executors: shown(framework.completedExecutors),
    };
  }

  #executor(executor: Executor, isSeen: (task: Task) => boolean): unknown {
    const { key, info, containerId } = executor;
    const { shell, paths } = this.#view;
    const id = executor.type === 'command' ? undefined : key.executorId;
    const queued = executor.queued.flatMap((one) =>
      one.tasks.map((task) => taskOf(task, key.frameworkId, id)),
    );
    const role = info.resources?.[0]?.allocation_info?.role;
    return {
      id: key.executorId,
      name: info.name ?? '',
      source: info.source ?? '',
      container: containerId,
      directory: paths.sandbox(shell.core.agentId ?? '', key, containerId),
      resources: summary(resourcesOf(executor)),
      ...(role === undefined ? {} : { role }),
      type: executor.type === 'default' ? 'DEFAULT' : 'CUSTOM',
      ...(info.labels === undefined ? {} : { labels: info.labels.labels ?? [] }),
      queued_tasks: queued.filter(isSeen).map(queuedTask),
      tasks: [...executor.launched.values()].filter(isSeen).map(legacyTask),
      // Those whose end is not acknowledged yet are among them here, in GET_TASKS by themselves.
      completed_tasks: [...executor.completed, ...executor.terminated.values()]
        .filter(isSeen)
        .map(legacyTask),
    };
  }

  async #statistics(
    query: URLSearchParams,
    withStatus: boolean,
    access: AgentAccess,
  ): Promise<unknown> {
    const { shell, containers, env } = this.#view;
    const filter = {
      nested: withStatus && query.get('show_nested') === 'true',
      standalone: withStatus && query.get('show_standalone') === 'true',
      isSeen: (rootId: string) => access.maySeeContainer(rootId),
    };
    const listed = await listContainers(shell.core, containers, filter, env.clock.now());
    return listed.map((one) => {
      const { container_id, framework_id, executor_id, executor_name } = one;
      const key = { frameworkId: framework_id?.value ?? '', executorId: executor_id?.value ?? '' };
      const source = shell.core.workloads.executor(key)?.info.source;
      return {
        ...(withStatus ? { container_id: nameOf(pathOf(container_id)) } : {}),
        executor_id: executor_id?.value ?? '',
        executor_name: executor_name ?? '',
        framework_id: framework_id?.value ?? '',
        source: source ?? '',
        statistics: one.resource_statistics,
        ...(withStatus ? { status: one.container_status } : {}),
      };
    });
  }
}

function rangesText(resource: Resource | Attribute): string {
  const ranges = resource.ranges?.range ?? [];
  return `[${ranges.map((one) => `${one.begin}-${one.end}`).join(', ')}]`;
}

/** Where the log is: pages of Mesos' web UI offer it then. */
function logOf({
  external_log_file,
  log_dir,
}: Readonly<Record<string, string>>): Record<string, string> {
  return {
    ...(log_dir === undefined ? {} : { log_dir }),
    ...(external_log_file === undefined ? {} : { external_log_file }),
  };
}

/** `{ cpus: 4, mem: 1024, disk: 0, gpus: 0, ports: '[1-2]' }` */
function summary(resources: readonly Resource[]): Record<string, unknown> {
  const made: Record<string, unknown> = { disk: 0, mem: 0, gpus: 0, cpus: 0 };
  for (const resource of resources) {
    if (resource.type === 'SCALAR') made[resource.name] = scalarSum(resources, resource.name);
  }
  for (const name of new Set(resources.filter((r) => r.type === 'RANGES').map((r) => r.name))) {
    const range = resources.filter((r) => r.name === name).flatMap((r) => r.ranges?.range ?? []);
    made[name] = rangesText({ name, type: 'RANGES', ranges: { range } });
  }
  return made;
}

/** Who has reserved what, summed and (`_full`) each by itself. */
function reservationsOf(total: Resources, access: AgentAccess): Record<string, unknown> {
  const byRole = new Map<string, Resource[]>();
  for (const one of total.toEndpoint()) {
    const role = reservationRole(one);
    if (role === '*' || !access.maySeeRole(role)) continue;
    const all = byRole.get(role) ?? [];
    byRole.set(role, all);
    all.push(one);
  }
  const unreserved = total.filter((kind) => !isReserved(kind)).toEndpoint();
  return {
    reserved_resources: Object.fromEntries(
      [...byRole].map(([role, resources]) => [role, summary(resources)]),
    ),
    reserved_resources_full: Object.fromEntries(byRole),
    unreserved_resources: summary(unreserved),
    unreserved_resources_full: unreserved,
  };
}

/** What executors and tasks have of it. */
function allocatedOf(used: Resources, access: AgentAccess): Record<string, unknown> {
  const { reserved_resources, unreserved_resources } = reservationsOf(used, access);
  return {
    reserved_resources_allocated: reserved_resources,
    unreserved_resources_allocated: unreserved_resources,
  };
}

function attributesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map((one) => {
      if (one.type === 'SCALAR') return [one.name, one.scalar?.value ?? 0];
      return [one.name, one.type === 'RANGES' ? rangesText(one) : (one.text?.value ?? '')];
    }),
  );
}

/** Mesos shows no more of a task that its executor has not been told of. */
function queuedTask(task: Task): Record<string, unknown> {
  return {
    id: task.task_id.value,
    name: task.name,
    executor_id: task.executor_id?.value ?? '',
    slave_id: task.agent_id.value,
    resources: summary(task.resources ?? []),
    role: task.resources?.[0]?.allocation_info?.role ?? '',
  };
}

function legacyTask(task: Task): unknown {
  const { limits, user, labels, discovery, container, health_check } = task;
  return {
    ...queuedTask(task),
    framework_id: task.framework_id.value,
    state: task.state,
    ...(limits === undefined ? {} : { limits }),
    ...(user === undefined ? {} : { user }),
    statuses: (task.statuses ?? []).map(legacyStatus),
    ...(labels === undefined ? {} : { labels: labels.labels ?? [] }),
    ...(discovery === undefined ? {} : { discovery: toJson('DiscoveryInfo', discovery) }),
    ...(container === undefined ? {} : { container: toJson('ContainerInfo', container) }),
    ...(health_check === undefined ? {} : { health_check: toJson('HealthCheck', health_check) }),
  };
}

function legacyStatus(status: TaskStatus): unknown {
  const container = status.container_status;
  return {
    state: status.state,
    timestamp: status.timestamp ?? 0,
    ...(status.labels === undefined ? {} : { labels: status.labels.labels ?? [] }),
    ...(container === undefined ? {} : { container_status: legacyContainerStatus(container) }),
    ...(status.healthy === undefined ? {} : { healthy: status.healthy }),
  };
}

function legacyContainerStatus(status: ContainerStatus): unknown {
  const { executor_pid: _, ...shown } = status;
  return toJson('ContainerStatus', shown);
}

function drainOf({ drain }: AgentCore): Record<string, unknown> {
  const { config, startedAt } = drain;
  return {
    ...(config === undefined ? {} : { drain_config: toJson('DrainConfig', config) }),
    ...(startedAt === undefined
      ? {}
      : { estimated_drain_start_time_seconds: Math.floor(startedAt / 1_000) }),
  };
}
