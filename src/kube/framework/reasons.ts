// Why a pod failed whose task the substrate ended, in the words of a pod's status.
import type { TaskStatus } from './types.ts';

export function reasonOf(status: TaskStatus): string {
  switch (status.reason) {
    case 'REASON_CONTAINER_LIMITATION_MEMORY':
      return 'OOMKilled';
    case 'REASON_AGENT_REMOVED':
    case 'REASON_SLAVE_REMOVED':
      return 'NodeLost';
    default:
      return status.state === 'TASK_ERROR' ? 'TaskError' : 'TaskLost';
  }
}
