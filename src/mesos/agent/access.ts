// What a caller of this agent may do and see (--acls): frameworks, executors and tasks by their users,
// sandboxes, containers. Views ask while they are built; what is refused is 403.
import { conversionsOf, takenBy } from '#mesos/resources/conversions.ts';
import {
  mayViewExecutor,
  mayViewFramework,
  mayViewResource,
  mayViewTask,
  type Approvers,
} from '#mesos/security/authorizer.ts';
import { authorizablePaths, type Action } from '#mesos/security/acls.ts';
import type { CommandInfo, ContainerID, Operation, Task } from '#wire/mesos/v1.ts';
import type { Executor, Framework } from './agent-state.ts';
import type { AgentCore } from './core.ts';
import { FORBIDDEN } from '#mesos/libprocess/refusal.ts';
import { HttpProblem } from './http.ts';

function forbidden(): HttpProblem {
  return new HttpProblem(FORBIDDEN.status, FORBIDDEN.message);
}

/** `…/frameworks/FRAMEWORK/executors/EXECUTOR/…` */
const sandboxPath = /\/frameworks\/([^/]+)\/executors\/([^/]+)(\/|$)/;

/** Actions upon a container by whether it is, or is in, one of a framework's executors or not. */
const containerActions = {
  LAUNCH: ['LAUNCH_NESTED_CONTAINER', 'LAUNCH_STANDALONE_CONTAINER'],
  WAIT: ['WAIT_NESTED_CONTAINER', 'WAIT_STANDALONE_CONTAINER'],
  KILL: ['KILL_NESTED_CONTAINER', 'KILL_STANDALONE_CONTAINER'],
  REMOVE: ['REMOVE_NESTED_CONTAINER', 'REMOVE_STANDALONE_CONTAINER'],
  SESSION: ['LAUNCH_NESTED_CONTAINER_SESSION', 'LAUNCH_NESTED_CONTAINER_SESSION'],
  ATTACH_INPUT: ['ATTACH_CONTAINER_INPUT', 'ATTACH_CONTAINER_INPUT'],
  ATTACH_OUTPUT: ['ATTACH_CONTAINER_OUTPUT', 'ATTACH_CONTAINER_OUTPUT'],
} as const satisfies Readonly<Record<string, readonly [Action, Action]>>;
export type ContainerDeed = keyof typeof containerActions;

export class AgentAccess {
  readonly #core: AgentCore;
  readonly #approvers: Approvers;

  constructor(core: AgentCore, approvers: Approvers) {
    this.#core = core;
    this.#approvers = approvers;
  }

  /** HttpProblem 403 */
  require(
    action:
      | 'VIEW_FLAGS'
      | 'PRUNE_IMAGES'
      | 'SET_LOG_LEVEL'
      | 'MARK_RESOURCE_PROVIDER_GONE'
      | 'MODIFY_RESOURCE_PROVIDER_CONFIG',
  ): void {
    if (!this.#approvers.may(action)) throw forbidden();
  }

  get seesProviders(): boolean {
    return this.#approvers.may('VIEW_RESOURCE_PROVIDER');
  }

  get seesFlags(): boolean {
    return this.#approvers.may('VIEW_FLAGS');
  }

  /** An endpoint that `get_endpoints` may name. */
  mayAsk(path: string): boolean {
    return !authorizablePaths.has(path) || this.#approvers.may('GET_ENDPOINT_WITH_PATH', path);
  }

  /** HttpProblem 403 */
  requireEndpoint(path: string): void {
    if (!this.mayAsk(path)) throw forbidden();
  }

  /** Nested calls ask for nested containers, the others by whether the container has a parent. */
  requireContainer(deed: ContainerDeed, id: ContainerID, command?: CommandInfo): void {
    if (this.#approvers.isAll) return;
    const [nested, standalone] = containerActions[deed];
    const executor = this.#executorOf(rootOf(id));
    const framework = this.#core.workloads.frameworks.get(executor?.key.frameworkId ?? '');
    const isNested = id.parent !== undefined || executor !== undefined;
    const allowed = this.#approvers.mayWith(isNested ? nested : standalone, {
      containerId: id,
      ...(executor === undefined
        ? {}
        : { executor: executor.info, framework: framework?.info, command }),
    });
    if (!allowed) throw forbidden();
  }

  /** Of a container that GET_CONTAINERS would list. */
  maySeeContainer(rootId: string): boolean {
    if (this.#approvers.isAll) return true;
    const executor = this.#executorOf(rootId);
    const containerId = { value: rootId };
    if (executor === undefined) {
      return this.#approvers.mayWith('VIEW_STANDALONE_CONTAINER', { containerId });
    }
    const framework = this.#core.workloads.frameworks.get(executor.key.frameworkId)?.info;
    const object = { executor: executor.info, framework, containerId };
    return this.#approvers.mayWith('VIEW_CONTAINER', object);
  }

  /** HttpProblem 403. `path`: a real path below the agent's folder of sandboxes. */
  requireSandbox(path: string): void {
    if (this.#approvers.isAll) return;
    const [, frameworkId = '', executorId = ''] = sandboxPath.exec(path) ?? [];
    const { frameworks, completedFrameworks } = this.#core.workloads;
    const framework =
      frameworks.get(frameworkId) ?? completedFrameworks.find(({ id }) => id === frameworkId);
    const executor =
      framework?.executors.get(executorId) ??
      framework?.completedExecutors.find(({ key }) => key.executorId === executorId);
    const object = { framework: framework?.info, executor: executor?.info };
    if (!this.#approvers.mayWith('ACCESS_SANDBOX', object)) throw forbidden();
  }

  /** HttpProblem 403. Of the agent's own log. */
  requireLog(): void {
    if (!this.#approvers.may('ACCESS_MESOS_LOG')) throw forbidden();
  }

  maySeeFramework({ info }: Framework): boolean {
    return mayViewFramework(this.#approvers, info);
  }

  maySeeExecutor({ info }: Executor, framework: Framework): boolean {
    return mayViewExecutor(this.#approvers, info, framework.info);
  }

  maySeeTask(task: Task, framework: Framework): boolean {
    return mayViewTask(this.#approvers, task, framework.info);
  }

  maySeeRole(role: string): boolean {
    return this.#approvers.may('VIEW_ROLE', role);
  }

  /** Who may see what it works on may see it. */
  maySeeOperation({ info }: Operation): boolean {
    const taken = [takenBy(info), ...conversionsOf(info).map(({ consumed }) => consumed)];
    return taken.every((bag) => bag.toWire().every((one) => mayViewResource(this.#approvers, one)));
  }

  #executorOf(rootId: string): Executor | undefined {
    return this.#core.workloads.executors().find(({ containerId }) => containerId === rootId);
  }
}

function rootOf({ value, parent }: ContainerID): string {
  return parent === undefined ? value : rootOf(parent);
}
