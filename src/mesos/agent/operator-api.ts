// The agent's v1 operator API: what it is, what runs on it, and the files of sandboxes.
import { shownExecutor } from '#mesos/security/redaction.ts';
import type { Env } from '#env/env.ts';
import type { AgentCall, AgentResponse, FrameworkInfo, Task } from '#wire/mesos/v1.ts';
import { type Executor, type Framework, taskOf } from './agent-state.ts';
import type { AgentAccess } from './access.ts';
import type { AgentCore } from './core.ts';
import type { Containers } from './containers.ts';
import type { Exchange } from './exchange.ts';
import type { SandboxFiles } from './files.ts';
import { ContainerApi, isContainerCall } from './container-api.ts';
import {
  acceptedMedia,
  encodeAs,
  HttpProblem,
  readCall,
  RECORDIO_MEDIA,
  sendText,
} from './http.ts';
import { metricsOf } from './metrics.ts';
import type { LocalProviders } from './local-providers.ts';
import type { AgentPaths } from './paths.ts';
import type { AgentShell } from './shell.ts';
import { listContainers } from './statistics.ts';
import type { LogToggle } from '#mesos/libprocess/log-toggle.ts';
import { VERSION_INFO } from './version.ts';

export interface AgentView {
  readonly shell: AgentShell;
  readonly containers: Containers;
  readonly files: SandboxFiles;
  readonly paths: AgentPaths;
  readonly localProviders: LocalProviders;
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Env;
  readonly logging: LogToggle;
  /** What the caller may do and see. */
  readonly access: (exchange: Exchange) => AgentAccess;
}

const READ_BYTES_DEFAULT = 65_536;

export class OperatorApi {
  readonly #view: AgentView;
  readonly #containerApi: ContainerApi;

  constructor(view: AgentView) {
    this.#view = view;
    this.#containerApi = new ContainerApi(view.containers.nested, view.env);
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const access = this.#view.access(exchange);
    if (this.#view.shell.core.master.kind === 'recovering') {
      throw new HttpProblem(503, 'Agent has not finished recovery');
    }
    if (request.headers['content-type'] === RECORDIO_MEDIA && request.method === 'POST') {
      await this.#containerApi.handleStream(request, response, access);
      return;
    }
    const { call } = await readCall<AgentCall>(request, 'AgentCall', 'agent::Call');
    const problem = callProblem(call);
    if (problem !== undefined) {
      throw new HttpProblem(400, `Failed to validate agent::Call: ${problem}`);
    }
    if (isContainerCall(call)) {
      await this.#containerApi.handle(call, { request, response, access });
      return;
    }
    if (call.type === 'PRUNE_IMAGES') {
      access.require('PRUNE_IMAGES');
      const { containers } = this.#view;
      await containers.images.prune(call.prune_images?.excluded_images ?? []);
      sendText(response, 200, '');
      return;
    }
    if (call.type === 'SET_LOGGING_LEVEL') {
      access.require('SET_LOG_LEVEL');
      const { level = 0, duration } = call.set_logging_level ?? {};
      this.#view.logging.toggle(level, (duration?.nanoseconds ?? 0) / 1e6);
      sendText(response, 200, '');
      return;
    }
    if (isConfigCall(call)) {
      access.require('MODIFY_RESOURCE_PROVIDER_CONFIG');
      await this.#configureProvider(call);
      sendText(response, 200, '');
      return;
    }
    if (call.type === 'MARK_RESOURCE_PROVIDER_GONE') {
      access.require('MARK_RESOURCE_PROVIDER_GONE');
      await this.#markProviderGone(call.mark_resource_provider_gone?.resource_provider_id.value);
      sendText(response, 200, '');
      return;
    }
    const media = acceptedMedia(request);
    const answer = await this.#answer(call, access);
    const body = encodeAs(media, 'AgentResponse', answer);
    response.writeHead(200, { 'Content-Type': media, 'Content-Length': body.length });
    response.end(body);
  }

  async #answer(call: AgentCall, access: AgentAccess): Promise<AgentResponse> {
    const { shell, flags } = this.#view;
    switch (call.type) {
      case 'GET_HEALTH':
        return { type: 'GET_HEALTH', get_health: { healthy: true } };
      case 'GET_VERSION':
        return { type: 'GET_VERSION', get_version: { version_info: VERSION_INFO } };
      case 'GET_FLAGS': {
        access.require('VIEW_FLAGS');
        const list = Object.entries(flags).map(([name, value]) => ({ name, value }));
        return { type: 'GET_FLAGS', get_flags: { flags: list } };
      }
      case 'GET_LOGGING_LEVEL': {
        const { level } = this.#view.logging;
        return { type: 'GET_LOGGING_LEVEL', get_logging_level: { level } };
      }
      case 'GET_METRICS': {
        const metrics = Object.entries(
          metricsOf(shell.core, this.#view.containers, this.#view.env.clock.now()),
        );
        const list = metrics.map(([name, value]) => ({ name, value }));
        return { type: 'GET_METRICS', get_metrics: { metrics: list } };
      }
      case 'GET_AGENT':
        return { type: 'GET_AGENT', get_agent: getAgent(shell.core) };
      case 'GET_TASKS':
        return { type: 'GET_TASKS', get_tasks: this.#tasks(access) };
      case 'GET_EXECUTORS':
        return { type: 'GET_EXECUTORS', get_executors: this.#executors(access) };
      case 'GET_FRAMEWORKS':
        return { type: 'GET_FRAMEWORKS', get_frameworks: this.#frameworks(access) };
      case 'GET_STATE':
        return {
          type: 'GET_STATE',
          get_state: {
            get_tasks: this.#tasks(access),
            get_executors: this.#executors(access),
            get_frameworks: this.#frameworks(access),
          },
        };
      case 'GET_OPERATIONS':
        return {
          type: 'GET_OPERATIONS',
          get_operations: {
            operations: [
              ...shell.core.resources.operations,
              ...shell.core.providers.operations,
            ].filter((one) => access.maySeeOperation(one)),
          },
        };
      case 'GET_RESOURCE_PROVIDERS':
        return {
          type: 'GET_RESOURCE_PROVIDERS',
          get_resource_providers: this.#providers(access),
        };
      default:
        return this.#answerMore(call, access);
    }
  }

  async #answerMore(call: AgentCall, access: AgentAccess): Promise<AgentResponse> {
    const { files } = this.#view;
    switch (call.type) {
      case 'GET_CONTAINERS': {
        const { shell, containers: all, env } = this.#view;
        const { show_nested = false, show_standalone = false } = call.get_containers ?? {};
        const filter = {
          nested: show_nested,
          standalone: show_standalone,
          isSeen: (rootId: string) => access.maySeeContainer(rootId),
        };
        const containers = await listContainers(shell.core, all, filter, env.clock.now());
        return { type: 'GET_CONTAINERS', get_containers: { containers } };
      }
      case 'LIST_FILES': {
        const infos = await files.list(call.list_files?.path, access);
        return { type: 'LIST_FILES', list_files: { file_infos: infos } };
      }
      case 'READ_FILE': {
        const { path, offset = 0, length = READ_BYTES_DEFAULT } = call.read_file ?? {};
        const { size, data } = await files.read(path, { offset, length }, access);
        return { type: 'READ_FILE', read_file: { size, data } };
      }
      default:
        throw new HttpProblem(501, '');
    }
  }

  async #configureProvider(call: AgentCall): Promise<void> {
    const { localProviders } = this.#view;
    const { add_resource_provider_config: add, update_resource_provider_config: update } = call;
    if (call.type === 'ADD_RESOURCE_PROVIDER_CONFIG' && add !== undefined) {
      await localProviders.add(add.info);
    } else if (call.type === 'UPDATE_RESOURCE_PROVIDER_CONFIG' && update !== undefined) {
      await localProviders.update(update.info);
    } else {
      const { type = '', name = '' } = call.remove_resource_provider_config ?? {};
      await localProviders.remove(type, name);
    }
  }

  async #markProviderGone(id = ''): Promise<void> {
    const { shell } = this.#view;
    const problem = shell.core.providers.problemWithGone(id);
    if (problem !== undefined) throw new HttpProblem(500, problem);
    shell.input({ kind: 'provider-gone', id });
    await shell.settled();
  }

  #providers(access: AgentAccess) {
    if (!access.seesProviders) return {};
    const all = [...this.#view.shell.core.providers.subscribed.values()];
    if (all.length === 0) return {};
    return {
      resource_providers: all.map(({ info, total }) => ({
        resource_provider_info: info,
        total_resources: [...total.toWire()],
      })),
    };
  }

  #tasks(access: AgentAccess) {
    const queued: Task[] = [];
    const launched: Task[] = [];
    const terminated: Task[] = [];
    const completed: Task[] = [];
    for (const { executor, framework } of everyExecutor(this.#view.shell, access)) {
      const seen = (task: Task): boolean => access.maySeeTask(task, framework);
      const { key, user, type } = executor;
      const id = type === 'command' ? undefined : key.executorId;
      for (const one of executor.queued) {
        const tasks = one.tasks.map((task) => taskOf(task, key.frameworkId, user, id));
        queued.push(...tasks.filter(seen));
      }
      launched.push(...[...executor.launched.values()].filter(seen));
      terminated.push(...[...executor.terminated.values()].filter(seen));
      completed.push(...executor.completed.filter(seen));
    }
    return {
      queued_tasks: queued,
      launched_tasks: launched,
      terminated_tasks: terminated,
      completed_tasks: completed,
    };
  }

  #executors(access: AgentAccess) {
    const all = everyExecutor(this.#view.shell, access);
    const shown = (one: { executor: Executor }) => ({
      executor_info: shownExecutor(one.executor.info),
    });
    return {
      executors: all.filter((one) => !one.isCompleted).map(shown),
      completed_executors: all.filter((one) => one.isCompleted).map(shown),
    };
  }

  #frameworks(access: AgentAccess) {
    const { workloads } = this.#view.shell.core;
    const seen = (one: Framework): boolean => access.maySeeFramework(one);
    const shown = (one: Framework): { framework_info: FrameworkInfo } => ({
      framework_info: one.info,
    });
    return {
      frameworks: [...workloads.frameworks.values()].filter(seen).map(shown),
      completed_frameworks: workloads.completedFrameworks.filter(seen).map(shown),
    };
  }
}

/** Of those that the caller may see. */
function everyExecutor(
  shell: AgentShell,
  access: AgentAccess,
): { framework: Framework; executor: Executor; isCompleted: boolean }[] {
  const { workloads } = shell.core;
  const all = [...workloads.frameworks.values(), ...workloads.completedFrameworks]
    .filter((framework) => access.maySeeFramework(framework))
    .flatMap((framework) => [
      ...[...framework.executors.values()].map((executor) => ({
        framework,
        executor,
        isCompleted: false,
      })),
      ...framework.completedExecutors.map((executor) => ({
        framework,
        executor,
        isCompleted: true,
      })),
    ]);
  return all.filter(({ executor, framework }) => access.maySeeExecutor(executor, framework));
}

const configCalls: Readonly<Record<string, keyof AgentCall>> = {
  ADD_RESOURCE_PROVIDER_CONFIG: 'add_resource_provider_config',
  UPDATE_RESOURCE_PROVIDER_CONFIG: 'update_resource_provider_config',
  REMOVE_RESOURCE_PROVIDER_CONFIG: 'remove_resource_provider_config',
};

function isConfigCall({ type = 'UNKNOWN' }: AgentCall): boolean {
  return configCalls[type] !== undefined;
}

function callProblem(call: AgentCall): string | undefined {
  if (call.type === undefined) return "Expecting 'type' to be present";
  if (call.type === 'LIST_FILES' && call.list_files === undefined) {
    return "Expecting 'list_files' to be present";
  }
  if (call.type === 'READ_FILE' && call.read_file === undefined) {
    return "Expecting 'read_file' to be present";
  }
  if (call.type === 'SET_LOGGING_LEVEL' && call.set_logging_level === undefined) {
    return "Expecting 'set_logging_level' to be present";
  }
  const config = configCalls[call.type];
  if (config !== undefined && call[config] === undefined) {
    return `Expecting '${config}' to be present`;
  }
  if (call.type === 'MARK_RESOURCE_PROVIDER_GONE' && !call.mark_resource_provider_gone) {
    return "Expecting 'mark_resource_provider_gone' to be present";
  }
  if (call.type === 'UNKNOWN') throw new HttpProblem(501, '');
  return undefined;
}

function getAgent({ info, drain }: AgentCore): NonNullable<AgentResponse['get_agent']> {
  const { config, startedAt } = drain;
  return {
    agent_info: info,
    ...(config === undefined ? {} : { drain_config: config }),
    ...(startedAt === undefined
      ? {}
      : { estimated_drain_start_time: { nanoseconds: startedAt * 1e6 } }),
  };
}
