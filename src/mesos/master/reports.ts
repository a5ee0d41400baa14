// What agents report of what runs on them: status updates, executors that ended, messages.
import type { FrameworkID, Messages } from '#wire/mesos/v1.ts';
import type { MasterState } from './state.ts';
import type { AgentRecord } from './types.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';

export class ReportDesk {
  readonly #state: MasterState;
  constructor(state: MasterState) {
    this.#state = state;
  }

  onStatusUpdate(from: string, { update }: Messages['StatusUpdateMessage']): void {
    this.#state.count('messages_status_update');
    const { state } = this.#forward(from, update);
    if (state !== 'forwarded') this.#state.count('invalid_status_updates');
    else this.#state.count('valid_status_updates');
  }

  #forward(
    from: string,
    update: Messages['StatusUpdate'],
  ): { state: 'forwarded' | 'unknown' | 'dropped' } {
    const agent = this.#state.agentsByPid.get(from);
    const framework = this.#state.frameworks.get(update.framework_id.value);
    if (agent === undefined) return { state: 'dropped' };
    if (framework === undefined) {
      this.#endFramework(agent, update.framework_id);
      return { state: 'dropped' };
    }
    const status = {
      ...update.status,
      timestamp: update.status.timestamp ?? update.timestamp,
      agent_id: update.agent_id ?? update.status.agent_id ?? { value: agent.id },
      ...(update.executor_id === undefined ? {} : { executor_id: update.executor_id }),
      ...(update.uuid === undefined || update.uuid.length === 0 ? {} : { uuid: update.uuid }),
    };
    const record = framework.tasks.get(status.task_id.value);
    if (record !== undefined) {
      const { task } = record;
      if (task.state === 'TASK_STAGING' && status.source === 'SOURCE_EXECUTOR') {
        // The launch has come to it; words of tasks that ran before are an earlier executor's.
        const executor = agent.executors.get(framework.id)?.get(task.executor_id?.value ?? '');
        const isFormer =
          executor?.formerTasks?.has(`${framework.id}/${task.task_id.value}`) === true;
        if (executor !== undefined && !isFormer) executor.formerTasks = undefined;
      }
      task.status_update_state = status.state;
      if (status.uuid !== undefined) task.status_update_uuid = status.uuid;
      this.#state.holdings.changeTask(framework, task);
      const latest = update.latest_state ?? status.state;
      // Reconciling agents may repeat old news; a terminal state is never left.
      if (!isTerminal(task.state))
        this.#state.updateTaskState(framework, task, { ...status, state: latest });
      if (isTerminal(latest)) this.#state.release(framework, status.task_id.value);
      // Without a uuid nobody acknowledges: the end is the end.
      if (isTerminal(latest) && status.uuid === undefined) this.#state.complete(framework, task);
    }
    if (framework.connection === undefined) return { state: 'dropped' };
    this.#state.tellStatus(framework, status);
    return { state: record === undefined ? 'unknown' : 'forwarded' };
  }

  /**
   * Every framework of which a registered agent tells was known here: it has been removed, and nobody will
   * acknowledge anything. The agent was not told so when nothing of it was known to be there.
   */
  #endFramework(agent: AgentRecord, framework_id: FrameworkID): void {
    const message = { name: 'ShutdownFrameworkMessage' as const, body: { framework_id } };
    this.#state.emit({ kind: 'send', to: agent.pid, message });
  }

  onExecutorExited(body: Messages['ExitedExecutorMessage']): void {
    this.#state.count('messages_exited_executor');
    const agent = this.#state.agents.get(body.agent_id.value);
    const frameworkId = body.framework_id.value;
    if (agent === undefined) return;
    const record = this.#state.holdings.removeExecutor(agent, frameworkId, body.executor_id.value);
    if (record === undefined) return;
    this.#state.allocator.recover(frameworkId, agent.id, record.resources);
    const framework = this.#state.frameworks.get(frameworkId);
    if (framework === undefined) return;
    const { agent_id, executor_id, status } = body;
    this.#state.tell(framework, { type: 'FAILURE', failure: { agent_id, executor_id, status } });
  }

  onExecutorMessage(body: Messages['ExecutorToFrameworkMessage']): void {
    this.#state.count('messages_executor_to_framework');
    const framework = this.#state.frameworks.get(body.framework_id.value);
    const isValid = framework !== undefined && framework.connection !== undefined;
    this.#state.count(`${isValid ? 'valid' : 'invalid'}_executor_to_framework_messages`);
    if (framework === undefined) return;
    const { agent_id, executor_id, data } = body;
    this.#state.tell(framework, { type: 'MESSAGE', message: { agent_id, executor_id, data } });
  }
}
