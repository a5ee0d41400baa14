// The endpoints from before the v1 API: /state, /health, /version, /files/... in their old shapes
// (v0 names: slave_id, SOURCE_SLAVE).
import type { ServerResponse } from 'node:http';
import { nameOf, pathOf } from './container-id.ts';
import { scalarSum, metricsOf } from './metrics.ts';
import { answerToggle } from '#mesos/libprocess/log-toggle.ts';
import { isReserved, reservationRole } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Attribute, Resource, Task, TaskStatus } from '#wire/mesos/v1.ts';
import { toJson } from '#wire/mesos/codec.ts';
import type { AgentAccess } from './access.ts';
import type { AgentCore } from './core.ts';
import { type Executor, type Framework, resourcesOf, taskOf } from './agent-state.ts';
import type { Exchange } from './exchange.ts';
import { modeText } from './files.ts';
import { sendJson, sendText } from './http.ts';
import type { AgentView } from './operator-api.ts';
import { listContainers } from './statistics.ts';
import { VERSION_INFO } from './version.ts';

interface LegacyView extends AgentView {
  readonly upid: string;
}

const READ_BYTES_DEFAULT = 65_536;

export class LegacyApi {
  readonly #view: LegacyView;

  constructor(view: LegacyView) {
    this.#view = view;
  }

  /** False when it knows no such path. */
  async handle(path: string, query: URLSearchParams, exchange: Exchange): Promise<boolean> {
    const { request, response } = exchange;
    const { shell, flags, env, files } = this.#view;
    request.resume();
    const access = this.#view.access(exchange);
    access.requireEndpoint(path);
    switch (path) {
      case '/health':
        sendText(response, 200, '');
        return true;
      case '/version':
        sendJson(response, query, VERSION_INFO);
        return true;
      case '/logging/toggle': {
        const { status, text } = answerToggle(query, this.#view.logging);
        sendText(response, status, text);
        return true;
      }
      case '/flags':
        access.require('VIEW_FLAGS');
        sendJson(response, query, { flags });
        return true;
      case '/metrics/snapshot':
        sendJson(response, query, metricsOf(shell.core, this.#view.containers, env.clock.now()));
        return true;
      case '/state':
        sendJson(response, query, this.#state(access));
        return true;
      case '/monitor/statistics':
      case '/containers':
        sendJson(response, query, await this.#statistics(query, path === '/containers', access));
        return true;
      case '/files/download':
        await files.download(query.get('path') ?? undefined, response, access);
        return true;
      default:
        return this.#files(path, query, response, access);
    }
  }

  async #files(
    path: string,
    query: URLSearchParams,
    response: ServerResponse,
    access: AgentAccess,
  ): Promise<boolean> {
    const { files } = this.#view;
    const target = query.get('path') ?? undefined;
    if (path === '/files/browse') {
      const infos = await files.list(target, access);
      const shown = infos.map((one) => ({
        path: one.path,
        nlink: one.nlink,
        size: one.size,
        mtime: (one.mtime?.nanoseconds ?? 0) / 1e9,
        mode: modeText(one.mode ?? 0),
        uid: one.uid,
        gid: one.gid,
      }));
      sendJson(response, query, shown);
      return true;
    }
    if (path === '/files/read') {
      const offset = Number(query.get('offset') ?? -1);
      const length = Number(query.get('length') ?? READ_BYTES_DEFAULT);
      const { size, data } = await files.read(
        target,
        { offset, length: length < 0 ? READ_BYTES_DEFAULT : length },
        access,
      );
      // With no offset only the size is asked, which stands where the offset would.
      const shown = { data: data.toString('utf8'), offset: offset < 0 ? size : offset };
      sendJson(response, query, shown);
      return true;
    }
    return false;
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
      used_resources: summary(used),
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
    const { key, info, containerId, user } = executor;
    const { shell, paths } = this.#view;
    const id = executor.type === 'command' ? undefined : key.executorId;
    const queued = executor.queued.flatMap((one) =>
      one.tasks.map((task) => taskOf(task, key.frameworkId, user, id)),
    );
    return {
      id: key.executorId,
      name: info.name ?? '',
      source: info.source ?? '',
      container: containerId,
      directory: paths.sandbox(shell.core.agentId ?? '', key, containerId),
      resources: summary(resourcesOf(executor)),
      type: executor.type === 'default' ? 'DEFAULT' : 'CUSTOM',
      ...(info.labels === undefined ? {} : { labels: info.labels.labels ?? [] }),
      queued_tasks: queued.filter(isSeen).map(legacyTask),
      tasks: [...executor.launched.values(), ...executor.terminated.values()]
        .filter(isSeen)
        .map(legacyTask),
      completed_tasks: executor.completed.filter(isSeen).map(legacyTask),
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
        container_id: nameOf(pathOf(container_id)),
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

/** `{ cpus: 4, mem: 1024, disk: 0, gpus: 0, ports: '[1-2]' }` */
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

function legacyTask(task: Task): unknown {
  return {
    id: task.task_id.value,
    name: task.name,
    framework_id: task.framework_id.value,
    executor_id: task.executor_id?.value ?? '',
    slave_id: task.agent_id.value,
    state: task.state,
    resources: summary(task.resources ?? []),
    ...(task.user === undefined ? {} : { user: task.user }),
    statuses: (task.statuses ?? []).map(legacyStatus),
    ...(task.labels === undefined ? {} : { labels: task.labels.labels ?? [] }),
    ...(task.discovery === undefined ? {} : { discovery: task.discovery }),
  };
}

function legacyStatus(status: TaskStatus): unknown {
  return {
    state: status.state,
    timestamp: status.timestamp ?? 0,
    ...(status.labels === undefined ? {} : { labels: status.labels.labels ?? [] }),
    ...(status.container_status === undefined ? {} : { container_status: status.container_status }),
    ...(status.healthy === undefined ? {} : { healthy: status.healthy }),
  };
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
