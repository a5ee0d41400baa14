// Which launches never got to their agent, by when they were sent: what their tasks hold at the master nobody
// runs, and the agent may know nothing of what made room for them.
import type { MasterState } from '#mesos/master/state.ts';
import type { AgentRecord, ToAgent } from '#mesos/master/types.ts';
import { isReserved } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';

export class LostLaunches {
  /** Task -> when its launch was sent last. */
  readonly #sentAt = new Map<string, number>();

  sent({ name, body }: ToAgent, now: number): void {
    if (name === 'RunTaskMessage') this.#sentAt.set(body.task.task_id.value, now);
    else if (name === 'RunTaskGroupMessage') {
      for (const { task_id } of body.task_group.tasks ?? []) this.#sentAt.set(task_id.value, now);
    }
  }

  /**
   * What tasks hold that are lost with the reservation, or with the end of one, which made room for them.
   * An agent that is back says what it has at once, and of such tasks when it is asked.
   */
  lostOn({ frameworks }: MasterState, agent: AgentRecord): Resources {
    const returnedAt = agent.reregisteredAt ?? -Infinity;
    const lost = [...frameworks.values()].flatMap(({ tasks }) =>
      [...tasks.values()].filter(({ task, resources }) => {
        if (task.state !== 'TASK_STAGING' || task.agent_id.value !== agent.id) return false;
        if ((this.#sentAt.get(task.task_id.value) ?? Infinity) < returnedAt) return true;
        const isAll = agent.total.contains(resources.allocatedTo(undefined));
        return resources.some(isReserved) && !isAll;
      }),
    );
    return Resources.sum(lost.map(({ resources }) => resources));
  }
}
