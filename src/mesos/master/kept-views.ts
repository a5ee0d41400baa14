// What the large reading endpoints show, kept in written form. Which text depends on what is said in
// this file and nowhere else: each change of the master's state touches the texts that show it.
import { taskJson, agentJson, executorJson, offerJson, recoveredAgentJson } from './legacy-json.ts';
import type { AgentInfo, Task } from '#wire/mesos/v1.ts';
import type { MasterCore } from './core.ts';
import { type Form, KeptList } from './kept-list.ts';
import { Ledger } from './ledger.ts';
import { jsonNotation, protobufNotation, type Frame, type Notation } from './notation.ts';
import { summaryAgentJson } from './legacy-views.ts';
import { agentWire, executorWire, offerWire } from './operator-answers.ts';
import type { Change, StateWatcher, TaskList } from './state-watcher.ts';
import { nobody } from './state-watcher.ts';
import type { OfferRecord } from './offer-book.ts';
import type { AgentRecord, ExecutorRecord, FrameworkRecord } from './types.ts';

/** How the elements of each kind of list are written for one family of endpoints. */
export interface Forms {
  readonly agents: Form<AgentRecord>;
  readonly recovered: Form<AgentInfo>;
  readonly tasks: Form<Task>;
  readonly unreachable: Form<Task>;
  readonly completed: Form<Task>;
  readonly executors: Form<ExecutorRecord>;
  readonly offers: Form<OfferRecord>;
}

/** What is kept of one framework: its lists, and the frames around them, by who made them. */
export interface FrameworkTexts {
  readonly tasks: KeptList<Task>;
  readonly unreachable: KeptList<Task>;
  readonly completed: KeptList<Task>;
  readonly executors: KeptList<ExecutorRecord>;
  readonly offers: KeptList<OfferRecord>;
  readonly frames: Map<object, unknown>;
}

function jsonForm<T>(name: string, valueOf: (one: T) => object): Form<T> {
  return { name, write: (one, out) => out.text(`,${JSON.stringify(valueOf(one))}`) };
}

function legacyForms({ state }: MasterCore): Forms {
  const ledger = new Ledger(state);
  const tasks = jsonForm<Task>('task', (task) => taskJson(task));
  return {
    agents: jsonForm('agent', (agent) => agentJson(state, ledger, agent)),
    recovered: jsonForm('recovered agent', recoveredAgentJson),
    tasks,
    unreachable: tasks,
    completed: tasks,
    executors: jsonForm('executor', executorJson),
    offers: jsonForm('offer', offerJson),
  };
}

function v1Forms({ state, maintenance }: MasterCore, notation: Notation): Forms {
  const tasks = (field: string): Form<Task> => {
    const list = { message: 'MasterResponse_GetTasks', field, element: 'Task' } as const;
    return notation.form(list, (task) => task);
  };
  return {
    agents: notation.form(
      {
        message: 'MasterResponse_GetAgents',
        field: 'agents',
        element: 'MasterResponse_GetAgents_Agent',
      },
      (agent: AgentRecord) => agentWire(state, agent),
    ),
    recovered: notation.form(
      { message: 'MasterResponse_GetAgents', field: 'recovered_agents', element: 'AgentInfo' },
      (info: AgentInfo) => info,
    ),
    tasks: tasks('tasks'),
    unreachable: tasks('unreachable_tasks'),
    completed: tasks('completed_tasks'),
    executors: notation.form(
      {
        message: 'MasterResponse_GetExecutors',
        field: 'executors',
        element: 'MasterResponse_GetExecutors_Executor',
      },
      executorWire,
    ),
    offers: notation.form(
      {
        message: 'MasterResponse_GetFrameworks_Framework',
        field: 'offers',
        element: 'Offer',
      },
      (offer: OfferRecord) => {
        const agent = state.agents.get(offer.agentId);
        return agent === undefined ? {} : offerWire(maintenance, agent, offer);
      },
    ),
  };
}

export class KeptViews implements StateWatcher {
  readonly core: MasterCore;
  readonly legacy: Forms;
  /** Agents with their resources in full, as /slaves has them. */
  readonly fullAgents: Form<AgentRecord>;
  readonly json: Forms;
  readonly protobuf: Forms;
  /** Agents with the tasks on them counted, as /state-summary has them. */
  readonly summaryAgents: Form<AgentRecord>;
  /** Changes of tasks so far: what was read of them at the same count is the same. */
  taskChanges = 0;
  #agents: KeptList<AgentRecord> | undefined;
  #summary: KeptList<AgentRecord> | undefined;
  /** By agent: tasks of frameworks that are there, which are not on it any more. */
  readonly #past = new Map<string, Set<Task>>();
  #recovered: KeptList<AgentInfo> | undefined;
  readonly #frameworks = new Map<FrameworkRecord, FrameworkTexts>();

  constructor(core: MasterCore) {
    this.core = core;
    const { state } = core;
    const ledger = new Ledger(state);
    this.legacy = legacyForms(core);
    this.fullAgents = jsonForm('full agent', (agent) =>
      agentJson(state, ledger, agent, { isFull: true }),
    );
    this.summaryAgents = jsonForm('agent summary', (agent) => {
      const live = [...agent.tasks].map(({ task }) => task);
      const tasks = [...live, ...(this.#past.get(agent.id) ?? [])];
      return summaryAgentJson(state, ledger, agent, tasks);
    });
    this.json = v1Forms(core, jsonNotation);
    this.protobuf = v1Forms(core, protobufNotation);
  }

  // ---- what is kept, made when it is first asked for ----

  get agents(): KeptList<AgentRecord> {
    this.#watch();
    this.#agents ??= new KeptList(this.core.state.agents.values());
    return this.#agents;
  }

  get summary(): KeptList<AgentRecord> {
    this.#watch();
    if (this.#summary === undefined) {
      this.#past.clear();
      for (const { unreachableTasks, completedTasks } of this.core.state.frameworks.values()) {
        for (const task of unreachableTasks.values()) this.#addPast(task);
        for (const task of completedTasks) this.#addPast(task);
      }
      this.#summary = new KeptList(this.core.state.agents.values());
    }
    return this.#summary;
  }

  get recovered(): KeptList<AgentInfo> {
    this.#watch();
    this.#recovered ??= new KeptList(this.core.state.recovered.values());
    return this.#recovered;
  }

  of(framework: FrameworkRecord): FrameworkTexts {
    this.#watch();
    let texts = this.#frameworks.get(framework);
    if (texts === undefined) {
      const { tasks, unreachableTasks, completedTasks, executors } = framework;
      texts = {
        tasks: new KeptList([...tasks.values()].map(({ task }) => task)),
        unreachable: new KeptList(unreachableTasks.values()),
        completed: new KeptList(completedTasks),
        executors: new KeptList(executors),
        offers: new KeptList(framework.offers.all()),
        frames: new Map(),
      };
      this.#frameworks.set(framework, texts);
    }
    return texts;
  }

  /** What stands around the lists of a framework: made anew after each change of it. */
  frame<F = Frame>(framework: FrameworkRecord, maker: object, make: () => F): F {
    const { frames } = this.of(framework);
    let frame = frames.get(maker) as F | undefined;
    if (frame === undefined) {
      frame = make();
      frames.set(maker, frame);
    }
    return frame;
  }

  /** Nobody reads: nothing is kept until somebody does. */
  rest(): void {
    this.taskChanges += 1;
    this.core.state.watcher = nobody;
    this.#agents = undefined;
    this.#summary = undefined;
    this.#past.clear();
    this.#recovered = undefined;
    this.#frameworks.clear();
  }

  #watch(): void {
    this.core.state.watcher = this;
  }

  // ---- which change touches what ----

  onTask(framework: FrameworkRecord, task: Task, list: TaskList, change: Change): void {
    this.taskChanges += 1;
    apply(this.#frameworks.get(framework)?.[list], task, change);
    this.#countTask(framework, task, list, change);
    // Sums of who holds what: not of those that are over, nor do they depend on a state.
    if (change === 'changed' || list !== 'tasks') return;
    this.#reframe(framework);
    const agent = this.core.state.agents.get(task.agent_id.value);
    if (agent !== undefined) this.#touchAgent(agent);
  }

  /** Summaries count tasks by their states, past ones as well. */
  #countTask(framework: FrameworkRecord, task: Task, list: TaskList, change: Change): void {
    this.#frameworks.get(framework)?.frames.delete(this.summaryAgents);
    if (this.#summary === undefined) return;
    const agentId = task.agent_id.value;
    if (list !== 'tasks' && change === 'came') this.#addPast(task);
    if (list !== 'tasks' && change === 'left') {
      const past = this.#past.get(agentId);
      past?.delete(task);
      if (past?.size === 0) this.#past.delete(agentId);
    }
    const agent = this.core.state.agents.get(agentId);
    if (agent !== undefined) this.#summary.touch(agent);
  }

  onExecutor(
    framework: FrameworkRecord | undefined,
    agent: AgentRecord,
    executor: ExecutorRecord,
    change: Change,
  ): void {
    this.#touchAgent(agent);
    if (framework === undefined) return;
    this.#reframe(framework);
    const texts = this.#frameworks.get(framework);
    apply(texts?.executors, executor, change);
    // Offers name the executors that the framework has there.
    if (texts !== undefined) this.#touchOffers(agent, texts);
  }

  onOffer(
    framework: FrameworkRecord | undefined,
    agent: AgentRecord | undefined,
    offer: OfferRecord,
    change: Change,
  ): void {
    if (agent !== undefined) this.#touchAgent(agent);
    if (framework === undefined) return;
    this.#reframe(framework);
    apply(this.#frameworks.get(framework)?.offers, offer, change);
  }

  onUse(framework: FrameworkRecord, agent: AgentRecord): void {
    this.#reframe(framework);
    this.#touchAgent(agent);
  }

  onAgent(agent: AgentRecord, change: Change): void {
    apply(this.#agents, agent, change);
    apply(this.#summary, agent, change);
    if (change !== 'changed') return;
    // Offers and inverse offers show where their agent is.
    for (const texts of this.#frameworks.values()) {
      if (agent.offers.length > 0) this.#touchOffers(agent, texts);
      if (this.core.maintenance.inverseOffers.size > 0) texts.frames.clear();
    }
  }

  onRecovered(info: AgentInfo): void {
    this.#recovered?.remove(info);
  }

  onFramework(framework: FrameworkRecord): void {
    this.#reframe(framework);
    if (framework.unregisteredAt === undefined) return;
    // Its tasks count no longer, wherever they were: rare enough to count anew; and its place among
    // the frameworks is another one.
    this.#summary = undefined;
    this.taskChanges += 1;
  }

  onForgotten(framework: FrameworkRecord): void {
    this.taskChanges += 1;
    this.#frameworks.delete(framework);
  }

  #addPast(task: Task): void {
    const agentId = task.agent_id.value;
    const past = this.#past.get(agentId);
    if (past === undefined) this.#past.set(agentId, new Set([task]));
    else past.add(task);
  }

  #touchAgent(agent: AgentRecord): void {
    this.#agents?.touch(agent);
    this.#summary?.touch(agent);
  }

  #reframe(framework: FrameworkRecord): void {
    this.#frameworks.get(framework)?.frames.clear();
  }

  #touchOffers(agent: AgentRecord, { offers }: FrameworkTexts): void {
    if (offers.size === 0) return;
    for (const offer of agent.offers) offers.touch(offer);
  }
}

function apply<T extends object>(list: KeptList<T> | undefined, one: T, change: Change): void {
  if (change === 'came') list?.add(one);
  else if (change === 'left') list?.remove(one);
  else list?.touch(one);
}
