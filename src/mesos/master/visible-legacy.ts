// The same for the JSON of the older endpoints (/state, /slaves, /tasks …): what a caller may not see is
// left out of what was built whole.
import { mayViewExecutor, mayViewResource, type Approvers } from '#mesos/security/authorizer.ts';
import type { FrameworkInfo, Resource } from '#wire/mesos/v1.ts';
import type { Json } from './resource-json.ts';
import type { MasterState } from './state.ts';
import { Visible } from './visible.ts';

/** Fields of /state that only those may see who may see the flags. */
const flagFields = ['cluster', 'log_dir', 'external_log_file', 'flags'] as const;
const taskLists = ['tasks', 'unreachable_tasks', 'completed_tasks'] as const;

type Filter = (one: Json) => boolean;

export class VisibleLegacy {
  readonly #state: MasterState;
  readonly #approvers: Approvers;
  readonly #infoOf: (frameworkId: string) => FrameworkInfo | undefined;

  constructor(state: MasterState, approvers: Approvers) {
    this.#state = state;
    this.#approvers = approvers;
    const visible = new Visible(state, approvers);
    this.#infoOf = (id) => visible.infoOf(id);
  }

  /** `view` is the whole answer of the endpoint at `path`. */
  view(path: string, view: Json): Json {
    switch (path) {
      case '/state':
        return this.#stateOf(view);
      case '/state-summary':
        return this.#lists(view, {
          slaves: (one) => this.#agent(one),
          frameworks: frameworkOf(this),
        });
      case '/slaves':
        return this.#lists(view, { slaves: (one) => this.#agent(one) });
      case '/frameworks':
        return this.#lists(view, this.#frameworkLists);
      case '/roles':
        return {
          ...view,
          roles: listOf(view, 'roles').filter((one) => this.role(String(one['name']))),
        };
      default:
        return view;
    }
  }

  /** A task as /tasks and frameworks show it. */
  task(task: Json): boolean {
    const info = this.#infoOf(String(task['framework_id']));
    if (info === undefined || !this.framework(info)) return false;
    const { user } = task as { user?: string };
    return this.#approvers.may('VIEW_TASK', user ?? info.user);
  }

  role(name: string): boolean {
    return this.#approvers.may('VIEW_ROLE', name);
  }

  framework(info: FrameworkInfo | undefined): boolean {
    return info !== undefined && this.#approvers.may('VIEW_FRAMEWORK', info.user);
  }

  infoOf(frameworkId: string): FrameworkInfo | undefined {
    return this.#infoOf(frameworkId);
  }

  readonly #frameworkLists = {
    frameworks: (one: Json) => this.#framework(one),
    completed_frameworks: (one: Json) => this.#framework(one),
  };

  #stateOf(view: Json): Json {
    const out = this.#lists(view, {
      slaves: (one) => this.#agent(one),
      ...this.#frameworkLists,
    });
    if (this.#approvers.may('VIEW_FLAGS')) return out;
    const hidden = new Set<string>(flagFields);
    return Object.fromEntries(Object.entries(out).filter(([name]) => !hidden.has(name)));
  }

  /** Each entry of the lists cut down; those that become undefined are left out. */
  #lists(view: Json, by: Readonly<Record<string, (one: Json) => Json | undefined>>): Json {
    const cut = Object.entries(by).map(([name, how]) => [
      name,
      listOf(view, name).flatMap((one) => how(one) ?? []),
    ]);
    return { ...view, ...(Object.fromEntries(cut) as Json) };
  }

  #framework(framework: Json): Json | undefined {
    if (!this.framework(this.#infoOf(String(framework['id'])))) return undefined;
    const seen: Filter = (one) => this.task(one);
    const tasks = taskLists.map((name) => [name, listOf(framework, name).filter(seen)]);
    return {
      ...framework,
      ...(Object.fromEntries(tasks) as Json),
      // What is hidden leaves an empty object, as in Mesos.
      executors: listOf(framework, 'executors').map((one) => (this.#executor(one) ? one : {})),
    };
  }

  #executor(executor: Json): boolean {
    const [agentId, frameworkId, id] = ['slave_id', 'framework_id', 'executor_id'].map((name) =>
      String(executor[name]),
    );
    const byId = this.#state.agents.get(agentId ?? '')?.executors.get(frameworkId ?? '');
    const info = byId?.get(id ?? '')?.info;
    const framework = this.#infoOf(frameworkId ?? '');
    if (info === undefined || framework === undefined) return false;
    return mayViewExecutor(this.#approvers, info, framework);
  }

  #agent(agent: Json): Json {
    const byRole = (name: string): Json => {
      const all = Object.entries((agent[name] ?? {}) as Json).filter(([role]) => this.role(role));
      return Object.fromEntries(all);
    };
    const isSeen = (one: unknown): boolean => mayViewResource(this.#approvers, one as Resource);
    const full: Json = {};
    if ('reserved_resources_full' in agent) {
      const roles = Object.entries(byRole('reserved_resources_full'));
      full['reserved_resources_full'] = Object.fromEntries(
        roles.map(([role, list]) => [role, (list as unknown[]).filter(isSeen)]),
      );
      for (const name of ['unreserved', 'used', 'offered'].map((one) => `${one}_resources_full`)) {
        full[name] = ((agent[name] ?? []) as unknown[]).filter(isSeen);
      }
    }
    return { ...agent, reserved_resources: byRole('reserved_resources'), ...full };
  }
}

function listOf(view: Json, name: string): Json[] {
  return (view[name] ?? []) as Json[];
}

function frameworkOf(visible: VisibleLegacy): (one: Json) => Json | undefined {
  return (one) => (visible.framework(visible.infoOf(String(one['id']))) ? one : undefined);
}
