// An agent that is back: what the master and the agent know of its tasks, executors and frameworks
// is brought together, and it is told what it missed.
import type { Messages } from '#wire/mesos/v1.ts';
import { isOf, tasksByFramework } from './holdings.ts';
import type { MasterState } from './state.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import { masterStatus } from './statuses.ts';
import type { AgentRecord, ExecutorRecord, MasterOptions } from './types.ts';

type Reregister = Messages['ReregisterSlaveMessage'];

/** How long an agent without pings waits before it looks for a master again. */
export function pingBudget({ agentPingTimeoutMs, agentPingTimeoutsMax }: MasterOptions) {
  return { total_ping_timeout_seconds: (agentPingTimeoutMs * agentPingTimeoutsMax) / 1_000 };
}

export class ReturnDesk {
  readonly #state: MasterState;
  constructor(state: MasterState) {
    this.#state = state;
  }

  dropMissingExecutors(agent: AgentRecord, message: Reregister): void {
    const alive = new Set(
      (message.executor_infos ?? []).map(
        (one) => `${one.framework_id?.value}/${one.executor_id.value}`,
      ),
    );
    const named = namedTasks(message);
    for (const [frameworkId, executors] of agent.executors) {
      for (const [id, executor] of executors) {
        const isAlive = alive.has(`${frameworkId}/${id}`);
        const isExpected = !isAlive && hasStagingTask(agent, executor, named);
        executor.formerTasks = isExpected ? named : undefined;
        if (!isAlive && !isExpected) this.#state.loseExecutor(agent, executor);
      }
    }
  }

  /** Tasks that only the master knows are asked of the agent, which answers DROPPED or LOST. */
  finish(agent: AgentRecord, message: Reregister, now: number): void {
    const known = namedTasks(message);
    const reconciliations: Messages['ReconcileTasksMessage'][] = [];
    const held = tasksByFramework(agent);
    for (const framework of this.#state.frameworks.values()) {
      const missing = (held.get(framework.id) ?? [])
        .map(({ task }) => task)
        .filter((task) => !known.has(`${framework.id}/${task.task_id.value}`));
      // Its end has been told, and nobody is left to be acknowledged.
      for (const task of missing) if (isTerminal(task.state)) this.#state.complete(framework, task);
      const statuses = missing
        .filter((task) => !isTerminal(task.state))
        .map((task) =>
          masterStatus({
            taskId: task.task_id.value,
            agentId: agent.id,
            state: task.state,
            reason: 'REASON_RECONCILIATION',
            message: 'Reconciliation request',
            now,
          }),
        );
      if (statuses.length === 0) continue;
      const framework_id = { value: framework.id };
      reconciliations.push({ framework_id, framework: framework.info, statuses });
    }
    const body = {
      agent_id: { value: agent.id },
      reconciliations,
      connection: pingBudget(this.#state.options),
    };
    const { pid } = agent;
    this.#state.emit({
      kind: 'send',
      to: pid,
      message: { name: 'SlaveReregisteredMessage', body },
    });
    for (const info of message.frameworks ?? [])
      this.#confirmFramework(agent, info.id?.value ?? '');
    this.#killWhatWaits(agent, message);
  }

  /** What ended meanwhile needs no kill: the agent would answer with a second end. */
  #killWhatWaits(agent: AgentRecord, message: Reregister): void {
    if (agent.pendingKills.size === 0) return;
    for (const { framework_id, task_id, state } of message.tasks ?? []) {
      if (!agent.pendingKills.has(`${framework_id.value}\n${task_id.value}`)) continue;
      if (isTerminal(state)) continue;
      const body = { framework_id, task_id };
      const kill = { name: 'KillTaskMessage', body } as const;
      this.#state.emit({ kind: 'send', to: agent.pid, message: kill });
    }
    agent.pendingKills.clear();
  }

  #confirmFramework(agent: AgentRecord, frameworkId: string): void {
    const framework_id = { value: frameworkId };
    const framework = this.#state.frameworks.get(frameworkId);
    if (framework === undefined) {
      const message = { name: 'ShutdownFrameworkMessage' as const, body: { framework_id } };
      this.#state.emit({ kind: 'send', to: agent.pid, message });
    } else if (!framework.isRecovered) {
      const body = { framework_id, pid: '', framework_info: framework.info };
      this.#state.emit({
        kind: 'send',
        to: agent.pid,
        message: { name: 'UpdateFrameworkMessage', body },
      });
    }
  }
}

/** What the agent said may be from before the launch came to it. */
function hasStagingTask(
  agent: AgentRecord,
  executor: ExecutorRecord,
  named: ReadonlySet<string>,
): boolean {
  for (const { task, isReleased } of agent.tasks) {
    if (isReleased || task.state !== 'TASK_STAGING' || !isOf(task, executor)) continue;
    if (!named.has(`${task.framework_id.value}/${task.task_id.value}`)) return true;
  }
  return false;
}

function namedTasks(message: Reregister): Set<string> {
  return new Set(
    (message.tasks ?? []).map((task) => `${task.framework_id.value}/${task.task_id.value}`),
  );
}
