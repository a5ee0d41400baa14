// Why a pod failed whose task the substrate ended, in the words of a pod's status.
import type { TaskStatus } from './types.ts';

/**
 * Of a pod whose node somebody has given, and that finds a host port taken there: a kubelet refuses it at its
 * admission (`predicate.go` of 1.37), so that whoever made it makes another one.
 */
export const portsRefused = {
  reason: 'NodePorts',
  message:
    "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
} as const;

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
