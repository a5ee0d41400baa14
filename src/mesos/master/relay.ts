// Acknowledgements of status updates, on their way from a framework to the agent that waits for them.
import type { SchedulerCall, Task } from '#wire/mesos/v1.ts';
import type { MasterState } from './state.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import type { FrameworkRecord } from './types.ts';

export class RelayDesk {
  readonly #state: MasterState;
  constructor(state: MasterState) {
    this.#state = state;
  }

  acknowledge(framework: FrameworkRecord, call: SchedulerCall): void {
    const { acknowledge } = call;
    if (acknowledge === undefined) return;
    const agent = this.#state.agents.get(acknowledge.agent_id.value);
    if (agent === undefined || !agent.isConnected) {
      this.#state.count('invalid_status_update_acknowledgements');
      return;
    }
    this.#state.count('valid_status_update_acknowledgements');
    const record = framework.tasks.get(acknowledge.task_id.value);
    if (record !== undefined && isAcknowledged(record.task, acknowledge.uuid)) {
      if (isTerminal(record.task.status_update_state ?? record.task.state)) {
        this.#state.complete(framework, record.task);
      }
    }
    const body = {
      agent_id: acknowledge.agent_id,
      framework_id: { value: framework.id },
      task_id: acknowledge.task_id,
      uuid: acknowledge.uuid,
    };
    const message = { name: 'StatusUpdateAcknowledgementMessage' as const, body };
    this.#state.emit({ kind: 'send', to: agent.pid, message });
  }
}

function isAcknowledged(task: Task, uuid: Uint8Array): boolean {
  const latest = task.status_update_uuid;
  return latest !== undefined && Buffer.from(latest).equals(Buffer.from(uuid));
}
