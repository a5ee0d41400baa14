// The agent's v1 operator API: what it is, what runs on it, and the files of sandboxes.
import { shownExecutor } from '#mesos/security/redaction.ts';
import type { Env } from '#env/env.ts';
import type { AgentCall, AgentResponse, FrameworkInfo, Task } from '#wire/mesos/v1.ts';
import { type Executor, type Framework, taskOf } from './agent-state.ts';
import type { AgentAccess } from './access.ts';
import type { AgentCore } from './core.ts';
import type { Containers } from './containers.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import type { Outcome } from '#mesos/libprocess/process-api.ts';
import { bodyRefusal, readBody, refuseMethod, sendBytes } from '#mesos/libprocess/negotiate.ts';
import type { SandboxFiles } from './files.ts';
import { containerCalls, validateAgentCall } from './call-validation.ts';
import { ContainerApi } from './container-api.ts';
import {
  encodeAs,
  formOf,
  HttpProblem,
  mediaOf,
  notImplemented,
  parseAs,
  RECORDIO_MEDIA,
  sendText,
  type CallMedia,
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
  /** Between two signs of life to who is attached to a container's output. */
  readonly attachHeartbeatMs: number;
  /** What the caller may do and see. */
  readonly access: (exchange: Exchange) => AgentAccess;
}

export class OperatorApi {
  readonly #view: AgentView;
  readonly #containerApi: ContainerApi;

  constructor(view: AgentView) {
    this.#view = view;
    this.#containerApi = new ContainerApi(view.containers.nested, view.env, view.attachHeartbeatMs);
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const access = this.#view.access(exchange);
    if (this.#view.shell.core.master.kind === 'recovering') {
      throw new HttpProblem(503, 'Agent has not finished recovery');
    }
    if (request.method !== 'POST') {
      request.resume();
      refuseMethod(request, response, ['POST']);
      return;
    }
    const media = mediaOf(request);
    if (media.content === RECORDIO_MEDIA) {
      await this.#containerApi.handleStream(request, response, { access, media });
      return;
    }
    const body = await readBody(request).catch(bodyRefusal);
    if ('status' in body) throw new HttpProblem(body.status, body.message);
    const call = parseAs(media.content, 'AgentCall', body);
    const problem = validateAgentCall(call);
    if (problem !== undefined) {
      throw new HttpProblem(400, `Failed to validate agent::Call: ${problem}`);
    }
    requireForms(call, media);
    if (containerCalls.has(call.type)) {
      await this.#containerApi.handle(call, { response, access, media });
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
    if (configCalls.has(call.type)) {
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
    const answer = await this.#answer(call, access);
    const form = formOf(media);
    sendBytes(exchange, encodeAs(form, 'AgentResponse', answer), form);
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
        return { type: 'GET_OPERATIONS', get_operations: this.#operations(access) };
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
        // Without any, Mesos says nothing of them.
        return {
          type: 'GET_CONTAINERS',
          ...(containers.length === 0 ? {} : { get_containers: { containers } }),
        };
      }
      case 'LIST_FILES': {
        const infos = valueOf(await files.list(call.list_files?.path ?? '', access));
        const list_files = infos.length === 0 ? {} : { file_infos: infos };
        return { type: 'LIST_FILES', list_files };
      }
      case 'READ_FILE': {
        const { path = '', offset = 0, length } = call.read_file ?? {};
        return {
          type: 'READ_FILE',
          read_file: valueOf(await files.read(path, offset, length, access)),
        };
      }
      default:
        throw notImplemented();
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

  #operations(access: AgentAccess) {
    const { resources, providers } = this.#view.shell.core;
    const all = [...resources.operations, ...providers.operations];
    const operations = all.filter((one) => access.maySeeOperation(one));
    return operations.length === 0 ? {} : { operations };
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
      const { key, type } = executor;
      const id = type === 'command' ? undefined : key.executorId;
      for (const one of executor.queued) {
        const tasks = one.tasks.map((task) => taskOf(task, key.frameworkId, id));
        queued.push(...tasks.filter(seen));
      }
      launched.push(...[...executor.launched.values()].filter(seen));
      terminated.push(...[...executor.terminated.values()].filter(seen));
      completed.push(...executor.completed.filter(seen));
    }
    return {
      // Of Mesos' wait for an authorizer; here none is asked that takes time.
      pending_tasks: [],
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

/** HttpProblem with what is wrong. */
function valueOf<T>(outcome: Outcome<T>): T {
  if ('value' in outcome) return outcome.value;
  throw new HttpProblem(outcome.problem.status, outcome.problem.message);
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

const configCalls: ReadonlySet<AgentCall['type']> = new Set([
  'ADD_RESOURCE_PROVIDER_CONFIG',
  'UPDATE_RESOURCE_PROVIDER_CONFIG',
  'REMOVE_RESOURCE_PROVIDER_CONFIG',
]);

const streamed: ReadonlySet<AgentCall['type']> = new Set([
  'ATTACH_CONTAINER_OUTPUT',
  'LAUNCH_NESTED_CONTAINER_SESSION',
]);

/** HttpProblem 406 and 415, for calls that are not made of records, or not answered by them. */
function requireForms({ type = 'UNKNOWN' }: AgentCall, { accept }: CallMedia): void {
  if (type === 'ATTACH_CONTAINER_INPUT') {
    const text = `Expecting 'Content-Type' to be ${RECORDIO_MEDIA} for ${type} call`;
    throw new HttpProblem(415, text);
  }
  if (accept === RECORDIO_MEDIA && !streamed.has(type)) {
    throw new HttpProblem(406, `Streaming response is not supported for ${type} call`);
  }
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
